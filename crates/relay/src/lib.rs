//! Relay of the link: forwards encrypted datagrams between two sites that cannot connect directly.
//!
//! It reads no traffic and stores none. The protocol is in [`moongate_link::relay`]; here are its socket, its thread and its command
//! line. `moongate relay` runs it, and so does the program `moongate-relay`, which needs neither scenes nor graphics to build.

mod command;
mod thread;

pub use command::{RelayArgs, run};
pub use thread::{RelayStatus, RelayThread};
