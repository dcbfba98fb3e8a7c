//! The link on its own thread: quinn's endpoint, connections that come and go, and the session that outlives them.

mod abuse_limit;
mod acceptor;
mod admission;
mod amplification;
mod candidates;
mod connections;
mod demux_socket;
mod driver;
mod mark_feed;
mod pairing;
mod relay_clients;
mod site_folder;
mod stats;

pub use candidates::PeerAddrs;
pub(super) use demux_socket::canonical;
pub use mark_feed::MarkFeed;
pub use pairing::{PairingError, SiteProfile, accept_ticket, invite};

use super::congestion_controller::LinkControllerFactory;
use super::site_key::SiteKey;
use crate::link::{LinkConfig, LinkHealth, LinkOutput, LinkState, NowShowing, SiteEvent};
use crate::marks::{MarkStore, MemoryStore, NewMark};
use crate::policy::SharingPolicy;
use crate::presence::{JitterBuffer, Point, Presence};
use driver::LinkDriver;
use quinn::VarInt;
use quinn::congestion::ControllerFactory;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc as std_mpsc};
use std::time::Duration;
use thiserror::Error;
use tokio::sync::{Notify, mpsc};

/// Commands that wait for the link thread; it never waits for anyone, so a full queue means that it is gone.
const COMMANDS_MAX: usize = 2_048;
/// What the link has to tell that waits for the frame loop.
const EVENTS_MAX: usize = 4_096;
/// Why the link cannot be opened. The operator mends it; trying again does not help.
#[derive(Debug, Error)]
pub enum LinkError {
    /// Another program has the port, or this show runs twice.
    #[error(
        "UDP {0} is in use by another program; end it (is this show running twice?) or change `listen` in site.toml"
    )]
    PortInUse(SocketAddr),
    /// The address is not one of this machine, or not allowed.
    #[error("UDP {address} cannot be opened ({why}); change `listen` in site.toml")]
    Address {
        /// The address of the manifest.
        address: SocketAddr,
        /// What the system says.
        why: std::io::Error,
    },
    /// The key or the system does not do.
    #[error("the link cannot be started: {0}")]
    Setup(String),
}

/// What the link tells the show.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkEvent {
    /// When it was known on the link thread, monotonic.
    pub at: Duration,
    /// What.
    pub output: LinkOutput,
}

enum LinkCommand {
    Event(Duration, SiteEvent),
    Mark(Duration, u64, NewMark),
    Meeting(Duration, Point),
    SharedState(String),
    NowShowing(NowShowing),
    SceneStart,
}

/// What both the link thread and others look at; the newest is what counts.
#[derive(Debug, Default)]
struct LinkShared {
    /// Who is here, to be sent.
    local_presence: Mutex<Option<Presence>>,
    /// Who is there, in time; and which of the link's changes that is.
    remote_presence: Mutex<(u64, JitterBuffer)>,
    status: Mutex<LinkStatus>,
    /// What there is to tell of marks.
    mark_feed: Mutex<MarkFeed>,
    /// What the twin says of itself, and its number.
    remote_state: Mutex<Option<(u64, Arc<str>)>>,
    /// How open the site is; the newest is kept here for the link thread.
    sharing_policy: Mutex<SharingPolicy>,
    /// Time until which the last picture shown counts as in view, monotonic; none if nobody keeps track of that.
    in_view_until: Mutex<Option<Duration>>,
    updates: AtomicU64,
    /// The link is to end.
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

/// How the link is, as of its last turn.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct LinkStatus {
    /// The session.
    pub health: LinkHealth,
    /// The shared clock in seconds at `at`.
    pub shared_clock: f64,
    /// Monotonic.
    pub at: Duration,
    /// Which of the two sites this is, 0 or 1.
    pub side: u8,
    /// True at one site while linked, and when alone.
    pub is_leader: bool,
    /// Meetings are this site's to propose, and can be.
    pub can_propose: bool,
    /// Connections that are open.
    pub connections: usize,
    /// Connections that were opened since the start.
    pub opened_total: u64,
    /// The pinned key of the twin, if there is one.
    pub twin: Option<[u8; 32]>,
    /// Where the twin is heard.
    pub peer_address: Option<SocketAddr>,
    /// This site has dialled the connection that is in use.
    pub dialled: bool,
    /// That is a relay.
    pub relayed: bool,
    /// Bytes of UDP that have left and come since the start, handshakes and all.
    pub bytes: [u64; 2],
    /// Datagrams of UDP that have left since the start.
    pub datagrams: u64,
    /// The share of packets that was lost of late, 0 to 1.
    pub loss: f64,
    /// The twin is reached, and does not want this site: its operator has forgotten it.
    pub refused: bool,
}

/// More than this share lost, in seconds more delay, or events waiting, and a link is weak.
const WEAK_LIMITS: (f64, f64, usize) = (0.1, 0.06, 64);

impl LinkStatus {
    /// How the link is in one word, and why it is no better; for operators.
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

/// Speaks to the link from any thread; clones speak to the same link.
#[derive(Clone)]
pub struct LinkHandle {
    commands: mpsc::Sender<LinkCommand>,
    shared: Arc<LinkShared>,
}

impl LinkHandle {
    /// Something happened here at `made`.
    pub fn send_event(&self, made: Duration, what: SiteEvent) {
        // Full only when the link thread is gone; then there is no one to tell.
        let _ = self.commands.try_send(LinkCommand::Event(made, what));
    }

