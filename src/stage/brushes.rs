//! What is painted with: the pipelines of the canvas and of artists' shaders, made when they are first needed.

use super::batch::{How, Through, Vertex};
use super::layers::Layers;
use super::passes::Passes;
use super::pigments::Pigments;
use super::put::needs;
use super::shades::Shades;
use super::trial::Trials;
use super::watched::Seen;
use super::{Drawn, Job};
use crate::scene::{BUFFERS_MAX, Blend, ENGINE_UNIFORM_SIZE, Edition};
use bevy::prelude::*;
use bevy::render::render_resource::{
    BindGroup, BindGroupEntries, BindGroupLayout, BindGroupLayoutEntry, BindingType, BlendComponent, BlendFactor,
    BlendOperation, BlendState, Buffer, BufferBindingType, BufferDescriptor, BufferUsages, ColorTargetState,
    ColorWrites, CompareFunction, DepthBiasState, DepthStencilState, Extent3d, MultisampleState, PipelineLayout,
    PipelineLayoutDescriptor, PrimitiveState, RawFragmentState, RawRenderPipelineDescriptor, RawVertexBufferLayout,
    RawVertexState, RenderPipeline, SamplerBindingType, ShaderModule, ShaderModuleDescriptor, ShaderSource,
    ShaderStages, StencilFaceState, StencilOperation, StencilState, Texture, TextureDescriptor, TextureDimension,
    TextureFormat, TextureSampleType, TextureUsages, TextureView, TextureViewDescriptor, TextureViewDimension,
    VertexAttribute, VertexFormat, VertexStepMode,
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

    pub fn state(self) -> Option<DepthStencilState> {
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

/// What is painted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Surface {
    /// The canvas, or what is kept.
    Canvas,
    /// A trail or a shader's buffer: fine enough to fade to nothing.
    Trail,
}

impl Surface {
    pub fn format(self) -> TextureFormat {
        match self {
            Self::Canvas => TextureFormat::Rgba8Unorm,
            Self::Trail => TextureFormat::Rgba16Float,
        }
    }
}

/// What of an artist's shader is painted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Part {
    /// What is seen.
    Paint(Blend),
    /// One of its buffers.
    Buffer(usize),
}

/// What is painted with.
#[derive(Resource)]
pub(super) struct Brushes {
    module: ShaderModule,
    flat_layout: PipelineLayout,
    /// By surface, stencil, whether it has patterns or gradients, and how it meets what is below.
    flats: HashMap<(Surface, Stencil, bool, Blend), RenderPipeline>,
    shader_layout: BindGroupLayout,
    /// What the picture before was of.
    edition: Option<Arc<Edition>>,
    pub shades: Shades,
    pub engine: Buffer,
    pub pigments: Pigments,
    pub seen: Seen,
    pub layers: Layers,
    pub passes: Passes,
    pub trials: Trials,
    stencil: Option<(Texture, TextureView)>,
}

