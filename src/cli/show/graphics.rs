//! What this machine can draw with, found before Bevy is asked, which would panic without it.

use crate::cli::display::NoDisplay;
use crate::render::find_adapter;
use bevy::app::{App, TerminalCtrlCHandlerPlugin};
use bevy::ecs::error::{FallbackErrorHandler, warn};
use bevy::prelude::*;
use bevy::render::RenderPlugin;
use bevy::render::error_handler::{ErrorType, RenderErrorHandler, RenderErrorPolicy};
use bevy::render::pipelined_rendering::PipelinedRenderingPlugin;
use bevy::render::settings::{Backends, RenderCreation, WgpuSettings};
use bevy::sprite_render::SpriteRenderPlugin;
use bevy::window::ExitCondition;
use bevy::winit::{WinitPlugin, WinitSettings};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What there is to draw with.
pub struct Graphics {
    /// The adapter's name.
    pub name: String,
    /// It is a software rasteriser.
    pub software: bool,
    /// True without windows.
    pub offscreen: bool,
}

/// Looks for a graphics adapter.
pub fn find_graphics(offscreen: bool) -> Result<Graphics, String> {
    let info = find_adapter()?.get_info();
    Ok(Graphics { software: info.device_type == wgpu::DeviceType::Cpu, name: info.name, offscreen })
}

/// Creates an app with Bevy's plugins, with or without windows.
pub fn create_app(graphics: &Graphics, pipelined: bool) -> Result<App, NoDisplay> {
    // winit's plugin panics on a display that answers but refuses the connection; the message is in the log.
    catch_unwind(AssertUnwindSafe(|| build_app(graphics, pipelined))).map_err(|_| NoDisplay::Refused)
}

fn build_app(graphics: &Graphics, pipelined: bool) -> App {
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
    // `on_asked` handles signals, even while the frame loop hangs.
    plugins = plugins.disable::<TerminalCtrlCHandlerPlugin>();
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
                main.write_message(AppExit::from_code(super::EXIT_LOST));
                RenderErrorPolicy::StopRendering
            }
        }));
    app
}
