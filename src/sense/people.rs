//! Who is who from frame to frame: areas of the mask become people who are followed.

use super::blob::Blobs;
use super::fit::Field;
use super::person::{Bounds, Look, Person, look, unlike, within};
use super::stature::Stature;
use super::work::Plane;
use crate::presence::Point;

/// Most people that are followed at once.
pub(super) const PEOPLE_MAX: usize = 96;
/// Width of a usual body over its height.
const SLIM: f32 = 0.4;
/// Part of a usual body's box that is body.
const FULL: f32 = 0.55;
/// Areas that one person may meet.
const KINDS: usize = 16;
/// Seconds after which one who is not seen any more is given up.
const GONE: f32 = 1.2;
/// The same for one who was never told of.
const GONE_EARLY: f32 = 0.15;

/// Everybody who is followed.
#[derive(Debug)]
pub(super) struct People {
    pub list: Vec<Person>,
    pub stature: Stature,
    /// For each pixel 0, or the index of the one to whom it belongs and 1.
    pub owner: Vec<u8>,
    picture: [usize; 2],
    field: Field,
    /// For each area the first area of its group.
    group: Vec<usize>,
    /// Which person meets which area, and in how many pixels.
    meets: Vec<(usize, usize, u32)>,
    members: Vec<usize>,
    order: Vec<usize>,
    next: u16,
}

impl People {
    pub fn new(width: usize, height: usize) -> Self {
        Self {
            list: Vec::with_capacity(PEOPLE_MAX),
            stature: Stature::new(height),
            owner: vec![0; width * height],
            picture: [width, height],
            field: Field::default(),
            group: Vec::new(),
            meets: Vec::new(),
            members: Vec::new(),
            order: Vec::new(),
            next: 0,
        }
    }

    /// One frame: `dt` seconds after the one before.
    pub fn follow(&mut self, seen: &Plane, blobs: &Blobs, dt: f32) {
        self.owner.fill(0);
        for person in &mut self.list {
            person.foot = person.predicted(dt);
            person.age += dt;
            (person.owned, person.alone) = (0, false);
        }
        self.meet(blobs);
        for first in 0..blobs.list.len() {
            if self.group[first] != first {
                continue;
            }
            self.members.clear();
            for &(person, blob, _) in &self.meets {
                if self.group[blob] == first && !self.members.contains(&person) {
                    self.members.push(person);
                }
            }
            let area = self.area(blobs, first);
            match self.members.len() {
                0 => self.born(seen, blobs, first, area),
                1 if self.fits(self.members[0], area) => self.alone(seen, blobs, first, area, dt),
                _ => self.together(seen, blobs, first, area, dt),
            }
        }
        for person in &mut self.list {
            person.settle(dt);
        }
        self.part();
    }

    /// Finds out who meets which areas, and joins areas that one person meets.
    fn meet(&mut self, blobs: &Blobs) {
        self.meets.clear();
        self.group.clear();
        self.group.extend(0..blobs.list.len());
        let mut counts = [(0, 0); KINDS];
        for (index, person) in self.list.iter().enumerate() {
            let mut kinds = 0;
            let [left, top, right, bottom] = whole(person.bounds(), self.picture);
            for y in top..bottom {
                for label in &blobs.labels[y * self.picture[0]..][left..right] {
                    let label = usize::from(*label);
                    if label == 0 {
                        continue;
                    }
                    match counts[..kinds].iter_mut().find(|(known, _)| *known == label) {
                        Some((_, count)) => *count += 1,
                        None if kinds < KINDS => {
                            counts[kinds] = (label, 1);
                            kinds += 1;
                        }
                        None => {}
                    }
                }
            }
            let own = FULL * person.size[0] * person.size[1];
            let mut before = None;
            for &(label, count) in &counts[..kinds] {
                let area = blobs.list[label - 1].area;
                if (count as f32) < 0.15 * own && count * 2 < area {
                    continue;
                }
                self.meets.push((index, label - 1, count));
                let this = root(&mut self.group, label - 1);
                if let Some(before) = before {
                    let before = root(&mut self.group, before);
                    self.group[before.max(this)] = before.min(this);
                }
                before = Some(label - 1);
            }
        }
        for blob in 0..self.group.len() {
            self.group[blob] = root(&mut self.group, blob);
        }
    }

    /// The box round all areas of a group.
    fn area(&self, blobs: &Blobs, first: usize) -> Bounds {
        let mut all = [usize::MAX, usize::MAX, 0, 0];
        for (blob, _) in blobs.list.iter().zip(&self.group).filter(|(_, group)| **group == first) {
            let [left, top, right, bottom] = blob.bounds;
            all = [all[0].min(left), all[1].min(top), all[2].max(right), all[3].max(bottom)];
        }
        all.map(|side| side as f32)
    }

