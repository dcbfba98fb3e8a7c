//! One frame: ground and shadows, then people and leaves from far to near, then rain; and the truth of it.

use super::bake::{SKY, Square, UV_STEPS};
use super::body::{Bone, Marks, build};
use super::bus::Bus;
use super::canvas::{Canvas, Sensor, oval};
use super::dog::dog;
use super::figure::{Lit, limbs, shadow};
use super::foliage::Blot;
use super::grain::{drift, tile};
use super::kinds::{Kind, Weather};
use super::layout::Layout;
use super::light::{Caster, Light, Second, State};
use super::paint::{Limb, Patch};
use super::people::Person;
use super::rolling::{pram, wheelchair};
use super::view::V2;
use super::{Frame, StreetConfig, Truth, TruthPerson, wet};

/// The most people that a picture's labels can tell apart.
const PEOPLE_MAX: usize = 254;

/// Everything that draws one square.
#[derive(Debug)]
pub(super) struct Scene {
    layout: Layout,
    weather: Weather,
    seed: u64,
    light: Light,
    square: Square,
    sensor: Sensor,
    tile: Vec<f32>,
    /// Where the lens's middle is when nothing shakes it.
    centre: V2,
    canvas: Canvas,
    /// Where people's bones, limbs and pixels are worked out.
    bones: Vec<Bone>,
    limbs: Vec<Limb>,
    patch: Patch,
    blots: Vec<Blot>,
}

impl Scene {
    pub(super) fn new(config: &StreetConfig) -> Self {
        let weather = config.weather;
        let layout = Layout::new(config.city, config.size, weather);
        let light = Light::new(weather, config.seed, layout.sun, layout.lamps.clone(), layout.flood);
        let margin = if weather == Weather::Shake { config.size[0] / 150 + 3 } else { 0 };
        let square = Square::new(&layout, &light, weather == Weather::Rain, margin);
        let mut random = fastrand::Rng::with_seed(config.seed ^ 0x6_4a1);
        Self {
            weather,
            seed: config.seed,
            sensor: Sensor::new(config.size, &mut random),
            tile: tile(layout.seed),
            centre: layout.view.centre,
            canvas: Canvas::new(config.size),
            layout,
            light,
            square,
            bones: vec![],
            limbs: vec![],
            patch: Patch::default(),
            blots: vec![],
        }
    }

    pub(super) fn layout(&self) -> &Layout {
        &self.layout
    }

