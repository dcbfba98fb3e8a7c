//! Prerendered empty square: the response of each pixel to the ambient light and to the key light.

use super::camera_model::{Vector2, Vector3, add, dot, normalize, scale, smoothstep, sub};
use super::facade::SurfaceSample;
use super::layout::SquareLayout;
use super::lighting::{KeyLight, Lighting, ShadowCaster};
use super::limb_projection::shadow_point;
use super::noise::{fractal_noise, lattice_noise};
use super::props::{Prop, PropMaterial, RayHit, is_shadowed, nearest_hit};
use super::rasterizer::SurfaceMaterial;

/// Empty square, with a margin around the frame for a camera that shakes.
#[derive(Debug, Clone)]
pub(super) struct PrerenderedSquare {
    pub(super) margin: usize,
    /// Size including the margin on all sides.
    pub(super) size: [usize; 2],
    /// Light from the constant sources.
    pub(super) base: Vec<f32>,
    /// Light from the key light at full level.
    pub(super) key_light: Vec<f32>,
    /// Colour as fractions of coded brightness, 127 for 0.64.
    pub(super) uv: Vec<[i8; 2]>,
    /// Occluders: distance in eighths of a metre (255: hides nobody), and coverage.
    pub(super) occlusion: Vec<[u8; 2]>,
    /// 255 for ground that receives shadows.
    pub(super) ground: Vec<u8>,
    /// Visibility of the key light; 255 is full.
    pub(super) key_visibility: Vec<u8>,
    /// Reflectivity in rain.
    pub(super) reflectivity: Vec<u8>,
    /// Position along the facade in sixteenths of a metre, from -2047; `i16::MIN` elsewhere.
    pub(super) facade_position: Vec<i16>,
}

/// Steps of colour in an `i8`.
pub(super) const UV_STEPS: f32 = 200.0;

/// Brightness of the sky that wet ground mirrors, relative to the light.
pub(super) const SKY_REFLECTION: f32 = 0.62;

/// Result of one ray.
#[derive(Debug, Clone, Copy, Default)]
struct RaySample {
    base: f32,
    key_light: f32,
    uv: Vector2,
    distance: f32,
    occludes: bool,
    ground: bool,
    key_visibility: f32,
    reflectivity: f32,
    facade_position: Option<f32>,
}

impl PrerenderedSquare {
    pub(super) fn new(layout: &SquareLayout, light: &Lighting, rain: bool, margin: usize) -> Self {
        let size = layout.camera.size.map(|side| side + 2 * margin);
        let count = size[0] * size[1];
        let mut square = Self {
            margin,
            size,
            base: Vec::with_capacity(count),
            key_light: Vec::with_capacity(count),
            uv: Vec::with_capacity(count),
            occlusion: Vec::with_capacity(count),
            ground: Vec::with_capacity(count),
            key_visibility: Vec::with_capacity(count),
            reflectivity: Vec::with_capacity(count),
            facade_position: Vec::with_capacity(count),
        };
        let mut looker = RayTracer::new(layout, light, rain);
        for y in 0..size[1] {
            for x in 0..size[0] {
                let at = [x as f32 - margin as f32, y as f32 - margin as f32];
                looker.select_candidates([at[0] + 0.5, at[1] + 0.5]);
                let seen = [[0.25, 0.2], [0.75, 0.3], [0.2, 0.75], [0.7, 0.8]]
                    .map(|[dx, dy]| looker.trace([at[0] + dx, at[1] + dy]));
                square.push_pixel(&seen);
            }
        }
        blur(&mut square.base, size);
        blur(&mut square.key_light, size);
        square
    }

    fn push_pixel(&mut self, seen: &[RaySample; 4]) {
        let mean = |of: fn(&RaySample) -> f32| seen.iter().map(of).sum::<f32>() / 4.0;
        self.base.push(mean(|s| s.base));
        self.key_light.push(mean(|s| s.key_light));
        let uv = [mean(|s| s.uv[0]), mean(|s| s.uv[1])];
        self.uv.push(uv.map(|c| (c * UV_STEPS).clamp(-127.0, 127.0) as i8));
        let hiding = seen.iter().filter(|s| s.occludes).count();
        let away = seen.iter().filter(|s| s.occludes).map(|s| s.distance).fold(f32::MAX, f32::min);
        self.occlusion.push(if hiding > 0 {
            [(away * 8.0).min(254.0) as u8, [0, 64, 128, 192, 255][hiding]]
        } else {
            [255, 0]
        });
        self.ground.push((mean(|s| f32::from(u8::from(s.ground))) * 255.0) as u8);
        self.key_visibility.push((mean(|s| s.key_visibility) * 255.0) as u8);
        self.reflectivity.push((mean(|s| s.reflectivity) * 255.0) as u8);
        self.facade_position
            .push(seen[0].facade_position.map_or(i16::MIN, |along| (along * 16.0).clamp(-30_000.0, 30_000.0) as i16));
    }
}

