//! A live camera, as a show looks through it. What it shows is in memory, and nowhere else.

use super::{Each, Eye, Failure, Tally, Told};
use crate::device::camera::{Camera, CameraState, Timing};
use crate::device::clock::monotonic;
use crate::manifest;
use std::path::PathBuf;
use std::time::Duration;

/// How long a picture is waited for before it is told that none comes.
const WAIT: Duration = Duration::from_millis(500);
/// How much longer than asked for is waited for a camera that shows nothing.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) struct Live {
    camera: manifest::Camera,
    dir: PathBuf,
}

impl Live {
    /// A camera whose program runs in `dir`.
    pub(super) fn new(camera: manifest::Camera, dir: PathBuf) -> Self {
        Self { camera, dir }
    }

    pub(super) fn name(&self) -> String {
        self.camera.name.clone()
    }

    pub(super) fn watch(self, time: Option<f64>, each: Each) -> Result<Tally, Failure> {
        let mut camera = Camera::start(&self.camera, &self.dir, Timing::default())?;
        // What must not be looked at is black already.
        let mut eye = Eye::new(&[], time);
        let mut y = Vec::new();
        let began = monotonic();
        let mut first = None;
        loop {
            let Some(frame) = camera.next(WAIT) else {
                let status = camera.status();
                let why = status.last_fault.filter(|_| status.state != CameraState::Seeing);
                let why = why.unwrap_or_else(|| "no picture comes".into());
                let late = eye.time.is_some_and(|time| monotonic().saturating_sub(began) >= time + PATIENCE);
                if late && first.is_none() {
                    return Err(format!("camera {}: {why}", self.camera.name).into());
                }
                if late || !each(Told::Blind(why))? {
                    break;
                }
                continue;
            };
            y.clear();
            y.extend_from_slice(frame.y);
            let first = *first.get_or_insert(frame.captured);
            let at = frame.captured.saturating_sub(first);
            let size = [frame.width, frame.height];
            // The show does not run: nothing is known of what its screen shows.
            if !eye.see(at, &mut y, size, 0.0, each)? {
                break;
            }
            eye.tally.rate = camera.status().rate;
        }
        y.fill(0);
        Ok(eye.tally)
    }
}
