//! How marks are told: what a site has, and batches in pieces that fit between all else.

use crate::wire::{Reader, WireError, Write};
use crate::works::{BATCH_MAX, WRITERS_MAX};
use std::time::Duration;

/// Bytes of a batch in one datagram.
pub(super) const PIECE: usize = 960;
/// Most pieces of a batch; each is a bit of an acknowledgement.
pub(super) const PIECES_MAX: usize = BATCH_MAX.div_ceil(PIECE);
/// Most writers in one frame.
pub(super) const ENTRIES: usize = 32;
/// Most frames that a site's whole knowledge takes.
pub(super) const PARTS_MAX: u8 = (WRITERS_MAX / ENTRIES) as u8;
/// Most batches at once on their way, and half come.
pub(super) const FLIGHTS: usize = 64;

const _: () = assert!(PIECES_MAX <= 32);

/// A writer as the two sites name it: whether its site is the one that speaks, and its store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Who {
    pub speaker: bool,
    pub store: u64,
}

/// What a site has of one writer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    pub who: Who,
    /// All below.
    pub next: u64,
    /// And of batches after that: by the number of their first mark, a bit for each piece.
    pub pieces: Vec<(u64, u32)>,
}

/// What a site has of a work; `part` of `parts`, or only what has changed (`parts` is 0).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Have {
    /// Which work: a hash of the installation's id.
    pub work: u64,
    /// The other site is to say all that it has.
    pub asks: bool,
    pub part: u8,
    pub parts: u8,
    pub known: Vec<Known>,
}

/// A piece of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    pub work: u64,
    pub who: Who,
    /// The number of the batch's first mark.
    pub first: u64,
    /// Of this writer nothing below will come any more.
    pub oldest: u64,
    /// Bytes of the whole batch.
    pub size: usize,
    pub index: usize,
    /// When it was sent, by the sender's clock, and how long before that the batch's first mark was made.
    pub sent: Duration,
    pub age: Duration,
    pub bytes: &'a [u8],
}

/// The bytes of a batch of `size` that its piece `index` has; none when it has no such piece.
pub(super) fn span(size: usize, index: usize) -> Option<std::ops::Range<usize>> {
    let begin = index.checked_mul(PIECE).filter(|begin| *begin < size)?;
    Some(begin..(begin + PIECE).min(size))
}

impl Who {
    fn encode(self, out: &mut Vec<u8>) {
        out.put_u8(u8::from(self.speaker));
        out.put_u64(self.store);
    }

    fn decode(from: &mut Reader) -> Result<Self, WireError> {
        Ok(Self { speaker: from.u8()? & 1 == 1, store: from.u64()? })
    }
}

impl Have {
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.put_u64(self.work);
        out.put_u8(self.part | u8::from(self.asks) << 7);
        out.put_u8(self.parts);
        out.put_var(self.known.len() as u64);
        for Known { who, next, pieces } in &self.known {
            who.encode(out);
            out.put_var(*next);
            out.put_var(pieces.len() as u64);
            for (first, bits) in pieces {
                out.put_var(first.saturating_sub(*next));
                out.put_var(u64::from(*bits));
            }
        }
    }

    pub fn decode(from: &mut Reader) -> Result<Self, WireError> {
        let (work, part, parts) = (from.u64()?, from.u8()?, from.u8()?);
        let (asks, part) = (part & 0x80 != 0, part & 0x7f);
        if parts > PARTS_MAX || part > parts {
            return Err(WireError::Range);
        }
        let mut known = Vec::new();
        for _ in 0..from.count(ENTRIES)? {
            let who = Who::decode(from)?;
            let next = from.var()?;
            let mut pieces = Vec::new();
            for _ in 0..from.count(FLIGHTS)? {
                let first = next.checked_add(from.var()?).ok_or(WireError::Range)?;
                pieces.push((first, u32::try_from(from.var()?).map_err(|_| WireError::Range)?));
            }
            known.push(Known { who, next, pieces });
        }
        Ok(Self { work, asks, part, parts, known })
    }
}

impl<'a> Piece<'a> {
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.put_u64(self.work);
        self.who.encode(out);
        out.put_var(self.first);
        out.put_var(self.oldest);
        out.put_var(self.size as u64);
        out.put_var(self.index as u64);
        out.put_var(self.sent.as_micros() as u64);
        out.put_var(self.age.as_micros() as u64);
        out.extend_from_slice(self.bytes);
    }

    pub fn decode(from: &mut Reader<'a>) -> Result<Self, WireError> {
        let (work, who) = (from.u64()?, Who::decode(from)?);
        let (first, oldest) = (from.var()?, from.var()?);
        let size = from.count(BATCH_MAX)?;
        let index = from.count(PIECES_MAX)?;
        let (sent, age) = (Duration::from_micros(from.var()?), Duration::from_micros(from.var()?));
        let bytes = from.take(from.left())?;
        let span = span(size, index).ok_or(WireError::Range)?;
        if bytes.len() != span.len() {
            return Err(WireError::Range);
        }
        Ok(Self { work, who, first, oldest, size, index, sent, age, bytes })
    }
}
