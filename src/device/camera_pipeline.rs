//! Camera pipelines, one thread per camera: frames become bodies, reaches and motion on the canvas, and reach the site half at once.

use super::camera::{CameraHandle, CameraStatus, CameraStatusHandle, CameraTiming};
use super::clock::monotonic;
use super::process_hardening::exposed_password;
use super::site_handle::SiteHandle;
use crate::config;
use crate::presence::{Point, PointerKind};
use crate::site::devices::REACH_DEVICE;
use crate::site::{FrameAnalyzer, VisionFrame};
use crate::vision::{CameraCalibration, Luma, ScreenPlacement};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Time that a thread waits for a frame before it checks for the end.
const FRAME_WAIT: Duration = Duration::from_millis(200);
/// Time without frames after which a camera reports no people.
const BLANK_AFTER: Duration = Duration::from_millis(1_500);

/// Status of one camera.
#[derive(Debug, Clone)]
pub struct CameraPipelineStatus {
    /// Name of the camera.
    pub name: String,
    /// State of its program and its frames.
    pub camera: CameraStatus,
    /// Analyzed frames; it increases while the camera works.
    pub analyzed: u64,
    /// Bodies in the newest frame.
    pub bodies: usize,
    /// Duration of the newest frame's analysis, in milliseconds.
    pub took_ms: f32,
}

/// Result of a thread's newest frame.
#[derive(Default)]
struct WorkerState {
    /// A frame has arrived and is being analyzed.
    analyzing: bool,
    /// Analyzed frames.
    analyzed: u64,
    bodies: usize,
    took_ms: f32,
}

/// State shared by a thread and its readers.
#[derive(Default)]
struct WorkerShared {
    state: Mutex<WorkerState>,
    /// Signalled after each analyzed frame.
    analyzed: Condvar,
}

/// All cameras of a site. They run until this is dropped.
pub struct CameraPipelines {
    names: Vec<String>,
    status_handles: Vec<CameraStatusHandle>,
    workers: Vec<Arc<WorkerShared>>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl CameraPipelines {
    /// Starts all cameras of a site whose canvas has `canvas` units.
    /// Returns an error if the system has no more threads.
    pub fn start(site: &config::SiteConfig, canvas: Point, handle: &SiteHandle) -> io::Result<Self> {
        exposed_password(site).iter().for_each(|why| tracing::warn!("{why}"));
        let over = Arc::new(AtomicBool::new(false));
        let mut sights = Self { names: vec![], status_handles: vec![], workers: vec![], stop: over, threads: vec![] };
        for (number, plan) in site.cameras.iter().enumerate() {
            sights.spawn_worker(number, plan, &site.dir, canvas, site.ground, handle)?;
        }
        Ok(sights)
    }

    fn spawn_worker(
        &mut self,
        number: usize,
        plan: &config::CameraConfig,
        dir: &Path,
        canvas: Point,
        ground: Option<config::ScreenMount>,
        site: &SiteHandle,
    ) -> io::Result<()> {
        let camera = CameraHandle::start(plan, dir, CameraTiming::default())?;
        let metres = ground.map(|ground| ScreenPlacement { width: ground.width, height: ground.height });
        let place = CameraCalibration::new(plan.corners, plan.canvas, canvas, metres)
            .ok_or_else(|| io::Error::other(format!("the corners of camera {} span nothing", plan.name)))?;
        let told = Arc::<WorkerShared>::default();
        self.names.push(plan.name.clone());
        self.status_handles.push(camera.status_handle());
        self.workers.push(told.clone());
        let sight = CameraWorker { number, camera, calibration: place, canvas, site: site.clone(), shared: told };
        let over = self.stop.clone();
        self.threads.push(std::thread::Builder::new().name("sense".into()).spawn(move || sight.run(&over))?);
        Ok(())
    }

    /// Waits up to `at_most` for the camera frame in progress, so that its result isn't shown one frame late.
    pub fn wait_analyzed(&self, at_most: Duration) {
        let until = monotonic() + at_most;
        for board in &self.workers {
            let left = until.saturating_sub(monotonic());
            let waited = board.analyzed.wait_timeout_while(lock_state(board), left, |told| told.analyzing);
            drop(waited.unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// Returns the status of each camera.
    pub fn status(&self) -> Vec<CameraPipelineStatus> {
        let all = self.names.iter().zip(&self.status_handles).zip(&self.workers);
        all.map(|((name, watch), told)| {
            let told = lock_state(told);
            let WorkerState { analyzed, bodies, took_ms, .. } = *told;
            CameraPipelineStatus { name: name.clone(), camera: watch.status(), analyzed, bodies, took_ms }
        })
        .collect()
    }
}

impl Drop for CameraPipelines {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

// The state is consistent after each statement, so a poisoned lock is usable.
fn lock_state(board: &WorkerShared) -> MutexGuard<'_, WorkerState> {
    board.state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Thread of one camera.
struct CameraWorker {
    number: usize,
    camera: CameraHandle,
    calibration: CameraCalibration,
    canvas: Point,
    site: SiteHandle,
    shared: Arc<WorkerShared>,
}

impl CameraWorker {
    fn run(mut self, over: &AtomicBool) {
        let mut look = FrameAnalyzer::new(self.calibration.clone(), self.canvas);
        let device = REACH_DEVICE + self.number as u32;
        // Filled while the other is read, then exchanged.
        let mut next = VisionFrame::blank(self.canvas);
        let mut last = Duration::ZERO;
        while !over.load(Ordering::Relaxed) {
            let Some(frame) = self.camera.next_frame(FRAME_WAIT) else {
                if last > Duration::ZERO && monotonic().saturating_sub(last) > BLANK_AFTER {
                    last = Duration::ZERO;
                    self.clear_output(device);
                }
                continue;
            };
            let began = monotonic();
            last = began;
            let Some(luma) = Luma::new(frame.width, frame.height, frame.width, frame.y) else { continue };
            lock_state(&self.shared).analyzing = true;
            let bodies =
                look.analyze(frame.captured, &luma, self.site.screen_luminance(), &mut next, |body, phase, at| {
                    self.site.handle_touch((device, u64::from(body)), phase, at, PointerKind::Reach);
                });
            let count = bodies.len();
            self.site.handle_camera(frame.captured, self.number, bodies, &mut next);
            let took = monotonic().saturating_sub(began);
            let mut told = lock_state(&self.shared);
            let analyzed = told.analyzed + 1;
            *told = WorkerState { analyzing: false, analyzed, bodies: count, took_ms: took.as_secs_f32() * 1e3 };
            drop(told);
            self.shared.analyzed.notify_all();
        }
    }

    /// Clears the output while the camera is away: removes all people and releases all hands.
    fn clear_output(&self, device: u32) {
        self.site.release_device(device);
        self.site.handle_camera(monotonic(), self.number, Vec::new(), &mut VisionFrame::default());
        let mut told = lock_state(&self.shared);
        *told = WorkerState { analyzed: told.analyzed + 1, ..WorkerState::default() };
    }
}
