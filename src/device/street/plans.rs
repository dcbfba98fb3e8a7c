//! Who comes next, and what he means to do: a crowd is a list of places that are filled again when they fall empty.

use super::grain::hash;
use super::kinds::{Crowd, Kind};
use super::layout::Layout;
use super::looks::draw_look;
use super::people::{Act, Goal, Person};
use super::view::V2;
use std::collections::VecDeque;
use std::f32::consts::PI;

/// How someone spends his time on the square.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Goes through, sometimes stops.
    Stroll,
    /// Comes to look at the wall.
    Visit,
    Shy,
    Run,
    Dance(usize),
    Stand(usize),
    Reach,
    /// Crosses the way of the one beside him on the list.
    Cross(usize),
    Wild,
}

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
    use Kind::{Adult, Cane, Child, Pram, Wheelchair};
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
            let mut left = 41;
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
        Crowd::Wheelchair => {
            (vec![stroll(&[Wheelchair], 0.0), stroll(&[Wheelchair], 4.0), stroll(&[Adult], 2.0)], 9.0)
        }
        Crowd::Pram => (vec![stroll(&[Pram], 0.0), stroll(&[Pram], 4.0), stroll(&[Adult], 2.0)], 9.0),
        Crowd::Cane => (vec![stroll(&[Cane], 0.0), stroll(&[Cane], 4.0), stroll(&[Adult], 2.0)], 9.0),
        Crowd::Dancers => ((0..4).map(|i| slot(Role::Dance(i), &[Adult], 0.4 * i as f64)).collect(), 0.0),
        Crowd::Still => {
            let mut slots = vec![slot(Role::Stand(0), &[Adult], 0.0), slot(Role::Stand(1), &[Adult], 0.7)];
            slots.extend((0..3).map(|i| stroll(&[Adult], 1.0 + 2.5 * f64::from(i))));
            (slots, 0.0)
        }
        Crowd::Reach => (vec![slot(Role::Reach, &[Adult], 0.3)], 0.0),
        Crowd::Crossing => {
            ((0..3).flat_map(|i| [0, 1].map(|j| slot(Role::Cross(j), &[Adult], 3.0 * f64::from(i)))).collect(), 7.0)
        }
        Crowd::Vandal => (vec![slot(Role::Wild, &[Adult], 0.3), stroll(&[Adult], 2.0)], 0.0),
    }
}

/// Where people may walk, and chance.
struct Stage<'a> {
    layout: &'a Layout,
    random: &'a mut fastrand::Rng,
    /// The farthest that this kind of person comes.
    far: f32,
}

