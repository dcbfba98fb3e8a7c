//! Body measurements of a rehearsal: bodies seen by the twin, and the age of one's own outline.

use std::collections::HashMap;
use std::ops::Range;
use std::time::Duration;

/// A body that was present for this long must have been seen at the twin.
const VISIBLE_MIN: Duration = Duration::from_secs(1);

/// Identity of a body: previous starts of its site's show, and its id there.
type BodyKey = (u32, u16);

/// Record of one body. All times are monotonic nanoseconds.
#[derive(Debug, Default, Clone, Copy)]
struct BodyRecord {
    /// First time at which it came and, if it is gone, went.
    came: Option<u64>,
    went: Option<u64>,
    /// True if the twin saw it.
    seen: bool,
}

/// Camera frame drawn as the own outline: time of capture, frames started until submission, time of submission.
type OutlineSample = (u64, u32, u64);

/// Bodies of one site.
#[derive(Debug, Default)]
pub(super) struct BodyRecords {
    bodies: HashMap<BodyKey, BodyRecord>,
    outlines: Vec<OutlineSample>,
}

/// Counts of bodies.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct BodyTotals {
    /// Different bodies seen at their own site.
    pub here: usize,
    /// Bodies in `here` that the twin saw.
    pub there: usize,
    /// Bodies in `here` that were present for a second and that the twin never saw.
    pub unseen: usize,
}

impl BodyRecords {
    /// Records that a body of this site came or went; `own` if its own site reports it, otherwise its twin does.
    pub fn record_body(&mut self, key: BodyKey, own: bool, came: bool, at: u64) {
        let body = self.bodies.entry(key).or_default();
        match (own, came) {
            (true, true) => _ = body.came.get_or_insert(at),
            (true, false) => _ = body.went.get_or_insert(at),
            (false, true) => body.seen = true,
            (false, false) => {}
        }
    }

    /// Records that a frame of the own camera was drawn.
    pub fn record_outline(&mut self, made: u64, frames: u32, submitted: u64) {
        self.outlines.push((made, frames, submitted));
    }

    /// Counts the bodies that were present within `judged`.
    pub fn totals(&self, judged: &Range<u64>) -> BodyTotals {
        let mut counts = BodyTotals::default();
        for body in self.bodies.values() {
            let Some(came) = body.came.filter(|came| *came < judged.end) else { continue };
            let went = body.went.unwrap_or(judged.end);
            // A body that came earlier counts from the start of `judged`.
            if went <= judged.start {
                continue;
            }
            let stayed = went.saturating_sub(came.max(judged.start));
            counts.here += 1;
            counts.there += usize::from(body.seen);
            counts.unseen += usize::from(!body.seen && u128::from(stayed) >= VISIBLE_MIN.as_nanos());
        }
        counts
    }

    /// Returns the latencies of the camera frames within `judged`, from capture to submission.
    /// They are in milliseconds and in frames started.
    pub fn outline_latencies(&self, judged: &Range<u64>) -> (Vec<f64>, Vec<f64>) {
        let judged = self.outlines.iter().filter(|(made, ..)| judged.contains(made));
        judged.map(|(made, frames, at)| (at.saturating_sub(*made) as f64 / 1e6, f64::from(*frames))).unzip()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    #[test]
    fn who_stays_and_is_never_seen_is_told() {
        let mut bodies = BodyRecords::default();
        // Seen, gone at once, never seen, never seen despite a restart, present before both sites were linked, gone by
        // then.
        for (id, came, went) in [
            (1, 10 * S, None),
            (2, 10 * S, Some(11 * S - 1)),
            (3, 10 * S, Some(12 * S)),
            (5, S, None),
            (6, S, Some(4 * S)),
        ] {
            bodies.record_body((0, id), true, true, came);
            if let Some(went) = went {
                bodies.record_body((0, id), true, false, went);
            }
        }
        bodies.record_body((1, 1), true, true, 11 * S);
        bodies.record_body((0, 1), false, true, 10 * S + 1);
        assert_eq!(bodies.totals(&(5 * S..20 * S)), BodyTotals { here: 5, there: 1, unseen: 3 });
        bodies.record_outline(4 * S, 9, 9 * S);
        bodies.record_outline(6 * S, 2, 6 * S + 50_000_000);
        assert_eq!(bodies.outline_latencies(&(5 * S..20 * S)), (vec![50.0], vec![2.0]));
    }
}
