//! Site half of a simulated site: its camera and its visitors' touches around a [`Site`], in virtual time.

use super::camera::{SimCamera, WALL_WIDTH};
use super::site::SimSiteConfig;
use crate::config::Installation;
use crate::device::bots::{BOT_DEVICE, BotSim};
use crate::device::site_key::SiteKey;
use crate::geometry::WHOLE;
use crate::link::{LinkConfig, LinkState, MarkReplica};
use crate::marks::MemoryStore;
use crate::messages::{ShowMessage, SiteMessage};
use crate::policy::SharingPolicy;
use crate::presence::{CanvasRegion, Phase, Point, PointerKind, TouchUpdate};
use crate::show::now_showing;
use crate::site::devices::REACH_DEVICE;
use crate::site::{Site, SiteSetup};
use std::time::Duration;

/// Number of the only camera.
const CAMERA: usize = 0;

/// The half with its simulated devices.
pub(super) struct SimSiteHalf {
    /// The half itself.
    pub site: Site,
    camera: Option<SimCamera>,
    bots: BotSim,
    began: Duration,
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
        let setup = SiteSetup {
            config,
            replica: Some(open_replica(site.key, site.seed, installation)?),
            screens: vec![CanvasRegion::from_fractions(canvas, WHOLE)],
            policy: SharingPolicy::default(),
            in_view_until: None,
        };
        let mut half = Self {
            site: Site::new(now, setup),
            camera: SimCamera::new(site.city, site.visitors.seen, site.weather, site.seed, canvas),
            bots: BotSim::new(site.visitors.touch, canvas, site.seed),
            began: now,
        };
        half.site.link_mut().handle_path(now);
        Ok(half)
    }

    /// Returns the width of the wall in metres.
    pub fn wall_width(&self) -> f32 {
        WALL_WIDTH
    }

    /// Returns the numbers of bodies and of held touches.
    pub fn crowd(&self) -> [usize; 2] {
        let presence = self.site.presence();
        [presence.bodies.len(), presence.touches.len()]
    }

    /// Returns true while the twin is linked.
    pub fn is_linked(&self, now: Duration) -> bool {
        self.site.link().health(now).state == LinkState::Linked
    }

    /// Handles touches and camera frames up to now.
    pub fn handle_devices(&mut self, now: Duration) {
        let since = now - self.began;
        let mut updates = Vec::new();
        while self.bots.next_due().is_some_and(|next| next <= since.as_secs_f64()) {
            let touches = self.bots.poll_touches(since.as_secs_f64()).into_iter();
            updates.extend(touches.map(|(visitor, phase, at)| {
                TouchUpdate::Touch((BOT_DEVICE, visitor as u64), phase, at, PointerKind::Cast)
            }));
        }
        let reach = |body: u16, phase: Phase, at: Point| {
            updates.push(TouchUpdate::Touch((REACH_DEVICE, u64::from(body)), phase, at, PointerKind::Reach));
        };
        if let Some(camera) = &mut self.camera
            && let Some(bodies) = camera.poll(since, now, reach)
        {
            self.site.handle_camera(now, CAMERA, now, bodies, Some(&mut camera.vision));
        }
        self.site.handle_touches(now, &updates);
    }

    /// Handles a message of the show half.
    pub fn handle_message(&mut self, now: Duration, message: ShowMessage) {
        self.site.handle_message(now, message);
    }

    /// Returns the messages since the last frame, in the order in which they are to be handled.
    pub fn poll_messages(&mut self, now: Duration) -> Vec<SiteMessage> {
        // Nobody reads a simulated site's log.
        while self.site.poll_notice().is_some() {}
        self.site.poll_messages(now)
    }
}

fn open_replica(key: &SiteKey, seed: u64, installation: &Installation) -> Result<MarkReplica, String> {
    let store = MemoryStore::new(seed + 1);
    MarkReplica::open(&installation.id, Box::new(key.clone()), Box::new(store)).map_err(|why| why.to_string())
}
