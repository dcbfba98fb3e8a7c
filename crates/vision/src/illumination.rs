//! Illumination compensation for clouds, lamps and the screen itself: the gain of each part of the image.

use super::plane::Plane;

/// Side of a cell, over which brightness is summed, in downsampled pixels.
pub(super) const CELL: usize = 4;
/// Side of a tile in cells; each tile has one gain.
const TILE: usize = 4;
/// Fixed-point gain of 1, with 12 fractional bits.
const GAIN_ONE: f32 = 4096.0;
/// Largest absolute logarithm of a gain.
const GAIN_MAX: f32 = 2.0;
/// Brightness added to both sides of a ratio, so that nearly black pixels carry no weight.
const RATIO_BIAS: f32 = 3.0;
/// Cells of a tile that must be free of people for its gain to be measured.
const FREE_MIN: usize = 5;
/// Coefficients of the smooth light: a polynomial of second degree over the image.
const TERMS: usize = 6;
/// Distance from the smooth light at which a tile counts as an outlier, as a logarithm.
const OUTLIER: f32 = 0.06;
/// Time constant with which a lasting difference from the smooth light becomes light, in seconds.
const RESIDUAL_TIME: f32 = 3.0;
/// Light step: the fraction of the image that changes from one frame to the next.
const LIGHT_STEP_AREA: f32 = 0.15;
/// Light step: the least change from one frame to the next, as a logarithm.
const LIGHT_STEP: f32 = 0.07;

/// Gain of each tile, as a logarithm: a smooth part and a residual.
/// The smooth part follows clouds and the screen at once. The residual of each tile follows slowly, so that a person
/// who stands there is not taken for light.
#[derive(Debug, Default)]
pub(super) struct Illumination {
    across: usize,
    down: usize,
    smooth: [f32; TERMS],
    residual: Vec<f32>,
    measured: Vec<Option<f32>>,
    previous: Vec<Option<f32>>,
    screen_luminance: f32,
    /// Time since a lamp was switched or the screen changed, in seconds.
    pub stable_secs: f32,
    gain_rows: Vec<u16>,
    row: Vec<f32>,
    width: usize,
    /// Brightness without any light: 16 in most video, 0 in some. Light scales the brightness above it.
    pub black: u8,
}

impl Illumination {
    pub fn new(width: usize, height: usize, black: u8) -> Self {
        let side = TILE * CELL;
        let (across, down) = (width.div_ceil(side), height.div_ceil(side));
        Self {
            across,
            down,
            smooth: [0.0; TERMS],
            residual: vec![0.0; across * down],
            measured: vec![None; across * down],
            previous: vec![None; across * down],
            screen_luminance: 0.0,
            stable_secs: 0.0,
            gain_rows: vec![GAIN_ONE as u16; down * width],
            row: Vec::with_capacity(across),
            width,
            black,
        }
    }

    /// Measures the gains from the cell sums of the frame (`seen`) and of the background (`known`).
    /// `held` marks cells that people cover; `shown` is the luminance of the screen, 0 to 1; `dt` is the time since the
    /// last frame in seconds.
    pub fn measure(&mut self, seen: &CellSums, known: &CellSums, held: &[bool], shown: f32, dt: f32) {
        core::mem::swap(&mut self.measured, &mut self.previous);
        let area = (CELL * CELL) as f32 * (RATIO_BIAS - f32::from(self.black));
        let mut ratios = [0.0_f32; TILE * TILE];
        for tile in 0..self.across * self.down {
            let mut count = 0;
            for y in (tile / self.across * TILE..).take(TILE).take_while(|y| *y < seen.down) {
                for x in (tile % self.across * TILE..).take(TILE).take_while(|x| *x < seen.across) {
                    let cell = y * seen.across + x;
                    if !held[cell] {
                        let sums = [f32::from(seen.sums[cell]) + area, f32::from(known.sums[cell]) + area];
                        ratios[count] = sums[0].max(16.0) / sums[1].max(16.0);
                        count += 1;
                    }
                }
            }
            let all = &mut ratios[..count];
            let middle = |all: &mut [f32]| all.select_nth_unstable_by(count / 2, f32::total_cmp).1.ln();
            self.measured[tile] = (count >= FREE_MIN).then(|| middle(all).clamp(-GAIN_MAX, GAIN_MAX));
        }
        self.fit();
        let lamp = self.detect_light_step();
        let screen = (shown - self.screen_luminance).abs() > 0.03;
        self.screen_luminance = shown;
        self.stable_secs = if lamp != 0.0 || screen { 0.0 } else { self.stable_secs + dt };
        for tile in 0..self.measured.len() {
            let Some(raw) = self.measured[tile] else { continue };
            let off = raw - self.smooth_at(tile) - self.residual[tile];
            // A reported change of the screen, or a sudden change everywhere, is light.
            let at_once = screen || lamp * off > 0.0;
            // People move on; a lasting change settles.
            let rate = if at_once { 1.0 } else { dt / RESIDUAL_TIME * (OUTLIER / off.abs().max(OUTLIER)) };
            self.residual[tile] += off * rate.min(1.0);
        }
        self.interpolate_gains();
    }

