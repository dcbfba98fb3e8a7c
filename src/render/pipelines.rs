//! Render pipelines of the canvas and of artists' shaders, created on first use, with the textures that they bind.

use super::batch::{DrawState, Vertex};
use super::compositor::LayerCompositor;
use super::frame_stats::FrameStats;
use super::materials::CanvasMaterials;
use super::presence_textures::PresenceTextures;
use super::queue::RenderJob;
use super::shader_budget::ShaderBudget;
use super::shader_buffers::ShaderBuffers;
use super::shader_pipelines::ShaderPipelines;
use super::shader_usage::required_pipelines;
use super::targets::{STENCIL_FORMAT, StencilMode, TargetKind, color_target};
use crate::scene::{BUFFERS_MAX, BlendMode, ENGINE_UNIFORM_SIZE, SceneRevision};
use bevy::prelude::*;
use bevy::render::render_resource::{
    BindGroup, BindGroupEntries, BindGroupLayout, BindGroupLayoutEntry, BindingType, Buffer, BufferBindingType,
    BufferDescriptor, BufferUsages, ColorTargetState, ColorWrites, Extent3d, MultisampleState, PipelineLayout,
    PipelineLayoutDescriptor, PrimitiveState, RawFragmentState, RawRenderPipelineDescriptor, RawVertexBufferLayout,
    RawVertexState, RenderPipeline, SamplerBindingType, ShaderModule, ShaderModuleDescriptor, ShaderSource,
    ShaderStages, Texture, TextureDescriptor, TextureDimension, TextureSampleType, TextureUsages, TextureView,
    TextureViewDescriptor, TextureViewDimension, VertexAttribute, VertexFormat, VertexStepMode,
};
use bevy::render::renderer::RenderDevice;
use std::collections::HashMap;
use std::sync::Arc;

/// Pipelines and textures for drawing frames.
#[derive(Resource)]
pub(super) struct CanvasPipelines {
    module: ShaderModule,
    fill_layout: PipelineLayout,
    /// Fill pipelines by target, stencil, use of patterns or gradients, and blend mode.
    fill_pipelines: HashMap<(TargetKind, StencilMode, bool, BlendMode), RenderPipeline>,
    shader_layout: BindGroupLayout,
    /// Edition of the previous frame.
    edition: Option<Arc<SceneRevision>>,
    pub shader_pipelines: ShaderPipelines,
    pub engine_uniforms: Buffer,
    pub materials: CanvasMaterials,
    pub presence: PresenceTextures,
    pub compositor: LayerCompositor,
    pub shader_buffers: ShaderBuffers,
    pub shader_budget: ShaderBudget,
    stencil: Option<(Texture, TextureView)>,
}

