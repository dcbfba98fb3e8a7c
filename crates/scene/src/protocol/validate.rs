//! Validates a display list from the untrusted scene process before it is drawn.

use super::display_list::{BasicShape, DisplayList, Dot, DrawItem, Gradient, IndexRange, Paint, Trail};
use crate::limits::{
    CLIPS_MAX, DOTS_MAX, GRADIENT_STOPS_MAX, GRADIENTS_MAX, ITEMS_MAX, PARAMS_MAX, POINTS_MAX, RETAINED_LAYERS_MAX,
    SHADERS_MAX, TEXT_MAX, TRAILS_MAX,
};

/// Largest coordinate; larger ones lie outside every canvas and would only cause overflow.
const COORDINATE_MAX: f32 = 1e6;

fn in_bounds(numbers: &[f32]) -> bool {
    numbers.iter().all(|number| number.is_finite() && number.abs() <= COORDINATE_MAX)
}

/// A group that was opened and not yet closed.
#[derive(Clone, Copy, PartialEq)]
enum OpenGroup {
    Clip,
    Trail,
    /// A group beyond the limits. Its content is dropped, because it would appear in the wrong place.
    Dropped,
}

impl OpenGroup {
    fn closing_item(self) -> Option<DrawItem> {
        match self {
            Self::Clip => Some(DrawItem::Unclip),
            Self::Trail => Some(DrawItem::Untrail),
            Self::Dropped => None,
        }
    }
}

impl DisplayList {
    /// Returns the display list without the parts that exceed the limits. The result can be drawn, whatever a scene
    /// process sent.
    ///
    /// `shaders`: size in bytes of each shader's parameters. `images`: number of images.
    pub fn validated(mut self, shaders: &[usize], images: usize) -> Self {
        self.gradients.truncate(GRADIENTS_MAX);
        for gradient in &mut self.gradients {
            gradient.sanitize();
        }
        let gradients = self.gradients.len();
        self.items.truncate(ITEMS_MAX);
        self.points.truncate(POINTS_MAX);
        self.params.truncate(PARAMS_MAX);
        self.text.truncate(self.text.floor_char_boundary(TEXT_MAX));
        self.dots.truncate(DOTS_MAX);
        self.dots.retain(Dot::is_valid);
        self.kept.clear();
        let (mut layers, mut clips) = (0, 0);
        // Each covers the whole canvas and is drawn once.
        let (mut trails, mut kept) = ([false; TRAILS_MAX], [false; RETAINED_LAYERS_MAX]);
        let mut open: Vec<OpenGroup> = Vec::new();
        let Self { items, points, text, params, dots, .. } = &mut self;
        let paint_ok = |paint: &Paint| {
            in_bounds(&[paint.width, paint.soft])
                && paint.width >= 0.0
                && paint.soft >= 0.0
                && paint.gradients.iter().all(|gradient| usize::from(*gradient) <= gradients)
        };
        let text_ok = |range: &IndexRange| {
            range.fits_in(text.len())
                && text.is_char_boundary(range.start as usize)
                && text.is_char_boundary((range.start + range.count) as usize)
        };
        // Each item stays within the limits, and so does their sum: a thousand items may refer to the same points.
        let (mut points_left, mut text_left) = (POINTS_MAX, TEXT_MAX);
        let within = |left: &mut usize, count: u32| left.checked_sub(count as usize).map(|rest| *left = rest).is_some();
        let mut line_ok = |range: &IndexRange| {
            range.fits_in(points.len())
                && range.slice(points).iter().all(|point| in_bounds(point))
                && within(&mut points_left, range.count)
        };
        let mut dots_left = DOTS_MAX;
        items.retain_mut(|item| match item {
            DrawItem::Unclip => close_group(&mut open, &[OpenGroup::Clip, OpenGroup::Dropped]) == Some(OpenGroup::Clip),
            DrawItem::Untrail => {
                close_group(&mut open, &[OpenGroup::Trail, OpenGroup::Dropped]) == Some(OpenGroup::Trail)
            }
            _ if open.last() == Some(&OpenGroup::Dropped) => false,
            DrawItem::Clip { rings, .. } => {
                clips += 1;
                rings.retain(|ring| ring.count > 2 && line_ok(ring));
                if open.contains(&OpenGroup::Clip) {
                    return false;
                }
                open.push(if clips <= CLIPS_MAX { OpenGroup::Clip } else { OpenGroup::Dropped });
                clips <= CLIPS_MAX
            }
            DrawItem::Trail { slot, trail, alpha, .. } => {
                let first = trails.get_mut(usize::from(*slot)).is_some_and(|seen| !std::mem::replace(seen, true));
                let sound = first && trail.is_valid() && (0.0..=1.0).contains(alpha);
                if open.contains(&OpenGroup::Trail) {
                    return false;
                }
                open.push(if sound { OpenGroup::Trail } else { OpenGroup::Dropped });
                sound
            }
            DrawItem::Kept { slot, alpha, .. } => {
                let first = kept.get_mut(usize::from(*slot)).is_some_and(|seen| !std::mem::replace(seen, true));
                first && (0.0..=1.0).contains(alpha)
            }
            DrawItem::Dots { dots: range, soft, .. } => {
                range.fits_in(dots.len()) && (0.0..=1.0).contains(soft) && within(&mut dots_left, range.count)
            }
            DrawItem::Background(_) => open.is_empty(),
            DrawItem::Shape { shape, transform, paint } => {
                in_bounds(transform)
                    && paint_ok(paint)
                    && match shape {
                        BasicShape::Ellipse(radii) => in_bounds(radii) && radii.iter().all(|radius| *radius >= 0.0),
                        BasicShape::Rect(sides) => in_bounds(sides) && sides.iter().all(|side| *side >= 0.0),
                    }
            }
            DrawItem::Line { points, paint, .. } | DrawItem::Polygon { points, paint } => {
                line_ok(points) && paint_ok(paint)
            }
            DrawItem::Text { text, size, language, transform, paint, weight, wrap, leading, .. } => {
                text_ok(text)
                    && text_ok(language)
                    && in_bounds(transform)
                    && paint_ok(paint)
                    && (0.5..=4_000.0).contains(size)
                    && (1..=1_000).contains(weight)
                    && (0.0..=COORDINATE_MAX).contains(wrap)
                    && (0.2..=10.0).contains(leading)
                    && within(&mut text_left, text.count.saturating_add(language.count))
            }
            DrawItem::Image { index, part, size, transform, paint } => {
                usize::from(*index) < images
                    && part.iter().all(|edge| (0.0..=1.0).contains(edge))
                    && in_bounds(size)
                    && size.iter().all(|side| *side >= 0.0)
                    && in_bounds(transform)
                    && paint_ok(paint)
            }
            DrawItem::Shader { index, params: range, .. } => {
                layers += 1;
                layers <= SHADERS_MAX
                    && range.fits_in(params.len())
                    && shaders.get(usize::from(*index)).is_some_and(|size| *size == range.count as usize)
            }
        });
        let ends: Vec<DrawItem> = open.iter().rev().filter_map(|opened| opened.closing_item()).collect();
        self.items.truncate(ITEMS_MAX - ends.len());
        self.items.extend(ends);
        self
    }
}

