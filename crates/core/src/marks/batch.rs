//! Batches: consecutive marks of one writer under one signature, the unit that is sent, stored and retrieved.

use super::mark::{Mark, MarkOrder, WriterId};
use super::{BATCH_BYTES_MAX, BATCH_MARKS_MAX};
use crate::wire::{WireError, WireReader, WireWrite};
use std::fmt;
use thiserror::Error;

/// Prefix of every signed message, so that nothing signed elsewhere can pass for marks.
const SIGNING_CONTEXT: &[u8] = b"moongate marks 1\0";
const SIGNATURE_BYTES: usize = 64;
/// Bound on sequence numbers: no honest writer counts this far, and sums of it fit into 64 bits.
const SEQUENCE_MAX: u64 = 1 << 53;

/// Signer for this site and verifier for any site, by Ed25519 (RFC 8032).
pub trait Signer: Send {
    /// Returns this site's public key.
    fn public_key(&self) -> [u8; 32];
    /// Returns a signature of this site.
    fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_BYTES];
    /// Returns whether the site with this key has signed the message.
    fn verify(&self, public: &[u8; 32], message: &[u8], signature: &[u8; SIGNATURE_BYTES]) -> bool;
}

impl fmt::Debug for dyn Signer {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("Seal")
    }
}

/// Reason why a batch from outside is rejected. A peer that sends one of these does so on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BatchError {
    /// The bytes are not a batch.
    #[error("marks that cannot be read: {0}")]
    Malformed(#[from] WireError),
    /// The signature is missing, or is someone else's.
    #[error("marks in another site's name")]
    BadSignature,
    /// Its writer or sequence number is not the announced one, or its stamps are not allowed.
    #[error("marks that are not what they are said to be")]
    Mismatch,
}

/// Signed marks, in the form in which they are stored and sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkBatch {
    /// Writer of the marks.
    pub writer: WriterId,
    /// Sequence number of the first mark.
    pub first: u64,
    /// Number of marks.
    pub count: u64,
    /// Stamp of the last mark.
    pub stamp: u64,
    /// Time of the first mark, by this machine's monotonic clock, in microseconds.
    pub created_us: i64,
    /// Signature and marks, encoded.
    pub bytes: Vec<u8>,
}

fn signed_message(work: &str, body: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(SIGNING_CONTEXT.len() + work.len() + 2 + body.len());
    message.extend_from_slice(SIGNING_CONTEXT);
    message.put_text(work);
    message.extend_from_slice(body);
    message
}

impl MarkBatch {
    /// Signs consecutive marks of this site: at least one, at most [`BATCH_MARKS_MAX`].
    pub(super) fn sign(work: &str, marks: &[Mark], seal: &dyn Signer) -> Option<Self> {
        let [first, .., last] = [marks.first()?, marks.last()?];
        let writer = first.order.writer;
        let mut body = Vec::with_capacity(64 * marks.len());
        body.extend_from_slice(&writer.site);
        body.put_u64(writer.store);
        body.put_varint(first.sequence);
        body.put_varint(marks.len() as u64);
        let mut before = (0, 0);
        for mark in marks {
            mark.encode(before, &mut body);
            before = (mark.order.stamp, mark.made_ms);
        }
        let mut bytes = seal.sign(&signed_message(work, &body)).to_vec();
        bytes.extend_from_slice(&body);
        let count = marks.len() as u64;
        Some(Self {
            writer,
            first: first.sequence,
            count,
            stamp: last.order.stamp,
            created_us: first.created_us,
            bytes,
        })
    }

    /// Decodes a batch from outside, if its writer has signed it for this installation.
    pub fn decode_verified(
        work: &str,
        bytes: Vec<u8>,
        born: i64,
        seal: &dyn Signer,
    ) -> Result<(Self, Vec<Mark>), BatchError> {
        let marks = decode_marks(&bytes, born)?;
        let (signature, body) = bytes.split_first_chunk::<SIGNATURE_BYTES>().ok_or(WireError::Truncated)?;
        let (Some(first), Some(last)) = (marks.first(), marks.last()) else { return Err(WireError::Truncated.into()) };
        if !seal.verify(&first.order.writer.site, &signed_message(work, body), signature) {
            return Err(BatchError::BadSignature);
        }
        let (writer, stamp) = (first.order.writer, last.order.stamp);
        let (first, count) = (first.sequence, marks.len() as u64);
        Ok((Self { writer, first, count, stamp, created_us: born, bytes }, marks))
    }

    /// Returns the sequence number after its last mark.
    pub fn end(&self) -> u64 {
        self.first + self.count
    }

    /// Returns its marks. A batch is decoded before it is kept, so none is missing.
    pub fn marks(&self) -> Vec<Mark> {
        decode_marks(&self.bytes, self.created_us).unwrap_or_default()
    }
}

