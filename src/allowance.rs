//! So much a second, and so much at once: a token bucket.

use std::time::Duration;

/// What may be taken of something that comes back by time.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Allowance {
    left: f64,
    filled: Duration,
    a_second: f64,
    at_once: f64,
}

impl Allowance {
    /// So much a second, and all that may be taken at once is there.
    pub fn new(a_second: f64, at_once: f64) -> Self {
        Self { left: at_once, filled: Duration::ZERO, a_second, at_once }
    }

    /// Brings it up to `now`.
    pub fn fill(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.filled).as_secs_f64();
        self.left = (self.left + passed * self.a_second).min(self.at_once);
        self.filled = self.filled.max(now);
    }

    /// From now on so much a second.
    pub fn set_rate(&mut self, a_second: f64) {
        self.a_second = a_second;
    }

    /// Takes so much, if it is there.
    pub fn take(&mut self, now: Duration, much: f64) -> bool {
        self.fill(now);
        let enough = self.left >= much;
        self.left -= if enough { much } else { 0.0 };
        enough
    }

    /// What is there, as of when it was last looked at.
    pub fn left(&self) -> f64 {
        self.left
    }

    /// When there will be so much.
    pub fn when(&self, much: f64) -> Duration {
        self.filled + Duration::from_secs_f64(((much - self.left) / self.a_second.max(1e-3)).clamp(0.0, 3_600.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_comes_back_by_time_and_no_further() {
        let second = Duration::from_secs(1);
        let mut allowance = Allowance::new(10.0, 20.0);
        assert!(allowance.take(second, 20.0) && !allowance.take(second, 0.5));
        assert_eq!(allowance.when(5.0), second * 3 / 2);
        assert!(!allowance.take(second * 3 / 2, 6.0) && allowance.take(second * 3 / 2, 5.0));
        assert!(allowance.take(second * 100, 20.0) && !allowance.take(second * 100, 1.0));
    }
}
