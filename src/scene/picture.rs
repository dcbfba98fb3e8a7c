//! What is to be seen: flat, bounded, checked. It comes from a process that may lie.

use super::colour::Colour;
use super::{CLIPS_MAX, GRADIENTS_MAX, ITEMS_MAX, PARAMS_MAX, POINTS_MAX, SHADERS_MAX, STOPS_MAX, TEXT_MAX};
use serde::{Deserialize, Serialize};

/// An affine map from an item's own units to the canvas: `x' = a x + c y + e`, `y' = b x + d y + f`, as `[a b c d e f]`.
pub type Transform = [f32; 6];

/// A run of a picture's points, texts or parameters: where it begins and how long it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// Index of the first.
    pub start: u32,
    /// How many.
    pub count: u32,
}

impl Range {
    /// The part of `of` that this names; nothing if it does not lie within.
    pub fn of<T>(self, of: &[T]) -> &[T] {
        let start = self.start as usize;
        of.get(start..start.saturating_add(self.count as usize)).unwrap_or(&[])
    }

    fn lies_within(self, len: usize) -> bool {
        (self.start as usize).saturating_add(self.count as usize) <= len
    }
}

/// How an item's colours meet what is below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Blend {
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
pub enum Pattern {
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
pub enum Along {
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
    pub along: Along,
    /// From canvas units to the gradient's own, in which it runs from 0 to 1.
    pub place: Transform,
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
    pub blend: Blend,
    /// What the fill is made of.
    pub pattern: Pattern,
    /// Of the picture's gradients, counted from 1, those that are in place of the fill's colour and of the stroke's; of that
    /// colour the alpha is left. 0 is none.
    pub gradients: [u8; 2],
}

/// The outline of a shape with a size.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Shape {
    /// An ellipse round the origin, by its radii.
    Ellipse([f32; 2]),
    /// A rectangle from the origin by width, height and the radius of its corners.
    Rect([f32; 3]),
}

/// Which end of a text stands at its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Align {
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
pub enum Item {
    /// All of the canvas in one colour.
    Background(Colour),
    /// A shape with a size.
    Shape {
        /// Its outline.
        shape: Shape,
        /// Where it is.
        transform: Transform,
        /// How it looks.
        paint: Paint,
    },
    /// A line through points, in canvas units.
    Line {
        /// Of the picture's points.
        points: Range,
        /// The last point is joined to the first.
        closed: bool,
        /// Its stroke; the fill is not used.
        paint: Paint,
    },
    /// A filled polygon, in canvas units.
    Polygon {
        /// Of the picture's points.
        points: Range,
        /// Its fill and the stroke along its edge.
        paint: Paint,
    },
    /// A line of text; its place is on the baseline.
    Text {
        /// Of the picture's text, in bytes.
        text: Range,
        /// Height of the letters' em square, in its own units.
        size: f32,
        /// Which end stands at the place.
        align: Align,
        /// The language, of the picture's text: han characters look different in each.
        language: Range,
        /// How heavy the letters are: 400 is normal, 700 is bold.
        weight: u16,
        /// Lines are broken so that they are no longer than this, in the item's units; 0 breaks none.
        wrap: f32,
        /// From one baseline to the next, as a multiple of the size.
        leading: f32,
        /// Where it is.
        transform: Transform,
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
        transform: Transform,
        /// What it is multiplied with, and how it meets what is below; the fill is used.
        paint: Paint,
    },
    /// All of the canvas, painted by a shader.
    Shader {
        /// Which of the installation's shaders, in the order of their file names.
        index: u16,
        /// Of the picture's parameters: what its `Params` hold.
        params: Range,
        /// How it meets what is below.
        blend: Blend,
    },
    /// Until the next `Unclip`, only what lies within the union of these polygons is drawn, or only what lies outside of
    /// it. Without polygons there is no inside. In a checked picture none stands within another, each has its end, and no
    /// background is within.
    Clip {
        /// Of the picture's points: one polygon each.
        rings: Vec<Range>,
        /// What is inside is drawn; else what is outside.
        inside: bool,
    },
    /// All of the canvas is drawn on again.
    Unclip,
}

