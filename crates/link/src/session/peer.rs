//! State of the session that belongs to the twin's current start of its show.

use super::heartbeat::HEARTBEAT;
use super::inbox::Inbox;
use crate::frame::PeerHello;
use crate::peer_clock::PeerClock;
use crate::types::NowShowing;
use moongate_core::presence::{JitterBuffer, PresenceAssembler};
use std::collections::VecDeque;
use std::time::Duration;

/// Maximum number of boots that are remembered as over; their late datagrams are ignored.
const RETIRED_BOOTS_MAX: usize = 16;

/// The twin, since the hello of its boot.
#[derive(Debug)]
pub(super) struct PeerState {
    pub hello: PeerHello,
    /// True if it has shown that it knows our boot.
    pub knows_us: bool,
    pub inbox: Inbox,
    pub clock: PeerClock,
    pub assembler: PresenceAssembler,
    pub playout: JitterBuffer,
    pub showing: Option<NowShowing>,
    pub incompatible: bool,
    /// Longest silence, as it announced.
    pub pause: Duration,
}

impl PeerState {
    pub fn new(hello: PeerHello) -> Self {
        Self {
            hello,
            knows_us: false,
            inbox: Inbox::default(),
            clock: PeerClock::default(),
            assembler: PresenceAssembler::default(),
            playout: JitterBuffer::default(),
            showing: None,
            incompatible: false,
            pause: HEARTBEAT,
        }
    }

    /// Returns true if a datagram with this sender is of this boot.
    pub fn is_sender(&self, from: u32) -> bool {
        short_boot(self.hello.boot) == from
    }

    /// Forgets its presence and that it knows us. It may come back as it was: its inbox and its clock stay.
    pub fn suspend(&mut self) {
        (self.assembler, self.playout) = Default::default();
        self.knows_us = false;
        self.pause = HEARTBEAT;
    }
}

/// Boots of the twin that are over.
#[derive(Debug, Default)]
pub(super) struct RetiredBoots(VecDeque<u64>);

impl RetiredBoots {
    pub fn push(&mut self, boot: u64) {
        if self.0.len() == RETIRED_BOOTS_MAX {
            self.0.pop_front();
        }
        self.0.push_back(boot);
    }

    pub fn contains(&self, from: u32) -> bool {
        self.0.iter().any(|boot| short_boot(*boot) == from)
    }
}

/// Returns a boot as datagrams name it; never 0.
pub(super) fn short_boot(boot: u64) -> u32 {
    ((boot ^ (boot >> 32)) as u32).max(1)
}
