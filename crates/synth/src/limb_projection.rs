//! Projects bones to shaded, sorted limbs in the frame, and their shadows to limbs on the ground.

use super::camera_model::{PinholeCamera, Vector2, Vector3, add, cross, dot, normalize, scale, sub};
use super::lighting::{LightState, Lighting, ShadowCaster};
use super::rasterizer::{PROFILE_SAMPLES, ProjectedLimb};
use super::skeleton::Bone;

/// Light on a person, for surfaces that face it.
#[derive(Debug, Clone, Copy)]
pub(super) struct LightSample {
    pub(super) ambient: f32,
    /// Light of the lamps above, which never change.
    pub(super) lamps: f32,
    pub(super) lamp_from: Vector3,
    pub(super) key: f32,
    pub(super) key_from: Vector3,
    /// Fraction of the light from above that returns from the ground.
    pub(super) bounce: f32,
}

impl LightSample {
    /// Samples the light at `place`; `open` is the visible fraction of the key light, 0 to 1.
    pub(super) fn at(light: &Lighting, state: &LightState, place: Vector3, open: f32) -> Self {
        let (mut lamps, mut from) = (0.0, [0.0; 3]);
        for lamp in &light.lamps {
            let on = lamp.incident(place);
            lamps += on;
            from = add(from, scale(normalize(sub(lamp.at, place)), on));
        }
        let (second_from, strength) = light.key_from(place);
        Self {
            ambient: light.ambient * state.ambient * state.gain,
            lamps: lamps * state.ambient * state.gain,
            lamp_from: normalize(from),
            key: strength * state.key * open * state.gain,
            key_from: second_from,
            bounce: 0.25,
        }
    }

    /// Returns the light on a surface with this normal.
    pub(super) fn incident(&self, normal: Vector3) -> f32 {
        let sky = 0.62 + 0.38 * normal[2];
        let lamps = dot(normal, self.lamp_from).max(0.0) * 0.8 + 0.25;
        self.ambient * (sky + self.bounce * 0.3)
            + self.lamps * lamps
            + self.key * (dot(normal, self.key_from).max(0.0) * 0.9 + self.bounce * 0.22)
    }
}

/// Returns half the width of a bone's section along `q`.
fn half_section(bone: &Bone, axis: Vector3, q: Vector3) -> f32 {
    if bone.flatness == 1.0 {
        return 1.0;
    }
    let through = normalize(cross(axis, bone.side));
    dot(bone.side, q).hypot(bone.flatness * dot(through, q)).clamp(bone.flatness.min(1.0), 1.2)
}

/// Projects bones to limbs as `view` sees them, the nearest first, and replaces the content of `limbs`.
pub(super) fn project_limbs(
    view: &PinholeCamera,
    bones: &[Bone],
    lit: &LightSample,
    weave: [f32; 2],
    limbs: &mut Vec<ProjectedLimb>,
) {
    limbs.clear();
    for bone in bones {
        let (Some((a, far_a)), Some((b, far_b))) = (view.project(bone.a), view.project(bone.b)) else { continue };
        let (by_a, by_b) = (view.focal / far_a, view.focal / far_b);
        let middle = scale(add(bone.a, bone.b), 0.5);
        let toward = view.direction_from(middle);
        let axis = normalize(sub(bone.b, bone.a));
        // The visible direction across the limb; it is undefined for a limb that points at the lens.
        let q = cross(toward, axis);
        let q = if dot(q, q) < 1e-4 { [1.0, 0.0, 0.0] } else { normalize(q) };
        let seen = half_section(bone, axis, q);
        let out = normalize(cross(q, axis));
        let out = if dot(out, toward) < 0.0 { scale(out, -1.0) } else { out };
        let tilt = dot(axis, toward).abs();
        let deep = half_section(bone, axis, out) * tilt;
        // Flat ends appear foreshortened, round ends never.
        let short = if bone.flatness == 1.0 { 1.0 } else { (1.0 - tilt * tilt).max(0.0).sqrt() };
        // Near the ground less sky is visible.
        let low = 0.84 + 0.16 * (middle[2] / 1.1).clamp(0.0, 1.0);
        let mut light = [0.0; PROFILE_SAMPLES];
        for (i, light) in light.iter_mut().enumerate() {
            let u = i as f32 / ((PROFILE_SAMPLES - 1) as f32 / 2.0) - 1.0;
            let normal = add(scale(q, u), scale(out, (1.0 - u * u).max(0.0).sqrt()));
            *light = lit.incident(normal) * low;
        }
        limbs.push(ProjectedLimb {
            a,
            b,
            half_width: [bone.half_width[0] * seen * by_a, bone.half_width[1] * seen * by_b],
            bulge: bone.bulge * 0.5 * (by_a + by_b),
            cap: [
                (bone.cap[0] * short).hypot(bone.half_width[0] * deep) * by_a,
                (bone.cap[1] * short).hypot(bone.half_width[1] * deep) * by_b,
            ],
            material: bone.material,
            light_profile: light,
            metre: 1.0 / by_a,
            weave,
            opacity: bone.opacity,
            depth: dot(sub(view.eye(), middle), sub(view.eye(), middle)).sqrt() - bone.depth_bias,
        });
    }
    limbs.sort_by(|a, b| a.depth.total_cmp(&b.depth));
}

