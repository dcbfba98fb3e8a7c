//! Bridge between link and scene: marks, shared state, signals and meetings.

use super::FrameInputBuilder;
use crate::config::{LinkLoss, LinkLossPolicy};
use crate::marks::{Mark, NewMark, RecentMarks, VISIBLE_MAX, VISIBLE_WEIGHT_MAX, WriterId};
use crate::messages::MarkFeed;
use crate::presence::{Encounters, Point, Presence, TwinLayout};
use crate::scene::{MarkState, MarksUpdate};
use crate::token_bucket::{RateLimit, TokenBucket};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// Maximum number of marks in one frame's input; the rest follows in the next frames.
const MARKS_A_FRAME: usize = 250;
/// Maximum weight of the marks in one frame's input.
const WEIGHT_A_FRAME: usize = 256 << 10;
/// Marks that a scene may leave per second, and in one burst; marks beyond that are dropped.
const MARK_RATE: RateLimit = RateLimit { rate: 60.0, burst: 240.0 };
/// The same limits in bytes.
const MARK_BYTES: RateLimit = RateLimit { rate: 65_536.0, burst: 524_288.0 };

/// Signals that a scene may send per second, and in one burst. Touches alternate with them on their way to the twin.
const SIGNAL_RATE: RateLimit = RateLimit { rate: 30.0, burst: 60.0 };
/// The same limits in bytes.
const SIGNAL_BYTES: RateLimit = RateLimit { rate: 8_192.0, burst: 16_384.0 };

/// State that both sites have in common.
pub(super) struct LinkBridge {
    meeting: TwinLayout,
    canvas: Point,
    key: [u8; 32],
    link_loss: LinkLoss,
    recent: RecentMarks,
    me: Option<WriterId>,
    /// Marks that the scene has not received yet.
    undelivered: VecDeque<Arc<Mark>>,
    restart: bool,
    merged: Option<usize>,
    shared: u64,
    /// Number of marks in the last input, until its delivery is confirmed.
    in_delivery: usize,
    mark_budget: [TokenBucket; 2],
    marks_dropped: u64,
    signal_budget: [TokenBucket; 2],
    signals_dropped: u64,
    encounters: Encounters,
    /// Agreed meetings with their times.
    meetings: Vec<(Duration, Point)>,
}

impl LinkBridge {
    /// Creates an empty bridge. `key` is this site's public key.
    pub fn new(meeting: TwinLayout, canvas: Point, key: [u8; 32], lost: LinkLoss) -> Self {
        Self {
            meeting,
            canvas,
            key,
            link_loss: lost,
            recent: RecentMarks::new(VISIBLE_MAX, VISIBLE_WEIGHT_MAX),
            me: None,
            undelivered: VecDeque::new(),
            restart: true,
            merged: None,
            shared: 0,
            in_delivery: 0,
            mark_budget: [TokenBucket::new(MARK_RATE), TokenBucket::new(MARK_BYTES)],
            marks_dropped: 0,
            signal_budget: [TokenBucket::new(SIGNAL_RATE), TokenBucket::new(SIGNAL_BYTES)],
            signals_dropped: 0,
            encounters: Encounters::default(),
            meetings: Vec::new(),
        }
    }

    /// Handles the start of a scene: it receives all recent marks.
    pub fn restart_scene(&mut self) {
        (self.restart, self.in_delivery) = (true, 0);
        self.undelivered = self.recent.after(None).cloned().collect();
    }

    /// Handles the changes of the marks since the previous frame.
    pub fn handle_marks(&mut self, feed: MarkFeed) {
        let MarkFeed { is_reset, marks, merged, local_writer, shared_below, .. } = feed;
        if is_reset {
            self.recent = RecentMarks::new(VISIBLE_MAX, VISIBLE_WEIGHT_MAX);
            self.restart_scene();
        }
        for mark in marks.into_iter().map(Arc::new) {
            if self.recent.insert(mark.clone()) {
                self.undelivered.push_back(mark);
            }
        }
        if self.undelivered.len() > VISIBLE_MAX {
            // A scene that has not asked for a long time receives all visible marks again.
            self.restart_scene();
        }
        self.merged = merged.or(self.merged);
        (self.me, self.shared) = (local_writer, shared_below);
    }

    /// Sets the policy for the other city when the link is lost.
    pub fn set_link_loss(&mut self, lost: LinkLoss) {
        self.link_loss = lost;
    }

    /// Removes fading bodies of the twin at once, if the manifest says so.
    pub fn apply_link_loss(&self, there: &mut Presence) {
        if self.link_loss.presence == LinkLossPolicy::Hide {
            there.bodies.retain(|body| body.faded == 0.0);
        }
    }

