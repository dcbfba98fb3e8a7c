//! What is painted with: the pipelines of the canvas and of artists' shaders, made when they are first needed.

use super::batch::{Through, Vertex};
use super::text::ATLAS;
use super::watched::Seen;
use super::{Drawn, LayerFault, Shaders};
use crate::scene::{Blend, ENGINE_UNIFORM_SIZE, Shader};
use bevy::prelude::*;
use bevy::render::render_resource::{
    BindGroup, BindGroupEntries, BindGroupLayout, BindGroupLayoutEntry, BindingType, BlendComponent, BlendFactor,
    BlendOperation, BlendState, Buffer, BufferBindingType, BufferDescriptor, BufferUsages, ColorTargetState,
    ColorWrites, CompareFunction, DepthBiasState, DepthStencilState, Extent3d, FilterMode, MultisampleState,
    PipelineLayout, PipelineLayoutDescriptor, PrimitiveState, RawFragmentState, RawRenderPipelineDescriptor,
    RawVertexBufferLayout, RawVertexState, RenderPipeline, SamplerBindingType, SamplerDescriptor, ShaderModule,
    ShaderModuleDescriptor, ShaderSource, ShaderStages, StencilFaceState, StencilOperation, StencilState, Texture,
    TextureDescriptor, TextureDimension, TextureFormat, TextureSampleType, TextureUsages, TextureView,
    TextureViewDescriptor, TextureViewDimension, VertexAttribute, VertexFormat, VertexStepMode,
};
use bevy::render::renderer::RenderDevice;
use std::collections::HashMap;
use std::sync::Arc;

/// A number for each pixel, by which clips let through; every device has this format.
const STENCIL: TextureFormat = TextureFormat::Stencil8;

/// What a pipeline does with the stencil. In a picture without clips there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Stencil {
    /// There is none.
    None,
    /// Writes the number and nothing else.
    Stamp,
    /// Draws everywhere.
    All,
    /// Draws where the number stands.
    Inside,
    /// Draws where it does not.
    Outside,
}

impl Stencil {
    /// For what is drawn in a picture that has clips or has not, and the number to set.
    pub fn of(clips: bool, through: Through) -> (Self, u8) {
        match through {
            _ if !clips => (Self::None, 0),
            Through::All => (Self::All, 0),
            Through::Inside(mark) => (Self::Inside, mark),
            Through::Outside(mark) => (Self::Outside, mark),
        }
    }

    fn state(self) -> Option<DepthStencilState> {
        let (compare, pass_op) = match self {
            Self::None => return None,
            Self::Stamp => (CompareFunction::Always, StencilOperation::Replace),
            Self::All => (CompareFunction::Always, StencilOperation::Keep),
            Self::Inside => (CompareFunction::Equal, StencilOperation::Keep),
            Self::Outside => (CompareFunction::NotEqual, StencilOperation::Keep),
        };
        let keep = StencilOperation::Keep;
        let face = StencilFaceState { compare, fail_op: keep, depth_fail_op: keep, pass_op };
        Some(DepthStencilState {
            format: STENCIL,
            depth_write_enabled: None,
            depth_compare: None,
            stencil: StencilState { front: face, back: face, read_mask: 0xff, write_mask: 0xff },
            bias: DepthBiasState::default(),
        })
    }
}

/// What is painted with.
#[derive(Resource)]
pub(super) struct Brushes {
    module: ShaderModule,
    flat_layout: PipelineLayout,
    flats: HashMap<(Stencil, bool), RenderPipeline>,
    pub flat_group: BindGroup,
    layer_layout: BindGroupLayout,
    /// By shader, whether it adds light, and stencil; none where the driver refuses it.
    layers: HashMap<(u64, bool, Stencil), Option<RenderPipeline>>,
    /// The shaders that there were in the picture before.
    shaders: Shaders,
    pub engine: Buffer,
    pub atlas: Texture,
    pub seen: Seen,
    stencil: Option<(Texture, TextureView)>,
}

