//! Light that changes: clouds, lamps, the screen itself. How much brighter each part of the picture is than it was learned.

use super::work::Plane;

/// Side of a cell, over which brightness is summed, in pixels of the work picture.
pub(super) const CELL: usize = 4;
/// Cells along the side of a tile, which has one gain.
const TILE: usize = 4;
/// A gain of 1: 12 bits after the point.
const ONE: f32 = 4096.0;
/// Gains that are believed.
const GAINS: core::ops::RangeInclusive<f32> = 0.1..=8.0;
/// Brightness that is added to both sides of a ratio, so that black says nothing.
const BLACK: f32 = 3.0;
/// Cells of a tile that must be free of people for its gain to be measured.
const FREE_MIN: usize = 5;

/// The gain of each tile.
#[derive(Debug, Default)]
pub(super) struct Light {
    across: usize,
    down: usize,
    gains: Vec<f32>,
    raw: Vec<Option<f32>>,
    /// How much a tile brightens as the screen goes from black to white, learned from what is told.
    answer: Vec<f32>,
    shown: Option<f32>,
    spread: Vec<u16>,
    width: usize,
}

impl Light {
    pub fn new(width: usize, height: usize) -> Self {
        let side = TILE * CELL;
        let (across, down) = (width.div_ceil(side), height.div_ceil(side));
        Self {
            across,
            down,
            gains: vec![1.0; across * down],
            raw: vec![None; across * down],
            answer: vec![0.0; across * down],
            shown: None,
            spread: vec![ONE as u16; down * width],
            width,
        }
    }

    /// Measures. `seen` and `known` are sums over cells of the picture and of the background; `held` says which cells
    /// people cover; `shown` is the luminance of the screen, 0 to 1.
    pub fn measure(&mut self, seen: &Cells, known: &Cells, held: &[bool], shown: f32) {
        let step = self.shown.map_or(0.0, |before| shown - before);
        self.shown = Some(shown);
        let area = (CELL * CELL) as f32 * BLACK;
        let mut ratios = [0.0_f32; TILE * TILE];
        for tile in 0..self.across * self.down {
            let mut count = 0;
            for y in (tile / self.across * TILE..).take(TILE).take_while(|y| *y < seen.down) {
                for x in (tile % self.across * TILE..).take(TILE).take_while(|x| *x < seen.across) {
                    let cell = y * seen.across + x;
                    if !held[cell] {
                        ratios[count] = (f32::from(seen.sums[cell]) + area) / (f32::from(known.sums[cell]) + area);
                        count += 1;
                    }
                }
            }
            let all = &mut ratios[..count];
            self.raw[tile] = (count >= FREE_MIN).then(|| *all.select_nth_unstable_by(count / 2, f32::total_cmp).1);
        }
        for tile in 0..self.raw.len() {
            let before = self.gains[tile];
            let around = self.around(tile);
            let gain = match (self.raw[tile], around) {
                // A tile may differ from its neighbours, as at the edge of a lamp's light, but not wildly.
                (Some(own), Some(around)) => own.clamp(around * 0.8, around * 1.25),
                // Covered by people: what its surroundings do, or what it did when the screen last changed.
                (None, Some(around)) => around,
                (own, None) => own.unwrap_or(before * (1.0 + self.answer[tile] * step)),
            };
            if step.abs() > 0.02 && self.raw[tile].is_some() {
                let answer = ((gain / before - 1.0) / step).clamp(-0.5, 8.0);
                self.answer[tile] += (answer - self.answer[tile]) * 0.2;
            }
            self.gains[tile] = gain.clamp(*GAINS.start(), *GAINS.end());
        }
        self.lay_out();
    }

    /// The middle one of the measured gains of a tile and its neighbours.
    fn around(&self, tile: usize) -> Option<f32> {
        let (x, y) = (tile % self.across, tile / self.across);
        let (mut values, mut count) = ([0.0; 9], 0);
        for v in y.saturating_sub(1)..(y + 2).min(self.down) {
            for u in x.saturating_sub(1)..(x + 2).min(self.across) {
                if let Some(raw) = self.raw[v * self.across + u] {
                    values[count] = raw;
                    count += 1;
                }
            }
        }
        (count >= 3).then(|| *values[..count].select_nth_unstable_by(count / 2, f32::total_cmp).1)
    }

