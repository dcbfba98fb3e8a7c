//! One who is followed: where, how large, how it looked, for how long.

use super::work::Plane;
use crate::presence::Point;

/// Cells of a look, across and down.
pub(super) const LOOK: [usize; 2] = [4, 8];

/// Pixels of a usual body, in squares of its height: in a coat, with a bag.
const STOUT: f32 = 0.3;

/// Brightness of a body in a grid over its box: enough to know it again among its neighbours.
pub(super) type Look = [f32; LOOK[0] * LOOK[1]];

/// Left, top, right, bottom in work pixels; right and bottom lie outside.
pub(super) type Bounds = [f32; 4];

/// Someone who is followed; lengths in work pixels, times in seconds.
#[derive(Debug, Clone, Default)]
pub(super) struct Person {
    pub id: u16,
    /// The middle of the box's lower edge.
    pub foot: Point,
    pub velocity: Point,
    /// Width and height.
    pub size: Point,
    pub look: Look,
    /// How sure the look is, 0 to 1.
    pub known: f32,
    /// Time since it was first seen.
    pub age: f32,
    /// Frames in which it was seen.
    pub hits: u32,
    /// Time since it was last seen.
    pub missed: f32,
    /// It has been told of.
    pub told: bool,
    /// Where it was first seen.
    pub born: Point,
    /// It has left that place by more than its own width.
    pub moved: bool,
    /// Where it stands while it stands still, and since when.
    pub stands: Point,
    pub still: f32,
    /// How long it has been away from there, in seconds.
    pub away: f32,
    /// Pixels of the mask that are its own in this frame.
    pub owned: u32,
    /// The box of its pixels when it was last measured alone.
    pub measured: Bounds,
    /// How long it has looked like another's image in wet paving, in seconds.
    pub echo: f32,
    /// Where it was when something was last learned from its height.
    pub taught: Point,
    /// How often of late it looked like two.
    pub double: u8,
    /// Others stand before it.
    pub hidden: bool,
    /// It was measured alone, not among others, in this frame.
    pub alone: bool,
    /// How much changes within it, in units of what the ground does by itself: what is alive is never quite still.
    pub stir: f32,
    /// How long nothing has stirred within it, in seconds.
    pub calm: f32,
    /// Its pixels over those of a usual body there, smoothed; 0 before it was measured alone.
    pub bulk: f32,
}

impl Person {
    pub fn bounds(&self) -> Bounds {
        bounds(self.foot, self.size)
    }

    /// Whether it behaves like somebody: comes from somewhere, at a pace that legs can go, or stands there in the shape of a
    /// person. `usual` is how tall people are there.
    pub fn is_likely(&self, usual: f32) -> bool {
        let gone = (self.foot[0] - self.born[0]).hypot(self.foot[1] - self.born[1]) / self.size[1].max(1.0);
        let walks = gone > 0.3 && gone < 3.0 * self.age + 0.5;
        let stands = self.age > 1.5 && self.is_upright(usual);
        walks || stands
    }

    /// Whether it has the shape of somebody who stands; `usual` is how tall people are there.
    pub fn is_upright(&self, usual: f32) -> bool {
        let shape = self.size[0] / self.size[1].max(1.0);
        (0.6..1.3).contains(&(self.size[1] / usual)) && (0.18..0.6).contains(&shape)
    }

    /// How many people it may be: two who walk arm in arm and were never seen apart are one body of two.
    pub fn people(&self) -> u8 {
        self.bulk.round().clamp(1.0, 9.0) as u8
    }

    /// Where it will be `dt` later.
    pub fn predicted(&self, dt: f32) -> Point {
        [self.foot[0] + self.velocity[0] * dt, self.foot[1] + self.velocity[1] * dt]
    }
}

/// The box of a body.
pub(super) fn bounds(foot: Point, size: Point) -> Bounds {
    [foot[0] - size[0] / 2.0, foot[1] - size[1], foot[0] + size[0] / 2.0, foot[1]]
}

/// The part of the first box that lies in the second.
pub(super) fn within(a: Bounds, b: Bounds) -> f32 {
    let width = (a[2].min(b[2]) - a[0].max(b[0])).max(0.0);
    let height = (a[3].min(b[3]) - a[1].max(b[1])).max(0.0);
    let area = (a[2] - a[0]) * (a[3] - a[1]);
    if area > 0.0 { width * height / area } else { 0.0 }
}

