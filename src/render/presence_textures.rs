//! Who is here and there, as textures for artists' shaders: people as a mask, motion as a field.

use super::targets::{create_texture, create_view};
use bevy::prelude::*;
use bevy::render::render_resource::{
    AddressMode, Extent3d, FilterMode, Sampler, SamplerDescriptor, TexelCopyBufferLayout, Texture, TextureFormat,
    TextureView,
};
use bevy::render::renderer::{RenderDevice, RenderQueue};
use std::sync::Arc;

/// Columns and rows of the field of motion.
const FLOW: [usize; 2] = [32, 18];
/// Largest side of a mask; every graphics device takes it.
const SIDE_MAX: usize = 2_048;
const BLACK: &[u8] = &[0];

/// People and motion in front of one site, mapped to the canvas: both cover it from edge to edge, first row on top.
#[derive(Debug, Clone, Default)]
pub struct PresenceMap {
    /// Another number for other content; what has the same is uploaded once.
    pub version: u64,
    /// Columns of the mask. One that is not of its size, or larger than 2,048 to a side, is taken as empty.
    pub width: usize,
    /// Rows of the mask.
    pub height: usize,
    /// A byte a texel: 255 where a person is.
    pub mask: Vec<u8>,
    /// Canvas units a second, 32 × 18; of another length it is taken as stillness.
    pub flow: Vec<[f32; 2]>,
}

impl PresenceMap {
    /// The mask's size and bytes; one black texel where there is none.
    fn mask_texels(&self) -> ([u32; 2], &[u8]) {
        let sides = 1..=SIDE_MAX;
        let whole =
            sides.contains(&self.width) && sides.contains(&self.height) && self.mask.len() == self.width * self.height;
        if whole { ([self.width as u32, self.height as u32], self.mask.as_slice()) } else { ([1, 1], BLACK) }
    }

    /// The motion's size and texels, in half precision.
    fn flow_texels(&self) -> ([u32; 2], Vec<[u16; 4]>) {
        if self.flow.len() != FLOW[0] * FLOW[1] {
            return ([1, 1], vec![[0; 4]]);
        }
        (FLOW.map(|side| side as u32), self.flow.iter().map(|[x, y]| [f16_bits(*x), f16_bits(*y), 0, 0]).collect())
    }
}

/// Who is to be seen here (0) or there (1) now. The textures follow once a picture has a shader that looks at them.
pub fn set_presence(world: &mut World, side: usize, watched: Arc<PresenceMap>) {
    if let Some(watching) = world.resource_mut::<PresenceMaps>().0.get_mut(side) {
        *watching = watched;
    }
}

/// The newest of what is watched here and there, on its way to the render world.
#[derive(Resource, Default)]
pub(super) struct PresenceMaps(pub [Arc<PresenceMap>; 2]);

/// The textures that shaders look at, of here and of there.
pub(super) struct PresenceTextures {
    pub masks: [TextureView; 2],
    pub flows: [TextureView; 2],
    pub sampler: Sampler,
    textures: [[Texture; 2]; 2],
    versions: [Option<u64>; 2],
}

impl PresenceTextures {
    /// Black and still.
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

    /// Brings the textures up to date.
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

/// True if the texture is another one now, of another size.
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

/// Half precision (IEEE 754 binary16), rounded to the nearest. What is too large is the largest, no number is 0.
fn f16_bits(number: f32) -> u16 {
    if number.is_nan() {
        return 0;
    }
    let sign = (number.to_bits() >> 16) as u16 & 0x8000;
    let size = number.abs().min(65_504.0);
    if size < 6.103_515_6e-5 {
        // Below 2^-14 it counts steps of 2^-24.
        return sign | (size * 16_777_216.0).round() as u16;
    }
    let bits = size.to_bits();
    let rounded = (bits + 0xfff + ((bits >> 13) & 1)) >> 13;
    // Its exponent has a bias of 15 where that of `f32` has 127.
    sign | (rounded - (112 << 10)) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_precision_is_what_a_gpu_reads() {
        let known = [
            (0.0, 0),
            (1.0, 0x3c00),
            (-2.0, 0xc000),
            (1.0 / 3.0, 0x3555),
            (65_504.0, 0x7bff),
            (1e9, 0x7bff),
            (f32::NEG_INFINITY, 0xfbff),
            (f32::NAN, 0),
            (6.103_515_6e-5, 0x0400),
            (6.1e-5, 0x03ff),
            (5.960_464_5e-8, 0x0001),
            (2_049.0, 0x6800),
            (2_051.0, 0x6802),
        ];
        for (number, bits) in known {
            assert_eq!(f16_bits(number), bits, "{number}");
        }
    }

    #[test]
    fn what_is_not_whole_is_black_and_still() {
        let whole =
            PresenceMap { version: 1, width: 4, height: 2, mask: vec![255; 8], flow: vec![[1.0, -2.0]; 32 * 18] };
        assert_eq!(whole.mask_texels(), ([4, 2], &[255; 8][..]));
        let (size, texels) = whole.flow_texels();
        assert_eq!((size, texels.len(), texels[575]), ([32, 18], 576, [0x3c00, 0xc000, 0, 0]));
        let far = PresenceMap { width: usize::MAX, height: 2, ..whole.clone() };
        let short = PresenceMap { mask: vec![255; 7], flow: vec![[1.0; 2]; 575], ..whole.clone() };
        let wide = PresenceMap { width: 4_096, height: 1, mask: vec![255; 4_096], ..whole };
        for broken in [PresenceMap::default(), far, short.clone(), wide] {
            assert_eq!(broken.mask_texels(), ([1, 1], &[0][..]));
        }
        assert_eq!(short.flow_texels(), ([1, 1], vec![[0; 4]]));
    }
}
