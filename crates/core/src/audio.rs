//! Recorded sound: stereo frames in memory.

/// A left and a right value, -1 to 1.
pub type StereoFrame = [f32; 2];

/// Slowest and fastest sample rate of a playable recording, in frames per second.
pub const SAMPLE_RATES: std::ops::RangeInclusive<u32> = 4_000..=192_000;
/// Maximum number of channels of a recording; only the first two are heard.
pub const CHANNELS_MAX: u16 = 8;

/// A recorded sound.
#[derive(Debug, Clone, PartialEq)]
pub struct AudioBuffer {
    /// Frames.
    pub frames: Vec<StereoFrame>,
    /// Frames a second.
    pub rate: u32,
}

impl AudioBuffer {
    /// Returns the memory it takes, in bytes.
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.frames)
    }
}
