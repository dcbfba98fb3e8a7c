//! Population of the square: spawn slots that are filled again when they become empty.

use super::appearance::random_appearance;
use super::archetypes::{Archetype, CrowdType};
use super::behaviour::{Behaviour, GoalPlanner};
use super::camera_model::Vector2;
use super::layout::SquareLayout;
use super::pedestrian::{Gesture, Goal, Pedestrian};
use std::collections::VecDeque;
use std::f32::consts::PI;

/// Spawn slot: a group that comes together, and the time of the next one.
#[derive(Debug, Clone)]
struct SpawnSlot {
    role: Behaviour,
    kinds: Vec<Archetype>,
    due: f64,
    /// Range of seconds between two groups.
    respawn_delay: [f32; 2],
    alive: usize,
    pushed: bool,
}

/// All people on the square, over time.
#[derive(Debug, Clone)]
pub(super) struct Pedestrians {
    pub(super) people: Vec<Pedestrian>,
    spawn_slots: Vec<SpawnSlot>,
    random: fastrand::Rng,
    next_id: u32,
    time: f64,
    rain: bool,
    paving: f32,
}

/// Longest time that is caught up at once, in seconds.
const CATCH_UP: f64 = 120.0;
/// Longest simulation step, in seconds.
const STEP: f64 = 1.0 / 15.0;
/// Smallest apparent height at which people appear, relative to the frame's height.
const SMALLEST: f32 = 0.066;

fn crowd_slots(crowd: CrowdType, random: &mut fastrand::Rng) -> (Vec<SpawnSlot>, f64) {
    use Archetype::{Adult, Cane, Child, Dog, Pram, Wheelchair};
    let slot = |role: Behaviour, kinds: &[Archetype], due: f64| SpawnSlot {
        role,
        kinds: kinds.to_vec(),
        due,
        respawn_delay: [0.5, 3.0],
        alive: 0,
        pushed: false,
    };
    let stroll = |kinds: &[Archetype], due: f64| slot(Behaviour::Stroll, kinds, due);
    match crowd {
        CrowdType::Nobody => (vec![], 0.0),
        CrowdType::One => (vec![slot(Behaviour::Visit, &[Adult], 0.8)], 0.0),
        CrowdType::Shy => (vec![slot(Behaviour::Shy, &[Adult], 0.6)], 0.0),
        CrowdType::Few => {
            let mut slots = vec![
                stroll(&[Adult], 0.0),
                stroll(&[Adult], 2.0),
                stroll(&[Adult, Adult], 4.0),
                slot(Behaviour::Visit, &[Adult], 1.0),
            ];
            slots.push(if random.bool() { stroll(&[Adult, Child], 6.0) } else { stroll(&[Adult], 6.0) });
            (slots, 18.0)
        }
        CrowdType::Forty => {
            let mut slots = vec![];
            let mut left = 47;
            for i in 0.. {
                let due = 0.9 * f64::from(i);
                let mut next = match i {
                    0 => stroll(&[Wheelchair], due),
                    1 => stroll(&[Pram], due),
                    2 => stroll(&[Cane], due),
                    3 => stroll(&[Adult, Child], due),
                    4 => slot(Behaviour::Run, &[Child], due),
                    5 | 6 => slot(Behaviour::Visit, &[Adult, Adult], due),
                    7 => slot(Behaviour::Visit, &[Adult], due),
                    _ => stroll(&vec![Adult; [1, 1, 2, 2, 3, 4][random.usize(..6)].min(left)], due),
                };
                next.respawn_delay = [0.1, 1.0];
                left = left.saturating_sub(next.kinds.len());
                slots.push(next);
                if left == 0 {
                    return (slots, 45.0);
                }
            }
            (slots, 45.0)
        }
        CrowdType::Child => (
            vec![
                slot(Behaviour::Run, &[Child], 0.0),
                slot(Behaviour::Run, &[Child, Child], 2.0),
                stroll(&[Adult, Child], 1.0),
            ],
            8.0,
        ),
        CrowdType::Wheelchair => {
            (vec![stroll(&[Wheelchair], 0.0), stroll(&[Wheelchair], 4.0), stroll(&[Adult], 2.0)], 9.0)
        }
        CrowdType::Pram => (vec![stroll(&[Pram], 0.0), stroll(&[Pram], 4.0), stroll(&[Adult], 2.0)], 9.0),
        CrowdType::Cane => (vec![stroll(&[Cane], 0.0), stroll(&[Cane], 4.0), stroll(&[Adult], 2.0)], 9.0),
        CrowdType::Dancers => ((0..4).map(|i| slot(Behaviour::Dance(i), &[Adult], 0.4 * i as f64)).collect(), 0.0),
        CrowdType::Still => {
            let mut slots = vec![slot(Behaviour::Stand(0), &[Adult], 0.0), slot(Behaviour::Stand(1), &[Adult], 0.7)];
            slots.extend((0..3).map(|i| stroll(&[Adult], 1.0 + 2.5 * f64::from(i))));
            (slots, 0.0)
        }
        CrowdType::Reach => (vec![slot(Behaviour::Reach, &[Adult], 0.3)], 0.0),
        CrowdType::Crossing => {
            ((0..4).map(|i| slot(Behaviour::Cross, &[Adult, Adult], 2.5 * f64::from(i))).collect(), 7.0)
        }
        CrowdType::Vandal => (vec![slot(Behaviour::Wild, &[Adult], 0.3), stroll(&[Adult], 2.0)], 0.0),
        CrowdType::Dog => {
            (vec![stroll(&[Adult, Dog], 0.0), slot(Behaviour::Run, &[Dog], 2.0), stroll(&[Adult, Dog], 5.0)], 9.0)
        }
        CrowdType::Cleaner => (vec![slot(Behaviour::Clean, &[Adult], 0.3)], 0.0),
    }
}

