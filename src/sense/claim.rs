//! Whose marks are whose: each mark goes to the body that it is nearest to.

use super::people::{People, Scene, slim, whole};
use super::person::{Bounds, Person, within};
use super::shade::SURE;

/// How far marks may lie from a body's axis and middle, in halves of its usual width and height.
const ACROSS: f32 = 1.8;
const SHOULDERS: f32 = 1.6;
const UP: f32 = 1.15;
const DOWN: f32 = 1.1;
/// The same for marks that may be shadow.
const SHADY: f32 = 0.9;
/// Who has marks of one area: more are left out.
const SHARERS: usize = 12;
/// Steps of nearness.
const STEPS: f32 = 4096.0;
/// As near as that is the body itself.
const CORE: u16 = (1.1 * STEPS) as u16;

impl People {
    /// Gives marks to people.
    pub(super) fn claim(&mut self, scene: &Scene) {
        self.near.fill(u16::MAX);
        let width = self.picture[0];
        for index in 0..self.list.len() {
            let person = &self.list[index];
            if person.hidden {
                continue;
            }
            let [across, height] = slim(person.size);
            let [x0, y0] = [person.foot[0], person.foot[1] - 0.5 * height];
            let (u1, v1) = (2.0 / across, 2.0 / height);
            // Of someone too short some part may be elsewhere: above or below.
            let short = self.short(person);
            let zone = [x0 - ACROSS / u1, y0 - UP / v1 - short, x0 + ACROSS / u1, y0 + DOWN / v1 + 0.5 * short];
            let [left, top, right, bottom] = whole(zone, self.picture);
            for y in top..bottom {
                let v = y as f32 + 0.5 - y0;
                let v = if v < -0.5 * height { (v + short).min(-0.5 * height) } else { v };
                let v = if v > 0.5 * height { (v - 0.5 * short).max(0.5 * height) } else { v } * v1;
                for at in y * width + left..y * width + right {
                    let kind = scene.kinds.pixels[at];
                    if kind == 0 {
                        continue;
                    }
                    let u = ((at - y * width) as f32 + 0.5 - x0) * u1;
                    // Legs stride; what is that wide above them is an arm, or somebody else.
                    if v < 0.0 && u.abs() > SHOULDERS {
                        continue;
                    }
                    if kind != SURE && (u.abs() > SHADY || !(-1.0..=1.0).contains(&v)) {
                        continue;
                    }
                    let far = ((u * u).max(v * v) * STEPS) as u16;
                    if far < self.near[at] {
                        self.near[at] = far;
                        self.owner[at] = index as u8 + 1;
                    }
                }
            }
        }
        self.limbs(scene);
        // Most of the picture is nobody's.
        for some in self.owner.chunks(32).filter(|some| some.iter().fold(0, |all, owner| all | owner) != 0) {
            for owner in some {
                if let Some(person) = self.list.get_mut(usize::from(*owner).wrapping_sub(1)) {
                    person.owned += 1;
                }
            }
        }
    }

    /// Marks beside a body's core are its own where they hang together with it: a stride, an arm held out, a bag. An area of
    /// which it has little is somebody else.
    fn limbs(&mut self, scene: &Scene) {
        let width = self.picture[0];
        for (name, blob) in (1..).zip(&scene.blobs.list) {
            let [left, top, right, bottom] = blob.bounds;
            // Core marks of each who has some, and marks within reach.
            let mut shares = [(0_u8, 0_u32); SHARERS];
            let mut sharers = 0;
            for y in top..bottom {
                let row = y * width;
                for at in row + left..row + right {
                    let owner = self.owner[at];
                    if scene.blobs.labels[at] != name || owner == 0 || self.near[at] > CORE {
                        continue;
                    }
                    match shares[..sharers].iter_mut().find(|(of, _)| *of == owner) {
                        Some((_, count)) => *count += 1,
                        None if sharers < SHARERS => {
                            shares[sharers] = (owner, 1);
                            sharers += 1;
                        }
                        None => {}
                    }
                }
            }
            let shares = &shares[..sharers];
            let total: u32 = shares.iter().map(|(_, count)| count).sum();
            let usual = self.area_of_one(bottom);
            let small = (blob.area as f32) < 0.25 * usual;
            let core_of = |owner: u8| shares.iter().find(|(of, _)| *of == owner).map_or(0, |(_, count)| *count);
            // One alone has all that he can reach.
            let alone = match shares {
                [(owner, count)] if count * 2 > blob.area => {
                    let person = &self.list[usize::from(*owner) - 1];
                    let ([x, y], height) = (person.foot, person.size[1]);
                    let reaches = left as f32 > x - 0.75 * height
                        && (right as f32) < x + 0.75 * height
                        && top as f32 > y - 1.25 * height
                        && (bottom as f32) < y + 0.2 * height;
                    reaches.then_some(*owner)
                }
                _ => None,
            };
            for y in top..bottom {
                let row = y * width;
                for at in row + left..row + right {
                    if scene.blobs.labels[at] != name {
                        continue;
                    }
                    let owner = self.owner[at];
                    if let Some(one) = alone {
                        self.owner[at] = one;
                    } else if owner != 0 && small && total == 0 {
                        // A loose piece is a head, or a foot; not what lies beside.
                        let person = &self.list[usize::from(owner) - 1];
                        let ([x, y], height) = (person.foot, person.size[1]);
                        let beside = (left as f32 - x).max(x - right as f32) > 0.22 * height;
                        if beside && (bottom as f32) < y - 0.3 * height {
                            self.owner[at] = 0;
                        }
                    } else if owner != 0 && !small {
                        let core = core_of(owner);
                        let little = core == 0 || core * 4 < blob.area && core * 3 < total;
                        if little && (core as f32) < 0.25 * usual {
                            self.owner[at] = 0;
                        }
                    }
                }
            }
        }
    }

    /// How much is missing of one who looks shorter than usual, in pixels: hidden, or like the ground; or a child.
    fn short(&self, person: &Person) -> f32 {
        let usual = self.stature.at(person.foot[1]);
        if self.stature.known() { (usual - person.size[1]).max(0.0) } else { 0.0 }
    }

    /// The part of a box that lies in one who is known.
    pub(super) fn taken(&self, area: Bounds) -> f32 {
        let inside = self.list.iter().filter(|person| person.owned > 0).map(|person| {
            let [left, top, right, bottom] = person.bounds();
            let margin = 0.1 * person.size[1];
            let short = self.short(person);
            within(area, [left - margin, top - margin - short, right + margin, bottom + margin + 0.5 * short])
        });
        inside.fold(0.0, f32::max)
    }
}
