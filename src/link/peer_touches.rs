//! Touches that are held at the twin, and a limit on how many it may begin.
//!
//! A scene sees each of them in each frame, so there are at most as many as presence allows. When one more begins, the oldest
//! ends. A twin whose touches begin faster than any crowd's is hostile: it is dropped before it slows a scene down.

use super::frame::{EventEnvelope, SiteEvent};
use super::session::Link;
use super::types::{DisconnectReason, LinkOutput};
use crate::presence::{TOUCHES_MAX, Touch};
use crate::token_bucket::TokenBucket;
use std::collections::VecDeque;
use std::time::Duration;

/// Most touches that begin, per second and in a burst: ten hands of five fingers that drum as fast as hands can, and all
/// that such a crowd does while the link is down and events are kept.
const BEGIN_RATE: (f64, f64) = (200.0, 512.0);
const TOO_MANY: &str = "more touches than any crowd makes";

/// Touches that are held at the twin.
#[derive(Debug)]
pub(super) struct PeerTouches {
    /// Touches from the oldest to the newest.
    touches: VecDeque<Touch>,
    begin_limit: TokenBucket,
}

impl Default for PeerTouches {
    fn default() -> Self {
        Self { touches: VecDeque::new(), begin_limit: TokenBucket::new(BEGIN_RATE.0, BEGIN_RATE.1) }
    }
}

impl PeerTouches {
    /// Clears all touches, since the twin is gone.
    pub fn clear(&mut self) {
        self.touches.clear();
    }

    /// Removes a touch, and returns it.
    fn end(&mut self, id: u32) -> Option<Touch> {
        let index = self.touches.iter().position(|touch| touch.id == id)?;
        self.touches.remove(index)
    }

    /// Begins a touch. Returns the one that ends to make room for it, if there are too many.
    fn begin(&mut self, touch: Touch) -> Option<Touch> {
        // A touch that begins again is the same touch.
        self.end(touch.id);
        let oldest = if self.touches.len() >= TOUCHES_MAX { self.touches.pop_front() } else { None };
        self.touches.push_back(touch);
        oldest
    }
}

impl Link {
    /// Applies one of the twin's events, in order.
    pub(super) fn handle_peer_event(&mut self, now: Duration, event: EventEnvelope, apart: bool) {
        let Some(twin) = self.twin.as_ref().filter(|_| !apart) else { return };
        let (number, made) = (event.number, twin.clock.to_local(now, event.made));
        match event.event {
            SiteEvent::Unknown => return,
            SiteEvent::Meet { at, place } => return self.handle_proposal(now, at, place),
            SiteEvent::Down(touch) => {
                if !self.peer_touches.begin_limit.try_take(now, 1.0) {
                    return self.disconnect(now, DisconnectReason::Hostile(TOO_MANY.into()));
                }
                if let Some(oldest) = self.peer_touches.begin(touch) {
                    self.outputs.push_back(LinkOutput::Event { number, made, event: SiteEvent::Up(oldest) });
                }
            }
            // An `Up` still counts as an end if its touch has ended already, or began before the link was lost.
            SiteEvent::Up(touch) => {
                if self.peer_touches.end(touch.id).is_none() && !self.peer_touches.begin_limit.try_take(now, 1.0) {
                    return self.disconnect(now, DisconnectReason::Hostile(TOO_MANY.into()));
                }
            }
            SiteEvent::Signal { .. } => {}
        }
        self.outputs.push_back(LinkOutput::Event { number, made, event: event.event });
    }
}