impl Pedestrians {
    pub(super) fn new(crowd: CrowdType, layout: &SquareLayout, rain: bool, seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed ^ 0xca57);
        let (slots, before) = crowd_slots(crowd, &mut random);
        let paving = layout.paving.material.reflectance;
        let mut cast = Self { people: vec![], spawn_slots: slots, random, next_id: 1, time: -before, rain, paving };
        for slot in &mut cast.spawn_slots {
            slot.due -= before;
        }
        cast.advance(0.0, layout);
        cast
    }

    /// Advances to a time in seconds.
    pub(super) fn advance(&mut self, until: f64, layout: &SquareLayout) {
        self.time = self.time.max(until - CATCH_UP);
        while self.time < until - 1e-9 {
            let dt = (until - self.time).min(STEP);
            self.time += dt;
            self.step(dt as f32, layout);
        }
    }

    fn step(&mut self, dt: f32, layout: &SquareLayout) {
        for slot in 0..self.spawn_slots.len() {
            if self.spawn_slots[slot].alive == 0 && self.time >= self.spawn_slots[slot].due {
                self.spawn(slot, layout);
            }
        }
        let time = self.time;
        let slots = &mut self.spawn_slots;
        let random = &mut self.random;
        self.people.retain_mut(|person| {
            let stays = person.step(time, dt);
            if !stays && let Some(slot) = slots.get_mut(person.slot) {
                slot.alive = slot.alive.saturating_sub(1);
                let [from, to] = slot.respawn_delay;
                slot.due = time + f64::from(from + (to - from) * random.f32());
            }
            stays
        });
        self.move_pushers();
        self.avoid_collisions(dt, layout);
    }

    /// Places those who push a wheelchair behind it.
    fn move_pushers(&mut self) {
        for i in 0..self.people.len() {
            let Some((id, behind)) = self.people[i].pushes else { continue };
            let Some(chair) = self.people.iter().find(|person| person.id == id) else {
                self.people[i].goals.clear();
                continue;
            };
            let (at, heading, speed) = (chair.position, chair.heading, chair.speed);
            let pusher = &mut self.people[i];
            pusher.position = [at[0] - behind * heading.cos(), at[1] - behind * heading.sin()];
            (pusher.heading, pusher.speed) = (heading, speed);
        }
    }

    /// Pushes people slightly apart, and away from props.
    fn avoid_collisions(&mut self, dt: f32, layout: &SquareLayout) {
        for i in 0..self.people.len() {
            if self.people[i].pushes.is_some() {
                continue;
            }
            let at = self.people[i].position;
            let mut by = [0.0, 0.0];
            for (j, other) in self.people.iter().enumerate() {
                let off = [at[0] - other.position[0], at[1] - other.position[1]];
                let far = off[0].hypot(off[1]);
                let pair = other.pushes.is_some_and(|(id, _)| id == self.people[i].id);
                if j != i && far < 0.55 && far > 1e-3 && !pair {
                    let push = 0.5 * (0.55 - far) / 0.55 * dt / far;
                    by = [by[0] + off[0] * push, by[1] + off[1] * push];
                }
            }
            for (middle, radius) in layout.props.iter().filter_map(|thing| thing.obstacle_circle()) {
                let off = [at[0] - middle[0], at[1] - middle[1]];
                let far = off[0].hypot(off[1]);
                if far < radius && far > 1e-3 {
                    // Around it, not into it.
                    let push = (1.6 * dt).min(radius - far) / far;
                    by = [by[0] + (off[0] - off[1] * 0.5) * push, by[1] + (off[1] + off[0] * 0.5) * push];
                }
            }
            self.people[i].nudge(by);
        }
    }

    fn spawn(&mut self, slot: usize, layout: &SquareLayout) {
        let Some(SpawnSlot { role, kinds, .. }) = self.spawn_slots.get(slot).cloned() else { return };
        let Some(&lead) = kinds.first() else { return };
        let shortest = kinds.iter().fold(1.7_f32, |least, kind| {
            least.min(match kind {
                Archetype::Child => 1.05,
                Archetype::Dog => 0.8,
                _ => 1.6,
            })
        });
        let far = layout.camera.distance_for_size(shortest, SMALLEST).min(layout.street.kerb - 1.5);
        let pair = self.random.u32(..);
        let mut stage = GoalPlanner { layout, random: &mut self.random, depth_max: far };
        let (mut from, mut goals) = stage.plan(role, lead, 0, pair);
        let (mut back, mut aside) = (0.0_f32, 0.0_f32);
        for (n, &kind) in kinds.iter().enumerate() {
            let look = random_appearance(kind, self.paving, self.rain, &mut self.random);
            if role == Behaviour::Cross && n > 0 {
                (aside, back) = (0.0, 0.0);
                (from, goals) =
                    GoalPlanner { layout, random: &mut self.random, depth_max: far }.plan(role, kind, n, pair);
            }
            // People of a group walk the same way, beside or behind each other.
            let shift = |to: Vector2| [to[0] + aside * 0.35, to[1] + aside + back];
            let goals = goals.iter().map(|goal| match *goal {
                Goal::Walk(to, pace) => Goal::Walk(shift(to), pace),
                // People in company talk.
                Goal::Stand(secs, face, Gesture::Rest | Gesture::Phone) if n > 0 => {
                    Goal::Stand(secs, face, Gesture::Talk)
                }
                stand => stand,
            });
            let person = Pedestrian::new(self.next_id, kind, look, shift(from), goals.collect(), slot);
            self.next_id = self.next_id.wrapping_add(1).max(1);
            let id = person.id;
            self.people.push(person);
            self.spawn_slots[slot].alive += 1;
            if kind == Archetype::Wheelchair {
                self.spawn_slots[slot].pushed = !self.spawn_slots[slot].pushed && self.random.f32() < 0.5;
                if self.spawn_slots[slot].pushed {
                    self.spawn_pusher(id, slot);
                }
            }
            let apart = 0.62 + 0.2 * self.random.f32();
            aside = if n % 2 == 0 { apart } else { -apart };
            back = if n >= 1 { back + 0.5 } else { 0.0 };
        }
    }

    /// Adds a person who pushes a wheelchair.
    fn spawn_pusher(&mut self, chair: u32, slot: usize) {
        let mut look = random_appearance(Archetype::Adult, self.paving, self.rain, &mut self.random);
        look.umbrella = None;
        // This person leaves together with the wheelchair.
        let goals = VecDeque::from([Goal::Walk([0.0, 1e6], 1.0); 64]);
        let mut person = Pedestrian::new(self.next_id, Archetype::Adult, look, [0.0, -50.0], goals, slot);
        person.pushes = Some((chair, 0.78));
        person.heading = -PI / 2.0;
        self.next_id = self.next_id.wrapping_add(1).max(1);
        self.people.push(person);
        self.spawn_slots[slot].alive += 1;
    }
}
