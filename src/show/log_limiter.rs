//! Limits on the lines that a scene may write to the show's log.

use crate::token_bucket::{RateLimit, TokenBucket};
use std::time::Duration;

/// Log lines that a scene may write per second, and in one burst.
const LINES: f64 = 20.0;
/// Log bytes that a scene may write per second, and in one burst: 4 kB per second are 345 MB per day.
const BYTES: f64 = 4_096.0;
/// Maximum length of a line, in bytes.
const LINE_MAX: usize = 1_024;

/// Budget of a scene's log lines.
pub(super) struct LogLimiter {
    lines: TokenBucket,
    bytes: TokenBucket,
    dropped: u64,
}

impl LogLimiter {
    /// Starts with a full budget.
    pub fn new() -> Self {
        Self {
            lines: TokenBucket::new(RateLimit::per_second(LINES)),
            bytes: TokenBucket::new(RateLimit::per_second(BYTES)),
            dropped: 0,
        }
    }

    /// Returns the part of a line that may be written, and the number of lines left out since the last one written.
    pub fn admit<'a>(&mut self, now: Duration, line: &'a str) -> Option<(&'a str, u64)> {
        let line = &line[..line.floor_char_boundary(LINE_MAX)];
        let size = line.len() as f64;
        self.bytes.refill(now);
        if self.bytes.available() < size || !self.lines.try_take(now, 1.0) {
            self.dropped += 1;
            return None;
        }
        self.bytes.try_take(now, size);
        Some((line, std::mem::take(&mut self.dropped)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scene_logs_four_kilobytes_a_second() {
        let (mut log, line) = (LogLimiter::new(), "é".repeat(3_000));
        let mut written = 0;
        for frame in 0..600_u64 {
            for _ in 0..20 {
                written +=
                    log.admit(Duration::from_millis(frame * 1_000 / 60), &line).map_or(0, |(line, _)| line.len());
            }
        }
        assert!((40_000..=11 * 4_096).contains(&written), "{written}");
    }

    #[test]
    fn short_lines_are_counted_and_those_left_out_are_told() {
        let mut log = LogLimiter::new();
        let now = Duration::from_secs(1);
        assert_eq!((0..50).filter(|_| log.admit(now, "a").is_some()).count(), 20);
        assert_eq!(log.admit(now + Duration::from_secs(1), "b"), Some(("b", 30)));
    }
}
