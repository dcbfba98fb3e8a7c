//! The link on its own thread: quinn's endpoint, its connections, and the session that outlives them.

mod abuse_limit;
mod acceptor;
mod admission;
mod amplification;
mod candidates;
mod connections;
mod demux_socket;
mod driver;
mod pairing;
mod relay_clients;
mod site_folder;
mod stats;

pub use candidates::PeerAddrs;
pub use pairing::{PairingError, SiteProfile, accept_ticket, invite};

use super::congestion_controller::LinkControllerFactory;
use super::site_key::SiteKey;
use crate::link::{LinkCommand, LinkConfig, LinkHealth, LinkOutput, LinkState, SiteEvent};
use crate::marks::{MarkStore, MemoryStore};
use crate::messages::{MarkFeed, SessionStatus, ShowMessage};
use crate::policy::SharingPolicy;
use crate::presence::{JitterBuffer, Presence};
use driver::LinkDriver;
use quinn::VarInt;
use quinn::congestion::ControllerFactory;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc as std_mpsc};
use std::time::Duration;
use thiserror::Error;
use tokio::sync::{Notify, mpsc};

/// Maximum number of commands that wait for the link thread. It never blocks, so a full queue means that it is gone.
const COMMANDS_MAX: usize = 2_048;
/// Maximum number of link events that wait for the frame loop.
const EVENTS_MAX: usize = 4_096;
/// Reason why the link cannot be opened. The operator must correct it; trying again does not help.
#[derive(Debug, Error)]
pub enum LinkError {
    /// Another program uses the port, or this show runs twice.
    #[error(
        "UDP {0} is in use by another program; end it (is this show running twice?) or change `listen` in site.toml"
    )]
    PortInUse(SocketAddr),
    /// The address is not one of this machine, or not allowed.
    #[error("UDP {address} cannot be opened ({why}); change `listen` in site.toml")]
    Address {
        /// Address from the manifest.
        address: SocketAddr,
        /// Error from the system.
        why: std::io::Error,
    },
    /// The key or the system cannot be used.
    #[error("the link cannot be started: {0}")]
    Setup(String),
}

/// Event of the link for the show.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkEvent {
    /// Time at which the link thread received it, monotonic.
    pub at: Duration,
    /// The event.
    pub output: LinkOutput,
}

/// State shared by the link thread and others; only the newest values count.
#[derive(Debug, Default)]
struct LinkShared {
    /// Presence of this site, to be sent.
    local_presence: Mutex<Option<Presence>>,
    /// Jitter buffer of the twin's presence, and the version of the link's presence that it holds.
    remote_presence: Mutex<(u64, JitterBuffer)>,
    status: Mutex<LinkStatus>,
    /// Marks not yet read by the frame loop.
    mark_feed: Mutex<MarkFeed>,
    /// Shared state of the twin, and its version.
    remote_state: Mutex<Option<(u64, Arc<str>)>>,
    /// Sharing policy of the site. The newest one is kept here for the link thread.
    sharing_policy: Mutex<SharingPolicy>,
    /// Time until which the last frame shown counts as in view, monotonic; none if this is not tracked.
    in_view_until: Mutex<Option<Duration>>,
    updates: AtomicU64,
    /// True once the link must end.
    stopping: AtomicBool,
    wake: Notify,
}

impl LinkShared {
    fn sharing_policy(&self) -> SharingPolicy {
        *self.sharing_policy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn in_view_until(&self) -> Option<Duration> {
        *self.in_view_until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_in_view(&self, now: Duration) -> bool {
        self.in_view_until().is_none_or(|until| now < until)
    }
}

/// Status of the link, as of its last update.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct LinkStatus {
    /// Health of the session.
    pub health: LinkHealth,
    /// Shared clock in seconds at `at`.
    pub shared_clock: f64,
    /// Time of this status, monotonic.
    pub at: Duration,
    /// Side of this site, 0 or 1.
    pub side: u8,
    /// True at one of two linked sites, and at a site that is alone.
    pub is_leader: bool,
    /// True if meetings are this site's to propose, and the clock is known well enough.
    pub can_propose: bool,
    /// Open connections.
    pub connections: usize,
    /// Connections opened since the start.
    pub opened_total: u64,
    /// Pinned key of the twin, if there is a twin.
    pub twin: Option<[u8; 32]>,
    /// Address at which the twin is heard.
    pub peer_address: Option<SocketAddr>,
    /// True if this site dialled the connection in use.
    pub dialled: bool,
    /// True if the connection in use goes through a relay.
    pub relayed: bool,
    /// UDP bytes sent and received since the start, including handshakes.
    pub bytes: [u64; 2],
    /// UDP datagrams sent since the start.
    pub datagrams: u64,
    /// Share of packets lost recently, 0 to 1.
    pub loss: f64,
    /// True if the twin is reached but refuses this site: its operator has removed it.
    pub refused: bool,
}

/// Share of lost packets, additional delay in seconds, and number of waiting events above which a link is weak.
const WEAK_LIMITS: (f64, f64, usize) = (0.1, 0.06, 64);

impl LinkStatus {
    /// Returns the state of the session as a scene needs it.
    pub fn session(&self) -> SessionStatus {
        let Self { health, shared_clock, at, is_leader, can_propose, .. } = *self;
        SessionStatus { health, shared_clock, at, is_leader, can_propose }
    }

