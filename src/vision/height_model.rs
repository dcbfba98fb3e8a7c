//! How tall people look where they stand: learned from those who walk alone.

/// Samples that are kept.
const SAMPLES: usize = 240;
/// What a camera on a mast sees that looks down on some metres of ground: height over the row of the foot, both in rows of
/// the picture.
const PRIOR_LINE: [f32; 2] = [0.07, 0.3];
/// Lines that are tried with each new sample.
const RANSAC_PAIRS: usize = 24;
/// From so many samples on, how it grows with the row is learned as well.
const SLOPE_SAMPLES_MIN: usize = 60;
/// How far from the line a whole body may be, over its height.
const INLIER: f32 = 0.15;

/// Height in pixels as a straight line over the row of the foot, which is what a level ground looks like to a camera.
#[derive(Debug)]
pub(super) struct HeightModel {
    samples: Vec<[f32; 2]>,
    next: usize,
    line: [f32; 2],
    rows: f32,
}

impl HeightModel {
    /// For a picture of that many rows, before anybody came.
    pub fn new(rows: usize) -> Self {
        let rows = rows as f32;
        Self { samples: Vec::with_capacity(SAMPLES), next: 0, line: [PRIOR_LINE[0] * rows, PRIOR_LINE[1]], rows }
    }

    /// Pixels from head to foot of a usual grown-up whose foot is in row `foot`.
    pub fn height_at(&self, foot: f32) -> f32 {
        (self.line[0] + self.line[1] * foot).clamp(0.05 * self.rows, 0.9 * self.rows)
    }

    /// Someone seen whole, alone, on the move.
    pub fn add_sample(&mut self, foot: f32, height: f32) {
        if self.samples.len() < SAMPLES {
            self.samples.push([foot, height]);
        } else {
            self.samples[self.next] = [foot, height];
        }
        self.next = (self.next + 1) % SAMPLES;
        self.fit();
    }

    /// The line on which most samples lie. Whole bodies lie on one line, parts of them below it and groups above; each pair
    /// of samples proposes one (Fischler and Bolles 1981), and it must be what some camera over a square could see.
    fn fit(&mut self) {
        let guess = |foot: f32| (PRIOR_LINE[0] * self.rows + PRIOR_LINE[1] * foot).max(1.0);
        let mut best = (self.score(self.line), self.line);
        let count = self.samples.len();
        // A fixed sequence of pairs, as many as are enough for half of all being parts.
        let mut seed = self.next as u32 ^ (count as u32) << 8;
        for _ in 0..RANSAC_PAIRS {
            let mut draw = || {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                self.samples[(seed >> 8) as usize % count]
            };
            let ([a, at_a], [b, at_b]) = (draw(), draw());
            // Pairs too near to one another say how tall, and the guess how that grows.
            let line = if count >= SLOPE_SAMPLES_MIN && (a - b).abs() > 0.08 * self.rows {
                let slope = (at_a - at_b) / (a - b);
                [at_a - slope * a, slope]
            } else {
                let times = at_a / guess(a);
                [PRIOR_LINE[0] * self.rows * times, PRIOR_LINE[1] * times]
            };
            // Who stands lower in the picture is nearer, and never looks smaller for it.
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

    /// How well a line explains the samples: one each where it does, less where they are taller, and a little for being
    /// near what is usual.
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
