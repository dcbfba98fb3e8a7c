//! Who comes: marks that belong to nobody become somebody new, or somebody who was lost.

use super::blob::Blobs;
use super::fit::Field;
use super::people::{FULL, PEOPLE_MAX, People, SLIM, Scene, kind_of};
use super::person::{Bounds, Look, Person, bounds, look, unlike};
use super::work::Plane;
use crate::presence::Point;

/// Areas among which the parts of new people are looked for.
const FRAGMENTS_MAX: usize = 64;

impl People {
    /// Areas where nobody is known to be, and that one usual body would cover together, are taken as one.
    pub(super) fn join_fragments(&mut self, blobs: &Blobs) {
        if !self.stature.known() {
            return;
        }
        let free = |group: &[usize], meets: &[(usize, usize, u32)], blob: usize| {
            !meets.iter().any(|(_, met, _)| group[*met] == group[blob])
        };
        let count = blobs.list.len().min(FRAGMENTS_MAX);
        for a in 0..count {
            for b in a + 1..count {
                let (first, other) = (self.group[a], self.group[b]);
                if first == other || !free(&self.group, &self.meets, a) || !free(&self.group, &self.meets, b) {
                    continue;
                }
                let (one, two) = (self.area(blobs, first), self.area(blobs, other));
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

    /// An area that nobody is known to be in.
    pub(super) fn born(&mut self, scene: &Scene, first: usize, all: Bounds, area: Bounds) {
        let [width, height] = [area[2] - area[0], area[3] - area[1]];
        let usual = self.stature.at(area[3]);
        let parts = scene.blobs.list.iter().zip(&self.group).filter(|(_, group)| **group == first);
        let size: u32 = parts.map(|(blob, _)| blob.area).sum();
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
            let index = self.add(scene.seen, [(area[0] + area[2]) / 2.0, area[3]], [width, height]);
            if let Some(index) = index {
                self.own(scene, first, all, |_, _, _| index);
            }
            return;
        }
        let mut field = core::mem::take(&mut self.field);
        let group = &self.group;
        field.set(all, self.picture, |at| kind_of(scene, group, first, at));
        field.sum();
        self.order.clear();
        self.discover(scene.seen, &mut field, 8, 0.5);
        self.field = field;
        self.share(scene, first, all);
    }

    /// Looks for people whom nobody explains, each where it explains most, at most `limit`; they are put into `order`.
    pub(super) fn discover(&mut self, seen: &Plane, field: &mut Field, limit: usize, least: f32) {
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
        let at: Bounds = bounds(foot, size);
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
            stir: 5.0,
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
}
