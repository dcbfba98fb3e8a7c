//! All deadlines of a session, in one table.

use std::time::Duration;

/// Deadline of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LinkDeadline {
    /// Presence may be sent again.
    Tick,
    /// An event that is not acknowledged is sent again.
    Resend,
    /// Received events are acknowledged, unless a datagram carried that earlier.
    Acknowledge,
    /// A hello is sent again, until the twin shows that it knows this site.
    Greet,
    /// The twin's clock is measured again.
    Ping,
    /// A datagram is sent although nothing happens, so that silence means loss.
    Heartbeat,
    /// New marks are signed.
    Sign,
    /// Marks are announced or sent.
    Marks,
    /// The shared state is sent again.
    SharedState,
    /// A proposed meeting is due.
    Meet,
    /// The last picture shown does not count as in view any more.
    OutOfView,
    /// The twin has been silent too long and counts as gone.
    Silence,
}

impl LinkDeadline {
    pub const ALL: [Self; 12] = [
        Self::Tick,
        Self::Resend,
        Self::Acknowledge,
        Self::Greet,
        Self::Ping,
        Self::Heartbeat,
        Self::Sign,
        Self::Marks,
        Self::SharedState,
        Self::Meet,
        Self::OutOfView,
        Self::Silence,
    ];

    /// Returns true if the deadline counts also while there is no path to the twin.
    pub fn needs_no_path(self) -> bool {
        matches!(self, Self::Silence | Self::Sign | Self::Meet | Self::OutOfView)
    }
}

/// Times at which the deadlines are due; none by default.
#[derive(Debug, Default)]
pub(super) struct Timers {
    due: [Option<Duration>; LinkDeadline::ALL.len()],
}

impl Timers {
    pub fn set(&mut self, which: LinkDeadline, at: Duration) {
        self.due[which as usize] = Some(at);
    }

    /// Sets a deadline, or replaces it with an earlier one.
    pub fn set_earliest(&mut self, which: LinkDeadline, at: Duration) {
        let due = &mut self.due[which as usize];
        *due = Some(due.map_or(at, |earlier| earlier.min(at)));
    }

    /// Sets a deadline, or cancels it if `at` is none.
    pub fn set_or_cancel(&mut self, which: LinkDeadline, at: Option<Duration>) {
        self.due[which as usize] = at;
    }

    pub fn cancel(&mut self, which: LinkDeadline) {
        self.due[which as usize] = None;
    }

    pub fn next(&self) -> Option<Duration> {
        self.due.iter().flatten().min().copied()
    }

    /// Removes a deadline that is due at `now` from the table and returns it.
    pub fn pop_expired(&mut self, now: Duration) -> Option<LinkDeadline> {
        let which = LinkDeadline::ALL.into_iter().find(|d| self.due[*d as usize].is_some_and(|at| at <= now))?;
        self.cancel(which);
        Some(which)
    }
}
