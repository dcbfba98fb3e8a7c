//! Frames that go into the next datagram.

use crate::frame::Goodbye;
use std::collections::VecDeque;
use std::time::Duration;

/// Flags and contents of the frames that are due.
#[derive(Debug, Default)]
pub(super) struct PendingFrames {
    pub hello: bool,
    pub showing: bool,
    pub ping: bool,
    /// Times of a ping: sent by the twin's clock, and received by ours.
    pub pong: Option<(Duration, Duration)>,
    pub ack: bool,
    pub heartbeat: bool,
    pub marks: bool,
    pub shared_state: bool,
    pub goodbye: Option<Goodbye>,
    /// Encoded parts of the presence of this site.
    pub parts: VecDeque<Vec<u8>>,
}

impl PendingFrames {
    pub fn is_empty(&self) -> bool {
        let Self { hello, showing, ping, pong, ack, heartbeat, marks, shared_state, goodbye, parts } = self;
        !(*hello || *showing || *ping || *ack || *heartbeat || *marks || *shared_state)
            && pong.is_none()
            && goodbye.is_none()
            && parts.is_empty()
    }
}
