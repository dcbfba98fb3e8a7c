//! One scene process: its start, messages, monitoring and end.

use super::SandboxCommand;
use super::state::SupervisorShared;
use crate::device::clock::{monotonic, process_cpu_of};
use crate::scene::{self, DisplayList, FromScene, RetainedLayerSet, RetainedUpdate, SceneInit, SceneRevision, ToScene};
use std::io::{BufReader, BufWriter};
use std::process::{Child, ChildStdin, ChildStdout};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::time::Duration;

/// Interval at which a busy process is checked.
const POLL_INTERVAL: Duration = Duration::from_millis(5);
/// Most CPU time for loading; the limit of wall-clock time is below.
pub(super) const LOAD_CPU_MAX: Duration = Duration::from_secs(2);
const LOAD_WALL_MAX: Duration = Duration::from_secs(10);

/// A revision in a process of its own.
pub(super) struct SceneChild {
    child: Child,
    /// Channel to the thread that writes: a process that does not read must not block the thread that monitors it.
    writer: SyncSender<ToScene>,
    replies: Receiver<FromScene>,
    pub edition: Arc<SceneRevision>,
    started_at: Duration,
    /// Time since which it is shown; its start until then.
    pub shown_since: Duration,
    /// True if it starts without the kept state of an earlier revision.
    pub fresh: bool,
    /// True once it has loaded its script.
    pub ready: bool,
    /// Retained layers that it has drawn.
    layers: RetainedLayerSet,
}

impl SceneChild {
    /// Starts a process with `start`, the initial state of the revision. `number` is unique during this show.
    pub fn start(
        command: &SandboxCommand,
        start: SceneInit,
        edition: Arc<SceneRevision>,
        number: u64,
    ) -> std::io::Result<Self> {
        let mut child = command.spawn()?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(std::io::Error::other("it has no pipes"));
        };
        let (writer, messages) = sync_channel(2);
        let (answered, answers) = sync_channel(1);
        let began = monotonic();
        // From here on the process ends when this is dropped, whatever fails.
        let layers = RetainedLayerSet::new(number << 32);
        let running = Self {
            child,
            writer,
            replies: answers,
            edition,
            started_at: began,
            shown_since: began,
            fresh: false,
            ready: false,
            layers,
        };
        std::thread::Builder::new().name("scene in".into()).spawn(move || write_messages(input, &messages))?;
        std::thread::Builder::new().name("scene out".into()).spawn(move || read_replies(output, &answered))?;
        let _ = running.writer.send(ToScene::Start(Box::new(start)));
        Ok(running)
    }

    /// Validates a display list for drawing, together with all retained layers.
    pub fn validate(&mut self, picture: Option<DisplayList>, kept: Vec<RetainedUpdate>) -> Option<DisplayList> {
        let images = self.edition.images.len();
        self.layers.apply(kept, images);
        let sizes: Vec<usize> = self.edition.shaders.iter().map(|shader| shader.params.size).collect();
        picture.map(|picture| DisplayList { kept: self.layers.shown(), ..picture.validated(&sizes, images) })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Returns a reply that has arrived, without waiting; `Err` if the process has closed its output.
    pub fn try_reply(&mut self) -> Result<Option<FromScene>, ()> {
        match self.replies.try_recv() {
            Ok(answer) => Ok(Some(answer)),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(()),
        }
    }

    /// Returns true if it takes longer to load than a script may.
    pub fn load_timed_out(&self) -> bool {
        self.cpu_time().is_some_and(|used| used > LOAD_CPU_MAX) || monotonic() - self.started_at > LOAD_WALL_MAX
    }

    /// Sends a message; returns false if the process does not read. At most one more message is in transit.
    pub fn send(&self, message: ToScene) -> bool {
        self.writer.try_send(message).is_ok()
    }

    /// Waits for the next reply, unless the process first uses up `cpu` of CPU time or `wall` of wall-clock time.
    pub fn wait_reply(&mut self, cpu: Duration, wall: Duration, shared: &SupervisorShared) -> Option<FromScene> {
        let (began, used) = (monotonic(), self.cpu_time());
        loop {
            match self.replies.recv_timeout(POLL_INTERVAL) {
                Ok(answer) => return Some(answer),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => {
                    let spent = self.cpu_time().zip(used).map(|(now, before)| now.saturating_sub(before));
                    if spent.is_some_and(|spent| spent > cpu)
                        || monotonic() - began > wall
                        || shared.stopping.load(Ordering::Relaxed)
                    {
                        return None;
                    }
                }
            }
        }
    }

    /// Returns the CPU time of the process so far; `None` if the system does not report it.
    fn cpu_time(&self) -> Option<Duration> {
        process_cpu_of(self.child.id())
    }
}

impl Drop for SceneChild {
    fn drop(&mut self) {
        // It may have ended by itself, which does no harm.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn write_messages(input: ChildStdin, messages: &Receiver<ToScene>) {
    let mut input = BufWriter::new(input);
    while let Ok(message) = messages.recv() {
        if scene::write_message(&mut input, &message).is_err() {
            return;
        }
    }
}

fn read_replies(output: ChildStdout, answers: &SyncSender<FromScene>) {
    let mut output = BufReader::with_capacity(256 << 10, output);
    while let Ok(answer) = scene::read_message::<FromScene>(&mut output) {
        if answers.send(answer).is_err() {
            return;
        }
    }
}
