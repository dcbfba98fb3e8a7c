//! One mark, its writer, and its place in the order of all marks.

use super::{NAME_MAX, PAYLOAD_MAX};
use crate::wire::{WireError, WireReader, WireWrite};
use serde::{Deserialize, Serialize};

/// Identifier of a writer of marks: a site and the random id of its store.
///
/// A lost disk means a new store id, so it never reuses a sequence number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WriterId {
    /// Public key of the site.
    pub site: [u8; 32],
    /// Random id of the store, created with it.
    pub store: u64,
}

/// Place of a mark among all marks of an installation, the same in both cities.
///
/// It is after everything that its writer had seen. No two marks have the same place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MarkOrder {
    /// Lamport timestamp.
    pub stamp: u64,
    /// Writer, which orders two marks whose writers had not seen each other's.
    pub writer: WriterId,
}

/// A mark that a visitor has left.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    /// Its place in the order, and its writer.
    pub order: MarkOrder,
    /// Its sequence number at its writer.
    pub sequence: u64,
    /// Time of creation by the maker's wall clock: milliseconds since 1970, UTC. For archives; `created_us` is for
    /// scenes.
    pub made_ms: u64,
    /// Time of creation by this machine's monotonic clock, in microseconds; negative if before the clock's origin.
    pub created_us: i64,
    /// Random number, the same in both cities.
    pub seed: u32,
    /// Name of its collection in the manifest.
    pub name: String,
    /// Its position in canvas units on its maker's canvas; none if it has no position.
    pub at: Option<[f32; 2]>,
    /// Other data of the scene about it, as JSON.
    pub payload: String,
}

impl Mark {
    /// Returns its approximate size in the memory of a script engine, in bytes.
    pub fn weight(&self) -> usize {
        let nodes = self.payload.bytes().map(|byte| match byte {
            b'[' | b'{' => 100,
            b':' => 40,
            b',' => 16,
            _ => 1,
        });
        400 + self.name.len() + nodes.sum::<usize>()
    }

    /// Appends its signed bytes. `before`: stamp and time of the previous mark.
    pub(super) fn encode(&self, before: (u64, u64), out: &mut Vec<u8>) {
        out.put_varint(self.order.stamp - before.0);
        // A wall clock may go back.
        let later = self.made_ms as i64 - before.1 as i64;
        out.put_varint(((later << 1) ^ (later >> 63)) as u64);
        out.put_u32(self.seed);
        out.put_text(&self.name);
        out.put_u8(u8::from(self.at.is_some()));
        for axis in self.at.into_iter().flatten() {
            out.put_u32(axis.to_bits());
        }
        out.put_text(&self.payload);
    }

    /// Reads the bytes that [`encode`](Self::encode) wrote. Its stamp is above `before`, since a writer's stamps
    /// rise.
    pub(super) fn decode(
        from: &mut WireReader,
        (writer, sequence): (WriterId, u64),
        before: (u64, u64),
    ) -> Result<Self, WireError> {
        let stamp =
            before.0.checked_add(from.varint()?).filter(|stamp| *stamp > before.0).ok_or(WireError::OutOfRange)?;
        let later = from.varint()?;
        let later = (later >> 1) as i64 ^ -((later & 1) as i64);
        let made_ms = before.1.checked_add_signed(later).filter(|ms| *ms < 1 << 53).ok_or(WireError::OutOfRange)?;
        let seed = from.u32()?;
        let name = from.text(NAME_MAX)?.to_owned();
        let at = match from.u8()? {
            0 => None,
            _ => Some([f32::from_bits(from.u32()?), f32::from_bits(from.u32()?)]),
        };
        if !at.iter().flatten().all(|axis| axis.is_finite() && axis.abs() < 1e5) {
            return Err(WireError::OutOfRange);
        }
        let said = from.text(PAYLOAD_MAX)?.to_owned();
        // JSON escapes all control characters, and each would take six letters when it is passed on.
        if said.bytes().any(|byte| byte < 0x20) {
            return Err(WireError::InvalidText);
        }
        Ok(Self { order: MarkOrder { stamp, writer }, sequence, made_ms, created_us: 0, seed, name, at, payload: said })
    }
}
