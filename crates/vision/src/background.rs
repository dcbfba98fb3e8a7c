//! Background model: brightness and noise of each pixel of the square without people.

use super::plane::Plane;

/// Time constant with which the background follows lasting changes, in seconds.
/// It is shorter while the model is new.
const TIME_CONSTANT: f32 = 12.0;
/// Row interleave: each frame updates one row in this number.
const ROW_INTERLEAVE: usize = 4;
/// Smallest threshold: a smaller difference from the background is never a person.
const THRESHOLD_MIN: f32 = 4.0;

/// Mask value of a pixel that may be a person: the background follows slowly there.
pub(super) const UNCERTAIN: u8 = 1;
/// Mask value of a person's pixel: the background follows only the light there.
pub(super) const PERSON: u8 = 2;

/// Background of one camera, without people.
#[derive(Debug, Default)]
pub(super) struct BackgroundModel {
    /// Mean brightness as fixed point with 8 fractional bits.
    pub mean_fixed: Vec<u16>,
    /// Mean brightness in whole steps.
    pub mean: Plane,
    /// Usual deviation of a pixel from its expected value, with 8 fractional bits.
    deviation: Vec<u16>,
    /// Smallest difference that is not the pixel's own noise.
    pub threshold: Plane,
    row_phase: usize,
    /// Duration of learning up to now, in seconds.
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

    /// Updates one of [`ROW_INTERLEAVE`] rows from the frame `seen`, `dt` seconds after the last update.
    /// Follows `seen` where `keep` is 0, slowly where it is [`UNCERTAIN`], and only the light where it is [`PERSON`]
    /// (`lit`: the background as it would look now).
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
                // Noise hardly ever exceeds 3.5 times the usual deviation.
                bound[x] = ((THRESHOLD_MIN as i32) + ((usual * 7) >> 9)).min(90) as u8;
            }
        }
    }

    /// Sets the background of one pixel to `seen` at once, independently of the current light.
    /// `lit` is the background as it would look now, `black` the brightness without light.
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
