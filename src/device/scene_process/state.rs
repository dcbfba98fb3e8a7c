//! State of the scene as the show sees it: the newest frame, its actions, its status.

use crate::device::clock::monotonic;
use crate::scene::{self, DisplayList, SceneAction, SceneDiagnostic, SceneRevision};
use std::collections::HashSet;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Most actions that wait for the show; beyond it the oldest are dropped.
const ACTS_PENDING_MAX: usize = 1_024;
/// Most faults of one revision that are logged.
const LOGGED_MAX: usize = 64;

/// A display list and the revision that drew it, whose shaders its indices refer to.
pub type SceneFrame = (Arc<DisplayList>, Arc<SceneRevision>);

#[derive(Debug, Default)]
pub(super) struct SupervisorState {
    /// True if a frame can be requested.
    pub ready_for_frame: bool,
    /// True if a scene is shown, so that a frame without the full input is answered.
    pub is_showing: bool,
    /// Revision of a scene that is ready and waits for its first frame, with the full input.
    pub pending: Option<Arc<SceneRevision>>,
    /// Newest frame, until it is taken.
    pub latest_frame: Option<SceneFrame>,
    pub acts: Vec<SceneAction>,
    pub status: SceneStatus,
    /// Number of the last frame that was answered.
    pub answered_number: u64,
    /// Logged faults, by file and place.
    logged: HashSet<(String, Option<(u32, u32)>)>,
}

/// Status of the scene.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SceneStatus {
    /// True if a process runs and has loaded the script.
    pub ready: bool,
    /// Frames answered since the start of the show.
    pub frames: u64,
    /// Processes started.
    pub starts: u64,
    /// Revisions shown since the start of the show.
    pub editions: u64,
    /// Digest of the revision that is shown.
    pub edition: Option<String>,
    /// Id of the process that runs.
    pub pid: Option<u32>,
    /// Current fault; none once a frame succeeds.
    pub fault: Option<SceneDiagnostic>,
    /// Fault of the newest revision, in whose place an older one is shown.
    pub refused: Option<SceneDiagnostic>,
    /// Last fault.
    pub last_fault: Option<SceneDiagnostic>,
    /// Time of `last_fault`, on the monotonic clock.
    pub last_fault_at: Duration,
    /// Frames and starts that failed.
    pub faults: u64,
    /// Script time of the last frame, in microseconds.
    pub took_us: u64,
}

pub(super) struct SupervisorShared {
    state: Mutex<SupervisorState>,
    pub answered: Condvar,
    /// True once the show stops; nothing is awaited any more.
    pub stopping: AtomicBool,
}

impl SupervisorShared {
    pub fn new() -> Self {
        Self { state: Mutex::default(), answered: Condvar::new(), stopping: AtomicBool::new(false) }
    }

    // The state is consistent after each statement, so a poisoned lock is usable.
    pub fn state(&self) -> MutexGuard<'_, SupervisorState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn record_fault(&self, fault: SceneDiagnostic) {
        let mut board = self.state();
        // A place is logged once, and not sixty times a second with other numbers in it.
        if board.logged.len() < LOGGED_MAX && board.logged.insert((fault.file.clone(), fault.place)) {
            tracing::warn!("scene: {fault}");
        }
        let status = &mut board.status;
        status.faults += 1;
        status.fault = Some(fault.clone());
        status.last_fault = Some(fault);
        status.last_fault_at = monotonic();
    }

    /// Clears the logged faults, since another revision is shown: its faults are logged again.
    pub fn clear_logged(&self) {
        self.state().logged.clear();
    }

    /// Records that the newest revision is faulty and is not shown.
    pub fn refuse(&self, fault: SceneDiagnostic) {
        self.record_fault(fault.clone());
        self.state().status.refused = Some(fault);
    }

    /// Publishes the reply to one frame: the validated display list, and its other parts.
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
