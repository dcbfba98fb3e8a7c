//! Live camera as a source, read as in a show. Its frames stay in memory.

use super::{EventHandler, Failure, SenseEvent, SenseRunner, SenseStats};
use crate::config;
use crate::device::camera::{CameraHandle, CameraState, CameraTiming};
use crate::device::clock::monotonic;
use std::path::PathBuf;
use std::time::Duration;

/// Longest wait for a frame before its absence is reported.
const FRAME_TIMEOUT: Duration = Duration::from_millis(500);
/// Extra time, beyond the requested time, for a camera that sends no frames.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) struct LiveSource {
    camera: config::CameraConfig,
    dir: PathBuf,
}

impl LiveSource {
    /// Creates a source whose camera program runs in `dir`.
    pub(super) fn new(camera: config::CameraConfig, dir: PathBuf) -> Self {
        Self { camera, dir }
    }

    pub(super) fn name(&self) -> String {
        self.camera.name.clone()
    }

    pub(super) fn run(self, time: Option<Duration>, each: EventHandler) -> Result<SenseStats, Failure> {
        let mut camera = CameraHandle::start(&self.camera, &self.dir, CameraTiming::default())?;
        // The camera pipeline has blackened the masked areas already.
        let mut eye = SenseRunner::new(&[], time);
        let mut y = Vec::new();
        let began = monotonic();
        let mut first = None;
        loop {
            let Some(frame) = camera.next_frame(FRAME_TIMEOUT) else {
                let status = camera.status();
                let why = status.last_fault.filter(|_| status.state != CameraState::Streaming);
                let why = why.unwrap_or_else(|| "no picture comes".into());
                let late = eye.time.is_some_and(|time| monotonic().saturating_sub(began) >= time + PATIENCE);
                if late && first.is_none() {
                    return Err(format!("camera {}: {why}", self.camera.name).into());
                }
                if late || !each(SenseEvent::NoFrames(why))? {
                    break;
                }
                continue;
            };
            y.clear();
            y.extend_from_slice(frame.y);
            let first = *first.get_or_insert(frame.captured);
            let at = frame.captured.saturating_sub(first);
            let size = [frame.width, frame.height];
            // No show runs here, so the luminance of its screen is unknown.
            if !eye.process_frame(at, &mut y, size, 0.0, each)? {
                break;
            }
            eye.stats.rate = camera.status().frame_rate;
        }
        y.fill(0);
        Ok(eye.stats)
    }
}
