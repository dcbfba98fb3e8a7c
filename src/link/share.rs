//! What each site says of itself, for as long as it says so: the newest counts, and it is gone when the site goes.

use super::deadline::Deadline;
use super::frame::{DATA_MAX, Frame};
use super::session::Link;
use super::terms::State;
use std::time::Duration;

/// It is said at most this often.
const TICK: Duration = Duration::from_micros(16_667);
/// When it is said again until the twin has it; then after twice as long each time.
const AGAIN: [Duration; 4] =
    [Duration::from_millis(5), Duration::from_millis(12), Duration::from_millis(50), Duration::from_millis(50)];
const LATER_MAX: Duration = Duration::from_secs(30);

/// What is shared each way.
#[derive(Debug)]
pub(super) struct Share {
    /// Ours: JSON, and how often it, or whether it may be told, has changed.
    here: String,
    number: u64,
    sent: u32,
    said: Option<Duration>,
    /// The twin has what is ours now.
    done: bool,
    /// The twin's, and its number there.
    there: Option<(u64, String)>,
    /// The twin is to be told that it came.
    came: bool,
    open: bool,
}

impl Default for Share {
    fn default() -> Self {
        let here = String::new();
        Self { here, number: 0, sent: 0, said: None, done: false, there: None, came: false, open: true }
    }
}

impl Link {
    /// What this site says of itself from now on, as JSON; empty for nothing. False when it is too long to be said.
    pub fn handle_share(&mut self, now: Duration, data: &str) -> bool {
        if data.len() > DATA_MAX {
            return false;
        }
        if self.share.here != data {
            self.share.here = data.to_owned();
            self.change_share(now);
        }
        true
    }

    /// What this site says of itself.
    pub fn share_here(&self) -> &str {
        &self.share.here
    }

    /// Whether what is shared may be told, and taken in.
    pub(super) fn open_share(&mut self, now: Duration, open: bool) {
        if std::mem::replace(&mut self.share.open, open) != open && self.share.number > 0 {
            // A site that closes says that it says nothing any more.
            self.change_share(now);
        }
    }

    fn change_share(&mut self, now: Duration) {
        let share = &mut self.share;
        (share.number, share.sent, share.done) = (share.number + 1, 0, false);
        let at = share.said.map_or(now, |said| now.max(said + TICK));
        self.deadlines.set(Deadline::Share, at);
        self.stir(now);
    }

    /// What the twin says of itself, and a number that differs when that has changed; none while it is not linked.
    pub fn share_there(&self) -> Option<(u64, &str)> {
        let there = self.share.there.as_ref().filter(|_| self.state == State::Linked && self.share.open)?;
        Some((there.0, &there.1))
    }

    /// The twin is another one, or has started anew: what it said of itself is over.
    pub(super) fn forget_share(&mut self) {
        self.share.there = None;
    }

    /// Who listens now may know nothing of it yet.
    pub(super) fn renew_share(&mut self, now: Duration) {
        (self.share.sent, self.share.done) = (0, false);
        self.plan_share(now);
    }

    /// There is a path: what the twin is not known to have is said.
    pub(super) fn plan_share(&mut self, now: Duration) {
        if self.share.number > 0 && !self.share.done {
            self.deadlines.set_by(Deadline::Share, now);
        }
    }

    /// Appends what is to be said of it, if it fits into a datagram of `most` bytes.
    pub(super) fn put_share(&mut self, now: Duration, most: usize, out: &mut Vec<u8>) {
        let is_due = std::mem::take(&mut self.due.share);
        if self.state != State::Linked {
            return;
        }
        let share = &mut self.share;
        if share.came && out.len() + 16 <= most {
            share.came = false;
            let number = share.there.as_ref().map_or(0, |(number, _)| *number);
            Frame::Shared { number }.encode(out);
        }
        if !is_due || share.done || share.number == 0 {
            return;
        }
        let data = if share.open { share.here.clone() } else { String::new() };
        if out.len() + data.len() + 24 <= most {
            Frame::Share { number: share.number, data }.encode(out);
            share.said = Some(now);
            let again = AGAIN.get(share.sent as usize).copied();
            let later = || (AGAIN[3] * 2_u32.saturating_pow(share.sent.clamp(3, 16) - 3)).min(LATER_MAX);
            let again = again.unwrap_or_else(later);
            share.sent += 1;
            self.deadlines.set(Deadline::Share, now + again);
        } else {
            // It goes into a datagram of its own.
            self.deadlines.set(Deadline::Share, now);
        }
    }

    /// It is taken in however open this site is, so that the twin need not say it again; who may see it is looked at when it
    /// is asked for.
    pub(super) fn take_share(&mut self, now: Duration, number: u64, data: String) {
        if self.state != State::Linked {
            return;
        }
        if self.share.there.as_ref().is_none_or(|(known, _)| *known < number) {
            self.share.there = Some((number, data));
            self.stir(now);
        }
        self.share.came = true;
        self.deadlines.set_by(Deadline::Acknowledge, now + Duration::from_millis(4));
    }

    pub(super) fn take_shared(&mut self, number: u64) {
        if number == self.share.number && !self.share.done {
            self.share.done = true;
            self.deadlines.stop(Deadline::Share);
        }
    }
}
