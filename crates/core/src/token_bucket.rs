//! Token bucket: a rate per second and a burst.

use std::time::Duration;

/// Limit of a token bucket.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct RateLimit {
    /// Tokens per second.
    pub rate: f64,
    /// Most tokens at once.
    pub burst: f64,
}

impl RateLimit {
    /// Returns the limit of so many tokens in each second.
    pub const fn per_second(rate: f64) -> Self {
        Self { rate, burst: rate }
    }
}

/// Tokens that refill with time, up to a burst.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct TokenBucket {
    available: f64,
    last_refill: Duration,
    limit: RateLimit,
}

impl TokenBucket {
    /// Creates a full bucket.
    pub fn new(limit: RateLimit) -> Self {
        Self { available: limit.burst, last_refill: Duration::ZERO, limit }
    }

    /// Adds the tokens due by `now`.
    pub fn refill(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.last_refill).as_secs_f64();
        self.available = (self.available + passed * self.limit.rate).min(self.limit.burst);
        self.last_refill = self.last_refill.max(now);
    }

    /// Sets the rate per second from now on.
    pub fn set_rate(&mut self, rate: f64) {
        self.limit.rate = rate;
    }

    /// Takes `much` tokens if they are available, and returns whether it did.
    pub fn try_take(&mut self, now: Duration, much: f64) -> bool {
        self.refill(now);
        let enough = self.available >= much;
        self.available -= if enough { much } else { 0.0 };
        enough
    }

    /// Returns the available tokens as of the last refill.
    pub fn available(&self) -> f64 {
        self.available
    }

    /// Returns the time at which `much` tokens will be available.
    pub fn available_at(&self, much: f64) -> Duration {
        self.last_refill
            + Duration::from_secs_f64(((much - self.available) / self.limit.rate.max(1e-3)).clamp(0.0, 3_600.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_comes_back_by_time_and_no_further() {
        let second = Duration::from_secs(1);
        let mut allowance = TokenBucket::new(RateLimit { rate: 10.0, burst: 20.0 });
        assert!(allowance.try_take(second, 20.0) && !allowance.try_take(second, 0.5));
        assert_eq!(allowance.available_at(5.0), second * 3 / 2);
        assert!(!allowance.try_take(second * 3 / 2, 6.0) && allowance.try_take(second * 3 / 2, 5.0));
        assert!(allowance.try_take(second * 100, 20.0) && !allowance.try_take(second * 100, 1.0));
    }
}
