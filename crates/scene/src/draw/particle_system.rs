//! Particle system: spawning, motion, landing on people, lifetime. `script/particle_natives.rs` is its interface to
//! scripts.

use super::noise::GradientNoise;
use crate::protocol::bodies::FlowField;
use crate::protocol::colour::Colour;
use crate::protocol::display_list::{BlendMode, Dot};
use std::f32::consts::TAU;

/// Number of steps of a value that changes over a lifetime.
const CURVE_STEPS: usize = 64;
/// Maximum time step, in seconds: particles continue after a pause and do not jump.
const STEP_MAX: f32 = 0.1;
/// Scale of the wander noise, in canvas units and in seconds.
const WANDER: [f64; 2] = [220.0, 4.0];
/// Speed above which a body shakes off resting particles, in canvas units a second.
const SHAKE_OFF_SPEED: f32 = 500.0;
/// Depth below a resting particle at which the body must still be, in canvas units.
const SUPPORT_DEPTH: f32 = 10.0;
/// Distance from a body's centre at which attraction is halved, in canvas units.
const ATTRACT_HALF_DISTANCE: f32 = 300.0;

/// Configuration of one kind of particles.
#[derive(Debug, Clone)]
pub(crate) struct EmitterConfig {
    pub capacity: usize,
    /// Lifetime in seconds, minimum and maximum.
    pub life: [f32; 2],
    /// Diameters over a lifetime, in even steps, in canvas units.
    pub sizes: Vec<f32>,
    /// Colours over a lifetime, in even steps.
    pub colours: Vec<Colour>,
    pub soft: f32,
    pub blend: BlendMode,
    /// Acceleration in canvas units per second squared.
    pub gravity: [f32; 2],
    /// Drag coefficient: after a second, e to the minus this of the speed is left.
    pub drag: f32,
    /// Wander speed in canvas units a second.
    pub wander: f32,
    /// Fraction of people's motion that it takes on, 0 to 1.
    pub flow: f32,
    /// Acceleration towards the nearest body, in canvas units per second squared.
    pub attract: f32,
    /// Lands on people here, and on people there.
    pub lands_on: [bool; 2],
}

/// Position and velocity of new particles.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SpawnParams {
    pub x: [f32; 2],
    pub y: [f32; 2],
    /// Radius around the position, in canvas units.
    pub spread: f32,
    pub speed: [f32; 2],
    /// Direction in radians; `fan` is the full angle of the spread around it.
    pub angle: f32,
    pub fan: f32,
    pub colour: Option<Colour>,
}

/// Body that particles collide with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Collider {
    pub id: u32,
    /// 0 is here, 1 is there.
    pub side: usize,
    pub foot: [f32; 2],
    pub velocity: [f32; 2],
    pub outline: Vec<[f32; 2]>,
    /// Left, top, right and bottom of the outline.
    bounds: [f32; 4],
}

/// Environment of one step.
pub(crate) struct ParticleContext<'a> {
    /// Seconds since the previous frame.
    pub dt: f32,
    /// The shared clock, in seconds.
    pub now: f64,
    pub canvas: [f32; 2],
    pub noise: &'a GradientNoise,
    pub flow: Option<&'a FlowField>,
    pub bodies: &'a [Collider],
}

#[derive(Debug, Clone, Copy)]
struct Particle {
    at: [f32; 2],
    velocity: [f32; 2],
    age: f32,
    life: f32,
    colour: Option<Colour>,
    /// Body that it rests on (side and identifier), and its offset from the foot.
    resting_on: Option<(usize, u32, [f32; 2])>,
}

/// All particles of one kind.
#[derive(Debug)]
pub(crate) struct Emitter {
    config: EmitterConfig,
    /// Radius and colour over a lifetime.
    lifetime_curve: Vec<(f32, Colour)>,
    particles: Vec<Particle>,
    /// Fraction of a particle that a rate still has to spawn.
    pub spawn_accumulator: f32,
    random: fastrand::Rng,
}

