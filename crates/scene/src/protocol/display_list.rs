//! Display list of one frame: flat and bounded, so that it can be sent and drawn as it is.

use super::colour::Colour;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Affine map from an item's own units to the canvas: `x' = a x + c y + e`, `y' = b x + d y + f`, as `[a b c d e f]`.
pub type Affine = [f32; 6];

/// Range in a display list's points, text, parameters or dots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexRange {
    /// Index of the first element.
    pub start: u32,
    /// Number of elements.
    pub count: u32,
}

impl IndexRange {
    /// Returns this range of `of`; empty if it is out of bounds.
    pub fn slice<T>(self, of: &[T]) -> &[T] {
        let start = self.start as usize;
        of.get(start..start.saturating_add(self.count as usize)).unwrap_or(&[])
    }

    pub(super) fn fits_in(self, len: usize) -> bool {
        (self.start as usize).saturating_add(self.count as usize) <= len
    }
}

/// Blend mode of an item's colours with the content below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum BlendMode {
    /// Covers the content below.
    #[default]
    Over,
    /// Adds light.
    Add,
    /// Darkens, like ink on paper.
    Multiply,
    /// Lightens, like two projectors on one wall.
    Screen,
    /// The lighter of both, channel by channel.
    Lighten,
    /// The darker of both, channel by channel.
    Darken,
}

/// Fill pattern, so that the two cities differ even without colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum FillPattern {
    /// A uniform area.
    #[default]
    Plain,
    /// Slanting lines.
    Lines,
    /// Dots in rows.
    Dots,
}

/// Direction in which the colours of a gradient change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum GradientKind {
    /// Along a line: by the first coordinate in the gradient's space.
    Line,
    /// Outwards from a point: by the distance in the gradient's space.
    Radius,
    /// Around a point, clockwise from the right: by the angle in the gradient's space.
    Angle,
}

/// Colour gradient, mixed in OKLab.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gradient {
    /// Direction of the gradient.
    pub along: GradientKind,
    /// Transform from canvas units to the gradient's own space, in which it runs from 0 to 1.
    pub place: Affine,
    /// Positions from 0 to 1, ascending, and their colours.
    pub stops: Vec<(f32, Colour)>,
}

/// Fill and stroke.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Paint {
    /// Fill colour.
    pub fill: Colour,
    /// Stroke colour; half of the width lies on each side of the edge.
    pub stroke: Colour,
    /// Stroke width in the item's units.
    pub width: f32,
    /// Width of the soft edge in the item's units; 0 is sharp.
    pub soft: f32,
    /// Blend mode.
    pub blend: BlendMode,
    /// Pattern of the fill.
    pub pattern: FillPattern,
    /// Gradients that replace the colours of the fill and the stroke, whose alpha still applies. Indices into the
    /// display list's gradients, from 1; 0 is none.
    pub gradients: [u8; 2],
}

/// Shape with a size.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum BasicShape {
    /// Ellipse around the origin, by its radii.
    Ellipse([f32; 2]),
    /// Rectangle from the origin, by width, height and corner radius.
    Rect([f32; 3]),
}

/// Horizontal text alignment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum TextAlign {
    /// The left end is at the position.
    #[default]
    Left,
    /// The middle is at the position.
    Center,
    /// The right end is at the position.
    Right,
}

