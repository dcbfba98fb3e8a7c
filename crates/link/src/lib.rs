//! The link between two sites: a state machine without sockets, threads or a wall clock.
//!
//! Its owner calls `handle_*` with the time and the input, then `poll_*` until nothing is left to do. Time is the
//! machine's monotonic clock as a [`std::time::Duration`] since its own origin. A failure replays from a seed.

mod batch_sync;
mod frame;
pub mod netcheck;
pub mod netem;
mod network_quota;
pub mod pairing;
mod peer_clock;
mod pieces;
pub mod relay;
mod session;
mod shared_clock;
mod ticket;
mod types;
pub mod virtual_network;

pub use frame::{DATA_MAX, Goodbye, NAME_MAX, PeerHello, SiteEvent};
pub use peer_clock::ClockReading;
pub use session::{Link, MarkReplica};
pub use ticket::{PeerInfo, Ticket, TicketError};
pub use types::{DisconnectReason, LinkCommand, LinkConfig, LinkHealth, LinkOutput, LinkState, NowShowing};

/// Maximum bytes in one datagram of the link. It fits every path that QUIC accepts, with room for QUIC's own headers.
pub const DATAGRAM_MAX: usize = 1_150;
/// Version of the link protocol that this engine uses.
pub const PROTOCOL_VERSION: u8 = 1;

/// Returns an IPv4-mapped IPv6 address as IPv4, and other addresses unchanged.
pub fn canonical(address: core::net::SocketAddr) -> core::net::SocketAddr {
    core::net::SocketAddr::new(address.ip().to_canonical(), address.port())
}
