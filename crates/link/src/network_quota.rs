//! Shares of a bounded resource by network, so that no network takes all of it.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::collections::HashMap;

/// Ratio of the limit of a wide network to that of a narrow one.
const WIDE_FACTOR: usize = 8;

/// A network: its first address, and the length of its prefix in bits.
pub(super) type Network = (IpAddr, u8);

/// Returns the narrow and the wide network of an address: for IPv4 itself and its /24, for IPv6 its /64 and its /48,
/// which one customer holds as a whole.
pub(super) fn networks(ip: IpAddr) -> [Network; 2] {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            [32, 24].map(|bits| (Ipv4Addr::from_bits(ip.to_bits() & u32::MAX << (32 - bits)).into(), bits))
        }
        IpAddr::V6(ip) => {
            [64, 48].map(|bits| (Ipv6Addr::from_bits(ip.to_bits() & u128::MAX << (128 - bits)).into(), bits))
        }
    }
}

/// Amounts that each network holds.
#[derive(Debug)]
pub(super) struct NetworkQuota {
    limits: [usize; 2],
    held: HashMap<Network, usize>,
}

impl NetworkQuota {
    /// Returns empty shares, with a limit of `each` for a narrow network.
    pub fn new(each: usize) -> Self {
        Self { limits: [each, each.saturating_mul(WIDE_FACTOR)], held: HashMap::new() }
    }

    /// Returns the network of `ip` that has reached its limit, if there is one.
    pub fn exhausted(&self, ip: IpAddr) -> Option<Network> {
        networks(ip)
            .into_iter()
            .zip(self.limits)
            .find(|(network, most)| self.held_by(network) >= *most)
            .map(|full| full.0)
    }

    /// Returns the amount that the narrow network of `ip` holds.
    pub fn held(&self, ip: IpAddr) -> usize {
        self.held_by(&networks(ip)[0])
    }

    fn held_by(&self, network: &Network) -> usize {
        self.held.get(network).copied().unwrap_or_default()
    }

    /// Adds one to the amount held from `ip`.
    pub fn acquire(&mut self, ip: IpAddr) {
        for network in networks(ip) {
            *self.held.entry(network).or_default() += 1;
        }
    }

    /// Subtracts one from the amount held from `ip`.
    pub fn release(&mut self, ip: IpAddr) {
        for network in networks(ip) {
            if let Some(held) = self.held.get_mut(&network) {
                *held -= 1;
                if *held == 0 {
                    self.held.remove(&network);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn an_address_and_its_networks_hold_so_much_and_give_it_back() {
        for (first, narrow, wide, other) in [
            ("192.0.2.7", "192.0.2.7", "192.0.2.8", "192.0.3.7"),
            ("2001:db8:1:1::1", "2001:db8:1:1:ff::2", "2001:db8:1:2::1", "2001:db8:2:1::1"),
        ] {
            let mut shares = NetworkQuota::new(2);
            (0..2).for_each(|_| shares.acquire(ip(first)));
            assert_eq!(shares.exhausted(ip(narrow)), Some(networks(ip(first))[0]));
            assert_eq!((shares.exhausted(ip(wide)), shares.exhausted(ip(other))), (None, None));
            (0..14).for_each(|_| shares.acquire(ip(wide)));
            shares.release(ip(first));
            shares.acquire(ip(wide));
            assert_eq!(shares.exhausted(ip(first)), Some(networks(ip(first))[1]));
            assert_eq!((shares.held(ip(first)), shares.exhausted(ip(other))), (1, None));
            shares.release(ip(first));
            (0..15).for_each(|_| shares.release(ip(wide)));
            assert!(shares.held.is_empty());
        }
    }
}