    pub(super) fn draw(&mut self, number: u64, time: f64, people: &[Person], frame: &mut Frame, truth: &mut Truth) {
        let mut random =
            fastrand::Rng::with_seed(self.seed.wrapping_mul(31) ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let state = self.light.at(time);
        let shift = self.shift(time);
        self.layout.view.centre = [self.centre[0] + shift[0], self.centre[1] + shift[1]];

        self.shadows(time, people, &state);
        self.ground(&state, shift);
        if self.weather == Weather::Bus {
            self.bus(time, &state);
        }
        if self.weather == Weather::Rain {
            self.mirror(time, people, &state);
        }
        self.stand(time, people, &state, truth);
        if self.weather == Weather::Rain {
            let size = self.canvas.size;
            let ground = &self.square.ground;
            wet::splashes(&mut self.canvas.light, |at| ground[at] > 128, size, &mut random);
            wet::streaks(&mut self.canvas.light, size, 0.5 * state.gain, &mut random);
        }
        self.sensor.expose(&self.canvas, &self.light, frame, &mut random);
        frame.shown = state.shown;
    }

    /// How far the wind moves the picture, in pixels.
    fn shift(&self, time: f64) -> V2 {
        if self.weather != Weather::Shake {
            return [0.0; 2];
        }
        let by = self.canvas.size[0] as f32 / 640.0;
        let seed = self.light.seed();
        let gust = 0.45 + 0.55 * drift(time, 0.2, seed ^ 40).abs();
        let one = |lot: u32| {
            let slow = 1.7 * drift(time, 0.7, seed ^ lot) + 1.1 * drift(time, 2.3, seed ^ (lot + 1));
            let fast = 0.7 * drift(time, 7.0, seed ^ (lot + 2));
            // Now and then a jerk.
            let jerk = drift(time, 0.5, seed ^ (lot + 3)).powi(7) * 6.0 * drift(time, 5.0, seed ^ (lot + 4));
            ((slow + fast) * gust * 1.5 + jerk).clamp(-4.0, 4.0) * by
        };
        [one(41), one(51) * 0.8]
    }

    /// Works out what is kept from the ground.
    fn shadows(&mut self, time: f64, people: &[Person], state: &State) {
        let Self { layout, light, canvas, bones, blots, .. } = self;
        let view = &layout.view;
        let size = canvas.size;
        let caster = light.caster().filter(|_| state.second > 0.02);
        canvas.dim.fill(0);
        canvas.shade.fill(0);
        let clip = [0, 0, size[0] as i32, size[1] as i32];
        if let Some(caster) = caster {
            for crown in &layout.crowns {
                crown.shadows(view, time, caster, blots);
                for blot in blots.iter() {
                    oval(blot, size, 1.5, |x, y, cover| {
                        let at = &mut canvas.shade[y * size[0] + x];
                        *at = (255.0 - (255.0 - f32::from(*at)) * (1.0 - cover)) as u8;
                    });
                }
            }
        }
        for person in people {
            let [x, y] = person.at;
            if let Some((p, far)) = view.project([x, y, 0.0]) {
                let by = view.focal / far;
                let wide = (0.36 * person.look.height / 1.7 + if person.kind == Kind::Pram { 0.3 } else { 0.0 }) * by;
                let radius = [wide, wide * view.toward([x, y, 0.0])[2]];
                let blot = Blot { at: p, radius, shine: 0.0, uv: [0.0; 2], solid: 0.42 };
                oval(&blot, size, 1.0, |x, y, cover| {
                    let at = &mut canvas.dim[y * size[0] + x];
                    *at = (255.0 - (255.0 - f32::from(*at)) * (1.0 - cover)) as u8;
                });
            }
            let Some(caster) = caster else { continue };
            if let Caster::Lamp(lamp) = caster
                && light.second_on([x, y, 0.5]) + light.second_on([x, y, 0.0]) < 0.02
                && (lamp[0] - x).hypot(lamp[1] - y) > 1.0
            {
                continue;
            }
            figure(person, time, bones);
            for bone in bones.iter() {
                let Some((limb, edge)) = shadow(view, bone, caster) else { continue };
                let solid = limb.solid;
                limb.each(clip, edge, |x, y, cover, _, _| {
                    let at = &mut canvas.shade[y as usize * size[0] + x as usize];
                    *at = (*at).max((255.0 * cover * solid) as u8);
                });
            }
        }
    }

    /// The empty square under the present light.
    fn ground(&mut self, state: &State, shift: V2) {
        let Self { square, canvas, light, .. } = self;
        let [w, h] = canvas.size;
        let base = state.ambient * state.gain;
        let second = if light.second == Second::None { 0.0 } else { state.second * state.gain };
        let margin = square.margin as f32;
        // Where in the baked square the picture's first pixel is.
        let from = [margin - shift[0], margin - shift[1]].map(|at| at.max(0.0));
        let (i, j) = (from[0] as usize, from[1] as usize);
        let (s, t) = (from[0].fract(), from[1].fract());
        let wide = square.size[0];
        for y in 0..h {
            let row = y * w;
            let light = &mut canvas.light[row..row + w];
            let (dim, shade) = (&canvas.dim[row..row + w], &canvas.shade[row..row + w]);
            let below = (y + j + 1).min(square.size[1] - 1);
            let start = (y + j) * wide + i;
            let ground = &square.ground[start..start + w];
            if square.margin == 0 {
                let (a, b) = (&square.base[start..start + w], &square.second[start..start + w]);
                if second > 0.0 {
                    for x in 0..w {
                        let shade = 1.0 - f32::from(shade[x]) * f32::from(ground[x]) * (1.0 / 65_025.0);
                        let dim = 1.0 - f32::from(dim[x]) * f32::from(ground[x]) * (1.0 / 65_025.0);
                        light[x] = (a[x] * base + b[x] * second * shade) * dim;
                    }
                } else {
                    for x in 0..w {
                        light[x] = a[x] * base * (1.0 - f32::from(dim[x]) * f32::from(ground[x]) * (1.0 / 65_025.0));
                    }
                }
            } else {
                // Between four pixels of the baked square; its margin holds the ones beyond the picture's end.
                let below = below * wide + i;
                let (a, b) = (&square.base[start..start + w + 1], &square.base[below..below + w + 1]);
                let (c, d) = (&square.second[start..start + w + 1], &square.second[below..below + w + 1]);
                let part = [(1.0 - s) * (1.0 - t), s * (1.0 - t), (1.0 - s) * t, s * t];
                let (stays, changes) = (part.map(|p| p * base), part.map(|p| p * second));
                for x in 0..w {
                    let shade = 1.0 - f32::from(shade[x]) * f32::from(ground[x]) * (1.0 / 65_025.0);
                    let dim = 1.0 - f32::from(dim[x]) * f32::from(ground[x]) * (1.0 / 65_025.0);
                    let one = a[x] * stays[0] + a[x + 1] * stays[1] + b[x] * stays[2] + b[x + 1] * stays[3];
                    let two = c[x] * changes[0] + c[x + 1] * changes[1] + d[x] * changes[2] + d[x + 1] * changes[3];
                    light[x] = (one + two * shade) * dim;
                }
            }
        }
        let half = canvas.half();
        for (y, row) in canvas.uv.chunks_exact_mut(half).enumerate() {
            let start = (2 * y + j) * wide + i;
            let colours = square.uv[start..].iter().step_by(2);
            for (uv, colour) in row.iter_mut().zip(colours) {
                *uv = colour.map(|c| f32::from(c) / UV_STEPS);
            }
        }
    }

    fn bus(&mut self, time: f64, state: &State) {
        let Self { square, canvas, layout, light, .. } = self;
        let bus = Bus::at(time);
        let [w, h] = canvas.size;
        let by = state.second * state.gain;
        for y in 0..h / 3 {
            for x in 0..w {
                let along = square.wall[y * square.size[0] + x];
                if along != i16::MIN {
                    canvas.light[y * w + x] *= 1.0 + bus.gleam(f32::from(along) / 16.0) * (0.3 + 0.7 * by);
                }
            }
        }
        let ambient = light.ambient * state.ambient * state.gain;
        bus.draw(layout, by, ambient, |at, shine, cover, uv| {
            let hidden = square.hides[at];
            let cover = cover * (1.0 - f32::from(hidden[1]) / 255.0);
            canvas.lay(at % w, at / w, shine * cover, uv.map(|c| c * cover), cover);
        });
    }

    /// Wet ground throws people back, upside down. Nothing else shades it, so that `shade` keeps what is mirrored yet.
    fn mirror(&mut self, time: f64, people: &[Person], state: &State) {
        let Self { square, canvas, layout, light, bones, limbs: parts, patch, tile, .. } = self;
        let sky = SKY * light.ambient * state.gain;
        let [w, _] = canvas.size;
        let mut order: Vec<&Person> = people.iter().collect();
        order.sort_by(|a, b| a.at[0].hypot(a.at[1]).total_cmp(&b.at[0].hypot(b.at[1])));
        for person in order {
            figure(person, time, bones);
            bones.retain(|bone| bone.casts && bone.wide[0] > 0.02);
            for bone in bones.iter_mut() {
                for end in [&mut bone.a, &mut bone.b] {
                    end[2] = -end[2];
                }
                bone.side[2] = -bone.side[2];
            }
            let lit = Lit::at(light, state, [person.at[0], person.at[1], 0.8], 1.0);
            limbs(&layout.view, bones, &lit, [0.0; 2], parts);
            if !patch.begin(parts, canvas.size) {
                continue;
            }
            for limb in parts.iter() {
                patch.draw(limb, tile);
            }
            let [left, top, right, bottom] = patch.clip;
            let wide = (right - left) as usize;
            for (y, row) in (top..bottom).zip(patch.pixels.chunks_exact(wide)) {
                // Ripples tear it.
                let beat = f64::from(y);
                let tear = 1.6 * drift(time * 3.0 + beat * 0.37, 1.0, 61) + 1.2 * drift(beat * 0.11, 1.0, 62);
                for x in left..right {
                    let from = x + tear as i32 - left;
                    let Some(&[shine, _, _, cover]) = usize::try_from(from).ok().and_then(|at| row.get(at)) else {
                        continue;
                    };
                    if cover > 0.0 {
                        let at = y as usize * w + x as usize;
                        let taken = f32::from(canvas.shade[at]) / 255.0;
                        let mirror = f32::from(square.wet[at]) / 255.0 * (1.0 - taken);
                        let pixel = &mut canvas.light[at];
                        *pixel = (*pixel + mirror * (shine - sky * cover)).max(*pixel * 0.3);
                        canvas.shade[at] = ((taken + cover * (1.0 - taken)) * 255.0) as u8;
                    }
                }
            }
        }
    }

    /// People and leaves, the farthest first, and the truth of them.
    fn stand(&mut self, time: f64, people: &[Person], state: &State, truth: &mut Truth) {
        truth.people.clear();
        truth.labels.clear();
        truth.labels.resize(self.canvas.size[0] * self.canvas.size[1], 0);
        let eye = self.layout.view.eye();
        let away = |person: &Person| person.at[0].hypot(person.at[1]);
        let mut order: Vec<(f32, usize, bool)> = people.iter().enumerate().map(|(i, p)| (away(p), i, true)).collect();
        order.extend(self.layout.crowns.iter().enumerate().map(|(i, crown)| {
            let to = crown.away(eye);
            ((to * to - eye[2] * eye[2]).max(0.0).sqrt(), i, false)
        }));
        order.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        for (away, index, is_person) in order {
            if is_person {
                if let Some(person) = people.get(index) {
                    self.person(time, person, away, state, truth);
                }
            } else {
                self.crown(time, index, state, truth);
            }
        }
        for person in &mut truth.people {
            let whole = person.visible.max(1.0);
            person.visible = (person.pixels as f32 / whole).min(1.0);
        }
    }

    fn crown(&mut self, time: f64, index: usize, state: &State, truth: &mut Truth) {
        let Self { canvas, layout, light, blots, .. } = self;
        let Some(crown) = layout.crowns.get(index) else { return };
        let lit = Lit::at(light, state, crown.at, 1.0);
        crown.blots(&layout.view, time, &lit, blots);
        let w = canvas.size[0];
        for blot in blots.iter() {
            oval(blot, canvas.size, 2.2, |x, y, cover| {
                canvas.lay(x, y, blot.shine * cover, blot.uv.map(|c| c * cover), cover);
                let label = &mut truth.labels[y * w + x];
                if cover > 0.5 && *label > 0 {
                    if let Some(person) = truth.people.get_mut(usize::from(*label) - 1) {
                        person.pixels = person.pixels.saturating_sub(1);
                    }
                    *label = 0;
                }
            });
        }
    }

    fn person(&mut self, time: f64, person: &Person, away: f32, state: &State, truth: &mut Truth) {
        let Self { square, canvas, layout, light, bones, limbs: parts, patch, tile, .. } = self;
        if truth.people.len() >= PEOPLE_MAX {
            return;
        }
        let view = &layout.view;
        let marks = figure(person, time, bones);
        let [w, h] = canvas.size;
        let foot = view.project([person.at[0], person.at[1], 0.0]);
        let seen = |p: V2| (0.0..w as f32).contains(&p[0]) && (0.0..h as f32).contains(&p[1]);
        let baked = |p: V2| (p[1] as usize + square.margin) * square.size[0] + p[0] as usize + square.margin;
        let open = foot.filter(|(p, _)| seen(*p)).map_or(1.0, |(p, _)| f32::from(square.open[baked(p)]) / 255.0);
        let lit = Lit::at(light, state, [person.at[0], person.at[1], 0.9], open);
        let turned = person.heading * 40.0;
        limbs(view, bones, &lit, [person.id as f32 * 17.0, turned], parts);
        if !patch.begin(parts, canvas.size) {
            return;
        }
        for limb in parts.iter() {
            patch.draw(limb, tile);
        }
        let [mist, bright] = light.mist;
        let share = 1.0 - (1.0 - mist.clamp(0.0, 0.9)).powf(away / 20.0);
        let haze = share * bright * light.ambient * state.gain;
        let [left, top, right, bottom] = patch.clip;
        let label = truth.people.len() as u8 + 1;
        let near = (away * 8.0) as u32;
        let (mut whole, mut visible) = (0_u32, 0_u32);
        let mut bounds = [i32::MAX, i32::MAX, i32::MIN, i32::MIN];
        // The baked square moves with the lens.
        let shift = [view.centre[0] - self.centre[0], view.centre[1] - self.centre[1]].map(|by| by.round() as i32);
        let mut rows = patch.pixels.chunks_exact((right - left) as usize);
        for y in top..bottom {
            let Some(row) = rows.next() else { break };
            for (x, &[shine, u, v, cover]) in (left..right).zip(row) {
                if cover <= 0.004 {
                    continue;
                }
                if cover > 0.5 {
                    whole += 1;
                    bounds = [bounds[0].min(x), bounds[1].min(y), bounds[2].max(x), bounds[3].max(y)];
                }
                let margin = square.margin as i32;
                let from = (y + margin - shift[1]) as usize * square.size[0] + (x + margin - shift[0]) as usize;
                let [far, much] = square.hides.get(from).copied().unwrap_or([255, 0]);
                let through = if much > 0 && u32::from(far) < near { 1.0 - f32::from(much) / 255.0 } else { 1.0 };
                let (x, y) = (x as usize, y as usize);
                let shine = shine * (1.0 - share) + haze * cover;
                canvas.lay(x, y, shine * through, [u * through, v * through], cover * through);
                if cover * through > 0.5 {
                    visible += 1;
                    let at = &mut truth.labels[y * w + x];
                    if *at > 0
                        && let Some(other) = truth.people.get_mut(usize::from(*at) - 1)
                    {
                        other.pixels = other.pixels.saturating_sub(1);
                    }
                    *at = label;
                }
            }
        }
        if whole == 0 {
            return;
        }
        let place = |at| view.project(at).map_or([0.0; 2], |(p, _)| p);
        truth.people.push(TruthPerson {
            id: person.id,
            kind: person.kind,
            full: [
                bounds[0] as f32,
                bounds[1] as f32,
                (bounds[2] - bounds[0] + 1) as f32,
                (bounds[3] - bounds[1] + 1) as f32,
            ],
            // Until all are drawn: how many pixels there would be if nothing hid him.
            visible: whole as f32,
            pixels: visible,
            foot: foot.map_or([0.0; 2], |(p, _)| p),
            head: place(marks.head),
            reach: person.reaches().and_then(|arm| marks.hands.get(arm)).map(|hand| place(*hand)),
            still: person.is_still(),
        });
    }
}

/// The bones of someone, with what he rides or pushes.
fn figure(person: &Person, time: f64, bones: &mut Vec<Bone>) -> Marks {
    if person.kind == Kind::Dog {
        return dog(&person.look, &person.pose(time), time, bones);
    }
    let marks = build(&person.look, &person.pose(time), bones);
    match person.kind {
        Kind::Wheelchair => wheelchair(&person.look, person.at, person.heading, bones),
        Kind::Pram => pram(&person.look, person.at, person.heading, bones),
        _ => {}
    }
    marks
}