    /// A visitor here leaves something at `made`; `utc_ms` is the wall clock then, in milliseconds since 1970.
    pub fn send_mark(&self, made: Duration, utc_ms: u64, draft: NewMark) {
        let _ = self.commands.try_send(LinkCommand::Mark(made, utc_ms, draft));
    }

    /// People of both cities meet at `place` of this canvas. If this is the site that leads, both will be told.
    pub fn send_meeting(&self, now: Duration, place: Point) {
        let _ = self.commands.try_send(LinkCommand::Meeting(now, place));
    }

    /// What this site says of itself from now on, as JSON; empty for nothing.
    pub fn set_shared_state(&self, share: String) {
        let _ = self.commands.try_send(LinkCommand::SharedState(share));
    }

    /// What the twin says of itself, as JSON; none while it is not linked, or says nothing.
    pub fn remote_shared_state(&self) -> Option<Arc<str>> {
        let share = self.shared.remote_state.lock().unwrap_or_else(PoisonError::into_inner);
        share.as_ref().map(|(_, data)| data.clone()).filter(|data| !data.is_empty())
    }

    /// What has become of the work since this was last asked.
    pub fn drain_marks(&self) -> MarkFeed {
        self.shared.mark_feed.lock().unwrap_or_else(PoisonError::into_inner).drain()
    }

    /// Something else is shown from now on; its marks come anew.
    pub fn set_now_showing(&self, showing: NowShowing) {
        let _ = self.commands.try_send(LinkCommand::NowShowing(showing));
    }

    /// Who is here now.
    pub fn set_presence(&self, presence: Presence) {
        *self.shared.local_presence.lock().unwrap_or_else(PoisonError::into_inner) = Some(presence);
        self.shared.wake.notify_one();
    }

    /// The site is so open from now on, whatever the frame loop does.
    pub fn set_sharing_policy(&self, openness: SharingPolicy) {
        *self.shared.sharing_policy.lock().unwrap_or_else(PoisonError::into_inner) = openness;
        self.shared.wake.notify_one();
    }

    /// How open the site is.
    pub fn sharing_policy(&self) -> SharingPolicy {
        self.shared.sharing_policy()
    }

    /// Sets that a picture is in view until `until`, monotonic. From the first call on, the twin is told who is here only until
    /// then, whatever the frame loop does.
    pub fn set_in_view_until(&self, until: Duration) {
        *self.shared.in_view_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
    }

    /// Returns true if a picture is in view at `now`, monotonic.
    pub fn is_in_view(&self, now: Duration) -> bool {
        self.shared.is_in_view(now)
    }

    /// A scene starts: the shared clock may take a large step.
    pub fn scene_start(&self) {
        let _ = self.commands.try_send(LinkCommand::SceneStart);
    }

    /// Who is to be shown there at `now`, monotonic.
    pub fn remote_presence(&self, now: Duration) -> Presence {
        self.shared.remote_presence.lock().unwrap_or_else(PoisonError::into_inner).1.sample(now)
    }

    /// How the link is.
    pub fn status(&self) -> LinkStatus {
        *self.shared.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says goodbye to the twin and ends the link, even if its thread is still held elsewhere.
    pub fn stop(&self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        self.shared.wake.notify_one();
    }

    /// How often the link thread has turned; a number that stands still for a second is a fault.
    pub fn update_count(&self) -> u64 {
        self.shared.updates.load(Ordering::Relaxed)
    }
}

/// What a link is made of.
pub struct LinkSetup {
    /// This site's.
    pub key: SiteKey,
    /// Who it is, and who the twin.
    pub config: LinkConfig,
    /// The site's marks.
    pub store: Box<dyn MarkStore>,
    /// Where the twin may be found.
    pub peer_addrs: PeerAddrs,
    /// The site's folder: what the operator changes there is followed, and those with a ticket are let in.
    pub profile: Option<SiteProfile>,
    /// What QUIC runs on; see [`transport_config`].
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
        Self::open(listen, LinkSetup { key, config, store, peer_addrs, profile: None, transport: transport_config() })
    }

    /// The same for a site with a folder, whose twin may change, or over another transport than [`transport_config`].
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
        let shared = Arc::new(LinkShared::default());
        let sender = LinkHandle { commands, shared: shared.clone() };
        let driver = runtime.block_on(async { LinkDriver::new(plan, socket, shared, told) })?;
        let thread = std::thread::Builder::new()
            .name("link".into())
            .spawn(move || runtime.block_on(driver.run(from_show)))
            .map_err(|why| setup(&why))?;
        Ok((Self { sender, thread: Some(thread), address }, receiver))
    }

    /// Speaks to the link.
    pub fn sender(&self) -> LinkHandle {
        self.sender.clone()
    }

    /// The address that it listens on, with the port that was chosen if none was given.
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

/// What the link runs on: every limit set, our own controller.
pub fn transport_config() -> Arc<quinn::TransportConfig> {
    Arc::new(transport_limits(Arc::new(LinkControllerFactory)))
}

/// Every limit of QUIC, set. Datagrams carry the link; streams are for what is bulky, and nothing is yet.
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