/// Applies the lens's slight blur.
fn blur(plane: &mut [f32], [w, h]: [usize; 2]) {
    let (side, middle) = (0.13, 0.74);
    let mut row = vec![0.0; w.max(h)];
    for line in plane.chunks_exact_mut(w) {
        row[..w].copy_from_slice(line);
        for x in 0..w {
            line[x] = middle * row[x] + side * (row[x.saturating_sub(1)] + row[(x + 1).min(w - 1)]);
        }
    }
    for x in 0..w {
        for y in 0..h {
            row[y] = plane[y * w + x];
        }
        for y in 0..h {
            plane[y * w + x] = middle * row[y] + side * (row[y.saturating_sub(1)] + row[(y + 1).min(h - 1)]);
        }
    }
}

/// Left, top, right, bottom: of the frame in pixels, or of the ground in metres.
type Extent = [f32; 4];

const EVERYWHERE: Extent = [f32::MIN, f32::MIN, f32::MAX, f32::MAX];

fn enclosing_extent(places: impl Iterator<Item = Option<Vector2>>) -> Extent {
    let mut bounds = [f32::MAX, f32::MAX, f32::MIN, f32::MIN];
    for place in places {
        let Some([x, y]) = place else { return EVERYWHERE };
        bounds = [bounds[0].min(x), bounds[1].min(y), bounds[2].max(x), bounds[3].max(y)];
    }
    bounds
}

fn within(bounds: &Extent, at: Vector2, margin: Vector2) -> bool {
    let [left, top, right, bottom] = *bounds;
    at[0] > left - margin[0] && at[0] < right + margin[0] && at[1] > top - margin[1] && at[1] < bottom + margin[1]
}

/// Ray tracer of the square. The few props near a pixel are looked up once for its four rays.
struct RayTracer<'a> {
    layout: &'a SquareLayout,
    light: &'a Lighting,
    rain: bool,
    /// Extents of props in the frame, of their shadows, and the circles in which they dim the ground.
    extents: Vec<Extent>,
    shadow_extents: Vec<Extent>,
    occlusion_circles: Vec<(Vector2, f32)>,
    /// Candidates among them for the current pixel.
    candidates: Vec<&'a Prop>,
    shadow_candidates: Vec<&'a Prop>,
    occlusion_candidates: Vec<(Vector2, f32)>,
}

impl<'a> RayTracer<'a> {
    fn new(layout: &'a SquareLayout, light: &'a Lighting, rain: bool) -> Self {
        let things = &layout.props;
        let caster = light.shadow_caster();
        Self {
            layout,
            light,
            rain,
            extents: things
                .iter()
                .map(|thing| {
                    enclosing_extent(thing.corners().iter().map(|at| layout.camera.project(*at).map(|(p, _)| p)))
                })
                .collect(),
            shadow_extents: things
                .iter()
                .map(|thing| {
                    enclosing_extent(
                        thing.corners().iter().map(|at| caster.and_then(|caster| shadow_point(caster, *at))),
                    )
                })
                .collect(),
            occlusion_circles: things.iter().filter_map(Prop::obstacle_circle).collect(),
            candidates: vec![],
            shadow_candidates: vec![],
            occlusion_candidates: vec![],
        }
    }

    /// Selects the candidates around a pixel.
    fn select_candidates(&mut self, at: Vector2) {
        let things = &self.layout.props;
        self.candidates.clear();
        self.candidates.extend(
            things.iter().zip(&self.extents).filter(|(_, b)| within(b, at, [1.0, 1.0])).map(|(thing, _)| thing),
        );
        let view = &self.layout.camera;
        let ray = view.ray(at);
        self.shadow_candidates.clear();
        self.occlusion_candidates.clear();
        if ray[2] < -1e-3 {
            let far = -view.height / ray[2];
            let ground = [ray[0] * far, ray[1] * far];
            let pixel = far / view.focal;
            let margin = [pixel * 2.0, pixel * 2.0 / -ray[2]];
            if self.light.key_light != KeyLight::None {
                let over = things.iter().zip(&self.shadow_extents).filter(|(_, b)| within(b, ground, margin));
                self.shadow_candidates.extend(over.map(|(thing, _)| thing));
            }
            self.occlusion_candidates.extend(self.occlusion_circles.iter().filter(|(middle, radius)| {
                let by = radius + 0.3;
                within(&[middle[0] - by, middle[1] - by, middle[0] + by, middle[1] + by], ground, margin)
            }));
        }
    }

