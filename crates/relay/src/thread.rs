//! Relay on a thread of its own: one UDP socket, and the action of [`RelayServer`] for each datagram.

use moongate_link::canonical;
use moongate_link::netcheck::{NetcheckResponder, is_netcheck};
use moongate_link::relay::{RelayAction, RelayLimits, RelayServer, RelayStats};
use ring::rand::{SecureRandom, SystemRandom};
use rustix::time::{ClockId, clock_gettime};
use std::collections::HashSet;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Largest UDP payload.
const DATAGRAM_MAX: usize = 65_536;
/// Size of the socket's receive buffer, in bytes.
const RECV_BUFFER: usize = 4 << 20;
/// Timeout of a read, after which the thread checks whether it is over.
const READ_TIMEOUT: Duration = Duration::from_millis(200);

/// Status of a relay at an instant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RelayStatus {
    /// Pairs whose sites are both registered.
    pub pairs: usize,
    /// Sites that wait for their peer.
    pub waiting: usize,
    /// Traffic since the start.
    pub counts: RelayStats,
    /// CPU time used so far.
    pub cpu_time: Duration,
}

/// Handle of a running relay; dropping it stops the relay.
pub struct RelayThread {
    address: SocketAddr,
    status: Arc<Mutex<RelayStatus>>,
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl RelayThread {
    /// Opens the socket and forwards from now on, for any site that asks.
    pub fn start(listen: SocketAddr, limits: RelayLimits) -> io::Result<Self> {
        Self::open(listen, limits, None)
    }

    /// Opens the socket and forwards from now on; with a list of keys, for `only` these.
    pub fn open(listen: SocketAddr, limits: RelayLimits, only: Option<HashSet<[u8; 32]>>) -> io::Result<Self> {
        let socket = UdpSocket::bind(listen)?;
        socket.set_read_timeout(Some(READ_TIMEOUT))?;
        // The buffer is as large as the system allows: many sites send at the same instant.
        let _ = rustix::net::sockopt::set_socket_recv_buffer_size_force(&socket, RECV_BUFFER)
            .or_else(|_| rustix::net::sockopt::set_socket_recv_buffer_size(&socket, RECV_BUFFER));
        let address = socket.local_addr()?;
        let [secret, responder_secret] = [random_secret()?, random_secret()?];
        let (state, over) = (Arc::<Mutex<RelayStatus>>::default(), Arc::<AtomicBool>::default());
        let (told, ends) = (state.clone(), over.clone());
        let thread = std::thread::Builder::new().name("relay".into()).spawn(move || {
            let forwarder = RelayServer::new(Duration::ZERO, limits, secret);
            let forwarder = only.into_iter().fold(forwarder, RelayServer::serve_only);
            run(&socket, forwarder, NetcheckResponder::new(responder_secret), &told, &ends);
        })?;
        Ok(Self { address, status: state, stopping: over, thread: Some(thread) })
    }

    /// Returns the address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns its status, at most a second old.
    pub fn status(&self) -> RelayStatus {
        *self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for RelayThread {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Returns an address in the family of a socket that received from `like`: an IPv6 socket maps IPv4 addresses.
fn to_socket_family(to: SocketAddr, like: SocketAddr) -> SocketAddr {
    match to.ip() {
        IpAddr::V4(ip) if like.is_ipv6() => SocketAddr::new(ip.to_ipv6_mapped().into(), to.port()),
        _ => to,
    }
}

fn random_secret() -> io::Result<[u8; 32]> {
    let mut secret = [0; 32];
    SystemRandom::new().fill(&mut secret).map_err(|_| io::Error::other("the system gives no randomness"))?;
    Ok(secret)
}

/// Returns the CPU time that the calling thread has used.
fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.max(0) as u64, time.tv_nsec.clamp(0, 999_999_999) as u32)
}

fn run(
    socket: &UdpSocket,
    mut forwarder: RelayServer,
    mut responder: NetcheckResponder,
    state: &Mutex<RelayStatus>,
    over: &AtomicBool,
) {
    let start = Instant::now();
    let mut bytes = vec![0; DATAGRAM_MAX];
    let mut told = Duration::ZERO;
    while !over.load(Ordering::Relaxed) {
        let received = socket.recv_from(&mut bytes);
        let now = start.elapsed();
        if let Ok((count, from)) = received {
            if is_netcheck(&bytes[..count]) {
                // Venues measure their lines with it.
                let answer = responder.handle_datagram(now, canonical(from), &bytes[..count]);
                answer.iter().for_each(|answer| drop(socket.send_to(answer, from)));
            }
            // A datagram that cannot be sent is lost, as on any path.
            match forwarder.handle_datagram(now, canonical(from), &bytes[..count]) {
                RelayAction::Forward(to) => drop(socket.send_to(&bytes[..count], to_socket_family(to, from))),
                RelayAction::Reply(answers) => {
                    let answers = answers.into_iter().flatten();
                    answers.for_each(|(to, answer)| drop(socket.send_to(&answer, to_socket_family(to, from))));
                }
                RelayAction::Drop => {}
            }
        }
        if now.saturating_sub(told) > Duration::from_millis(500) {
            told = now;
            let (pairs, waiting) = forwarder.pairs();
            let now = RelayStatus { pairs, waiting, counts: forwarder.stats, cpu_time: thread_cpu() };
            *state.lock().unwrap_or_else(PoisonError::into_inner) = now;
        }
    }
}
