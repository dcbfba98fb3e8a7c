//! Every way to the twin that is known, and when each is to be tried.

use crate::link::relay::{NAMED_IN, NAMED_MAX, Placed};
use crate::manifest::Twin;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

/// First pause between two attempts, and the longest while nothing is heard of the twin.
const BACKOFF: [Duration; 2] = [Duration::from_millis(150), Duration::from_secs(5)];
/// First and longest pause between attempts at a better way, while a worse one works.
const BETTER: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(300)];
/// Most ways at once.
const WAYS_MAX: usize = 16;
/// Bytes of the datagram that a dial sends to an address that has not answered (RFC 9000, §14.1).
const FIRST_WORDS: u64 = 1_200;

/// Where the twin may be found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    /// Its own addresses.
    pub addresses: Vec<SocketAddr>,
    /// Relays, host and port, that it may ask.
    pub relays: Vec<String>,
}

impl From<SocketAddr> for Reach {
    fn from(address: SocketAddr) -> Self {
        Self { addresses: vec![address], relays: vec![] }
    }
}

impl Reach {
    /// What is known of a twin, and the relay that this site asks itself.
    pub fn of(twin: &Twin, relay: Option<&str>) -> Self {
        let mut relays: Vec<_> = twin.relay.as_deref().into_iter().chain(relay).map(str::to_owned).collect();
        relays.dedup();
        Self { addresses: twin.addresses.clone(), relays }
    }
}

/// Kind of a way to the twin, by the source of its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The twin's own address, from its introduction.
    Own,
    /// A relay, which forwards packets to the twin.
    Relay,
    /// The address at which a relay sees the twin; if the relay lies, it is a stranger's.
    Named,
}

/// One way to the twin.
#[derive(Debug, Clone)]
struct Way {
    address: SocketAddr,
    kind: Kind,
    dialling: bool,
    tried: Option<Duration>,
    pause: Duration,
    /// Differs from way to way and from time to time, so that two sites do not dial in step.
    jitter: f64,
}

/// Dials made on a relay's word alone: a few per minute, and never more bytes than relays have brought from the twin.
#[derive(Debug, Default)]
struct OnItsWord {
    dialled: VecDeque<Duration>,
    brought: u64,
    spent: u64,
}

impl OnItsWord {
    /// Returns when the next address may be dialled; none as long as nothing has been brought to pay for it.
    fn next(&self) -> Option<Duration> {
        let full = self.dialled.len() >= NAMED_MAX;
        let at = self.dialled.front().filter(|_| full).map_or(Duration::ZERO, |first| *first + NAMED_IN);
        (self.brought >= self.spent + FIRST_WORDS).then_some(at)
    }

    fn dial(&mut self, now: Duration) {
        if self.dialled.len() >= NAMED_MAX {
            self.dialled.pop_front();
        }
        self.dialled.push_back(now);
        self.spent += FIRST_WORDS;
    }
}

/// All ways, and what has become of each.
#[derive(Debug, Default)]
pub(super) struct Ways {
    list: Vec<Way>,
    named: OnItsWord,
}

/// How well the twin is heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// Not at all.
    Not,
    /// Through a relay.
    Relayed,
    /// Without one.
    Direct,
}

impl Ways {
    /// These are the ways now. What is known of those that stay is kept.
    pub fn renew(&mut self, reach: &Reach, placed: impl Iterator<Item = (SocketAddr, Placed)>) {
        // A relay forwards only when both are there; and where it sees the other one may be reached directly. Relays
        // first: one that was once taken for an address of the twin is a relay all the same.
        let known: Vec<_> = placed.filter_map(|(relay, Placed { other, .. })| Some((relay, other?))).collect();
        let relays = known.iter().map(|(relay, _)| (*relay, Kind::Relay));
        let own = reach.addresses.iter().map(|address| (*address, Kind::Own));
        let others = known.iter().map(|(_, other)| (*other, Kind::Named));
        let mut list: Vec<Way> = Vec::new();
        for (address, kind) in relays.chain(own).chain(others).take(WAYS_MAX) {
            if list.iter().all(|way| way.address != address) {
                let known = self.list.iter().find(|way| way.address == address && way.kind == kind);
                let new = Way { address, kind, dialling: false, tried: None, pause: BACKOFF[0], jitter: 1.0 };
                list.push(known.cloned().unwrap_or(new));
            }
        }
        self.list = list;
    }

