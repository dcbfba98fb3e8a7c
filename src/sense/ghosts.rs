//! Ghosts: where somebody stood when the camera began to look, or for long, and has left, the background still shows him.
//! Something differs there in the shape of a person, and the net can be wrong about which of the two it is. So now and
//! then it is asked the other way round, as if the background were the picture: what it is surer of then is a ghost.

use super::net::{Net, View};
use super::owners::BODY;
use super::people::{PEOPLE_MAX, People};
use super::person::Person;
use super::work::Plane;
use super::{Luma, light::Light};

/// How often the net is asked, in seconds.
const ASK: f32 = 0.4;
/// How much surer it must be the other way round to say so, and how often.
const SURER: f32 = 1.1;
const OFTEN: u8 = 2;
/// Who has never moved, does not stir for so long, and of whom the net is not sure, is nobody: in seconds, and 0 to 1.
const DEAD: (f32, f32) = (2.0, 0.57);
/// What looks like somebody who came and does not stir for so long is a thing that was put there, in seconds.
const PARKED: f32 = 240.0;

/// What is seen and known; all of one size.
pub(super) struct Looks<'a> {
    pub seen: &'a Plane,
    /// The background in this light.
    pub lit: &'a Plane,
    pub bound: &'a Plane,
    pub marks: &'a Plane,
    pub light: &'a Light,
    /// How sure the net is of each pixel.
    pub sure: &'a Plane,
    /// For each pixel 0, or the index of the one to whom it belongs and 1.
    pub owners: &'a [u8],
}

/// Asks about ghosts.
#[derive(Debug)]
pub(super) struct Ghosts {
    /// How sure the net is of each pixel the other way round.
    swapped: Plane,
    since: f32,
    /// Pixels that are background after all.
    pub found: Vec<usize>,
}

impl Ghosts {
    pub fn new(width: usize, height: usize) -> Self {
        Self { swapped: Plane::new(width, height), since: 0.0, found: Vec::new() }
    }

    /// Finds out who is none, and forgets him; what is background after all is in `found`. What the net said of this frame
    /// is lost when it is asked.
    pub fn lay(&mut self, looks: &Looks, arounds: &[[usize; 4]], net: &mut Net, people: &mut People, dt: f32) {
        self.found.clear();
        self.since += dt;
        if self.since < ASK {
            return;
        }
        self.since = 0.0;
        let Looks { seen, lit, bound, marks, light, sure, owners } = *looks;
        let Some(luma) = Luma::new(lit.width, lit.height, lit.width, &lit.pixels) else { return };
        let view =
            View { luma: &luma, factor: 1, shift: [0; 2], seen: lit, lit: seen, bound, marks, black: light.black };
        net.see(&view, &mut self.swapped);
        let mut sums = [[0_u32; 2]; PEOPLE_MAX];
        for ((owner, sure), swapped) in owners.iter().zip(&sure.pixels).zip(&self.swapped.pixels) {
            if let Some(index) = owner.checked_sub(1) {
                let [direct, other] = &mut sums[usize::from(index)];
                *direct += u32::from(*sure);
                *other += u32::from(*swapped);
            }
        }
        let mut none = [false; PEOPLE_MAX];
        for ((person, [direct, other]), none) in people.list.iter_mut().zip(sums).zip(&mut none) {
            let ghostly = other as f32 > direct as f32 * SURER;
            person.ghostly = if ghostly { person.ghostly + 1 } else { 0 };
            *none = person.ghostly >= OFTEN || is_none(person);
        }
        // Also where nobody is seen: who has just left.
        for (at, owner) in owners.iter().enumerate() {
            let swapped = self.swapped.pixels[at];
            let is_ground = match owner.checked_sub(1) {
                Some(index) => none[usize::from(index)],
                None => swapped >= BODY && swapped / 2 > sure.pixels[at],
            };
            if is_ground {
                self.found.push(at);
            }
        }
        // And round who is none, as far as it is nobody's: the blur of a ghost.
        for (around, _) in arounds.iter().zip(none).filter(|(_, none)| *none) {
            let [left, top, right, bottom] = *around;
            let rows = (top..bottom).map(|y| y * seen.width);
            self.found.extend(rows.flat_map(|row| row + left..row + right).filter(|at| owners[*at] == 0));
        }
        let mut index = 0;
        people.list.retain(|_| {
            index += 1;
            !none[index - 1]
        });
    }
}

fn is_none(person: &Person) -> bool {
    person.calm > PARKED || !person.moved && person.calm > DEAD.0 && person.sure < DEAD.1
}

/// Notes how much changes within one's pixels, in units of what the ground trembles by itself; `around` is where they lie.
pub(super) fn stir(looks: &Looks, before: &Plane, person: &mut Person, index: usize, around: [usize; 4], dt: f32) {
    let [left, top, right, bottom] = around;
    let (mut changed, mut usual) = (0_u32, 0_u32);
    for y in top..bottom {
        for at in y * looks.seen.width + left..y * looks.seen.width + right {
            if usize::from(looks.owners[at]) == index + 1 {
                changed += u32::from(looks.seen.pixels[at].abs_diff(before.pixels[at]));
                usual += u32::from(looks.bound.pixels[at]);
            }
        }
    }
    let now = changed as f32 * 3.0 / (usual as f32).max(1.0);
    person.stir += (now - person.stir) * (dt / (dt + 0.7));
    person.calm = if person.stir < 1.0 && person.owned > 0 { person.calm + dt } else { 0.0 };
}