impl Brushes {
    /// Creates the brushes. `patient`: a picture waits for its shaders' pipelines.
    pub fn new(device: &RenderDevice, patient: bool) -> Self {
        let source = ShaderSource::Wgsl(include_str!("../../shaders/canvas.wgsl").into());
        let module = device.create_and_validate_shader_module(ShaderModuleDescriptor { label: Some("canvas"), source });
        let textures = [2, 3, 5, 6, 7].into_iter().chain((8..).take(BUFFERS_MAX));
        let entries = [uniform(0), uniform(1), sampler(4)].into_iter().chain(textures.map(texture));
        let mut entries: Vec<BindGroupLayoutEntry> = entries.collect();
        entries.sort_by_key(|entry| entry.binding);
        let shader_layout = device.create_bind_group_layout("shader", &entries);
        let engine = device.create_buffer(&BufferDescriptor {
            label: Some("engine"),
            size: ENGINE_UNIFORM_SIZE as u64,
            usage: BufferUsages::UNIFORM | BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let entries = [uniform(0), texture(1), sampler(2), uniform(3), texture(4), texture(5)];
        let pigments = Pigments::new(device, &entries, &engine);
        let flat_layout = device.create_pipeline_layout(&PipelineLayoutDescriptor {
            label: Some("canvas"),
            bind_group_layouts: &[Some(pigments.layout().value())],
            immediate_size: 0,
        });
        let mut brushes = Self {
            module,
            flat_layout,
            flats: HashMap::new(),
            shades: Shades::new(device, &shader_layout, patient),
            shader_layout,
            edition: None,
            engine,
            pigments,
            seen: Seen::new(device),
            layers: Layers::new(device, &[uniform(0), texture(1), sampler(2)]),
            passes: Passes::new(device),
            trials: Trials::default(),
            stencil: None,
        };
        // The one that every picture needs.
        brushes.flat(device, Surface::Canvas, Stencil::None, How::default());
        brushes
    }

    /// For runs of triangles. All that is rich costs a little more.
    pub fn flat(&mut self, device: &RenderDevice, surface: Surface, stencil: Stencil, how: How) -> RenderPipeline {
        let made = self.flats.entry((surface, stencil, how.rich, how.blend));
        made.or_insert_with(|| flat(device, &self.module, &self.flat_layout, (surface, stencil), how)).clone()
    }

    /// False while the picture is of a different edition and a pipeline for its shaders is still being made.
    pub fn is_ready(&self, job: &Job) -> bool {
        if self.is_of(job.edition.as_ref()) {
            return true;
        }
        let needs = needs(&job.batch.steps, job.edition.as_deref());
        // Counts all instead of stopping at the first, so that every pipeline is requested at once.
        needs.into_iter().filter(|(shader, part, at)| self.shades.get(shader, *part, *at).is_coming()).count() == 0
    }

    /// Requests the pipelines of the next edition; false while some are still being made.
    pub fn prepare(&self, edition: &Edition) -> bool {
        self.shades.prepare(self.edition.as_deref(), edition)
    }

    fn is_of(&self, edition: Option<&Arc<Edition>>) -> bool {
        self.edition.as_ref().map(Arc::as_ptr) == edition.map(Arc::as_ptr)
    }

    /// Forgets what was made for shaders and images that are no more, and what an edition before has drawn.
    pub fn only(&mut self, edition: Option<&Arc<Edition>>, drawn: &Drawn) {
        if self.is_of(edition) {
            return;
        }
        drawn.forget_faults();
        self.edition = edition.cloned();
        self.pigments.only(edition.map(Arc::as_ref));
        let known = |key: u64| edition.is_some_and(|edition| edition.shaders.iter().any(|shader| shader.key == key));
        self.shades.only(edition.map(Arc::as_ref));
        self.passes.only(known);
        self.trials.only(known);
        self.layers.clear();
    }

    /// Returns the bind group of a shader: the engine's uniforms, and its parameters. `key` is the shader's.
    pub fn shader_group(&self, device: &RenderDevice, key: u64, [engine, params]: [&Buffer; 2]) -> BindGroup {
        let (engine, params) = (engine.as_entire_binding(), params.as_entire_binding());
        let Seen { masks: [mask, mask_there], flows: [flow, flow_there], sampler, .. } = &self.seen;
        let (previous, [a, b, c, d]) = self.passes.views(key);
        let entries = BindGroupEntries::sequential((
            engine, params, mask, flow, sampler, mask_there, flow_there, previous, a, b, c, d,
        ));
        device.create_bind_group("shader", &self.shader_layout, &entries)
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
pub(super) fn target(surface: Surface, blend: Blend) -> ColorTargetState {
    use BlendFactor::{Dst, One, OneMinusSrc, OneMinusSrcAlpha};
    let of = |src_factor, dst_factor, operation| BlendComponent { src_factor, dst_factor, operation };
    let over = of(One, OneMinusSrcAlpha, BlendOperation::Add);
    let color = match blend {
        Blend::Over => over,
        Blend::Add => of(One, One, BlendOperation::Add),
        Blend::Multiply => of(Dst, OneMinusSrcAlpha, BlendOperation::Add),
        Blend::Screen => of(One, OneMinusSrc, BlendOperation::Add),
        Blend::Lighten => of(One, One, BlendOperation::Max),
        // The shader has made white of what is not there.
        Blend::Darken => of(One, One, BlendOperation::Min),
    };
    let blend = BlendState { color, alpha: over };
    ColorTargetState { format: surface.format(), blend: Some(blend), write_mask: ColorWrites::ALL }
}

fn flat(
    device: &RenderDevice,
    module: &ShaderModule,
    layout: &PipelineLayout,
    (surface, stencil): (Surface, Stencil),
    how: How,
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
    let (entry_point, target) = match (stencil, how.rich) {
        (Stencil::Stamp, _) => {
            let unseen =
                ColorTargetState { blend: None, write_mask: ColorWrites::empty(), ..target(surface, Blend::Over) };
            ("stamp", unseen)
        }
        // What adds light is drawn with what covers, and its shader says so.
        (_, true) => ("rich", target(surface, how.blend)),
        (_, false) => ("plain", target(surface, how.blend)),
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

/// A pipeline that paints all of what it is drawn on; its vertices are made by its shader. `entries`: what makes them, and
/// what paints.
pub(super) fn covering(
    device: &RenderDevice,
    label: &str,
    layout: &BindGroupLayout,
    (module, [vertex, fragment]): (&ShaderModule, [&str; 2]),
    target: ColorTargetState,
    stencil: Stencil,
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
    fn the_engines_own_shaders_are_sound() {
        for (source, entries) in [
            (include_str!("../../shaders/canvas.wgsl"), &["vertex", "plain", "rich", "stamp"][..]),
            (include_str!("../../shaders/light.wgsl"), &["vertex", "fragment"][..]),
            (include_str!("../../shaders/layer.wgsl"), &["vertex", "fragment"][..]),
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
