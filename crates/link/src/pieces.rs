//! Wire types of mark synchronisation: each site's inventory, and batches in pieces small enough to share datagrams.

use moongate_core::marks::{BATCH_BYTES_MAX, WRITERS_MAX};
use moongate_core::wire::{WireError, WireReader, WireWrite};
use std::time::Duration;

/// Bytes of a batch in one datagram.
pub(super) const PIECE_BYTES: usize = 960;
/// Maximum number of pieces of a batch. Each is a bit of an acknowledgement.
pub(super) const PIECES_MAX: usize = BATCH_BYTES_MAX.div_ceil(PIECE_BYTES);
/// Maximum number of writers in one frame.
pub(super) const HAVE_ENTRIES_MAX: usize = 32;
/// Maximum number of frames for a site's whole inventory.
pub(super) const HAVE_PARTS_MAX: u8 = (WRITERS_MAX / HAVE_ENTRIES_MAX) as u8;
/// Maximum number of batches in flight, and of batches received in part.
pub(super) const IN_FLIGHT_MAX: usize = 64;

const _: () = assert!(PIECES_MAX <= 32);

/// Reference to a writer, valid at both sites: true if its site is the sender, and its store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct WriterRef {
    pub of_sender: bool,
    pub store: u64,
}

/// Inventory of one writer's marks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HaveEntry {
    pub writer: WriterRef,
    /// Sequence number below which all marks are present.
    pub next: u64,
    /// Later batches: the number of the first mark, and a bit for each piece.
    pub pieces: Vec<(u64, u32)>,
}

/// Inventory of a mark log: `part` of `parts`, or only the changes (`parts` is 0).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Have {
    /// Mark log: a hash of the installation's id.
    pub log: u64,
    /// True if the receiver must announce its whole inventory.
    pub asks: bool,
    pub part: u8,
    pub parts: u8,
    pub entries: Vec<HaveEntry>,
}

/// Piece of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    pub log: u64,
    pub writer: WriterRef,
    /// Number of the batch's first mark.
    pub first: u64,
    /// Number below which this writer sends no more marks.
    pub oldest: u64,
    /// Bytes of the whole batch.
    pub size: usize,
    pub index: usize,
    /// Time of sending by the sender's clock, and the age of the batch's first mark at that time.
    pub sent: Duration,
    pub age: Duration,
    pub bytes: &'a [u8],
}

/// Returns the byte range of piece `index` in a batch of `size` bytes; none if there is no such piece.
pub(super) fn piece_range(size: usize, index: usize) -> Option<std::ops::Range<usize>> {
    let begin = index.checked_mul(PIECE_BYTES).filter(|begin| *begin < size)?;
    Some(begin..(begin + PIECE_BYTES).min(size))
}

impl WriterRef {
    fn encode(self, out: &mut Vec<u8>) {
        out.put_u8(u8::from(self.of_sender));
        out.put_u64(self.store);
    }

    fn decode(from: &mut WireReader) -> Result<Self, WireError> {
        Ok(Self { of_sender: from.u8()? & 1 == 1, store: from.u64()? })
    }
}

impl Have {
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.put_u64(self.log);
        out.put_u8(self.part | u8::from(self.asks) << 7);
        out.put_u8(self.parts);
        out.put_varint(self.entries.len() as u64);
        for HaveEntry { writer: who, next, pieces } in &self.entries {
            who.encode(out);
            out.put_varint(*next);
            out.put_varint(pieces.len() as u64);
            for (first, bits) in pieces {
                out.put_varint(first.saturating_sub(*next));
                out.put_varint(u64::from(*bits));
            }
        }
    }

    pub fn decode(from: &mut WireReader) -> Result<Self, WireError> {
        let (work, part, parts) = (from.u64()?, from.u8()?, from.u8()?);
        let (asks, part) = (part & 0x80 != 0, part & 0x7f);
        if parts > HAVE_PARTS_MAX || part > parts {
            return Err(WireError::OutOfRange);
        }
        let mut known = Vec::new();
        for _ in 0..from.count(HAVE_ENTRIES_MAX)? {
            let who = WriterRef::decode(from)?;
            let next = from.varint()?;
            let mut pieces = Vec::new();
            for _ in 0..from.count(IN_FLIGHT_MAX)? {
                let first = next.checked_add(from.varint()?).ok_or(WireError::OutOfRange)?;
                pieces.push((first, u32::try_from(from.varint()?).map_err(|_| WireError::OutOfRange)?));
            }
            known.push(HaveEntry { writer: who, next, pieces });
        }
        Ok(Self { log: work, asks, part, parts, entries: known })
    }
}

impl<'a> Piece<'a> {
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.put_u64(self.log);
        self.writer.encode(out);
        out.put_varint(self.first);
        out.put_varint(self.oldest);
        out.put_varint(self.size as u64);
        out.put_varint(self.index as u64);
        out.put_varint(self.sent.as_micros() as u64);
        out.put_varint(self.age.as_micros() as u64);
        out.extend_from_slice(self.bytes);
    }

    pub fn decode(from: &mut WireReader<'a>) -> Result<Self, WireError> {
        let (work, who) = (from.u64()?, WriterRef::decode(from)?);
        let (first, oldest) = (from.varint()?, from.varint()?);
        let size = from.count(BATCH_BYTES_MAX)?;
        let index = from.count(PIECES_MAX)?;
        let (sent, age) = (Duration::from_micros(from.varint()?), Duration::from_micros(from.varint()?));
        let bytes = from.bytes(from.remaining())?;
        let span = piece_range(size, index).ok_or(WireError::OutOfRange)?;
        if bytes.len() != span.len() {
            return Err(WireError::OutOfRange);
        }
        Ok(Self { log: work, writer: who, first, oldest, size, index, sent, age, bytes })
    }
}
