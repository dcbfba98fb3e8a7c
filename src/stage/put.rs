//! Writes down what the GPU has to do for a picture: first what layers and buffers become, then the canvas.

use super::batch::{Batch, How, Laid, Step, clips};
use super::brushes::{Brushes, Part, Stencil, Surface};
use super::kept::Strokes;
use super::maker::Stand;
use super::passes::buffer_size;
use super::trial::{patience, quickest};
use super::watched::Watched;
use super::{Drawn, Job};
use crate::device::clock::process_cpu;
use crate::device::steps::WALL;
use crate::scene::{Blend, Edition, Pass, Shader, Uniforms};
use bevy::render::render_resource::{
    BindGroup, Buffer, BufferInitDescriptor, BufferUsages, CommandEncoder, CommandEncoderDescriptor, Extent3d,
    IndexFormat, LoadOp, Operations, RenderPassColorAttachment, RenderPassDepthStencilAttachment, RenderPassDescriptor,
    RenderPipeline, StoreOp, TextureFormat, TextureView, TextureViewDescriptor,
};
use bevy::render::renderer::{RenderDevice, RenderQueue};
use std::collections::HashSet;
use std::ops::Range;
use std::time::{Duration, Instant};

/// Interval between checks of an unfinished trial run.
const LOOK: Duration = Duration::from_millis(50);

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
    /// True in virtual time, where only the caller waits for a picture, so that a busy machine may be slow.
    pub patient: bool,
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
    /// Keys of shaders that are not drawn as they should be.
    missing: HashSet<u64>,
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
    let (uniforms, now, missing) = (&*job.uniforms, job.uniforms.now, HashSet::new());
    let mut work = Work { device, queue, brushes, encoder: encoder(), edition, sheet, pixels, uniforms, now, missing };
    for strokes in job.strokes.drain(..) {
        work.keep(&strokes);
        if !strokes.batch.gradients.is_empty() {
            // They are written between what is submitted, and the next ones have others.
            let done = std::mem::replace(&mut work.encoder, encoder());
            queue.submit([done.finish()]);
        }
    }
    work.brushes.pigments.gradients(queue, &job.batch.gradients);
    let all = shaders(&job.batch.steps, edition);
    if all.iter().any(|(shader, ..)| shader.looks.people) {
        work.brushes.seen.update(device, queue, watched);
    }
    if sheet.drawn.takes() > sheet.most {
        work.brushes.trials.suspect(work.now);
    }
    for (shader, params, blend) in &all {
        work.judge(shader, params, *blend);
    }
    let passed = |(shader, ..): &&(&Shader, &[u8], Blend)| work.brushes.trials.passed(shader.key);
    let shaders: Vec<_> = all.iter().filter(passed).collect();
    for (shader, params, _) in &shaders {
        work.buffers(shader, params);
    }
    work.canvas(&view.into(), &job.batch);
    let missing = std::mem::take(&mut work.missing);
    for (shader, ..) in shaders.iter().filter(|(shader, ..)| !missing.contains(&shader.key)) {
        work.brushes.passes.drawn(shader.key);
        sheet.drawn.returns(&shader.params.name);
    }
    if shaders.iter().any(|(shader, ..)| shader.looks.previous) {
        work.brushes.passes.remember(device, &mut work.encoder, texture);
    }
    work.encoder
}

/// A pipeline that is needed: the shader, its part, and the target that it is drawn on.
type Need<'a> = (&'a Shader, Part, (Surface, Stencil));

/// Returns the parts of a trial run, with target and scale, in order: the shader's buffers, then the visible picture.
fn parts(shader: &Shader, blend: Blend) -> impl Iterator<Item = (Part, Surface, f32)> {
    let buffers = shader.buffers.iter().map(|buffer| (Part::Buffer(*buffer), Surface::Trail, shader.buffer_scale));
    buffers.chain([(Part::Paint(blend), Surface::Canvas, 1.0)])
}

