//! Sends the presence of this site: at a bounded rate while it changes, and a few times after the last change.

use moongate_core::presence::{OutlineDetail, Point, Presence, encode_presence};
use std::time::Duration;

/// Shortest time between two states of presence on a path that is not crowded.
const TICK: Duration = Duration::from_micros(16_667);
/// Number of repetitions after the last change, since datagrams can be lost.
const TRAILING_REPEATS: u32 = 3;
/// Highest step of the breaker.
const BREAKER_MAX: u8 = 3;

/// The presence of this site as the twin may see it, and its rate.
#[derive(Debug, Default)]
pub(super) struct PresenceSender {
    presence: Presence,
    seq: u64,
    repeats: u32,
    last_tick: Duration,
    breaker: u8,
}

impl PresenceSender {
    pub fn presence(&self) -> &Presence {
        &self.presence
    }

    /// Replaces the presence. Returns false if it is the same.
    pub fn set(&mut self, presence: Presence) -> bool {
        if presence == self.presence {
            return false;
        }
        self.presence = presence;
        self.repeats = TRAILING_REPEATS;
        true
    }

    /// Repeats the presence, for a twin that has just been linked.
    pub fn repeat(&mut self) {
        self.repeats = TRAILING_REPEATS;
    }

    /// Sets the crowding of the path, from 0 to 3: 60, 30, 15 or 8 states a second, and coarser outlines from 1 on.
    pub fn set_breaker(&mut self, step: u8) {
        self.breaker = step.min(BREAKER_MAX);
    }

    pub fn breaker(&self) -> u8 {
        self.breaker
    }

    /// Returns the earliest time at which the presence may be sent again.
    pub fn next_tick(&self, now: Duration) -> Duration {
        now.max(self.last_tick + self.interval())
    }

    fn interval(&self) -> Duration {
        TICK * (1 << self.breaker)
    }

    /// Returns the time of the next repetition, if there is one.
    pub fn next_repeat(&mut self, now: Duration) -> Option<Duration> {
        self.repeats = self.repeats.checked_sub(1)?;
        Some(now + self.interval())
    }

    /// Encodes the presence into frames. `canvas`: size of the canvas, in its units.
    pub fn encode(&mut self, now: Duration, canvas: Point) -> Vec<Vec<u8>> {
        self.seq += 1;
        self.last_tick = now;
        let bodies = self.presence.bodies.len();
        let detail = if self.breaker > 0 { OutlineDetail::Coarse } else { OutlineDetail::for_bodies(bodies) };
        encode_presence(&self.presence, canvas, self.seq, now, detail)
    }
}
