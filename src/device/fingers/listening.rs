//! A UDP socket on a thread of its own, from which a machine takes packets and brings words to the hub.

use super::packet::Refused;
use crate::device::clock::monotonic;
use crate::device::touch::TouchHub;
use crate::presence::Word;
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use thiserror::Error;

/// How long a read waits before the machine is asked who has fallen silent.
const WAIT: Duration = Duration::from_millis(250);
/// Pause after an error that would come again at once.
const PAUSE: Duration = Duration::from_millis(100);
/// Between two lines in the log about packets that were not taken.
const MINUTE: Duration = Duration::from_secs(60);
/// Bytes of the largest datagram there is.
const DATAGRAM_MAX: usize = 65_536;

/// Why a socket for touches cannot be opened. The operator mends it; the show goes on without it.
#[derive(Debug, Error)]
pub enum FingersError {
    /// Another program has the port.
    #[error("{what}: UDP {address} is in use by another program; end that one or change `{key}` in site.toml")]
    PortInUse {
        /// What was to be heard there.
        what: &'static str,
        /// The key of the manifest.
        key: &'static str,
        /// The address of the manifest.
        address: SocketAddr,
    },
    /// The address is not one of this machine, or not allowed.
    #[error("{what}: UDP {address} cannot be opened ({why}); change `{key}` in site.toml")]
    Address {
        /// What was to be heard there.
        what: &'static str,
        /// The key of the manifest.
        key: &'static str,
        /// The address of the manifest.
        address: SocketAddr,
        /// What the system says.
        why: std::io::Error,
    },
}

/// What packets mean.
pub trait Packets: Send + 'static {
    /// What people call it.
    const WHAT: &'static str;
    /// The key of its address in the manifest.
    const KEY: &'static str;
    /// Its device numbers.
    fn devices(&self) -> Range<u32>;
    /// Takes one datagram in. Whatever the bytes are, it comes to words or is counted.
    fn take(&mut self, now: Duration, from: SocketAddr, bytes: &[u8], words: &mut Vec<Word>);
    /// Time has passed: who has fallen silent?
    fn idle(&mut self, now: Duration, words: &mut Vec<Word>);
    /// What was not taken so far.
    fn refused(&self) -> Refused;
    /// Returns new lines for the log: the packets that were refused, with their sender and the reason.
    fn notes(&mut self) -> Vec<String>;
}

/// A socket that is listened on. Dropping it ends its thread and its touches.
pub struct Listening {
    address: SocketAddr,
    over: Arc<AtomicBool>,
    refused: Arc<Mutex<Refused>>,
    thread: Option<JoinHandle<()>>,
}

impl Listening {
    /// Opens the socket and starts the thread.
    pub fn start<P: Packets>(listen: SocketAddr, packets: P, hub: TouchHub) -> Result<Self, FingersError> {
        let fault = |why: std::io::Error| match why.kind() {
            ErrorKind::AddrInUse => FingersError::PortInUse { what: P::WHAT, key: P::KEY, address: listen },
            _ => FingersError::Address { what: P::WHAT, key: P::KEY, address: listen, why },
        };
        let socket = UdpSocket::bind(listen).map_err(fault)?;
        socket.set_read_timeout(Some(WAIT)).map_err(fault)?;
        let address = socket.local_addr().map_err(fault)?;
        let (over, refused) = (Arc::new(AtomicBool::new(false)), Arc::<Mutex<Refused>>::default());
        let listener = Listener {
            socket,
            packets,
            hub,
            over: over.clone(),
            refused: refused.clone(),
            complained: None,
            told: Refused::default(),
        };
        let thread = std::thread::Builder::new().name("touch".into()).spawn(move || listener.run()).map_err(fault)?;
        tracing::info!("{}: listening on UDP {address}", P::WHAT);
        Ok(Self { address, over, refused, thread: Some(thread) })
    }

    /// The address, with the port that was chosen if none was given.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What was not taken so far.
    pub fn refused(&self) -> Refused {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Listener<P> {
    socket: UdpSocket,
    packets: P,
    hub: TouchHub,
    over: Arc<AtomicBool>,
    refused: Arc<Mutex<Refused>>,
    /// When the log last had a line about what was not taken.
    complained: Option<Duration>,
    /// What that line counted.
    told: Refused,
}

impl<P: Packets> Listener<P> {
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
                    self.packets.take(now, from, bytes, &mut words);
                }
                Err(why) if matches!(why.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(why) => {
                    tracing::debug!("{}: {why}", P::WHAT);
                    std::thread::sleep(PAUSE);
                }
            }
            // A sender that never pauses does not keep the silence of another from being noticed.
            if now.saturating_sub(looked) >= WAIT {
                looked = now;
                self.packets.idle(now, &mut words);
                self.complain(now);
            }
            for note in self.packets.notes() {
                tracing::warn!("{}: {note}", P::WHAT);
            }
            self.hub.take_all(&words);
            words.clear();
            *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = self.packets.refused();
        }
        self.packets.devices().for_each(|device| self.hub.release(device));
    }

    fn complain(&mut self, now: Duration) {
        let refused = self.packets.refused();
        let soon = self.complained.is_some_and(|last| now.saturating_sub(last) < MINUTE);
        if refused == self.told || soon {
            return;
        }
        let Refused { malformed, stale, strangers, beyond } = refused;
        tracing::warn!(
            "{} on UDP {}: not taken since the start: {malformed} packets that could not be read, {stale} late frames, \
             {strangers} packets of senders that are not let in, {beyond} beyond the limit a second",
            P::WHAT,
            self.socket.local_addr().map_or_else(|_| "?".into(), |address| address.to_string()),
        );
        (self.complained, self.told) = (Some(now), refused);
    }
}
