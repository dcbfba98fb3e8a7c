//! Coarse optical flow: block matching between two consecutive small images.

use super::MotionField;
use super::plane::Plane;
use moongate_core::geometry::CameraVector;
use moongate_core::presence::MOTION_GRID;

/// Half the side of a block, in pixels of the small image.
const HALF_BLOCK: usize = 4;
/// Largest movement between two frames, in pixels of the small image.
const SEARCH_RADIUS: i32 = 6;
/// Mean change of a cell that counts as movement, in steps of brightness.
const CHANGE_MIN: u32 = 3;

/// Optical flow estimator; keeps the previous frame.
#[derive(Debug, Default)]
pub(super) struct OpticalFlow {
    small: Plane,
    previous: Plane,
    is_first: bool,
    pub motion: MotionField,
}

impl OpticalFlow {
    pub fn new(width: usize, height: usize) -> Self {
        let plane = || Plane::new(width / 2, height / 2);
        Self { small: plane(), previous: plane(), is_first: true, motion: MotionField::default() }
    }

    /// Processes the next frame.
    /// `scale` is the number of camera pixels per pixel of `work`, `dt` the time since the last frame in seconds.
    pub fn update(&mut self, work: &Plane, scale: f32, dt: f32) {
        core::mem::swap(&mut self.small, &mut self.previous);
        downsample_half(work, &mut self.small);
        let mut stirred = 0.0;
        let (width, height) = (self.small.width, self.small.height);
        let room = 2 * HALF_BLOCK + 2;
        for cell in 0..MOTION_GRID[0] * MOTION_GRID[1] {
            let middle = |i: usize, cells: usize, size: usize| {
                ((2 * i + 1) * size / (2 * cells)).clamp(HALF_BLOCK, size.max(room) - HALF_BLOCK)
            };
            let at = [
                middle(cell % MOTION_GRID[0], MOTION_GRID[0], width),
                middle(cell / MOTION_GRID[0], MOTION_GRID[1], height),
            ];
            let known = !self.is_first && width > room && height > room && dt > 0.0;
            let change = if known { self.block_sad(at, [0, 0]) } else { 0 };
            if change <= CHANGE_MIN * (4 * HALF_BLOCK * HALF_BLOCK) as u32 {
                self.motion.cells[cell] = CameraVector::zero();
                continue;
            }
            stirred += 1.0;
            let step = self.match_block(at, change);
            self.motion.cells[cell] = CameraVector::from(step) * (2.0 * scale / dt);
        }
        // Motion in a third of the image is the most that a square shows in practice.
        self.motion.energy = (stirred * 3.0 / (MOTION_GRID[0] * MOTION_GRID[1]) as f32).min(1.0);
        self.is_first = false;
    }

    /// Returns the movement of the block at `at`: the negated offset to its previous position.
    /// Zero if the surroundings have no structure.
    fn match_block(&self, at: [usize; 2], still: u32) -> [f32; 2] {
        let mut best = (still, [0, 0]);
        let cost = |step: [i32; 2]| self.block_sad(at, step);
        // Every second position, then around the best of them.
        for v in (-SEARCH_RADIUS..=SEARCH_RADIUS).step_by(2) {
            for u in (-SEARCH_RADIUS..=SEARCH_RADIUS).step_by(2) {
                let cost = cost([u, v]);
                if cost < best.0 {
                    best = (cost, [u, v]);
                }
            }
        }
        let [u, v] = best.1;
        for (du, dv) in [(-1, -1), (0, -1), (1, -1), (-1, 0), (1, 0), (-1, 1), (0, 1), (1, 1)] {
            let cost = cost([u + du, v + dv]);
            if cost < best.0 {
                best = (cost, [u + du, v + dv]);
            }
        }
        // Not clearly better than standing still: something appeared, or there is no structure.
        if best.0 * 5 > still * 4 {
            return [0.0; 2];
        }
        let [u, v] = best.1;
        let peak = |a: u32, b: u32| {
            let (a, m, b) = (a as f32, best.0 as f32, b as f32);
            let bend = a + b - 2.0 * m;
            if bend > 0.0 { ((a - b) / (2.0 * bend)).clamp(-0.5, 0.5) } else { 0.0 }
        };
        let across = peak(cost([u - 1, v]), cost([u + 1, v]));
        let along = peak(cost([u, v - 1]), cost([u, v + 1]));
        [u as f32 + across, v as f32 + along]
    }

    /// Returns the sum of absolute differences of the block at `at` for the movement `step`.
    /// Positions outside the image have a high cost.
    fn block_sad(&self, at: [usize; 2], step: [i32; 2]) -> u32 {
        let from = [at[0] as i32 - HALF_BLOCK as i32 - step[0], at[1] as i32 - HALF_BLOCK as i32 - step[1]];
        let side = 2 * HALF_BLOCK as i32;
        if from[0] < 0
            || from[1] < 0
            || from[0] + side > self.small.width as i32
            || from[1] + side > self.small.height as i32
        {
            return u32::MAX / 8;
        }
        let mut sum = 0;
        for row in 0..2 * HALF_BLOCK {
            let now = &self.small.row(at[1] - HALF_BLOCK + row)[at[0] - HALF_BLOCK..][..2 * HALF_BLOCK];
            let before = &self.previous.row(from[1] as usize + row)[from[0] as usize..][..2 * HALF_BLOCK];
            sum += now.iter().zip(before).map(|(a, b)| u32::from(a.abs_diff(*b))).sum::<u32>();
        }
        sum
    }
}

fn downsample_half(from: &Plane, into: &mut Plane) {
    for y in 0..into.height {
        let (a, b) = (from.row(2 * y), from.row(2 * y + 1));
        for ((to, a), b) in into.row_mut(y).iter_mut().zip(a.as_chunks::<2>().0).zip(b.as_chunks::<2>().0) {
            let sum = u16::from(a[0]) + u16::from(a[1]) + u16::from(b[0]) + u16::from(b[1]);
            *to = ((sum + 2) >> 2) as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thing_that_moves_right_is_seen_to() {
        let picture = |left: usize| {
            let mut plane = Plane::new(320, 240);
            for y in 80..160 {
                for x in left..left + 60 {
                    plane.row_mut(y)[x] = (60 + (((x - left) / 3 * 7919) ^ (y / 3 * 104_729)) % 150) as u8;
                }
            }
            plane
        };
        let mut flow = OpticalFlow::new(320, 240);
        flow.update(&picture(100), 2.0, 0.1);
        assert_eq!(flow.motion, MotionField::default(), "nothing is known of the first");
        flow.update(&picture(106), 2.0, 0.1);
        let middle = flow.motion.cells[9 * MOTION_GRID[0] + 13];
        assert!((middle.x - 120.0).abs() < 12.0 && middle.y.abs() < 12.0, "{middle:?}");
        assert_eq!(flow.motion.cells[0], CameraVector::zero());
        assert!(flow.motion.energy > 0.05);
        flow.update(&picture(106), 2.0, 0.1);
        assert_eq!(flow.motion, MotionField::default());
    }
}
