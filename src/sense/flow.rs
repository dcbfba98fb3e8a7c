//! How the picture moves, coarsely: each cell of a small picture is looked for in the one before.

use super::work::Plane;
use super::{MOTION, Motion};

/// Half a block's side, in pixels of the small picture.
const HALF: usize = 4;
/// Farthest movement between two frames, in pixels of the small picture.
const REACH: i32 = 6;
/// Mean change of a cell that counts as movement, in steps of brightness.
const CHANGE: u32 = 3;

/// Remembers the frame before.
#[derive(Debug, Default)]
pub(super) struct Flow {
    small: Plane,
    before: Plane,
    fresh: bool,
    pub motion: Motion,
}

impl Flow {
    pub fn new(width: usize, height: usize) -> Self {
        let plane = || Plane::new(width / 2, height / 2);
        Self { small: plane(), before: plane(), fresh: true, motion: Motion::default() }
    }

    /// Takes the next frame; `scale` is camera pixels for one of `work`, `dt` seconds since the frame before.
    pub fn see(&mut self, work: &Plane, scale: f32, dt: f32) {
        core::mem::swap(&mut self.small, &mut self.before);
        halve(work, &mut self.small);
        let mut stirred = 0.0;
        let (width, height) = (self.small.width, self.small.height);
        let room = 2 * HALF + 2;
        for cell in 0..MOTION[0] * MOTION[1] {
            let middle = |i: usize, cells: usize, size: usize| {
                ((2 * i + 1) * size / (2 * cells)).clamp(HALF, size.max(room) - HALF)
            };
            let at = [middle(cell % MOTION[0], MOTION[0], width), middle(cell / MOTION[0], MOTION[1], height)];
            let known = !self.fresh && width > room && height > room && dt > 0.0;
            let change = if known { self.difference(at, [0, 0]) } else { 0 };
            if change <= CHANGE * (4 * HALF * HALF) as u32 {
                self.motion.cells[cell] = [0.0; 2];
                continue;
            }
            stirred += 1.0;
            let step = self.find(at, change);
            self.motion.cells[cell] = step.map(|axis| axis * 2.0 * scale / dt);
        }
        // A third of the picture in motion is as much as a square ever does.
        self.motion.stir = (stirred * 3.0 / (MOTION[0] * MOTION[1]) as f32).min(1.0);
        self.fresh = false;
    }

    /// Where the block at `at` has come from, turned round: its movement. Zero where the surroundings tell nothing.
    fn find(&self, at: [usize; 2], still: u32) -> [f32; 2] {
        let mut best = (still, [0, 0]);
        let cost = |step: [i32; 2]| self.difference(at, step);
        // Every second place, then round the best of them.
        for v in (-REACH..=REACH).step_by(2) {
            for u in (-REACH..=REACH).step_by(2) {
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

    /// Sum of differences of the block at `at` and of where it was if it has moved by `step`; far away is much.
    fn difference(&self, at: [usize; 2], step: [i32; 2]) -> u32 {
        let from = [at[0] as i32 - HALF as i32 - step[0], at[1] as i32 - HALF as i32 - step[1]];
        let side = 2 * HALF as i32;
        if from[0] < 0
            || from[1] < 0
            || from[0] + side > self.small.width as i32
            || from[1] + side > self.small.height as i32
        {
            return u32::MAX / 8;
        }
        let mut sum = 0;
        for row in 0..2 * HALF {
            let now = &self.small.row(at[1] - HALF + row)[at[0] - HALF..][..2 * HALF];
            let before = &self.before.row(from[1] as usize + row)[from[0] as usize..][..2 * HALF];
            sum += now.iter().zip(before).map(|(a, b)| u32::from(a.abs_diff(*b))).sum::<u32>();
        }
        sum
    }
}

fn halve(from: &Plane, into: &mut Plane) {
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
        let mut flow = Flow::new(320, 240);
        flow.see(&picture(100), 2.0, 0.1);
        assert_eq!(flow.motion, Motion::default(), "nothing is known of the first");
        flow.see(&picture(106), 2.0, 0.1);
        let middle = flow.motion.cells[9 * MOTION[0] + 13];
        assert!((middle[0] - 120.0).abs() < 12.0 && middle[1].abs() < 12.0, "{middle:?}");
        assert_eq!(flow.motion.cells[0], [0.0; 2]);
        assert!(flow.motion.stir > 0.05);
        flow.see(&picture(106), 2.0, 0.1);
        assert_eq!(flow.motion, Motion::default());
    }
}
