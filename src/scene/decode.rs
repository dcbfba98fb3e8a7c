//! Images and sounds of an installation as arrays. The caller that reads an edition chooses the decoder, because the files'
//! bytes are untrusted.

use super::fault::ScriptFault;
use crate::files::Files;
use crate::mix::Sample;
use std::sync::Arc;

/// An image, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Its file within the installation.
    pub name: String,
    /// Width and height in pixels.
    pub size: [u32; 2],
    /// Red, green, blue and alpha, a byte each, rows from the top; the colours are multiplied by their alpha.
    pub pixels: Arc<Vec<u8>>,
    /// A number for what is in it: images with the same are the same.
    pub key: u64,
}

/// A decoded sound.
#[derive(Debug, Clone, PartialEq)]
pub struct Sound {
    /// Its file within the installation.
    pub name: String,
    /// The recording, or the reason it stays silent: a scene continues without one of its sounds.
    pub sample: Result<Arc<Sample>, ScriptFault>,
}

/// Decoder that turns a folder's images and sounds into arrays.
pub trait Decode {
    /// Decodes an image of at most `pixels_max` pixels.
    fn image(&mut self, files: &Files, name: &str, pixels_max: usize) -> Result<Image, ScriptFault>;
    /// Decodes a sound that takes at most `bytes_max` bytes of memory.
    fn sound(&mut self, files: &Files, name: &str, bytes_max: usize) -> Result<Arc<Sample>, ScriptFault>;
}

/// Decoder that decodes nothing: for folders without images whose sounds are never played.
pub(super) struct Undecoded;

impl Undecoded {
    fn fault(name: &str) -> ScriptFault {
        ScriptFault::new(name, "is not decoded here", "read the folder with a decoder")
    }
}

impl Decode for Undecoded {
    fn image(&mut self, _: &Files, name: &str, _: usize) -> Result<Image, ScriptFault> {
        Err(Self::fault(name))
    }

    fn sound(&mut self, _: &Files, name: &str, _: usize) -> Result<Arc<Sample>, ScriptFault> {
        Err(Self::fault(name))
    }
}
