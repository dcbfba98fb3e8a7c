//! Who is who from frame to frame: what the net finds becomes people who are followed. Each find goes to whom it fits best,
//! by place and by look; what is left over, and sure enough, is somebody new.

use super::net::{Find, overlap};
use super::person::{Bounds, Look, Person, look, unlike, within};
use super::stature::Stature;
use super::work::Plane;

/// Most people that are followed at once.
pub(super) const PEOPLE_MAX: usize = 96;
/// The net need be no surer than this for somebody who is followed already.
pub(super) const PERHAPS: f32 = 0.3;
/// Of whom it is as sure, and who is nobody yet, is new.
const BORN: f32 = 0.45;
/// How much a find and somebody must overlap to be the same, and how much their looks count beside that.
const SAME: (f32, f32) = (0.25, 0.8);
/// Seconds after which one who is not seen any more is given up.
const GONE: f32 = 1.5;
/// The same for one who stands: others pass before him.
const GONE_STILL: f32 = 5.0;
/// The same for one who was never told of.
const GONE_EARLY: f32 = 0.2;
/// Who was not seen for longer is looked for farther away.
const LOST: f32 = 0.25;
/// Before it is told of, a body is seen for this long, in seconds, and this sure in all the frames together.
const CONFIRMED: (f32, f32) = (0.12, 0.8);

/// Everybody who is followed.
#[derive(Debug)]
pub(super) struct People {
    pub list: Vec<Person>,
    pub stature: Stature,
    picture: [usize; 2],
    looks: Vec<Look>,
    pairs: Vec<(f32, usize, usize)>,
    free: Vec<bool>,
    next: u16,
}

impl People {
    pub fn new(width: usize, height: usize) -> Self {
        Self {
            list: Vec::with_capacity(PEOPLE_MAX),
            stature: Stature::new(height),
            picture: [width, height],
            looks: Vec::new(),
            pairs: Vec::new(),
            free: Vec::new(),
            next: 0,
        }
    }

    /// One frame: `dt` seconds after the one before; `finds` with the surest first.
    pub fn follow(&mut self, finds: &[Find], seen: &Plane, dt: f32) {
        for person in &mut self.list {
            person.predict(dt);
        }
        self.looks.clear();
        self.looks.extend(finds.iter().map(|find| look(seen, find.bounds)));
        self.free.clear();
        self.free.resize(finds.len(), true);
        self.give_out(finds, dt);
        for (index, find) in finds.iter().enumerate() {
            if self.free[index] && find.sure >= BORN && self.list.len() < PEOPLE_MAX {
                self.free[index] = !self.born(index, find);
            }
        }
        for person in &mut self.list {
            person.told |= person.age >= CONFIRMED.0 && person.evidence >= CONFIRMED.1;
        }
        self.learn();
        self.part();
    }

    /// Finds that belong to nobody who is followed.
    pub fn strangers<'a>(&'a self, finds: &'a [Find]) -> impl Iterator<Item = &'a Find> {
        finds.iter().zip(&self.free).filter(|(_, free)| **free).map(|(find, _)| find)
    }

    /// Gives each find to whom it fits best.
    fn give_out(&mut self, finds: &[Find], dt: f32) {
        self.pairs.clear();
        for (index, person) in self.list.iter().enumerate() {
            for (at, (find, look)) in finds.iter().zip(&self.looks).enumerate() {
                self.pairs.extend(fits(person, find, look).map(|fits| (fits, index, at)));
            }
        }
        self.pairs.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
        for &(_, index, at) in &self.pairs {
            let person = &mut self.list[index];
            if !self.free[at] || person.missed == 0.0 {
                continue;
            }
            self.free[at] = false;
            person.correct(finds[at].bounds, finds[at].sure, dt);
            let rate = if finds[at].sure > 0.6 { 0.12 } else { 0.03 };
            person.remember(&self.looks[at], rate);
        }
    }

    /// Begins to follow somebody, if it is not a second box of one who is seen already.
    fn born(&mut self, index: usize, find: &Find) -> bool {
        if self.list.iter().any(|other| other.missed == 0.0 && overlap(other.found, find.bounds) > 0.6) {
            return false;
        }
        self.next = self.next.wrapping_add(1).max(1);
        while self.list.iter().any(|person| person.id == self.next) {
            self.next = self.next.wrapping_add(1).max(1);
        }
        let mut person = Person {
            id: self.next,
            bounds: find.bounds,
            found: find.bounds,
            sure: find.sure,
            hits: 1,
            ..Person::default()
        };
        person.remember(&self.looks[index], 1.0);
        (person.born, person.stands, person.taught) = (person.foot(), person.foot(), person.foot());
        self.list.push(person);
        true
    }

