//! Where people are and how large, by their own marks.

use super::people::{FULL, People, SLIM, Scene, whole};
use super::person::{Bounds, look, within};
use super::shade::SURE;

/// How much each body teaches of where shadows fall, and how far aside of their axis bodies must lie in the mean, over
/// their height, before that is believed.
const LEARN: f32 = 0.01;
const LEANS: f32 = 0.06;

impl People {
    /// Finds out by its marks where one is, and how large.
    pub(super) fn measure(&mut self, scene: &Scene, index: usize, dt: f32) {
        let person = &self.list[index];
        let bounds = person.bounds();
        let usual = self.stature.at(person.foot[1]);
        let picture = [0.0, 0.0, self.picture[0] as f32, self.picture[1] as f32];
        let visible = within(bounds, picture).max(0.3);
        let least = 0.15 * FULL * SLIM * person.size[1] * person.size[1] * visible;
        if (person.owned as f32) < least.max(6.0) {
            self.list[index].missed += dt;
            return;
        }
        let others = self.list.iter().enumerate().filter(|(other, person)| *other != index && person.missed == 0.0);
        let beside = others.map(|(_, other)| within(bounds, other.bounds()).max(within(other.bounds(), bounds)));
        let beside = beside.fold(0.0, f32::max);
        let zone = [bounds[0] - 0.6 * usual, bounds[1] - 0.3 * usual, bounds[2] + 0.6 * usual, bounds[3] + 0.3 * usual];
        let area = self.trim(scene, index, zone);
        let axis = self.axis(scene, index, area);
        let area = self.upright(index, area, axis, beside);
        let cut = self.cut(area);
        let person = &mut self.list[index];
        person.missed = 0.0;
        person.hits += 1;
        person.measured = area;
        let measured = [area[2] - area[0], area[3] - area[1]];
        if beside > 0.08 {
            return;
        }
        (person.alone, person.known) = (true, 1.0);
        let fresh = person.hits < 6;
        let height = person.size[1];
        let low = area[3] >= picture[3] - 2.0;
        let high = area[1] < 2.0;
        let mut foot = [axis, area[3]];
        let mut trusted = true;
        if low {
            // The feet are below the picture.
            foot[1] = (area[1] + height).max(area[3]);
            trusted = false;
        } else if high {
            trusted = false;
        } else if !fresh && measured[1] < 0.88 * height {
            // A part of it looks like the ground: what lies where it was expected is right.
            if (area[1] - bounds[1]).abs() < (area[3] - bounds[3]).abs() {
                foot[1] = area[1] + height;
            }
        } else if !fresh && measured[1] > 1.15 * height && (area[1] - bounds[1]).abs() < (area[3] - bounds[3]).abs() {
            foot[1] = area[1] + height;
        }
        person.correct(foot, dt, 0.7, 0.25);
        let rate = match (fresh, measured[1] > person.size[1]) {
            _ if !trusted => 0.0,
            (true, _) => 0.4,
            (_, true) => 0.2,
            // Nobody shrinks, but legs are missed.
            _ => 0.03,
        };
        person.size[0] += (measured[0] - person.size[0]) * if cut { 0.0 } else { 0.3 };
        person.size[1] += (measured[1] - person.size[1]) * rate;
        let most = if self.stature.known() { 1.2 } else { 1.6 };
        person.size[1] = person.size[1].clamp(0.4 * usual, most * usual);
        person.size[0] = person.size[0].clamp(0.2 * person.size[1], 1.1 * person.size[1]);
        let now = look(scene.seen, person.bounds());
        person.remember(&now, if fresh { 0.5 } else { 0.1 });
        let shape = measured[1] / measured[0];
        let full = person.owned as f32 / (measured[0] * measured[1]);
        let alive = person.moved || person.age > 1.5 && person.stir > 1.5;
        let far = (person.foot[0] - person.taught[0]).hypot(person.foot[1] - person.taught[1]) > 0.3 * height;
        if !cut && alive && far && person.echo == 0.0 && person.hits > 6 && (1.6..4.5).contains(&shape) && full > 0.3 {
            person.taught = person.foot;
            self.stature.learn(area[3], measured[1]);
        }
    }

    /// Takes away what lies farther out on the side to which all shadows here fall than on the other one. Strides and arms
    /// lie on both sides alike in the mean, so who is seen alone teaches where that is.
    fn upright(&mut self, index: usize, area: Bounds, axis: f32, beside: f32) -> Bounds {
        let height = self.list[index].size[1];
        let (left, right) = (axis - area[0], area[2] - axis);
        if beside <= 0.08 && !self.cut(area) && self.list[index].hits > 4 {
            let lean = ((right - left) / height).clamp(-0.6, 0.6);
            self.lean += (lean - self.lean) * LEARN;
        }
        if self.lean.abs() < LEANS {
            return area;
        }
        let most = |other: f32| other.max(0.18 * height) + 0.05 * height;
        let (left, right) =
            if self.lean > 0.0 { (left, right.min(most(left))) } else { (left.min(most(right)), right) };
        let [from, to] = [axis - left, axis + right];
        let [first, top, last, bottom] = whole(area, self.picture);
        let mine = index as u8 + 1;
        let mut removed = 0;
        for y in top + (bottom - top) / 2..bottom {
            for x in first..last {
                let owner = &mut self.owner[y * self.picture[0] + x];
                if *owner == mine && !(from..to).contains(&(x as f32 + 0.5)) {
                    *owner = 0;
                    removed += 1;
                }
            }
        }
        let person = &mut self.list[index];
        person.owned = person.owned.saturating_sub(removed);
        [from, area[1], to, area[3]]
    }

    /// The middle of head and trunk: strides, arms and shadows lie aside of it.
    fn axis(&self, scene: &Scene, index: usize, area: Bounds) -> f32 {
        let [left, top, right, bottom] = whole(area, self.picture);
        let (mut sum, mut count) = (0.0, 0.0);
        for y in top..(top + ((bottom - top) * 3 / 5).max(1)).min(self.picture[1]) {
            let row = y * self.picture[0];
            for x in left..right {
                if usize::from(self.owner[row + x]) == index + 1 {
                    let weight = if scene.kinds.pixels[row + x] == SURE { 1.0 } else { 0.25 };
                    (sum, count) = (sum + weight * (x as f32 + 0.5), count + weight);
                }
            }
        }
        if count > 0.0 { sum / count } else { (area[0] + area[2]) / 2.0 }
    }
}