    /// Gains between the middles of tiles, along x.
    fn lay_out(&mut self) {
        let side = TILE * CELL;
        for (to, gains) in self.spread.chunks_exact_mut(self.width).zip(self.gains.chunks_exact(self.across)) {
            let mut x = 0;
            for right in 0..=self.across {
                let (a, b) = (gains[right.saturating_sub(1)], gains[right.min(self.across - 1)]);
                let end = (right * side + side / 2).min(self.width);
                let first = x as f32 - (right as f32 - 0.5) * side as f32;
                let slope = (b - a) / side as f32 * ONE;
                for (i, to) in to[x..end].iter_mut().enumerate() {
                    *to = (a * ONE + slope * (first + i as f32)) as u16;
                }
                x = end;
            }
        }
    }

    /// What the background `known` (8 bits after the point) looks like in this light.
    pub fn shine(&self, known: &[u16], into: &mut Plane) {
        let side = TILE * CELL;
        for y in 0..into.height {
            let below = ((y + side / 2) / side).min(self.down - 1);
            let above = ((y + side / 2) / side).saturating_sub(1);
            let part = (y + side / 2) % side;
            let [upper, lower] = [above, below].map(|row| &self.spread[row * self.width..][..self.width]);
            let known = &known[y * self.width..][..self.width];
            let part = part as i32;
            for (((to, known), a), b) in into.row_mut(y).iter_mut().zip(known).zip(upper).zip(lower) {
                let gain = i32::from(*a) + (((i32::from(*b) - i32::from(*a)) * part) >> 4);
                let shone = (u32::from(*known) * gain as u32) >> 16;
                *to = ((shone + 8) >> 4).min(255) as u8;
            }
        }
    }
}

/// Sums of a picture over cells of 4 by 4 pixels; what does not fill a cell is left out.
#[derive(Debug, Default)]
pub(super) struct Cells {
    pub across: usize,
    pub down: usize,
    pub sums: Vec<u16>,
    column: Vec<u16>,
}

impl Cells {
    pub fn new(width: usize, height: usize) -> Self {
        let (across, down) = (width / CELL, height / CELL);
        Self { across, down, sums: vec![0; across * down], column: vec![0; width] }
    }

    pub fn sum(&mut self, plane: &Plane) {
        for (y, to) in self.sums.chunks_exact_mut(self.across).enumerate() {
            let rows: [&[u8]; CELL] = core::array::from_fn(|k| plane.row(y * CELL + k));
            for (x, column) in self.column.iter_mut().enumerate() {
                *column = u16::from(rows[0][x]) + u16::from(rows[1][x]) + u16::from(rows[2][x]) + u16::from(rows[3][x]);
            }
            for (to, four) in to.iter_mut().zip(self.column.as_chunks::<CELL>().0) {
                *to = four[0] + four[1] + four[2] + four[3];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lit(light: impl Fn(usize, usize) -> f32, held: impl Fn(usize) -> bool, seen: &mut Plane) -> i32 {
        let (width, height) = (160, 112);
        let known = Plane { width, height, pixels: (0..width * height).map(|i| (60 + i * 7 % 50) as u8).collect() };
        *seen = known.clone();
        for (i, pixel) in seen.pixels.iter_mut().enumerate() {
            *pixel = (f32::from(*pixel) * light(i % width, i / width)) as u8;
        }
        let mut cells = [Cells::new(width, height), Cells::new(width, height)];
        cells[0].sum(seen);
        cells[1].sum(&known);
        let held: Vec<bool> = (0..cells[0].sums.len()).map(held).collect();
        let mut lights = Light::new(width, height);
        lights.measure(&cells[0], &cells[1], &held, 0.0);
        let mut shone = Plane::new(width, height);
        let deep: Vec<u16> = known.pixels.iter().map(|p| u16::from(*p) << 8).collect();
        lights.shine(&deep, &mut shone);
        shone.pixels.iter().zip(&seen.pixels).map(|(a, b)| i32::from(a.abs_diff(*b))).max().unwrap_or(0)
    }

    #[test]
    fn a_cloud_and_a_lamp_are_light() {
        let mut seen = Plane::default();
        assert!(lit(|_, _| 1.0, |_| false, &mut seen) <= 1);
        assert!(lit(|_, _| 0.5, |_| false, &mut seen) <= 2);
        assert!(lit(|x, y| 1.0 + (x + y) as f32 / 500.0, |_| false, &mut seen) <= 4);
        assert!(lit(|_, _| 1.6, |cell| cell % 40 < 8, &mut seen) <= 3, "people in the way");
    }
}
