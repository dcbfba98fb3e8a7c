//! Keeps a scene running: the newest edition that works, in a process that is started again whenever it ends.

use super::SceneCommand;
use super::board::Shared;
use super::child::Running;
use crate::device::clock::monotonic;
use crate::escape;
use crate::scene::{Act, BUDGET_MS, Edition, FromScene, Picture, ScriptFault, Setting, ToScene};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

/// A frame may take this much of the processor more than its budget.
pub(super) const OVER: Duration = Duration::from_millis(BUDGET_MS + 50);
/// And this much of the clock on the wall: a process that sleeps uses no processor, and shows nothing either.
const STUCK: Duration = Duration::from_secs(2);
/// First and longest pause before a process that failed is started again.
const BACKOFF: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(10)];
/// An edition that was shown for this long is started again at once when its process ends.
const LIVED: Duration = Duration::from_secs(5);
/// One that was shown for this long and never failed works: it is returned to when a newer one does not.
const WORKS: Duration = Duration::from_secs(1);
/// An edition that fails for this long gives way to the last that worked.
const FAILS: Duration = Duration::from_millis(500);
/// How often one is looked at that loads, and the one that is shown while nothing is asked of it.
const LOOK: [Duration; 2] = [Duration::from_millis(2), Duration::from_millis(200)];

/// A frame as it is asked for.
pub(super) struct Frame {
    pub number: u64,
    pub input: u64,
    pub json: String,
    /// It tells all that a scene must know which begins.
    pub whole: bool,
}

/// What the show wants.
pub(super) enum Order {
    Frame(Frame),
    Edition(Arc<Edition>),
}

/// An answer to a frame.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Answered {
    /// What is to be seen, looked through; none when the script failed.
    pub picture: Option<Picture>,
    /// What is to be done.
    pub acts: Vec<Act>,
    /// What went wrong.
    pub fault: Option<ScriptFault>,
    /// Script time, in microseconds of the processor.
    pub took_us: u64,
}

pub(super) struct Keeper<'a> {
    command: SceneCommand,
    setting: Setting,
    shared: &'a Shared,
    /// What is shown.
    current: Option<Running>,
    /// What is to be shown as soon as it has drawn a picture.
    next: Option<Running>,
    /// The last that was offered.
    newest: Option<Arc<Edition>>,
    /// The last that worked for a while.
    good: Option<Arc<Edition>>,
    /// Since when the one that is shown fails, frame after frame.
    failing: Option<Duration>,
    /// The one that is shown has failed, once at least.
    failed: bool,
    /// It was said that scenes are not jailed here.
    warned: bool,
    /// When to start a process while there is none, and how long to wait after the next that fails.
    retry: Duration,
    backoff: Duration,
}

impl<'a> Keeper<'a> {
    pub fn new(command: SceneCommand, setting: Setting, shared: &'a Shared) -> Self {
        let (current, next, newest, good, failing, failed, warned) = (None, None, None, None, None, false, false);
        let (retry, backoff) = (Duration::ZERO, BACKOFF[0]);
        Self { command, setting, shared, current, next, newest, good, failing, failed, warned, retry, backoff }
    }

