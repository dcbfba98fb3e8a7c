//! Gradient noise in three dimensions (Perlin, "Improving noise", 2002), the same in both cities for the same seed.

/// Smooth noise from a seed.
#[derive(Debug)]
pub(crate) struct GradientNoise {
    permutation: [u8; 256],
}

impl GradientNoise {
    pub fn new(seed: u64) -> Self {
        let mut permutation = std::array::from_fn(|i| i as u8);
        fastrand::Rng::with_seed(seed).shuffle(&mut permutation);
        Self { permutation }
    }

    fn hash(&self, cell: [i64; 3]) -> u8 {
        let look = |at: i64, before: u8| self.permutation[usize::from((at as u8).wrapping_add(before))];
        look(cell[2], look(cell[1], look(cell[0], 0)))
    }

    /// Returns the noise from -1 to 1. It is 0 at whole numbers, and for NaN or infinity.
    pub fn at(&self, point: [f64; 3]) -> f64 {
        if point.iter().any(|axis| !axis.is_finite()) {
            return 0.0;
        }
        let cell = point.map(|axis| axis.floor() as i64);
        let inner = [0, 1, 2].map(|i| point[i] - point[i].floor());
        let fade = inner.map(|t| t * t * t * (t * (t * 6.0 - 15.0) + 10.0));
        let mut sum = 0.0;
        for corner in 0..8_usize {
            let step = [corner & 1, corner >> 1 & 1, corner >> 2];
            let corner_cell = [0, 1, 2].map(|i| cell[i].wrapping_add(step[i] as i64));
            let away = [0, 1, 2].map(|i| inner[i] - step[i] as f64);
            let weight: f64 = (0..3).map(|i| if step[i] == 1 { fade[i] } else { 1.0 - fade[i] }).product();
            sum += weight * corner_gradient(self.hash(corner_cell), away);
        }
        // The largest sum of the twelve directions is a little above 1 (1.0363).
        sum * 0.964_9
    }
}

/// Returns the dot product with one of the twelve directions to a cube's edges.
fn corner_gradient(hash: u8, [x, y, z]: [f64; 3]) -> f64 {
    let hash = hash & 15;
    let u = if hash < 8 { x } else { y };
    let v = match hash {
        0..4 => y,
        12 | 14 => x,
        _ => z,
    };
    (if hash & 1 == 0 { u } else { -u }) + (if hash & 2 == 0 { v } else { -v })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_smooth_bounded_and_the_same_for_a_seed() {
        let (a, b) = (GradientNoise::new(7), GradientNoise::new(7));
        let mut last = a.at([0.0, 3.3, 0.0]);
        let mut farthest: f64 = 0.0;
        for i in 0..20_000 {
            let point = [f64::from(i) * 0.01, 3.3, f64::from(i) * -0.007];
            let value = a.at(point);
            assert_eq!(value, b.at(point));
            assert!(value.abs() <= 1.0 && (value - last).abs() < 0.08);
            farthest = farthest.max(value.abs());
            last = value;
        }
        assert!(farthest > 0.5);
        assert_eq!(a.at([f64::NAN, 0.0, 1e300]), 0.0);
        assert!(a.at([1e300, -1e300, 0.5]).is_finite());
    }
}
