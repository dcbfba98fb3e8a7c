//! Analysis of one camera's frames: people, hands held out, a mask and motion, on the canvas.

use moongate_core::geometry::CameraSize;
use moongate_core::presence::{Body, MOTION_GRID, Phase, Point};
use moongate_vision::{CameraCalibration, DwellDetector, Luma, Mask, VisionPipeline};
use std::time::Duration;

/// Columns of a canvas mask; its rows follow from the canvas's shape.
const MASK_WIDTH: usize = 320;

/// View of a camera on the canvas.
#[derive(Debug, Clone, Default)]
pub struct VisionFrame {
    /// Amount of motion, 0 to 1.
    pub motion_energy: f32,
    /// Motion in canvas units per second, one vector for each cell of [`MOTION_GRID`]; empty while the camera delivers no frames.
    pub flow: Vec<Point>,
    /// Mask of people: 255 where a person is. Empty while the camera delivers no frames.
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

/// Analyzer of one camera's frames, without a thread or a clock.
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
    /// Returns the people, reports hands held out, and fills in the view.
    pub fn analyze(
        &mut self,
        captured: Duration,
        luma: &Luma,
        shown: f32,
        into: &mut VisionFrame,
        reach: impl FnMut(u16, Phase, Point),
    ) -> Vec<Body> {
        let size = CameraSize::new(luma.width() as f32, luma.height() as f32);
        let seen = self.pipeline.process(captured, luma, shown);
        let bodies: Vec<Body> =
            seen.people.iter().filter_map(|figure| self.calibration.map_body(figure, size)).collect();
        self.dwell.update(captured, &bodies, self.canvas, reach);
        into.mask.pixels.fill(0);
        self.calibration.draw_mask(&seen.people, &seen.mask, size, &mut into.mask);
        into.flow.fill([0.0; 2]);
        self.calibration.add_flow(&seen.motion, size, &mut into.flow);
        into.motion_energy = seen.motion.energy;
        bodies
    }
}
