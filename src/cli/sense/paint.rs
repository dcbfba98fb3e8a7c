//! A picture in memory with all that is seen drawn over it: grey from the camera, colours from us.

use super::Look;
use super::font;
use super::marks::{Colour, Mark, colour_of};
use crate::presence::Point;

/// A canvas of pixels: red, green, blue, row by row.
#[derive(Debug, Default)]
pub(super) struct Painter {
    pub(super) size: [usize; 2],
    pub(super) rgb: Vec<u8>,
}

impl Painter {
    /// Begins anew with the picture in grey; where people are, in their colours, unless that is not wanted.
    pub(super) fn begin(&mut self, look: &Look, tint: bool) {
        self.size = look.size;
        self.rgb.clear();
        self.rgb.extend(look.y.iter().flat_map(|y| [*y; 3]));
        let mask = &look.seen.mask;
        let [width, height] = look.size;
        if !tint || mask.width == 0 || mask.height == 0 {
            return;
        }
        // The mask belongs to the picture shrunk by a whole number.
        let factor = (width / mask.width).max(1) as i32;
        let colours: Vec<Colour> = look.seen.figures.iter().map(|figure| colour_of(figure.id)).collect();
        for y in 0..height {
            let Some(row) = whole(y as i32 - look.seen.shift[1], factor, mask.height) else { continue };
            for x in 0..width {
                let Some(column) = whole(x as i32 - look.seen.shift[0], factor, mask.width) else { continue };
                let owner = mask.pixels.get(row * mask.width + column).copied().unwrap_or(0);
                let Some(colour) = usize::from(owner).checked_sub(1).and_then(|index| colours.get(index)) else {
                    continue;
                };
                let at = 3 * (y * width + x);
                for (to, part) in self.rgb[at..at + 3].iter_mut().zip(colour) {
                    *to = ((u16::from(*to) * 5 + u16::from(*part) * 3) / 8) as u8;
                }
            }
        }
    }

    /// Draws over it.
    pub(super) fn draw(&mut self, marks: &[Mark]) {
        for mark in marks {
            match mark {
                Mark::Line { points, closed, wide, colour } => {
                    let last = if *closed { points.len() } else { points.len().saturating_sub(1) };
                    for at in 0..last {
                        self.line(points[at], points[(at + 1) % points.len()], *wide, *colour);
                    }
                }
                Mark::Dot { at, radius, colour } => self.dot(*at, *radius, *colour),
                Mark::Text { at, text, colour } => {
                    let scale = self.scale();
                    let wide = (text.chars().count() * (font::SIZE[0] + 1) * scale) as f32;
                    self.text([at[0] - wide / 2.0, at[1] - (font::SIZE[1] * scale) as f32], text, *colour);
                }
            }
        }
    }

    /// A line of text in the top left corner.
    pub(super) fn note(&mut self, text: &str) {
        self.text([6.0, 6.0], text, [255; 3]);
    }

    /// Pixels of a letter's dot.
    fn scale(&self) -> usize {
        (self.size[1] / 220).clamp(1, 8)
    }

    fn dot_at(&mut self, x: i64, y: i64, colour: Colour) {
        let [width, height] = self.size;
        if let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y))
            && x < width
            && y < height
        {
            let at = 3 * (y * width + x);
            self.rgb[at..at + 3].copy_from_slice(&colour);
        }
    }

    fn line(&mut self, from: Point, to: Point, wide: bool, colour: Colour) {
        let Some([from, to]) = self.clip(from, to) else { return };
        let (dx, dy) = (to[0] - from[0], to[1] - from[1]);
        let steps = dx.abs().max(dy.abs()).ceil().max(1.0);
        for step in 0..=steps as usize {
            let part = step as f32 / steps;
            let [x, y] = [(from[0] + dx * part).floor() as i64, (from[1] + dy * part).floor() as i64];
            self.dot_at(x, y, colour);
            if wide {
                // A second dot beside it, across the way of the line.
                if dx.abs() > dy.abs() { self.dot_at(x, y + 1, colour) } else { self.dot_at(x + 1, y, colour) }
            }
        }
    }

    /// The part of a line that may be seen (Liang and Barsky).
    fn clip(&self, from: Point, to: Point) -> Option<[Point; 2]> {
        let mut part = [0.0_f32, 1.0];
        for axis in 0..2 {
            let way = to[axis] - from[axis];
            for (least, sign) in [(-2.0, 1.0), (self.size[axis] as f32 + 2.0, -1.0)] {
                let (room, step) = (sign * (from[axis] - least), sign * way);
                if step == 0.0 && room < 0.0 {
                    return None;
                }
                let at = -room / step;
                if step > 0.0 {
                    part[0] = part[0].max(at);
                } else if step < 0.0 {
                    part[1] = part[1].min(at);
                }
            }
        }
        let at = |part: f32| [from[0] + (to[0] - from[0]) * part, from[1] + (to[1] - from[1]) * part];
        let ends = [at(part[0]), at(part[1])];
        // From far away little of a number is left for where it is.
        let inside = |point: &Point| (0..2).all(|axis| (-4.0..=self.size[axis] as f32 + 4.0).contains(&point[axis]));
        (part[0] <= part[1] && ends.iter().all(inside)).then_some(ends)
    }

    fn dot(&mut self, at: Point, radius: f32, colour: Colour) {
        let radius = radius.clamp(0.5, 16.0);
        let [left, top] = at.map(|axis| (axis - radius).floor() as i64);
        for y in top..=top.saturating_add(2 * radius.ceil() as i64 + 1) {
            for x in left..=left.saturating_add(2 * radius.ceil() as i64 + 1) {
                if (x as f32 + 0.5 - at[0]).hypot(y as f32 + 0.5 - at[1]) <= radius {
                    self.dot_at(x, y, colour);
                }
            }
        }
    }

    /// Text from its top left corner, with a dark ground.
    fn text(&mut self, at: Point, text: &str, colour: Colour) {
        let scale = self.scale() as i64;
        let [mut left, top] = at.map(|axis| axis as i64);
        for letter in text.chars() {
            let dots = font::dots(letter);
            for y in -1..=font::SIZE[1] as i64 {
                for x in -1..=font::SIZE[0] as i64 {
                    let row = usize::try_from(y).ok().and_then(|y| dots.get(y)).copied().unwrap_or(0);
                    let lit = (0..3).contains(&x) && row >> (2 - x) & 1 == 1;
                    let inner = (0..scale * scale).map(|i| (i % scale, i / scale));
                    for (dx, dy) in inner {
                        let [px, py] = [left.saturating_add(x * scale + dx), top.saturating_add(y * scale + dy)];
                        self.dot_at(px, py, if lit { colour } else { [0; 3] });
                    }
                }
            }
            left = left.saturating_add((font::SIZE[0] as i64 + 1) * scale);
        }
    }

    /// The three planes of YUV4MPEG2: whole brightness, colours of half the sides. Grey stays as it came.
    pub(super) fn planes(&self, planes: &mut [Vec<u8>; 3]) {
        let [width, height] = self.size;
        let [y, u, v] = planes;
        y.clear();
        y.extend(
            self.rgb
                .chunks_exact(3)
                .map(|p| ((77 * u32::from(p[0]) + 150 * u32::from(p[1]) + 29 * u32::from(p[2]) + 128) >> 8) as u8),
        );
        u.clear();
        v.clear();
        for row in (0..height).step_by(2) {
            for column in (0..width).step_by(2) {
                let mut sum = [0_i32; 3];
                let mut count = 0;
                for y in row..(row + 2).min(height) {
                    for x in column..(column + 2).min(width) {
                        let at = 3 * (y * width + x);
                        sum.iter_mut().zip(&self.rgb[at..at + 3]).for_each(|(sum, part)| *sum += i32::from(*part));
                        count += 1;
                    }
                }
                let [r, g, b] = sum.map(|sum| sum / count);
                u.push((128 + ((-43 * r - 85 * g + 128 * b) >> 8)).clamp(0, 255) as u8);
                v.push((128 + ((128 * r - 107 * g - 21 * b) >> 8)).clamp(0, 255) as u8);
            }
        }
    }
}

