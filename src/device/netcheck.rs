//! Netcheck over real sockets: the prober and the responder, each on the thread that calls it.

use super::clock::monotonic;
use crate::link::canonical;
use crate::link::netcheck::{NetcheckProber, NetcheckReport, NetcheckResponder, PROBE_MAX};
use ring::rand::{SecureRandom, SystemRandom};
use rustix::net::sockopt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Longest sleep before checking whether it is over.
const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// Interval between two reports.
const REPORT_INTERVAL: Duration = Duration::from_secs(60);

/// Probes the responder at `to` for `length`, or until `over`. Passes the report so far to `told` once a minute.
pub fn probe(
    to: SocketAddr,
    length: Duration,
    over: &AtomicBool,
    mut told: impl FnMut(Duration, &NetcheckReport),
) -> io::Result<NetcheckReport> {
    let any = if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0))?;
    // A datagram that is too large for the path must be lost there, not fragmented here.
    if to.is_ipv4() {
        sockopt::set_ip_mtu_discover(&socket, sockopt::Ipv4PathMtuDiscovery::PROBE)?;
    } else {
        sockopt::set_ipv6_mtu_discover(&socket, sockopt::Ipv6PathMtuDiscovery::PROBE)?;
    }
    let began = monotonic();
    let mut surveyor = NetcheckProber::new(began, fastrand::u64(..), length);
    let (mut bytes, mut next_told) = ([0; PROBE_MAX + 1], began + REPORT_INTERVAL);
    while !over.load(Ordering::Relaxed) {
        let now = monotonic();
        if surveyor.is_over(now) {
            break;
        }
        while let Some(question) = surveyor.poll_transmit(now) {
            // An error is a line that is down, or a datagram too large for this machine's own network: both are
            // measured.
            let _ = socket.send_to(&question, to);
        }
        if now >= next_told {
            next_told += REPORT_INTERVAL;
            told(now - began, &surveyor.report(now));
        }
        let wait =
            surveyor.poll_timeout().map_or(POLL_INTERVAL, |at| at.saturating_sub(monotonic())).min(POLL_INTERVAL);
        socket.set_read_timeout(Some(wait.max(Duration::from_micros(200))))?;
        if let Ok((count, from)) = socket.recv_from(&mut bytes)
            && from == to
        {
            surveyor.handle_datagram(monotonic(), &bytes[..count]);
        }
    }
    Ok(surveyor.report(monotonic()))
}

/// Creates a responder with a random seed of its own.
pub fn new_responder() -> io::Result<NetcheckResponder> {
    let mut secret = [0; 32];
    SystemRandom::new().fill(&mut secret).map_err(|_| io::Error::other("the system gives no randomness"))?;
    Ok(NetcheckResponder::new(secret))
}

/// Responds at `socket` until `over`.
pub fn respond(socket: &UdpSocket, over: &AtomicBool) -> io::Result<()> {
    let mut echo = new_responder()?;
    socket.set_read_timeout(Some(POLL_INTERVAL))?;
    let mut bytes = [0; PROBE_MAX + 1];
    while !over.load(Ordering::Relaxed) {
        if let Ok((count, from)) = socket.recv_from(&mut bytes)
            && let Some(answer) = echo.handle_datagram(monotonic(), canonical(from), &bytes[..count])
        {
            let _ = socket.send_to(&answer, from);
        }
    }
    Ok(())
}
