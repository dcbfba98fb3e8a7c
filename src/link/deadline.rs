//! Every deadline of a session, in one table.

use std::time::Duration;

/// What a session waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LinkDeadline {
    /// The next instant of presence may go out.
    Tick,
    /// An event that is not acknowledged is sent again.
    Resend,
    /// Events that came in are acknowledged, if nothing carried that earlier.
    Acknowledge,
    /// Who we are is said again, until the twin shows that it knows.
    Greet,
    /// The twin's clock is asked for.
    Ping,
    /// Something is sent although nothing happens, so that silence means loss.
    Heartbeat,
    /// What visitors here have left is signed.
    Sign,
    /// Something of marks is to be said.
    Marks,
    /// What this site says of itself is said again.
    SharedState,
    /// A meeting that was proposed is due.
    Meet,
    /// The twin has been silent too long and counts as gone.
    Silence,
}

impl LinkDeadline {
    pub const ALL: [Self; 11] = [
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
        Self::Silence,
    ];
}

/// When each deadline is due; none is by default.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    due: [Option<Duration>; LinkDeadline::ALL.len()],
}

impl Deadlines {
    pub fn set(&mut self, which: LinkDeadline, at: Duration) {
        self.due[which as usize] = Some(at);
    }

    /// Sets it unless it is due earlier already.
    pub fn set_earliest(&mut self, which: LinkDeadline, at: Duration) {
        let due = &mut self.due[which as usize];
        *due = Some(due.map_or(at, |earlier| earlier.min(at)));
    }

    pub fn cancel(&mut self, which: LinkDeadline) {
        self.due[which as usize] = None;
    }

    pub fn next(&self) -> Option<Duration> {
        self.due.iter().flatten().min().copied()
    }

    /// One that is due at `now`; it is taken off the table.
    pub fn pop_expired(&mut self, now: Duration) -> Option<LinkDeadline> {
        let which = LinkDeadline::ALL.into_iter().find(|d| self.due[*d as usize].is_some_and(|at| at <= now))?;
        self.cancel(which);
        Some(which)
    }
}