    /// All of them.
    pub fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.list.iter().map(|way| way.address)
    }

    /// True for the address of a relay.
    pub fn is_relayed(&self, address: SocketAddr) -> bool {
        self.list.iter().any(|way| way.kind == Kind::Relay && way.address == address)
    }

    /// Sets the number of bytes that relays have brought from the twin since the start.
    pub fn brought(&mut self, bytes: u64) {
        self.named.brought = self.named.brought.max(bytes);
    }

    /// When a way is to be tried next; never while it is being tried, or when a better one works.
    fn due(&self, way: &Way, heard: Heard) -> Option<Duration> {
        let (longest, first) = match (heard, way.kind) {
            // A relay that reaches the twin forwards packets to it. Until it has done so, nothing is dialled on its word.
            (Heard::Not, Kind::Own | Kind::Relay) => (BACKOFF[1], BACKOFF[0]),
            (Heard::Relayed, Kind::Own | Kind::Named) => (BETTER[1], BETTER[0]),
            _ => return None,
        };
        let pause = way.pause.clamp(first, longest).mul_f64(way.jitter);
        let due = way.tried.map_or(Duration::ZERO, |tried| tried + pause);
        let due = if way.kind == Kind::Named { due.max(self.named.next()?) } else { due };
        (!way.dialling).then_some(due)
    }

    /// When the next way is to be tried.
    pub fn next(&self, heard: Heard) -> Option<Duration> {
        self.list.iter().filter_map(|way| self.due(way, heard)).min()
    }

    /// The ways to be tried now; they count as being tried.
    pub fn dial(&mut self, now: Duration, heard: Heard) -> Vec<(SocketAddr, Kind)> {
        let mut ways = vec![];
        for index in 0..self.list.len() {
            if self.due(&self.list[index], heard).is_none_or(|at| at > now) {
                continue;
            }
            let way = &mut self.list[index];
            way.dialling = true;
            ways.push((way.address, way.kind));
            if way.kind == Kind::Named {
                self.named.dial(now);
            }
        }
        ways
    }

    /// An attempt is over. One that succeeds may end a moment later, so either way the next pause is longer.
    pub fn tried(&mut self, now: Duration, address: SocketAddr, random: &mut fastrand::Rng) {
        if let Some(way) = self.list.iter_mut().find(|way| way.address == address) {
            way.dialling = false;
            way.jitter = 0.75 + 0.5 * random.f64();
            way.pause = if way.tried.is_some() { (way.pause * 3 / 2).min(BETTER[1]) } else { way.pause };
            way.tried = Some(now);
        }
    }

    /// A connection has lived: whatever was tried in vain before is worth trying soon again.
    pub fn refresh(&mut self) {
        for way in &mut self.list {
            (way.pause, way.tried) = (BACKOFF[0], None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    fn ways() -> Ways {
        let mut ways = Ways::default();
        ways.brought(1_000_000);
        let placed = Placed { here: address(1), other: Some(address(2)) };
        ways.renew(&Reach::from(address(3)), [(address(9), placed)].into_iter());
        ways
    }

    #[test]
    fn all_ways_are_tried_together_and_then_with_longer_pauses_for_ever() {
        let (mut ways, mut random) = (ways(), fastrand::Rng::with_seed(1));
        assert_eq!(ways.dial(ms(0), Heard::Not), [(address(9), Kind::Relay), (address(3), Kind::Own)]);
        assert!(ways.dial(ms(0), Heard::Not).is_empty(), "they are being tried");
        let (mut now, mut pauses) = (ms(3_000), vec![]);
        for _ in 0..20 {
            ways.tried(now, address(3), &mut random);
            let next = ways.next(Heard::Not).expect("for ever");
            pauses.push(next - now);
            now = next;
            assert_eq!(ways.dial(now, Heard::Not), [(address(3), Kind::Own)]);
        }
        assert!(pauses[0] <= ms(190) && pauses[19] >= ms(3_750) && pauses[19] <= ms(6_250), "{pauses:?}");
    }

    #[test]
    fn while_a_relay_works_only_direct_ways_are_tried_and_rarely() {
        let (mut ways, mut random) = (ways(), fastrand::Rng::with_seed(1));
        assert_eq!(ways.dial(ms(0), Heard::Relayed), [(address(3), Kind::Own), (address(2), Kind::Named)]);
        ways.tried(ms(0), address(3), &mut random);
        let next = ways.next(Heard::Relayed).expect("for ever");
        assert!((ms(3_750)..=ms(6_250)).contains(&next), "{next:?}");
        assert_eq!(ways.next(Heard::Direct), None);
        assert!(ways.next(Heard::Not).expect("at once") <= ms(190), "when the relay fails, there is no time to lose");
    }

    #[test]
    fn a_way_that_is_not_there_any_more_is_not_tried() {
        let mut ways = ways();
        assert!(ways.is_relayed(address(9)) && !ways.is_relayed(address(2)));
        ways.renew(&Reach::default(), core::iter::empty());
        assert!(ways.dial(ms(0), Heard::Not).is_empty() && !ways.is_relayed(address(9)));
    }

    /// Returns when each stranger was dialled because of a relay that says every 100 ms, for an hour, that the twin is elsewhere,
    /// while the twin is heard as `heard` says.
    fn lied_to(heard: Heard, brought: u64) -> Vec<Duration> {
        let (mut ways, mut random, mut dialled) = (Ways::default(), fastrand::Rng::with_seed(1), vec![]);
        for step in 0..36_000_u32 {
            let now = ms(100) * step;
            ways.brought(u64::from(step) * brought);
            let stranger = SocketAddr::from(([198, 51, (step >> 8) as u8, step as u8], 4_433));
            let placed = Placed { here: address(1), other: Some(stranger) };
            ways.renew(&Reach::default(), [(address(9), placed)].into_iter());
            for (address, kind) in ways.dial(now, heard) {
                if kind == Kind::Named {
                    dialled.push(now);
                }
                ways.tried(now, address, &mut random);
            }
        }
        dialled
    }

    #[test]
    fn a_relay_that_lies_has_four_strangers_dialled_a_minute_and_for_no_more_than_it_has_brought() {
        assert!(lied_to(Heard::Not, 1_000).is_empty(), "the twin was never heard there");
        let dialled = lied_to(Heard::Relayed, 1_000);
        assert_eq!(dialled.len(), 4 * 60);
        for minute in dialled.windows(5) {
            assert!(minute[4] - minute[0] >= ms(60_000), "{minute:?}");
        }
        let (brought, dialled) = (3_600 * 10 * 5, lied_to(Heard::Relayed, 5).len());
        assert!(dialled > 10 && dialled * 1_200 <= brought, "{dialled}");
    }
}
