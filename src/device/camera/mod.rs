//! A camera: a child process that writes YUV4MPEG2, and the newest of its pictures in memory, brightness only.
//!
//! Pictures live in a ring of three and are overwritten; they are never written to disk, sent or logged, and nothing
//! here that holds one can be printed. While a camera is away, what it showed last is wiped. What a site's mask covers is
//! black before a picture is in the ring.
//!
//! A program runs in a process group of its own, and is killed with all that it started; so it is when the show itself
//! is killed at once.

pub mod privacy_mask;
mod process;
mod supervisor;
mod triple_buffer;
pub mod y4m;

use crate::config::{self, split_command};
use privacy_mask::PrivacyMask;
use process::StopSignal;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use triple_buffer::{CameraFrame, TripleBuffer};

/// How long things may take. Shorter in tests.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CameraTiming {
    /// Longest time from one picture to the next, and at first from the start to the first.
    pub frame_timeout: Duration,
    /// Where the time to the first picture ends up, doubled each time that it was too short: a camera behind a slow
    /// stream is seen at last.
    pub first_frame_timeout_max: Duration,
    /// First and longest pause before a program that failed is started again; doubled from the one to the other.
    pub backoff: [Duration; 2],
    /// When pictures have been good for so long, the camera is back: the pause is the first one again, and the next
    /// outage is told.
    pub recovered_after: Duration,
    /// How long a program that was asked to end has for it.
    pub grace: Duration,
}

impl Default for CameraTiming {
    fn default() -> Self {
        Self {
            frame_timeout: Duration::from_secs(2),
            first_frame_timeout_max: Duration::from_secs(30),
            backoff: [Duration::from_millis(200), Duration::from_secs(10)],
            recovered_after: Duration::from_secs(10),
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
    Streaming,
    /// Its program failed and is started again soon.
    Backoff,
}

impl CameraState {
    /// One word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Streaming => "seeing",
            Self::Backoff => "waiting",
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
    pub frame_rate: f64,
    /// Its program, while one runs.
    pub pid: Option<u32>,
    /// What was wrong last, and what to do about it.
    pub last_fault: Option<String>,
}

/// The status with what its rate is made of.
#[derive(Default)]
struct StatusRecord {
    status: CameraStatus,
    /// When the newest picture came, monotonic.
    at: Duration,
    /// Mean time from one picture to the next, in seconds; 0 before there are two.
    interval: f64,
}

/// What a camera's thread, its consumer and whoever asks how it is have in common.
struct CameraShared {
    buffer: TripleBuffer,
    record: Mutex<StatusRecord>,
    stop: StopSignal,
}

impl CameraShared {
    // What is on the board is whole after each statement, so a poisoned lock is as good as any.
    fn lock_record(&self) -> MutexGuard<'_, StatusRecord> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a camera's thread is to do.
struct SupervisorConfig {
    name: String,
    command: Vec<String>,
    dir: PathBuf,
    mirror: bool,
    /// What must not be looked at.
    privacy_mask: PrivacyMask,
    timing: CameraTiming,
}

/// A picture's brightness, borrowed from the camera until its next is asked for.
#[derive(Clone, Copy)]
pub struct CameraFrameRef<'a> {
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

impl fmt::Debug for CameraFrameRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self { width, height, captured, number, .. } = self;
        write!(f, "picture {number}, {width} by {height}, captured at {captured:?}")
    }
}

/// A camera that is kept running until it is dropped, on a thread of its own.
pub struct CameraHandle {
    shared: Arc<CameraShared>,
    current: Option<CameraFrame>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl CameraHandle {
    /// Starts the program of a site's camera in `dir`, the site's folder, where `moongate` as its first word means this
    /// very program. What it cannot do is told by its status; an error is a command that cannot be taken apart, or a
    /// system that has no thread left.
    pub fn start(camera: &config::CameraConfig, dir: &Path, timing: CameraTiming) -> io::Result<Self> {
        let words = split_command(&camera.command).map_err(|why| io::Error::new(io::ErrorKind::InvalidInput, why))?;
        let (name, mirror, blinds) = (camera.name.clone(), camera.mirror, PrivacyMask::new(camera.mask.clone()));
        let plan = SupervisorConfig { name, command: words, dir: dir.to_owned(), mirror, privacy_mask: blinds, timing };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let shared = Arc::new(CameraShared {
            buffer: TripleBuffer::new(),
            record: Mutex::default(),
            stop: StopSignal::default(),
        });
        let kept = shared.clone();
        let thread = std::thread::Builder::new()
            .name("camera".into())
            .spawn(move || supervisor::CameraSupervisor::new(&plan, &kept, &runtime).supervise())?;
        Ok(Self { shared, current: None, thread: Some(thread) })
    }

    /// The newest picture, if one comes that was not given yet; waits for it at most so long.
    pub fn next_frame(&mut self, at_most: Duration) -> Option<CameraFrameRef<'_>> {
        if !self.shared.buffer.take_newest(&mut self.current, at_most) {
            return None;
        }
        let CameraFrame { y, width, height, captured, number } = self.current.as_ref()?;
        Some(CameraFrameRef { y, width: *width, height: *height, captured: *captured, number: *number })
    }

    /// How it is.
    pub fn status(&self) -> CameraStatus {
        self.status_handle().status()
    }

    /// For those who ask how it is while another looks through it.
    pub fn status_handle(&self) -> CameraStatusHandle {
        CameraStatusHandle(self.shared.clone())
    }
}

impl Drop for CameraHandle {
    fn drop(&mut self) {
        self.shared.stop.set();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Tells how a camera is. It does not keep it running.
#[derive(Clone)]
pub struct CameraStatusHandle(Arc<CameraShared>);

impl CameraStatusHandle {
    /// How it is.
    pub fn status(&self) -> CameraStatus {
        let board = self.0.lock_record();
        let seeing = board.status.state == CameraState::Streaming && board.interval > 0.0;
        CameraStatus { frame_rate: if seeing { 1.0 / board.interval } else { 0.0 }, ..board.status.clone() }
    }
}
