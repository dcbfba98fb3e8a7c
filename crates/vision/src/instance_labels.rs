//! Assigns each mask pixel to the detection whose centre the net's offset points to.

use super::net::{Detection, PersonNet};
use super::plane::Plane;
use super::space::{WorkBox, WorkPoint};
use super::track::box_centre;
use super::tracker::{PersonTracker, TRACKS_MAX};

/// Confidence from which a pixel belongs to a body, out of 255.
pub(super) const BODY_CONFIDENCE: u8 = 128;
/// Smallest confidence of a labelled pixel, including the soft edge of an outline.
const EDGE_CONFIDENCE: u8 = 16;
/// Time unseen after which a track gets no pixels, in seconds.
const UNSEEN_MAX: f32 = 0.4;
/// Largest distance between a pixel's centre vote and a track's centre, relative to the body's height.
const CENTRE_DISTANCE_MAX: f32 = 0.6;

/// Candidates for a pixel.
const CANDIDATES_MAX: usize = 2 * TRACKS_MAX;

/// Writes each pixel's label (0, or the index of its track plus 1) and counts the pixels of each track.
pub(super) fn assign_labels(
    net: &PersonNet,
    finds: &[Detection],
    sure: &Plane,
    people: &mut PersonTracker,
    owners: &mut [u8],
) {
    owners.fill(0);
    people.tracks.iter_mut().for_each(|person| person.pixel_count = 0);
    // The centre of each track and the inverse square of its height, then those of unmatched detections. The latter get
    // no labels but keep their pixels from the tracks.
    let mut middles = [(WorkPoint::zero(), 0.0_f32); CANDIDATES_MAX];
    let of = |bounds: WorkBox| (box_centre(bounds), bounds.height().max(4.0).powi(-2));
    let followed = people.tracks.iter().map(|person| match person.missed {
        0.0 => of(person.detected),
        missed if missed < UNSEEN_MAX => of(person.bounds),
        _ => (WorkPoint::zero(), f32::INFINITY),
    });
    let strangers = people.unmatched_detections(finds).map(|find| of(find.bounds));
    let count = middles.iter_mut().zip(followed.chain(strangers)).map(|(to, from)| *to = from).count();
    let (middles, count) = (&middles[..count], people.tracks.len());
    let width = sure.width;
    for ([x, y], middle) in net.centre_votes() {
        let pixels = [[x, y], [x + 1, y], [x, y + 1], [x + 1, y + 1]];
        let pixels = pixels.into_iter().filter(|[x, y]| *x < width && *y < sure.height).map(|[x, y]| y * width + x);
        if pixels.clone().all(|at| sure.pixels[at] < EDGE_CONFIDENCE) {
            continue;
        }
        let mut best = (CENTRE_DISTANCE_MAX * CENTRE_DISTANCE_MAX, None);
        for (index, (of, scale)) in middles.iter().enumerate() {
            let off = middle - *of;
            // Bodies are narrow: a neighbour's centre is nearer than the centre of a person whose feet these are.
            let far = (4.0 * off.x * off.x + off.y * off.y) * scale;
            if far < best.0 {
                best = (far, Some(index));
            }
        }
        let Some(index) = best.1.filter(|index| *index < count) else { continue };
        for at in pixels {
            if sure.pixels[at] >= EDGE_CONFIDENCE {
                owners[at] = index as u8 + 1;
                people.tracks[index].pixel_count += u32::from(sure.pixels[at] >= BODY_CONFIDENCE);
            }
        }
    }
}
