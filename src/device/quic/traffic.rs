//! What goes through the link's connections: bytes, and how much of it is lost.

use quinn::Connection;
use std::collections::VecDeque;
use std::time::Duration;

/// Loss is looked at over so many spans.
const SPANS: usize = 10;
const SPAN: Duration = Duration::from_secs(1);
/// Of fewer packets nothing can be said.
const ENOUGH: u64 = 50;

/// Counts of QUIC, of one connection or of all that there were.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub sent_bytes: u64,
    pub received_bytes: u64,
    /// That have left.
    pub datagrams: u64,
    sent: u64,
    lost: u64,
}

impl Counts {
    pub fn of(connection: &Connection) -> Self {
        let stats = connection.stats();
        Self {
            sent_bytes: stats.udp_tx.bytes,
            received_bytes: stats.udp_rx.bytes,
            datagrams: stats.udp_tx.datagrams,
            sent: stats.path.sent_packets,
            lost: stats.path.lost_packets,
        }
    }

    pub fn plus(self, other: Self) -> Self {
        Self {
            sent_bytes: self.sent_bytes + other.sent_bytes,
            received_bytes: self.received_bytes + other.received_bytes,
            datagrams: self.datagrams + other.datagrams,
            sent: self.sent + other.sent,
            lost: self.lost + other.lost,
        }
    }
}

/// All traffic since the start.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    /// Of connections that are over.
    pub closed: Counts,
    /// Counts at the beginning of each of the last spans.
    spans: VecDeque<Counts>,
    next: Duration,
}

impl Traffic {
    /// The share of packets that were lost of late, 0 to 1, given all counts as they are now.
    pub fn loss(&mut self, now: Duration, all: Counts) -> f64 {
        if now >= self.next {
            self.next = now + SPAN;
            if self.spans.len() == SPANS {
                self.spans.pop_front();
            }
            self.spans.push_back(all);
        }
        let Some(first) = self.spans.front() else { return 0.0 };
        let (sent, lost) = (all.sent.saturating_sub(first.sent), all.lost.saturating_sub(first.lost));
        if sent < ENOUGH { 0.0 } else { (lost as f64 / sent as f64).min(1.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loss_is_of_the_last_ten_seconds() {
        let mut traffic = Traffic::default();
        let all = |sent, lost| Counts { sent, lost, ..Counts::default() };
        let second = Duration::from_secs;
        assert_eq!(traffic.loss(second(0), all(0, 0)), 0.0);
        assert_eq!(traffic.loss(second(1), all(100, 10)), 0.1);
        // A connection that moved counts anew, and is no negative number.
        assert_eq!(traffic.loss(second(2), all(100, 5)), 0.05);
        (3..20).for_each(|at| drop(traffic.loss(second(at), all(100 + at * 20, 10)).to_string()));
        assert_eq!(traffic.loss(second(20), all(500, 10)), 0.0);
    }
}
