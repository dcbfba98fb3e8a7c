//! One site of the simulation: its inputs, its scene, and the display lists that it shows.

use super::scenario::SimVisitors;
use super::site_half::SimSiteHalf;
use crate::config::City;
use crate::device::scene_process::{BlockingScene, SandboxCommand};
use crate::device::site_key::SiteKey;
use crate::messages::SiteMessage;
use crate::render::PresenceMap;
use crate::scene::{DisplayList, EngineUniforms, SceneAction, SceneDiagnostic, SceneRevision, SiteContext};
use crate::show::{ActionOutcome, ShowState, ShowTime};
use crate::synth::Weather;
use std::sync::Arc;
use std::time::Duration;

/// State of a site for rendering.
#[derive(Debug, Clone, Default)]
pub struct SimSnapshot {
    /// Last display list of the scene.
    pub picture: Arc<DisplayList>,
    /// Uniforms of its shaders.
    pub uniforms: Arc<EngineUniforms>,
    /// Presence of both sites, for its shaders.
    pub presence: [Arc<PresenceMap>; 2],
}

/// Input of one frame of the show half.
#[derive(Debug, Clone, Default)]
pub struct SimInput {
    /// Time of the frame.
    pub time: ShowTime,
    /// Messages of the site half.
    pub messages: Vec<SiteMessage>,
}

/// Numbers of a scene's actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ActionCounts {
    /// Sounds.
    pub sounds: u64,
    /// Signals to the twin.
    pub signals: u64,
    /// Marks.
    pub marks: u64,
    /// Lines for the log.
    pub log_lines: u64,
}

impl ActionCounts {
    fn add(&mut self, action: &SceneAction) {
        match action {
            SceneAction::Play { .. } => self.sounds += 1,
            SceneAction::Signal { .. } => self.signals += 1,
            SceneAction::Mark(_) => self.marks += 1,
            SceneAction::Log(_) => self.log_lines += 1,
            SceneAction::Share(_) => {}
        }
    }
}

/// Simulated site.
pub struct SimSite {
    /// Site half: camera, touches, session and marks.
    pub(super) half: SimSiteHalf,
    state: ShowState,
    scene: BlockingScene,
    edition: Arc<SceneRevision>,
    /// Data of the site that its scene starts with.
    pub context: SiteContext,
    /// Public key of the site.
    pub key: [u8; 32],
    /// Time of the start, by the site's clock.
    pub began: Duration,
    /// Seconds since 1970 at the start.
    unix_start: f64,
    snapshot: SimSnapshot,
    /// Input of the last frame.
    pub last_input: SimInput,
    /// Faults, the newest last.
    pub faults: Vec<SceneDiagnostic>,
    /// Actions of the scene so far.
    pub actions: ActionCounts,
    /// Marks of the scene dropped beyond the rate limit.
    pub left_out: u64,
    /// Signals dropped beyond the rate limit.
    pub signals_dropped: u64,
    /// Script time of each frame, in microseconds.
    pub took_us: Vec<u64>,
    /// Number of items in each display list.
    pub items: Vec<usize>,
    /// Number of frames with bodies.
    pub frames_with_bodies: u64,
    /// Number of frames with touches.
    pub frames_with_touches: u64,
}

/// Configuration of a site.
pub(super) struct SimSiteConfig<'a> {
    pub city: &'static City,
    pub there: &'static City,
    pub key: &'a SiteKey,
    pub twin: Option<[u8; 32]>,
    pub visitors: SimVisitors,
    pub weather: Weather,
    pub seed: u64,
    pub began: Duration,
    pub unix: f64,
}

