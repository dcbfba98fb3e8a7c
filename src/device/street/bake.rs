//! The empty square as the camera sees it, once: how each pixel answers to the light that stays and to the light that
//! changes.

use super::layout::Layout;
use super::light::{Light, Second};
use super::paint::Cloth;
use super::things::{Stuff, Thing, along, nearest, shaded};
use super::view::{V2, V3, add, dot, scale, smooth, unit};
use super::facade::{Facade, Surface};
use super::grain::{fractal, noise};

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
        let looker = Looker { layout, light, rain };
        for y in 0..size[1] {
            for x in 0..size[0] {
                let at = [x as f32 - margin as f32, y as f32 - margin as f32];
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

struct Looker<'a> {
    layout: &'a Layout,
    light: &'a Light,
    rain: bool,
}

impl Looker<'_> {
    fn look(&self, at: V2) -> Seen {
        let view = &self.layout.view;
        let (eye, ray) = (view.eye(), view.ray(at));
        let street = &self.layout.street;
        let hit = nearest(&self.layout.things, eye, ray);
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
        let share = 1.0 - (1.0 - mist.clamp(0.0, 0.9)).powf(far.min(60.0) / 20.0);
        let mist = share * bright * self.light.ambient;
        Seen { base: seen.base * (1.0 - share) + mist, second: seen.second * (1.0 - share), ..seen }
    }

    /// The light that stays, and the second light, on a surface.
    fn lit(&self, at: V3, normal: V3) -> [f32; 3] {
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
        let facing = if light.second == Second::Screen { dot(normal, dir).max(0.0) + 0.1 } else { dot(normal, dir).max(0.0) };
        let from = add(at, scale(normal, 0.02));
        let open = if facing > 0.0 && light.second != Second::Screen && shaded(&self.layout.things, from, dir) {
            0.0
        } else {
            1.0
        };
        let level = if normal[2] > 0.9 { light.second_on(at) } else { facing * strength };
        [base, level * open, open]
    }

    fn ground(&self, at: V3, far: f32, ray: V3) -> Seen {
        let view = &self.layout.view;
        let wide = far / view.focal;
        let length = dot(ray, ray).sqrt();
        let deep = wide * length / (-ray[2]).max(0.02);
        let (mut y, uv) = self.layout.paving.at(&self.layout.street, [at[0], at[1]], [wide, deep]);
        let [base, second, open] = self.lit(at, [0.0, 0.0, 1.0]);
        // Things stand in a little darkness of their own.
        let mut dim = 1.0;
        for thing in &self.layout.things {
            if let Some((middle, radius)) = thing.keep_off() {
                let off = (at[0] - middle[0]).hypot(at[1] - middle[1]);
                dim *= 1.0 - 0.35 * smooth(radius + 0.25, radius - 0.3, off);
            }
        }
        let mut seen = Seen { uv, away: far, ground: true, open, ..Seen::default() };
        if self.rain {
            let puddle = smooth(-0.05, 0.35, fractal(at[0] * 0.35, at[1] * 0.35, self.layout.seed ^ 31, 3));
            let film = 0.55 + 0.2 * noise(at[0] * 3.0, at[1] * 3.0, self.layout.seed ^ 32);
            y *= 0.52 - 0.12 * puddle;
            // Water mirrors more the flatter one looks at it.
            let flat = 1.0 - (-ray[2] / length).clamp(0.0, 1.0);
            let mirror = (0.03 + 0.75 * flat.powi(4)) * (0.35 * film + 0.65 * puddle);
            seen.wet = mirror.min(1.0);
            let up = [at[0] * 0.0, 0.0, 0.0];
            let _ = up;
            seen.base = y * base * dim + mirror * 0.62 * self.light.ambient * (0.75 + 0.25 * film);
        } else {
            seen.base = y * base * dim;
        }
        seen.second = y * second;
        seen
    }

    fn wall(&self, at: V3, far: f32) -> Seen {
        let street = &self.layout.street;
        let [along, _] = street.own([at[0], at[1]]);
        let surface = self.layout.facade.at(along, at[2], far / self.layout.view.focal);
        let (sin, cos) = street.turn.sin_cos();
        let [base, second, open] = self.lit(at, [sin, -cos, 0.0]);
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

    fn thing(&self, hit: &super::things::Hit, thing: &Thing, at: V3) -> Seen {
        let [base, second, open] = self.lit(at, hit.normal);
        let pixel = hit.far / self.layout.view.focal;
        let surface = stuff(thing.stuff, hit.face, pixel, &self.layout.facade);
        let dark = self.light.ambient < 0.2;
        let glow = if thing.stuff == Stuff::Glow && dark { 2.0 } else { 0.0 };
        let _ = along(hit.normal);
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

fn stuff(stuff: Stuff, face: V2, pixel: f32, facade: &Facade) -> Surface {
    let plain = |rgb: [f32; 3]| {
        let cloth = Cloth::new(rgb);
        Surface { y: cloth.y, uv: cloth.uv, glow: 0.0 }
    };
    match stuff {
        Stuff::Metal => plain([0.30, 0.31, 0.32]),
        Stuff::Stone => plain([0.58, 0.57, 0.55]),
        Stuff::Glow => plain([0.85, 0.83, 0.75]),
        Stuff::Sign => plain([0.2, 0.45, 0.5]),
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
        Stuff::Wall(seed) => Facade { seed, ..facade.clone() }.at(face[0], face[1], pixel),
    }
}
