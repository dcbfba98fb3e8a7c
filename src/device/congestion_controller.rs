//! Congestion controller: a minimum window for a live link, and a circuit breaker for a congested path.
//!
//! The link sends at a bounded rate (at most `RATE_BUDGET`), so a loss is noise and not a reason to stop sending.
//! CUBIC, designed for bulk transfers, halves its window at each loss and never grows it back while the sender has
//! little to send; datagrams then wait for hundreds of milliseconds. Here the window is budget × round trip. It is cut
//! only if the path shows that it cannot carry the budget: by heavy loss, or by a standing queue.

use quinn::congestion::{Controller, ControllerFactory};
use quinn_proto::RttEstimator;
use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Bytes per second that a link may send: forty bodies at 60 ticks, including events.
const RATE_BUDGET: u64 = 250_000;
/// Smallest window: a few ticks' worth.
const WINDOW_MIN: u64 = 8 * 1_200;
/// Smallest window on a short path.
///
/// It also keeps the pacer, which refills by one window per round trip, from limiting the rate.
const WINDOW_FLOOR: u64 = 64 * 1_200;
/// Interval over which the path is evaluated.
const INTERVAL: Duration = Duration::from_secs(1);
/// Share of bytes lost in an interval above which the path is congested.
const LOSS_CONGESTED: f64 = 0.20;
/// Delay above the shortest round trip, for a whole interval, above which there is a standing queue.
const QUEUE_CONGESTED: Duration = Duration::from_millis(200);
/// Number of intervals after which the shortest round trip is measured again.
const MIN_RTT_INTERVALS: u32 = 30;
/// Most calm intervals required before a step up.
const CALM_NEEDED_MAX: u32 = 64;
/// Divisors of the breaker's levels: 60, 30, 15 and 8 ticks' worth.
const LEVEL_DIVISORS: [u64; 4] = [1, 2, 4, 8];

/// Factory that creates a controller for each path.
#[derive(Debug, Default)]
pub struct LinkControllerFactory;

impl ControllerFactory for LinkControllerFactory {
    fn build(self: Arc<Self>, now: Instant, _mtu: u16) -> Box<dyn Controller> {
        Box::new(LinkController::new(now))
    }
}

#[derive(Debug, Clone)]
struct LinkController {
    rtt: Duration,
    min_rtt: Option<Duration>,
    level: usize,
    interval_start: Instant,
    acked: u64,
    lost: u64,
    intervals: u32,
    /// True if every round trip of this interval was long.
    queued: bool,
    /// Calm intervals so far. The number required for a step up is next to it; it grows each time that a step up
    /// failed.
    calm_intervals: u32,
    calm_needed: u32,
    /// True if the last step was one up.
    probing: bool,
}

impl LinkController {
    fn new(now: Instant) -> Self {
        let round_trip = Duration::from_millis(100);
        Self {
            rtt: round_trip,
            min_rtt: None,
            level: 0,
            interval_start: now,
            acked: 0,
            lost: 0,
            intervals: 0,
            queued: true,
            calm_intervals: 0,
            calm_needed: 1,
            probing: false,
        }
    }

    fn record_ack(&mut self, now: Instant, sent: Instant, bytes: u64, round_trip: Duration) {
        let latest = now.saturating_duration_since(sent);
        let shortest = self.min_rtt.map_or(latest, |shortest| shortest.min(latest));
        self.min_rtt = Some(shortest);
        self.rtt = round_trip;
        self.acked += bytes;
        self.queued &= latest > shortest + QUEUE_CONGESTED;
        self.evaluate(now);
    }

    /// Ends an interval: one step down if the path is congested, one step up if it was calm.
    fn evaluate(&mut self, now: Instant) {
        if now.saturating_duration_since(self.interval_start) < INTERVAL {
            return;
        }
        let sent = self.acked + self.lost;
        let full = sent > 0 && (self.lost as f64 / sent as f64 > LOSS_CONGESTED || (self.queued && self.acked > 0));
        self.adjust_level(full);
        (self.interval_start, self.acked, self.lost, self.queued) = (now, 0, 0, true);
        // A path that has become permanently longer is not a queue, so the shortest round trip is discarded
        // periodically.
        self.intervals += 1;
        if self.intervals.is_multiple_of(MIN_RTT_INTERVALS) {
            self.min_rtt = None;
        }
    }
}

