//! Touches held at the twin, and a limit on the rate at which new ones begin.
//!
//! A scene sees each of them in each frame, so their number is bounded by that of presence: when one more begins, the oldest
//! ends. A twin whose touches begin faster than those of any crowd is hostile; it is dropped before it slows a scene down.

use crate::frame::SiteEvent;
use moongate_core::presence::{TOUCHES_MAX, Touch};
use moongate_core::token_bucket::{RateLimit, TokenBucket};
use std::collections::VecDeque;
use std::time::Duration;

/// Maximum rate at which touches begin, per second and in a burst.
///
/// It is that of ten hands of five fingers drumming as fast as hands can, and of all that they do while the link is down.
const BEGIN_RATE: RateLimit = RateLimit { rate: 200.0, burst: 512.0 };

/// Touches held at the twin, from the oldest to the newest.
#[derive(Debug)]
pub(super) struct PeerTouches {
    touches: VecDeque<Touch>,
    begin_limit: TokenBucket,
}

/// Touches begin faster than those of any crowd.
#[derive(Debug)]
pub(super) struct TooManyTouches;

impl Default for PeerTouches {
    fn default() -> Self {
        Self { touches: VecDeque::new(), begin_limit: TokenBucket::new(BEGIN_RATE) }
    }
}

impl PeerTouches {
    /// Clears all touches, since the twin is gone.
    pub fn clear(&mut self) {
        self.touches.clear();
    }

    /// Applies an event of the twin. Returns the touch that ends to make room for a new one, if there is no room.
    pub fn handle(&mut self, now: Duration, event: &SiteEvent) -> Result<Option<Touch>, TooManyTouches> {
        match event {
            SiteEvent::Down(touch) => {
                self.count(now)?;
                Ok(self.begin(*touch))
            }
            // An `Up` still counts as an end if its touch has ended already, or began before the link was lost.
            SiteEvent::Up(touch) => {
                if self.end(touch.id).is_none() {
                    self.count(now)?;
                }
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    fn count(&mut self, now: Duration) -> Result<(), TooManyTouches> {
        if self.begin_limit.try_take(now, 1.0) { Ok(()) } else { Err(TooManyTouches) }
    }

    fn end(&mut self, id: u32) -> Option<Touch> {
        let index = self.touches.iter().position(|touch| touch.id == id)?;
        self.touches.remove(index)
    }

    fn begin(&mut self, touch: Touch) -> Option<Touch> {
        // A touch that begins again is the same touch.
        self.end(touch.id);
        let oldest = if self.touches.len() >= TOUCHES_MAX { self.touches.pop_front() } else { None };
        self.touches.push_back(touch);
        oldest
    }
}
