//! Bus on the far street, and its reflection on the facade.

use super::camera_model::{Vector2, add, scale, smoothstep};
use super::layout::SquareLayout;
use super::noise::cell_random;

/// Seconds between two buses.
const INTERVAL: f64 = 6.0;
const LENGTH: f32 = 11.5;
const HEIGHT: f32 = 3.0;
/// Metres per second.
const SPEED: f32 = 11.0;

/// Position of the bus at one time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bus {
    /// Position of its middle along the street, in metres.
    along: f32,
    pass: i32,
}

impl Bus {
    pub(super) fn at(time: f64) -> Self {
        let turn = (time / INTERVAL).floor();
        let t = (time - turn * INTERVAL) as f32;
        let turn = turn as i64 as i32;
        let along = (t - 2.4) * SPEED;
        Self { along: if turn & 1 == 0 { along } else { -along }, pass: turn }
    }

    /// Returns the brightening of the facade at a position: sunlight reflected by the windows of the bus.
    pub(super) fn gleam(&self, along: f32) -> f32 {
        let off = along - self.along;
        let near = (-(off * off) / 14.0).exp();
        near * (0.35 + 0.3 * (off * 2.1).sin().max(0.0))
    }

    /// Calls `spot(pixel, light, cover, colour)` for each pixel that it covers or darkens.
    pub(super) fn draw(
        &self,
        layout: &SquareLayout,
        sun: f32,
        ambient: f32,
        mut spot: impl FnMut(usize, f32, f32, Vector2),
    ) {
        let (view, street) = (&layout.camera, &layout.street);
        let across = street.kerb + street.road * if self.pass & 1 == 0 { 0.3 } else { 0.62 };
        let corner = |along: f32, z: f32| {
            let at = street.square_coordinates([along, across]);
            view.project([at[0], at[1], z]).map(|(p, _)| p)
        };
        let (Some(a), Some(b), Some(c), Some(d)) = (
            corner(self.along - LENGTH / 2.0, 0.0),
            corner(self.along + LENGTH / 2.0, 0.0),
            corner(self.along - LENGTH / 2.0, HEIGHT),
            corner(self.along + LENGTH / 2.0, HEIGHT),
        ) else {
            return;
        };
        let [w, h] = view.size;
        let range = |which: usize, most: usize| {
            let of = [a, b, c, d].map(|p| p[which]);
            let (from, to) = (of.iter().fold(f32::MAX, |m, v| m.min(*v)), of.iter().fold(f32::MIN, |m, v| m.max(*v)));
            ((from - 2.0).clamp(0.0, most as f32) as usize, (to + 2.0).clamp(0.0, most as f32) as usize)
        };
        let ((left, right), (top, bottom)) = (range(0, w), range(1, h));
        let (sin, cos) = street.rotation.sin_cos();
        let paint = 0.08 + 0.3 * cell_random(self.pass, 3, 91);
        let uv = [0.4 * (cell_random(self.pass, 4, 91) - 0.6), 0.5 * (cell_random(self.pass, 5, 91) - 0.4)];
        for y in top..bottom {
            for x in left..right {
                let ray = view.ray([x as f32 + 0.5, y as f32 + 0.5]);
                let toward = ray[1] * cos - ray[0] * sin;
                if toward < 1e-3 {
                    continue;
                }
                let far = across / toward;
                let at = add(view.eye(), scale(ray, far));
                let s = at[0] * cos + at[1] * sin - self.along;
                let pixel = far / view.focal;
                let out = (s.abs() - LENGTH / 2.0).max(0.3 - at[2]).max(at[2] - HEIGHT);
                let cover = (0.5 - out / pixel.max(1e-3)).clamp(0.0, 1.0);
                if cover <= 0.0 {
                    // Its shadow on the road.
                    let dark = smoothstep(0.3, -0.4, at[2])
                        * smoothstep(-1.2, -0.2, at[2])
                        * smoothstep(0.6, 0.0, s.abs() - LENGTH / 2.0);
                    if dark > 0.0 {
                        spot(y * w + x, 0.0, 0.45 * dark, [0.0; 2]);
                    }
                    continue;
                }
                let z = at[2];
                let slot = s / 1.5;
                let door = slot.floor() as i32 == 2;
                let glass = if door { 0.55..2.5 } else { 1.25..2.35 };
                let pane =
                    (slot - slot.floor() - 0.5).abs() < 0.45 && glass.contains(&z) && s.abs() < LENGTH / 2.0 - 0.2;
                let wheel = (s.abs() - LENGTH * 0.3).hypot(z - 0.45);
                let (y_of, uv) = if wheel < 0.5 {
                    (if wheel < 0.22 { 0.12 } else { 0.015 }, [0.0; 2])
                } else if pane {
                    // The sky's reflection, and people as dark shapes.
                    let inside = cell_random((s * 1.6).floor() as i32, self.pass, 92);
                    let head =
                        smoothstep(0.25, 0.2, (s * 1.6 - (s * 1.6).floor() - 0.5).abs()) * smoothstep(1.95, 1.8, z);
                    (0.05 + 0.10 * smoothstep(1.3, 2.4, z) - 0.03 * head * inside.round(), [0.03, -0.02])
                } else if (2.5..2.78).contains(&z) && s.abs() < 1.6 {
                    (0.03, [0.0; 2])
                } else {
                    let band = if (0.95..1.12).contains(&z) { 1.5 } else { 1.0 };
                    let round = 1.0 + 0.3 * smoothstep(2.6, HEIGHT, z) - 0.35 * smoothstep(1.0, 0.35, z);
                    (paint * band * round, uv)
                };
                let light = ambient * 0.8 + sun * 0.5;
                spot(y * w + x, y_of * light, cover, uv);
            }
        }
    }
}
