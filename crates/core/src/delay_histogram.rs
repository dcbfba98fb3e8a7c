//! Histogram of delays or durations, in bounded memory.

use hdrhistogram::Histogram;

/// Longest duration that is told apart from longer ones, in microseconds.
const LONGEST_US: u64 = 60_000_000;
/// Significant digits of a duration.
const DIGITS: u8 = 2;

/// Histogram of durations from a microsecond to a minute, with an error of at most 1 %.
#[derive(Debug, Clone)]
pub struct DelayHistogram(Histogram<u32>);

impl Default for DelayHistogram {
    fn default() -> Self {
        Self(Histogram::new_with_max(LONGEST_US, DIGITS).expect("the bounds are valid"))
    }
}

impl DelayHistogram {
    /// Adds a duration, in milliseconds.
    pub fn record(&mut self, ms: f64) {
        // The conversion saturates; NaN is 0.
        self.0.saturating_record((ms * 1e3).round() as u64);
    }

    /// Adds the durations of another histogram.
    pub fn merge(&mut self, other: &Self) {
        self.0.add(&other.0).expect("both have the same bounds");
    }

    /// Returns the duration that `percent` of all do not exceed, in milliseconds; none without durations.
    pub fn percentile(&self, percent: f64) -> Option<f64> {
        (!self.0.is_empty()).then(|| self.0.value_at_percentile(percent) as f64 / 1e3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_within_a_hundredth_and_any_number_is_taken() {
        let mut all = DelayHistogram::default();
        assert_eq!(all.percentile(50.0), None);
        (1..=500).for_each(|ms| all.record(f64::from(ms)));
        let mut others = DelayHistogram::default();
        (501..=1_000).for_each(|ms| others.record(f64::from(ms)));
        all.merge(&others);
        for percent in [1.0, 50.0, 90.0, 99.0] {
            let found = all.percentile(percent).expect("a thousand");
            assert!((found / (10.0 * percent) - 1.0).abs() < 0.01, "{percent}: {found}");
        }
        [f64::NAN, -5.0, f64::INFINITY].iter().for_each(|ms| all.record(*ms));
        assert!(all.percentile(100.0).is_some_and(|longest| (59_000.0..=61_000.0).contains(&longest)));
    }
}
