//! How often a session speaks when it has nothing to say, and how long a silence may be.

use super::deadline::LinkDeadline;
use super::session::{HEARTBEAT, Link};
use super::types::LinkState;
use std::time::Duration;

/// And this often when nobody has been at either site for a while, and nothing happened: at night, mostly.
const IDLE_HEARTBEAT: Duration = Duration::from_millis(1_600);
const IDLE_AFTER: Duration = Duration::from_secs(30);
/// A longer pause is announced so many times before it is made: one announcement may be lost.
pub(super) const ANNOUNCEMENTS: u32 = 6;
/// After this silence, or 2.4 pauses, the path may be broken.
const SUSPECT_AFTER: Duration = Duration::from_millis(300);

impl Link {
    /// Somebody is there, or something has happened.
    pub(super) fn note_activity(&mut self, now: Duration) {
        self.last_activity = now;
        if std::mem::take(&mut self.idle_announcements) >= ANNOUNCEMENTS {
            for which in [LinkDeadline::Heartbeat, LinkDeadline::Ping] {
                self.deadlines.set_earliest(which, now);
            }
        }
    }

    /// Nobody was at either site for a while, and nothing happened.
    pub(super) fn is_idle(&self, now: Duration) -> bool {
        let nobody = self.local_presence.is_empty() && self.outbox.len() == 0 && self.state != LinkState::Alone;
        nobody && now.saturating_sub(self.last_activity) > IDLE_AFTER
    }

    /// The longest pause until the next datagram, as the twin is told.
    pub(super) fn heartbeat_pause(&self, now: Duration) -> Duration {
        if self.is_idle(now) { IDLE_HEARTBEAT } else { HEARTBEAT }
    }

    /// When silence is broken next.
    pub(super) fn plan_heartbeat(&mut self, now: Duration) {
        let calm = self.is_idle(now);
        self.idle_announcements = if calm { (self.idle_announcements + 1).min(ANNOUNCEMENTS) } else { 0 };
        let pause = if self.idle_announcements == ANNOUNCEMENTS { IDLE_HEARTBEAT } else { HEARTBEAT };
        self.deadlines.set(LinkDeadline::Heartbeat, now + pause);
    }

    /// After so long a silence another way to the twin is worth trying.
    pub fn suspect_after(&self) -> Duration {
        let pause = self.twin.as_ref().map_or(HEARTBEAT, |twin| twin.pause);
        SUSPECT_AFTER.max(pause * 12 / 5)
    }
}
