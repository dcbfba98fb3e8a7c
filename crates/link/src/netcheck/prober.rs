//! Prober of a netcheck: schedules the datagrams and evaluates the answers.

use super::stats::{LineCapacity, NetcheckSpan, ProbeLoad};
use super::{COOKIE, PROBE_MAX, ProbeReply, ProbeRequest};
use core::net::SocketAddr;
use std::collections::VecDeque;
use std::time::Duration;

/// Length of a round. Each has a load of a few people, and the first of every `ROUNDS` also one of forty.
const ROUND: Duration = Duration::from_secs(60);
const ROUNDS: u64 = 10;
/// Start and end of each load within a round.
const FEW_AT: [Duration; 2] = [Duration::from_secs(12), Duration::from_secs(24)];
const CROWD_AT: [Duration; 2] = [Duration::from_secs(32), Duration::from_secs(44)];
/// Time after a load in which its datagrams may still come back.
const STRAGGLERS: Duration = Duration::from_secs(4);
/// Sizes that are tested in addition to those that the link needs.
const PROBE_SIZES: [usize; 3] = [1_200, 1_350, PROBE_MAX];
/// Datagram size that must pass for the link (RFC 9000, §14).
pub const REQUIRED_DATAGRAM: usize = 1_200;
/// Time without an answer that counts as a gap.
const GAP: Duration = Duration::from_secs(1);
/// Length of a span that is reported as one.
pub(super) const SPAN: Duration = Duration::from_secs(3_600);
/// Maximum number of separate spans: a month.
const SPANS_MAX: usize = 744;

/// Result of a check.
#[derive(Debug, Clone, Default)]
pub struct NetcheckReport {
    /// Measurements of each hour.
    pub spans: VecDeque<NetcheckSpan>,
    /// Number of changes of this end's address as the other end sees it, due to a router that drops its mapping.
    pub address_changes: u32,
    /// Address of this end as the other end sees it.
    pub external_address: Option<SocketAddr>,
    /// Largest datagram that came back, in bytes of UDP.
    pub largest_received: usize,
    /// True if the other end already answers too many probers.
    pub full: bool,
}

impl NetcheckReport {
    /// Returns all spans merged into one.
    pub fn total(&self) -> NetcheckSpan {
        self.spans.iter().fold(NetcheckSpan::default(), |mut all, span| {
            all.merge(span);
            all
        })
    }

    /// Returns the capacity of the line in its worst hour; none if nothing ever came back. A line on which the link's
    /// own datagrams do not pass carries nothing.
    pub fn capacity(&self) -> Option<LineCapacity> {
        self.total().capacity()?;
        if self.largest_received < REQUIRED_DATAGRAM {
            return Some(LineCapacity::Nothing);
        }
        // In an hour without any answer, the line carries nothing.
        self.spans.iter().map(|span| span.capacity().unwrap_or(LineCapacity::Nothing)).min()
    }
}

/// A running check.
#[derive(Debug)]
pub struct NetcheckProber {
    began: Duration,
    length: Duration,
    survey: u64,
    cookie: [u8; COOKIE],
    number: u64,
    /// Times at which the next datagrams of the small stream and of the load are due.
    due: [Duration; 2],
    /// Datagrams of each load sent and received since the last count, and the other end's counts then and now.
    sent: [u64; ProbeLoad::COUNT],
    received: [u64; ProbeLoad::COUNT],
    remote_counts: [[u64; 2]; ProbeLoad::COUNT],
    last_counted: Duration,
    last_heard: Option<Duration>,
    report: NetcheckReport,
}

impl NetcheckProber {
    /// Starts a check. `survey` is random.
    pub fn new(now: Duration, survey: u64, length: Duration) -> Self {
        Self {
            began: now,
            length,
            survey,
            cookie: [0; COOKIE],
            number: 0,
            due: [now; 2],
            sent: [0; ProbeLoad::COUNT],
            received: [0; ProbeLoad::COUNT],
            remote_counts: [[0; 2]; ProbeLoad::COUNT],
            last_counted: now,
            last_heard: None,
            report: NetcheckReport { spans: VecDeque::from([NetcheckSpan::default()]), ..NetcheckReport::default() },
        }
    }

    /// Returns true if the check has run for its full length.
    pub fn is_over(&self, now: Duration) -> bool {
        now >= self.began + self.length
    }

    /// Returns the result so far, counted up to now.
    pub fn report(&mut self, now: Duration) -> NetcheckReport {
        self.flush_counts(now);
        self.report.clone()
    }

    /// Returns the load to send besides the small stream at `at` since the start, and the load that delays count
    /// under.
    fn scheduled_load(at: Duration) -> (Option<ProbeLoad>, ProbeLoad) {
        let within = Duration::from_nanos((at.as_nanos() % ROUND.as_nanos()) as u64);
        let crowd = (at.as_secs() / ROUND.as_secs()).is_multiple_of(ROUNDS);
        let runs = |[from, to]: [Duration; 2]| within >= from && within < to;
        let under = |[from, to]: [Duration; 2]| within >= from && within < to + STRAGGLERS;
        let loads = [(ProbeLoad::Few, FEW_AT, true), (ProbeLoad::Crowd, CROWD_AT, crowd)];
        let sends = loads.iter().find(|(_, at, now)| *now && runs(*at)).map(|(load, ..)| *load);
        let under = loads.iter().find(|(_, at, now)| *now && under(*at)).map_or(ProbeLoad::Calm, |(load, ..)| *load);
        (sends, under)
    }

