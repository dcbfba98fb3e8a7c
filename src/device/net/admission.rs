//! Admission of handshakes. Each costs the link thread half a millisecond, so an address must prove itself first,
//! every network has its share, and the twin never waits behind strangers at an address where it is known to be.

use crate::token_bucket::{RateLimit, TokenBucket};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Most handshakes at once.
const HANDSHAKES_MAX: usize = 8;
/// Most handshakes of strangers at once, so that some are left for the twin.
const STRANGERS_MAX: usize = 6;
/// Most handshakes of one network at once.
const PER_NETWORK_MAX: usize = 2;
/// Most handshakes of strangers: per second, and in a burst.
const STRANGER_RATE: RateLimit = RateLimit { rate: 20.0, burst: 16.0 };
/// Most handshakes of one network: per second, and in a burst.
const PER_NETWORK_RATE: RateLimit = RateLimit { rate: 4.0, burst: 8.0 };
/// Maximum rate of strangers asked to prove their address: per second, and in a burst. It costs no memory, and less
/// than a handshake.
const RETRY_RATE: RateLimit = RateLimit { rate: 4_000.0, burst: 500.0 };
/// Maximum number of networks whose share is remembered. A network that stays away for some seconds has its whole
/// share again.
const NETWORKS_MAX: usize = 1_024;

/// Decision about a first packet.
#[derive(Debug)]
pub(super) enum Admission {
    /// The handshake may begin; it lasts until this is dropped.
    Admit(HandshakePermit),
    /// The address must prove itself, because anyone can forge the sender of a packet.
    Retry,
    /// The packet is ignored.
    Ignore,
}

/// Admission control for incoming handshakes. All clones share one state.
#[derive(Debug, Clone)]
pub(super) struct AdmissionControl(Arc<Mutex<AdmissionState>>);

#[derive(Debug)]
struct AdmissionState {
    /// Number of handshakes in progress, by network.
    in_progress: HashMap<IpAddr, usize>,
    /// Number of handshakes in progress with strangers.
    strangers: usize,
    stranger_bucket: TokenBucket,
    network_buckets: HashMap<IpAddr, TokenBucket>,
    retry_bucket: TokenBucket,
}

/// A handshake in progress.
#[derive(Debug)]
pub(super) struct HandshakePermit {
    admission: AdmissionControl,
    network: IpAddr,
    stranger: bool,
}

impl Default for AdmissionControl {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(AdmissionState {
            in_progress: HashMap::new(),
            strangers: 0,
            stranger_bucket: TokenBucket::new(STRANGER_RATE),
            network_buckets: HashMap::new(),
            retry_bucket: TokenBucket::new(RETRY_RATE),
        })))
    }
}

impl AdmissionControl {
    /// Decides about a packet from an address that QUIC has `proved` or not; `known` if the twin is known to be
    /// there.
    pub fn decide(&self, now: Duration, from: IpAddr, proved: bool, known: bool) -> Admission {
        let network = network_of(from);
        let mut inside = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let inside = &mut *inside;
        let all: usize = inside.in_progress.values().sum();
        let here = inside.in_progress.get(&network).copied().unwrap_or_default();
        if !proved {
            // The twin is spared the round trip, unless others may be using its address.
            if !known && !inside.retry_bucket.try_take(now, 1.0) {
                return Admission::Ignore;
            }
            if !known || here > 0 || all >= HANDSHAKES_MAX / 2 {
                return Admission::Retry;
            }
        }
        if here >= PER_NETWORK_MAX || all >= HANDSHAKES_MAX || (!known && inside.strangers >= STRANGERS_MAX) {
            return Admission::Ignore;
        }
        // The network's share comes first: a network that has used up its share takes nothing from the others.
        let allowed = known
            || (inside.network_bucket(now, network).try_take(now, 1.0) && inside.stranger_bucket.try_take(now, 1.0));
        if !allowed {
            return Admission::Ignore;
        }
        *inside.in_progress.entry(network).or_default() += 1;
        inside.strangers += usize::from(!known);
        Admission::Admit(HandshakePermit { admission: self.clone(), network, stranger: !known })
    }
}

impl AdmissionState {
    /// Returns the token bucket of a network for new handshakes.
    fn network_bucket(&mut self, now: Duration, network: IpAddr) -> &mut TokenBucket {
        if self.network_buckets.len() >= NETWORKS_MAX && !self.network_buckets.contains_key(&network) {
            self.network_buckets.retain(|_, share| {
                share.refill(now);
                share.available() < PER_NETWORK_RATE.burst
            });
            // There are too many networks to remember. `STRANGER_RATE` limits them all together.
            if self.network_buckets.len() >= NETWORKS_MAX {
                self.network_buckets.clear();
            }
        }
        self.network_buckets.entry(network).or_insert_with(|| TokenBucket::new(PER_NETWORK_RATE))
    }
}

