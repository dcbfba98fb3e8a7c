//! Paces frames: decides when each is due, and how many are wanted.

use crate::device::clock::monotonic;
use std::time::Duration;

/// Schedule of the frames of one source.
pub struct FramePacer {
    period: Duration,
    /// Time at which the next frame is due; none before the first frame and in fast mode.
    next_due: Option<Duration>,
    fast: bool,
    /// Frames still to come; none for no limit.
    left: Option<u64>,
}

impl FramePacer {
    /// Creates a schedule with one frame per `period`. It ends after the frames of `limit`, if there is one.
    /// In fast mode each frame is due at once.
    pub fn new(period: Duration, limit: Option<Duration>, fast: bool) -> Self {
        let left = limit.map(|limit| (limit.as_secs_f64() / period.as_secs_f64()).round() as u64);
        Self { period, next_due: None, fast, left }
    }

    /// Returns true if no more frames are wanted.
    pub fn is_over(&self) -> bool {
        self.left == Some(0)
    }

    /// Waits until a frame is due and returns its time, or none if no more are wanted.
    pub fn wait_due(&mut self) -> Option<Duration> {
        if let Some(left) = &mut self.left {
            *left = left.checked_sub(1)?;
        }
        let now = monotonic();
        if self.fast {
            return Some(now);
        }
        // A pacer that is late by more than one frame does not catch up on missed frames.
        let due = self.next_due.filter(|&due| due + self.period >= now).unwrap_or(now);
        std::thread::sleep(due.saturating_sub(now));
        self.next_due = Some(due + self.period);
        Some(due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_come_at_their_rate_and_end() {
        let period = Duration::from_millis(5);
        let mut pace = FramePacer::new(period, Some(period * 10), false);
        let times: Vec<_> = std::iter::from_fn(|| pace.wait_due()).collect();
        assert_eq!(times.len(), 10);
        let took = monotonic() - times[0];
        assert!(took >= period * 9, "{took:?}");
        assert!(times.windows(2).all(|two| two[1] - two[0] >= period), "{times:?}");
        let period = Duration::from_secs(9);
        let mut fast = FramePacer::new(period, Some(period * 3), true);
        assert_eq!(std::iter::from_fn(|| fast.wait_due()).count(), 3);
        assert!(fast.is_over());
    }
}
