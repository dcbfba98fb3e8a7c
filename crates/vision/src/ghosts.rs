//! Detects ghosts: people who are in the learned background but have left.
//! Someone who stood in view when the camera started, or for a long time, becomes part of the background. After they
//! leave, a person-shaped difference remains, and the net can confuse image and background. So the net also runs at
//! intervals with the two swapped; a detection that is more confident when swapped is a ghost.

use super::instance_labels::BODY_CONFIDENCE;
use super::net::{NetInput, PersonNet};
use super::plane::Plane;
use super::track::PersonTrack;
use super::tracker::{PersonTracker, TRACKS_MAX};
use super::{Luma, illumination::Illumination};

/// Interval between two swapped runs of the net, in seconds.
const CHECK_INTERVAL: f32 = 0.4;
/// Ratio of swapped to direct confidence that indicates a ghost, and the checks in a row that confirm it.
const SWAPPED_RATIO: f32 = 1.1;
const CONFIRMATIONS: u8 = 2;
/// Time without motion after which a track that has never moved may be a ghost, in seconds.
const STATIC_GHOST_TIME: f32 = 2.0;
/// Confidence below which such a track is a ghost.
const STATIC_GHOST_CONFIDENCE: f32 = 0.57;
/// Time without motion after which a person-like shape is taken for an object placed there, in seconds.
const STATIC_OBJECT: f32 = 240.0;

/// Planes of one frame and of the background, all of one size.
pub(super) struct FramePlanes<'a> {
    pub image: &'a Plane,
    /// Background in the current light.
    pub relit: &'a Plane,
    pub threshold: &'a Plane,
    pub foreground: &'a Plane,
    pub illumination: &'a Illumination,
    /// Person confidence of each pixel.
    pub confidence: &'a Plane,
    /// Instance label of each pixel: 0, or the index of its track plus 1.
    pub labels: &'a [u8],
}

/// Finds ghosts with the swapped net.
#[derive(Debug)]
pub(super) struct GhostDetector {
    /// Person confidence of each pixel with image and background swapped.
    swapped: Plane,
    since_check: f32,
    /// Pixels that are background after all.
    pub background_pixels: Vec<usize>,
}

impl GhostDetector {
    pub fn new(width: usize, height: usize) -> Self {
        Self { swapped: Plane::new(width, height), since_check: 0.0, background_pixels: Vec::new() }
    }

    /// Finds ghosts, removes their tracks and lists their pixels in `background_pixels`.
    /// When it runs the net, it overwrites the net's result for this frame.
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
        // Unlabelled pixels count too: someone may just have left.
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
        // Unlabelled pixels around a ghost are its blur.
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
        || !person.moved && person.motionless > STATIC_GHOST_TIME && person.confidence < STATIC_GHOST_CONFIDENCE
}

/// Updates a track's motion energy: change within its pixels relative to the background's own noise.
/// `around` is the region that contains these pixels.
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
