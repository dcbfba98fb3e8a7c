//! Meetings that both cities see at the same instant.
//!
//! The leading site proposes an instant far enough ahead that it will have heard whether the other one knows: a round
//! trip and a margin. Both keep to it, or neither does. That is not certain and cannot be (two generals): a line that is
//! cut while the answer is on its way leaves one of them alone.

use super::deadline::LinkDeadline;
use super::frame::SiteEvent;
use super::session::Link;
use super::types::{LinkOutput, LinkState};
use crate::presence::Point;
use std::time::Duration;

/// What a proposal has to be lost and said again.
const MARGIN: Duration = Duration::from_millis(90);
/// Nothing is proposed farther ahead: by then who met has parted.
const AHEAD_MAX: Duration = Duration::from_millis(1_500);
/// Who has been silent for longer than this while somebody is there is not asked.
const SILENCE_MAX: Duration = Duration::from_millis(200);
/// Nor is anything proposed while the twin's clock may be wrong by more than this, in seconds.
const CLOCK_ERROR_MAX: f64 = 0.012;
/// Most proposals at once, and a second of the twin's.
pub(super) const PROPOSALS_MAX: usize = 64;

/// A meeting that the twin is not known to know of.
#[derive(Debug)]
pub(super) struct MeetingProposal {
    number: u64,
    at: Duration,
    place: Point,
}

impl Link {
    /// People of the two cities meet at `place`, in canvas units of this site. The leading site proposes it to both; what
    /// the other one sees of it is left to that. An [`Output::Meet`] follows when it is agreed.
    pub fn handle_meeting(&mut self, now: Duration, place: Point) {
        let heard = now.saturating_sub(self.last_heard) < SILENCE_MAX;
        if !self.can_propose() || !heard || self.proposals.len() >= PROPOSALS_MAX {
            return;
        }
        let health = self.health(now);
        let (Some(clock), Some(jitter)) = (health.clock, health.jitter) else { return };
        let seconds = health.round_trip.unwrap_or_default().max(clock.round_trip) + 2.0 * jitter;
        let ahead = Duration::try_from_secs_f64(seconds).unwrap_or(AHEAD_MAX) + MARGIN;
        if ahead > AHEAD_MAX {
            return;
        }
        // Said by the other one's clock, so that only one of the two is wrong about the other.
        let offset =
            self.twin.as_ref().and_then(|twin| twin.clock.stable_offset(CLOCK_ERROR_MAX)).unwrap_or(clock.offset);
        let there = (now + ahead).as_secs_f64() + offset;
        let Ok(at) = Duration::try_from_secs_f64(there) else { return };
        if let Some(number) = self.handle_event(now, SiteEvent::Meet { at, place }) {
            self.proposals.push(MeetingProposal { number, at: now + ahead, place });
            self.deadlines.set_earliest(LinkDeadline::Meet, now + ahead);
        }
    }

    /// Whether meetings are this site's to propose, and can be: the twin's clock is known well enough.
    pub fn can_propose(&self) -> bool {
        let clock = self.twin.as_ref().map(|twin| &twin.clock);
        self.state == LinkState::Linked
            && self.side() == 0
            && clock.is_some_and(|clock| clock.stable_offset(CLOCK_ERROR_MAX).is_some())
    }

    /// What the twin has acknowledged is agreed; what it has not in time is not.
    pub(super) fn settle_meetings(&mut self, now: Duration) {
        let outbox = &self.outbox;
        let mut agreed = vec![];
        self.proposals.retain(|proposal| {
            let known = outbox.is_acknowledged(proposal.number);
            if known && now <= proposal.at {
                agreed.push(LinkOutput::Meet { at: proposal.at, place: proposal.place });
            }
            !known && now < proposal.at
        });
        self.outputs.extend(agreed);
        match self.proposals.iter().map(|proposal| proposal.at).min() {
            Some(at) => self.deadlines.set(LinkDeadline::Meet, at),
            None => self.deadlines.cancel(LinkDeadline::Meet),
        }
    }

    /// The leading site proposes to meet at `at`.
    pub(super) fn handle_proposal(&mut self, now: Duration, at: Duration, place: Point) {
        // Not the leading site's to say, or more than ever meet at once.
        if self.side() == 0 || !self.meeting_limit.try_take(now, 1.0) {
            return;
        }
        // So late that the answer cannot be there in time: it will not keep to it either.
        let one_way = self.health(now).clock.map_or(0.0, |clock| clock.round_trip / 2.0);
        if now + Duration::from_secs_f64(one_way.clamp(0.0, 1.0)) <= at && at <= now + AHEAD_MAX {
            self.outputs.push_back(LinkOutput::Meet { at, place });
        }
    }
}
