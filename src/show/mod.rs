//! Frame loop of a show as a Bevy system: each frame, inputs go to the scene, and its display list to the renderer.
//! Also the app that the loop runs in, the status lines and commands of `docs/show.md`, and the end of a show.

mod camera_input;
pub(crate) mod control;
pub(crate) mod edition_choice;
pub(crate) mod exit;
mod frame_input;
pub(crate) mod graphics;
mod link_bridge;
mod log_limiter;
mod parameters;
mod pointer;
pub(crate) mod rasterize;
mod rehearsal;
mod rehearsal_key;
pub(crate) mod shutdown;
mod site_feed;
mod state;
pub mod status;
mod trace;
pub(crate) mod visibility;
pub(crate) mod visitors;

use frame_input::FrameInputBuilder;
pub use parameters::LiveParameters;
pub use rehearsal::Rehearsal;
pub use rehearsal_key::RehearsalKey;
pub use state::{ActionOutcome, ShowState};
pub use trace::{Trace, TraceLine};

use crate::config::{City, Installation, TrustedPeer};
use crate::device::audio::Audio;
use crate::device::camera_pipeline::CameraPipelines;
use crate::device::clock::monotonic;
use crate::device::net::{LinkEvent, LinkHandle};
use crate::device::scene_process::SceneProcess;
use crate::device::touch_hub::TouchHub;
use crate::link::NowShowing;
use crate::messages::{LocalTouchEvent, SiteMessage, VisionReport};
use crate::render::{self, FrameStats, PresenceMap};
use crate::scene::{
    DisplayList, EngineUniforms, FrameInput, SceneAction, SceneDiagnostic, SceneRevision, caption, debug_overlay,
    error_overlay, standby_screen,
};
use bevy::prelude::*;
use log_limiter::LogLimiter;
use site_feed::SiteFeed;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

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
    /// Link, and its events.
    pub link: (LinkHandle, Receiver<LinkEvent>),
    /// Process of the scene.
    pub scene: Arc<SceneProcess>,
    /// Sound output.
    pub audio: Arc<Audio>,
    /// Pipelines of the cameras.
    pub cameras: Arc<CameraPipelines>,
    /// Hub that collects touches and bodies.
    pub touches: TouchHub,
    /// Touch events of the hub.
    pub touch_events: Receiver<LocalTouchEvent>,
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
}

/// Touch hub, for devices that are read inside Bevy.
#[derive(Resource, Clone)]
pub struct TouchHubResource(pub TouchHub);

/// State of scene, link, sound and cameras, for the operator's overlay.
#[derive(Resource, Clone)]
pub struct OperatorContext {
    /// Process of the scene.
    pub scene: Arc<SceneProcess>,
    /// Handle of the link.
    pub link: LinkHandle,
    /// Sound output.
    pub audio: Arc<Audio>,
    /// Pipelines of the cameras.
    pub cameras: Arc<CameraPipelines>,
    /// Parameters of the scene.
    pub parameters: LiveParameters,
}

/// State of the frame loop.
struct ShowLoop {
    link: LinkHandle,
    site: SiteFeed,
    scene: Arc<SceneProcess>,
    audio: Arc<Audio>,
    state: ShowState,
    parameters: LiveParameters,
    cameras: Arc<CameraPipelines>,
    /// True if the site has cameras.
    has_cameras: bool,
    /// Capture time of the newest camera frame.
    captured: Duration,
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
        let dials = LiveParameters::default();
        app.insert_resource(TouchHubResource(self.touches.clone())).insert_resource(OperatorContext {
            scene: self.scene.clone(),
            link: self.link.0.clone(),
            audio: self.audio.clone(),
            cameras: self.cameras.clone(),
            parameters: dials.clone(),
        });
        let there = other_city(self.city, self.twin.as_ref());
        let state = ShowState::new(self.city, there, &self.installation, self.key, monotonic());
        let link = self.link.0.clone();
        let site = SiteFeed::new(self.link, (self.touches, self.touch_events), self.cameras.clone(), state.canvas());
        app.insert_resource(ShowLoopResource(ShowLoop {
            link,
            site,
            has_cameras: !self.cameras.status().is_empty(),
            captured: Duration::ZERO,
            cameras: self.cameras,
            scene: self.scene,
            audio: self.audio,
            state,
            parameters: dials,
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
        pointer::plug(app);
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
        let now = monotonic();
        let turn = self.frames.fetch_add(1, Ordering::Relaxed);
        self.trace.record_frame(now);
        self.cameras.wait_analyzed(self.scene_wait);
        if let Some(mask) = self.handle_messages(now) {
            render::set_presence(world, 0, Arc::new(mask));
        }
        let looks = |edition: &Arc<SceneRevision>| edition.shaders.iter().any(|shader| shader.inputs.people);
        if self.edition.as_ref().is_some_and(looks) {
            let bodies = rasterize::rasterize_bodies(turn, self.state.remote_bodies(), self.state.canvas());
            render::set_presence(world, 1, Arc::new(bodies));
        }
        let mut asked = None;
        // An edition starts once its shaders can be drawn; until then the previous one continues.
        let begins = self.scene.pending_edition().is_some_and(|edition| self.frame_stats.prepare(&edition, now));
        if self.scene.is_ready() {
            if begins {
                self.state.restart_scene();
            }
            let rehearsal = self.rehearsal.as_deref();
            let unix = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
                + rehearsal.map_or(0.0, Rehearsal::time_shift);
            let (mut sees, uniforms) = self.state.next_frame(now, unix);
            sees.dials = self.parameters.take_changes(begins);
            self.uniforms = Arc::new(uniforms);
            self.last_input = rehearsal.is_some_and(Rehearsal::debug_overlay).then(|| sees.clone());
            // The input consists of numbers and short texts; it can always be serialised.
            if let Ok(json) = serde_json::to_string(&sees)
                && self.scene.request_frame(sees.number, sees.input, json, begins)
            {
                self.state.mark_delivered(monotonic());
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
            self.handle_action(now, act);
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

    /// Handles the messages of the site half since the previous frame. Returns the newest mask of people for the renderer.
    fn handle_messages(&mut self, now: Duration) -> Option<PresenceMap> {
        let mut watched = None;
        for message in self.site.poll(now, &self.trace) {
            let input = self.state.handle_message(now, &message);
            match (message, input) {
                (SiteMessage::Touch(touched), Some(input)) => self.trace.record_touch(input, &touched),
                (SiteMessage::Event { event, arrived, .. }, Some(input)) => {
                    self.trace.record_arrival(input, &event, arrived);
                }
                (SiteMessage::Vision(report), Some(input)) => watched = self.handle_vision(input, report).or(watched),
                _ => {}
            }
        }
        self.state.handle_timeout(now);
        self.send_messages();
        watched
    }

    fn handle_vision(&mut self, input: u64, report: VisionReport) -> Option<PresenceMap> {
        let VisionReport { captured, bodies, flow, mask, .. } = report;
        if self.has_cameras && captured > self.captured && !bodies.is_empty() {
            self.trace.record_outline(input, captured);
        }
        self.captured = self.captured.max(captured);
        let mask = mask?;
        Some(PresenceMap { version: mask.version, width: mask.width, height: mask.height, mask: mask.texels, flow })
    }

    fn send_messages(&mut self) {
        while let Some(message) = self.state.poll_message() {
            self.link.handle_message(message);
        }
    }

    fn handle_action(&mut self, now: Duration, action: SceneAction) {
        let utc_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
        match self.state.handle_action(now, utc_ms, action) {
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
