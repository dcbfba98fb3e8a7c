//! Privacy mask: polygons of a camera's frame that are blackened before the frame is used.

use crate::presence::Point;

/// Luma of masked pixels: video black, which reveals nothing of the light there.
const BLACK: u8 = 16;

/// Polygons in fractions of the frame that are blackened in every frame.
#[derive(Debug, Clone, Default)]
pub struct PrivacyMask {
    polygons: Vec<Vec<Point>>,
    /// Size in pixels of the frames for which `runs` were computed.
    size: [usize; 2],
    /// Start and exclusive end of each run of masked pixels, row by row.
    runs: Vec<[usize; 2]>,
}

impl PrivacyMask {
    /// Creates a mask from the polygons of a site.
    pub fn new(polygons: Vec<Vec<Point>>) -> Self {
        Self { polygons, ..Self::default() }
    }

    /// Blackens the masked pixels of a frame, including those that are only partly covered.
    /// Allocates only when the size has changed.
    pub fn apply(&mut self, y: &mut [u8], [width, height]: [usize; 2]) {
        if self.polygons.is_empty() || width == 0 {
            return;
        }
        if self.size != [width, height] {
            self.size = [width, height];
            self.runs.clear();
            self.polygons.iter().for_each(|polygon| add_polygon_runs(polygon, [width, height], &mut self.runs));
        }
        for [from, to] in &self.runs {
            if let Some(run) = y.get_mut(*from..*to) {
                run.fill(BLACK);
            }
        }
    }
}

/// Adds the runs of pixels that a polygon covers, by the even-odd rule.
/// Tests along the upper edge, the lower edge and the middle of each row.
fn add_polygon_runs(polygon: &[Point], [width, height]: [usize; 2], runs: &mut Vec<[usize; 2]>) {
    let points: Vec<Point> = polygon.iter().map(|[x, y]| [x * width as f32, y * height as f32]).collect();
    if points.iter().flatten().any(|axis| !axis.is_finite()) {
        return;
    }
    let mut crossings: Vec<f32> = Vec::new();
    for row in 0..height {
        for line in [0.0, 0.5, 1.0] {
            let y = row as f32 + line;
            crossings.clear();
            for (at, [x0, y0]) in points.iter().enumerate() {
                let [x1, y1] = points[(at + 1) % points.len()];
                if (*y0 <= y) != (y1 <= y) {
                    crossings.push(x0 + (y - y0) / (y1 - y0) * (x1 - x0));
                }
            }
            crossings.sort_unstable_by(f32::total_cmp);
            for pair in crossings.chunks_exact(2) {
                // The conversion saturates: parts outside of the frame are cut off.
                let [from, to] =
                    [pair[0].floor() as usize, pair[1].ceil() as usize].map(|x| row * width + x.min(width));
                if from < to && runs.last() != Some(&[from, to]) {
                    runs.push([from, to]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed(polygons: &[&[Point]], size: [usize; 2]) -> Vec<u8> {
        let mut y = vec![200; size[0] * size[1]];
        PrivacyMask::new(polygons.iter().map(|polygon| polygon.to_vec()).collect()).apply(&mut y, size);
        y
    }

    #[test]
    fn nothing_of_a_window_is_left() {
        // A pixel that the window's edge crosses is masked too.
        let y = closed(&[&[[0.21, 0.31], [0.59, 0.31], [0.59, 0.69], [0.21, 0.69]]], [10, 10]);
        for (at, pixel) in y.iter().enumerate() {
            let inside = (2..6).contains(&(at % 10)) && (3..7).contains(&(at / 10));
            assert_eq!(*pixel, if inside { BLACK } else { 200 }, "{at}");
        }
    }

    #[test]
    fn a_slanted_window_is_covered_whole() {
        let polygon: &[Point] = &[[0.5, 0.1], [0.9, 0.5], [0.5, 0.9], [0.1, 0.5]];
        let y = closed(&[polygon], [100, 100]);
        // Every point within the diamond.
        for at in 0..1_000_000 {
            let [x, z] = [(at % 1_000) as f32 / 1_000.0, (at / 1_000) as f32 / 1_000.0];
            if (x - 0.5).abs() + (z - 0.5).abs() < 0.399 {
                let pixel = y[(z * 100.0) as usize * 100 + (x * 100.0) as usize];
                assert_eq!(pixel, BLACK, "{x} {z}");
            }
        }
        assert!(y.iter().filter(|pixel| **pixel == BLACK).count() < 3_600);
    }

    #[test]
    fn another_size_is_covered_too_and_what_is_no_polygon_does_no_harm() {
        let mut blinds = PrivacyMask::new(vec![
            vec![[0.5, 0.0], [1.0, 0.0], [1.0, 1.0], [0.5, 1.0]],
            vec![],
            vec![[f32::NAN; 2]; 3],
        ]);
        for [width, height] in [[8, 4], [16, 2], [0, 0], [7, 3]] {
            let mut y = vec![200; width * height];
            blinds.apply(&mut y, [width, height]);
            for row in y.chunks_exact(width.max(1)) {
                assert!(row[..width / 2].iter().all(|pixel| *pixel == 200), "{width}");
                assert!(row[width.div_ceil(2)..].iter().all(|pixel| *pixel == BLACK), "{width}");
            }
        }
        blinds.apply(&mut [200; 3], [7, 3]);
    }
}
