//! Flash detector: more than three flashes per second over a part of the field of view can cause seizures.
//! It follows WCAG 2.2, success criterion 2.3.1, with its definitions of general and red flashes and of relative
//! luminance.

use image::RgbaImage;
use std::collections::VecDeque;
use std::sync::LazyLock;
use std::time::Duration;

/// Columns and rows of cells of a frame; each is judged by its mean.
const CELLS: [usize; 2] = [48, 27];
/// Field of view in cells: a third of the frame's sides, as 341 × 256 of 1024 × 768 pixels.
const FIELD: [usize; 2] = [CELLS[0] / 3, CELLS[1] / 3];
/// Number of flashes in any second that is not allowed.
const TOO_MANY: usize = 4;
/// Minimum change of relative luminance that counts if the darker state is below `DARK`.
const STEP: f32 = 0.1;
const DARK: f32 = 0.8;
/// Change of (R − G − B) × 320 above which it counts if one of the states is saturated red.
const RED_STEP: f32 = 20.0;
const SATURATED: f32 = 0.8;
const SECOND: Duration = Duration::from_secs(1);

/// Place that flashes too often.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FlashViolation {
    /// Time since the first frame.
    pub at: Duration,
    /// Centre of the field, in fractions of the frame.
    pub place: [f32; 2],
    /// Share of the field that flashes.
    pub share: f32,
    /// True if saturated red flashes.
    pub red: bool,
}

/// Extremes of one value of a cell over time.
#[derive(Debug, Clone, Default)]
struct CellSignal {
    /// Last extreme, and the value since then that is farthest from it, each with whether it is saturated red.
    last_extreme: (f32, bool),
    peak: (f32, bool),
    known: bool,
    /// Changes that counted, within the last second.
    changes: VecDeque<Duration>,
}

/// Detector of flashes in consecutive frames.
#[derive(Debug)]
pub struct FlashDetector {
    /// Luminance and red of each cell.
    cells: Vec<[CellSignal; 2]>,
    worst: Option<FlashViolation>,
}

impl CellSignal {
    /// Adds the next value; `counts` returns whether the difference of two states is a change.
    fn push(&mut self, at: Duration, value: (f32, bool), counts: impl Fn((f32, bool), (f32, bool)) -> bool) {
        while self.changes.front().is_some_and(|before| at.saturating_sub(*before) >= SECOND) {
            self.changes.pop_front();
        }
        if !std::mem::replace(&mut self.known, true) {
            (self.last_extreme, self.peak) = (value, value);
            return;
        }
        let onwards = (self.peak.0 - self.last_extreme.0) * (value.0 - self.peak.0) >= 0.0;
        if onwards {
            self.peak = value;
            return;
        }
        // The direction has changed. The previous change counts once the reverse change does.
        if counts(self.peak, value) {
            if counts(self.last_extreme, self.peak) {
                self.changes.push_back(at);
            }
            (self.last_extreme, self.peak) = (self.peak, value);
        }
    }

    /// Returns the pairs of changes, up and down, within the last second; the current change counts as one.
    fn flash_count(&self) -> usize {
        self.changes.len().div_ceil(2)
    }
}

impl Default for FlashDetector {
    fn default() -> Self {
        Self { cells: vec![Default::default(); CELLS[0] * CELLS[1]], worst: None }
    }
}

impl FlashDetector {
    /// Adds the next frame, shown at a time since the first.
    pub fn push_frame(&mut self, at: Duration, picture: &RgbaImage) {
        for (cell, colour) in self.cells.iter_mut().zip(cell_means(picture)) {
            let [r, g, b] = colour;
            let luminance = 0.2126 * r + 0.7152 * g + 0.0722 * b;
            cell[0].push(at, (luminance, false), |a, b| (a.0 - b.0).abs() >= STEP && a.0.min(b.0) < DARK);
            let saturated = r + g + b > 0.0 && r / (r + g + b) >= SATURATED;
            let red = ((r - g - b) * 320.0).max(0.0);
            cell[1].push(at, (red, saturated), |a, b| (a.0 - b.0).abs() > RED_STEP && (a.1 || b.1));
        }
        for red in [false, true] {
            self.check_fields(at, red);
        }
    }

    /// Returns the worst violation, if any.
    pub fn worst(&self) -> Option<FlashViolation> {
        self.worst
    }