/// Closes the group that was opened last, if it is one of these.
fn close_group(open: &mut Vec<OpenGroup>, these: &[OpenGroup]) -> Option<OpenGroup> {
    open.pop_if(|last| these.contains(last))
}

impl Trail {
    fn is_valid(&self) -> bool {
        let Self { fade, drift, grow, turn, round } = *self;
        in_bounds(&[fade, drift[0], drift[1], grow, turn, round[0], round[1]])
            && fade >= 0.05
            && (0.01..=100.0).contains(&grow)
    }
}

impl Dot {
    fn is_valid(&self) -> bool {
        in_bounds(&[self.at[0], self.at[1]]) && (0.0..=4_000.0).contains(&self.radius)
    }
}

impl Gradient {
    /// Corrects the gradient so that it can be drawn.
    fn sanitize(&mut self) {
        self.stops.truncate(GRADIENT_STOPS_MAX);
        self.stops.retain(|(at, _)| (0.0..=1.0).contains(at));
        self.stops.sort_by(|a, b| a.0.total_cmp(&b.0));
        if !in_bounds(&self.place) {
            self.place = [0.0; 6];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BlendMode, Colour, GradientKind, TextAlign};

    #[test]
    fn all_items_together_stay_within_the_bounds() {
        let paint = Paint::default();
        let line = DrawItem::Line { points: IndexRange { start: 0, count: 1_000 }, closed: false, paint };
        let picture = DisplayList { items: vec![line; 5_000], points: vec![[0.0; 2]; 1_000], ..DisplayList::default() };
        assert_eq!(picture.validated(&[], 0).items.len(), POINTS_MAX / 1_000);
    }

    #[test]
    fn what_a_liar_sends_is_taken_out() {
        let paint = Paint::default();
        let far = IndexRange { start: u32::MAX, count: u32::MAX };
        let at = |x| [1.0, 0.0, 0.0, 1.0, x, 0.0];
        let circle = |x| DrawItem::Shape { shape: BasicShape::Ellipse([1.0, 1.0]), transform: at(x), paint };
        let text = |text, size| DrawItem::Text {
            text,
            size,
            align: TextAlign::Left,
            language: IndexRange { start: 0, count: 0 },
            weight: 400,
            wrap: 0.0,
            leading: 1.3,
            transform: at(0.0),
            paint,
        };
        let shader =
            |index, count| DrawItem::Shader { index, params: IndexRange { start: 0, count }, blend: BlendMode::Over };
        let good = [circle(5.0), text(IndexRange { start: 0, count: 3 }, 20.0), shader(0, 4)];
        let mut items = good.to_vec();
        items.extend([
            circle(f32::NAN),
            circle(f32::INFINITY),
            circle(1e30),
            DrawItem::Shape { shape: BasicShape::Rect([-1.0, 5.0, 0.0]), transform: at(0.0), paint },
            DrawItem::Line { points: far, closed: true, paint },
            DrawItem::Polygon { points: IndexRange { start: 0, count: 2 }, paint },
            text(far, 20.0),
            text(IndexRange { start: 1, count: 1 }, 20.0),
            text(IndexRange { start: 0, count: 3 }, f32::NAN),
            shader(1, 4),
            shader(0, 5),
        ]);
        let picture = DisplayList {
            items,
            points: vec![[0.0, 0.0], [f32::NAN, 0.0]],
            text: "庭".into(),
            params: vec![0; 8],
            ..DisplayList::default()
        };
        assert_eq!(picture.validated(&[4], 0).items, good);
    }

    #[test]
    fn gradients_and_images_that_are_not_there_are_not_used() {
        let at = [1.0, 0.0, 0.0, 1.0, 5.0, 5.0];
        let image = |index, part| DrawItem::Image {
            index,
            part,
            size: [9.0, 9.0],
            transform: at,
            paint: Paint { fill: Colour([255; 4]), ..Paint::default() },
        };
        let dot = |gradient| DrawItem::Shape {
            shape: BasicShape::Ellipse([1.0, 1.0]),
            transform: at,
            paint: Paint { gradients: [gradient, 0], ..Paint::default() },
        };
        let whole = [0.0, 0.0, 1.0, 1.0];
        let items = vec![image(1, whole), image(2, whole), image(0, [0.0, f32::NAN, 1.0, 1.0]), dot(1), dot(2), dot(0)];
        let stops = vec![(0.9, Colour([9; 4])), (f32::NAN, Colour::CLEAR), (0.1, Colour([1; 4])), (2.0, Colour::CLEAR)];
        let gradient = Gradient { along: GradientKind::Line, place: [f32::INFINITY; 6], stops };
        let left = DisplayList { items, gradients: vec![gradient], ..DisplayList::default() }.validated(&[], 2);
        assert_eq!(left.items, [image(1, whole), dot(1), dot(0)]);
        let gradient = &left.gradients[0];
        assert_eq!((gradient.stops.len(), gradient.place), (2, [0.0; 6]));
        assert_eq!([0.0, 0.1, 1.0].map(|at| gradient.colour_at(at).0[0]), [1, 1, 9]);
    }

    #[test]
    fn clips_come_in_pairs_whatever_is_sent() {
        let circle = DrawItem::Shape {
            shape: BasicShape::Ellipse([1.0, 1.0]),
            transform: [1.0, 0.0, 0.0, 1.0, 0.0, 0.0],
            paint: Paint::default(),
        };
        let clip = |rings: &[(u32, u32)]| DrawItem::Clip {
            rings: rings.iter().map(|(start, count)| IndexRange { start: *start, count: *count }).collect(),
            inside: true,
        };
        let checked = |items: Vec<DrawItem>| {
            let points = vec![[0.0, 0.0], [9.0, 0.0], [0.0, 9.0], [f32::NAN, 0.0]];
            DisplayList { items, points, ..DisplayList::default() }.validated(&[], 0).items
        };
        let good = vec![clip(&[(0, 3)]), circle.clone(), DrawItem::Unclip];
        assert_eq!(checked(good.clone()), good);
        // Invalid rings are dropped; the clip stays, or its content would cover everything.
        let rings = clip(&[(1, 3), (0, 2), (0, 3), (u32::MAX, 9), (0, u32::MAX)]);
        assert_eq!(checked(vec![rings, circle.clone(), DrawItem::Unclip]), good);
        // Nested clips, a surplus end, a background inside a clip, and a missing end.
        let background = DrawItem::Background(Colour::CLEAR);
        let wild = vec![DrawItem::Unclip, clip(&[(0, 3)]), background, clip(&[]), circle.clone()];
        assert_eq!(checked(wild), good);
        let many = (0..CLIPS_MAX + 9).flat_map(|_| good.clone()).chain([circle.clone()]).collect();
        let left = checked(many);
        assert_eq!((left.len(), left.last()), (3 * CLIPS_MAX + 1, Some(&circle)));
        let full = std::iter::once(clip(&[])).chain(vec![circle; 2 * ITEMS_MAX]).collect();
        let left = checked(full);
        assert_eq!((left.len(), left.last()), (ITEMS_MAX, Some(&DrawItem::Unclip)));
    }
}
