//! UDP socket on a thread of its own: passes packets to a parser, and its updates to the site half.

use super::osc_packet::RefusedCounts;
use crate::device::clock::monotonic;
use crate::device::site_handle::SiteHandle;
use crate::presence::TouchUpdate;
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use thiserror::Error;

/// Timeout of a read, after which the parser checks for silent senders.
const READ_TIMEOUT: Duration = Duration::from_millis(250);
/// Pause after an error that would come again at once.
const ERROR_PAUSE: Duration = Duration::from_millis(100);
/// Interval between two lines in the log about refused packets.
const WARN_INTERVAL: Duration = Duration::from_secs(60);
/// Size of the largest possible datagram.
const DATAGRAM_MAX: usize = 65_536;

/// Reason why a socket for touches cannot be opened. The operator must fix it; the show goes on without it.
#[derive(Debug, Error)]
pub enum TouchSourceError {
    /// Another program uses the port.
    #[error("{what}: UDP {address} is in use by another program; end that one or change `{key}` in site.toml")]
    PortInUse {
        /// Protocol of the socket.
        what: &'static str,
        /// Key in the manifest.
        key: &'static str,
        /// Address in the manifest.
        address: SocketAddr,
    },
    /// The address is not one of this machine, or not allowed.
    #[error("{what}: UDP {address} cannot be opened ({why}); change `{key}` in site.toml")]
    Address {
        /// Protocol of the socket.
        what: &'static str,
        /// Key in the manifest.
        key: &'static str,
        /// Address in the manifest.
        address: SocketAddr,
        /// Error of the system.
        why: std::io::Error,
    },
}

/// Parser of the packets of one protocol.
pub trait PacketParser: Send + 'static {
    /// Name of the protocol, for people.
    const LABEL: &'static str;
    /// Key of its address in the manifest.
    const CONFIG_KEY: &'static str;
    /// Returns its device numbers.
    fn devices(&self) -> Range<u32>;
    /// Parses one datagram. Whatever the bytes are, they result in updates or are counted.
    fn handle_packet(&mut self, now: Duration, from: SocketAddr, bytes: &[u8], words: &mut Vec<TouchUpdate>);
    /// Ends the touches of senders that have been silent for too long.
    fn handle_timeout(&mut self, now: Duration, words: &mut Vec<TouchUpdate>);
    /// Returns the counts of refused input so far.
    fn refused_counts(&self) -> RefusedCounts;
    /// Returns new lines for the log: the packets that were refused, with their sender and the reason.
    fn drain_log(&mut self) -> Vec<String>;
}

/// Handle of a listening socket. Dropping it ends its thread and its touches.
pub struct TouchListener {
    address: SocketAddr,
    over: Arc<AtomicBool>,
    refused: Arc<Mutex<RefusedCounts>>,
    thread: Option<JoinHandle<()>>,
}

impl TouchListener {
    /// Opens the socket and starts the thread.
    pub fn start<P: PacketParser>(listen: SocketAddr, packets: P, site: SiteHandle) -> Result<Self, TouchSourceError> {
        let fault = |why: std::io::Error| match why.kind() {
            ErrorKind::AddrInUse => TouchSourceError::PortInUse { what: P::LABEL, key: P::CONFIG_KEY, address: listen },
            _ => TouchSourceError::Address { what: P::LABEL, key: P::CONFIG_KEY, address: listen, why },
        };
        let socket = UdpSocket::bind(listen).map_err(fault)?;
        socket.set_read_timeout(Some(READ_TIMEOUT)).map_err(fault)?;
        let address = socket.local_addr().map_err(fault)?;
        let (over, refused) = (Arc::new(AtomicBool::new(false)), Arc::<Mutex<RefusedCounts>>::default());
        let listener = ListenerThread {
            socket,
            parser: packets,
            site,
            over: over.clone(),
            refused: refused.clone(),
            last_warned: None,
            warned: RefusedCounts::default(),
        };
        let thread = std::thread::Builder::new().name("touch".into()).spawn(move || listener.run()).map_err(fault)?;
        tracing::info!("{}: listening on UDP {address}", P::LABEL);
        Ok(Self { address, over, refused, thread: Some(thread) })
    }

    /// Returns the address, with the assigned port if none was given.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the counts of refused input so far.
    pub fn refused_counts(&self) -> RefusedCounts {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for TouchListener {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct ListenerThread<P> {
    socket: UdpSocket,
    parser: P,
    site: SiteHandle,
    over: Arc<AtomicBool>,
    refused: Arc<Mutex<RefusedCounts>>,
    /// Time of the last log line about refused packets.
    last_warned: Option<Duration>,
    /// Counts in that line.
    warned: RefusedCounts,
}

impl<P: PacketParser> ListenerThread<P> {
    fn run(mut self) {
        let mut buffer = vec![0; DATAGRAM_MAX];
        let mut words = Vec::new();
        let mut looked = monotonic();
        while !self.over.load(Ordering::Relaxed) {
            let received = self.socket.recv_from(&mut buffer);
            let now = monotonic();
            match received {
                Ok((count, from)) => {
                    let bytes = buffer.get(..count).unwrap_or_default();
                    self.parser.handle_packet(now, from, bytes, &mut words);
                }
                Err(why) if matches!(why.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(why) => {
                    tracing::debug!("{}: {why}", P::LABEL);
                    std::thread::sleep(ERROR_PAUSE);
                }
            }
            // A sender that never pauses must not hide the silence of another.
            if now.saturating_sub(looked) >= READ_TIMEOUT {
                looked = now;
                self.parser.handle_timeout(now, &mut words);
                self.warn_refused(now);
            }
            for note in self.parser.drain_log() {
                tracing::warn!("{}: {note}", P::LABEL);
            }
            self.site.handle_touches(&words);
            words.clear();
            *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = self.parser.refused_counts();
        }
        self.parser.devices().for_each(|device| self.site.release_device(device));
    }

    fn warn_refused(&mut self, now: Duration) {
        let refused = self.parser.refused_counts();
        let soon = self.last_warned.is_some_and(|last| now.saturating_sub(last) < WARN_INTERVAL);
        if refused == self.warned || soon {
            return;
        }
        let RefusedCounts { malformed, stale, not_allowed: strangers, rate_limited: beyond } = refused;
        tracing::warn!(
            "{} on UDP {}: not taken since the start: {malformed} packets that could not be read, {stale} late frames, \
             {strangers} packets of senders that are not let in, {beyond} beyond the limit a second",
            P::LABEL,
            self.socket.local_addr().map_or_else(|_| "?".into(), |address| address.to_string()),
        );
        (self.last_warned, self.warned) = (Some(now), refused);
    }
}
