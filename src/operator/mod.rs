//! Operator's panel on the first screen (F1), where it is enabled, and the keys of a rehearsal.

mod keys;

use crate::device::camera::CameraState;
use crate::device::camera_pipeline::CameraPipelineStatus;
use crate::device::link_status::LinkStatus;
use crate::link::{LinkHealth, LinkState};
use crate::render::{FrameStats, ScreenCamera, ScreenWindow};
use crate::show::{OperatorContext, RehearsalKey};
use bevy::prelude::*;
use bevy::window::CursorOptions;
use bevy_egui::{EguiContexts, EguiGlobalSettings, EguiPlugin, EguiPrimaryContextPass, PrimaryEguiContext, egui};
use std::sync::mpsc::SyncSender;

/// Colour of faults.
const FAULT_COLOUR: egui::Color32 = egui::Color32::from_rgb(255, 170, 90);

/// Plugin for the panel, in rehearsals and at sites whose operator enables it.
pub struct OperatorPlugin {
    /// Statistics of the renderer, with faults of shaders.
    pub frame_stats: FrameStats,
    /// Channel for keys, in a rehearsal.
    pub keys: Option<SyncSender<RehearsalKey>>,
}

#[derive(Resource)]
struct Panel {
    open: bool,
    frame_stats: FrameStats,
    rehearsal: bool,
}

impl Plugin for OperatorPlugin {
    fn build(&self, app: &mut App) {
        app.add_plugins(EguiPlugin::default())
            .insert_resource(EguiGlobalSettings { auto_create_primary_context: false, ..default() })
            .insert_resource(Panel {
                open: false,
                frame_stats: self.frame_stats.clone(),
                rehearsal: self.keys.is_some(),
            })
            .add_systems(Update, (attach_panel, toggle_panel))
            .add_systems(EguiPrimaryContextPass, draw_panel);
        if let Some(keys) = &self.keys {
            app.insert_resource(keys::KeySender(keys.clone())).add_systems(Update, keys::send_keys);
        }
    }
}

/// Attaches the panel to the first screen's camera.
fn attach_panel(mut commands: Commands, cameras: Query<(Entity, &ScreenCamera), Without<PrimaryEguiContext>>) {
    for (entity, _) in cameras.iter().filter(|(_, camera)| camera.first) {
        commands.entity(entity).insert(PrimaryEguiContext);
    }
}

fn toggle_panel(
    keys: Res<ButtonInput<KeyCode>>,
    mut panel: ResMut<Panel>,
    mut pointers: Query<&mut CursorOptions, With<ScreenWindow>>,
) {
    if keys.just_pressed(KeyCode::F1) {
        panel.open = !panel.open;
        // The panel's sliders need the pointer, which is hidden at a venue.
        pointers.iter_mut().for_each(|mut pointer| pointer.visible = panel.open || panel.rehearsal);
    }
}

/// Returns the link's state, and what to do about it.
fn link_summary(status: &LinkStatus) -> String {
    let (word, why) = status.summary();
    if !matches!(status.session.health.state, LinkState::Linked | LinkState::Incompatible) {
        return format!("link: {word}; {why}");
    }
    let way = if status.relayed { "through a relay" } else { "direct" };
    let ms = |seconds: Option<f64>| seconds.map_or("–".into(), |seconds| format!("{:.0}", seconds * 1e3));
    let LinkHealth { round_trip, jitter, playout_delay: buffer, .. } = status.session.health;
    let why = if why.is_empty() { String::new() } else { format!(" ({why})") };
    format!(
        "link: {word}{why}, {way}, round trip {} ms, jitter {} ms, buffer {} ms, {:.1} % lost",
        ms(round_trip),
        ms(jitter),
        buffer.as_millis(),
        status.loss * 100.0
    )
}

fn draw_panel(mut contexts: EguiContexts, panel: Res<Panel>, backstage: Res<OperatorContext>) -> Result {
    if !panel.open {
        return Ok(());
    }
    let scene = backstage.scene.status();
    egui::Window::new("Moongate").default_pos([16.0, 16.0]).resizable(false).show(contexts.ctx_mut()?, |ui| {
        ui.label(link_summary(&backstage.site.status()));
        ui.label(format!("sound: {}", backstage.audio.device().unwrap_or_else(|| "none; the show is silent".into())));
        let process =
            scene.pid.map_or("starting".into(), |pid| format!("process {pid}, started {} times", scene.starts));
        ui.label(format!("scene: {process}, {:.1} ms a frame", scene.took_us as f64 / 1e3));
        for camera in backstage.cameras.status() {
            let CameraPipelineStatus { name, camera, bodies, took_ms, .. } = camera;
            let [width, height] = camera.size;
            let state = camera.state.name();
            ui.label(format!(
                "camera {name}: {state}, {width} × {height}, {:.0} a second, {bodies} bodies, {took_ms:.1} ms",
                camera.frame_rate
            ));
            if let Some(fault) = camera.last_fault.filter(|_| camera.state != CameraState::Streaming) {
                ui.colored_label(FAULT_COLOUR, fault);
            }
        }
        if panel.rehearsal {
            for (_, _, letter, _, help) in RehearsalKey::ALL {
                ui.label(format!("{}: {help}", letter.to_uppercase()));
            }
        }
        for (dial, mut value) in backstage.parameters.all() {
            let slider = egui::Slider::new(&mut value, dial.range[0]..=dial.range[1]).text(&dial.name);
            if ui.add(slider).changed() {
                backstage.parameters.set(&dial.name, value);
            }
        }
        if let Some(fault) = scene.fault.or(scene.last_fault) {
            ui.separator();
            ui.colored_label(FAULT_COLOUR, fault.to_string());
        }
        for fault in panel.frame_stats.faults() {
            ui.colored_label(FAULT_COLOUR, format!("{}: {}", fault.shader, fault.why));
        }
    });
    Ok(())
}
