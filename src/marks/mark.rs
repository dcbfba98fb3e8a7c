//! One mark, who made it, and where it stands among the others.

use super::{NAME_MAX, PAYLOAD_MAX};
use crate::wire::{WireError, WireReader, WireWrite};

/// Who numbers marks: a site, and the random id of where it keeps them, so that a lost disk never reuses a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WriterId {
    /// The site's public key.
    pub site: [u8; 32],
    /// Random, as old as the store.
    pub store: u64,
}

/// Where a mark stands among all marks of a work, the same in both cities: after everything that its writer had seen.
/// No two marks have the same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MarkOrder {
    /// Lamport's timestamp.
    pub stamp: u64,
    /// Which of two comes first that did not know of each other.
    pub writer: WriterId,
}

/// One thing that a visitor has left.
#[derive(Debug, Clone, PartialEq)]
pub struct Mark {
    /// Who made it, and after what.
    pub order: MarkOrder,
    /// Its number at its writer.
    pub sequence: u64,
    /// When it was made, by the maker's wall clock: milliseconds since 1970, UTC. For archives; `born` is for scenes.
    pub made_ms: u64,
    /// When it was made, by this machine's monotonic clock in microseconds; negative when that was before its origin.
    pub created_us: i64,
    /// Random, the same in both cities.
    pub seed: u32,
    /// What the manifest calls it.
    pub name: String,
    /// Where it is, in canvas units, as its maker has it; none if it is nowhere.
    pub at: Option<[f32; 2]>,
    /// All else that the scene said of it, as JSON.
    pub payload: String,
}

impl Mark {
    /// What it takes in the memory of a script's engine, in bytes, about.
    pub fn weight(&self) -> usize {
        let nodes = self.payload.bytes().map(|byte| match byte {
            b'[' | b'{' => 100,
            b':' => 40,
            b',' => 16,
            _ => 1,
        });
        400 + self.name.len() + nodes.sum::<usize>()
    }

    /// Appends what is signed of it. `before`: stamp and time of the mark before it.
    pub(super) fn encode(&self, before: (u64, u64), out: &mut Vec<u8>) {
        out.put_varint(self.order.stamp - before.0);
        // Wall clocks go back now and then.
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

    /// Reads what [`encode`](Self::encode) wrote. Its stamp is above `before`, as a writer's stamps are.
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
        // JSON has none that is not escaped, and each would be six letters where it is told on.
        if said.bytes().any(|byte| byte < 0x20) {
            return Err(WireError::InvalidText);
        }
        Ok(Self { order: MarkOrder { stamp, writer }, sequence, made_ms, created_us: 0, seed, name, at, payload: said })
    }
}
