//! The end that asks: what it sends when, and what it makes of the answers.

use super::ledger::{Load, Span, Verdict};
use super::{Answer, Ask, COOKIE, LARGEST};
use core::net::SocketAddr;
use std::collections::VecDeque;
use std::time::Duration;

/// A few people come in each of these, forty in the first of so many.
const ROUND: Duration = Duration::from_secs(60);
const ROUNDS: u64 = 10;
/// When they come within a round, and for how long.
const FEW_AT: [Duration; 2] = [Duration::from_secs(12), Duration::from_secs(24)];
const CROWD_AT: [Duration; 2] = [Duration::from_secs(32), Duration::from_secs(44)];
/// What belongs to a load may come back until this long after it.
const STRAGGLERS: Duration = Duration::from_secs(4);
/// Sizes that are tried besides what the link needs.
const SIZES: [usize; 3] = [1_200, 1_350, LARGEST];
/// Datagrams of this size must pass for the link (RFC 9000, §14).
pub const NEEDED: usize = 1_200;
/// No answer for this long is a gap.
const GAP: Duration = Duration::from_secs(1);
/// What is told as one.
pub(super) const SPAN: Duration = Duration::from_secs(3_600);
/// Most spans that are kept apart: a month.
const SPANS_MAX: usize = 744;

/// What was found.
#[derive(Debug, Clone, Default)]
pub struct Finding {
    /// Hour by hour.
    pub spans: VecDeque<Span>,
    /// How often the other end saw another address of this one: a router that forgets.
    pub moves: u32,
    /// Where it is seen.
    pub seen: Option<SocketAddr>,
    /// The largest datagram that came back, in bytes of UDP.
    pub largest: usize,
    /// The other end answers too many already.
    pub full: bool,
}

impl Finding {
    /// All spans as one.
    pub fn all(&self) -> Span {
        self.spans.iter().fold(Span::default(), |mut all, span| {
            all.add(span);
            all
        })
    }

    /// What the line carries in its worst hour; none when nothing ever came back. Where the link's own datagrams do not pass
    /// it carries nothing.
    pub fn verdict(&self) -> Option<Verdict> {
        self.all().verdict()?;
        if self.largest < NEEDED {
            return Some(Verdict::Nothing);
        }
        // An hour without any answer is one in which it carries nothing.
        self.spans.iter().map(|span| span.verdict().unwrap_or(Verdict::Nothing)).min()
    }
}

/// A survey.
#[derive(Debug)]
pub struct Surveyor {
    began: Duration,
    length: Duration,
    survey: u64,
    cookie: [u8; COOKIE],
    number: u64,
    /// When the next datagram of the small stream, and of the load, is due.
    due: [Duration; 2],
    /// Sent and come back of each load since it was last counted, and the other end's counts then and now.
    sent: [u64; Load::COUNT],
    back: [u64; Load::COUNT],
    there: [[u64; 2]; Load::COUNT],
    counted: Duration,
    heard: Option<Duration>,
    finding: Finding,
}

impl Surveyor {
    /// Begins. `survey` is random.
    pub fn new(now: Duration, survey: u64, length: Duration) -> Self {
        Self {
            began: now,
            length,
            survey,
            cookie: [0; COOKIE],
            number: 0,
            due: [now; 2],
            sent: [0; Load::COUNT],
            back: [0; Load::COUNT],
            there: [[0; 2]; Load::COUNT],
            counted: now,
            heard: None,
            finding: Finding { spans: VecDeque::from([Span::default()]), ..Finding::default() },
        }
    }

    /// Whether it has lasted as long as it should.
    pub fn is_over(&self, now: Duration) -> bool {
        now >= self.began + self.length
    }

    /// What was found so far, counted up to now.
    pub fn finding(&mut self, now: Duration) -> Finding {
        self.count(now);
        self.finding.clone()
    }

    /// What is to be sent besides the small stream at `at` since the beginning, and what counts as under that load.
    fn load(at: Duration) -> (Option<Load>, Load) {
        let within = Duration::from_nanos((at.as_nanos() % ROUND.as_nanos()) as u64);
        let crowd = (at.as_secs() / ROUND.as_secs()).is_multiple_of(ROUNDS);
        let runs = |[from, to]: [Duration; 2]| within >= from && within < to;
        let under = |[from, to]: [Duration; 2]| within >= from && within < to + STRAGGLERS;
        let loads = [(Load::Few, FEW_AT, true), (Load::Crowd, CROWD_AT, crowd)];
        let sends = loads.iter().find(|(_, at, now)| *now && runs(*at)).map(|(load, ..)| *load);
        let under = loads.iter().find(|(_, at, now)| *now && under(*at)).map_or(Load::Calm, |(load, ..)| *load);
        (sends, under)
    }

