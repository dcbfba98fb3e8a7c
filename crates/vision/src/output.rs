//! Output of a frame: tracked people with outline and pose, the mask and the motion field.

use super::TrackedPerson;
use super::instance_labels::BODY_CONFIDENCE;
use super::pipeline::{PipelineState, VisionOutput};
use super::pose::estimate_pose;
use super::space::{FineScale, WorkBox, WorkPoint, WorkScale};
use super::track::pixel_bounds;
use super::tracker::TRACKS_MAX;

/// Height of an average adult, in metres.
const ADULT_HEIGHT: f32 = 1.7;
/// Time that a lost body is still reported, in seconds: if occluded by others, and otherwise.
const REPORT_AFTER_LOST: [f32; 2] = [0.3, 0.1];

impl PipelineState {
    pub(super) fn write_output(&mut self, seen: &mut VisionOutput) {
        let picture = [self.image.width, self.image.height];
        let scale = WorkScale::new(self.factor as f32);
        let fine_scale = FineScale::new(self.factor as f32 / 2.0);
        let mut count = 0;
        self.output_labels = [0; TRACKS_MAX];
        for index in 0..self.tracker.tracks.len() {
            let person = &self.tracker.tracks[index];
            let shown_on = REPORT_AFTER_LOST[usize::from(!self.tracker.is_occluded(index))];
            if !person.confirmed || person.missed > shown_on {
                continue;
            }
            if seen.people.len() <= count {
                seen.people.push(TrackedPerson::default());
            }
            let figure = &mut seen.people[count];
            count += 1;
            self.output_labels[index] = count as u8;
            let (bounds, height) = (person.bounds, person.height());
            let foot = person.foot();
            figure.foot = foot * scale;
            figure.head = WorkPoint::new(foot.x, bounds.max.y - 0.93 * height) * scale;
            figure.reach = None;
            figure.outline.clear();
            if let Some(at) = self.label_bounds(index) {
                let own = |x: usize, y: usize| usize::from(self.labels[y * picture[0] + x]) == index + 1;
                let sure = |x: usize, y: usize| if own(x, y) { self.confidence.at(x, y) } else { 0 };
                let fine = |x: usize, y: usize| if own(x / 2, y / 2) { self.net.fine_confidence.at(x, y) } else { 0 };
                self.tracer.trace(at.map(|side| 2 * side), fine, &mut self.points);
                figure.outline.extend(self.points.iter().map(|point| *point * fine_scale));
                if let Some(pose) = estimate_pose(at, &mut self.rows, |x, y| sure(x, y) >= BODY_CONFIDENCE) {
                    // Head and feet that are hidden by others are taken from the box.
                    let near = |a: f32, b: f32| (a - b).abs() < 0.12 * height;
                    if near(pose.foot.y, bounds.max.y) {
                        figure.foot = pose.foot * scale;
                    }
                    if near(at[1] as f32, bounds.min.y) {
                        figure.head = pose.head * scale;
                    }
                    figure.reach = pose.reach.map(|reach| reach * scale);
                }
            }
            let [columns, rows] = picture.map(|side| side as f32);
            let [from, to] = [WorkPoint::zero(), WorkPoint::new(columns, rows)];
            let visible = WorkBox::new(bounds.min.clamp(from, to), bounds.max.clamp(from, to));
            figure.id = person.id;
            figure.bounds = visible.to_rect() * scale;
            figure.velocity = person.velocity * scale;
            (figure.still, figure.age, figure.people) = (person.still, person.age, person.people_count());
            figure.pixels_per_metre = self.tracker.height_model.height_at(foot.y) * scale.get() / ADULT_HEIGHT;
        }
        seen.people.truncate(count);
        seen.motion.clone_from(&self.flow.motion);
        let mask = &mut seen.mask;
        (mask.width, mask.height) = (picture[0], picture[1]);
        mask.pixels.clear();
        mask.pixels.extend(self.labels.iter().zip(&self.confidence.pixels).map(|(owner, sure)| {
            match owner.checked_sub(1) {
                Some(index) if *sure >= BODY_CONFIDENCE => self.output_labels[usize::from(index)],
                _ => 0,
            }
        }));
    }

    /// Returns the bounding box of a track's own pixels.
    fn label_bounds(&self, index: usize) -> Option<[usize; 4]> {
        let bounds = self.tracker.tracks[index].bounds;
        let around = bounds.inflate(bounds.width(), 0.3 * bounds.height());
        let [left, top, right, bottom] = pixel_bounds(around, [self.image.width, self.image.height]);
        let mut all: Option<[usize; 4]> = None;
        for y in top..bottom {
            let row = &self.labels[y * self.image.width..];
            let mine = |owner: &u8| usize::from(*owner) == index + 1;
            if let Some(first) = row[left..right].iter().position(mine) {
                let last = row[left..right].iter().rposition(mine).unwrap_or(first);
                let this = [left + first, y, left + last + 1, y + 1];
                all = Some(all.map_or(this, |all| [all[0].min(this[0]), all[1], all[2].max(this[2]), this[3]]));
            }
        }
        all
    }
}