/// What is to be seen, and which inputs it reflects.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Picture {
    /// The number of the `Sees` that it answers.
    pub answers: u64,
    /// The number of the last input that it reflects.
    pub reflects: u64,
    /// From the bottom up.
    pub items: Vec<Item>,
    /// Canvas units.
    pub points: Vec<[f32; 2]>,
    /// All texts, one after the other.
    pub text: String,
    /// All shader parameters, one after the other.
    pub params: Vec<u8>,
    /// The gradients that are used.
    pub gradients: Vec<Gradient>,
}

/// Coordinates beyond this are no part of any canvas, and would only make numbers overflow.
const FAR: f32 = 1e6;

fn sane(numbers: &[f32]) -> bool {
    numbers.iter().all(|number| number.is_finite() && number.abs() <= FAR)
}

/// Whether what comes next is clipped.
#[derive(Clone, Copy, PartialEq)]
enum Clipped {
    Not,
    Open,
    /// The clip was one too many, and so is what is within it.
    Dropped,
}

impl Picture {
    /// A picture with all that does not lie within the bounds taken out; `shaders` is how many there are, and how many
    /// bytes each one's parameters have, `images` is how many of those there are. Whatever a scene process sent, the result
    /// can be drawn.
    pub fn checked(mut self, shaders: &[usize], images: usize) -> Self {
        self.gradients.truncate(GRADIENTS_MAX);
        for gradient in &mut self.gradients {
            gradient.check();
        }
        let gradients = self.gradients.len();
        self.items.truncate(ITEMS_MAX);
        self.points.truncate(POINTS_MAX);
        self.params.truncate(PARAMS_MAX);
        self.text.truncate(self.text.floor_char_boundary(TEXT_MAX));
        let mut layers = 0;
        let (mut clips, mut clip) = (0, Clipped::Not);
        let Self { items, points, text, params, .. } = &mut self;
        let paint_ok = |paint: &Paint| {
            sane(&[paint.width, paint.soft])
                && paint.width >= 0.0
                && paint.soft >= 0.0
                && paint.gradients.iter().all(|gradient| usize::from(*gradient) <= gradients)
        };
        let text_ok = |range: &Range| {
            range.lies_within(text.len())
                && text.is_char_boundary(range.start as usize)
                && text.is_char_boundary((range.start + range.count) as usize)
        };
        // Each within the bounds, and all together too: a thousand items may name the same points.
        let (mut points_left, mut text_left) = (POINTS_MAX, TEXT_MAX);
        let within = |left: &mut usize, count: u32| left.checked_sub(count as usize).map(|rest| *left = rest).is_some();
        let mut line_ok = |range: &Range| {
            range.lies_within(points.len())
                && range.of(points).iter().all(|point| sane(point))
                && within(&mut points_left, range.count)
        };
        items.retain_mut(|item| match item {
            Item::Clip { rings, .. } => {
                // What is within a clip too many would cover all of the canvas: it is not drawn.
                clips += 1;
                let opens = clip == Clipped::Not && clips <= CLIPS_MAX;
                clip = if opens || clip == Clipped::Open { Clipped::Open } else { Clipped::Dropped };
                rings.retain(|ring| ring.count > 2 && line_ok(ring));
                opens
            }
            Item::Unclip => std::mem::replace(&mut clip, Clipped::Not) == Clipped::Open,
            _ if clip == Clipped::Dropped => false,
            Item::Background(_) => clip == Clipped::Not,
            Item::Shape { shape, transform, paint } => {
                sane(transform)
                    && paint_ok(paint)
                    && match shape {
                        Shape::Ellipse(radii) => sane(radii) && radii.iter().all(|radius| *radius >= 0.0),
                        Shape::Rect(sides) => sane(sides) && sides.iter().all(|side| *side >= 0.0),
                    }
            }
            Item::Line { points, paint, .. } | Item::Polygon { points, paint } => line_ok(points) && paint_ok(paint),
            Item::Text { text, size, language, transform, paint, weight, wrap, leading, .. } => {
                text_ok(text)
                    && text_ok(language)
                    && sane(transform)
                    && paint_ok(paint)
                    && (0.5..=4_000.0).contains(size)
                    && (1..=1_000).contains(weight)
                    && (0.0..=FAR).contains(wrap)
                    && (0.2..=10.0).contains(leading)
                    && within(&mut text_left, text.count.saturating_add(language.count))
            }
            Item::Image { index, part, size, transform, paint } => {
                usize::from(*index) < images
                    && part.iter().all(|edge| (0.0..=1.0).contains(edge))
                    && sane(size)
                    && size.iter().all(|side| *side >= 0.0)
                    && sane(transform)
                    && paint_ok(paint)
            }
            Item::Shader { index, params: range, .. } => {
                layers += 1;
                layers <= SHADERS_MAX
                    && range.lies_within(params.len())
                    && shaders.get(usize::from(*index)).is_some_and(|size| *size == range.count as usize)
            }
        });
        if clip == Clipped::Open {
            self.items.truncate(ITEMS_MAX - 1);
            self.items.push(Item::Unclip);
        }
        self
    }

