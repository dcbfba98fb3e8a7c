//! Frame loop of a show as a Bevy system: each frame, inputs go to the scene, and its display list to the renderer.
//! Also the app that the loop runs in, the status lines and commands of `docs/show.md`, and the end of a show.

pub(crate) mod control;
pub(crate) mod edition_choice;
pub(crate) mod exit;
mod frame_input;
pub mod graphics;
mod link_bridge;
mod log_limiter;
mod parameters;
pub(crate) mod pointer;
pub(crate) mod rasterize;
mod rehearsal;
mod rehearsal_key;
pub(crate) mod shutdown;
mod site_port;
mod state;
pub mod status;
mod trace;
pub(crate) mod visibility;
pub(crate) mod visitors;

use frame_input::FrameInputBuilder;
pub use parameters::LiveParameters;
pub use rehearsal::Rehearsal;
pub use rehearsal_key::RehearsalKey;
pub use site_port::{ShowTime, SitePort};
pub use state::{ActionOutcome, ShowState};
pub use trace::{Trace, TraceLine};

use crate::config::{City, Installation, TrustedPeer};
use crate::device::audio::Audio;
use crate::device::camera_pipeline::CameraPipelines;
use crate::device::scene_process::SceneProcess;
use crate::device::site_handle::SiteHandle;
use crate::link::NowShowing;
use crate::messages::{ShowMessage, SiteMessage};
use crate::render::{self, FrameStats};
use crate::scene::{
    DisplayList, EngineUniforms, FrameInput, SceneAction, SceneDiagnostic, SceneRevision, caption, debug_overlay,
    error_overlay, standby_screen,
};
use bevy::prelude::*;
use log_limiter::LogLimiter;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Time for which the last display list stays; after that it would only look live, and the standby screen replaces it.
const PICTURE_STALE: Duration = Duration::from_secs(1);
/// Time for which a single fault is shown in a rehearsal.
const FAULT_SHOWN: Duration = Duration::from_secs(8);
/// Parts of the frame loop: site, twin and scene.
pub struct ShowParts {
    /// City of this site.
    pub city: &'static City,
    /// Twin, if there is one.
    pub twin: Option<TrustedPeer>,
    /// Public key of this site.
    pub key: [u8; 32],
    /// Installation that is shown.
    pub installation: Installation,
    /// Connection to the site half.
    pub site: Box<dyn SitePort>,
    /// Clocks.
    pub clock: fn() -> ShowTime,
    /// Process of the scene.
    pub scene: Arc<SceneProcess>,
    /// Sound output.
    pub audio: Arc<Audio>,
    /// Pipelines of the cameras; none if they run elsewhere.
    pub cameras: Option<Arc<CameraPipelines>>,
    /// Statistics of the renderer's frames.
    pub frame_stats: FrameStats,
    /// Trace of latencies.
    pub trace: Trace,
    /// Number of frames so far.
    pub frames: Arc<AtomicU64>,
    /// Maximum wait for the scene's display list of a frame; after that the newest is shown.
    pub scene_wait: Duration,
    /// Set in a rehearsal, where faults are shown to the artist; visitors never see them.
    pub rehearsal: Option<Arc<Rehearsal>>,
    /// Parameters of the scene, as the operator sets them.
    pub parameters: LiveParameters,
}

/// State of scene, link, sound and cameras, for the operator's overlay.
#[derive(Resource, Clone)]
pub struct OperatorContext {
    /// Process of the scene.
    pub scene: Arc<SceneProcess>,
    /// Site half of the site.
    pub site: SiteHandle,
    /// Sound output.
    pub audio: Arc<Audio>,
    /// Pipelines of the cameras.
    pub cameras: Arc<CameraPipelines>,
    /// Parameters of the scene.
    pub parameters: LiveParameters,
}

/// State of the frame loop.
struct ShowLoop {
    site: Box<dyn SitePort>,
    clock: fn() -> ShowTime,
    scene: Arc<SceneProcess>,
    audio: Arc<Audio>,
    state: ShowState,
    parameters: LiveParameters,
    cameras: Option<Arc<CameraPipelines>>,
    /// True if the site has cameras.
    has_cameras: bool,
    /// Capture time of the newest bodies.
    captured: Duration,
    /// Luminance in the last message to the site half.
    luminance: f32,
    frame_stats: FrameStats,
    trace: Trace,
    frames: Arc<AtomicU64>,
    scene_wait: Duration,
    rehearsal: Option<Arc<Rehearsal>>,
    /// Last input of the scene, while the debug overlay shows it.
    last_input: Option<FrameInput>,
    /// Time of the scene's last display list.
    picture_at: Option<Duration>,
    /// Edition of the last display list.
    edition: Option<Arc<SceneRevision>>,
    /// Uniforms of its shaders.
    uniforms: Arc<EngineUniforms>,
    /// Time of the last change of the edition.
    edition_since: Duration,
    /// True while a fault is written over the display list.
    fault_shown: bool,
    /// Last display list without the overlay, in a rehearsal.
    picture_below: Option<Arc<DisplayList>>,
    log: LogLimiter,
}

#[derive(Resource)]
struct ShowLoopResource(ShowLoop);

