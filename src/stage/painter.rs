//! Paints batches into the canvas's texture, in the render world, before any screen looks at it.

use super::batch::{Batch, Step, Vertex};
use super::text::ATLAS;
use super::{Canvas, Easel, Job, LayerFault};
use crate::device::clock::monotonic;
use crate::scene::{Blend, ENGINE_UNIFORM_SIZE, Shader};
use bevy::prelude::*;
use bevy::render::render_asset::RenderAssets;
use bevy::render::render_resource::{
    BindGroup, BindGroupEntries, BindGroupLayout, BindGroupLayoutEntry, BindingType, BlendComponent, BlendFactor,
    BlendOperation, BlendState, Buffer, BufferBindingType, BufferDescriptor, BufferInitDescriptor, BufferUsages,
    ColorTargetState, ColorWrites, CommandEncoderDescriptor, Extent3d, FilterMode, IndexFormat, LoadOp,
    MultisampleState, Operations, PipelineLayoutDescriptor, PrimitiveState, RawFragmentState,
    RawRenderPipelineDescriptor, RawVertexBufferLayout, RawVertexState, RenderPassColorAttachment,
    RenderPassDescriptor, RenderPipeline, SamplerBindingType, SamplerDescriptor, ShaderModuleDescriptor, ShaderSource,
    ShaderStages, StoreOp, TexelCopyBufferLayout, TextureDescriptor, TextureDimension, TextureFormat,
    TextureSampleType, TextureUsages, TextureViewDescriptor, TextureViewDimension, VertexAttribute, VertexFormat,
    VertexStepMode,
};
use bevy::render::renderer::{RenderDevice, RenderGraph, RenderGraphSystems, RenderQueue};
use bevy::render::texture::GpuImage;
use bevy::render::{ExtractSchedule, MainWorld, RenderApp, RenderStartup};

/// Pictures that the GPU works on at once.
const UNDER_WORK_MAX: usize = 1;

/// The picture under work; it stays until the texture is there.
#[derive(Resource, Default)]
struct OnEasel {
    job: Option<Job>,
    canvas: Option<Canvas>,
}

/// What is painted with.
#[derive(Resource)]
struct Brushes {
    flat: RenderPipeline,
    flat_group: BindGroup,
    layer_layout: BindGroupLayout,
    layers: Vec<Option<Result<RenderPipeline, ()>>>,
    engine: Buffer,
    atlas: bevy::render::render_resource::Texture,
}

pub(super) fn plug(app: &mut App) {
    let Some(render) = app.get_sub_app_mut(RenderApp) else { return };
    render
        .init_resource::<OnEasel>()
        .add_systems(RenderStartup, make_brushes)
        .add_systems(ExtractSchedule, extract)
        .add_systems(RenderGraph, paint.in_set(RenderGraphSystems::Begin));
}

