//! Render targets: formats, blending and clipping, with their textures and full-screen pipelines.

use super::batch::ClipState;
use crate::scene::BlendMode;
use bevy::render::render_resource::{
    BindGroupLayout, BlendComponent, BlendFactor, BlendOperation, BlendState, ColorTargetState, ColorWrites,
    CompareFunction, DepthBiasState, DepthStencilState, Extent3d, MultisampleState, PipelineLayoutDescriptor,
    PrimitiveState, RawFragmentState, RawRenderPipelineDescriptor, RawVertexState, RenderPipeline, ShaderModule,
    StencilFaceState, StencilOperation, StencilState, Texture, TextureDescriptor, TextureDimension, TextureFormat,
    TextureUsages, TextureView, TextureViewDescriptor,
};
use bevy::render::renderer::RenderDevice;

/// Stencil format of clips, one number per pixel; every device supports it.
pub(super) const STENCIL_FORMAT: TextureFormat = TextureFormat::Stencil8;

/// Stencil use of a pipeline. A frame without clips has no stencil.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum StencilMode {
    /// No stencil.
    None,
    /// Writes the number to the stencil, and no colour.
    Write,
    /// Draws everywhere.
    All,
    /// Draws where the stencil has the number.
    Inside,
    /// Draws where the stencil does not have the number.
    Outside,
}

impl StencilMode {
    /// Returns the mode for a clip state in a frame with or without clips, and the number to set.
    pub fn of(clips: bool, through: ClipState) -> (Self, u8) {
        match through {
            _ if !clips => (Self::None, 0),
            ClipState::All => (Self::All, 0),
            ClipState::Inside(mark) => (Self::Inside, mark),
            ClipState::Outside(mark) => (Self::Outside, mark),
        }
    }

    pub fn state(self) -> Option<DepthStencilState> {
        let (compare, pass_op) = match self {
            Self::None => return None,
            Self::Write => (CompareFunction::Always, StencilOperation::Replace),
            Self::All => (CompareFunction::Always, StencilOperation::Keep),
            Self::Inside => (CompareFunction::Equal, StencilOperation::Keep),
            Self::Outside => (CompareFunction::NotEqual, StencilOperation::Keep),
        };
        let keep = StencilOperation::Keep;
        let face = StencilFaceState { compare, fail_op: keep, depth_fail_op: keep, pass_op };
        Some(DepthStencilState {
            format: STENCIL_FORMAT,
            depth_write_enabled: None,
            depth_compare: None,
            stencil: StencilState { front: face, back: face, read_mask: 0xff, write_mask: 0xff },
            bias: DepthBiasState::default(),
        })
    }
}

/// Kind of texture that is drawn on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum TargetKind {
    /// The canvas or a retained layer.
    Canvas,
    /// A trail or a shader's buffer, with enough precision to fade to nothing.
    Trail,
}

impl TargetKind {
    pub fn format(self) -> TextureFormat {
        match self {
            Self::Canvas => TextureFormat::Rgba8Unorm,
            Self::Trail => TextureFormat::Rgba16Float,
        }
    }
}

/// Output of an artist's shader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum ShaderOutput {
    /// The visible layer.
    Paint(BlendMode),
    /// One of its buffers.
    Buffer(usize),
}

/// Returns the colour target of a surface. Colours are written unchanged; straight alpha is already multiplied in.
pub(super) fn color_target(surface: TargetKind, blend: BlendMode) -> ColorTargetState {
    use BlendFactor::{Dst, One, OneMinusSrc, OneMinusSrcAlpha};
    let of = |src_factor, dst_factor, operation| BlendComponent { src_factor, dst_factor, operation };
    let over = of(One, OneMinusSrcAlpha, BlendOperation::Add);
    let color = match blend {
        BlendMode::Over => over,
        BlendMode::Add => of(One, One, BlendOperation::Add),
        BlendMode::Multiply => of(Dst, OneMinusSrcAlpha, BlendOperation::Add),
        BlendMode::Screen => of(One, OneMinusSrc, BlendOperation::Add),
        BlendMode::Lighten => of(One, One, BlendOperation::Max),
        // The shader has turned transparent parts white.
        BlendMode::Darken => of(One, One, BlendOperation::Min),
    };
    let blend = BlendState { color, alpha: over };
    ColorTargetState { format: surface.format(), blend: Some(blend), write_mask: ColorWrites::ALL }
}

/// Creates a texture that can be drawn into and sampled, with its view.
pub(super) fn create_target(
    device: &RenderDevice,
    label: &str,
    size: Extent3d,
    format: TextureFormat,
) -> (Texture, TextureView) {
    let texture = device.create_texture(&TextureDescriptor {
        label: Some(label),
        size,
        mip_level_count: 1,
        sample_count: 1,
        dimension: TextureDimension::D2,
        format,
        usage: TextureUsages::TEXTURE_BINDING | TextureUsages::RENDER_ATTACHMENT | TextureUsages::COPY_DST,
        view_formats: &[],
    });
    let view = create_view(&texture);
    (texture, view)
}

/// Creates a texture of this size in pixels that can be written and sampled.
pub(super) fn create_texture(
    device: &RenderDevice,
    label: &str,
    [width, height]: [u32; 2],
    format: TextureFormat,
) -> Texture {
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

pub(super) fn create_view(texture: &Texture) -> TextureView {
    texture.create_view(&TextureViewDescriptor::default())
}

/// Creates a pipeline that covers its whole target; its vertices come from the vertex shader. The entry points are of
/// the vertex and fragment shader.
pub(super) fn create_fullscreen_pipeline(
    device: &RenderDevice,
    label: &str,
    layout: &BindGroupLayout,
    (module, [vertex, fragment]): (&ShaderModule, [&str; 2]),
    target: ColorTargetState,
    stencil: StencilMode,
) -> RenderPipeline {
    let layout = device.create_pipeline_layout(&PipelineLayoutDescriptor {
        label: Some(label),
        bind_group_layouts: &[Some(layout.value())],
        immediate_size: 0,
    });
    device.create_render_pipeline(&RawRenderPipelineDescriptor {
        label: Some(label),
        layout: Some(&layout),
        vertex: RawVertexState {
            module,
            entry_point: Some(vertex),
            compilation_options: Default::default(),
            buffers: &[],
        },
        primitive: PrimitiveState::default(),
        depth_stencil: stencil.state(),
        multisample: MultisampleState::default(),
        fragment: Some(RawFragmentState {
            module,
            entry_point: Some(fragment),
            compilation_options: Default::default(),
            targets: &[Some(target)],
        }),
        multiview_mask: None,
        cache: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_clips_no_pipeline_knows_of_a_stencil() {
        let all = [ClipState::All, ClipState::Inside(7), ClipState::Outside(9)];
        assert_eq!(all.map(|through| StencilMode::of(false, through)), [(StencilMode::None, 0); 3]);
        assert!(StencilMode::None.state().is_none());
        let clipped = [(StencilMode::All, 0), (StencilMode::Inside, 7), (StencilMode::Outside, 9)];
        assert_eq!(all.map(|through| StencilMode::of(true, through)), clipped);
        // All pipelines of one pass have the stencil's format, and only `Write` changes it.
        for stencil in [StencilMode::Write, StencilMode::All, StencilMode::Inside, StencilMode::Outside] {
            let state = stencil.state().expect("it looks at the stencil");
            assert_eq!(state.format, STENCIL_FORMAT);
            assert_eq!(state.is_stencil_read_only(None), stencil != StencilMode::Write, "{stencil:?}");
        }
    }
}
