//! The empty square as the camera sees it, once: how each pixel answers to the light that stays and to the light that
//! changes.

use super::facade::Surface;
use super::figure::cast;
use super::grain::{fractal, noise};
use super::layout::Layout;
use super::light::{Caster, Light, Second};
use super::paint::Cloth;
use super::things::{Hit, Stuff, Thing, nearest, shaded};
use super::view::{V2, V3, add, dot, scale, smooth, sub, unit};

/// The empty square, with a margin around the picture for a camera that trembles.
#[derive(Debug, Clone)]
pub(super) struct Square {
    pub(super) margin: usize,
    /// With the margin on all sides.
    pub(super) size: [usize; 2],
    /// What the light that stays gives.
    pub(super) base: Vec<f32>,
    /// What the second light gives at full.
    pub(super) second: Vec<f32>,
    /// Colour as shares of coded brightness, 127 for 0.64.
    pub(super) uv: Vec<[i8; 2]>,
    /// What stands there: how far off in eighths of a metre, 255 where nothing does that hides people; how much of it.
    pub(super) hides: Vec<[u8; 2]>,
    /// 255 where it is ground that shadows fall on.
    pub(super) ground: Vec<u8>,
    /// How open to the second light, 255 wholly.
    pub(super) open: Vec<u8>,
    /// In rain: how much it mirrors.
    pub(super) wet: Vec<u8>,
    /// Where the facade is: metres along it in sixteenths, from -2047; i16::MIN elsewhere.
    pub(super) wall: Vec<i16>,
}

/// Steps of colour in an `i8`.
pub(super) const UV_STEPS: f32 = 200.0;

/// How bright the sky is that wet ground mirrors, as a share of the light.
pub(super) const SKY: f32 = 0.62;

/// What one ray sees.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    base: f32,
    second: f32,
    uv: V2,
    away: f32,
    hides: bool,
    ground: bool,
    open: f32,
    wet: f32,
    wall: Option<f32>,
}

impl Square {
    pub(super) fn new(layout: &Layout, light: &Light, rain: bool, margin: usize) -> Self {
        let size = layout.view.size.map(|side| side + 2 * margin);
        let count = size[0] * size[1];
        let mut square = Self {
            margin,
            size,
            base: Vec::with_capacity(count),
            second: Vec::with_capacity(count),
            uv: Vec::with_capacity(count),
            hides: Vec::with_capacity(count),
            ground: Vec::with_capacity(count),
            open: Vec::with_capacity(count),
            wet: Vec::with_capacity(count),
            wall: Vec::with_capacity(count),
        };
        let mut looker = Looker::new(layout, light, rain);
        for y in 0..size[1] {
            for x in 0..size[0] {
                let at = [x as f32 - margin as f32, y as f32 - margin as f32];
                looker.aim([at[0] + 0.5, at[1] + 0.5]);
                let seen = [[0.25, 0.2], [0.75, 0.3], [0.2, 0.75], [0.7, 0.8]]
                    .map(|[dx, dy]| looker.look([at[0] + dx, at[1] + dy]));
                square.push(&seen);
            }
        }
        soften(&mut square.base, size);
        soften(&mut square.second, size);
        square
    }

    fn push(&mut self, seen: &[Seen; 4]) {
        let mean = |of: fn(&Seen) -> f32| seen.iter().map(of).sum::<f32>() / 4.0;
        self.base.push(mean(|s| s.base));
        self.second.push(mean(|s| s.second));
        let uv = [mean(|s| s.uv[0]), mean(|s| s.uv[1])];
        self.uv.push(uv.map(|c| (c * UV_STEPS).clamp(-127.0, 127.0) as i8));
        let hiding = seen.iter().filter(|s| s.hides).count();
        let away = seen.iter().filter(|s| s.hides).map(|s| s.away).fold(f32::MAX, f32::min);
        self.hides.push(if hiding > 0 {
            [(away * 8.0).min(254.0) as u8, [0, 64, 128, 192, 255][hiding]]
        } else {
            [255, 0]
        });
        self.ground.push((mean(|s| f32::from(u8::from(s.ground))) * 255.0) as u8);
        self.open.push((mean(|s| s.open) * 255.0) as u8);
        self.wet.push((mean(|s| s.wet) * 255.0) as u8);
        self.wall.push(seen[0].wall.map_or(i16::MIN, |along| (along * 16.0).clamp(-30_000.0, 30_000.0) as i16));
    }
}