impl Stage<'_> {
    fn between(&mut self, from: f32, to: f32) -> f32 {
        from + (to - from) * self.random.f32()
    }

    /// How far off, by lot: more often near than far.
    fn depth(&mut self) -> f32 {
        let near = self.layout.view.near() + 0.5;
        near + (self.far - near) * self.random.f32().powf(1.15)
    }

    /// A place that is seen, `share` of the way from the middle to the edge at most.
    fn inside(&mut self, share: f32) -> V2 {
        let y = self.depth();
        self.inside_at(y, share)
    }

    fn inside_at(&mut self, y: f32, share: f32) -> V2 {
        let x = self.between(-share, share) * self.layout.view.half_width(y);
        [x, y.min(self.layout.end(x))]
    }

    /// A place just outside the picture, on a side.
    fn edge(&mut self, side: f32, y: f32) -> V2 {
        let x = side * (self.layout.view.half_width(y) + 1.3);
        [x, y.min(self.layout.end(x))]
    }

    /// A place outside, anywhere: at the sides, or below the camera.
    fn outside(&mut self) -> V2 {
        let side = if self.random.bool() { 1.0 } else { -1.0 };
        if self.random.f32() < 0.14 {
            let x = self.between(-1.5, 1.5);
            return [x, 0.4];
        }
        let y = self.depth();
        self.edge(side, y)
    }

    /// A way across to somewhere else outside.
    fn across(&mut self, from: V2) -> V2 {
        let y = self.depth();
        let side = if self.random.f32() < 0.8 { -from[0].signum() } else { from[0].signum() };
        self.edge(side, y)
    }

    fn pace(&mut self, kind: Kind) -> f32 {
        match kind {
            Kind::Adult => self.between(0.95, 1.6),
            Kind::Child => self.between(1.0, 1.4),
            Kind::Wheelchair => self.between(0.8, 1.3),
            Kind::Pram => self.between(0.8, 1.25),
            Kind::Cane => self.between(0.55, 0.85),
        }
    }

    fn act(&mut self) -> Act {
        match self.random.usize(..8) {
            0 | 1 => Act::Wave,
            2 => Act::Phone,
            3 | 4 => Act::Look,
            5 => self.reach(),
            _ => Act::Rest,
        }
    }

    fn reach(&mut self) -> Act {
        let arm = self.random.usize(..2);
        let (forward, out, up) = (self.between(0.0, 0.6), self.between(0.35, 1.0), self.between(-0.25, 0.65));
        let long = (forward * forward + out * out + up * up).sqrt().max(0.1);
        Act::Reach(arm, [forward / long, out / long, up / long])
    }

    /// Towards the wall that the camera hangs on.
    fn wall(&mut self, at: V2) -> f32 {
        (-at[1]).atan2(-at[0]) + self.between(-0.25, 0.25)
    }

    /// Where he comes from, and what he will do.
    fn plan(&mut self, role: Role, kind: Kind, turn: u32) -> (V2, VecDeque<Goal>) {
        let pace = self.pace(kind);
        let mut goals = VecDeque::new();
        let from = self.outside();
        match role {
            Role::Stroll => {
                if self.random.f32() < 0.45 {
                    let at = self.inside(0.7);
                    goals.push_back(Goal::Walk(at, pace));
                    if self.random.f32() < 0.5 {
                        let stop = self.between(2.5, 8.0);
                        let face = if self.random.bool() { Some(self.wall(at)) } else { None };
                        let act = if kind == Kind::Adult { self.act() } else { Act::Look };
                        goals.push_back(Goal::Stand(stop, face, act));
                    }
                }
                goals.push_back(Goal::Walk(self.across(from), pace));
            }
            Role::Visit => {
                for _ in 0..2 + self.random.usize(..3) {
                    let y = self.between(self.layout.view.near() + 1.0, 9.0);
                    let at = self.inside_at(y, 0.65);
                    goals.push_back(Goal::Walk(at, pace));
                    let (wall, stop, wave) = (self.wall(at), self.between(1.5, 4.0), self.between(2.0, 4.0));
                    goals.push_back(Goal::Stand(stop, Some(wall), Act::Look));
                    let act = self.act();
                    goals.push_back(Goal::Stand(wave, Some(wall), act));
                }
                goals.push_back(Goal::Walk(self.across(from), pace));
            }
            Role::Shy => {
                let y = self.between(11.0, 16.0);
                let side = if self.random.bool() { 1.0 } else { -1.0 };
                let from = self.edge(side, y);
                let x = side * self.layout.view.half_width(y);
                goals.push_back(Goal::Walk([x * 0.8, y], pace * 0.75));
                let stop = self.between(3.0, 6.0);
                let at = [x * 0.8, y];
                goals.push_back(Goal::Stand(stop, Some(self.wall(at)), Act::Look));
                if self.random.bool() {
                    let at = [x * 0.5, y - self.between(2.0, 5.0)];
                    goals.push_back(Goal::Walk(at, 0.7));
                    goals.push_back(Goal::Stand(self.between(1.5, 3.0), Some(self.wall(at)), Act::Rest));
                }
                goals.push_back(Goal::Walk(from, pace));
                return (from, goals);
            }
            Role::Run => {
                for _ in 0..3 + self.random.usize(..5) {
                    let (at, speed) = (self.inside(0.8), self.between(1.7, 2.5));
                    goals.push_back(Goal::Walk(at, speed));
                    if self.random.f32() < 0.3 {
                        let act = if self.random.bool() { Act::Wild } else { Act::Look };
                        goals.push_back(Goal::Stand(self.between(1.0, 2.5), None, act));
                    }
                }
                goals.push_back(Goal::Walk(self.across(from), 2.0));
            }
            Role::Dance(place) => {
                let y = 6.0 + 2.6 * (place / 2) as f32 + self.between(-0.4, 0.4);
                let x = if place.is_multiple_of(2) { -1.4 } else { 1.4 } + self.between(-0.3, 0.3);
                goals.push_back(Goal::Walk([x, y], pace));
                for _ in 0..5 {
                    let (face, secs) = (self.wall([x, y]) + self.between(-1.2, 1.2), self.between(4.0, 9.0));
                    goals.push_back(Goal::Stand(secs, Some(face), Act::Dance));
                    let to = [x + self.between(-0.7, 0.7), y + self.between(-0.7, 0.7)];
                    goals.push_back(Goal::Walk(to, 0.9));
                }
                goals.push_back(Goal::Walk(self.across(from), pace));
            }
            Role::Stand(place) => {
                let y = [6.5, 10.5][place.min(1)] + self.between(-0.8, 0.8);
                let x = [-0.35, 0.3][place.min(1)] * self.layout.view.half_width(y) + self.between(-0.4, 0.4);
                let by = self.between(-1.0, 2.0);
                let from = self.edge(x.signum(), y + by);
                goals.push_back(Goal::Walk([x, y], pace));
                let long = self.between(70.0, 95.0);
                goals.push_back(Goal::Stand(long, Some(self.wall([x, y])), Act::Rest));
                goals.push_back(Goal::Walk(self.across(from), pace));
                return (from, goals);
            }
            Role::Reach => {
                let y = self.between(4.5, 7.5);
                let at = self.inside_at(y, 0.4);
                goals.push_back(Goal::Walk(at, pace));
                for _ in 0..6 {
                    let wall = self.wall(at);
                    goals.push_back(Goal::Stand(self.between(0.8, 1.6), Some(wall), Act::Look));
                    let (act, secs) = (self.reach(), self.between(3.0, 5.0));
                    goals.push_back(Goal::Stand(secs, Some(wall), act));
                }
                goals.push_back(Goal::Walk(self.across(from), pace));
            }
            Role::Cross(which) => {
                // Both of a pair draw the same lot, so that they meet.
                let lot = |n: u32| hash(turn as i32, n as i32, 77) as f32 / u32::MAX as f32;
                let y = 5.0 + 9.0 * lot(1);
                let side = if which == 0 { 1.0 } else { -1.0 };
                let speed = 1.0 + 0.4 * lot(2);
                let slant = 2.5 * (lot(3) - 0.5);
                let near = if which == 0 { 0.0 } else { 0.7 + 0.6 * lot(4) };
                let from = self.edge(side, y + near + slant);
                let to = self.edge(-side, y + near - slant);
                goals.push_back(Goal::Walk(to, speed));
                return (from, goals);
            }
            Role::Wild => {
                for _ in 0..8 {
                    let y = self.between(self.layout.view.near() + 0.4, 9.0);
                    let at = self.inside_at(y, 0.8);
                    goals.push_back(Goal::Walk(at, self.between(1.4, 3.0)));
                    goals.push_back(Goal::Stand(self.between(1.5, 4.0), Some(self.wall(at)), Act::Wild));
                }
                goals.push_back(Goal::Walk(self.across(from), 2.0));
            }
        }
        (from, goals)
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
        let shortest = kinds.iter().fold(1.7_f32, |least, kind| least.min(if *kind == Kind::Child { 1.05 } else { 1.6 }));
        let far = layout.view.far(shortest, SMALLEST).min(layout.street.kerb - 1.5);
        // Both of a pair count the same turns.
        let turn = self.slots[slot].due as i64 as u32 / 3 ^ (slot as u32 / 2) << 8;
        let mut stage = Stage { layout, random: &mut self.random, far };
        let (from, goals) = stage.plan(role, lead, turn);
        let (mut back, mut aside) = (0.0_f32, 0.0_f32);
        for (n, &kind) in kinds.iter().enumerate() {
            let look = draw_look(kind, self.paving, self.rain, &mut self.random);
            // Those who come together walk the same way, beside or behind each other.
            let shift = |to: V2| [to[0] + aside * 0.35, to[1] + aside + back];
            let goals = goals.iter().map(|goal| match *goal {
                Goal::Walk(to, pace) => Goal::Walk(shift(to), pace),
                stand => stand,
            });
            let goals = if kind == Kind::Child && n > 0 { goals.collect() } else { goals.collect::<VecDeque<_>>() };
            let person = Person::new(self.next_id, kind, look, shift(from), goals, slot);
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