    fn trace(&self, at: Vector2) -> RaySample {
        let view = &self.layout.camera;
        let (eye, ray) = (view.eye(), view.ray(at));
        let street = &self.layout.street;
        let hit = nearest_hit(self.candidates.iter().copied(), eye, ray);
        let ground = if ray[2] < -1e-4 { -eye[2] / ray[2] } else { f32::MAX };
        // The wall of the building, across the street.
        let (sin, cos) = street.rotation.sin_cos();
        let toward = ray[1] * cos - ray[0] * sin;
        let wall = if toward > 1e-4 { street.facade_distance() / toward } else { f32::MAX };
        let far = ground.min(wall);
        let seen = match hit {
            Some((hit, thing)) if hit.distance < far => {
                self.shade_prop(&hit, thing, add(eye, scale(ray, hit.distance)))
            }
            _ if wall < ground => self.shade_facade(add(eye, scale(ray, wall)), wall),
            _ if ground < f32::MAX => self.shade_ground(add(eye, scale(ray, ground)), ground, ray),
            _ => RaySample { base: 0.8 * self.light.ambient, ..RaySample::default() },
        };
        let [mist, bright] = self.light.fog;
        let share = if mist > 0.0 { 1.0 - (1.0 - mist.min(0.9)).powf(far.min(60.0) / 20.0) } else { 0.0 };
        let mist = share * bright * self.light.ambient;
        RaySample { base: seen.base * (1.0 - share) + mist, key_light: seen.key_light * (1.0 - share), ..seen }
    }

    /// Returns the constant light, the key light and the latter's visibility on a surface.
    fn incident_light(&self, at: Vector3, normal: Vector3, ground: bool) -> [f32; 3] {
        let light = self.light;
        let sky = 0.6 + 0.4 * normal[2];
        let mut base = light.ambient * sky;
        for lamp in &light.lamps {
            let to = normalize([lamp.at[0] - at[0], lamp.at[1] - at[1], lamp.at[2] - at[2]]);
            let share = dot(normal, to).max(0.0) / to[2].max(0.2);
            base += lamp.incident(at) * share.min(1.5);
        }
        if light.key_light == KeyLight::None {
            return [base, 0.0, 1.0];
        }
        let (dir, strength) = light.key_from(at);
        let facing = if light.key_light == KeyLight::Screen {
            dot(normal, dir).max(0.0) + 0.1
        } else {
            dot(normal, dir).max(0.0)
        };
        let from = add(at, scale(normal, 0.02));
        let until = match light.shadow_caster() {
            _ if facing <= 0.0 => 0.0,
            None => 0.0,
            Some(ShadowCaster::Sun(_)) => f32::MAX,
            Some(ShadowCaster::Lamp(lamp)) => dot(sub(lamp, at), sub(lamp, at)).sqrt() - 0.3,
        };
        let shaded = until > 0.0
            && if ground {
                is_shadowed(self.shadow_candidates.iter().copied(), from, dir, until)
            } else {
                is_shadowed(self.layout.props.iter(), from, dir, until)
            };
        let open = if shaded { 0.0 } else { 1.0 };
        let level = if normal[2] > 0.9 { light.key_on_ground(at) } else { facing * strength };
        [base, level * open, open]
    }

    fn shade_ground(&self, at: Vector3, far: f32, ray: Vector3) -> RaySample {
        let view = &self.layout.camera;
        let wide = far / view.focal;
        let length = dot(ray, ray).sqrt();
        let deep = wide * length / (-ray[2]).max(0.02);
        let (mut y, uv) = self.layout.paving.sample(&self.layout.street, [at[0], at[1]], [wide, deep]);
        let [base, second, open] = self.incident_light(at, [0.0, 0.0, 1.0], true);
        // Props darken the ground around them slightly.
        let mut dim = 1.0;
        for (middle, radius) in &self.occlusion_candidates {
            let off = (at[0] - middle[0]).hypot(at[1] - middle[1]);
            dim *= 1.0 - 0.35 * smoothstep(radius + 0.25, radius - 0.3, off);
        }
        let mut seen = RaySample { uv, distance: far, ground: true, key_visibility: open, ..RaySample::default() };
        if self.rain {
            let puddle = smoothstep(-0.05, 0.35, fractal_noise(at[0] * 0.35, at[1] * 0.35, self.layout.seed ^ 31, 3));
            let film = 0.55 + 0.2 * lattice_noise(at[0] * 3.0, at[1] * 3.0, self.layout.seed ^ 32);
            y *= 0.52 - 0.12 * puddle;
            // Water mirrors more at a flatter angle.
            let flat = 1.0 - (-ray[2] / length).clamp(0.0, 1.0);
            let mirror = (0.05 + 0.8 * flat.powi(3)) * (0.35 * film + 0.65 * puddle);
            seen.reflectivity = mirror.min(1.0);
            let above = self.wet_reflection(at, ray);
            seen.base = y * base * dim + mirror * above * self.light.ambient * (0.75 + 0.25 * film);
        } else {
            seen.base = y * base * dim;
        }
        seen.key_light = y * second;
        seen
    }

