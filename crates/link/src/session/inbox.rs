//! Events from the twin: each is delivered once and in order, even if datagrams are lost, repeated or reordered.

use crate::frame::EventEnvelope;
use std::collections::BTreeMap;
use std::time::Duration;

/// Maximum distance of a held event from the next one to be delivered.
const AHEAD_MAX: u64 = 256;

/// Events that arrived early, and the next number to be delivered.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    /// All numbers below have been delivered; unknown until the first events come.
    next: Option<u64>,
    reordered: BTreeMap<u64, EventEnvelope>,
    /// Delivered events that are not acknowledged before a time.
    withheld: BTreeMap<u64, Duration>,
}

impl Inbox {
    /// Receives events and returns those that can be delivered now. `oldest`: no event below it will be sent again.
    pub fn receive(&mut self, oldest: u64, events: Vec<EventEnvelope>) -> Vec<EventEnvelope> {
        let mut ready = Vec::new();
        let next = self.next.get_or_insert(oldest);
        if oldest > *next {
            // The sender gave these up: held events are delivered, the others are lost.
            let kept = self.reordered.split_off(&oldest);
            ready.extend(std::mem::replace(&mut self.reordered, kept).into_values());
            *next = oldest;
        }
        for event in events {
            // The last number of all is never used; there would not be a next one.
            if event.number >= *next && event.number - *next < AHEAD_MAX && event.number != u64::MAX {
                self.reordered.insert(event.number, event);
            }
        }
        while let Some(event) = self.reordered.remove(next) {
            *next += 1;
            ready.push(event);
        }
        ready
    }

    /// Acknowledges the event of this number, which has been delivered, not before `until`.
    pub fn withhold(&mut self, number: u64, until: Duration) {
        self.withheld.insert(number, until);
    }

    /// Returns the earliest time at which an event may be acknowledged that was withheld.
    pub fn next_withheld(&self) -> Option<Duration> {
        self.withheld.values().min().copied()
    }

    /// Returns the acknowledgement: all events below the number have come, and those after it whose bit is set.
    pub fn ack_state(&mut self, now: Duration) -> Option<(u64, u64)> {
        let next = self.next?;
        self.withheld.retain(|_, until| now < *until);
        let first = self.withheld.keys().next().map_or(next, |number| next.min(*number));
        let delivered = (first..next).filter(|number| !self.withheld.contains_key(number));
        let bits = delivered.chain(self.reordered.keys().copied()).map(|number| number - first);
        Some((first, bits.filter(|bit| *bit < 64).fold(0, |bits, bit| bits | 1 << bit)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::SiteEvent;

    fn event(number: u64) -> EventEnvelope {
        EventEnvelope { number, made: Duration::ZERO, event: SiteEvent::Unknown }
    }

    fn numbers(events: &[EventEnvelope]) -> Vec<u64> {
        events.iter().map(|e| e.number).collect()
    }

    #[test]
    fn late_and_double_events_come_once_and_in_order() {
        let mut inbox = Inbox::default();
        assert_eq!(numbers(&inbox.receive(5, vec![event(6), event(6)])), [] as [u64; 0]);
        assert_eq!(inbox.ack_state(Duration::ZERO), Some((5, 0b10)));
        assert_eq!(numbers(&inbox.receive(5, vec![event(5)])), [5, 6]);
        assert_eq!(numbers(&inbox.receive(5, vec![event(5), event(6), event(7)])), [7]);
        assert_eq!(inbox.ack_state(Duration::ZERO), Some((8, 0)));
    }

    #[test]
    fn what_the_sender_gave_up_is_not_awaited() {
        let mut inbox = Inbox::default();
        inbox.receive(0, vec![event(2)]);
        assert_eq!(numbers(&inbox.receive(4, vec![event(4)])), [2, 4]);
    }

    #[test]
    fn the_last_number_of_all_is_no_panic() {
        let mut inbox = Inbox::default();
        assert!(inbox.receive(u64::MAX, vec![event(u64::MAX)]).is_empty());
        assert!(inbox.receive(u64::MAX - 1, vec![event(u64::MAX - 1)]).is_empty());
    }

    #[test]
    fn a_number_far_ahead_is_not_held() {
        let mut inbox = Inbox::default();
        inbox.receive(0, vec![event(1_000_000)]);
        assert_eq!(inbox.ack_state(Duration::ZERO), Some((0, 0)));
    }

    #[test]
    fn an_event_that_is_withheld_is_the_only_one_that_is_not_acknowledged() {
        let mut inbox = Inbox::default();
        inbox.receive(0, vec![event(0), event(1), event(2), event(4)]);
        inbox.withhold(1, Duration::from_secs(1));
        assert_eq!(inbox.ack_state(Duration::ZERO), Some((1, 0b1010)));
        inbox.withhold(2, Duration::from_secs(2));
        assert_eq!(inbox.ack_state(Duration::ZERO), Some((1, 0b1000)));
        assert_eq!(inbox.ack_state(Duration::from_secs(1)), Some((2, 0b100)));
        assert_eq!(inbox.ack_state(Duration::from_secs(2)), Some((3, 0b10)));
    }
}
