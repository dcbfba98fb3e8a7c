//! How often a session speaks when it has nothing to say, and how long a silence may be.

use super::deadline::Deadline;
use super::session::{HEARTBEAT, Link};
use super::terms::State;
use std::time::Duration;

/// And this often when nobody has been at either site for a while, and nothing happened: at night, mostly.
const CALM: Duration = Duration::from_millis(1_600);
const CALM_AFTER: Duration = Duration::from_secs(30);
/// A longer pause is announced so many times before it is made: one announcement may be lost.
pub(super) const ANNOUNCED: u32 = 6;
/// After this silence, or 2.4 pauses, the path may be broken.
const SUSPECT_AFTER: Duration = Duration::from_millis(300);

impl Link {
    /// Somebody is there, or something has happened.
    pub(super) fn stir(&mut self, now: Duration) {
        self.stirred = now;
        if std::mem::take(&mut self.announced) >= ANNOUNCED {
            for which in [Deadline::Heartbeat, Deadline::Ping] {
                self.deadlines.set_by(which, now);
            }
        }
    }

    /// Nobody was at either site for a while, and nothing happened.
    pub(super) fn is_calm(&self, now: Duration) -> bool {
        let nobody = self.here.is_empty() && self.outbox.len() == 0 && self.state != State::Alone;
        nobody && now.saturating_sub(self.stirred) > CALM_AFTER
    }

    /// The longest pause until the next datagram, as the twin is told.
    pub(super) fn pause(&self, now: Duration) -> Duration {
        if self.is_calm(now) { CALM } else { HEARTBEAT }
    }

    /// When silence is broken next.
    pub(super) fn plan_beat(&mut self, now: Duration) {
        let calm = self.is_calm(now);
        self.announced = if calm { (self.announced + 1).min(ANNOUNCED) } else { 0 };
        let pause = if self.announced == ANNOUNCED { CALM } else { HEARTBEAT };
        self.deadlines.set(Deadline::Heartbeat, now + pause);
    }

    /// After so long a silence another way to the twin is worth trying.
    pub fn suspect_after(&self) -> Duration {
        let pause = self.twin.as_ref().map_or(HEARTBEAT, |twin| twin.pause);
        SUSPECT_AFTER.max(pause * 12 / 5)
    }
}
