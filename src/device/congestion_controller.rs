//! Our congestion controller: a floor for what a live link has declared, and a circuit breaker for a path that is full.
//!
//! The link sends a bounded rate (at most `BUDGET`), so a loss is noise and no reason to stop speaking. CUBIC, made
//! for bulk, halves its window at each loss and never grows it back while the sender has little to say; datagrams
//! then wait for hundreds of milliseconds. Here the window is budget × round trip, and it is cut only when the path
//! shows that it cannot carry the budget: heavy loss, or a queue that stands.

use quinn::congestion::{Controller, ControllerFactory};
use quinn_proto::RttEstimator;
use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Bytes a second that a link declares: forty bodies at 60 ticks, events and all.
const RATE_BUDGET: u64 = 250_000;
/// Never less than this: a few ticks' worth.
const WINDOW_MIN: u64 = 8 * 1_200;
/// The floor on a short path; it also keeps the pacer (which refills by window a round trip) out of the way.
const WINDOW_FLOOR: u64 = 64 * 1_200;
/// The path is judged over spans of this length.
const INTERVAL: Duration = Duration::from_secs(1);
/// More than this share of bytes lost in a span: the path is full.
const LOSS_CONGESTED: f64 = 0.20;
/// More than this on top of the shortest round trip for a whole span: a queue stands.
const QUEUE_CONGESTED: Duration = Duration::from_millis(200);
/// Spans after which the shortest round trip is measured anew.
const MIN_RTT_INTERVALS: u32 = 30;
/// Calm spans that are waited for at most before a step up.
const CALM_NEEDED_MAX: u32 = 64;
/// The breaker's steps: 60, 30, 15 and 8 ticks' worth.
const LEVEL_DIVISORS: [u64; 4] = [1, 2, 4, 8];

/// Makes a controller for each path.
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
    /// Every round trip of this span was long.
    queued: bool,
    /// Calm spans so far, and how many it takes to try a step up again; more each time that this was too much.
    calm_intervals: u32,
    calm_needed: u32,
    /// The last step was one up.
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

    /// At the end of a span: a step down when the path is full, a step up when it was calm.
    fn evaluate(&mut self, now: Instant) {
        if now.saturating_duration_since(self.interval_start) < INTERVAL {
            return;
        }
        let sent = self.acked + self.lost;
        let full = sent > 0 && (self.lost as f64 / sent as f64 > LOSS_CONGESTED || (self.queued && self.acked > 0));
        self.adjust_level(full);
        (self.interval_start, self.acked, self.lost, self.queued) = (now, 0, 0, true);
        // A path that has become longer for good is no queue: what was shortest is forgotten now and then.
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
        // It has been well for long: what is too much once more is judged afresh.
        if self.level == 0 && self.calm_intervals > CALM_NEEDED_MAX {
            (self.calm_needed, self.probing) = (1, false);
        }
    }
}

/// Where the breaker stands, 0 to 3: so many halvings of what is said.
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
        // What is in flight waits for an acknowledgement that may be 25 ms late.
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
