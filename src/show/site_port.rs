//! Connection of the frame loop to the site half, and its clocks.

use crate::device::clock::monotonic;
use crate::device::site_handle::SiteHandle;
use crate::messages::{ShowMessage, SiteMessage};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Connection of a show half to its site half. Neither method waits.
pub trait SitePort: Send + Sync + 'static {
    /// Returns the messages since the last call, in the order in which they are to be handled.
    fn poll_messages(&mut self, now: Duration) -> Vec<SiteMessage>;

    /// Sends a message to the site half.
    fn handle_message(&mut self, message: ShowMessage);
}

/// Both halves in one process.
impl SitePort for SiteHandle {
    fn poll_messages(&mut self, now: Duration) -> Vec<SiteMessage> {
        SiteHandle::poll_messages(self, now)
    }

    fn handle_message(&mut self, message: ShowMessage) {
        SiteHandle::handle_message(self, message);
    }
}

/// An instant, by both clocks of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ShowTime {
    /// Monotonic clock.
    pub now: Duration,
    /// Wall clock, in seconds since 1970.
    pub unix: f64,
}

impl ShowTime {
    /// Returns the current instant.
    pub fn current() -> Self {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
        Self { now: monotonic(), unix }
    }
}
