//! Relay client of a site: asks, proves its key, and refreshes its allocation.
//!
//! Anyone can send a datagram in a relay's name. An answer is accepted when it echoes the nonce of the question, and
//! each question has one answer. A relay of an older version echoes nothing: until one has echoed, its answers are
//! accepted as they are. From either kind a site accepts a few new addresses per minute, since each of them may be a
//! stranger's.

use super::{COOKIE_BYTES, NO_NONCE, Nonce, RelayReply, RelayRequest, Rendezvous, SIGNATURE_BYTES, unsolicited_nonce};
use core::net::SocketAddr;
use std::time::Duration;

/// Interval of questions from an allocated site. It also keeps the mapping in a router in front of the site alive.
const REFRESH_INTERVAL: Duration = Duration::from_secs(5);
/// Pause after the first question without an answer. It doubles each time, up to [`REFRESH_INTERVAL`].
const RETRY_FIRST: Duration = Duration::from_millis(200);
/// Interval of questions while the other site is not heard.
const RETRY_SOON: Duration = Duration::from_millis(500);
/// Time without an answer after which the allocation has expired.
const RELAY_TIMEOUT: Duration = Duration::from_secs(15);
/// Maximum number of new addresses of the other site that are accepted from a relay within [`NEW_ADDRESSES_PERIOD`].
pub const NEW_ADDRESSES_MAX: usize = 4;
/// Period over which new addresses are counted.
pub const NEW_ADDRESSES_PERIOD: Duration = Duration::from_secs(60);

/// Addresses of both sites, as a relay sees them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RelayAllocation {
    /// Address of this site in front of all routers.
    pub external: SocketAddr,
    /// Address of the other site, if it is present. The relay forwards only while there is one.
    pub peer: Option<SocketAddr>,
}

/// Client of one relay.
#[derive(Debug)]
pub struct RelayClient {
    who: [u8; 32],
    rendezvous: Rendezvous,
    cookie: [u8; COOKIE_BYTES],
    /// Time at which a different cookie last arrived.
    last_new_cookie: Option<Duration>,
    /// Nonce of the last question. A question without an answer is repeated with the same nonce.
    nonce: Nonce,
    questions: u64,
    answered: bool,
    /// Time at which the relay last echoed a nonce.
    echoed: Option<Duration>,
    next_ask: Duration,
    last_asked: Duration,
    pause: Duration,
    last_heard: Duration,
    allocation: Option<RelayAllocation>,
    /// Addresses that the relay reported for the other site in the last minute, each with the time of its first
    /// report.
    recent_addresses: Vec<(SocketAddr, Duration)>,
    full: bool,
}

impl RelayClient {
    /// Starts asking.
    pub fn new(now: Duration, who: [u8; 32], other: Rendezvous) -> Self {
        Self {
            who,
            rendezvous: other,
            cookie: [0; COOKIE_BYTES],
            last_new_cookie: None,
            nonce: NO_NONCE,
            questions: 0,
            answered: true,
            echoed: None,
            next_ask: now,
            last_asked: now,
            pause: RETRY_FIRST,
            last_heard: now,
            allocation: None,
            recent_addresses: Vec::new(),
            full: false,
        }
    }

    /// Returns the time of the next question.
    pub fn poll_timeout(&self) -> Duration {
        self.next_ask
    }

    /// Asks sooner, because the other site is not heard and the relay may have dropped both allocations.
    pub fn ask_soon(&mut self, now: Duration) {
        if self.allocation.is_some() {
            self.next_ask = self.next_ask.min((self.last_asked + RETRY_SOON).max(now));
        }
    }

    /// Returns the relay's latest allocation; none while the relay is not reached.
    pub fn allocation(&self) -> Option<RelayAllocation> {
        self.allocation
    }

    /// Returns true if the relay is full.
    pub fn is_full(&self) -> bool {
        self.full
    }

    /// Returns true while the relay echoes nonces, so that nobody else can answer for it.
    pub fn echoes_nonces(&self, now: Duration) -> bool {
        self.echoed.is_some_and(|at| now.saturating_sub(at) < RELAY_TIMEOUT)
    }