    /// Returns the places at which people of both sites meet. Both presences are on this canvas.
    pub fn find_encounters(&mut self, now: Duration, here: &Presence, there: &Presence) -> Vec<Point> {
        self.encounters.update(now, self.canvas[1], here, there)
    }

    /// Schedules an agreed meeting. `lead`: this site has proposed it.
    pub fn schedule_meeting(&mut self, at: Duration, place: Point, lead: bool) {
        let place = if lead { place } else { self.meeting.map_point(self.canvas[0], place) };
        self.meetings.push((at, place));
    }

    /// Removes and returns the meetings that are due.
    pub fn take_due_meetings(&mut self, now: Duration) -> Vec<Point> {
        self.meetings.extract_if(.., |(at, _)| *at <= now).map(|(_, place)| place).collect()
    }

    /// Returns the marks for the scene's next input.
    pub fn next_marks(&mut self, senses: &FrameInputBuilder) -> MarksUpdate {
        let mut left = WEIGHT_A_FRAME;
        let fits = |mark: &&Arc<Mark>| {
            let begins = left > 0;
            left = left.saturating_sub(mark.weight());
            begins
        };
        self.in_delivery = self.undelivered.iter().take(MARKS_A_FRAME).take_while(fits).count();
        let news = self.undelivered.iter().take(self.in_delivery).map(|mark| self.mark_state(mark, senses)).collect();
        MarksUpdate { anew: self.restart, news, shared: self.shared, lasting: false }
    }

    /// Marks the last input as delivered; returns the number of merged marks once all of them are delivered.
    pub fn mark_delivered(&mut self) -> Option<usize> {
        self.undelivered.drain(..self.in_delivery.min(self.undelivered.len()));
        (self.in_delivery, self.restart) = (0, false);
        self.merged.take_if(|_| self.undelivered.is_empty())
    }

    fn mark_state(&self, mark: &Mark, senses: &FrameInputBuilder) -> MarkState {
        let writer = mark.order.writer;
        let here = writer.site == self.key;
        let hash = crate::wire::fnv1a(writer.site.into_iter().chain(writer.store.to_le_bytes()));
        MarkState {
            place: format!("{:014x}{hash:016x}", mark.order.stamp),
            name: mark.name.clone(),
            at: mark.at.map(|at| if here { at } else { self.meeting.map_point(self.canvas[0], at) }),
            began: (senses.shared_seconds(mark.created_us as f64 / 1e6) * 1e3).round() / 1e3,
            seed: mark.seed,
            here,
            own: (Some(writer) == self.me).then_some(mark.sequence),
            weight: mark.weight(),
            said: mark.payload.clone(),
        }
    }

    /// Admits a mark of the scene. The error is the number of marks dropped so far, including this one.
    pub fn admit_mark(&mut self, now: Duration, mark: &NewMark) -> Result<(), u64> {
        let bytes = (mark.said.len() + mark.name.len() + 64) as f64;
        if !self.mark_budget[0].try_take(now, 1.0) || !self.mark_budget[1].try_take(now, bytes) {
            self.marks_dropped += 1;
            return Err(self.marks_dropped);
        }
        Ok(())
    }

    /// Admits a signal of the scene. The error is the number of signals left out so far, including this one.
    pub fn admit_signal(&mut self, now: Duration, name: &str, data: &str) -> Result<(), u64> {
        let [signals, bytes] = &mut self.signal_budget;
        let size = (name.len() + data.len()) as f64;
        bytes.refill(now);
        if bytes.available() >= size && signals.try_take(now, 1.0) && bytes.try_take(now, size) {
            return Ok(());
        }
        self.signals_dropped += 1;
        Err(self.signals_dropped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_have_a_rate_and_what_is_beyond_is_counted() {
        let mut together = LinkBridge::new(
            TwinLayout::Beside,
            [1920.0, 1080.0],
            [0; 32],
            LinkLoss { presence: LinkLossPolicy::Fade, shared_state: LinkLossPolicy::Hide },
        );
        let mut send = |from: u64, data: &str| {
            let frames = (from..from + 600).map(|frame| Duration::from_micros(frame * 16_667));
            frames.filter(|now| together.admit_signal(*now, "at", data).is_ok()).count()
        };
        // One per frame for ten seconds: a burst of 60, then 30 per second.
        let sent = send(0, "1");
        assert!((355..=361).contains(&sent), "{sent}");
        // Large signals are limited by their bytes.
        let sent = send(6_000, &"x".repeat(798));
        assert!((115..=125).contains(&sent), "{sent}");
        // Signals that are left out are counted.
        let mut large = || together.admit_signal(Duration::from_secs(200), "at", &"x".repeat(20_000)).err();
        assert_eq!(large().map(|unsent| unsent + 1), large());
    }
}
