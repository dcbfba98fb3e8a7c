//! Ground: paving of several kinds with joints in perspective, a kerb, a road.

use super::camera_model::{Vector2, smoothstep};
use super::noise::{cell_random, fractal_noise, lattice_noise};
use super::rasterizer::SurfaceMaterial;

/// Bond of the paving.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PavingBond {
    /// Square slabs.
    Grid,
    /// Oblong slabs, each row shifted by half.
    Running,
    /// Small bricks in a herringbone.
    Herringbone,
    /// Rounded setts.
    Setts,
    /// Large slabs between dark bands.
    Bands,
    /// Poured, with wide joints and patches.
    Poured,
}

/// Ground of a city's square.
#[derive(Debug, Clone)]
pub(super) struct Paving {
    pub(super) bond: PavingBond,
    /// Size of a stone, in metres.
    pub(super) stone: Vector2,
    /// Rotation of the paving, in radians.
    pub(super) rotation: f32,
    pub(super) material: SurfaceMaterial,
    pub(super) joint: f32,
    pub(super) seed: u32,
    /// Darkness of the joints, 0 to 1.
    pub(super) joint_darkness: f32,
    /// Ring of darker stones: its middle and radius.
    pub(super) ring: Option<(Vector2, f32)>,
    /// Manhole covers of iron.
    pub(super) manholes: [Vector2; 2],
    /// Distance of a drain across the square.
    pub(super) drain: Option<f32>,
}

/// Boundaries of unpaved ground, in metres across the street's line.
#[derive(Debug, Clone, Copy)]
pub(super) struct StreetGeometry {
    pub(super) rotation: f32,
    pub(super) kerb: f32,
    pub(super) road: f32,
    pub(super) walk: f32,
}

impl StreetGeometry {
    /// Returns a point along and across the street.
    pub(super) fn street_coordinates(&self, at: Vector2) -> Vector2 {
        let (sin, cos) = self.rotation.sin_cos();
        [at[0] * cos + at[1] * sin, at[1] * cos - at[0] * sin]
    }

    /// Converts along and across the street back to the square.
    pub(super) fn square_coordinates(&self, [along, across]: Vector2) -> Vector2 {
        let (sin, cos) = self.rotation.sin_cos();
        [along * cos - across * sin, along * sin + across * cos]
    }

    pub(super) fn facade_distance(&self) -> f32 {
        self.kerb + self.road + self.walk
    }
}

/// Returns the fraction of a pixel that a line covers.
/// The pixel is `wide` and the line `line` metres broad, `off` metres apart.
fn line_coverage(off: f32, line: f32, wide: f32) -> f32 {
    let broad = line.max(wide);
    (line / broad) * (1.0 - smoothstep(0.35 * broad, 0.75 * broad, off.abs()))
}

impl Paving {
    /// Returns reflectance and colour at a point.
    /// `pixel` is the size of a pixel there, across and away, in metres.
    pub(super) fn sample(&self, street: &StreetGeometry, at: Vector2, pixel: Vector2) -> (f32, Vector2) {
        let [along, across] = street.street_coordinates(at);
        if across > street.kerb {
            return self.sample_road(street, [along, across], pixel);
        }
        let (sin, cos) = self.rotation.sin_cos();
        let [x, y] = [at[0] * cos + at[1] * sin, at[1] * cos - at[0] * sin];
        // The size of a pixel along the stones' own directions.
        let px = (pixel[0] * cos).hypot(pixel[1] * sin);
        let py = (pixel[0] * sin).hypot(pixel[1] * cos);
        let (line, id) = self.stone_at([x, y], [px, py]);
        let small = self.stone[0].min(self.stone[1]);
        let seen = (small / pixel[1].max(pixel[0])).min(1.0);
        let mut shine = 1.0 + (cell_random(id[0], id[1], self.seed) - 0.5) * 0.22 * seen;
        if self.bond == PavingBond::Bands && (id[0].rem_euclid(5) == 0 || id[1].rem_euclid(5) == 0) {
            shine *= 0.62;
        }
        let fine = (0.03 / pixel[0]).min(1.0);
        shine += 0.07 * fine * lattice_noise(x * 40.0, y * 40.0, self.seed ^ 3);
        shine += 0.06 * (0.1 / pixel[0]).min(1.0) * lattice_noise(x * 9.0, y * 9.0, self.seed ^ 4);
        // Wear, stains, and marks of former puddles.
        let stain = fractal_noise(at[0] * 0.45, at[1] * 0.45, self.seed ^ 5, 3);
        shine *= 1.0 + 0.16 * stain
            - 0.16 * smoothstep(0.25, 0.45, fractal_noise(at[0] * 0.9, at[1] * 0.9, self.seed ^ 6, 3));
        let gum = lattice_noise(at[0] * 7.0, at[1] * 7.0, self.seed ^ 8);
        shine *= 1.0 - 0.2 * smoothstep(0.86, 0.92, gum) * (0.06 / pixel[1]).min(1.0);
        shine *= 1.0 - self.joint_darkness * line.min(1.0);
        if let Some((middle, radius)) = self.ring {
            let off = (at[0] - middle[0]).hypot(at[1] - middle[1]) - radius;
            shine *= 1.0 - 0.36 * (1.0 - smoothstep(0.2, 0.2 + pixel[1], off.abs()));
        }
        for lid in &self.manholes {
            let off = (at[0] - lid[0]).hypot(at[1] - lid[1]);
            let iron = 1.0 - smoothstep(0.31, 0.31 + pixel[1], off);
            let rim = 1.0 - smoothstep(0.02, 0.02 + pixel[1], (off - 0.30).abs());
            let knobs = 0.12 * (at[0] * 90.0).sin() * (at[1] * 90.0).sin() * (0.02 / pixel[1]).min(1.0);
            shine *= 1.0 - iron * (0.45 + knobs) - 0.15 * rim;
        }
        if let Some(far) = self.drain {
            shine *= 1.0 - 0.5 * line_coverage(across - far, 0.14, pixel[1]);
        }
        let edge = line_coverage(across - street.kerb + 0.15, 0.3, pixel[1]);
        let uv = self.material.uv;
        let y = self.material.reflectance * shine;
        (y + (0.42 - y) * edge * 0.7, uv.map(|c| c * (1.0 - edge * 0.6)))
    }

