//! What each site says of itself, for as long as it says so: the newest counts, and it is gone when the site goes.

use super::deadline::Deadline;
use super::frame::{DATA_MAX, Frame};
use super::session::Link;
use super::terms::State;
use std::time::Duration;

/// It is said at most this often.
const TICK: Duration = Duration::from_micros(16_667);
/// When it is said again until the twin has it; then each [`LATER`].
const AGAIN: [Duration; 2] = [Duration::from_millis(5), Duration::from_millis(12)];
const LATER: Duration = Duration::from_millis(50);

/// What is shared each way.
#[derive(Debug, Default)]
pub(super) struct Share {
    /// Ours: JSON, and how often it has changed.
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

impl Link {
    /// What this site says of itself from now on, as JSON; empty for nothing. False when it is too long to be said.
    pub fn handle_share(&mut self, now: Duration, data: &str) -> bool {
        if data.len() > DATA_MAX {
            return false;
        }
        let share = &mut self.share;
        if share.here != data {
            share.here = data.to_owned();
            (share.number, share.sent, share.done) = (share.number + 1, 0, false);
            let at = share.said.map_or(now, |said| now.max(said + TICK));
            self.deadlines.set(Deadline::Share, at);
            self.stir(now);
        }
        true
    }

    /// As it is unless the owner says otherwise.
    pub(super) fn share_openly(&mut self) {
        self.share.open = true;
    }

    /// Whether what is shared may be told, and taken in.
    pub(super) fn open_share(&mut self, now: Duration, open: bool) {
        if std::mem::replace(&mut self.share.open, open) != open {
            self.share.done = false;
            self.deadlines.set(Deadline::Share, now);
            if !open {
                self.share.there = None;
            }
        }
    }

    /// What the twin says of itself, and a number that differs when that has changed; none while it is not linked.
    pub fn share_there(&self) -> Option<(u64, &str)> {
        let there = self.share.there.as_ref().filter(|_| self.state == State::Linked && self.share.open)?;
        Some((there.0, &there.1))
    }

    /// Who listens now knows nothing of it yet.
    pub(super) fn renew_share(&mut self, now: Duration) {
        let share = &mut self.share;
        (share.sent, share.done, share.there) = (0, false, None);
        if share.number > 0 {
            self.deadlines.set(Deadline::Share, now);
        }
    }

    /// Appends what is to be said of it, if it fits into a datagram of `most` bytes.
    pub(super) fn put_share(&mut self, now: Duration, most: usize, out: &mut Vec<u8>) {
        if self.state != State::Linked || !self.share.open {
            return;
        }
        let share = &mut self.share;
        if share.came && out.len() + 16 <= most {
            share.came = false;
            let number = share.there.as_ref().map_or(0, |(number, _)| *number);
            Frame::Shared { number }.encode(out);
        }
        if !std::mem::take(&mut self.due.share) || share.done || share.number == 0 {
            return;
        }
        if out.len() + share.here.len() + 24 <= most {
            Frame::Share { number: share.number, data: share.here.clone() }.encode(out);
            share.said = Some(now);
            share.sent += 1;
            let again = AGAIN.get(share.sent as usize - 1).copied().unwrap_or(LATER);
            self.deadlines.set(Deadline::Share, now + again);
        } else {
            // It goes into a datagram of its own.
            self.deadlines.set(Deadline::Share, now);
        }
    }

    pub(super) fn take_share(&mut self, now: Duration, number: u64, data: String) {
        if self.state == State::Linked && self.share.open {
            if self.share.there.as_ref().is_none_or(|(known, _)| *known < number) {
                self.share.there = Some((number, data));
                self.stir(now);
            }
            self.share.came = true;
            self.deadlines.set_by(Deadline::Acknowledge, now + Duration::from_millis(4));
        }
    }

    pub(super) fn take_shared(&mut self, number: u64) {
        if number == self.share.number && !self.share.done {
            self.share.done = true;
            self.deadlines.stop(Deadline::Share);
        }
    }
}
