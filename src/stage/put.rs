//! Writes down what the GPU has to do for a picture: first what layers and buffers become, then the canvas.

use super::batch::{Batch, How, Laid, Step, clips};
use super::brushes::{Brushes, Part, Stencil, Surface};
use super::kept::Strokes;
use super::passes::buffer_size;
use super::trial::patience;
use super::watched::Watched;
use super::{Drawn, Job, LayerFault};
use crate::scene::{Blend, Edition, Pass, Shader, Uniforms};
use bevy::render::render_resource::{
    BindGroup, Buffer, BufferInitDescriptor, BufferUsages, CommandEncoder, CommandEncoderDescriptor, Extent3d,
    IndexFormat, LoadOp, Operations, RenderPassColorAttachment, RenderPassDepthStencilAttachment, RenderPassDescriptor,
    RenderPipeline, StoreOp, TextureFormat, TextureView, TextureViewDescriptor,
};
use bevy::render::renderer::{RenderDevice, RenderQueue};
use std::ops::Range;
use std::time::{Duration, Instant};

/// Times that a shader is tried before it is shed.
const TRIALS: usize = 5;

/// What is painted on, besides its texture.
pub(super) struct Sheet {
    /// In canvas units.
    pub size: [f32; 2],
    /// Pixels of the texture that one of them is.
    pub pixel: f32,
    /// Where faults are told.
    pub drawn: Drawn,
    /// What a shader may take of the GPU.
    pub most: Duration,
}

/// One thing that is drawn in a pass.
struct Stroke {
    /// Of the indices; all of the canvas without it.
    run: Option<Range<u32>>,
    group: BindGroup,
    pipeline: RenderPipeline,
    mark: u8,
}

/// Where a pass draws: its view, what it was, and how large it is in pixels.
struct Ground<'a> {
    view: &'a TextureView,
    load: LoadOp<wgpu::Color>,
    size: Extent3d,
}

/// A picture under work.
struct Work<'a> {
    device: &'a RenderDevice,
    queue: &'a RenderQueue,
    brushes: &'a mut Brushes,
    encoder: CommandEncoder,
    edition: Option<&'a Edition>,
    sheet: &'a Sheet,
    /// The canvas, in pixels.
    pixels: Extent3d,
    uniforms: &'a Uniforms,
    now: f64,
}

/// Writes down what the GPU has to do for a picture.
pub(super) fn put(
    (device, queue): (&RenderDevice, &RenderQueue),
    brushes: &mut Brushes,
    texture: &wgpu::Texture,
    job: &mut Job,
    watched: [&Watched; 2],
    sheet: &Sheet,
) -> CommandEncoder {
    brushes.only(job.edition.as_ref(), &sheet.drawn);
    if let Some(pixels) = job.atlas.take() {
        brushes.pigments.letters(queue, &pixels);
    }
    let pass = Pass { resolution: [texture.width(), texture.height()], frame: 0 };
    queue.write_buffer(&brushes.engine, 0, &job.uniforms.bytes(sheet.size, sheet.pixel, pass));
    // The texture is shown as sRGB; it is painted as the plain numbers that colours are written in.
    let view = texture.create_view(&TextureViewDescriptor {
        format: Some(TextureFormat::Rgba8Unorm),
        ..TextureViewDescriptor::default()
    });
    let encoder = || device.create_command_encoder(&CommandEncoderDescriptor { label: Some("canvas") });
    let (edition, pixels) = (job.edition.as_deref(), texture.size());
    let (uniforms, now) = (&*job.uniforms, job.uniforms.now);
    let mut work = Work { device, queue, brushes, encoder: encoder(), edition, sheet, pixels, uniforms, now };
    for strokes in job.strokes.drain(..) {
        work.keep(&strokes);
        if !strokes.batch.gradients.is_empty() {
            // They are written between what is submitted, and the next ones have others.
            let done = std::mem::replace(&mut work.encoder, encoder());
            queue.submit([done.finish()]);
        }
    }
    work.brushes.pigments.gradients(queue, &job.batch.gradients);
    let mut shaders = shaders(&job.batch.steps, edition);
    if shaders.iter().any(|(shader, ..)| shader.looks.people) {
        work.brushes.seen.update(device, queue, watched);
    }
    if sheet.drawn.takes() > sheet.most {
        work.brushes.trials.suspect(work.now);
    }
    for (shader, params, blend) in &shaders {
        work.judge(shader, params, *blend);
    }
    shaders.retain(|(shader, ..)| work.brushes.trials.passed(shader.key));
    for (shader, params, _) in &shaders {
        work.buffers(shader, params);
    }
    work.canvas(&view.into(), &job.batch);
    for (shader, ..) in &shaders {
        work.brushes.passes.drawn(shader.key);
    }
    if shaders.iter().any(|(shader, ..)| shader.looks.previous) {
        work.brushes.passes.remember(device, &mut work.encoder, texture);
    }
    work.encoder
}

