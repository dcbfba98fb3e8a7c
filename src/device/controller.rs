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
const BUDGET: u64 = 250_000;
/// Never less than this: a few ticks' worth.
const WINDOW_MIN: u64 = 8 * 1_200;
/// The floor on a short path; it also keeps the pacer (which refills by window a round trip) out of the way.
const FLOOR_MIN: u64 = 64 * 1_200;
/// The path is judged over spans of this length.
const SPAN: Duration = Duration::from_secs(1);
/// More than this share of bytes lost in a span: the path is full.
const LOSS_FULL: f64 = 0.20;
/// More than this on top of the shortest round trip for a whole span: a queue stands.
const QUEUE_FULL: Duration = Duration::from_millis(200);
/// Spans after which the shortest round trip is measured anew.
const FORGET: u32 = 30;
/// Calm spans that are waited for at most before a step up.
const PATIENCE_MAX: u32 = 64;
/// The breaker's steps: 60, 30, 15 and 8 ticks' worth.
const STEPS: [u64; 4] = [1, 2, 4, 8];

/// Makes a controller for each path.
#[derive(Debug, Default)]
pub struct LinkFloor;

impl ControllerFactory for LinkFloor {
    fn build(self: Arc<Self>, now: Instant, _mtu: u16) -> Box<dyn Controller> {
        Box::new(Floor::new(now))
    }
}

#[derive(Debug, Clone)]
struct Floor {
    round_trip: Duration,
    shortest: Option<Duration>,
    step: usize,
    span: Instant,
    acked: u64,
    lost: u64,
    spans: u32,
    /// Every round trip of this span was long.
    queued: bool,
    /// Calm spans so far, and how many it takes to try a step up again; more each time that this was too much.
    calm: u32,
    patience: u32,
    /// The last step was one up.
    tried: bool,
}

impl Floor {
    fn new(now: Instant) -> Self {
        let round_trip = Duration::from_millis(100);
        Self {
            round_trip,
            shortest: None,
            step: 0,
            span: now,
            acked: 0,
            lost: 0,
            spans: 0,
            queued: true,
            calm: 0,
            patience: 1,
            tried: false,
        }
    }

    fn acked(&mut self, now: Instant, sent: Instant, bytes: u64, round_trip: Duration) {
        let latest = now.saturating_duration_since(sent);
        let shortest = self.shortest.map_or(latest, |shortest| shortest.min(latest));
        self.shortest = Some(shortest);
        self.round_trip = round_trip;
        self.acked += bytes;
        self.queued &= latest > shortest + QUEUE_FULL;
        self.judge(now);
    }

    /// At the end of a span: a step down when the path is full, a step up when it was calm.
    fn judge(&mut self, now: Instant) {
        if now.saturating_duration_since(self.span) < SPAN {
            return;
        }
        let sent = self.acked + self.lost;
        let full = sent > 0 && (self.lost as f64 / sent as f64 > LOSS_FULL || (self.queued && self.acked > 0));
        self.take_step(full);
        (self.span, self.acked, self.lost, self.queued) = (now, 0, 0, true);
        // A path that has become longer for good is no queue: what was shortest is forgotten now and then.
        self.spans += 1;
        if self.spans.is_multiple_of(FORGET) {
            self.shortest = None;
        }
    }
}

impl Floor {
    fn take_step(&mut self, full: bool) {
        if full {
            if std::mem::take(&mut self.tried) {
                self.patience = (self.patience * 2).min(PATIENCE_MAX);
            }
            (self.step, self.calm) = ((self.step + 1).min(STEPS.len() - 1), 0);
            return;
        }
        self.calm += 1;
        if self.step > 0 && self.calm >= self.patience {
            (self.step, self.calm, self.tried) = (self.step - 1, 0, true);
        }
        // It has been well for long: what is too much once more is judged afresh.
        if self.step == 0 && self.calm > PATIENCE_MAX {
            (self.patience, self.tried) = (1, false);
        }
    }
}

/// Where the breaker stands, 0 to 3: so many halvings of what is said.
pub fn breaker(controller: Box<dyn Controller>) -> u8 {
    controller.into_any().downcast::<Floor>().map_or(0, |floor| floor.step as u8)
}

impl Controller for Floor {
    fn on_ack(&mut self, now: Instant, sent: Instant, bytes: u64, _app_limited: bool, rtt: &RttEstimator) {
        self.acked(now, sent, bytes, rtt.get());
    }

    fn on_congestion_event(&mut self, now: Instant, _sent: Instant, _persistent: bool, lost_bytes: u64) {
        self.lost += lost_bytes;
        self.judge(now);
    }

    fn on_mtu_update(&mut self, _mtu: u16) {}

    fn window(&self) -> u64 {
        // What is in flight waits for an acknowledgement that may be 25 ms late.
        let flight = self.round_trip + Duration::from_millis(50);
        let floor = ((BUDGET as f64 * flight.as_secs_f64()) as u64).clamp(FLOOR_MIN, 4 * FLOOR_MIN);
        (floor / STEPS[self.step]).max(WINDOW_MIN)
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(self.clone())
    }

    fn initial_window(&self) -> u64 {
        FLOOR_MIN
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
        let mut floor = Floor::new(start);
        let before = floor.window();
        for i in 0..2_000_u64 {
            let now = start + Duration::from_millis(10 * i);
            if i % 20 == 0 {
                floor.on_congestion_event(now, now, false, 120);
            } else {
                floor.acked(now, now, 120, ROUND_TRIP);
            }
        }
        assert!(floor.window() >= before, "{} of {before}", floor.window());
    }

    #[test]
    fn a_full_path_is_left_alone_step_by_step_and_taken_again() {
        let start = Instant::now();
        let mut floor = Floor::new(start);
        let mut now = start;
        let full = floor.window();
        for _ in 0..500 {
            now += Duration::from_millis(10);
            floor.on_congestion_event(now, now, false, 600);
            floor.acked(now, now, 600, ROUND_TRIP);
        }
        assert!(floor.window() <= full / 8 + 1, "{} of {full}", floor.window());
        for _ in 0..500 {
            now += Duration::from_millis(10);
            floor.acked(now, now, 600, ROUND_TRIP);
        }
        assert_eq!(floor.window(), full);
    }

    #[test]
    fn a_queue_that_stands_is_noticed() {
        let start = Instant::now();
        let mut floor = Floor::new(start);
        floor.acked(start, start, 100, ROUND_TRIP);
        let full = floor.window();
        for i in 1..400 {
            let now = start + Duration::from_millis(10 * i);
            floor.acked(now, now - Duration::from_millis(500).min(now - start), 100, ROUND_TRIP);
        }
        assert!(floor.window() < full);
    }
}