impl LinkController {
    fn adjust_level(&mut self, full: bool) {
        if full {
            if std::mem::take(&mut self.probing) {
                self.calm_needed = (self.calm_needed * 2).min(CALM_NEEDED_MAX);
            }
            (self.level, self.calm_intervals) = ((self.level + 1).min(LEVEL_DIVISORS.len() - 1), 0);
            return;
        }
        self.calm_intervals += 1;
        if self.level > 0 && self.calm_intervals >= self.calm_needed {
            (self.level, self.calm_intervals, self.probing) = (self.level - 1, 0, true);
        }
        // The path has been good for long, so the next failure is evaluated afresh.
        if self.level == 0 && self.calm_intervals > CALM_NEEDED_MAX {
            (self.calm_needed, self.probing) = (1, false);
        }
    }
}

/// Returns the breaker's level, 0 to 3: the number of halvings of the rate.
pub fn breaker_level(controller: Box<dyn Controller>) -> u8 {
    controller.into_any().downcast::<LinkController>().map_or(0, |floor| floor.level as u8)
}

impl Controller for LinkController {
    fn on_ack(&mut self, now: Instant, sent: Instant, bytes: u64, _app_limited: bool, rtt: &RttEstimator) {
        self.record_ack(now, sent, bytes, rtt.get());
    }

    fn on_congestion_event(&mut self, now: Instant, _sent: Instant, _persistent: bool, lost_bytes: u64) {
        self.lost += lost_bytes;
        self.evaluate(now);
    }

    fn on_mtu_update(&mut self, _mtu: u16) {}

    fn window(&self) -> u64 {
        // Data in flight waits for an acknowledgement that may be 25 ms late.
        let flight = self.rtt + Duration::from_millis(50);
        let floor = ((RATE_BUDGET as f64 * flight.as_secs_f64()) as u64).clamp(WINDOW_FLOOR, 4 * WINDOW_FLOOR);
        (floor / LEVEL_DIVISORS[self.level]).max(WINDOW_MIN)
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(self.clone())
    }

    fn initial_window(&self) -> u64 {
        WINDOW_FLOOR
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUND_TRIP: Duration = Duration::from_millis(100);

    #[test]
    fn five_percent_of_loss_takes_nothing_away() {
        let start = Instant::now();
        let mut floor = LinkController::new(start);
        let before = floor.window();
        for i in 0..2_000_u64 {
            let now = start + Duration::from_millis(10 * i);
            if i % 20 == 0 {
                floor.on_congestion_event(now, now, false, 120);
            } else {
                floor.record_ack(now, now, 120, ROUND_TRIP);
            }
        }
        assert!(floor.window() >= before, "{} of {before}", floor.window());
    }

    #[test]
    fn a_full_path_is_left_alone_step_by_step_and_taken_again() {
        let start = Instant::now();
        let mut floor = LinkController::new(start);
        let mut now = start;
        let full = floor.window();
        for _ in 0..500 {
            now += Duration::from_millis(10);
            floor.on_congestion_event(now, now, false, 600);
            floor.record_ack(now, now, 600, ROUND_TRIP);
        }
        assert!(floor.window() <= full / 8 + 1, "{} of {full}", floor.window());
        for _ in 0..500 {
            now += Duration::from_millis(10);
            floor.record_ack(now, now, 600, ROUND_TRIP);
        }
        assert_eq!(floor.window(), full);
    }

    #[test]
    fn a_queue_that_stands_is_noticed() {
        let start = Instant::now();
        let mut floor = LinkController::new(start);
        floor.record_ack(start, start, 100, ROUND_TRIP);
        let full = floor.window();
        for i in 1..400 {
            let now = start + Duration::from_millis(10 * i);
            floor.record_ack(now, now - Duration::from_millis(500).min(now - start), 100, ROUND_TRIP);
        }
        assert!(floor.window() < full);
    }
}
