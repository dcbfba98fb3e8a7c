//! Relay server: authenticates sites and forwards their datagrams. It reads only the first byte of what it forwards.

use super::super::network_quota::{Network, networks};
use super::rooms::{Rooms, SeatDenied, Seated};
use super::{COOKIE_BYTES, Nonce, RelayReply, RelayRequest, is_relay_message, unsolicited_nonce};
use core::net::{IpAddr, SocketAddr};
use moongate_core::token_bucket::{RateLimit, TokenBucket};
use ring::hmac;
use ring::signature::{ED25519, UnparsedPublicKey};
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// Interval at which empty seats are cleared.
const SWEEP_INTERVAL: Duration = Duration::from_secs(5);
/// Divisor of the total rate of proofs that gives one network's share.
const PROOFS_SHARE: u32 = 4;
/// Minimum validity of a cookie; the maximum is twice that.
const COOKIE_EPOCH: Duration = Duration::from_secs(60);

/// Limits of a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RelayLimits {
    /// Maximum number of pairs of sites.
    pub pairs: usize,
    /// Maximum number of sites at one address, or in one /64 of IPv6; eight times as many in one /24 or /48. This
    /// leaves room for the sites behind an address that a carrier shares among many customers.
    pub per_network: usize,
    /// Mean rate of each site, in bytes per second.
    pub rate: u32,
    /// Burst of each site, in bytes.
    pub burst: u32,
    /// Maximum number of signatures checked per second for all sites together. One address, or one /64, has a quarter
    /// of them.
    pub proofs: u32,
}

impl Default for RelayLimits {
    fn default() -> Self {
        Self { pairs: 4_096, per_network: 32, rate: 300_000, burst: 150_000, proofs: 2_000 }
    }
}

/// Action for a received datagram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RelayAction {
    /// Forwards the datagram unchanged to this address.
    Forward(SocketAddr),
    /// Sends one or two answers; the second, if there is one, notifies the other site that this one has arrived.
    Reply([Option<(SocketAddr, Vec<u8>)>; 2]),
    /// Drops the datagram, which belongs to no site.
    Drop,
}

/// State of a relay: rooms, keys and limits.
#[derive(Debug)]
pub struct RelayServer {
    limits: RelayLimits,
    secret: hmac::Key,
    rooms: Rooms,
    /// Keys that it serves; all keys if there is no list.
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
    /// Datagrams forwarded.
    pub forwarded: u64,
    /// Bytes forwarded, without IP and UDP headers.
    pub bytes: u64,
    /// Datagrams dropped, because the sender is unknown or beyond its rate.
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
    /// Creates a relay without sites. `secret` is random; cookies are derived from it.
    pub fn new(now: Duration, limits: RelayLimits, secret: [u8; 32]) -> Self {
        let allowance = TokenBucket::new(RateLimit { rate: f64::from(limits.rate), burst: f64::from(limits.burst) });
        Self {
            limits,
            secret: hmac::Key::new(hmac::HMAC_SHA256, &secret),
            rooms: Rooms::new(limits.pairs, limits.per_network, allowance),
            allowed_keys: None,
            proof_bucket: TokenBucket::new(RateLimit::per_second(f64::from(limits.proofs))),
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

    /// Returns the number of pairs with both sites present, and of sites that wait.
    pub fn pairs(&self) -> (usize, usize) {
        self.rooms.pairs()
    }

    /// Handles a received datagram and returns the action for it.
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
        let own =
            self.proof_buckets.entry(networks(from.ip())[0]).or_insert(TokenBucket::new(RateLimit::per_second(each)));
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
        // A network that has its full share again need not be remembered.
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
