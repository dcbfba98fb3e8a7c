//! Outline metrics against masks: overlap with the person, and jitter of the edge.

use moongate_core::presence::Point;
use std::collections::{BTreeMap, HashMap};

/// Set of pixels.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PixelMask {
    left: i32,
    top: i32,
    width: usize,
    height: usize,
    inside: Vec<bool>,
    area: usize,
}

impl PixelMask {
    /// Creates a mask of the pixels that are not 0 in a box of `width` by `height`.
    /// The first pixel of the box is at `place`.
    /// It is empty if the number of bytes differs from that.
    pub fn from_mask(place: [i32; 2], [width, height]: [usize; 2], mask: &[u8]) -> Self {
        if width.checked_mul(height) != Some(mask.len()) {
            return Self::default();
        }
        let inside: Vec<bool> = mask.iter().map(|byte| *byte != 0).collect();
        let area = inside.iter().filter(|inside| **inside).count();
        Self { left: place[0], top: place[1], width, height, inside, area }
    }

    /// Creates a mask of the image's pixels whose centres lie in a closed polygon, by the even-odd rule.
    /// A pixel's position is its corner; its centre is half a pixel from it.
    pub fn from_polygon(polygon: &[Point], [width, height]: [usize; 2]) -> Self {
        if polygon.len() < 3 || polygon.iter().flatten().any(|number| !number.is_finite()) {
            return Self::default();
        }
        let low = |axis: usize| polygon.iter().map(|point| point[axis]).fold(f32::INFINITY, f32::min);
        let high = |axis: usize| polygon.iter().map(|point| point[axis]).fold(f32::NEG_INFINITY, f32::max);
        // The conversion saturates: parts outside of the image are cut off.
        let [left, top] = [(low(0).floor() as usize).min(width), (low(1).floor() as usize).min(height)];
        let [right, bottom] = [(high(0).ceil() as usize).min(width), (high(1).ceil() as usize).min(height)];
        let [across, down] = [right.saturating_sub(left), bottom.saturating_sub(top)];
        let mut mask = vec![0; across * down];
        let mut crossings: Vec<f32> = vec![];
        for (row, line) in mask.chunks_exact_mut(across.max(1)).enumerate() {
            let y = (top + row) as f32 + 0.5;
            crossings.clear();
            for (at, [x0, y0]) in polygon.iter().enumerate() {
                let [x1, y1] = polygon[(at + 1) % polygon.len()];
                if (*y0 <= y) != (y1 <= y) {
                    crossings.push(x0 + (y - y0) / (y1 - y0) * (x1 - x0));
                }
            }
            crossings.sort_unstable_by(f32::total_cmp);
            for pair in crossings.chunks_exact(2) {
                let [from, to] =
                    [pair[0], pair[1]].map(|x| ((x - 0.5).ceil().max(left as f32) as usize).min(right) - left);
                line[from..to.max(from)].fill(1);
            }
        }
        Self::from_mask([left as i32, top as i32], [across, down], &mask)
    }

    /// Returns a mask for each label of a label image with `width` pixels per row; 0 is the background.
    pub fn from_labels(labels: &[u8], width: usize) -> BTreeMap<u8, Self> {
        let width = width.max(1);
        // Left, top, right and bottom of each.
        let mut bounds = [[usize::MAX, usize::MAX, 0, 0]; 256];
        for (y, row) in labels.chunks_exact(width).enumerate() {
            for (x, label) in row.iter().enumerate().filter(|(_, label)| **label != 0) {
                let [left, top, right, bottom] = &mut bounds[usize::from(*label)];
                (*left, *top) = ((*left).min(x), (*top).min(y));
                (*right, *bottom) = ((*right).max(x + 1), (*bottom).max(y + 1));
            }
        }
        let found = (1..=u8::MAX).zip(&bounds[1..]).filter(|(_, bounds)| bounds[2] > 0);
        found
            .map(|(label, [left, top, right, bottom])| {
                let rows = labels.chunks_exact(width).skip(*top).take(bottom - top);
                let mask: Vec<u8> =
                    rows.flat_map(|row| &row[*left..*right]).map(|own| u8::from(*own == label)).collect();
                (label, Self::from_mask([*left as i32, *top as i32], [right - left, bottom - top], &mask))
            })
            .collect()
    }

    /// Returns the number of pixels.
    pub fn area(&self) -> usize {
        self.area
    }

    /// Returns left, top, width and height of the box in which the mask was created.
    pub fn bounds(&self) -> [f32; 4] {
        [self.left as f32, self.top as f32, self.width as f32, self.height as f32]
    }

    /// Returns the intersection over union, 0 to 1; 0 if both are empty.
    pub fn iou(&self, other: &Self) -> f64 {
        let both = self.intersection_area(other);
        both as f64 / (self.area + other.area - both).max(1) as f64
    }

