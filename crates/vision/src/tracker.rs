//! Tracker: associates the net's detections with people from frame to frame.
//! Each detection goes to the track that fits best by position and appearance; an unmatched one that is confident
//! enough starts a new track.

use super::height_model::HeightModel;
use super::net::{Detection, iou};
use super::plane::Plane;
use super::space::{WorkBox, WorkPoint};
use super::track::{Appearance, PersonTrack, appearance_distance, contained_fraction, sample_appearance};

/// Maximum number of tracks.
pub(super) const TRACKS_MAX: usize = 96;
/// Smallest confidence of a detection that may continue a track.
pub(super) const DETECTION_MIN: f32 = 0.3;
/// Smallest confidence of an unmatched detection that starts a track.
const NEW_TRACK_MIN: f32 = 0.45;
/// Overlap (IoU) at which a detection and a track may match.
const MATCH_OVERLAP: f32 = 0.25;
/// Weight of their appearance beside the overlap.
const APPEARANCE_WEIGHT: f32 = 0.8;
/// Time unseen after which a track is removed, in seconds.
const LOST_AFTER: f32 = 1.5;
/// The same for a person standing still, whom passers-by may hide.
const LOST_AFTER_STILL: f32 = 5.0;
/// The same for a track that was never reported.
const LOST_AFTER_TENTATIVE: f32 = 0.2;
/// Time unseen after which the search is widened, in seconds.
const WIDE_SEARCH_AFTER: f32 = 0.25;
/// Age that a track needs to be reported, in seconds.
const CONFIRMED_AGE: f32 = 0.12;
/// Total confidence over all frames that a track needs to be reported.
const CONFIRMED_EVIDENCE: f32 = 0.8;

/// All tracked people.
#[derive(Debug)]
pub(super) struct PersonTracker {
    pub tracks: Vec<PersonTrack>,
    pub height_model: HeightModel,
    image_size: [usize; 2],
    appearances: Vec<Appearance>,
    pairs: Vec<(f32, usize, usize)>,
    unmatched: Vec<bool>,
    next_id: u16,
}

impl PersonTracker {
    pub fn new(width: usize, height: usize) -> Self {
        Self {
            tracks: Vec::with_capacity(TRACKS_MAX),
            height_model: HeightModel::new(height),
            image_size: [width, height],
            appearances: Vec::new(),
            pairs: Vec::new(),
            unmatched: Vec::new(),
            next_id: 0,
        }
    }

    /// Processes one frame, `dt` seconds after the last; `finds` are in descending confidence.
    pub fn update(&mut self, finds: &[Detection], seen: &Plane, dt: f32) {
        for person in &mut self.tracks {
            person.predict(dt);
        }
        self.appearances.clear();
        self.appearances.extend(finds.iter().map(|find| sample_appearance(seen, find.bounds)));
        self.unmatched.clear();
        self.unmatched.resize(finds.len(), true);
        self.associate(finds, dt);
        for (index, find) in finds.iter().enumerate() {
            if self.unmatched[index] && find.confidence >= NEW_TRACK_MIN && self.tracks.len() < TRACKS_MAX {
                self.unmatched[index] = !self.start_track(index, find);
            }
        }
        for person in &mut self.tracks {
            person.confirmed |= person.age >= CONFIRMED_AGE && person.evidence >= CONFIRMED_EVIDENCE;
        }
        self.learn_heights();
        self.remove_lost();
    }

    /// Returns the detections that match no track.
    pub fn unmatched_detections<'a>(&'a self, finds: &'a [Detection]) -> impl Iterator<Item = &'a Detection> {
        finds.iter().zip(&self.unmatched).filter(|(_, free)| **free).map(|(find, _)| find)
    }

    /// Matches each detection with the track that fits best.
    fn associate(&mut self, finds: &[Detection], dt: f32) {
        self.pairs.clear();
        for (index, person) in self.tracks.iter().enumerate() {
            for (at, (find, look)) in finds.iter().zip(&self.appearances).enumerate() {
                self.pairs.extend(match_score(person, find, look).map(|fits| (fits, index, at)));
            }
        }
        self.pairs.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
        for &(_, index, at) in &self.pairs {
            let person = &mut self.tracks[index];
            if !self.unmatched[at] || person.missed == 0.0 {
                continue;
            }
            self.unmatched[at] = false;
            person.correct(finds[at].bounds, finds[at].confidence, dt);
            let rate = if finds[at].confidence > 0.6 { 0.12 } else { 0.03 };
            person.update_appearance(&self.appearances[at], rate);
        }
    }

    /// Starts a track, unless the detection is a second box of a person already detected.
    fn start_track(&mut self, index: usize, find: &Detection) -> bool {
        if self.tracks.iter().any(|other| other.missed == 0.0 && iou(other.detected, find.bounds) > 0.6) {
            return false;
        }
        self.next_id = self.next_id.wrapping_add(1).max(1);
        while self.tracks.iter().any(|person| person.id == self.next_id) {
            self.next_id = self.next_id.wrapping_add(1).max(1);
        }
        let mut person = PersonTrack {
            id: self.next_id,
            bounds: find.bounds,
            detected: find.bounds,
            confidence: find.confidence,
            hits: 1,
            ..PersonTrack::default()
        };
        person.update_appearance(&self.appearances[index], 1.0);
        (person.origin, person.anchor, person.height_learned_at) = (person.foot(), person.foot(), person.foot());
        self.tracks.push(person);
        true
    }

