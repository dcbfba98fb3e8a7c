//! A thread for each camera: its pictures become bodies, reaches and motion on the canvas, told at once to the hub.

use super::camera::{Camera, CameraStatus, CameraWatch, Timing};
use super::clock::monotonic;
use super::secrecy::open_password;
use super::touch::{REACH_DEVICE, TouchHub};
use crate::manifest;
use crate::presence::{Body, By, Phase, Point};
use crate::sense::{Luma, MOTION, Mask, Metres, Place, Reaches, Sense};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Columns of a mask of the canvas; its rows follow from the canvas's shape.
const MASK_WIDTH: usize = 320;
/// How long a thread waits for a picture before it looks whether it is over.
const WAIT: Duration = Duration::from_millis(200);
/// A camera that shows nothing for this long shows nobody.
const BLIND: Duration = Duration::from_millis(1_500);

/// What a site's cameras see, on the canvas.
#[derive(Debug, Clone, Default)]
pub struct Sighted {
    /// Counts what was seen; another number for other content.
    pub version: u64,
    /// When the newest picture was captured, monotonic.
    pub made: Duration,
    /// How much moves, 0 to 1.
    pub stir: f32,
    /// How it moves: canvas units a second, 32 × 18 cells; empty while no camera sees.
    pub flow: Vec<Point>,
    /// Where people are: 255 for somebody.
    pub mask: Mask,
}

impl Sighted {
    /// Nobody, before a canvas of so many units.
    pub fn blank(canvas: Point) -> Self {
        let height = (canvas[1] / canvas[0] * MASK_WIDTH as f32).round().clamp(1.0, 1024.0) as usize;
        let mask = Mask { width: MASK_WIDTH, height, pixels: vec![0; MASK_WIDTH * height] };
        Self { flow: vec![[0.0; 2]; MOTION[0] * MOTION[1]], mask, ..Self::default() }
    }
}

/// What one camera's pictures come to, one after the other; no thread and no clock.
pub struct Look {
    sense: Sense,
    reaches: Reaches,
    place: Place,
    canvas: Point,
}

impl Look {
    /// For a camera that looks at a part of a canvas of so many units.
    pub fn new(place: Place, canvas: Point) -> Self {
        Self { sense: Sense::new(), reaches: Reaches::default(), place, canvas }
    }

    /// The next picture, captured at a monotonic time while the screen shone with a luminance of 0 to 1. Gives who is
    /// there, tells of hands held out, and fills in what else is seen.
    pub fn see(
        &mut self,
        captured: Duration,
        luma: &Luma,
        shown: f32,
        into: &mut Sighted,
        reach: impl FnMut(u16, Phase, Point),
    ) -> Vec<Body> {
        let size = [luma.width() as f32, luma.height() as f32];
        let seen = self.sense.see(captured, luma, shown);
        let bodies: Vec<Body> = seen.figures.iter().filter_map(|figure| self.place.body(figure, size)).collect();
        self.reaches.take(captured, &bodies, self.canvas, reach);
        into.mask.pixels.fill(0);
        self.place.mask(&seen.figures, &seen.mask, size, &mut into.mask);
        into.flow.fill([0.0; 2]);
        self.place.flow(&seen.motion, size, &mut into.flow);
        (into.made, into.stir) = (captured, seen.motion.stir);
        bodies
    }
}

/// How one camera is.
#[derive(Debug, Clone)]
pub struct SightStatus {
    /// Its name.
    pub name: String,
    /// Its program and its pictures.
    pub camera: CameraStatus,
    /// Pictures that were made sense of; moves while it sees.
    pub looks: u64,
    /// Bodies in the newest picture.
    pub bodies: usize,
    /// Milliseconds that the newest picture took to be made sense of.
    pub took_ms: f32,
}

/// What a thread tells of its newest picture.
#[derive(Default)]
struct Told {
    /// A picture came and is being looked at.
    seeing: bool,
    sighted: Sighted,
    bodies: usize,
    took_ms: f32,
}

/// What a thread and its readers share.
#[derive(Default)]
struct Board {
    told: Mutex<Told>,
    /// It has told of a picture.
    seen: Condvar,
}

/// What luminance the site's screens show now, 0 to 1: it lights the people in front of them.
pub type Shown = Arc<dyn Fn() -> f32 + Send + Sync>;