    /// Whether an area can be all of one person and nothing else.
    fn fits(&self, index: usize, area: Bounds) -> bool {
        let person = &self.list[index];
        let [width, height] = [area[2] - area[0], area[3] - area[1]];
        let usual = self.stature.at(area[3]);
        let tall = if person.hits < 8 { (1.3 * person.size[1]).max(1.3 * usual) } else { 1.25 * person.size[1] + 2.0 };
        let wide = self.wide(person.size[1].max(height.min(tall)), usual);
        height <= tall && width <= wide && height >= 0.6 * person.size[1] && width >= 0.4 * person.size[0]
    }

    /// How wide one person of some height may be, a stride and both arms included.
    fn wide(&self, height: f32, usual: f32) -> f32 {
        let height = if self.stature.known() { height.min(1.1 * usual) } else { height };
        0.64 * height + 3.0
    }

    fn cut(&self, bounds: Bounds) -> bool {
        bounds[0] < 2.0
            || bounds[1] < 2.0
            || bounds[2] > self.picture[0] as f32 - 2.0
            || bounds[3] > self.picture[1] as f32 - 2.0
    }

    /// One person whose area is seen whole.
    fn alone(&mut self, seen: &Plane, blobs: &Blobs, first: usize, area: Bounds, dt: f32) {
        let index = self.members[0];
        self.own(blobs, first, area, |_, _| index);
        let cut = self.cut(area);
        let person = &mut self.list[index];
        let measured = [area[2] - area[0], area[3] - area[1]];
        let foot = [(area[0] + area[2]) / 2.0, area[3]];
        let fresh = person.hits < 6 || cut;
        person.correct(foot, dt, 0.8, 0.3);
        for axis in 0..2 {
            person.size[axis] += (measured[axis] - person.size[axis]) * if fresh { 0.5 } else { 0.2 };
        }
        let now = look(seen, area);
        person.remember(&now, if fresh { 0.5 } else { 0.1 });
        (person.alone, person.missed, person.known) = (true, 0.0, 1.0);
        person.hits += 1;
        let shape = measured[1] / measured[0];
        if !cut && person.moved && person.hits > 6 && person.hits.is_multiple_of(4) && (1.5..4.5).contains(&shape) {
            self.stature.learn(foot[1], measured[1]);
        }
    }

    /// People whose areas touch, or one with something else.
    fn together(&mut self, seen: &Plane, blobs: &Blobs, first: usize, area: Bounds, dt: f32) {
        self.order.clear();
        self.order.extend(&self.members);
        for &index in &self.members {
            let size = &mut self.list[index].size;
            size[0] = size[0].min(0.5 * size[1]);
        }
        // Who stands nearer hides the others: placed first.
        let list = &self.list;
        self.order.sort_by(|a, b| list[*b].foot[1].total_cmp(&list[*a].foot[1]));
        let mut around = area;
        for &index in &self.order {
            let bounds = self.list[index].bounds();
            around = [around[0].min(bounds[0]), around[1].min(bounds[1]), around[2].max(bounds[2]), around[3].max(bounds[3])];
        }
        let mut field = core::mem::take(&mut self.field);
        let group = &self.group;
        field.set(around, self.picture, |at| match blobs.labels[at] {
            0 => false,
            label => group[usize::from(label) - 1] == first,
        });
        for &index in &self.order {
            field.cover(self.list[index].foot, self.list[index].size, 1);
        }
        let mut places: [(Point, f32); PEOPLE_MAX] = [([0.0; 2], 0.0); PEOPLE_MAX];
        for round in 0..2 {
            for &index in &self.order {
                let person = &self.list[index];
                let from = if round == 0 { person.foot } else { places[index].0 };
                field.cover(from, person.size, -1);
                field.sum();
                let known = (person.known > 0.3).then_some(&person.look);
                let reach = (0.14 * person.size[1]).clamp(3.0, 12.0);
                let (at, explains) = field.place(seen, person.foot, person.size, known, reach);
                places[index] = (at, explains);
                field.cover(at, person.size, 1);
            }
        }
        for i in 0..self.order.len() {
            let index = self.order[i];
            let (at, explains) = places[index];
            let person = &mut self.list[index];
            let hidden = explains < 0.15;
            if !hidden {
                person.correct(at, dt, 0.55, 0.12);
                person.hits += 1;
            }
        }
        let left = self.share(blobs, first, area);
        for i in 0..self.order.len() {
            let person = &mut self.list[self.order[i]];
            let own = FULL * person.size[0] * person.size[1];
            if person.owned as f32 > 0.2 * own {
                person.missed = 0.0;
            } else {
                person.missed += dt * 0.5;
            }
        }
        // Somebody whom nobody explains yet.
        let usual = self.stature.at(area[3]);
        if left as f32 > 0.3 * FULL * SLIM * usual * usual {
            self.discover(seen, &mut field, 2, 0.6);
        }
        self.field = field;
    }

