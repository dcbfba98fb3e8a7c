//! Detections of people, each with the box of the whole body.
//!
//! For each quarter of a second-level cell (two by two downsampled pixels) the net outputs [`HEAD_OUTPUTS`] numbers:
//! the likelihood that a person's centre lies there (the middle of the box across, three tenths of it down), the box
//! around it, and the offset to the centre of the person that the quarter shows. After Zhou et al., "Objects as Points"
//! (2019), and Cheng et al., "Panoptic-DeepLab" (2020).

use super::super::space::{WorkBox, WorkPoint};
use super::super::track::shared_area;
use super::levels::sigmoid;
use super::weights::OUTPUT_ALIGN;
use super::{HEAD_OUTPUTS, PersonNet};

/// Height of a body's centre, from the top, relative to its height: head and shoulders are hidden last.
pub(crate) const CENTRE_HEIGHT: f32 = 0.3;
/// Overlap (IoU) from which two detections are the same person.
const NMS_IOU: f32 = 0.65;

/// Candidate for a person.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Detection {
    /// Confidence, 0 to 1.
    pub confidence: f32,
    /// Box of the whole body, including hidden parts.
    pub bounds: WorkBox,
}

impl PersonNet {
    /// Writes all detections with a confidence of at least `least`, in descending order.
    pub fn detect(&self, least: f32, heat: &mut Vec<f32>, into: &mut Vec<Detection>) {
        let level = &self.levels[1];
        let [columns, rows] = level.size.map(|side| 2 * side);
        let line = columns + 2;
        heat.clear();
        heat.resize(line * (rows + 2), f32::MIN);
        // Comparing logits avoids an exponential for most cells.
        let floor = (least / (1.0 - least)).ln();
        for ([x, y], said) in level.active_cells().zip(self.head_rows()) {
            for (k, said) in said[..4].iter().enumerate() {
                heat[(2 * y + k / 2 + 1) * line + 2 * x + k % 2 + 1] = *said;
            }
        }
        into.clear();
        for ([x, y], said) in level.active_cells().zip(self.head_rows()) {
            for k in 0..4 {
                let at = (2 * y + k / 2 + 1) * line + 2 * x + k % 2 + 1;
                let own = heat[at];
                let around =
                    [at - line - 1, at - line, at - line + 1, at - 1, at + 1, at + line - 1, at + line, at + line + 1];
                if own < floor || around.into_iter().any(|at| heat[at] > own) {
                    continue;
                }
                let says = |number: usize| said[4 * number + k];
                let [x, y] = [(4 * x + 2 * (k % 2) + 1) as f32, (4 * y + 2 * (k / 2) + 1) as f32];
                let [x, y] = [x + 32.0 * says(1), y + 32.0 * says(2)];
                let [width, height] = [24.0 * says(3).clamp(-4.0, 4.0).exp(), 64.0 * says(4).clamp(-4.0, 4.0).exp()];
                let [min, max] = [
                    WorkPoint::new(x - width / 2.0, y - height / 2.0),
                    WorkPoint::new(x + width / 2.0, y + height / 2.0),
                ];
                let bounds = WorkBox::new(min, max);
                into.push(Detection { confidence: sigmoid(own), bounds });
            }
        }
        into.retain(|find| find.bounds.is_finite());
        into.sort_unstable_by(|a, b| b.confidence.total_cmp(&a.confidence));
        let mut kept = 0;
        for index in 0..into.len() {
            let find = into[index];
            if into[..kept].iter().all(|other| iou(other.bounds, find.bounds) < NMS_IOU) {
                into[kept] = find;
                kept += 1;
            }
        }
        into.truncate(kept);
    }

    /// Returns the top left pixel of each active quarter cell, and the centre of the person that it shows.
    pub fn centre_votes(&self) -> impl Iterator<Item = ([usize; 2], WorkPoint)> {
        self.levels[1].active_cells().zip(self.head_rows()).flat_map(|([x, y], said)| {
            (0..4).map(move |k| {
                let [x, y] = [4 * x + 2 * (k % 2), 4 * y + 2 * (k / 2)];
                let off = |number: usize| 1.0 + 32.0 * said[4 * number + k];
                ([x, y], WorkPoint::new(x as f32 + off(5), y as f32 + off(6)))
            })
        })
    }

    fn head_rows(&self) -> impl Iterator<Item = &[f32]> {
        self.head_out.chunks_exact((4 * HEAD_OUTPUTS).next_multiple_of(OUTPUT_ALIGN))
    }
}

/// Returns the intersection over union of two boxes.
pub(crate) fn iou(a: WorkBox, b: WorkBox) -> f32 {
    let shared = shared_area(a, b);
    let all = a.area() + b.area() - shared;
    if all > 0.0 { shared / all } else { 0.0 }
}