/// The place in a mask of `count` rows or columns, if it is there.
fn whole(at: i32, factor: i32, count: usize) -> Option<usize> {
    usize::try_from(at.div_euclid(factor)).ok().filter(|at| *at < count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sense::{Figure, Mask, Seen};
    use std::time::Duration;

    fn painted(seen: &Seen, tint: bool) -> Painter {
        let grey: Vec<u8> = (0..16 * 8).map(|at| at as u8).collect();
        let look = Look { number: 1, at: Duration::ZERO, y: &grey, size: [16, 8], seen, ms: 1.0 };
        let mut painter = Painter::default();
        painter.begin(&look, tint);
        painter
    }

    #[test]
    fn people_are_tinted_where_they_are() {
        let mut pixels = vec![0; 8 * 4];
        pixels[2 * 8 + 3] = 1;
        // Of nobody who is told of.
        pixels[0] = 200;
        let mask = Mask { width: 8, height: 4, pixels };
        let seen = Seen { figures: vec![Figure::default()], mask, shift: [1, -1], ..Seen::default() };
        let (with, without) = (painted(&seen, true), painted(&seen, false));
        let changed: Vec<usize> =
            (0..16 * 8).filter(|at| with.rgb[3 * at..3 * at + 3] != without.rgb[3 * at..3 * at + 3]).collect();
        assert_eq!(changed, [3 * 16 + 7, 3 * 16 + 8, 4 * 16 + 7, 4 * 16 + 8]);
    }

    #[test]
    fn whatever_is_drawn_stays_in_the_picture() {
        let mut painter = painted(&Seen::default(), true);
        let far = [0.0, -1e30, 1e30, 7.5, f32::MAX, -3.0];
        let colour = [255, 0, 0];
        for x in far {
            for y in far {
                let line = |closed| Mark::Line { points: vec![[x, y], [y, x], [3.0, 3.0]], closed, wide: true, colour };
                let marks = [line(true), line(false), Mark::Dot { at: [x, y], radius: 9.0, colour }];
                painter.draw(&marks);
                painter.draw(&[Mark::Text { at: [x, y], text: "12 ×3?".into(), colour }]);
            }
        }
        painter.note("1.25 ms");
        assert_eq!(painter.rgb.len(), 3 * 16 * 8);
        let mut thin = painted(&Seen::default(), false);
        thin.draw(&[Mark::Line { points: vec![[-100.0, 3.5], [100.0, 3.5]], closed: false, wide: false, colour }]);
        assert!((0..16).all(|x| thin.rgb[3 * (3 * 16 + x)..][..3] == colour), "all of the row");
        assert_eq!(thin.rgb.chunks(3).filter(|pixel| *pixel == colour).count(), 16, "and nothing else");
    }

    #[test]
    fn grey_stays_as_it_came() {
        let painter = painted(&Seen::default(), true);
        let mut planes = Default::default();
        painter.planes(&mut planes);
        assert!(planes[0].iter().enumerate().all(|(at, y)| usize::from(*y) == at), "{:?}", planes[0]);
        assert_eq!((planes[1].len(), planes[2].len()), (32, 32));
        assert!(planes[1].iter().chain(&planes[2]).all(|part| *part == 128 || *part == 127), "{:?}", planes[1]);
    }
}
