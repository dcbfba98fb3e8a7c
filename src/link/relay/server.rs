//! The relay itself: who asks for whom, and where what each sends is to go. It looks at no byte behind the first.

use super::super::network_quota::{Network, networks};
use super::rooms::{Rooms, SeatDenied, Seated};
use super::{COOKIE_BYTES, Nonce, RelayReply, RelayRequest, is_relay_message, unsolicited_nonce};
use crate::token_bucket::TokenBucket;
use core::net::{IpAddr, SocketAddr};
use ring::hmac;
use ring::signature::{ED25519, UnparsedPublicKey};
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// Empty seats are cleared this often.
const SWEEP_INTERVAL: Duration = Duration::from_secs(5);
/// Divisor of the total rate of proofs that gives one network's share.
const PROOFS_SHARE: u32 = 4;
/// A cookie is good for this long at least, and twice that at most.
const COOKIE_EPOCH: Duration = Duration::from_secs(60);

/// What a relay gives at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RelayLimits {
    /// Pairs of sites at once.
    pub pairs: usize,
    /// Most sites at one address, or in one /64 of IPv6; eight times as many in one /24 or /48. This leaves room for the sites
    /// behind an address that a carrier shares among many customers.
    pub per_network: usize,
    /// Bytes a second that each site may send, in the mean.
    pub rate: u32,
    /// Bytes that it may send at once.
    pub burst: u32,
    /// Most signatures checked per second, for all sites together; one address, or one /64, has a quarter of them.
    pub proofs: u32,
}

impl Default for RelayLimits {
    fn default() -> Self {
        Self { pairs: 4_096, per_network: 32, rate: 300_000, burst: 150_000, proofs: 2_000 }
    }
}

/// What is to be done with a datagram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RelayAction {
    /// Goes on as it is, to there.
    Forward(SocketAddr),
    /// Is answered; the second answer, if there is one, tells the other site that this one has come.
    Reply([Option<(SocketAddr, Vec<u8>)>; 2]),
    /// Is nobody's.
    Drop,
}

/// Who is where, and who may say what to whom.
#[derive(Debug)]
pub struct RelayServer {
    limits: RelayLimits,
    secret: hmac::Key,
    rooms: Rooms,
    /// Keys that it serves; everybody if there is no list.
    allowed_keys: Option<HashSet<[u8; 32]>>,
    proof_bucket: TokenBucket,
    /// Rate of proofs for each network that asks.
    proof_buckets: HashMap<Network, TokenBucket>,
    last_sweep: Duration,
    /// Traffic that was forwarded or denied since the start.
    pub stats: RelayStats,
}

/// Traffic that was forwarded or denied since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RelayStats {
    /// Datagrams that went on.
    pub forwarded: u64,
    /// Their bytes, without the headers of IP and UDP.
    pub bytes: u64,
    /// Datagrams of nobody who is known, or beyond a site's rate.
    pub dropped: u64,
    /// Questions denied because a network has reached its limit of seats.
    pub network_full: u64,
    /// Questions denied because the relay has reached its limit of rooms.
    pub full: u64,
    /// Questions with keys that are not on the list.
    pub unlisted: u64,
    /// Rooms with a single waiting site that gave way to another.
    pub evicted: u64,
    /// Address of the last site that was denied, or for which a room gave way.
    pub last_denied: Option<IpAddr>,
}

impl RelayServer {
    /// A relay with nobody. `secret` is random; cookies follow from it.
    pub fn new(now: Duration, limits: RelayLimits, secret: [u8; 32]) -> Self {
        let allowance = TokenBucket::new(f64::from(limits.rate), f64::from(limits.burst));
        Self {
            limits,
            secret: hmac::Key::new(hmac::HMAC_SHA256, &secret),
            rooms: Rooms::new(limits.pairs, limits.per_network, allowance),
            allowed_keys: None,
            proof_bucket: TokenBucket::new(f64::from(limits.proofs), f64::from(limits.proofs)),
            proof_buckets: HashMap::new(),
            last_sweep: now,
            stats: RelayStats::default(),
        }
    }

