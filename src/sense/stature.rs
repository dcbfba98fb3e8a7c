//! How tall people look where they stand: learned from those who walk alone.

/// Samples that are kept.
const SAMPLES: usize = 240;

/// Height in pixels as a straight line over the row of the foot, which is what a level ground looks like to a camera.
#[derive(Debug)]
pub(super) struct Stature {
    samples: Vec<[f32; 2]>,
    next: usize,
    line: [f32; 2],
    rows: f32,
}

impl Stature {
    /// For a picture of that many rows, before anybody came.
    pub fn new(rows: usize) -> Self {
        let rows = rows as f32;
        let mut stature = Self { samples: Vec::with_capacity(SAMPLES), next: 0, line: [0.0; 2], rows };
        stature.fit();
        stature
    }

    /// Pixels from head to foot of a usual grown-up whose foot is in row `foot`.
    pub fn at(&self, foot: f32) -> f32 {
        (self.line[0] + self.line[1] * foot).clamp(0.05 * self.rows, 0.9 * self.rows)
    }

    /// Whether anything has been learned yet.
    pub fn known(&self) -> bool {
        self.samples.len() >= 12
    }

    /// Whether enough has been learned to tell what is no person.
    pub fn well_known(&self) -> bool {
        self.samples.len() >= 40
    }

    /// Someone seen whole, alone, on the move.
    pub fn learn(&mut self, foot: f32, height: f32) {
        if self.samples.len() < SAMPLES {
            self.samples.push([foot, height]);
        } else {
            self.samples[self.next] = [foot, height];
        }
        self.next = (self.next + 1) % SAMPLES;
        self.fit();
    }

    /// Weighted least squares, three rounds of Huber's weights, with a few invented samples so that it always has an
    /// answer: a camera on a mast that sees some metres of ground.
    fn fit(&mut self) {
        let invented = [[0.3, 0.16], [0.9, 0.34]].map(|[y, h]| [y * self.rows, h * self.rows]);
        let mut line = self.line;
        for round in 0..4 {
            let (mut w, mut x, mut y, mut xx, mut xy) = (0.0, 0.0, 0.0, 0.0, 0.0);
            let real = self.samples.iter().map(|s| (s, 1.0));
            for ([foot, height], weight) in real.chain(invented.iter().map(|s| (s, 0.5))) {
                let off = (height - line[0] - line[1] * foot).abs() / (0.15 * height);
                let weight: f32 = if round == 0 || off <= 1.0 { weight } else { weight / off };
                // Legs that look like the ground are missed more often than anything is added.
                let weight = if *height > line[0] + line[1] * foot { 2.0 * weight } else { weight };
                let foot = foot / self.rows;
                w += weight;
                x += weight * foot;
                y += weight * height;
                xx += weight * foot * foot;
                xy += weight * foot * height;
            }
            let spread = (w * xx - x * x).max(1e-6);
            // Who stands lower in the picture is nearer, and never looks smaller for it.
            let slope = ((w * xy - x * y) / spread).clamp(0.0, 2.0 * self.rows);
            line = [(y - slope * x) / w, slope / self.rows];
        }
        self.line = line;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_ground_is_learned_in_spite_of_children() {
        let mut stature = Stature::new(240);
        for i in 0..100 {
            let foot = 60.0 + (i * 37 % 170) as f32;
            let height = (10.0 + 0.3 * foot) * if i % 6 == 0 { 0.6 } else { 1.0 };
            stature.learn(foot, height);
        }
        for foot in [70.0, 150.0, 220.0] {
            let off = stature.at(foot) / (10.0 + 0.3 * foot);
            assert!((0.9..1.08).contains(&off), "{off} at {foot}");
        }
    }
}