/// The lens's slight blur.
fn soften(plane: &mut [f32], [w, h]: [usize; 2]) {
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

/// Left, top, right, bottom: of the picture in pixels, or of the ground in metres.
type Bounds = [f32; 4];

const EVERYWHERE: Bounds = [f32::MIN, f32::MIN, f32::MAX, f32::MAX];

fn around(places: impl Iterator<Item = Option<V2>>) -> Bounds {
    let mut bounds = [f32::MAX, f32::MAX, f32::MIN, f32::MIN];
    for place in places {
        let Some([x, y]) = place else { return EVERYWHERE };
        bounds = [bounds[0].min(x), bounds[1].min(y), bounds[2].max(x), bounds[3].max(y)];
    }
    bounds
}

fn within(bounds: &Bounds, at: V2, margin: V2) -> bool {
    let [left, top, right, bottom] = *bounds;
    at[0] > left - margin[0] && at[0] < right + margin[0] && at[1] > top - margin[1] && at[1] < bottom + margin[1]
}

/// Follows rays into the square. Few things are near a pixel: those are looked up once for its four rays.
struct Looker<'a> {
    layout: &'a Layout,
    light: &'a Light,
    rain: bool,
    /// Where things are seen, where their shadows lie, and where they dim the ground.
    seen: Vec<Bounds>,
    cast: Vec<Bounds>,
    dim: Vec<(V2, f32)>,
    /// Those of them that matter to the present pixel.
    near: Vec<&'a Thing>,
    over: Vec<&'a Thing>,
    beside: Vec<(V2, f32)>,
}

impl<'a> Looker<'a> {
    fn new(layout: &'a Layout, light: &'a Light, rain: bool) -> Self {
        let things = &layout.things;
        let caster = light.caster();
        Self {
            layout,
            light,
            rain,
            seen: things
                .iter()
                .map(|thing| around(thing.corners().iter().map(|at| layout.view.project(*at).map(|(p, _)| p))))
                .collect(),
            cast: things
                .iter()
                .map(|thing| around(thing.corners().iter().map(|at| caster.and_then(|caster| cast(caster, *at)))))
                .collect(),
            dim: things.iter().filter_map(Thing::keep_off).collect(),
            near: vec![],
            over: vec![],
            beside: vec![],
        }
    }

    /// Looks up what matters around a pixel.
    fn aim(&mut self, at: V2) {
        let things = &self.layout.things;
        self.near.clear();
        self.near
            .extend(things.iter().zip(&self.seen).filter(|(_, b)| within(b, at, [1.0, 1.0])).map(|(thing, _)| thing));
        let view = &self.layout.view;
        let ray = view.ray(at);
        self.over.clear();
        self.beside.clear();
        if ray[2] < -1e-3 {
            let far = -view.height / ray[2];
            let ground = [ray[0] * far, ray[1] * far];
            let pixel = far / view.focal;
            let margin = [pixel * 2.0, pixel * 2.0 / -ray[2]];
            if self.light.second != Second::None {
                let over = things.iter().zip(&self.cast).filter(|(_, b)| within(b, ground, margin));
                self.over.extend(over.map(|(thing, _)| thing));
            }
            self.beside.extend(self.dim.iter().filter(|(middle, radius)| {
                let by = radius + 0.3;
                within(&[middle[0] - by, middle[1] - by, middle[0] + by, middle[1] + by], ground, margin)
            }));
        }
    }

