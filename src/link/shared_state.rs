//! What each site says of itself, for as long as it says so: the newest counts, and it is gone when the site goes.

use super::deadline::LinkDeadline;
use super::frame::{DATA_MAX, LinkFrame};
use super::session::Link;
use super::types::LinkState;
use std::time::Duration;

/// It is said at most this often.
const TICK: Duration = Duration::from_micros(16_667);
/// When it is said again until the twin has it; then after twice as long each time.
const RESEND_AFTER: [Duration; 4] =
    [Duration::from_millis(5), Duration::from_millis(12), Duration::from_millis(50), Duration::from_millis(50)];
const RESEND_MAX: Duration = Duration::from_secs(30);

/// What is shared each way.
#[derive(Debug)]
pub(super) struct SharedState {
    /// Ours: JSON, and how often it, or whether it may be told, has changed.
    local: String,
    version: u64,
    attempts: u32,
    last_sent: Option<Duration>,
    /// The twin has what is ours now.
    acknowledged: bool,
    /// The twin's, and its number there.
    remote: Option<(u64, String)>,
    /// The twin is to be told that it came.
    ack_due: bool,
    open: bool,
}

impl Default for SharedState {
    fn default() -> Self {
        let here = String::new();
        Self {
            local: here,
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

impl Link {
    /// What this site says of itself from now on, as JSON; empty for nothing. False when it is too long to be said.
    pub fn handle_shared_state(&mut self, now: Duration, data: &str) -> bool {
        if data.len() > DATA_MAX {
            return false;
        }
        if self.shared_state.local != data {
            self.shared_state.local = data.to_owned();
            self.bump_shared_state(now);
        }
        true
    }

    /// What this site says of itself.
    pub fn local_shared_state(&self) -> &str {
        &self.shared_state.local
    }

    /// Whether what is shared may be told, and taken in.
    pub(super) fn set_state_sharing(&mut self, now: Duration, open: bool) {
        if std::mem::replace(&mut self.shared_state.open, open) != open && self.shared_state.version > 0 {
            // A site that closes says that it says nothing any more.
            self.bump_shared_state(now);
        }
    }

    fn bump_shared_state(&mut self, now: Duration) {
        let share = &mut self.shared_state;
        (share.version, share.attempts, share.acknowledged) = (share.version + 1, 0, false);
        let at = share.last_sent.map_or(now, |said| now.max(said + TICK));
        self.deadlines.set(LinkDeadline::SharedState, at);
        self.note_activity(now);
    }

    /// What the twin says of itself, and a number that differs when that has changed; none while it is not linked.
    pub fn remote_shared_state(&self) -> Option<(u64, &str)> {
        let there =
            self.shared_state.remote.as_ref().filter(|_| self.state == LinkState::Linked && self.shared_state.open)?;
        Some((there.0, &there.1))
    }

    /// The twin is another one, or has started anew: what it said of itself is over.
    pub(super) fn clear_remote_state(&mut self) {
        self.shared_state.remote = None;
    }

    /// Who listens now may know nothing of it yet.
    pub(super) fn resend_shared_state(&mut self, now: Duration) {
        (self.shared_state.attempts, self.shared_state.acknowledged) = (0, false);
        self.plan_shared_state(now);
    }

    /// There is a path: what the twin is not known to have is said.
    pub(super) fn plan_shared_state(&mut self, now: Duration) {
        if self.shared_state.version > 0 && !self.shared_state.acknowledged {
            self.deadlines.set_earliest(LinkDeadline::SharedState, now);
        }
    }

    /// Appends what is to be said of it, if it fits into a datagram of `most` bytes.
    pub(super) fn put_shared_state(&mut self, now: Duration, most: usize, out: &mut Vec<u8>) {
        let is_due = std::mem::take(&mut self.pending.shared_state);
        if self.state != LinkState::Linked {
            return;
        }
        let share = &mut self.shared_state;
        if share.ack_due && out.len() + 16 <= most {
            share.ack_due = false;
            let number = share.remote.as_ref().map_or(0, |(number, _)| *number);
            LinkFrame::SharedStateAck { number }.encode(out);
        }
        if !is_due || share.acknowledged || share.version == 0 {
            return;
        }
        let data = if share.open { share.local.clone() } else { String::new() };
        if out.len() + data.len() + 24 <= most {
            LinkFrame::SharedState { number: share.version, data }.encode(out);
            share.last_sent = Some(now);
            let again = RESEND_AFTER.get(share.attempts as usize).copied();
            let later = || (RESEND_AFTER[3] * 2_u32.saturating_pow(share.attempts.clamp(3, 16) - 3)).min(RESEND_MAX);
            let again = again.unwrap_or_else(later);
            share.attempts += 1;
            self.deadlines.set(LinkDeadline::SharedState, now + again);
        } else {
            // It goes into a datagram of its own.
            self.deadlines.set(LinkDeadline::SharedState, now);
        }
    }

    /// It is taken in however open this site is, so that the twin need not say it again; who may see it is looked at when it
    /// is asked for.
    pub(super) fn handle_remote_state(&mut self, now: Duration, number: u64, data: String) {
        if self.state != LinkState::Linked {
            return;
        }
        if self.shared_state.remote.as_ref().is_none_or(|(known, _)| *known < number) {
            self.shared_state.remote = Some((number, data));
            self.note_activity(now);
        }
        self.shared_state.ack_due = true;
        self.deadlines.set_earliest(LinkDeadline::Acknowledge, now + Duration::from_millis(4));
    }

    pub(super) fn handle_shared_state_ack(&mut self, number: u64) {
        if number == self.shared_state.version && !self.shared_state.acknowledged {
            self.shared_state.acknowledged = true;
            self.deadlines.cancel(LinkDeadline::SharedState);
        }
    }
}
