//! What was found of a line, span by span, and what it can carry.

use crate::wire::WireError;
use std::time::Duration;

/// A stream like that of a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbeLoad {
    /// Eight small datagrams a second, all along.
    Calm,
    /// Like a few people: 60 a second of 400 bytes.
    Few,
    /// Like forty: 180 a second of 1,150 bytes.
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

    /// Datagrams a second, and bytes of each.
    pub(super) fn stream(self) -> (u32, usize) {
        match self {
            Self::Calm | Self::Large => (8, 96),
            Self::Few => (60, 400),
            Self::Crowd => (180, 1_150),
        }
    }
}

/// What a line can carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LineCapacity {
    /// Not even touches, reliably.
    Nothing,
    /// Touches and signals.
    Touches,
    /// A few people.
    Few,
    /// Forty people.
    Forty,
}

impl LineCapacity {
    /// As an operator reads it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Nothing => "not enough",
            Self::Touches => "touches only",
            Self::Few => "a few people",
            Self::Forty => "forty people",
        }
    }
}

/// More than this share lost, and a load is not carried.
const LOSS_MAX: f64 = 0.08;
/// Of the small datagrams that all else is timed by.
const CALM_LOSS_MAX: f64 = 0.15;
/// Nor when it makes a queue that is longer than this, in milliseconds.
const QUEUE_DELAY_MAX: f64 = 150.0;
/// Delays are counted in steps, each so much longer than the one before, from the first one's milliseconds on: up to five
/// seconds, and never more than 3 % wrong.
const BUCKET_FIRST_MS: f64 = 0.25;
const BUCKET_GROWTH: f64 = 1.03;
const BUCKETS: usize = 336;

/// How often each delay was seen.
#[derive(Debug, Clone)]
struct DelayHistogram(Vec<u32>);

impl Default for DelayHistogram {
    fn default() -> Self {
        Self(vec![0; BUCKETS])
    }
}

impl DelayHistogram {
    fn record(&mut self, ms: f64) {
        let step = (1.0 + ms.max(0.0) / BUCKET_FIRST_MS).ln() / BUCKET_GROWTH.ln();
        self.0[(step as usize).min(BUCKETS - 1)] += 1;
    }

    /// What so many of a hundred stayed within, in milliseconds.
    fn percentile(&self, percent: u32) -> Option<f64> {
        let all: u64 = self.0.iter().map(|count| u64::from(*count)).sum();
        let mut left = (all * u64::from(percent)).div_ceil(100).max(1);
        let step = self.0.iter().position(|count| {
            let found = left <= u64::from(*count);
            left = left.saturating_sub(u64::from(*count));
            found
        })?;
        Some(BUCKET_FIRST_MS * (BUCKET_GROWTH.powf(step as f64 + 0.5) - 1.0))
    }
}

/// What was seen in a span of time.
#[derive(Debug, Clone, Default)]
pub struct NetcheckSpan {
    /// While nothing but the small datagrams was sent, and under each load.
    delays: [DelayHistogram; ProbeLoad::COUNT],
    /// Sent, come there, and come back, of each load.
    counts: [[u64; 3]; ProbeLoad::COUNT],
    /// Times of more than a second without an answer.
    pub gaps: u32,
    /// The longest of them.
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
        for (sum, one) in self.delays.iter_mut().zip(&other.delays) {
            sum.0.iter_mut().zip(&one.0).for_each(|(sum, one)| *sum += one);
        }
        for load in ProbeLoad::ALL {
            self.record_counts(load, other.counts[load as usize]);
        }
        self.gaps += other.gaps;
        self.longest_gap = self.longest_gap.max(other.longest_gap);
    }

    /// Round trips in milliseconds that so many of a hundred stayed within, while nothing else was sent.
    pub fn round_trip(&self, percent: u32) -> Option<f64> {
        self.delays[ProbeLoad::Calm as usize].percentile(percent)
    }

    /// How much longer round trips are under this load, in milliseconds: its queue.
    pub fn queue_delay(&self, under: ProbeLoad) -> Option<f64> {
        Some((self.delays[under as usize].percentile(90)? - self.round_trip(50)?).max(0.0))
    }

    /// What share of a load was lost on the way there and back, 0 to 1.
    pub fn loss(&self, of: ProbeLoad) -> Option<[f64; 2]> {
        let [sent, there, back] = self.counts[of as usize];
        let lost = |whole: u64, part: u64| (whole.saturating_sub(part) as f64 / whole.max(1) as f64).clamp(0.0, 1.0);
        (sent > 0).then(|| [lost(sent, there), lost(there.min(sent), back)])
    }

    fn carries(&self, load: ProbeLoad) -> Option<bool> {
        let [there, back] = self.loss(load)?;
        Some(there < LOSS_MAX && back < LOSS_MAX && self.queue_delay(load).is_some_and(|queue| queue < QUEUE_DELAY_MAX))
    }

    /// What the line could carry; none when nothing came back.
    pub fn capacity(&self) -> Option<LineCapacity> {
        let [there, back] = self.loss(ProbeLoad::Calm)?;
        self.round_trip(50)?;
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
