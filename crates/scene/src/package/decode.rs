//! Images and sounds of an installation as arrays. The caller that reads a revision chooses the decoder, because the
//! files' bytes are untrusted.

use crate::diagnostic::SceneDiagnostic;
use moongate_core::audio::AudioBuffer;
use moongate_core::files::ConfinedDir;
use std::sync::Arc;

/// A decoded image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageAsset {
    /// File name within the installation.
    pub name: String,
    /// Width and height in pixels.
    pub size: [u32; 2],
    /// Red, green, blue and alpha, a byte each, rows from the top; the colours are multiplied by their alpha.
    pub pixels: Arc<Vec<u8>>,
    /// Hash of the content: equal images have equal hashes.
    pub content_hash: u64,
}

/// A decoded sound.
#[derive(Debug, Clone, PartialEq)]
pub struct SoundAsset {
    /// File name within the installation.
    pub name: String,
    /// The recording, or the reason it stays silent: a scene continues without one of its sounds.
    pub audio: Result<Arc<AudioBuffer>, SceneDiagnostic>,
}

/// Decoder that turns a folder's images and sounds into arrays.
pub trait AssetDecoder {
    /// Decodes an image of at most `pixels_max` pixels.
    fn decode_image(
        &mut self,
        files: &ConfinedDir,
        name: &str,
        pixels_max: usize,
    ) -> Result<ImageAsset, SceneDiagnostic>;
    /// Decodes a sound that takes at most `bytes_max` bytes of memory.
    fn decode_sound(
        &mut self,
        files: &ConfinedDir,
        name: &str,
        bytes_max: usize,
    ) -> Result<Arc<AudioBuffer>, SceneDiagnostic>;
}

/// Decoder that decodes nothing, for folders without images whose sounds are never played.
pub(super) struct NoDecoder;

impl NoDecoder {
    fn error(name: &str) -> SceneDiagnostic {
        SceneDiagnostic::new(name, "is not decoded here", "read the folder with a decoder")
    }
}

impl AssetDecoder for NoDecoder {
    fn decode_image(&mut self, _: &ConfinedDir, name: &str, _: usize) -> Result<ImageAsset, SceneDiagnostic> {
        Err(Self::error(name))
    }

    fn decode_sound(&mut self, _: &ConfinedDir, name: &str, _: usize) -> Result<Arc<AudioBuffer>, SceneDiagnostic> {
        Err(Self::error(name))
    }
}
