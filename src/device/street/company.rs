//! Who comes next: a crowd is a list of places that are filled again when they fall empty.

use super::kinds::{Crowd, Kind};
use super::layout::Layout;
use super::looks::draw_look;
use super::people::{Act, Goal, Person};
use super::plans::{Role, Stage};
use super::view::V2;
use std::collections::VecDeque;
use std::f32::consts::PI;

/// A place in the crowd: who comes together, and when the next may come.
#[derive(Debug, Clone)]
struct Slot {
    role: Role,
    kinds: Vec<Kind>,
    due: f64,
    /// Seconds between one and the next.
    pause: [f32; 2],
    alive: usize,
    pushed: bool,
}

/// Everyone on the square, over time.
#[derive(Debug, Clone)]
pub(super) struct Cast {
    pub(super) people: Vec<Person>,
    slots: Vec<Slot>,
    random: fastrand::Rng,
    next_id: u32,
    time: f64,
    rain: bool,
    paving: f32,
}

/// The longest that is caught up with at once, in seconds.
const CATCH_UP: f64 = 120.0;
/// The longest step, in seconds.
const STEP: f64 = 1.0 / 15.0;
/// Nobody comes where he would be seen smaller than this share of the picture's height.
const SMALLEST: f32 = 0.066;

fn slots(crowd: Crowd, random: &mut fastrand::Rng) -> (Vec<Slot>, f64) {
    use Kind::{Adult, Cane, Child, Dog, Pram, Wheelchair};
    let slot = |role: Role, kinds: &[Kind], due: f64| Slot {
        role,
        kinds: kinds.to_vec(),
        due,
        pause: [0.5, 3.0],
        alive: 0,
        pushed: false,
    };
    let stroll = |kinds: &[Kind], due: f64| slot(Role::Stroll, kinds, due);
    match crowd {
        Crowd::Nobody => (vec![], 0.0),
        Crowd::One => (vec![slot(Role::Visit, &[Adult], 0.8)], 0.0),
        Crowd::Shy => (vec![slot(Role::Shy, &[Adult], 0.6)], 0.0),
        Crowd::Few => {
            let mut slots = vec![
                stroll(&[Adult], 0.0),
                stroll(&[Adult], 2.0),
                stroll(&[Adult, Adult], 4.0),
                slot(Role::Visit, &[Adult], 1.0),
            ];
            slots.push(if random.bool() { stroll(&[Adult, Child], 6.0) } else { stroll(&[Adult], 6.0) });
            (slots, 18.0)
        }
        Crowd::Forty => {
            let mut slots = vec![];
            let mut left = 47;
            for i in 0.. {
                let due = 0.9 * f64::from(i);
                let mut next = match i {
                    0 => stroll(&[Wheelchair], due),
                    1 => stroll(&[Pram], due),
                    2 => stroll(&[Cane], due),
                    3 => stroll(&[Adult, Child], due),
                    4 => slot(Role::Run, &[Child], due),
                    5 | 6 => slot(Role::Visit, &[Adult, Adult], due),
                    7 => slot(Role::Visit, &[Adult], due),
                    _ => stroll(&vec![Adult; [1, 1, 2, 2, 3, 4][random.usize(..6)].min(left)], due),
                };
                next.pause = [0.1, 1.0];
                left = left.saturating_sub(next.kinds.len());
                slots.push(next);
                if left == 0 {
                    return (slots, 45.0);
                }
            }
            (slots, 45.0)
        }
        Crowd::Child => (
            vec![slot(Role::Run, &[Child], 0.0), slot(Role::Run, &[Child, Child], 2.0), stroll(&[Adult, Child], 1.0)],
            8.0,
        ),
        Crowd::Wheelchair => (vec![stroll(&[Wheelchair], 0.0), stroll(&[Wheelchair], 4.0), stroll(&[Adult], 2.0)], 9.0),
        Crowd::Pram => (vec![stroll(&[Pram], 0.0), stroll(&[Pram], 4.0), stroll(&[Adult], 2.0)], 9.0),
        Crowd::Cane => (vec![stroll(&[Cane], 0.0), stroll(&[Cane], 4.0), stroll(&[Adult], 2.0)], 9.0),
        Crowd::Dancers => ((0..4).map(|i| slot(Role::Dance(i), &[Adult], 0.4 * i as f64)).collect(), 0.0),
        Crowd::Still => {
            let mut slots = vec![slot(Role::Stand(0), &[Adult], 0.0), slot(Role::Stand(1), &[Adult], 0.7)];
            slots.extend((0..3).map(|i| stroll(&[Adult], 1.0 + 2.5 * f64::from(i))));
            (slots, 0.0)
        }
        Crowd::Reach => (vec![slot(Role::Reach, &[Adult], 0.3)], 0.0),
        Crowd::Crossing => ((0..4).map(|i| slot(Role::Cross, &[Adult, Adult], 2.5 * f64::from(i))).collect(), 7.0),
        Crowd::Vandal => (vec![slot(Role::Wild, &[Adult], 0.3), stroll(&[Adult], 2.0)], 0.0),
        Crowd::Dog => (vec![stroll(&[Adult, Dog], 0.0), slot(Role::Run, &[Dog], 2.0), stroll(&[Adult, Dog], 5.0)], 9.0),
        Crowd::Cleaner => (vec![slot(Role::Clean, &[Adult], 0.3)], 0.0),
    }
}

