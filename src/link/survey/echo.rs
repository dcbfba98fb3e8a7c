//! The end that answers a survey.

use super::super::shares::Shares;
use super::{Answer, Ask, COOKIE, LARGEST, Load};
use crate::allowance::Allowance;
use core::net::SocketAddr;
use ring::digest::{Context, SHA256};
use std::collections::HashMap;
use std::time::Duration;

/// Most surveys at once.
const SURVEYS_MAX: usize = 32;
/// Most surveys of one address, or one /64 of IPv6; eight times as many of one /24 or /48, so that none of them takes all.
const SURVEYS_EACH: usize = 3;
/// Bytes a second of one survey, and at once: a little more than forty people.
const BYTES: (f64, f64) = (300_000.0, 300_000.0);
/// Who is silent for this long has gone.
const GONE: Duration = Duration::from_secs(120);
/// A cookie is good for this long at least, and twice that at most.
const EPOCH: Duration = Duration::from_secs(3_600);

/// One who asks.
#[derive(Debug)]
struct Asker {
    survey: u64,
    counts: [u64; Load::COUNT],
    heard: Duration,
    allowance: Allowance,
}

/// Answers surveys, a few at a time.
#[derive(Debug)]
pub struct Echo {
    secret: [u8; 32],
    askers: HashMap<SocketAddr, Asker>,
    shares: Shares,
}

impl Echo {
    /// `secret` is random; cookies follow from it.
    pub fn new(secret: [u8; 32]) -> Self {
        Self { secret, askers: HashMap::new(), shares: Shares::new(SURVEYS_EACH) }
    }

    /// How many surveys there are.
    pub fn surveys(&self) -> usize {
        self.askers.len()
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
    pub fn handle(&mut self, now: Duration, from: SocketAddr, bytes: &[u8]) -> Option<Vec<u8>> {
        let ask = Ask::decode(bytes).ok().filter(|_| bytes.len() <= LARGEST)?;
        let epoch = now.as_secs() / EPOCH.as_secs();
        let current = self.cookie(from, epoch);
        if ask.cookie != current && (epoch == 0 || ask.cookie != self.cookie(from, epoch - 1)) {
            return Some(Answer::Cookie(current).encode(0));
        }
        if !self.askers.contains_key(&from) {
            for (gone, _) in self.askers.extract_if(|_, asker| now.saturating_sub(asker.heard) >= GONE) {
                self.shares.free(gone.ip());
            }
            if self.askers.len() >= SURVEYS_MAX || self.shares.exhausted(from.ip()).is_some() {
                return Some(Answer::Full.encode(0));
            }
            self.shares.take(from.ip());
        }
        let new = Asker {
            survey: ask.survey,
            counts: [0; Load::COUNT],
            heard: now,
            allowance: Allowance::new(BYTES.0, BYTES.1),
        };
        let asker = self.askers.entry(from).or_insert(new);
        if asker.survey != ask.survey {
            (asker.survey, asker.counts) = (ask.survey, [0; Load::COUNT]);
        }
        asker.heard = now;
        if !asker.allowance.take(now, bytes.len() as f64) {
            return None;
        }
        asker.counts[ask.load as usize] += 1;
        let Ask { number, sent, load, .. } = ask;
        Some(Answer::Came { number, sent, load, counts: asker.counts, you: from }.encode(bytes.len()))
    }
}
