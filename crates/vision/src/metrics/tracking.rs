//! Tracking metrics: CLEAR MOT (Bernardin and Stiefelhagen 2008) and identity (Ristani et al. 2016).
//! People are excluded from evaluation in the same way as in the MOT Challenge.

use super::assignment::solve_assignment;
use super::{MotBox, MotBoxes};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::AddAssign;

/// Scale from an overlap to an integer cost.
const OVERLAP_SCALE: f64 = 1e9;

/// Matching rules.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MatchRules {
    /// Smallest intersection over union of two boxes that may match.
    pub iou_min: f64,
    /// Smallest visibility that is evaluated.
    /// Boxes of the truth below it count neither as found nor as missed, and detections on them are ignored too.
    pub visibility_min: f32,
}

impl Default for MatchRules {
    fn default() -> Self {
        Self { iou_min: 0.5, visibility_min: 0.0 }
    }
}

/// Tracking counts over all frames; scenes are added with `+=`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TrackingCounts {
    /// Evaluated boxes of the ground truth.
    pub truth: u64,
    /// Detected boxes, without those on excluded truth.
    pub seen: u64,
    /// Boxes of the ground truth that were found.
    pub matched: u64,
    /// Number of id switches.
    pub switches: u64,
    /// Sum of the overlaps of matched boxes.
    pub iou_sum: f64,
    /// Boxes found under the one id that fits their person best over all frames.
    pub identified: u64,
    /// Found boxes and all boxes, for each class of the ground truth.
    pub kinds: BTreeMap<u8, [u64; 2]>,
}

impl TrackingCounts {
    /// Returns the boxes of the ground truth that were not found.
    pub fn misses(&self) -> u64 {
        self.truth.saturating_sub(self.matched)
    }

    /// Returns the boxes that match no person.
    pub fn false_positives(&self) -> u64 {
        self.seen.saturating_sub(self.matched)
    }

    /// Returns the accuracy: 1 minus misses, false positives and switches per box of the truth.
    /// It may be below 0.
    pub fn mota(&self) -> f64 {
        1.0 - (self.misses() + self.false_positives() + self.switches) as f64 / self.truth.max(1) as f64
    }

    /// Returns the mean overlap of matched boxes, 0 to 1.
    pub fn motp(&self) -> f64 {
        self.iou_sum / self.matched.max(1) as f64
    }

    /// Returns the identity F1 score: truth and detections of the same person under the same id, 0 to 1.
    pub fn idf1(&self) -> f64 {
        ratio(2 * self.identified, self.truth + self.seen)
    }

    /// Returns the fraction of the ground truth that was found.
    pub fn recall(&self) -> f64 {
        ratio(self.matched, self.truth)
    }

    /// Returns the fraction of the detections that are true.
    pub fn precision(&self) -> f64 {
        ratio(self.matched, self.seen)
    }
}

/// Returns a ratio; 0 of 0 is 1.
pub(super) fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 1.0 } else { part as f64 / whole as f64 }
}

impl AddAssign<&TrackingCounts> for TrackingCounts {
    fn add_assign(&mut self, other: &TrackingCounts) {
        self.truth += other.truth;
        self.seen += other.seen;
        self.matched += other.matched;
        self.switches += other.switches;
        self.iou_sum += other.iou_sum;
        self.identified += other.identified;
        for (kind, [found, all]) in &other.kinds {
            let sum = self.kinds.entry(*kind).or_default();
            *sum = [sum[0] + found, sum[1] + all];
        }
    }
}

/// Evaluates tracks frame by frame, in temporal order.
#[derive(Debug, Default)]
pub struct TrackingEvaluator {
    rules: MatchRules,
    counts: TrackingCounts,
    /// Last matched id of each person.
    last_match: HashMap<u32, u32>,
    /// Number of frames in which a person and an id overlap.
    shared_frames: BTreeMap<(u32, u32), i64>,
}

impl TrackingEvaluator {
    /// Creates an evaluator without counts.
    pub fn new(rules: MatchRules) -> Self {
        Self { rules, ..Self::default() }
    }

