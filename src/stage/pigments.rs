//! What flat things are filled with besides plain colours: letters, gradients, images, as one bind group for each image.

use super::text::ATLAS;
use crate::scene::{Along, Edition, GRADIENTS_MAX, Gradient, Image};
use bevy::prelude::*;
use bevy::render::render_resource::{
    BindGroup, BindGroupEntries, BindGroupLayout, BindGroupLayoutEntry, Buffer, BufferDescriptor, BufferUsages,
    Extent3d, FilterMode, Sampler, SamplerDescriptor, TexelCopyBufferLayout, Texture, TextureDescriptor,
    TextureDimension, TextureFormat, TextureUsages, TextureView, TextureViewDescriptor,
};
use bevy::render::renderer::{RenderDevice, RenderQueue};
use bytemuck::{Pod, Zeroable};
use std::collections::HashMap;

/// Texels of a gradient's row, as `shaders/canvas.wgsl` has it.
const RAMP: u32 = 256;

/// A gradient as `shaders/canvas.wgsl` reads it.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
struct Placed {
    matrix: [f32; 4],
    shift: [f32; 2],
    along: f32,
    unused: f32,
}

/// What flat things are filled with.
pub(super) struct Pigments {
    layout: BindGroupLayout,
    engine: Buffer,
    linear: Sampler,
    letters: Texture,
    placed: Buffer,
    ramps: Texture,
    /// The gradients that are there.
    gradients: Vec<Gradient>,
    /// What is bound where no image is drawn.
    none: BindGroup,
    /// Images by their keys; they are made when they are first drawn.
    images: HashMap<u64, BindGroup>,
}

impl Pigments {
    /// `entries`: what binds the engine's uniforms, three textures, a sampler and gradients, in the order of the shader.
    pub fn new(device: &RenderDevice, entries: &[BindGroupLayoutEntry], engine: &Buffer) -> Self {
        let layout = device.create_bind_group_layout("canvas", entries);
        let letters = texture(device, "letters", [ATLAS, ATLAS], TextureFormat::R8Unorm);
        let ramps = texture(device, "gradients", [RAMP, GRADIENTS_MAX as u32], TextureFormat::Rgba8Unorm);
        let placed = device.create_buffer(&BufferDescriptor {
            label: Some("gradients"),
            size: (GRADIENTS_MAX * size_of::<Placed>()) as u64,
            usage: BufferUsages::UNIFORM | BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let linear = device.create_sampler(&SamplerDescriptor {
            mag_filter: FilterMode::Linear,
            min_filter: FilterMode::Linear,
            ..Default::default()
        });
        let blank = view(&texture(device, "no image", [1, 1], TextureFormat::Rgba8Unorm));
        let none = group(device, &layout, (engine, &linear, &letters, &placed, &ramps), &blank);
        let (engine, images, gradients) = (engine.clone(), HashMap::new(), Vec::new());
        Self { layout, engine, linear, letters, placed, ramps, gradients, none, images }
    }

    /// What a pipeline's layout is made of.
    pub fn layout(&self) -> &BindGroupLayout {
        &self.layout
    }

    /// Takes the letters' coverage.
    pub fn letters(&self, queue: &RenderQueue, pixels: &[u8]) {
        write(queue, &self.letters, pixels, [ATLAS, ATLAS], 1);
    }

    /// Takes a picture's gradients.
    pub fn gradients(&mut self, queue: &RenderQueue, gradients: &[Gradient]) {
        if gradients.is_empty() || gradients == self.gradients {
            return;
        }
        self.gradients = gradients.to_vec();
        let placed: Vec<Placed> = gradients.iter().map(Placed::of).collect();
        queue.write_buffer(&self.placed, 0, bytemuck::cast_slice(&placed));
        let colour = |gradient: &Gradient, i: u32| gradient.at(i as f32 / (RAMP - 1) as f32).0;
        let rows = gradients.iter().flat_map(|gradient| (0..RAMP).flat_map(move |i| colour(gradient, i)));
        write(queue, &self.ramps, &rows.collect::<Vec<u8>>(), [RAMP, gradients.len() as u32], 4);
    }

    /// Forgets the images of editions before.
    pub fn only(&mut self, edition: Option<&Edition>) {
        self.images
            .retain(|key, _| edition.is_some_and(|edition| edition.images.iter().any(|image| image.key == *key)));
    }

    /// What is bound for a run in which this image is drawn, or none.
    pub fn group(&mut self, device: &RenderDevice, queue: &RenderQueue, image: Option<&Image>) -> BindGroup {
        let Some(image) = image else { return self.none.clone() };
        if let Some(known) = self.images.get(&image.key) {
            return known.clone();
        }
        let made = texture(device, &image.name, image.size, TextureFormat::Rgba8Unorm);
        write(queue, &made, &image.pixels, image.size, 4);
        let shared = (&self.engine, &self.linear, &self.letters, &self.placed, &self.ramps);
        let made = group(device, &self.layout, shared, &view(&made));
        self.images.insert(image.key, made.clone());
        made
    }
}

impl Placed {
    fn of(gradient: &Gradient) -> Self {
        let [a, b, c, d, e, f] = gradient.place;
        let along = match gradient.along {
            Along::Line => 0.0,
            Along::Radius => 1.0,
            Along::Angle => 2.0,
        };
        Self { matrix: [a, b, c, d], shift: [e, f], along, unused: 0.0 }
    }
}

/// A texture to be written and looked at, of so many pixels.
pub(super) fn texture(device: &RenderDevice, label: &str, [width, height]: [u32; 2], format: TextureFormat) -> Texture {
    device.create_texture(&TextureDescriptor {
        label: Some(label),
        size: Extent3d { width, height, depth_or_array_layers: 1 },
        mip_level_count: 1,
        sample_count: 1,
        dimension: TextureDimension::D2,
        format,
        usage: TextureUsages::TEXTURE_BINDING | TextureUsages::COPY_DST,
        view_formats: &[],
    })
}

pub(super) fn view(texture: &Texture) -> TextureView {
    texture.create_view(&TextureViewDescriptor::default())
}

fn write(queue: &RenderQueue, texture: &Texture, pixels: &[u8], [width, height]: [u32; 2], bytes: u32) {
    let layout = TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(width * bytes), rows_per_image: None };
    let size = Extent3d { width, height, depth_or_array_layers: 1 };
    queue.write_texture(texture.as_image_copy(), pixels, layout, size);
}

fn group(
    device: &RenderDevice,
    layout: &BindGroupLayout,
    (engine, linear, letters, placed, ramps): (&Buffer, &Sampler, &Texture, &Buffer, &Texture),
    image: &TextureView,
) -> BindGroup {
    let (letters, ramps) = (view(letters), view(ramps));
    let (engine, placed) = (engine.as_entire_binding(), placed.as_entire_binding());
    let entries = BindGroupEntries::sequential((engine, &letters, linear, placed, &ramps, image));
    device.create_bind_group("canvas", layout, &entries)
}
