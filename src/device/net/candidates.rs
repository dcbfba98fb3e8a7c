//! Candidate paths to the twin, and the times at which each is tried.

use crate::config::TrustedPeer;
use crate::link::relay::{NEW_ADDRESSES_MAX, NEW_ADDRESSES_PERIOD, RelayAllocation};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

/// First pause between two attempts while the twin is not heard.
const BACKOFF: Duration = Duration::from_millis(150);
/// Longest of these pauses.
const BACKOFF_MAX: Duration = Duration::from_secs(5);
/// First pause between attempts at a better path, while a worse one works.
const UPGRADE_BACKOFF: Duration = Duration::from_secs(5);
/// Longest of these pauses.
const UPGRADE_BACKOFF_MAX: Duration = Duration::from_secs(300);
/// Maximum number of candidate paths.
const CANDIDATES_MAX: usize = 16;
/// Bytes of the datagram that a dial sends to an address that has not answered (RFC 9000, §14.1).
const INITIAL_PACKET_BYTES: u64 = 1_200;

/// Addresses at which the twin may be found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PeerAddrs {
    /// Its own addresses.
    pub addresses: Vec<SocketAddr>,
    /// Relays that it may ask, as host and port.
    pub relays: Vec<String>,
}

impl From<SocketAddr> for PeerAddrs {
    fn from(address: SocketAddr) -> Self {
        Self { addresses: vec![address], relays: vec![] }
    }
}

impl PeerAddrs {
    /// Returns the addresses of a trusted peer, and the relay that this site asks itself.
    pub fn from_twin(twin: &TrustedPeer, relay: Option<&str>) -> Self {
        let mut relays: Vec<_> = twin.relay.as_deref().into_iter().chain(relay).map(str::to_owned).collect();
        relays.dedup();
        Self { addresses: twin.addresses.clone(), relays }
    }
}

/// Kind of a candidate path, by the source of its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CandidateKind {
    /// The twin's own address, from its introduction.
    Host,
    /// A relay, which forwards packets to the twin.
    Relay,
    /// The address at which a relay sees the twin; if the relay lies, it is a stranger's.
    Reflexive,
}

/// One candidate path to the twin.
#[derive(Debug, Clone)]
struct CandidatePath {
    address: SocketAddr,
    kind: CandidateKind,
    dialling: bool,
    last_attempt: Option<Duration>,
    backoff: Duration,
    /// Factor on each pause. It differs between paths and attempts, so that two sites do not dial in step.
    jitter: f64,
}

/// Budget of dials that only a relay's word supports: a few per minute, and never more bytes than relays have brought
/// from the twin.
#[derive(Debug, Default)]
struct ReflexiveDialBudget {
    dialled: VecDeque<Duration>,
    received_bytes: u64,
    spent_bytes: u64,
}

impl ReflexiveDialBudget {
    /// Returns when the next address may be dialled; none until enough bytes have been received to pay for it.
    fn next_allowed(&self) -> Option<Duration> {
        let full = self.dialled.len() >= NEW_ADDRESSES_MAX;
        let at = self.dialled.front().filter(|_| full).map_or(Duration::ZERO, |first| *first + NEW_ADDRESSES_PERIOD);
        (self.received_bytes >= self.spent_bytes + INITIAL_PACKET_BYTES).then_some(at)
    }

    fn record_dial(&mut self, now: Duration) {
        if self.dialled.len() >= NEW_ADDRESSES_MAX {
            self.dialled.pop_front();
        }
        self.dialled.push_back(now);
        self.spent_bytes += INITIAL_PACKET_BYTES;
    }
}

/// All candidate paths, with the results of their attempts.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    list: Vec<CandidatePath>,
    reflexive_budget: ReflexiveDialBudget,
}

/// Reachability of the twin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reachability {
    /// The twin is not heard.
    Unreachable,
    /// The twin is heard through a relay.
    Relayed,
    /// The twin is heard directly.
    Direct,
}