    /// Counts one frame, in which each id occurs at most once per list.
    /// Returns the matches as indices into `truth` and `seen`.
    pub fn add_frame(&mut self, truth: &[MotBox], seen: &[MotBox]) -> Vec<(usize, usize)> {
        let overlaps: Vec<Vec<(usize, f64)>> = truth.iter().map(|person| self.overlaps(person, seen)).collect();
        let judged: Vec<bool> = truth.iter().map(|person| person.visibility >= self.rules.visibility_min).collect();
        let mut free = vec![true; seen.len()];
        if judged.contains(&false) {
            // Matched among all people, so that a person in front of an excluded one keeps their own detection.
            for (person, at) in match_boxes(&overlaps, &vec![true; truth.len()], &free) {
                free[at] = judged[person];
            }
        }
        let mut counted = self.count(truth, seen, &judged, &free);
        for (person, overlaps) in overlaps.iter().enumerate().filter(|(person, _)| judged[*person]) {
            for (at, _) in overlaps.iter().filter(|(at, _)| free[*at]) {
                *self.shared_frames.entry((truth[person].id, seen[*at].id)).or_default() += 1;
            }
        }

        // A match of the last frame is kept while it is valid, even if another box is nearer now.
        let mut open = judged;
        let mut pairs = vec![];
        for (person, overlaps) in overlaps.iter().enumerate() {
            let before = self.last_match.get(&truth[person].id);
            let kept = overlaps.iter().find(|(at, _)| open[person] && free[*at] && Some(&seen[*at].id) == before);
            if let Some(&(at, _)) = kept {
                (open[person], free[at]) = (false, false);
                pairs.push((person, at));
            }
        }
        for (person, at) in match_boxes(&overlaps, &open, &free) {
            let before = self.last_match.insert(truth[person].id, seen[at].id);
            counted.switches += u64::from(before.is_some());
            pairs.push((person, at));
        }
        pairs.sort_unstable();
        for &(person, at) in &pairs {
            counted.matched += 1;
            counted.iou_sum += truth[person].iou(&seen[at]);
            counted.kinds.entry(truth[person].kind).or_default()[0] += 1;
        }
        self.counts += &counted;
        pairs
    }

    /// Returns the counts, with the ids that fit best over all frames.
    pub fn finish(mut self) -> TrackingCounts {
        let ids: BTreeSet<u32> = self.shared_frames.keys().map(|(_, id)| *id).collect();
        let columns: HashMap<u32, usize> = ids.into_iter().enumerate().map(|(column, id)| (id, column)).collect();
        let most = self.shared_frames.values().copied().max().unwrap_or(0);
        // The least sum of the differences to `most` is the greatest sum of shared frames.
        let mut people: BTreeMap<u32, Vec<(usize, i64)>> = BTreeMap::new();
        for ((person, id), frames) in &self.shared_frames {
            people.entry(*person).or_default().push((columns[id], most - frames));
        }
        let pairs: Vec<Vec<(usize, i64)>> = people.into_values().collect();
        for (row, column) in solve_assignment(&pairs, columns.len(), most).into_iter().enumerate() {
            let pair = pairs[row].iter().find(|(at, _)| Some(*at) == column);
            self.counts.identified += pair.map_or(0, |(_, lacking)| (most - lacking).unsigned_abs());
        }
        self.counts
    }

    fn overlaps(&self, person: &MotBox, seen: &[MotBox]) -> Vec<(usize, f64)> {
        let overlaps = seen.iter().enumerate().map(|(at, other)| (at, person.iou(other)));
        overlaps.filter(|(_, overlap)| *overlap > 0.0 && *overlap >= self.rules.iou_min).collect()
    }

    fn count(&self, truth: &[MotBox], seen: &[MotBox], judged: &[bool], free: &[bool]) -> TrackingCounts {
        let mut counted = TrackingCounts::default();
        for (person, _) in truth.iter().zip(judged).filter(|(_, judged)| **judged) {
            counted.truth += 1;
            counted.kinds.entry(person.kind).or_default()[1] += 1;
        }
        counted.seen = seen.iter().zip(free).filter(|(_, free)| **free).count() as u64;
        counted
    }
}

/// Returns as many pairs as possible, and of those sets the one with the greatest total overlap.
fn match_boxes(overlaps: &[Vec<(usize, f64)>], open: &[bool], free: &[bool]) -> Vec<(usize, usize)> {
    let cost = |overlap: f64| ((1.0 - overlap.clamp(0.0, 1.0)) * OVERLAP_SCALE) as i64;
    let pairs: Vec<Vec<(usize, i64)>> = overlaps
        .iter()
        .zip(open)
        .map(|(overlaps, open)| {
            let possible = overlaps.iter().filter(|(at, _)| *open && free[*at]);
            possible.map(|(at, overlap)| (*at, cost(*overlap))).collect()
        })
        .collect();
    let none = OVERLAP_SCALE as i64 * (pairs.len() as i64 + 1);
    let given = solve_assignment(&pairs, free.len(), none).into_iter().enumerate();
    given.filter_map(|(person, at)| at.map(|at| (person, at))).collect()
}

