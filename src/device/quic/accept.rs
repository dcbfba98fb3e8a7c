//! Who dials this site: the twin, someone with a ticket, or strangers.

use super::driver::{Incoming, Open};
use super::pair::Guests;
use crate::allowance::Allowance;
use crate::device::clock::monotonic;
use quinn::{Connection, Endpoint};
use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};

/// Handshakes at once.
const HANDSHAKES_MAX: usize = 8;
/// And of one network.
const HANDSHAKES_EACH: usize = 2;
/// Handshakes of strangers a second, and at once: each costs the thread that carries the link half a millisecond.
const STRANGERS: (f64, f64) = (20.0, 16.0);
/// A handshake that takes longer has failed.
pub(super) const HANDSHAKE: Duration = Duration::from_secs(3);

/// Where the twin is known to be.
#[derive(Clone, Default)]
pub(super) struct Known(Arc<Mutex<HashSet<IpAddr>>>);

impl Known {
    /// These, from now on.
    pub fn set(&self, addresses: impl Iterator<Item = IpAddr>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = addresses.map(|ip| ip.to_canonical()).collect();
    }

    fn has(&self, address: IpAddr) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&address.to_canonical())
    }
}

/// Handshakes under way by where they come from: nobody takes all the slots for himself.
#[derive(Clone, Default)]
struct Few(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One of them, until it is dropped.
struct One(Few, IpAddr);

impl Few {
    fn begin(&self, from: IpAddr) -> Option<One> {
        let from = match from.to_canonical() {
            // Whoever has one address of IPv6 has all of its network.
            IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
            ip => ip,
        };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = all.entry(from).or_default();
        (*count < HANDSHAKES_EACH).then(|| {
            *count += 1;
            One(self.clone(), from)
        })
    }
}

impl Drop for One {
    fn drop(&mut self) {
        let mut all = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = all.get_mut(&self.1) {
            *count -= 1;
            if *count == 0 {
                all.remove(&self.1);
            }
        }
    }
}

/// Takes connections in. Whoever gets here holds the pinned key, since the handshake has seen to that, or knocked with a
/// ticket.
pub(super) async fn accept(endpoint: Endpoint, incoming: mpsc::Sender<Incoming>, guests: Guests, known: Known) {
    // A handshake costs the thread that carries the link: few at a time, and strangers prove their address first.
    let slots = Arc::new(Semaphore::new(HANDSHAKES_MAX));
    let (few, mut strangers) = (Few::default(), Allowance::new(STRANGERS.0, STRANGERS.1));
    while let Some(arriving) = endpoint.accept().await {
        // Where the twin is known to be it is let in however many others knock.
        if !known.has(arriving.remote_address().ip()) && !strangers.take(monotonic(), 1.0) {
            arriving.ignore();
            continue;
        }
        let (Ok(slot), Some(one)) = (slots.clone().try_acquire_owned(), few.begin(arriving.remote_address().ip()))
        else {
            arriving.ignore();
            continue;
        };
        let slot = (slot, one);
        if slots.available_permits() < HANDSHAKES_MAX / 2 && !arriving.remote_address_validated() {
            // It may have been asked before, which is just as well.
            let _ = arriving.retry();
            continue;
        }
        if let Some(welcome) = guests.welcome(&arriving.orig_dst_cid()) {
            tokio::spawn(async move {
                let _slot = slot;
                welcome.receive(arriving).await;
            });
            continue;
        }
        let incoming = incoming.clone();
        tokio::spawn(async move {
            let _slot = slot;
            let Ok(connecting) = arriving.accept() else { return };
            match tokio::time::timeout(HANDSHAKE, connecting).await {
                Ok(Ok(connection)) => {
                    let since = monotonic();
                    let open = Open { connection, dialled: false, since, heard: since };
                    let _ = incoming.send(Incoming::Opened(open)).await;
                }
                Ok(Err(why)) => tracing::debug!("a stranger was refused: {why}"),
                Err(_) => tracing::debug!("a handshake took too long"),
            }
        });
    }
}

/// Reads a connection's datagrams until it closes.
pub(super) async fn read(connection: Connection, incoming: mpsc::Sender<Incoming>) {
    let id = connection.stable_id();
    while let Ok(bytes) = connection.read_datagram().await {
        // A full queue drops the newest, as a full socket would.
        let _ = incoming.try_send(Incoming::Datagram(id, bytes));
    }
    let _ = incoming.send(Incoming::Closed(id)).await;
}
