//! One scene process: started, spoken to, watched, ended.

use super::SceneCommand;
use super::board::Shared;
use crate::device::clock::{monotonic, process_cpu_of};
use crate::scene::{self, Edition, FromScene, KeptLayers, KeptNews, Picture, Start, ToScene};
use std::io::{BufReader, BufWriter};
use std::process::{Child, ChildStdin, ChildStdout};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::time::Duration;

/// How often a process that is at work is looked at.
const WATCH: Duration = Duration::from_millis(5);
/// Loading may take this much of the processor, and of the clock on the wall.
pub(super) const LOADING: Duration = Duration::from_secs(2);
const LOADING_STUCK: Duration = Duration::from_secs(10);

/// An edition in a process of its own.
pub(super) struct Running {
    child: Child,
    /// To the thread that writes: a process that does not read must not hold up the one that watches it.
    writer: SyncSender<ToScene>,
    answers: Receiver<FromScene>,
    pub edition: Arc<Edition>,
    began: Duration,
    /// Since when it is shown; when it began, until then.
    pub since: Duration,
    /// It begins with nothing that an edition before has kept.
    pub fresh: bool,
    /// It has loaded its script.
    pub ready: bool,
    /// What it has drawn to be kept.
    layers: KeptLayers,
}

impl Running {
    /// Starts a process with `start`, the state that the edition begins with. `number` is unique during this show.
    pub fn start(command: &SceneCommand, start: Start, edition: Arc<Edition>, number: u64) -> std::io::Result<Self> {
        let mut child = command.spawn()?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(std::io::Error::other("it has no pipes"));
        };
        let (writer, messages) = sync_channel(2);
        let (answered, answers) = sync_channel(1);
        let began = monotonic();
        // From here on the process ends with this, whatever fails.
        let layers = KeptLayers::new(number << 32);
        let running = Self { child, writer, answers, edition, began, since: began, fresh: false, ready: false, layers };
        std::thread::Builder::new().name("scene in".into()).spawn(move || feed(input, &messages))?;
        std::thread::Builder::new().name("scene out".into()).spawn(move || listen(output, &answered))?;
        let _ = running.writer.send(ToScene::Start(Box::new(start)));
        Ok(running)
    }

    /// What it sent as it can be drawn: looked through, with all that it keeps.
    pub fn sound(&mut self, picture: Option<Picture>, kept: Vec<KeptNews>) -> Option<Picture> {
        let images = self.edition.images.len();
        self.layers.take(kept, images);
        let sizes: Vec<usize> = self.edition.shaders.iter().map(|shader| shader.params.size).collect();
        picture.map(|picture| Picture { kept: self.layers.shown(), ..picture.checked(&sizes, images) })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// What it says without being waited for; `Err` when it says nothing any more.
    pub fn said(&mut self) -> Result<Option<FromScene>, ()> {
        match self.answers.try_recv() {
            Ok(answer) => Ok(Some(answer)),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(()),
        }
    }

    /// True when it loads longer than any script may.
    pub fn loads_too_long(&self) -> bool {
        self.cpu().is_some_and(|used| used > LOADING) || monotonic() - self.began > LOADING_STUCK
    }

    /// Says something; false when it does not listen. One message at most is under way besides.
    pub fn tell(&self, message: ToScene) -> bool {
        self.writer.try_send(message).is_ok()
    }

    /// The next answer, unless the process uses up `cpu` of the processor or `wall` of time before it comes.
    pub fn answer(&mut self, cpu: Duration, wall: Duration, shared: &Shared) -> Option<FromScene> {
        let (began, used) = (monotonic(), self.cpu());
        loop {
            match self.answers.recv_timeout(WATCH) {
                Ok(answer) => return Some(answer),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => {
                    let spent = self.cpu().zip(used).map(|(now, before)| now.saturating_sub(before));
                    if spent.is_some_and(|spent| spent > cpu)
                        || monotonic() - began > wall
                        || shared.over.load(Ordering::Relaxed)
                    {
                        return None;
                    }
                }
            }
        }
    }

    /// Processor time of the process so far; `None` where the system does not tell.
    fn cpu(&self) -> Option<Duration> {
        process_cpu_of(self.child.id())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself, which is just as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn feed(input: ChildStdin, messages: &Receiver<ToScene>) {
    let mut input = BufWriter::new(input);
    while let Ok(message) = messages.recv() {
        if scene::write(&mut input, &message).is_err() {
            return;
        }
    }
}

fn listen(output: ChildStdout, answers: &SyncSender<FromScene>) {
    let mut output = BufReader::with_capacity(256 << 10, output);
    while let Ok(answer) = scene::read::<FromScene>(&mut output) {
        if answers.send(answer).is_err() {
            return;
        }
    }
}
