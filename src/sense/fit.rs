//! Several people in one area: each is put where together they explain the mask best.

use super::person::{Bounds, Look, bounds, look, unlike};
use super::shade::PERHAPS;
use super::work::Plane;
use crate::presence::Point;

/// What a pixel is worth to the body that covers it: one of the mask that nobody else explains, one that is explained
/// already, one that may be shadow, one outside of the mask.
const WORTH: [i32; 4] = [10, 2, 6, -8];

/// A part of the picture in which bodies are fitted.
#[derive(Debug, Default)]
pub(super) struct Field {
    picture: [f32; 2],
    left: i32,
    top: i32,
    width: usize,
    height: usize,
    /// The kind of each mark, 0 where none is.
    mask: Vec<u8>,
    /// How many bodies cover a pixel.
    cover: Vec<u8>,
    /// Sums of worth from the top left corner, with a column and a row of zeros.
    sums: Vec<i32>,
}

impl Field {
    /// Takes the part of the picture within `area` with the kinds of marks that `of` tells.
    pub fn set(&mut self, area: Bounds, picture: [usize; 2], of: impl Fn(usize) -> u8) {
        let clamp = |value: f32, size: usize| (value.max(0.0) as usize).min(size);
        let (left, top) = (clamp(area[0], picture[0]), clamp(area[1], picture[1]));
        let (right, bottom) = (clamp(area[2].ceil(), picture[0]), clamp(area[3].ceil(), picture[1]));
        self.picture = picture.map(|side| side as f32);
        (self.left, self.top) = (left as i32, top as i32);
        (self.width, self.height) = (right.saturating_sub(left), bottom.saturating_sub(top));
        self.mask.clear();
        for y in top..top + self.height {
            self.mask.extend((left..left + self.width).map(|x| of(y * picture[0] + x)));
        }
        self.cover.clear();
        self.cover.resize(self.mask.len(), 0);
    }

    /// Counts everybody out.
    pub fn clear(&mut self) {
        self.cover.fill(0);
    }

    /// Sums up what pixels are worth now.
    pub fn sum(&mut self) {
        let stride = self.width + 1;
        self.sums.clear();
        self.sums.resize(stride * (self.height + 1), 0);
        for y in 0..self.height {
            let mut row = 0;
            for x in 0..self.width {
                let at = y * self.width + x;
                row += match (self.mask[at], self.cover[at]) {
                    (0, _) => WORTH[3],
                    (PERHAPS, 0) => WORTH[2],
                    (_, 0) => WORTH[0],
                    _ => WORTH[1],
                };
                self.sums[(y + 1) * stride + x + 1] = self.sums[y * stride + x + 1] + row;
            }
        }
    }

    /// A rectangle's worth. What lies outside of the field counts as outside of the mask, except beyond the picture.
    fn worth(&self, at: Bounds) -> i32 {
        let x = |value: f32| ((value.round() as i32 - self.left).max(0) as usize).min(self.width);
        let y = |value: f32| ((value.round() as i32 - self.top).max(0) as usize).min(self.height);
        let (left, top, right, bottom) = (x(at[0]), y(at[1]), x(at[2]), y(at[3]));
        if right <= left || bottom <= top {
            return 0;
        }
        let sum = |x: usize, y: usize| self.sums[y * (self.width + 1) + x];
        sum(right, bottom) - sum(left, bottom) - sum(right, top) + sum(left, top)
    }

    /// How well a body of that box would explain what is there: about 1 for a mask of just that body.
    pub fn explains(&self, foot: Point, size: Point) -> f32 {
        let [columns, rows] = self.picture;
        let seen =
            |p: &Bounds| (p[2].min(columns) - p[0].max(0.0)).max(0.0) * (p[3].min(rows) - p[1].max(0.0)).max(0.0);
        // Of whom hardly anything is in the picture, nothing is known.
        let area = parts(foot, size).iter().map(seen).sum::<f32>().max(0.08 * size[0] * size[1]);
        let worth: i32 = parts(foot, size).iter().map(|part| self.worth(*part)).sum();
        worth as f32 / WORTH[0] as f32 / area.max(1.0)
    }

