//! Touches of the twin that are held, and how many it may begin.
//!
//! A scene sees each of them in each frame, so there are as many as presence has at most. Where one more begins, the oldest
//! ends. A twin whose touches begin faster than any crowd's is hostile: it is dropped before a scene pays for it.

use super::frame::{Event, Happening};
use super::session::Link;
use super::terms::{Output, Parted};
use crate::allowance::Allowance;
use crate::presence::{TOUCHES_MAX, Touch};
use std::collections::VecDeque;
use std::time::Duration;

/// Touches that may begin a second, and at once: ten hands of five fingers that drum as fast as hands can, and all that such
/// a crowd does while the link is away and events are kept.
const BEGIN: (f64, f64) = (200.0, 512.0);
const TOO_MANY: &str = "more touches than any crowd makes";

/// What is held at the twin.
#[derive(Debug)]
pub(super) struct Held {
    /// From the oldest to the newest.
    touches: VecDeque<Touch>,
    allowed: Allowance,
}

impl Default for Held {
    fn default() -> Self {
        Self { touches: VecDeque::new(), allowed: Allowance::new(BEGIN.0, BEGIN.1) }
    }
}

impl Held {
    /// The twin is gone, and its touches with it.
    pub fn clear(&mut self) {
        self.touches.clear();
    }

    /// Takes one out.
    fn end(&mut self, id: u32) -> Option<Touch> {
        let index = self.touches.iter().position(|touch| touch.id == id)?;
        self.touches.remove(index)
    }

    /// One begins. The one that ends for it, if there are too many.
    fn begin(&mut self, touch: Touch) -> Option<Touch> {
        // One that begins again is the same one.
        self.end(touch.id);
        let oldest = if self.touches.len() >= TOUCHES_MAX { self.touches.pop_front() } else { None };
        self.touches.push_back(touch);
        oldest
    }
}

impl Link {
    /// One of the twin's events, in its turn.
    pub(super) fn take_event(&mut self, now: Duration, event: Event, apart: bool) {
        let Some(twin) = self.twin.as_ref().filter(|_| !apart) else { return };
        let (number, made) = (event.number, twin.clock.here(now, event.made));
        match event.what {
            Happening::Unknown => return,
            Happening::Meet { at, place } => return self.take_meeting(now, at, place),
            Happening::Down(touch) => {
                if !self.held.allowed.take(now, 1.0) {
                    return self.part(now, Parted::Hostile(TOO_MANY.into()));
                }
                if let Some(oldest) = self.held.begin(touch) {
                    self.outputs.push_back(Output::Happened { number, made, what: Happening::Up(oldest) });
                }
            }
            // One that has ended already, or began before the link was lost, is an end all the same.
            Happening::Up(touch) => {
                if self.held.end(touch.id).is_none() && !self.held.allowed.take(now, 1.0) {
                    return self.part(now, Parted::Hostile(TOO_MANY.into()));
                }
            }
            Happening::Signal { .. } => {}
        }
        self.outputs.push_back(Output::Happened { number, made, what: event.what });
    }
}
