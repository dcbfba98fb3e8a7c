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
use crate::link::{LinkConfig, MarkReplica};
use crate::marks::{MarkStore, MemoryStore};
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
