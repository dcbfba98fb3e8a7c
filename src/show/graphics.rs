//! Graphics of a show: its adapter, found before Bevy needs one, since Bevy panics without it, and its Bevy app.

use crate::device::display::NoDisplay;
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

/// Graphics adapter, and the kind of output.
pub struct Graphics {
    /// Name of the adapter.
    pub name: String,
    /// True for a software rasteriser.
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
    // `on_termination_signal` handles signals, even while the frame loop hangs.
    plugins = plugins.disable::<TerminalCtrlCHandlerPlugin>();
    if graphics.offscreen {
        // Only the canvas is drawn; the other plugins would take memory and start-up time.
        plugins = plugins.disable::<WinitPlugin>().disable::<SpriteRenderPlugin>();
    }
    if !pipelined {
        // Pipelined rendering shows each frame one frame later.
        plugins = plugins.disable::<PipelinedRenderingPlugin>();
    }
    let mut app = App::new();
    app.add_plugins(plugins)
        .insert_resource(WinitSettings::continuous())
        .insert_resource(FallbackErrorHandler(warn))
        .insert_resource(RenderErrorHandler(|error, main, _| match error.ty {
            // wgpu has logged it already; the previous frame stays.
            ErrorType::Validation | ErrorType::Internal => RenderErrorPolicy::Ignore,
            // The graphics device is lost: the parent process restarts the show.
            _ => {
                main.write_message(AppExit::from_code(super::exit::EXIT_LOST));
                RenderErrorPolicy::StopRendering
            }
        }));
    app
}