/// Returns all pipelines that the shaders of these steps are tried and drawn with.
pub(super) fn needs<'a>(steps: &'a [Step], edition: Option<&'a Edition>) -> Vec<Need<'a>> {
    let tried = shaders(steps, edition).into_iter().flat_map(|(shader, _, blend)| {
        parts(shader, blend).map(move |(part, surface, _)| (shader, part, (surface, Stencil::None)))
    });
    let mut needs: Vec<Need> = tried.collect();
    let within = steps.iter().filter_map(|step| match step {
        Step::Trail { steps, .. } => Some((steps.as_slice(), Surface::Trail)),
        _ => None,
    });
    for (steps, surface) in within.chain([(steps, Surface::Canvas)]) {
        let clipped = clips(steps);
        for step in steps {
            if let Step::Shader { index, blend, through, .. } = step
                && let Some(shader) = edition.and_then(|edition| edition.shaders.get(*index))
            {
                needs.push((shader, Part::Paint(*blend), (surface, Stencil::of(clipped, *through).0)));
            }
        }
    }
    needs
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

    /// Returns the engine's uniforms for a shader that paints on this many pixels.
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

    /// Returns a pipeline of a shader; none while it is being made, or if it is refused, which is reported.
    fn pipeline(&mut self, shader: &Shader, part: Part, at: (Surface, Stencil)) -> Option<RenderPipeline> {
        let stand = self.brushes.shades.get(shader, part, at);
        if let Stand::Made(pipeline) = stand {
            return Some(pipeline);
        }
        self.missing.insert(shader.key);
        if let Stand::Refused(why) = stand {
            self.sheet.drawn.fault(&shader.params.name, why);
        }
        None
    }

    /// Tries a shader that has not been, with what it is told now. One that is too slow is shed, and said to be so.
    fn judge(&mut self, shader: &Shader, params: &[u8], blend: Blend) {
        if !self.brushes.trials.due(shader.key, self.now) {
            return;
        }
        let get = |(part, surface, _)| self.brushes.shades.get(shader, part, (surface, Stencil::None));
        // Counts all instead of stopping at the first, so that every pipeline is requested at once.
        if parts(shader, blend).map(get).filter(Stand::is_coming).count() > 0 {
            return;
        }
        let (most, patient) = (self.sheet.most, self.sheet.patient);
        let mut under_way = None;
        let took = quickest(most, patient, || self.trial((shader, params, blend), &mut under_way));
        if let Err(why) = self.brushes.trials.judge(shader.key, self.now, took, most) {
            self.sheet.drawn.fault(&shader.params.name, why);
        }
    }

    /// Returns a shader's time on a small sheet, with its buffers; none if it is not done in time. Then it stays `under_way`, and
    /// must finish before it is tried again.
    fn trial(
        &mut self,
        (shader, params, blend): (&Shader, &[u8], Blend),
        under_way: &mut Option<wgpu::SubmissionIndex>,
    ) -> Option<Duration> {
        if let Some(before) = under_way {
            self.done(before)?;
        }
        let params = self.buffer(params, BufferUsages::UNIFORM);
        let corners = self.corners(&Batch::default());
        let label = CommandEncoderDescriptor { label: Some("trial") };
        let before = std::mem::replace(&mut self.encoder, self.device.create_command_encoder(&label));
        for (part, surface, scale) in parts(shader, blend) {
            let Some(pipeline) = self.pipeline(shader, part, (surface, Stencil::None)) else { continue };
            // The uniforms give the full size of its target, so that it does as much work per pixel.
            let whole = if surface == Surface::Trail { buffer_size(shader, self.pixels) } else { self.pixels };
            let engine = self.engine(shader, whole);
            let group = self.brushes.shader_group(self.device, shader.key, [&engine, &params]);
            let (view, size) = self.brushes.trials.sheet(self.device, surface, (self.pixels, scale));
            let ground = Ground { view: &view, load: LoadOp::Clear(wgpu::Color::TRANSPARENT), size };
            self.pass(&ground, &[Stroke { run: None, group, pipeline, mark: 0 }], &corners, false);
        }
        let trial = std::mem::replace(&mut self.encoder, before);
        let submitted = under_way.insert(self.queue.submit([trial.finish()]));
        let took = self.done(submitted)?;
        *under_way = None;
        Some(took)
    }

    /// Waits until the GPU has finished the submitted work and returns the time it took; none if it is not done in time.
    fn done(&self, submitted: &wgpu::SubmissionIndex) -> Option<Duration> {
        let (began, used) = (Instant::now(), process_cpu());
        // On a software renderer the time that other processes use the CPU does not count.
        let software = self.device.wgpu_device().adapter_info().device_type == wgpu::DeviceType::Cpu;
        let worked = || if software { process_cpu().saturating_sub(used) } else { Duration::ZERO };
        let patience = patience(self.sheet.most);
        loop {
            let wall = began.elapsed();
            let left = if self.sheet.patient {
                if worked() > patience { Duration::ZERO } else { WALL.saturating_sub(wall) }
            } else {
                patience.saturating_sub(wall)
            };
            let poll =
                wgpu::PollType::Wait { submission_index: Some(submitted.clone()), timeout: Some(left.min(LOOK)) };
            match self.device.poll(poll) {
                Ok(_) => {
                    let wall = began.elapsed();
                    return Some(if software { wall.min(worked()) } else { wall });
                }
                Err(wgpu::PollError::Timeout) if !left.is_zero() => {}
                Err(_) => return None,
            }
        }
    }

    /// Paints what a shader remembers.
    fn buffers(&mut self, shader: &Shader, params: &[u8]) {
        self.brushes.passes.make(self.device, shader, self.pixels);
        let params = self.buffer(params, BufferUsages::UNIFORM);
        let engine = self.engine(shader, buffer_size(shader, self.pixels));
        for buffer in &shader.buffers {
            let at = (Surface::Trail, Stencil::None);
            let made = self.pipeline(shader, Part::Buffer(*buffer), at);
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
                    let made = self.pipeline(shader, Part::Paint(*blend), (surface, stencil));
                    let Some(pipeline) = made else { continue };
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
