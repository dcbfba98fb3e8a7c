//! Camera pipelines, one thread per camera: frames become bodies, reaches and motion on the canvas.
//! They are sent to the hub at once.

use super::camera::{CameraHandle, CameraStatus, CameraStatusHandle, CameraTiming};
use super::clock::monotonic;
use super::process_hardening::exposed_password;
use super::touch_hub::{REACH_DEVICE, TouchHub};
use crate::config;
use crate::presence::{Body, MOTION_GRID, Phase, Point, PointerKind};
use crate::vision::{CameraCalibration, DwellDetector, Luma, Mask, ScreenPlacement, VisionPipeline};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Columns of a canvas mask; its rows follow from the canvas's shape.
const MASK_WIDTH: usize = 320;
/// Time that a thread waits for a frame before it checks for the end.
const FRAME_WAIT: Duration = Duration::from_millis(200);
/// Time without frames after which a camera reports no people.
const BLANK_AFTER: Duration = Duration::from_millis(1_500);

/// Combined view of a site's cameras, on the canvas.
#[derive(Debug, Clone, Default)]
pub struct VisionFrame {
    /// Version of the content; it changes whenever the content does.
    pub version: u64,
    /// Capture time of the newest frame, monotonic.
    pub captured: Duration,
    /// Amount of motion, 0 to 1.
    pub motion_energy: f32,
    /// Motion in canvas units per second, in 32 × 18 cells; empty while no camera delivers frames.
    pub flow: Vec<Point>,
    /// Mask of people: 255 where a person is.
    pub mask: Mask,
}

impl VisionFrame {
    /// Creates a view without people, for a canvas of this size in canvas units.
    pub fn blank(canvas: Point) -> Self {
        let height = (canvas[1] / canvas[0] * MASK_WIDTH as f32).round().clamp(1.0, 1024.0) as usize;
        let mask = Mask { width: MASK_WIDTH, height, pixels: vec![0; MASK_WIDTH * height] };
        Self { flow: vec![[0.0; 2]; MOTION_GRID[0] * MOTION_GRID[1]], mask, ..Self::default() }
    }
}

/// Analysis of one camera's frames, without a thread or a clock.
pub struct FrameAnalyzer {
    pipeline: VisionPipeline,
    dwell: DwellDetector,
    calibration: CameraCalibration,
    canvas: Point,
}

impl FrameAnalyzer {
    /// Creates an analyzer for a camera that covers a part of a canvas of this size in canvas units.
    pub fn new(place: CameraCalibration, canvas: Point) -> Self {
        Self { pipeline: VisionPipeline::new(), dwell: DwellDetector::default(), calibration: place, canvas }
    }

    /// Analyzes the next frame, captured at a monotonic time while the screen had this luminance, 0 to 1.
    /// Returns the people, reports hands held out, and fills in the rest of the view.
    pub fn analyze(
        &mut self,
        captured: Duration,
        luma: &Luma,
        shown: f32,
        into: &mut VisionFrame,
        reach: impl FnMut(u16, Phase, Point),
    ) -> Vec<Body> {
        let size = [luma.width() as f32, luma.height() as f32];
        let seen = self.pipeline.process(captured, luma, shown);
        let bodies: Vec<Body> =
            seen.people.iter().filter_map(|figure| self.calibration.map_body(figure, size)).collect();
        self.dwell.update(captured, &bodies, self.canvas, reach);
        into.mask.pixels.fill(0);
        self.calibration.draw_mask(&seen.people, &seen.mask, size, &mut into.mask);
        into.flow.fill([0.0; 2]);
        self.calibration.add_flow(&seen.motion, size, &mut into.flow);
        (into.captured, into.motion_energy) = (captured, seen.motion.energy);
        bodies
    }
}

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
    frame: VisionFrame,
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

