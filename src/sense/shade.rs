//! Shadows: where the ground is only darker, and otherwise as it was. A smooth grey coat looks the same, so this is a hint
//! and no judgement: who stands there is told by shape.

use super::blob::Blob;
use super::work::Plane;

/// How much brightness a shadow leaves, at least and at most; video's brightness is about the root of light.
const LEFT: core::ops::Range<f32> = 0.47..0.98;
/// A mark that is nobody's shadow for sure.
pub(super) const SURE: u8 = 1;
/// A mark that may be shadow.
pub(super) const PERHAPS: u8 = 2;

/// Sums over a column of three: pixels seen, pixels expected, and their products.
type Sums = [u32; 5];

/// Tells marks apart. The buffers are kept.
#[derive(Debug, Default)]
pub(super) struct Shade {
    /// For the box of one area: the window round a pixel is the ground, only darker.
    darker: Vec<bool>,
    columns: Vec<Sums>,
}

impl Shade {
    /// Writes [`SURE`] or [`PERHAPS`] for the marks of an area (`label` in `labels`) into `kinds`. `planes` are the picture, the
    /// background in this light and how far a pixel may be from it; `black` is brightness without light.
    pub fn tell(&mut self, planes: [&Plane; 3], black: u8, blob: &Blob, label: u16, labels: &[u16], kinds: &mut Plane) {
        let [seen, lit, bound] = planes;
        let above = |value: u8| value.saturating_sub(black);
        let width = seen.width;
        let [left, top, right, bottom] = blob.bounds;
        // The mask has no marks on the outermost pixels.
        let (first, end) = (left.max(2) - 2, (right + 2).min(width));
        let across = end - first;
        self.darker.clear();
        self.darker.resize(across * (bottom - top + 2), false);
        for (row, y) in (top.max(1) - 1..(bottom + 1).min(seen.height)).enumerate() {
            if y == 0 || y + 1 >= seen.height {
                continue;
            }
            self.columns.clear();
            for x in first..end {
                let mut sums = [0; 5];
                for y in y - 1..=y + 1 {
                    let (i, p) = (u32::from(above(seen.at(x, y))), u32::from(above(lit.at(x, y))));
                    sums = [sums[0] + i, sums[1] + p, sums[2] + i * i, sums[3] + i * p, sums[4] + p * p];
                }
                self.columns.push(sums);
            }
            let bounds = &bound.row(y)[first..end];
            let to = &mut self.darker[row * across..][..across];
            for ((to, three), bound) in to[1..].iter_mut().zip(self.columns.windows(3)).zip(&bounds[1..]) {
                let sums: [f32; 5] = core::array::from_fn(|k| (three[0][k] + three[1][k] + three[2][k]) as f32);
                *to = is_scaled(sums, f32::from(*bound));
            }
        }
        let skip = usize::from(top > 0);
        for y in top..bottom {
            for x in left..right {
                let at = y * width + x;
                if labels[at] != label {
                    continue;
                }
                let ratio = f32::from(above(seen.pixels[at])) / f32::from(above(lit.pixels[at])).max(1.0);
                // At the edge of a shadow one of the windows round a pixel lies within it.
                let near = (y + skip - top).saturating_sub(1)..=(y + skip - top) + 1;
                let column = x - first;
                let shaded = LEFT.contains(&ratio)
                    && near.into_iter().any(|row| {
                        let row = self.darker.get(row * across..(row + 1) * across).unwrap_or(&[]);
                        row.get(column.saturating_sub(1)..(column + 2).min(across)).unwrap_or(&[]).contains(&true)
                    });
                kinds.pixels[at] = if shaded { PERHAPS } else { SURE };
            }
        }
    }
}

/// Whether what is seen in nine pixels is what was expected times one factor below 1, but for noise.
fn is_scaled([i, p, ii, ip, pp]: [f32; 5], bound: f32) -> bool {
    let ratio = i / p.max(1.0);
    let off = (ii - 2.0 * ratio * ip + ratio * ratio * pp).max(0.0) / 9.0;
    let noise = 0.25 * bound;
    LEFT.contains(&ratio) && off < noise * noise + 2e-8 * p * p
}