    /// The text that an item names.
    pub fn text(&self, range: Range) -> &str {
        self.text.get(range.start as usize..(range.start as usize).saturating_add(range.count as usize)).unwrap_or("")
    }
}

impl Gradient {
    /// Makes it one that can be drawn, whatever it was.
    fn check(&mut self) {
        self.stops.truncate(STOPS_MAX);
        self.stops.retain(|(at, _)| (0.0..=1.0).contains(at));
        self.stops.sort_by(|a, b| a.0.total_cmp(&b.0));
        if !sane(&self.place) {
            self.place = [0.0; 6];
        }
    }

    /// The colour at `at`, from 0 to 1.
    pub fn at(&self, at: f32) -> Colour {
        let after = self.stops.partition_point(|(stop, _)| *stop <= at);
        match (self.stops.get(after.wrapping_sub(1)), self.stops.get(after)) {
            (Some((from, before)), Some((to, next))) => before.mixed(*next, (at - from) / (to - from)),
            (Some((_, colour)), None) | (None, Some((_, colour))) => *colour,
            (None, None) => Colour::CLEAR,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_items_together_stay_within_the_bounds() {
        let paint = Paint::default();
        let line = Item::Line { points: Range { start: 0, count: 1_000 }, closed: false, paint };
        let picture = Picture { items: vec![line; 5_000], points: vec![[0.0; 2]; 1_000], ..Picture::default() };
        assert_eq!(picture.checked(&[], 0).items.len(), POINTS_MAX / 1_000);
    }

    #[test]
    fn what_a_liar_sends_is_taken_out() {
        let paint = Paint::default();
        let far = Range { start: u32::MAX, count: u32::MAX };
        let at = |x| [1.0, 0.0, 0.0, 1.0, x, 0.0];
        let circle = |x| Item::Shape { shape: Shape::Ellipse([1.0, 1.0]), transform: at(x), paint };
        let text = |text, size| Item::Text {
            text,
            size,
            align: Align::Left,
            language: Range { start: 0, count: 0 },
            weight: 400,
            wrap: 0.0,
            leading: 1.3,
            transform: at(0.0),
            paint,
        };
        let shader = |index, count| Item::Shader { index, params: Range { start: 0, count }, blend: Blend::Over };
        let good = [circle(5.0), text(Range { start: 0, count: 3 }, 20.0), shader(0, 4)];
        let mut items = good.to_vec();
        items.extend([
            circle(f32::NAN),
            circle(f32::INFINITY),
            circle(1e30),
            Item::Shape { shape: Shape::Rect([-1.0, 5.0, 0.0]), transform: at(0.0), paint },
            Item::Line { points: far, closed: true, paint },
            Item::Polygon { points: Range { start: 0, count: 2 }, paint },
            text(far, 20.0),
            text(Range { start: 1, count: 1 }, 20.0),
            text(Range { start: 0, count: 3 }, f32::NAN),
            shader(1, 4),
            shader(0, 5),
        ]);
        let picture = Picture {
            items,
            points: vec![[0.0, 0.0], [f32::NAN, 0.0]],
            text: "庭".into(),
            params: vec![0; 8],
            ..Picture::default()
        };
        assert_eq!(picture.checked(&[4], 0).items, good);
    }

    #[test]
    fn gradients_and_images_that_are_not_there_are_not_used() {
        let at = [1.0, 0.0, 0.0, 1.0, 5.0, 5.0];
        let image = |index, part| Item::Image {
            index,
            part,
            size: [9.0, 9.0],
            transform: at,
            paint: Paint { fill: Colour([255; 4]), ..Paint::default() },
        };
        let dot = |gradient| Item::Shape {
            shape: Shape::Ellipse([1.0, 1.0]),
            transform: at,
            paint: Paint { gradients: [gradient, 0], ..Paint::default() },
        };
        let whole = [0.0, 0.0, 1.0, 1.0];
        let items = vec![image(1, whole), image(2, whole), image(0, [0.0, f32::NAN, 1.0, 1.0]), dot(1), dot(2), dot(0)];
        let stops = vec![(0.9, Colour([9; 4])), (f32::NAN, Colour::CLEAR), (0.1, Colour([1; 4])), (2.0, Colour::CLEAR)];
        let gradient = Gradient { along: Along::Line, place: [f32::INFINITY; 6], stops };
        let left = Picture { items, gradients: vec![gradient], ..Picture::default() }.checked(&[], 2);
        assert_eq!(left.items, [image(1, whole), dot(1), dot(0)]);
        let gradient = &left.gradients[0];
        assert_eq!((gradient.stops.len(), gradient.place), (2, [0.0; 6]));
        assert_eq!([0.0, 0.1, 1.0].map(|at| gradient.at(at).0[0]), [1, 1, 9]);
    }

    #[test]
    fn clips_come_in_pairs_whatever_is_sent() {
        let circle = Item::Shape {
            shape: Shape::Ellipse([1.0, 1.0]),
            transform: [1.0, 0.0, 0.0, 1.0, 0.0, 0.0],
            paint: Paint::default(),
        };
        let clip = |rings: &[(u32, u32)]| Item::Clip {
            rings: rings.iter().map(|(start, count)| Range { start: *start, count: *count }).collect(),
            inside: true,
        };
        let checked = |items: Vec<Item>| {
            let points = vec![[0.0, 0.0], [9.0, 0.0], [0.0, 9.0], [f32::NAN, 0.0]];
            Picture { items, points, ..Picture::default() }.checked(&[], 0).items
        };
        let good = vec![clip(&[(0, 3)]), circle.clone(), Item::Unclip];
        assert_eq!(checked(good.clone()), good);
        // Rings that are none are left out; the clip stays, or what is within would cover everything.
        let rings = clip(&[(1, 3), (0, 2), (0, 3), (u32::MAX, 9), (0, u32::MAX)]);
        assert_eq!(checked(vec![rings, circle.clone(), Item::Unclip]), good);
        // One within another, an end too many, a background within, an end that is missing.
        let background = Item::Background(Colour::CLEAR);
        let wild = vec![Item::Unclip, clip(&[(0, 3)]), background, clip(&[]), circle.clone()];
        assert_eq!(checked(wild), good);
        let many = (0..CLIPS_MAX + 9).flat_map(|_| good.clone()).chain([circle.clone()]).collect();
        let left = checked(many);
        assert_eq!((left.len(), left.last()), (3 * CLIPS_MAX + 1, Some(&circle)));
        let full = std::iter::once(clip(&[])).chain(vec![circle; 2 * ITEMS_MAX]).collect();
        let left = checked(full);
        assert_eq!((left.len(), left.last()), (ITEMS_MAX, Some(&Item::Unclip)));
    }
}
