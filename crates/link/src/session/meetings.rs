//! Meetings that both cities see at the same instant.
//!
//! The leading site proposes an instant far enough ahead that it will have heard by then if the other site knows: a round trip
//! and a margin. Both keep to it, or neither does. That is not certain and cannot be (two generals problem): a path that
//! breaks while the answer is on its way leaves one of them alone.

use crate::peer_clock::PeerClock;
use moongate_core::presence::Point;
use moongate_core::token_bucket::{RateLimit, TokenBucket};
use std::time::Duration;

/// Time for a proposal to be lost and sent again.
const MARGIN: Duration = Duration::from_millis(90);
/// Farthest time ahead of a proposal: later, the people who met have parted.
pub(super) const AHEAD_MAX: Duration = Duration::from_millis(1_500);
/// Longest silence of the twin, while somebody is there, at which a meeting is proposed.
const SILENCE_MAX: Duration = Duration::from_millis(200);
/// Largest possible error of the twin's clock at which a meeting is proposed, in seconds.
const CLOCK_ERROR_MAX: f64 = 0.012;
/// Maximum number of proposals at once, and per second from the twin.
const PROPOSALS_MAX: usize = 64;

/// A meeting that the twin has not acknowledged yet.
#[derive(Debug)]
struct MeetingProposal {
    number: u64,
    at: Duration,
    place: Point,
}

/// Instant of a meeting, by both clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct MeetingTime {
    pub local: Duration,
    pub remote: Duration,
}

/// Proposals of this site, and the limit for those of the twin.
#[derive(Debug)]
pub(super) struct Meetings {
    proposals: Vec<MeetingProposal>,
    peer_limit: TokenBucket,
}

impl Default for Meetings {
    fn default() -> Self {
        Self { proposals: Vec::new(), peer_limit: TokenBucket::new(RateLimit::per_second(PROPOSALS_MAX as f64)) }
    }
}

impl Meetings {
    /// Returns the instant at which people can meet, or none while the twin could not answer in time. `silence`: since the
    /// twin was last heard.
    pub fn plan(&self, now: Duration, silence: Duration, clock: &PeerClock) -> Option<MeetingTime> {
        if !is_settled(clock) || silence >= SILENCE_MAX || self.proposals.len() >= PROPOSALS_MAX {
            return None;
        }
        let (reading, jitter) = (clock.reading(now)?, clock.jitter()?);
        let round_trip = clock.latest_round_trip().unwrap_or_default().max(reading.round_trip);
        let seconds = round_trip + 2.0 * jitter;
        let ahead = Duration::try_from_secs_f64(seconds).unwrap_or(AHEAD_MAX) + MARGIN;
        if ahead > AHEAD_MAX {
            return None;
        }
        // By the twin's clock, so that only one of the two sites can be wrong about the other.
        let offset = clock.stable_offset(CLOCK_ERROR_MAX).unwrap_or(reading.offset);
        let remote = Duration::try_from_secs_f64((now + ahead).as_secs_f64() + offset).ok()?;
        Some(MeetingTime { local: now + ahead, remote })
    }

    /// Adds the proposal that was sent as the event of this number.
    pub fn add(&mut self, number: u64, at: Duration, place: Point) {
        self.proposals.push(MeetingProposal { number, at, place });
    }

    /// Returns the meetings that the twin has acknowledged in time, and drops others whose time has come.
    pub fn settle(&mut self, now: Duration, is_acknowledged: impl Fn(u64) -> bool) -> Vec<(Duration, Point)> {
        let mut agreed = vec![];
        self.proposals.retain(|proposal| {
            let known = is_acknowledged(proposal.number);
            if known && now <= proposal.at {
                agreed.push((proposal.at, proposal.place));
            }
            !known && now < proposal.at
        });
        agreed
    }

    /// Returns the time of the next proposal.
    pub fn next_due(&self) -> Option<Duration> {
        self.proposals.iter().map(|proposal| proposal.at).min()
    }

    /// Withdraws all proposals.
    pub fn clear(&mut self) {
        self.proposals.clear();
    }

    /// Returns true if a proposal of the leading site is accepted: its answer arrives in time, and there are not too many.
    pub fn accepts(&mut self, now: Duration, at: Duration, clock: &PeerClock) -> bool {
        if !self.peer_limit.try_take(now, 1.0) {
            return false;
        }
        let one_way = clock.reading(now).map_or(0.0, |reading| reading.round_trip / 2.0);
        now + Duration::from_secs_f64(one_way.clamp(0.0, 1.0)) <= at && at <= now + AHEAD_MAX
    }
}

/// Returns true if the twin's clock is known well enough for meetings.
pub(super) fn is_settled(clock: &PeerClock) -> bool {
    clock.stable_offset(CLOCK_ERROR_MAX).is_some()
}
