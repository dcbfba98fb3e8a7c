//! Merge of a site's cameras: all bodies, the strongest motion, one mask.

use crate::VisionFrame;
use crate::devices::CAMERAS_MAX;
use moongate_core::presence::{BODIES_MAX, Body, Point};
use moongate_messages::{PeopleMask, VisionReport};
use std::time::Duration;

/// Bits of a body's id from its own camera; the bits above are the camera's number.
const BODY_ID_BITS: u32 = 13;
/// Time without updates after which a camera counts as seeing nobody.
const CAMERA_TIMEOUT: Duration = Duration::from_secs(2);

/// Newest result of one camera.
#[derive(Default)]
struct CameraState {
    captured: Duration,
    bodies: Vec<Body>,
    frame: VisionFrame,
}

/// Newest results of all cameras.
#[derive(Default)]
pub(crate) struct CameraMerge {
    cameras: [CameraState; CAMERAS_MAX],
    /// Capture time of the newest result.
    captured: Duration,
    /// Number of views so far.
    frames: u64,
    /// Number of changes so far, and at the last report.
    changes: [u64; 2],
    /// Number of views at the last report.
    reported_frames: u64,
}

impl CameraMerge {
    /// Handles the bodies that a camera saw, and its view if it has one. Returns false if it is older than the last, or there is
    /// no such camera.
    ///
    /// Each camera counts its own bodies: this makes their ids unique at the site, and those of camera 0 stay as they are up to
    /// 8,191. The view gets the previous one's memory in exchange.
    pub fn handle(
        &mut self,
        camera: usize,
        captured: Duration,
        mut bodies: Vec<Body>,
        frame: Option<&mut VisionFrame>,
    ) -> bool {
        let Some(state) = self.cameras.get_mut(camera).filter(|state| state.captured <= captured) else { return false };
        bodies.truncate(BODIES_MAX);
        for body in &mut bodies {
            body.id = (body.id & ((1 << BODY_ID_BITS) - 1)) | (camera << BODY_ID_BITS) as u16;
        }
        let nobody = state.bodies.is_empty() && bodies.is_empty();
        (state.captured, state.bodies) = (captured, bodies);
        self.changes[0] += u64::from(frame.is_some() || !nobody);
        if let Some(frame) = frame {
            std::mem::swap(&mut state.frame, frame);
            if frame.mask.pixels.is_empty() {
                frame.clone_from(&state.frame);
            }
            self.frames += 1;
        }
        if self.changes[0] != self.changes[1] {
            self.captured = self.captured.max(captured);
        }
        true
    }

    /// Removes the bodies of cameras that have stopped. Returns true if there were any.
    pub fn expire(&mut self, now: Duration) -> bool {
        let stopped =
            |state: &&mut CameraState| !state.bodies.is_empty() && now.saturating_sub(state.captured) > CAMERA_TIMEOUT;
        let mut is_changed = false;
        for state in self.cameras.iter_mut().filter(stopped) {
            state.bodies.clear();
            is_changed = true;
        }
        if is_changed {
            (self.changes[0], self.captured) = (self.changes[0] + 1, self.captured.max(now));
        }
        is_changed
    }

    /// Returns the bodies of all cameras.
    pub fn bodies(&self) -> Vec<Body> {
        self.cameras.iter().flat_map(|state| &state.bodies).take(BODIES_MAX).cloned().collect()
    }

    /// Returns the number of bodies of all cameras.
    pub fn body_count(&self) -> usize {
        self.cameras.iter().map(|state| state.bodies.len()).sum::<usize>().min(BODIES_MAX)
    }

    /// Returns the merged result if it has changed since the last call.
    pub fn poll_report(&mut self) -> Option<VisionReport> {
        if self.changes[0] == self.changes[1] {
            return None;
        }
        self.changes[1] = self.changes[0];
        let is_new = std::mem::replace(&mut self.reported_frames, self.frames) != self.frames;
        let mut report = VisionReport { captured: self.captured, bodies: self.bodies(), ..VisionReport::default() };
        let mut mask = PeopleMask { version: self.frames, ..PeopleMask::default() };
        for VisionFrame { motion_energy, flow, mask: seen } in self.cameras.iter().map(|state| &state.frame) {
            report.motion_energy = report.motion_energy.max(*motion_energy);
            if report.flow.is_empty() {
                report.flow.clone_from(flow);
            } else {
                let faster = |a: &Point, b: &Point| a[0].hypot(a[1]) < b[0].hypot(b[1]);
                report.flow.iter_mut().zip(flow).filter(|(a, b)| faster(a, b)).for_each(|(a, b)| *a = *b);
            }
            if mask.texels.is_empty() {
                (mask.width, mask.height) = (seen.width, seen.height);
                mask.texels.clone_from(&seen.pixels);
            } else {
                mask.texels.iter_mut().zip(&seen.pixels).for_each(|(a, b)| *a |= *b);
            }
        }
        report.mask = Some(mask).filter(|mask| is_new && !mask.texels.is_empty());
        Some(report)
    }
}