impl Collider {
    pub fn new(id: u32, side: usize, foot: [f32; 2], velocity: [f32; 2], outline: Vec<[f32; 2]>) -> Self {
        let mut bounds = [f32::MAX, f32::MAX, f32::MIN, f32::MIN];
        for [x, y] in &outline {
            bounds = [bounds[0].min(*x), bounds[1].min(*y), bounds[2].max(*x), bounds[3].max(*y)];
        }
        Self { id, side, foot, velocity, outline, bounds }
    }

    /// Returns true inside the outline, by the even-odd rule.
    fn contains(&self, [x, y]: [f32; 2]) -> bool {
        let [left, top, right, bottom] = self.bounds;
        if !(left..=right).contains(&x) || !(top..=bottom).contains(&y) {
            return false;
        }
        let ends = self.outline.iter().zip(self.outline.iter().cycle().skip(1));
        ends.filter(|([x1, y1], [x2, y2])| (*y1 > y) != (*y2 > y) && x < (x2 - x1) * (y - y1) / (y2 - y1) + x1).count()
            % 2
            == 1
    }

    fn center(&self) -> [f32; 2] {
        let [left, top, right, bottom] = self.bounds;
        [(left + right) / 2.0, (top + bottom) / 2.0]
    }
}

impl Emitter {
    pub fn new(plan: EmitterConfig, random: fastrand::Rng) -> Self {
        let course = (0..CURVE_STEPS).map(|i| {
            let t = i as f32 / (CURVE_STEPS - 1) as f32;
            let size = sample_curve(&plan.sizes, t, |a, b, t| a + (b - a) * t);
            (size / 2.0, sample_curve(&plan.colours, t, |a, b, t| a.mix_oklab(b, t)))
        });
        Self { lifetime_curve: course.collect(), config: plan, particles: Vec::new(), spawn_accumulator: 0.0, random }
    }

    pub fn len(&self) -> usize {
        self.particles.len()
    }

    pub fn capacity(&self) -> usize {
        self.config.capacity
    }

    pub fn clear(&mut self) {
        self.particles.clear();
    }

    pub fn soft_and_blend(&self) -> (f32, BlendMode) {
        (self.config.soft, self.config.blend)
    }

    /// Spawns `count` particles. Beyond the capacity, the oldest end.
    pub fn emit(&mut self, source: &SpawnParams, count: usize) {
        let count = count.min(self.config.capacity);
        let beyond = (self.particles.len() + count).saturating_sub(self.config.capacity);
        self.particles.drain(..beyond);
        for _ in 0..count {
            let random = &mut self.random;
            let mut within = |[from, to]: [f32; 2]| from + (to - from) * random.f32();
            let ([x, y], speed, life) =
                ([within(source.x), within(source.y)], within(source.speed), within(self.config.life));
            let angle = source.angle + within([-0.5, 0.5]) * source.fan;
            // Uniform over the disc.
            let (far, way) = (source.spread * within([0.0, 1.0]).sqrt(), within([0.0, TAU]));
            self.particles.push(Particle {
                at: [x + far * way.cos(), y + far * way.sin()],
                velocity: [speed * angle.cos(), speed * angle.sin()],
                age: 0.0,
                life: life.max(0.01),
                colour: source.colour,
                resting_on: None,
            });
        }
    }

    /// Advances by one frame.
    pub fn step(&mut self, air: &ParticleContext) {
        let EmitterConfig { gravity, drag, wander, flow, attract, lands_on: lands, .. } = self.config;
        let dt = air.dt.clamp(0.0, STEP_MAX);
        let slowed = (-drag * dt).exp();
        self.particles.retain_mut(|grain| {
            grain.age += dt;
            if grain.age >= grain.life {
                return false;
            }
            if let Some((side, id, from_foot)) = grain.resting_on {
                grain.resting_on = None;
                if let Some(body) = air.bodies.iter().find(|body| (body.side, body.id) == (side, id)) {
                    grain.rest_on(body, from_foot);
                }
                if grain.resting_on.is_some() {
                    return true;
                }
            }
            let pull = if attract == 0.0 { [0.0; 2] } else { attraction(grain.at, air.bodies, attract) };
            let mut way = [0.0; 2];
            if wander > 0.0 {
                let [unit, time] = WANDER;
                let [x, y] = grain.at.map(|axis| f64::from(axis) / unit);
                let angle = air.noise.at([x, y, air.now / time]) as f32 * TAU;
                way = [wander * angle.cos(), wander * angle.sin()];
            }
            if flow != 0.0 {
                let moved = air.motion_at(grain.at);
                way = [way[0] + flow * moved[0], way[1] + flow * moved[1]];
            }
            let before = grain.at;
            for axis in 0..2 {
                grain.velocity[axis] = (grain.velocity[axis] + (gravity[axis] + pull[axis]) * dt) * slowed;
                grain.at[axis] += (grain.velocity[axis] + way[axis]) * dt;
            }
            // It lands on a body when it falls onto it, not when it rises through it.
            if grain.at[1] > before[1] {
                let held = air
                    .bodies
                    .iter()
                    .find(|body| lands[body.side] && body.contains(grain.at) && !body.contains(before));
                if let Some(body) = held {
                    grain.rest_on(body, [before[0] - body.foot[0], before[1] - body.foot[1]]);
                }
            }
            let [width, height] = air.canvas;
            // A particle far outside the canvas is dropped.
            let near = |at: f32, side: f32| (-side..=2.0 * side).contains(&at);
            near(grain.at[0], width) && near(grain.at[1], height)
        });
    }