/// Current luminance of the site's screens, 0 to 1: they light the people in front of them.
pub type ScreenLuminanceFn = Arc<dyn Fn() -> f32 + Send + Sync>;

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
    pub fn start(
        site: &config::SiteConfig,
        canvas: Point,
        hub: &TouchHub,
        shown: &ScreenLuminanceFn,
    ) -> io::Result<Self> {
        exposed_password(site).iter().for_each(|why| tracing::warn!("{why}"));
        let over = Arc::new(AtomicBool::new(false));
        let mut sights = Self { names: vec![], status_handles: vec![], workers: vec![], stop: over, threads: vec![] };
        for (number, plan) in site.cameras.iter().enumerate() {
            sights.spawn_worker(number, plan, &site.dir, canvas, site.ground, hub, shown)?;
        }
        Ok(sights)
    }

    #[expect(clippy::too_many_arguments, reason = "all that a thread needs, named once")]
    fn spawn_worker(
        &mut self,
        number: usize,
        plan: &config::CameraConfig,
        dir: &Path,
        canvas: Point,
        ground: Option<config::ScreenMount>,
        hub: &TouchHub,
        shown: &ScreenLuminanceFn,
    ) -> io::Result<()> {
        let camera = CameraHandle::start(plan, dir, CameraTiming::default())?;
        let metres = ground.map(|ground| ScreenPlacement { width: ground.width, height: ground.height });
        let place = CameraCalibration::new(plan.corners, plan.canvas, canvas, metres)
            .ok_or_else(|| io::Error::other(format!("the corners of camera {} span nothing", plan.name)))?;
        let told = Arc::<WorkerShared>::default();
        self.names.push(plan.name.clone());
        self.status_handles.push(camera.status_handle());
        self.workers.push(told.clone());
        let sight = CameraWorker {
            number,
            camera,
            calibration: place,
            canvas,
            hub: hub.clone(),
            screen_luminance: shown.clone(),
            shared: told,
        };
        let over = self.stop.clone();
        self.threads.push(std::thread::Builder::new().name("sense".into()).spawn(move || sight.run(&over))?);
        Ok(())
    }

    /// Returns the combined view of all cameras if it is newer than `known`.
    /// Of several cameras it has the strongest motion and all bodies.
    pub fn newest(&self, known: u64) -> Option<VisionFrame> {
        let version = self.workers.iter().map(|told| lock_state(told).frame.version).sum();
        if version == known {
            return None;
        }
        let mut all = VisionFrame::default();
        for told in &self.workers {
            let told = lock_state(told);
            let VisionFrame { captured: made, motion_energy: stir, flow, mask, .. } = &told.frame;
            all.captured = all.captured.max(*made);
            all.motion_energy = all.motion_energy.max(*stir);
            if all.flow.is_empty() {
                all.flow.clone_from(flow);
            } else {
                let faster = |a: &Point, b: &Point| a[0].hypot(a[1]) < b[0].hypot(b[1]);
                all.flow.iter_mut().zip(flow).filter(|(a, b)| faster(a, b)).for_each(|(a, b)| *a = *b);
            }
            if all.mask.pixels.is_empty() {
                all.mask.clone_from(mask);
            } else {
                all.mask.pixels.iter_mut().zip(&mask.pixels).for_each(|(a, b)| *a |= *b);
            }
        }
        all.version = version;
        Some(all)
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
            let WorkerState { frame: sighted, bodies, took_ms, .. } = &*told;
            let (name, camera, looks) = (name.clone(), watch.status(), sighted.version);
            CameraPipelineStatus { name, camera, analyzed: looks, bodies: *bodies, took_ms: *took_ms }
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
    hub: TouchHub,
    screen_luminance: ScreenLuminanceFn,
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
                look.analyze(frame.captured, &luma, (self.screen_luminance)(), &mut next, |body, phase, at| {
                    self.hub.handle_touch((device, u64::from(body)), phase, at, PointerKind::Reach);
                });
            let count = bodies.len();
            self.hub.set_bodies(frame.captured, self.number, bodies);
            let took = monotonic().saturating_sub(began);
            let mut told = lock_state(&self.shared);
            next.version = told.frame.version + 1;
            std::mem::swap(&mut told.frame, &mut next);
            (told.bodies, told.took_ms, told.analyzing) = (count, took.as_secs_f32() * 1e3, false);
            drop(told);
            self.shared.analyzed.notify_all();
            if next.flow.is_empty() {
                // The first exchange returns an empty frame.
                let told = lock_state(&self.shared);
                next.flow.clone_from(&told.frame.flow);
                next.mask.clone_from(&told.frame.mask);
            }
        }
    }

    /// Clears the output while the camera is away: removes all people and releases all hands.
    fn clear_output(&self, device: u32) {
        self.hub.release(device);
        self.hub.set_bodies(monotonic(), self.number, Vec::new());
        let mut told = lock_state(&self.shared);
        let version = told.frame.version + 1;
        let sighted = VisionFrame { version, captured: monotonic(), ..VisionFrame::default() };
        *told = WorkerState { frame: sighted, ..WorkerState::default() };
    }
}