impl Candidates {
    /// Replaces the candidate paths. Those that stay keep their state.
    pub fn update(&mut self, reach: &PeerAddrs, placed: impl Iterator<Item = (SocketAddr, RelayAllocation)>) {
        // A relay forwards only if both sites are present, and the address at which it sees the other may be
        // reachable directly. Relays come first: one that was once taken for an address of the twin is still a relay.
        let known: Vec<_> =
            placed.filter_map(|(relay, RelayAllocation { peer: other, .. })| Some((relay, other?))).collect();
        let relays = known.iter().map(|(relay, _)| (*relay, CandidateKind::Relay));
        let own = reach.addresses.iter().map(|address| (*address, CandidateKind::Host));
        let others = known.iter().map(|(_, other)| (*other, CandidateKind::Reflexive));
        let mut list: Vec<CandidatePath> = Vec::new();
        for (address, kind) in relays.chain(own).chain(others).take(CANDIDATES_MAX) {
            if list.iter().all(|way| way.address != address) {
                let known = self.list.iter().find(|way| way.address == address && way.kind == kind);
                let new =
                    CandidatePath { address, kind, dialling: false, last_attempt: None, backoff: BACKOFF, jitter: 1.0 };
                list.push(known.cloned().unwrap_or(new));
            }
        }
        self.list = list;
    }

