//! Interval at which a session sends when it has nothing to say, and the silence that counts as suspicious.

use crate::frame::PAUSE_MS;
use std::time::Duration;

/// Longest silence while anybody is at one of the sites.
pub(super) const HEARTBEAT: Duration = Duration::from_millis(PAUSE_MS as u64);
/// Longest silence once nobody has been at either site for a while and nothing happened: mostly at night.
const IDLE_HEARTBEAT: Duration = Duration::from_millis(1_600);
const IDLE_AFTER: Duration = Duration::from_secs(30);
/// Number of times that a longer pause is announced before it is made, since announcements can be lost.
const ANNOUNCEMENTS: u32 = 6;
/// Silence, in time or in pauses of the twin, after which the path may be broken.
const SUSPECT_AFTER: Duration = Duration::from_millis(300);

/// Activity of both sites, from which the interval follows.
#[derive(Debug)]
pub(super) struct Heartbeat {
    last_activity: Duration,
    announced: u32,
}

impl Heartbeat {
    pub fn new(now: Duration) -> Self {
        Self { last_activity: now, announced: 0 }
    }

    /// Records that somebody is there or something happened. Returns true if the long pause was in use until now.
    pub fn note_activity(&mut self, now: Duration) -> bool {
        self.last_activity = now;
        std::mem::take(&mut self.announced) >= ANNOUNCEMENTS
    }

    /// Returns true if nothing has happened for a while. `quiet`: nobody is here, nothing is queued, and a twin is heard.
    pub fn is_idle(&self, now: Duration, quiet: bool) -> bool {
        quiet && now.saturating_sub(self.last_activity) > IDLE_AFTER
    }

    /// Returns the longest pause until the next datagram, as announced to the twin.
    pub fn announced_pause(&self, now: Duration, quiet: bool) -> Duration {
        if self.is_idle(now, quiet) { IDLE_HEARTBEAT } else { HEARTBEAT }
    }

    /// Returns the pause to make now, after a datagram was sent.
    pub fn next_pause(&mut self, now: Duration, quiet: bool) -> Duration {
        self.announced = if self.is_idle(now, quiet) { (self.announced + 1).min(ANNOUNCEMENTS) } else { 0 };
        if self.announced == ANNOUNCEMENTS { IDLE_HEARTBEAT } else { HEARTBEAT }
    }

    /// Returns true while a heartbeat also carries presence: the last change of it may have been lost. Not all night.
    pub fn carries_presence(&self) -> bool {
        self.announced < ANNOUNCEMENTS
    }
}

/// Returns the silence after which another path is worth trying, for a twin that announced this pause.
pub(super) fn suspect_after(pause: Duration) -> Duration {
    SUSPECT_AFTER.max(pause * 12 / 5)
}