    fn check_fields(&mut self, at: Duration, red: bool) {
        let [columns, rows] = CELLS;
        let too_many: Vec<bool> =
            self.cells.iter().map(|cell| cell[usize::from(red)].flash_count() >= TOO_MANY).collect();
        if !too_many.contains(&true) {
            return;
        }
        let [wide, high] = FIELD;
        for top in 0..=rows - high {
            for left in 0..=columns - wide {
                let within =
                    (top..top + high).flat_map(|row| &too_many[row * columns + left..row * columns + left + wide]);
                let share = within.filter(|cell| **cell).count() as f32 / (wide * high) as f32;
                if share > 0.25 && self.worst.is_none_or(|worst| share > worst.share) {
                    let middle = |from: usize, side: usize, all: usize| (from as f32 + side as f32 / 2.0) / all as f32;
                    let place = [middle(left, wide, columns), middle(top, high, rows)];
                    self.worst = Some(FlashViolation { at, place, share, red });
                }
            }
        }
    }
}

/// Returns the mean colour of each cell, in linear light.
fn cell_means(picture: &RgbaImage) -> Vec<[f32; 3]> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let mut sums = vec![[0.0_f32; 4]; CELLS[0] * CELLS[1]];
    for (x, y, pixel) in picture.enumerate_pixels() {
        let sum = &mut sums[(y as usize * CELLS[1] / height) * CELLS[0] + x as usize * CELLS[0] / width];
        let [r, g, b, _] = pixel.0;
        for (part, value) in sum.iter_mut().zip([srgb_to_linear(r), srgb_to_linear(g), srgb_to_linear(b), 1.0]) {
            *part += value;
        }
    }
    sums.iter().map(|[r, g, b, count]| [r, g, b].map(|part| part / count.max(1.0))).collect()
}

/// Converts sRGB to linear light.
fn srgb_to_linear(value: u8) -> f32 {
    static ALL: LazyLock<[f32; 256]> = LazyLock::new(|| {
        std::array::from_fn(|value| {
            let value = value as f32 / 255.0;
            if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        })
    });
    ALL[usize::from(value)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgba;

    /// Two seconds at 60 frames per second, in which a part of the frame alternates `times` per second.
    fn watched(times: f64, share: f32, colours: [[u8; 3]; 2]) -> Option<FlashViolation> {
        let mut watch = FlashDetector::default();
        for frame in 0..120 {
            let on = (f64::from(frame) / 60.0 * times).fract() < 0.5;
            let [r, g, b] = colours[usize::from(on)];
            let picture = RgbaImage::from_fn(96, 54, |x, _| {
                if (x as f32) < 96.0 * share { Rgba([r, g, b, 255]) } else { Rgba([30, 30, 30, 255]) }
            });
            watch.push_frame(Duration::from_secs_f64(f64::from(frame) / 60.0), &picture);
        }
        watch.worst()
    }

    const BLACK_AND_WHITE: [[u8; 3]; 2] = [[0; 3], [255; 3]];

    #[test]
    fn more_than_three_flashes_a_second_are_too_many() {
        assert_eq!(watched(2.0, 1.0, BLACK_AND_WHITE), None);
        assert_eq!(watched(3.0, 1.0, BLACK_AND_WHITE), None);
        assert!(watched(5.0, 1.0, BLACK_AND_WHITE).is_some_and(|flashing| flashing.share > 0.9 && !flashing.red));
        assert!(watched(12.0, 0.5, BLACK_AND_WHITE).is_some());
    }

    #[test]
    fn what_is_small_or_slight_does_not_flash() {
        assert_eq!(watched(10.0, 0.06, BLACK_AND_WHITE), None);
        assert_eq!(watched(10.0, 1.0, [[100; 3], [120; 3]]), None);
        assert_eq!(watched(10.0, 1.0, [[240; 3], [255; 3]]), None, "both are bright");
    }

    #[test]
    fn red_is_worse() {
        let red = watched(5.0, 1.0, [[90, 0, 0], [150, 0, 0]]);
        assert!(red.is_some_and(|flashing| flashing.red), "{red:?}");
        assert_eq!(watched(5.0, 1.0, [[0, 0, 90], [0, 0, 150]]), None);
    }
}
