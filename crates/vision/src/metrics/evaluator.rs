//! Evaluation of one clip: the ground truth, frame by frame, against the tracked people.

use super::super::VisionOutput;
use super::{MotBox, OutlineCounts, OutlineMatch, PixelMask, TrackingCounts, TrackingEvaluator, TrackingReport};
use moongate_core::geometry::CameraRect;

/// Smallest visible fraction and pixel count of a person that is evaluated.
const VISIBLE_MIN: f32 = 0.3;
const PIXELS_MIN: usize = 150;
/// First id for the visible parts of people that are not evaluated; people have lower ids.
const PARTIAL_ID_BASE: u32 = 1 << 24;

/// Ground truth of a frame: boxes with masks.
#[derive(Debug, Clone, Default)]
pub struct TruthFrame {
    boxes: Vec<MotBox>,
    /// All `None` if the truth has no masks.
    masks: Vec<Option<PixelMask>>,
    still: Vec<bool>,
}

impl TruthFrame {
    /// Adds a person.
    /// `whole` is the box of the whole body including hidden parts, with its visible fraction; `shape` is the visible
    /// part, if known; `still` means that the person stands still.
    pub fn add(&mut self, whole: MotBox, shape: Option<PixelMask>, still: bool) {
        let pixels = shape.as_ref().map_or(PIXELS_MIN, PixelMask::area);
        if whole.visibility >= VISIBLE_MIN && pixels >= PIXELS_MIN {
            self.push(whole, shape, still);
            return;
        }
        if let Some(shape) = shape.as_ref().filter(|shape| shape.area() > 0) {
            // A detection of the small visible part is not a false positive.
            let part = MotBox::new(whole.frame, PARTIAL_ID_BASE.wrapping_add(whole.id), shape.bounds());
            self.push(MotBox { kind: whole.kind, visibility: -1.0, ..part }, Some(shape.clone()), false);
        }
        self.push(MotBox { visibility: -1.0, ..whole }, shape, still);
    }

    fn push(&mut self, place: MotBox, shape: Option<PixelMask>, still: bool) {
        self.boxes.push(place);
        self.masks.push(shape);
        self.still.push(still);
    }
}

/// Returns the tracked people as boxes and masks, at their positions in this very frame of `size` pixels.
pub fn output_boxes(seen: &VisionOutput, frame: u32, size: [usize; 2]) -> Vec<(MotBox, PixelMask)> {
    let [right, down] = seen.shift.map(|pixels| pixels as f32);
    let figures = seen.people.iter().map(|figure| {
        let outline: Vec<_> = figure.outline.iter().map(|point| [point.x + right, point.y + down]).collect();
        let CameraRect { origin, size: extent } = figure.bounds;
        let place = [origin.x + right, origin.y + down, extent.width, extent.height];
        let place = MotBox::new(frame, u32::from(figure.id), place);
        (place, PixelMask::from_polygon(&outline, size))
    });
    figures.collect()
}

/// Counts of one clip, or of several together.
#[derive(Debug, Clone, Default)]
pub struct EvaluationTotals {
    tracking: TrackingCounts,
    outlines: OutlineCounts,
}

impl EvaluationTotals {
    /// Adds the counts of another clip.
    pub fn add(&mut self, other: &Self) {
        self.tracking += &other.tracking;
        self.outlines.add(&other.outlines);
    }

    /// Returns the metrics.
    pub fn report(&self) -> TrackingReport {
        TrackingReport::new(&self.tracking, Some(&self.outlines))
    }
}

/// Evaluator of one clip.
#[derive(Debug, Default)]
pub struct ClipEvaluator {
    tracking: TrackingEvaluator,
    outlines: OutlineCounts,
}

impl ClipEvaluator {
    /// Counts one frame; frames are in temporal order.
    pub fn add_frame(&mut self, people: &TruthFrame, seen: &[(MotBox, PixelMask)]) {
        let boxes: Vec<MotBox> = seen.iter().map(|(place, _)| *place).collect();
        let found = self.tracking.add_frame(&people.boxes, &boxes).into_iter();
        self.outlines.add_frame(found.filter_map(|(person, at)| {
            Some(OutlineMatch {
                person: people.boxes[person].id,
                id: boxes[at].id,
                still: people.still[person],
                truth: people.masks[person].clone()?,
                seen: seen[at].1.clone(),
            })
        }));
    }

    /// Returns the totals.
    pub fn finish(self) -> EvaluationTotals {
        EvaluationTotals { tracking: self.tracking.finish(), outlines: self.outlines }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TrackedPerson;
    use euclid::rect;
    use moongate_core::geometry::CameraPoint;

    const SIZE: [usize; 2] = [100, 80];

    fn place(id: u32, x: f32, visibility: f32) -> MotBox {
        MotBox { visibility, ..MotBox::new(1, id, [x, 10.0, 20.0, 40.0]) }
    }

    fn shape(x: i32, height: usize) -> PixelMask {
        PixelMask::from_mask([x, 10], [20, height], &vec![1; 20 * height])
    }

    #[test]
    fn who_is_hardly_to_be_seen_is_not_judged_and_neither_is_who_finds_the_rest() {
        let mut people = TruthFrame::default();
        people.add(place(1, 10.0, 1.0), Some(shape(10, 40)), false);
        people.add(place(2, 40.0, 0.2), Some(shape(40, 8)), false);
        people.add(place(3, 70.0, 1.0), Some(shape(70, 7)), false);
        // Two detections match the visible parts; one lies on the background.
        let seen =
            |id, [x, height]: [f32; 2]| (MotBox::new(1, id, [x, 10.0, 20.0, height]), shape(x as i32, height as usize));
        let mut trial = ClipEvaluator::default();
        trial.add_frame(&people, &[seen(7, [10.0, 40.0]), seen(8, [40.0, 8.0]), seen(9, [70.0, 7.0])]);
        let report = trial.finish().report();
        assert_eq!((report.truth, report.misses, report.false_positives), (1, 0, 0));
        assert_eq!(report.outline_iou, Some(1.0));
    }

    #[test]
    fn without_masks_only_boxes_are_judged() {
        let mut people = TruthFrame::default();
        people.add(place(1, 10.0, 1.0), None, true);
        let mut trial = ClipEvaluator::default();
        trial.add_frame(&people, &[(place(5, 10.0, 1.0), shape(10, 40))]);
        let report = trial.finish().report();
        assert_eq!((report.truth, report.misses, report.outline_iou, report.jitter), (1, 0, None, None));
    }

    #[test]
    fn a_camera_that_was_pushed_is_taken_into_account() {
        let outline: [[f32; 2]; 4] = [[10.0, 10.0], [30.0, 10.0], [30.0, 50.0], [10.0, 50.0]];
        let figure = TrackedPerson {
            id: 3,
            bounds: rect(10.0, 10.0, 20.0, 40.0),
            outline: outline.into_iter().map(CameraPoint::from).collect(),
            ..TrackedPerson::default()
        };
        let seen = VisionOutput { people: vec![figure], shift: [5, -2], ..VisionOutput::default() };
        let [(place, shape)] = &output_boxes(&seen, 4, SIZE)[..] else { panic!("one") };
        assert_eq!(*place, MotBox::new(4, 3, [15.0, 8.0, 20.0, 40.0]));
        assert_eq!(shape.bounds(), [15.0, 8.0, 20.0, 40.0]);
    }
}
