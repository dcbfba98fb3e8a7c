//! The ground: paving of several kinds with joints in perspective, a kerb, a road.

use super::grain::{cell, fractal, noise};
use super::paint::Cloth;
use super::view::{V2, smooth};

/// How a square is laid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bond {
    /// Square slabs.
    Grid,
    /// Oblong slabs, each row moved by half.
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

/// The ground of one city's square.
#[derive(Debug, Clone)]
pub(super) struct Paving {
    pub(super) bond: Bond,
    /// One stone, in metres.
    pub(super) stone: V2,
    /// Radians that it is laid askew.
    pub(super) turn: f32,
    pub(super) cloth: Cloth,
    pub(super) joint: f32,
    pub(super) seed: u32,
    /// Darkness of joints, 0 to 1.
    pub(super) deep: f32,
    /// A ring of darker stones: its middle and radius.
    pub(super) ring: Option<(V2, f32)>,
    /// Lids of iron.
    pub(super) lids: [V2; 2],
    /// A drain across the square, so far off.
    pub(super) drain: Option<f32>,
}

/// Where ground begins and ends that is not paving, in metres across the street's line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Street {
    pub(super) turn: f32,
    pub(super) kerb: f32,
    pub(super) road: f32,
    pub(super) walk: f32,
}

impl Street {
    /// Along and across the street.
    pub(super) fn own(&self, at: V2) -> V2 {
        let (sin, cos) = self.turn.sin_cos();
        [at[0] * cos + at[1] * sin, at[1] * cos - at[0] * sin]
    }

    /// From along and across back to the square.
    pub(super) fn back(&self, [along, across]: V2) -> V2 {
        let (sin, cos) = self.turn.sin_cos();
        [along * cos - across * sin, along * sin + across * cos]
    }

    pub(super) fn wall(&self) -> f32 {
        self.kerb + self.road + self.walk
    }
}

/// How much of a pixel `wide` metres broad a line of `line` metres covers, `off` metres from its middle.
fn stroke(off: f32, line: f32, wide: f32) -> f32 {
    let broad = line.max(wide);
    (line / broad) * (1.0 - smooth(0.35 * broad, 0.75 * broad, off.abs()))
}

impl Paving {
    /// Reflectance and colour at a place; `pixel` is what one pixel covers there, across and away, in metres.
    pub(super) fn at(&self, street: &Street, at: V2, pixel: V2) -> (f32, V2) {
        let [along, across] = street.own(at);
        if across > street.kerb {
            return self.beyond(street, [along, across], pixel);
        }
        let (sin, cos) = self.turn.sin_cos();
        let [x, y] = [at[0] * cos + at[1] * sin, at[1] * cos - at[0] * sin];
        // What a pixel covers along the stones' own directions.
        let px = (pixel[0] * cos).hypot(pixel[1] * sin);
        let py = (pixel[0] * sin).hypot(pixel[1] * cos);
        let (line, id) = self.stones([x, y], [px, py]);
        let small = self.stone[0].min(self.stone[1]);
        let seen = (small / pixel[1].max(pixel[0])).min(1.0);
        let mut shine = 1.0 + (cell(id[0], id[1], self.seed) - 0.5) * 0.22 * seen;
        if self.bond == Bond::Bands && (id[0].rem_euclid(5) == 0 || id[1].rem_euclid(5) == 0) {
            shine *= 0.62;
        }
        let fine = (0.03 / pixel[0]).min(1.0);
        shine += 0.07 * fine * noise(x * 40.0, y * 40.0, self.seed ^ 3);
        shine += 0.06 * (0.1 / pixel[0]).min(1.0) * noise(x * 9.0, y * 9.0, self.seed ^ 4);
        // Wear, stains, where water stood.
        let stain = fractal(at[0] * 0.45, at[1] * 0.45, self.seed ^ 5, 3);
        shine *= 1.0 + 0.16 * stain - 0.16 * smooth(0.25, 0.45, fractal(at[0] * 0.9, at[1] * 0.9, self.seed ^ 6, 3));
        let gum = noise(at[0] * 7.0, at[1] * 7.0, self.seed ^ 8);
        shine *= 1.0 - 0.2 * smooth(0.86, 0.92, gum) * (0.06 / pixel[1]).min(1.0);
        shine *= 1.0 - self.deep * line.min(1.0);
        if let Some((middle, radius)) = self.ring {
            let off = (at[0] - middle[0]).hypot(at[1] - middle[1]) - radius;
            shine *= 1.0 - 0.36 * (1.0 - smooth(0.2, 0.2 + pixel[1], off.abs()));
        }
        for lid in &self.lids {
            let off = (at[0] - lid[0]).hypot(at[1] - lid[1]);
            let iron = 1.0 - smooth(0.31, 0.31 + pixel[1], off);
            let rim = 1.0 - smooth(0.02, 0.02 + pixel[1], (off - 0.30).abs());
            let knobs = 0.12 * (at[0] * 90.0).sin() * (at[1] * 90.0).sin() * (0.02 / pixel[1]).min(1.0);
            shine *= 1.0 - iron * (0.45 + knobs) - 0.15 * rim;
        }
        if let Some(far) = self.drain {
            shine *= 1.0 - 0.5 * stroke(across - far, 0.14, pixel[1]);
        }
        let edge = stroke(across - street.kerb + 0.15, 0.3, pixel[1]);
        let uv = self.cloth.uv;
        let y = self.cloth.y * shine;
        (y + (0.42 - y) * edge * 0.7, uv.map(|c| c * (1.0 - edge * 0.6)))
    }

