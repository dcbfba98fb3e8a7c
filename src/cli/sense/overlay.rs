//! Painter of annotations over a camera frame in memory: the frame in grey, the annotations in colour.

use super::AnalyzedFrame;
use super::annotations::{Annotation, Rgb, id_colour};
use super::font;
use crate::geometry::CameraPoint;

/// Canvas of RGB pixels, row by row.
#[derive(Debug, Default)]
pub(super) struct OverlayPainter {
    pub(super) size: [usize; 2],
    pub(super) rgb: Vec<u8>,
}

impl OverlayPainter {
    /// Starts a new frame in grey. With `tint`, people are tinted in the colours of their ids.
    pub(super) fn begin(&mut self, look: &AnalyzedFrame, tint: bool) {
        self.size = look.size;
        self.rgb.clear();
        self.rgb.extend(look.y.iter().flat_map(|y| [*y; 3]));
        let mask = &look.vision.mask;
        let [width, height] = look.size;
        if !tint || mask.width == 0 || mask.height == 0 {
            return;
        }
        // The mask has the frame's size divided by a whole number.
        let factor = (width / mask.width).max(1) as i32;
        let colours: Vec<Rgb> = look.vision.people.iter().map(|figure| id_colour(figure.id)).collect();
        for y in 0..height {
            let Some(row) = scaled_index(y as i32 - look.vision.shift[1], factor, mask.height) else { continue };
            for x in 0..width {
                let Some(column) = scaled_index(x as i32 - look.vision.shift[0], factor, mask.width) else { continue };
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

    /// Draws annotations over the frame.
    pub(super) fn draw(&mut self, marks: &[Annotation]) {
        for mark in marks {
            match mark {
                Annotation::Line { points, closed, wide, colour } => {
                    let last = if *closed { points.len() } else { points.len().saturating_sub(1) };
                    for at in 0..last {
                        self.draw_line(points[at], points[(at + 1) % points.len()], *wide, *colour);
                    }
                }
                Annotation::Dot { at, radius, colour } => self.draw_dot(*at, *radius, *colour),
                Annotation::Text { at, text, colour } => {
                    let scale = self.dot_size();
                    let wide = (text.chars().count() * (font::GLYPH_SIZE[0] + 1) * scale) as f32;
                    let high = (font::GLYPH_SIZE[1] * scale) as f32;
                    self.draw_text(CameraPoint::new(at.x - wide / 2.0, at.y - high), text, *colour);
                }
            }
        }
    }

    /// Draws a line of text in the top left corner.
    pub(super) fn draw_label(&mut self, text: &str) {
        self.draw_text(CameraPoint::new(6.0, 6.0), text, [255; 3]);
    }

    /// Returns the size of a glyph's dot, in pixels.
    fn dot_size(&self) -> usize {
        (self.size[1] / 220).clamp(1, 8)
    }

    fn put_pixels(&mut self, x: i64, y: i64, colour: Rgb) {
        let [width, height] = self.size;
        if let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y))
            && x < width
            && y < height
        {
            let at = 3 * (y * width + x);
            self.rgb[at..at + 3].copy_from_slice(&colour);
        }
    }

    fn draw_line(&mut self, from: CameraPoint, to: CameraPoint, wide: bool, colour: Rgb) {
        let Some([from, to]) = self.clip_line(from.to_array(), to.to_array()) else { return };
        let (dx, dy) = (to[0] - from[0], to[1] - from[1]);
        let steps = dx.abs().max(dy.abs()).ceil().max(1.0);
        for step in 0..=steps as usize {
            let part = step as f32 / steps;
            let [x, y] = [(from[0] + dx * part).floor() as i64, (from[1] + dy * part).floor() as i64];
            self.put_pixels(x, y, colour);
            if wide {
                // A second dot beside it, across the direction of the line, makes the line two pixels wide.
                if dx.abs() > dy.abs() { self.put_pixels(x, y + 1, colour) } else { self.put_pixels(x + 1, y, colour) }
            }
        }
    }

    /// Returns the visible part of a line (Liang and Barsky).
    fn clip_line(&self, from: [f32; 2], to: [f32; 2]) -> Option<[[f32; 2]; 2]> {
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
        // Very distant coordinates lose the precision that is needed for a position in the frame.
        let inside = |point: &[f32; 2]| (0..2).all(|axis| (-4.0..=self.size[axis] as f32 + 4.0).contains(&point[axis]));
        (part[0] <= part[1] && ends.iter().all(inside)).then_some(ends)
    }

    fn draw_dot(&mut self, at: CameraPoint, radius: f32, colour: Rgb) {
        let radius = radius.clamp(0.5, 16.0);
        let [left, top] = at.to_array().map(|axis| (axis - radius).floor() as i64);
        for y in top..=top.saturating_add(2 * radius.ceil() as i64 + 1) {
            for x in left..=left.saturating_add(2 * radius.ceil() as i64 + 1) {
                if (x as f32 + 0.5 - at.x).hypot(y as f32 + 0.5 - at.y) <= radius {
                    self.put_pixels(x, y, colour);
                }
            }
        }
    }

    /// Draws text from its top left corner on a dark background.
    fn draw_text(&mut self, at: CameraPoint, text: &str, colour: Rgb) {
        let scale = self.dot_size() as i64;
        let [mut left, top] = at.to_array().map(|axis| axis as i64);
        for letter in text.chars() {
            let dots = font::glyph_dots(letter);
            for y in -1..=font::GLYPH_SIZE[1] as i64 {
                for x in -1..=font::GLYPH_SIZE[0] as i64 {
                    let row = usize::try_from(y).ok().and_then(|y| dots.get(y)).copied().unwrap_or(0);
                    let lit = (0..3).contains(&x) && row >> (2 - x) & 1 == 1;
                    let inner = (0..scale * scale).map(|i| (i % scale, i / scale));
                    for (dx, dy) in inner {
                        let [px, py] = [left.saturating_add(x * scale + dx), top.saturating_add(y * scale + dy)];
                        self.put_pixels(px, py, if lit { colour } else { [0; 3] });
                    }
                }
            }
            left = left.saturating_add((font::GLYPH_SIZE[0] as i64 + 1) * scale);
        }
    }

    /// Converts to the three planes of YUV 4:2:0: full-size luma, half-size chroma. Grey pixels keep their value.
    pub(super) fn yuv_planes(&self, planes: &mut [Vec<u8>; 3]) {
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

/// Returns the index in a mask of `count` rows or columns, if it is within.
fn scaled_index(at: i32, factor: i32, count: usize) -> Option<usize> {
    usize::try_from(at.div_euclid(factor)).ok().filter(|at| *at < count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vision::{Mask, TrackedPerson, VisionOutput};
    use std::time::Duration;

    fn painted(seen: &VisionOutput, tint: bool) -> OverlayPainter {
        let grey: Vec<u8> = (0..16 * 8).map(|at| at as u8).collect();
        let look = AnalyzedFrame { number: 1, at: Duration::ZERO, y: &grey, size: [16, 8], vision: seen, ms: 1.0 };
        let mut painter = OverlayPainter::default();
        painter.begin(&look, tint);
        painter
    }

    #[test]
    fn people_are_tinted_where_they_are() {
        let mut pixels = vec![0; 8 * 4];
        pixels[2 * 8 + 3] = 1;
        // This mask pixel belongs to no reported person.
        pixels[0] = 200;
        let mask = Mask { width: 8, height: 4, pixels };
        let seen =
            VisionOutput { people: vec![TrackedPerson::default()], mask, shift: [1, -1], ..VisionOutput::default() };
        let (with, without) = (painted(&seen, true), painted(&seen, false));
        let changed: Vec<usize> =
            (0..16 * 8).filter(|at| with.rgb[3 * at..3 * at + 3] != without.rgb[3 * at..3 * at + 3]).collect();
        assert_eq!(changed, [3 * 16 + 7, 3 * 16 + 8, 4 * 16 + 7, 4 * 16 + 8]);
    }

    #[test]
    fn whatever_is_drawn_stays_in_the_picture() {
        let mut painter = painted(&VisionOutput::default(), true);
        let far = [0.0, -1e30, 1e30, 7.5, f32::MAX, -3.0];
        let colour = [255, 0, 0];
        for x in far {
            for y in far {
                let line = |closed| Annotation::Line {
                    points: [[x, y], [y, x], [3.0, 3.0]].map(CameraPoint::from).to_vec(),
                    closed,
                    wide: true,
                    colour,
                };
                let marks = [line(true), line(false), Annotation::Dot { at: [x, y].into(), radius: 9.0, colour }];
                painter.draw(&marks);
                painter.draw(&[Annotation::Text { at: [x, y].into(), text: "12 ×3?".into(), colour }]);
            }
        }
        painter.draw_label("1.25 ms");
        assert_eq!(painter.rgb.len(), 3 * 16 * 8);
        let mut thin = painted(&VisionOutput::default(), false);
        thin.draw(&[Annotation::Line {
            points: [[-100.0, 3.5], [100.0, 3.5]].map(CameraPoint::from).to_vec(),
            closed: false,
            wide: false,
            colour,
        }]);
        assert!((0..16).all(|x| thin.rgb[3 * (3 * 16 + x)..][..3] == colour), "all of the row");
        assert_eq!(thin.rgb.chunks(3).filter(|pixel| *pixel == colour).count(), 16, "and nothing else");
    }

    #[test]
    fn grey_stays_as_it_came() {
        let painter = painted(&VisionOutput::default(), true);
        let mut planes = Default::default();
        painter.yuv_planes(&mut planes);
        assert!(planes[0].iter().enumerate().all(|(at, y)| usize::from(*y) == at), "{:?}", planes[0]);
        assert_eq!((planes[1].len(), planes[2].len()), (32, 32));
        assert!(planes[1].iter().chain(&planes[2]).all(|part| *part == 128 || *part == 127), "{:?}", planes[1]);
    }
}
