//! A thread for each camera: its pictures become bodies, reaches and motion on the canvas, told at once to the hub.

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

/// Columns of a mask of the canvas; its rows follow from the canvas's shape.
const MASK_WIDTH: usize = 320;
/// How long a thread waits for a picture before it looks whether it is over.
const FRAME_WAIT: Duration = Duration::from_millis(200);
/// A camera that shows nothing for this long shows nobody.
const BLANK_AFTER: Duration = Duration::from_millis(1_500);

/// What a site's cameras see, on the canvas.
#[derive(Debug, Clone, Default)]
pub struct VisionFrame {
    /// Counts what was seen; another number for other content.
    pub version: u64,
    /// When the newest picture was captured, monotonic.
    pub captured: Duration,
    /// How much moves, 0 to 1.
    pub motion_energy: f32,
    /// How it moves: canvas units a second, 32 × 18 cells; empty while no camera sees.
    pub flow: Vec<Point>,
    /// Where people are: 255 for somebody.
    pub mask: Mask,
}

impl VisionFrame {
    /// Nobody, before a canvas of so many units.
    pub fn blank(canvas: Point) -> Self {
        let height = (canvas[1] / canvas[0] * MASK_WIDTH as f32).round().clamp(1.0, 1024.0) as usize;
        let mask = Mask { width: MASK_WIDTH, height, pixels: vec![0; MASK_WIDTH * height] };
        Self { flow: vec![[0.0; 2]; MOTION_GRID[0] * MOTION_GRID[1]], mask, ..Self::default() }
    }
}

/// What one camera's pictures come to, one after the other; no thread and no clock.
pub struct FrameAnalyzer {
    pipeline: VisionPipeline,
    dwell: DwellDetector,
    calibration: CameraCalibration,
    canvas: Point,
}

impl FrameAnalyzer {
    /// For a camera that looks at a part of a canvas of so many units.
    pub fn new(place: CameraCalibration, canvas: Point) -> Self {
        Self { pipeline: VisionPipeline::new(), dwell: DwellDetector::default(), calibration: place, canvas }
    }

    /// The next picture, captured at a monotonic time while the screen shone with a luminance of 0 to 1. Gives who is
    /// there, tells of hands held out, and fills in what else is seen.
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

/// How one camera is.
#[derive(Debug, Clone)]
pub struct CameraPipelineStatus {
    /// Its name.
    pub name: String,
    /// Its program and its pictures.
    pub camera: CameraStatus,
    /// Pictures that were made sense of; moves while it sees.
    pub analyzed: u64,
    /// Bodies in the newest picture.
    pub bodies: usize,
    /// Milliseconds that the newest picture took to be made sense of.
    pub took_ms: f32,
}

/// What a thread tells of its newest picture.
#[derive(Default)]
struct WorkerState {
    /// A picture came and is being looked at.
    analyzing: bool,
    frame: VisionFrame,
    bodies: usize,
    took_ms: f32,
}

/// What a thread and its readers share.
#[derive(Default)]
struct WorkerShared {
    state: Mutex<WorkerState>,
    /// It has told of a picture.
    analyzed: Condvar,
}

/// What luminance the site's screens show now, 0 to 1: it lights the people in front of them.
pub type ScreenLuminanceFn = Arc<dyn Fn() -> f32 + Send + Sync>;

/// All cameras of a site. They see until this is dropped.
pub struct CameraPipelines {
    names: Vec<String>,
    status_handles: Vec<CameraStatusHandle>,
    workers: Vec<Arc<WorkerShared>>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl CameraPipelines {
    /// Starts all cameras of a site whose canvas has `canvas` units. An error is a system without threads left.
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

    /// What all cameras see, if that is anything new since `known`; of several, what moves most and all bodies.
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

    /// Waits until what is being looked at is told, `at_most` so long: a frame that begins a moment before would show it a
    /// whole frame later.
    pub fn wait_analyzed(&self, at_most: Duration) {
        let until = monotonic() + at_most;
        for board in &self.workers {
            let left = until.saturating_sub(monotonic());
            let waited = board.analyzed.wait_timeout_while(lock_state(board), left, |told| told.analyzing);
            drop(waited.unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// How each camera is.
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

// What is told is whole after each statement, so a poisoned lock is as good as any.
fn lock_state(board: &WorkerShared) -> MutexGuard<'_, WorkerState> {
    board.state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One camera's thread.
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
                // The first time, what was exchanged is empty.
                let told = lock_state(&self.shared);
                next.flow.clone_from(&told.frame.flow);
                next.mask.clone_from(&told.frame.mask);
            }
        }
    }

    /// The camera is away: nobody is seen, and no hand is held.
    fn clear_output(&self, device: u32) {
        self.hub.release(device);
        self.hub.set_bodies(monotonic(), self.number, Vec::new());
        let mut told = lock_state(&self.shared);
        let version = told.frame.version + 1;
        let sighted = VisionFrame { version, captured: monotonic(), ..VisionFrame::default() };
        *told = WorkerState { frame: sighted, ..WorkerState::default() };
    }
}
