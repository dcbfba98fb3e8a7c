//! Pixels in, bodies and motion out: a fixed camera's brightness becomes people as outlines.

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
mod stabilize;
mod track;
mod tracker;
mod training;

pub use calibration::{CameraCalibration, ScreenPlacement};
pub use dwell::DwellDetector;
pub use luma::Luma;
pub use pipeline::{VisionOutput, VisionPipeline};
pub use training::TrainingSample;

use crate::presence::{MOTION_GRID, Point};

/// A body as the camera sees it: all places in pixels of the camera's picture, origin top left.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TrackedPerson {
    /// Unique while it is followed; not given again soon.
    pub id: u16,
    /// Left, top, width, height.
    pub bounds: [f32; 4],
    /// A closed polygon, at most 48 points; it starts below, at the foot, and runs clockwise on the screen. Empty while
    /// the body is hidden behind something.
    pub outline: Vec<Point>,
    /// Where it stands.
    pub foot: Point,
    /// The middle of its head.
    pub head: Point,
    /// The end of an arm held out.
    pub reach: Option<Point>,
    /// Pixels a second, of the foot.
    pub velocity: Point,
    /// How long it has stood still, in seconds.
    pub still: f32,
    /// How long it has been followed, in seconds.
    pub age: f32,
    /// How many people it may be, at least 1.
    pub people: u8,
    /// How long a metre is where it stands, in pixels: learned from how tall people usually look there.
    pub pixels_per_metre: f32,
}

/// How the picture moves: pixels a second in each of 32 × 18 cells, row by row from the top left.
#[derive(Debug, Clone, PartialEq)]
pub struct MotionField {
    /// One vector a cell; zero where nothing moves or nothing can be told.
    pub cells: Vec<Point>,
    /// How much of the picture moves, 0 to 1.
    pub energy: f32,
}

impl Default for MotionField {
    fn default() -> Self {
        Self { cells: vec![[0.0; 2]; MOTION_GRID[0] * MOTION_GRID[1]], energy: 0.0 }
    }
}

/// Which pixels are people: one byte a pixel of a picture that may be smaller than the camera's; 0 for nobody, else the
/// index of a figure and 1 (in a mask of the canvas: 255).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Mask {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Row by row from the top left.
    pub pixels: Vec<u8>,
}
