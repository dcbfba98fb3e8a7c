//! Acceptor of incoming connections, from the twin, from sites with a ticket and from strangers.

use super::admission::{Admission, AdmissionControl};
use super::connections::{DriverEvent, OpenConnection};
use super::pairing::PairingServer;
use crate::device::clock::monotonic;
use quinn::Endpoint;
use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;

/// Time after which a handshake has failed.
pub(super) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(3);

/// Addresses at which the twin is known to be.
#[derive(Clone, Default)]
pub(super) struct KnownAddrs(Arc<Mutex<HashSet<IpAddr>>>);

impl KnownAddrs {
    /// Replaces the addresses.
    pub fn set(&self, addresses: impl Iterator<Item = IpAddr>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = addresses.map(|ip| ip.to_canonical()).collect();
    }

    fn contains(&self, address: IpAddr) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&address.to_canonical())
    }
}

/// Accepts connections. The handshake has checked that each peer holds the pinned key, or has a ticket.
pub(super) async fn accept_loop(
    endpoint: Endpoint,
    incoming: mpsc::Sender<DriverEvent>,
    guests: PairingServer,
    known: KnownAddrs,
) {
    let door = AdmissionControl::default();
    while let Some(arriving) = endpoint.accept().await {
        let (from, proved) = (arriving.remote_address().ip(), arriving.remote_address_validated());
        let pass = match door.decide(monotonic(), from, proved, known.contains(from)) {
            Admission::Admit(pass) => pass,
            Admission::Retry => {
                // Cannot fail, since the address is not validated yet.
                let _ = arriving.retry();
                continue;
            }
            Admission::Ignore => {
                arriving.ignore();
                continue;
            }
        };
        if let Some(welcome) = guests.begin_session(&arriving.orig_dst_cid()) {
            tokio::spawn(async move {
                let _pass = pass;
                welcome.run(arriving).await;
            });
            continue;
        }
        let incoming = incoming.clone();
        tokio::spawn(async move {
            let _pass = pass;
            let Ok(connecting) = arriving.accept() else { return };
            match tokio::time::timeout(HANDSHAKE_TIMEOUT, connecting).await {
                Ok(Ok(connection)) => {
                    let since = monotonic();
                    let open = OpenConnection { connection, dialled: false, opened_at: since, last_heard: since };
                    let _ = incoming.send(DriverEvent::Opened(open)).await;
                }
                Ok(Err(why)) => tracing::debug!("a stranger was refused: {why}"),
                Err(_) => tracing::debug!("a handshake took too long"),
            }
        });
    }
}