    fn terms(&self, tile: usize) -> [f32; TERMS] {
        let part = |i: usize, count: usize| (2 * i + 1) as f32 / count as f32 - 1.0;
        let (x, y) = (part(tile % self.across, self.across), part(tile / self.across, self.down));
        [1.0, x, y, x * y, x * x, y * y]
    }

    /// Returns the smooth part at a tile.
    fn smooth_at(&self, tile: usize) -> f32 {
        self.terms(tile).iter().zip(self.smooth).map(|(a, b)| a * b).sum()
    }

    fn gain(&self, tile: usize) -> f32 {
        (self.smooth_at(tile) + self.residual[tile]).clamp(-GAIN_MAX, GAIN_MAX).exp()
    }

    /// Fits the smooth part by iteratively reweighted least squares with Geman–McClure weights.
    /// Tiles that people cover have little weight. A weak pull to the previous value keeps the light when a frame is
    /// full of people.
    fn fit(&mut self) {
        for scale in [4.0 * OUTLIER, 2.0 * OUTLIER, OUTLIER, OUTLIER] {
            let mut equations = [[0.0_f32; TERMS + 1]; TERMS];
            for tile in 0..self.measured.len() {
                let Some(raw) = self.measured[tile] else { continue };
                let terms = self.terms(tile);
                let off = (raw - self.residual[tile] - self.smooth_at(tile)) / scale;
                let weight = 1.0 / (1.0 + off * off).powi(2);
                for (row, term) in equations.iter_mut().zip(terms) {
                    let term = weight * term;
                    row.iter_mut().zip(terms).for_each(|(to, other)| *to += term * other);
                    row[TERMS] += term * (raw - self.residual[tile]);
                }
            }
            for (i, row) in equations.iter_mut().enumerate() {
                let hold = if i == 0 { 0.05 } else { 2.0 };
                row[i] += hold;
                row[TERMS] += hold * self.smooth[i];
            }
            if let Some(smooth) = solve_linear(equations) {
                self.smooth = smooth;
            }
        }
    }

    /// Returns 1 if much of the image is suddenly brighter than the smooth light, -1 if darker, else 0.
    fn detect_light_step(&self) -> f32 {
        let (mut free, mut up, mut down) = (0, 0, 0);
        for tile in 0..self.measured.len() {
            let (Some(raw), Some(before)) = (self.measured[tile], self.previous[tile]) else { continue };
            free += 1;
            let off = raw - self.smooth_at(tile) - self.residual[tile];
            up += i32::from(off > LIGHT_STEP && raw - before > LIGHT_STEP);
            down += i32::from(off < -LIGHT_STEP && raw - before < -LIGHT_STEP);
        }
        let many = (LIGHT_STEP_AREA * free as f32) as i32;
        if up.max(down) < many.max(4) {
            0.0
        } else if up > down {
            1.0
        } else {
            -1.0
        }
    }

    /// Interpolates gains between the centres of tiles, along x.
    fn interpolate_gains(&mut self) {
        let side = TILE * CELL;
        for row in 0..self.down {
            let mut x = 0;
            let mut gains = core::mem::take(&mut self.row);
            gains.clear();
            gains.extend((0..self.across).map(|column| self.gain(row * self.across + column)));
            let to = &mut self.gain_rows[row * self.width..][..self.width];
            for right in 0..=self.across {
                let (a, b) = (gains[right.saturating_sub(1)], gains[right.min(self.across - 1)]);
                let end = (right * side + side / 2).min(self.width);
                let first = x as f32 - (right as f32 - 0.5) * side as f32;
                let slope = (b - a) / side as f32 * GAIN_ONE;
                for (i, to) in to[x..end].iter_mut().enumerate() {
                    *to = (a * GAIN_ONE + slope * (first + i as f32)) as u16;
                }
                x = end;
            }
            self.row = gains;
        }
    }

