//! The relay itself: who asks for whom, and where what each sends is to go. It looks at no byte behind the first.

use super::super::shares::{Network, networks};
use super::rooms::{Denied, Rooms, Seated};
use super::{Answer, Ask, COOKIE, Nonce, is_of_relay, unasked};
use crate::allowance::Allowance;
use core::net::{IpAddr, SocketAddr};
use ring::hmac;
use ring::signature::{ED25519, UnparsedPublicKey};
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// Empty seats are cleared this often.
const SWEEP: Duration = Duration::from_secs(5);
/// Divisor of the total rate of proofs that gives one network's share.
const PROOFS_EACH: u32 = 4;
/// A cookie is good for this long at least, and twice that at most.
const COOKIES: Duration = Duration::from_secs(60);

/// What a relay gives at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Pairs of sites at once.
    pub pairs: usize,
    /// Most sites at one address, or in one /64 of IPv6; eight times as many in one /24 or /48. This leaves room for the sites
    /// behind an address that a carrier shares among many customers.
    pub each: usize,
    /// Bytes a second that each site may send, in the mean.
    pub rate: u32,
    /// Bytes that it may send at once.
    pub burst: u32,
    /// Most signatures checked per second, for all sites together; one address, or one /64, has a quarter of them.
    pub proofs: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { pairs: 4_096, each: 32, rate: 300_000, burst: 150_000, proofs: 2_000 }
    }
}

/// What is to be done with a datagram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// Goes on as it is, to there.
    Forward(SocketAddr),
    /// Is answered; the second answer, if there is one, tells the other site that this one has come.
    Answer([Option<(SocketAddr, Vec<u8>)>; 2]),
    /// Is nobody's.
    Drop,
}

/// Who is where, and who may say what to whom.
#[derive(Debug)]
pub struct Forwarder {
    limits: Limits,
    secret: hmac::Key,
    rooms: Rooms,
    /// Keys that it serves; everybody if there is no list.
    only: Option<HashSet<[u8; 32]>>,
    proofs: Allowance,
    /// Rate of proofs for each network that asks.
    provers: HashMap<Network, Allowance>,
    swept: Duration,
    /// Traffic that was forwarded or denied since the start.
    pub counts: Counts,
}

/// Traffic that was forwarded or denied since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Datagrams that went on.
    pub forwarded: u64,
    /// Their bytes, without the headers of IP and UDP.
    pub bytes: u64,
    /// Datagrams of nobody who is known, or beyond a site's rate.
    pub dropped: u64,
    /// Questions denied because a network has reached its limit of seats.
    pub crowded: u64,
    /// Questions denied because the relay has reached its limit of rooms.
    pub full: u64,
    /// Questions with keys that are not on the list.
    pub unlisted: u64,
    /// Rooms with a single waiting site that gave way to another.
    pub gave_way: u64,
    /// Address of the last site that was denied, or for which a room gave way.
    pub latest: Option<IpAddr>,
}

impl Forwarder {
    /// A relay with nobody. `secret` is random; cookies follow from it.
    pub fn new(now: Duration, limits: Limits, secret: [u8; 32]) -> Self {
        let allowance = Allowance::new(f64::from(limits.rate), f64::from(limits.burst));
        Self {
            limits,
            secret: hmac::Key::new(hmac::HMAC_SHA256, &secret),
            rooms: Rooms::new(limits.pairs, limits.each, allowance),
            only: None,
            proofs: Allowance::new(f64::from(limits.proofs), f64::from(limits.proofs)),
            provers: HashMap::new(),
            swept: now,
            counts: Counts::default(),
        }
    }

    /// Serves these keys and no others.
    pub fn only(mut self, keys: HashSet<[u8; 32]>) -> Self {
        self.only = Some(keys);
        self
    }

    /// Pairs of whom both are there, and those who wait.
    pub fn pairs(&self) -> (usize, usize) {
        self.rooms.pairs()
    }

    /// What to do with a datagram that came.
    pub fn handle(&mut self, now: Duration, from: SocketAddr, datagram: &[u8]) -> Turn {
        if is_of_relay(datagram) {
            return self.answer(now, from, datagram);
        }
        match self.rooms.forward(now, from, datagram.len()) {
            Some(to) => {
                self.counts.forwarded += 1;
                self.counts.bytes += datagram.len() as u64;
                Turn::Forward(to)
            }
            None => {
                self.counts.dropped += 1;
                Turn::Drop
            }
        }
    }

    fn answer(&mut self, now: Duration, from: SocketAddr, datagram: &[u8]) -> Turn {
        self.sweep(now);
        let Ok(ask) = Ask::decode(datagram) else { return Turn::Drop };
        let epoch = now.as_secs() / COOKIES.as_secs();
        let current = self.cookie(from, epoch);
        if ask.cookie != current && (epoch == 0 || ask.cookie != self.cookie(from, epoch - 1)) {
            return reply(from, &Answer::Cookie(current), ask.nonce);
        }
        if self.only.as_ref().is_some_and(|keys| !keys.contains(&ask.who)) {
            self.counts.unlisted += 1;
            self.counts.latest = Some(from.ip());
            return reply(from, &Answer::Full, ask.nonce);
        }
        let each = f64::from(self.limits.proofs / PROOFS_EACH);
        let own = self.provers.entry(networks(from.ip())[0]).or_insert(Allowance::new(each, each));
        if !own.take(now, 1.0) || !self.proofs.take(now, 1.0) {
            return Turn::Drop;
        }
        if UnparsedPublicKey::new(&ED25519, ask.who).verify(&ask.signed(), &ask.signature).is_err() {
            return Turn::Drop;
        }
        match self.rooms.sit(now, from, &ask) {
            Ok(Seated { other, news, gave_way }) => {
                if gave_way {
                    self.counts.gave_way += 1;
                    self.counts.latest = Some(from.ip());
                }
                let told = other.filter(|_| news).map(|(other, nonce)| {
                    let answer = Answer::Here { you: other, other: Some(from) };
                    (other, answer.encode(unasked(nonce)))
                });
                let answer = Answer::Here { you: from, other: other.map(|(other, _)| other) };
                Turn::Answer([Some((from, answer.encode(ask.nonce))), told])
            }
            Err(why) => {
                match why {
                    Denied::Network => self.counts.crowded += 1,
                    Denied::Relay => self.counts.full += 1,
                    Denied::Taken => return reply(from, &Answer::Full, ask.nonce),
                }
                self.counts.latest = Some(from.ip());
                reply(from, &Answer::Full, ask.nonce)
            }
        }
    }

    fn cookie(&self, of: SocketAddr, epoch: u64) -> [u8; COOKIE] {
        let tag = hmac::sign(&self.secret, format!("{of} {epoch}").as_bytes());
        tag.as_ref()[..COOKIE].try_into().expect("SHA-256 has 32 bytes")
    }

    fn sweep(&mut self, now: Duration) {
        if now.saturating_sub(self.swept) < SWEEP {
            return;
        }
        self.swept = now;
        let each = f64::from(self.limits.proofs / PROOFS_EACH);
        // A network that has all of its proofs again need not be remembered.
        self.provers.retain(|_, own| {
            own.fill(now);
            own.left() < each
        });
        self.rooms.sweep(now);
    }
}

fn reply(to: SocketAddr, answer: &Answer, nonce: Nonce) -> Turn {
    Turn::Answer([Some((to, answer.encode(nonce))), None])
}
