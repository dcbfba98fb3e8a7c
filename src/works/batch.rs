//! Consecutive marks of one writer under one signature: the unit that is sent, kept and given back.

use super::mark::{Mark, Place, Writer};
use super::{BATCH_MARKS, BATCH_MAX};
use crate::wire::{Reader, WireError, Write};
use std::fmt;
use thiserror::Error;

/// What a signature is over, before all else: nothing that is signed elsewhere can be taken for marks.
const CONTEXT: &[u8] = b"moongate marks 1\0";
const SIGNATURE: usize = 64;
/// No honest writer counts this far, and sums of it fit into 64 bits.
const COUNT_MAX: u64 = 1 << 53;

/// Signs for this site and verifies for any, by Ed25519 (RFC 8032).
pub trait Seal: Send {
    /// This site's public key.
    fn public(&self) -> [u8; 32];
    /// A signature of this site.
    fn sign(&self, message: &[u8]) -> [u8; SIGNATURE];
    /// Whether the site with this key has signed the message.
    fn verify(&self, public: &[u8; 32], message: &[u8], signature: &[u8; SIGNATURE]) -> bool;
}

impl fmt::Debug for dyn Seal {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("Seal")
    }
}

/// Why a batch from outside is not taken in. Whoever sends one of these does so on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Forged {
    /// The bytes are no batch.
    #[error("marks that cannot be read: {0}")]
    Garbled(#[from] WireError),
    /// It is signed by nobody, or by someone else.
    #[error("marks in another site's name")]
    Signature,
    /// It says another writer or number than it came under, or one that is not to be told.
    #[error("marks that are not what they are said to be")]
    Other,
}

/// Sealed marks, as they are kept and sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Whose marks they are.
    pub writer: Writer,
    /// The sequence number of the first.
    pub first: u64,
    /// How many.
    pub count: u64,
    /// The stamp of the last.
    pub stamp: u64,
    /// When the first was made, by this machine's monotonic clock, in microseconds.
    pub born: i64,
    /// Signature and marks.
    pub bytes: Vec<u8>,
}

fn signed(work: &str, body: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(CONTEXT.len() + work.len() + 2 + body.len());
    message.extend_from_slice(CONTEXT);
    message.put_text(work);
    message.extend_from_slice(body);
    message
}

impl Batch {
    /// Signs marks of this site: one after the other, at least one, no more than [`BATCH_MARKS`].
    pub(super) fn seal(work: &str, marks: &[Mark], seal: &dyn Seal) -> Option<Self> {
        let [first, .., last] = [marks.first()?, marks.last()?];
        let writer = first.place.writer;
        let mut body = Vec::with_capacity(64 * marks.len());
        body.extend_from_slice(&writer.site);
        body.put_u64(writer.store);
        body.put_var(first.sequence);
        body.put_var(marks.len() as u64);
        let mut before = (0, 0);
        for mark in marks {
            mark.encode(before, &mut body);
            before = (mark.place.stamp, mark.made_ms);
        }
        let mut bytes = seal.sign(&signed(work, &body)).to_vec();
        bytes.extend_from_slice(&body);
        let count = marks.len() as u64;
        Some(Self { writer, first: first.sequence, count, stamp: last.place.stamp, born: first.born, bytes })
    }

    /// Takes bytes from outside for what they are, if their writer has signed them for this work.
    pub fn open(work: &str, bytes: Vec<u8>, born: i64, seal: &dyn Seal) -> Result<(Self, Vec<Mark>), Forged> {
        let marks = read(&bytes, born)?;
        let (signature, body) = bytes.split_first_chunk::<SIGNATURE>().ok_or(WireError::Short)?;
        let (Some(first), Some(last)) = (marks.first(), marks.last()) else { return Err(WireError::Short.into()) };
        if !seal.verify(&first.place.writer.site, &signed(work, body), signature) {
            return Err(Forged::Signature);
        }
        let (writer, stamp) = (first.place.writer, last.place.stamp);
        let (first, count) = (first.sequence, marks.len() as u64);
        Ok((Self { writer, first, count, stamp, born, bytes }, marks))
    }

    /// The number after its last mark.
    pub fn next(&self) -> u64 {
        self.first + self.count
    }

    /// Its marks. A batch was read before it was kept, so this is all of them.
    pub fn marks(&self) -> Vec<Mark> {
        read(&self.bytes, self.born).unwrap_or_default()
    }
}

/// Marks as they are within a batch; who signed them is not looked at.
fn read(bytes: &[u8], born: i64) -> Result<Vec<Mark>, WireError> {
    if bytes.len() > BATCH_MAX {
        return Err(WireError::Range);
    }
    let mut from = Reader::new(bytes);
    from.take(SIGNATURE)?;
    let writer = Writer { site: from.array()?, store: from.u64()? };
    let first = from.var()?;
    let count = from.count(BATCH_MARKS)?;
    let mut marks: Vec<Mark> = Vec::with_capacity(count);
    let mut before = (0, 0);
    for sequence in (first..).take(count) {
        let mut mark = Mark::decode(&mut from, (writer, sequence), before)?;
        if mark.place.stamp > COUNT_MAX || sequence > COUNT_MAX {
            return Err(WireError::Range);
        }
        before = (mark.place.stamp, mark.made_ms);
        let after_first = marks.first().map_or(0, |first| mark.made_ms as i64 - first.made_ms as i64);
        mark.born = born.saturating_add(after_first.saturating_mul(1_000));
        marks.push(mark);
    }
    if marks.is_empty() { Err(WireError::Short) } else { Ok(marks) }
}

impl Place {
    /// The highest stamp that a mark may have.
    pub(super) const STAMP_MAX: u64 = COUNT_MAX;
}
