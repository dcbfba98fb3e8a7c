//! One site of the simulation: its inputs, its scene, and the display lists that it shows.

use super::camera::{SimCamera, WALL_WIDTH};
use super::scenario::SimVisitors;
use crate::config::City;
use crate::device::bots::{self, BotSim};
use crate::device::net::{LinkStatus, MarkFeed};
use crate::device::scene_process::{BlockingScene, SandboxCommand};
use crate::device::site_key::SiteKey;
use crate::device::touch_hub::{LocalTouchEvent, REACH_DEVICE};
use crate::link::{Link, LinkConfig, LinkOutput, LinkState, MarkReplica, SiteEvent};
use crate::marks::MemoryStore;
use crate::presence::{Body, CanvasRegion, Phase, Point, PointerKind, Presence, TouchTracker};
use crate::render::PresenceMap;
use crate::scene::{DisplayList, EngineUniforms, SceneAction, SceneDiagnostic, SceneRevision, SiteContext};
use crate::show::rasterize::rasterize_bodies;
use crate::show::{ActionOutcome, LinkReport, ShowState, now_showing};
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
    /// Session of the site.
    pub(super) link: Link,
    mark_feed: MarkFeed,
    touches: TouchTracker,
    bodies: Vec<Body>,
    camera: Option<SimCamera>,
    bots: BotSim,
    state: ShowState,
    scene: BlockingScene,
    edition: Arc<SceneRevision>,
    began: Duration,
    /// Seconds since 1970 at the start.
    unix_start: f64,
    frame_number: u64,
    link_outputs: Vec<LinkOutput>,
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
        let canvas = edition.installation.canvas_size();
        let now = site.began;
        let config = LinkConfig {
            key: site.key.public(),
            twin: site.twin,
            boot: site.seed + 1,
            city: site.city.slug.clone(),
            name: site.city.name.clone(),
            showing: now_showing(&edition.installation),
            canvas,
        };
        let store = MemoryStore::new(site.seed + 1);
        let works = MarkReplica::open(&edition.installation.id, Box::new(site.key.clone()), Box::new(store));
        let works = works.map_err(|why| why.to_string())?;
        let mut link = Link::new(now, config).with_replica(works);
        let side = link.side();
        link.handle_path(now);
        let state = ShowState::new(site.city, site.there, &edition.installation, site.key.public(), now);
        let [here, there] = state.cities().clone();
        let setting = SiteContext { here, there, side, seed: site.seed, metres: Some(WALL_WIDTH) };
        Ok(Self {
            touches: TouchTracker::new(canvas, vec![CanvasRegion::from_fractions(canvas, [0.0, 0.0, 1.0, 1.0])]),
            bodies: Vec::new(),
            camera: SimCamera::new(site.city, site.visitors.seen, site.weather, site.seed, canvas),
            bots: BotSim::new(site.visitors.touch, canvas, site.seed),
            state,
            link,
            mark_feed: MarkFeed::default(),
            scene: BlockingScene::start(command, &setting, edition.clone()).map_err(|fault| fault.to_string())?,
            edition: edition.clone(),
            began: now,
            unix_start: site.unix,
            frame_number: 0,
            link_outputs: Vec::new(),
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
        [self.bodies.len(), self.touches.touches().len()]
    }

    /// Returns true while the twin is linked.
    pub fn is_linked(&self, now: Duration) -> bool {
        self.link.health(now).state == LinkState::Linked
    }

    /// Takes the outputs of the link, for the next frame.
    pub(super) fn take_link_outputs(&mut self) {
        while let Some(mut output) = self.link.poll_output() {
            if !self.mark_feed.handle_output(&mut output) {
                self.link_outputs.push(output);
            }
        }
    }

    /// Handles touches and camera frames up to now.
    pub(super) fn handle_devices(&mut self, now: Duration) {
        let since = now - self.began;
        let mut words = Vec::new();
        while self.bots.next_due().is_some_and(|next| next <= since.as_secs_f64()) {
            let acts = self.bots.poll_touches(since.as_secs_f64());
            words.extend(
                acts.into_iter().map(|(who, phase, at)| ((bots::BOT_DEVICE, who as u64), phase, at, PointerKind::Cast)),
            );
        }
        let reach = |body: u16, phase: Phase, at: Point| {
            words.push(((REACH_DEVICE, u64::from(body)), phase, at, PointerKind::Reach));
        };
        let looked = self.camera.as_mut().and_then(|eyes| eyes.poll(since, now, reach));
        let mut changed = looked.is_some();
        if let Some((bodies, eyes)) = looked.zip(self.camera.as_ref()) {
            let sighted = &eyes.vision;
            self.state.handle_bodies(now, &bodies, sighted.motion_energy, &sighted.flow);
            let (mask, flow) = (sighted.mask.pixels.clone(), sighted.flow.clone());
            let (width, height) = (sighted.mask.width, sighted.mask.height);
            self.snapshot.presence[0] = Arc::new(PresenceMap { version: sighted.version, width, height, mask, flow });
            self.bodies = bodies;
        }
        for (contact, phase, at, by) in words {
            for (phase, touch) in self.touches.update(now, contact, phase, at, by).into_iter().flatten() {
                self.state.handle_touch(&LocalTouchEvent { made: now, phase, touch });
                let what = match phase {
                    Phase::Down => Some(SiteEvent::Down(touch)),
                    Phase::Up => Some(SiteEvent::Up(touch)),
                    Phase::Move => None,
                };
                if let Some(what) = what {
                    self.link.handle_event(now, what);
                }
                changed = true;
            }
        }
        if changed {
            let presence = self.presence();
            self.link.handle_presence(now, presence);
        }
    }

    fn presence(&self) -> Presence {
        Presence { touches: self.touches.touches(), bodies: self.bodies.clone() }
    }

    /// Runs one frame of the scene. An unrecoverable fault of its process is an error.
    pub(super) fn update_scene(&mut self, now: Duration) -> Result<(), String> {
        let remote = self.link.playout().1.map(|playout| playout.sample(now)).unwrap_or_default();
        let status = LinkStatus {
            health: self.link.health(now),
            shared_clock: self.link.shared_now(now),
            at: now,
            side: self.link.side(),
            is_leader: self.link.is_leader(),
            can_propose: self.link.can_propose(),
            ..LinkStatus::default()
        };
        let report = LinkReport { status, remote, local: &self.presence(), marks: self.mark_feed.drain() };
        for command in self.state.handle_link(now, report) {
            self.link.handle_command(now, command);
        }
        for output in self.link_outputs.drain(..) {
            self.state.handle_output(&output);
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
        let shared = self.link.remote_shared_state().map(|(_, shared)| shared).filter(|shared| !shared.is_empty());
        let (sees, mut uniforms) = self.state.next_frame(now, unix, shared);
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
            ActionOutcome::Command(command) => self.link.handle_command(now, command),
            ActionOutcome::SignalDropped(count) => self.signals_dropped = count,
            ActionOutcome::MarkDropped(count) => self.left_out = count,
            ActionOutcome::Play { .. } | ActionOutcome::Log(_) | ActionOutcome::Alone => {}
        }
    }
}
