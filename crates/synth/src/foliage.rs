//! Foliage that moves a little in the wind: a crown consists of tufts that sway independently.

use super::camera_model::{PinholeCamera, Vector2, Vector3, add, dot, normalize, scale};
use super::lighting::ShadowCaster;
use super::limb_projection::LightSample;
use super::noise::{cell_random, time_noise};
use super::rasterizer::SurfaceMaterial;

/// Tuft of leaves.
#[derive(Debug, Clone, Copy)]
struct LeafTuft {
    /// Offset from the crown's middle, in metres.
    at: Vector3,
    normal: Vector3,
    radius: f32,
    material: SurfaceMaterial,
    beat: Vector2,
}

/// Leaves of one tree or shrub.
#[derive(Debug, Clone)]
pub(super) struct TreeCrown {
    /// Middle of the crown, in metres.
    pub(super) at: Vector3,
    half: Vector3,
    tufts: Vec<LeafTuft>,
    seed: u32,
}

/// Soft ellipse in the frame, for a tuft: centre, half width and height in pixels, light and colour.
#[derive(Debug, Clone, Copy)]
pub(super) struct SoftEllipse {
    pub(super) centre: Vector2,
    pub(super) radius: Vector2,
    pub(super) light: f32,
    pub(super) uv: Vector2,
    pub(super) opacity: f32,
}

impl TreeCrown {
    pub(super) fn new(at: Vector3, half: Vector3, count: i32, radius: f32, seed: u32) -> Self {
        let mut tufts = Vec::with_capacity(count.max(0) as usize);
        for i in 0..count {
            let lot = |which: i32| cell_random(i, which, seed);
            // Most leaves are on the outside.
            let up = lot(0) * 2.0 - 1.0;
            let turn = lot(1) * std::f32::consts::TAU;
            let out = (0.25 + 0.75 * lot(2)).sqrt() * (0.85 + 0.3 * lot(3));
            let flat = (1.0 - up * up).sqrt();
            let normal = [flat * turn.cos(), flat * turn.sin(), up];
            let green = [0.20 + 0.16 * lot(4), 0.30 + 0.18 * lot(5), 0.13 + 0.10 * lot(6)];
            tufts.push(LeafTuft {
                at: [normal[0] * half[0] * out, normal[1] * half[1] * out, normal[2] * half[2] * out],
                normal,
                radius: radius * (0.6 + 0.8 * lot(7)),
                material: SurfaceMaterial::new(green).scaled(0.45 + 0.55 * out),
                beat: [0.5 + 1.4 * lot(8), lot(9) * 50.0],
            });
        }
        // The far side first.
        tufts.sort_by(|a, b| b.at[1].total_cmp(&a.at[1]));
        Self { at, half, tufts, seed }
    }

    /// Projects the tufts at one time into the frame, the farthest first.
    pub(super) fn project_tufts(
        &self,
        view: &PinholeCamera,
        time: f64,
        lit: &LightSample,
        blots: &mut Vec<SoftEllipse>,
    ) {
        blots.clear();
        for (tuft, at) in self.swaying_tufts(time) {
            let Some((p, far)) = view.project(at) else { continue };
            let by = view.focal / far;
            let ahead = normalize(add(tuft.normal, [0.0, 0.0, 0.25]));
            blots.push(SoftEllipse {
                centre: p,
                radius: [tuft.radius * by, tuft.radius * by * 0.8],
                light: tuft.material.reflectance * lit.incident(ahead),
                uv: tuft.material.uv,
                opacity: 0.92,
            });
        }
    }

    /// Projects the shadows of the tufts on the ground.
    pub(super) fn project_shadows(
        &self,
        view: &PinholeCamera,
        time: f64,
        caster: ShadowCaster,
        blots: &mut Vec<SoftEllipse>,
    ) {
        blots.clear();
        let ShadowCaster::Sun(sun) = caster else { return };
        for (tuft, at) in self.swaying_tufts(time).step_by(2) {
            let by = at[2].max(0.0) / sun[2].max(0.05);
            let ground = [at[0] - sun[0] * by, at[1] - sun[1] * by, 0.0];
            let Some((p, far)) = view.project(ground) else { continue };
            let wide = tuft.radius * 1.5 * view.focal / far;
            let deep = wide * view.direction_from(ground)[2];
            let stretch = 1.0 / sun[2].max(0.2);
            let lean = sun[0].abs() / sun[0].hypot(sun[1]).max(1e-3);
            let radius = [wide * (1.0 + (stretch - 1.0) * lean), deep * (1.0 + (stretch - 1.0) * (1.0 - lean))];
            blots.push(SoftEllipse { centre: p, radius, light: 0.0, uv: [0.0; 2], opacity: 0.6 });
        }
    }

    fn swaying_tufts(&self, time: f64) -> impl Iterator<Item = (&LeafTuft, Vector3)> {
        let gust = time_noise(time, 0.35, self.seed) * 0.6 + time_noise(time, 0.09, self.seed ^ 1);
        let gust = 0.4 + 0.6 * gust.abs();
        let t = (time % 1000.0) as f32;
        let lean = [time_noise(time, 0.6, self.seed ^ 2) * 0.05, time_noise(time, 0.5, self.seed ^ 3) * 0.03, 0.0];
        let middle = add(self.at, scale(lean, self.half[0]));
        self.tufts.iter().map(move |tuft| {
            let turn = tuft.beat[0] * 6.0 * t + tuft.beat[1];
            let by = 0.035 * gust * self.half[0].min(1.2);
            (tuft, add(add(middle, tuft.at), [by * turn.sin(), 0.0, by * 0.6 * (turn * 1.3 + 1.0).cos()]))
        })
    }

    /// Returns the distance from `eye` to the ground below its middle.
    pub(super) fn distance(&self, eye: Vector3) -> f32 {
        let to = [self.at[0] - eye[0], self.at[1] - eye[1], -eye[2]];
        dot(to, to).sqrt()
    }
}