/// All cameras of a site. They see until this is dropped.
pub struct Sights {
    names: Vec<String>,
    watches: Vec<CameraWatch>,
    told: Vec<Arc<Board>>,
    over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Sights {
    /// Starts all cameras of a site whose canvas has `canvas` units. An error is a system without threads left.
    pub fn start(site: &manifest::Site, canvas: Point, hub: &TouchHub, shown: &Shown) -> io::Result<Self> {
        open_password(site).iter().for_each(|why| tracing::warn!("{why}"));
        let over = Arc::new(AtomicBool::new(false));
        let mut sights = Self { names: vec![], watches: vec![], told: vec![], over, threads: vec![] };
        for (number, plan) in site.cameras.iter().enumerate() {
            sights.add(number, plan, &site.dir, canvas, site.ground, hub, shown)?;
        }
        Ok(sights)
    }

    #[expect(clippy::too_many_arguments, reason = "all that a thread needs, named once")]
    fn add(
        &mut self,
        number: usize,
        plan: &manifest::Camera,
        dir: &Path,
        canvas: Point,
        ground: Option<manifest::Ground>,
        hub: &TouchHub,
        shown: &Shown,
    ) -> io::Result<()> {
        let camera = Camera::start(plan, dir, Timing::default())?;
        let metres = ground.map(|ground| Metres { width: ground.width, height: ground.height });
        let place = Place::new(plan.corners, plan.canvas, canvas, metres)
            .ok_or_else(|| io::Error::other(format!("the corners of camera {} span nothing", plan.name)))?;
        let told = Arc::<Board>::default();
        self.names.push(plan.name.clone());
        self.watches.push(camera.watch());
        self.told.push(told.clone());
        let sight = Sight { number, camera, place, canvas, hub: hub.clone(), shown: shown.clone(), told };
        let over = self.over.clone();
        self.threads.push(std::thread::Builder::new().name("sense".into()).spawn(move || sight.watch(&over))?);
        Ok(())
    }

    /// What all cameras see, if that is anything new since `known`; of several, what moves most and all bodies.
    pub fn newest(&self, known: u64) -> Option<Sighted> {
        let version = self.told.iter().map(|told| lock(told).sighted.version).sum();
        if version == known {
            return None;
        }
        let mut all = Sighted::default();
        for told in &self.told {
            let told = lock(told);
            let Sighted { made, stir, flow, mask, .. } = &told.sighted;
            all.made = all.made.max(*made);
            all.stir = all.stir.max(*stir);
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
    pub fn settle(&self, at_most: Duration) {
        let until = monotonic() + at_most;
        for board in &self.told {
            let left = until.saturating_sub(monotonic());
            let waited = board.seen.wait_timeout_while(lock(board), left, |told| told.seeing);
            drop(waited.unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// How each camera is.
    pub fn status(&self) -> Vec<SightStatus> {
        let all = self.names.iter().zip(&self.watches).zip(&self.told);
        all.map(|((name, watch), told)| {
            let told = lock(told);
            let Told { sighted, bodies, took_ms, .. } = &*told;
            let (name, camera, looks) = (name.clone(), watch.status(), sighted.version);
            SightStatus { name, camera, looks, bodies: *bodies, took_ms: *took_ms }
        })
        .collect()
    }
}

impl Drop for Sights {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

// What is told is whole after each statement, so a poisoned lock is as good as any.
fn lock(board: &Board) -> MutexGuard<'_, Told> {
    board.told.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One camera's thread.
struct Sight {
    number: usize,
    camera: Camera,
    place: Place,
    canvas: Point,
    hub: TouchHub,
    shown: Shown,
    told: Arc<Board>,
}

impl Sight {
    fn watch(mut self, over: &AtomicBool) {
        let mut look = Look::new(self.place.clone(), self.canvas);
        let device = REACH_DEVICE + self.number as u32;
        // Filled while the other is read, then exchanged.
        let mut next = Sighted::blank(self.canvas);
        let mut last = Duration::ZERO;
        while !over.load(Ordering::Relaxed) {
            let Some(frame) = self.camera.next(WAIT) else {
                if last > Duration::ZERO && monotonic().saturating_sub(last) > BLIND {
                    last = Duration::ZERO;
                    self.go_blind(device);
                }
                continue;
            };
            let began = monotonic();
            last = began;
            let Some(luma) = Luma::new(frame.width, frame.height, frame.width, frame.y) else { continue };
            lock(&self.told).seeing = true;
            let bodies = look.see(frame.captured, &luma, (self.shown)(), &mut next, |body, phase, at| {
                self.hub.take((device, u64::from(body)), phase, at, By::Reach);
            });
            let count = bodies.len();
            self.hub.bodies(frame.captured, self.number, bodies);
            let took = monotonic().saturating_sub(began);
            let mut told = lock(&self.told);
            next.version = told.sighted.version + 1;
            std::mem::swap(&mut told.sighted, &mut next);
            (told.bodies, told.took_ms, told.seeing) = (count, took.as_secs_f32() * 1e3, false);
            drop(told);
            self.told.seen.notify_all();
            if next.flow.is_empty() {
                // The first time, what was exchanged is empty.
                let told = lock(&self.told);
                next.flow.clone_from(&told.sighted.flow);
                next.mask.clone_from(&told.sighted.mask);
            }
        }
    }

    /// The camera is away: nobody is seen, and no hand is held.
    fn go_blind(&self, device: u32) {
        self.hub.release(device);
        self.hub.bodies(monotonic(), self.number, Vec::new());
        let mut told = lock(&self.told);
        let version = told.sighted.version + 1;
        let sighted = Sighted { version, made: monotonic(), ..Sighted::default() };
        *told = Told { sighted, ..Told::default() };
    }
}
