//! What this machine can draw with, found before Bevy is asked, which would panic without it.

use crate::stage::adapter;
use bevy::app::App;
use bevy::ecs::error::{FallbackErrorHandler, warn};
use bevy::prelude::*;
use bevy::render::RenderPlugin;
use bevy::render::error_handler::{ErrorType, RenderErrorHandler, RenderErrorPolicy};
use bevy::render::pipelined_rendering::PipelinedRenderingPlugin;
use bevy::render::settings::{Backends, RenderCreation, WgpuSettings};
use bevy::sprite_render::SpriteRenderPlugin;
use bevy::window::ExitCondition;
use bevy::winit::{WinitPlugin, WinitSettings};

/// What there is to draw with.
pub struct Graphics {
    /// The adapter's name.
    pub name: String,
    /// It is a software rasteriser.
    pub software: bool,
    /// There is no display, or it is not to be used.
    pub offscreen: bool,
}

/// Looks for a graphics adapter and a display.
pub fn find() -> Result<Graphics, String> {
    let info = adapter()?.get_info();
    Ok(Graphics { software: info.device_type == wgpu::DeviceType::Cpu, name: info.name, offscreen: !has_display() })
}

/// There is a display to open windows on.
pub fn has_display() -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    set("DISPLAY") || set("WAYLAND_DISPLAY")
}

/// An app with Bevy's plugins, with windows or without.
pub fn app(graphics: &Graphics, pipelined: bool) -> App {
    let mut plugins = DefaultPlugins
        .build()
        .set(WindowPlugin { primary_window: None, exit_condition: ExitCondition::DontExit, ..default() })
        .set(RenderPlugin {
            synchronous_pipeline_compilation: true,
            render_creation: RenderCreation::Automatic(Box::new(WgpuSettings {
                backends: Some(Backends::PRIMARY),
                ..default()
            })),
            ..default()
        });
    if graphics.offscreen {
        // Nothing but the canvas is drawn; what else could be takes memory and time to begin.
        plugins = plugins.disable::<WinitPlugin>().disable::<SpriteRenderPlugin>();
    }
    if !pipelined {
        // A frame that is drawn while the next is prepared is seen a frame later.
        plugins = plugins.disable::<PipelinedRenderingPlugin>();
    }
    let mut app = App::new();
    app.add_plugins(plugins)
        .insert_resource(WinitSettings::continuous())
        .insert_resource(FallbackErrorHandler(warn))
        .insert_resource(RenderErrorHandler(|error, main, _| match error.ty {
            // Logged already; the picture before stays.
            ErrorType::Validation | ErrorType::Internal => RenderErrorPolicy::Ignore,
            // The device is lost: who starts shows starts this one again.
            _ => {
                main.write_message(AppExit::from_code(70));
                RenderErrorPolicy::StopRendering
            }
        }));
    app
}
