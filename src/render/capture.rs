//! Captures of the canvas: copied after drawing, written as a file on a separate thread.

use crate::device::atomic_file::{self, PUBLIC_MODE};
use bevy::render::render_resource::{
    BufferDescriptor, BufferUsages, Extent3d, MapMode, TexelCopyBufferInfo, TexelCopyBufferLayout,
};
use bevy::render::renderer::RenderDevice;
use std::io::Cursor;
use std::path::{Path, PathBuf};

/// Rows of a copied texture begin at multiples of this.
const ROW_ALIGNMENT: u32 = wgpu::COPY_BYTES_PER_ROW_ALIGNMENT;

/// Request to save a frame as a file.
#[derive(Debug, Clone)]
pub struct Capture {
    /// Path of the PNG file.
    pub file: PathBuf,
}

/// Copy of the texture in progress.
pub(super) struct TextureReadback {
    buffer: wgpu::Buffer,
    size: [u32; 2],
    bytes_per_row: u32,
}

/// Adds a copy of the texture to the GPU's commands.
pub(super) fn begin_readback(
    device: &RenderDevice,
    encoder: &mut wgpu::CommandEncoder,
    texture: &wgpu::Texture,
) -> TextureReadback {
    let size = [texture.width(), texture.height()];
    let row = (size[0] * 4).next_multiple_of(ROW_ALIGNMENT);
    let buffer = device.wgpu_device().create_buffer(&BufferDescriptor {
        label: Some("picture"),
        size: u64::from(row) * u64::from(size[1]),
        usage: BufferUsages::COPY_DST | BufferUsages::MAP_READ,
        mapped_at_creation: false,
    });
    let layout = TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(row), rows_per_image: None };
    let to = TexelCopyBufferInfo { buffer: &buffer, layout };
    let extent = Extent3d { width: size[0], height: size[1], depth_or_array_layers: 1 };
    encoder.copy_texture_to_buffer(texture.as_image_copy(), to, extent);
    TextureReadback { buffer, size, bytes_per_row: row }
}

/// Returns the pixels of a mapped copy, without row padding.
fn unpad_rows(copy: &TextureReadback) -> Vec<u8> {
    let rows = copy.buffer.slice(..).get_mapped_range();
    let pixels =
        rows.chunks(copy.bytes_per_row as usize).flat_map(|row| &row[..copy.size[0] as usize * 4]).copied().collect();
    drop(rows);
    copy.buffer.unmap();
    pixels
}

/// Waits until the GPU has made the copy. Call it after the submission.
pub(super) fn read_blocking(copy: TextureReadback, device: &RenderDevice) -> Result<image::RgbaImage, String> {
    let (told, mapped) = std::sync::mpsc::sync_channel(1);
    copy.buffer.slice(..).map_async(MapMode::Read, move |mapped| _ = told.send(mapped));
    device
        .poll(wgpu::PollType::wait_indefinitely())
        .map_err(|why| format!("the graphics device does not answer: {why}"))?;
    let mapped = mapped.recv().map_err(|_| "the graphics device did not give the picture".to_owned())?;
    mapped.map_err(|why| format!("the graphics device did not give the picture: {why}"))?;
    let [width, height] = copy.size;
    image::RgbaImage::from_raw(width, height, unpad_rows(&copy)).ok_or_else(|| "the picture is not whole".to_owned())
}

/// Writes the copy as PNG once the GPU has made it. Call it after the submission.
pub(super) fn save_png(copy: TextureReadback, capture: Capture) {
    let buffer = copy.buffer.clone();
    buffer.slice(..).map_async(MapMode::Read, move |mapped| {
        if mapped.is_err() {
            tracing::warn!("{}: the graphics device did not give the picture", capture.file.display());
            return;
        }
        let pixels = unpad_rows(&copy);
        // Compressing takes longer than a frame.
        let thread = std::thread::Builder::new().name("picture".into());
        let write = move || match write_png(&capture.file, copy.size, pixels) {
            Ok(()) => tracing::debug!("{} is written", capture.file.display()),
            Err(why) => tracing::warn!("{}: cannot be written ({why})", capture.file.display()),
        };
        if thread.spawn(write).is_err() {
            tracing::warn!("a picture was not written: no thread could be started");
        }
    });
}

/// Writes pixels (RGBA, sRGB) as PNG, atomically: readers of the folder never see half a file.
fn write_png(file: &Path, [width, height]: [u32; 2], pixels: Vec<u8>) -> Result<(), Box<dyn std::error::Error>> {
    let pixels = image::RgbaImage::from_raw(width, height, pixels).ok_or("the picture is not whole")?;
    let mut png = Cursor::new(Vec::new());
    image::DynamicImage::from(pixels).into_rgb8().write_to(&mut png, image::ImageFormat::Png)?;
    Ok(atomic_file::replace(file, PUBLIC_MODE, png.get_ref())?)
}
