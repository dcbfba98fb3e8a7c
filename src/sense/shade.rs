//! Shadows: where the ground is only darker, and otherwise as it was. What a shadow is is not told by brightness alone.

use super::blob::Blob;
use super::work::Plane;

/// How much light a shadow leaves, at least and at most.
const LEFT: core::ops::Range<f32> = 0.4..0.985;
/// Half a window's side.
const HALF: usize = 2;

/// Sums over a window: pixels seen, pixels expected, and their products.
type Sums = [u32; 5];

/// Finds shadows among the marks. The buffers are kept.
#[derive(Debug, Default)]
pub(super) struct Shade {
    /// For the box of one area: 0 no mark, 1 surely someone, 2 perhaps shadow.
    kinds: Vec<u8>,
    columns: Vec<Sums>,
    above: Vec<[usize; 2]>,
}

impl Shade {
    /// Takes those marks of an area (`label` in `labels`) out that are only shadow. How many stay.
    pub fn part(&mut self, seen: &Plane, lit: &Plane, bound: &Plane, blob: &Blob, label: u16, labels: &mut [u16]) -> u32 {
        let width = seen.width;
        let [left, top, right, bottom] = blob.bounds;
        let (columns, rows) = (right - left, bottom - top);
        self.kinds.clear();
        self.kinds.resize(columns * rows, 0);
        for y in top..bottom {
            let low = y.saturating_sub(HALF);
            let high = (y + HALF + 1).min(seen.height);
            let (first, end) = (left.saturating_sub(HALF), (right + HALF).min(width));
            self.columns.clear();
            for x in first..end {
                let mut sums = [0; 5];
                for row in low..high {
                    let (i, p) = (u32::from(seen.at(x, row)), u32::from(lit.at(x, row)));
                    sums = [sums[0] + i, sums[1] + p, sums[2] + i * i, sums[3] + i * p, sums[4] + p * p];
                }
                self.columns.push(sums);
            }
            for x in left..right {
                if labels[y * width + x] != label {
                    continue;
                }
                let window = &self.columns[x.saturating_sub(HALF) - first..(x + HALF + 1).min(end) - first];
                let count = (window.len() * (high - low)) as f32;
                let sums = window.iter().fold([0; 5], |a, b| core::array::from_fn(|k| a[k] + b[k]));
                let shadow = is_scaled(sums.map(|sum| sum as f32), count, f32::from(bound.at(x, y)));
                self.kinds[(y - top) * columns + x - left] = if shadow { 2 } else { 1 };
            }
        }
        self.enclose(columns, rows);
        let mut stays = 0;
        for y in 0..rows {
            for x in 0..columns {
                match self.kinds[y * columns + x] {
                    0 => {}
                    1 => stays += 1,
                    _ => labels[(top + y) * width + left + x] = 0,
                }
            }
        }
        stays
    }

    /// What looks like shadow but has someone above and below, or on both sides, is part of someone.
    fn enclose(&mut self, columns: usize, rows: usize) {
        self.above.clear();
        self.above.resize(columns, [usize::MAX, 0]);
        for y in 0..rows {
            for (x, ends) in self.above.iter_mut().enumerate() {
                if self.kinds[y * columns + x] == 1 {
                    *ends = [ends[0].min(y), y];
                }
            }
        }
        for y in 0..rows {
            let row = &mut self.kinds[y * columns..][..columns];
            let first = row.iter().position(|kind| *kind == 1).unwrap_or(columns);
            let last = row.iter().rposition(|kind| *kind == 1).unwrap_or(0);
            for (x, kind) in row.iter_mut().enumerate().filter(|(_, kind)| **kind == 2) {
                let [up, down] = self.above[x];
                // Both at once only: a shadow between two legs, or under an arm, has someone on one axis.
                if (up < y && y < down) || (first < x && x < last && up < y) {
                    *kind = 3;
                }
            }
        }
        for kind in &mut self.kinds {
            *kind = if *kind == 3 { 1 } else { *kind };
        }
    }
}

/// Whether what is seen in a window is what was expected times one factor below 1, but for noise.
fn is_scaled([i, p, ii, ip, pp]: [f32; 5], count: f32, bound: f32) -> bool {
    let ratio = i / p.max(1.0);
    if !LEFT.contains(&ratio) {
        return false;
    }
    let off = (ii - 2.0 * ratio * ip + ratio * ratio * pp).max(0.0) / count;
    let noise = 0.3 * bound;
    off < noise * noise + 0.0005 * (p / count) * (p / count)
}
