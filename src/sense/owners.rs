//! Whose each pixel is: of everybody who may be there, the one whose middle lies where the net says.

use super::net::{Find, Net};
use super::people::{PEOPLE_MAX, People};
use super::person::{Bounds, middle};
use super::work::Plane;
use crate::presence::Point;

/// The net is as sure of somebody's pixels, of 255.
pub(super) const BODY: u8 = 128;
/// Less than that is nobody's, not even as the soft edge of an outline.
const EDGE: u8 = 16;
/// Who was not seen for longer, in seconds, owns nothing.
const UNSEEN: f32 = 0.4;
/// A pixel belongs to nobody whose middle is farther from where it should be than this, over his height.
const FAR: f32 = 0.6;

/// Candidates for a pixel.
const MOST: usize = 2 * PEOPLE_MAX;

/// Writes for each pixel 0, or the index of the one to whom it belongs and 1, and counts each one's own.
pub(super) fn assign(net: &Net, finds: &[Find], sure: &Plane, people: &mut People, owners: &mut [u8]) {
    owners.fill(0);
    people.list.iter_mut().for_each(|person| person.owned = 0);
    // Where each one's middle is, and one over the square of his height; then those who are not followed (yet), who own
    // nothing but keep their pixels from others.
    let mut middles: [(Point, f32); MOST] = [([0.0; 2], 0.0); MOST];
    let of = |bounds: Bounds| (middle(bounds), (bounds[3] - bounds[1]).max(4.0).powi(-2));
    let followed = people.list.iter().map(|person| match person.missed {
        0.0 => of(person.found),
        missed if missed < UNSEEN => of(person.bounds),
        _ => ([0.0; 2], f32::INFINITY),
    });
    let strangers = people.strangers(finds).map(|find| of(find.bounds));
    let count = middles.iter_mut().zip(followed.chain(strangers)).map(|(to, from)| *to = from).count();
    let (middles, count) = (&middles[..count], people.list.len());
    let width = sure.width;
    for ([x, y], middle) in net.middles() {
        let pixels = [[x, y], [x + 1, y], [x, y + 1], [x + 1, y + 1]];
        let pixels = pixels.into_iter().filter(|[x, y]| *x < width && *y < sure.height).map(|[x, y]| y * width + x);
        if pixels.clone().all(|at| sure.pixels[at] < EDGE) {
            continue;
        }
        let mut best = (FAR * FAR, None);
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
            if sure.pixels[at] >= EDGE {
                owners[at] = index as u8 + 1;
                people.list[index].owned += u32::from(sure.pixels[at] >= BODY);
            }
        }
    }
}
