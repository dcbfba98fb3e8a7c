//! Hub for the touches and bodies of all devices of a site; forwards them at once to the link and the scene, from any
//! thread.
//!
//! Device numbers: the screens' windows have 0 and up, their mice 500, simulated visitors 1,000, the rest are below.

use super::clock::monotonic;
use super::net::LinkHandle;
use crate::link::SiteEvent;
use crate::messages::LocalTouchEvent;
use crate::presence::{
    BODIES_MAX, Body, CanvasRegion, ContactId, Phase, Point, PointerKind, Presence, Touch, TouchTracker, TouchUpdate,
};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Most touches that wait for the scene; if it is stuck, the newest are dropped for it (the link still gets them).
pub const TOUCH_QUEUE_MAX: usize = 1_024;
/// Device number of recorded visitors.
pub const PLAYBACK_DEVICE: u32 = 1_500;
/// Device number of reaches seen by camera 0; camera n has this plus n.
pub const REACH_DEVICE: u32 = 1_600;
/// Device number of the first address that may send OSC; the others follow.
pub const OSC_DEVICE: u32 = 2_000;
/// Device number of the first `[[touch]]`; each has [`TOUCH_DEVICES`] of them.
pub const TOUCH_DEVICE: u32 = 3_000;
/// Device numbers of one `[[touch]]`: as many as it has sources.
pub const TOUCH_DEVICES: u32 = 16;

/// Most cameras of a site, including that of recorded visitors.
pub const CAMERAS_MAX: usize = 8;
/// Number of the camera that recorded visitors come from.
pub const PLAYBACK_CAMERA: usize = CAMERAS_MAX - 1;
/// Bits of a body's id from its own camera; the bits above are the camera's number.
const BODY_ID_BITS: u32 = 13;
/// Time without updates after which a camera counts as seeing nobody.
const CAMERA_TIMEOUT: Duration = Duration::from_secs(2);

/// All bodies at a site, as of the last update of each camera.
#[derive(Debug, Clone, PartialEq)]
pub struct BodySnapshot {
    /// Version number, which changes with the bodies.
    pub version: u64,
    /// Time when the camera that updated last captured its frame, monotonic.
    pub made: Duration,
    /// Bodies of all cameras.
    pub bodies: Vec<Body>,
}

/// Current state of the site, as of the last update of each device.
struct HubState {
    tracker: TouchTracker,
    /// Number of camera updates with bodies; the capture time of the newest is next to it.
    version: u64,
    made: Duration,
    /// Capture time and bodies of each camera's last update.
    camera_bodies: [(Duration, Vec<Body>); CAMERAS_MAX],
}

impl HubState {
    fn bodies(&self) -> Vec<Body> {
        self.camera_bodies.iter().flat_map(|(_, bodies)| bodies).take(BODIES_MAX).cloned().collect()
    }

    fn presence(&self) -> Presence {
        Presence { touches: self.tracker.touches(), bodies: self.bodies() }
    }
}

/// Hub for the touches of all devices of a site and the bodies of all cameras. Clones share the same hub.
#[derive(Clone)]
pub struct TouchHub {
    state: Arc<Mutex<HubState>>,
    link: Option<LinkHandle>,
    scene: SyncSender<LocalTouchEvent>,
}

impl TouchHub {
    /// Creates a hub that forwards to `link`, if there is a twin, and to `scene`.
    ///
    /// `canvas` is its size in units, `screens` the parts of it that the site's screens show.
    pub fn new(
        link: Option<LinkHandle>,
        scene: SyncSender<LocalTouchEvent>,
        canvas: Point,
        screens: Vec<CanvasRegion>,
    ) -> Self {
        let board = TouchTracker::new(canvas, screens);
        let here = HubState { tracker: board, version: 0, made: Duration::ZERO, camera_bodies: Default::default() };
        Self { state: Arc::new(Mutex::new(here)), link, scene }
    }

    /// Handles a touch of a device. Never waits.
    pub fn handle_touch(&self, contact: ContactId, phase: Phase, at: Point, by: PointerKind) {
        self.handle_updates(&[TouchUpdate::Touch(contact, phase, at, by)]);
    }

