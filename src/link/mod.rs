//! The link between two sites: a state machine without sockets, threads or a wall clock.
//!
//! Its owner calls `handle_*` with the time and what happened, then `poll_*` until there is nothing more to do. Time
//! is the machine's monotonic clock as a [`std::time::Duration`] since its own origin. A failure replays from a seed.

mod clock;
mod deadline;
mod epoch;
mod exchange;
mod frame;
mod inbox;
mod marks;
mod meetings;
pub mod ocean;
mod outbox;
mod pace;
pub mod pairing;
mod pieces;
pub mod relay;
mod session;
mod share;
mod shares;
pub mod survey;
mod terms;
mod ticket;
mod touches;
mod transmit;

pub use clock::ClockReading;
pub use frame::{DATA_MAX, Goodbye, Happening, Hello, NAME_MAX};
pub use marks::Works;
pub use session::Link;
pub use terms::{Config, Health, Output, Parted, Showing, State};
pub use ticket::{Card, Ticket, TicketError};

/// Most bytes in one datagram of the link; fits every path that QUIC accepts, with room for its own headers.
pub const DATAGRAM_MAX: usize = 1_150;
/// The version of the link that this engine speaks.
pub const PROTOCOL: u8 = 1;
