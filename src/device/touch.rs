//! Touches and bodies from every device of a site, told at once to the link and to the scene, whoever's thread it is.
//!
//! Device numbers: the screens' windows have 0 and up, their mice 500, a cast 1,000, the rest stands below.

use super::clock::monotonic;
use super::quic::LinkSender;
use crate::link::Happening;
use crate::presence::{BODIES_MAX, Board, Body, By, Contact, Phase, Point, Presence, Touch, View, Word};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Touches that wait for the scene; when it is stuck, the newest are not told to it (the link still gets them).
pub const WAITING_MAX: usize = 1_024;
/// The device number of recorded visitors.
pub const VISITORS_DEVICE: u32 = 1_500;
/// The device number of reaches seen by camera 0; camera n has this and n.
pub const REACH_DEVICE: u32 = 1_600;
/// The device number of the first address that may send OSC; the others follow.
pub const OSC_DEVICE: u32 = 2_000;
/// The device number of the first `[[touch]]`; each has [`TOUCH_DEVICES`] of them.
pub const TOUCH_DEVICE: u32 = 3_000;
/// Device numbers of one `[[touch]]`: as many as it has sources.
pub const TOUCH_DEVICES: u32 = 16;

/// Most cameras a site has, recorded visitors among them.
pub const CAMERAS_MAX: usize = 8;
/// The number of the camera that recorded visitors come from.
pub const VISITORS_CAMERA: usize = CAMERAS_MAX - 1;
/// Bits of a body's id that its own camera gives; those above are the camera's number.
const OWN_BITS: u32 = 13;
/// A camera that has told nothing for this long sees nobody.
const BLIND: Duration = Duration::from_secs(2);

/// A touch for the scene here.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Touched {
    /// When the device's word came in, monotonic.
    pub made: Duration,
    /// What happened to it.
    pub phase: Phase,
    /// The touch as it is now.
    pub touch: Touch,
}

/// All bodies at a site, as of the last word of each camera.
#[derive(Debug, Clone, PartialEq)]
pub struct Bodies {
    /// Another number for other bodies.
    pub version: u64,
    /// When the camera that told last saw its own, monotonic.
    pub made: Duration,
    /// Who is there.
    pub bodies: Vec<Body>,
}

/// Who is here, as of the last word of each device.
struct Here {
    board: Board,
    /// Counts what cameras have told of somebody, and when the newest of that was seen.
    version: u64,
    made: Duration,
    /// What each camera saw last, and when.
    seen: [(Duration, Vec<Body>); CAMERAS_MAX],
}

impl Here {
    fn bodies(&self) -> Vec<Body> {
        self.seen.iter().flat_map(|(_, bodies)| bodies).take(BODIES_MAX).cloned().collect()
    }

    fn presence(&self) -> Presence {
        Presence { touches: self.board.touches(), bodies: self.bodies() }
    }
}

/// Where all devices of a site bring their touches, and all cameras their bodies. Clones are the same hub.
#[derive(Clone)]
pub struct TouchHub {
    here: Arc<Mutex<Here>>,
    link: Option<LinkSender>,
    scene: SyncSender<Touched>,
}

impl TouchHub {
    /// A hub that tells `link`, if there is a twin, and `scene`. `canvas` is its size in units, `screens` the parts of
    /// it that the site's screens show.
    pub fn new(link: Option<LinkSender>, scene: SyncSender<Touched>, canvas: Point, screens: Vec<View>) -> Self {
        let board = Board::new(canvas, screens);
        let here = Here { board, version: 0, made: Duration::ZERO, seen: Default::default() };
        Self { here: Arc::new(Mutex::new(here)), link, scene }
    }

    /// A device's word. Never waits.
    pub fn take(&self, contact: Contact, phase: Phase, at: Point, by: By) {
        self.take_all(&[Word::Touch(contact, phase, at, by)]);
    }