    fn look(&self, at: V2) -> Seen {
        let view = &self.layout.view;
        let (eye, ray) = (view.eye(), view.ray(at));
        let street = &self.layout.street;
        let hit = nearest(self.near.iter().copied(), eye, ray);
        let ground = if ray[2] < -1e-4 { -eye[2] / ray[2] } else { f32::MAX };
        // The wall of the building, across the street.
        let (sin, cos) = street.turn.sin_cos();
        let toward = ray[1] * cos - ray[0] * sin;
        let wall = if toward > 1e-4 { street.wall() / toward } else { f32::MAX };
        let far = ground.min(wall);
        let seen = match hit {
            Some((hit, thing)) if hit.far < far => self.thing(&hit, thing, add(eye, scale(ray, hit.far))),
            _ if wall < ground => self.wall(add(eye, scale(ray, wall)), wall),
            _ if ground < f32::MAX => self.ground(add(eye, scale(ray, ground)), ground, ray),
            _ => Seen { base: 0.8 * self.light.ambient, ..Seen::default() },
        };
        let [mist, bright] = self.light.mist;
        let share = if mist > 0.0 { 1.0 - (1.0 - mist.min(0.9)).powf(far.min(60.0) / 20.0) } else { 0.0 };
        let mist = share * bright * self.light.ambient;
        Seen { base: seen.base * (1.0 - share) + mist, second: seen.second * (1.0 - share), ..seen }
    }

    /// The light that stays, and the second light, on a surface.
    fn lit(&self, at: V3, normal: V3, ground: bool) -> [f32; 3] {
        let light = self.light;
        let sky = 0.6 + 0.4 * normal[2];
        let mut base = light.ambient * sky;
        for lamp in &light.lamps {
            let to = unit([lamp.at[0] - at[0], lamp.at[1] - at[1], lamp.at[2] - at[2]]);
            let share = dot(normal, to).max(0.0) / to[2].max(0.2);
            base += lamp.on(at) * share.min(1.5);
        }
        if light.second == Second::None {
            return [base, 0.0, 1.0];
        }
        let (dir, strength) = light.second_from(at);
        let facing =
            if light.second == Second::Screen { dot(normal, dir).max(0.0) + 0.1 } else { dot(normal, dir).max(0.0) };
        let from = add(at, scale(normal, 0.02));
        let until = match light.caster() {
            _ if facing <= 0.0 => 0.0,
            None => 0.0,
            Some(Caster::Sun(_)) => f32::MAX,
            Some(Caster::Lamp(lamp)) => dot(sub(lamp, at), sub(lamp, at)).sqrt() - 0.3,
        };
        let shaded = until > 0.0
            && if ground {
                shaded(self.over.iter().copied(), from, dir, until)
            } else {
                shaded(self.layout.things.iter(), from, dir, until)
            };
        let open = if shaded { 0.0 } else { 1.0 };
        let level = if normal[2] > 0.9 { light.second_on(at) } else { facing * strength };
        [base, level * open, open]
    }

    fn ground(&self, at: V3, far: f32, ray: V3) -> Seen {
        let view = &self.layout.view;
        let wide = far / view.focal;
        let length = dot(ray, ray).sqrt();
        let deep = wide * length / (-ray[2]).max(0.02);
        let (mut y, uv) = self.layout.paving.at(&self.layout.street, [at[0], at[1]], [wide, deep]);
        let [base, second, open] = self.lit(at, [0.0, 0.0, 1.0], true);
        // Things stand in a little darkness of their own.
        let mut dim = 1.0;
        for (middle, radius) in &self.beside {
            let off = (at[0] - middle[0]).hypot(at[1] - middle[1]);
            dim *= 1.0 - 0.35 * smooth(radius + 0.25, radius - 0.3, off);
        }
        let mut seen = Seen { uv, away: far, ground: true, open, ..Seen::default() };
        if self.rain {
            let puddle = smooth(-0.05, 0.35, fractal(at[0] * 0.35, at[1] * 0.35, self.layout.seed ^ 31, 3));
            let film = 0.55 + 0.2 * noise(at[0] * 3.0, at[1] * 3.0, self.layout.seed ^ 32);
            y *= 0.52 - 0.12 * puddle;
            // Water mirrors more the flatter one looks at it.
            let flat = 1.0 - (-ray[2] / length).clamp(0.0, 1.0);
            let mirror = (0.05 + 0.8 * flat.powi(3)) * (0.35 * film + 0.65 * puddle);
            seen.wet = mirror.min(1.0);
            let above = self.mirrored(at, ray);
            seen.base = y * base * dim + mirror * above * self.light.ambient * (0.75 + 0.25 * film);
        } else {
            seen.base = y * base * dim;
        }
        seen.second = y * second;
        seen
    }

