//! Protocol between a show and the process that decodes for it: messages as for scenes, each followed by bytes.

use crate::mix::StereoFrame;
use serde::{Deserialize, Serialize};

/// Longest image file, in bytes.
const IMAGE_FILE_MAX: u64 = 64 << 20;
/// Longest sound file, in bytes.
const SOUND_FILE_MAX: u64 = 16 << 20;
/// Bytes of a frame of sound on the pipe: two 32-bit floats, little-endian.
pub(super) const FRAME_BYTES: usize = size_of::<StereoFrame>();

/// Kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum MediaKind {
    Image,
    Sound,
}

impl MediaKind {
    /// Returns the longest file of this kind, in bytes.
    pub fn bytes_max(self) -> u64 {
        match self {
            Self::Image => IMAGE_FILE_MAX,
            Self::Sound => SOUND_FILE_MAX,
        }
    }
}

/// First message of the process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct DecoderHello {
    /// Missing parts of its sandbox, for people to read; none if it is complete.
    pub unjailed: Option<String>,
}

/// Request to decode a file; its bytes follow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct DecodeRequest {
    pub kind: MediaKind,
    /// Extension of its name, in lower case.
    pub ending: String,
    /// Most pixels of an image, or most bytes of a sound in memory.
    pub most: u64,
    /// Number of bytes that follow.
    pub bytes: u64,
}

/// Result of decoding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum DecodeReply {
    /// An image of this width and height; four bytes per pixel follow.
    Image([u32; 2]),
    /// A sound; its frames follow.
    Sound { rate: u32, frames: u64 },
    /// Larger than the request allows.
    TooLarge,
    /// Cannot be decoded; the reason.
    Wrong(String),
}
