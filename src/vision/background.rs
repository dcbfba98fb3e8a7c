//! The square without people: how bright each pixel is, and how much it trembles by itself.

use super::plane::Plane;

/// How long the background takes to follow what stays, in seconds; shorter while it is new.
const TIME_CONSTANT: f32 = 12.0;
/// Rows are brought up to date one in so many a frame.
const ROW_INTERLEAVE: usize = 4;
/// A difference from the background below this is never a person.
const THRESHOLD_MIN: f32 = 4.0;

/// What may be somebody stands before the background: it follows slowly.
pub(super) const UNCERTAIN: u8 = 1;
/// Someone stands before it: it follows only the light.
pub(super) const PERSON: u8 = 2;

/// What is there when nobody is.
#[derive(Debug, Default)]
pub(super) struct BackgroundModel {
    /// Brightness, 8 bits after the point.
    pub mean_fixed: Vec<u16>,
    /// The same in whole steps.
    pub mean: Plane,
    /// How far a pixel usually is from what is expected, 8 bits after the point.
    deviation: Vec<u16>,
    /// Above this a difference is not the pixel's own trembling.
    pub threshold: Plane,
    row_phase: usize,
    /// Seconds of learning so far.
    learned_secs: f32,
}

impl BackgroundModel {
    pub fn new(first: &Plane) -> Self {
        let bound = Plane { pixels: vec![14; first.pixels.len()], ..*first };
        Self {
            mean_fixed: first.pixels.iter().map(|p| u16::from(*p) << 8).collect(),
            mean: first.clone(),
            deviation: vec![300; first.pixels.len()],
            threshold: bound,
            row_phase: 0,
            learned_secs: 0.0,
        }
    }

    /// Follows what is seen where `keep` is 0, slowly where it is [`UNCERTAIN`], and where it is
    /// [`PERSON`] only the light (`lit`: the background as it would look now). `dt` in seconds.
    pub fn update(&mut self, seen: &Plane, lit: &Plane, keep: &Plane, dt: f32) {
        self.learned_secs += dt;
        self.row_phase = (self.row_phase + 1) % ROW_INTERLEAVE;
        let follow = (self.learned_secs * 0.5).clamp(0.4, TIME_CONSTANT);
        let rate = |seconds: f32| ((dt * ROW_INTERLEAVE as f32 / seconds).min(0.5) * 65536.0) as i32;
        let (rate, calm) = (rate(follow), rate(follow.min(6.0)));
        let width = self.mean.width;
        for y in (self.row_phase..self.mean.height).step_by(ROW_INTERLEAVE) {
            let at = y * width..(y + 1) * width;
            let deep = &mut self.mean_fixed[at.clone()];
            let tremble = &mut self.deviation[at.clone()];
            let (seen, lit, keep) = (seen.row(y), lit.row(y), keep.row(y));
            let (plain, bound) = (&mut self.mean.pixels[at.clone()], &mut self.threshold.pixels[at]);
            for x in 0..width {
                let kept = keep[x] != 0;
                let target = i32::from(if keep[x] == PERSON { lit[x] } else { seen[x] }) << 8;
                let known = i32::from(deep[x]);
                let rate = if keep[x] == UNCERTAIN { rate >> 3 } else { rate };
                let now = known + (((target - known) * rate) >> 16);
                deep[x] = now as u16;
                plain[x] = (now >> 8) as u8;
                let off = i32::from(seen[x].abs_diff(lit[x])).min(40) << 8;
                let usual = i32::from(tremble[x]);
                let usual = if kept { usual } else { usual + (((off - usual) * calm) >> 16) };
                tremble[x] = usual as u16;
                // Three and a half times the usual is hardly ever noise.
                bound[x] = ((THRESHOLD_MIN as i32) + ((usual * 7) >> 9)).min(90) as u8;
            }
        }
    }

    /// Takes what is seen there as the background at once, whatever the light is: `lit` is the background as it would
    /// look now, `black` brightness without light.
    pub fn reset_pixel(&mut self, index: usize, seen: u8, lit: u8, black: u8) {
        let above = |value: u8| i32::from(value) - i32::from(black);
        let known = i32::from(self.mean_fixed[index]) - (i32::from(black) << 8);
        let now = match above(lit) {
            ..=0 => i32::from(seen) << 8,
            lit => (above(seen) * known / lit) + (i32::from(black) << 8),
        };
        self.mean_fixed[index] = now.clamp(0, 255 << 8) as u16;
        self.mean.pixels[index] = (self.mean_fixed[index] >> 8) as u8;
    }
}
