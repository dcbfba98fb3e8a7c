//! Points and rectangles whose types name their space, so that pixels of a camera never pass for canvas units.
//!
//! A point of the canvas is a plain [`Point`](crate::presence::Point): it is the space of everything else, of the wire, and of scenes.

use euclid::{Point2D, Rect, Size2D, Vector2D};

/// Space of a camera's frame, in its pixels; origin top left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CameraSpace {}

/// Space of a window, in its own units; origin top left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowSpace {}

/// Fractions of a whole, 0 to 1: of a camera's frame, or of the canvas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FractionSpace {}

/// Point of a camera's frame, in pixels.
pub type CameraPoint = Point2D<f32, CameraSpace>;
/// Difference of two points of a camera's frame, in pixels; or a velocity, in pixels per second.
pub type CameraVector = Vector2D<f32, CameraSpace>;
/// Size in a camera's frame, in pixels.
pub type CameraSize = Size2D<f32, CameraSpace>;
/// Rectangle of a camera's frame, in pixels.
pub type CameraRect = Rect<f32, CameraSpace>;

/// Point of a window.
pub type WindowPoint = Point2D<f32, WindowSpace>;
/// Size of a window.
pub type WindowSize = Size2D<f32, WindowSpace>;
/// Rectangle of a window.
pub type WindowRect = Rect<f32, WindowSpace>;

/// Point, as fractions of a whole.
pub type FractionPoint = Point2D<f32, FractionSpace>;
/// Rectangle, as fractions of a whole.
pub type FractionRect = Rect<f32, FractionSpace>;

/// The whole, as a part of itself.
pub const WHOLE: FractionRect = Rect { origin: Point2D::new(0.0, 0.0), size: Size2D::new(1.0, 1.0) };