/// One item to draw.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum DrawItem {
    /// Fills the canvas with one colour.
    Background(Colour),
    /// Shape with a size.
    Shape {
        /// The shape.
        shape: BasicShape,
        /// Position and transform.
        transform: Affine,
        /// Fill and stroke.
        paint: Paint,
    },
    /// Line through points, in canvas units.
    Line {
        /// Range of the display list's points.
        points: IndexRange,
        /// Joins the last point to the first.
        closed: bool,
        /// Stroke; the fill is unused.
        paint: Paint,
    },
    /// Filled polygon, in canvas units.
    Polygon {
        /// Range of the display list's points.
        points: IndexRange,
        /// Fill, and stroke along the edge.
        paint: Paint,
    },
    /// Text, positioned by its baseline.
    Text {
        /// Range of the display list's text, in bytes.
        text: IndexRange,
        /// Height of the em square, in the item's units.
        size: f32,
        /// Alignment to the position.
        align: TextAlign,
        /// Language tag, as a range of the display list's text: Han characters look different in each language.
        language: IndexRange,
        /// Font weight: 400 is normal, 700 is bold.
        weight: u16,
        /// Maximum line length in the item's units; 0 does not wrap.
        wrap: f32,
        /// Line height as a multiple of the size.
        leading: f32,
        /// Position and transform.
        transform: Affine,
        /// Colour and blend mode; only the fill is used.
        paint: Paint,
    },
    /// Image of the installation, or a part of it.
    Image {
        /// Index of the image, in the order of file names.
        index: u16,
        /// Part of the image, as fractions: left, top, right, bottom.
        part: [f32; 4],
        /// Width and height.
        size: [f32; 2],
        /// Position of the top left corner, and transform.
        transform: Affine,
        /// Colour that multiplies the image, and blend mode; only the fill is used.
        paint: Paint,
    },
    /// Full canvas, painted by a shader.
    Shader {
        /// Index of the shader, in the order of file names.
        index: u16,
        /// Range of the display list's parameters: the content of `Params`.
        params: IndexRange,
        /// Blend mode.
        blend: BlendMode,
    },
    /// Clips all items until the next `Unclip` to the union of these polygons, or to its outside. The inside of no
    /// polygons is empty.
    ///
    /// In a validated display list, clips are not nested, each is closed, and none contains a background.
    Clip {
        /// Ranges of the display list's points, one per polygon.
        rings: Vec<IndexRange>,
        /// True to draw inside, false to draw outside.
        inside: bool,
    },
    /// Ends the clip.
    Unclip,
    /// Round dots.
    Dots {
        /// Range of the display list's dots.
        dots: IndexRange,
        /// Soft fraction of a dot's radius: 0 is sharp, 1 fades over the whole radius.
        soft: f32,
        /// Blend mode.
        blend: BlendMode,
    },
    /// Draws all items until the next `Untrail` into a separate image that persists and fades, and shows that image
    /// here.
    ///
    /// In a validated display list, trails are not nested and each is closed.
    Trail {
        /// Slot of the trail; its image persists between display lists.
        slot: u8,
        /// Change of the image over time.
        trail: Trail,
        /// Opacity, 0 to 1.
        alpha: f32,
        /// Blend mode.
        blend: BlendMode,
    },
    /// Ends the trail.
    Untrail,
    /// Shows a retained layer, with the updates of this frame.
    Kept {
        /// Slot of the layer.
        slot: u8,
        /// Opacity, 0 to 1.
        alpha: f32,
        /// Blend mode.
        blend: BlendMode,
    },
}

/// Change of a trail from frame to frame.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Trail {
    /// Seconds until a tenth of it is left; at least 0.05.
    pub fade: f32,
    /// Movement in canvas units a second.
    pub drift: [f32; 2],
    /// Growth factor per second.
    pub grow: f32,
    /// Rotation in radians a second, clockwise.
    pub turn: f32,
    /// Centre of growth and rotation, in canvas units.
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

/// Items to draw in one frame, and the inputs that the frame reflects.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct DisplayList {
    /// Number of the `FrameInput` that this answers.
    pub answers: u64,
    /// Number of the last input that this reflects.
    pub reflects: u64,
    /// Items from the bottom up.
    pub items: Vec<DrawItem>,
    /// Canvas units.
    pub points: Vec<[f32; 2]>,
    /// All texts, concatenated.
    pub text: String,
    /// All shader parameters, concatenated.
    pub params: Vec<u8>,
    /// Gradients in use.
    pub gradients: Vec<Gradient>,
    /// All dots, concatenated.
    pub dots: Vec<Dot>,
    /// Retained layers by slot, for `DrawItem::Kept`. The receiver of a scene's display lists sets them, see
    /// [`RetainedLayerSet`](crate::RetainedLayerSet).
    #[serde(skip)]
    pub kept: Vec<Arc<RetainedLayer>>,
}

/// A retained layer, as it is shown.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RetainedLayer {
    /// Changes when an item is removed: the layer is then redrawn from the first item.
    pub generation: u64,
    /// Display lists to draw, in this order. Within one generation, the list only grows.
    pub strokes: Vec<Arc<DisplayList>>,
}

impl DisplayList {
    /// Returns the text of a range; empty if it is out of bounds.
    pub fn text_slice(&self, range: IndexRange) -> &str {
        self.text.get(range.start as usize..(range.start as usize).saturating_add(range.count as usize)).unwrap_or("")
    }
}

impl Gradient {
    /// Returns the colour at a position from 0 to 1.
    pub fn colour_at(&self, at: f32) -> Colour {
        let after = self.stops.partition_point(|(stop, _)| *stop <= at);
        match (self.stops.get(after.wrapping_sub(1)), self.stops.get(after)) {
            (Some((from, before)), Some((to, next))) => before.mix_oklab(*next, (at - from) / (to - from)),
            (Some((_, colour)), None) | (None, Some((_, colour))) => *colour,
            (None, None) => Colour::CLEAR,
        }
    }
}
