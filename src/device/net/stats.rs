//! Traffic of the link's connections: bytes and packet loss.

use quinn::Connection;
use std::collections::VecDeque;
use std::time::Duration;

/// Number of windows over which loss is measured.
const WINDOWS: usize = 10;
const WINDOW: Duration = Duration::from_secs(1);
/// Minimum number of packets for a loss rate.
const PACKETS_MIN: u64 = 50;

/// QUIC counters of one connection, or of all connections so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct PacketStats {
    pub sent_bytes: u64,
    pub received_bytes: u64,
    /// Datagrams sent.
    pub datagrams: u64,
    sent_packets: u64,
    lost_packets: u64,
}

impl PacketStats {
    pub fn from_connection(connection: &Connection) -> Self {
        let stats = connection.stats();
        Self {
            sent_bytes: stats.udp_tx.bytes,
            received_bytes: stats.udp_rx.bytes,
            datagrams: stats.udp_tx.datagrams,
            sent_packets: stats.path.sent_packets,
            lost_packets: stats.path.lost_packets,
        }
    }

    pub fn plus(self, other: Self) -> Self {
        Self {
            sent_bytes: self.sent_bytes + other.sent_bytes,
            received_bytes: self.received_bytes + other.received_bytes,
            datagrams: self.datagrams + other.datagrams,
            sent_packets: self.sent_packets + other.sent_packets,
            lost_packets: self.lost_packets + other.lost_packets,
        }
    }
}

/// All traffic since the start.
#[derive(Debug, Default)]
pub(super) struct LinkStats {
    /// Counters of closed connections.
    pub closed: PacketStats,
    /// Counters at the beginning of each of the last windows.
    windows: VecDeque<PacketStats>,
    next_window: Duration,
}

impl LinkStats {
    /// Returns the share of packets lost recently, 0 to 1, given all counters as they are now.
    pub fn recent_loss(&mut self, now: Duration, all: PacketStats) -> f64 {
        if now >= self.next_window {
            self.next_window = now + WINDOW;
            if self.windows.len() == WINDOWS {
                self.windows.pop_front();
            }
            self.windows.push_back(all);
        }
        let Some(first) = self.windows.front() else { return 0.0 };
        let (sent, lost) =
            (all.sent_packets.saturating_sub(first.sent_packets), all.lost_packets.saturating_sub(first.lost_packets));
        if sent < PACKETS_MIN { 0.0 } else { (lost as f64 / sent as f64).min(1.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loss_is_of_the_last_ten_seconds() {
        let mut traffic = LinkStats::default();
        let all = |sent, lost| PacketStats { sent_packets: sent, lost_packets: lost, ..PacketStats::default() };
        let second = Duration::from_secs;
        assert_eq!(traffic.recent_loss(second(0), all(0, 0)), 0.0);
        assert_eq!(traffic.recent_loss(second(1), all(100, 10)), 0.1);
        // A connection that moved restarts its counters; the difference must not underflow.
        assert_eq!(traffic.recent_loss(second(2), all(100, 5)), 0.05);
        (3..20).for_each(|at| drop(traffic.recent_loss(second(at), all(100 + at * 20, 10)).to_string()));
        assert_eq!(traffic.recent_loss(second(20), all(500, 10)), 0.0);
    }
}
