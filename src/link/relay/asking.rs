//! A site at a relay: asks, proves, and stays known.
//!
//! Anyone can send a datagram in a relay's name. An answer is accepted when it echoes the nonce of the question, and each
//! question has one answer. A relay of an older version echoes nothing: until one has echoed, its answers are accepted as they
//! are. From either kind a site accepts a few new addresses per minute, since each of them may be a stranger's.

use super::{Answer, Ask, COOKIE, NO_NONCE, Nonce, Other, SIGNATURE, unasked};
use core::net::SocketAddr;
use std::time::Duration;

/// Who is known asks again this often, which also keeps a router in front of it from forgetting.
const STAY: Duration = Duration::from_secs(5);
/// Who has no answer asks again after this, then after twice that, up to [`STAY`].
const AGAIN: Duration = Duration::from_millis(200);
/// Or this often, when the other one is not heard.
const HURRY: Duration = Duration::from_millis(500);
/// Without an answer for this long a site is not known any more.
const GONE: Duration = Duration::from_secs(15);
/// Most new addresses of the other site that are accepted from a relay within [`NAMED_IN`].
pub const NAMED_MAX: usize = 4;
/// Period over which new addresses are counted.
pub const NAMED_IN: Duration = Duration::from_secs(60);

/// What a relay says of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// Where it sees this site: its address in front of all routers.
    pub here: SocketAddr,
    /// Where it sees the other one, if it is there; only then anything is forwarded.
    pub other: Option<SocketAddr>,
}

/// One site's questions to one relay.
#[derive(Debug)]
pub struct Asking {
    who: [u8; 32],
    other: Other,
    cookie: [u8; COOKIE],
    /// Time at which a different cookie last arrived.
    baked: Option<Duration>,
    /// Nonce of the last question. A question without an answer is repeated with the same nonce.
    nonce: Nonce,
    questions: u64,
    answered: bool,
    /// Time at which the relay last echoed a nonce.
    echoed: Option<Duration>,
    at: Duration,
    asked: Duration,
    pause: Duration,
    heard: Duration,
    placed: Option<Placed>,
    /// Addresses that the other site was said to have in the last minute, and since when.
    named: Vec<(SocketAddr, Duration)>,
    full: bool,
}

impl Asking {
    /// Begins to ask.
    pub fn new(now: Duration, who: [u8; 32], other: Other) -> Self {
        Self {
            who,
            other,
            cookie: [0; COOKIE],
            baked: None,
            nonce: NO_NONCE,
            questions: 0,
            answered: true,
            echoed: None,
            at: now,
            asked: now,
            pause: AGAIN,
            heard: now,
            placed: None,
            named: Vec::new(),
            full: false,
        }
    }

    /// When to ask again.
    pub fn next(&self) -> Duration {
        self.at
    }

    /// Nothing is heard of the other one: the relay may have forgotten both. It is asked sooner.
    pub fn hurry(&mut self, now: Duration) {
        if self.placed.is_some() {
            self.at = self.at.min((self.asked + HURRY).max(now));
        }
    }

    /// What the relay has said last; none while it is not reached.
    pub fn placed(&self) -> Option<Placed> {
        self.placed
    }

    /// It has no room.
    pub fn is_full(&self) -> bool {
        self.full
    }

    /// Returns true while the relay echoes nonces, so that nobody else can answer for it.
    pub fn echoes(&self, now: Duration) -> bool {
        self.echoed.is_some_and(|at| now.saturating_sub(at) < GONE)
    }

    /// The question that is due; `sign` signs with this site's key.
    pub fn poll(&mut self, now: Duration, sign: impl Fn(&[u8]) -> [u8; SIGNATURE]) -> Option<Vec<u8>> {
        if now < self.at {
            return None;
        }
        if now.saturating_sub(self.heard) > GONE {
            self.placed = None;
        }
        if std::mem::take(&mut self.answered) {
            self.questions += 1;
            self.nonce = nonce(now, self.questions, &sign);
        }
        let (who, other, cookie, nonce) = (self.who, self.other, self.cookie, self.nonce);
        // The first question only asks for a cookie: it need not be signed.
        let mut ask = Ask { who, other, cookie, signature: [0; SIGNATURE], nonce };
        if self.cookie != [0; COOKIE] {
            ask.signature = sign(&ask.signed());
        }
        (self.at, self.asked) = (now + self.pause, now);
        self.pause = (self.pause * 2).min(STAY);
        Some(ask.encode())
    }

    /// Handles a datagram from the relay's address. Returns true when the known addresses have changed.
    pub fn handle(&mut self, now: Duration, bytes: &[u8]) -> bool {
        let Ok((answer, echo)) = Answer::decode(bytes) else { return false };
        let echoed = echo != NO_NONCE;
        if echoed && echo == unasked(self.nonce) {
            // Something has changed at the relay; the answer to the next question says what.
            self.hurry(now);
            return false;
        }
        // Without nonces, a cookie that is already known answers an earlier question.
        let unechoed = || !self.echoes(now) && answer != Answer::Cookie(self.cookie);
        let is_its = if echoed { echo == self.nonce } else { unechoed() };
        if !is_its || std::mem::replace(&mut self.answered, true) {
            return false;
        }
        self.echoed = if echoed { Some(now) } else { None };
        self.heard = now;
        let before = self.placed;
        match answer {
            Answer::Cookie(cookie) => {
                // A relay that only ever gives cookies is not to be asked without a pause.
                if cookie != self.cookie {
                    self.at = self.at.min(self.baked.map_or(now, |at| (at + HURRY).max(now)));
                    self.baked = Some(now);
                }
                self.cookie = cookie;
            }
            Answer::Here { you, other } => {
                let other = other.map(|other| self.believe(now, other));
                self.placed = Some(Placed { here: you, other });
                (self.at, self.pause, self.full) = (now + STAY, AGAIN, false);
            }
            Answer::Full => (self.placed, self.full) = (None, true),
        }
        self.placed != before
    }

    /// Returns the address to use for the other site: beyond [`NAMED_MAX`] new addresses, the previous one.
    fn believe(&mut self, now: Duration, other: SocketAddr) -> SocketAddr {
        self.named.retain(|(_, since)| now.saturating_sub(*since) < NAMED_IN);
        if self.named.iter().any(|(known, _)| *known == other) {
            return other;
        }
        if self.named.len() < NAMED_MAX {
            self.named.push((other, now));
        }
        self.named.last().map_or(other, |(last, _)| *last)
    }
}

/// Returns eight bytes that nobody without this site's key can guess: the beginning of a signature.
fn nonce(now: Duration, number: u64, sign: impl Fn(&[u8]) -> [u8; SIGNATURE]) -> Nonce {
    let text = [&b"moongate-nonce/1"[..], &now.as_nanos().to_le_bytes(), &number.to_le_bytes()].concat();
    let nonce = sign(&text).first_chunk().copied().unwrap_or(NO_NONCE);
    // Neither this nonce nor that of an unasked message may look like one from a relay without nonces.
    if nonce == NO_NONCE || unasked(nonce) == NO_NONCE { [1; 8] } else { nonce }
}
