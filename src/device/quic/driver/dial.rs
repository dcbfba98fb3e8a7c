//! Ways to the twin that the link thread dials, and connections that it no longer needs.

use super::{Driver, Incoming, Open, is_refusal};
use crate::device::clock::monotonic;
use crate::device::quic::accept::HANDSHAKE;
use crate::device::quic::canonical;
use crate::device::quic::gate::Trust;
use crate::device::quic::reach::{Heard, Kind};
use crate::device::quic::traffic::Counts;
use crate::link::State;
use quinn::VarInt;
use std::sync::Arc;
use std::time::Duration;

/// Timeout for an address known from a relay alone: two round trips around the world, three times over.
const PATIENCE: Duration = Duration::from_millis(1_500);
/// Time for which a connection that is not needed is kept.
const SPARE: Duration = Duration::from_secs(2);

impl Driver {
    /// Returns how well the twin is heard.
    pub(super) fn heard(&self, now: Duration) -> Heard {
        let fresh = self.open.iter().filter(|open| now.saturating_sub(open.heard) < self.link.suspect_after());
        fresh.map(|open| if self.rank(open).0 { Heard::Direct } else { Heard::Relayed }).fold(
            Heard::Not,
            |best, one| {
                if best == Heard::Direct { best } else { one }
            },
        )
    }

    /// Returns when to check again if the twin must be dialled.
    pub(super) fn redial_at(&self, now: Duration) -> Option<Duration> {
        let heard = self.heard(now);
        let silent =
            self.open.iter().map(|open| open.heard + self.link.suspect_after()).max().filter(|_| heard != Heard::Not);
        let due = self.client.as_ref().and_then(|_| self.ways.next(heard));
        due.into_iter().chain(silent).min()
    }

    /// Dials every way that is due.
    pub(super) fn dial(&mut self, now: Duration) {
        let Some(client) = self.client.clone().filter(|_| self.shunned.until <= now) else { return };
        let relayed = self.open.iter().filter(|open| self.is_relayed(open));
        let brought: u64 = relayed.map(|open| Counts::of(&open.connection).received_bytes).sum();
        self.ways.brought(self.brought + brought);
        for (address, kind) in self.ways.dial(now, self.heard(now)) {
            let known = kind == Kind::Own || (kind == Kind::Relay && self.relays.proves_itself(now, address));
            let id = self.shore.gate().attempt(if known { Trust::Known } else { Trust::Named });
            let mut client = client.clone();
            client.initial_dst_cid_provider(Arc::new(move || id));
            match self.endpoint.connect_with(client, address, "moongate") {
                Ok(connecting) => {
                    let incoming = self.incoming.clone();
                    let patience = if kind == Kind::Named { PATIENCE } else { HANDSHAKE };
                    tokio::spawn(async move {
                        let connection = tokio::time::timeout(patience, connecting).await;
                        let refused = matches!(&connection, Ok(Err(why)) if is_refusal(Some(why.clone())));
                        if let Ok(Ok(connection)) = connection {
                            let since = monotonic();
                            let open = Open { connection, dialled: true, since, heard: since };
                            let _ = incoming.send(Incoming::Opened(open)).await;
                        }
                        let _ = incoming.send(Incoming::Dialled(address, refused)).await;
                    });
                }
                Err(why) => {
                    // For example, an IPv6 address from an IPv4 socket.
                    tracing::debug!("{address} cannot be dialled: {why}");
                    self.ways.tried(now, address, &mut self.random);
                }
            }
        }
    }

    /// Returns true if packets on this connection come through a relay.
    pub(super) fn is_relayed(&self, open: &Open) -> bool {
        self.ways.is_relayed(canonical(open.connection.remote_address()))
    }

    /// Closes connections that are no longer needed. Both sites dial, on several ways; once a better connection works, the site
    /// that dialled a worse one closes it after a moment.
    pub(super) fn close_spare(&mut self, now: Duration) {
        if self.link.health(now).state == State::Alone {
            return;
        }
        self.refused = false;
        let fresh = self.open.iter().filter(|open| now.saturating_sub(open.heard) < self.link.suspect_after());
        let Some(best) = fresh.map(|open| self.rank(open)).max() else { return };
        for open in &self.open {
            if open.dialled && now.saturating_sub(open.since) > SPARE && self.rank(open) < best {
                open.connection.close(VarInt::from_u32(2), b"spare");
            }
        }
    }
}