impl SimSite {
    pub(super) fn new(
        site: &SimSiteConfig,
        edition: &Arc<SceneRevision>,
        command: &SandboxCommand,
    ) -> Result<Self, String> {
        let now = site.began;
        let half = SimSiteHalf::new(site, &edition.installation)?;
        let side = half.site.link().side();
        let state = ShowState::new(site.city, site.there, &edition.installation, site.key.public(), now);
        let [here, there] = state.cities().clone();
        let mark_seed = Some(site.seed.wrapping_mul(2).wrapping_add(u64::from(side)));
        let context = SiteContext { here, there, side, seed: site.seed, metres: Some(half.wall_width()), mark_seed };
        Ok(Self {
            state,
            half,
            scene: BlockingScene::start(command, &context, edition.clone()).map_err(|fault| fault.to_string())?,
            context,
            edition: edition.clone(),
            key: site.key.public(),
            began: now,
            unix_start: site.unix,
            snapshot: SimSnapshot::default(),
            last_input: SimInput::default(),
            faults: Vec::new(),
            actions: ActionCounts::default(),
            left_out: 0,
            signals_dropped: 0,
            took_us: Vec::new(),
            items: Vec::new(),
            frames_with_bodies: 0,
            frames_with_touches: 0,
        })
    }

    /// Returns the current state for rendering.
    pub fn snapshot(&self) -> &SimSnapshot {
        &self.snapshot
    }

    /// Returns the missing parts of the scene's sandbox, in words for people; `None` if it is complete.
    pub fn missing_sandbox(&self) -> Option<&str> {
        self.scene.unjailed.as_deref()
    }

    /// Returns the numbers of bodies and of held touches.
    pub fn crowd(&self) -> [usize; 2] {
        self.half.crowd()
    }

    /// Returns true while the twin is linked.
    pub fn is_linked(&self, now: Duration) -> bool {
        self.half.is_linked(now)
    }

    /// Runs one frame of the scene. An unrecoverable fault of its process is an error.
    pub(super) fn update_scene(&mut self, now: Duration) -> Result<(), String> {
        let unix = self.unix_start + (now - self.began).as_secs_f64();
        self.last_input = SimInput { time: ShowTime { now, unix }, messages: self.half.poll_messages(now) };
        for message in &self.last_input.messages {
            self.state.handle_message(now, message);
        }
        self.state.handle_timeout(now);
        for (shown, map) in self.snapshot.presence.iter_mut().zip(self.state.take_presence_maps(Some(&self.edition))) {
            *shown = map.map_or_else(|| shown.clone(), Arc::new);
        }
        self.request_frame(self.last_input.time)
    }

    fn request_frame(&mut self, ShowTime { now, unix }: ShowTime) -> Result<(), String> {
        let (sees, mut uniforms) = self.state.next_frame(now, unix);
        self.frames_with_bodies += u64::from(!sees.here.bodies.is_empty());
        self.frames_with_touches += u64::from(!sees.here.touches.is_empty());
        uniforms.now = self.state.shared_time(now);
        let json = serde_json::to_string(&sees).map_err(|why| why.to_string())?;
        let answer = self.scene.request_frame(sees.number, sees.input, json).map_err(|fault| fault.to_string())?;
        self.state.mark_delivered(now);
        self.took_us.push(answer.took_us);
        self.faults.extend(answer.fault);
        if let Some(picture) = answer.picture {
            self.items.push(picture.items.len());
            self.snapshot.picture = Arc::new(picture);
        }
        self.snapshot.uniforms = Arc::new(uniforms);
        for act in answer.acts {
            self.handle_action(now, (unix * 1e3) as u64, act);
        }
        while let Some(message) = self.state.poll_message() {
            self.half.handle_message(now, message);
        }
        Ok(())
    }

    fn handle_action(&mut self, now: Duration, utc_ms: u64, action: SceneAction) {
        self.actions.add(&action);
        match self.state.handle_action(now, utc_ms, action) {
            ActionOutcome::SignalDropped(count) => self.signals_dropped = count,
            ActionOutcome::MarkDropped(count) => self.left_out = count,
            ActionOutcome::Done | ActionOutcome::Play { .. } | ActionOutcome::Log(_) | ActionOutcome::Alone => {}
        }
    }
}
