//! What is said between a show and the process that decodes for it: messages as scenes have them, each followed by bytes.

use crate::mix::Frame;
use serde::{Deserialize, Serialize};

/// Longest file of an image, in bytes.
const IMAGE_MAX: u64 = 64 << 20;
/// Longest file of a sound, in bytes.
const SOUND_MAX: u64 = 16 << 20;
/// Bytes of a frame of sound, on the pipe: two numbers of 32 bits, the lowest byte first.
pub(super) const FRAME: usize = size_of::<Frame>();

/// A sort of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Kind {
    Image,
    Sound,
}

impl Kind {
    /// How long its file may be, in bytes.
    pub fn bytes_max(self) -> u64 {
        match self {
            Self::Image => IMAGE_MAX,
            Self::Sound => SOUND_MAX,
        }
    }
}

/// The first message of the process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Hello {
    /// What its jail lacks, for people; none if it is whole.
    pub unjailed: Option<String>,
}

/// A file is to be decoded; its bytes follow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Ask {
    pub kind: Kind,
    /// The ending of its name, in lower case.
    pub ending: String,
    /// Most pixels of an image, or bytes of a sound in memory.
    pub most: u64,
    /// How many bytes follow.
    pub bytes: u64,
}

/// What was decoded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Answer {
    /// An image of this width and height; four bytes a pixel follow.
    Image([u32; 2]),
    /// A sound; its frames follow.
    Sound { rate: u32, frames: u64 },
    /// It has more than was asked for at most.
    TooLarge,
    /// It cannot be decoded, and why.
    Wrong(String),
}
