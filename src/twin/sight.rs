//! What is seen in front of this site, once a frame: bodies and motion to the scene, people as a mask to the stage.

use super::{Senses, Trace, cutout};
use crate::device::sight::Sights;
use crate::device::touch::TouchHub;
use crate::presence::{Body, Point};
use crate::scene::stir;
use crate::stage::Watched;
use std::sync::Arc;
use std::time::Duration;

/// What was told last.
pub(super) struct Sight {
    sights: Arc<Sights>,
    /// The site has cameras.
    cameras: bool,
    hub: TouchHub,
    canvas: Point,
    /// Versions of what cameras see and of who is here.
    known: [u64; 2],
    /// When the newest that was told was captured.
    made: Duration,
    bodies: Vec<Body>,
    stir: f32,
    flow: Vec<Point>,
}

impl Sight {
    /// Nothing told yet. `canvas` in its units.
    pub fn new(sights: Arc<Sights>, hub: TouchHub, canvas: Point) -> Self {
        let cameras = !sights.status().is_empty();
        let (made, bodies, flow) = (Duration::ZERO, Vec::new(), Vec::new());
        Self { sights, cameras, hub, canvas, known: [0; 2], made, bodies, stir: 0.0, flow }
    }

    /// Tells what is new to the scene and notes it; what the stage is to show of it, if there is more than bodies.
    pub fn take_in(&mut self, senses: &mut Senses, trace: &Trace) -> Option<Arc<Watched>> {
        // A camera's bodies are told before its mask, which may come a frame later: never the other way round.
        let sighted = self.sights.newest(self.known[0]);
        let newest = self.hub.newest(self.known[1]);
        let made = sighted.as_ref().map(|sighted| sighted.made).max(newest.as_ref().map(|newest| newest.made))?;
        let mut watched = sighted.map(|sighted| {
            self.known[0] = sighted.version;
            self.stir = sighted.stir;
            let mask = sighted.mask;
            let (width, height) = (mask.width, mask.height);
            Watched { version: sighted.version, width, height, mask: mask.pixels, flow: sighted.flow }
        });
        if let Some(newest) = newest {
            trace.bodies(true, &newest.bodies, newest.made);
            self.known[1] = newest.version;
            self.bodies = newest.bodies;
            if !self.cameras {
                // Recorded visitors come without a picture.
                self.stir = stir(&self.bodies, self.canvas);
                watched = Some(cutout::watched(newest.version, &self.bodies, self.canvas));
            }
        }
        if let Some(watched) = &watched {
            self.flow.clone_from(&watched.flow);
        }
        let input = senses.bodies(made, &self.bodies, self.stir, &self.flow);
        if self.cameras && made > self.made && !self.bodies.is_empty() {
            trace.seen(input, made);
        }
        self.made = self.made.max(made);
        watched.map(Arc::new)
    }
}