    /// Counts a body in (`by` 1) or out (-1).
    pub fn cover(&mut self, foot: Point, size: Point, by: i8) {
        for part in parts(foot, size) {
            let x = |value: f32| ((value.round() as i32 - self.left).max(0) as usize).min(self.width);
            let y = |value: f32| ((value.round() as i32 - self.top).max(0) as usize).min(self.height);
            for row in y(part[1])..y(part[3]) {
                for pixel in &mut self.cover[row * self.width..][x(part[0])..x(part[2]).max(x(part[0]))] {
                    *pixel = pixel.saturating_add_signed(by);
                }
            }
        }
    }

    /// The best place for a body near `foot`: where, and how well it explains what is there.
    pub fn place(&self, seen: &Plane, foot: Point, size: Point, known: Option<&Look>, reach: f32) -> (Point, f32) {
        let mut best = (foot, f32::MIN, 0.0);
        let coarse = (reach / 3.0).max(1.0);
        let mut centre = foot;
        let mut span = reach;
        let mut step = coarse;
        loop {
            let count = (span / step).floor() as i32;
            for v in -count..=count {
                for u in -count..=count {
                    let at = [centre[0] + u as f32 * step, centre[1] + v as f32 * step];
                    let off = ((at[0] - foot[0]).powi(2) + (at[1] - foot[1]).powi(2)) / (reach * reach);
                    let explains = self.explains(at, size);
                    let most = explains - 0.12 * off;
                    if most <= best.1 {
                        continue;
                    }
                    let strange = known.map_or(0.0, |known| unlike(known, &look(seen, bounds(at, size))).min(1.0));
                    let score = most - 0.6 * strange;
                    if score > best.1 {
                        best = (at, score, explains);
                    }
                }
            }
            if step <= 1.0 {
                return (best.0, best.2);
            }
            (centre, span, step) = (best.0, step, (step / 3.0).max(1.0));
        }
    }

    /// Looks for a body that nobody explains yet; `size` is that of a usual one whose foot is in a row, and smaller ones are
    /// tried as well. The best place, its size, and how well it explains what is there.
    pub fn search(&self, size: impl Fn(f32) -> Point) -> Option<(Point, Point, f32)> {
        let mut best: Option<(Point, Point, f32, f32)> = None;
        let bottom = self.top as f32 + self.height as f32;
        // At the lower edge of the picture feet are below it.
        let below = if bottom >= self.picture[1] - 1.0 { (0.6 * size(bottom)[1]) as usize } else { 0 };
        for y in (self.height / 4..self.height + 1 + below).step_by(2) {
            let foot_y = self.top as f32 + y as f32;
            let usual = size(foot_y);
            for (scale, worth) in [(1.0, 1.0), (0.7, 0.7)] {
                let size = usual.map(|side| side * scale);
                for x in (0..self.width).step_by(2) {
                    let foot = [self.left as f32 + x as f32, foot_y];
                    let explains = self.explains(foot, size);
                    // A larger body that explains as much of itself explains more.
                    let score = explains * worth;
                    if best.is_none_or(|(_, _, _, before)| score > before) {
                        best = Some((foot, size, explains, score));
                    }
                }
            }
        }
        best.map(|(foot, size, explains, _)| (foot, size, explains))
    }
}

/// The shape of a usual body: a head over the rest.
fn parts(foot: Point, [width, height]: Point) -> [Bounds; 2] {
    let neck = foot[1] - 0.84 * height;
    [
        [foot[0] - 0.2 * width, foot[1] - height, foot[0] + 0.2 * width, neck],
        [foot[0] - 0.36 * width, neck, foot[0] + 0.36 * width, foot[1]],
    ]
}