    /// Returns the length of the edge in pixels.
    /// It counts the steps between inside and outside times π / 4, since a slanting edge has more steps than its length
    /// (Crofton's formula in two directions).
    pub fn perimeter(&self) -> f64 {
        let at = |x: usize, y: usize| x < self.width && y < self.height && self.inside[y * self.width + x];
        let mut steps = 0_usize;
        for y in 0..=self.height {
            for x in 0..=self.width {
                let here = at(x, y);
                steps += usize::from(here != (x > 0 && at(x - 1, y))) + usize::from(here != (y > 0 && at(x, y - 1)));
            }
        }
        steps as f64 * std::f64::consts::FRAC_PI_4
    }

    /// Returns the mean distance between the edges of two masks, in pixels.
    /// It is the area that only one of them covers, over the mean of their perimeters.
    pub fn edge_distance(&self, other: &Self) -> f64 {
        let differing = self.area + other.area - 2 * self.intersection_area(other);
        2.0 * differing as f64 / (self.perimeter() + other.perimeter()).max(1.0)
    }

    fn intersection_area(&self, other: &Self) -> usize {
        let far = |place: i32, size: usize| place.saturating_add_unsigned(u32::try_from(size).unwrap_or(u32::MAX));
        let [left, top] = [self.left.max(other.left), self.top.max(other.top)];
        let right = far(self.left, self.width).min(far(other.left, other.width));
        let bottom = far(self.top, self.height).min(far(other.top, other.height));
        if left >= right {
            return 0;
        }
        let rows = (top..bottom).map(|y| self.row(y, left, right).iter().zip(other.row(y, left, right)));
        rows.map(|row| row.filter(|(a, b)| **a && **b).count()).sum()
    }

    /// Returns a part of a row; all of it lies in the box.
    fn row(&self, y: i32, left: i32, right: i32) -> &[bool] {
        let begin = y.abs_diff(self.top) as usize * self.width + left.abs_diff(self.left) as usize;
        &self.inside[begin..][..right.abs_diff(left) as usize]
    }
}

/// Returns the IoU of an outline and one label of a label image with `width` pixels per row.
pub fn outline_iou(labels: &[u8], width: usize, label: u8, outline: &[Point]) -> f64 {
    let truth = PixelMask::from_labels(labels, width).remove(&label).unwrap_or_default();
    truth.iou(&PixelMask::from_polygon(outline, [width, labels.len() / width.max(1)]))
}

/// Person that was found in a frame.
#[derive(Debug, Clone)]
pub struct OutlineMatch {
    /// Id of the person in the ground truth.
    pub person: u32,
    /// Id of the track that matched.
    pub id: u32,
    /// True if the person stands still.
    pub still: bool,
    /// Visible pixels of the person.
    pub truth: PixelMask,
    /// Pixels that the outline encloses.
    pub seen: PixelMask,
}

/// Outline counts over all frames; scenes are added with [`OutlineCounts::add`].
#[derive(Debug, Clone, Default)]
pub struct OutlineCounts {
    pub(super) outlines: u64,
    pub(super) iou_sum: f64,
    pub(super) jitter_samples: u64,
    pub(super) seen_jitter: f64,
    pub(super) truth_jitter: f64,
    /// Matches of the previous frame with people who stood still, by person.
    previous: HashMap<u32, OutlineMatch>,
}

impl OutlineCounts {
    /// Counts one frame.
    /// Jitter is measured for people who stand still and have the same id in this frame and the last: the movement of
    /// the edge, and that of the true edge, since nobody stands perfectly still.
    pub fn add_frame(&mut self, found: impl IntoIterator<Item = OutlineMatch>) {
        let mut now = HashMap::new();
        for one in found {
            self.outlines += 1;
            self.iou_sum += one.truth.iou(&one.seen);
            if !one.still {
                continue;
            }
            if let Some(before) = self.previous.get(&one.person).filter(|before| before.id == one.id) {
                self.jitter_samples += 1;
                self.seen_jitter += one.seen.edge_distance(&before.seen);
                self.truth_jitter += one.truth.edge_distance(&before.truth);
            }
            now.insert(one.person, one);
        }
        self.previous = now;
    }

