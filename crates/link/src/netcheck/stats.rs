//! Statistics of a line, span by span, and its estimated capacity.

use moongate_core::delay_histogram::DelayHistogram;
use moongate_core::wire::WireError;
use std::time::Duration;

/// Stream of datagrams that imitates a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbeLoad {
    /// Eight small datagrams per second, throughout the check.
    Calm,
    /// Load of a few people: 60 datagrams per second of 400 bytes.
    Few,
    /// Load of forty people: 180 datagrams per second of 1,150 bytes.
    Crowd,
    /// Datagrams larger than the link needs.
    Large,
}

impl ProbeLoad {
    pub(super) const COUNT: usize = 4;
    pub(super) const ALL: [Self; Self::COUNT] = [Self::Calm, Self::Few, Self::Crowd, Self::Large];

    pub(super) fn decode(code: u8) -> Result<Self, WireError> {
        Self::ALL.get(usize::from(code)).copied().ok_or(WireError::OutOfRange)
    }

    /// Returns the datagrams per second, and the bytes of each.
    pub(super) fn stream(self) -> (u32, usize) {
        match self {
            Self::Calm | Self::Large => (8, 96),
            Self::Few => (60, 400),
            Self::Crowd => (180, 1_150),
        }
    }
}

/// Capacity of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LineCapacity {
    /// Too little for reliable touches.
    Nothing,
    /// Touches and signals.
    Touches,
    /// A few people.
    Few,
    /// Forty people.
    Forty,
}

impl LineCapacity {
    /// Returns the label for operators.
    pub fn label(self) -> &'static str {
        match self {
            Self::Nothing => "not enough",
            Self::Touches => "touches only",
            Self::Few => "a few people",
            Self::Forty => "forty people",
        }
    }
}

/// Maximum share of lost datagrams at which a load counts as carried.
const LOSS_MAX: f64 = 0.08;
/// Maximum loss of the small datagrams, by which everything else is timed.
const CALM_LOSS_MAX: f64 = 0.15;
/// Maximum queueing delay at which a load counts as carried, in milliseconds.
const QUEUE_DELAY_MAX: f64 = 150.0;

/// Measurements of one span of time.
#[derive(Debug, Clone, Default)]
pub struct NetcheckSpan {
    /// Delays while only the small datagrams are sent, and under each load.
    delays: [DelayHistogram; ProbeLoad::COUNT],
    /// Datagrams of each load: sent, received by the responder, and answered.
    counts: [[u64; 3]; ProbeLoad::COUNT],
    /// Gaps of more than a second without an answer.
    pub gaps: u32,
    /// Longest gap.
    pub longest_gap: Duration,
}

impl NetcheckSpan {
    pub(super) fn record_delay(&mut self, under: ProbeLoad, ms: f64) {
        self.delays[under as usize].record(ms);
    }

    pub(super) fn record_counts(&mut self, of: ProbeLoad, counts: [u64; 3]) {
        for (sum, count) in self.counts[of as usize].iter_mut().zip(counts) {
            *sum += count;
        }
    }

    pub(super) fn record_gap(&mut self, length: Duration) {
        self.gaps += 1;
        self.longest_gap = self.longest_gap.max(length);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.delays.iter_mut().zip(&other.delays).for_each(|(sum, one)| sum.merge(one));
        for load in ProbeLoad::ALL {
            self.record_counts(load, other.counts[load as usize]);
        }
        self.gaps += other.gaps;
        self.longest_gap = self.longest_gap.max(other.longest_gap);
    }

    /// Returns a percentile of the round trips in milliseconds, while only the small datagrams are sent.
    pub fn round_trip(&self, percent: f64) -> Option<f64> {
        self.delays[ProbeLoad::Calm as usize].percentile(percent)
    }

    /// Returns the additional round-trip delay under this load, in milliseconds: the length of its queue.
    pub fn queue_delay(&self, under: ProbeLoad) -> Option<f64> {
        Some((self.delays[under as usize].percentile(90.0)? - self.round_trip(50.0)?).max(0.0))
    }

    /// Returns the share of a load that was lost on the way there and on the way back, each 0 to 1.
    pub fn loss(&self, of: ProbeLoad) -> Option<[f64; 2]> {
        let [sent, there, back] = self.counts[of as usize];
        let lost = |whole: u64, part: u64| (whole.saturating_sub(part) as f64 / whole.max(1) as f64).clamp(0.0, 1.0);
        (sent > 0).then(|| [lost(sent, there), lost(there.min(sent), back)])
    }

    fn carries(&self, load: ProbeLoad) -> Option<bool> {
        let [there, back] = self.loss(load)?;
        Some(there < LOSS_MAX && back < LOSS_MAX && self.queue_delay(load).is_some_and(|queue| queue < QUEUE_DELAY_MAX))
    }

    /// Returns the capacity of the line; none if nothing came back.
    pub fn capacity(&self) -> Option<LineCapacity> {
        let [there, back] = self.loss(ProbeLoad::Calm)?;
        self.round_trip(50.0)?;
        Some(if there > CALM_LOSS_MAX || back > CALM_LOSS_MAX {
            LineCapacity::Nothing
        } else if self.carries(ProbeLoad::Few) != Some(true) {
            LineCapacity::Touches
        } else if self.carries(ProbeLoad::Crowd) == Some(true) {
            LineCapacity::Forty
        } else {
            LineCapacity::Few
        })
    }
}