/// Reads the look of a box; few samples a cell are enough.
pub(super) fn look(seen: &Plane, at: Bounds) -> Look {
    let mut look = [0.0; LOOK[0] * LOOK[1]];
    let [width, height] = [at[2] - at[0], at[3] - at[1]];
    for (i, cell) in look.iter_mut().enumerate() {
        let [u, v] = [(i % LOOK[0]) as f32, (i / LOOK[0]) as f32];
        let mut sum = 0.0;
        // The outermost fifth on both sides is mostly background.
        for k in 0..4 {
            let [du, dv] = [0.25 + 0.5 * (k % 2) as f32, 0.25 + 0.5 * (k / 2) as f32];
            let x = at[0] + width * (0.2 + 0.6 * (u + du) / LOOK[0] as f32);
            let y = at[1] + height * (0.02 + 0.96 * (v + dv) / LOOK[1] as f32);
            let x = (x.max(0.0) as usize).min(seen.width - 1);
            let y = (y.max(0.0) as usize).min(seen.height - 1);
            sum += f32::from(seen.at(x, y));
        }
        *cell = sum / 4.0;
    }
    look
}

/// How much two looks differ: 0 for the same, about 1 for two strangers.
pub(super) fn unlike(a: &Look, b: &Look) -> f32 {
    let sum: f32 = a.iter().zip(b).map(|(a, b)| (a - b).abs().min(60.0)).sum();
    sum / a.len() as f32 / 30.0
}

impl Person {
    /// Takes a measured place in: `trust` in the place, `follow` in the change of speed that it means.
    pub fn correct(&mut self, foot: Point, dt: f32, trust: f32, follow: f32) {
        // Nobody runs more than four times his height a second.
        let most = 4.0 * self.size[1].max(8.0);
        let follow = if self.hits < 4 { 0.6 } else { follow };
        for ((at, velocity), foot) in self.foot.iter_mut().zip(&mut self.velocity).zip(foot) {
            let off = foot - *at;
            *at += off * trust;
            if dt > 0.0 {
                *velocity = (*velocity + follow * off / dt).clamp(-most, most);
            }
        }
    }

    /// Whether this may be what wet paving shows of another: below its feet, no taller, and going where that goes.
    pub fn is_echo(&self, other: &Self) -> bool {
        let (mine, its) = (self.bounds(), other.bounds());
        let height = other.size[1];
        let below = mine[1] - its[3];
        let beside = (self.foot[0] - other.foot[0]).abs();
        let along = (self.velocity[0] - other.velocity[0]).abs();
        self.missed == 0.0
            && other.missed < 0.3
            && (-0.3 * height..0.3 * height).contains(&below)
            && beside < 0.22 * height
            && along < 0.5 * height
            && self.size[1] < 1.2 * height
    }

    pub fn remember(&mut self, now: &Look, rate: f32) {
        for (known, now) in self.look.iter_mut().zip(now) {
            *known += (now - *known) * rate;
        }
    }

    /// At the end of a frame: who was not seen slows down; who stays stands still.
    pub fn settle(&mut self, dt: f32, usual: f32) {
        if self.alone {
            let bulk = self.owned as f32 / (STOUT * usual * usual).max(1.0);
            let rate = if self.bulk == 0.0 { 1.0 } else { dt / (dt + 1.0) };
            self.bulk += (bulk - self.bulk) * rate;
        }
        if self.missed > 0.0 {
            let slower = (-1.5 * dt).exp();
            self.velocity = self.velocity.map(|axis| axis * slower);
        }
        let own = (0.5 * self.size[0]).max(0.2 * self.size[1]).max(3.0);
        let off = |from: Point, to: Point| (from[0] - to[0]).hypot(from[1] - to[1]);
        self.moved |= off(self.foot, self.born) > 2.2 * own;
        // Whoever passes before him pulls at him for a moment.
        let far = off(self.foot, self.stands) / own;
        self.away = if far > 1.0 { self.away + dt } else { 0.0 };
        if self.away > 0.6 || far > 2.0 {
            (self.stands, self.still, self.away) = (self.foot, 0.0, 0.0);
        } else {
            self.still += dt;
            // Nobody stands like a post.
            let follow = dt / (dt + 5.0);
            self.stands = core::array::from_fn(|k| self.stands[k] + (self.foot[k] - self.stands[k]) * follow);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_that_was_never_seen_apart_is_two() {
        let mut one = Person { alone: true, owned: 280, size: [16.0, 40.0], ..Person::default() };
        (0..60).for_each(|_| one.settle(0.05, 30.0));
        assert_eq!(one.people(), 1);
        one.owned = 520;
        one.settle(0.05, 30.0);
        assert_eq!(one.people(), 1, "for a moment an arm, or a shadow");
        (0..60).for_each(|_| one.settle(0.05, 30.0));
        assert_eq!(one.people(), 2);
    }
}
