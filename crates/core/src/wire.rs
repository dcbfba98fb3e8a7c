//! Bytes on the wire: typed, length-delimited frames, and a reader that cannot run past its end.
//!
//! A datagram is a sequence of frames: one byte of type, a variable-length size, the payload. A frame of unknown type
//! is skipped by its size, so that a newer site can talk to an older one. Integers are little-endian; variable-length
//! ones are LEB128.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use thiserror::Error;

/// Most addresses that are sent, or kept, of one site.
pub const ADDRESSES_MAX: usize = 8;

/// Reason why bytes from outside could not be read. The fault is always the sender's; it never causes a panic here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum WireError {
    /// The bytes ended before the value did.
    #[error("the bytes end in the middle of a value")]
    Truncated,
    /// A value lies outside the range of its field.
    #[error("a value is outside of its bounds")]
    OutOfRange,
    /// Text is not UTF-8.
    #[error("text is not UTF-8")]
    InvalidText,
}

/// Reads values from a slice, front to back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireReader<'a> {
    remaining: &'a [u8],
}

impl<'a> WireReader<'a> {
    /// Returns a reader over all of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { remaining: bytes }
    }

    /// Returns the number of bytes not read yet.
    pub fn remaining(&self) -> usize {
        self.remaining.len()
    }

    /// Reads `count` bytes.
    pub fn bytes(&mut self, count: usize) -> Result<&'a [u8], WireError> {
        let (head, tail) = self.remaining.split_at_checked(count).ok_or(WireError::Truncated)?;
        self.remaining = tail;
        Ok(head)
    }

    /// Reads `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let (head, tail) = self.remaining.split_first_chunk::<N>().ok_or(WireError::Truncated)?;
        self.remaining = tail;
        Ok(*head)
    }

    /// Reads one byte.
    pub fn u8(&mut self) -> Result<u8, WireError> {
        Ok(self.array::<1>()?[0])
    }

    /// Reads two bytes.
    pub fn u16(&mut self) -> Result<u16, WireError> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    /// Reads four bytes.
    pub fn u32(&mut self) -> Result<u32, WireError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// Reads eight bytes.
    pub fn u64(&mut self) -> Result<u64, WireError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// Reads a LEB128 integer of at most ten bytes.
    pub fn varint(&mut self) -> Result<u64, WireError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(WireError::OutOfRange);
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(WireError::OutOfRange)
    }

    /// Reads a LEB128 integer that counts something, at most `max`.
    pub fn count(&mut self, max: usize) -> Result<usize, WireError> {
        let value = usize::try_from(self.varint()?).map_err(|_| WireError::OutOfRange)?;
        if value > max { Err(WireError::OutOfRange) } else { Ok(value) }
    }

    /// Reads text with its length before it, at most `max` bytes.
    pub fn text(&mut self, max: usize) -> Result<&'a str, WireError> {
        let count = self.count(max)?;
        std::str::from_utf8(self.bytes(count)?).map_err(|_| WireError::InvalidText)
    }

    /// Reads the next frame as its type and payload; `None` at the end.
    pub fn frame(&mut self) -> Result<Option<(u8, WireReader<'a>)>, WireError> {
        if self.remaining.is_empty() {
            return Ok(None);
        }
        let kind = self.u8()?;
        let count = self.count(self.remaining.len())?;
        Ok(Some((kind, WireReader::new(self.bytes(count)?))))
    }
}

/// Appends values to a byte vector; the counterpart of [`WireReader`].
pub trait WireWrite {
    /// Appends one byte.
    fn put_u8(&mut self, value: u8);
    /// Appends two bytes.
    fn put_u16(&mut self, value: u16);
    /// Appends four bytes.
    fn put_u32(&mut self, value: u32);
    /// Appends eight bytes.
    fn put_u64(&mut self, value: u64);
    /// Appends a LEB128 integer.
    fn put_varint(&mut self, value: u64);
    /// Appends text with its length before it.
    fn put_text(&mut self, value: &str);
    /// Appends a frame: its type, its length, its payload.
    fn put_frame(&mut self, kind: u8, payload: &[u8]);
}

impl WireWrite for Vec<u8> {
    fn put_u8(&mut self, value: u8) {
        self.push(value);
    }

    fn put_u16(&mut self, value: u16) {
        self.extend_from_slice(&value.to_le_bytes());
    }

    fn put_u32(&mut self, value: u32) {
        self.extend_from_slice(&value.to_le_bytes());
    }

    fn put_u64(&mut self, value: u64) {
        self.extend_from_slice(&value.to_le_bytes());
    }

    fn put_varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        self.push(value.to_le_bytes()[0]);
    }

    fn put_text(&mut self, value: &str) {
        self.put_varint(value.len() as u64);
        self.extend_from_slice(value.as_bytes());
    }

    fn put_frame(&mut self, kind: u8, payload: &[u8]) {
        self.push(kind);
        self.put_varint(payload.len() as u64);
        self.extend_from_slice(payload);
    }
}

/// Appends an address and its port.
pub fn write_address(out: &mut Vec<u8>, address: SocketAddr) {
    match address.ip() {
        IpAddr::V4(ip) => {
            out.put_u8(4);
            out.extend_from_slice(&ip.octets());
        }
        IpAddr::V6(ip) => {
            out.put_u8(6);
            out.extend_from_slice(&ip.octets());
        }
    }
    out.put_u16(address.port());
}

/// Reads an address and its port as written by [`write_address`].
pub fn read_address(from: &mut WireReader) -> Result<SocketAddr, WireError> {
    let ip = match from.u8()? {
        4 => Ipv4Addr::from_octets(from.array()?).into(),
        6 => Ipv6Addr::from_octets(from.array()?).into(),
        _ => return Err(WireError::OutOfRange),
    };
    Ok(SocketAddr::new(ip, from.u16()?))
}

/// Returns a hash (FNV-1a) for names and places, the same on every machine; not for security.
pub fn fnv1a(bytes: impl IntoIterator<Item = u8>) -> u64 {
    bytes.into_iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Returns the bytes that a frame with this payload takes.
pub fn framed_len(payload: usize) -> usize {
    let size = if payload < 0x80 {
        1
    } else if payload < 0x4000 {
        2
    } else {
        10
    };
    1 + size + payload
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_goes_in_comes_out(number in any::<u64>(), text in ".{0,40}", payload in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut bytes = Vec::new();
            bytes.put_varint(number);
            bytes.put_text(&text);
            let before = bytes.len();
            bytes.put_frame(9, &payload);
            prop_assert_eq!(bytes.len() - before, framed_len(payload.len()));
            let mut reader = WireReader::new(&bytes);
            prop_assert_eq!(reader.varint()?, number);
            prop_assert_eq!(reader.text(4 * 40)?, text);
            let (kind, mut inner) = reader.frame()?.expect("a frame was written");
            prop_assert_eq!(kind, 9);
            prop_assert_eq!(inner.bytes(inner.remaining())?, &payload[..]);
            prop_assert!(reader.frame()?.is_none());
        }

        #[test]
        fn arbitrary_bytes_end(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut reader = WireReader::new(&bytes);
            while let Ok(Some(_)) = reader.frame() {}
        }
    }
}
