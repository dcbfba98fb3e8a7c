//! Foreground mask: pixels that differ from the background, without specks and cracks.

use super::plane::Plane;

/// Smallest mean difference over nine pixels that counts, in steps of brightness.
const NEIGHBOUR_MEAN_MIN: i16 = 5;

/// Marks (1) pixels where `seen` differs from `lit` by more than `bound`; all others are 0.
/// A pixel is also marked if the mean over it and its neighbours differs by more than half of that: noise does not
/// agree with its neighbours. `sums` is a buffer.
pub(super) fn threshold_difference(seen: &Plane, lit: &Plane, bound: &Plane, into: &mut Plane, sums: &mut Vec<i16>) {
    let width = seen.width;
    // The differences of all pixels, followed by one row of sums of three.
    sums.resize(seen.pixels.len() + width, 0);
    let (off, threes) = sums.split_at_mut(seen.pixels.len());
    for ((to, seen), lit) in off.iter_mut().zip(&seen.pixels).zip(&lit.pixels) {
        *to = i16::from(*seen) - i16::from(*lit);
    }
    let row = |y: usize| &off[y * width..][..width];
    for y in 0..seen.height {
        let (above, this, below) = (row(y.saturating_sub(1)), row(y), row((y + 1).min(seen.height - 1)));
        let (bound, to) = (bound.row(y), into.row_mut(y));
        for ((((sum, to), above), this), below) in threes.iter_mut().zip(&mut *to).zip(above).zip(this).zip(below) {
            *sum = above + this + below;
            *to = this.unsigned_abs().min(255) as u8;
        }
        for (to, bound) in to.iter_mut().zip(bound) {
            *to = u8::from(*to > *bound);
        }
        let nine = threes.iter().zip(&threes[1..]).zip(&threes[2..]).map(|((a, b), c)| a + b + c);
        for ((to, bound), sum) in to[1..].iter_mut().zip(&bound[1..]).zip(nine) {
            // Half of the bound, times nine.
            *to |= u8::from(sum.abs() > (i16::from(*bound) * 9 / 2).max(9 * NEIGHBOUR_MEAN_MIN));
        }
    }
}

/// Counts the marks in each pixel's 3 × 3 neighbourhood and marks the pixel if `of(count)`.
/// The outermost pixels are 0.
pub(super) fn neighbour_filter(mask: &mut Plane, spare: &mut Plane, of: impl Fn(u8) -> bool) {
    let width = mask.width;
    for (to, row) in spare.pixels.chunks_exact_mut(width).zip(mask.pixels.chunks_exact(width)) {
        for ((to, three), _) in to[1..].iter_mut().zip(row.windows(3)).zip(0..width - 2) {
            *to = three[0] + three[1] + three[2];
        }
        (to[0], to[width - 1]) = (0, 0);
    }
    let height = mask.height;
    for y in 1..height - 1 {
        let sums: [&[u8]; 3] = core::array::from_fn(|k| &spare.pixels[(y + k - 1) * width..][..width]);
        for (x, to) in mask.pixels[y * width..][..width].iter_mut().enumerate() {
            *to = u8::from(of(sums[0][x] + sums[1][x] + sums[2][x]));
        }
    }
    mask.pixels[..width].fill(0);
    mask.pixels[(height - 1) * width..].fill(0);
}

/// Dilates a mask: takes the maximum over a square with sides of 2 × `reach` + 1.
pub(super) fn dilate(from: &Plane, into: &mut Plane, spare: &mut Plane, reach: usize) {
    let width = from.width;
    for (to, row) in spare.pixels.chunks_exact_mut(width).zip(from.pixels.chunks_exact(width)) {
        to.copy_from_slice(row);
        for by in 1..=reach.min(width - 1) {
            for (to, left) in to[by..].iter_mut().zip(row) {
                *to = (*to).max(*left);
            }
            for (to, right) in to.iter_mut().zip(&row[by..]) {
                *to = (*to).max(*right);
            }
        }
    }
    for y in 0..from.height {
        let to = &mut into.pixels[y * width..][..width];
        to.copy_from_slice(spare.row(y));
        for by in 1..=reach {
            for other in [y.checked_sub(by), Some(y + by).filter(|y| *y < from.height)].into_iter().flatten() {
                for (to, other) in to.iter_mut().zip(spare.row(other)) {
                    *to = (*to).max(*other);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speck_goes_and_a_crack_closes() {
        let mut mask = Plane::new(32, 32);
        mask.pixels[5 * 32 + 5] = 1;
        for y in 10..20 {
            mask.row_mut(y)[10..20].fill(1);
        }
        mask.pixels[15 * 32 + 15] = 0;
        let mut spare = Plane::new(32, 32);
        neighbour_filter(&mut mask, &mut spare, |count| count >= 5);
        assert_eq!((mask.at(5, 5), mask.at(15, 15), mask.at(12, 12), mask.at(25, 25)), (0, 1, 1, 0));
        let mut wide = Plane::new(32, 32);
        dilate(&mask, &mut wide, &mut spare, 2);
        assert_eq!((wide.at(8, 12), wide.at(7, 12), wide.at(21, 12), wide.at(12, 21)), (1, 0, 1, 1));
    }
}