impl CanvasPipelines {
    /// Creates the pipelines. `patient`: a frame waits for its shaders' pipelines.
    pub fn new(device: &RenderDevice, patient: bool) -> Self {
        let source = ShaderSource::Wgsl(include_str!("../../shaders/canvas.wgsl").into());
        let module = device.create_and_validate_shader_module(ShaderModuleDescriptor { label: Some("canvas"), source });
        let textures = [2, 3, 5, 6, 7].into_iter().chain((8..).take(BUFFERS_MAX));
        let entries =
            [uniform_entry(0), uniform_entry(1), sampler_entry(4)].into_iter().chain(textures.map(texture_entry));
        let mut entries: Vec<BindGroupLayoutEntry> = entries.collect();
        entries.sort_by_key(|entry| entry.binding);
        let shader_layout = device.create_bind_group_layout("shader", &entries);
        let engine = device.create_buffer(&BufferDescriptor {
            label: Some("engine"),
            size: ENGINE_UNIFORM_SIZE as u64,
            usage: BufferUsages::UNIFORM | BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let entries = [
            uniform_entry(0),
            texture_entry(1),
            sampler_entry(2),
            uniform_entry(3),
            texture_entry(4),
            texture_entry(5),
        ];
        let materials = CanvasMaterials::new(device, &entries, &engine);
        let flat_layout = device.create_pipeline_layout(&PipelineLayoutDescriptor {
            label: Some("canvas"),
            bind_group_layouts: &[Some(materials.layout().value())],
            immediate_size: 0,
        });
        let mut pipelines = Self {
            module,
            fill_layout: flat_layout,
            fill_pipelines: HashMap::new(),
            shader_pipelines: ShaderPipelines::new(device, &shader_layout, patient),
            shader_layout,
            edition: None,
            engine_uniforms: engine,
            materials,
            presence: PresenceTextures::new(device),
            compositor: LayerCompositor::new(device, &[uniform_entry(0), texture_entry(1), sampler_entry(2)]),
            shader_buffers: ShaderBuffers::new(device),
            shader_budget: ShaderBudget::default(),
            stencil: None,
        };
        // Every frame needs this one.
        pipelines.fill_pipeline(device, TargetKind::Canvas, StencilMode::None, DrawState::default());
        pipelines
    }

    /// Returns the pipeline for a run of triangles. Patterns and gradients cost a little more.
    pub fn fill_pipeline(
        &mut self,
        device: &RenderDevice,
        surface: TargetKind,
        stencil: StencilMode,
        how: DrawState,
    ) -> RenderPipeline {
        let made = self.fill_pipelines.entry((surface, stencil, how.patterned, how.blend));
        made.or_insert_with(|| create_fill_pipeline(device, &self.module, &self.fill_layout, (surface, stencil), how))
            .clone()
    }

    /// Returns false while the frame is of a different edition and a pipeline for its shaders is pending.
    pub fn is_ready(&self, job: &RenderJob) -> bool {
        if self.is_of(job.edition.as_ref()) {
            return true;
        }
        let needs = required_pipelines(&job.batch.commands, job.edition.as_deref());
        // Counts all instead of stopping at the first, so that every pipeline is requested at once.
        needs
            .into_iter()
            .filter(|(shader, part, at)| self.shader_pipelines.get(shader, *part, *at).is_pending())
            .count()
            == 0
    }

    /// Requests the pipelines of the next edition; returns false while some are pending.
    pub fn prepare(&self, edition: &SceneRevision) -> bool {
        self.shader_pipelines.prepare(self.edition.as_deref(), edition)
    }

    fn is_of(&self, edition: Option<&Arc<SceneRevision>>) -> bool {
        self.edition.as_ref().map(Arc::as_ptr) == edition.map(Arc::as_ptr)
    }

    /// Drops everything of removed shaders and images, and all layers that the previous edition has drawn.
    pub fn retain_edition(&mut self, edition: Option<&Arc<SceneRevision>>, drawn: &FrameStats) {
        if self.is_of(edition) {
            return;
        }
        drawn.clear_faults();
        self.edition = edition.cloned();
        self.materials.retain_images(edition.map(Arc::as_ref));
        let known =
            |key: u64| edition.is_some_and(|edition| edition.shaders.iter().any(|shader| shader.content_hash == key));
        self.shader_pipelines.retain_edition(edition.map(Arc::as_ref));
        self.shader_buffers.retain(known);
        self.shader_budget.retain(known);
        self.compositor.clear();
    }

    /// Returns the bind group of a shader: the engine's uniforms, and its parameters. `key` is the shader's content
    /// hash.
    pub fn shader_group(&self, device: &RenderDevice, key: u64, [engine, params]: [&Buffer; 2]) -> BindGroup {
        let (engine, params) = (engine.as_entire_binding(), params.as_entire_binding());
        let PresenceTextures { masks: [mask, mask_there], flows: [flow, flow_there], sampler, .. } = &self.presence;
        let (previous, [a, b, c, d]) = self.shader_buffers.views(key);
        let entries = BindGroupEntries::sequential((
            engine, params, mask, flow, sampler, mask_there, flow_there, previous, a, b, c, d,
        ));
        device.create_bind_group("shader", &self.shader_layout, &entries)
    }

    /// Returns the stencil for a canvas of this size, in pixels.
    pub fn stencil_view(&mut self, device: &RenderDevice, [width, height]: [u32; 2]) -> TextureView {
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
            format: STENCIL_FORMAT,
            usage: TextureUsages::RENDER_ATTACHMENT,
            view_formats: &[],
        });
        let view = texture.create_view(&TextureViewDescriptor::default());
        self.stencil = Some((texture, view.clone()));
        view
    }
}

fn uniform_entry(binding: u32) -> BindGroupLayoutEntry {
    let ty = BindingType::Buffer { ty: BufferBindingType::Uniform, has_dynamic_offset: false, min_binding_size: None };
    BindGroupLayoutEntry { binding, visibility: ShaderStages::VERTEX_FRAGMENT, count: None, ty }
}

fn texture_entry(binding: u32) -> BindGroupLayoutEntry {
    let ty = BindingType::Texture {
        sample_type: TextureSampleType::Float { filterable: true },
        view_dimension: TextureViewDimension::D2,
        multisampled: false,
    };
    BindGroupLayoutEntry { binding, visibility: ShaderStages::FRAGMENT, count: None, ty }
}

fn sampler_entry(binding: u32) -> BindGroupLayoutEntry {
    let ty = BindingType::Sampler(SamplerBindingType::Filtering);
    BindGroupLayoutEntry { binding, visibility: ShaderStages::FRAGMENT, count: None, ty }
}

fn create_fill_pipeline(
    device: &RenderDevice,
    module: &ShaderModule,
    layout: &PipelineLayout,
    (surface, stencil): (TargetKind, StencilMode),
    how: DrawState,
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
    let (entry_point, target) = match (stencil, how.patterned) {
        (StencilMode::Write, _) => {
            let unseen = ColorTargetState {
                blend: None,
                write_mask: ColorWrites::empty(),
                ..color_target(surface, BlendMode::Over)
            };
            ("stamp", unseen)
        }
        // `Add` is drawn in one run with `Over`; the shader distinguishes them.
        (_, true) => ("rich", color_target(surface, how.blend)),
        (_, false) => ("plain", color_target(surface, how.blend)),
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

#[cfg(test)]
mod tests {
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
}
