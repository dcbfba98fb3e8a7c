//! Estimate of the twin's monotonic clock, from the fastest of the four-timestamp exchanges (RFC 5905, §8).

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::time::Duration;

/// Exchanges used for the estimate: half a minute's.
const WINDOW: usize = 64;
/// Minimum number of exchanges for a jitter.
const JITTER_SAMPLES_MIN: usize = 8;
/// Maximum number of remembered exchanges that may have overtaken all others.
const OUTLIERS_MAX: usize = 8;
/// Maximum drift between two quartz clocks, as a fraction of time.
const DRIFT_MAX: f64 = 100e-6;

/// One exchange: the apparent delay of each direction, by two independent clocks, in seconds.
#[derive(Debug, Clone, Copy)]
struct ClockSample {
    at: Duration,
    outbound: f64,
    inbound: f64,
}

/// Reading of the twin's clock.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ClockReading {
    /// Twin's monotonic clock minus ours, in seconds.
    pub offset: f64,
    /// Maximum error of the offset, in seconds: at most half the shortest round trip, plus the drift since then.
    pub error: f64,
    /// Shortest recent round trip, in seconds.
    pub round_trip: f64,
}

/// Tracks the twin's clock.
///
/// One-way delays are never negative, so every exchange bounds the clock offset from both sides. The apparent
/// outbound delay is at least the offset, and the apparent inbound delay is at least minus the offset. The smallest
/// delay in each direction, from whichever exchange, gives the tightest bound.
#[derive(Debug, Default)]
pub(super) struct PeerClock {
    samples: VecDeque<ClockSample>,
    /// Shortest delay of each direction and the time of that estimate; cached, since it is read many times per
    /// exchange.
    best: Option<ClockSample>,
    /// Shortest round trip among them, in seconds.
    round_trip_min: f64,
}

impl PeerClock {
    /// Records an exchange: sent at `t0`, received there at `t1`, answered there at `t2` (their clock), received back
    /// at `t3`. Impossible times are ignored. Returns true if the exchange was recorded.
    pub fn record(&mut self, t0: Duration, t1: Duration, t2: Duration, t3: Duration) -> bool {
        let [t0s, t1s, t2s, t3s] = [t0, t1, t2, t3].map(|t| t.as_secs_f64());
        let round_trip = (t3s - t0s) - (t2s - t1s);
        if t3 < t0 || t2 < t1 || !(0.0..=60.0).contains(&round_trip) {
            return false;
        }
        if self.samples.len() == WINDOW {
            self.samples.pop_front();
        }
        self.samples.push_back(ClockSample { at: t3, outbound: t1s - t0s, inbound: t3s - t2s });
        self.update_best(t3);
        if self.reading(t3).is_some_and(|reading| reading.error < 0.0) {
            // No clock drifts this far, so one of the machines has slept.
            self.samples.drain(..self.samples.len() - 1);
            self.update_best(t3);
        }
        true
    }

    /// Finds the shortest delays. Possible drift since an exchange counts as delay.
    fn update_best(&mut self, now: Duration) {
        let none = ClockSample { at: now, outbound: f64::INFINITY, inbound: f64::INFINITY };
        self.round_trip_min = f64::INFINITY;
        self.best = Some(self.samples.iter().fold(none, |shortest, e| {
            let drift = now.saturating_sub(e.at).as_secs_f64() * DRIFT_MAX;
            self.round_trip_min = self.round_trip_min.min(e.outbound + e.inbound);
            ClockSample {
                outbound: shortest.outbound.min(e.outbound + drift),
                inbound: shortest.inbound.min(e.inbound + drift),
                ..shortest
            }
        }));
    }

    /// Returns the mean excess of round trips over the shortest, in seconds; none until enough are known.
    pub fn jitter(&self) -> Option<f64> {
        let round_trips = self.samples.iter().map(|e| e.outbound + e.inbound);
        let shortest = round_trips.clone().fold(f64::INFINITY, f64::min);
        let count = self.samples.len();
        (count >= JITTER_SAMPLES_MIN).then(|| round_trips.sum::<f64>() / count as f64 - shortest)
    }

    /// Returns the offset for events that both sites show at the same instant. It follows the shortest delays, except
    /// for the few exchanges that have overtaken all others. None while it could be wrong by more than `most`
    /// seconds: then many datagrams of one direction were much faster than others, and it is unknown whether a queue
    /// stands there.
    pub fn stable_offset(&self, most: f64) -> Option<f64> {
        if self.samples.len() < JITTER_SAMPLES_MIN {
            return None;
        }
        let way = |way: fn(&ClockSample) -> f64| {
            let mut all: Vec<f64> = self.samples.iter().map(way).collect();
            all.sort_by(f64::total_cmp);
            let usual = all[all.len() / 4];
            let few = all.partition_point(|one| *one < (all[0] + usual) / 2.0);
            let overtaken = usual - all[0] > most && few <= OUTLIERS_MAX.min(all.len() / 4);
            let shortest = if overtaken { all[few] } else { all[0] };
            (shortest, usual - shortest)
        };
        let ((there, above_there), (back, above_back)) = (way(|e| e.outbound), way(|e| e.inbound));
        ((above_there - above_back).abs() / 2.0 <= most).then_some((there - back) / 2.0)
    }

