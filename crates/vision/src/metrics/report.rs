//! Report of the metrics, for people and for programs.

use super::tracking::ratio;
use super::{OutlineCounts, TrackingCounts};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// Edge jitter of people who stand still, in pixels per frame.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct OutlineJitter {
    /// Jitter of the outlines.
    pub seen: f64,
    /// Jitter of the people themselves, who breathe and sway, and of a shaking camera.
    pub truth: f64,
}

impl OutlineJitter {
    /// Returns the jitter that the outlines add; below 0 if they are calmer than the people.
    pub fn excess(&self) -> f64 {
        self.seen - self.truth
    }
}

/// Metrics of one scene, or of several together. Displayed as a row under [`TrackingReport::HEAD`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrackingReport {
    /// Tracking accuracy (CLEAR MOT), at most 1.
    pub mota: f64,
    /// Mean overlap of matched boxes, 0 to 1.
    pub motp: f64,
    /// Identity F1 score (Ristani et al.), 0 to 1.
    pub idf1: f64,
    /// Recall, 0 to 1.
    pub recall: f64,
    /// Precision, 0 to 1.
    pub precision: f64,
    /// Boxes in the ground truth.
    pub truth: u64,
    /// Boxes of the ground truth that were not found.
    pub misses: u64,
    /// Boxes that match no person.
    pub false_positives: u64,
    /// Id switches.
    pub switches: u64,
    /// Recall for each class of the ground truth.
    pub recall_of: BTreeMap<u8, f64>,
    /// Mean IoU of matched outlines and the visible pixels of the person, 0 to 1; `None` without outlines.
    pub outline_iou: Option<f64>,
    /// `None` if nobody stood still.
    pub jitter: Option<OutlineJitter>,
}

impl TrackingReport {
    /// Header of the table whose rows are reports.
    pub const HEAD: &str = "  MOTA   IDF1  recall  precision  IDsw  outline IoU  jitter (of truth)";

    /// Computes the metrics from the counts.
    pub fn new(tracks: &TrackingCounts, outlines: Option<&OutlineCounts>) -> Self {
        let mean = |sum: f64, count: u64| (count > 0).then(|| sum / count as f64);
        let jitter = outlines.and_then(|outlines| {
            let seen = mean(outlines.seen_jitter, outlines.jitter_samples)?;
            Some(OutlineJitter { seen, truth: mean(outlines.truth_jitter, outlines.jitter_samples)? })
        });
        Self {
            mota: tracks.mota(),
            motp: tracks.motp(),
            idf1: tracks.idf1(),
            recall: tracks.recall(),
            precision: tracks.precision(),
            truth: tracks.truth,
            misses: tracks.misses(),
            false_positives: tracks.false_positives(),
            switches: tracks.switches,
            recall_of: tracks.kinds.iter().map(|(kind, [found, all])| (*kind, ratio(*found, *all))).collect(),
            outline_iou: outlines.and_then(|outlines| mean(outlines.iou_sum, outlines.outlines)),
            jitter,
        }
    }
}

impl fmt::Display for TrackingReport {
    fn fmt(&self, to: &mut fmt::Formatter) -> fmt::Result {
        let outline = self.outline_iou.map_or_else(|| "-".into(), |iou| format!("{iou:.3}"));
        let jitter =
            self.jitter.map_or_else(|| "-".into(), |jitter| format!("{:.2} ({:.2})", jitter.seen, jitter.truth));
        write!(
            to,
            "{:>6.3} {:>6.3} {:>7.3} {:>10.3} {:>5} {outline:>12} {jitter:>18}",
            self.mota, self.idf1, self.recall, self.precision, self.switches
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::{OutlineMatch, PixelMask};
    use super::*;

    #[test]
    fn a_row_stands_under_its_head() {
        let tracks = TrackingCounts {
            truth: 20,
            seen: 18,
            matched: 16,
            switches: 1,
            identified: 12,
            ..TrackingCounts::default()
        };
        let report = TrackingReport::new(&tracks, None);
        assert_eq!(report.to_string(), " 0.650  0.632   0.800      0.889     1            -                  -");
        assert_eq!(report.to_string().len(), TrackingReport::HEAD.len());
        assert_eq!((report.misses, report.false_positives), (4, 2));
    }

    #[test]
    fn programs_read_the_same_figures() {
        let shape = PixelMask::from_mask([0, 0], [2, 2], &[1; 4]);
        let other = PixelMask::from_mask([0, 0], [2, 1], &[1; 2]);
        let mut outlines = OutlineCounts::default();
        for seen in [&shape, &other] {
            outlines.add_frame([OutlineMatch {
                person: 1,
                id: 1,
                still: true,
                truth: shape.clone(),
                seen: seen.clone(),
            }]);
        }
        let tracks = TrackingCounts {
            truth: 4,
            seen: 4,
            matched: 3,
            kinds: BTreeMap::from([(2, [3, 4])]),
            ..TrackingCounts::default()
        };
        let report = TrackingReport::new(&tracks, Some(&outlines));
        assert_eq!(report.outline_iou, Some(0.75));
        let jitter = report.jitter.expect("it stood still for two frames");
        assert!(jitter.truth == 0.0 && jitter.seen == jitter.excess() && jitter.seen > 0.0);
        let json = serde_json::to_value(&report).expect("numbers and texts only");
        assert_eq!(json["recall_of"]["2"], 0.75);
        assert_eq!(json["mota"], 0.5);
        assert_eq!(json["outline_iou"], 0.75);
    }
}