    /// Returns all particles as dots.
    pub fn dots(&self) -> impl Iterator<Item = Dot> {
        self.particles.iter().map(|grain| {
            let t = (grain.age / grain.life).clamp(0.0, 1.0);
            let (radius, colour) = self.lifetime_curve[(t * (CURVE_STEPS - 1) as f32) as usize];
            let colour = grain.colour.map_or(colour, |own| own.scale_alpha(f32::from(colour.0[3]) / 255.0));
            Dot { at: grain.at, radius, colour }
        })
    }
}

impl Particle {
    /// Moves with the body. It falls again where the body below it ends, or when the body is too fast.
    fn rest_on(&mut self, body: &Collider, from_foot: [f32; 2]) {
        let mut at = [body.foot[0] + from_foot[0], body.foot[1] + from_foot[1]];
        // Outlines change in each frame: a particle that sank in is lifted out.
        let depth = (0..8).find(|step| !body.contains([at[0], at[1] - 2.0 * *step as f32]));
        let fast = body.velocity[0].hypot(body.velocity[1]) > SHAKE_OFF_SPEED;
        self.velocity = [body.velocity[0] * 0.5, 0.0];
        let Some(depth) = depth.filter(|_| !fast) else { return };
        at[1] -= 2.0 * depth as f32;
        self.at = at;
        if body.contains([at[0], at[1] + SUPPORT_DEPTH]) {
            self.resting_on = Some((body.side, body.id, [at[0] - body.foot[0], at[1] - body.foot[1]]));
        }
    }
}

impl ParticleContext<'_> {
    /// Returns people's motion at a position, in canvas units a second.
    fn motion_at(&self, [x, y]: [f32; 2]) -> [f32; 2] {
        let seen = self.flow.map_or([0.0; 2], |field| field.sample([x / self.canvas[0], y / self.canvas[1]]));
        let theirs = self
            .bodies
            .iter()
            .find(|body| body.side == 1 && body.contains([x, y]))
            .map_or([0.0; 2], |body| body.velocity);
        [seen[0] + theirs[0], seen[1] + theirs[1]]
    }
}

fn attraction(at: [f32; 2], bodies: &[Collider], attract: f32) -> [f32; 2] {
    let away = |body: &Collider| {
        let [x, y] = body.center();
        [x - at[0], y - at[1]]
    };
    let nearest = bodies.iter().map(away).min_by(|a, b| a[0].hypot(a[1]).total_cmp(&b[0].hypot(b[1])));
    let Some([dx, dy]) = nearest else { return [0.0; 2] };
    let far = dx.hypot(dy).max(1.0);
    let strength = attract / (1.0 + far / ATTRACT_HALF_DISTANCE) / far;
    [dx * strength, dy * strength]
}