    /// How much joint there is, and which stone it is.
    fn stones(&self, [x, y]: V2, [px, py]: V2) -> (f32, [i32; 2]) {
        let [sx, sy] = self.stone;
        let off = |v: f32, s: f32| {
            let t = v / s - (v / s).floor();
            t.min(1.0 - t) * s
        };
        let wavy = |v: f32, w: f32| v + 0.012 * noise(v * 3.0, w * 3.0, self.seed ^ 12);
        match self.bond {
            Bond::Grid | Bond::Bands | Bond::Poured => {
                let line = stroke(off(x, sx), self.joint, px).max(stroke(off(y, sy), self.joint, py));
                (line, [(x / sx).floor() as i32, (y / sy).floor() as i32])
            }
            Bond::Running | Bond::Setts => {
                let (x, y) = if self.bond == Bond::Setts { (wavy(x, y), wavy(y, x)) } else { (x, y) };
                let row = (y / sy).floor();
                let x =
                    x + if row as i32 & 1 == 0 { 0.0 } else { sx / 2.0 } + cell(row as i32, 1, self.seed) * 0.1 * sx;
                let line = stroke(off(x, sx), self.joint, px).max(stroke(off(y, sy), self.joint, py));
                (line, [(x / sx).floor() as i32, row as i32])
            }
            Bond::Herringbone => {
                // Bricks of two by one, every second upright.
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
                (stroke(dx, self.joint, px).max(stroke(dy, self.joint, py)), [bx, by])
            }
        }
    }

    fn beyond(&self, street: &Street, [along, across]: V2, pixel: V2) -> (f32, V2) {
        let on = across - street.kerb;
        let rough = fractal(along * 0.8, across * 0.8, self.seed ^ 21, 3);
        if on < street.road {
            let edge = stroke(on - 0.35, 0.12, pixel[1]).max(stroke(on - street.road + 0.35, 0.12, pixel[1]));
            let dash =
                if (along / 3.0).rem_euclid(2.0) < 0.9 { stroke(on - street.road / 2.0, 0.14, pixel[1]) } else { 0.0 };
            let asphalt = 0.10 * (1.0 + 0.2 * rough);
            let tracks = 1.0 - 0.12 * (on * 1.9).sin().abs();
            return (asphalt * tracks + 0.38 * (edge * 0.5 + dash), [0.01, -0.01]);
        }
        let line = stroke((along / 0.8 - (along / 0.8).floor() - 0.5) * 0.8, 0.02, pixel[0]);
        ((0.27 + 0.03 * rough) * (1.0 - 0.3 * line), [-0.02, 0.015])
    }
}