/// Returns the shadow of a point on the ground, or `None` if it casts no shadow there.
pub(super) fn shadow_point(caster: ShadowCaster, place: Vector3) -> Option<Vector2> {
    match caster {
        ShadowCaster::Sun(sun) => {
            let by = place[2].max(0.0) / sun[2].max(0.05);
            Some([place[0] - sun[0] * by, place[1] - sun[1] * by])
        }
        ShadowCaster::Lamp(at) => {
            let drop = at[2] - place[2].max(0.0);
            if drop < 0.3 {
                return None;
            }
            let by = at[2] / drop;
            Some([at[0] + (place[0] - at[0]) * by, at[1] + (place[1] - at[1]) * by])
        }
    }
}

/// Returns a bone's shadow as a limb on the ground, and the width of its edge in pixels.
pub(super) fn project_shadow(view: &PinholeCamera, bone: &Bone, caster: ShadowCaster) -> Option<(ProjectedLimb, f32)> {
    if !bone.casts_shadow {
        return None;
    }
    let (ga, gb) = (shadow_point(caster, bone.a)?, shadow_point(caster, bone.b)?);
    let middle = scale(add(bone.a, bone.b), 0.5);
    let (toward, grow) = match caster {
        ShadowCaster::Sun(sun) => (sun, 1.0),
        ShadowCaster::Lamp(at) => (normalize(sub(at, middle)), (at[2] / (at[2] - middle[2]).max(0.3)).min(6.0)),
    };
    let axis = normalize(sub(bone.b, bone.a));
    // On the ground: the shadow's own direction, and across it.
    let run = [gb[0] - ga[0], gb[1] - ga[1]];
    let long = run[0].hypot(run[1]);
    let flat = toward[0].hypot(toward[1]).max(1e-3);
    let away = [toward[0] / flat, toward[1] / flat];
    let dir = if long > 1e-3 { [run[0] / long, run[1] / long] } else { away };
    let across = [-dir[1], dir[0]];
    let q = normalize(cross(toward, axis));
    let seen = half_section(bone, axis, q);
    // The shadow of a ball is stretched away from the light.
    let stretch = |n: Vector2| {
        let (along, beside) = (n[0] * away[0] + n[1] * away[1], n[1] * away[0] - n[0] * away[1]);
        (along / toward[2].max(0.12)).hypot(beside)
    };
    let (broad, deep) = (stretch(across).min(1.0 + 2.0 * bone.cap[0].min(0.1)), stretch(dir).min(4.0));
    let (a, far) = view.project([ga[0], ga[1], 0.0])?;
    let (b, _) = view.project([gb[0], gb[1], 0.0])?;
    let wide = [bone.half_width[0] * seen * broad * grow, bone.half_width[1] * seen * broad * grow];
    let foot = |g: Vector2, n: Vector2, by: f32| -> Option<Vector2> {
        let (p, _) = view.project([g[0] + n[0] * by, g[1] + n[1] * by, 0.0])?;
        Some(p)
    };
    let line = [b[0] - a[0], b[1] - a[1]];
    let length = line[0].hypot(line[1]);
    let e = foot(ga, dir, 0.1)?;
    let along = [(e[0] - a[0]) * 10.0, (e[1] - a[1]) * 10.0];
    let scale_along = along[0].hypot(along[1]).max(1e-3);
    let line = if length > 1.0 { [line[0] / length, line[1] / length] } else { along.map(|v| v / scale_along) };
    let measure = |g: Vector2, p: Vector2| -> Option<f32> {
        let q = foot(g, across, 0.1)?;
        Some(((q[0] - p[0]) * line[1] - (q[1] - p[1]) * line[0]).abs() * 10.0)
    };
    let (wa, wb) = (measure(ga, a)?, measure(gb, b)?);
    let scale_b = scale_along * wb / wa.max(1e-3);
    // The sun is half a degree wide: the higher the caster, the softer the shadow.
    let soft = 1.2 + 0.012 * middle[2] / toward[2].max(0.1) * view.focal / far;
    let limb = ProjectedLimb {
        a,
        b,
        half_width: [wide[0] * wa, wide[1] * wb],
        bulge: 0.0,
        cap: [bone.cap[0] * deep * grow * scale_along, bone.cap[1] * deep * grow * scale_b],
        material: bone.material,
        light_profile: [1.0; PROFILE_SAMPLES],
        metre: 1.0,
        weave: [0.0; 2],
        opacity: bone.opacity,
        depth: 0.0,
    };
    Some((limb, soft.min(12.0)))
}