    /// Adds the counts of another scene.
    pub fn add(&mut self, other: &OutlineCounts) {
        self.outlines += other.outlines;
        self.iou_sum += other.iou_sum;
        self.jitter_samples += other.jitter_samples;
        self.seen_jitter += other.seen_jitter;
        self.truth_jitter += other.truth_jitter;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PICTURE: [usize; 2] = [40, 30];

    fn rectangle([left, top, width, height]: [f32; 4]) -> PixelMask {
        let [right, bottom] = [left + width, top + height];
        PixelMask::from_polygon(&[[left, top], [right, top], [right, bottom], [left, bottom]], PICTURE)
    }

    #[test]
    fn a_polygon_takes_the_pixels_whose_centres_it_holds() {
        let whole = rectangle([4.0, 5.0, 6.0, 3.0]);
        assert_eq!((whole.area(), whole.bounds()), (18, [4.0, 5.0, 6.0, 3.0]));
        // Half a pixel further: the centres of its left column are outside, those on the right inside.
        assert_eq!(rectangle([4.6, 5.0, 6.0, 3.0]).iou(&rectangle([5.0, 5.0, 6.0, 3.0])), 1.0);
        // Two sides of a square and its diagonal.
        let triangle = PixelMask::from_polygon(&[[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]], PICTURE);
        assert_eq!(triangle.area(), 45);
        // A bow tie by the even-odd rule: two triangles that meet in a point.
        let tie = PixelMask::from_polygon(&[[0.0, 0.0], [10.0, 10.0], [10.0, 0.0], [0.0, 10.0]], PICTURE);
        assert_eq!(tie.area(), 50);
    }

    #[test]
    fn what_is_outside_of_the_picture_is_cut_off() {
        assert_eq!(rectangle([-5.0, -5.0, 10.0, 10.0]).area(), 25);
        assert_eq!(rectangle([35.0, 25.0, 100.0, 1e9]).area(), 25);
        assert_eq!(rectangle([100.0, 100.0, 5.0, 5.0]).area(), 0);
        assert_eq!(rectangle([-100.0, -100.0, 5.0, 5.0]).area(), 0);
        assert_eq!(rectangle([f32::NAN, 0.0, 5.0, 5.0]).area(), 0);
        assert_eq!(PixelMask::from_polygon(&[[0.0, 0.0], [9.0, 9.0]], PICTURE).area(), 0);
    }

    #[test]
    fn labels_become_shapes() {
        let mut labels = vec![0; PICTURE[0] * PICTURE[1]];
        for y in 10..20 {
            labels[y * PICTURE[0] + 5..][..4].fill(7);
            labels[y * PICTURE[0] + 39] = 255;
        }
        let shapes = PixelMask::from_labels(&labels, PICTURE[0]);
        assert_eq!(shapes.keys().copied().collect::<Vec<_>>(), [7, 255]);
        assert_eq!(shapes[&7], rectangle([5.0, 10.0, 4.0, 10.0]));
        assert_eq!(shapes[&255].bounds(), [39.0, 10.0, 1.0, 10.0]);
        let outline = [[5.0, 10.0], [9.0, 10.0], [9.0, 15.0], [5.0, 15.0]];
        assert_eq!(outline_iou(&labels, PICTURE[0], 7, &outline), 0.5);
        assert_eq!(outline_iou(&labels, PICTURE[0], 8, &outline), 0.0);
    }

    #[test]
    fn overlap_and_distance_by_hand() {
        let one = rectangle([4.0, 4.0, 10.0, 10.0]);
        assert_eq!(one.iou(&rectangle([9.0, 4.0, 10.0, 10.0])), 50.0 / 150.0);
        assert_eq!(one.iou(&rectangle([30.0, 20.0, 5.0, 5.0])), 0.0);
        assert_eq!(one.iou(&PixelMask::default()), 0.0);
        assert_eq!(one.edge_distance(&one), 0.0);
        assert!((one.perimeter() - 40.0 * std::f64::consts::FRAC_PI_4).abs() < 1e-9);
        // A column on each side differs.
        assert_eq!(one.edge_distance(&rectangle([5.0, 4.0, 10.0, 10.0])), 20.0 / one.perimeter());
    }

    #[test]
    fn a_disc_that_grows_by_a_pixel_has_moved_by_one() {
        let disc = |radius: f32| {
            let point = |at: usize| (at as f32 / 90.0 * std::f32::consts::TAU).sin_cos();
            let points = (0..90).map(point).map(|(y, x)| [100.0 + radius * x, 100.0 + radius * y]);
            PixelMask::from_polygon(&points.collect::<Vec<_>>(), [200, 200])
        };
        assert!(
            (disc(60.0).perimeter() / (60.0 * std::f64::consts::TAU) - 1.0).abs() < 0.03,
            "{}",
            disc(60.0).perimeter()
        );
        let moved = disc(60.0).edge_distance(&disc(61.0));
        assert!((moved - 1.0).abs() < 0.05, "{moved}");
    }

    #[test]
    fn jitter_is_of_those_who_stand_still_under_one_id() {
        let one = |person, id, still, at: f32| OutlineMatch {
            person,
            id,
            still,
            truth: rectangle([4.0, 4.0, 10.0, 10.0]),
            seen: rectangle([4.0 + at, 4.0, 10.0, 10.0]),
        };
        let step = 20.0 / rectangle([4.0, 4.0, 10.0, 10.0]).perimeter();
        let mut outlines = OutlineCounts::default();
        outlines.add_frame([one(1, 5, true, 0.0), one(2, 6, false, 0.0), one(3, 7, true, 0.0)]);
        outlines.add_frame([one(1, 5, true, 1.0), one(2, 6, false, 3.0), one(3, 8, true, 3.0)]);
        assert_eq!(
            (outlines.outlines, outlines.jitter_samples, outlines.seen_jitter, outlines.truth_jitter),
            (6, 1, step, 0.0)
        );
        // Missing for a frame: the earlier match is no longer compared.
        outlines.add_frame([]);
        outlines.add_frame([one(1, 5, true, 3.0)]);
        assert_eq!(outlines.jitter_samples, 1);
    }
}
