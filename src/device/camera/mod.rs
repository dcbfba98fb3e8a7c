//! A camera: a child process that writes YUV4MPEG2, and the newest of its pictures in memory, brightness only.
//!
//! Pictures live in a ring of three and are overwritten; they are never written to disk, sent or logged, and nothing
//! here that holds one can be printed. While a camera is away, what it showed last is wiped. What a site's mask covers is
//! black before a picture is in the ring.
//!
//! A program runs in a process group of its own, and is killed with all that it started; so it is when the show itself
//! is killed at once.

pub mod blinds;
mod keep;
mod process;
mod ring;
pub mod y4m;

use crate::manifest::{self, words};
use blinds::Blinds;
use process::Over;
use ring::{Picture, Ring};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long things may take. Shorter in tests.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Timing {
    /// Longest time from one picture to the next, and at first from the start to the first.
    pub silence: Duration,
    /// Where the time to the first picture ends up, doubled each time that it was too short: a camera behind a slow
    /// stream is seen at last.
    pub patience: Duration,
    /// First and longest pause before a program that failed is started again; doubled from the one to the other.
    pub backoff: [Duration; 2],
    /// When pictures have been good for so long, the camera is back: the pause is the first one again, and the next
    /// outage is told.
    pub settled: Duration,
    /// How long a program that was asked to end has for it.
    pub grace: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            silence: Duration::from_secs(2),
            patience: Duration::from_secs(30),
            backoff: [Duration::from_millis(200), Duration::from_secs(10)],
            settled: Duration::from_secs(10),
            grace: Duration::from_millis(300),
        }
    }
}

/// What a camera does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CameraState {
    /// Its program runs and has not shown anything yet.
    #[default]
    Starting,
    /// Pictures come.
    Seeing,
    /// Its program failed and is started again soon.
    Waiting,
}

impl CameraState {
    /// One word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Seeing => "seeing",
            Self::Waiting => "waiting",
        }
    }
}

/// How a camera is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CameraStatus {
    /// What it does.
    pub state: CameraState,
    /// Times that its program was started, or could not be.
    pub starts: u64,
    /// Pictures since the camera was started.
    pub frames: u64,
    /// Columns and rows of the newest picture.
    pub size: [usize; 2],
    /// Pictures a second, as they came lately; 0 while nothing is seen.
    pub rate: f64,
    /// Its program, while one runs.
    pub pid: Option<u32>,
    /// What was wrong last, and what to do about it.
    pub last_fault: Option<String>,
}

/// The status with what its rate is made of.
#[derive(Default)]
struct Board {
    status: CameraStatus,
    /// When the newest picture came, monotonic.
    at: Duration,
    /// Mean time from one picture to the next, in seconds; 0 before there are two.
    interval: f64,
}

/// What a camera's thread, its consumer and whoever asks how it is have in common.
struct Shared {
    ring: Ring,
    board: Mutex<Board>,
    over: Over,
}

impl Shared {
    // What is on the board is whole after each statement, so a poisoned lock is as good as any.
    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a camera's thread is to do.
struct Plan {
    name: String,
    words: Vec<String>,
    dir: PathBuf,
    mirror: bool,
    /// What must not be looked at.
    blinds: Blinds,
    timing: Timing,
}

/// A picture's brightness, borrowed from the camera until its next is asked for.
#[derive(Clone, Copy)]
pub struct FrameRef<'a> {
    /// Row by row from the top left, width × height bytes.
    pub y: &'a [u8],
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// When it was captured, if its program tells that, and else when its last byte was read; monotonic.
    pub captured: Duration,
    /// Counts from 1, over all starts of the program; what is left out was too late.
    pub number: u64,
}

impl fmt::Debug for FrameRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self { width, height, captured, number, .. } = self;
        write!(f, "picture {number}, {width} by {height}, captured at {captured:?}")
    }
}

/// A camera that is kept running until it is dropped, on a thread of its own.
pub struct Camera {
    shared: Arc<Shared>,
    looked_at: Option<Picture>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Camera {
    /// Starts the program of a site's camera in `dir`, the site's folder, where `moongate` as its first word means this
    /// very program. What it cannot do is told by its status; an error is a command that cannot be taken apart, or a
    /// system that has no thread left.
    pub fn start(camera: &manifest::Camera, dir: &Path, timing: Timing) -> io::Result<Self> {
        let words = words(&camera.command).map_err(|why| io::Error::new(io::ErrorKind::InvalidInput, why))?;
        let (name, mirror, blinds) = (camera.name.clone(), camera.mirror, Blinds::new(camera.mask.clone()));
        let plan = Plan { name, words, dir: dir.to_owned(), mirror, blinds, timing };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let shared = Arc::new(Shared { ring: Ring::new(), board: Mutex::default(), over: Over::default() });
        let kept = shared.clone();
        let thread = std::thread::Builder::new()
            .name("camera".into())
            .spawn(move || keep::Keeper::new(&plan, &kept, &runtime).keep())?;
        Ok(Self { shared, looked_at: None, thread: Some(thread) })
    }

    /// The newest picture, if one comes that was not given yet; waits for it at most so long.
    pub fn next(&mut self, at_most: Duration) -> Option<FrameRef<'_>> {
        if !self.shared.ring.next(&mut self.looked_at, at_most) {
            return None;
        }
        let Picture { y, width, height, captured, number } = self.looked_at.as_ref()?;
        Some(FrameRef { y, width: *width, height: *height, captured: *captured, number: *number })
    }

    /// How it is.
    pub fn status(&self) -> CameraStatus {
        self.watch().status()
    }

    /// For those who ask how it is while another looks through it.
    pub fn watch(&self) -> CameraWatch {
        CameraWatch(self.shared.clone())
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        self.shared.over.set();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Tells how a camera is. It does not keep it running.
#[derive(Clone)]
pub struct CameraWatch(Arc<Shared>);

impl CameraWatch {
    /// How it is.
    pub fn status(&self) -> CameraStatus {
        let board = self.0.board();
        let seeing = board.status.state == CameraState::Seeing && board.interval > 0.0;
        CameraStatus { rate: if seeing { 1.0 / board.interval } else { 0.0 }, ..board.status.clone() }
    }
}