    /// Returns the status of the link in one word, and the reason if it is not good; for operators.
    pub fn summary(&self) -> (&'static str, &'static str) {
        match self.health.state {
            _ if self.twin.is_none() => ("none", "no twin yet: moongate invite, or moongate accept TICKET"),
            LinkState::Alone if self.refused => ("refused", "the twin has forgotten this site: introduce them again"),
            LinkState::Alone => ("alone", "nothing is heard of the twin"),
            LinkState::Incompatible => ("apart", "the twin shows something that does not go together with this"),
            LinkState::Linked if self.loss > WEAK_LIMITS.0 => ("weak", "more than one packet in ten is lost"),
            LinkState::Linked if self.health.jitter.is_some_and(|jitter| jitter > WEAK_LIMITS.1) => {
                ("weak", "the delay varies by more than 60 ms")
            }
            LinkState::Linked if self.health.pending > WEAK_LIMITS.2 => {
                ("weak", "the twin is slow to take in what is said")
            }
            LinkState::Linked => ("linked", ""),
        }
    }
}

/// Handle to the link for any thread. Clones control the same link.
#[derive(Clone)]
pub struct LinkHandle {
    commands: mpsc::Sender<(Duration, LinkCommand)>,
    shared: Arc<LinkShared>,
}

impl LinkHandle {
    /// Sends a command to the session, given at `made`.
    pub fn send(&self, made: Duration, command: LinkCommand) {
        // Full only if the link thread is gone; then nobody could receive it.
        let _ = self.commands.try_send((made, command));
    }

    /// Sends an event of this site, made at `made`.
    pub fn send_event(&self, made: Duration, event: SiteEvent) {
        self.send(made, LinkCommand::Event(event));
    }

    /// Returns the shared state of the twin, as JSON; none while it is not linked or shares nothing.
    pub fn remote_shared_state(&self) -> Option<Arc<str>> {
        let share = self.shared.remote_state.lock().unwrap_or_else(PoisonError::into_inner);
        share.as_ref().map(|(_, data)| data.clone()).filter(|data| !data.is_empty())
    }

    /// Handles a message of the show half.
    pub fn handle_message(&self, message: ShowMessage) {
        match message {
            ShowMessage::Command { made, command } => self.send(made, command),
            ShowMessage::InView { until } => self.set_in_view_until(until),
        }
    }

    /// Returns the changes of the marks since the last call; none if there are none.
    pub fn take_mark_changes(&self) -> Option<MarkFeed> {
        self.shared.mark_feed.lock().unwrap_or_else(PoisonError::into_inner).take_changes()
    }

    /// Returns the marks since the last call, with the state of this site's writer.
    pub fn drain_marks(&self) -> MarkFeed {
        self.shared.mark_feed.lock().unwrap_or_else(PoisonError::into_inner).drain()
    }

    /// Replaces the presence of this site.
    pub fn set_presence(&self, presence: Presence) {
        *self.shared.local_presence.lock().unwrap_or_else(PoisonError::into_inner) = Some(presence);
        self.shared.wake.notify_one();
    }

    /// Sets the sharing policy of the site. It holds even if the frame loop stalls.
    pub fn set_sharing_policy(&self, openness: SharingPolicy) {
        *self.shared.sharing_policy.lock().unwrap_or_else(PoisonError::into_inner) = openness;
        self.shared.wake.notify_one();
    }

    /// Returns the sharing policy of the site.
    pub fn sharing_policy(&self) -> SharingPolicy {
        self.shared.sharing_policy()
    }

    /// Sets that a frame is in view until `until`, monotonic. From the first call on, presence is sent to the twin
    /// only until then, even if the frame loop stalls.
    pub fn set_in_view_until(&self, until: Duration) {
        *self.shared.in_view_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
    }

    /// Returns true if a frame is in view at `now`, monotonic.
    pub fn is_in_view(&self, now: Duration) -> bool {
        self.shared.is_in_view(now)
    }

    /// Returns the presence of the twin to be shown at `now`, monotonic.
    pub fn remote_presence(&self, now: Duration) -> Presence {
        self.shared.remote_presence.lock().unwrap_or_else(PoisonError::into_inner).1.sample(now)
    }

