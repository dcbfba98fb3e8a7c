//! Site half of a simulated site: its camera, its visitors' touches, its session and its marks, in virtual time.

use super::camera::{SimCamera, WALL_WIDTH};
use super::site::SimSiteConfig;
use crate::config::Installation;
use crate::device::bots::{self, BotSim};
use crate::device::site_key::SiteKey;
use crate::device::touch_hub::REACH_DEVICE;
use crate::link::{Link, LinkConfig, LinkState, MarkReplica, SiteEvent};
use crate::marks::MemoryStore;
use crate::messages::{
    LocalTouchEvent, MarkFeed, PeopleMask, SessionStatus, ShowMessage, SiteMessage, TwinReport, VisionReport,
};
use crate::presence::{Body, CanvasRegion, Phase, Point, PointerKind, Presence, TouchTracker};
use crate::show::now_showing;
use std::time::Duration;

/// State of the half. Messages of the show half go in, messages to it come out.
pub(super) struct SimSiteHalf {
    /// Session of the site.
    pub link: Link,
    marks: MarkFeed,
    touches: TouchTracker,
    bodies: Vec<Body>,
    camera: Option<SimCamera>,
    bots: BotSim,
    began: Duration,
    /// State of the twin in the last message.
    remote_state: String,
    /// Messages of the devices since the last frame.
    messages: Vec<SiteMessage>,
}

impl SimSiteHalf {
    /// Creates the half of a site that shows `installation`.
    pub fn new(site: &SimSiteConfig, installation: &Installation) -> Result<Self, String> {
        let (canvas, now) = (installation.canvas_size(), site.began);
        let config = LinkConfig {
            key: site.key.public(),
            twin: site.twin,
            boot: site.seed + 1,
            city: site.city.slug.clone(),
            name: site.city.name.clone(),
            showing: now_showing(installation),
            canvas,
        };
        let link = Link::new(now, config).with_replica(open_replica(site.key, site.seed, installation)?);
        let mut half = Self {
            link,
            marks: MarkFeed::default(),
            touches: TouchTracker::new(canvas, vec![CanvasRegion::from_fractions(canvas, [0.0, 0.0, 1.0, 1.0])]),
            bodies: Vec::new(),
            camera: SimCamera::new(site.city, site.visitors.seen, site.weather, site.seed, canvas),
            bots: BotSim::new(site.visitors.touch, canvas, site.seed),
            began: now,
            remote_state: String::new(),
            messages: Vec::new(),
        };
        half.link.handle_path(now);
        Ok(half)
    }

    /// Returns the width of the wall, in metres.
    pub fn wall_width(&self) -> f32 {
        WALL_WIDTH
    }

    /// Returns the numbers of bodies and of held touches.
    pub fn crowd(&self) -> [usize; 2] {
        [self.bodies.len(), self.touches.touches().len()]
    }

    /// Returns true while the twin is linked.
    pub fn is_linked(&self, now: Duration) -> bool {
        self.link.health(now).state == LinkState::Linked
    }

    /// Handles touches and camera frames up to now.
    pub fn handle_devices(&mut self, now: Duration) {
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
            let (width, height, texels) = (sighted.mask.width, sighted.mask.height, sighted.mask.pixels.clone());
            self.messages.push(SiteMessage::Vision(VisionReport {
                captured: now,
                bodies: bodies.clone(),
                motion_energy: sighted.motion_energy,
                flow: sighted.flow.clone(),
                mask: Some(PeopleMask { version: sighted.version, width, height, texels }),
            }));
            self.bodies = bodies;
        }
        for (contact, phase, at, by) in words {
            for (phase, touch) in self.touches.update(now, contact, phase, at, by).into_iter().flatten() {
                self.messages.push(SiteMessage::Touch(LocalTouchEvent { made: now, phase, touch }));
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
            let presence = Presence { touches: self.touches.touches(), bodies: self.bodies.clone() };
            self.link.handle_presence(now, presence);
        }
    }

    /// Handles a message of the show half.
    pub fn handle_message(&mut self, now: Duration, message: ShowMessage) {
        match message {
            ShowMessage::Command { made, command } => self.link.handle_command(made, command),
            ShowMessage::InView { until } => self.link.handle_view(now, Some(until)),
        }
    }

    /// Returns the messages since the last frame, in the order in which they are to be handled.
    pub fn poll_messages(&mut self, now: Duration) -> Vec<SiteMessage> {
        let mut outputs = Vec::new();
        while let Some(mut output) = self.link.poll_output() {
            if !self.marks.handle_output(&mut output) {
                outputs.extend(SiteMessage::from_output(now, output));
            }
        }
        let mut messages = std::mem::take(&mut self.messages);
        let presence = self.link.playout().1.map(|playout| playout.sample(now)).unwrap_or_default();
        messages.push(SiteMessage::Twin(TwinReport { status: SessionStatus::new(&mut self.link, now), presence }));
        let shared = self.link.remote_shared_state().map_or("", |(_, shared)| shared);
        if shared != self.remote_state {
            self.remote_state = shared.to_owned();
            messages.push(SiteMessage::SharedState(self.remote_state.clone()));
        }
        messages.extend(self.marks.take_changes().map(SiteMessage::Marks));
        messages.extend(outputs);
        messages
    }
}

fn open_replica(key: &SiteKey, seed: u64, installation: &Installation) -> Result<MarkReplica, String> {
    let store = MemoryStore::new(seed + 1);
    MarkReplica::open(&installation.id, Box::new(key.clone()), Box::new(store)).map_err(|why| why.to_string())
}
