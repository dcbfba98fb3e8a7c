//! Stabilizer for a camera that shakes on its pole: the shift of the frame since it was learned.
//! It matches small well-structured patches.

use super::Luma;

/// Side of a patch, in camera pixels.
const SIDE: usize = 16;
/// Search radius, in camera pixels.
const SEARCH_RADIUS: i32 = 8;
/// Patches across and down.
const GRID: [usize; 2] = [6, 4];
/// Smallest number of patches; with fewer the image is taken to stand still.
const PATCHES_MIN: usize = 5;

#[derive(Debug)]
struct TemplatePatch {
    at: [usize; 2],
    pixels: [u8; SIDE * SIDE],
    mean: i32,
}

/// Estimates the shift of the whole frame.
#[derive(Debug, Default)]
pub(super) struct Stabilizer {
    learned: bool,
    patches: Vec<TemplatePatch>,
    shift: [i32; 2],
    candidates: Vec<[i32; 2]>,
    /// Consecutive frames in which most patches were not found.
    lost_frames: u32,
}

impl Stabilizer {
    /// Returns the shift of the frame, in camera pixels; learns the first frame.
    pub fn estimate_shift(&mut self, luma: &Luma) -> [i32; 2] {
        if !self.learned {
            self.learn(luma);
            self.learned = true;
        }
        if self.patches.len() < PATCHES_MIN {
            return [0, 0];
        }
        self.candidates.clear();
        self.candidates.push([0, 0]);
        let there = self.patches.iter().filter(|patch| patch_sad(patch, luma, self.shift) < SAME_PLACE).count();
        if there * 2 > self.patches.len() {
            // The other patches are covered: a full search for them would take time.
            self.candidates.push(self.shift);
        } else {
            self.candidates.extend(self.patches.iter().filter_map(|patch| match_patch(patch, luma, self.shift)));
        }
        // Most patches agree: each distinct proposal is tried once.
        self.candidates.sort_unstable();
        self.candidates.dedup();
        // The movement that explains all patches best; a patch that is covered or was a person has a limited cost.
        let cost = |shift: [i32; 2]| {
            let of = |patch: &TemplatePatch| patch_sad(patch, luma, shift).min(OCCLUDED);
            self.patches.iter().map(of).sum::<u32>()
        };
        let still = cost([0, 0]);
        let best = self.candidates.iter().map(|shift| (cost(*shift), *shift)).min().unwrap_or((still, [0, 0]));
        self.shift = if best.0 * 10 < still * 9 && self.most_agree(luma, best.1) { best.1 } else { [0, 0] };
        let covered = OCCLUDED * self.patches.len() as u32;
        self.lost_frames = if best.0 * 3 > covered * 2 { self.lost_frames + 1 } else { 0 };
        // The camera was turned, or all of the square has changed.
        if self.lost_frames > 100 {
            *self = Self::default();
        }
        self.shift
    }

    /// Returns whether most patches moved: a shaken camera moves all of them, a person only a few.
    fn most_agree(&self, luma: &Luma, shift: [i32; 2]) -> bool {
        let (mut better, mut worse) = (0, 0);
        for patch in &self.patches {
            let (moved, still) = (patch_sad(patch, luma, shift), patch_sad(patch, luma, [0, 0]));
            better += usize::from(moved * 10 < still * 9 && moved < OCCLUDED);
            worse += usize::from(still * 10 < moved * 9 && still < OCCLUDED);
        }
        better > 2 * worse && better * 3 > self.patches.len()
    }

    fn learn(&mut self, luma: &Luma) {
        let margin = SEARCH_RADIUS as usize + 2;
        let [width, height] = [luma.width(), luma.height()];
        for cell in 0..GRID[0] * GRID[1] {
            let part = |axis: usize, size: usize| {
                let index = [cell % GRID[0], cell / GRID[0]][axis];
                let span = size.saturating_sub(2 * margin + SIDE);
                (margin + span * index / GRID[axis], margin + span * (index + 1) / GRID[axis])
            };
            let ((left, right), (top, bottom)) = (part(0, width), part(1, height));
            let places = (top..bottom).step_by(6).flat_map(|y| (left..right).step_by(6).map(move |x| [x, y]));
            let best = places.map(|at| (corner_strength(luma, at), at)).max_by_key(|(strength, _)| *strength);
            // A patch without structure in both directions would slide.
            if let Some((strength, at)) = best
                && strength > 400
            {
                let mut pixels = [0; SIDE * SIDE];
                for (row, to) in pixels.chunks_exact_mut(SIDE).enumerate() {
                    to.copy_from_slice(&luma.row(at[1] + row)[at[0]..][..SIDE]);
                }
                let mean = pixels.iter().map(|p| i32::from(*p)).sum::<i32>() / (SIDE * SIDE) as i32;
                self.patches.push(TemplatePatch { at, pixels, mean });
            }
        }
    }
}