    /// Returns the status of the link.
    pub fn status(&self) -> LinkStatus {
        *self.shared.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a goodbye to the twin and ends the link, even if its thread is still held elsewhere.
    pub fn stop(&self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        self.shared.wake.notify_one();
    }

    /// Returns the number of updates of the link thread. A number that does not change for a second is a fault.
    pub fn update_count(&self) -> u64 {
        self.shared.updates.load(Ordering::Relaxed)
    }
}

/// Configuration of a link thread.
pub struct LinkSetup {
    /// Key of this site.
    pub key: SiteKey,
    /// Identity of this site and its twin.
    pub config: LinkConfig,
    /// Sharing policy from the first datagram on.
    pub policy: SharingPolicy,
    /// Time until which a picture counts as in view, monotonic; none if nobody keeps track of that.
    pub in_view_until: Option<Duration>,
    /// Store of the site's marks.
    pub store: Box<dyn MarkStore>,
    /// Addresses at which the twin may be found.
    pub peer_addrs: PeerAddrs,
    /// Folder of the site. The operator's changes in it are followed, and sites with a ticket are accepted.
    pub profile: Option<SiteProfile>,
    /// Transport configuration of QUIC; see [`transport_config`].
    pub transport: Arc<quinn::TransportConfig>,
}

/// The link thread. Dropping it says goodbye to the twin.
pub struct LinkThread {
    sender: LinkHandle,
    thread: Option<std::thread::JoinHandle<()>>,
    address: SocketAddr,
}

impl LinkThread {
    /// Opens the socket and starts the thread, with marks in memory. The receiver yields the events of the link.
    pub fn start(
        key: &SiteKey,
        listen: SocketAddr,
        reach: impl Into<PeerAddrs>,
        config: LinkConfig,
    ) -> Result<(Self, std_mpsc::Receiver<LinkEvent>), LinkError> {
        let (key, peer_addrs, store) = (key.clone(), reach.into(), Box::new(MemoryStore::new(fastrand::u64(..))));
        let (policy, transport) = (SharingPolicy::default(), transport_config());
        Self::open(
            listen,
            LinkSetup { key, config, policy, in_view_until: None, store, peer_addrs, profile: None, transport },
        )
    }

    /// Opens a link like [`Self::start`], for a site with a folder, whose twin may change, or with a transport other
    /// than [`transport_config`].
    pub fn open(listen: SocketAddr, plan: LinkSetup) -> Result<(Self, std_mpsc::Receiver<LinkEvent>), LinkError> {
        let socket = std::net::UdpSocket::bind(listen).map_err(|why| match why.kind() {
            std::io::ErrorKind::AddrInUse => LinkError::PortInUse(listen),
            _ => LinkError::Address { address: listen, why },
        })?;
        let setup = |why: &dyn std::fmt::Display| LinkError::Setup(why.to_string());
        let address = socket.local_addr().map_err(|why| setup(&why))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|why| setup(&why))?;
        let (commands, from_show) = mpsc::channel(COMMANDS_MAX);
        let (told, receiver) = std_mpsc::sync_channel(EVENTS_MAX);
        let shared = Arc::new(LinkShared {
            sharing_policy: Mutex::new(plan.policy),
            in_view_until: Mutex::new(plan.in_view_until),
            ..LinkShared::default()
        });
        let sender = LinkHandle { commands, shared: shared.clone() };
        let driver = runtime.block_on(async { LinkDriver::new(plan, socket, shared, told) })?;
        let thread = std::thread::Builder::new()
            .name("link".into())
            .spawn(move || runtime.block_on(driver.run(from_show)))
            .map_err(|why| setup(&why))?;
        Ok((Self { sender, thread: Some(thread), address }, receiver))
    }

    /// Returns a handle to the link.
    pub fn sender(&self) -> LinkHandle {
        self.sender.clone()
    }

    /// Returns the address that the link listens on, with the chosen port if none was given.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for LinkThread {
    fn drop(&mut self) {
        self.sender.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Returns the transport configuration of the link: every limit set, and our own congestion controller.
pub fn transport_config() -> Arc<quinn::TransportConfig> {
    Arc::new(transport_limits(Arc::new(LinkControllerFactory)))
}

/// Returns a transport configuration with every limit of QUIC set. Datagrams carry the link. Streams would be for
/// bulk data, and none are allowed yet.
pub fn transport_limits(controller: Arc<dyn ControllerFactory + Send + Sync>) -> quinn::TransportConfig {
    let mut config = quinn::TransportConfig::default();
    config
        .max_idle_timeout(Some(VarInt::from_u32(5_000).into()))
        .keep_alive_interval(Some(Duration::from_secs(1)))
        .datagram_send_buffer_size(16 << 10)
        .datagram_receive_buffer_size(Some(256 << 10))
        .max_concurrent_bidi_streams(0_u8.into())
        .max_concurrent_uni_streams(0_u8.into())
        .stream_receive_window(VarInt::from_u32(64 << 10))
        .receive_window(VarInt::from_u32(128 << 10))
        .send_window(128 << 10)
        .mtu_discovery_config(None)
        .initial_mtu(1_200)
        .initial_rtt(Duration::from_millis(100))
        .enable_segmentation_offload(false)
        .congestion_controller_factory(controller);
    config
}
