//! Limits that the protocol of the link, the configuration and the scenes have in common.

/// Maximum length of names in events, of cities and of installations, in bytes.
pub const NAME_MAX: usize = 64;
/// Maximum length of a signal's data and of a shared state, in bytes: an event fits into one datagram.
pub const DATA_MAX: usize = 800;