    /// Returns [`Self::jitter`] once the window is full. With steady round trips, few exchanges are as good as many.
    pub fn settled_jitter(&self) -> Option<f64> {
        self.jitter().filter(|_| self.samples.len() == WINDOW)
    }

    pub fn reading(&self, now: Duration) -> Option<ClockReading> {
        let ClockSample { at, outbound: there, inbound: back } = self.best?;
        // Both directions age alike, so that the shortest stay the shortest.
        let drift = now.saturating_sub(at).as_secs_f64() * DRIFT_MAX;
        Some(ClockReading {
            offset: (there - back) / 2.0,
            error: (there + back) / 2.0 + drift,
            round_trip: self.round_trip_min,
        })
    }

    /// Returns the latest round trip, in seconds.
    pub fn latest_round_trip(&self) -> Option<f64> {
        self.samples.back().map(|e| e.outbound + e.inbound)
    }

    /// Converts a time of the twin's clock to ours; unchanged while the offset is unknown.
    pub fn to_local(&self, now: Duration, there: Duration) -> Duration {
        let offset = self.reading(now).map_or(0.0, |r| r.offset);
        // No event is older than the machine's start or newer than its arrival.
        Duration::try_from_secs_f64(there.as_secs_f64() - offset).unwrap_or_default().min(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netem::PathProfile;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_stated_error_is_true(seed: u64, offset in -1e6_f64..1e6, jitter in 0_u64..40, drift in -50e-6_f64..50e-6) {
            let origin = 2e6;
            let there = |here: f64| Duration::from_secs_f64(origin + offset + here * (1.0 + drift));
            let path = PathProfile { one_way: Duration::from_millis(50), jitter: Duration::from_millis(jitter), ..PathProfile::default() };
            let mut random = fastrand::Rng::with_seed(seed);
            let mut clock = PeerClock::default();
            for i in 0..40 {
                let t0 = f64::from(i);
                let t1 = t0 + path.delay(&mut random).as_secs_f64();
                let t3 = t1 + path.delay(&mut random).as_secs_f64();
                let here = |t: f64| Duration::from_secs_f64(origin + t);
                clock.record(here(t0), there(t1), there(t1), here(t3));
                let reading = clock.reading(here(t3)).expect("an exchange was taken");
                let wrong = (reading.offset - (there(t3).as_secs_f64() - here(t3).as_secs_f64())).abs();
                prop_assert!(wrong <= reading.error + 1e-5, "{wrong} is more than {}", reading.error);
                prop_assert!(reading.error <= reading.round_trip / 2.0 + 40.0 * DRIFT_MAX);
            }
        }
    }

    #[test]
    fn a_machine_that_has_slept_is_noticed_at_once() {
        let ms = Duration::from_millis;
        let mut clock = PeerClock::default();
        let mut exchange = |at: u64, ahead: u64| {
            clock.record(ms(at), ms(at + ahead + 20), ms(at + ahead + 20), ms(at + 40));
            clock.reading(ms(at + 40)).expect("an exchange was taken").offset
        };
        for second in 0..10 {
            assert!((exchange(second * 1_000, 70_000) - 70.0).abs() < 0.001);
        }
        assert!((exchange(11_000, 9_000) - 9.0).abs() < 0.001);
    }

    #[test]
    fn jitter_of_40_ms_leaves_less_than_5() {
        for seed in 0..200 {
            let path = PathProfile {
                one_way: Duration::from_millis(50),
                jitter: Duration::from_millis(40),
                ..PathProfile::default()
            };
            let mut random = fastrand::Rng::with_seed(seed);
            let mut clock = PeerClock::default();
            for i in 0..WINDOW {
                let t0 = i as f64 / 4.0;
                let t1 = t0 + path.delay(&mut random).as_secs_f64();
                let t3 = t1 + path.delay(&mut random).as_secs_f64();
                let [t0, t1, t3] = [t0, t1, t3].map(Duration::from_secs_f64);
                clock.record(t0, t1, t1, t3);
            }
            let wrong = clock.reading(Duration::from_secs(16)).expect("many were taken").offset.abs();
            assert!(wrong < 0.005, "{wrong} with seed {seed}");
        }
    }

    #[test]
    fn times_that_cannot_be_are_ignored() {
        let mut clock = PeerClock::default();
        let s = Duration::from_secs;
        clock.record(s(5), s(1), s(1), s(4));
        clock.record(s(5), s(3), s(1), s(6));
        clock.record(s(0), s(1), s(2), Duration::MAX);
        assert_eq!(clock.reading(s(9)), None);
    }
}
