//! Leaves that move a little in the wind: a crown is a heap of tufts, each with a tremble of its own.

use super::figure::Lit;
use super::grain::{cell, drift};
use super::light::Caster;
use super::paint::Cloth;
use super::view::{V2, V3, View, add, dot, scale, unit};

/// A tuft of leaves.
#[derive(Debug, Clone, Copy)]
struct Tuft {
    /// From the crown's middle, in metres.
    at: V3,
    normal: V3,
    radius: f32,
    cloth: Cloth,
    beat: V2,
}

/// The leaves of one tree or shrub.
#[derive(Debug, Clone)]
pub(super) struct Crown {
    /// Its middle, in metres.
    pub(super) at: V3,
    half: V3,
    tufts: Vec<Tuft>,
    seed: u32,
}

/// A tuft in the picture: its middle, its half width and height in pixels, its light and colour.
#[derive(Debug, Clone, Copy)]
pub(super) struct Blot {
    pub(super) at: V2,
    pub(super) radius: V2,
    pub(super) shine: f32,
    pub(super) uv: V2,
    pub(super) solid: f32,
}

impl Crown {
    pub(super) fn new(at: V3, half: V3, count: i32, radius: f32, seed: u32) -> Self {
        let mut tufts = Vec::with_capacity(count.max(0) as usize);
        for i in 0..count {
            let lot = |which: i32| cell(i, which, seed);
            // Most leaves are at the outside.
            let up = lot(0) * 2.0 - 1.0;
            let turn = lot(1) * std::f32::consts::TAU;
            let out = (0.25 + 0.75 * lot(2)).sqrt() * (0.85 + 0.3 * lot(3));
            let flat = (1.0 - up * up).sqrt();
            let normal = [flat * turn.cos(), flat * turn.sin(), up];
            let green = [0.20 + 0.16 * lot(4), 0.30 + 0.18 * lot(5), 0.13 + 0.10 * lot(6)];
            tufts.push(Tuft {
                at: [normal[0] * half[0] * out, normal[1] * half[1] * out, normal[2] * half[2] * out],
                normal,
                radius: radius * (0.6 + 0.8 * lot(7)),
                cloth: Cloth::new(green).shade(0.45 + 0.55 * out),
                beat: [0.5 + 1.4 * lot(8), lot(9) * 50.0],
            });
        }
        // The far side first.
        tufts.sort_by(|a, b| b.at[1].total_cmp(&a.at[1]));
        Self { at, half, tufts, seed }
    }

    /// Its tufts at a time, the farthest first, in the picture.
    pub(super) fn blots(&self, view: &View, time: f64, lit: &Lit, blots: &mut Vec<Blot>) {
        blots.clear();
        for (tuft, at) in self.moved(time) {
            let Some((p, far)) = view.project(at) else { continue };
            let by = view.focal / far;
            let ahead = unit(add(tuft.normal, [0.0, 0.0, 0.25]));
            blots.push(Blot {
                at: p,
                radius: [tuft.radius * by, tuft.radius * by * 0.8],
                shine: tuft.cloth.y * lit.on(ahead),
                uv: tuft.cloth.uv,
                solid: 0.92,
            });
        }
    }

    /// Where its tufts shade the ground.
    pub(super) fn shadows(&self, view: &View, time: f64, caster: Caster, blots: &mut Vec<Blot>) {
        blots.clear();
        let Caster::Sun(sun) = caster else { return };
        for (tuft, at) in self.moved(time).step_by(2) {
            let by = at[2].max(0.0) / sun[2].max(0.05);
            let ground = [at[0] - sun[0] * by, at[1] - sun[1] * by, 0.0];
            let Some((p, far)) = view.project(ground) else { continue };
            let wide = tuft.radius * 1.5 * view.focal / far;
            let deep = wide * view.toward(ground)[2];
            let stretch = 1.0 / sun[2].max(0.2);
            let lean = sun[0].abs() / sun[0].hypot(sun[1]).max(1e-3);
            let radius = [wide * (1.0 + (stretch - 1.0) * lean), deep * (1.0 + (stretch - 1.0) * (1.0 - lean))];
            blots.push(Blot { at: p, radius, shine: 0.0, uv: [0.0; 2], solid: 0.6 });
        }
    }

    fn moved(&self, time: f64) -> impl Iterator<Item = (&Tuft, V3)> {
        let gust = drift(time, 0.35, self.seed) * 0.6 + drift(time, 0.09, self.seed ^ 1);
        let gust = 0.4 + 0.6 * gust.abs();
        let t = (time % 1000.0) as f32;
        let lean = [drift(time, 0.6, self.seed ^ 2) * 0.05, drift(time, 0.5, self.seed ^ 3) * 0.03, 0.0];
        let middle = add(self.at, scale(lean, self.half[0]));
        self.tufts.iter().map(move |tuft| {
            let turn = tuft.beat[0] * 6.0 * t + tuft.beat[1];
            let by = 0.035 * gust * self.half[0].min(1.2);
            (tuft, add(add(middle, tuft.at), [by * turn.sin(), 0.0, by * 0.6 * (turn * 1.3 + 1.0).cos()]))
        })
    }

    /// How far off it is, as `View::project` counts for its middle's foot.
    pub(super) fn away(&self, eye: V3) -> f32 {
        let to = [self.at[0] - eye[0], self.at[1] - eye[1], -eye[2]];
        dot(to, to).sqrt()
    }
}
