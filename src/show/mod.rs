//! Twin and scene as Bevy sees them: once a frame, what happened goes to the scene, and its picture to the stage.

mod camera_input;
mod frame_input;
pub(crate) mod link_bridge;
mod log_limiter;
mod parameters;
mod pointer;
pub(crate) mod rasterize;
mod rehearsal;
mod trace;

pub use frame_input::FrameInputBuilder;
pub use parameters::LiveParameters;
pub use rehearsal::Rehearsal;
pub use trace::{Trace, TraceLine};

use crate::config::{City, Installation, TrustedPeer};
use crate::device::audio::Audio;
use crate::device::camera_pipeline::CameraPipelines;
use crate::device::clock::monotonic;
use crate::device::net::{LinkEvent, LinkHandle};
use crate::device::scene_process::SceneProcess;
use crate::device::touch_hub::{LocalTouchEvent, TouchHub};
use crate::link::{LinkOutput, LinkState, NowShowing, SiteEvent};
use crate::presence::{Body, TwinLayout};
use crate::render::{self, FrameStats};
use crate::scene::{
    CityInfo, DisplayList, EngineUniforms, FrameInput, SceneAction, SceneDiagnostic, SceneRevision, caption,
    debug_overlay, error_overlay, standby_screen,
};
use bevy::prelude::*;
use camera_input::CameraInput;
use link_bridge::LinkBridge;
use log_limiter::LogLimiter;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The last good picture stands for this long; then it would look live and is not, and the idle picture comes.
const PICTURE_STALE: Duration = Duration::from_secs(1);
/// In rehearsal a mistake that was made once is seen for this long.
const FAULT_SHOWN: Duration = Duration::from_secs(8);
/// Everything that the frame loop has of the site, the twin and the scene.
pub struct ShowParts {
    /// The site's city.
    pub city: &'static City,
    /// The twin, if there is one.
    pub twin: Option<TrustedPeer>,
    /// This site's public key.
    pub key: [u8; 32],
    /// What is shown.
    pub installation: Installation,
    /// The link, and what it tells.
    pub link: (LinkHandle, Receiver<LinkEvent>),
    /// The scene.
    pub scene: Arc<SceneProcess>,
    /// The loudspeakers.
    pub audio: Arc<Audio>,
    /// What the cameras see.
    pub cameras: Arc<CameraPipelines>,
    /// Where touches and bodies go.
    pub touches: TouchHub,
    /// Where touches come out.
    pub touch_events: Receiver<LocalTouchEvent>,
    /// What the stage tells of its pictures.
    pub frame_stats: FrameStats,
    /// Where it is noted how long everything took.
    pub trace: Trace,
    /// Frames so far.
    pub frames: Arc<AtomicU64>,
    /// The picture of a frame is waited for this long; then the newest is shown.
    pub scene_wait: Duration,
    /// An artist is there, to whom mistakes are shown; visitors never see them.
    pub rehearsal: Option<Arc<Rehearsal>>,
}

/// The hub, for whoever reads a device inside of Bevy.
#[derive(Resource, Clone)]
pub struct TouchHubResource(pub TouchHub);

/// How scene, link and cameras are, for the operator's overlay.
#[derive(Resource, Clone)]
pub struct OperatorContext {
    /// The scene.
    pub scene: Arc<SceneProcess>,
    /// The link.
    pub link: LinkHandle,
    /// The loudspeakers.
    pub audio: Arc<Audio>,
    /// The cameras.
    pub cameras: Arc<CameraPipelines>,
    /// What can be turned.
    pub parameters: LiveParameters,
}