/// The shaders of these steps, each once, with what it is told and how it is laid where it is seen first.
fn shaders<'a>(steps: &'a [Step], edition: Option<&'a Edition>) -> Vec<(&'a Shader, &'a [u8], Blend)> {
    let mut found: Vec<(&Shader, &[u8], Blend)> = Vec::new();
    let within = steps.iter().flat_map(|step| match step {
        Step::Trail { steps, .. } => steps.as_slice(),
        step => std::slice::from_ref(step),
    });
    for step in within {
        if let Step::Shader { index, params, blend, .. } = step
            && let Some(shader) = edition.and_then(|edition| edition.shaders.get(*index))
            && found.iter().all(|(known, ..)| known.key != shader.key)
        {
            found.push((shader, params, *blend));
        }
    }
    found
}

impl Work<'_> {
    fn buffer(&self, contents: &[u8], usage: BufferUsages) -> Buffer {
        // An empty buffer cannot be bound.
        let contents = if contents.is_empty() { &[0; 16][..] } else { contents };
        self.device.create_buffer_with_data(&BufferInitDescriptor { label: None, contents, usage })
    }

    /// What the engine tells a shader that paints on so many pixels.
    fn engine(&self, shader: &Shader, size: Extent3d) -> Buffer {
        let frame = self.brushes.passes.frame(shader.key);
        let pass = Pass { resolution: [size.width, size.height], frame };
        self.buffer(&self.uniforms.bytes(self.sheet.size, self.sheet.pixel, pass), BufferUsages::UNIFORM)
    }

    fn corners(&self, batch: &Batch) -> (Buffer, Buffer) {
        let vertices = self.buffer(bytemuck::cast_slice(&batch.vertices), BufferUsages::VERTEX);
        (vertices, self.buffer(bytemuck::cast_slice(&batch.indices), BufferUsages::INDEX))
    }

    /// Draws onto a kept layer.
    fn keep(&mut self, Strokes { slot, first, whole, batch }: &Strokes) {
        let Some((view, empty)) = self.brushes.layers.keep(self.device, (*slot, *first), self.pixels) else { return };
        if !batch.gradients.is_empty() {
            self.brushes.pigments.gradients(self.queue, &batch.gradients);
        }
        let corners = self.corners(batch);
        let strokes = self.strokes(&batch.steps, Surface::Canvas);
        let load = if empty { LoadOp::Clear(wgpu::Color::TRANSPARENT) } else { LoadOp::Load };
        let ground = Ground { view: &view, load, size: self.pixels };
        self.pass(&ground, &strokes, &corners, clips(&batch.steps));
        if *whole {
            self.brushes.layers.is_whole(*slot);
        }
    }

    /// Tries a shader that has not been, with what it is told now. One that is too slow is shed, and said to be so.
    fn judge(&mut self, shader: &Shader, params: &[u8], blend: Blend) {
        if !self.brushes.trials.due(shader.key, self.now) {
            return;
        }
        // What was slow for the first time had to be made ready, perhaps, and the machine may have had something else to do:
        // the quickest counts. One that is not done at all is not asked again.
        let mut took = self.trial(shader, params, blend);
        for _ in 1..TRIALS {
            if took.is_none_or(|took| took <= self.sheet.most / 16) {
                break;
            }
            took = took.min(self.trial(shader, params, blend));
        }
        let name = &shader.params.name;
        if let Err(why) = self.brushes.trials.judge(shader.key, self.now, took, self.sheet.most) {
            tracing::warn!("{name}: {why}");
            self.sheet.drawn.fault(LayerFault { shader: name.clone(), why });
        }
    }

    /// How long a shader takes on a small sheet, with its buffers; none if it is not done in time.
    fn trial(&mut self, shader: &Shader, params: &[u8], blend: Blend) -> Option<Duration> {
        let began = Instant::now();
        let params = self.buffer(params, BufferUsages::UNIFORM);
        let corners = self.corners(&Batch::default());
        let label = CommandEncoderDescriptor { label: Some("trial") };
        let before = std::mem::replace(&mut self.encoder, self.device.create_command_encoder(&label));
        let buffers = shader.buffers.iter().map(|buffer| (Part::Buffer(*buffer), Surface::Trail, shader.buffer_scale));
        for (part, surface, scale) in buffers.chain([(Part::Paint(blend), Surface::Canvas, 1.0)]) {
            let made = self.brushes.shader(self.device, (shader, part), (surface, Stencil::None), &self.sheet.drawn);
            let Some(pipeline) = made else { continue };
            // It is told of what it will paint on, so that it does as much for each pixel.
            let whole = if surface == Surface::Trail { buffer_size(shader, self.pixels) } else { self.pixels };
            let engine = self.engine(shader, whole);
            let group = self.brushes.shader_group(self.device, shader.key, [&engine, &params]);
            let (view, size) = self.brushes.trials.sheet(self.device, surface, (self.pixels, scale));
            let ground = Ground { view: &view, load: LoadOp::Clear(wgpu::Color::TRANSPARENT), size };
            self.pass(&ground, &[Stroke { run: None, group, pipeline, mark: 0 }], &corners, false);
        }
        let trial = std::mem::replace(&mut self.encoder, before);
        let submission_index = Some(self.queue.submit([trial.finish()]));
        let timeout = Some(patience(self.sheet.most));
        let done = self.device.poll(wgpu::PollType::Wait { submission_index, timeout });
        done.is_ok().then(|| began.elapsed())
    }

    /// Paints what a shader remembers.
    fn buffers(&mut self, shader: &Shader, params: &[u8]) {
        self.brushes.passes.make(self.device, shader, self.pixels);
        let params = self.buffer(params, BufferUsages::UNIFORM);
        let engine = self.engine(shader, buffer_size(shader, self.pixels));
        for buffer in &shader.buffers {
            let at = (Surface::Trail, Stencil::None);
            let made = self.brushes.shader(self.device, (shader, Part::Buffer(*buffer)), at, &self.sheet.drawn);
            let Some((pipeline, view)) = made.zip(self.brushes.passes.next(shader.key, *buffer)) else { continue };
            let group = self.brushes.shader_group(self.device, shader.key, [&engine, &params]);
            let load = LoadOp::Clear(wgpu::Color::TRANSPARENT);
            let ground = Ground { view: &view, load, size: self.pixels };
            self.pass(
                &ground,
                &[Stroke { run: None, group, pipeline, mark: 0 }],
                &self.corners(&Batch::default()),
                false,
            );
            self.brushes.passes.turn(shader.key, *buffer);
        }
    }

    fn canvas(&mut self, view: &TextureView, batch: &Batch) {
        let corners = self.corners(batch);
        for step in &batch.steps {
            if let Step::Trail { slot, trail, steps, .. } = step {
                let size = (self.pixels, self.sheet.size);
                let next = self.brushes.layers.next(self.device, *slot, (trail, self.now), size);
                let Some((view, before)) = next else { continue };
                let clipped = clips(steps);
                let mut strokes = Vec::with_capacity(steps.len() + 1);
                if let Some(group) = before {
                    let stencil = if clipped { Stencil::All } else { Stencil::None };
                    let pipeline = self.brushes.layers.pipeline(self.device, Surface::Trail, None, stencil);
                    strokes.push(Stroke { run: None, group, pipeline, mark: 0 });
                }
                strokes.extend(self.strokes(steps, Surface::Trail));
                let load = LoadOp::Clear(wgpu::Color::TRANSPARENT);
                let ground = Ground { view: &view, load, size: self.pixels };
                self.pass(&ground, &strokes, &corners, clipped);
            }
        }
        let (load, steps) = match batch.steps.split_first() {
            Some((Step::Clear(colour), steps)) => {
                let [r, g, b, a] = colour.0.map(|part| f64::from(part) / 255.0);
                (LoadOp::Clear(wgpu::Color { r: r * a, g: g * a, b: b * a, a: 1.0 }), steps)
            }
            _ => (LoadOp::Clear(wgpu::Color { r: 0.043, g: 0.063, b: 0.125, a: 1.0 }), &batch.steps[..]),
        };
        let strokes = self.strokes(steps, Surface::Canvas);
        let ground = Ground { view, load, size: self.pixels };
        self.pass(&ground, &strokes, &corners, clips(steps));
    }

    /// Steps with what they are painted with.
    fn strokes(&mut self, steps: &[Step], surface: Surface) -> Vec<Stroke> {
        let clipped = clips(steps);
        let mut strokes = Vec::with_capacity(steps.len());
        let (device, queue) = (self.device, self.queue);
        for step in steps {
            match step {
                Step::Clear(_) => {}
                Step::Stamp { run, mark } => {
                    let pipeline = self.brushes.flat(device, surface, Stencil::Stamp, How::default());
                    let group = self.brushes.pigments.group(device, queue, None);
                    strokes.push(Stroke { run: Some(run.clone()), group, pipeline, mark: *mark });
                }
                Step::Triangles { run, how } => {
                    let (stencil, mark) = Stencil::of(clipped, how.through);
                    let pipeline = self.brushes.flat(device, surface, stencil, *how);
                    let image = how.image.zip(self.edition);
                    let image = image.and_then(|(index, edition)| edition.images.get(usize::from(index)));
                    let group = self.brushes.pigments.group(device, queue, image);
                    strokes.push(Stroke { run: Some(run.clone()), group, pipeline, mark });
                }
                Step::Shader { index, params, blend, through } => {
                    let (stencil, mark) = Stencil::of(clipped, *through);
                    let Some(shader) = self.edition.and_then(|edition| edition.shaders.get(*index)) else { continue };
                    if !self.brushes.trials.passed(shader.key) {
                        continue;
                    }
                    let (part, at) = (Part::Paint(*blend), (surface, stencil));
                    let Some(pipeline) = self.brushes.shader(device, (shader, part), at, &self.sheet.drawn) else {
                        continue;
                    };
                    let params = self.buffer(params, BufferUsages::UNIFORM);
                    let engine = self.engine(shader, self.pixels);
                    let group = self.brushes.shader_group(device, shader.key, [&engine, &params]);
                    strokes.push(Stroke { run: None, group, pipeline, mark });
                }
                Step::Trail { slot, seen: Some(laid), .. } => {
                    let picture = self.brushes.layers.trail_view(*slot).cloned();
                    strokes.extend(picture.map(|picture| self.lay(laid, &picture, surface, clipped)));
                }
                Step::Trail { seen: None, .. } => {}
                Step::Kept { slot, laid } => {
                    let picture = self.brushes.layers.kept_view(*slot).cloned();
                    strokes.extend(picture.map(|picture| self.lay(laid, &picture, surface, clipped)));
                }
            }
        }
        strokes
    }

    fn lay(&mut self, laid: &Laid, picture: &TextureView, surface: Surface, clipped: bool) -> Stroke {
        let (stencil, mark) = Stencil::of(clipped, laid.through);
        let pipeline = self.brushes.layers.pipeline(self.device, surface, Some(laid.blend), stencil);
        let group = self.brushes.layers.laid(self.device, laid, picture);
        Stroke { run: None, group, pipeline, mark }
    }

    fn pass(&mut self, ground: &Ground, strokes: &[Stroke], (vertices, indices): &(Buffer, Buffer), clipped: bool) {
        let Ground { view, load, size, .. } = ground;
        let stencil = clipped.then(|| self.brushes.stencil(self.device, [size.width, size.height]));
        let mut pass = self.encoder.begin_render_pass(&RenderPassDescriptor {
            label: Some("canvas"),
            color_attachments: &[Some(RenderPassColorAttachment {
                view,
                depth_slice: None,
                resolve_target: None,
                ops: Operations { load: *load, store: StoreOp::Store },
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
        for Stroke { run, group, pipeline, mark } in strokes {
            pass.set_pipeline(pipeline);
            if clipped {
                pass.set_stencil_reference(u32::from(*mark));
            }
            pass.set_bind_group(0, &**group, &[]);
            match run {
                Some(run) => {
                    pass.set_vertex_buffer(0, *vertices.slice(..));
                    pass.set_index_buffer(*indices.slice(..), IndexFormat::Uint32);
                    pass.draw_indexed(run.clone(), 0, 0..1);
                }
                None => pass.draw(0..3, 0..1),
            }
        }
    }
}
