//! Network emulator between two sites on one machine: a UDP proxy that delays and drops, on a thread of its own.

use super::clock::monotonic;
use crate::link::netem::{Netem, NetemStats, PathProfile};
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Largest UDP payload.
const DATAGRAM_MAX: usize = 65_536;

/// Proxy with two endpoints: a datagram sent to one comes out of the other.
pub struct NetemProxy {
    endpoints: [SocketAddr; 2],
    shared: Arc<NetemShared>,
}

struct NetemShared {
    netem: Mutex<Netem>,
    changed: Condvar,
    stopping: AtomicBool,
}

impl NetemProxy {
    /// Opens both endpoints on loopback.
    ///
    /// A datagram to `endpoints()[i]` is one that site `i` sends to its twin; it reaches the other site at the
    /// address in `sites`.
    pub fn start(path: PathProfile, seed: u64, sites: [SocketAddr; 2]) -> io::Result<Self> {
        let sockets = [UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?];
        let shores = [sockets[0].local_addr()?, sockets[1].local_addr()?];
        let shared = Arc::new(NetemShared {
            netem: Mutex::new(Netem::new(path, seed)),
            changed: Condvar::new(),
            stopping: AtomicBool::new(false),
        });
        for (direction, socket) in sockets.iter().enumerate() {
            let (socket, shared) = (socket.try_clone()?, shared.clone());
            // The timeout lets the thread check whether it is over.
            socket.set_read_timeout(Some(Duration::from_millis(200)))?;
            std::thread::Builder::new()
                .name(format!("shore {direction}"))
                .spawn(move || receive_loop(&socket, direction, &shared))?;
        }
        let kept = shared.clone();
        std::thread::Builder::new().name("ocean".into()).spawn(move || forward_loop(&sockets, sites, &kept))?;
        Ok(Self { endpoints: shores, shared })
    }

    /// Returns the address where each site finds its twin.
    pub fn endpoints(&self) -> [SocketAddr; 2] {
        self.endpoints
    }

    /// Cuts or restores the path.
    pub fn set_cut(&self, cut: bool) {
        self.shared.netem.lock().unwrap_or_else(PoisonError::into_inner).set_cut(cut);
    }

    /// Changes the path from now on; datagrams under way are not affected.
    pub fn set_path(&self, path: PathProfile) {
        self.shared.netem.lock().unwrap_or_else(PoisonError::into_inner).set_path(path);
    }

    /// Returns the counts of datagrams so far.
    pub fn counts(&self) -> NetemStats {
        self.shared.netem.lock().unwrap_or_else(PoisonError::into_inner).stats
    }
}

impl Drop for NetemProxy {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        self.shared.changed.notify_all();
    }
}

fn receive_loop(socket: &UdpSocket, direction: usize, shared: &NetemShared) {
    let mut bytes = vec![0; DATAGRAM_MAX];
    while !shared.stopping.load(Ordering::Relaxed) {
        // An error here is a site that does not run yet (refused) or the timeout; the emulator goes on in both cases.
        let Ok((count, _)) = socket.recv_from(&mut bytes) else { continue };
        let mut ocean = shared.netem.lock().unwrap_or_else(PoisonError::into_inner);
        ocean.send(monotonic(), direction, &bytes[..count]);
        shared.changed.notify_one();
    }
}

fn forward_loop(sockets: &[UdpSocket; 2], sites: [SocketAddr; 2], shared: &NetemShared) {
    let mut ocean = shared.netem.lock().unwrap_or_else(PoisonError::into_inner);
    while !shared.stopping.load(Ordering::Relaxed) {
        let now = monotonic();
        while let Some((from, bytes)) = ocean.receive(now) {
            // The datagram leaves from the far endpoint, the address that its site sends to.
            let _ = sockets[1 - from].send_to(&bytes, sites[1 - from]);
        }
        let wait = ocean.next().map_or(Duration::from_millis(200), |at| at.saturating_sub(now));
        if wait.is_zero() {
            continue;
        }
        ocean = shared.changed.wait_timeout(ocean, wait).unwrap_or_else(PoisonError::into_inner).0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sets_out_here_arrives_there_and_can_be_answered() {
        let sites = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").expect("loopback"));
        let addresses = [0, 1].map(|i| sites[i].local_addr().expect("bound"));
        let path = PathProfile { one_way: Duration::from_millis(20), ..PathProfile::default() };
        let ocean = NetemProxy::start(path, 1, addresses).expect("loopback");
        for site in &sites {
            site.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
        }
        let began = monotonic();
        sites[0].send_to(b"hello", ocean.endpoints()[0]).expect("loopback");
        let mut bytes = [0; 16];
        let (count, from) = sites[1].recv_from(&mut bytes).expect("it arrives");
        assert_eq!(&bytes[..count], b"hello");
        assert!(monotonic() - began >= Duration::from_millis(20));
        assert_eq!(from, ocean.endpoints()[1], "it comes from where site 1 sends its own");
        sites[1].send_to(b"back", from).expect("loopback");
        let (count, _) = sites[0].recv_from(&mut bytes).expect("it arrives");
        assert_eq!(&bytes[..count], b"back");
    }
}
