//! Supervisor of a scene: runs the newest revision that works, in a process that is restarted whenever it ends.

use super::SandboxCommand;
use super::child::SceneChild;
use super::state::SupervisorShared;
use crate::device::clock::monotonic;
use crate::escape;
use crate::scene::{
    DisplayList, FromScene, SCRIPT_BUDGET_MS, SceneAction, SceneDiagnostic, SceneRevision, SiteContext, ToScene,
};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

/// Most CPU time of a frame: its budget and 50 ms.
pub(super) const FRAME_CPU_MAX: Duration = Duration::from_millis(SCRIPT_BUDGET_MS + 50);
/// Most wall-clock time of a frame: a process that sleeps uses no CPU time, and shows nothing either.
const FRAME_WALL_MAX: Duration = Duration::from_secs(2);
/// First pause before a failed process is restarted; it doubles.
const BACKOFF: Duration = Duration::from_millis(500);
/// Longest of these pauses.
const BACKOFF_MAX: Duration = Duration::from_secs(10);
/// Time shown after which a revision is restarted at once when its process ends.
const STABLE_AFTER: Duration = Duration::from_secs(5);
/// Time shown without any fault after which a revision is good: it is the fallback if a newer one fails.
const GOOD_AFTER: Duration = Duration::from_secs(1);
/// Time of continuous failure after which a revision gives way to the last good one.
const FALLBACK_AFTER: Duration = Duration::from_millis(500);
/// Polling intervals of a loading process, and of the one that is shown while it is idle.
const POLL_INTERVALS: [Duration; 2] = [Duration::from_millis(2), Duration::from_millis(200)];

/// Request for a frame.
pub(super) struct FrameRequest {
    pub number: u64,
    pub input: u64,
    pub json: String,
    /// True if it has everything that a starting scene needs.
    pub is_full: bool,
}

/// Command of the show.
pub(super) enum SupervisorCommand {
    Frame(FrameRequest),
    Edition(Arc<SceneRevision>),
}

/// Reply to a frame request.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FrameReply {
    /// Display list, validated; none if the script failed.
    pub picture: Option<DisplayList>,
    /// Actions for the show.
    pub acts: Vec<SceneAction>,
    /// Fault of the script.
    pub fault: Option<SceneDiagnostic>,
    /// CPU time of the script, in microseconds.
    pub took_us: u64,
}

pub(super) struct SceneSupervisor<'a> {
    command: SandboxCommand,
    setting: SiteContext,
    shared: &'a SupervisorShared,
    /// Process that is shown.
    current: Option<SceneChild>,
    /// Process that is shown as soon as it has drawn a frame.
    next: Option<SceneChild>,
    /// Revision that was offered last.
    newest: Option<Arc<SceneRevision>>,
    /// Last revision that worked for a while.
    last_good: Option<Arc<SceneRevision>>,
    /// Time since which the process that is shown fails in every frame.
    failing_since: Option<Duration>,
    /// True if the process that is shown has failed at least once.
    has_failed: bool,
    /// True if the log has the warning that scenes are not sandboxed here.
    warned: bool,
    /// Time to start a process while there is none; the pause after the next failure is next to it.
    retry_at: Duration,
    backoff: Duration,
}

impl<'a> SceneSupervisor<'a> {
    pub fn new(command: SandboxCommand, setting: SiteContext, shared: &'a SupervisorShared) -> Self {
        let (current, next, newest, good, failing, failed, warned) = (None, None, None, None, None, false, false);
        let (retry, backoff) = (Duration::ZERO, BACKOFF);
        Self {
            command,
            setting,
            shared,
            current,
            next,
            newest,
            last_good: good,
            failing_since: failing,
            has_failed: failed,
            warned,
            retry_at: retry,
            backoff,
        }
    }

