//! What is to be seen: flat and bounded, so that it can be sent and drawn as it is.

use super::colour::Colour;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// An affine map from an item's own units to the canvas: `x' = a x + c y + e`, `y' = b x + d y + f`, as `[a b c d e f]`.
pub type Affine = [f32; 6];

/// A run of a picture's points, texts or parameters: where it begins and how long it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexRange {
    /// Index of the first.
    pub start: u32,
    /// How many.
    pub count: u32,
}

impl IndexRange {
    /// The part of `of` that this names; nothing if it does not lie within.
    pub fn slice<T>(self, of: &[T]) -> &[T] {
        let start = self.start as usize;
        of.get(start..start.saturating_add(self.count as usize)).unwrap_or(&[])
    }

    pub(super) fn fits_in(self, len: usize) -> bool {
        (self.start as usize).saturating_add(self.count as usize) <= len
    }
}

/// How an item's colours meet what is below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum BlendMode {
    /// Covers it.
    #[default]
    Over,
    /// Adds light to it.
    Add,
    /// Darkens it, as ink on paper does.
    Multiply,
    /// Lightens it, as two projectors on one wall do.
    Screen,
    /// The lighter of both, channel by channel.
    Lighten,
    /// The darker of both, channel by channel.
    Darken,
}

/// What an area is made of, so that here and there differ without colour too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum FillPattern {
    /// One even area.
    #[default]
    Plain,
    /// Slanting lines.
    Lines,
    /// Dots in rows.
    Dots,
}

/// Along what the colours of a gradient run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum GradientKind {
    /// A line: the first number of its place.
    Line,
    /// Outwards from a point: the length of its place.
    Radius,
    /// Round a point, clockwise from the right: the angle of its place.
    Angle,
}

/// Colours that pass into each other; mixed in OKLab.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gradient {
    /// Along what they run.
    pub along: GradientKind,
    /// From canvas units to the gradient's own, in which it runs from 0 to 1.
    pub place: Affine,
    /// Colours and where they are, ascending, from 0 to 1.
    pub stops: Vec<(f32, Colour)>,
}

/// Fill and stroke.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Paint {
    /// Inside.
    pub fill: Colour,
    /// Along the edge, half of the width to each side.
    pub stroke: Colour,
    /// Width of the stroke in the item's units.
    pub width: f32,
    /// Over how many units the edge fades out; 0 is sharp.
    pub soft: f32,
    /// How it meets what is below.
    pub blend: BlendMode,
    /// What the fill is made of.
    pub pattern: FillPattern,
    /// Of the picture's gradients, counted from 1, those that are in place of the fill's colour and of the stroke's; of that
    /// colour the alpha is left. 0 is none.
    pub gradients: [u8; 2],
}

/// The outline of a shape with a size.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum BasicShape {
    /// An ellipse round the origin, by its radii.
    Ellipse([f32; 2]),
    /// A rectangle from the origin by width, height and the radius of its corners.
    Rect([f32; 3]),
}

/// Which end of a text stands at its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum TextAlign {
    /// Where reading starts on the left.
    #[default]
    Left,
    /// The middle.
    Center,
    /// The right end.
    Right,
}