    fn current_span(&mut self) -> &mut NetcheckSpan {
        if self.report.spans.is_empty() {
            self.report.spans.push_back(NetcheckSpan::default());
        }
        self.report.spans.back_mut().expect("one was just put there")
    }

    /// Returns the time at which the next datagram is due.
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.due.into_iter().min()
    }

    /// Returns the next datagram to send; none if nothing is due.
    pub fn poll_transmit(&mut self, now: Duration) -> Option<Vec<u8>> {
        let at = now.saturating_sub(self.began);
        let round = |time: Duration| time.saturating_sub(self.began).as_secs() / ROUND.as_secs();
        if round(now) != round(self.last_counted) {
            self.flush_counts(now);
        }
        if self.due[0] <= now {
            self.due[0] += Duration::from_secs(1) / ProbeLoad::Calm.stream().0;
            // A machine that was asleep does not catch up.
            self.due[0] = self.due[0].max(now.saturating_sub(GAP));
            // Every 16th is one of the large sizes, in addition to those that are timed.
            let large = self.number.is_multiple_of(16).then_some(PROBE_SIZES[(self.number / 16 % 3) as usize]);
            // A small datagram that is lost under a load counts as lost by that load.
            let small = (Self::scheduled_load(at).1, ProbeLoad::Calm.stream().1);
            let (load, size) = large.map_or(small, |size| (ProbeLoad::Large, size));
            return Some(self.probe(now, load, size));
        }
        if self.due[1] > now {
            return None;
        }
        let (Some(load), _) = Self::scheduled_load(at) else {
            self.due[1] = now + Duration::from_millis(100);
            return None;
        };
        // Large datagrams are not sent before the other end has answered.
        if self.last_heard.is_none() {
            self.due[1] = now + Duration::from_millis(100);
            return None;
        }
        let (rate, size) = load.stream();
        self.due[1] = (self.due[1] + Duration::from_secs(1) / rate).max(now.saturating_sub(Duration::from_millis(100)));
        Some(self.probe(now, load, size))
    }

    fn probe(&mut self, now: Duration, load: ProbeLoad, size: usize) -> Vec<u8> {
        self.number += 1;
        self.sent[load as usize] += 1;
        ProbeRequest { cookie: self.cookie, survey: self.survey, number: self.number, sent: now, load }.encode(size)
    }

    /// Adds the counts of sent, received and answered datagrams to the current span.
    fn flush_counts(&mut self, now: Duration) {
        let at = now.saturating_sub(self.began);
        self.last_counted = now;
        for load in ProbeLoad::ALL {
            let which = load as usize;
            let [before, there] = self.remote_counts[which];
            let counts = [self.sent[which], there.saturating_sub(before), self.received[which]];
            (self.sent[which], self.received[which], self.remote_counts[which][0]) = (0, 0, there);
            self.current_span().record_counts(load, counts);
        }
        let hour = (at.as_secs() / SPAN.as_secs()) as usize;
        if hour >= self.report.spans.len() && self.report.spans.len() < SPANS_MAX && !self.is_over(now) {
            self.report.spans.push_back(NetcheckSpan::default());
        }
    }

    /// Handles a datagram, perhaps from the other end.
    pub fn handle_datagram(&mut self, now: Duration, bytes: &[u8]) {
        match ProbeReply::decode(bytes) {
            Ok(ProbeReply::Cookie(cookie)) if cookie != self.cookie => {
                // Questions without this cookie were not counted there.
                (self.cookie, self.sent, self.received) = (cookie, [0; ProbeLoad::COUNT], [0; ProbeLoad::COUNT]);
                self.remote_counts = self.remote_counts.map(|[_, now]| [now, now]);
            }
            Ok(ProbeReply::Echo { number, sent, load, counts, you }) if number <= self.number => {
                self.report.full = false;
                for (known, count) in self.remote_counts.iter_mut().zip(counts) {
                    known[1] = known[1].max(count);
                }
                self.received[load as usize] += 1;
                let late = now.saturating_sub(sent).as_secs_f64() * 1e3;
                let (_, under) = Self::scheduled_load(sent.saturating_sub(self.began));
                if bytes.len() <= ProbeLoad::Calm.stream().1 {
                    self.current_span().record_delay(under, late);
                }
                self.report.largest_received = self.report.largest_received.max(bytes.len());
                if self.report.external_address.replace(you).is_some_and(|before| before != you) {
                    self.report.address_changes += 1;
                    // The responder sees a new address as a new prober, whose counts start at zero.
                    self.remote_counts = counts.map(|count| [count, count]);
                    (self.sent, self.received) = ([0; ProbeLoad::COUNT], [0; ProbeLoad::COUNT]);
                }
                let before = self.last_heard.replace(now);
                if let Some(gap) = before.map(|before| now.saturating_sub(before)).filter(|gap| *gap > GAP) {
                    self.current_span().record_gap(gap);
                }
            }
            Ok(ProbeReply::Full) => self.report.full = true,
            _ => {}
        }
    }
}
