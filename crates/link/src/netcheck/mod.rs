//! Measures the capacity of a line before anything is shipped: one end probes for a day, the other end answers.
//!
//! Eight small datagrams per second measure delay and interruptions throughout. Now and then a stream like that of a
//! few people, and rarely one like that of forty, measures loss and the length of the queue. The datagrams carry no
//! content. The responder sends no more bytes than it receives, and only to an address that has proved itself with a
//! cookie, so that it cannot be used to attack others.

mod prober;
mod responder;
mod stats;

pub use prober::{NetcheckProber, NetcheckReport, REQUIRED_DATAGRAM};
pub use responder::NetcheckResponder;
pub use stats::{LineCapacity, NetcheckSpan, ProbeLoad};

use core::net::SocketAddr;
use moongate_core::wire::{WireError, WireReader, WireWrite, read_address, write_address};
use std::time::Duration;

/// Header of every datagram. The second bit of the first byte is clear, as it never is in QUIC's. The last byte is
/// the version.
const HEAD: [u8; 5] = [0x1d, b'm', b'g', b's', 1];
/// Length of the shortest question: longer than any answer without padding.
const PROBE_MIN: usize = 80;
/// Largest datagram: the UDP payload of an Ethernet frame.
pub const PROBE_MAX: usize = 1_472;
const COOKIE: usize = 16;

/// Returns true for datagrams of a netcheck.
pub fn is_netcheck(datagram: &[u8]) -> bool {
    datagram.starts_with(&HEAD)
}

/// Probe; it is padded to the length that is tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ProbeRequest {
    cookie: [u8; COOKIE],
    /// Random number of one check.
    survey: u64,
    number: u64,
    /// Time of sending, by the prober's clock.
    sent: Duration,
    /// Load that the probe belongs to.
    load: ProbeLoad,
}

/// Answer to a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ProbeReply {
    /// Cookie with which to ask again.
    Cookie([u8; COOKIE]),
    /// Echo of a probe, with the number of probes of each load received so far and the prober's address.
    Echo { number: u64, sent: Duration, load: ProbeLoad, counts: [u64; ProbeLoad::COUNT], you: SocketAddr },
    /// The responder is busy; a later try may succeed.
    Full,
}

impl ProbeRequest {
    fn encode(&self, size: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(size.max(PROBE_MIN));
        out.extend_from_slice(&HEAD);
        out.put_u8(1);
        out.extend_from_slice(&self.cookie);
        out.put_u64(self.survey);
        out.put_u64(self.number);
        out.put_u64(self.sent.as_micros() as u64);
        out.put_u8(self.load as u8);
        out.resize(size.clamp(PROBE_MIN, PROBE_MAX), 0);
        out
    }

    fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut from = read_payload(bytes, 1)?;
        if bytes.len() < PROBE_MIN {
            return Err(WireError::Truncated);
        }
        Ok(Self {
            cookie: from.array()?,
            survey: from.u64()?,
            number: from.u64()?,
            sent: Duration::from_micros(from.u64()?),
            load: ProbeLoad::decode(from.u8()?)?,
        })
    }
}

impl ProbeReply {
    fn encode(&self, size: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(size.max(PROBE_MIN));
        out.extend_from_slice(&HEAD);
        match self {
            Self::Cookie(cookie) => {
                out.put_u8(2);
                out.extend_from_slice(cookie);
            }
            Self::Echo { number, sent, load, counts, you } => {
                out.put_u8(3);
                out.put_u64(*number);
                out.put_u64(sent.as_micros() as u64);
                out.put_u8(*load as u8);
                counts.iter().for_each(|count| out.put_varint(*count));
                write_address(&mut out, *you);
                out.resize(size.max(out.len()), 0);
            }
            Self::Full => out.put_u8(4),
        }
        out
    }

    fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let kind = *bytes.get(HEAD.len()).ok_or(WireError::Truncated)?;
        let mut from = read_payload(bytes, kind)?;
        Ok(match kind {
            2 => Self::Cookie(from.array()?),
            3 => {
                let (number, sent) = (from.u64()?, Duration::from_micros(from.u64()?));
                let load = ProbeLoad::decode(from.u8()?)?;
                let mut counts = [0; ProbeLoad::COUNT];
                for count in &mut counts {
                    *count = from.varint()?;
                }
                Self::Echo { number, sent, load, counts, you: read_address(&mut from)? }
            }
            4 => Self::Full,
            _ => return Err(WireError::OutOfRange),
        })
    }
}

