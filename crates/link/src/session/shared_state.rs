//! State that each site shares with its twin: the newest value counts, and it ends when its site goes.

use super::timers::{LinkDeadline, Timers};
use crate::frame::{DATA_MAX, LinkFrame};
use std::time::Duration;

/// Shortest time between two values.
const TICK: Duration = Duration::from_micros(16_667);
/// Times until a value is sent again, as long as the twin has not acknowledged it; then twice as long each time.
const RESEND_AFTER: [Duration; 4] =
    [Duration::from_millis(5), Duration::from_millis(12), Duration::from_millis(50), Duration::from_millis(50)];
const RESEND_MAX: Duration = Duration::from_secs(30);
const ACK_DELAY: Duration = Duration::from_millis(4);

/// The state of both sites, as JSON.
#[derive(Debug)]
pub(super) struct SharedState {
    local: String,
    /// Counts the changes of the local state, and of `open`.
    version: u64,
    attempts: u32,
    last_sent: Option<Duration>,
    acknowledged: bool,
    /// The twin's state, with its version.
    remote: Option<(u64, String)>,
    ack_due: bool,
    open: bool,
}

impl Default for SharedState {
    fn default() -> Self {
        Self {
            local: String::new(),
            version: 0,
            attempts: 0,
            last_sent: None,
            acknowledged: false,
            remote: None,
            ack_due: false,
            open: true,
        }
    }
}

/// Result of a change: activity at a site, or none.
pub(super) type IsActivity = bool;

impl SharedState {
    /// Returns the state of this site.
    pub fn local(&self) -> &str {
        &self.local
    }

    /// Returns the twin's state and its version, while the policy allows it.
    pub fn remote(&self) -> Option<(u64, &str)> {
        self.remote.as_ref().filter(|_| self.open).map(|(version, data)| (*version, data.as_str()))
    }

    /// Returns true if `data` is short enough to be sent.
    pub fn fits(data: &str) -> bool {
        data.len() <= DATA_MAX
    }

    /// Sets the state of this site.
    pub fn set_local(&mut self, now: Duration, data: &str, timers: &mut Timers) -> IsActivity {
        if self.local == data {
            return false;
        }
        self.local = data.to_owned();
        self.bump(now, timers);
        true
    }

    /// Sets if state is shared. A site that closes sends an empty state.
    pub fn set_open(&mut self, now: Duration, open: bool, timers: &mut Timers) -> IsActivity {
        let changes = std::mem::replace(&mut self.open, open) != open && self.version > 0;
        if changes {
            self.bump(now, timers);
        }
        changes
    }

    fn bump(&mut self, now: Duration, timers: &mut Timers) {
        (self.version, self.attempts, self.acknowledged) = (self.version + 1, 0, false);
        timers.set(LinkDeadline::SharedState, self.last_sent.map_or(now, |sent| now.max(sent + TICK)));
    }

    /// Forgets the twin's state: it is another twin, or another start of it.
    pub fn clear_remote(&mut self) {
        self.remote = None;
    }

    /// Sends the local state again, to a twin that may not know it.
    pub fn resend(&mut self, now: Duration, timers: &mut Timers) {
        (self.attempts, self.acknowledged) = (0, false);
        self.plan(now, timers);
    }

    /// Plans to send a state that is not acknowledged, since there is a path.
    pub fn plan(&self, now: Duration, timers: &mut Timers) {
        if self.version > 0 && !self.acknowledged {
            timers.set_earliest(LinkDeadline::SharedState, now);
        }
    }

    /// Appends what is due if it fits into a datagram of `limit` bytes. `is_due`: the timer has expired.
    pub fn write(&mut self, now: Duration, is_due: bool, limit: usize, timers: &mut Timers, out: &mut Vec<u8>) {
        if self.ack_due && out.len() + 16 <= limit {
            self.ack_due = false;
            let number = self.remote.as_ref().map_or(0, |(number, _)| *number);
            LinkFrame::SharedStateAck { number }.encode(out);
        }
        if !is_due || self.acknowledged || self.version == 0 {
            return;
        }
        let data = if self.open { self.local.clone() } else { String::new() };
        if out.len() + data.len() + 24 <= limit {
            LinkFrame::SharedState { number: self.version, data }.encode(out);
            self.last_sent = Some(now);
            let early = RESEND_AFTER.get(self.attempts as usize).copied();
            let late = || (RESEND_AFTER[3] * 2_u32.saturating_pow(self.attempts.clamp(3, 16) - 3)).min(RESEND_MAX);
            let pause = early.unwrap_or_else(late);
            self.attempts += 1;
            timers.set(LinkDeadline::SharedState, now + pause);
        } else {
            // It goes into a datagram of its own.
            timers.set(LinkDeadline::SharedState, now);
        }
    }

    /// Takes in a state of the twin. The policy counts when it is read, so that the twin need not send it again.
    pub fn handle_remote(&mut self, now: Duration, number: u64, data: String, timers: &mut Timers) -> IsActivity {
        let is_new = self.remote.as_ref().is_none_or(|(known, _)| *known < number);
        if is_new {
            self.remote = Some((number, data));
        }
        self.ack_due = true;
        timers.set_earliest(LinkDeadline::Acknowledge, now + ACK_DELAY);
        is_new
    }

    /// Handles an acknowledgement of the local state.
    pub fn handle_ack(&mut self, number: u64, timers: &mut Timers) {
        if number == self.version && !self.acknowledged {
            self.acknowledged = true;
            timers.cancel(LinkDeadline::SharedState);
        }
    }
}
