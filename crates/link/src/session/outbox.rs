//! Events on their way to the twin: numbered once, repeated until acknowledged.

use crate::frame::{EventEnvelope, SiteEvent};
use std::collections::VecDeque;
use std::time::Duration;

/// Maximum number of events that wait for an acknowledgement; beyond it the twin is disconnected.
pub(super) const PENDING_MAX: usize = 1_024;
/// Number of events in flight: as many as an acknowledgement can name.
const WINDOW: usize = 64;
/// Time that an event is kept while there is no link.
const UNLINKED_TTL: Duration = Duration::from_secs(10);
/// Times at which an event is sent, counted from when it was made; then each tick.
const RESEND_AFTER: [Duration; 3] = [Duration::ZERO, Duration::from_millis(5), Duration::from_millis(12)];
const TICK: Duration = Duration::from_micros(16_667);
/// Age from which an event is repeated rarely: the path is gone, and a flood would not bring it back.
const SLOW_AFTER: Duration = Duration::from_secs(2);
const SLOW_INTERVAL: Duration = Duration::from_millis(250);

#[derive(Debug)]
struct PendingEvent {
    envelope: EventEnvelope,
    sent: u32,
    due: Duration,
    /// Acknowledged out of order; leaves when all before it have.
    acknowledged: bool,
}

/// Events that the twin has not acknowledged yet, in order.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    next: u64,
    pending: VecDeque<PendingEvent>,
    /// Events given up since the start.
    pub lost: u64,
}

impl Outbox {
    /// Queues an event and returns its number; none if too many wait.
    pub fn push(&mut self, now: Duration, what: SiteEvent) -> Option<u64> {
        if self.pending.len() >= PENDING_MAX {
            return None;
        }
        let number = self.next;
        self.next += 1;
        let event = EventEnvelope { number, made: now, event: what };
        self.pending.push_back(PendingEvent { envelope: event, sent: 0, due: now, acknowledged: false });
        Some(number)
    }

    /// Returns the number below which no event will be sent again.
    pub fn oldest(&self) -> u64 {
        self.pending.front().map_or(self.next, |w| w.envelope.number)
    }

    /// Returns true if the twin has received the event of this number and all before it.
    pub fn is_acknowledged(&self, number: u64) -> bool {
        self.oldest() > number
    }

    pub fn len(&self) -> usize {
        self.pending.len()
    }

    /// Returns the earliest time at which an event is due.
    pub fn due(&self) -> Option<Duration> {
        self.pending.iter().take(WINDOW).filter(|w| !w.acknowledged).map(|w| w.due).min()
    }

    /// Returns the events due at `now` as long as they fit, and plans their next repetition.
    pub fn take_due(&mut self, now: Duration, mut fits: impl FnMut(&EventEnvelope) -> bool) -> Vec<EventEnvelope> {
        let mut out = Vec::new();
        for waiting in self.pending.iter_mut().take(WINDOW).filter(|w| !w.acknowledged && w.due <= now) {
            if !fits(&waiting.envelope) {
                break;
            }
            waiting.sent += 1;
            let planned = RESEND_AFTER.get(waiting.sent as usize).map(|after| waiting.envelope.made + *after);
            let pause = if now.saturating_sub(waiting.envelope.made) > SLOW_AFTER { SLOW_INTERVAL } else { TICK };
            // Not sooner than 2 ms from now: repetitions that fell due while nothing could be sent count as one.
            waiting.due = planned.filter(|at| *at > now).unwrap_or(now + pause).max(now + Duration::from_millis(2));
            out.push(waiting.envelope.clone());
        }
        out
    }

    /// Handles an acknowledgement of all events below `next` and of those after it whose bit is set. Others are ignored.
    pub fn acknowledge(&mut self, next: u64, later: u64) {
        for waiting in &mut self.pending {
            let number = waiting.envelope.number;
            let bit = number.checked_sub(next).filter(|bit| *bit < 64);
            if number < next || bit.is_some_and(|bit| later >> bit & 1 == 1) {
                waiting.acknowledged = true;
            }
        }
        while self.pending.front().is_some_and(|w| w.acknowledged) {
            self.pending.pop_front();
        }
    }

    /// Drops events older than [`UNLINKED_TTL`]; for the time without a link.
    pub fn drop_expired(&mut self, now: Duration) {
        while self.pending.front().is_some_and(|w| w.acknowledged || now.saturating_sub(w.envelope.made) > UNLINKED_TTL)
        {
            let gone = self.pending.pop_front();
            self.lost += u64::from(gone.is_some_and(|w| !w.acknowledged));
        }
    }

    /// Empties the events that may not be sent any more. Their numbers stay, so that the twin does not wait for them.
    pub fn redact(&mut self, lets: impl Fn(&SiteEvent) -> bool) {
        for waiting in self.pending.iter_mut().filter(|waiting| !lets(&waiting.envelope.event)) {
            waiting.envelope.event = SiteEvent::Unknown;
        }
    }

    /// Drops all events.
    pub fn clear(&mut self) {
        self.lost += self.pending.iter().filter(|w| !w.acknowledged).count() as u64;
        self.pending.clear();
    }

    /// Makes all events due: the path or the twin is new.
    pub fn resend_all(&mut self, now: Duration) {
        for waiting in &mut self.pending {
            waiting.due = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_sent_at_once_after_5_after_12_and_then_each_tick() {
        let mut outbox = Outbox::default();
        outbox.push(Duration::ZERO, SiteEvent::Unknown);
        let mut sent = Vec::new();
        for step in 0..60_000 {
            let now = Duration::from_micros(step);
            if !outbox.take_due(now, |_| true).is_empty() {
                sent.push(step);
            }
        }
        assert_eq!(sent, [0, 5_000, 12_000, 28_667, 45_334]);
        outbox.acknowledge(1, 0);
        assert_eq!(outbox.due(), None);
    }

    #[test]
    fn acknowledged_out_of_order_they_leave_in_order() {
        let mut outbox = Outbox::default();
        for _ in 0..3 {
            outbox.push(Duration::ZERO, SiteEvent::Unknown);
        }
        outbox.acknowledge(0, 0b100);
        assert_eq!((outbox.oldest(), outbox.len()), (0, 3));
        outbox.acknowledge(2, 0b1);
        assert_eq!((outbox.oldest(), outbox.len()), (3, 0));
        outbox.acknowledge(u64::MAX, u64::MAX);
        assert_eq!(outbox.push(Duration::ZERO, SiteEvent::Unknown), Some(3));
    }

    #[test]
    fn too_many_are_refused() {
        let mut outbox = Outbox::default();
        for _ in 0..PENDING_MAX {
            assert!(outbox.push(Duration::ZERO, SiteEvent::Unknown).is_some());
        }
        assert_eq!(outbox.push(Duration::ZERO, SiteEvent::Unknown), None);
    }
}
