//! The canvas: one texture that is drawn into and that every screen shows a part of.

use super::frame_stats::FrameStats;
use bevy::asset::RenderAssetUsages;
use bevy::image::ImageSampler;
use bevy::prelude::*;
use bevy::render::render_resource::{Extent3d, TextureDimension, TextureFormat, TextureUsages};
use std::time::Duration;

/// The canvas: one texture that every screen shows a part of.
#[derive(Resource, Clone)]
pub struct CanvasTexture {
    /// The texture.
    pub image: Handle<Image>,
    /// Size in canvas units.
    pub size: [f32; 2],
    /// Pixels of the texture per canvas unit.
    pub pixels_per_unit: f32,
    pub(super) frame_stats: FrameStats,
    pub(super) shader_time_max: Duration,
}

/// Creates the texture of a canvas, of this size in pixels.
/// Screens sample it as sRGB; it is drawn through a view without sRGB, as the plain numbers that colours are written
/// in.
pub(super) fn create_canvas_image([width, height]: [u32; 2]) -> Image {
    let extent = Extent3d { width, height, depth_or_array_layers: 1 };
    let format = TextureFormat::Rgba8UnormSrgb;
    let mut image = Image::new_uninit(extent, TextureDimension::D2, format, RenderAssetUsages::RENDER_WORLD);
    image.texture_descriptor.usage = TextureUsages::TEXTURE_BINDING
        | TextureUsages::RENDER_ATTACHMENT
        | TextureUsages::COPY_SRC
        | TextureUsages::COPY_DST;
    image.texture_descriptor.view_formats = &[TextureFormat::Rgba8Unorm];
    image.sampler = ImageSampler::linear();
    image
}
