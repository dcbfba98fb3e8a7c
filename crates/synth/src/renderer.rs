//! Renders one frame and its ground truth.
//! Draws ground and shadows, then people and leaves from far to near, then rain.

use super::archetypes::{Archetype, Weather};
use super::bus::Bus;
use super::camera_model::Vector2;
use super::dog::build_dog;
use super::foliage::SoftEllipse;
use super::layout::SquareLayout;
use super::light_buffer::{CameraSensor, LightBuffer, splat_ellipse};
use super::lighting::{KeyLight, LightState, Lighting, ShadowCaster};
use super::limb_projection::{LightSample, project_limbs, project_shadow};
use super::noise::{cloth_tile, time_noise};
use super::pedestrian::Pedestrian;
use super::prerender::{PrerenderedSquare, SKY_REFLECTION, UV_STEPS};
use super::rasterizer::{ProjectedLimb, SpriteBuffer};
use super::skeleton::{Bone, Landmarks, build_person};
use super::wheels::{build_pram, build_wheelchair};
use super::{SynthConfig, SynthFrame, SynthTruth, TruthPerson, rain};

/// Largest number of people that the labels of a frame can distinguish.
const PEOPLE_MAX: usize = 254;

/// Renderer of one square.
#[derive(Debug)]
pub(super) struct SquareRenderer {
    layout: SquareLayout,
    weather: Weather,
    seed: u64,
    lighting: Lighting,
    square: PrerenderedSquare,
    sensor: CameraSensor,
    cloth_tile: Vec<f32>,
    /// Principal point of the camera at rest.
    centre: Vector2,
    buffer: LightBuffer,
    /// Buffers for people's bones, limbs and pixels.
    bones: Vec<Bone>,
    limbs: Vec<ProjectedLimb>,
    sprite: SpriteBuffer,
    ellipses: Vec<SoftEllipse>,
}

impl SquareRenderer {
    pub(super) fn new(config: &SynthConfig) -> Self {
        let weather = config.weather;
        let layout = SquareLayout::new(config.city, config.size, weather);
        let light = Lighting::new(weather, config.seed, layout.sun, layout.lamps.clone(), layout.flood);
        let margin = if weather == Weather::Shake { config.size[0] / 150 + 3 } else { 0 };
        let square = PrerenderedSquare::new(&layout, &light, weather == Weather::Rain, margin);
        let mut random = fastrand::Rng::with_seed(config.seed ^ 0x6_4a1);
        Self {
            weather,
            seed: config.seed,
            sensor: CameraSensor::new(config.size, &mut random),
            cloth_tile: cloth_tile(layout.seed),
            centre: layout.camera.centre,
            buffer: LightBuffer::new(config.size),
            layout,
            lighting: light,
            square,
            bones: vec![],
            limbs: vec![],
            sprite: SpriteBuffer::default(),
            ellipses: vec![],
        }
    }

    pub(super) fn layout(&self) -> &SquareLayout {
        &self.layout
    }

