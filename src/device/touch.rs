//! Touches from every device of a site, told at once to the link and to the scene, whoever's thread it is.

use super::clock::monotonic;
use super::quic::LinkSender;
use crate::link::Happening;
use crate::presence::{Board, By, Contact, Phase, Point, Presence, Touch};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Touches that wait for the scene; when it is stuck, the newest are not told to it (the link still gets them).
pub const WAITING_MAX: usize = 1_024;

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

/// Where all devices of a site bring their touches. Clones are the same hub.
#[derive(Clone)]
pub struct TouchHub {
    board: Arc<Mutex<Board>>,
    link: Option<LinkSender>,
    scene: SyncSender<Touched>,
}

impl TouchHub {
    /// A hub that tells `link`, if there is a twin, and `scene`.
    pub fn new(link: Option<LinkSender>, scene: SyncSender<Touched>) -> Self {
        Self { board: Arc::default(), link, scene }
    }

    /// A device's word. Never waits.
    pub fn take(&self, contact: Contact, phase: Phase, at: Point, by: By) {
        let now = monotonic();
        // A panic while the lock was held cannot leave a board half changed: each change is one push or remove.
        let mut board = self.board.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((phase, touch)) = board.take(now, contact, phase, at, by) {
            // Told under the lock, so that all hear of touches in one order.
            self.tell(now, phase, touch, &board);
        }
    }

    /// A device is gone, or has lost its window: its touches end.
    pub fn release(&self, device: u32) {
        let mut board = self.board.lock().unwrap_or_else(PoisonError::into_inner);
        for touch in board.release(device) {
            self.tell(monotonic(), Phase::Up, touch, &board);
        }
    }

    /// Ends touches whose own end was lost; to be called now and then.
    pub fn forget(&self) {
        let now = monotonic();
        let mut board = self.board.lock().unwrap_or_else(PoisonError::into_inner);
        for touch in board.forget(now) {
            self.tell(now, Phase::Up, touch, &board);
        }
    }

    /// The ids of all touches that are held.
    pub fn held(&self) -> Vec<u32> {
        let board = self.board.lock().unwrap_or_else(PoisonError::into_inner);
        board.touches().iter().map(|touch| touch.id).collect()
    }

    fn tell(&self, made: Duration, phase: Phase, touch: Touch, board: &Board) {
        if let Some(link) = &self.link {
            match phase {
                Phase::Down => link.happening(made, Happening::Down(touch)),
                Phase::Up => link.happening(made, Happening::Up(touch)),
                Phase::Move => {}
            }
            link.presence(Presence { touches: board.touches(), bodies: Vec::new() });
        }
        match self.scene.try_send(Touched { made, phase, touch }) {
            Ok(()) | Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
        }
    }
}