/// Interpolates between evenly spaced values at `t` from 0 to 1.
fn sample_curve<T: Copy>(values: &[T], t: f32, mix: impl Fn(T, T, f32) -> T) -> T {
    let place = t * (values.len() - 1) as f32;
    let index = (place as usize).min(values.len().saturating_sub(2));
    match values.get(index + 1) {
        Some(next) => mix(values[index], *next, place - index as f32),
        None => values[index],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> EmitterConfig {
        EmitterConfig {
            capacity: 100,
            life: [4.0; 2],
            sizes: vec![4.0, 8.0],
            colours: vec![Colour([255, 0, 0, 255]), Colour([255, 0, 0, 0])],
            soft: 0.0,
            blend: BlendMode::Over,
            gravity: [0.0, 300.0],
            drag: 0.0,
            wander: 0.0,
            flow: 0.0,
            attract: 0.0,
            lands_on: [true, false],
        }
    }

    const FROM: SpawnParams =
        SpawnParams { x: [500.0; 2], y: [100.0; 2], spread: 0.0, speed: [0.0; 2], angle: 0.0, fan: 0.0, colour: None };

    fn body(x: f32, velocity: f32) -> Collider {
        let outline = vec![[x - 50.0, 400.0], [x + 50.0, 400.0], [x + 50.0, 900.0], [x - 50.0, 900.0]];
        Collider::new(1, 0, [x, 900.0], [velocity, 0.0], outline)
    }

    fn steps(swarm: &mut Emitter, count: usize, bodies: &[Collider]) {
        let noise = GradientNoise::new(1);
        for _ in 0..count {
            swarm.step(&ParticleContext {
                dt: 1.0 / 60.0,
                now: 0.0,
                canvas: [1_000.0, 1_000.0],
                noise: &noise,
                flow: None,
                bodies,
            });
        }
    }

    #[test]
    fn what_falls_is_carried_and_falls_again() {
        let mut swarm = Emitter::new(plan(), fastrand::Rng::with_seed(1));
        swarm.emit(&FROM, 1);
        steps(&mut swarm, 110, &[body(500.0, 0.0)]);
        let at = |swarm: &Emitter| swarm.particles[0].at;
        assert!((380.0..=400.0).contains(&at(&swarm)[1]), "it rests on the head: {:?}", at(&swarm));
        steps(&mut swarm, 20, &[body(560.0, 60.0)]);
        assert!((at(&swarm)[0] - 560.0).abs() < 1.0, "it is carried along: {:?}", at(&swarm));
        steps(&mut swarm, 30, &[]);
        assert!(at(&swarm)[1] > 420.0, "nobody holds it: {:?}", at(&swarm));
        let mut other = Emitter::new(EmitterConfig { lands_on: [false, true], ..plan() }, fastrand::Rng::with_seed(1));
        other.emit(&FROM, 1);
        steps(&mut other, 110, &[body(500.0, 0.0)]);
        assert!(at(&other)[1] > 500.0, "it lands on people of there only: {:?}", at(&other));
    }

    #[test]
    fn there_are_never_more_than_the_most_and_all_end() {
        let mut swarm = Emitter::new(EmitterConfig { gravity: [0.0; 2], ..plan() }, fastrand::Rng::with_seed(1));
        swarm.emit(&FROM, 70);
        swarm.emit(&SpawnParams { colour: Some(Colour([0, 0, 255, 255])), ..FROM }, 70);
        assert_eq!(swarm.len(), 100);
        assert_eq!(swarm.dots().filter(|dot| dot.colour.0[2] == 255).count(), 70, "the oldest end first");
        let radius = |swarm: &Emitter| swarm.dots().next().map(|dot| dot.radius);
        assert_eq!(radius(&swarm), Some(2.0));
        steps(&mut swarm, 120, &[]);
        assert!(radius(&swarm).is_some_and(|radius| (2.9..3.1).contains(&radius)));
        steps(&mut swarm, 130, &[]);
        assert_eq!(swarm.len(), 0);
    }

    #[test]
    fn they_are_drawn_to_the_nearest() {
        let mut swarm =
            Emitter::new(EmitterConfig { gravity: [0.0; 2], attract: 200.0, ..plan() }, fastrand::Rng::with_seed(1));
        swarm.emit(&SpawnParams { y: [650.0; 2], ..FROM }, 1);
        steps(&mut swarm, 30, &[body(800.0, 0.0), body(-900.0, 0.0)]);
        assert!(swarm.particles[0].at[0] > 510.0 && swarm.particles[0].velocity[0] > 20.0);
    }
}
