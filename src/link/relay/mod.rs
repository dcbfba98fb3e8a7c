//! How two sites that cannot reach each other meet: both ask a relay, each with its key, and it forwards what each sends.
//!
//! What it forwards is QUIC, sealed between the two: the relay has no key to it, and keeps nothing. What sites and relay
//! say to each other travels on the same sockets, in datagrams whose second bit is clear, as it never is in QUIC's
//! (RFC 9000, §17). A relay answers with less than it was asked, and remembers nothing of one who has not proved its
//! address (a cookie) and its key (a signature over it).
//!
//! A question carries a nonce where older sites send zeros, and a relay that supports nonces ends its answer with the same
//! bytes: without seeing the question, nobody can answer it.

mod client;
mod rooms;
mod server;

pub use client::{NEW_ADDRESSES_MAX, NEW_ADDRESSES_PERIOD, RelayAllocation, RelayClient};
pub use server::{RelayAction, RelayLimits, RelayServer, RelayStats};

use crate::wire::{WireError, WireReader, WireWrite, read_address, write_address};
use core::net::SocketAddr;
use ring::digest::{Context, SHA256};

/// Every datagram to and from a relay begins so: the last byte is the version.
const HEAD: [u8; 4] = [0x1d, b'm', b'g', 1];
/// All questions are as long as the longest, so that no answer is longer.
const REQUEST_BYTES: usize = 160;
const COOKIE_BYTES: usize = 16;
const SIGNATURE_BYTES: usize = 64;

/// Nonce of a question, in bytes that older versions fill with zeros and do not read.
type Nonce = [u8; 8];
/// Nonce of a version that does not support nonces.
const NO_NONCE: Nonce = [0; 8];

/// Returns the nonce of a relay's unasked message to the site whose last question had this one.
fn unsolicited_nonce(nonce: Nonce) -> Nonce {
    if nonce == NO_NONCE { NO_NONCE } else { nonce.map(|byte| !byte) }
}

/// For whom a site asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rendezvous {
    /// A twin, by its public key.
    Twin([u8; 32]),
    /// Whoever says the same; for two who have a ticket in common.
    Meeting([u8; 32]),
}

/// True for what is between a site and a relay, and not between two sites.
pub fn is_relay_message(datagram: &[u8]) -> bool {
    datagram.first().is_some_and(|first| first & 0x40 == 0)
}

/// A question: may I meet the other one here?
#[derive(Debug, Clone, PartialEq, Eq)]
struct RelayRequest {
    who: [u8; 32],
    other: Rendezvous,
    cookie: [u8; COOKIE_BYTES],
    signature: [u8; SIGNATURE_BYTES],
    nonce: Nonce,
}

/// What a relay answers.
#[derive(Debug, Clone, PartialEq, Eq)]
enum RelayReply {
    /// Ask again with this.
    Cookie([u8; COOKIE_BYTES]),
    /// You are known here, seen at `you`; and the other one, too, if it is there.
    Allocated { you: SocketAddr, other: Option<SocketAddr> },
    /// There is no room.
    Full,
}

impl Rendezvous {
    fn parts(&self) -> (u8, &[u8; 32]) {
        match self {
            Self::Twin(key) => (0, key),
            Self::Meeting(point) => (1, point),
        }
    }

    /// What stands for both, whoever of them asks.
    fn room_id(&self, who: &[u8; 32]) -> [u8; 32] {
        let mut hash = Context::new(&SHA256);
        match self {
            Self::Twin(key) => {
                hash.update(b"twins");
                hash.update(who.min(key));
                hash.update(who.max(key));
            }
            Self::Meeting(point) => {
                hash.update(b"meeting");
                hash.update(point);
            }
        }
        hash.finish().as_ref().try_into().expect("SHA-256 has 32 bytes")
    }
}

impl RelayRequest {
    /// What the signature is over.
    fn signed_message(&self) -> Vec<u8> {
        let (kind, other) = self.other.parts();
        [b"moongate-relay/1", &self.cookie[..], &self.who, &[kind], other].concat()
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(REQUEST_BYTES);
        let (kind, other) = self.other.parts();
        out.extend_from_slice(&HEAD);
        out.put_u8(1);
        out.extend_from_slice(&self.who);
        out.put_u8(kind);
        out.extend_from_slice(other);
        out.extend_from_slice(&self.cookie);
        out.extend_from_slice(&self.signature);
        out.extend_from_slice(&self.nonce);
        out.resize(REQUEST_BYTES, 0);
        out
    }

    fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut from = read_payload(bytes)?;
        if bytes.len() < REQUEST_BYTES || from.u8()? != 1 {
            return Err(WireError::Truncated);
        }
        let who = from.array()?;
        let other = match from.u8()? {
            0 => Rendezvous::Twin(from.array()?),
            1 => Rendezvous::Meeting(from.array()?),
            _ => return Err(WireError::OutOfRange),
        };
        Ok(Self { who, other, cookie: from.array()?, signature: from.array()?, nonce: from.array()? })
    }
}

impl RelayReply {
    /// Encodes the answer to the question with this nonce.
    fn encode(&self, nonce: Nonce) -> Vec<u8> {
        let mut out = Vec::with_capacity(56);
        out.extend_from_slice(&HEAD);
        match self {
            Self::Cookie(cookie) => {
                out.put_u8(2);
                out.extend_from_slice(cookie);
            }
            Self::Allocated { you, other } => {
                out.put_u8(3);
                write_address(&mut out, *you);
                out.put_u8(u8::from(other.is_some()));
                other.iter().for_each(|other| write_address(&mut out, *other));
            }
            Self::Full => out.put_u8(4),
        }
        if nonce != NO_NONCE {
            out.extend_from_slice(&nonce);
        }
        out
    }

    /// Decodes an answer, and the nonce that it echoes.
    fn decode(bytes: &[u8]) -> Result<(Self, Nonce), WireError> {
        let mut from = read_payload(bytes)?;
        let answer = match from.u8()? {
            2 => Self::Cookie(from.array()?),
            3 => {
                let you = read_address(&mut from)?;
                let other = if from.u8()? == 1 { Some(read_address(&mut from)?) } else { None };
                Self::Allocated { you, other }
            }
            4 => Self::Full,
            _ => return Err(WireError::OutOfRange),
        };
        Ok((answer, from.array().unwrap_or(NO_NONCE)))
    }
}

/// What follows the head.
fn read_payload(bytes: &[u8]) -> Result<WireReader<'_>, WireError> {
    let mut from = WireReader::new(bytes);
    if from.array()? == HEAD { Ok(from) } else { Err(WireError::OutOfRange) }
}

#[cfg(test)]
mod tests;