fn extract(mut main: ResMut<MainWorld>, mut on: ResMut<OnEasel>) {
    let canvas = main.get_resource::<Canvas>().cloned();
    let Some(mut easel) = main.get_resource_mut::<Easel>() else { return };
    if let Some(mut job) = easel.job.take() {
        // A picture that was not painted in time is replaced; what was to be learned from it is not lost.
        if let Some(before) = on.job.take() {
            job.atlas = job.atlas.or(before.atlas);
            job.capture = job.capture.or(before.capture);
        }
        on.job = Some(job);
    }
    on.canvas = canvas;
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

fn uniform(binding: u32) -> BindGroupLayoutEntry {
    let ty = BindingType::Buffer { ty: BufferBindingType::Uniform, has_dynamic_offset: false, min_binding_size: None };
    BindGroupLayoutEntry { binding, visibility: ShaderStages::VERTEX_FRAGMENT, count: None, ty }
}

fn make_brushes(device: Res<RenderDevice>, mut commands: Commands) {
    let source = ShaderSource::Wgsl(include_str!("../../shaders/canvas.wgsl").into());
    let module = device.create_and_validate_shader_module(ShaderModuleDescriptor { label: Some("canvas"), source });
    let texture = BindGroupLayoutEntry {
        ty: BindingType::Texture {
            sample_type: TextureSampleType::Float { filterable: true },
            view_dimension: TextureViewDimension::D2,
            multisampled: false,
        },
        visibility: ShaderStages::FRAGMENT,
        ..uniform(1)
    };
    let sampler =
        BindGroupLayoutEntry { ty: BindingType::Sampler(SamplerBindingType::Filtering), binding: 2, ..texture };
    let flat_layout = device.create_bind_group_layout("canvas", &[uniform(0), texture, sampler]);
    let layer_layout = device.create_bind_group_layout("layer", &[uniform(0), uniform(1)]);
    let layout = device.create_pipeline_layout(&PipelineLayoutDescriptor {
        label: Some("canvas"),
        bind_group_layouts: &[Some(flat_layout.value())],
        immediate_size: 0,
    });
    let formats = [
        VertexFormat::Float32x2,
        VertexFormat::Float32x2,
        VertexFormat::Float32x2,
        VertexFormat::Float32x3,
        VertexFormat::Float32,
        VertexFormat::Unorm8x4,
        VertexFormat::Unorm8x4,
    ];
    let mut offset = 0;
    let attributes: Vec<VertexAttribute> = formats
        .into_iter()
        .zip(0..)
        .map(|(format, shader_location)| {
            let attribute = VertexAttribute { format, offset, shader_location };
            offset += format.size();
            attribute
        })
        .collect();
    let flat = device.create_render_pipeline(&RawRenderPipelineDescriptor {
        label: Some("canvas"),
        layout: Some(&layout),
        vertex: RawVertexState {
            module: &module,
            entry_point: Some("vertex"),
            compilation_options: Default::default(),
            buffers: &[RawVertexBufferLayout {
                array_stride: size_of::<Vertex>() as u64,
                step_mode: VertexStepMode::Vertex,
                attributes: &attributes,
            }],
        },
        primitive: PrimitiveState::default(),
        depth_stencil: None,
        multisample: MultisampleState::default(),
        fragment: Some(RawFragmentState {
            module: &module,
            entry_point: Some("fragment"),
            compilation_options: Default::default(),
            targets: &[Some(target(Blend::Over))],
        }),
        multiview_mask: None,
        cache: None,
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
    let flat_group = device.create_bind_group("canvas", &flat_layout, &entries);
    commands.insert_resource(Brushes { flat, flat_group, layer_layout, layers: Vec::new(), engine, atlas });
}

/// A shader of an artist as a pipeline. naga has found it sound; what a driver makes of it is seen here.
fn layer(
    device: &RenderDevice,
    layout: &BindGroupLayout,
    shader: &Shader,
    blend: Blend,
) -> Result<RenderPipeline, String> {
    let validation = device.wgpu_device().push_error_scope(wgpu::ErrorFilter::Validation);
    let internal = device.wgpu_device().push_error_scope(wgpu::ErrorFilter::Internal);
    let source = ShaderSource::Wgsl(shader.source.as_str().into());
    let module = device.create_and_validate_shader_module(ShaderModuleDescriptor { label: Some(&shader.name), source });
    let layout = device.create_pipeline_layout(&PipelineLayoutDescriptor {
        label: Some(&shader.name),
        bind_group_layouts: &[Some(layout.value())],
        immediate_size: 0,
    });
    let pipeline = device.create_render_pipeline(&RawRenderPipelineDescriptor {
        label: Some(&shader.name),
        layout: Some(&layout),
        vertex: RawVertexState {
            module: &module,
            entry_point: Some("moongate_vertex"),
            compilation_options: Default::default(),
            buffers: &[],
        },
        primitive: PrimitiveState::default(),
        depth_stencil: None,
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

fn paint(
    device: Res<RenderDevice>,
    queue: Res<RenderQueue>,
    images: Res<RenderAssets<GpuImage>>,
    mut on: ResMut<OnEasel>,
    brushes: Option<ResMut<Brushes>>,
) {
    let (Some(mut brushes), Some(canvas)) = (brushes, on.canvas.clone()) else { return };
    let Some(image) = images.get(&canvas.image) else { return };
    // Nothing holds a loop without a screen back: a GPU that is behind is given no more to do.
    if canvas.drawn.waiting() >= UNDER_WORK_MAX {
        return;
    }
    let Some(mut job) = on.job.take() else { return };
    if let Some(pixels) = job.atlas.take() {
        let layout = TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(ATLAS), rows_per_image: None };
        let size = Extent3d { width: ATLAS, height: ATLAS, depth_or_array_layers: 1 };
        queue.write_texture(brushes.atlas.as_image_copy(), &pixels, layout, size);
    }
    // Seconds in 32 bits lose their fractions after days: shaders get an hour at a time.
    let now = (job.now % 3_600.0) as f32;
    let engine = [canvas.size[0], canvas.size[1], now, canvas.pixel];
    queue.write_buffer(&brushes.engine, 0, bytemuck::cast_slice(&engine));

    // The texture is shown as sRGB; it is painted as the plain numbers that colours are written in.
    let view = image.texture.create_view(&TextureViewDescriptor {
        format: Some(TextureFormat::Rgba8Unorm),
        ..TextureViewDescriptor::default()
    });
    let mut encoder = device.create_command_encoder(&CommandEncoderDescriptor { label: Some("canvas") });
    encode(&device, &mut encoder, &view, &mut brushes, &job.batch, &canvas);
    let copy = job.capture.take().map(|capture| (super::capture::copy(&device, &mut encoder, &image.texture), capture));
    queue.submit([encoder.finish()]);
    if let Some((copy, capture)) = copy {
        super::capture::save(copy, capture);
    }
    let (reflects, drawn) = (job.reflects, canvas.drawn.clone());
    canvas.drawn.submitted(reflects, monotonic());
    queue.on_submitted_work_done(move || drawn.done(reflects, monotonic()));
}

fn encode(
    device: &RenderDevice,
    encoder: &mut wgpu::CommandEncoder,
    view: &wgpu::TextureView,
    brushes: &mut Brushes,
    batch: &Batch,
    canvas: &Canvas,
) {
    let buffer = |contents: &[u8], usage| {
        // An empty buffer cannot be bound.
        let contents = if contents.is_empty() { &[0; 16][..] } else { contents };
        device.create_buffer_with_data(&BufferInitDescriptor { label: None, contents, usage })
    };
    let vertices = buffer(bytemuck::cast_slice(&batch.vertices), BufferUsages::VERTEX);
    let indices = buffer(bytemuck::cast_slice(&batch.indices), BufferUsages::INDEX);
    let (load, steps) = match batch.steps.split_first() {
        Some((Step::Clear(colour), steps)) => {
            let [r, g, b, a] = colour.0.map(|part| f64::from(part) / 255.0);
            (LoadOp::Clear(wgpu::Color { r: r * a, g: g * a, b: b * a, a: 1.0 }), steps)
        }
        _ => (LoadOp::Clear(wgpu::Color { r: 0.043, g: 0.063, b: 0.125, a: 1.0 }), &batch.steps[..]),
    };
    let mut ready = Vec::new();
    for step in steps {
        let Step::Shader { index, params, blend } = step else {
            ready.push(None);
            continue;
        };
        let slot = index * 2 + usize::from(*blend == Blend::Add);
        if brushes.layers.len() <= slot {
            brushes.layers.resize_with(slot + 1, || None);
        }
        let made = brushes.layers[slot].get_or_insert_with(|| {
            let Some(shader) = canvas.shaders.get(*index) else { return Err(()) };
            layer(device, &brushes.layer_layout, shader, *blend).map_err(|why| {
                tracing::warn!("{}: this machine's graphics driver refuses it: {why}", shader.name);
                canvas.drawn.fault(LayerFault { shader: shader.name.clone(), why });
            })
        });
        let Ok(pipeline) = made.clone() else {
            ready.push(None);
            continue;
        };
        let params = buffer(params, BufferUsages::UNIFORM);
        let entries = BindGroupEntries::sequential((brushes.engine.as_entire_binding(), params.as_entire_binding()));
        ready.push(Some((pipeline, device.create_bind_group("layer", &brushes.layer_layout, &entries))));
    }
    let mut pass = encoder.begin_render_pass(&RenderPassDescriptor {
        label: Some("canvas"),
        color_attachments: &[Some(RenderPassColorAttachment {
            view,
            depth_slice: None,
            resolve_target: None,
            ops: Operations { load, store: StoreOp::Store },
        })],
        depth_stencil_attachment: None,
        timestamp_writes: None,
        occlusion_query_set: None,
        multiview_mask: None,
    });
    for (step, ready) in steps.iter().zip(&ready) {
        match (step, ready) {
            (Step::Triangles(range), _) => {
                pass.set_pipeline(&brushes.flat);
                pass.set_bind_group(0, &*brushes.flat_group, &[]);
                pass.set_vertex_buffer(0, *vertices.slice(..));
                pass.set_index_buffer(*indices.slice(..), IndexFormat::Uint32);
                pass.draw_indexed(range.clone(), 0, 0..1);
            }
            (_, Some((pipeline, group))) => {
                pass.set_pipeline(pipeline);
                pass.set_bind_group(0, &**group, &[]);
                pass.draw(0..3, 0..1);
            }
            _ => {}
        }
    }
}
