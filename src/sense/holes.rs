//! Holes in the background: where someone stood when the camera began to look, or stood for long, and is gone. What lies
//! there now goes on what is round it; only the background has an edge there.

use super::work::Plane;

/// How long a mark must have been calm before it is asked, in seconds.
const CALM: f32 = 0.6;
/// How far beyond a mark the ground is read: the border itself is blurred.
const BESIDE: usize = 2;
/// Layers that are taken away in one frame.
const LAYERS: usize = 2;

/// How long each mark has not changed, in frames.
#[derive(Debug)]
pub(super) struct Holes {
    calm: Vec<u8>,
    found: Vec<usize>,
}

impl Holes {
    pub fn new(pixels: usize) -> Self {
        Self { calm: vec![0; pixels], found: Vec::new() }
    }

    /// Takes holes out of the marks, layer by layer from their border; `adopt` hears of each pixel that is ground after
    /// all, and how bright the background was thought to be.
    /// `planes` are the picture, the one before, the background in this light and how far a pixel trembles.
    pub fn close(
        &mut self,
        mask: &mut Plane,
        planes: [&Plane; 3],
        lit: &mut Plane,
        dt: f32,
        mut adopt: impl FnMut(usize, u8),
    ) {
        let [seen, before, bound] = planes;
        let width = mask.width;
        for (y, calm) in self.calm.chunks_exact_mut(width).enumerate() {
            let marks = mask.row(y);
            if marks.iter().fold(0, |all, mark| all | mark) == 0 {
                calm.fill(0);
                continue;
            }
            let pictures = seen.row(y).iter().zip(before.row(y)).zip(bound.row(y));
            for ((calm, mark), ((a, b), bound)) in calm.iter_mut().zip(marks).zip(pictures) {
                let still = *mark != 0 && a.abs_diff(*b) <= bound / 2 + 2;
                *calm = if still { calm.saturating_add(1) } else { 0 };
            }
        }
        let least = (CALM / dt.max(0.001)).clamp(3.0, 254.0) as u8;
        for _ in 0..LAYERS {
            self.found.clear();
            for y in BESIDE..mask.height.saturating_sub(BESIDE) {
                let row = y * width;
                if self.calm[row..row + width].iter().fold(0, |most, calm| most.max(*calm)) < least {
                    continue;
                }
                for at in row + BESIDE..row + width - BESIDE {
                    if self.calm[at] < least {
                        continue;
                    }
                    let near = bound.pixels[at] / 3 + 2;
                    let goes_on = |beside: usize| {
                        mask.pixels[beside] == 0
                            && seen.pixels[at].abs_diff(seen.pixels[beside]) <= near
                            && lit.pixels[at].abs_diff(lit.pixels[beside]) > near.saturating_mul(2)
                    };
                    let beside = [at - BESIDE, at + BESIDE, at - BESIDE * width, at + BESIDE * width];
                    if beside.into_iter().any(goes_on) {
                        self.found.push(at);
                    }
                }
            }
            for &at in &self.found {
                adopt(at, lit.pixels[at]);
                lit.pixels[at] = seen.pixels[at];
                (mask.pixels[at], self.calm[at]) = (0, 0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: [usize; 2] = [40, 30];

    /// A plain ground of 100 with a box of another brightness in it.
    fn ground(inside: u8) -> Plane {
        let mut plane = Plane { pixels: vec![100; SIZE[0] * SIZE[1]], width: SIZE[0], height: SIZE[1] };
        (8..22).for_each(|y| plane.row_mut(y)[10..20].fill(inside));
        plane
    }

    fn left_after(seen: &Plane, background: &Plane) -> usize {
        let mut lit = background.clone();
        let bound = Plane { pixels: vec![8; lit.pixels.len()], ..lit };
        let mut holes = Holes::new(lit.pixels.len());
        let mut left = 0;
        for _ in 0..40 {
            let mut mask = Plane::new(SIZE[0], SIZE[1]);
            for (mark, (a, b)) in mask.pixels.iter_mut().zip(seen.pixels.iter().zip(&lit.pixels)) {
                *mark = u8::from(a.abs_diff(*b) > 8);
            }
            holes.close(&mut mask, [seen, seen, &bound], &mut lit, 1.0 / 15.0, |_, _| {});
            left = mask.pixels.iter().filter(|mark| **mark != 0).count();
        }
        left
    }

    #[test]
    fn where_someone_was_is_ground_again_and_who_stands_there_stays() {
        assert_eq!(left_after(&ground(100), &ground(40)), 0, "a hole");
        assert_eq!(left_after(&ground(40), &ground(100)), 140, "somebody");
    }

    #[test]
    fn a_picture_of_hardly_any_rows_has_no_inside() {
        for [width, height] in [[40, 1], [40, 2], [40, 3], [1, 40], [3, 40]] {
            let (mut mask, mut lit) = (Plane::new(width, height), Plane::new(width, height));
            mask.pixels.fill(1);
            let seen = lit.clone();
            let mut holes = Holes::new(mask.pixels.len());
            (0..20).for_each(|_| holes.close(&mut mask, [&seen, &seen, &seen], &mut lit, 0.1, |_, _| {}));
        }
    }
}
