//! The end that answers a survey.

use super::super::network_quota::NetworkQuota;
use super::{COOKIE, PROBE_MAX, ProbeLoad, ProbeReply, ProbeRequest};
use crate::token_bucket::TokenBucket;
use core::net::SocketAddr;
use ring::digest::{Context, SHA256};
use std::collections::HashMap;
use std::time::Duration;

/// Most surveys at once.
const CLIENTS_MAX: usize = 32;
/// Most surveys of one address, or one /64 of IPv6; eight times as many of one /24 or /48, so that none of them takes all.
const CLIENTS_PER_NETWORK: usize = 3;
/// Bytes a second of one survey, and at once: a little more than forty people.
const BYTE_RATE: (f64, f64) = (300_000.0, 300_000.0);
/// Who is silent for this long has gone.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(120);
/// A cookie is good for this long at least, and twice that at most.
const COOKIE_EPOCH: Duration = Duration::from_secs(3_600);

/// One who asks.
#[derive(Debug)]
struct ProbeClient {
    survey: u64,
    counts: [u64; ProbeLoad::COUNT],
    last_heard: Duration,
    bucket: TokenBucket,
}

/// Answers surveys, a few at a time.
#[derive(Debug)]
pub struct NetcheckResponder {
    secret: [u8; 32],
    clients: HashMap<SocketAddr, ProbeClient>,
    quota: NetworkQuota,
}

impl NetcheckResponder {
    /// `secret` is random; cookies follow from it.
    pub fn new(secret: [u8; 32]) -> Self {
        Self { secret, clients: HashMap::new(), quota: NetworkQuota::new(CLIENTS_PER_NETWORK) }
    }

    /// How many surveys there are.
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

    /// What is to be answered to `from`, if anything; never more bytes than came.
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
            bucket: TokenBucket::new(BYTE_RATE.0, BYTE_RATE.1),
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
