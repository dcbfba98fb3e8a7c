//! Paints batches into the canvas's texture, in the render world, before any screen looks at it.

use super::batch::{How, Step};
use super::brushes::{Brushes, Stencil};
use super::watched::{Watched, Watching};
use super::{Canvas, Drawn, Easel, Job};
use crate::device::clock::monotonic;
use bevy::prelude::*;
use bevy::render::render_asset::RenderAssets;
use bevy::render::render_resource::{
    BindGroup, BufferInitDescriptor, BufferUsages, CommandEncoderDescriptor, Extent3d, IndexFormat, LoadOp, Operations,
    RenderPassColorAttachment, RenderPassDepthStencilAttachment, RenderPassDescriptor, RenderPipeline, StoreOp,
    TextureFormat, TextureViewDescriptor,
};
use bevy::render::renderer::{RenderDevice, RenderGraph, RenderGraphSystems, RenderQueue};
use bevy::render::texture::GpuImage;
use bevy::render::{ExtractSchedule, MainWorld, RenderApp, RenderStartup};
use std::sync::Arc;

/// Pictures that the GPU works on at once.
const UNDER_WORK_MAX: usize = 1;

/// The picture under work; it stays until the texture is there.
#[derive(Resource, Default)]
pub(super) struct OnEasel {
    job: Option<Job>,
    pub canvas: Option<Canvas>,
    watched: Arc<Watched>,
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
    if let Some(watching) = main.get_resource::<Watching>() {
        on.watched = watching.0.clone();
    }
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

fn make_brushes(device: Res<RenderDevice>, mut commands: Commands) {
    commands.insert_resource(Brushes::new(&device));
}

pub(super) fn paint(
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
    let sheet = Sheet { size: canvas.size, pixel: canvas.pixel, drawn: canvas.drawn.clone() };
    let watched = on.watched.clone();
    let mut encoder = put((&device, &queue), &mut brushes, &image.texture, &mut job, &watched, &sheet);
    let copy = job.capture.take().map(|capture| (super::capture::copy(&device, &mut encoder, &image.texture), capture));
    queue.submit([encoder.finish()]);
    if let Some((copy, capture)) = copy {
        super::capture::save(copy, capture);
    }
    let (reflects, drawn) = (job.reflects, canvas.drawn.clone());
    canvas.drawn.submitted(reflects, monotonic());
    queue.on_submitted_work_done(move || drawn.done(reflects, monotonic()));
}

/// What is painted on, besides its texture.
pub(super) struct Sheet {
    /// In canvas units.
    pub size: [f32; 2],
    /// Pixels of the texture that one of them is.
    pub pixel: f32,
    /// Where faults are told.
    pub drawn: Drawn,
}

/// Writes down what the GPU has to do for a picture.
pub(super) fn put(
    (device, queue): (&RenderDevice, &RenderQueue),
    brushes: &mut Brushes,
    texture: &wgpu::Texture,
    job: &mut Job,
    watched: &Watched,
    sheet: &Sheet,
) -> wgpu::CommandEncoder {
    brushes.only(job.edition.as_ref());
    if let Some(pixels) = job.atlas.take() {
        brushes.pigments.letters(queue, &pixels);
    }
    brushes.pigments.gradients(queue, &job.batch.gradients);
    // Seconds in 32 bits lose their fractions after days: shaders get an hour at a time.
    let now = (job.now % 3_600.0) as f32;
    let engine = [sheet.size[0], sheet.size[1], now, sheet.pixel];
    queue.write_buffer(&brushes.engine, 0, bytemuck::cast_slice(&engine));
    // The texture is shown as sRGB; it is painted as the plain numbers that colours are written in.
    let view = texture.create_view(&TextureViewDescriptor {
        format: Some(TextureFormat::Rgba8Unorm),
        ..TextureViewDescriptor::default()
    });
    let mut encoder = device.create_command_encoder(&CommandEncoderDescriptor { label: Some("canvas") });
    if sees_here(job) {
        brushes.seen.update(device, queue, watched);
    }
    encode((device, queue), &mut encoder, (&view, texture.size()), brushes, job, &sheet.drawn);
    encoder
}

/// True when a shader of the picture looks at what the cameras see.
fn sees_here(job: &Job) -> bool {
    job.batch.steps.iter().any(|step| match step {
        Step::Shader { index, .. } => {
            job.edition.as_ref().and_then(|edition| edition.shaders.get(*index)).is_some_and(|shader| shader.sees_here)
        }
        _ => false,
    })
}

/// A step with what it is painted with.
enum Stroke {
    Run { run: std::ops::Range<u32>, group: BindGroup, pipeline: RenderPipeline, mark: u8 },
    Layer { group: BindGroup, pipeline: RenderPipeline, mark: u8 },
}

fn encode(
    (device, queue): (&RenderDevice, &RenderQueue),
    encoder: &mut wgpu::CommandEncoder,
    (view, size): (&wgpu::TextureView, Extent3d),
    brushes: &mut Brushes,
    Job { batch, edition, .. }: &Job,
    drawn: &Drawn,
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
    let clips = batch.clips();
    let mut strokes = Vec::with_capacity(steps.len());
    for step in steps {
        match step {
            Step::Clear(_) => {}
            Step::Stamp { run, mark } => {
                let pipeline = brushes.flat(device, Stencil::Stamp, How::default());
                let group = brushes.pigments.group(device, queue, None);
                strokes.push(Stroke::Run { run: run.clone(), group, pipeline, mark: *mark });
            }
            Step::Triangles { run, how } => {
                let (stencil, mark) = Stencil::of(clips, how.through);
                let pipeline = brushes.flat(device, stencil, *how);
                let image = how.image.zip(edition.as_ref());
                let image = image.and_then(|(index, edition)| edition.images.get(usize::from(index)));
                let group = brushes.pigments.group(device, queue, image);
                strokes.push(Stroke::Run { run: run.clone(), group, pipeline, mark });
            }
            Step::Shader { index, params, blend, through } => {
                let (stencil, mark) = Stencil::of(clips, *through);
                let made = edition.as_ref().and_then(|edition| edition.shaders.get(*index));
                let made = made.and_then(|shader| brushes.layer(device, (shader, *blend), stencil, drawn));
                let Some(pipeline) = made else { continue };
                let group = brushes.layer_group(device, &buffer(params, BufferUsages::UNIFORM));
                strokes.push(Stroke::Layer { group, pipeline, mark });
            }
        }
    }
    let stencil = clips.then(|| brushes.stencil(device, [size.width, size.height]));
    let mut pass = encoder.begin_render_pass(&RenderPassDescriptor {
        label: Some("canvas"),
        color_attachments: &[Some(RenderPassColorAttachment {
            view,
            depth_slice: None,
            resolve_target: None,
            ops: Operations { load, store: StoreOp::Store },
        })],
        depth_stencil_attachment: stencil.as_deref().map(|view| RenderPassDepthStencilAttachment {
            view,
            depth_ops: None,
            stencil_ops: Some(Operations { load: LoadOp::Clear(0), store: StoreOp::Discard }),
        }),
        timestamp_writes: None,
        occlusion_query_set: None,
        multiview_mask: None,
    });
    for stroke in &strokes {
        let (Stroke::Run { pipeline, mark, .. } | Stroke::Layer { pipeline, mark, .. }) = stroke;
        pass.set_pipeline(pipeline);
        if clips {
            pass.set_stencil_reference(u32::from(*mark));
        }
        match stroke {
            Stroke::Run { run, group, .. } => {
                pass.set_bind_group(0, &**group, &[]);
                pass.set_vertex_buffer(0, *vertices.slice(..));
                pass.set_index_buffer(*indices.slice(..), IndexFormat::Uint32);
                pass.draw_indexed(run.clone(), 0, 0..1);
            }
            Stroke::Layer { group, .. } => {
                pass.set_bind_group(0, &**group, &[]);
                pass.draw(0..3, 0..1);
            }
        }
    }
}