/// Returns the structure of a patch in its weaker direction, as mean squared step times 4.
fn corner_strength(luma: &Luma, at: [usize; 2]) -> u32 {
    let mut sums = [0_u32; 2];
    for y in at[1]..at[1] + SIDE - 1 {
        let (row, below) = (&luma.row(y)[at[0]..][..SIDE], &luma.row(y + 1)[at[0]..][..SIDE]);
        for x in 0..SIDE - 1 {
            sums[0] += u32::from(row[x].abs_diff(row[x + 1])).pow(2);
            sums[1] += u32::from(row[x].abs_diff(below[x])).pow(2);
        }
    }
    sums[0].min(sums[1]) * 4 / ((SIDE - 1) * (SIDE - 1)) as u32
}

/// Returns the shift at which a patch is found again, or `None` if it is covered.
fn match_patch(patch: &TemplatePatch, luma: &Luma, near: [i32; 2]) -> Option<[i32; 2]> {
    let still = patch_sad(patch, luma, near);
    if still < SAME_PLACE {
        return Some(near);
    }
    let mut best = (still, near);
    // Near its last position first, then within the search radius.
    for reach in [1, SEARCH_RADIUS] {
        for dy in -reach..=reach {
            for dx in -reach..=reach {
                let shift = if reach == 1 { [near[0] + dx, near[1] + dy] } else { [dx, dy] };
                if shift[0].abs() > SEARCH_RADIUS || shift[1].abs() > SEARCH_RADIUS {
                    continue;
                }
                let cost = patch_sad(patch, luma, shift);
                if cost < best.0 || cost == best.0 && shift == near {
                    best = (cost, shift);
                }
            }
        }
        let edge = (best.1[0] - near[0]).abs() == 1 || (best.1[1] - near[1]).abs() == 1;
        if best.0 < GOOD_MATCH && !edge {
            break;
        }
    }
    (best.0 < OCCLUDED).then_some(best.1)
}

/// Cost of a patch that is surely visible, and of one that is surely covered: mean difference times pixels.
const GOOD_MATCH: u32 = 5 * (SIDE * SIDE) as u32;
/// Cost below which a patch has not moved: with its structure, a step of one pixel would cost more.
const SAME_PLACE: u32 = 4 * (SIDE * SIDE) as u32;
const OCCLUDED: u32 = 14 * (SIDE * SIDE) as u32;

/// Returns the sum of absolute differences, after the brightness of both is made equal.
fn patch_sad(patch: &TemplatePatch, luma: &Luma, shift: [i32; 2]) -> u32 {
    let left = (patch.at[0] as i32 + shift[0]) as usize;
    let top = (patch.at[1] as i32 + shift[1]) as usize;
    let mut here = [[0; SIDE]; SIDE];
    for (y, row) in here.iter_mut().enumerate() {
        row.copy_from_slice(&luma.row(top + y)[left..][..SIDE]);
    }
    // Columns first, whose sums fit 16 bits: whole rows are added at once.
    let mut columns = [0_u16; SIDE];
    for row in &here {
        columns.iter_mut().zip(row).for_each(|(sum, pixel)| *sum += u16::from(*pixel));
    }
    let mean = sum_columns(columns) as i32 / (SIDE * SIDE) as i32;
    let (up, down) = ((mean - patch.mean).max(0) as u8, (patch.mean - mean).max(0) as u8);
    columns.fill(0);
    for (row, known) in here.iter().zip(patch.pixels.as_chunks::<SIDE>().0) {
        for ((sum, pixel), known) in columns.iter_mut().zip(row).zip(known) {
            *sum += u16::from(pixel.saturating_add(down).saturating_sub(up).abs_diff(*known));
        }
    }
    sum_columns(columns)
}

fn sum_columns(columns: [u16; SIDE]) -> u32 {
    columns.into_iter().map(u32::from).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(dx: i32, dy: i32, light: i32) -> Vec<u8> {
        let noise =
            |x: i32, y: i32| ((x.wrapping_mul(0x9E37) ^ y.wrapping_mul(0x85EB)).wrapping_mul(0x6C07) >> 8) & 127;
        let at = |i: i32| noise((i % 320 - dx) >> 2, (i / 320 - dy) >> 2) + 40 + light;
        (0..320 * 240).map(|i| at(i).clamp(0, 255) as u8).collect()
    }

    #[test]
    fn a_pushed_camera_is_followed_in_any_light() {
        let mut shake = Stabilizer::default();
        for (dx, dy, light) in [(0, 0, 0), (1, 0, 0), (4, -3, 10), (-5, 6, -20), (0, 0, 30)] {
            let pixels = picture(dx, dy, light);
            let luma = Luma::new(320, 240, 320, &pixels).expect("the sizes agree");
            assert_eq!(shake.estimate_shift(&luma), [dx, dy]);
        }
    }

    #[test]
    fn nothing_to_hold_on_to_is_no_movement() {
        let mut shake = Stabilizer::default();
        for light in 0..200 {
            let pixels = vec![light; 40 * 40];
            assert_eq!(shake.estimate_shift(&Luma::new(40, 40, 40, &pixels).expect("the sizes agree")), [0, 0]);
        }
    }
}
