//! What both cities have together, between link and scene: marks, what each site says of itself, and meetings.

use super::Senses;
use crate::allowance::Allowance;
use crate::device::quic::{LinkSender, News};
use crate::manifest::Lost;
use crate::presence::{Encounters, Meeting, Point, Presence};
use crate::scene::{MarkSeen, MarksSeen};
use crate::works::{Draft, Mark, Recent, SEEN_MAX, SEEN_WEIGHT, Writer};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// Marks that a scene is told of in one frame, at most: the rest of a long night comes in the next ones.
const MARKS_A_FRAME: usize = 250;
/// And of such weight.
const WEIGHT_A_FRAME: usize = 256 << 10;
/// Marks that a scene may leave in a second, and at once; what is beyond is left out.
const RATE: (f64, f64) = (60.0, 240.0);
/// And the same in bytes.
const BYTES: (f64, f64) = (65_536.0, 524_288.0);

/// Signals that a scene may send per second, and in one burst. Touches alternate with them on their way to the twin.
const SIGNALS: (f64, f64) = (30.0, 60.0);
/// The same limits in bytes.
const SIGNAL_BYTES: (f64, f64) = (8_192.0, 16_384.0);

/// What it needs of a link.
pub(crate) trait Bond {
    /// What there is to tell of marks since the last call.
    fn news(&self) -> News;
    /// People meet at a place, if this site proposes it.
    fn meeting(&self, now: Duration, place: Point);
    /// A visitor has left something.
    fn mark(&self, made: Duration, utc_ms: u64, draft: Draft);
}

impl Bond for LinkSender {
    fn news(&self) -> News {
        self.news()
    }

    fn meeting(&self, now: Duration, place: Point) {
        self.meeting(now, place);
    }

    fn mark(&self, made: Duration, utc_ms: u64, draft: Draft) {
        self.mark(made, utc_ms, draft);
    }
}

/// What is together.
pub(crate) struct Together<B> {
    link: B,
    meeting: Meeting,
    canvas: Point,
    key: [u8; 32],
    lost: [Lost; 2],
    recent: Recent,
    me: Option<Writer>,
    /// What the scene is still to be told.
    untold: VecDeque<Arc<Mark>>,
    anew: bool,
    merged: Option<usize>,
    shared: u64,
    /// Told with the last frame, if that was asked.
    telling: usize,
    allowed: [Allowance; 2],
    excess: u64,
    signals: [Allowance; 2],
    unsent: u64,
    encounters: Encounters,
    /// Meetings that are agreed, and when they are.
    meetings: Vec<(Duration, Point)>,
}

impl<B: Bond> Together<B> {
    /// Nothing yet. `key` is this site's.
    pub fn new(link: B, meeting: Meeting, canvas: Point, key: [u8; 32], lost: [Lost; 2]) -> Self {
        Self {
            link,
            meeting,
            canvas,
            key,
            lost,
            recent: Recent::new(SEEN_MAX, SEEN_WEIGHT),
            me: None,
            untold: VecDeque::new(),
            anew: true,
            merged: None,
            shared: 0,
            telling: 0,
            allowed: [Allowance::new(RATE.0, RATE.1), Allowance::new(BYTES.0, BYTES.1)],
            excess: 0,
            signals: [Allowance::new(SIGNALS.0, SIGNALS.1), Allowance::new(SIGNAL_BYTES.0, SIGNAL_BYTES.1)],
            unsent: 0,
            encounters: Encounters::default(),
            meetings: Vec::new(),
        }
    }

    /// A scene that knows nothing has started.
    pub fn renew(&mut self) {
        (self.anew, self.telling) = (true, 0);
        self.untold = self.recent.after(None).cloned().collect();
    }

    /// What the link has told of marks since the frame before.
    pub fn take_in(&mut self) {
        let News { anew, marks, merged, me, shared, .. } = self.link.news();
        if anew {
            self.recent = Recent::new(SEEN_MAX, SEEN_WEIGHT);
            self.renew();
        }
        for mark in marks.into_iter().map(Arc::new) {
            if self.recent.take(mark.clone()) {
                self.untold.push_back(mark);
            }
        }
        if self.untold.len() > SEEN_MAX {
            // A scene that has not asked for long is told all that is still to be seen.
            self.renew();
        }
        self.merged = merged.or(self.merged);
        (self.me, self.shared) = (me, shared);
    }