    /// Handles simultaneous updates, such as all fingers of one frame. Never waits.
    pub fn handle_updates(&self, words: &[TouchUpdate]) {
        if words.is_empty() {
            return;
        }
        let now = monotonic();
        let mut here = self.lock();
        let mut changed = false;
        for word in words {
            match *word {
                TouchUpdate::Alive(contact) => here.tracker.keep_alive(now, contact),
                TouchUpdate::Touch(contact, phase, at, by) => {
                    for (phase, touch) in here.tracker.update(now, contact, phase, at, by).into_iter().flatten() {
                        self.publish_event(now, phase, touch);
                        changed = true;
                    }
                }
            }
        }
        if changed {
            self.publish_presence(&here);
        }
    }

    /// Ends the touches of a device that is gone, or has lost its window.
    pub fn release(&self, device: u32) {
        let mut here = self.lock();
        let ended = here.tracker.release_device(device);
        self.publish_ended(&here, &ended);
    }

    /// Ends touches whose own end was lost, and bodies of cameras that stopped; call it regularly.
    pub fn expire(&self) {
        let now = monotonic();
        let mut here = self.lock();
        let mut gone = false;
        for (made, bodies) in &mut here.camera_bodies {
            if !bodies.is_empty() && now.saturating_sub(*made) > CAMERA_TIMEOUT {
                bodies.clear();
                gone = true;
            }
        }
        if gone {
            (here.version, here.made) = (here.version + 1, now);
        }
        let ended = here.tracker.end_stale(now);
        self.publish_ended(&here, &ended);
        if gone && ended.is_empty() {
            self.publish_presence(&here);
        }
    }

    /// Sets the bodies that camera number `camera` sees; `made` is the capture time, monotonic. Never waits.
    ///
    /// An update older than the last is dropped, and so is a camera number of [`CAMERAS_MAX`] and above.
    ///
    /// Each camera counts its own bodies: this makes their ids unique at the site, and those of camera 0 stay as they
    /// are up to 8,191.
    pub fn set_bodies(&self, made: Duration, camera: usize, mut bodies: Vec<Body>) {
        bodies.truncate(BODIES_MAX);
        for body in &mut bodies {
            body.id = (body.id & ((1 << BODY_ID_BITS) - 1)) | (camera << BODY_ID_BITS) as u16;
        }
        let mut here = self.lock();
        let Some(seen) = here.camera_bodies.get_mut(camera) else { return };
        if made < seen.0 {
            return;
        }
        let nobody = seen.1.is_empty() && bodies.is_empty();
        *seen = (made, bodies);
        if !nobody {
            (here.version, here.made) = (here.version + 1, made);
        }
        self.publish_presence(&here);
    }

    /// Returns all bodies, unless `known` is their version. As long as there was never a body, the version is 0.
    pub fn bodies_since(&self, known: u64) -> Option<BodySnapshot> {
        let here = self.lock();
        let HubState { version, made, .. } = *here;
        (version != known).then(|| BodySnapshot { version, made, bodies: here.bodies() })
    }

    /// Returns the current presence.
    pub fn presence(&self) -> Presence {
        self.lock().presence()
    }

    /// Returns the ids of all held touches.
    pub fn held_ids(&self) -> Vec<u32> {
        self.lock().tracker.touches().iter().map(|touch| touch.id).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HubState> {
        // A panic while the lock was held cannot leave the state half changed: each change is one push or remove.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn publish_ended(&self, here: &HubState, ended: &[Touch]) {
        if ended.is_empty() {
            return;
        }
        let now = monotonic();
        ended.iter().for_each(|touch| self.publish_event(now, Phase::Up, *touch));
        self.publish_presence(here);
    }

    /// Publishes an event, under the lock, so that all receivers get touches in one order.
    fn publish_event(&self, made: Duration, phase: Phase, touch: Touch) {
        if let Some(link) = &self.link {
            match phase {
                Phase::Down => link.send_event(made, SiteEvent::Down(touch)),
                Phase::Up => link.send_event(made, SiteEvent::Up(touch)),
                Phase::Move => {}
            }
        }
        match self.scene.try_send(LocalTouchEvent { made, phase, touch }) {
            Ok(()) | Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
        }
    }

    /// Publishes the presence, once for simultaneous updates.
    ///
    /// It does so under the lock too, or an older one could arrive last and stay.
    fn publish_presence(&self, here: &HubState) {
        if let Some(link) = &self.link {
            link.set_presence(here.presence());
        }
    }
}