    /// Returns the fraction of joint, and the index of the stone.
    fn stone_at(&self, [x, y]: Vector2, [px, py]: Vector2) -> (f32, [i32; 2]) {
        let [sx, sy] = self.stone;
        let off = |v: f32, s: f32| {
            let t = v / s - (v / s).floor();
            t.min(1.0 - t) * s
        };
        let wavy = |v: f32, w: f32| v + 0.012 * lattice_noise(v * 3.0, w * 3.0, self.seed ^ 12);
        match self.bond {
            PavingBond::Grid | PavingBond::Bands | PavingBond::Poured => {
                let line = line_coverage(off(x, sx), self.joint, px).max(line_coverage(off(y, sy), self.joint, py));
                (line, [(x / sx).floor() as i32, (y / sy).floor() as i32])
            }
            PavingBond::Running | PavingBond::Setts => {
                let (x, y) = if self.bond == PavingBond::Setts { (wavy(x, y), wavy(y, x)) } else { (x, y) };
                let row = (y / sy).floor();
                let x = x
                    + if row as i32 & 1 == 0 { 0.0 } else { sx / 2.0 }
                    + cell_random(row as i32, 1, self.seed) * 0.1 * sx;
                let line = line_coverage(off(x, sx), self.joint, px).max(line_coverage(off(y, sy), self.joint, py));
                (line, [(x / sx).floor() as i32, row as i32])
            }
            PavingBond::Herringbone => {
                // Bricks of two by one, every second one upright.
                let unit = sy;
                let (i, j) = ((x / unit).floor() as i32, (y / unit).floor() as i32);
                let step = (i - j).rem_euclid(4);
                let (bx, by, flat) = match step {
                    0 => (i, j, true),
                    1 => (i - 1, j, true),
                    2 => (i, j - 1, false),
                    _ => (i, j, false),
                };
                let (w, h) = if flat { (2.0, 1.0) } else { (1.0, 2.0) };
                let (u, v) = (x / unit - bx as f32, y / unit - by as f32);
                let (dx, dy) = (u.min(w - u) * unit, v.min(h - v) * unit);
                (line_coverage(dx, self.joint, px).max(line_coverage(dy, self.joint, py)), [bx, by])
            }
        }
    }

    fn sample_road(&self, street: &StreetGeometry, [along, across]: Vector2, pixel: Vector2) -> (f32, Vector2) {
        let on = across - street.kerb;
        let rough = fractal_noise(along * 0.8, across * 0.8, self.seed ^ 21, 3);
        if on < street.road {
            let edge =
                line_coverage(on - 0.35, 0.12, pixel[1]).max(line_coverage(on - street.road + 0.35, 0.12, pixel[1]));
            let dash = if (along / 3.0).rem_euclid(2.0) < 0.9 {
                line_coverage(on - street.road / 2.0, 0.14, pixel[1])
            } else {
                0.0
            };
            let asphalt = 0.10 * (1.0 + 0.2 * rough);
            let tracks = 1.0 - 0.12 * (on * 1.9).sin().abs();
            return (asphalt * tracks + 0.38 * (edge * 0.5 + dash), [0.01, -0.01]);
        }
        let line = line_coverage((along / 0.8 - (along / 0.8).floor() - 0.5) * 0.8, 0.02, pixel[0]);
        ((0.27 + 0.03 * rough) * (1.0 - 0.3 * line), [-0.02, 0.015])
    }
}
