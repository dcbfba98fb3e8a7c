//! Computer vision of one fixed camera: from luma planes to people with outlines, and motion.

mod background;
mod calibration;
mod contour;
mod dwell;
mod foreground;
mod ghosts;
mod height_model;
mod illumination;
mod instance_labels;
mod luma;
pub mod metrics;
mod net;
mod optical_flow;
mod output;
mod pipeline;
mod plane;
mod pose;
mod space;
mod stabilize;
mod track;
mod tracker;
mod training;

pub use calibration::{CameraCalibration, ScreenPlacement};
pub use dwell::DwellDetector;
pub use luma::Luma;
pub use pipeline::{VisionOutput, VisionPipeline};
pub use training::TrainingSample;

use moongate_core::geometry::{CameraPoint, CameraRect, CameraVector};
use moongate_core::presence::MOTION_GRID;

/// Person in a camera's frame; all positions are in pixels of the frame, origin top left.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TrackedPerson {
    /// Unique while the person is tracked; not reused soon.
    pub id: u16,
    /// Box of the whole body, as far as it lies within the frame.
    pub bounds: CameraRect,
    /// Closed polygon with at most 48 points.
    /// It starts at the bottom, at the foot, and runs clockwise on the screen.
    /// Empty while the body is hidden behind something.
    pub outline: Vec<CameraPoint>,
    /// Position of the foot.
    pub foot: CameraPoint,
    /// Centre of the head.
    pub head: CameraPoint,
    /// End of an arm held out.
    pub reach: Option<CameraPoint>,
    /// Velocity of the foot, in pixels per second.
    pub velocity: CameraVector,
    /// Time that the person has stood still, in seconds.
    pub still: f32,
    /// Time that the person has been tracked, in seconds.
    pub age: f32,
    /// Estimated number of people, at least 1.
    pub people: u8,
    /// Pixels per metre at the person's position, learned from the usual apparent height of people there.
    pub pixels_per_metre: f32,
}

/// Motion of the image: pixels per second in each of 32 × 18 cells, row by row from the top left.
#[derive(Debug, Clone, PartialEq)]
pub struct MotionField {
    /// One vector per cell; zero where nothing moves or the motion cannot be determined.
    pub cells: Vec<CameraVector>,
    /// Fraction of the image that moves, 0 to 1.
    pub energy: f32,
}

impl Default for MotionField {
    fn default() -> Self {
        Self { cells: vec![CameraVector::zero(); MOTION_GRID[0] * MOTION_GRID[1]], energy: 0.0 }
    }
}

/// Instance mask of people, one byte per pixel; it may be smaller than the camera's frame.
/// 0 means no person, otherwise the index of a person plus 1 (in a mask of the canvas: 255).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Mask {
    /// Number of columns.
    pub width: usize,
    /// Number of rows.
    pub height: usize,
    /// Row by row from the top left.
    pub pixels: Vec<u8>,
}
