//! Building across the street, and walls of kiosks: windows, doors, bricks.

use super::camera_model::{Vector2, smoothstep};
use super::noise::{cell_random, fractal_noise, hash, lattice_noise};
use super::rasterizer::SurfaceMaterial;

/// Front of a city's building.
#[derive(Debug, Clone)]
pub(super) struct Facade {
    pub(super) material: SurfaceMaterial,
    /// Spacing of windows and of floors, in metres.
    pub(super) grid: Vector2,
    /// Size of a window relative to the spacing.
    pub(super) window: Vector2,
    pub(super) brick: bool,
    /// Shop windows on the ground floor.
    pub(super) shops: bool,
    pub(super) seed: u32,
}

/// Surface of a wall at one point: reflectance, colour and own light.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SurfaceSample {
    pub(super) y: f32,
    pub(super) uv: Vector2,
    /// Own light in the evening.
    pub(super) glow: f32,
}

impl Facade {
    /// Samples the wall at `along` and `up` metres; `pixel` is the size of a pixel there.
    pub(super) fn sample(&self, along: f32, up: f32, pixel: f32) -> SurfaceSample {
        let [gx, gy] = self.grid;
        let (i, j) = ((along / gx).floor(), (up / gy).floor());
        let (x, y) = (along - i * gx, up - j * gy);
        let (i, j) = (i as i32, j as i32);
        let ground = j <= 0;
        let (wide, high, sill) = if ground && self.shops {
            (gx * 0.84, gy * 0.7, gy * 0.1)
        } else {
            (gx * self.window[0], gy * self.window[1], gy * (0.9 - self.window[1]) * 0.75)
        };
        let door = ground && hash(i, 3, self.seed).is_multiple_of(4);
        let (wide, high, sill) = if door { (1.3, 2.3, 0.0) } else { (wide, high, sill) };
        let (dx, dy) = ((x - gx / 2.0).abs() - wide / 2.0, (y - sill - high / 2.0).abs() - high / 2.0);
        let edge = pixel.max(0.02);
        let inside = 1.0 - smoothstep(-edge, 0.0, dx.max(dy));
        let frame = (1.0 - smoothstep(0.06, 0.06 + edge, dx.max(dy))) * (1.0 - inside);
        let rough = fractal_noise(along * 0.6, up * 0.5, self.seed, 3);
        let mut wall = self.material.reflectance * (1.0 + 0.10 * rough - 0.10 * smoothstep(0.6, 0.0, up));
        let fine = (0.05 / pixel).min(1.0);
        if self.brick {
            let row = (up / 0.085).floor();
            let at = along / 0.24 + row * 0.5;
            wall *= 1.0 + fine * 0.25 * (cell_random(at.floor() as i32, row as i32, self.seed) - 0.5);
        } else {
            wall *= 1.0 + fine * 0.06 * lattice_noise(along * 12.0, up * 12.0, self.seed ^ 2);
        }
        // A ledge over each floor.
        let ledge = 1.0 - smoothstep(0.07, 0.07 + edge, (y - gy + 0.15).abs());
        wall *= 1.0 + 0.18 * ledge;
        let lit = cell_random(i, j, self.seed ^ 7);
        let pane = if door {
            [0.05, 0.09, 0.16][(hash(i, 9, self.seed) % 3) as usize]
        } else {
            // Curtains, and the sky's reflection in the glass.
            0.05 + 0.10 * cell_random(i, j, self.seed ^ 4) + 0.06 * smoothstep(0.0, 1.0, y / gy)
        };
        let bar = 1.0 - smoothstep(0.025, 0.025 + edge, (x - gx / 2.0).abs());
        let pane = if door { pane } else { pane + (0.3 - pane) * bar * 0.5 };
        let glow = if door || lit < 0.55 { 0.0 } else { (0.05 + 0.2 * (lit - 0.55)) * (1.0 - 0.8 * bar) };
        let wall_uv = self.material.uv;
        let share = 1.0 - inside;
        SurfaceSample {
            y: (wall + (0.4 - wall) * frame) * share + pane * inside,
            uv: wall_uv.map(|c| c * share * (1.0 - 0.7 * frame)),
            glow: glow * inside * if ground && self.shops { 1.6 } else { 1.0 },
        }
    }
}