    /// Returns all addresses.
    pub fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.list.iter().map(|way| way.address)
    }

    /// Returns true for the address of a relay.
    pub fn is_relayed(&self, address: SocketAddr) -> bool {
        self.list.iter().any(|way| way.kind == CandidateKind::Relay && way.address == address)
    }

    /// Sets the number of bytes that relays have brought from the twin since the start.
    pub fn set_relayed_bytes(&mut self, bytes: u64) {
        self.reflexive_budget.received_bytes = self.reflexive_budget.received_bytes.max(bytes);
    }

    /// Returns when a path is to be tried next; none while it is being tried, or when a better one works.
    fn next_attempt(&self, way: &CandidatePath, heard: Reachability) -> Option<Duration> {
        let (longest, first) = match (heard, way.kind) {
            // A relay that reaches the twin forwards packets to it. Until it has done so, nothing is dialled on its
            // word.
            (Reachability::Unreachable, CandidateKind::Host | CandidateKind::Relay) => (BACKOFF_MAX, BACKOFF),
            (Reachability::Relayed, CandidateKind::Host | CandidateKind::Reflexive) => {
                (UPGRADE_BACKOFF_MAX, UPGRADE_BACKOFF)
            }
            _ => return None,
        };
        let pause = way.backoff.clamp(first, longest).mul_f64(way.jitter);
        let due = way.last_attempt.map_or(Duration::ZERO, |tried| tried + pause);
        let due =
            if way.kind == CandidateKind::Reflexive { due.max(self.reflexive_budget.next_allowed()?) } else { due };
        (!way.dialling).then_some(due)
    }

    /// Returns the time at which the next path is to be tried.
    pub fn poll_timeout(&self, heard: Reachability) -> Option<Duration> {
        self.list.iter().filter_map(|way| self.next_attempt(way, heard)).min()
    }

    /// Returns the paths to try now, and marks them as being tried.
    pub fn poll_dials(&mut self, now: Duration, heard: Reachability) -> Vec<(SocketAddr, CandidateKind)> {
        let mut ways = vec![];
        for index in 0..self.list.len() {
            if self.next_attempt(&self.list[index], heard).is_none_or(|at| at > now) {
                continue;
            }
            let way = &mut self.list[index];
            way.dialling = true;
            ways.push((way.address, way.kind));
            if way.kind == CandidateKind::Reflexive {
                self.reflexive_budget.record_dial(now);
            }
        }
        ways
    }

    /// Records the end of an attempt. One that succeeds may end a moment later, so either way the next pause is
    /// longer.
    pub fn record_attempt(&mut self, now: Duration, address: SocketAddr, random: &mut fastrand::Rng) {
        if let Some(way) = self.list.iter_mut().find(|way| way.address == address) {
            way.dialling = false;
            way.jitter = 0.75 + 0.5 * random.f64();
            way.backoff =
                if way.last_attempt.is_some() { (way.backoff * 3 / 2).min(UPGRADE_BACKOFF_MAX) } else { way.backoff };
            way.last_attempt = Some(now);
        }
    }

    /// Resets the pauses, since a connection has lived: paths that failed before are worth trying again soon.
    pub fn reset_backoff(&mut self) {
        for way in &mut self.list {
            (way.backoff, way.last_attempt) = (BACKOFF, None);
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

    fn ways() -> Candidates {
        let mut ways = Candidates::default();
        ways.set_relayed_bytes(1_000_000);
        let placed = RelayAllocation { external: address(1), peer: Some(address(2)) };
        ways.update(&PeerAddrs::from(address(3)), [(address(9), placed)].into_iter());
        ways
    }

    #[test]
    fn all_ways_are_tried_together_and_then_with_longer_pauses_for_ever() {
        let (mut ways, mut random) = (ways(), fastrand::Rng::with_seed(1));
        assert_eq!(
            ways.poll_dials(ms(0), Reachability::Unreachable),
            [(address(9), CandidateKind::Relay), (address(3), CandidateKind::Host)]
        );
        assert!(ways.poll_dials(ms(0), Reachability::Unreachable).is_empty(), "they are being tried");
        let (mut now, mut pauses) = (ms(3_000), vec![]);
        for _ in 0..20 {
            ways.record_attempt(now, address(3), &mut random);
            let next = ways.poll_timeout(Reachability::Unreachable).expect("for ever");
            pauses.push(next - now);
            now = next;
            assert_eq!(ways.poll_dials(now, Reachability::Unreachable), [(address(3), CandidateKind::Host)]);
        }
        assert!(pauses[0] <= ms(190) && pauses[19] >= ms(3_750) && pauses[19] <= ms(6_250), "{pauses:?}");
    }

    #[test]
    fn while_a_relay_works_only_direct_ways_are_tried_and_rarely() {
        let (mut ways, mut random) = (ways(), fastrand::Rng::with_seed(1));
        assert_eq!(
            ways.poll_dials(ms(0), Reachability::Relayed),
            [(address(3), CandidateKind::Host), (address(2), CandidateKind::Reflexive)]
        );
        ways.record_attempt(ms(0), address(3), &mut random);
        let next = ways.poll_timeout(Reachability::Relayed).expect("for ever");
        assert!((ms(3_750)..=ms(6_250)).contains(&next), "{next:?}");
        assert_eq!(ways.poll_timeout(Reachability::Direct), None);
        assert!(
            ways.poll_timeout(Reachability::Unreachable).expect("at once") <= ms(190),
            "when the relay fails, there is no time to lose"
        );
    }

    #[test]
    fn a_way_that_is_not_there_any_more_is_not_tried() {
        let mut ways = ways();
        assert!(ways.is_relayed(address(9)) && !ways.is_relayed(address(2)));
        ways.update(&PeerAddrs::default(), core::iter::empty());
        assert!(ways.poll_dials(ms(0), Reachability::Unreachable).is_empty() && !ways.is_relayed(address(9)));
    }

    /// Returns the times at which strangers were dialled. For an hour a relay reports every 100 ms that the twin is
    /// elsewhere, while the twin is reachable as `heard` says.
    fn lied_to(heard: Reachability, brought: u64) -> Vec<Duration> {
        let (mut ways, mut random, mut dialled) = (Candidates::default(), fastrand::Rng::with_seed(1), vec![]);
        for step in 0..36_000_u32 {
            let now = ms(100) * step;
            ways.set_relayed_bytes(u64::from(step) * brought);
            let stranger = SocketAddr::from(([198, 51, (step >> 8) as u8, step as u8], 4_433));
            let placed = RelayAllocation { external: address(1), peer: Some(stranger) };
            ways.update(&PeerAddrs::default(), [(address(9), placed)].into_iter());
            for (address, kind) in ways.poll_dials(now, heard) {
                if kind == CandidateKind::Reflexive {
                    dialled.push(now);
                }
                ways.record_attempt(now, address, &mut random);
            }
        }
        dialled
    }

    #[test]
    fn a_relay_that_lies_has_four_strangers_dialled_a_minute_and_for_no_more_than_it_has_brought() {
        assert!(lied_to(Reachability::Unreachable, 1_000).is_empty(), "the twin was never heard there");
        let dialled = lied_to(Reachability::Relayed, 1_000);
        assert_eq!(dialled.len(), 4 * 60);
        for minute in dialled.windows(5) {
            assert!(minute[4] - minute[0] >= ms(60_000), "{minute:?}");
        }
        let (brought, dialled) = (3_600 * 10 * 5, lied_to(Reachability::Relayed, 5).len());
        assert!(dialled > 10 && dialled * 1_200 <= brought, "{dialled}");
    }
}
