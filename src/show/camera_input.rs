//! Result of the site's cameras, once a frame: bodies and motion for the scene, a mask of people for the renderer.

use super::{Trace, rasterize};
use crate::device::camera_pipeline::CameraPipelines;
use crate::device::touch_hub::TouchHub;
use crate::messages::{PeopleMask, VisionReport};
use crate::presence::{Body, Point};
use crate::render::PresenceMap;
use crate::scene::motion_energy;
use std::sync::Arc;

/// State of the last report.
pub(super) struct CameraInput {
    pipeline: Arc<CameraPipelines>,
    /// True if the site has cameras.
    cameras: bool,
    hub: TouchHub,
    canvas: Point,
    /// Versions of the vision frame and of the bodies.
    versions: [u64; 2],
    bodies: Vec<Body>,
    motion_energy: f32,
    flow: Vec<Point>,
}

impl CameraInput {
    /// Creates the state before the first report. `canvas` is in canvas units.
    pub fn new(sights: Arc<CameraPipelines>, hub: TouchHub, canvas: Point) -> Self {
        let cameras = !sights.status().is_empty();
        let (bodies, flow) = (Vec::new(), Vec::new());
        Self { pipeline: sights, cameras, hub, canvas, versions: [0; 2], bodies, motion_energy: 0.0, flow }
    }

    /// Returns what is new since the last call, if anything is.
    pub fn poll(&mut self, trace: &Trace) -> Option<VisionReport> {
        // A camera's bodies are reported before its mask, which may come a frame later: never in the reverse order.
        let sighted = self.pipeline.newest(self.versions[0]);
        let newest = self.hub.bodies_since(self.versions[1]);
        let made = sighted.as_ref().map(|sighted| sighted.captured).max(newest.as_ref().map(|newest| newest.made))?;
        let mut mask = sighted.map(|sighted| {
            self.versions[0] = sighted.version;
            self.motion_energy = sighted.motion_energy;
            self.flow = sighted.flow;
            let (width, height) = (sighted.mask.width, sighted.mask.height);
            PeopleMask { version: sighted.version, width, height, texels: sighted.mask.pixels }
        });
        if let Some(newest) = newest {
            trace.record_bodies(true, &newest.bodies, newest.made);
            self.versions[1] = newest.version;
            self.bodies = newest.bodies;
            if !self.cameras {
                // Recorded visitors have no camera frame.
                self.motion_energy = motion_energy(&self.bodies, self.canvas);
                let PresenceMap { version, width, height, mask: texels, flow } =
                    rasterize::rasterize_bodies(newest.version, &self.bodies, self.canvas);
                self.flow = flow;
                mask = Some(PeopleMask { version, width, height, texels });
            }
        }
        let (bodies, motion_energy, flow) = (self.bodies.clone(), self.motion_energy, self.flow.clone());
        Some(VisionReport { captured: made, bodies, motion_energy, flow, mask })
    }
}
