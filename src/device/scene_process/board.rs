//! What the show sees of its scene: the newest picture, what is to be done, how it is.

use crate::device::clock::monotonic;
use crate::scene::{self, Act, Edition, Picture, ScriptFault};
use std::collections::HashSet;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Acts that wait for the show; more, and the oldest go.
const ACTS_MAX: usize = 1_024;
/// Faults of one edition that the log has.
const TOLD_MAX: usize = 64;

/// A picture, and the edition that it is of: its shaders are meant by what the picture says of shaders.
pub type Painting = (Arc<Picture>, Arc<Edition>);

#[derive(Debug, Default)]
pub(super) struct Board {
    /// A frame can be asked for.
    pub free: bool,
    /// True if a scene is shown, so that a frame that does not tell all is answered.
    pub shown: bool,
    /// Edition of a scene that is ready and waits for its first frame, which tells it all.
    pub begins: Option<Arc<Edition>>,
    /// The newest picture, until it is taken.
    pub painting: Option<Painting>,
    pub acts: Vec<Act>,
    pub status: SceneStatus,
    /// The number of the last frame that was answered.
    pub answered: u64,
    /// Faults that the log has, by file and place.
    told: HashSet<(String, Option<(u32, u32)>)>,
}

/// How the scene is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SceneStatus {
    /// A process runs and has loaded the script.
    pub ready: bool,
    /// Frames answered since the start of the show.
    pub frames: u64,
    /// Processes started.
    pub starts: u64,
    /// Editions shown since the start of the show.
    pub editions: u64,
    /// Digest of the edition that is shown.
    pub edition: Option<String>,
    /// The process that runs.
    pub pid: Option<u32>,
    /// What is wrong now; none once a frame succeeds.
    pub fault: Option<ScriptFault>,
    /// What is wrong with the newest edition, for which an older one is shown.
    pub refused: Option<ScriptFault>,
    /// What was wrong last, and when, on the monotonic clock.
    pub last_fault: Option<ScriptFault>,
    /// See `last_fault`.
    pub last_fault_at: Duration,
    /// Frames and starts that failed.
    pub faults: u64,
    /// Script time of the last frame, in microseconds.
    pub took_us: u64,
}

pub(super) struct Shared {
    board: Mutex<Board>,
    pub answered: Condvar,
    /// The show lets go; nothing is waited for any more.
    pub over: AtomicBool,
}

impl Shared {
    pub fn new() -> Self {
        Self { board: Mutex::default(), answered: Condvar::new(), over: AtomicBool::new(false) }
    }

    // What is on the board is whole after each statement, so a poisoned lock is as good as any.
    pub fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn fault(&self, fault: ScriptFault) {
        let mut board = self.board();
        // Said once for a place, and not sixty times a second with other numbers in it.
        if board.told.len() < TOLD_MAX && board.told.insert((fault.file.clone(), fault.place)) {
            tracing::warn!("scene: {fault}");
        }
        let status = &mut board.status;
        status.faults += 1;
        status.fault = Some(fault.clone());
        status.last_fault = Some(fault);
        status.last_fault_at = monotonic();
    }

    /// Another edition is shown: what is wrong with it is said anew.
    pub fn forget_told(&self) {
        self.board().told.clear();
    }

    /// The newest edition is wrong, and is not what is shown.
    pub fn refuse(&self, fault: ScriptFault) {
        self.fault(fault.clone());
        self.board().status.refused = Some(fault);
    }

    /// One frame's answer: a picture that has been looked through, and what else there is.
    pub fn post(
        &self,
        (picture, edition): (Option<Picture>, &Arc<Edition>),
        acts: Vec<Act>,
        took_us: u64,
        fault: Option<ScriptFault>,
    ) {
        match fault {
            Some(fault) => self.fault(fault),
            None => self.board().status.fault = None,
        }
        let mut board = self.board();
        board.free = true;
        board.status.frames += 1;
        board.status.took_us = took_us;
        board.acts.extend(acts.into_iter().take(scene::ACTS_MAX));
        let beyond = board.acts.len().saturating_sub(ACTS_MAX);
        board.acts.drain(..beyond);
        if let Some(picture) = picture {
            board.answered = picture.answers;
            board.painting = Some((Arc::new(picture), edition.clone()));
        }
        drop(board);
        self.answered.notify_all();
    }
}
