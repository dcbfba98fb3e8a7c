//! The scene process as the show sees it: started, fed, watched, killed when it runs away, started again.

use super::clock::monotonic;
use crate::scene::{self, Act, BUDGET_MS, FromScene, Picture, ScriptFault, Start, ToScene};
use std::io::{BufReader, BufWriter};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A frame may take this much of the processor more than its budget.
const OVER: Duration = Duration::from_millis(BUDGET_MS + 50);
/// And this much of the clock on the wall: a process that sleeps uses no processor, and shows nothing either.
const STUCK: Duration = Duration::from_secs(2);
/// The same for loading.
const LOADING: Duration = Duration::from_secs(10);
/// How often a process that is at work is looked at.
const WATCH: Duration = Duration::from_millis(5);
/// First and longest pause before a process that failed is started again.
const BACKOFF: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(10)];
/// A process that was at work for this long is started again at once.
const LIVED: Duration = Duration::from_secs(5);
/// Acts that wait for the show; more, and the oldest go.
const ACTS_MAX: usize = 1_024;

/// What the show sees of its scene.
#[derive(Debug, Default)]
struct Board {
    /// Loaded, and nothing is asked of it.
    free: bool,
    /// The newest picture, until it is taken.
    picture: Option<Arc<Picture>>,
    acts: Vec<Act>,
    status: SceneStatus,
    /// The number of the last frame that was answered.
    answered: u64,
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
    /// The process that runs.
    pub pid: Option<u32>,
    /// What is wrong now; none once a frame succeeds.
    pub fault: Option<ScriptFault>,
    /// What was wrong last, and how often something was.
    pub last_fault: Option<ScriptFault>,
    /// Frames and starts that failed.
    pub faults: u64,
    /// Script time of the last frame, in microseconds.
    pub took_us: u64,
}

struct Shared {
    board: Mutex<Board>,
    answered: Condvar,
    /// Sizes of each shader's parameters, for checking pictures.
    shaders: Vec<usize>,
    /// The show lets go; nothing is waited for any more.
    over: AtomicBool,
}

impl Shared {
    // What is on the board is whole after each statement, so a poisoned lock is as good as any.
    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fault(&self, fault: ScriptFault) {
        let mut board = self.board();
        let status = &mut board.status;
        // Said once for a place, and not sixty times a second with other numbers in it.
        let known =
            status.last_fault.as_ref().is_some_and(|last| (&last.file, last.place) == (&fault.file, fault.place));
        if !known {
            tracing::warn!("scene: {fault}");
        }
        status.faults += 1;
        status.fault = Some(fault.clone());
        status.last_fault = Some(fault);
    }
}

/// A scene in a process of its own.
pub struct SceneProcess {
    shared: Arc<Shared>,
    sees: Option<SyncSender<ToScene>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// The program and its arguments that run a scene.
#[derive(Debug, Clone)]
pub struct SceneCommand {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
}

impl SceneCommand {
    /// This program, as `moongate scene`.
    pub fn own() -> std::io::Result<Self> {
        Ok(Self { program: std::env::current_exe()?, arguments: vec!["scene".into()] })
    }
}

impl SceneProcess {
    /// Starts the process, and keeps one running until this is dropped. `shaders`: sizes of each shader's parameters.
    pub fn start(command: SceneCommand, start: Start, shaders: Vec<usize>) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            board: Mutex::default(),
            answered: Condvar::new(),
            shaders,
            over: AtomicBool::new(false),
        });
        let (sees, frames) = sync_channel(1);
        let kept = shared.clone();
        let thread =
            std::thread::Builder::new().name("scene".into()).spawn(move || keep(&command, &start, &frames, &kept))?;
        Ok(Self { shared, sees: Some(sees), thread: Some(thread) })
    }

    /// True when a frame can be asked for.
    pub fn is_free(&self) -> bool {
        self.shared.board().free
    }

    /// Asks for a frame. To be called when it is free; false when it is not after all.
    pub fn ask(&self, number: u64, input: u64, json: String) -> bool {
        let mut board = self.shared.board();
        let Some(sees) = self.sees.as_ref().filter(|_| board.free) else { return false };
        board.free = sees.try_send(ToScene::Sees { number, input, json }).is_err();
        !board.free
    }

    /// Waits until frame `number` is answered, at most so long; true when it was.
    pub fn wait(&self, number: u64, at_most: Duration) -> bool {
        let board = self.shared.board();
        let waited =
            self.shared.answered.wait_timeout_while(board, at_most, |board| board.answered < number && !board.free);
        let (board, _) = waited.unwrap_or_else(PoisonError::into_inner);
        board.answered >= number
    }

    /// The newest picture, if there is a new one, and what is to be done.
    pub fn take(&self) -> (Option<Arc<Picture>>, Vec<Act>) {
        let mut board = self.shared.board();
        (board.picture.take(), std::mem::take(&mut board.acts))
    }

    /// How the scene is.
    pub fn status(&self) -> SceneStatus {
        self.shared.board().status.clone()
    }
}