    /// Writes the background `known` (8 fractional bits) as it looks in the current light.
    pub fn relight(&self, known: &[u16], into: &mut Plane) {
        let side = TILE * CELL;
        for y in 0..into.height {
            let below = ((y + side / 2) / side).min(self.down - 1);
            let above = ((y + side / 2) / side).saturating_sub(1);
            let part = (y + side / 2) % side;
            let [upper, lower] = [above, below].map(|row| &self.gain_rows[row * self.width..][..self.width]);
            let known = &known[y * self.width..][..self.width];
            let part = part as i32;
            let black = u32::from(self.black) << 8;
            let floor = u32::from(self.black) * 16 + 8;
            for (((to, known), a), b) in into.row_mut(y).iter_mut().zip(known).zip(upper).zip(lower) {
                let gain = i32::from(*a) + (((i32::from(*b) - i32::from(*a)) * part) >> 4);
                let shone = (u32::from(*known).saturating_sub(black) * gain as u32) >> 16;
                *to = ((shone + floor) >> 4).min(255) as u8;
            }
        }
    }
}

/// Solves a linear system by Gaussian elimination with pivoting; the last column is the right-hand side.
fn solve_linear(mut rows: [[f32; TERMS + 1]; TERMS]) -> Option<[f32; TERMS]> {
    for column in 0..TERMS {
        let largest = (column..TERMS).max_by(|a, b| rows[*a][column].abs().total_cmp(&rows[*b][column].abs()))?;
        rows.swap(column, largest);
        let pivot = rows[column];
        if pivot[column].abs() < 1e-9 {
            return None;
        }
        for (index, row) in rows.iter_mut().enumerate() {
            if index != column {
                let by = row[column] / pivot[column];
                row.iter_mut().zip(pivot).for_each(|(to, from)| *to -= by * from);
            }
        }
    }
    let solution = core::array::from_fn(|i| rows[i][TERMS] / rows[i][i]);
    solution.iter().all(|part: &f32| part.is_finite()).then_some(solution)
}

/// Sums over cells of 4 by 4 pixels; incomplete cells are left out.
#[derive(Debug, Default)]
pub(super) struct CellSums {
    pub across: usize,
    pub down: usize,
    pub sums: Vec<u16>,
    column_sums: Vec<u16>,
}

impl CellSums {
    pub fn new(width: usize, height: usize) -> Self {
        let (across, down) = (width / CELL, height / CELL);
        Self { across, down, sums: vec![0; across * down], column_sums: vec![0; width] }
    }

    pub fn compute(&mut self, plane: &Plane) {
        for (y, to) in self.sums.chunks_exact_mut(self.across).enumerate() {
            let rows: [&[u8]; CELL] = core::array::from_fn(|k| plane.row(y * CELL + k));
            for (x, column) in self.column_sums.iter_mut().enumerate() {
                *column = u16::from(rows[0][x]) + u16::from(rows[1][x]) + u16::from(rows[2][x]) + u16::from(rows[3][x]);
            }
            for (to, four) in to.iter_mut().zip(self.column_sums.as_chunks::<CELL>().0) {
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
        let mut cells = [CellSums::new(width, height), CellSums::new(width, height)];
        cells[0].compute(seen);
        cells[1].compute(&known);
        let held: Vec<bool> = (0..cells[0].sums.len()).map(held).collect();
        let mut lights = Illumination::new(width, height, 0);
        for _ in 0..8 {
            lights.measure(&cells[0], &cells[1], &held, 0.0, 0.03);
        }
        let mut shone = Plane::new(width, height);
        let deep: Vec<u16> = known.pixels.iter().map(|p| u16::from(*p) << 8).collect();
        lights.relight(&deep, &mut shone);
        shone.pixels.iter().zip(&seen.pixels).map(|(a, b)| i32::from(a.abs_diff(*b))).max().unwrap_or(0)
    }

    #[test]
    fn a_cloud_and_a_lamp_are_light() {
        let mut seen = Plane::default();
        assert!(lit(|_, _| 1.0, |_| false, &mut seen) <= 1);
        assert!(lit(|_, _| 0.5, |_| false, &mut seen) <= 2);
        let slanting = lit(|x, y| 1.0 + (x + y) as f32 / 500.0, |_| false, &mut seen);
        assert!(slanting <= 6, "{slanting}");
        assert!(lit(|_, _| 1.6, |cell| cell % 40 < 8, &mut seen) <= 3, "people in the way");
    }
}