/// The frame loop's own state.
struct ShowLoop {
    link: LinkHandle,
    link_events: Mutex<Receiver<LinkEvent>>,
    touch_events: Mutex<Receiver<LocalTouchEvent>>,
    touches: TouchHub,
    scene: Arc<SceneProcess>,
    audio: Arc<Audio>,
    input: FrameInputBuilder,
    parameters: LiveParameters,
    bridge: LinkBridge<LinkHandle>,
    cameras: Arc<CameraPipelines>,
    camera_input: CameraInput,
    frame_stats: FrameStats,
    trace: Trace,
    frames: Arc<AtomicU64>,
    scene_wait: Duration,
    rehearsal: Option<Arc<Rehearsal>>,
    /// What the scene was told last, while that is shown.
    last_input: Option<FrameInput>,
    frame_number: u64,
    /// Who is there, as they stand on this canvas.
    bodies_there: Vec<Body>,
    canvas: [f32; 2],
    meeting: TwinLayout,
    city_cards: [CityInfo; 2],
    /// When the scene's last picture came.
    picture_at: Option<Duration>,
    /// What the last picture is of.
    edition: Option<Arc<SceneRevision>>,
    /// What its shaders are told.
    uniforms: Arc<EngineUniforms>,
    /// When it was another one.
    edition_since: Duration,
    /// A mistake is written over the picture.
    fault_shown: bool,
    /// The last picture, while a mistake is written over it.
    picture_below: Option<Arc<DisplayList>>,
    log: LogLimiter,
}

#[derive(Resource)]
struct ShowLoopResource(ShowLoop);

/// What both sites have to have in common to play together.
pub fn now_showing(installation: &Installation) -> NowShowing {
    NowShowing { installation: installation.id.clone(), schema_hash: installation.schema_hash() }
}

