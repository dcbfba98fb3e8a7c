//! Surveys over real sockets: the end that asks and the end that answers, each on the thread that calls it.

use super::clock::monotonic;
use super::quic::canonical;
use crate::link::survey::{Echo, Finding, LARGEST, Surveyor};
use ring::rand::{SecureRandom, SystemRandom};
use rustix::net::sockopt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The longest sleep before it is looked whether all is over.
const LOOK: Duration = Duration::from_millis(100);
/// It is told how things stand this often.
const TOLD: Duration = Duration::from_secs(60);

/// Asks the end at `to` for `length`, or until `over`. `told` hears once a minute what was found so far.
pub fn ask(
    to: SocketAddr,
    length: Duration,
    over: &AtomicBool,
    mut told: impl FnMut(Duration, &Finding),
) -> io::Result<Finding> {
    let any = if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0))?;
    // What is larger than the way allows is to be lost there, not cut into pieces here.
    if to.is_ipv4() {
        sockopt::set_ip_mtu_discover(&socket, sockopt::Ipv4PathMtuDiscovery::PROBE)?;
    } else {
        sockopt::set_ipv6_mtu_discover(&socket, sockopt::Ipv6PathMtuDiscovery::PROBE)?;
    }
    let began = monotonic();
    let mut surveyor = Surveyor::new(began, fastrand::u64(..), length);
    let (mut bytes, mut next_told) = ([0; LARGEST + 1], began + TOLD);
    while !over.load(Ordering::Relaxed) {
        let now = monotonic();
        if surveyor.is_over(now) {
            break;
        }
        while let Some(question) = surveyor.poll_transmit(now) {
            // A line that is down, or a datagram larger than this machine's own network takes, is what is looked for.
            let _ = socket.send_to(&question, to);
        }
        if now >= next_told {
            next_told += TOLD;
            told(now - began, &surveyor.finding(now));
        }
        let wait = surveyor.poll_timeout().map_or(LOOK, |at| at.saturating_sub(monotonic())).min(LOOK);
        socket.set_read_timeout(Some(wait.max(Duration::from_micros(200))))?;
        if let Ok((count, from)) = socket.recv_from(&mut bytes)
            && from == to
        {
            surveyor.handle(monotonic(), &bytes[..count]);
        }
    }
    Ok(surveyor.finding(monotonic()))
}

/// Who answers surveys, with randomness of its own.
pub fn echo() -> io::Result<Echo> {
    let mut secret = [0; 32];
    SystemRandom::new().fill(&mut secret).map_err(|_| io::Error::other("the system gives no randomness"))?;
    Ok(Echo::new(secret))
}

/// Answers at `socket` until `over`.
pub fn answer(socket: &UdpSocket, over: &AtomicBool) -> io::Result<()> {
    let mut echo = echo()?;
    socket.set_read_timeout(Some(LOOK))?;
    let mut bytes = [0; LARGEST + 1];
    while !over.load(Ordering::Relaxed) {
        if let Ok((count, from)) = socket.recv_from(&mut bytes)
            && let Some(answer) = echo.handle(monotonic(), canonical(from), &bytes[..count])
        {
            let _ = socket.send_to(&answer, from);
        }
    }
    Ok(())
}
