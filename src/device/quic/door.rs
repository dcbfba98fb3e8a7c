//! Admission of handshakes. Each costs the link thread half a millisecond, so an address must prove itself first, every
//! network has its share, and the twin never waits behind strangers at an address where it is known to be.

use crate::allowance::Allowance;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Most handshakes at once.
const HANDSHAKES_MAX: usize = 8;
/// Most handshakes of strangers at once, so that some are left for the twin.
const STRANGERS_MAX: usize = 6;
/// Most handshakes of one network at once.
const EACH_MAX: usize = 2;
/// Most handshakes of strangers: per second, and in a burst.
const STRANGERS: (f64, f64) = (20.0, 16.0);
/// Most handshakes of one network: per second, and in a burst.
const EACH: (f64, f64) = (4.0, 8.0);
/// Most strangers asked to prove their address: per second, and in a burst. It costs no memory, and less than a handshake.
const ASKED: (f64, f64) = (4_000.0, 500.0);
/// Most networks whose share is remembered; a network that stays away for some seconds has its whole share again.
const NETWORKS_MAX: usize = 1_024;

/// Decision about a first packet.
#[derive(Debug)]
pub(super) enum Answer {
    /// The handshake may begin; it lasts until this is dropped.
    Begin(Pass),
    /// The address must prove itself, because anyone can forge the sender of a packet.
    Prove,
    /// The packet is ignored.
    Ignore,
}

/// Door for incoming handshakes. All clones share one state.
#[derive(Debug, Clone)]
pub(super) struct Door(Arc<Mutex<Inside>>);

#[derive(Debug)]
struct Inside {
    /// Number of handshakes in progress, by network.
    under_way: HashMap<IpAddr, usize>,
    /// Number of handshakes in progress with strangers.
    strangers: usize,
    allowance: Allowance,
    shares: HashMap<IpAddr, Allowance>,
    asked: Allowance,
}

/// A handshake in progress.
#[derive(Debug)]
pub(super) struct Pass {
    door: Door,
    network: IpAddr,
    stranger: bool,
}

impl Default for Door {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Inside {
            under_way: HashMap::new(),
            strangers: 0,
            allowance: Allowance::new(STRANGERS.0, STRANGERS.1),
            shares: HashMap::new(),
            asked: Allowance::new(ASKED.0, ASKED.1),
        })))
    }
}

impl Door {
    /// Decides about a packet from an address that QUIC has `proved` or not; `known` if the twin is known to be there.
    pub fn answer(&self, now: Duration, from: IpAddr, proved: bool, known: bool) -> Answer {
        let network = network(from);
        let mut inside = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let inside = &mut *inside;
        let all: usize = inside.under_way.values().sum();
        let here = inside.under_way.get(&network).copied().unwrap_or_default();
        if !proved {
            // The twin is spared the round trip, unless others may be using its address.
            if !known && !inside.asked.take(now, 1.0) {
                return Answer::Ignore;
            }
            if !known || here > 0 || all >= HANDSHAKES_MAX / 2 {
                return Answer::Prove;
            }
        }
        if here >= EACH_MAX || all >= HANDSHAKES_MAX || (!known && inside.strangers >= STRANGERS_MAX) {
            return Answer::Ignore;
        }
        // The network's share comes first: a network that has used its share up takes nothing from the others.
        let allowed = known || (inside.share(now, network).take(now, 1.0) && inside.allowance.take(now, 1.0));
        if !allowed {
            return Answer::Ignore;
        }
        *inside.under_way.entry(network).or_default() += 1;
        inside.strangers += usize::from(!known);
        Answer::Begin(Pass { door: self.clone(), network, stranger: !known })
    }
}