    /// Words that a device said at once, such as all fingers of one frame. Never waits.
    pub fn take_all(&self, words: &[Word]) {
        if words.is_empty() {
            return;
        }
        let now = monotonic();
        let mut here = self.lock();
        let mut changed = false;
        for word in words {
            match *word {
                Word::Heard(contact) => here.board.heard(now, contact),
                Word::Touch(contact, phase, at, by) => {
                    for (phase, touch) in here.board.take(now, contact, phase, at, by).into_iter().flatten() {
                        self.tell(now, phase, touch);
                        changed = true;
                    }
                }
            }
        }
        if changed {
            self.show(&here);
        }
    }

    /// A device is gone, or has lost its window: its touches end.
    pub fn release(&self, device: u32) {
        let mut here = self.lock();
        let ended = here.board.release(device);
        self.end(&here, &ended);
    }

    /// Ends touches whose own end was lost, and bodies of cameras that went blind; to be called now and then.
    pub fn forget(&self) {
        let now = monotonic();
        let mut here = self.lock();
        let mut gone = false;
        for (made, bodies) in &mut here.seen {
            if !bodies.is_empty() && now.saturating_sub(*made) > BLIND {
                bodies.clear();
                gone = true;
            }
        }
        if gone {
            (here.version, here.made) = (here.version + 1, now);
        }
        let ended = here.board.forget(now);
        self.end(&here, &ended);
        if gone && ended.is_empty() {
            self.show(&here);
        }
    }

    /// Who camera number `camera` sees; `made` is when it saw them, monotonic. What is older than the last is dropped,
    /// and so is a number of [`CAMERAS_MAX`] and above. Never waits.
    ///
    /// Each camera counts its own bodies: their ids are made unique at the site here, and those of camera 0 stay as
    /// they are up to 8,191.
    pub fn bodies(&self, made: Duration, camera: usize, mut bodies: Vec<Body>) {
        bodies.truncate(BODIES_MAX);
        for body in &mut bodies {
            body.id = (body.id & ((1 << OWN_BITS) - 1)) | (camera << OWN_BITS) as u16;
        }
        let mut here = self.lock();
        let Some(seen) = here.seen.get_mut(camera) else { return };
        if made < seen.0 {
            return;
        }
        let nobody = seen.1.is_empty() && bodies.is_empty();
        *seen = (made, bodies);
        if !nobody {
            (here.version, here.made) = (here.version + 1, made);
        }
        self.show(&here);
    }

    /// All bodies, if that is not what was told as version `known`; of nobody from the first on it is version 0.
    pub fn newest(&self, known: u64) -> Option<Bodies> {
        let here = self.lock();
        let Here { version, made, .. } = *here;
        (version != known).then(|| Bodies { version, made, bodies: here.bodies() })
    }

    /// Who is here now.
    pub fn presence(&self) -> Presence {
        self.lock().presence()
    }

    /// The ids of all touches that are held.
    pub fn held(&self) -> Vec<u32> {
        self.lock().board.touches().iter().map(|touch| touch.id).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Here> {
        // A panic while the lock was held cannot leave a board half changed: each change is one push or remove.
        self.here.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, here: &Here, ended: &[Touch]) {
        if ended.is_empty() {
            return;
        }
        let now = monotonic();
        ended.iter().for_each(|touch| self.tell(now, Phase::Up, *touch));
        self.show(here);
    }

    /// An event. Told under the lock, so that all hear of touches in one order.
    fn tell(&self, made: Duration, phase: Phase, touch: Touch) {
        if let Some(link) = &self.link {
            match phase {
                Phase::Down => link.happening(made, Happening::Down(touch)),
                Phase::Up => link.happening(made, Happening::Up(touch)),
                Phase::Move => {}
            }
        }
        match self.scene.try_send(Touched { made, phase, touch }) {
            Ok(()) | Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
        }
    }

    /// The state: once for all that was said at once. Under the lock too, or an older one could come last and stay.
    fn show(&self, here: &Here) {
        if let Some(link) = &self.link {
            link.presence(here.presence());
        }
    }
}
