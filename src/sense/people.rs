//! Who is who from frame to frame: areas of the mask become people who are followed.

use super::blob::Blobs;
use super::fit::Field;
use super::person::{Bounds, Person, within};
use super::shade::SURE;
use super::stature::Stature;
use super::work::Plane;
use crate::presence::Point;

/// Most people that are followed at once.
pub(super) const PEOPLE_MAX: usize = 96;
/// Width of a usual body over its height.
pub(super) const SLIM: f32 = 0.4;
/// Part of a usual body's box that is body.
pub(super) const FULL: f32 = 0.55;
/// Seconds after which one who is not seen any more is given up.
const GONE: f32 = 1.2;
/// How long it is remembered that one looked like an image in wet paving, in seconds.
const ECHO_MAX: f32 = 1.5;
/// The same for one who stands: others pass before him.
const GONE_STILL: f32 = 5.0;
/// Who explains less than this of what others leave is hidden by them.
const HIDDEN: f32 = 0.32;
/// The same for one who was never told of.
const GONE_EARLY: f32 = 0.15;

/// What one frame shows: the picture, the kind of each mark, the areas that marks make.
pub(super) struct Scene<'a> {
    pub seen: &'a Plane,
    pub kinds: &'a Plane,
    pub blobs: &'a Blobs,
    /// Where vehicles are: nobody is born there.
    pub large: &'a Plane,
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
    /// For each person the first of those whose marks may touch.
    pub(super) knot: Vec<usize>,
    /// For each pixel how far it is from the one to whom it belongs.
    pub(super) near: Vec<u16>,
    /// How much farther bodies reach to the right of their axis than to the left in the mean, over their height: shadows.
    pub(super) lean: f32,
    /// Marks that belong to nobody, and their areas.
    pub(super) rest: Plane,
    pub(super) areas: Blobs,
    /// For each of these the first area of its group.
    pub(super) group: Vec<usize>,
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
            knot: Vec::new(),
            lean: 0.0,
            near: vec![0; width * height],
            rest: Plane::new(width, height),
            areas: Blobs::default(),
            group: Vec::new(),
            order: Vec::new(),
            next: 0,
            counts: Vec::new(),
        }
    }

    /// One frame: `dt` seconds after the one before.
    pub fn follow(&mut self, scene: &Scene, dt: f32) {
        self.owner.fill(0);
        for person in &mut self.list {
            let before = self.stature.at(person.foot[1]);
            person.foot = person.predicted(dt);
            // Who comes nearer looks larger.
            let nearer = self.stature.at(person.foot[1]) / before;
            person.size = person.size.map(|side| side * nearer);
            person.age += dt;
            (person.owned, person.alone, person.hidden) = (0, false, false);
        }
        self.knots();
        self.place(scene, dt);
        self.claim(scene);
        for index in 0..self.list.len() {
            self.measure(scene, index, dt);
        }
        self.discover(scene);
        self.split(scene);
        for person in &mut self.list {
            let usual = self.stature.at(person.foot[1]);
            person.settle(dt, usual);
        }
        self.echoes(dt);
        self.part();
    }

    /// Finds out who stands so near to whom that their marks may touch.
    fn knots(&mut self) {
        self.knot.clear();
        self.knot.extend(0..self.list.len());
        for one in 0..self.list.len() {
            for other in one + 1..self.list.len() {
                let (a, b) = (self.list[one].bounds(), self.list[other].bounds());
                if within(a, b).max(within(b, a)) > 0.05 {
                    let (a, b) = (root(&mut self.knot, one), root(&mut self.knot, other));
                    self.knot[a.max(b)] = a.min(b);
                }
            }
        }
        for one in 0..self.knot.len() {
            self.knot[one] = root(&mut self.knot, one);
        }
    }

    /// People in a knot are put where together they explain the marks best.
    fn place(&mut self, scene: &Scene, dt: f32) {
        let mut field = core::mem::take(&mut self.field);
        for first in 0..self.list.len() {
            self.order.clear();
            self.order.extend((0..self.list.len()).filter(|one| self.knot[*one] == first));
            if self.order.len() < 2 {
                continue;
            }
            // Who stands nearer hides the others: placed first.
            let list = &self.list;
            self.order.sort_by(|a, b| list[*b].foot[1].total_cmp(&list[*a].foot[1]));
            let mut around = [f32::MAX, f32::MAX, 0.0, 0.0];
            for &index in &self.order {
                let bounds = list[index].bounds();
                let margin = 0.2 * list[index].size[1] + 3.0;
                around = [
                    around[0].min(bounds[0] - margin),
                    around[1].min(bounds[1] - margin),
                    around[2].max(bounds[2] + margin),
                    around[3].max(bounds[3] + margin),
                ];
            }
            field.set(around, self.picture, |at| scene.kinds.pixels[at]);
            for &index in &self.order {
                field.cover(list[index].foot, slim(list[index].size), 1);
            }
            let mut places: [(Point, f32); PEOPLE_MAX] = [([0.0; 2], 0.0); PEOPLE_MAX];
            for round in 0..2 {
                for &index in &self.order {
                    let person = &self.list[index];
                    let from = if round == 0 { person.foot } else { places[index].0 };
                    let size = slim(person.size);
                    field.cover(from, size, -1);
                    field.sum();
                    let known = (person.known > 0.3).then_some(&person.look);
                    let reach = (0.14 * person.size[1]).clamp(3.0, 12.0);
                    let (at, explains) = field.place(scene.seen, person.foot, size, known, reach);
                    places[index] = (at, explains);
                    field.cover(at, size, 1);
                }
            }
            // Who was there first, who stands still while others pass, and who is nearer, hides the others.
            let list = &self.list;
            let rank = |index: usize| {
                let person = &list[index];
                (person.hits < 6, person.still < 4.0, -person.foot[1])
            };
            self.order.sort_by(|a, b| rank(*a).partial_cmp(&rank(*b)).unwrap_or(core::cmp::Ordering::Equal));
            field.clear();
            for &index in &self.order {
                let at = places[index].0;
                let person = &mut self.list[index];
                field.sum();
                let explains = field.explains(at, slim(person.size));
                person.hidden = explains < HIDDEN;
                if !person.hidden {
                    field.cover(at, slim(person.size), 1);
                    let trust = if person.still > 4.0 { 0.15 } else { 0.55 };
                    person.correct(at, dt, trust, 0.22 * trust);
                }
            }
        }
        self.field = field;
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

    pub(super) fn cut(&self, bounds: Bounds) -> bool {
        bounds[0] < 2.0
            || bounds[1] < 2.0
            || bounds[2] > self.picture[0] as f32 - 2.0
            || bounds[3] > self.picture[1] as f32 - 2.0
    }

    /// Takes the shadow at one's feet away: where a leg is somebody for sure, what may be shadow beside it is. Returns the
    /// box of what is left.
    pub(super) fn trim(&mut self, scene: &Scene, index: usize, area: Bounds) -> Bounds {
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
        let least = (last.saturating_sub(first) as u16 / 10).max(2);
        let thick = |count: &u16| *count >= least;
        let across = (counts.iter().position(thick), counts.iter().rposition(thick));
        self.counts = counts;
        match across {
            (Some(from), Some(to)) if first < last => [left + from, first, left + to + 1, last].map(|side| side as f32),
            _ => area,
        }
    }

    /// Notes who is only another's image in wet paving.
    fn echoes(&mut self, dt: f32) {
        for index in 0..self.list.len() {
            let person = &self.list[index];
            let others = self.list.iter().enumerate().filter(|(other, _)| *other != index);
            let echo = others.map(|(_, other)| other).any(|other| other.echo == 0.0 && person.is_echo(other));
            let person = &mut self.list[index];
            person.echo = if echo { (person.echo + dt).min(ECHO_MAX) } else { (person.echo - 0.5 * dt).max(0.0) };
        }
    }

    /// Lets go of who is gone, and of who is somebody else.
    fn part(&mut self) {
        let [width, height] = self.picture.map(|side| side as f32);
        let mut index = 0;
        while index < self.list.len() {
            let person = &self.list[index];
            let inside = within(person.bounds(), [0.0, 0.0, width, height]);
            let patience = match person.told {
                true if person.still > 2.0 => GONE_STILL,
                true => GONE,
                false => GONE_EARLY,
            };
            let late = person.missed > patience;
            let late = late || person.hits < 4 && person.missed > 0.0;
            let out = inside < 0.4 || inside < 0.9 && person.missed > 0.1;
            let double = self.list.iter().any(|other| {
                let older = other.hits > person.hits || other.hits == person.hits && other.id < person.id;
                older && other.missed == 0.0 && self.is_part(person, other)
            });
            if late || out || double {
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

/// The size of a usual body of that height: what is wider is an arm, a stride or a bag.
pub(super) fn slim([_, height]: Point) -> Point {
    [SLIM * height, height]
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
