//! Camera: a child process that writes YUV4MPEG2, and its newest frames in memory, luma only.
//!
//! Frames live in a triple buffer and are overwritten. They are never written to disk, sent or logged, and no type here
//! that holds one implements `Debug`. While a camera is away, its last frames are wiped. The areas of the privacy mask
//! are blackened before a frame enters the buffer.
//!
//! The program runs in its own process group and is killed together with its descendants. This also holds if the show
//! itself is killed abruptly.

pub mod capture;
pub mod frame_pacer;
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

/// Time limits of a camera. Shorter in tests.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CameraTiming {
    /// Longest time between two frames, and initially from the start to the first frame.
    pub frame_timeout: Duration,
    /// Upper limit of the time to the first frame, which doubles each time it was too short.
    /// So a camera behind a slow stream is received in the end.
    pub first_frame_timeout_max: Duration,
    /// Pause before a failed program is restarted; it doubles up to `backoff_max`.
    pub backoff: Duration,
    /// Longest pause before a failed program is restarted.
    pub backoff_max: Duration,
    /// Time with good frames after which the camera has recovered.
    /// The pause is then reset to the first one, and the next outage is reported again.
    pub recovered_after: Duration,
    /// Time that a program has to exit after it was asked to.
    pub grace: Duration,
}

impl Default for CameraTiming {
    fn default() -> Self {
        Self {
            frame_timeout: Duration::from_secs(2),
            first_frame_timeout_max: Duration::from_secs(30),
            backoff: Duration::from_millis(200),
            backoff_max: Duration::from_secs(10),
            recovered_after: Duration::from_secs(10),
            grace: Duration::from_millis(300),
        }
    }
}

/// State of a camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CameraState {
    /// The program runs but has not written a frame yet.
    #[default]
    Starting,
    /// Frames arrive.
    Streaming,
    /// The program failed and will be restarted.
    Backoff,
}

impl CameraState {
    /// Returns the state as one word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Streaming => "seeing",
            Self::Backoff => "waiting",
        }
    }
}

/// Status of a camera.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CameraStatus {
    /// Current state.
    pub state: CameraState,
    /// Number of attempts to start the program.
    pub starts: u64,
    /// Frames since the camera was started.
    pub frames: u64,
    /// Columns and rows of the newest frame.
    pub size: [usize; 2],
    /// Recent frames per second; 0 while no frames arrive.
    pub frame_rate: f64,
    /// Process id of the program while it runs.
    pub pid: Option<u32>,
    /// Last fault, and its remedy.
    pub last_fault: Option<String>,
}

/// Status with the basis of its frame rate.
#[derive(Default)]
struct StatusRecord {
    status: CameraStatus,
    /// Arrival time of the newest frame, monotonic.
    at: Duration,
    /// Mean time between frames, in seconds; 0 before the second frame.
    interval: f64,
}

/// State shared by a camera's thread, its consumer and readers of its status.
struct CameraShared {
    buffer: TripleBuffer,
    record: Mutex<StatusRecord>,
    stop: StopSignal,
}

impl CameraShared {
    // The record is consistent after each statement, so a poisoned lock is usable.
    fn lock_record(&self) -> MutexGuard<'_, StatusRecord> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Configuration of a camera's thread.
struct SupervisorConfig {
    name: String,
    command: Vec<String>,
    dir: PathBuf,
    mirror: bool,
    /// Areas that must not be captured.
    privacy_mask: PrivacyMask,
    timing: CameraTiming,
}

/// Luma of a frame, borrowed from the camera until the next frame is requested.
#[derive(Clone, Copy)]
pub struct CameraFrameRef<'a> {
    /// Row by row from the top left, width × height bytes.
    pub y: &'a [u8],
    /// Number of columns.
    pub width: usize,
    /// Number of rows.
    pub height: usize,
    /// Capture time: as given by the program, otherwise the time its last byte was read; monotonic.
    pub captured: Duration,
    /// Frame number from 1, over all starts of the program; dropped frames leave gaps.
    pub number: u64,
}

impl fmt::Debug for CameraFrameRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self { width, height, captured, number, .. } = self;
        write!(f, "picture {number}, {width} by {height}, captured at {captured:?}")
    }
}

/// Camera that runs on its own thread until it is dropped.
pub struct CameraHandle {
    shared: Arc<CameraShared>,
    current: Option<CameraFrame>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl CameraHandle {
    /// Starts the program of a site's camera in `dir`, the site's folder.
    /// `moongate` as its first word means this program. Faults of the program appear in the status. Returns an error if
    /// the command cannot be parsed or the system has no more threads.
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

    /// Returns the newest frame that was not returned before; waits for it for at most `at_most`.
    pub fn next_frame(&mut self, at_most: Duration) -> Option<CameraFrameRef<'_>> {
        if !self.shared.buffer.take_newest(&mut self.current, at_most) {
            return None;
        }
        let CameraFrame { y, width, height, captured, number } = self.current.as_ref()?;
        Some(CameraFrameRef { y, width: *width, height: *height, captured: *captured, number: *number })
    }

    /// Returns the camera's status.
    pub fn status(&self) -> CameraStatus {
        self.status_handle().status()
    }

    /// Returns a handle for reading the status while another owner reads the frames.
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

/// Status handle of a camera. It does not keep the camera running.
#[derive(Clone)]
pub struct CameraStatusHandle(Arc<CameraShared>);

impl CameraStatusHandle {
    /// Returns the camera's status.
    pub fn status(&self) -> CameraStatus {
        let board = self.0.lock_record();
        let seeing = board.status.state == CameraState::Streaming && board.interval > 0.0;
        CameraStatus { frame_rate: if seeing { 1.0 / board.interval } else { 0.0 }, ..board.status.clone() }
    }
}
