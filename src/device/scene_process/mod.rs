//! Scene process from the show's side: started, fed, monitored, killed if it hangs, restarted.
//!
//! A new revision runs beside the one that is shown, and takes its place once it has drawn a frame.

mod blocking;
mod child;
mod command;
mod state;
mod supervisor;

pub use blocking::BlockingScene;
pub use command::SandboxCommand;
pub use state::{SceneFrame, SceneStatus};
pub use supervisor::FrameReply;

use crate::scene::{SceneAction, SceneDiagnostic, SceneRevision, SiteContext};
use state::SupervisorShared;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use supervisor::{FrameRequest, SceneSupervisor, SupervisorCommand};

/// A scene in a process of its own.
pub struct SceneProcess {
    shared: Arc<SupervisorShared>,
    commands: Option<Sender<SupervisorCommand>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl SceneProcess {
    /// Starts the supervisor, which waits for a revision and keeps a process running until this is dropped.
    pub fn start(command: SandboxCommand, setting: SiteContext) -> std::io::Result<Self> {
        let shared = Arc::new(SupervisorShared::new());
        let (orders, taken) = channel();
        let kept = shared.clone();
        let keeper = move || SceneSupervisor::new(command, setting, &kept).run(&taken);
        let thread = std::thread::Builder::new().name("scene".into()).spawn(keeper)?;
        Ok(Self { shared, commands: Some(orders), thread: Some(thread) })
    }

    /// Offers a revision, to be shown as soon as it runs. If it fails, that is reported, and the previous one stays.
    pub fn load(&self, edition: Arc<SceneRevision>) {
        if let Some(orders) = &self.commands {
            // A supervisor that has ended serves no show any more.
            let _ = orders.send(SupervisorCommand::Edition(edition));
        }
    }

    /// Reports a folder that cannot be shown; the previous revision stays.
    pub fn refuse(&self, fault: SceneDiagnostic) {
        self.shared.refuse(fault);
    }

    /// Returns true if a frame can be requested.
    pub fn is_ready(&self) -> bool {
        self.shared.state().ready_for_frame
    }

    /// Returns true if a scene is about to start without state: the next frame must carry the full input.
    pub fn has_pending(&self) -> bool {
        self.shared.state().pending.is_some()
    }

    /// Returns the revision that starts with the next full frame. Until then, the previous revision goes on.
    pub fn pending_edition(&self) -> Option<Arc<SceneRevision>> {
        self.shared.state().pending.clone()
    }

    /// Requests a frame; `whole` if its input has everything that a starting scene needs.
    ///
    /// Call it when a frame can be requested. Returns false if it cannot after all, or if no scene is shown that
    /// could answer a frame without the full input.
    pub fn request_frame(&self, number: u64, input: u64, json: String, whole: bool) -> bool {
        let mut board = self.shared.state();
        let Some(orders) = self.commands.as_ref().filter(|_| board.ready_for_frame && (whole || board.is_showing))
        else {
            return false;
        };
        board.ready_for_frame =
            orders.send(SupervisorCommand::Frame(FrameRequest { number, input, json, is_full: whole })).is_err();
        !board.ready_for_frame
    }

    /// Waits until frame `number` is answered, at most `at_most`; returns true if it was.
    pub fn wait_answered(&self, number: u64, at_most: Duration) -> bool {
        let board = self.shared.state();
        let waited = self
            .shared
            .answered
            .wait_timeout_while(board, at_most, |board| board.answered_number < number && !board.ready_for_frame);
        let (board, _) = waited.unwrap_or_else(PoisonError::into_inner);
        board.answered_number >= number
    }

    /// Returns the newest frame, if there is a new one, and the scene's actions.
    pub fn take_output(&self) -> (Option<SceneFrame>, Vec<SceneAction>) {
        let mut board = self.shared.state();
        (board.latest_frame.take(), std::mem::take(&mut board.acts))
    }

    /// Returns the status of the scene.
    pub fn status(&self) -> SceneStatus {
        self.shared.state().status.clone()
    }
}

impl Drop for SceneProcess {
    fn drop(&mut self) {
        self.commands = None;
        self.shared.stopping.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