impl Inside {
    /// Returns the allowance of a network for new handshakes.
    fn share(&mut self, now: Duration, network: IpAddr) -> &mut Allowance {
        if self.shares.len() >= NETWORKS_MAX && !self.shares.contains_key(&network) {
            self.shares.retain(|_, share| {
                share.fill(now);
                share.left() < EACH.1
            });
            // There are too many networks to remember. `STRANGERS` limits them all together.
            if self.shares.len() >= NETWORKS_MAX {
                self.shares.clear();
            }
        }
        self.shares.entry(network).or_insert_with(|| Allowance::new(EACH.0, EACH.1))
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut inside = self.door.0.lock().unwrap_or_else(PoisonError::into_inner);
        inside.strangers -= usize::from(self.stranger);
        if let Some(count) = inside.under_way.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                inside.under_way.remove(&self.network);
            }
        }
    }
}

/// Returns the network of an address: one customer of IPv6 has the whole /64.
fn network(from: IpAddr) -> IpAddr {
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

    fn begins(answer: &Answer) -> bool {
        matches!(answer, Answer::Begin(_))
    }

    #[test]
    fn a_flood_from_addresses_that_prove_nothing_keeps_nobody_out() {
        let door = Door::default();
        let mut let_in = 0;
        // Ten thousand packets a second for ten seconds; among them, twice a second, a twin that proves its new address.
        for packet in 0..100_000_u32 {
            let now = Duration::from_micros(1_000_000 + u64::from(packet) * 100);
            let answer = door.answer(now, stranger(packet), false, false);
            assert!(!begins(&answer));
            if packet % 5_000 == 0 {
                // Retransmits until it gets an answer.
                let asked = (0..100).any(|again| {
                    let now = now + Duration::from_millis(again);
                    matches!(door.answer(now, TWIN, false, false), Answer::Prove)
                });
                let_in += u32::from(asked && begins(&door.answer(now, TWIN, true, false)));
            }
        }
        assert_eq!(let_in, 20);
    }

    #[test]
    fn a_network_that_floods_takes_its_share_and_no_more() {
        let door = Door::default();
        let (mut flood, mut twin) = (0, 0);
        for packet in 0..10_000_u32 {
            let now = Duration::from_secs(1) + Duration::from_millis(u64::from(packet));
            flood += u32::from(begins(&door.answer(now, stranger(0), true, false)));
            if packet % 500 == 0 {
                twin += u32::from(begins(&door.answer(now, TWIN, true, false)));
            }
        }
        assert!(flood <= 48, "{flood} handshakes in ten seconds");
        assert_eq!(twin, 20);
    }

    #[test]
    fn strangers_are_few_and_leave_room_for_the_twin() {
        let (door, now) = (Door::default(), Duration::from_secs(1));
        let passes: Vec<_> = (0..20).map(|number| door.answer(now, stranger(number / 3), true, false)).collect();
        assert_eq!(passes.iter().filter(|answer| begins(answer)).count(), STRANGERS_MAX);
        assert!(matches!(door.answer(now, TWIN, false, true), Answer::Prove), "the place is half full");
        let first = door.answer(now, TWIN, true, true);
        assert!(begins(&first) && begins(&door.answer(now, TWIN, true, true)));
        drop(passes);
        assert!(matches!(door.answer(now, TWIN, false, true), Answer::Prove), "another one is under way from there");
        drop(first);
        assert!(begins(&door.answer(now, TWIN, false, true)), "where it is known it is spared the round trip");
        assert!(door.0.lock().expect("no panic").under_way.is_empty());
    }

    #[test]
    fn one_who_has_an_address_of_ipv6_has_its_network() {
        let (door, now) = (Door::default(), Duration::from_secs(1));
        let from = |text: &str| text.parse().expect("an address");
        let passes: Vec<_> =
            (1..=4).map(|number| door.answer(now, from(&format!("2001:db8::{number}")), true, false)).collect();
        assert_eq!(passes.iter().filter(|answer| begins(answer)).count(), EACH_MAX);
        assert!(begins(&door.answer(now, from("2001:db8:0:1::1"), true, false)));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let door = Door::default();
        for number in 0..20_000 {
            let now = Duration::from_millis(1_000 + u64::from(number) * 50);
            drop(door.answer(now, stranger(number), true, false));
        }
        assert!(door.0.lock().expect("no panic").shares.len() <= NETWORKS_MAX);
    }
}
