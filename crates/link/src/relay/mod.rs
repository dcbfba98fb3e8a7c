//! Relay for two sites that cannot reach each other directly. Both ask it, each with its key, and it forwards their
//! datagrams.
//!
//! The forwarded datagrams are QUIC, encrypted between the two sites; the relay has no key to them and stores
//! nothing. Messages between sites and relay travel on the same sockets, in datagrams whose second bit is clear, as
//! it never is in QUIC's (RFC 9000, §17). A relay's answers are shorter than the questions. It remembers nothing of a
//! site until the site has proved its address (a cookie) and its key (a signature over it).
//!
//! A question carries a nonce where older sites send zeros, and a relay that supports nonces ends its answer with the
//! same bytes. Nobody can answer a question without having seen it.

mod client;
mod rooms;
mod server;

pub use client::{NEW_ADDRESSES_MAX, NEW_ADDRESSES_PERIOD, RelayAllocation, RelayClient};
pub use server::{RelayAction, RelayLimits, RelayServer, RelayStats};

use core::net::SocketAddr;
use moongate_core::wire::{WireError, WireReader, WireWrite, read_address, write_address};
use ring::digest::{Context, SHA256};

/// Header of every datagram to and from a relay; the last byte is the version.
const HEAD: [u8; 4] = [0x1d, b'm', b'g', 1];
/// Length of every question. It equals the longest one, so that no answer is longer than its question.
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

/// Peer that a site asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rendezvous {
    /// Twin, by its public key.
    Twin([u8; 32]),
    /// Any site that asks for the same id; used by two sites that share a ticket.
    Meeting([u8; 32]),
}

/// Returns true for a datagram between a site and a relay, and false for one between two sites.
pub fn is_relay_message(datagram: &[u8]) -> bool {
    datagram.first().is_some_and(|first| first & 0x40 == 0)
}

/// Request to meet another site at this relay.
#[derive(Debug, Clone, PartialEq, Eq)]
struct RelayRequest {
    who: [u8; 32],
    other: Rendezvous,
    cookie: [u8; COOKIE_BYTES],
    signature: [u8; SIGNATURE_BYTES],
    nonce: Nonce,
}

/// Answer of a relay.
#[derive(Debug, Clone, PartialEq, Eq)]
enum RelayReply {
    /// Cookie with which to ask again.
    Cookie([u8; COOKIE_BYTES]),
    /// Allocation: the asking site as seen from outside, and the other site if it is present.
    Allocated { you: SocketAddr, other: Option<SocketAddr> },
    /// The relay is full.
    Full,
}

impl Rendezvous {
    fn parts(&self) -> (u8, &[u8; 32]) {
        match self {
            Self::Twin(key) => (0, key),
            Self::Meeting(point) => (1, point),
        }
    }

    /// Returns the id of the room, the same for both sites.
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
    /// Returns the message that is signed.
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

/// Reads the header and returns the payload after it.
fn read_payload(bytes: &[u8]) -> Result<WireReader<'_>, WireError> {
    let mut from = WireReader::new(bytes);
    if from.array()? == HEAD { Ok(from) } else { Err(WireError::OutOfRange) }
}

#[cfg(test)]
mod tests;