/// Evaluates two files over all frames of either.
pub fn evaluate_tracks(truth: &MotBoxes, seen: &MotBoxes, rules: MatchRules) -> TrackingCounts {
    let mut judge = TrackingEvaluator::new(rules);
    for frame in truth.frames().chain(seen.frames()).collect::<BTreeSet<_>>() {
        judge.add_frame(truth.frame(frame), seen.frame(frame));
    }
    judge.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `(frame, id, x)`: boxes of 10 by 20.
    fn boxes(all: impl IntoIterator<Item = (u32, u32, f32)>) -> MotBoxes {
        let mut boxes = MotBoxes::default();
        for (frame, id, x) in all {
            boxes.add(MotBox::new(frame, id, [x, 0.0, 10.0, 20.0])).expect("the examples are sound");
        }
        boxes
    }

    fn judged(truth: &MotBoxes, seen: &MotBoxes) -> TrackingCounts {
        evaluate_tracks(truth, seen, MatchRules::default())
    }

    /// Two people 100 apart over 10 frames.
    fn two() -> MotBoxes {
        boxes((0..10).flat_map(|frame| [(frame, 1, 0.0), (frame, 2, 100.0)]))
    }

    #[test]
    fn all_found() {
        let tracks = judged(&two(), &two());
        let figures = [tracks.mota(), tracks.motp(), tracks.idf1(), tracks.recall(), tracks.precision()];
        assert_eq!(figures, [1.0; 5]);
        assert_eq!((tracks.truth, tracks.matched, tracks.switches, tracks.identified), (20, 20, 0, 20));
    }

    #[test]
    fn none_found() {
        let tracks = judged(&two(), &MotBoxes::default());
        assert_eq!((tracks.misses(), tracks.false_positives(), tracks.switches), (20, 0, 0));
        assert_eq!([tracks.mota(), tracks.idf1(), tracks.recall()], [0.0; 3]);
    }

    #[test]
    fn nobody_there() {
        let tracks = judged(&MotBoxes::default(), &two());
        assert_eq!((tracks.misses(), tracks.false_positives()), (0, 20));
        assert_eq!([tracks.mota(), tracks.idf1(), tracks.precision()], [-19.0, 0.0, 0.0]);
        assert_eq!(judged(&MotBoxes::default(), &MotBoxes::default()).mota(), 1.0);
    }

    #[test]
    fn ids_swapped_in_the_middle() {
        let id = |frame: u32, id: u32| if frame < 6 { id } else { 3 - id };
        let seen = boxes((0..10).flat_map(|frame| [(frame, id(frame, 1), 0.0), (frame, id(frame, 2), 100.0)]));
        let tracks = judged(&two(), &seen);
        assert_eq!((tracks.matched, tracks.switches, tracks.identified), (20, 2, 12));
        assert_eq!([tracks.mota(), tracks.idf1()], [0.9, 0.6]);
    }

    #[test]
    fn one_that_is_not_there() {
        let seen = boxes((0..10).flat_map(|frame| [(frame, 1, 0.0), (frame, 2, 100.0)]).chain([(4, 9, 50.0)]));
        let tracks = judged(&two(), &seen);
        assert_eq!((tracks.misses(), tracks.false_positives(), tracks.switches), (0, 1, 0));
        assert_eq!([tracks.mota(), tracks.idf1(), tracks.precision()], [0.95, 40.0 / 41.0, 20.0 / 21.0]);
    }

    #[test]
    fn hidden_for_a_while() {
        // Three frames are missed; afterwards the same id, or another one.
        let seen =
            |after| boxes((0..10).filter(|f| !(4..7).contains(f)).map(|f| (f, if f < 4 { 5 } else { after }, 0.0)));
        let truth = boxes((0..10).map(|frame| (frame, 1, 0.0)));
        let same = judged(&truth, &seen(5));
        assert_eq!((same.misses(), same.switches, same.identified), (3, 0, 7));
        assert_eq!([same.mota(), same.idf1()], [0.7, 14.0 / 17.0]);
        let other = judged(&truth, &seen(6));
        assert_eq!((other.misses(), other.switches, other.identified), (3, 1, 4));
        assert_eq!([other.mota(), other.idf1()], [0.6, 8.0 / 17.0]);
    }

    #[test]
    fn a_pair_stays_while_it_may() {
        // The second box fits better from frame 1 on, but the first one is still near enough.
        let truth = boxes((0..5).map(|frame| (frame, 1, 0.0)));
        let seen = boxes(
            (0..5).flat_map(|f| [(f, 1, if f == 0 { 0.0 } else { 3.0 }), (f, 2, if f == 0 { 50.0 } else { 0.0 })]),
        );
        let tracks = judged(&truth, &seen);
        assert_eq!((tracks.matched, tracks.switches, tracks.false_positives()), (5, 0, 5));
        // 7 of 13 columns in four frames, all in one.
        assert!((tracks.motp() - (1.0 + 4.0 * 7.0 / 13.0) / 5.0).abs() < 1e-9, "{}", tracks.motp());
    }

    #[test]
    fn who_is_not_judged_counts_for_nothing() {
        let mut truth = MotBoxes::default();
        let mut seen = MotBoxes::default();
        for frame in 0..4 {
            for (id, x, visibility) in [(1, 0.0, 1.0), (2, 50.0, 0.2), (3, 100.0, -1.0)] {
                let new = MotBox { visibility, kind: id as u8, ..MotBox::new(frame, id, [x, 0.0, 10.0, 20.0]) };
                truth.add(new).expect("sound");
            }
            // Two boxes are on people, of whom one is excluded; one is on the background.
            for (id, x) in [(1, 0.0), (2, 50.0), (4, 200.0)] {
                seen.add(MotBox::new(frame, id, [x, 0.0, 10.0, 20.0])).expect("sound");
            }
        }
        let hidden = evaluate_tracks(&truth, &seen, MatchRules { visibility_min: 0.3, ..MatchRules::default() });
        assert_eq!((hidden.truth, hidden.seen, hidden.matched, hidden.false_positives()), (4, 8, 4, 4));
        assert_eq!(hidden.kinds, BTreeMap::from([(1, [4, 4])]));
        let shown = evaluate_tracks(&truth, &seen, MatchRules::default());
        assert_eq!((shown.truth, shown.seen, shown.matched, shown.misses()), (8, 12, 8, 0));
        assert_eq!(shown.kinds, BTreeMap::from([(1, [4, 4]), (2, [4, 4])]));
    }

    #[test]
    fn who_stands_before_someone_not_judged_is_found() {
        // One box was detected where two people stand; it fits better on the one who is evaluated.
        let truth = [
            MotBox { visibility: 0.1, ..MotBox::new(0, 1, [2.0, 0.0, 10.0, 20.0]) },
            MotBox::new(0, 2, [0.0, 0.0, 10.0, 20.0]),
        ];
        let mut judge = TrackingEvaluator::new(MatchRules { visibility_min: 0.3, ..MatchRules::default() });
        assert_eq!(judge.add_frame(&truth, &[MotBox::new(0, 7, [0.0, 0.0, 10.0, 20.0])]), [(1, 0)]);
        let tracks = judge.finish();
        assert_eq!((tracks.misses(), tracks.false_positives()), (0, 0));
    }

    #[test]
    fn scenes_add_up() {
        let mut sum = judged(&two(), &two());
        sum += &judged(&two(), &MotBoxes::default());
        assert_eq!([sum.mota(), sum.recall()], [0.5, 0.5]);
        assert_eq!(sum.kinds, BTreeMap::from([(0, [20, 40])]));
    }

    #[test]
    fn many_tracks_in_seconds() {
        // 200 people walk, and 1,000 ids follow them in pieces.
        let place = |person: u32, frame: u32| 12.0 * person as f32 + 0.5 * frame as f32;
        let people = (0..40).flat_map(|frame| (0..200).map(move |person| (frame, person, place(person, frame))));
        let pieces =
            (0..40).flat_map(|f| (0..200).map(move |p| (f, (p * 7 + f * 5) % 500 + 500 * (p / 100), place(p, f))));
        let tracks = judged(&boxes(people), &boxes(pieces.filter(|(_, id, _)| id % 11 != 0)));
        assert_eq!(tracks.false_positives(), 0);
        assert!(tracks.idf1() > 0.0 && tracks.idf1() < tracks.recall());
    }
}
