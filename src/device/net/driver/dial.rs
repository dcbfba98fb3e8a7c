//! Dials of candidate paths to the twin, and closing of connections that are no longer needed.

use super::LinkDriver;
use crate::device::clock::monotonic;
use crate::device::net::acceptor::HANDSHAKE_TIMEOUT;
use crate::device::net::amplification::AddrTrust;
use crate::device::net::candidates::{CandidateKind, Reachability};
use crate::device::net::connections::{DriverEvent, OpenConnection, is_refusal};
use crate::device::net::stats::PacketStats;
use crate::link::LinkState;
use crate::link::canonical;
use quinn::VarInt;
use std::sync::Arc;
use std::time::Duration;

/// Timeout for an address known from a relay alone: three times two round trips around the world.
const REFLEXIVE_TIMEOUT: Duration = Duration::from_millis(1_500);
/// Time for which a connection that is not needed is kept.
const SPARE_LINGER: Duration = Duration::from_secs(2);

impl LinkDriver {
    /// Returns how well the twin is heard.
    pub(super) fn reachability(&self, now: Duration) -> Reachability {
        let fresh = self.connections.iter().filter(|open| now.saturating_sub(open.last_heard) < self.suspect_after());
        fresh.map(|open| if self.rank(open).0 { Reachability::Direct } else { Reachability::Relayed }).fold(
            Reachability::Unreachable,
            |best, one| {
                if best == Reachability::Direct { best } else { one }
            },
        )
    }

    /// Returns when to check again if the twin must be dialled.
    pub(super) fn next_dial(&self, now: Duration) -> Option<Duration> {
        let heard = self.reachability(now);
        let silent = self
            .connections
            .iter()
            .map(|open| open.last_heard + self.suspect_after())
            .max()
            .filter(|_| heard != Reachability::Unreachable);
        let due = self.client_config.as_ref().and_then(|_| self.candidates.poll_timeout(heard));
        due.into_iter().chain(silent).min()
    }

    /// Dials every candidate path that is due.
    pub(super) fn dial_due(&mut self, now: Duration) {
        let Some(client) = self.client_config.clone().filter(|_| self.abuse.banned_until <= now) else { return };
        let relayed = self.connections.iter().filter(|open| self.is_relayed(open));
        let brought: u64 = relayed.map(|open| PacketStats::from_connection(&open.connection).received_bytes).sum();
        self.candidates.set_relayed_bytes(self.closed_relayed_bytes + brought);
        for (address, kind) in self.candidates.poll_dials(now, self.reachability(now)) {
            let known =
                kind == CandidateKind::Host || (kind == CandidateKind::Relay && self.relays.is_verified(now, address));
            let id = self.socket.amplification_limit().begin_attempt(if known {
                AddrTrust::Known
            } else {
                AddrTrust::ThirdParty
            });
            let mut client = client.clone();
            client.initial_dst_cid_provider(Arc::new(move || id));
            match self.endpoint.connect_with(client, address, "moongate") {
                Ok(connecting) => {
                    let incoming = self.event_sender.clone();
                    let patience = if kind == CandidateKind::Reflexive { REFLEXIVE_TIMEOUT } else { HANDSHAKE_TIMEOUT };
                    tokio::spawn(async move {
                        let connection = tokio::time::timeout(patience, connecting).await;
                        let refused = matches!(&connection, Ok(Err(why)) if is_refusal(Some(why.clone())));
                        if let Ok(Ok(connection)) = connection {
                            let since = monotonic();
                            let open =
                                OpenConnection { connection, dialled: true, opened_at: since, last_heard: since };
                            let _ = incoming.send(DriverEvent::Opened(open)).await;
                        }
                        let _ = incoming.send(DriverEvent::Dialled(address, refused)).await;
                    });
                }
                Err(why) => {
                    // For example, an IPv6 address from an IPv4 socket.
                    tracing::debug!("{address} cannot be dialled: {why}");
                    self.candidates.record_attempt(now, address, &mut self.random);
                }
            }
        }
    }

    /// Returns true if packets on this connection come through a relay.
    pub(super) fn is_relayed(&self, open: &OpenConnection) -> bool {
        self.candidates.is_relayed(canonical(open.connection.remote_address()))
    }

    /// Closes connections that are no longer needed. Both sites dial, on several paths. Once a better connection
    /// works, the site that dialled a worse one closes it after a moment.
    pub(super) fn close_spare(&mut self, now: Duration) {
        if self.site.lock().link().health(now).state == LinkState::Alone {
            return;
        }
        self.refused = false;
        let fresh = self.connections.iter().filter(|open| now.saturating_sub(open.last_heard) < self.suspect_after());
        let Some(best) = fresh.map(|open| self.rank(open)).max() else { return };
        for open in &self.connections {
            if open.dialled && now.saturating_sub(open.opened_at) > SPARE_LINGER && self.rank(open) < best {
                open.connection.close(VarInt::from_u32(2), b"spare");
            }
        }
    }
}