    /// What wet ground shows of the sky, the wall and the things over it, as a share of the light.
    fn mirrored(&self, at: V3, ray: V3) -> f32 {
        let up = [ray[0], ray[1], -ray[2]];
        let from = add(at, [0.0, 0.0, 0.01]);
        if nearest(self.layout.things.iter(), from, up).is_some() {
            return 0.12;
        }
        let street = &self.layout.street;
        let (sin, cos) = street.turn.sin_cos();
        let [along, across] = street.own([at[0], at[1]]);
        let toward = (up[1] * cos - up[0] * sin).max(1e-4);
        let far = (street.wall() - across) / toward;
        let high = up[2] * far;
        // Higher than the roof there is sky.
        if far <= 0.0 || high > 11.0 {
            return SKY;
        }
        let along = along + (up[0] * cos + up[1] * sin) * far;
        let surface = self.layout.facade.at(along, high, 0.15);
        (surface.y * 0.7 + 0.08) * (1.0 - smooth(9.0, 11.0, high)) + SKY * smooth(9.0, 11.0, high)
    }

    fn wall(&self, at: V3, far: f32) -> Seen {
        let street = &self.layout.street;
        let [along, _] = street.own([at[0], at[1]]);
        let surface = self.layout.facade.at(along, at[2], far / self.layout.view.focal);
        let (sin, cos) = street.turn.sin_cos();
        let [base, second, open] = self.lit(at, [sin, -cos, 0.0], false);
        let dark = self.light.ambient < 0.2;
        Seen {
            base: surface.y * base + if dark { surface.glow * 1.6 } else { surface.glow * 0.4 },
            second: surface.y * second,
            uv: if dark && surface.glow > 0.01 { [-0.2, 0.1] } else { surface.uv },
            away: far,
            open,
            wall: Some(along),
            ..Seen::default()
        }
    }

    fn thing(&self, hit: &Hit, thing: &Thing, at: V3) -> Seen {
        let [base, second, open] = self.lit(at, hit.normal, false);
        let pixel = hit.far / self.layout.view.focal;
        let surface = stuff(thing.stuff, hit.face, pixel);
        let dark = self.light.ambient < 0.2;
        let glow = if thing.stuff == Stuff::Glow && dark { 2.0 } else { 0.0 };
        Seen {
            base: surface.y * base + glow,
            second: surface.y * second,
            uv: surface.uv,
            away: (at[0] * at[0] + at[1] * at[1]).sqrt(),
            hides: true,
            open,
            ..Seen::default()
        }
    }
}

fn stuff(stuff: Stuff, face: V2, pixel: f32) -> Surface {
    let plain = |rgb: [f32; 3]| {
        let cloth = Cloth::new(rgb);
        Surface { y: cloth.y, uv: cloth.uv, glow: 0.0 }
    };
    match stuff {
        Stuff::Metal => plain([0.30, 0.31, 0.32]),
        Stuff::Stone => plain([0.58, 0.57, 0.55]),
        Stuff::Glow => plain([0.85, 0.83, 0.75]),
        Stuff::Bark => {
            let mut bark = plain([0.30, 0.25, 0.20]);
            bark.y *= 1.0 + 0.3 * noise(face[0] * 30.0, face[1] * 5.0, 3) * (0.05 / pixel).min(1.0);
            bark
        }
        Stuff::Wood => {
            let mut wood = plain([0.47, 0.34, 0.23]);
            let board = (face[1] / 0.11 - (face[1] / 0.11).floor() - 0.5).abs();
            wood.y *= 1.0 - 0.4 * smooth(0.4, 0.48, board) * (0.03 / pixel).min(1.0);
            wood
        }
    }
}