    /// Returns the reflection of sky, wall and props in wet ground, relative to the light.
    fn wet_reflection(&self, at: Vector3, ray: Vector3) -> f32 {
        let up = [ray[0], ray[1], -ray[2]];
        let from = add(at, [0.0, 0.0, 0.01]);
        if nearest_hit(self.layout.props.iter(), from, up).is_some() {
            return 0.12;
        }
        let street = &self.layout.street;
        let (sin, cos) = street.rotation.sin_cos();
        let [along, across] = street.street_coordinates([at[0], at[1]]);
        let toward = (up[1] * cos - up[0] * sin).max(1e-4);
        let far = (street.facade_distance() - across) / toward;
        let high = up[2] * far;
        // The sky is above the roof.
        if far <= 0.0 || high > 11.0 {
            return SKY_REFLECTION;
        }
        let along = along + (up[0] * cos + up[1] * sin) * far;
        let surface = self.layout.facade.sample(along, high, 0.15);
        (surface.y * 0.7 + 0.08) * (1.0 - smoothstep(9.0, 11.0, high)) + SKY_REFLECTION * smoothstep(9.0, 11.0, high)
    }

    fn shade_facade(&self, at: Vector3, far: f32) -> RaySample {
        let street = &self.layout.street;
        let [along, _] = street.street_coordinates([at[0], at[1]]);
        let surface = self.layout.facade.sample(along, at[2], far / self.layout.camera.focal);
        let (sin, cos) = street.rotation.sin_cos();
        let [base, second, open] = self.incident_light(at, [sin, -cos, 0.0], false);
        let dark = self.light.ambient < 0.2;
        RaySample {
            base: surface.y * base + if dark { surface.glow * 1.6 } else { surface.glow * 0.4 },
            key_light: surface.y * second,
            uv: if dark && surface.glow > 0.01 { [-0.2, 0.1] } else { surface.uv },
            distance: far,
            key_visibility: open,
            facade_position: Some(along),
            ..RaySample::default()
        }
    }

    fn shade_prop(&self, hit: &RayHit, thing: &Prop, at: Vector3) -> RaySample {
        let [base, second, open] = self.incident_light(at, hit.normal, false);
        let pixel = hit.distance / self.layout.camera.focal;
        let surface = prop_surface(thing.material, hit.face, pixel);
        let dark = self.light.ambient < 0.2;
        let glow = if thing.material == PropMaterial::Glow && dark { 2.0 } else { 0.0 };
        RaySample {
            base: surface.y * base + glow,
            key_light: surface.y * second,
            uv: surface.uv,
            distance: (at[0] * at[0] + at[1] * at[1]).sqrt(),
            occludes: true,
            key_visibility: open,
            ..RaySample::default()
        }
    }
}

fn prop_surface(stuff: PropMaterial, face: Vector2, pixel: f32) -> SurfaceSample {
    let plain = |rgb: [f32; 3]| {
        let cloth = SurfaceMaterial::new(rgb);
        SurfaceSample { y: cloth.reflectance, uv: cloth.uv, glow: 0.0 }
    };
    match stuff {
        PropMaterial::Metal => plain([0.30, 0.31, 0.32]),
        PropMaterial::Stone => plain([0.58, 0.57, 0.55]),
        PropMaterial::Glow => plain([0.85, 0.83, 0.75]),
        PropMaterial::Bark => {
            let mut bark = plain([0.30, 0.25, 0.20]);
            bark.y *= 1.0 + 0.3 * lattice_noise(face[0] * 30.0, face[1] * 5.0, 3) * (0.05 / pixel).min(1.0);
            bark
        }
        PropMaterial::Wood => {
            let mut wood = plain([0.47, 0.34, 0.23]);
            let board = (face[1] / 0.11 - (face[1] / 0.11).floor() - 0.5).abs();
            wood.y *= 1.0 - 0.4 * smoothstep(0.4, 0.48, board) * (0.03 / pixel).min(1.0);
            wood
        }
    }
}
