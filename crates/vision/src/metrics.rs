//! Detection and tracking metrics: tracks against boxes, outlines against masks. A show does not use them.

mod assignment;
mod evaluator;
mod mot_boxes;
mod outline_metrics;
mod report;
mod tracking;

pub use evaluator::{ClipEvaluator, EvaluationTotals, TruthFrame, output_boxes};
pub use mot_boxes::{MotBox, MotBoxes, MotError};
pub use outline_metrics::{OutlineCounts, OutlineMatch, PixelMask, outline_iou};
pub use report::{OutlineJitter, TrackingReport};
pub use tracking::{MatchRules, TrackingCounts, TrackingEvaluator, evaluate_tracks};
