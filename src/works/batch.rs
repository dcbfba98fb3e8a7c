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

#[cfg(test)]
mod tests {
    use super::super::{Draft, Memory, Work};
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    /// Signs with its own number.
    struct Numbered(u8);

    impl Seal for Numbered {
        fn public(&self) -> [u8; 32] {
            [self.0; 32]
        }

        fn sign(&self, _: &[u8]) -> [u8; SIGNATURE] {
            [self.0; SIGNATURE]
        }

        fn verify(&self, public: &[u8; 32], _: &[u8], signature: &[u8; SIGNATURE]) -> bool {
            signature[..32] == public[..]
        }
    }

    fn work(drafts: impl IntoIterator<Item = Draft>) -> (Vec<Mark>, Vec<std::sync::Arc<Batch>>) {
        let mut work = Work::open("ripples", [7; 32], &mut Memory::new(9)).expect("memory");
        for (draft, at) in drafts.into_iter().zip(0..) {
            work.add(Duration::from_millis(5_000 + at), 1_764_000_000_000 + at, draft);
        }
        work.seal(&Numbered(7))
    }

    fn lantern() -> Draft {
        Draft { name: "lanterns".into(), at: Some([12.5, 900.0]), seed: 7, said: "{\"hue\":40}".into() }
    }

    /// The bytes that are signed and kept decode for ever. `MOONGATE_BLESS=1` writes them anew, for a new version only.
    #[test]
    fn the_bytes_of_version_1_stay() {
        let (marks, batches) = work([lantern(), Draft { at: None, said: "{}".into(), ..lantern() }]);
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire/marks-1.bin");
        if std::env::var_os("MOONGATE_BLESS").is_some() {
            std::fs::write(&file, &batches[0].bytes).expect("the tree can be written");
        }
        let kept = std::fs::read(&file).expect("tests/wire is in the repository");
        let (batch, read) = Batch::open("ripples", kept, 5_000_000, &Numbered(1)).expect("it is signed");
        assert_eq!((&batch, read), (&*batches[0], marks));
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out(
            all in prop::collection::vec(("[a-z]{1,32}", any::<Option<(i16, i16)>>(), any::<u32>(), "[^\\x00-\\x1f]{0,900}"), 1..130)
        ) {
            let drafts = all.into_iter().map(|(name, at, seed, said)| {
                Draft { name, at: at.map(|(x, y)| [f32::from(x), f32::from(y)]), seed, said }
            });
            let (marks, batches) = work(drafts);
            let opened: Vec<Mark> = batches.iter().flat_map(|batch| {
                prop_assert_bytes(batch);
                Batch::open("ripples", batch.bytes.clone(), batch.born, &Numbered(1)).expect("it is signed").1
            }).collect();
            prop_assert_eq!(opened, marks);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let _ = Batch::open("ripples", bytes, i64::MIN, &Numbered(1));
        }
    }

    fn prop_assert_bytes(batch: &Batch) {
        assert!(batch.bytes.len() <= BATCH_MAX, "{}", batch.bytes.len());
    }
}
