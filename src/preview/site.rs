//! One site of the simulation: its inputs, its scene, and the display lists that it shows.

use super::scenario::SimVisitors;
use super::site_half::SimSiteHalf;
use crate::config::City;
use crate::device::scene_process::{BlockingScene, SandboxCommand};
use crate::device::site_key::SiteKey;
use crate::messages::SiteMessage;
use crate::render::PresenceMap;
use crate::scene::{DisplayList, EngineUniforms, SceneAction, SceneDiagnostic, SceneRevision, SiteContext};
use crate::show::rasterize::rasterize_bodies;
use crate::show::{ActionOutcome, ShowState};
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

/// Simulated site.
pub struct SimSite {
    /// Site half: camera, touches, session and marks.
    pub(super) half: SimSiteHalf,
    state: ShowState,
    scene: BlockingScene,
    edition: Arc<SceneRevision>,
    began: Duration,
    /// Seconds since 1970 at the start.
    unix_start: f64,
    frame_number: u64,
    snapshot: SimSnapshot,
    /// Faults, the newest last.
    pub faults: Vec<SceneDiagnostic>,
    /// Numbers of the scene's sounds, signals, marks and log lines.
    pub acts: [u64; 4],
    /// Marks of the scene dropped beyond the rate limit.
    pub left_out: u64,
    /// Signals dropped beyond the rate limit.
    pub signals_dropped: u64,
    /// Script time of each frame, in microseconds.
    pub took_us: Vec<u64>,
    /// Number of items in each display list.
    pub items: Vec<usize>,
    /// Number of frames with bodies, and number of frames with touches.
    pub seen: [u64; 2],
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
        let side = half.link.side();
        let state = ShowState::new(site.city, site.there, &edition.installation, site.key.public(), now);
        let [here, there] = state.cities().clone();
        let setting = SiteContext { here, there, side, seed: site.seed, metres: Some(half.wall_width()) };
        Ok(Self {
            state,
            half,
            scene: BlockingScene::start(command, &setting, edition.clone()).map_err(|fault| fault.to_string())?,
            edition: edition.clone(),
            began: now,
            unix_start: site.unix,
            frame_number: 0,
            snapshot: SimSnapshot::default(),
            faults: Vec::new(),
            acts: [0; 4],
            left_out: 0,
            signals_dropped: 0,
            took_us: Vec::new(),
            items: Vec::new(),
            seen: [0; 2],
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
        for message in self.half.poll_messages(now) {
            self.state.handle_message(now, &message);
            if let SiteMessage::Vision(report) = message
                && let Some(mask) = report.mask
            {
                let (version, width, height, flow) = (mask.version, mask.width, mask.height, report.flow);
                self.snapshot.presence[0] = Arc::new(PresenceMap { version, width, height, mask: mask.texels, flow });
            }
        }
        self.state.handle_timeout(now);
        if self.edition.shaders.iter().any(|shader| shader.inputs.people) {
            self.snapshot.presence[1] =
                Arc::new(rasterize_bodies(self.frame_number + 1, self.state.remote_bodies(), self.state.canvas()));
        }
        self.request_frame(now)
    }

    fn request_frame(&mut self, now: Duration) -> Result<(), String> {
        self.frame_number += 1;
        let unix = self.unix_start + (now - self.began).as_secs_f64();
        let (sees, mut uniforms) = self.state.next_frame(now, unix);
        self.seen[0] += u64::from(!sees.here.bodies.is_empty());
        self.seen[1] += u64::from(!sees.here.touches.is_empty());
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
        let kind = match action {
            SceneAction::Play { .. } => Some(0),
            SceneAction::Signal { .. } => Some(1),
            SceneAction::Mark(_) => Some(2),
            SceneAction::Log(_) => Some(3),
            SceneAction::Share(_) => None,
        };
        if let Some(kind) = kind {
            self.acts[kind] += 1;
        }
        match self.state.handle_action(now, utc_ms, action) {
            ActionOutcome::SignalDropped(count) => self.signals_dropped = count,
            ActionOutcome::MarkDropped(count) => self.left_out = count,
            ActionOutcome::Done | ActionOutcome::Play { .. } | ActionOutcome::Log(_) | ActionOutcome::Alone => {}
        }
    }
}
