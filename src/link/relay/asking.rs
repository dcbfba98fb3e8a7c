//! A site at a relay: asks, proves, and stays known.

use super::{Answer, Ask, COOKIE, Other, SIGNATURE, is_of_relay};
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
    at: Duration,
    asked: Duration,
    pause: Duration,
    heard: Duration,
    placed: Option<Placed>,
    full: bool,
}

impl Asking {
    /// Begins to ask.
    pub fn new(now: Duration, who: [u8; 32], other: Other) -> Self {
        let cookie = [0; COOKIE];
        Self { who, other, cookie, at: now, asked: now, pause: AGAIN, heard: now, placed: None, full: false }
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

    /// The question that is due; `sign` signs with this site's key.
    pub fn poll(&mut self, now: Duration, sign: impl FnOnce(&[u8]) -> [u8; SIGNATURE]) -> Option<Vec<u8>> {
        if now < self.at {
            return None;
        }
        if now.saturating_sub(self.heard) > GONE {
            self.placed = None;
        }
        // The first question only asks for a cookie: it need not be signed.
        let mut ask = Ask { who: self.who, other: self.other, cookie: self.cookie, signature: [0; SIGNATURE] };
        if self.cookie != [0; COOKIE] {
            ask.signature = sign(&ask.signed());
        }
        (self.at, self.asked) = (now + self.pause, now);
        self.pause = (self.pause * 2).min(STAY);
        Some(ask.encode())
    }

    /// Something came from the relay. True when what is known has changed.
    pub fn handle(&mut self, now: Duration, bytes: &[u8]) -> bool {
        let Ok(answer) = Answer::decode(bytes) else { return false };
        if !is_of_relay(bytes) {
            return false;
        }
        self.heard = now;
        let before = self.placed;
        match answer {
            Answer::Cookie(cookie) => {
                // A relay that only ever gives cookies is not to be asked without a pause.
                if cookie != self.cookie {
                    self.at = now;
                }
                self.cookie = cookie;
            }
            Answer::Here { you, other } => {
                self.placed = Some(Placed { here: you, other });
                (self.at, self.pause, self.full) = (now + STAY, AGAIN, false);
            }
            Answer::Full => (self.placed, self.full) = (None, true),
        }
        self.placed != before
    }
}
