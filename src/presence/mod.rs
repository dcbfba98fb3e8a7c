//! Who is in front of a site right now: touches and bodies, in canvas units. Shapes, never pixels.

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
pub use touch_tracker::{ContactId, Phase, TOUCH_TIMEOUT, TouchChanges, TouchTracker, TouchUpdate};

/// Most touches a site has at one instant; what is beyond is not taken in.
pub const TOUCHES_MAX: usize = 64;
/// Most bodies a site has at one instant.
pub const BODIES_MAX: usize = 64;
/// Most points in an outline.
pub const OUTLINE_MAX: usize = 48;
/// Columns and rows of a motion field: cells across and down a canvas, or a camera's frame.
pub const MOTION_GRID: [usize; 2] = [32, 18];

/// A point of the canvas: units of the canvas from its top left corner, x to the right, y down.
pub type Point = [f32; 2];

/// What makes a touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PointerKind {
    /// A finger on a touch screen.
    #[default]
    Finger,
    /// A mouse with its button held.
    Mouse,
    /// A hand held still before a camera.
    Reach,
    /// Invented: a visitor of a cast.
    Cast,
}

impl PointerKind {
    /// As the wire has it; what is not known is a finger.
    pub(crate) fn from_code(code: u8) -> Self {
        match code {
            1 => Self::Mouse,
            2 => Self::Reach,
            3 => Self::Cast,
            _ => Self::Finger,
        }
    }

    /// The word that a scene reads.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Finger => "finger",
            Self::Mouse => "mouse",
            Self::Reach => "reach",
            Self::Cast => "cast",
        }
    }
}

/// A point that someone puts on the canvas.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Touch {
    /// Unique at its site while that show runs.
    pub id: u32,
    /// Where, in canvas units.
    pub at: Point,
    /// What makes it.
    pub kind: PointerKind,
}

/// A person as an outline, or a knot of people that cannot be told apart.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Body {
    /// Unique at its site while that body is followed.
    pub id: u16,
    /// How many people it may be, at least 1.
    pub people: u8,
    /// How long it has stood still, in seconds, at most 25.5.
    pub still: f32,
    /// Where it stands, in canvas units.
    pub foot: Point,
    /// The middle of its head.
    pub head: Point,
    /// An arm held out, if there is one.
    pub reach: Option<Point>,
    /// Canvas units a second.
    pub velocity: Point,
    /// A closed polygon, at most [`OUTLINE_MAX`] points.
    pub outline: Vec<Point>,
    /// How far it has faded away, 0 to 1, since nothing is heard of it any more; does not travel.
    pub faded: f32,
}

/// All touches and bodies at a site at one instant.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Presence {
    /// In the order in which they came.
    pub touches: Vec<Touch>,
    /// In the order in which they came.
    pub bodies: Vec<Body>,
}

impl Presence {
    /// Nobody there.
    pub fn is_empty(&self) -> bool {
        self.touches.is_empty() && self.bodies.is_empty()
    }
}