impl Drop for HandshakePermit {
    fn drop(&mut self) {
        let mut inside = self.admission.0.lock().unwrap_or_else(PoisonError::into_inner);
        inside.strangers -= usize::from(self.stranger);
        if let Some(count) = inside.in_progress.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                inside.in_progress.remove(&self.network);
            }
        }
    }
}

/// Returns the network of an address; in IPv6 one customer has the whole /64.
fn network_of(from: IpAddr) -> IpAddr {
    match from.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
        ip => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWIN: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    fn stranger(number: u32) -> IpAddr {
        std::net::Ipv4Addr::from_bits(0x0a00_0000 + number).into()
    }

    fn begins(answer: &Admission) -> bool {
        matches!(answer, Admission::Admit(_))
    }

    #[test]
    fn a_flood_from_addresses_that_prove_nothing_keeps_nobody_out() {
        let door = AdmissionControl::default();
        let mut let_in = 0;
        // Ten thousand packets per second for ten seconds. Among them, twice a second, a twin proves its new address.
        for packet in 0..100_000_u32 {
            let now = Duration::from_micros(1_000_000 + u64::from(packet) * 100);
            let answer = door.decide(now, stranger(packet), false, false);
            assert!(!begins(&answer));
            if packet % 5_000 == 0 {
                // Retransmits until it gets an answer.
                let asked = (0..100).any(|again| {
                    let now = now + Duration::from_millis(again);
                    matches!(door.decide(now, TWIN, false, false), Admission::Retry)
                });
                let_in += u32::from(asked && begins(&door.decide(now, TWIN, true, false)));
            }
        }
        assert_eq!(let_in, 20);
    }

    #[test]
    fn a_network_that_floods_takes_its_share_and_no_more() {
        let door = AdmissionControl::default();
        let (mut flood, mut twin) = (0, 0);
        for packet in 0..10_000_u32 {
            let now = Duration::from_secs(1) + Duration::from_millis(u64::from(packet));
            flood += u32::from(begins(&door.decide(now, stranger(0), true, false)));
            if packet % 500 == 0 {
                twin += u32::from(begins(&door.decide(now, TWIN, true, false)));
            }
        }
        assert!(flood <= 48, "{flood} handshakes in ten seconds");
        assert_eq!(twin, 20);
    }

    #[test]
    fn strangers_are_few_and_leave_room_for_the_twin() {
        let (door, now) = (AdmissionControl::default(), Duration::from_secs(1));
        let passes: Vec<_> = (0..20).map(|number| door.decide(now, stranger(number / 3), true, false)).collect();
        assert_eq!(passes.iter().filter(|answer| begins(answer)).count(), STRANGERS_MAX);
        assert!(matches!(door.decide(now, TWIN, false, true), Admission::Retry), "the place is half full");
        let first = door.decide(now, TWIN, true, true);
        assert!(begins(&first) && begins(&door.decide(now, TWIN, true, true)));
        drop(passes);
        assert!(matches!(door.decide(now, TWIN, false, true), Admission::Retry), "another one is under way from there");
        drop(first);
        assert!(begins(&door.decide(now, TWIN, false, true)), "where it is known it is spared the round trip");
        assert!(door.0.lock().expect("no panic").in_progress.is_empty());
    }

    #[test]
    fn one_who_has_an_address_of_ipv6_has_its_network() {
        let (door, now) = (AdmissionControl::default(), Duration::from_secs(1));
        let from = |text: &str| text.parse().expect("an address");
        let passes: Vec<_> =
            (1..=4).map(|number| door.decide(now, from(&format!("2001:db8::{number}")), true, false)).collect();
        assert_eq!(passes.iter().filter(|answer| begins(answer)).count(), PER_NETWORK_MAX);
        assert!(begins(&door.decide(now, from("2001:db8:0:1::1"), true, false)));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let door = AdmissionControl::default();
        for number in 0..20_000 {
            let now = Duration::from_millis(1_000 + u64::from(number) * 50);
            drop(door.decide(now, stranger(number), true, false));
        }
        assert!(door.0.lock().expect("no panic").network_buckets.len() <= NETWORKS_MAX);
    }
}
