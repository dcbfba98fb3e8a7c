//! What the show sees of its scene: the newest picture, what is to be done, how it is.

use crate::device::clock::monotonic;
use crate::scene::{self, DisplayList, SceneAction, SceneDiagnostic, SceneRevision};
use std::collections::HashSet;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Acts that wait for the show; more, and the oldest go.
const ACTS_PENDING_MAX: usize = 1_024;
/// Faults of one edition that the log has.
const LOGGED_MAX: usize = 64;

/// A picture, and the edition that it is of: its shaders are meant by what the picture says of shaders.
pub type SceneFrame = (Arc<DisplayList>, Arc<SceneRevision>);

#[derive(Debug, Default)]
pub(super) struct SupervisorState {
    /// A frame can be asked for.
    pub ready_for_frame: bool,
    /// True if a scene is shown, so that a frame that does not tell all is answered.
    pub is_showing: bool,
    /// Edition of a scene that is ready and waits for its first frame, which tells it all.
    pub pending: Option<Arc<SceneRevision>>,
    /// The newest picture, until it is taken.
    pub latest_frame: Option<SceneFrame>,
    pub acts: Vec<SceneAction>,
    pub status: SceneStatus,
    /// The number of the last frame that was answered.
    pub answered_number: u64,
    /// Faults that the log has, by file and place.
    logged: HashSet<(String, Option<(u32, u32)>)>,
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
    pub fault: Option<SceneDiagnostic>,
    /// What is wrong with the newest edition, for which an older one is shown.
    pub refused: Option<SceneDiagnostic>,
    /// What was wrong last, and when, on the monotonic clock.
    pub last_fault: Option<SceneDiagnostic>,
    /// See `last_fault`.
    pub last_fault_at: Duration,
    /// Frames and starts that failed.
    pub faults: u64,
    /// Script time of the last frame, in microseconds.
    pub took_us: u64,
}

pub(super) struct SupervisorShared {
    state: Mutex<SupervisorState>,
    pub answered: Condvar,
    /// The show lets go; nothing is waited for any more.
    pub stopping: AtomicBool,
}

impl SupervisorShared {
    pub fn new() -> Self {
        Self { state: Mutex::default(), answered: Condvar::new(), stopping: AtomicBool::new(false) }
    }

    // What is on the board is whole after each statement, so a poisoned lock is as good as any.
    pub fn state(&self) -> MutexGuard<'_, SupervisorState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn record_fault(&self, fault: SceneDiagnostic) {
        let mut board = self.state();
        // Said once for a place, and not sixty times a second with other numbers in it.
        if board.logged.len() < LOGGED_MAX && board.logged.insert((fault.file.clone(), fault.place)) {
            tracing::warn!("scene: {fault}");
        }
        let status = &mut board.status;
        status.faults += 1;
        status.fault = Some(fault.clone());
        status.last_fault = Some(fault);
        status.last_fault_at = monotonic();
    }

    /// Another edition is shown: what is wrong with it is said anew.
    pub fn clear_logged(&self) {
        self.state().logged.clear();
    }

    /// The newest edition is wrong, and is not what is shown.
    pub fn refuse(&self, fault: SceneDiagnostic) {
        self.record_fault(fault.clone());
        self.state().status.refused = Some(fault);
    }

    /// One frame's answer: a picture that has been looked through, and what else there is.
    pub fn publish(
        &self,
        (picture, edition): (Option<DisplayList>, &Arc<SceneRevision>),
        acts: Vec<SceneAction>,
        took_us: u64,
        fault: Option<SceneDiagnostic>,
    ) {
        match fault {
            Some(fault) => self.record_fault(fault),
            None => self.state().status.fault = None,
        }
        let mut board = self.state();
        board.ready_for_frame = true;
        board.status.frames += 1;
        board.status.took_us = took_us;
        board.acts.extend(acts.into_iter().take(scene::ACTIONS_MAX));
        let beyond = board.acts.len().saturating_sub(ACTS_PENDING_MAX);
        board.acts.drain(..beyond);
        if let Some(picture) = picture {
            board.answered_number = picture.answers;
            board.latest_frame = Some((Arc::new(picture), edition.clone()));
        }
        drop(board);
        self.answered.notify_all();
    }
}