impl Brushes {
    pub fn new(device: &RenderDevice) -> Self {
        let source = ShaderSource::Wgsl(include_str!("../../shaders/canvas.wgsl").into());
        let module = device.create_and_validate_shader_module(ShaderModuleDescriptor { label: Some("canvas"), source });
        let group_layout = device.create_bind_group_layout("canvas", &[uniform(0), texture(1), sampler(2)]);
        let layer_layout =
            device.create_bind_group_layout("layer", &[uniform(0), uniform(1), texture(2), texture(3), sampler(4)]);
        let flat_layout = device.create_pipeline_layout(&PipelineLayoutDescriptor {
            label: Some("canvas"),
            bind_group_layouts: &[Some(group_layout.value())],
            immediate_size: 0,
        });
        let engine = device.create_buffer(&BufferDescriptor {
            label: Some("engine"),
            size: ENGINE_UNIFORM_SIZE as u64,
            usage: BufferUsages::UNIFORM | BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let atlas = device.create_texture(&TextureDescriptor {
            label: Some("letters"),
            size: Extent3d { width: ATLAS, height: ATLAS, depth_or_array_layers: 1 },
            mip_level_count: 1,
            sample_count: 1,
            dimension: TextureDimension::D2,
            format: TextureFormat::R8Unorm,
            usage: TextureUsages::TEXTURE_BINDING | TextureUsages::COPY_DST,
            view_formats: &[],
        });
        let linear = device.create_sampler(&SamplerDescriptor {
            mag_filter: FilterMode::Linear,
            min_filter: FilterMode::Linear,
            ..Default::default()
        });
        let view = atlas.create_view(&TextureViewDescriptor::default());
        let entries = BindGroupEntries::sequential((engine.as_entire_binding(), &view, &linear));
        let flat_group = device.create_bind_group("canvas", &group_layout, &entries);
        let mut brushes = Self {
            module,
            flat_layout,
            flats: HashMap::new(),
            flat_group,
            layer_layout,
            layers: HashMap::new(),
            shaders: Shaders::default(),
            engine,
            atlas,
            seen: Seen::new(device),
            stencil: None,
        };
        // The one that every picture needs.
        brushes.flat(device, Stencil::None, false);
        brushes
    }

    /// For runs of triangles. All that is `patterned` costs a little more.
    pub fn flat(&mut self, device: &RenderDevice, stencil: Stencil, patterned: bool) -> RenderPipeline {
        let made = self.flats.entry((stencil, patterned));
        made.or_insert_with(|| flat(device, &self.module, &self.flat_layout, stencil, patterned)).clone()
    }

    /// For an artist's shader; `None` where the driver refuses it, which is told once.
    pub fn layer(
        &mut self,
        device: &RenderDevice,
        (shader, blend): (&Shader, Blend),
        stencil: Stencil,
        drawn: &Drawn,
    ) -> Option<RenderPipeline> {
        let made = self.layers.entry((shader.key, blend == Blend::Add, stencil));
        let make = || {
            let name = &shader.params.name;
            let pipeline = layer(device, &self.layer_layout, shader, blend, stencil);
            pipeline
                .map_err(|why| {
                    tracing::warn!("{name}: this machine's graphics driver refuses it: {why}");
                    drawn.fault(LayerFault { shader: name.clone(), why });
                })
                .ok()
        };
        made.or_insert_with(make).clone()
    }

    /// Forgets what was made for shaders that are no more.
    pub fn only(&mut self, shaders: &Shaders) {
        if !Arc::ptr_eq(&self.shaders, shaders) {
            self.shaders = shaders.clone();
            self.layers.retain(|(key, ..), _| shaders.iter().any(|shader| shader.key == *key));
        }
    }

    /// What a layer's shader reads.
    pub fn layer_group(&self, device: &RenderDevice, params: &Buffer) -> BindGroup {
        let (engine, params) = (self.engine.as_entire_binding(), params.as_entire_binding());
        let Seen { mask, flow, sampler, .. } = &self.seen;
        let entries = BindGroupEntries::sequential((engine, params, mask, flow, sampler));
        device.create_bind_group("layer", &self.layer_layout, &entries)
    }

    /// The stencil beside a canvas of this size, in pixels.
    pub fn stencil(&mut self, device: &RenderDevice, [width, height]: [u32; 2]) -> TextureView {
        if let Some((texture, view)) = &self.stencil
            && [texture.width(), texture.height()] == [width, height]
        {
            return view.clone();
        }
        let texture = device.create_texture(&TextureDescriptor {
            label: Some("clips"),
            size: Extent3d { width, height, depth_or_array_layers: 1 },
            mip_level_count: 1,
            sample_count: 1,
            dimension: TextureDimension::D2,
            format: STENCIL,
            usage: TextureUsages::RENDER_ATTACHMENT,
            view_formats: &[],
        });
        let view = texture.create_view(&TextureViewDescriptor::default());
        self.stencil = Some((texture, view.clone()));
        view
    }
}

fn uniform(binding: u32) -> BindGroupLayoutEntry {
    let ty = BindingType::Buffer { ty: BufferBindingType::Uniform, has_dynamic_offset: false, min_binding_size: None };
    BindGroupLayoutEntry { binding, visibility: ShaderStages::VERTEX_FRAGMENT, count: None, ty }
}

fn texture(binding: u32) -> BindGroupLayoutEntry {
    let ty = BindingType::Texture {
        sample_type: TextureSampleType::Float { filterable: true },
        view_dimension: TextureViewDimension::D2,
        multisampled: false,
    };
    BindGroupLayoutEntry { binding, visibility: ShaderStages::FRAGMENT, count: None, ty }
}

fn sampler(binding: u32) -> BindGroupLayoutEntry {
    let ty = BindingType::Sampler(SamplerBindingType::Filtering);
    BindGroupLayoutEntry { binding, visibility: ShaderStages::FRAGMENT, count: None, ty }
}

/// Colours are written as they come; straight alpha was multiplied in already.
fn target(blend: Blend) -> ColorTargetState {
    let over = BlendComponent {
        src_factor: BlendFactor::One,
        dst_factor: BlendFactor::OneMinusSrcAlpha,
        operation: BlendOperation::Add,
    };
    let add = BlendComponent { dst_factor: BlendFactor::One, ..over };
    let blend = match blend {
        Blend::Over => BlendState { color: over, alpha: over },
        Blend::Add => BlendState { color: add, alpha: over },
    };
    ColorTargetState { format: TextureFormat::Rgba8Unorm, blend: Some(blend), write_mask: ColorWrites::ALL }
}

fn flat(
    device: &RenderDevice,
    module: &ShaderModule,
    layout: &PipelineLayout,
    stencil: Stencil,
    patterned: bool,
) -> RenderPipeline {
    let formats = [
        VertexFormat::Float32x2,
        VertexFormat::Float32x2,
        VertexFormat::Float32x2,
        VertexFormat::Float32x3,
        VertexFormat::Uint32,
        VertexFormat::Unorm8x4,
        VertexFormat::Unorm8x4,
    ];
    let mut offset = 0;
    let attributes = formats.into_iter().zip(0..).map(|(format, shader_location)| {
        let attribute = VertexAttribute { format, offset, shader_location };
        offset += format.size();
        attribute
    });
    let attributes: Vec<VertexAttribute> = attributes.collect();
    let (entry_point, target) = match (stencil, patterned) {
        (Stencil::Stamp, _) => {
            let unseen = ColorTargetState { blend: None, write_mask: ColorWrites::empty(), ..target(Blend::Over) };
            ("stamp", unseen)
        }
        (_, true) => ("patterned", target(Blend::Over)),
        (_, false) => ("plain", target(Blend::Over)),
    };
    device.create_render_pipeline(&RawRenderPipelineDescriptor {
        label: Some("canvas"),
        layout: Some(layout),
        vertex: RawVertexState {
            module,
            entry_point: Some("vertex"),
            compilation_options: Default::default(),
            buffers: &[RawVertexBufferLayout {
                array_stride: size_of::<Vertex>() as u64,
                step_mode: VertexStepMode::Vertex,
                attributes: &attributes,
            }],
        },
        primitive: PrimitiveState::default(),
        depth_stencil: stencil.state(),
        multisample: MultisampleState::default(),
        fragment: Some(RawFragmentState {
            module,
            entry_point: Some(entry_point),
            compilation_options: Default::default(),
            targets: &[Some(target)],
        }),
        multiview_mask: None,
        cache: None,
    })
}

/// A shader of an artist as a pipeline. naga has found it sound; what a driver makes of it is seen here.
fn layer(
    device: &RenderDevice,
    layout: &BindGroupLayout,
    shader: &Shader,
    blend: Blend,
    stencil: Stencil,
) -> Result<RenderPipeline, String> {
    let validation = device.wgpu_device().push_error_scope(wgpu::ErrorFilter::Validation);
    let internal = device.wgpu_device().push_error_scope(wgpu::ErrorFilter::Internal);
    let source = ShaderSource::Wgsl(shader.source.as_str().into());
    let module =
        device.create_and_validate_shader_module(ShaderModuleDescriptor { label: Some(&shader.params.name), source });
    let layout = device.create_pipeline_layout(&PipelineLayoutDescriptor {
        label: Some(&shader.params.name),
        bind_group_layouts: &[Some(layout.value())],
        immediate_size: 0,
    });
    let pipeline = device.create_render_pipeline(&RawRenderPipelineDescriptor {
        label: Some(&shader.params.name),
        layout: Some(&layout),
        vertex: RawVertexState {
            module: &module,
            entry_point: Some("moongate_vertex"),
            compilation_options: Default::default(),
            buffers: &[],
        },
        primitive: PrimitiveState::default(),
        depth_stencil: stencil.state(),
        multisample: MultisampleState::default(),
        fragment: Some(RawFragmentState {
            module: &module,
            entry_point: Some("moongate_fragment"),
            compilation_options: Default::default(),
            targets: &[Some(target(blend))],
        }),
        multiview_mask: None,
        cache: None,
    });
    let errors = [bevy::tasks::block_on(internal.pop()), bevy::tasks::block_on(validation.pop())];
    match errors.into_iter().flatten().next() {
        Some(error) => Err(error.to_string()),
        None => Ok(pipeline),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engines_own_shaders_are_sound() {
        for (source, entries) in [
            (include_str!("../../shaders/canvas.wgsl"), &["vertex", "plain", "patterned", "stamp"][..]),
            (include_str!("../../shaders/light.wgsl"), &["vertex", "fragment"][..]),
        ] {
            let module =
                naga::front::wgsl::parse_str(source).unwrap_or_else(|why| panic!("{}", why.emit_to_string(source)));
            let (flags, none) = (naga::valid::ValidationFlags::all(), naga::valid::Capabilities::empty());
            let valid = naga::valid::Validator::new(flags, none).validate(&module);
            valid.unwrap_or_else(|why| panic!("{}", why.emit_to_string(source)));
            for entry in entries {
                assert!(module.entry_points.iter().any(|known| known.name == *entry), "{entry} is missing");
            }
        }
    }

    #[test]
    fn without_clips_no_pipeline_knows_of_a_stencil() {
        let all = [Through::All, Through::Inside(7), Through::Outside(9)];
        assert_eq!(all.map(|through| Stencil::of(false, through)), [(Stencil::None, 0); 3]);
        assert!(Stencil::None.state().is_none());
        let clipped = [(Stencil::All, 0), (Stencil::Inside, 7), (Stencil::Outside, 9)];
        assert_eq!(all.map(|through| Stencil::of(true, through)), clipped);
        // All pipelines of one pass have the stencil's format, and only a stamp changes it.
        for stencil in [Stencil::Stamp, Stencil::All, Stencil::Inside, Stencil::Outside] {
            let state = stencil.state().expect("it looks at the stencil");
            assert_eq!(state.format, STENCIL);
            assert_eq!(state.is_stencil_read_only(None), stencil != Stencil::Stamp, "{stencil:?}");
        }
    }
}