    /// Returns the question that is due; `sign` signs with this site's key.
    pub fn poll_transmit(&mut self, now: Duration, sign: impl Fn(&[u8]) -> [u8; SIGNATURE_BYTES]) -> Option<Vec<u8>> {
        if now < self.next_ask {
            return None;
        }
        if now.saturating_sub(self.last_heard) > RELAY_TIMEOUT {
            self.allocation = None;
        }
        if std::mem::take(&mut self.answered) {
            self.questions += 1;
            self.nonce = nonce(now, self.questions, &sign);
        }
        let (who, other, cookie, nonce) = (self.who, self.rendezvous, self.cookie, self.nonce);
        // The first question only asks for a cookie, so it needs no signature.
        let mut ask = RelayRequest { who, other, cookie, signature: [0; SIGNATURE_BYTES], nonce };
        if self.cookie != [0; COOKIE_BYTES] {
            ask.signature = sign(&ask.signed_message());
        }
        (self.next_ask, self.last_asked) = (now + self.pause, now);
        self.pause = (self.pause * 2).min(REFRESH_INTERVAL);
        Some(ask.encode())
    }

    /// Handles a datagram from the relay's address. Returns true when the known addresses have changed.
    pub fn handle_datagram(&mut self, now: Duration, bytes: &[u8]) -> bool {
        let Ok((answer, echo)) = RelayReply::decode(bytes) else { return false };
        let echoed = echo != NO_NONCE;
        if echoed && echo == unsolicited_nonce(self.nonce) {
            // Something has changed at the relay; the answer to the next question says what.
            self.ask_soon(now);
            return false;
        }
        // Without nonces, a cookie that is already known answers an earlier question.
        let unechoed = || !self.echoes_nonces(now) && answer != RelayReply::Cookie(self.cookie);
        let is_its = if echoed { echo == self.nonce } else { unechoed() };
        if !is_its || std::mem::replace(&mut self.answered, true) {
            return false;
        }
        self.echoed = if echoed { Some(now) } else { None };
        self.last_heard = now;
        let before = self.allocation;
        match answer {
            RelayReply::Cookie(cookie) => {
                // A relay that sends nothing but cookies must not be asked without a pause.
                if cookie != self.cookie {
                    self.next_ask =
                        self.next_ask.min(self.last_new_cookie.map_or(now, |at| (at + RETRY_SOON).max(now)));
                    self.last_new_cookie = Some(now);
                }
                self.cookie = cookie;
            }
            RelayReply::Allocated { you, other } => {
                let other = other.map(|other| self.accept_address(now, other));
                self.allocation = Some(RelayAllocation { external: you, peer: other });
                (self.next_ask, self.pause, self.full) = (now + REFRESH_INTERVAL, RETRY_FIRST, false);
            }
            RelayReply::Full => (self.allocation, self.full) = (None, true),
        }
        self.allocation != before
    }

    /// Returns the address to use for the other site: beyond [`NEW_ADDRESSES_MAX`] new addresses, the previous one.
    fn accept_address(&mut self, now: Duration, other: SocketAddr) -> SocketAddr {
        self.recent_addresses.retain(|(_, since)| now.saturating_sub(*since) < NEW_ADDRESSES_PERIOD);
        if self.recent_addresses.iter().any(|(known, _)| *known == other) {
            return other;
        }
        if self.recent_addresses.len() < NEW_ADDRESSES_MAX {
            self.recent_addresses.push((other, now));
        }
        self.recent_addresses.last().map_or(other, |(last, _)| *last)
    }
}

/// Returns eight bytes that nobody without this site's key can guess: the beginning of a signature.
fn nonce(now: Duration, number: u64, sign: impl Fn(&[u8]) -> [u8; SIGNATURE_BYTES]) -> Nonce {
    let text = [&b"moongate-nonce/1"[..], &now.as_nanos().to_le_bytes(), &number.to_le_bytes()].concat();
    let nonce = sign(&text).first_chunk().copied().unwrap_or(NO_NONCE);
    // Neither this nonce nor that of an unasked message may look like one from a relay without nonces.
    if nonce == NO_NONCE || unsolicited_nonce(nonce) == NO_NONCE { [1; 8] } else { nonce }
}