    /// Gives the pixels of a group to its members (`order`, who stands nearer first): each to the nearest, in units of
    /// each one's own size. How many are nobody's.
    fn share(&mut self, blobs: &Blobs, first: usize, area: Bounds) -> u32 {
        let boxes: [(usize, Point, Point); PEOPLE_MAX] = core::array::from_fn(|rank| match self.order.get(rank) {
            Some(&index) => (index, self.list[index].foot, self.list[index].size),
            None => (usize::MAX, [0.0; 2], [1.0; 2]),
        });
        let boxes = &boxes[..self.order.len().min(PEOPLE_MAX)];
        self.own(blobs, first, area, |x, y| {
            let mut best = (f32::MAX, usize::MAX);
            for (rank, (index, foot, size)) in boxes.iter().enumerate() {
                let dx = (x - foot[0]) / (0.5 * size[0]);
                let dy = (y - foot[1] + 0.5 * size[1]) / (0.5 * size[1]);
                // A little less for who stands behind.
                let far = (dx * dx).max(dy * dy) + 0.02 * rank as f32;
                if far < best.0 {
                    best = (far, *index);
                }
            }
            if best.0 < 2.4 { best.1 } else { usize::MAX }
        })
    }

    /// Gives the pixels of a group to whom `of` names; `usize::MAX` is nobody. How many are nobody's.
    fn own(&mut self, blobs: &Blobs, first: usize, area: Bounds, of: impl Fn(f32, f32) -> usize) -> u32 {
        let [left, top, right, bottom] = whole(area, self.picture);
        let mut nobody = 0;
        for y in top..bottom {
            let row = y * self.picture[0];
            for x in left..right {
                let label = blobs.labels[row + x];
                if label == 0 || self.group[usize::from(label) - 1] != first {
                    continue;
                }
                let index = of(x as f32 + 0.5, y as f32 + 0.5);
                match self.list.get_mut(index) {
                    Some(person) => {
                        person.owned += 1;
                        self.owner[row + x] = index as u8 + 1;
                    }
                    None => nobody += 1,
                }
            }
        }
        nobody
    }

    /// An area that nobody is known to be in.
    fn born(&mut self, seen: &Plane, blobs: &Blobs, first: usize, area: Bounds) {
        let [width, height] = [area[2] - area[0], area[3] - area[1]];
        let usual = self.stature.at(area[3]);
        let size: u32 = blobs.list[first].area;
        let whole_body = FULL * SLIM * usual * usual;
        let known = self.stature.known();
        let least = if known { 0.22 } else { 0.1 };
        if (size as f32) < least * whole_body || size < 16 || height < 0.35 * usual {
            return;
        }
        // Flat things on the ground are shadows, puddles and light.
        if height < 0.7 * width && height < 0.7 * usual {
            return;
        }
        let one = width <= self.wide(height, usual) && height <= 1.4 * usual + 3.0;
        if one || !known && height > 1.3 * width {
            let index = self.add(seen, [(area[0] + area[2]) / 2.0, area[3]], [width, height]);
            if let Some(index) = index {
                self.own(blobs, first, area, |_, _| index);
            }
            return;
        }
        let mut field = core::mem::take(&mut self.field);
        let group = &self.group;
        field.set(area, self.picture, |at| match blobs.labels[at] {
            0 => false,
            label => group[usize::from(label) - 1] == first,
        });
        field.sum();
        self.order.clear();
        self.discover(seen, &mut field, 8, 0.5);
        self.field = field;
        self.share(blobs, first, area);
    }

    /// Looks for people whom nobody explains, each where it explains most, at most `limit`; they are put into `order`.
    fn discover(&mut self, seen: &Plane, field: &mut Field, limit: usize, least: f32) {
        for _ in 0..limit {
            field.sum();
            let stature = &self.stature;
            let found = field.search(|foot| {
                let height = stature.at(foot);
                [SLIM * height, height]
            });
            let Some((foot, size, _)) = found.filter(|(_, _, explains)| *explains >= least) else { return };
            let Some(index) = self.add(seen, foot, size) else { return };
            if !self.order.contains(&index) {
                self.order.push(index);
            }
            field.cover(foot, size, 1);
        }
    }

    /// Someone new, or someone who was lost and is found again.
    fn add(&mut self, seen: &Plane, foot: Point, size: Point) -> Option<usize> {
        let at: Bounds = super::person::bounds(foot, size);
        let now = look(seen, at);
        let again = self.lost(foot, size, &now);
        if let Some(index) = again {
            let person = &mut self.list[index];
            (person.foot, person.missed, person.owned) = (foot, 0.0, 1);
            person.hits += 1;
            return Some(index);
        }
        if self.list.len() >= PEOPLE_MAX {
            return None;
        }
        self.next = self.next.wrapping_add(1).max(1);
        self.list.push(Person {
            id: self.next,
            foot,
            size,
            look: now,
            known: 0.2,
            hits: 1,
            born: foot,
            stands: foot,
            people: 1,
            owned: 1,
            ..Person::default()
        });
        Some(self.list.len() - 1)
    }