    /// Who is seen whole and alone says how tall people look there.
    fn learn(&mut self) {
        for index in 0..self.list.len() {
            let person = &self.list[index];
            let (foot, own) = (person.foot(), 0.3 * person.height());
            let far = (foot[0] - person.taught[0]).hypot(foot[1] - person.taught[1]) > own;
            if far && person.sure > 0.6 && person.missed == 0.0 && !self.is_cut(person.bounds) && !self.is_hidden(index)
            {
                self.stature.learn(foot[1], person.height());
                self.list[index].taught = foot;
            }
        }
    }

    fn is_cut(&self, bounds: Bounds) -> bool {
        let [width, height] = self.picture.map(|side| side as f32);
        bounds[0] < 2.0 || bounds[1] < 2.0 || bounds[2] > width - 2.0 || bounds[3] > height - 2.0
    }

    /// Lets go of who is gone, and of who is somebody else.
    fn part(&mut self) {
        let [width, height] = self.picture.map(|side| side as f32);
        let mut index = 0;
        while index < self.list.len() {
            let person = &self.list[index];
            let inside = within(person.bounds, [0.0, 0.0, width, height]);
            let patience = match person.told {
                true if person.still > 2.0 => GONE_STILL,
                true => GONE,
                false => GONE_EARLY,
            };
            let out = inside < 0.4 || inside < 0.9 && person.missed > 0.3;
            if person.missed > patience || out {
                self.list.remove(index);
            } else {
                index += 1;
            }
        }
    }

    /// Whether somebody nearer stands where one must be.
    pub fn is_hidden(&self, index: usize) -> bool {
        let person = &self.list[index];
        let others = self.list.iter().enumerate().filter(|(other, _)| *other != index);
        others.map(|(_, other)| other).any(|other| other.missed == 0.0 && within(person.bounds, other.bounds) > 0.3)
    }
}

/// How well a find fits somebody, or nothing where it cannot be him.
fn fits(person: &Person, find: &Find, found: &Look) -> Option<f32> {
    let shared = overlap(person.bounds, find.bounds);
    let lost = person.missed > LOST;
    if shared < SAME.0 && !lost {
        return None;
    }
    let alike = 1.0 - unlike(&person.look, found).min(1.0);
    if shared >= SAME.0 {
        return Some(shared + SAME.1 * alike);
    }
    let tall = (find.bounds[3] - find.bounds[1]) / person.height().max(1.0);
    if !(0.7..1.4).contains(&tall) || alike < 0.5 {
        return None;
    }
    let (from, to) = (person.middle(), super::person::middle(find.bounds));
    let far = (from[0] - to[0]).hypot(from[1] - to[1]) / person.height().max(1.0);
    let most = 0.2 + 0.4 * person.missed.min(1.5);
    (far < most).then(|| SAME.0 * (1.0 - far / most) + SAME.1 * (alike - 0.5))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Somebody as bright as `light` in front of a dark wall, found by the net.
    fn somebody(x: f32, light: u8, seen: &mut Plane) -> Find {
        let bounds = [x, 40.0, x + 16.0, 88.0];
        (40..88).for_each(|y| seen.row_mut(y)[x.max(0.0) as usize..][..16].fill(light));
        Find { sure: 0.8, bounds }
    }

    #[test]
    fn two_who_cross_keep_who_they_are() {
        let mut people = People::new(160, 120);
        let mut ids = [0; 2];
        for step in 0..40 {
            let mut seen = Plane::new(160, 120);
            let x = 20.0 + 2.5 * step as f32;
            let far = somebody(140.0 - x, 60, &mut seen);
            let near = somebody(x, 200, &mut seen);
            // One hides the other.
            let finds = if (near.bounds[0] - far.bounds[0]).abs() < 8.0 { vec![near] } else { vec![near, far] };
            people.follow(&finds, &seen, 0.06);
            let at = |x: f32| people.list.iter().find(|one| (one.foot()[0] - x - 8.0).abs() < 5.0).map(|one| one.id);
            match step {
                5 => ids = [at(x).expect("one"), at(140.0 - x).expect("the other")],
                39 => assert_eq!([at(x), at(140.0 - x)], ids.map(Some)),
                _ => {}
            }
        }
        assert_ne!(ids[0], ids[1]);
    }

    #[test]
    fn who_is_hardly_seen_is_nobody() {
        let mut people = People::new(160, 120);
        let mut seen = Plane::new(160, 120);
        let find = Find { sure: PERHAPS, ..somebody(40.0, 90, &mut seen) };
        (0..20).for_each(|_| people.follow(&[find], &seen, 0.06));
        assert!(people.list.is_empty());
        let find = Find { sure: 0.9, ..find };
        people.follow(&[find], &seen, 0.06);
        assert!(!people.list[0].told, "for a moment");
        (0..3).for_each(|_| people.follow(&[find], &seen, 0.06));
        assert!(people.list[0].told);
        (0..120).for_each(|_| people.follow(&[], &seen, 0.06));
        assert!(people.list.is_empty());
    }
}