/// Returns the parts of an installation that both sites need in common to play together.
pub fn now_showing(installation: &Installation) -> NowShowing {
    NowShowing { installation: installation.id.clone(), schema_hash: installation.schema_hash() }
}

/// Returns the twin's city, or this one as a stand-in while there is no twin.
pub fn other_city(here: &'static City, twin: Option<&TrustedPeer>) -> &'static City {
    twin.map_or(here, |twin| twin.city)
}

impl ShowParts {
    /// Adds the frame loop to an app.
    pub fn plug(self, app: &mut App) {
        let there = other_city(self.city, self.twin.as_ref());
        let ShowTime { now, .. } = (self.clock)();
        let state = ShowState::new(self.city, there, &self.installation, self.key, now);
        app.insert_resource(ShowLoopResource(ShowLoop {
            site: self.site,
            clock: self.clock,
            has_cameras: self.cameras.as_ref().is_some_and(|cameras| !cameras.status().is_empty()),
            captured: Duration::ZERO,
            luminance: 0.0,
            cameras: self.cameras,
            scene: self.scene,
            audio: self.audio,
            state,
            parameters: self.parameters,
            frame_stats: self.frame_stats,
            trace: self.trace,
            frames: self.frames,
            scene_wait: self.scene_wait,
            rehearsal: self.rehearsal,
            last_input: None,
            picture_at: None,
            edition: None,
            uniforms: Arc::default(),
            edition_since: Duration::ZERO,
            fault_shown: false,
            picture_below: None,
            log: LogLimiter::new(),
        }))
        .add_systems(PostUpdate, update_show);
    }
}

/// Runs one frame: takes inputs, asks the scene, waits up to the budget, and shows the newest display list.
fn update_show(world: &mut World) {
    world.resource_scope(|world, mut the_loop: Mut<ShowLoopResource>| {
        the_loop.0.update(world);
    });
}

impl ShowLoop {
    fn update(&mut self, world: &mut World) {
        let time @ ShowTime { now, unix } = (self.clock)();
        self.frames.fetch_add(1, Ordering::Relaxed);
        self.trace.record_frame(now);
        if let Some(cameras) = &self.cameras {
            cameras.wait_analyzed(self.scene_wait);
        }
        self.handle_messages(now);
        for (side, map) in self.state.take_presence_maps(self.edition.as_deref()).into_iter().enumerate() {
            if let Some(map) = map {
                render::set_presence(world, side, Arc::new(map));
            }
        }
        let mut asked = None;
        // An edition starts once its shaders can be drawn; until then the previous one continues.
        let begins = self.scene.pending_edition().is_some_and(|edition| self.frame_stats.prepare(&edition, now));
        if self.scene.is_ready() {
            if begins {
                self.state.restart_scene();
            }
            let rehearsal = self.rehearsal.as_deref();
            let shift = rehearsal.map_or(0.0, Rehearsal::time_shift);
            let (mut sees, uniforms) = self.state.next_frame(now, unix + shift);
            sees.dials = self.parameters.take_changes(begins);
            self.uniforms = Arc::new(uniforms);
            self.last_input = rehearsal.is_some_and(Rehearsal::debug_overlay).then(|| sees.clone());
            // The input consists of numbers and short texts; it can always be serialised.
            if let Ok(json) = serde_json::to_string(&sees)
                && self.scene.request_frame(sees.number, sees.input, json, begins)
            {
                self.state.mark_delivered(now);
                asked = Some(sees.number);
            }
        }
        if let Some(number) = asked {
            self.scene.wait_answered(number, self.scene_wait);
        }
        let (painting, acts) = self.scene.take_output();
        if let Some((_, edition)) = &painting
            && self.edition.as_ref().is_none_or(|shown| !Arc::ptr_eq(shown, edition))
        {
            self.state.handle_revision(now, &edition.installation);
            self.edition_since = now;
            // The previous edition may have to be shown again.
            let before = self.edition.iter().flat_map(|edition| &edition.sounds);
            self.audio.retain(&edition.sounds.iter().chain(before).collect::<Vec<_>>());
            self.parameters.declare(&edition.installation.parameters);
            if self.edition.replace(edition.clone()).is_some() && self.rehearsal.is_some() {
                tracing::info!("scene: {}", self.edition_notice());
            }
        }
        for act in acts {
            self.handle_action(time, act);
        }
        self.send_messages();
        self.show_picture(world, painting.map(|(picture, _)| picture), now);
        for (reflects, submitted, done) in self.frame_stats.take_finished() {
            self.trace.record_drawn(reflects, submitted, done);
        }
        for shader in self.frame_stats.take_recovered() {
            if let Some(rehearsal) = &self.rehearsal {
                rehearsal.show_message(&format!("{shader} is drawn again"));
            }
        }
    }

    /// Shows the scene's display list, the previous one for a while, or the standby screen.
    fn show_picture(&mut self, world: &mut World, picture: Option<Arc<DisplayList>>, now: Duration) {
        let shared = self.state.shared_time(now);
        Arc::make_mut(&mut self.uniforms).now = shared;
        let uniforms = self.uniforms.clone();
        let edition = self.edition.clone();
        let is_new = picture.is_some();
        if is_new {
            self.picture_at = Some(now);
        }
        let mistake = self.current_fault(now);
        self.fault_shown = mistake.is_some();
        let [here, there] = self.state.cities();
        let is_fresh = self.picture_at.is_some_and(|fresh| now.saturating_sub(fresh) < PICTURE_STALE);
        let picture = match picture.or_else(|| self.picture_below.clone().filter(|_| is_fresh)) {
            Some(picture) => picture,
            None if is_fresh => return render::repeat_picture(world),
            None => Arc::new(standby_screen(self.state.canvas(), here, there, shared)),
        };
        self.picture_below = self.rehearsal.is_some().then(|| picture.clone());
        let over = mistake.map(|fault| error_overlay(&picture, &fault, self.state.canvas()));
        match self.rehearsal_overlay(now, over.as_ref().unwrap_or(&picture)).or(over) {
            Some(over) => render::show_picture(world, Arc::new(over), edition, uniforms),
            None if is_new || !is_fresh => render::show_picture(world, picture, edition, uniforms),
            None => render::repeat_picture(world),
        }
    }

    /// Returns the display list with the overlays that the artist has asked for, if any.
    fn rehearsal_overlay(&self, now: Duration, picture: &DisplayList) -> Option<DisplayList> {
        let rehearsal = self.rehearsal.as_ref()?;
        let over = self.last_input.as_ref().map(|sees| debug_overlay(picture, sees, self.state.canvas()));
        let words = rehearsal.message(now);
        words.map(|words| caption(over.as_ref().unwrap_or(picture), &words, self.state.canvas())).or(over)
    }

    /// Returns the message for the artist when another edition is shown.
    fn edition_notice(&self) -> &'static str {
        match (self.scene.status().refused, self.fault_shown) {
            (Some(_), _) => "the one before is shown again",
            (None, true) => "mended; what was saved is shown",
            (None, false) => "what was saved is shown",
        }
    }

    /// Returns the fault to show to the artist now.
    fn current_fault(&self, now: Duration) -> Option<SceneDiagnostic> {
        let status = self.rehearsal.as_ref().map(|_| self.scene.status())?;
        let at = status.last_fault_at;
        let of_late = status.last_fault.filter(|_| at > self.edition_since && now.saturating_sub(at) < FAULT_SHOWN);
        let shed = || {
            self.frame_stats.faults().into_iter().next().map(|fault| SceneDiagnostic::new(&fault.shader, fault.why, ""))
        };
        status.refused.or(status.fault).or(of_late).or_else(shed)
    }

    /// Handles the messages of the site half since the previous frame.
    fn handle_messages(&mut self, now: Duration) {
        for message in self.site.poll_messages(now) {
            let input = self.state.handle_message(now, &message);
            match (&message, input) {
                (SiteMessage::Touch(touched), Some(input)) => self.trace.record_touch(input, touched),
                (SiteMessage::Event { event, arrived, .. }, Some(input)) => {
                    self.trace.record_arrival(input, event, *arrived);
                }
                (SiteMessage::Vision(report), Some(input)) => {
                    self.trace.record_bodies(true, &report.bodies, report.captured);
                    if self.has_cameras && report.captured > self.captured && !report.bodies.is_empty() {
                        self.trace.record_outline(input, report.captured);
                    }
                    self.captured = self.captured.max(report.captured);
                }
                (SiteMessage::Twin(report), _) => self.trace.record_bodies(false, &report.presence.bodies, now),
                _ => {}
            }
        }
        self.state.handle_timeout(now);
        self.send_messages();
    }

    fn send_messages(&mut self) {
        let luminance = self.frame_stats.luminance().luminance();
        if std::mem::replace(&mut self.luminance, luminance) != luminance {
            self.site.handle_message(ShowMessage::Luminance(luminance));
        }
        while let Some(message) = self.state.poll_message() {
            self.site.handle_message(message);
        }
    }

    fn handle_action(&mut self, ShowTime { now, unix }: ShowTime, action: SceneAction) {
        match self.state.handle_action(now, (unix * 1e3) as u64, action) {
            ActionOutcome::Play { name, volume, pan, rate } => self.audio.play(&name, volume, pan, rate),
            ActionOutcome::SignalDropped(count) if count.is_power_of_two() => tracing::warn!(
                "scene: {count} signals are left out: at most 30 a second are sent; `here.share` tells what is so now"
            ),
            ActionOutcome::MarkDropped(count) if count.is_power_of_two() => {
                tracing::warn!("scene: {count} marks are left out: at most 60 a second are kept");
            }
            ActionOutcome::Done
            | ActionOutcome::SignalDropped(_)
            | ActionOutcome::MarkDropped(_)
            | ActionOutcome::Alone => {}
            ActionOutcome::Log(line) => {
                let Some((line, left_out)) = self.log.admit(now, &line) else { return };
                if left_out > 0 {
                    tracing::warn!("scene: {left_out} lines are left out: at most 20 lines and 4 kB a second are kept");
                }
                tracing::info!("scene: {line}");
            }
        }
    }
}
