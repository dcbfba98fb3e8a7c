//! The operator's view on the screen itself: a small panel on F1, where it is enabled, and the keys of a rehearsal.

mod keys;

pub use keys::Key;

use crate::device::camera::CameraState;
use crate::device::quic::Status;
use crate::device::sight::SightStatus;
use crate::link::{Health, State};
use crate::stage::{Drawn, PaneCamera, ScreenOf};
use crate::twin::Backstage;
use bevy::prelude::*;
use bevy::window::CursorOptions;
use bevy_egui::{EguiContexts, EguiGlobalSettings, EguiPlugin, EguiPrimaryContextPass, PrimaryEguiContext, egui};
use std::sync::mpsc::SyncSender;

/// What is at fault.
const ORANGE: egui::Color32 = egui::Color32::from_rgb(255, 170, 90);

/// Plugin for the panel, in rehearsals and at sites whose operator enables it.
pub struct OperatorPlugin {
    /// What the stage tells of its shaders.
    pub drawn: Drawn,
    /// In a rehearsal: where keys are told.
    pub keys: Option<SyncSender<Key>>,
}

#[derive(Resource)]
struct Panel {
    open: bool,
    drawn: Drawn,
    rehearsal: bool,
}

impl Plugin for OperatorPlugin {
    fn build(&self, app: &mut App) {
        app.add_plugins(EguiPlugin::default())
            .insert_resource(EguiGlobalSettings { auto_create_primary_context: false, ..default() })
            .insert_resource(Panel { open: false, drawn: self.drawn.clone(), rehearsal: self.keys.is_some() })
            .add_systems(Update, (attach, toggle))
            .add_systems(EguiPrimaryContextPass, panel);
        if let Some(keys) = &self.keys {
            app.insert_resource(keys::Told(keys.clone())).add_systems(Update, keys::tell);
        }
    }
}

/// The first screen carries the panel.
fn attach(mut commands: Commands, cameras: Query<(Entity, &PaneCamera), Without<PrimaryEguiContext>>) {
    for (entity, _) in cameras.iter().filter(|(_, camera)| camera.first) {
        commands.entity(entity).insert(PrimaryEguiContext);
    }
}

fn toggle(
    keys: Res<ButtonInput<KeyCode>>,
    mut panel: ResMut<Panel>,
    mut pointers: Query<&mut CursorOptions, With<ScreenOf>>,
) {
    if keys.just_pressed(KeyCode::F1) {
        panel.open = !panel.open;
        // The panel's sliders need the pointer, which is hidden at a venue.
        pointers.iter_mut().for_each(|mut pointer| pointer.visible = panel.open || panel.rehearsal);
    }
}

/// How the link is, and what to do about it.
fn link(status: &Status) -> String {
    let (word, why) = status.word();
    if !matches!(status.health.state, State::Linked | State::Apart) {
        return format!("link: {word}; {why}");
    }
    let way = if status.relayed { "through a relay" } else { "direct" };
    let ms = |seconds: Option<f64>| seconds.map_or("–".into(), |seconds| format!("{:.0}", seconds * 1e3));
    let Health { round_trip, jitter, buffer, .. } = status.health;
    let why = if why.is_empty() { String::new() } else { format!(" ({why})") };
    format!(
        "link: {word}{why}, {way}, round trip {} ms, jitter {} ms, buffer {} ms, {:.1} % lost",
        ms(round_trip),
        ms(jitter),
        buffer.as_millis(),
        status.loss * 100.0
    )
}

fn panel(mut contexts: EguiContexts, panel: Res<Panel>, backstage: Res<Backstage>) -> Result {
    if !panel.open {
        return Ok(());
    }
    let scene = backstage.scene.status();
    egui::Window::new("Moongate").default_pos([16.0, 16.0]).resizable(false).show(contexts.ctx_mut()?, |ui| {
        ui.label(link(&backstage.link.status()));
        ui.label(format!("sound: {}", backstage.audio.device().unwrap_or_else(|| "none; the show is silent".into())));
        let process =
            scene.pid.map_or("starting".into(), |pid| format!("process {pid}, started {} times", scene.starts));
        ui.label(format!("scene: {process}, {:.1} ms a frame", scene.took_us as f64 / 1e3));
        for camera in backstage.sights.status() {
            let SightStatus { name, camera, bodies, took_ms, .. } = camera;
            let [width, height] = camera.size;
            let state = camera.state.word();
            ui.label(format!(
                "camera {name}: {state}, {width} × {height}, {:.0} a second, {bodies} bodies, {took_ms:.1} ms",
                camera.rate
            ));
            if let Some(fault) = camera.last_fault.filter(|_| camera.state != CameraState::Seeing) {
                ui.colored_label(ORANGE, fault);
            }
        }
        if panel.rehearsal {
            for (_, _, letter, _, help) in Key::ALL {
                ui.label(format!("{}: {help}", letter.to_uppercase()));
            }
        }
        for (dial, mut value) in backstage.dials.all() {
            let slider = egui::Slider::new(&mut value, dial.range[0]..=dial.range[1]).text(&dial.name);
            if ui.add(slider).changed() {
                backstage.dials.turn(&dial.name, value);
            }
        }
        if let Some(fault) = scene.fault.or(scene.last_fault) {
            ui.separator();
            ui.colored_label(ORANGE, fault.to_string());
        }
        for fault in panel.drawn.faults() {
            ui.colored_label(ORANGE, format!("{}: {}", fault.shader, fault.why));
        }
    });
    Ok(())
}