    fn span(&mut self) -> &mut Span {
        if self.finding.spans.is_empty() {
            self.finding.spans.push_back(Span::default());
        }
        self.finding.spans.back_mut().expect("one was just put there")
    }

    /// When something is to be sent.
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.due.into_iter().min()
    }

    /// The next datagram to send; none when nothing is due.
    pub fn poll_transmit(&mut self, now: Duration) -> Option<Vec<u8>> {
        let at = now.saturating_sub(self.began);
        let round = |time: Duration| time.saturating_sub(self.began).as_secs() / ROUND.as_secs();
        if round(now) != round(self.counted) {
            self.count(now);
        }
        if self.due[0] <= now {
            self.due[0] += Duration::from_secs(1) / Load::Calm.stream().0;
            // A machine that was asleep does not make up for it.
            self.due[0] = self.due[0].max(now.saturating_sub(GAP));
            // Now and then one as large as can be, on top of what is timed.
            let large = self.number.is_multiple_of(16).then_some(SIZES[(self.number / 16 % 3) as usize]);
            // What is small and lost under a load is lost by that load.
            let small = (Self::load(at).1, Load::Calm.stream().1);
            let (load, size) = large.map_or(small, |size| (Load::Large, size));
            return Some(self.ask(now, load, size));
        }
        if self.due[1] > now {
            return None;
        }
        let (Some(load), _) = Self::load(at) else {
            self.due[1] = now + Duration::from_millis(100);
            return None;
        };
        // Before the other end has answered nothing large is sent.
        if self.heard.is_none() {
            self.due[1] = now + Duration::from_millis(100);
            return None;
        }
        let (rate, size) = load.stream();
        self.due[1] = (self.due[1] + Duration::from_secs(1) / rate).max(now.saturating_sub(Duration::from_millis(100)));
        Some(self.ask(now, load, size))
    }

    fn ask(&mut self, now: Duration, load: Load, size: usize) -> Vec<u8> {
        self.number += 1;
        self.sent[load as usize] += 1;
        Ask { cookie: self.cookie, survey: self.survey, number: self.number, sent: now, load }.encode(size)
    }

    /// What went, came there and came back goes into the ledger.
    fn count(&mut self, now: Duration) {
        let at = now.saturating_sub(self.began);
        self.counted = now;
        for load in Load::ALL {
            let which = load as usize;
            let [before, there] = self.there[which];
            let counts = [self.sent[which], there.saturating_sub(before), self.back[which]];
            (self.sent[which], self.back[which], self.there[which][0]) = (0, 0, there);
            self.span().count(load, counts);
        }
        let hour = (at.as_secs() / SPAN.as_secs()) as usize;
        if hour >= self.finding.spans.len() && self.finding.spans.len() < SPANS_MAX && !self.is_over(now) {
            self.finding.spans.push_back(Span::default());
        }
    }

    /// A datagram came, perhaps from the other end.
    pub fn handle(&mut self, now: Duration, bytes: &[u8]) {
        match Answer::decode(bytes) {
            Ok(Answer::Cookie(cookie)) if cookie != self.cookie => {
                // What was asked without it was not counted there.
                (self.cookie, self.sent, self.back) = (cookie, [0; Load::COUNT], [0; Load::COUNT]);
                self.there = self.there.map(|[_, now]| [now, now]);
            }
            Ok(Answer::Came { number, sent, load, counts, you }) if number <= self.number => {
                self.finding.full = false;
                for (known, count) in self.there.iter_mut().zip(counts) {
                    known[1] = known[1].max(count);
                }
                self.back[load as usize] += 1;
                let late = now.saturating_sub(sent).as_secs_f64() * 1e3;
                let (_, under) = Self::load(sent.saturating_sub(self.began));
                if bytes.len() <= Load::Calm.stream().1 {
                    self.span().delay(under, late);
                }
                self.finding.largest = self.finding.largest.max(bytes.len());
                if self.finding.seen.replace(you).is_some_and(|before| before != you) {
                    self.finding.moves += 1;
                    // Another address is another asker there, who begins at nothing.
                    self.there = counts.map(|count| [count, count]);
                    (self.sent, self.back) = ([0; Load::COUNT], [0; Load::COUNT]);
                }
                let before = self.heard.replace(now);
                if let Some(gap) = before.map(|before| now.saturating_sub(before)).filter(|gap| *gap > GAP) {
                    self.span().gap(gap);
                }
            }
            Ok(Answer::Full) => self.finding.full = true,
            _ => {}
        }
    }
}
