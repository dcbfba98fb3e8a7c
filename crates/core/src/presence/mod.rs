//! Presence in front of a site right now: touches and bodies, in canvas units. Shapes, never pixels.

mod codec;
mod encounter;
mod homography;
mod jitter_buffer;
mod mapping;
pub mod recording;
mod touch_tracker;

pub use codec::{OutlineDetail, PresenceAssembler, PresencePart, encode_presence};
pub use encounter::Encounters;
pub use homography::{Homography, is_convex};
pub use jitter_buffer::JitterBuffer;
pub use mapping::{CanvasRegion, TwinLayout};
use serde::{Deserialize, Serialize};
pub use touch_tracker::{ContactId, Phase, TOUCH_TIMEOUT, TouchChanges, TouchTracker, TouchUpdate};

/// Most touches of a site at one instant; further ones are ignored.
pub const TOUCHES_MAX: usize = 64;
/// Most bodies of a site at one instant.
pub const BODIES_MAX: usize = 64;
/// Most points in an outline.
pub const OUTLINE_MAX: usize = 48;
/// Columns and rows of a motion field: cells across and down a canvas, or a camera's frame.
pub const MOTION_GRID: [usize; 2] = [32, 18];

/// Point of the canvas, in its units from the top left corner, x to the right, y down.
pub type Point = [f32; 2];

/// Kind of pointer that makes a touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum PointerKind {
    /// A finger on a touch screen.
    #[default]
    Finger,
    /// A mouse with its button held.
    Mouse,
    /// A hand held still before a camera.
    Reach,
    /// A simulated visitor.
    Cast,
}

impl PointerKind {
    /// Returns the kind with this code on the wire; an unknown code is a finger.
    pub fn from_code(code: u8) -> Self {
        match code {
            1 => Self::Mouse,
            2 => Self::Reach,
            3 => Self::Cast,
            _ => Self::Finger,
        }
    }

    /// Returns the word that a scene reads.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Finger => "finger",
            Self::Mouse => "mouse",
            Self::Reach => "reach",
            Self::Cast => "cast",
        }
    }
}

/// A touch on the canvas.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Touch {
    /// Its id, unique at its site while that show runs.
    pub id: u32,
    /// Its position, in canvas units.
    pub at: Point,
    /// Its kind of pointer.
    pub kind: PointerKind,
}

/// A person as an outline, or a group of people that cannot be separated.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Body {
    /// Its id, unique at its site while that body is tracked.
    pub id: u16,
    /// Estimated number of people, at least 1.
    pub people: u8,
    /// Seconds for which it has stood still, at most 25.5.
    pub still: f32,
    /// Position of its foot, in canvas units.
    pub foot: Point,
    /// Middle of its head.
    pub head: Point,
    /// End of an arm held out, if there is one.
    pub reach: Option<Point>,
    /// Velocity in canvas units per second.
    pub velocity: Point,
    /// Outline as a closed polygon of at most [`OUTLINE_MAX`] points.
    pub outline: Vec<Point>,
    /// Degree of fading, 0 to 1, after its updates have stopped; not sent.
    pub faded: f32,
}

/// All touches and bodies at a site at one instant.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Presence {
    /// Touches, in order of arrival.
    pub touches: Vec<Touch>,
    /// Bodies, in order of arrival.
    pub bodies: Vec<Body>,
}

impl Presence {
    /// Returns whether there are no touches and no bodies.
    pub fn is_empty(&self) -> bool {
        self.touches.is_empty() && self.bodies.is_empty()
    }
}