    /// Runs until the show stops.
    pub fn run(mut self, orders: &Receiver<SupervisorCommand>) {
        loop {
            self.poll_next();
            self.restart_if_due();
            let look =
                if self.next.as_ref().is_some_and(|next| !next.ready) { POLL_INTERVALS[0] } else { POLL_INTERVALS[1] };
            let pause = if self.is_idle() { self.retry_at.saturating_sub(monotonic()).min(look) } else { look };
            match orders.recv_timeout(pause) {
                Ok(SupervisorCommand::Frame(frame)) => self.handle_frame(frame),
                Ok(SupervisorCommand::Edition(edition)) => {
                    (self.newest, self.backoff) = (Some(edition.clone()), BACKOFF);
                    self.start_edition(edition, false);
                }
                Err(RecvTimeoutError::Timeout) => self.poll_current(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if self.shared.stopping.load(Ordering::Relaxed) {
                return;
            }
        }
    }

    /// Returns true if no process runs, but one could.
    fn is_idle(&self) -> bool {
        self.current.is_none() && self.next.is_none() && self.newest.is_some()
    }

    /// Starts a process beside the one that is shown.
    fn start_edition(&mut self, edition: Arc<SceneRevision>, fresh: bool) {
        self.drop_next();
        let number = {
            let starts = &mut self.shared.state().status.starts;
            *starts += 1;
            *starts
        };
        let start = edition.scene_init(&self.setting);
        match SceneChild::start(&self.command, start, edition, number) {
            Ok(mut next) => {
                next.fresh = fresh;
                if self.current.is_none() {
                    self.shared.state().status.pid = Some(next.pid());
                }
                self.next = Some(next);
            }
            Err(why) => {
                let problem = format!("its process cannot be started ({why})");
                self.handle_next_failed(SceneDiagnostic::new("scene", problem, "restart the show"));
            }
        }
    }

    fn drop_next(&mut self) {
        self.next = None;
        let mut board = self.shared.state();
        board.pending = None;
        if self.current.is_none() {
            (board.ready_for_frame, board.status.ready, board.status.pid) = (false, false, None);
        }
    }

    /// Handles the failure of the revision that was to be shown.
    fn handle_next_failed(&mut self, fault: SceneDiagnostic) {
        self.drop_next();
        if self.current.is_some() {
            self.shared.refuse(fault)
        } else {
            self.shared.record_fault(fault)
        }
        self.retry_at = monotonic() + self.backoff;
        self.backoff = (self.backoff * 2).min(BACKOFF_MAX);
        self.shared.answered.notify_all();
    }

    /// Starts the last good revision, or the newest, if no process runs and it is time.
    fn restart_if_due(&mut self) {
        if self.is_idle()
            && monotonic() >= self.retry_at
            && let Some(edition) = self.last_good.clone().or_else(|| self.newest.clone())
        {
            if self.newest.as_ref().is_some_and(|newest| !Arc::ptr_eq(newest, &edition)) {
                let mut board = self.shared.state();
                let status = &mut board.status;
                status.refused = status.refused.take().or_else(|| status.last_fault.clone());
            }
            self.start_edition(edition, true);
        }
    }

    fn poll_next(&mut self) {
        let Some(next) = self.next.as_mut().filter(|next| !next.ready) else { return };
        let script = next.edition.installation.script.to_string_lossy().into_owned();
        match next.try_reply() {
            Ok(Some(FromScene::Ready { unjailed })) => {
                next.ready = true;
                let begins = Some(next.edition.clone());
                self.warn_unsandboxed(unjailed);
                let mut board = self.shared.state();
                (board.pending, board.status.ready) = (begins, true);
                board.ready_for_frame |= self.current.is_none();
            }
            Ok(Some(FromScene::Failed(fault))) => self.handle_next_failed(fault),
            Ok(None) if !next.load_timed_out() => {}
            _ => self.handle_next_failed(SceneDiagnostic::new(
                &script,
                "does not load",
                "look for a loop that does not end",
            )),
        }
    }

    /// Warns once that scenes can do here what programs can.
    fn warn_unsandboxed(&mut self, unjailed: Option<String>) {
        if let Some(missing) = unjailed.filter(|_| !std::mem::replace(&mut self.warned, true)) {
            tracing::warn!(
                "scenes are {}; show only scenes of people whom you trust on this system",
                printable(&missing)
            );
        }
    }

    /// Checks the process that is shown while it is idle; it may have been killed meanwhile.
    fn poll_current(&mut self) {
        if self.next.as_mut().is_some_and(|next| next.ready && next.has_ended()) {
            self.handle_next_failed(exited_fault());
        }
        if self.current.as_mut().is_some_and(SceneChild::has_ended) {
            self.shared.record_fault(exited_fault());
            self.handle_current_lost(Duration::MAX);
        }
    }

    /// Handles the end of the process that was shown, after `lived`.
    fn handle_current_lost(&mut self, lived: Duration) {
        self.current = None;
        let ready = self.next.as_ref().is_some_and(|next| next.ready);
        {
            let mut board = self.shared.state();
            (board.ready_for_frame, board.is_showing, board.status.ready, board.status.pid) =
                (ready, false, ready, None);
        }
        if lived > STABLE_AFTER {
            (self.backoff, self.retry_at) = (BACKOFF, monotonic());
        } else {
            self.retry_at = monotonic() + self.backoff;
            self.backoff = (self.backoff * 2).min(BACKOFF_MAX);
        }
        self.shared.answered.notify_all();
    }

    /// Handles one frame: with the next revision if it can be tried, else with the current one.
    fn handle_frame(&mut self, frame: FrameRequest) {
        if frame.is_full
            && let Some(next) = self.next.take_if(|next| next.ready)
        {
            let Some(shown) = self.try_switch(next, &frame) else { return };
            self.current = Some(shown);
            return;
        }
        let Some(current) = &mut self.current else {
            // A request to a process that has ended is not repeated to another one.
            self.shared.state().ready_for_frame = self.next.as_ref().is_some_and(|next| next.ready);
            return;
        };
        match request_frame(current, &frame, |current| current.wait_reply(FRAME_CPU_MAX, FRAME_WALL_MAX, self.shared)) {
            Ok(FrameReply { picture, acts, fault, took_us }) => {
                let (edition, since) = (current.edition.clone(), current.shown_since);
                self.track_health(fault.as_ref(), &edition, since);
                self.shared.publish((picture, &edition), acts, took_us, fault);
            }
            Err(_) if self.shared.stopping.load(Ordering::Relaxed) => {}
            Err(fault) => {
                self.shared.record_fault(fault);
                let lived = monotonic() - current.shown_since;
                self.handle_current_lost(lived);
            }
        }
    }

    /// Lets a revision draw its first frame. If it succeeds, it is shown from then on.
    fn try_switch(&mut self, mut next: SceneChild, frame: &FrameRequest) -> Option<SceneChild> {
        self.shared.state().pending = None;
        let current = self.current.as_mut().filter(|_| !next.fresh);
        let kept = current.and_then(|current| request_kept_state(current, self.shared));
        let has_kept = kept.is_some();
        if let Some(kept) = kept {
            next.send(ToScene::Kept(kept));
        }
        let answer =
            request_frame(&mut next, frame, |next| next.wait_reply(FRAME_CPU_MAX, FRAME_WALL_MAX, self.shared));
        let (fault, post) = match answer {
            Ok(FrameReply { picture, acts, fault: None, took_us }) => (None, Some((picture, acts, took_us))),
            // A scene without an alternative goes on after a fault, which may be limited to this frame.
            Ok(FrameReply { picture, acts, fault: Some(fault), took_us }) if self.current.is_none() => {
                self.shared.record_fault(fault);
                (None, Some((picture, acts, took_us)))
            }
            Ok(FrameReply { fault: Some(fault), .. }) | Err(fault) => (Some(fault), None),
        };
        if let Some(fault) = fault {
            if has_kept {
                // The kept state may be unusable for it: without that state it may well work.
                self.start_edition(next.edition.clone(), true);
            } else {
                self.handle_next_failed(fault);
            }
            if self.current.is_some() {
                // It has its marks already, so only new ones are sent.
                let json = frame.json.replacen("\"anew\":true", "\"anew\":false", 1);
                self.handle_frame(FrameRequest { is_full: false, json, ..*frame });
            }
            return None;
        }
        next.shown_since = monotonic();
        self.shared.clear_logged();
        let (picture, acts, took_us) = post?;
        (self.failing_since, self.has_failed) = (None, picture.is_none());
        {
            let mut board = self.shared.state();
            board.is_showing = true;
            board.status.pid = Some(next.pid());
            board.status.edition = Some(next.edition.digest.clone());
            board.status.editions += 1;
            if self.newest.as_ref().is_some_and(|newest| Arc::ptr_eq(newest, &next.edition)) {
                board.status.refused = None;
            }
        }
        let failed = picture.is_none().then(|| self.shared.state().status.fault.clone()).flatten();
        self.shared.publish((picture, &next.edition), acts, took_us, failed);
        Some(next)
    }

    /// Tracks whether a revision works, by the outcome of one more frame.
    fn track_health(&mut self, fault: Option<&SceneDiagnostic>, edition: &Arc<SceneRevision>, since: Duration) {
        let now = monotonic();
        let Some(fault) = fault else {
            self.failing_since = None;
            if now - since > GOOD_AFTER
                && !self.has_failed
                && self.last_good.as_ref().is_none_or(|good| !Arc::ptr_eq(good, edition))
            {
                self.last_good = Some(edition.clone());
            }
            return;
        };
        self.has_failed = true;
        let failing = *self.failing_since.get_or_insert(now);
        let other = self.last_good.clone().filter(|good| !Arc::ptr_eq(good, edition));
        if now - failing > FALLBACK_AFTER
            && self.next.is_none()
            && now >= self.retry_at
            && let Some(good) = other
        {
            self.shared.refuse(fault.clone());
            self.start_edition(good, true);
        }
    }
}

/// Returns a process's description of its sandbox in printable form.
pub(super) fn printable(missing: &str) -> String {
    escape::strip_controls(missing).chars().take(80).collect()
}

fn exited_fault() -> SceneDiagnostic {
    SceneDiagnostic::new("scene", "its process ended", "it is started again")
}

/// Requests one frame and returns the reply. After an error the process is of no more use. `wait` waits for the
/// reply.
pub(super) fn request_frame(
    running: &mut SceneChild,
    frame: &FrameRequest,
    wait: impl FnOnce(&mut SceneChild) -> Option<FromScene>,
) -> Result<FrameReply, SceneDiagnostic> {
    let FrameRequest { number, input, json, .. } = frame;
    let sees = ToScene::Sees { number: *number, input: *input, json: json.clone() };
    // A process whose queue is full does not read.
    if !running.send(sees) {
        return Err(exited_fault());
    }
    match wait(running) {
        Some(FromScene::Frame { picture, acts, kept, fault, took_us }) => {
            let picture = running.validate(picture, kept).map(|picture| DisplayList { answers: *number, ..picture });
            Ok(FrameReply { picture, acts, fault, took_us })
        }
        _ if running.has_ended() => Err(exited_fault()),
        _ => {
            let script = running.edition.installation.script.to_string_lossy();
            let problem = "a frame did not end, and its process was killed";
            Err(SceneDiagnostic::new(&script, problem, "look for a loop that does not end"))
        }
    }
}

/// Requests the state that the shown revision wants to keep.
fn request_kept_state(running: &mut SceneChild, shared: &SupervisorShared) -> Option<String> {
    if !running.send(ToScene::Keep) {
        return None;
    }
    match running.wait_reply(FRAME_CPU_MAX, FRAME_WALL_MAX, shared) {
        Some(FromScene::Keeps(Ok(kept))) => kept,
        Some(FromScene::Keeps(Err(fault))) => {
            tracing::warn!("scene: {fault}");
            None
        }
        // On any other reply, the process is not reliable; the following frame detects that.
        _ => None,
    }
}
