//! The relays that a site asks for its twin.

use super::demux_socket::DemuxSocket;
use crate::device::site_key::SiteKey;
use crate::link::relay::{RelayAllocation, RelayClient, Rendezvous};
use std::net::SocketAddr;
use std::time::Duration;

/// A name that stands for nothing, or a relay that is silent, is looked up again after this.
const LOOKUP_INTERVAL: Duration = Duration::from_secs(6);
/// While its name is being looked up, nothing else is to be done.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(3_600);

#[derive(Debug)]
struct KnownRelay {
    host: String,
    next_lookup: Duration,
    clients: Vec<(SocketAddr, RelayClient)>,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct RelayClients {
    twin: Option<[u8; 32]>,
    list: Vec<KnownRelay>,
}

impl RelayClients {
    /// From now on these are asked for this twin.
    pub fn set_peer(&mut self, now: Duration, key: &SiteKey, twin: Option<[u8; 32]>, hosts: &[String]) {
        self.twin = twin;
        let hosts = hosts.iter().filter(|_| twin.is_some());
        self.list = hosts.map(|host| KnownRelay { host: host.clone(), next_lookup: now, clients: vec![] }).collect();
        // An address needs no looking up.
        for host in self.list.iter().map(|relay| relay.host.clone()).collect::<Vec<_>>() {
            if let Ok(address) = host.parse::<SocketAddr>() {
                self.handle_resolved(now, key, &host, [address].into_iter());
            }
        }
    }

    /// A name stands for these addresses.
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
        // One of them at a time: a relay with two families of addresses has one seat for this site. The one after that
        // which does not answer.
        let mut found: Vec<_> = found.collect();
        found.sort();
        let current = relay.clients.first().map(|(address, _)| *address);
        let next = found.iter().find(|address| current.is_none_or(|current| **address > current)).or(found.first());
        if let Some(address) = next.filter(|address| Some(**address) != current) {
            relay.clients = vec![(*address, RelayClient::new(now, key.public(), Rendezvous::Twin(twin)))];
        }
    }

    /// Asks all that are due. The names that are to be looked up.
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

    /// Nothing is heard of the twin.
    pub fn retry_now(&mut self, now: Duration) {
        self.list.iter_mut().flat_map(|relay| &mut relay.clients).for_each(|(_, asking)| asking.ask_soon(now));
    }

    /// When the next question is due.
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.list.iter().flat_map(|relay| &relay.clients).map(|(_, asking)| asking.poll_timeout()).min()
    }

    /// Something came from a relay. True when what is known has changed.
    pub fn handle_reply(&mut self, now: Duration, from: SocketAddr, answer: &[u8]) -> bool {
        let mut all = self.list.iter_mut().flat_map(|relay| &mut relay.clients);
        all.find(|(address, _)| *address == from).is_some_and(|(_, asking)| asking.handle_datagram(now, answer))
    }

    /// Returns true while the relay at this address proves that its answers are its own.
    pub fn is_verified(&self, now: Duration, address: SocketAddr) -> bool {
        let mut all = self.list.iter().flat_map(|relay| &relay.clients);
        all.any(|(relay, asking)| *relay == address && asking.echoes_nonces(now))
    }

    /// Where this site is known, and what is known there.
    pub fn allocations(&self) -> impl Iterator<Item = (SocketAddr, RelayAllocation)> {
        let all = self.list.iter().flat_map(|relay| &relay.clients);
        all.filter_map(|(address, asking)| Some((*address, asking.allocation()?)))
    }
}
