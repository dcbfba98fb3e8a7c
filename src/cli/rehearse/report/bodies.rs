//! The part of a rehearsal's report that is about bodies: who was seen by whom, and how old one's own outline is.

use std::collections::HashMap;
use std::ops::Range;
use std::time::Duration;

/// A body that was there this long must have been seen at the twin.
const SEEN: Duration = Duration::from_secs(1);

/// Which body: how often its site's show was started before, and its number there.
type Key = (u32, u16);

/// What is known of a body. All times are monotonic nanoseconds.
#[derive(Debug, Default, Clone, Copy)]
struct Body {
    /// When it came and, if it has gone, went; the first time.
    came: Option<u64>,
    went: Option<u64>,
    /// The twin saw it.
    seen: bool,
}

/// A camera's picture that became the own outline: captured, starts of frames until it was submitted, submitted.
type Outline = (u64, u32, u64);

/// One site's bodies.
#[derive(Debug, Default)]
pub(super) struct Bodies {
    bodies: HashMap<Key, Body>,
    outlines: Vec<Outline>,
}

/// How many there were.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counts {
    /// Different ones, seen at their own site.
    pub here: usize,
    /// Of those, how many the twin saw.
    pub there: usize,
    /// Of those who were there for a second, how many the twin never saw.
    pub unseen: usize,
}

impl Bodies {
    /// A body of this site came or went: `own` when its own site says so, else its twin.
    pub fn take(&mut self, key: Key, own: bool, came: bool, at: u64) {
        let body = self.bodies.entry(key).or_default();
        match (own, came) {
            (true, true) => _ = body.came.get_or_insert(at),
            (true, false) => _ = body.went.get_or_insert(at),
            (false, true) => body.seen = true,
            (false, false) => {}
        }
    }

    /// A picture of the own camera was drawn.
    pub fn outline(&mut self, made: u64, frames: u32, submitted: u64) {
        self.outlines.push((made, frames, submitted));
    }

    /// Counts the bodies that were present within `judged`.
    pub fn counts(&self, judged: &Range<u64>) -> Counts {
        let mut counts = Counts::default();
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
            counts.unseen += usize::from(!body.seen && u128::from(stayed) >= SEEN.as_nanos());
        }
        counts
    }

    /// Of each picture within `judged`: milliseconds from when it was captured to its submission, and starts of frames.
    pub fn outlines(&self, judged: &Range<u64>) -> (Vec<f64>, Vec<f64>) {
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
        let mut bodies = Bodies::default();
        // Seen, gone at once, never seen, never seen despite a restart, present before both sites were linked, gone by then.
        for (id, came, went) in [
            (1, 10 * S, None),
            (2, 10 * S, Some(11 * S - 1)),
            (3, 10 * S, Some(12 * S)),
            (5, S, None),
            (6, S, Some(4 * S)),
        ] {
            bodies.take((0, id), true, true, came);
            if let Some(went) = went {
                bodies.take((0, id), true, false, went);
            }
        }
        bodies.take((1, 1), true, true, 11 * S);
        bodies.take((0, 1), false, true, 10 * S + 1);
        assert_eq!(bodies.counts(&(5 * S..20 * S)), Counts { here: 5, there: 1, unseen: 3 });
        bodies.outline(4 * S, 9, 9 * S);
        bodies.outline(6 * S, 2, 6 * S + 50_000_000);
        assert_eq!(bodies.outlines(&(5 * S..20 * S)), (vec![50.0], vec![2.0]));
    }
}
