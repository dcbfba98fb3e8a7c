//! Spaces of the images inside the pipeline, and the scales between them.

use euclid::{Box2D, Point2D, Scale, Vector2D};
use moongate_core::geometry::CameraSpace;

/// Space of the downsampled image, in its pixels; origin top left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WorkSpace {}

/// Space of the net's fine confidence, which has two pixels for each of the downsampled image, both ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FineSpace {}

pub(crate) type WorkPoint = Point2D<f32, WorkSpace>;
/// Velocity in downsampled pixels per second.
pub(crate) type WorkVector = Vector2D<f32, WorkSpace>;
/// Box in downsampled pixels; its maximum is exclusive.
pub(crate) type WorkBox = Box2D<f32, WorkSpace>;
pub(crate) type FinePoint = Point2D<f32, FineSpace>;

/// Scale from the downsampled image to the camera's frame: its downsampling factor.
pub(crate) type WorkScale = Scale<f32, WorkSpace, CameraSpace>;
/// Scale from the fine confidence to the camera's frame.
pub(crate) type FineScale = Scale<f32, FineSpace, CameraSpace>;
