//! So much a second, and so much at once: a token bucket.

use std::time::Duration;

/// What may be taken of something that comes back by time.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct TokenBucket {
    available: f64,
    last_refill: Duration,
    rate: f64,
    burst: f64,
}

impl TokenBucket {
    /// So much a second, and all that may be taken at once is there.
    pub fn new(a_second: f64, at_once: f64) -> Self {
        Self { available: at_once, last_refill: Duration::ZERO, rate: a_second, burst: at_once }
    }

    /// Brings it up to `now`.
    pub fn refill(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.last_refill).as_secs_f64();
        self.available = (self.available + passed * self.rate).min(self.burst);
        self.last_refill = self.last_refill.max(now);
    }

    /// From now on so much a second.
    pub fn set_rate(&mut self, a_second: f64) {
        self.rate = a_second;
    }

    /// Takes so much, if it is there.
    pub fn try_take(&mut self, now: Duration, much: f64) -> bool {
        self.refill(now);
        let enough = self.available >= much;
        self.available -= if enough { much } else { 0.0 };
        enough
    }

    /// What is there, as of when it was last looked at.
    pub fn available(&self) -> f64 {
        self.available
    }

    /// When there will be so much.
    pub fn available_at(&self, much: f64) -> Duration {
        self.last_refill + Duration::from_secs_f64(((much - self.available) / self.rate.max(1e-3)).clamp(0.0, 3_600.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_comes_back_by_time_and_no_further() {
        let second = Duration::from_secs(1);
        let mut allowance = TokenBucket::new(10.0, 20.0);
        assert!(allowance.try_take(second, 20.0) && !allowance.try_take(second, 0.5));
        assert_eq!(allowance.available_at(5.0), second * 3 / 2);
        assert!(!allowance.try_take(second * 3 / 2, 6.0) && allowance.try_take(second * 3 / 2, 5.0));
        assert!(allowance.try_take(second * 100, 20.0) && !allowance.try_take(second * 100, 1.0));
    }
}
