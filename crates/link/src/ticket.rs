//! Pairing data of two sites: the contact details of each, and the ticket that an operator carries over.

use super::NAME_MAX;
use super::pairing::PairingSecret;
use core::net::SocketAddr;
use data_encoding::BASE32_NOPAD;
use moongate_core::escape::strip_controls;
use moongate_core::wire::{ADDRESSES_MAX, WireError, WireReader, WireWrite, read_address, write_address};
use ring::digest::{SHA256, digest};
use std::time::Duration;
use thiserror::Error;

/// Prefix of a ticket. A QR code stores these characters compactly.
const HEAD: &str = "MOONGATE1:";
/// Maximum length of a ticket, in characters.
const LETTERS_MAX: usize = 1_024;
/// Bytes of the checksum, which detects copying mistakes.
const CHECKSUM_BYTES: usize = 4;

/// Location and addresses of a site, as announced by the site itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PeerInfo {
    /// Slug of its city.
    pub city: String,
    /// Display name of the site.
    pub name: String,
    /// UDP addresses, at most [`ADDRESSES_MAX`].
    pub addresses: Vec<SocketAddr>,
    /// Host and port of the relay that it asks.
    pub relay: Option<String>,
}

/// Invitation, to be typed, sent or scanned at the other site. Until it expires, its holder can pair a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// The inviting site's public key.
    pub key: [u8; 32],
    /// Secret that only holders of the ticket have.
    pub secret: PairingSecret,
    /// Time of expiry since 1970, by the inviting site's clock; only the inviting site decides by it.
    pub expires: Duration,
    /// Contact details of the inviting site.
    pub peer: PeerInfo,
}

/// Reason why a text is not a valid ticket. The person who typed it can correct it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TicketError {
    /// The text is not a ticket.
    #[error(
        "this is no ticket; it is the line that begins with MOONGATE1: which `moongate invite` prints at the other site"
    )]
    NotATicket,
    /// The ticket is of a later version.
    #[error("this ticket is of a newer Moongate; update this machine")]
    Newer,
    /// Letters are missing or wrong.
    #[error("this ticket was not copied as it is: letters are missing or wrong; copy the whole line again")]
    Corrupt,
}

impl PeerInfo {
    /// Appends the contact details.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.put_text(&self.city);
        // Cut to the length that the wire allows, at a character boundary.
        out.put_text(&self.name[..self.name.floor_char_boundary(NAME_MAX)]);
        let addresses = &self.addresses[..self.addresses.len().min(ADDRESSES_MAX)];
        out.put_u8(addresses.len() as u8);
        addresses.iter().for_each(|address| write_address(out, *address));
        out.put_text(self.relay.as_deref().unwrap_or_default());
    }

    /// Reads contact details.
    pub fn decode(from: &mut WireReader) -> Result<Self, WireError> {
        let (city, name) = (strip_controls(from.text(NAME_MAX)?), strip_controls(from.text(NAME_MAX)?));
        let count = from.count(ADDRESSES_MAX)?;
        let addresses = (0..count).map(|_| read_address(from)).collect::<Result<_, _>>()?;
        let relay = Some(strip_controls(from.text(NAME_MAX)?)).filter(|relay| !relay.is_empty());
        Ok(Self { city, name, addresses, relay })
    }
}

impl Ticket {
    /// Returns the ticket as one line.
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

    /// Parses a ticket, with any line breaks and in upper or lower case.
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
