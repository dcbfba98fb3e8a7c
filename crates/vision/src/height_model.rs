//! Height model: apparent height of people by position, learned from people who walk alone.

/// Capacity of the sample buffer.
const SAMPLES: usize = 240;
/// Prior line, for a camera on a mast that looks down on some metres of ground.
/// Height as a line over the row of the foot, both in rows of the image.
const PRIOR_LINE: [f32; 2] = [0.07, 0.3];
/// Candidate lines for each new sample.
const RANSAC_PAIRS: usize = 24;
/// Sample count from which the slope is learned too.
const SLOPE_SAMPLES_MIN: usize = 60;
/// Largest distance of a whole body from the line, relative to its height.
const INLIER: f32 = 0.15;

/// Height in pixels as a straight line over the row of the foot, as a camera sees level ground.
#[derive(Debug)]
pub(super) struct HeightModel {
    samples: Vec<[f32; 2]>,
    next: usize,
    line: [f32; 2],
    rows: f32,
}

impl HeightModel {
    /// Creates the prior model for an image with this number of rows.
    pub fn new(rows: usize) -> Self {
        let rows = rows as f32;
        Self { samples: Vec::with_capacity(SAMPLES), next: 0, line: [PRIOR_LINE[0] * rows, PRIOR_LINE[1]], rows }
    }

    /// Returns the height in pixels of an average adult whose foot is in row `foot`.
    pub fn height_at(&self, foot: f32) -> f32 {
        (self.line[0] + self.line[1] * foot).clamp(0.05 * self.rows, 0.9 * self.rows)
    }

    /// Adds a sample from a person seen whole, alone and moving.
    pub fn add_sample(&mut self, foot: f32, height: f32) {
        if self.samples.len() < SAMPLES {
            self.samples.push([foot, height]);
        } else {
            self.samples[self.next] = [foot, height];
        }
        self.next = (self.next + 1) % SAMPLES;
        self.fit();
    }

    /// Fits the line with the most inliers (RANSAC, Fischler and Bolles 1981).
    /// Whole bodies lie on one line, partly hidden ones below it and groups above it. Each pair of samples proposes a
    /// line, which must be plausible for a camera over a square.
    fn fit(&mut self) {
        let guess = |foot: f32| (PRIOR_LINE[0] * self.rows + PRIOR_LINE[1] * foot).max(1.0);
        let mut best = (self.score(self.line), self.line);
        let count = self.samples.len();
        // A fixed sequence of pairs; their number suffices even if half of the samples are partly hidden bodies.
        let mut seed = self.next as u32 ^ (count as u32) << 8;
        for _ in 0..RANSAC_PAIRS {
            let mut draw = || {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                self.samples[(seed >> 8) as usize % count]
            };
            let ([a, at_a], [b, at_b]) = (draw(), draw());
            // Pairs that are too close together give only the scale; the slope comes from the prior.
            let line = if count >= SLOPE_SAMPLES_MIN && (a - b).abs() > 0.08 * self.rows {
                let slope = (at_a - at_b) / (a - b);
                [at_a - slope * a, slope]
            } else {
                let times = at_a / guess(a);
                [PRIOR_LINE[0] * self.rows * times, PRIOR_LINE[1] * times]
            };
            // A person lower in the image is nearer and never looks smaller for it.
            if !(0.0..2.0).contains(&line[1]) {
                continue;
            }
            let score = self.score(line);
            if score > best.0 {
                best = (score, line);
            }
        }
        self.line = best.1;
    }

    /// Scores a line: one per sample that it explains, less for taller samples, plus a small prior term.
    fn score(&self, line: [f32; 2]) -> f32 {
        let guess = |foot: f32| (PRIOR_LINE[0] * self.rows + PRIOR_LINE[1] * foot).max(1.0);
        let strange: f32 = [0.35, 0.9]
            .map(|row| ((line[0] + line[1] * row * self.rows).max(1.0) / guess(row * self.rows)).ln())
            .iter()
            .map(|off| off * off)
            .sum();
        let explained = self.samples.iter().map(|[foot, height]| {
            let off = height / (line[0] + line[1] * foot).max(1.0) - 1.0;
            match off {
                _ if off.abs() < INLIER => 1.0 - (off / INLIER) * (off / INLIER),
                _ if off > 0.0 => -0.7,
                _ => 0.0,
            }
        });
        explained.sum::<f32>() - 12.0 * strange
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_ground_is_learned_in_spite_of_children() {
        let mut stature = HeightModel::new(240);
        for i in 0..100 {
            let foot = 60.0 + (i * 37 % 170) as f32;
            let height = (10.0 + 0.3 * foot) * if i % 6 == 0 { 0.6 } else { 1.0 };
            stature.add_sample(foot, height);
        }
        for foot in [70.0, 150.0, 220.0] {
            let off = stature.height_at(foot) / (10.0 + 0.3 * foot);
            assert!((0.9..1.08).contains(&off), "{off} at {foot}");
        }
    }
}