/// Decodes the marks of a batch without a check of the signature.
fn decode_marks(bytes: &[u8], born: i64) -> Result<Vec<Mark>, WireError> {
    if bytes.len() > BATCH_BYTES_MAX {
        return Err(WireError::OutOfRange);
    }
    let mut from = WireReader::new(bytes);
    from.bytes(SIGNATURE_BYTES)?;
    let writer = WriterId { site: from.array()?, store: from.u64()? };
    let first = from.varint()?;
    let count = from.count(BATCH_MARKS_MAX)?;
    let mut marks: Vec<Mark> = Vec::with_capacity(count);
    let mut before = (0, 0);
    for sequence in (first..).take(count) {
        let mut mark = Mark::decode(&mut from, (writer, sequence), before)?;
        if mark.order.stamp > SEQUENCE_MAX || sequence > SEQUENCE_MAX {
            return Err(WireError::OutOfRange);
        }
        before = (mark.order.stamp, mark.made_ms);
        let after_first = marks.first().map_or(0, |first| mark.made_ms as i64 - first.made_ms as i64);
        mark.created_us = born.saturating_add(after_first.saturating_mul(1_000));
        marks.push(mark);
    }
    if marks.is_empty() { Err(WireError::Truncated) } else { Ok(marks) }
}

impl MarkOrder {
    /// Highest stamp that a mark may have.
    pub(super) const STAMP_MAX: u64 = SEQUENCE_MAX;
}

#[cfg(test)]
mod tests {
    use super::super::{MarkLog, MemoryStore, NewMark};
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    /// Signer whose signatures contain its own number.
    struct Numbered(u8);

    impl Signer for Numbered {
        fn public_key(&self) -> [u8; 32] {
            [self.0; 32]
        }

        fn sign(&self, _: &[u8]) -> [u8; SIGNATURE_BYTES] {
            [self.0; SIGNATURE_BYTES]
        }

        fn verify(&self, public: &[u8; 32], _: &[u8], signature: &[u8; SIGNATURE_BYTES]) -> bool {
            signature[..32] == public[..]
        }
    }

    fn work(drafts: impl IntoIterator<Item = NewMark>) -> (Vec<Mark>, Vec<std::sync::Arc<MarkBatch>>) {
        let mut work = MarkLog::open("ripples", [7; 32], &mut MemoryStore::new(9)).expect("memory");
        for (draft, at) in drafts.into_iter().zip(0..) {
            work.add(Duration::from_millis(5_000 + at), 1_764_000_000_000 + at, draft);
        }
        work.sign_pending(&Numbered(7))
    }

    fn lantern() -> NewMark {
        NewMark { name: "lanterns".into(), at: Some([12.5, 900.0]), seed: 7, said: "{\"hue\":40}".into() }
    }

    /// Checks that signed and stored bytes decode forever. `MOONGATE_BLESS=1` rewrites them, for a new version only.
    #[test]
    fn the_bytes_of_version_1_stay() {
        let (marks, batches) = work([lantern(), NewMark { at: None, said: "{}".into(), ..lantern() }]);
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/wire/marks-1.bin");
        if std::env::var_os("MOONGATE_BLESS").is_some() {
            std::fs::write(&file, &batches[0].bytes).expect("the tree can be written");
        }
        let kept = std::fs::read(&file).expect("tests/wire is in the repository");
        let (batch, read) = MarkBatch::decode_verified("ripples", kept, 5_000_000, &Numbered(1)).expect("it is signed");
        assert_eq!((&batch, read), (&*batches[0], marks));
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out(
            all in prop::collection::vec(("[a-z]{1,32}", any::<Option<(i16, i16)>>(), any::<u32>(), "[^\\x00-\\x1f]{0,900}"), 1..130)
        ) {
            let drafts = all.into_iter().map(|(name, at, seed, said)| {
                NewMark { name, at: at.map(|(x, y)| [f32::from(x), f32::from(y)]), seed, said }
            });
            let (marks, batches) = work(drafts);
            let opened: Vec<Mark> = batches.iter().flat_map(|batch| {
                prop_assert_bytes(batch);
                MarkBatch::decode_verified("ripples", batch.bytes.clone(), batch.created_us, &Numbered(1)).expect("it is signed").1
            }).collect();
            prop_assert_eq!(opened, marks);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let _ = MarkBatch::decode_verified("ripples", bytes, i64::MIN, &Numbered(1));
        }
    }

    fn prop_assert_bytes(batch: &MarkBatch) {
        assert!(batch.bytes.len() <= BATCH_BYTES_MAX, "{}", batch.bytes.len());
    }
}