/// One thing that is drawn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum DrawItem {
    /// All of the canvas in one colour.
    Background(Colour),
    /// A shape with a size.
    Shape {
        /// Its outline.
        shape: BasicShape,
        /// Where it is.
        transform: Affine,
        /// How it looks.
        paint: Paint,
    },
    /// A line through points, in canvas units.
    Line {
        /// Of the picture's points.
        points: IndexRange,
        /// The last point is joined to the first.
        closed: bool,
        /// Its stroke; the fill is not used.
        paint: Paint,
    },
    /// A filled polygon, in canvas units.
    Polygon {
        /// Of the picture's points.
        points: IndexRange,
        /// Its fill and the stroke along its edge.
        paint: Paint,
    },
    /// A line of text; its place is on the baseline.
    Text {
        /// Of the picture's text, in bytes.
        text: IndexRange,
        /// Height of the letters' em square, in its own units.
        size: f32,
        /// Which end stands at the place.
        align: TextAlign,
        /// The language, of the picture's text: han characters look different in each.
        language: IndexRange,
        /// How heavy the letters are: 400 is normal, 700 is bold.
        weight: u16,
        /// Lines are broken so that they are no longer than this, in the item's units; 0 breaks none.
        wrap: f32,
        /// From one baseline to the next, as a multiple of the size.
        leading: f32,
        /// Where it is.
        transform: Affine,
        /// Colour and blending; the fill is used.
        paint: Paint,
    },
    /// An image of the installation, or a part of it.
    Image {
        /// Which of the installation's images, in the order of their file names.
        index: u16,
        /// The part of it, as fractions: left, top, right, bottom.
        part: [f32; 4],
        /// Width and height.
        size: [f32; 2],
        /// Where its left top corner is.
        transform: Affine,
        /// What it is multiplied with, and how it meets what is below; the fill is used.
        paint: Paint,
    },
    /// All of the canvas, painted by a shader.
    Shader {
        /// Which of the installation's shaders, in the order of their file names.
        index: u16,
        /// Of the picture's parameters: what its `Params` hold.
        params: IndexRange,
        /// How it meets what is below.
        blend: BlendMode,
    },
    /// Until the next `Unclip`, only what lies within the union of these polygons is drawn, or only what lies outside of
    /// it. Without polygons there is no inside. In a checked picture none stands within another, each has its end, and no
    /// background is within.
    Clip {
        /// Of the picture's points: one polygon each.
        rings: Vec<IndexRange>,
        /// What is inside is drawn; else what is outside.
        inside: bool,
    },
    /// All of the canvas is drawn on again.
    Unclip,
    /// Many round dots.
    Dots {
        /// Of the picture's dots.
        dots: IndexRange,
        /// Of a dot's radius, how much fades out: 0 is sharp, 1 is all of it.
        soft: f32,
        /// How they meet what is below.
        blend: BlendMode,
    },
    /// Until the next `Untrail`, what is drawn goes into a picture of its own, which stays and fades, and is seen here. In a
    /// checked picture none stands within another, and each has its end.
    Trail {
        /// Which one; each stays what it was in the picture before.
        slot: u8,
        /// What becomes of it with time.
        trail: Trail,
        /// How much of it is seen, 0 to 1.
        alpha: f32,
        /// How it meets what is below.
        blend: BlendMode,
    },
    /// What is drawn goes onto the canvas again.
    Untrail,
    /// What was kept in earlier pictures and in this one.
    Kept {
        /// Which one.
        slot: u8,
        /// How much of it is seen, 0 to 1.
        alpha: f32,
        /// How it meets what is below.
        blend: BlendMode,
    },
}

/// What becomes of a trail from picture to picture.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Trail {
    /// Seconds in which a tenth is left of it; at least 0.05.
    pub fade: f32,
    /// Canvas units that it moves in a second.
    pub drift: [f32; 2],
    /// By what factor it grows in a second.
    pub grow: f32,
    /// Radians that it turns in a second, clockwise.
    pub turn: f32,
    /// Round where it grows and turns, in canvas units.
    pub round: [f32; 2],
}

/// A round dot.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Dot {
    /// Canvas units.
    pub at: [f32; 2],
    /// Canvas units.
    pub radius: f32,
    /// Straight alpha.
    pub colour: Colour,
}

/// What is to be seen, and which inputs it reflects.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct DisplayList {
    /// The number of the `FrameInput` that it answers.
    pub answers: u64,
    /// The number of the last input that it reflects.
    pub reflects: u64,
    /// From the bottom up.
    pub items: Vec<DrawItem>,
    /// Canvas units.
    pub points: Vec<[f32; 2]>,
    /// All texts, one after the other.
    pub text: String,
    /// All shader parameters, one after the other.
    pub params: Vec<u8>,
    /// The gradients that are used.
    pub gradients: Vec<Gradient>,
    /// All dots, one after the other.
    pub dots: Vec<Dot>,
    /// What `DrawItem::Kept` means, by slot. Whoever reads pictures from a scene puts it there, see
    /// [`RetainedLayerSet`](super::KeptLayers).
    #[serde(skip)]
    pub kept: Vec<Arc<RetainedLayer>>,
}

/// A layer as it is to be shown.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RetainedLayer {
    /// Another number once something was taken out: the layer is then drawn from the first stroke on.
    pub generation: u64,
    /// What is drawn, in this order. Of one generation it only grows.
    pub strokes: Vec<Arc<DisplayList>>,
}

impl DisplayList {
    /// The text that an item names.
    pub fn text_slice(&self, range: IndexRange) -> &str {
        self.text.get(range.start as usize..(range.start as usize).saturating_add(range.count as usize)).unwrap_or("")
    }
}

impl Gradient {
    /// The colour at `at`, from 0 to 1.
    pub fn colour_at(&self, at: f32) -> Colour {
        let after = self.stops.partition_point(|(stop, _)| *stop <= at);
        match (self.stops.get(after.wrapping_sub(1)), self.stops.get(after)) {
            (Some((from, before)), Some((to, next))) => before.mix_oklab(*next, (at - from) / (to - from)),
            (Some((_, colour)), None) | (None, Some((_, colour))) => *colour,
            (None, None) => Colour::CLEAR,
        }
    }
}
