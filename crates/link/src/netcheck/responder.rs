//! Responder of a netcheck.

use super::super::network_quota::NetworkQuota;
use super::{COOKIE, PROBE_MAX, ProbeLoad, ProbeReply, ProbeRequest};
use core::net::SocketAddr;
use moongate_core::token_bucket::{RateLimit, TokenBucket};
use ring::digest::{Context, SHA256};
use std::collections::HashMap;
use std::time::Duration;

/// Maximum number of checks at once.
const CLIENTS_MAX: usize = 32;
/// Maximum number of checks from one address, or one /64 of IPv6; eight times as many from one /24 or /48, so that no
/// network takes all.
const CLIENTS_PER_NETWORK: usize = 3;
/// Bytes per second of one check, and its burst: slightly more than forty people need.
const BYTE_RATE: RateLimit = RateLimit::per_second(300_000.0);
/// Silence after which a prober counts as gone.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(120);
/// Minimum validity of a cookie; the maximum is twice that.
const COOKIE_EPOCH: Duration = Duration::from_secs(3_600);

/// A prober that is being answered.
#[derive(Debug)]
struct ProbeClient {
    survey: u64,
    counts: [u64; ProbeLoad::COUNT],
    last_heard: Duration,
    bucket: TokenBucket,
}

/// Answers checks, a limited number at a time.
#[derive(Debug)]
pub struct NetcheckResponder {
    secret: [u8; 32],
    clients: HashMap<SocketAddr, ProbeClient>,
    quota: NetworkQuota,
}

impl NetcheckResponder {
    /// Creates a responder. `secret` is random; cookies are derived from it.
    pub fn new(secret: [u8; 32]) -> Self {
        Self { secret, clients: HashMap::new(), quota: NetworkQuota::new(CLIENTS_PER_NETWORK) }
    }

    /// Returns the number of active checks.
    pub fn active(&self) -> usize {
        self.clients.len()
    }

    fn cookie(&self, of: SocketAddr, epoch: u64) -> [u8; COOKIE] {
        let mut hash = Context::new(&SHA256);
        hash.update(b"moongate-survey/1");
        hash.update(&self.secret);
        hash.update(&epoch.to_le_bytes());
        hash.update(of.to_string().as_bytes());
        *hash.finish().as_ref().first_chunk().expect("SHA-256 has 32 bytes")
    }

    /// Returns the answer to `from`, if any; never more bytes than were received.
    pub fn handle_datagram(&mut self, now: Duration, from: SocketAddr, bytes: &[u8]) -> Option<Vec<u8>> {
        let ask = ProbeRequest::decode(bytes).ok().filter(|_| bytes.len() <= PROBE_MAX)?;
        let epoch = now.as_secs() / COOKIE_EPOCH.as_secs();
        let current = self.cookie(from, epoch);
        if ask.cookie != current && (epoch == 0 || ask.cookie != self.cookie(from, epoch - 1)) {
            return Some(ProbeReply::Cookie(current).encode(0));
        }
        if !self.clients.contains_key(&from) {
            for (gone, _) in self.clients.extract_if(|_, asker| now.saturating_sub(asker.last_heard) >= CLIENT_TIMEOUT)
            {
                self.quota.release(gone.ip());
            }
            if self.clients.len() >= CLIENTS_MAX || self.quota.exhausted(from.ip()).is_some() {
                return Some(ProbeReply::Full.encode(0));
            }
            self.quota.acquire(from.ip());
        }
        let new = ProbeClient {
            survey: ask.survey,
            counts: [0; ProbeLoad::COUNT],
            last_heard: now,
            bucket: TokenBucket::new(BYTE_RATE),
        };
        let asker = self.clients.entry(from).or_insert(new);
        if asker.survey != ask.survey {
            (asker.survey, asker.counts) = (ask.survey, [0; ProbeLoad::COUNT]);
        }
        asker.last_heard = now;
        if !asker.bucket.try_take(now, bytes.len() as f64) {
            return None;
        }
        asker.counts[ask.load as usize] += 1;
        let ProbeRequest { number, sent, load, .. } = ask;
        Some(ProbeReply::Echo { number, sent, load, counts: asker.counts, you: from }.encode(bytes.len()))
    }
}