    /// Until the show lets go.
    pub fn keep(mut self, orders: &Receiver<Order>) {
        loop {
            self.look_at_next();
            self.start_again();
            let look = if self.next.as_ref().is_some_and(|next| !next.ready) { LOOK[0] } else { LOOK[1] };
            let pause = if self.is_at_rest() { self.retry.saturating_sub(monotonic()).min(look) } else { look };
            match orders.recv_timeout(pause) {
                Ok(Order::Frame(frame)) => self.serve(frame),
                Ok(Order::Edition(edition)) => {
                    (self.newest, self.backoff) = (Some(edition.clone()), BACKOFF[0]);
                    self.begin(edition, false);
                }
                Err(RecvTimeoutError::Timeout) => self.look_at_current(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if self.shared.over.load(Ordering::Relaxed) {
                return;
            }
        }
    }

    /// Nothing runs, and something could.
    fn is_at_rest(&self) -> bool {
        self.current.is_none() && self.next.is_none() && self.newest.is_some()
    }

    /// Starts a process beside the one that is shown.
    fn begin(&mut self, edition: Arc<Edition>, fresh: bool) {
        self.drop_next();
        let number = {
            let starts = &mut self.shared.board().status.starts;
            *starts += 1;
            *starts
        };
        let start = edition.start(&self.setting);
        match Running::start(&self.command, start, edition, number) {
            Ok(mut next) => {
                next.fresh = fresh;
                if self.current.is_none() {
                    self.shared.board().status.pid = Some(next.pid());
                }
                self.next = Some(next);
            }
            Err(why) => {
                let problem = format!("its process cannot be started ({why})");
                self.fails(ScriptFault::new("scene", problem, "restart the show"));
            }
        }
    }

    fn drop_next(&mut self) {
        self.next = None;
        let mut board = self.shared.board();
        board.begins = None;
        if self.current.is_none() {
            (board.free, board.status.ready, board.status.pid) = (false, false, None);
        }
    }

    /// What was to be shown does not work.
    fn fails(&mut self, fault: ScriptFault) {
        self.drop_next();
        if self.current.is_some() {
            self.shared.refuse(fault)
        } else {
            self.shared.fault(fault)
        }
        self.retry = monotonic() + self.backoff;
        self.backoff = (self.backoff * 2).min(BACKOFF[1]);
        self.shared.answered.notify_all();
    }

    /// When nothing runs and it is time: the last that worked, or the newest.
    fn start_again(&mut self) {
        if self.is_at_rest()
            && monotonic() >= self.retry
            && let Some(edition) = self.good.clone().or_else(|| self.newest.clone())
        {
            if self.newest.as_ref().is_some_and(|newest| !Arc::ptr_eq(newest, &edition)) {
                let mut board = self.shared.board();
                let status = &mut board.status;
                status.refused = status.refused.take().or_else(|| status.last_fault.clone());
            }
            self.begin(edition, true);
        }
    }

    fn look_at_next(&mut self) {
        let Some(next) = self.next.as_mut().filter(|next| !next.ready) else { return };
        let script = next.edition.installation.script.to_string_lossy().into_owned();
        match next.said() {
            Ok(Some(FromScene::Ready { unjailed })) => {
                next.ready = true;
                let begins = Some(next.edition.clone());
                self.warn(unjailed);
                let mut board = self.shared.board();
                (board.begins, board.status.ready) = (begins, true);
                board.free |= self.current.is_none();
            }
            Ok(Some(FromScene::Failed(fault))) => self.fails(fault),
            Ok(None) if !next.loads_too_long() => {}
            _ => self.fails(ScriptFault::new(&script, "does not load", "look for a loop that does not end")),
        }
    }

    /// Says once that scenes can do here what programs can.
    fn warn(&mut self, unjailed: Option<String>) {
        if let Some(missing) = unjailed.filter(|_| !std::mem::replace(&mut self.warned, true)) {
            tracing::warn!("scenes are {}; show only scenes of people whom you trust on this system", plain(&missing));
        }
    }

    /// Nothing is asked of the one that is shown; it may have been killed meanwhile.
    fn look_at_current(&mut self) {
        if self.next.as_mut().is_some_and(|next| next.ready && next.has_ended()) {
            self.fails(ended());
        }
        if self.current.as_mut().is_some_and(Running::has_ended) {
            self.shared.fault(ended());
            self.lost(Duration::MAX);
        }
    }

    /// The process that was shown is gone; it had lived so long.
    fn lost(&mut self, lived: Duration) {
        self.current = None;
        let ready = self.next.as_ref().is_some_and(|next| next.ready);
        {
            let mut board = self.shared.board();
            (board.free, board.shown, board.status.ready, board.status.pid) = (ready, false, ready, None);
        }
        if lived > LIVED {
            (self.backoff, self.retry) = (BACKOFF[0], monotonic());
        } else {
            self.retry = monotonic() + self.backoff;
            self.backoff = (self.backoff * 2).min(BACKOFF[1]);
        }
        self.shared.answered.notify_all();
    }

    /// One frame: by the edition that is to be shown if it can be tried with it, else by the one that is.
    fn serve(&mut self, frame: Frame) {
        if frame.whole
            && let Some(next) = self.next.take_if(|next| next.ready)
        {
            let Some(shown) = self.try_out(next, &frame) else { return };
            self.current = Some(shown);
            return;
        }
        let Some(current) = &mut self.current else {
            // What was asked of a process that is gone is asked of no other.
            self.shared.board().free = self.next.as_ref().is_some_and(|next| next.ready);
            return;
        };
        match ask(current, &frame, |current| current.answer(OVER, STUCK, self.shared)) {
            Ok(Answered { picture, acts, fault, took_us }) => {
                let (edition, since) = (current.edition.clone(), current.since);
                self.judge(fault.as_ref(), &edition, since);
                self.shared.post((picture, &edition), acts, took_us, fault);
            }
            Err(_) if self.shared.over.load(Ordering::Relaxed) => {}
            Err(fault) => {
                self.shared.fault(fault);
                let lived = monotonic() - current.since;
                self.lost(lived);
            }
        }
    }

    /// Lets an edition draw its first picture. If it does, it is shown from here on.
    fn try_out(&mut self, mut next: Running, frame: &Frame) -> Option<Running> {
        self.shared.board().begins = None;
        let current = self.current.as_mut().filter(|_| !next.fresh);
        let kept = current.and_then(|current| keeps(current, self.shared));
        let has_kept = kept.is_some();
        if let Some(kept) = kept {
            next.tell(ToScene::Kept(kept));
        }
        let answer = ask(&mut next, frame, |next| next.answer(OVER, STUCK, self.shared));
        let (fault, post) = match answer {
            Ok(Answered { picture, acts, fault: None, took_us }) => (None, Some((picture, acts, took_us))),
            // A scene that is alone goes on after a fault: it may be one of this frame.
            Ok(Answered { picture, acts, fault: Some(fault), took_us }) if self.current.is_none() => {
                self.shared.fault(fault);
                (None, Some((picture, acts, took_us)))
            }
            Ok(Answered { fault: Some(fault), .. }) | Err(fault) => (Some(fault), None),
        };
        if let Some(fault) = fault {
            if has_kept {
                // What was kept may be what it cannot use: without that it may well work.
                self.begin(next.edition.clone(), true);
            } else {
                self.fails(fault);
            }
            if self.current.is_some() {
                // It knows its marks: only what is new is new to it.
                let json = frame.json.replacen("\"anew\":true", "\"anew\":false", 1);
                self.serve(Frame { whole: false, json, ..*frame });
            }
            return None;
        }
        next.since = monotonic();
        self.shared.forget_told();
        let (picture, acts, took_us) = post?;
        (self.failing, self.failed) = (None, picture.is_none());
        {
            let mut board = self.shared.board();
            board.shown = true;
            board.status.pid = Some(next.pid());
            board.status.edition = Some(next.edition.digest.clone());
            board.status.editions += 1;
            if self.newest.as_ref().is_some_and(|newest| Arc::ptr_eq(newest, &next.edition)) {
                board.status.refused = None;
            }
        }
        let failed = picture.is_none().then(|| self.shared.board().status.fault.clone()).flatten();
        self.shared.post((picture, &next.edition), acts, took_us, failed);
        Some(next)
    }

    /// Whether an edition works, by one frame more of it.
    fn judge(&mut self, fault: Option<&ScriptFault>, edition: &Arc<Edition>, since: Duration) {
        let now = monotonic();
        let Some(fault) = fault else {
            self.failing = None;
            if now - since > WORKS && !self.failed && self.good.as_ref().is_none_or(|good| !Arc::ptr_eq(good, edition))
            {
                self.good = Some(edition.clone());
            }
            return;
        };
        self.failed = true;
        let failing = *self.failing.get_or_insert(now);
        let other = self.good.clone().filter(|good| !Arc::ptr_eq(good, edition));
        if now - failing > FAILS
            && self.next.is_none()
            && now >= self.retry
            && let Some(good) = other
        {
            self.shared.refuse(fault.clone());
            self.begin(good, true);
        }
    }
}

/// Returns a process's description of its jail in printable form.
pub(super) fn plain(missing: &str) -> String {
    escape::plain(missing).chars().take(80).collect()
}

fn ended() -> ScriptFault {
    ScriptFault::new("scene", "its process ended", "it is started again")
}

/// Returns a process's answer to one frame. After an error the process is of no more use. `wait` waits for the answer.
pub(super) fn ask(
    running: &mut Running,
    frame: &Frame,
    wait: impl FnOnce(&mut Running) -> Option<FromScene>,
) -> Result<Answered, ScriptFault> {
    let Frame { number, input, json, .. } = frame;
    let sees = ToScene::Sees { number: *number, input: *input, json: json.clone() };
    // A process for which there is no room does not read.
    if !running.tell(sees) {
        return Err(ended());
    }
    match wait(running) {
        Some(FromScene::Frame { picture, acts, kept, fault, took_us }) => {
            let picture = running.sound(picture, kept).map(|picture| Picture { answers: *number, ..picture });
            Ok(Answered { picture, acts, fault, took_us })
        }
        _ if running.has_ended() => Err(ended()),
        _ => {
            let script = running.edition.installation.script.to_string_lossy();
            let problem = "a frame did not end, and its process was killed";
            Err(ScriptFault::new(&script, problem, "look for a loop that does not end"))
        }
    }
}

/// What the edition that is shown wants to keep.
fn keeps(running: &mut Running, shared: &Shared) -> Option<String> {
    if !running.tell(ToScene::Keep) {
        return None;
    }
    match running.answer(OVER, STUCK, shared) {
        Some(FromScene::Keeps(Ok(kept))) => kept,
        Some(FromScene::Keeps(Err(fault))) => {
            tracing::warn!("scene: {fault}");
            None
        }
        // Whatever it is, the process is not to be relied on; the frame that follows finds that out.
        _ => None,
    }
}
