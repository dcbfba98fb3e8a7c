//! Ghosts: where somebody stood when the camera began to look, or for long, and has left, the background still shows him.
//! Something differs there in the shape of a person, and the net can be wrong about which of the two it is. So now and
//! then it is asked the other way round, as if the background were the picture: what it is surer of then is a ghost.

use super::instance_labels::BODY_CONFIDENCE;
use super::net::{NetInput, PersonNet};
use super::plane::Plane;
use super::track::PersonTrack;
use super::tracker::{PersonTracker, TRACKS_MAX};
use super::{Luma, illumination::Illumination};

/// How often the net is asked, in seconds.
const CHECK_INTERVAL: f32 = 0.4;
/// How much surer it must be the other way round to say so, and how often.
const SWAPPED_RATIO: f32 = 1.1;
const CONFIRMATIONS: u8 = 2;
/// Who has never moved, does not stir for so long, and of whom the net is not sure, is nobody: in seconds, and 0 to 1.
const STATIC_GHOST: (f32, f32) = (2.0, 0.57);
/// What looks like somebody who came and does not stir for so long is a thing that was put there, in seconds.
const STATIC_OBJECT: f32 = 240.0;

/// What is seen and known; all of one size.
pub(super) struct FramePlanes<'a> {
    pub image: &'a Plane,
    /// The background in this light.
    pub relit: &'a Plane,
    pub threshold: &'a Plane,
    pub foreground: &'a Plane,
    pub illumination: &'a Illumination,
    /// How sure the net is of each pixel.
    pub confidence: &'a Plane,
    /// For each pixel 0, or the index of the one to whom it belongs and 1.
    pub labels: &'a [u8],
}

/// Asks about ghosts.
#[derive(Debug)]
pub(super) struct GhostDetector {
    /// How sure the net is of each pixel the other way round.
    swapped: Plane,
    since_check: f32,
    /// Pixels that are background after all.
    pub background_pixels: Vec<usize>,
}

impl GhostDetector {
    pub fn new(width: usize, height: usize) -> Self {
        Self { swapped: Plane::new(width, height), since_check: 0.0, background_pixels: Vec::new() }
    }

    /// Finds out who is none, and forgets him; what is background after all is in `found`. What the net said of this frame
    /// is lost when it is asked.
    pub fn remove_ghosts(
        &mut self,
        looks: &FramePlanes,
        arounds: &[[usize; 4]],
        net: &mut PersonNet,
        people: &mut PersonTracker,
        dt: f32,
    ) {
        self.background_pixels.clear();
        self.since_check += dt;
        if self.since_check < CHECK_INTERVAL {
            return;
        }
        self.since_check = 0.0;
        let FramePlanes {
            image: seen,
            relit: lit,
            threshold: bound,
            foreground: marks,
            illumination: light,
            confidence: sure,
            labels: owners,
        } = *looks;
        let Some(luma) = Luma::new(lit.width, lit.height, lit.width, &lit.pixels) else { return };
        let view = NetInput {
            luma: &luma,
            factor: 1,
            shift: [0; 2],
            image: lit,
            relit: seen,
            threshold: bound,
            foreground: marks,
            black: light.black,
        };
        net.infer(&view, &mut self.swapped);
        let mut sums = [[0_u32; 2]; TRACKS_MAX];
        for ((owner, sure), swapped) in owners.iter().zip(&sure.pixels).zip(&self.swapped.pixels) {
            if let Some(index) = owner.checked_sub(1) {
                let [direct, other] = &mut sums[usize::from(index)];
                *direct += u32::from(*sure);
                *other += u32::from(*swapped);
            }
        }
        let mut none = [false; TRACKS_MAX];
        for ((person, [direct, other]), none) in people.tracks.iter_mut().zip(sums).zip(&mut none) {
            let ghostly = other as f32 > direct as f32 * SWAPPED_RATIO;
            person.ghost_checks = if ghostly { person.ghost_checks + 1 } else { 0 };
            *none = person.ghost_checks >= CONFIRMATIONS || is_ghost(person);
        }
        // Also where nobody is seen: who has just left.
        for (at, owner) in owners.iter().enumerate() {
            let swapped = self.swapped.pixels[at];
            let is_ground = match owner.checked_sub(1) {
                Some(index) => none[usize::from(index)],
                None => swapped >= BODY_CONFIDENCE && swapped / 2 > sure.pixels[at],
            };
            if is_ground {
                self.background_pixels.push(at);
            }
        }
        // And round who is none, as far as it is nobody's: the blur of a ghost.
        for (around, _) in arounds.iter().zip(none).filter(|(_, none)| *none) {
            let [left, top, right, bottom] = *around;
            let rows = (top..bottom).map(|y| y * seen.width);
            self.background_pixels.extend(rows.flat_map(|row| row + left..row + right).filter(|at| owners[*at] == 0));
        }
        let mut index = 0;
        people.tracks.retain(|_| {
            index += 1;
            !none[index - 1]
        });
    }
}

fn is_ghost(person: &PersonTrack) -> bool {
    person.motionless > STATIC_OBJECT
        || !person.moved && person.motionless > STATIC_GHOST.0 && person.confidence < STATIC_GHOST.1
}

/// Notes how much changes within one's pixels, in units of what the ground trembles by itself; `around` is where they lie.
pub(super) fn update_motion_energy(
    looks: &FramePlanes,
    before: &Plane,
    person: &mut PersonTrack,
    index: usize,
    around: [usize; 4],
    dt: f32,
) {
    let [left, top, right, bottom] = around;
    let (mut changed, mut usual) = (0_u32, 0_u32);
    for y in top..bottom {
        for at in y * looks.image.width + left..y * looks.image.width + right {
            if usize::from(looks.labels[at]) == index + 1 {
                changed += u32::from(looks.image.pixels[at].abs_diff(before.pixels[at]));
                usual += u32::from(looks.threshold.pixels[at]);
            }
        }
    }
    let now = changed as f32 * 3.0 / (usual as f32).max(1.0);
    person.motion_energy += (now - person.motion_energy) * (dt / (dt + 0.7));
    person.motionless = if person.motion_energy < 1.0 && person.pixel_count > 0 { person.motionless + dt } else { 0.0 };
}