fn read_payload(bytes: &[u8], kind: u8) -> Result<WireReader<'_>, WireError> {
    let rest = bytes.strip_prefix(&HEAD[..]).ok_or(WireError::OutOfRange)?;
    let mut from = WireReader::new(rest);
    if from.u8()? == kind { Ok(from) } else { Err(WireError::OutOfRange) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netem::{Netem, PathProfile};
    use proptest::prelude::*;

    const MS: Duration = Duration::from_millis(1);
    const SECOND: Duration = Duration::from_secs(1);

    fn address() -> SocketAddr {
        "203.0.113.7:40000".parse().expect("an address")
    }

    /// Runs a check over a path that is cut and restored at these seconds.
    fn survey(path: PathProfile, length: Duration, cuts: &[(u64, bool)]) -> NetcheckReport {
        let (mut ocean, mut echo) = (Netem::new(path, 7), NetcheckResponder::new([3; 32]));
        let mut surveyor = NetcheckProber::new(Duration::ZERO, 99, length);
        let (mut now, mut cuts) = (Duration::ZERO, cuts.iter().copied().peekable());
        while !surveyor.is_over(now) {
            if let Some((_, cut)) = cuts.next_if(|(at, _)| Duration::from_secs(*at) <= now) {
                ocean.set_cut(cut);
            }
            while let Some(ask) = surveyor.poll_transmit(now) {
                ocean.send(now, 0, &ask);
            }
            let next = surveyor.poll_timeout().into_iter().chain(ocean.next()).min().unwrap_or(now + MS);
            now = now.max(next);
            while let Some((from, bytes)) = ocean.receive(now) {
                if from == 0 {
                    let answer = echo.handle_datagram(now, address(), &bytes);
                    answer.iter().for_each(|answer| {
                        assert!(answer.len() <= bytes.len(), "an answer is no longer than its question");
                        ocean.send(now, 1, answer);
                    });
                } else {
                    surveyor.handle_datagram(now, &bytes);
                }
            }
        }
        surveyor.report(now)
    }

    #[test]
    fn a_good_line_carries_forty_people() {
        let path = PathProfile { one_way: 46 * MS, jitter: 2 * MS, loss: 0.005, ..PathProfile::default() };
        let finding = survey(path, 120 * SECOND, &[]);
        assert_eq!(finding.capacity(), Some(LineCapacity::Forty));
        let all = finding.total();
        let rtt = all.round_trip(50.0).expect("it was measured");
        assert!((92.0..102.0).contains(&rtt), "{rtt}");
        for lost in all.loss(ProbeLoad::Crowd).expect("it was measured") {
            assert!((0.001..0.012).contains(&lost), "{lost}");
        }
        assert_eq!((all.gaps, finding.address_changes, finding.largest_received), (0, 0, PROBE_MAX));
    }

    #[test]
    fn a_narrow_line_carries_a_few_and_says_so() {
        let path = PathProfile { one_way: 20 * MS, rate: 60_000.0, queue: 400 * MS, ..PathProfile::default() };
        let finding = survey(path, 120 * SECOND, &[]);
        assert_eq!(finding.capacity(), Some(LineCapacity::Few));
        assert!(finding.total().loss(ProbeLoad::Crowd).is_some_and(|[up, _]| up > 0.5), "{finding:?}");
        let nearly_none = PathProfile { rate: 9_000.0, ..path };
        assert_eq!(survey(nearly_none, 120 * SECOND, &[]).capacity(), Some(LineCapacity::Touches));
        let lossy = PathProfile { loss: 0.4, ..PathProfile::default() };
        assert_eq!(survey(lossy, 120 * SECOND, &[]).capacity(), Some(LineCapacity::Nothing));
    }

    #[test]
    fn gaps_are_found_and_a_line_that_is_dead_is_said_to_be() {
        let path = PathProfile { one_way: 20 * MS, ..PathProfile::default() };
        let finding = survey(path, 180 * SECOND, &[(60, true), (67, false), (100, true), (103, false)]);
        let all = finding.total();
        assert_eq!(all.gaps, 2);
        assert!((6.8..7.4).contains(&all.longest_gap.as_secs_f64()), "{all:?}");
        assert_eq!(survey(path, 60 * SECOND, &[(0, true)]).capacity(), None);
    }

    #[test]
    fn where_the_links_own_datagrams_do_not_pass_it_carries_nothing() {
        let path = PathProfile { one_way: 20 * MS, max_datagram: 1_180, ..PathProfile::default() };
        let finding = survey(path, 70 * SECOND, &[]);
        assert_eq!(
            (finding.capacity(), finding.total().capacity()),
            (Some(LineCapacity::Nothing), Some(LineCapacity::Forty))
        );
        // A load that was not tested is not promised.
        let short = survey(PathProfile { one_way: 20 * MS, ..PathProfile::default() }, 8 * SECOND, &[]);
        assert_eq!(short.capacity(), Some(LineCapacity::Touches));
    }

    #[test]
    fn large_datagrams_that_vanish_are_noticed() {
        let path = PathProfile { one_way: 20 * MS, max_datagram: 1_300, ..PathProfile::default() };
        let finding = survey(path, 60 * SECOND, &[]);
        assert_eq!(finding.largest_received, 1_200);
    }

    #[test]
    fn who_has_not_proved_its_address_gets_a_cookie_and_nothing_else() {
        let mut echo = NetcheckResponder::new([3; 32]);
        let ask = ProbeRequest { cookie: [0; COOKIE], survey: 1, number: 0, sent: SECOND, load: ProbeLoad::Calm };
        let answer = echo.handle_datagram(SECOND, address(), &ask.encode(1_000)).expect("an answer");
        let Ok(ProbeReply::Cookie(cookie)) = ProbeReply::decode(&answer) else { panic!("no cookie") };
        let with = ProbeRequest { cookie, ..ask }.encode(1_000);
        let elsewhere = echo.handle_datagram(SECOND, "203.0.113.8:40000".parse().expect("an address"), &with);
        assert!(elsewhere.is_some_and(|answer| answer.len() < 40), "a cookie is of one address");
        assert_eq!(echo.handle_datagram(SECOND, address(), &with).map(|answer| answer.len()), Some(1_000));
        // A flood is not answered.
        let answered = (0..10_000).filter(|_| echo.handle_datagram(SECOND, address(), &with).is_some()).count();
        assert!(answered < 1_000, "{answered}");
    }

    #[test]
    fn one_network_does_not_take_all_surveys() {
        let mut echo = NetcheckResponder::new([3; 32]);
        let mut asks = |at: &str, now: Duration| {
            let at = at.parse().expect("an address");
            let ask = ProbeRequest { cookie: [0; COOKIE], survey: 1, number: 0, sent: now, load: ProbeLoad::Calm };
            let answer = echo.handle_datagram(now, at, &ask.encode(100)).expect("an answer");
            let Ok(ProbeReply::Cookie(cookie)) = ProbeReply::decode(&answer) else { panic!("no cookie") };
            let answer = echo.handle_datagram(now, at, &ProbeRequest { cookie, ..ask }.encode(100)).expect("an answer");
            matches!(ProbeReply::decode(&answer), Ok(ProbeReply::Echo { .. }))
        };
        let of_one_host = (1..=32).filter(|port| asks(&format!("203.0.113.7:{port}"), SECOND)).count();
        let of_one_network = (1..=32).filter(|host| asks(&format!("[2001:db8:0:{host:x}::1]:9"), SECOND)).count();
        assert_eq!((of_one_host, of_one_network), (3, 24));
        assert!(asks("198.51.100.1:9", SECOND), "others are answered");
        // Checks that have gone silent make room.
        assert!(asks("203.0.113.7:99", 200 * SECOND) && asks("[2001:db8:0:99::1]:9", 200 * SECOND));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), kind in 0..6_u8) {
            let bytes = [&HEAD[..], &[kind], &bytes].concat();
            let _ = NetcheckResponder::new([1; 32]).handle_datagram(SECOND, address(), &bytes);
            let mut surveyor = NetcheckProber::new(Duration::ZERO, 1, SECOND);
            let _ = surveyor.poll_transmit(SECOND);
            surveyor.handle_datagram(SECOND, &bytes);
        }
    }
}