impl Cast {
    pub(super) fn new(crowd: Crowd, layout: &Layout, rain: bool, seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed ^ 0xca57);
        let (slots, before) = slots(crowd, &mut random);
        let paving = layout.paving.cloth.y;
        let mut cast = Self { people: vec![], slots, random, next_id: 1, time: -before, rain, paving };
        for slot in &mut cast.slots {
            slot.due -= before;
        }
        cast.advance(0.0, layout);
        cast
    }

    /// Goes on to a time in seconds.
    pub(super) fn advance(&mut self, until: f64, layout: &Layout) {
        self.time = self.time.max(until - CATCH_UP);
        while self.time < until - 1e-9 {
            let dt = (until - self.time).min(STEP);
            self.time += dt;
            self.step(dt as f32, layout);
        }
    }

    fn step(&mut self, dt: f32, layout: &Layout) {
        for slot in 0..self.slots.len() {
            if self.slots[slot].alive == 0 && self.time >= self.slots[slot].due {
                self.enter(slot, layout);
            }
        }
        let time = self.time;
        let slots = &mut self.slots;
        let random = &mut self.random;
        self.people.retain_mut(|person| {
            let stays = person.step(time, dt);
            if !stays && let Some(slot) = slots.get_mut(person.slot) {
                slot.alive = slot.alive.saturating_sub(1);
                let [from, to] = slot.pause;
                slot.due = time + f64::from(from + (to - from) * random.f32());
            }
            stays
        });
        self.follow();
        self.give_way(dt, layout);
    }

    /// Who pushes a chair walks behind it.
    fn follow(&mut self) {
        for i in 0..self.people.len() {
            let Some((id, behind)) = self.people[i].pushes else { continue };
            let Some(chair) = self.people.iter().find(|person| person.id == id) else {
                self.people[i].goals.clear();
                continue;
            };
            let (at, heading, speed) = (chair.at, chair.heading, chair.speed);
            let pusher = &mut self.people[i];
            pusher.at = [at[0] - behind * heading.cos(), at[1] - behind * heading.sin()];
            (pusher.heading, pusher.speed) = (heading, speed);
        }
    }

    /// People make way for each other a little, and for things.
    fn give_way(&mut self, dt: f32, layout: &Layout) {
        for i in 0..self.people.len() {
            if self.people[i].pushes.is_some() {
                continue;
            }
            let at = self.people[i].at;
            let mut by = [0.0, 0.0];
            for (j, other) in self.people.iter().enumerate() {
                let off = [at[0] - other.at[0], at[1] - other.at[1]];
                let far = off[0].hypot(off[1]);
                let pair = other.pushes.is_some_and(|(id, _)| id == self.people[i].id);
                if j != i && far < 0.55 && far > 1e-3 && !pair {
                    let push = 0.5 * (0.55 - far) / 0.55 * dt / far;
                    by = [by[0] + off[0] * push, by[1] + off[1] * push];
                }
            }
            for (middle, radius) in layout.things.iter().filter_map(|thing| thing.keep_off()) {
                let off = [at[0] - middle[0], at[1] - middle[1]];
                let far = off[0].hypot(off[1]);
                if far < radius && far > 1e-3 {
                    // Round it, not into it.
                    let push = (1.6 * dt).min(radius - far) / far;
                    by = [by[0] + (off[0] - off[1] * 0.5) * push, by[1] + (off[1] + off[0] * 0.5) * push];
                }
            }
            self.people[i].nudge(by);
        }
    }

    fn enter(&mut self, slot: usize, layout: &Layout) {
        let Some(Slot { role, kinds, .. }) = self.slots.get(slot).cloned() else { return };
        let Some(&lead) = kinds.first() else { return };
        let shortest = kinds.iter().fold(1.7_f32, |least, kind| {
            least.min(match kind {
                Kind::Child => 1.05,
                Kind::Dog => 0.8,
                _ => 1.6,
            })
        });
        let far = layout.view.far(shortest, SMALLEST).min(layout.street.kerb - 1.5);
        let pair = self.random.u32(..);
        let mut stage = Stage { layout, random: &mut self.random, far };
        let (mut from, mut goals) = stage.plan(role, lead, 0, pair);
        let (mut back, mut aside) = (0.0_f32, 0.0_f32);
        for (n, &kind) in kinds.iter().enumerate() {
            let look = draw_look(kind, self.paving, self.rain, &mut self.random);
            if role == Role::Cross && n > 0 {
                (aside, back) = (0.0, 0.0);
                (from, goals) = Stage { layout, random: &mut self.random, far }.plan(role, kind, n, pair);
            }
            // Those who come together walk the same way, beside or behind each other.
            let shift = |to: V2| [to[0] + aside * 0.35, to[1] + aside + back];
            let goals = goals.iter().map(|goal| match *goal {
                Goal::Walk(to, pace) => Goal::Walk(shift(to), pace),
                // Who is not alone talks.
                Goal::Stand(secs, face, Act::Rest | Act::Phone) if n > 0 => Goal::Stand(secs, face, Act::Talk),
                stand => stand,
            });
            let person = Person::new(self.next_id, kind, look, shift(from), goals.collect(), slot);
            self.next_id = self.next_id.wrapping_add(1).max(1);
            let id = person.id;
            self.people.push(person);
            self.slots[slot].alive += 1;
            if kind == Kind::Wheelchair {
                self.slots[slot].pushed = !self.slots[slot].pushed && self.random.f32() < 0.5;
                if self.slots[slot].pushed {
                    self.pusher(id, slot);
                }
            }
            let apart = 0.62 + 0.2 * self.random.f32();
            aside = if n % 2 == 0 { apart } else { -apart };
            back = if n >= 1 { back + 0.5 } else { 0.0 };
        }
    }

    /// Someone behind a wheelchair.
    fn pusher(&mut self, chair: u32, slot: usize) {
        let mut look = draw_look(Kind::Adult, self.paving, self.rain, &mut self.random);
        look.umbrella = None;
        // He goes when the chair goes.
        let goals = VecDeque::from([Goal::Walk([0.0, 1e6], 1.0); 64]);
        let mut person = Person::new(self.next_id, Kind::Adult, look, [0.0, -50.0], goals, slot);
        person.pushes = Some((chair, 0.78));
        person.heading = -PI / 2.0;
        self.next_id = self.next_id.wrapping_add(1).max(1);
        self.people.push(person);
        self.slots[slot].alive += 1;
    }
}
