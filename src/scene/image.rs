//! An image of an installation: decoded once, bounded, ready for a GPU.

use super::fault::ScriptFault;
use super::{IMAGE_SIDE_MAX, PIXELS_MAX};
use image::{ImageReader, Limits};
use std::io::Cursor;
use std::path::Path;

/// Longest file, in bytes.
const FILE_MAX: u64 = 64 << 20;

/// An image, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Its file within the installation.
    pub name: String,
    /// Width and height in pixels.
    pub size: [u32; 2],
    /// Red, green, blue and alpha, a byte each, rows from the top; the colours are multiplied by their alpha.
    pub pixels: Vec<u8>,
    /// A number for what is in it: images with the same are the same.
    pub key: u64,
}

impl Image {
    /// Reads a PNG, JPEG or WebP file. `left`: how many pixels it may have at most.
    pub(super) fn read(file: &Path, name: &str, left: usize) -> Result<Self, ScriptFault> {
        let fault = |problem: String, remedy: &str| ScriptFault::new(name, problem, remedy);
        let unread = |why: std::io::Error| fault(format!("cannot be read ({why})"), "check its rights");
        if std::fs::metadata(file).map_err(unread)?.len() > FILE_MAX {
            return Err(fault("is longer than 64 MiB".into(), "save it smaller"));
        }
        let bytes = std::fs::read(file).map_err(unread)?;
        let mut reader = ImageReader::new(Cursor::new(&bytes)).with_guessed_format().map_err(unread)?;
        let mut limits = Limits::default();
        (limits.max_image_width, limits.max_image_height) = (Some(IMAGE_SIDE_MAX), Some(IMAGE_SIDE_MAX));
        limits.max_alloc = Some(PIXELS_MAX as u64 * 8);
        reader.limits(limits);
        let decoded = reader.decode().map_err(|why| {
            let remedy = "save it anew as PNG, JPEG or WebP, at most 4096 pixels a side";
            fault(format!("is no image that can be shown ({why})"), remedy)
        })?;
        if decoded.width() as usize * decoded.height() as usize > left {
            let problem = format!("is too much: all images have at most {} million pixels", PIXELS_MAX >> 20);
            return Err(fault(problem, "save them smaller; a screen has two million"));
        }
        let size = [decoded.width(), decoded.height()];
        let mut pixels = decoded.into_rgba8().into_raw();
        for pixel in pixels.as_chunks_mut::<4>().0 {
            let alpha = u16::from(pixel[3]);
            for colour in &mut pixel[..3] {
                *colour = ((u16::from(*colour) * alpha + 127) / 255) as u8;
            }
        }
        let key = crate::wire::hash(bytes);
        Ok(Self { name: name.into(), size, pixels, key })
    }
}
