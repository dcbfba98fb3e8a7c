//! Who comes: marks that belong to nobody become somebody new, or somebody who was lost.

use super::blob::Blobs;
use super::people::{FULL, PEOPLE_MAX, People, SLIM, Scene, slim};
use super::person::{Bounds, Look, Person, bounds, look, unlike};
use super::shade::PERHAPS;
use super::work::Plane;
use crate::presence::Point;

/// Areas among which the parts of new people are looked for.
const FRAGMENTS_MAX: usize = 64;

impl People {
    /// Looks for people in the marks that are nobody's.
    pub(super) fn discover(&mut self, scene: &Scene) {
        let mut count = 0;
        let width = self.picture[0];
        for (y, rest) in self.rest.pixels.chunks_exact_mut(width).enumerate() {
            let row = y * width..(y + 1) * width;
            let labels = &scene.blobs.labels[row.clone()];
            if labels.iter().fold(0, |all, label| all | label) == 0 {
                rest.fill(0);
                continue;
            }
            let free = self.owner[row.clone()].iter().zip(&scene.large.pixels[row]);
            for ((rest, label), (owner, large)) in rest.iter_mut().zip(labels).zip(free) {
                *rest = u8::from(*label != 0 && *owner == 0 && *large == 0);
                count += u32::from(*rest);
            }
        }
        if count < 16 {
            return;
        }
        let mut areas = core::mem::take(&mut self.areas);
        areas.find(&self.rest, 6);
        self.join_fragments(&areas);
        for first in 0..areas.list.len() {
            if self.group[first] == first {
                self.born(scene, &areas, first);
            }
        }
        self.areas = areas;
    }

    /// Areas that one usual body would cover together are taken as one.
    fn join_fragments(&mut self, areas: &Blobs) {
        self.group.clear();
        self.group.extend(0..areas.list.len());
        if !self.stature.known() {
            return;
        }
        let count = areas.list.len().min(FRAGMENTS_MAX);
        for a in 0..count {
            for b in a + 1..count {
                let (first, other) = (self.group[a], self.group[b]);
                if first == other {
                    continue;
                }
                let (one, two) = (self.around(areas, first), self.around(areas, other));
                let all = [one[0].min(two[0]), one[1].min(two[1]), one[2].max(two[2]), one[3].max(two[3])];
                let usual = self.stature.at(all[3]);
                let overlap = one[2].min(two[2]) - one[0].max(two[0]);
                let fits = all[3] - all[1] <= 1.15 * usual && all[2] - all[0] <= 0.72 * usual + 2.0;
                if fits && overlap > -0.1 * usual {
                    let (low, high) = (first.min(other), first.max(other));
                    self.group.iter_mut().filter(|group| **group == high).for_each(|group| *group = low);
                }
            }
        }
    }

    /// The box round all areas of a group.
    fn around(&self, areas: &Blobs, first: usize) -> Bounds {
        let mut all = [usize::MAX, usize::MAX, 0, 0];
        for (area, _) in areas.list.iter().zip(&self.group).filter(|(_, group)| **group == first) {
            let [left, top, right, bottom] = area.bounds;
            all = [all[0].min(left), all[1].min(top), all[2].max(right), all[3].max(bottom)];
        }
        all.map(|side| side as f32)
    }

    /// The foot and height of one of whom a box is all that is to be seen: the edge of the picture may hide the rest.
    fn stands(&self, area: Bounds) -> (f32, f32) {
        let [width, height] = [area[2] - area[0], area[3] - area[1]];
        let rows = self.picture[1] as f32;
        if area[3] < rows - 2.0 || width > 1.2 * height {
            return (area[3], height);
        }
        // The feet are below the picture.
        let mut foot = area[3];
        for _ in 0..6 {
            foot = (area[1] + self.stature.at(foot)).clamp(rows, 2.0 * rows);
        }
        (foot, foot - area[1])
    }

