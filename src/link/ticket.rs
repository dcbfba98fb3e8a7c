//! What two sites hand each other when they are introduced: a card of each, and the ticket that an operator carries over.

use super::NAME_MAX;
use super::pairing::PairingSecret;
use crate::escape::strip_controls;
use crate::wire::{ADDRESSES_MAX, WireError, WireReader, WireWrite, read_address, write_address};
use core::net::SocketAddr;
use data_encoding::BASE32_NOPAD;
use ring::digest::{SHA256, digest};
use std::time::Duration;
use thiserror::Error;

/// What a ticket begins with; letters and signs that a QR code stores in little room.
const HEAD: &str = "MOONGATE1:";
/// Longest ticket, in letters.
const LETTERS_MAX: usize = 1_024;
/// Bytes that tell a mistake of copying.
const CHECKSUM_BYTES: usize = 4;

/// Where a site is and how it is reached, as it says itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PeerInfo {
    /// Slug of its city.
    pub city: String,
    /// What its people call it.
    pub name: String,
    /// Its UDP addresses, at most [`ADDRESSES_MAX`].
    pub addresses: Vec<SocketAddr>,
    /// Host and port of the relay that it asks.
    pub relay: Option<String>,
}

/// An invitation, to be typed, sent or scanned at the other site. Who has it can introduce a site until it expires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// The inviting site's public key.
    pub key: [u8; 32],
    /// Known to nobody but who has the ticket.
    pub secret: PairingSecret,
    /// Until when it is good, since 1970 by the inviting site's clock; only the inviting site decides by it.
    pub expires: Duration,
    /// Who invites.
    pub peer: PeerInfo,
}

/// Why a text is no ticket. Whoever typed it mends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TicketError {
    /// Something else.
    #[error(
        "this is no ticket; it is the line that begins with MOONGATE1: which `moongate invite` prints at the other site"
    )]
    NotATicket,
    /// Of a later version.
    #[error("this ticket is of a newer Moongate; update this machine")]
    Newer,
    /// Letters are missing or wrong.
    #[error("this ticket was not copied as it is: letters are missing or wrong; copy the whole line again")]
    Corrupt,
}

impl PeerInfo {
    /// Appends the card.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.put_text(&self.city);
        // Cut to what the wire allows, at a letter's edge.
        out.put_text(&self.name[..self.name.floor_char_boundary(NAME_MAX)]);
        let addresses = &self.addresses[..self.addresses.len().min(ADDRESSES_MAX)];
        out.put_u8(addresses.len() as u8);
        addresses.iter().for_each(|address| write_address(out, *address));
        out.put_text(self.relay.as_deref().unwrap_or_default());
    }

    /// Reads one.
    pub fn decode(from: &mut WireReader) -> Result<Self, WireError> {
        let (city, name) = (strip_controls(from.text(NAME_MAX)?), strip_controls(from.text(NAME_MAX)?));
        let count = from.count(ADDRESSES_MAX)?;
        let addresses = (0..count).map(|_| read_address(from)).collect::<Result<_, _>>()?;
        let relay = Some(strip_controls(from.text(NAME_MAX)?)).filter(|relay| !relay.is_empty());
        Ok(Self { city, name, addresses, relay })
    }
}

impl Ticket {
    /// The ticket as one line.
    pub fn to_line(&self) -> String {
        let mut bytes = Vec::with_capacity(160);
        bytes.extend_from_slice(&self.key);
        bytes.extend_from_slice(&self.secret.0);
        bytes.put_varint(self.expires.as_secs());
        self.peer.encode(&mut bytes);
        let check = digest(&SHA256, &bytes);
        bytes.extend_from_slice(&check.as_ref()[..CHECKSUM_BYTES]);
        format!("{HEAD}{}", BASE32_NOPAD.encode(&bytes))
    }

    /// Reads a line, however it was broken and in whatever case.
    pub fn parse(text: &str) -> Result<Self, TicketError> {
        let letters: String = text.chars().filter(|letter| !letter.is_whitespace()).take(LETTERS_MAX + 1).collect();
        let letters = letters.to_ascii_uppercase();
        let Some(coded) = letters.strip_prefix(HEAD) else {
            let version = letters.strip_prefix("MOONGATE").and_then(|rest| rest.split_once(':'));
            let newer = version.is_some_and(|(version, _)| version.parse::<u16>().is_ok());
            return Err(if newer { TicketError::Newer } else { TicketError::NotATicket });
        };
        let bytes = BASE32_NOPAD.decode(coded.as_bytes()).map_err(|_| TicketError::Corrupt)?;
        let (bytes, check) = bytes.split_last_chunk::<CHECKSUM_BYTES>().ok_or(TicketError::Corrupt)?;
        if digest(&SHA256, bytes).as_ref()[..CHECKSUM_BYTES] != check[..] {
            return Err(TicketError::Corrupt);
        }
        Self::decode(&mut WireReader::new(bytes)).map_err(|_| TicketError::Corrupt)
    }

    fn decode(from: &mut WireReader) -> Result<Self, WireError> {
        Ok(Self {
            key: from.array()?,
            secret: PairingSecret(from.array()?),
            expires: Duration::from_secs(from.varint()?),
            peer: PeerInfo::decode(from)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ticket() -> Ticket {
        Ticket {
            key: [0xab; 32],
            secret: PairingSecret([7; 16]),
            expires: Duration::from_secs(1_800_000_000),
            peer: PeerInfo {
                city: "santa-fe".into(),
                name: "Plaza, the old one".into(),
                addresses: vec!["192.0.2.7:4433".parse().expect("one"), "[2001:db8::7]:4433".parse().expect("one")],
                relay: Some("relay.example.org:4434".into()),
            },
        }
    }

    #[test]
    fn a_ticket_is_read_however_it_was_copied() {
        let line = ticket().to_line();
        assert_eq!(Ticket::parse(&line), Ok(ticket()));
        let broken: String =
            line.chars().enumerate().flat_map(|(i, c)| (i % 40 == 39).then_some('\n').into_iter().chain([c])).collect();
        assert_eq!(Ticket::parse(&format!(" {} ", broken.to_lowercase())), Ok(ticket()));
        assert!(line.len() < 260, "{} letters", line.len());
    }

    #[test]
    fn a_name_in_a_ticket_forges_no_line() {
        let mut forged = ticket();
        forged.peer.name = "Plaza\u{1b}[2K\nIntroduced: key 00ff".into();
        let read = Ticket::parse(&forged.to_line()).expect("it is a ticket");
        assert_eq!(read.peer.name, "Plaza[2KIntroduced: key 00ff");
    }

    #[test]
    fn what_is_no_ticket_is_told_why() {
        let line = ticket().to_line();
        assert_eq!(Ticket::parse("hello"), Err(TicketError::NotATicket));
        assert_eq!(Ticket::parse(&line.replace("MOONGATE1", "MOONGATE2")), Err(TicketError::Newer));
        assert_eq!(Ticket::parse(&line[..line.len() - 3]), Err(TicketError::Corrupt));
        let mut letters: Vec<char> = line.chars().collect();
        letters[30] = if letters[30] == 'A' { 'B' } else { 'A' };
        assert_eq!(Ticket::parse(&letters.into_iter().collect::<String>()), Err(TicketError::Corrupt));
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "(MOONGATE1:)?[A-Z2-7é ]{0,300}", bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Ticket::parse(&text);
            let _ = Ticket::decode(&mut WireReader::new(&bytes));
        }
    }
}
