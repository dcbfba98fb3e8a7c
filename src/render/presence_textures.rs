//! Presence of both sites as textures for artists' shaders: people as a mask, motion as a vector field.

use super::targets::{create_texture, create_view};
use crate::presence::MOTION_GRID;
use bevy::prelude::*;
use bevy::render::render_resource::{
    AddressMode, Extent3d, FilterMode, Sampler, SamplerDescriptor, TexelCopyBufferLayout, Texture, TextureFormat,
    TextureView,
};
use bevy::render::renderer::{RenderDevice, RenderQueue};
use half::f16;
use std::sync::Arc;

/// Maximum side of a mask; every graphics device supports it.
const SIDE_MAX: usize = 2_048;
const BLACK: &[u8] = &[0];

/// People and motion in front of one site, mapped to the canvas. Both cover it from edge to edge, first row on top.
#[derive(Debug, Clone, Default)]
pub struct PresenceMap {
    /// Changes with the content; the same version is uploaded once.
    pub version: u64,
    /// Columns of the mask. A mask whose length does not match, or with a side above 2,048, counts as empty.
    pub width: usize,
    /// Rows of the mask.
    pub height: usize,
    /// One byte per texel: 255 where a person is.
    pub mask: Vec<u8>,
    /// Velocity in canvas units per second, 32 × 18 cells; a field of another length counts as no motion.
    pub flow: Vec<[f32; 2]>,
}

impl PresenceMap {
    /// Returns the mask's size and bytes; one black texel if there is none.
    fn mask_texels(&self) -> ([u32; 2], &[u8]) {
        let sides = 1..=SIDE_MAX;
        let whole =
            sides.contains(&self.width) && sides.contains(&self.height) && self.mask.len() == self.width * self.height;
        if whole { ([self.width as u32, self.height as u32], self.mask.as_slice()) } else { ([1, 1], BLACK) }
    }

    /// Returns the motion field's size and texels, in half precision.
    fn flow_texels(&self) -> ([u32; 2], Vec<[f16; 4]>) {
        if self.flow.len() != MOTION_GRID[0] * MOTION_GRID[1] {
            return ([1, 1], vec![[f16::ZERO; 4]]);
        }
        let texel = |[x, y]: &[f32; 2]| [to_half(*x), to_half(*y), f16::ZERO, f16::ZERO];
        (MOTION_GRID.map(|side| side as u32), self.flow.iter().map(texel).collect())
    }
}

/// Sets the presence of this site (0) or of the twin (1). It is uploaded once a frame has a shader that reads it.
pub fn set_presence(world: &mut World, side: usize, watched: Arc<PresenceMap>) {
    if let Some(watching) = world.resource_mut::<PresenceMaps>().0.get_mut(side) {
        *watching = watched;
    }
}

/// Newest presence of both sites, on its way to the render world.
#[derive(Resource, Default)]
pub(super) struct PresenceMaps(pub [Arc<PresenceMap>; 2]);

/// Textures that shaders sample, of this site and of the twin.
pub(super) struct PresenceTextures {
    pub masks: [TextureView; 2],
    pub flows: [TextureView; 2],
    pub sampler: Sampler,
    textures: [[Texture; 2]; 2],
    versions: [Option<u64>; 2],
}

impl PresenceTextures {
    /// Creates textures without people and motion.
    pub fn new(device: &RenderDevice) -> Self {
        let make = |format| create_texture(device, "watched", [1, 1], format);
        let textures = [(); 2].map(|()| [make(TextureFormat::R8Unorm), make(TextureFormat::Rgba16Float)]);
        let sampler = device.create_sampler(&SamplerDescriptor {
            label: Some("watched"),
            address_mode_u: AddressMode::ClampToEdge,
            address_mode_v: AddressMode::ClampToEdge,
            mag_filter: FilterMode::Linear,
            min_filter: FilterMode::Linear,
            ..Default::default()
        });
        let [masks, flows] = [0, 1].map(|what| [0, 1].map(|side: usize| create_view(&textures[side][what])));
        Self { masks, flows, sampler, textures, versions: [None; 2] }
    }

    /// Uploads presence that has changed.
    pub fn update(&mut self, device: &RenderDevice, queue: &RenderQueue, watched: [&PresenceMap; 2]) {
        for (side, watched) in watched.into_iter().enumerate() {
            if self.versions[side].replace(watched.version) == Some(watched.version) {
                continue;
            }
            let [mask, flow] = &mut self.textures[side];
            let (size, texels) = watched.mask_texels();
            if upload(device, queue, mask, size, texels) {
                self.masks[side] = create_view(mask);
            }
            let (size, texels) = watched.flow_texels();
            if upload(device, queue, flow, size, bytemuck::cast_slice(&texels)) {
                self.flows[side] = create_view(flow);
            }
        }
    }
}

/// Writes texels; returns true if the texture was replaced because its size changed.
fn upload(device: &RenderDevice, queue: &RenderQueue, to: &mut Texture, size: [u32; 2], texels: &[u8]) -> bool {
    let other = [to.width(), to.height()] != size;
    if other {
        *to = create_texture(device, "watched", size, to.format());
    }
    let row = texels.len() as u32 / size[1];
    let layout = TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(row), rows_per_image: None };
    let extent = Extent3d { width: size[0], height: size[1], depth_or_array_layers: 1 };
    queue.write_texture(to.as_image_copy(), texels, layout, extent);
    other
}

/// Converts to half precision (IEEE 754 binary16). A GPU gets neither infinities nor NaN: numbers that are too large
/// become the largest finite one, and NaN becomes 0.
fn to_half(number: f32) -> f16 {
    if number.is_nan() { f16::ZERO } else { f16::from_f32(number.clamp(f16::MIN.to_f32(), f16::MAX.to_f32())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_half_precision_cannot_hold_is_the_largest_number_or_zero() {
        let known = [(-2.0, 0xc000), (65_504.0, 0x7bff), (1e9, 0x7bff), (f32::NEG_INFINITY, 0xfbff), (f32::NAN, 0)];
        for (number, bits) in known {
            assert_eq!(to_half(number).to_bits(), bits, "{number}");
        }
    }

    #[test]
    fn what_is_not_whole_is_black_and_still() {
        let whole =
            PresenceMap { version: 1, width: 4, height: 2, mask: vec![255; 8], flow: vec![[1.0, -2.0]; 32 * 18] };
        assert_eq!(whole.mask_texels(), ([4, 2], &[255; 8][..]));
        let (size, texels) = whole.flow_texels();
        assert_eq!((size, texels.len(), texels[575]), ([32, 18], 576, [1.0, -2.0, 0.0, 0.0].map(f16::from_f32)));
        let far = PresenceMap { width: usize::MAX, height: 2, ..whole.clone() };
        let short = PresenceMap { mask: vec![255; 7], flow: vec![[1.0; 2]; 575], ..whole.clone() };
        let wide = PresenceMap { width: 4_096, height: 1, mask: vec![255; 4_096], ..whole };
        for broken in [PresenceMap::default(), far, short.clone(), wide] {
            assert_eq!(broken.mask_texels(), ([1, 1], &[0][..]));
        }
        assert_eq!(short.flow_texels(), ([1, 1], vec![[f16::ZERO; 4]]));
    }
}