    /// Serves these keys and no others.
    pub fn serve_only(mut self, keys: HashSet<[u8; 32]>) -> Self {
        self.allowed_keys = Some(keys);
        self
    }

    /// Pairs of whom both are there, and those who wait.
    pub fn pairs(&self) -> (usize, usize) {
        self.rooms.pairs()
    }

    /// What to do with a datagram that came.
    pub fn handle_datagram(&mut self, now: Duration, from: SocketAddr, datagram: &[u8]) -> RelayAction {
        if is_relay_message(datagram) {
            return self.handle_request(now, from, datagram);
        }
        match self.rooms.forward(now, from, datagram.len()) {
            Some(to) => {
                self.stats.forwarded += 1;
                self.stats.bytes += datagram.len() as u64;
                RelayAction::Forward(to)
            }
            None => {
                self.stats.dropped += 1;
                RelayAction::Drop
            }
        }
    }

    fn handle_request(&mut self, now: Duration, from: SocketAddr, datagram: &[u8]) -> RelayAction {
        self.sweep(now);
        let Ok(ask) = RelayRequest::decode(datagram) else { return RelayAction::Drop };
        let epoch = now.as_secs() / COOKIE_EPOCH.as_secs();
        let current = self.cookie(from, epoch);
        if ask.cookie != current && (epoch == 0 || ask.cookie != self.cookie(from, epoch - 1)) {
            return reply(from, &RelayReply::Cookie(current), ask.nonce);
        }
        if self.allowed_keys.as_ref().is_some_and(|keys| !keys.contains(&ask.who)) {
            self.stats.unlisted += 1;
            self.stats.last_denied = Some(from.ip());
            return reply(from, &RelayReply::Full, ask.nonce);
        }
        let each = f64::from(self.limits.proofs / PROOFS_SHARE);
        let own = self.proof_buckets.entry(networks(from.ip())[0]).or_insert(TokenBucket::new(each, each));
        if !own.try_take(now, 1.0) || !self.proof_bucket.try_take(now, 1.0) {
            return RelayAction::Drop;
        }
        if UnparsedPublicKey::new(&ED25519, ask.who).verify(&ask.signed_message(), &ask.signature).is_err() {
            return RelayAction::Drop;
        }
        match self.rooms.join(now, from, &ask) {
            Ok(Seated { other, is_new: news, evicted: gave_way }) => {
                if gave_way {
                    self.stats.evicted += 1;
                    self.stats.last_denied = Some(from.ip());
                }
                let told = other.filter(|_| news).map(|(other, nonce)| {
                    let answer = RelayReply::Allocated { you: other, other: Some(from) };
                    (other, answer.encode(unsolicited_nonce(nonce)))
                });
                let answer = RelayReply::Allocated { you: from, other: other.map(|(other, _)| other) };
                RelayAction::Reply([Some((from, answer.encode(ask.nonce))), told])
            }
            Err(why) => {
                match why {
                    SeatDenied::Network => self.stats.network_full += 1,
                    SeatDenied::Relay => self.stats.full += 1,
                    SeatDenied::Taken => return reply(from, &RelayReply::Full, ask.nonce),
                }
                self.stats.last_denied = Some(from.ip());
                reply(from, &RelayReply::Full, ask.nonce)
            }
        }
    }

    fn cookie(&self, of: SocketAddr, epoch: u64) -> [u8; COOKIE_BYTES] {
        let tag = hmac::sign(&self.secret, format!("{of} {epoch}").as_bytes());
        tag.as_ref()[..COOKIE_BYTES].try_into().expect("SHA-256 has 32 bytes")
    }

    fn sweep(&mut self, now: Duration) {
        if now.saturating_sub(self.last_sweep) < SWEEP_INTERVAL {
            return;
        }
        self.last_sweep = now;
        let each = f64::from(self.limits.proofs / PROOFS_SHARE);
        // A network that has all of its proofs again need not be remembered.
        self.proof_buckets.retain(|_, own| {
            own.refill(now);
            own.available() < each
        });
        self.rooms.sweep(now);
    }
}

fn reply(to: SocketAddr, answer: &RelayReply, nonce: Nonce) -> RelayAction {
    RelayAction::Reply([Some((to, answer.encode(nonce))), None])
}