    /// Who was lost near there and looked like that.
    fn lost(&self, foot: Point, size: Point, now: &Look) -> Option<usize> {
        let near = |person: &Person| {
            let gate = 0.35 * person.size[1] + 0.5 * person.missed * person.size[1];
            let off = (person.foot[0] - foot[0]).hypot(person.foot[1] - foot[1]);
            let alike = unlike(&person.look, now);
            let ratio = size[1] / person.size[1];
            (off < gate && alike < 1.0 && (0.5..2.0).contains(&ratio)).then_some(off / gate + alike)
        };
        let lost = self.list.iter().enumerate().filter(|(_, person)| person.told && person.missed > 0.0);
        lost.filter_map(|(index, person)| Some((index, near(person)?)))
            .min_by(|a, b| a.1.total_cmp(&b.1))
            .map(|(index, _)| index)
    }

    /// Lets go of who is gone, and of who is somebody else.
    fn part(&mut self) {
        let [width, height] = self.picture.map(|side| side as f32);
        let mut index = 0;
        while index < self.list.len() {
            let person = &self.list[index];
            let inside = within(person.bounds(), [0.0, 0.0, width, height]);
            let late = person.missed > if person.told { GONE } else { GONE_EARLY };
            let out = inside < 0.4 || inside < 0.9 && person.missed > 0.1;
            let double = self.list.iter().any(|other| {
                other.hits > person.hits
                    && other.missed == 0.0
                    && person.age < 3.0
                    && within(person.bounds(), other.bounds()) > 0.75
            });
            if late || out || double {
                self.forget(index);
            } else {
                index += 1;
            }
        }
    }

    /// Takes one out of the list; the pixels stay nobody's.
    pub fn forget(&mut self, index: usize) {
        self.list.remove(index);
        let gone = index as u8 + 1;
        for owner in &mut self.owner {
            *owner = match (*owner).cmp(&gone) {
                core::cmp::Ordering::Equal => 0,
                core::cmp::Ordering::Greater => *owner - 1,
                core::cmp::Ordering::Less => *owner,
            };
        }
    }
}

impl Person {
    /// Takes a measured place in: `trust` in the place, `follow` in the change of speed that it means.
    fn correct(&mut self, foot: Point, dt: f32, trust: f32, follow: f32) {
        for axis in 0..2 {
            let off = foot[axis] - self.foot[axis];
            self.foot[axis] += off * trust;
            if dt > 0.0 {
                // Nobody runs more than four times his height a second.
                let most = 4.0 * self.size[1].max(8.0);
                let start = if self.hits < 4 { 0.6 } else { follow };
                self.velocity[axis] = (self.velocity[axis] + start * off / dt).clamp(-most, most);
            }
        }
    }

    fn remember(&mut self, now: &Look, rate: f32) {
        for (known, now) in self.look.iter_mut().zip(now) {
            *known += (now - *known) * rate;
        }
    }

    /// At the end of a frame: who was not seen slows down; who stays stands still.
    fn settle(&mut self, dt: f32) {
        if self.owned == 0 {
            self.missed += dt;
            let slower = (-1.5 * dt).exp();
            self.velocity = self.velocity.map(|axis| axis * slower);
        }
        let own = 0.5 * self.size[0].max(0.3 * self.size[1]);
        let off = |from: Point, to: Point| (from[0] - to[0]).hypot(from[1] - to[1]);
        self.moved |= off(self.foot, self.born) > 2.0 * own;
        if off(self.foot, self.stands) > 0.7 * own {
            (self.stands, self.still) = (self.foot, 0.0);
        } else {
            self.still += dt;
        }
    }
}

/// Bounds in whole pixels of the picture.
pub(super) fn whole(bounds: Bounds, picture: [usize; 2]) -> [usize; 4] {
    let clamp = |value: f32, size: usize| (value.max(0.0) as usize).min(size);
    let [left, top] = [clamp(bounds[0].floor(), picture[0]), clamp(bounds[1].floor(), picture[1])];
    let [right, bottom] = [clamp(bounds[2].ceil(), picture[0]), clamp(bounds[3].ceil(), picture[1])];
    [left, top, right.max(left), bottom.max(top)]
}

fn root(group: &mut [usize], mut at: usize) -> usize {
    while group[at] != at {
        group[at] = group[group[at]];
        at = group[at];
    }
    at
}