    /// Marks of which nobody is known.
    fn born(&mut self, scene: &Scene, areas: &Blobs, first: usize) {
        let area = self.around(areas, first);
        let [width, _] = [area[2] - area[0], area[3] - area[1]];
        let (foot, height) = self.stands(area);
        let usual = self.stature.at(foot);
        let parts = areas.list.iter().zip(&self.group).filter(|(_, group)| **group == first);
        let size: u32 = parts.map(|(blob, _)| blob.area).sum();
        let columns = self.picture[0] as f32;
        let aside = area[0] < 2.0 || area[2] > columns - 2.0;
        let whole_body = FULL * SLIM * usual * usual * if aside { 0.5 } else { 1.0 };
        let known = self.stature.known();
        let least = if known { 0.25 } else { 0.1 };
        if (size as f32) < least * whole_body || size < 16 || height < 0.6 * usual {
            return;
        }
        // Flat things on the ground are shadows, puddles and light.
        if height < 0.7 * width && height < 0.7 * usual || self.taken(area) > 0.5 {
            return;
        }
        // Where most of what is round it may be shadow, so may this.
        let [left, top, right, bottom] = area.map(|side| side as usize);
        let mut shady = 0;
        for y in top..bottom {
            let row = y * self.picture[0];
            let kinds = scene.kinds.pixels[row + left..row + right].iter().zip(&self.owner[row + left..row + right]);
            shady += kinds.filter(|(kind, owner)| **kind == PERHAPS && **owner == 0).count();
        }
        if shady as u32 > size {
            return;
        }
        let one = width <= self.wide(height, usual) && height <= 1.3 * usual + 3.0;
        if one || !known && height > 1.3 * width && height < 1.7 * usual {
            let index = self.add(scene.seen, [(area[0] + area[2]) / 2.0, foot], [width, height]);
            if let Some(index) = index {
                self.give(areas, first, index);
            }
            return;
        }
        let mut field = core::mem::take(&mut self.field);
        let group = &self.group;
        field.set(area, self.picture, |at| match areas.labels[at] {
            0 => scene.kinds.pixels[at] & PERHAPS,
            label if group[usize::from(label) - 1] == first => scene.kinds.pixels[at],
            _ => 0,
        });
        for _ in 0..8 {
            field.sum();
            let stature = &self.stature;
            let found = field.search(|foot| slim([0.0, stature.at(foot)]));
            let child = |foot: Point, size: Point| size[1] < 0.9 * stature.at(foot[1]);
            let enough = |(foot, size, explains): &(Point, Point, f32)| {
                *explains >= if child(*foot, *size) { 0.75 } else { 0.55 }
            };
            let Some((foot, size, _)) = found.filter(enough) else { break };
            if self.taken(bounds(foot, size)) < 0.5 {
                self.add(scene.seen, foot, size);
            }
            field.cover(foot, size, 1);
        }
        self.field = field;
    }

    /// Two who were taken for one part again: where another usual body explains much of one's marks, for some time.
    pub(super) fn split(&mut self, scene: &Scene) {
        for index in 0..self.list.len() {
            let person = &self.list[index];
            let usual = self.stature.at(person.foot[1]);
            let wide = person.owned as f32 > 1.15 * FULL * SLIM * usual * usual;
            if !person.alone || !wide || !self.stature.known() || !(person.hits + index as u32).is_multiple_of(3) {
                continue;
            }
            let mine = index as u8 + 1;
            let mut field = core::mem::take(&mut self.field);
            let owner = &self.owner;
            field.set(person.measured, self.picture, |at| if owner[at] == mine { scene.kinds.pixels[at] } else { 0 });
            field.sum();
            let stature = &self.stature;
            let mut one = || {
                let found = field.search(|foot| slim([0.0, stature.at(foot)]));
                if let Some((foot, size, _)) = found {
                    field.cover(foot, size, 1);
                    field.sum();
                }
                found
            };
            let (a, b) = (one(), one());
            self.field = field;
            let person = &mut self.list[index];
            let beside = |a: Point, b: Point| (a[0] - b[0]).abs() > 0.15 * usual;
            let both = a.zip(b).filter(|(a, b)| a.2 > 0.4 && b.2 > 0.4 && beside(a.0, b.0));
            let Some((a, b)) = both else {
                person.double = person.double.saturating_sub(1);
                continue;
            };
            person.double += 1;
            if person.double < 4 {
                continue;
            }
            person.double = 0;
            let off = |foot: Point| (foot[0] - person.foot[0]).hypot(foot[1] - person.foot[1]);
            let (this, other) = if off(a.0) <= off(b.0) { (a, b) } else { (b, a) };
            (person.foot, person.size) = (this.0, this.1);
            person.measured = bounds(this.0, this.1);
            let velocity = person.velocity;
            if let Some(new) = self.add(scene.seen, other.0, other.1) {
                self.list[new].velocity = velocity;
            }
        }
    }

    /// Gives all areas of a group to one.
    fn give(&mut self, areas: &Blobs, first: usize, index: usize) {
        let [left, top, right, bottom] = self.around(areas, first).map(|side| side as usize);
        let mut count = 0;
        for y in top..bottom {
            for at in y * self.picture[0] + left..y * self.picture[0] + right {
                let label = usize::from(areas.labels[at]);
                if label != 0 && self.group[label - 1] == first {
                    self.owner[at] = index as u8 + 1;
                    count += 1;
                }
            }
        }
        self.list[index].owned = count;
    }

    /// Someone new, or someone who was lost and is found again.
    fn add(&mut self, seen: &Plane, foot: Point, size: Point) -> Option<usize> {
        let at: Bounds = bounds(foot, size);
        let now = look(seen, at);
        let again = self.lost(foot, size, &now);
        if let Some(index) = again {
            let person = &mut self.list[index];
            (person.foot, person.missed, person.owned, person.measured) = (foot, 0.0, 1, at);
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
            stir: 5.0,
            owned: 1,
            measured: at,
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
}
