//! Relay clients of a site, which ask for its twin.

use super::demux_socket::DemuxSocket;
use crate::device::site_key::SiteKey;
use crate::link::relay::{RelayAllocation, RelayClient, Rendezvous};
use std::net::SocketAddr;
use std::time::Duration;

/// Interval of lookups for a name that does not resolve, or a relay that is silent.
const LOOKUP_INTERVAL: Duration = Duration::from_secs(6);
/// Time until the next action while a name is being looked up.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(3_600);

#[derive(Debug)]
struct KnownRelay {
    host: String,
    next_lookup: Duration,
    clients: Vec<(SocketAddr, RelayClient)>,
}

/// All relay clients of the site.
#[derive(Debug, Default)]
pub(super) struct RelayClients {
    twin: Option<[u8; 32]>,
    list: Vec<KnownRelay>,
}

impl RelayClients {
    /// Replaces the twin and the relays that are asked for it.
    pub fn set_peer(&mut self, now: Duration, key: &SiteKey, twin: Option<[u8; 32]>, hosts: &[String]) {
        self.twin = twin;
        let hosts = hosts.iter().filter(|_| twin.is_some());
        self.list = hosts.map(|host| KnownRelay { host: host.clone(), next_lookup: now, clients: vec![] }).collect();
        // An address needs no lookup.
        for host in self.list.iter().map(|relay| relay.host.clone()).collect::<Vec<_>>() {
            if let Ok(address) = host.parse::<SocketAddr>() {
                self.handle_resolved(now, key, &host, [address].into_iter());
            }
        }
    }

    /// Handles the resolved addresses of a name.
    pub fn handle_resolved(
        &mut self,
        now: Duration,
        key: &SiteKey,
        host: &str,
        found: impl Iterator<Item = SocketAddr>,
    ) {
        let Some(twin) = self.twin else { return };
        let Some(relay) = self.list.iter_mut().find(|relay| relay.host == host) else { return };
        relay.next_lookup = now + LOOKUP_INTERVAL;
        // One address at a time, since a relay with two address families has one seat for this site. If it does not
        // answer, the next one is tried.
        let mut found: Vec<_> = found.collect();
        found.sort();
        let current = relay.clients.first().map(|(address, _)| *address);
        let next = found.iter().find(|address| current.is_none_or(|current| **address > current)).or(found.first());
        if let Some(address) = next.filter(|address| Some(**address) != current) {
            relay.clients = vec![(*address, RelayClient::new(now, key.public(), Rendezvous::Twin(twin)))];
        }
    }

    /// Sends all questions that are due. Returns the names to look up.
    pub fn send_due(&mut self, now: Duration, key: &SiteKey, shore: &DemuxSocket) -> Vec<String> {
        let mut names = vec![];
        for relay in &mut self.list {
            for (address, asking) in &mut relay.clients {
                if let Some(question) = asking.poll_transmit(now, |text| key.sign(text)) {
                    shore.send_to_relay(*address, &question);
                }
            }
            let placed = relay.clients.iter().any(|(_, asking)| asking.allocation().is_some());
            if now >= relay.next_lookup && !placed && relay.host.parse::<SocketAddr>().is_err() {
                relay.next_lookup = now + LOOKUP_TIMEOUT;
                names.push(relay.host.clone());
            }
        }
        names
    }

    /// Asks sooner, since the twin is not heard.
    pub fn retry_now(&mut self, now: Duration) {
        self.list.iter_mut().flat_map(|relay| &mut relay.clients).for_each(|(_, asking)| asking.ask_soon(now));
    }

    /// Returns the time of the next question.
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.list.iter().flat_map(|relay| &relay.clients).map(|(_, asking)| asking.poll_timeout()).min()
    }

    /// Handles a datagram from a relay. Returns true if an allocation has changed.
    pub fn handle_reply(&mut self, now: Duration, from: SocketAddr, answer: &[u8]) -> bool {
        let mut all = self.list.iter_mut().flat_map(|relay| &mut relay.clients);
        all.find(|(address, _)| *address == from).is_some_and(|(_, asking)| asking.handle_datagram(now, answer))
    }

    /// Returns true while the relay at this address proves that its answers are its own.
    pub fn is_verified(&self, now: Duration, address: SocketAddr) -> bool {
        let mut all = self.list.iter().flat_map(|relay| &relay.clients);
        all.any(|(relay, asking)| *relay == address && asking.echoes_nonces(now))
    }

    /// Returns the allocations of this site, each with the address of its relay.
    pub fn allocations(&self) -> impl Iterator<Item = (SocketAddr, RelayAllocation)> {
        let all = self.list.iter().flat_map(|relay| &relay.clients);
        all.filter_map(|(address, asking)| Some((*address, asking.allocation()?)))
    }
}
