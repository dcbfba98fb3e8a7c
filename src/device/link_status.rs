//! Status of the link, for operators and status lines.

use crate::link::LinkState;
use crate::messages::SessionStatus;
use std::net::SocketAddr;

/// Share of lost packets above which a link is weak.
const WEAK_LOSS: f64 = 0.1;
/// Jitter above which a link is weak, in seconds.
const WEAK_JITTER: f64 = 0.06;
/// Number of waiting events above which a link is weak.
const WEAK_PENDING: usize = 64;

/// Status of the link, as of its last update.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct LinkStatus {
    /// State of the session.
    pub session: SessionStatus,
    /// Side of this site, 0 or 1.
    pub side: u8,
    /// Open connections.
    pub connections: usize,
    /// Connections opened since the start.
    pub opened_total: u64,
    /// Pinned key of the twin, if there is a twin.
    pub twin: Option<[u8; 32]>,
    /// Address at which the twin is heard.
    pub peer_address: Option<SocketAddr>,
    /// True if this site dialled the connection in use.
    pub dialled: bool,
    /// True if the connection in use goes through a relay.
    pub relayed: bool,
    /// UDP bytes sent and received since the start, including handshakes.
    pub bytes: [u64; 2],
    /// UDP datagrams sent since the start.
    pub datagrams: u64,
    /// Share of packets lost recently, 0 to 1.
    pub loss: f64,
    /// True if the twin is reached but refuses this site: its operator has removed it.
    pub refused: bool,
}

impl LinkStatus {
    /// Returns the status of the link in one word, and the reason if it is not good; for operators.
    pub fn summary(&self) -> (&'static str, &'static str) {
        let health = &self.session.health;
        match health.state {
            _ if self.twin.is_none() => ("none", "no twin yet: moongate invite, or moongate accept TICKET"),
            LinkState::Alone if self.refused => ("refused", "the twin has forgotten this site: introduce them again"),
            LinkState::Alone => ("alone", "nothing is heard of the twin"),
            LinkState::Incompatible => ("apart", "the twin shows something that does not go together with this"),
            LinkState::Linked if self.loss > WEAK_LOSS => ("weak", "more than one packet in ten is lost"),
            LinkState::Linked if health.jitter.is_some_and(|jitter| jitter > WEAK_JITTER) => {
                ("weak", "the delay varies by more than 60 ms")
            }
            LinkState::Linked if health.pending > WEAK_PENDING => ("weak", "the twin is slow to take in what is said"),
            LinkState::Linked => ("linked", ""),
        }
    }
}
