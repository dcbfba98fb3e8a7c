//! The link on its own thread: quinn's endpoint and its connections, which carry the session of a site.

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
use super::site_handle::SiteHandle;
use super::site_key::SiteKey;
use crate::link::{LinkConfig, LinkState, MarkReplica};
use crate::marks::{MarkStore, MemoryStore};
use crate::messages::SessionStatus;
use crate::policy::SharingPolicy;
use crate::presence::CanvasRegion;
use crate::site::SiteSetup;
use driver::LinkDriver;
use quinn::VarInt;
use quinn::congestion::ControllerFactory;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;

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

/// Status of the link, as of its last update.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct LinkStatus {
    /// State of the session.
    pub session: SessionStatus,
    /// Side of this site, 0 or 1.
    pub side: u8,
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

/// Share of lost packets above which a link is weak.
const WEAK_LOSS: f64 = 0.1;
/// Jitter above which a link is weak, in seconds.
const WEAK_JITTER: f64 = 0.06;
/// Number of waiting events above which a link is weak.
const WEAK_PENDING: usize = 64;

impl LinkStatus {
    /// Returns the status of the link in one word, and the reason if it is not good; for operators.
    pub fn summary(&self) -> (&'static str, &'static str) {
        let health = &self.session.health;
        match health.state {
            _ if self.twin.is_none() => ("none", "no twin yet: moongate invite, or moongate accept TICKET"),
            LinkState::Alone if self.refused => ("refused", "the twin has forgotten this site: introduce them again"),
            LinkState::Alone => ("alone", "nothing is heard of the twin"),
            LinkState::Incompatible => ("apart", "the twin shows something that does not go together with this"),
            LinkState::Linked if self.loss > WEAK_LOSS => ("weak", "more than one packet in ten is lost"),
            LinkState::Linked if health.jitter.is_some_and(|jitter| jitter > WEAK_JITTER) => {
                ("weak", "the delay varies by more than 60 ms")
            }
            LinkState::Linked if health.pending > WEAK_PENDING => ("weak", "the twin is slow to take in what is said"),
            LinkState::Linked => ("linked", ""),
        }
    }
}

/// Configuration of a link thread.
pub struct LinkSetup {
    /// Key of this site.
    pub key: SiteKey,
    /// Identity of this site and its twin.
    pub config: LinkConfig,
    /// Parts of the canvas that the site's screens show, in canvas units.
    pub screens: Vec<CanvasRegion>,
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

impl LinkSetup {
    /// Returns the setup of a site without a folder or screens, with marks in memory.
    pub fn new(key: &SiteKey, reach: impl Into<PeerAddrs>, config: LinkConfig) -> Self {
        Self {
            key: key.clone(),
            config,
            screens: Vec::new(),
            policy: SharingPolicy::default(),
            in_view_until: None,
            store: Box::new(MemoryStore::new(fastrand::u64(..))),
            peer_addrs: reach.into(),
            profile: None,
            transport: transport_config(),
        }
    }
}

/// The link thread: it drives the session of a [`Site`](crate::site::Site) over QUIC. Dropping it says goodbye to the twin.
pub struct LinkThread {
    site: SiteHandle,
    thread: Option<std::thread::JoinHandle<()>>,
    address: SocketAddr,
}

impl LinkThread {
    /// Opens the socket and starts the thread.
    ///
    /// # Errors
    /// The socket cannot be opened, or the key, the marks or the system cannot be used.
    pub fn start(listen: SocketAddr, setup: LinkSetup) -> Result<Self, LinkError> {
        let socket = std::net::UdpSocket::bind(listen).map_err(|why| match why.kind() {
            std::io::ErrorKind::AddrInUse => LinkError::PortInUse(listen),
            _ => LinkError::Address { address: listen, why },
        })?;
        let failed = |why: &dyn std::fmt::Display| LinkError::Setup(why.to_string());
        let address = socket.local_addr().map_err(|why| failed(&why))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|why| failed(&why))?;
        let LinkSetup { key, config, screens, policy, in_view_until, store, peer_addrs, profile, transport } = setup;
        let replica = MarkReplica::open(&config.showing.installation, Box::new(key.clone()), store);
        let replica = Some(replica.map_err(|why| failed(&why))?);
        let site = SiteHandle::new(SiteSetup { config, replica, screens, policy, in_view_until });
        let driver =
            runtime.block_on(async { LinkDriver::new(key, socket, site.clone(), peer_addrs, profile, transport) })?;
        let thread = std::thread::Builder::new()
            .name("link".into())
            .spawn(move || runtime.block_on(driver.run()))
            .map_err(|why| failed(&why))?;
        Ok(Self { site, thread: Some(thread), address })
    }

    /// Returns a handle to the site.
    pub fn site(&self) -> SiteHandle {
        self.site.clone()
    }

    /// Returns the address that the link listens on, with the chosen port if none was given.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for LinkThread {
    fn drop(&mut self) {
        self.site.stop();
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