/// The other city: the twin's, or a quiet stand-in while there is none.
pub fn other_city(here: &'static City, twin: Option<&TrustedPeer>) -> &'static City {
    twin.map_or(here, |twin| twin.city)
}

impl ShowParts {
    /// Adds the loop to an app.
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
        let canvas = self.installation.canvas_size();
        let (link, told) = (self.link.0, Mutex::new(self.link.1));
        let meeting = self.installation.meeting;
        let together = LinkBridge::new(link.clone(), meeting, canvas, self.key, self.installation.link_loss);
        app.insert_resource(ShowLoopResource(ShowLoop {
            link,
            link_events: told,
            touch_events: Mutex::new(self.touch_events),
            camera_input: CameraInput::new(self.cameras.clone(), self.touches.clone(), canvas),
            cameras: self.cameras,
            touches: self.touches,
            scene: self.scene,
            audio: self.audio,
            input: FrameInputBuilder::new(self.city, there, meeting, canvas, monotonic()),
            parameters: dials,
            bridge: together,
            frame_stats: self.frame_stats,
            trace: self.trace,
            frames: self.frames,
            scene_wait: self.scene_wait,
            rehearsal: self.rehearsal,
            last_input: None,
            frame_number: 0,
            bodies_there: Vec::new(),
            canvas,
            meeting,
            city_cards: [CityInfo::from_city(self.city), CityInfo::from_city(there)],
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

/// One frame: take in, ask, wait as long as the budget, show the newest.
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
        self.handle_inputs(now);
        if let Some(watched) = self.camera_input.update(&mut self.input, &self.trace) {
            render::set_presence(world, 0, watched);
        }
        let looks = |edition: &Arc<SceneRevision>| edition.shaders.iter().any(|shader| shader.inputs.people);
        if self.edition.as_ref().is_some_and(looks) {
            render::set_presence(
                world,
                1,
                Arc::new(rasterize::rasterize_bodies(turn, &self.bodies_there, self.canvas)),
            );
        }
        let mut asked = None;
        // An edition starts once its shaders can be drawn; until then the previous one continues.
        let begins = self.scene.pending_edition().is_some_and(|edition| self.frame_stats.prepare(&edition, now));
        if self.scene.is_ready() {
            if begins {
                self.bridge.restart_scene();
            }
            self.frame_number += 1;
            let share = self.link.remote_shared_state();
            let marks = self.bridge.next_marks(&self.input);
            let rehearsal = self.rehearsal.as_deref();
            let unix = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
                + rehearsal.map_or(0.0, Rehearsal::time_shift);
            let mut sees = self.input.build(self.frame_number, (now, unix), marks, share.as_deref());
            sees.dials = self.parameters.take_changes(begins);
            self.uniforms = Arc::new(EngineUniforms::from_input(&sees, [&self.city_cards[0], &self.city_cards[1]]));
            self.last_input = rehearsal.is_some_and(Rehearsal::debug_overlay).then(|| sees.clone());
            // What a scene sees is numbers and short texts; it can always be written down.
            if let Ok(json) = serde_json::to_string(&sees)
                && self.scene.request_frame(sees.number, sees.input, json, begins)
            {
                self.input.mark_delivered(monotonic());
                if let Some(marks) = self.bridge.mark_delivered() {
                    self.input.handle_marks_merged(marks);
                }
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
            // What the scene before has said of this city is not said by this one.
            self.link.set_shared_state(String::new());
            self.link.set_now_showing(now_showing(&edition.installation));
            self.link.scene_start();
            self.edition_since = now;
            // The one before may have to be shown again.
            let before = self.edition.iter().flat_map(|edition| &edition.sounds);
            self.audio.retain(&edition.sounds.iter().chain(before).collect::<Vec<_>>());
            self.bridge.set_link_loss(edition.installation.link_loss);
            self.parameters.declare(&edition.installation.parameters);
            if self.edition.replace(edition.clone()).is_some() && self.rehearsal.is_some() {
                tracing::info!("scene: {}", self.edition_notice());
            }
        }
        for act in acts {
            self.handle_command(now, act);
        }
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

    /// Puts on the canvas what there is: the scene's picture, the one before for a while, or the engine's own.
    fn show_picture(&mut self, world: &mut World, picture: Option<Arc<DisplayList>>, now: Duration) {
        let shared = self.input.shared_time(now);
        Arc::make_mut(&mut self.uniforms).now = shared;
        let uniforms = self.uniforms.clone();
        let edition = self.edition.clone();
        let is_new = picture.is_some();
        if is_new {
            self.picture_at = Some(now);
        }
        let mistake = self.current_fault(now);
        self.fault_shown = mistake.is_some();
        let is_fresh = self.picture_at.is_some_and(|fresh| now.saturating_sub(fresh) < PICTURE_STALE);
        let picture = match picture.or_else(|| self.picture_below.clone().filter(|_| is_fresh)) {
            Some(picture) => picture,
            None if is_fresh => return render::repeat_picture(world),
            None => Arc::new(standby_screen(self.canvas, &self.city_cards[0], &self.city_cards[1], shared)),
        };
        self.picture_below = self.rehearsal.is_some().then(|| picture.clone());
        let over = mistake.map(|fault| error_overlay(&picture, &fault, self.canvas));
        match self.rehearsal_overlay(now, over.as_ref().unwrap_or(&picture)).or(over) {
            Some(over) => render::show_picture(world, Arc::new(over), edition, uniforms),
            None if is_new || !is_fresh => render::show_picture(world, picture, edition, uniforms),
            None => render::repeat_picture(world),
        }
    }

    /// The picture with what an artist has asked for over it, if he has.
    fn rehearsal_overlay(&self, now: Duration, picture: &DisplayList) -> Option<DisplayList> {
        let rehearsal = self.rehearsal.as_ref()?;
        let over = self.last_input.as_ref().map(|sees| debug_overlay(picture, sees, self.canvas));
        let words = rehearsal.message(now);
        words.map(|words| caption(over.as_ref().unwrap_or(picture), &words, self.canvas)).or(over)
    }

    /// What an artist is told when another edition is seen.
    fn edition_notice(&self) -> &'static str {
        match (self.scene.status().refused, self.fault_shown) {
            (Some(_), _) => "the one before is shown again",
            (None, true) => "mended; what was saved is shown",
            (None, false) => "what was saved is shown",
        }
    }

    /// What an artist is to be told now.
    fn current_fault(&self, now: Duration) -> Option<SceneDiagnostic> {
        let status = self.rehearsal.as_ref().map(|_| self.scene.status())?;
        let at = status.last_fault_at;
        let of_late = status.last_fault.filter(|_| at > self.edition_since && now.saturating_sub(at) < FAULT_SHOWN);
        let shed = || {
            self.frame_stats.faults().into_iter().next().map(|fault| SceneDiagnostic::new(&fault.shader, fault.why, ""))
        };
        status.refused.or(status.fault).or(of_late).or_else(shed)
    }

    /// What devices and twin have told since the frame before.
    fn handle_inputs(&mut self, now: Duration) {
        self.touches.expire();
        for touched in self.touch_events.lock().unwrap_or_else(PoisonError::into_inner).try_iter() {
            let input = self.input.handle_touch(&touched);
            self.trace.record_touch(input, &touched);
        }
        self.input.retain_touches(&self.touches.held_ids());
        let mut there = self.link.remote_presence(now);
        self.trace.record_bodies(false, &there.bodies, now);
        self.meeting.map_presence(self.canvas[0], &mut there);
        self.bridge.apply_link_loss(&mut there);
        let status = self.link.status();
        if status.can_propose {
            self.bridge.propose_encounters(now, &self.touches.presence(), &there);
        }
        self.input.handle_link(status, &there, now);
        self.bodies_there = there.bodies;
        self.bridge.poll_marks();
        for LinkEvent { at, output } in self.link_events.lock().unwrap_or_else(PoisonError::into_inner).try_iter() {
            match output {
                LinkOutput::Linked(_) => self.input.handle_linked(),
                LinkOutput::Disconnected(_) => self.input.handle_unlinked(),
                LinkOutput::NowShowing { incompatible: true, showing } => {
                    tracing::warn!("the twin shows {} with other declarations; each plays alone", showing.installation);
                }
                LinkOutput::Meet { at, place } => self.bridge.schedule_meeting(at, place, status.is_leader),
                // Marks come by another way, and what is not kept is told by the link.
                LinkOutput::NowShowing { .. }
                | LinkOutput::Marks(_)
                | LinkOutput::MarksReset
                | LinkOutput::Merged { .. }
                | LinkOutput::Replicated { .. }
                | LinkOutput::StoreFailed(_) => {}
                LinkOutput::Event { made, event: what, .. } => {
                    let input = self.input.handle_event(made, &what);
                    self.trace.record_arrival(input, &what, at);
                }
            }
        }
        for place in self.bridge.take_due_meetings(now) {
            self.input.handle_encounter(place);
        }
    }

    fn handle_command(&mut self, now: Duration, act: SceneAction) {
        match act {
            SceneAction::Play { name, volume, pan, rate } => self.audio.play(&name, volume, pan, rate),
            SceneAction::Signal { name, data } => {
                if self.link.status().health.state != LinkState::Linked {
                    return;
                }
                match self.bridge.admit_signal(now, &name, &data) {
                    Ok(()) => self.link.send_event(now, SiteEvent::Signal { name, data }),
                    Err(unsent) if unsent.is_power_of_two() => tracing::warn!(
                        "scene: {unsent} signals are left out: at most 30 a second are sent; `here.share` tells what is so now"
                    ),
                    Err(_) => {}
                }
            }
            SceneAction::Mark(draft) => {
                let utc = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
                if let Some(excess) = self.bridge.add_mark(now, utc, draft)
                    && excess.is_power_of_two()
                {
                    tracing::warn!("scene: {excess} marks are left out: at most 60 a second are kept");
                }
            }
            SceneAction::Share(data) => self.link.set_shared_state(data),
            SceneAction::Log(line) => {
                let Some((line, left_out)) = self.log.admit(now, &line) else { return };
                if left_out > 0 {
                    tracing::warn!("scene: {left_out} lines are left out: at most 20 lines and 4 kB a second are kept");
                }
                tracing::info!("scene: {line}");
            }
        }
    }
}