    /// Adds people who are seen whole and alone to the height model.
    fn learn_heights(&mut self) {
        for index in 0..self.tracks.len() {
            let person = &self.tracks[index];
            let (foot, own) = (person.foot(), 0.3 * person.height());
            let far = foot.distance_to(person.height_learned_at) > own;
            if far
                && person.confidence > 0.6
                && person.missed == 0.0
                && !self.is_truncated(person.bounds)
                && !self.is_occluded(index)
            {
                self.height_model.add_sample(foot.y, person.height());
                self.tracks[index].height_learned_at = foot;
            }
        }
    }

    fn is_truncated(&self, bounds: WorkBox) -> bool {
        let WorkBox { min, max } = self.image_bounds();
        bounds.min.x < min.x + 2.0
            || bounds.min.y < min.y + 2.0
            || bounds.max.x > max.x - 2.0
            || bounds.max.y > max.y - 2.0
    }

    /// Returns the box of the image.
    fn image_bounds(&self) -> WorkBox {
        let [width, height] = self.image_size.map(|side| side as f32);
        WorkBox::new(WorkPoint::zero(), WorkPoint::new(width, height))
    }

    /// Removes tracks that were lost or have left the image.
    fn remove_lost(&mut self) {
        let image = self.image_bounds();
        let mut index = 0;
        while index < self.tracks.len() {
            let person = &self.tracks[index];
            let inside = contained_fraction(person.bounds, image);
            let patience = match person.confirmed {
                true if person.still > 2.0 => LOST_AFTER_STILL,
                true => LOST_AFTER,
                false => LOST_AFTER_TENTATIVE,
            };
            let out = inside < 0.4 || inside < 0.9 && person.missed > 0.3;
            if person.missed > patience || out {
                self.tracks.remove(index);
            } else {
                index += 1;
            }
        }
    }

    /// Returns whether another detected person covers part of a track's box.
    pub fn is_occluded(&self, index: usize) -> bool {
        let person = &self.tracks[index];
        let others = self.tracks.iter().enumerate().filter(|(other, _)| *other != index);
        others
            .map(|(_, other)| other)
            .any(|other| other.missed == 0.0 && contained_fraction(person.bounds, other.bounds) > 0.3)
    }
}

/// Returns a score of how well a detection fits a track, or `None` if they cannot match.
fn match_score(person: &PersonTrack, find: &Detection, found: &Appearance) -> Option<f32> {
    let shared = iou(person.bounds, find.bounds);
    let lost = person.missed > WIDE_SEARCH_AFTER;
    if shared < MATCH_OVERLAP && !lost {
        return None;
    }
    let alike = 1.0 - appearance_distance(&person.appearance, found).min(1.0);
    if shared >= MATCH_OVERLAP {
        return Some(shared + APPEARANCE_WEIGHT * alike);
    }
    let tall = find.bounds.height() / person.height().max(1.0);
    if !(0.7..1.4).contains(&tall) || alike < 0.5 {
        return None;
    }
    let (from, to) = (person.centre(), super::track::box_centre(find.bounds));
    let far = from.distance_to(to) / person.height().max(1.0);
    let most = 0.2 + 0.4 * person.missed.min(1.5);
    (far < most).then(|| MATCH_OVERLAP * (1.0 - far / most) + APPEARANCE_WEIGHT * (alike - 0.5))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A person as bright as `light` in front of a dark wall, as detected by the net.
    fn somebody(x: f32, light: u8, seen: &mut Plane) -> Detection {
        let bounds = WorkBox::new(WorkPoint::new(x, 40.0), WorkPoint::new(x + 16.0, 88.0));
        (40..88).for_each(|y| seen.row_mut(y)[x.max(0.0) as usize..][..16].fill(light));
        Detection { confidence: 0.8, bounds }
    }

    #[test]
    fn two_who_cross_keep_who_they_are() {
        let mut people = PersonTracker::new(160, 120);
        let mut ids = [0; 2];
        for step in 0..40 {
            let mut seen = Plane::new(160, 120);
            let x = 20.0 + 2.5 * step as f32;
            let far = somebody(140.0 - x, 60, &mut seen);
            let near = somebody(x, 200, &mut seen);
            // One hides the other.
            let finds = if (near.bounds.min.x - far.bounds.min.x).abs() < 8.0 { vec![near] } else { vec![near, far] };
            people.update(&finds, &seen, 0.06);
            let at = |x: f32| people.tracks.iter().find(|one| (one.foot().x - x - 8.0).abs() < 5.0).map(|one| one.id);
            match step {
                5 => ids = [at(x).expect("one"), at(140.0 - x).expect("the other")],
                39 => assert_eq!([at(x), at(140.0 - x)], ids.map(Some)),
                _ => {}
            }
        }
        assert_ne!(ids[0], ids[1]);
    }

    #[test]
    fn who_is_hardly_seen_is_nobody() {
        let mut people = PersonTracker::new(160, 120);
        let mut seen = Plane::new(160, 120);
        let find = Detection { confidence: DETECTION_MIN, ..somebody(40.0, 90, &mut seen) };
        (0..20).for_each(|_| people.update(&[find], &seen, 0.06));
        assert!(people.tracks.is_empty());
        let find = Detection { confidence: 0.9, ..find };
        people.update(&[find], &seen, 0.06);
        assert!(!people.tracks[0].confirmed, "for a moment");
        (0..3).for_each(|_| people.update(&[find], &seen, 0.06));
        assert!(people.tracks[0].confirmed);
        (0..120).for_each(|_| people.update(&[], &seen, 0.06));
        assert!(people.tracks.is_empty());
    }
}