impl Drop for SceneProcess {
    fn drop(&mut self) {
        self.sees = None;
        self.shared.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Keeps a process running until the show lets go.
fn keep(command: &SceneCommand, start: &Start, frames: &Receiver<ToScene>, shared: &Arc<Shared>) {
    let mut backoff = BACKOFF[0];
    loop {
        let mut ready_at = None;
        let over = match Running::start(command, start, shared) {
            Ok(mut running) => {
                let over = running.serve(frames, shared, &mut ready_at);
                running.end();
                over
            }
            Err(why) => {
                shared.fault(ScriptFault::new(
                    "scene",
                    format!("its process cannot be started ({why})"),
                    "restart the show",
                ));
                false
            }
        };
        let mut board = shared.board();
        (board.free, board.status.ready, board.status.pid) = (false, false, None);
        drop(board);
        shared.answered.notify_all();
        if over {
            return;
        }
        // What was asked of the process that is gone is asked of no other.
        while frames.try_recv().is_ok() {}
        if shared.over.load(Ordering::Relaxed) {
            return;
        }
        if ready_at.is_some_and(|at| monotonic() - at > LIVED) {
            backoff = BACKOFF[0];
            continue;
        }
        match frames.recv_timeout(backoff) {
            Err(RecvTimeoutError::Disconnected) => return,
            Ok(_) | Err(RecvTimeoutError::Timeout) => backoff = (backoff * 2).min(BACKOFF[1]),
        }
    }
}

struct Running {
    child: Child,
    /// To the thread that writes: a process that does not read must not hold up the one that watches it.
    writer: SyncSender<ToScene>,
    answers: Receiver<FromScene>,
}

impl Running {
    fn start(command: &SceneCommand, start: &Start, shared: &Shared) -> std::io::Result<Self> {
        let mut child = Command::new(&command.program)
            .args(&command.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(std::io::Error::other("it has no pipes"));
        };
        {
            let mut board = shared.board();
            board.status.starts += 1;
            board.status.pid = Some(child.id());
        }
        let (writer, messages) = sync_channel(2);
        let (answered, answers) = sync_channel(1);
        std::thread::Builder::new().name("scene in".into()).spawn(move || feed(input, &messages))?;
        std::thread::Builder::new().name("scene out".into()).spawn(move || listen(output, &answered))?;
        let running = Self { child, writer, answers };
        let _ = running.writer.send(ToScene::Start(Box::new(start.clone())));
        Ok(running)
    }

    /// Passes frames on until the process ends or has to; true when the show lets go.
    fn serve(&mut self, frames: &Receiver<ToScene>, shared: &Shared, ready_at: &mut Option<Duration>) -> bool {
        match self.answer(LOADING, LOADING, shared) {
            Some(FromScene::Ready) => {
                *ready_at = Some(monotonic());
                let mut board = shared.board();
                (board.free, board.status.ready) = (true, true);
            }
            Some(FromScene::Failed(fault)) => {
                shared.fault(fault);
                return false;
            }
            _ if shared.over.load(Ordering::Relaxed) => return true,
            _ => {
                shared.fault(ScriptFault::new("scene", "does not load", "look for a loop that does not end"));
                return false;
            }
        }
        loop {
            let frame = match frames.recv_timeout(Duration::from_millis(200)) {
                Ok(frame) => frame,
                Err(RecvTimeoutError::Disconnected) => return true,
                // Nothing is asked of it; it may have been killed meanwhile.
                Err(RecvTimeoutError::Timeout) if matches!(self.child.try_wait(), Ok(None)) => continue,
                Err(RecvTimeoutError::Timeout) => {
                    shared.fault(ScriptFault::new("scene", "its process ended", "it is started again"));
                    return false;
                }
            };
            let asked = match &frame {
                ToScene::Sees { number, .. } => *number,
                ToScene::Start(_) => 0,
            };
            // One message at most is under way: a process for which there is no room does not read.
            if self.writer.try_send(frame).is_err() {
                shared.fault(ScriptFault::new("scene", "its process ended", "it is started again"));
                return false;
            }
            let Some(FromScene::Frame { picture, acts, fault, took_us }) = self.answer(OVER, STUCK, shared) else {
                if shared.over.load(Ordering::Relaxed) {
                    return true;
                }
                let ended = matches!(self.child.try_wait(), Ok(Some(_)));
                let problem =
                    if ended { "its process ended" } else { "a frame did not end, and its process was killed" };
                let remedy = if ended { "it is started again" } else { "look for a loop that does not end" };
                shared.fault(ScriptFault::new("scene", problem, remedy));
                return false;
            };
            let picture = picture.map(|picture| Picture { answers: asked, ..picture });
            post(shared, picture, acts, took_us, fault);
        }
    }

    /// The next answer, unless the process uses up `cpu` of the processor or `wall` of time before it comes.
    fn answer(&mut self, cpu: Duration, wall: Duration, shared: &Shared) -> Option<FromScene> {
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
        let text = std::fs::read_to_string(format!("/proc/{}/schedstat", self.child.id())).ok()?;
        let nanos = text.split_whitespace().next()?.parse().ok()?;
        Some(Duration::from_nanos(nanos))
    }

    fn end(mut self) {
        // It may have ended by itself, which is just as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn post(shared: &Shared, picture: Option<Picture>, acts: Vec<Act>, took_us: u64, fault: Option<ScriptFault>) {
    let picture = picture.map(|picture| Arc::new(picture.checked(&shared.shaders)));
    match fault {
        Some(fault) => shared.fault(fault),
        None => shared.board().status.fault = None,
    }
    let mut board = shared.board();
    board.free = true;
    board.status.frames += 1;
    board.status.took_us = took_us;
    board.acts.extend(acts.into_iter().take(scene::ACTS_MAX));
    let beyond = board.acts.len().saturating_sub(ACTS_MAX);
    board.acts.drain(..beyond);
    if let Some(picture) = picture {
        board.answered = picture.answers;
        board.picture = Some(picture);
    }
    drop(board);
    shared.answered.notify_all();
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
