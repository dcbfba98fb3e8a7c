//! The relays that a site asks for its twin.

use super::socket::Shore;
use crate::device::key::SiteKey;
use crate::link::relay::{Asking, Other, Placed};
use std::net::SocketAddr;
use std::time::Duration;

/// A name that stands for nothing, or a relay that is silent, is looked up again after this.
const LOOK_UP: Duration = Duration::from_secs(6);
/// While its name is being looked up, nothing else is to be done.
const LOOKING: Duration = Duration::from_secs(3_600);

#[derive(Debug)]
struct Relay {
    host: String,
    look_up: Duration,
    asking: Vec<(SocketAddr, Asking)>,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Relays {
    twin: Option<[u8; 32]>,
    list: Vec<Relay>,
}

impl Relays {
    /// From now on these are asked for this twin.
    pub fn ask_for(&mut self, now: Duration, key: &SiteKey, twin: Option<[u8; 32]>, hosts: &[String]) {
        self.twin = twin;
        let hosts = hosts.iter().filter(|_| twin.is_some());
        self.list = hosts.map(|host| Relay { host: host.clone(), look_up: now, asking: vec![] }).collect();
        // An address needs no looking up.
        for host in self.list.iter().map(|relay| relay.host.clone()).collect::<Vec<_>>() {
            if let Ok(address) = host.parse::<SocketAddr>() {
                self.found(now, key, &host, [address].into_iter());
            }
        }
    }

    /// A name stands for these addresses.
    pub fn found(&mut self, now: Duration, key: &SiteKey, host: &str, found: impl Iterator<Item = SocketAddr>) {
        let Some(twin) = self.twin else { return };
        let Some(relay) = self.list.iter_mut().find(|relay| relay.host == host) else { return };
        relay.look_up = now + LOOK_UP;
        // One of them at a time: a relay with two families of addresses has one seat for this site. The one after that
        // which does not answer.
        let mut found: Vec<_> = found.collect();
        found.sort();
        let current = relay.asking.first().map(|(address, _)| *address);
        let next = found.iter().find(|address| current.is_none_or(|current| **address > current)).or(found.first());
        if let Some(address) = next.filter(|address| Some(**address) != current) {
            relay.asking = vec![(*address, Asking::new(now, key.public(), Other::Twin(twin)))];
        }
    }

    /// Asks all that are due. The names that are to be looked up.
    pub fn ask(&mut self, now: Duration, key: &SiteKey, shore: &Shore) -> Vec<String> {
        let mut names = vec![];
        for relay in &mut self.list {
            for (address, asking) in &mut relay.asking {
                if let Some(question) = asking.poll(now, |text| key.sign(text)) {
                    shore.ask(*address, &question);
                }
            }
            let placed = relay.asking.iter().any(|(_, asking)| asking.placed().is_some());
            if now >= relay.look_up && !placed && relay.host.parse::<SocketAddr>().is_err() {
                relay.look_up = now + LOOKING;
                names.push(relay.host.clone());
            }
        }
        names
    }

    /// Nothing is heard of the twin.
    pub fn hurry(&mut self, now: Duration) {
        self.list.iter_mut().flat_map(|relay| &mut relay.asking).for_each(|(_, asking)| asking.hurry(now));
    }

    /// When the next question is due.
    pub fn next(&self) -> Option<Duration> {
        self.list.iter().flat_map(|relay| &relay.asking).map(|(_, asking)| asking.next()).min()
    }

    /// Something came from a relay. True when what is known has changed.
    pub fn handle(&mut self, now: Duration, from: SocketAddr, answer: &[u8]) -> bool {
        let mut all = self.list.iter_mut().flat_map(|relay| &mut relay.asking);
        all.find(|(address, _)| *address == from).is_some_and(|(_, asking)| asking.handle(now, answer))
    }

    /// Returns true while the relay at this address proves that its answers are its own.
    pub fn proves_itself(&self, now: Duration, address: SocketAddr) -> bool {
        let mut all = self.list.iter().flat_map(|relay| &relay.asking);
        all.any(|(relay, asking)| *relay == address && asking.echoes(now))
    }

    /// Where this site is known, and what is known there.
    pub fn placed(&self) -> impl Iterator<Item = (SocketAddr, Placed)> {
        let all = self.list.iter().flat_map(|relay| &relay.asking);
        all.filter_map(|(address, asking)| Some((*address, asking.placed()?)))
    }
}
