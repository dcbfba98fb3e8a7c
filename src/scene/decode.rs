//! Images and sounds of an installation as arrays. Whoever reads an edition says who makes them of a file's bytes: those bytes are
//! a stranger's.

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

/// A sound, decoded.
#[derive(Debug, Clone, PartialEq)]
pub struct Sound {
    /// Its file within the installation.
    pub name: String,
    /// What is to be heard, or why nothing is: a scene goes on without one of its sounds.
    pub sample: Result<Arc<Sample>, ScriptFault>,
}

/// What makes arrays of the images and sounds of a folder.
pub trait Decode {
    /// Decodes an image that has at most so many pixels.
    fn image(&mut self, files: &Files, name: &str, pixels_max: usize) -> Result<Image, ScriptFault>;
    /// Decodes a sound that takes at most so many bytes of memory.
    fn sound(&mut self, files: &Files, name: &str, bytes_max: usize) -> Result<Arc<Sample>, ScriptFault>;
}

/// Decodes nothing: for folders that hold no images, and whose sounds nobody hears.
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
