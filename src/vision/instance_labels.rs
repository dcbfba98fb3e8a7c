//! Whose each pixel is: of everybody who may be there, the one whose middle lies where the net says.

use super::net::{Detection, PersonNet};
use super::plane::Plane;
use super::track::{BBox, box_centre};
use super::tracker::{PersonTracker, TRACKS_MAX};
use crate::presence::Point;

/// The net is as sure of somebody's pixels, of 255.
pub(super) const BODY_CONFIDENCE: u8 = 128;
/// Less than that is nobody's, not even as the soft edge of an outline.
const EDGE_CONFIDENCE: u8 = 16;
/// Who was not seen for longer, in seconds, owns nothing.
const UNSEEN_MAX: f32 = 0.4;
/// A pixel belongs to nobody whose middle is farther from where it should be than this, over his height.
const CENTRE_DISTANCE_MAX: f32 = 0.6;

/// Candidates for a pixel.
const CANDIDATES_MAX: usize = 2 * TRACKS_MAX;

/// Writes for each pixel 0, or the index of the one to whom it belongs and 1, and counts each one's own.
pub(super) fn assign_labels(
    net: &PersonNet,
    finds: &[Detection],
    sure: &Plane,
    people: &mut PersonTracker,
    owners: &mut [u8],
) {
    owners.fill(0);
    people.tracks.iter_mut().for_each(|person| person.pixel_count = 0);
    // Where each one's middle is, and one over the square of his height; then those who are not followed (yet), who own
    // nothing but keep their pixels from others.
    let mut middles: [(Point, f32); CANDIDATES_MAX] = [([0.0; 2], 0.0); CANDIDATES_MAX];
    let of = |bounds: BBox| (box_centre(bounds), (bounds[3] - bounds[1]).max(4.0).powi(-2));
    let followed = people.tracks.iter().map(|person| match person.missed {
        0.0 => of(person.detected),
        missed if missed < UNSEEN_MAX => of(person.bounds),
        _ => ([0.0; 2], f32::INFINITY),
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
            let [dx, dy] = [middle[0] - of[0], middle[1] - of[1]];
            // Across, bodies are slim: a neighbour is nearer than somebody's feet.
            let far = (4.0 * dx * dx + dy * dy) * scale;
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
