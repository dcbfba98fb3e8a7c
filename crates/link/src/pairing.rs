//! Pairing protocol of two sites that share a ticket: mutual proof and introduction (`moongate-pair/1`).
//!
//! The accepting site dials. It has the inviting site's key from the ticket and pins it. Its own key is new to the
//! inviting site, so it proves the ticket's secret over the TLS exporter: a proof fits this one connection only, and
//! a man in the middle has none. Strangers do not get as far: a dialling site identifies itself by a connection id
//! that only the secret can produce, and anyone else meets the link's own handshake, which requires a pinned key.

use super::ticket::PeerInfo;
use moongate_core::wire::{WireError, WireReader, WireWrite};
use ring::hmac;

/// ALPN protocol of pairing.
pub const PAIR_ALPN: &[u8] = b"moongate-pair/1";
/// Label of the TLS exporter that both sides use (RFC 8446, §7.5).
pub const PAIR_LABEL: &[u8] = b"EXPORTER moongate-pair/1";
/// Maximum bytes of an introduction.
pub const INTRODUCTION_MAX: usize = 2_048;
/// Maximum bytes of a QUIC connection id; the first `NONCE` are random.
const CONNECTION_ID_BYTES: usize = 20;
const NONCE: usize = 8;

const INTRODUCTION: u8 = 1;

/// Secret that only the holders of a ticket have.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PairingSecret(pub [u8; 16]);

impl core::fmt::Debug for PairingSecret {
    fn fmt(&self, f: &mut core::fmt::Formatter) -> core::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Role in the pairing. The proof of one role is not valid for the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PairingRole {
    /// Site that issued the ticket.
    Inviting,
    /// Site at which the ticket was entered.
    Accepting,
}

impl PairingSecret {
    fn mac(&self, of: &[&[u8]]) -> hmac::Tag {
        let mut mac = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &self.0));
        of.iter().for_each(|part| mac.update(part));
        mac.sign()
    }

    /// Returns a first connection id that identifies a holder of the ticket. `nonce` is random.
    pub fn preauth_id(&self, nonce: [u8; NONCE]) -> [u8; CONNECTION_ID_BYTES] {
        let mut id = [0; CONNECTION_ID_BYTES];
        id[..NONCE].copy_from_slice(&nonce);
        id[NONCE..].copy_from_slice(&self.mac(&[b"knock", &nonce]).as_ref()[..CONNECTION_ID_BYTES - NONCE]);
        id
    }

    /// Returns true if a connection id identifies a holder of the ticket.
    pub fn is_preauth_id(&self, id: &[u8]) -> bool {
        let Some(nonce) = id.first_chunk::<NONCE>().filter(|_| id.len() == CONNECTION_ID_BYTES) else { return false };
        // Constant time, wherever the difference is.
        self.preauth_id(*nonce).iter().zip(id).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
    }

    /// Returns the public id of the ticket at a relay, which connects the sites that ask for the same id.
    pub fn rendezvous_id(&self) -> [u8; 32] {
        self.mac(&[b"relay"]).as_ref().try_into().expect("SHA-256 has 32 bytes")
    }

    /// Returns the proof of one role, over the bytes that TLS exports on this connection.
    pub fn proof(&self, role: PairingRole, exported: &[u8; 32]) -> [u8; 32] {
        self.mac(&[role.label(), exported]).as_ref().try_into().expect("SHA-256 has 32 bytes")
    }

    fn proves(&self, role: PairingRole, exported: &[u8; 32], proof: &[u8; 32]) -> bool {
        let message = [role.label(), &exported[..]].concat();
        hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, &self.0), &message, proof).is_ok()
    }
}

impl PairingRole {
    fn label(self) -> &'static [u8] {
        match self {
            Self::Inviting => b"inviting",
            Self::Accepting => b"accepting",
        }
    }
}

/// Encodes the introduction of this site, with its proof.
pub fn encode_introduction(secret: &PairingSecret, role: PairingRole, exported: &[u8; 32], card: &PeerInfo) -> Vec<u8> {
    let mut inner = Vec::with_capacity(256);
    inner.extend_from_slice(&secret.proof(role, exported));
    card.encode(&mut inner);
    let mut out = Vec::with_capacity(inner.len() + 4);
    out.put_frame(INTRODUCTION, &inner);
    out
}

/// Decodes the introduction of the other site; `None` if its proof is wrong.
pub fn verify_introduction(
    secret: &PairingSecret,
    role: PairingRole,
    exported: &[u8; 32],
    said: &[u8],
) -> Result<Option<PeerInfo>, WireError> {
    let mut frames = WireReader::new(said);
    while let Some((kind, mut inner)) = frames.frame()? {
        if kind == INTRODUCTION {
            let proof = inner.array()?;
            let card = PeerInfo::decode(&mut inner)?;
            return Ok(secret.proves(role, exported, &proof).then_some(card));
        }
    }
    Err(WireError::Truncated)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECRET: PairingSecret = PairingSecret([7; 16]);

    fn card() -> PeerInfo {
        PeerInfo { city: "kobe".into(), name: "Pier".into(), addresses: vec![], relay: None }
    }

    #[test]
    fn only_who_has_the_ticket_is_believed_and_only_on_this_connection() {
        let exported = [3; 32];
        let said = encode_introduction(&SECRET, PairingRole::Accepting, &exported, &card());
        let hear = |secret: PairingSecret, role, exported| verify_introduction(&secret, role, &exported, &said);
        assert_eq!(hear(SECRET, PairingRole::Accepting, exported), Ok(Some(card())));
        assert_eq!(hear(PairingSecret([8; 16]), PairingRole::Accepting, exported), Ok(None));
        assert_eq!(hear(SECRET, PairingRole::Inviting, exported), Ok(None), "a proof sent back");
        assert_eq!(hear(SECRET, PairingRole::Accepting, [4; 32]), Ok(None), "a proof of another connection");
    }

    #[test]
    fn only_who_has_the_ticket_can_knock() {
        let id = SECRET.preauth_id([1, 2, 3, 4, 5, 6, 7, 8]);
        assert!(SECRET.is_preauth_id(&id) && !PairingSecret([8; 16]).is_preauth_id(&id));
        assert!(!SECRET.is_preauth_id(&id[..19]) && !SECRET.is_preauth_id(&[]));
        for at in 0..id.len() {
            let mut other = id;
            other[at] ^= 1;
            assert!(!SECRET.is_preauth_id(&other), "byte {at}");
        }
    }

    #[test]
    fn a_secret_is_not_told_by_mistake() {
        assert_eq!(format!("{SECRET:?}"), "Secret(…)");
    }

    proptest! {
        #[test]
        fn nothing_panics(said in prop::collection::vec(any::<u8>(), 0..400), place in any::<prop::sample::Index>(), byte: u8) {
            let _ = verify_introduction(&SECRET, PairingRole::Accepting, &[3; 32], &said);
            let mut said = encode_introduction(&SECRET, PairingRole::Accepting, &[3; 32], &card());
            let at = place.index(said.len());
            said[at] = byte;
            let _ = verify_introduction(&SECRET, PairingRole::Accepting, &[3; 32], &said);
        }
    }
}