    /// What becomes of the other city when the link is lost, from now on.
    pub fn lost(&mut self, lost: [Lost; 2]) {
        self.lost = lost;
    }

    /// Who fades there is gone at once, if the manifest says so.
    pub fn hide(&self, there: &mut Presence) {
        if self.lost[0] == Lost::Hide {
            there.bodies.retain(|body| body.faded == 0.0);
        }
    }

    /// Who is here and who is there, on this canvas; where they meet is proposed, if this is the site that does.
    pub fn meet(&mut self, now: Duration, here: &Presence, there: &Presence) {
        for at in self.encounters.turn(now, self.canvas[1], here, there) {
            self.link.meeting(now, at);
        }
    }

    /// A meeting is agreed. `lead`: this site has proposed it.
    pub fn agreed(&mut self, at: Duration, place: Point, lead: bool) {
        let place = if lead { place } else { self.meeting.turn(self.canvas[0], place) };
        self.meetings.push((at, place));
    }

    /// Meetings that are now.
    pub fn due(&mut self, now: Duration) -> Vec<Point> {
        self.meetings.extract_if(.., |(at, _)| *at <= now).map(|(_, place)| place).collect()
    }

    /// What the scene is to be told of marks with this frame.
    pub fn sees(&mut self, senses: &Senses) -> MarksSeen {
        let mut left = WEIGHT_A_FRAME;
        let fits = |mark: &&Arc<Mark>| {
            let begins = left > 0;
            left = left.saturating_sub(mark.weight());
            begins
        };
        self.telling = self.untold.iter().take(MARKS_A_FRAME).take_while(fits).count();
        let news = self.untold.iter().take(self.telling).map(|mark| self.seen(mark, senses)).collect();
        MarksSeen { anew: self.anew, news, shared: self.shared, lasting: false }
    }

    /// It has been told; what is now all there, if both were apart.
    pub fn told(&mut self) -> Option<usize> {
        self.untold.drain(..self.telling.min(self.untold.len()));
        (self.telling, self.anew) = (0, false);
        self.merged.take_if(|_| self.untold.is_empty())
    }

    fn seen(&self, mark: &Mark, senses: &Senses) -> MarkSeen {
        let writer = mark.place.writer;
        let here = writer.site == self.key;
        let hash = crate::wire::hash(writer.site.into_iter().chain(writer.store.to_le_bytes()));
        MarkSeen {
            place: format!("{:014x}{hash:016x}", mark.place.stamp),
            name: mark.name.clone(),
            at: mark.at.map(|at| if here { at } else { self.meeting.turn(self.canvas[0], at) }),
            began: (senses.shared_seconds(mark.born as f64 / 1e6) * 1e3).round() / 1e3,
            seed: mark.seed,
            here,
            own: (Some(writer) == self.me).then_some(mark.sequence),
            weight: mark.weight(),
            said: mark.said.clone(),
        }
    }

    /// The scene has a visitor leave something. How many were left out until now, if this one is.
    pub fn leave(&mut self, now: Duration, utc_ms: u64, draft: Draft) -> Option<u64> {
        let bytes = (draft.said.len() + draft.name.len() + 64) as f64;
        if !self.allowed[0].take(now, 1.0) || !self.allowed[1].take(now, bytes) {
            self.excess += 1;
            return Some(self.excess);
        }
        self.link.mark(now, utc_ms, draft);
        None
    }

    /// Admits a signal of the scene. The error is the number of signals left out so far, including this one.
    pub fn admit_signal(&mut self, now: Duration, name: &str, data: &str) -> Result<(), u64> {
        let [signals, bytes] = &mut self.signals;
        let size = (name.len() + data.len()) as f64;
        bytes.fill(now);
        if bytes.left() >= size && signals.take(now, 1.0) && bytes.take(now, size) {
            return Ok(());
        }
        self.unsent += 1;
        Err(self.unsent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Alone;

    impl Bond for Alone {
        fn news(&self) -> News {
            News::default()
        }
        fn meeting(&self, _: Duration, _: Point) {}
        fn mark(&self, _: Duration, _: u64, _: Draft) {}
    }

    #[test]
    fn signals_have_a_rate_and_what_is_beyond_is_counted() {
        let mut together = Together::new(Alone, Meeting::Beside, [1920.0, 1080.0], [0; 32], [Lost::Alone; 2]);
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
