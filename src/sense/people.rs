//! Who is who from frame to frame: areas of the mask become people who are followed.

use super::blob::Blobs;
use super::fit::Field;
use super::person::{Bounds, Person, look, within};
use super::shade::{PERHAPS, SURE};
use super::stature::Stature;
use super::work::Plane;
use crate::presence::Point;

/// Most people that are followed at once.
pub(super) const PEOPLE_MAX: usize = 96;
/// Width of a usual body over its height.
pub(super) const SLIM: f32 = 0.4;
/// Part of a usual body's box that is body.
pub(super) const FULL: f32 = 0.55;
/// Areas that one person may meet.
const KINDS: usize = 16;
/// Seconds after which one who is not seen any more is given up.
const GONE: f32 = 1.2;
/// The same for one who was never told of.
const GONE_EARLY: f32 = 0.15;

/// What one frame shows: the picture, the kind of each mark, the areas that marks make.
pub(super) struct Scene<'a> {
    pub seen: &'a Plane,
    pub kinds: &'a Plane,
    pub blobs: &'a Blobs,
}

/// Everybody who is followed.
#[derive(Debug)]
pub(super) struct People {
    pub list: Vec<Person>,
    pub stature: Stature,
    /// For each pixel 0, or the index of the one to whom it belongs and 1.
    pub owner: Vec<u8>,
    pub(super) picture: [usize; 2],
    pub(super) field: Field,
    /// For each area the first area of its group.
    pub(super) group: Vec<usize>,
    /// Which person meets which area, and in how many pixels.
    pub(super) meets: Vec<(usize, usize, u32)>,
    pub(super) members: Vec<usize>,
    pub(super) order: Vec<usize>,
    pub(super) next: u16,
    counts: Vec<u16>,
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
            counts: Vec::new(),
        }
    }

    /// One frame: `dt` seconds after the one before.
    pub fn follow(&mut self, seen: &Plane, kinds: &Plane, blobs: &Blobs, dt: f32) {
        let scene = &Scene { seen, kinds, blobs };
        self.owner.fill(0);
        for person in &mut self.list {
            let before = self.stature.at(person.foot[1]);
            person.foot = person.predicted(dt);
            // Who comes nearer looks larger.
            let nearer = self.stature.at(person.foot[1]) / before;
            person.size = person.size.map(|side| side * nearer);
            person.age += dt;
            (person.owned, person.alone) = (0, false);
        }
        self.meet(blobs);
        self.join_fragments(blobs);
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
            let body = self.body(scene, first, area);
            match self.members.len() {
                0 => self.born(scene, first, area, body),
                1 if self.fits(self.members[0], body) => self.alone(scene, first, area, body, dt),
                _ => self.together(scene, first, area, dt),
            }
        }
        for person in &mut self.list {
            let usual = self.stature.at(person.foot[1]);
            person.settle(dt, usual);
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
            let mut bounds = person.bounds();
            // Of someone who looks too short some part may be hidden, or look like the ground.
            let short = (self.stature.at(bounds[3]) - person.size[1]).max(0.0);
            if self.stature.known() {
                (bounds[1], bounds[3]) = (bounds[1] - short, bounds[3] + short);
            }
            let [left, top, right, bottom] = whole(bounds, self.picture);
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
    pub(super) fn area(&self, blobs: &Blobs, first: usize) -> Bounds {
        let mut all = [usize::MAX, usize::MAX, 0, 0];
        for (blob, _) in blobs.list.iter().zip(&self.group).filter(|(_, group)| **group == first) {
            let [left, top, right, bottom] = blob.bounds;
            all = [all[0].min(left), all[1].min(top), all[2].max(right), all[3].max(bottom)];
        }
        all.map(|side| side as f32)
    }

    /// The box of what stands upright in an area: what is somebody for sure, and what may be shadow only near the axis
    /// from the head down.
    fn body(&self, scene: &Scene, first: usize, area: Bounds) -> Bounds {
        let [left, top, right, bottom] = whole(area, self.picture);
        let width = self.picture[0];
        let kind = |at: usize| self.kind(scene, first, at);
        let height = area[3] - area[1];
        let upright = height.min(1.2 * self.stature.at(area[3]));
        let (mut sum, mut count) = (0.0, 0.0_f32);
        for y in top..top + ((upright * 0.4) as usize).clamp(1, bottom - top) {
            for x in left..right {
                let weight = match kind(y * width + x) {
                    0 => continue,
                    PERHAPS => 0.25,
                    _ => 1.0,
                };
                (sum, count) = (sum + weight * x as f32, count + weight);
            }
        }
        let axis = sum / count.max(1.0) + 0.5;
        let half = 0.3 * upright.max(0.5 * self.stature.at(area[3]));
        let (left, right) = ((axis - half).max(0.0) as usize, ((axis + half) as usize).min(width));
        let marks = |y: usize| (left..right).filter(move |x| kind(y * width + x) != 0);
        // Of someone too short, what is left may look like shadow: as far as it goes on, up and down.
        let missing = if self.stature.known() { 1.05 * self.stature.at(area[3]) - height } else { 0.0 };
        let (mut above, mut below) = (top, bottom);
        if missing > 0.15 * height {
            let low = (bottom + missing as usize).min(self.picture[1]);
            below = (bottom..low).find(|y| marks(*y).count() < 2).unwrap_or(low);
            let high = top.saturating_sub((missing as usize).saturating_sub(below - bottom));
            above = (high..top).rev().find(|y| marks(*y).count() < 2).map_or(high, |y| y + 1);
        }
        let mut body = [area[0], above as f32, area[2], below as f32];
        for y in above..below {
            if let (Some(first), Some(last)) = (marks(y).next(), marks(y).next_back()) {
                body = [body[0].min(first as f32), body[1], body[2].max(last as f32 + 1.0), body[3]];
            }
        }
        body
    }

    fn kind(&self, scene: &Scene, first: usize, at: usize) -> u8 {
        kind_of(scene, &self.group, first, at)
    }

    /// Whether an area can be all of one person and nothing else.
    fn fits(&self, index: usize, area: Bounds) -> bool {
        let person = &self.list[index];
        let [width, height] = [area[2] - area[0], area[3] - area[1]];
        let usual = self.stature.at(area[3]);
        let most = if person.hits < 8 { 1.3 } else { 1.15 };
        let tall = (1.25 * person.size[1] + 2.0).max(most * usual);
        let wide = self.wide(person.size[1].max(height.min(tall)), usual);
        height <= tall && width <= wide && height >= 0.6 * person.size[1] && width >= 0.4 * person.size[0]
    }

    /// Pixels of a usual body whose foot is in a row.
    pub fn area_of_one(&self, foot: usize) -> f32 {
        let usual = self.stature.at(foot as f32);
        FULL * SLIM * usual * usual
    }

    /// Whether an area has the shape of one person who stands.
    pub fn is_upright(&self, bounds: [usize; 4]) -> bool {
        let [left, top, right, bottom] = bounds.map(|side| side as f32);
        let (width, height, usual) = (right - left, bottom - top, self.stature.at(bottom));
        self.stature.known() && width < 0.55 * height && (0.55 * usual..1.12 * usual).contains(&height)
    }

    /// How wide one person of some height may be, a stride and both arms included.
    pub(super) fn wide(&self, height: f32, usual: f32) -> f32 {
        let height = if self.stature.known() { height.min(1.1 * usual) } else { height };
        0.7 * height + 3.0
    }

    fn cut(&self, bounds: Bounds) -> bool {
        bounds[0] < 2.0
            || bounds[1] < 2.0
            || bounds[2] > self.picture[0] as f32 - 2.0
            || bounds[3] > self.picture[1] as f32 - 2.0
    }

    /// One person whose area is seen whole.
    fn alone(&mut self, scene: &Scene, first: usize, all: Bounds, area: Bounds, dt: f32) {
        let index = self.members[0];
        self.own(scene, first, all, |x, y, _| {
            let inside = (area[0]..area[2]).contains(&x) && (area[1]..area[3]).contains(&y);
            if inside { index } else { usize::MAX }
        });
        let area = self.trim(scene, index, area);
        let cut = self.cut(area);
        let person = &mut self.list[index];
        let measured = [area[2] - area[0], area[3] - area[1]];
        person.measured = area;
        let fresh = person.hits < 6 || cut;
        let mut foot = [(area[0] + area[2]) / 2.0, area[3]];
        if !fresh && measured[1] < 0.88 * person.size[1] {
            // A part of it looks like the ground: what lies where it was expected is right.
            let expected = person.bounds();
            if (area[1] - expected[1]).abs() < (area[3] - expected[3]).abs() {
                foot[1] = area[1] + person.size[1];
            }
        }
        person.correct(foot, dt, 0.8, 0.3);
        person.size[0] += (measured[0] - person.size[0]) * if fresh { 0.5 } else { 0.2 };
        let rate = match (fresh, measured[1] > person.size[1]) {
            (true, _) => 0.5,
            (_, true) => 0.25,
            // Nobody shrinks, but legs are missed.
            _ => 0.03,
        };
        person.size[1] += (measured[1] - person.size[1]) * rate;
        let now = look(scene.seen, area);
        person.remember(&now, if fresh { 0.5 } else { 0.1 });
        (person.alone, person.missed, person.known) = (true, 0.0, 1.0);
        person.hits += 1;
        let shape = measured[1] / measured[0];
        if !cut && person.moved && person.hits > 6 && person.hits.is_multiple_of(4) && (1.5..4.5).contains(&shape) {
            self.stature.learn(foot[1], measured[1]);
        }
    }

    /// People whose areas touch, or one with something else.
    fn together(&mut self, scene: &Scene, first: usize, area: Bounds, dt: f32) {
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
            around = [
                around[0].min(bounds[0]),
                around[1].min(bounds[1]),
                around[2].max(bounds[2]),
                around[3].max(bounds[3]),
            ];
        }
        let mut field = core::mem::take(&mut self.field);
        let group = &self.group;
        field.set(around, self.picture, |at| kind_of(scene, group, first, at));
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
                let (at, explains) = field.place(scene.seen, person.foot, person.size, known, reach);
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
        let left = self.share(scene, first, area);
        for i in 0..self.order.len() {
            let index = self.order[i];
            self.trim(scene, index, self.list[index].bounds());
        }
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
            self.discover(scene.seen, &mut field, 2, 0.6);
        }
        self.field = field;
    }

    /// Gives the pixels of a group to its members (`order`, who stands nearer first): each to the nearest, in units of
    /// each one's own size. How many are nobody's.
    pub(super) fn share(&mut self, scene: &Scene, first: usize, area: Bounds) -> u32 {
        let boxes: [(usize, Point, Point); PEOPLE_MAX] = core::array::from_fn(|rank| match self.order.get(rank) {
            Some(&index) => (index, self.list[index].foot, self.list[index].size),
            None => (usize::MAX, [0.0; 2], [1.0; 2]),
        });
        let boxes = &boxes[..self.order.len().min(PEOPLE_MAX)];
        self.own(scene, first, area, |x, y, kind| {
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
            // What may be shadow is someone's only where he must be.
            let most = if kind == SURE { 2.4 } else { 1.3 };
            if best.0 < most { best.1 } else { usize::MAX }
        })
    }

    /// Takes the shadow at one's feet away: where a leg is somebody for sure, what may be shadow beside it is. Returns the
    /// box of what is left.
    fn trim(&mut self, scene: &Scene, index: usize, area: Bounds) -> Bounds {
        let [left, top, right, bottom] = whole(area, self.picture);
        let mine = index as u8 + 1;
        let width = self.picture[0];
        let mut removed = 0;
        let mut last = top;
        for y in bottom - (bottom - top) * 2 / 5..bottom {
            let row = y * width;
            let kinds = &scene.kinds.pixels[row..][..width];
            let owner = &mut self.owner[row..][..width];
            let count = (left..right).filter(|x| owner[*x] == mine && kinds[*x] == SURE).count();
            let below = count == 0 && last > top && last + 4 > bottom - (bottom - top) / 8;
            if count < 2 && !below {
                continue;
            }
            last = if count < 2 { last } else { y };
            for x in left..right {
                let near = kinds[x.saturating_sub(1)..(x + 2).min(width)].contains(&SURE);
                if owner[x] == mine && (!near || below) {
                    owner[x] = 0;
                    removed += 1;
                }
            }
        }
        self.list[index].owned -= removed;
        self.extent(index, area)
    }

    /// The box of one's own pixels within an area, thin ends left out: the edge of a shadow is a line, a leg is not.
    fn extent(&mut self, index: usize, area: Bounds) -> Bounds {
        let [left, top, right, bottom] = whole(area, self.picture);
        let mine = index as u8 + 1;
        let mut counts = core::mem::take(&mut self.counts);
        counts.clear();
        counts.resize(right - left, 0);
        let (mut first, mut last) = (bottom, top);
        for y in top..bottom {
            let owner = &self.owner[y * self.picture[0] + left..y * self.picture[0] + right];
            let mut row = 0;
            for (count, owner) in counts.iter_mut().zip(owner) {
                let own = u16::from(*owner == mine);
                *count += own;
                row += own;
            }
            if row >= 2 {
                (first, last) = (first.min(y), y + 1);
            }
        }
        let least = (last.saturating_sub(first) as u16 / 14).max(2);
        let thick = |count: &u16| *count >= least;
        let across = (counts.iter().position(thick), counts.iter().rposition(thick));
        self.counts = counts;
        match across {
            (Some(from), Some(to)) if first < last => [left + from, first, left + to + 1, last].map(|side| side as f32),
            _ => area,
        }
    }

    /// Gives the pixels of a group to whom `of` names; `usize::MAX` is nobody. How many are
    /// somebody's for sure, and nobody's.
    pub(super) fn own(&mut self, scene: &Scene, first: usize, area: Bounds, of: impl Fn(f32, f32, u8) -> usize) -> u32 {
        let [left, top, right, bottom] = whole(area, self.picture);
        let mut nobody = 0;
        for y in top..bottom {
            let row = y * self.picture[0];
            for x in left..right {
                let kind = self.kind(scene, first, row + x);
                if kind == 0 {
                    continue;
                }
                let index = of(x as f32 + 0.5, y as f32 + 0.5, kind);
                match self.list.get_mut(index) {
                    Some(person) => {
                        person.owned += 1;
                        self.owner[row + x] = index as u8 + 1;
                    }
                    None => nobody += u32::from(kind == SURE),
                }
            }
        }
        nobody
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
                let older = other.hits > person.hits || other.hits == person.hits && other.id < person.id;
                older && other.missed == 0.0 && self.is_part(person, other)
            });
            let echo = self.list.iter().any(|other| other.id != person.id && person.is_echo(other));
            if late || out || double || echo {
                self.forget(index);
            } else {
                index += 1;
            }
        }
    }

    /// Whether the younger of two is only a part of the other.
    fn is_part(&self, person: &Person, other: &Person) -> bool {
        let (one, two) = (person.bounds(), other.bounds());
        if person.age < 3.0 && within(one, two) > 0.75 {
            return true;
        }
        let all = [one[0].min(two[0]), one[1].min(two[1]), one[2].max(two[2]), one[3].max(two[3])];
        let usual = self.stature.at(all[3]);
        let overlap = (one[2].min(two[2]) - one[0].max(two[0])) / person.size[0].min(other.size[0]);
        let short = |person: &Person| person.size[1] < 0.7 * usual;
        self.stature.known()
            && person.age > 0.15
            && short(person)
            && short(other)
            && overlap > 0.5
            && all[3] - all[1] < 1.2 * usual
            && all[2] - all[0] < 0.5 * usual
    }

    /// Whether somebody else stands where one must be.
    pub fn is_hidden(&self, index: usize) -> bool {
        let person = &self.list[index];
        let others = self.list.iter().enumerate().filter(|(other, _)| *other != index);
        others.map(|(_, other)| other).any(|other| other.missed == 0.0 && within(person.bounds(), other.bounds()) > 0.3)
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

/// The kind of a mark, if it may belong to a group: its own for sure, or shadow perhaps, which belongs to nobody.
pub(super) fn kind_of(scene: &Scene, group: &[usize], first: usize, at: usize) -> u8 {
    match scene.blobs.labels[at] {
        0 => scene.kinds.pixels[at],
        label if group[usize::from(label) - 1] == first => scene.kinds.pixels[at],
        _ => 0,
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
