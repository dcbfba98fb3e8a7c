//! Materials of shapes: glyphs, gradients and images, as one bind group per image.

use super::targets::{create_texture, create_view};
use super::text::ATLAS_SIDE;
use crate::scene::{GRADIENTS_MAX, Gradient, GradientKind, ImageAsset, SceneRevision};
use bevy::prelude::*;
use bevy::render::render_resource::{
    BindGroup, BindGroupEntries, BindGroupLayout, BindGroupLayoutEntry, Buffer, BufferDescriptor, BufferUsages,
    Extent3d, FilterMode, Sampler, SamplerDescriptor, TexelCopyBufferLayout, Texture, TextureFormat, TextureView,
};
use bevy::render::renderer::{RenderDevice, RenderQueue};
use bytemuck::{Pod, Zeroable};
use std::collections::HashMap;

/// Texels of a gradient's row, as in `shaders/canvas.wgsl`.
const RAMP_WIDTH: u32 = 256;

/// A gradient as `shaders/canvas.wgsl` reads it.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
struct GradientUniform {
    matrix: [f32; 4],
    shift: [f32; 2],
    along: f32,
    unused: f32,
}

/// Glyph atlas, gradients and images.
pub(super) struct CanvasMaterials {
    layout: BindGroupLayout,
    engine: Buffer,
    linear: Sampler,
    glyph_atlas: Texture,
    gradient_uniforms: Buffer,
    ramps: Texture,
    /// Gradients uploaded last.
    gradients: Vec<Gradient>,
    /// Bind group of runs without an image.
    without_image: BindGroup,
    /// Images by content hash, created when first drawn.
    images: HashMap<u64, BindGroup>,
}

impl CanvasMaterials {
    /// Creates the materials. `entries` bind the engine's uniforms, three textures, a sampler and gradients, in the
    /// shader's order.
    pub fn new(device: &RenderDevice, entries: &[BindGroupLayoutEntry], engine: &Buffer) -> Self {
        let layout = device.create_bind_group_layout("canvas", entries);
        let letters = create_texture(device, "letters", [ATLAS_SIDE, ATLAS_SIDE], TextureFormat::R8Unorm);
        let ramps = create_texture(device, "gradients", [RAMP_WIDTH, GRADIENTS_MAX as u32], TextureFormat::Rgba8Unorm);
        let placed = device.create_buffer(&BufferDescriptor {
            label: Some("gradients"),
            size: (GRADIENTS_MAX * size_of::<GradientUniform>()) as u64,
            usage: BufferUsages::UNIFORM | BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let linear = device.create_sampler(&SamplerDescriptor {
            mag_filter: FilterMode::Linear,
            min_filter: FilterMode::Linear,
            ..Default::default()
        });
        let blank = create_view(&create_texture(device, "no image", [1, 1], TextureFormat::Rgba8Unorm));
        let none = create_bind_group(device, &layout, (engine, &linear, &letters, &placed, &ramps), &blank);
        let (engine, images, gradients) = (engine.clone(), HashMap::new(), Vec::new());
        Self {
            layout,
            engine,
            linear,
            glyph_atlas: letters,
            gradient_uniforms: placed,
            ramps,
            gradients,
            without_image: none,
            images,
        }
    }

    /// Returns the bind group layout for pipelines.
    pub fn layout(&self) -> &BindGroupLayout {
        &self.layout
    }

    /// Uploads the glyph atlas.
    pub fn upload_glyphs(&self, queue: &RenderQueue, pixels: &[u8]) {
        write_texture(queue, &self.glyph_atlas, pixels, [ATLAS_SIDE, ATLAS_SIDE], 1);
    }

    /// Uploads a frame's gradients if they have changed.
    pub fn upload_gradients(&mut self, queue: &RenderQueue, gradients: &[Gradient]) {
        if gradients.is_empty() || gradients == self.gradients {
            return;
        }
        self.gradients = gradients.to_vec();
        let placed: Vec<GradientUniform> = gradients.iter().map(GradientUniform::of).collect();
        queue.write_buffer(&self.gradient_uniforms, 0, bytemuck::cast_slice(&placed));
        let colour = |gradient: &Gradient, i: u32| gradient.colour_at(i as f32 / (RAMP_WIDTH - 1) as f32).0;
        let rows = gradients.iter().flat_map(|gradient| (0..RAMP_WIDTH).flat_map(move |i| colour(gradient, i)));
        write_texture(queue, &self.ramps, &rows.collect::<Vec<u8>>(), [RAMP_WIDTH, gradients.len() as u32], 4);
    }

    /// Drops the images of previous editions.
    pub fn retain_images(&mut self, edition: Option<&SceneRevision>) {
        self.images.retain(|key, _| {
            edition.is_some_and(|edition| edition.images.iter().any(|image| image.content_hash == *key))
        });
    }

    /// Returns the bind group of a run with this image, or without one.
    pub fn bind_image(&mut self, device: &RenderDevice, queue: &RenderQueue, image: Option<&ImageAsset>) -> BindGroup {
        let Some(image) = image else { return self.without_image.clone() };
        if let Some(known) = self.images.get(&image.content_hash) {
            return known.clone();
        }
        let made = create_texture(device, &image.name, image.size, TextureFormat::Rgba8Unorm);
        write_texture(queue, &made, &image.pixels, image.size, 4);
        let shared = (&self.engine, &self.linear, &self.glyph_atlas, &self.gradient_uniforms, &self.ramps);
        let made = create_bind_group(device, &self.layout, shared, &create_view(&made));
        self.images.insert(image.content_hash, made.clone());
        made
    }
}

impl GradientUniform {
    fn of(gradient: &Gradient) -> Self {
        let [a, b, c, d, e, f] = gradient.place;
        let along = match gradient.along {
            GradientKind::Line => 0.0,
            GradientKind::Radius => 1.0,
            GradientKind::Angle => 2.0,
        };
        Self { matrix: [a, b, c, d], shift: [e, f], along, unused: 0.0 }
    }
}

fn write_texture(queue: &RenderQueue, texture: &Texture, pixels: &[u8], [width, height]: [u32; 2], bytes: u32) {
    let layout = TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(width * bytes), rows_per_image: None };
    let size = Extent3d { width, height, depth_or_array_layers: 1 };
    queue.write_texture(texture.as_image_copy(), pixels, layout, size);
}

fn create_bind_group(
    device: &RenderDevice,
    layout: &BindGroupLayout,
    (engine, linear, letters, placed, ramps): (&Buffer, &Sampler, &Texture, &Buffer, &Texture),
    image: &TextureView,
) -> BindGroup {
    let (letters, ramps) = (create_view(letters), create_view(ramps));
    let (engine, placed) = (engine.as_entire_binding(), placed.as_entire_binding());
    let entries = BindGroupEntries::sequential((engine, &letters, linear, placed, &ramps, image));
    device.create_bind_group("canvas", layout, &entries)
}