    pub(super) fn draw(
        &mut self,
        number: u64,
        time: f64,
        people: &[Pedestrian],
        frame: &mut SynthFrame,
        truth: &mut SynthTruth,
    ) {
        let mut random =
            fastrand::Rng::with_seed(self.seed.wrapping_mul(31) ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let state = self.lighting.state_at(time);
        let shift = self.wind_shift(time);
        self.layout.camera.centre = [self.centre[0] + shift[0], self.centre[1] + shift[1]];

        self.render_shadows(time, people, &state);
        self.render_ground(&state, shift);
        if self.weather == Weather::Bus {
            self.render_bus(time, &state);
        }
        if self.weather == Weather::Rain {
            self.render_reflections(time, people, &state);
        }
        self.render_people_and_trees(time, people, &state, truth);
        if self.weather == Weather::Rain {
            let size = self.buffer.size;
            let ground = &self.square.ground;
            rain::draw_splashes(&mut self.buffer.light, |at| ground[at] > 128, size, &mut random);
            rain::draw_streaks(&mut self.buffer.light, size, 0.5 * state.gain, &mut random);
        }
        self.sensor.expose(&self.buffer, &self.lighting, frame, &mut random);
        frame.screen_luminance = state.screen_luminance;
    }

    /// Returns the shift of the frame by wind, in pixels.
    fn wind_shift(&self, time: f64) -> Vector2 {
        if self.weather != Weather::Shake {
            return [0.0; 2];
        }
        let by = self.buffer.size[0] as f32 / 640.0;
        let seed = self.lighting.seed();
        let gust = 0.45 + 0.55 * time_noise(time, 0.2, seed ^ 40).abs();
        let one = |lot: u32| {
            let slow = 1.7 * time_noise(time, 0.7, seed ^ lot) + 1.1 * time_noise(time, 2.3, seed ^ (lot + 1));
            let fast = 0.7 * time_noise(time, 7.0, seed ^ (lot + 2));
            // Occasionally a jerk.
            let jerk = time_noise(time, 0.5, seed ^ (lot + 3)).powi(7) * 6.0 * time_noise(time, 5.0, seed ^ (lot + 4));
            ((slow + fast) * gust * 1.5 + jerk).clamp(-4.0, 4.0) * by
        };
        [one(41), one(51) * 0.8]
    }

    /// Renders the shadows on the ground.
    fn render_shadows(&mut self, time: f64, people: &[Pedestrian], state: &LightState) {
        let Self { layout, lighting: light, buffer: canvas, bones, ellipses: blots, .. } = self;
        let view = &layout.camera;
        let size = canvas.size;
        let caster = light.shadow_caster().filter(|_| state.key > 0.02);
        canvas.ambient_shadow.fill(0);
        canvas.key_shadow.fill(0);
        let clip = [0, 0, size[0] as i32, size[1] as i32];
        if let Some(caster) = caster {
            for crown in &layout.crowns {
                crown.project_shadows(view, time, caster, blots);
                for blot in blots.iter() {
                    splat_ellipse(blot, size, 1.5, |x, y, cover| {
                        let at = &mut canvas.key_shadow[y * size[0] + x];
                        *at = (255.0 - (255.0 - f32::from(*at)) * (1.0 - cover)) as u8;
                    });
                }
            }
        }
        for person in people {
            let [x, y] = person.position;
            if let Some((p, far)) = view.project([x, y, 0.0]) {
                let by = view.focal / far;
                let wide = (0.36 * person.appearance.height / 1.7
                    + if person.kind == Archetype::Pram { 0.3 } else { 0.0 })
                    * by;
                let radius = [wide, wide * view.direction_from([x, y, 0.0])[2]];
                let blot = SoftEllipse { centre: p, radius, light: 0.0, uv: [0.0; 2], opacity: 0.42 };
                splat_ellipse(&blot, size, 1.0, |x, y, cover| {
                    let at = &mut canvas.ambient_shadow[y * size[0] + x];
                    *at = (255.0 - (255.0 - f32::from(*at)) * (1.0 - cover)) as u8;
                });
            }
            let Some(caster) = caster else { continue };
            if let ShadowCaster::Lamp(lamp) = caster
                && light.key_on_ground([x, y, 0.5]) + light.key_on_ground([x, y, 0.0]) < 0.02
                && (lamp[0] - x).hypot(lamp[1] - y) > 1.0
            {
                continue;
            }
            build_bones(person, time, bones);
            for bone in bones.iter() {
                let Some((limb, edge)) = project_shadow(view, bone, caster) else { continue };
                let solid = limb.opacity;
                limb.for_each_pixel(clip, edge, |x, y, cover, _, _| {
                    let at = &mut canvas.key_shadow[y as usize * size[0] + x as usize];
                    *at = (*at).max((255.0 * cover * solid) as u8);
                });
            }
        }
    }

    /// Renders the empty square under the current light.
    fn render_ground(&mut self, state: &LightState, shift: Vector2) {
        let Self { square, buffer: canvas, lighting: light, .. } = self;
        let [w, h] = canvas.size;
        let base = state.ambient * state.gain;
        let second = if light.key_light == KeyLight::None { 0.0 } else { state.key * state.gain };
        let margin = square.margin as f32;
        // Position of the frame's first pixel in the prerendered square.
        let from = [margin - shift[0], margin - shift[1]].map(|at| at.max(0.0));
        let (i, j) = (from[0] as usize, from[1] as usize);
        let (s, t) = (from[0].fract(), from[1].fract());
        let wide = square.size[0];
        for y in 0..h {
            let row = y * w;
            let light = &mut canvas.light[row..row + w];
            let (dim, shade) = (&canvas.ambient_shadow[row..row + w], &canvas.key_shadow[row..row + w]);
            let below = (y + j + 1).min(square.size[1] - 1);
            let start = (y + j) * wide + i;
            let ground = &square.ground[start..start + w];
            if square.margin == 0 {
                let (a, b) = (&square.base[start..start + w], &square.key_light[start..start + w]);
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
                // Interpolates four pixels of the prerendered square; its margin covers those beyond the frame's edge.
                let below = below * wide + i;
                let (a, b) = (&square.base[start..start + w + 1], &square.base[below..below + w + 1]);
                let (c, d) = (&square.key_light[start..start + w + 1], &square.key_light[below..below + w + 1]);
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
        let half = canvas.chroma_width();
        for (y, row) in canvas.uv.chunks_exact_mut(half).enumerate() {
            let start = (2 * y + j) * wide + i;
            let colours = square.uv[start..].iter().step_by(2);
            for (uv, colour) in row.iter_mut().zip(colours) {
                *uv = colour.map(|c| f32::from(c) / UV_STEPS);
            }
        }
    }

    fn render_bus(&mut self, time: f64, state: &LightState) {
        let Self { square, buffer: canvas, layout, lighting: light, .. } = self;
        let bus = Bus::at(time);
        let [w, h] = canvas.size;
        let by = state.key * state.gain;
        for y in 0..h / 3 {
            for x in 0..w {
                let along = square.facade_position[y * square.size[0] + x];
                if along != i16::MIN {
                    canvas.light[y * w + x] *= 1.0 + bus.gleam(f32::from(along) / 16.0) * (0.3 + 0.7 * by);
                }
            }
        }
        let ambient = light.ambient * state.ambient * state.gain;
        bus.draw(layout, by, ambient, |at, shine, cover, uv| {
            let hidden = square.occlusion[at];
            let cover = cover * (1.0 - f32::from(hidden[1]) / 255.0);
            canvas.blend(at % w, at / w, shine * cover, uv.map(|c| c * cover), cover);
        });
    }

    /// Renders reflections of people in wet ground, upside down.
    /// There are no other shadows in this case, so `key_shadow` stores the coverage of the reflections.
    fn render_reflections(&mut self, time: f64, people: &[Pedestrian], state: &LightState) {
        let Self {
            square,
            buffer: canvas,
            layout,
            lighting: light,
            bones,
            limbs: parts,
            sprite: patch,
            cloth_tile: tile,
            ..
        } = self;
        let sky = SKY_REFLECTION * light.ambient * state.gain;
        let [w, _] = canvas.size;
        let mut order: Vec<&Pedestrian> = people.iter().collect();
        order.sort_by(|a, b| a.position[0].hypot(a.position[1]).total_cmp(&b.position[0].hypot(b.position[1])));
        for person in order {
            build_bones(person, time, bones);
            bones.retain(|bone| bone.casts_shadow && bone.half_width[0] > 0.02);
            for bone in bones.iter_mut() {
                for end in [&mut bone.a, &mut bone.b] {
                    end[2] = -end[2];
                }
                bone.side[2] = -bone.side[2];
            }
            let lit = LightSample::at(light, state, [person.position[0], person.position[1], 0.8], 1.0);
            project_limbs(&layout.camera, bones, &lit, [0.0; 2], parts);
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
                let tear = 1.6 * time_noise(time * 3.0 + beat * 0.37, 1.0, 61) + 1.2 * time_noise(beat * 0.11, 1.0, 62);
                for x in left..right {
                    let from = x + tear as i32 - left;
                    let Some(&[shine, _, _, cover]) = usize::try_from(from).ok().and_then(|at| row.get(at)) else {
                        continue;
                    };
                    if cover > 0.0 {
                        let at = y as usize * w + x as usize;
                        let taken = f32::from(canvas.key_shadow[at]) / 255.0;
                        let mirror = f32::from(square.reflectivity[at]) / 255.0 * (1.0 - taken);
                        let pixel = &mut canvas.light[at];
                        *pixel = (*pixel + mirror * (shine - sky * cover)).max(*pixel * 0.3);
                        canvas.key_shadow[at] = ((taken + cover * (1.0 - taken)) * 255.0) as u8;
                    }
                }
            }
        }
    }

    /// Renders people and leaves, the farthest first, and their ground truth.
    fn render_people_and_trees(
        &mut self,
        time: f64,
        people: &[Pedestrian],
        state: &LightState,
        truth: &mut SynthTruth,
    ) {
        truth.people.clear();
        truth.labels.clear();
        truth.labels.resize(self.buffer.size[0] * self.buffer.size[1], 0);
        let eye = self.layout.camera.eye();
        let away = |person: &Pedestrian| person.position[0].hypot(person.position[1]);
        let mut order: Vec<(f32, usize, bool)> = people.iter().enumerate().map(|(i, p)| (away(p), i, true)).collect();
        order.extend(self.layout.crowns.iter().enumerate().map(|(i, crown)| {
            let to = crown.distance(eye);
            ((to * to - eye[2] * eye[2]).max(0.0).sqrt(), i, false)
        }));
        order.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        for (away, index, is_person) in order {
            if is_person {
                if let Some(person) = people.get(index) {
                    self.render_person(time, person, away, state, truth);
                }
            } else {
                self.render_crown(time, index, state, truth);
            }
        }
        for person in &mut truth.people {
            let whole = person.visible.max(1.0);
            person.visible = (person.pixels as f32 / whole).min(1.0);
        }
    }

    fn render_crown(&mut self, time: f64, index: usize, state: &LightState, truth: &mut SynthTruth) {
        let Self { buffer: canvas, layout, lighting: light, ellipses: blots, .. } = self;
        let Some(crown) = layout.crowns.get(index) else { return };
        let lit = LightSample::at(light, state, crown.at, 1.0);
        crown.project_tufts(&layout.camera, time, &lit, blots);
        let w = canvas.size[0];
        for blot in blots.iter() {
            splat_ellipse(blot, canvas.size, 2.2, |x, y, cover| {
                canvas.blend(x, y, blot.light * cover, blot.uv.map(|c| c * cover), cover);
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

    fn render_person(&mut self, time: f64, person: &Pedestrian, away: f32, state: &LightState, truth: &mut SynthTruth) {
        let Self {
            square,
            buffer: canvas,
            layout,
            lighting: light,
            bones,
            limbs: parts,
            sprite: patch,
            cloth_tile: tile,
            ..
        } = self;
        if truth.people.len() >= PEOPLE_MAX {
            return;
        }
        let view = &layout.camera;
        let marks = build_bones(person, time, bones);
        let [w, h] = canvas.size;
        let foot = view.project([person.position[0], person.position[1], 0.0]);
        let seen = |p: Vector2| (0.0..w as f32).contains(&p[0]) && (0.0..h as f32).contains(&p[1]);
        let baked = |p: Vector2| (p[1] as usize + square.margin) * square.size[0] + p[0] as usize + square.margin;
        let open =
            foot.filter(|(p, _)| seen(*p)).map_or(1.0, |(p, _)| f32::from(square.key_visibility[baked(p)]) / 255.0);
        let lit = LightSample::at(light, state, [person.position[0], person.position[1], 0.9], open);
        let turned = person.heading * 40.0;
        project_limbs(view, bones, &lit, [person.id as f32 * 17.0, turned], parts);
        if !patch.begin(parts, canvas.size) {
            return;
        }
        for limb in parts.iter() {
            patch.draw(limb, tile);
        }
        let [mist, bright] = light.fog;
        let share = 1.0 - (1.0 - mist.clamp(0.0, 0.9)).powf(away / 20.0);
        let haze = share * bright * light.ambient * state.gain;
        let [left, top, right, bottom] = patch.clip;
        let label = truth.people.len() as u8 + 1;
        let near = (away * 8.0) as u32;
        let (mut whole, mut visible) = (0_u32, 0_u32);
        let mut bounds = [i32::MAX, i32::MAX, i32::MIN, i32::MIN];
        // The prerendered square moves with the lens.
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
                let [far, much] = square.occlusion.get(from).copied().unwrap_or([255, 0]);
                let through = if much > 0 && u32::from(far) < near { 1.0 - f32::from(much) / 255.0 } else { 1.0 };
                let (x, y) = (x as usize, y as usize);
                let shine = shine * (1.0 - share) + haze * cover;
                canvas.blend(x, y, shine * through, [u * through, v * through], cover * through);
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
            // Until all are drawn: the number of pixels without occlusion.
            visible: whole as f32,
            pixels: visible,
            foot: foot.map_or([0.0; 2], |(p, _)| p),
            head: place(marks.head),
            reach: person.reaching_arm().and_then(|arm| marks.hands.get(arm)).map(|hand| place(*hand)),
            still: person.is_still(),
        });
    }
}

/// Builds the bones of a person, including a wheelchair or pram.
fn build_bones(person: &Pedestrian, time: f64, bones: &mut Vec<Bone>) -> Landmarks {
    if person.kind == Archetype::Dog {
        return build_dog(&person.appearance, &person.pose(time), time, bones);
    }
    let marks = build_person(&person.appearance, &person.pose(time), bones);
    match person.kind {
        Archetype::Wheelchair => build_wheelchair(&person.appearance, person.position, person.heading, bones),
        Archetype::Pram => build_pram(&person.appearance, person.position, person.heading, bones),
        _ => {}
    }
    marks
}
