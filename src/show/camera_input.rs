//! Camera input of this site, once a frame: bodies and motion for the scene, a mask of people for the renderer.

use super::{ShowState, Trace, rasterize};
use crate::device::camera_pipeline::CameraPipelines;
use crate::device::touch_hub::TouchHub;
use crate::presence::{Body, Point};
use crate::render::PresenceMap;
use crate::scene::motion_energy;
use std::sync::Arc;
use std::time::Duration;

/// State of the last report.
pub(super) struct CameraInput {
    pipeline: Arc<CameraPipelines>,
    /// True if the site has cameras.
    cameras: bool,
    hub: TouchHub,
    canvas: Point,
    /// Versions of the vision frame and of the bodies.
    versions: [u64; 2],
    /// Capture time of the newest report.
    captured: Duration,
    bodies: Vec<Body>,
    motion_energy: f32,
    flow: Vec<Point>,
}

impl CameraInput {
    /// Creates the state before the first report. `canvas` is in canvas units.
    pub fn new(sights: Arc<CameraPipelines>, hub: TouchHub, canvas: Point) -> Self {
        let cameras = !sights.status().is_empty();
        let (made, bodies, flow) = (Duration::ZERO, Vec::new(), Vec::new());
        Self {
            pipeline: sights,
            cameras,
            hub,
            canvas,
            versions: [0; 2],
            captured: made,
            bodies,
            motion_energy: 0.0,
            flow,
        }
    }

    /// Reports new bodies to the scene and the trace. Returns the presence for the renderer, if there is more than
    /// bodies.
    pub fn update(&mut self, state: &mut ShowState, trace: &Trace) -> Option<Arc<PresenceMap>> {
        // A camera's bodies are reported before its mask, which may come a frame later: never in the reverse order.
        let sighted = self.pipeline.newest(self.versions[0]);
        let newest = self.hub.bodies_since(self.versions[1]);
        let made = sighted.as_ref().map(|sighted| sighted.captured).max(newest.as_ref().map(|newest| newest.made))?;
        let mut watched = sighted.map(|sighted| {
            self.versions[0] = sighted.version;
            self.motion_energy = sighted.motion_energy;
            let mask = sighted.mask;
            let (width, height) = (mask.width, mask.height);
            PresenceMap { version: sighted.version, width, height, mask: mask.pixels, flow: sighted.flow }
        });
        if let Some(newest) = newest {
            trace.record_bodies(true, &newest.bodies, newest.made);
            self.versions[1] = newest.version;
            self.bodies = newest.bodies;
            if !self.cameras {
                // Recorded visitors have no camera frame.
                self.motion_energy = motion_energy(&self.bodies, self.canvas);
                watched = Some(rasterize::rasterize_bodies(newest.version, &self.bodies, self.canvas));
            }
        }
        if let Some(watched) = &watched {
            self.flow.clone_from(&watched.flow);
        }
        let input = state.handle_bodies(made, &self.bodies, self.motion_energy, &self.flow);
        if self.cameras && made > self.captured && !self.bodies.is_empty() {
            trace.record_outline(input, made);
        }
        self.captured = self.captured.max(made);
        watched.map(Arc::new)
    }
}
