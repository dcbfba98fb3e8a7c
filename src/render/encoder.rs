//! Encodes the GPU commands of a frame: retained layers and shader buffers first, then the canvas.

use super::batch::{Compositing, DrawBatch, DrawCommand, DrawState, needs_stencil};
use super::frame_stats::FrameStats;
use super::job_pool::JobState;
use super::pipelines::CanvasPipelines;
use super::presence_textures::PresenceMap;
use super::queue::RenderJob;
use super::retained::LayerUpdate;
use super::shader_budget::{best_of_trials, trial_timeout};
use super::shader_buffers::buffer_size;
use super::shader_usage::{distinct_shaders, outputs_of};
use super::targets::{ShaderOutput, StencilMode, TargetKind};
use crate::device::clock::process_cpu;
use crate::device::virtual_steps::STEP_TIMEOUT;
use crate::scene::{BlendMode, EngineUniforms, SceneRevision, SceneShader, ShaderPass};
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
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Settings of the canvas, besides its texture.
pub(super) struct CanvasTarget {
    /// Size in canvas units.
    pub size: [f32; 2],
    /// Pixels of the texture per canvas unit.
    pub pixels_per_unit: f32,
    /// Receives shader faults.
    pub frame_stats: FrameStats,
    /// Maximum GPU time of a shader per frame.
    pub shader_time_max: Duration,
    /// True in virtual time, where only the caller waits for a frame, so that a busy machine may be slow.
    pub blocking: bool,
}

/// Draw call of a pass.
struct DrawCall {
    /// Range of indices; `None` draws over the whole canvas.
    indices: Option<Range<u32>>,
    bind_group: BindGroup,
    pipeline: RenderPipeline,
    stencil_ref: u8,
}

/// Target of a pass: view, load operation, and size in pixels.
struct PassTarget<'a> {
    view: &'a TextureView,
    load: LoadOp<wgpu::Color>,
    size: Extent3d,
}

/// Frame that is being encoded.
struct FrameEncoder<'a> {
    device: &'a RenderDevice,
    queue: &'a RenderQueue,
    pipelines: &'a mut CanvasPipelines,
    encoder: CommandEncoder,
    edition: Option<&'a SceneRevision>,
    target: &'a CanvasTarget,
    /// Size of the canvas in pixels.
    pixels: Extent3d,
    uniforms: &'a EngineUniforms,
    now: f64,
    /// Content hashes of shaders that are not drawn as they should be.
    missing: HashSet<u64>,
}

/// Encodes the GPU commands of a frame.
pub(super) fn encode_frame(
    (device, queue): (&RenderDevice, &RenderQueue),
    pipelines: &mut CanvasPipelines,
    texture: &wgpu::Texture,
    job: &mut RenderJob,
    watched: [&PresenceMap; 2],
    target: &CanvasTarget,
) -> CommandEncoder {
    pipelines.retain_edition(job.edition.as_ref(), &target.frame_stats);
    if let Some(pixels) = job.atlas.take() {
        pipelines.materials.upload_glyphs(queue, &pixels);
    }
    let pass = ShaderPass { resolution: [texture.width(), texture.height()], frame: 0 };
    queue.write_buffer(
        &pipelines.engine_uniforms,
        0,
        &job.uniforms.to_bytes(target.size, target.pixels_per_unit, pass),
    );
    // The texture is sampled as sRGB, but drawn as the plain numbers that colours are written in.
    let view = texture.create_view(&TextureViewDescriptor {
        format: Some(TextureFormat::Rgba8Unorm),
        ..TextureViewDescriptor::default()
    });
    let encoder = || device.create_command_encoder(&CommandEncoderDescriptor { label: Some("canvas") });
    let (edition, pixels) = (job.edition.as_deref(), texture.size());
    let (uniforms, now, missing) = (&*job.uniforms, job.uniforms.now, HashSet::new());
    let mut work =
        FrameEncoder { device, queue, pipelines, encoder: encoder(), edition, target, pixels, uniforms, now, missing };
    for strokes in job.layer_updates.drain(..) {
        work.draw_retained(&strokes);
        if !strokes.batch.gradients.is_empty() {
            // Gradients are uploaded between submissions, and the next batch has different ones.
            let done = std::mem::replace(&mut work.encoder, encoder());
            queue.submit([done.finish()]);
        }
    }
    work.pipelines.materials.upload_gradients(queue, &job.batch.gradients);
    let all = distinct_shaders(&job.batch.commands, edition);
    if all.iter().any(|(shader, ..)| shader.inputs.people) {
        work.pipelines.presence.update(device, queue, watched);
    }
    if target.frame_stats.gpu_time() > target.shader_time_max {
        work.pipelines.shader_budget.retry_passed(work.now);
    }
    for (shader, params, blend) in &all {
        work.try_shader(shader, params, *blend);
    }
    let passed =
        |(shader, ..): &&(&SceneShader, &[u8], BlendMode)| work.pipelines.shader_budget.passed(shader.content_hash);
    let shaders: Vec<_> = all.iter().filter(passed).collect();
    for (shader, params, _) in &shaders {
        work.draw_shader_buffers(shader, params);
    }
    work.draw_canvas(&view.into(), &job.batch);
    let missing = std::mem::take(&mut work.missing);
    for (shader, ..) in shaders.iter().filter(|(shader, ..)| !missing.contains(&shader.content_hash)) {
        work.pipelines.shader_buffers.count_draw(shader.content_hash);
        target.frame_stats.record_recovered(&shader.params.name);
    }
    if shaders.iter().any(|(shader, ..)| shader.inputs.previous) {
        work.pipelines.shader_buffers.copy_previous(device, &mut work.encoder, texture);
    }
    work.encoder
}

impl FrameEncoder<'_> {
    fn create_buffer(&self, contents: &[u8], usage: BufferUsages) -> Buffer {
        // An empty buffer cannot be bound.
        let contents = if contents.is_empty() { &[0; 16][..] } else { contents };
        self.device.create_buffer_with_data(&BufferInitDescriptor { label: None, contents, usage })
    }

    /// Returns the engine's uniforms for a shader that draws on this many pixels.
    fn engine_buffer(&self, shader: &SceneShader, size: Extent3d) -> Buffer {
        let frame = self.pipelines.shader_buffers.frame_count(shader.content_hash);
        let pass = ShaderPass { resolution: [size.width, size.height], frame };
        self.create_buffer(
            &self.uniforms.to_bytes(self.target.size, self.target.pixels_per_unit, pass),
            BufferUsages::UNIFORM,
        )
    }

    fn vertex_buffers(&self, batch: &DrawBatch) -> (Buffer, Buffer) {
        let vertices = self.create_buffer(bytemuck::cast_slice(&batch.vertices), BufferUsages::VERTEX);
        (vertices, self.create_buffer(bytemuck::cast_slice(&batch.indices), BufferUsages::INDEX))
    }

    /// Draws onto a retained layer.
    fn draw_retained(&mut self, LayerUpdate { slot, clear: first, complete: whole, batch }: &LayerUpdate) {
        let Some((view, empty)) = self.pipelines.compositor.begin_retained(self.device, (*slot, *first), self.pixels)
        else {
            return;
        };
        if !batch.gradients.is_empty() {
            self.pipelines.materials.upload_gradients(self.queue, &batch.gradients);
        }
        let corners = self.vertex_buffers(batch);
        let strokes = self.draw_calls(&batch.commands, TargetKind::Canvas);
        let load = if empty { LoadOp::Clear(wgpu::Color::TRANSPARENT) } else { LoadOp::Load };
        let ground = PassTarget { view: &view, load, size: self.pixels };
        self.encode_pass(&ground, &strokes, &corners, needs_stencil(&batch.commands));
        if *whole {
            self.pipelines.compositor.finish_retained(*slot);
        }
    }

    /// Returns a pipeline of a shader; `None` while it is pending, or if it is refused, which is reported.
    fn shader_pipeline(
        &mut self,
        shader: &SceneShader,
        part: ShaderOutput,
        at: (TargetKind, StencilMode),
    ) -> Option<RenderPipeline> {
        let stand = self.pipelines.shader_pipelines.get(shader, part, at);
        if let JobState::Ready(pipeline) = stand {
            return Some(pipeline);
        }
        self.missing.insert(shader.content_hash);
        if let JobState::Failed(why) = stand {
            self.target.frame_stats.record_fault(&shader.params.name, why);
        }
        None
    }

    /// Tries a shader that is due for a trial, with its current parameters. One that is too slow is disabled and
    /// reported.
    fn try_shader(&mut self, shader: &SceneShader, params: &[u8], blend: BlendMode) {
        if !self.pipelines.shader_budget.needs_trial(shader.content_hash, self.now) {
            return;
        }
        let get = |(part, surface, _)| self.pipelines.shader_pipelines.get(shader, part, (surface, StencilMode::None));
        // Counts all instead of stopping at the first, so that every pipeline is requested at once.
        if outputs_of(shader, blend).map(get).filter(JobState::is_pending).count() > 0 {
            return;
        }
        let (most, patient) = (self.target.shader_time_max, self.target.blocking);
        let mut under_way = None;
        let took = best_of_trials(most, patient, || self.time_shader((shader, params, blend), &mut under_way));
        if let Err(why) = self.pipelines.shader_budget.record_trial(shader.content_hash, self.now, took, most) {
            self.target.frame_stats.record_fault(&shader.params.name, why);
        }
    }

    /// Returns a shader's time on the trial target, with its buffers; `None` for a timeout.
    /// After a timeout the work stays in `under_way` and must finish before the shader is tried again.
    fn time_shader(
        &mut self,
        (shader, params, blend): (&SceneShader, &[u8], BlendMode),
        under_way: &mut Option<wgpu::SubmissionIndex>,
    ) -> Option<Duration> {
        if let Some(before) = under_way {
            self.wait_done(before)?;
        }
        let params = self.create_buffer(params, BufferUsages::UNIFORM);
        let corners = self.vertex_buffers(&DrawBatch::default());
        let label = CommandEncoderDescriptor { label: Some("trial") };
        let before = std::mem::replace(&mut self.encoder, self.device.create_command_encoder(&label));
        for (part, surface, scale) in outputs_of(shader, blend) {
            let Some(pipeline) = self.shader_pipeline(shader, part, (surface, StencilMode::None)) else { continue };
            // The uniforms give the full size of its target, so that it does as much work per pixel.
            let whole = if surface == TargetKind::Trail { buffer_size(shader, self.pixels) } else { self.pixels };
            let engine = self.engine_buffer(shader, whole);
            let group = self.pipelines.shader_group(self.device, shader.content_hash, [&engine, &params]);
            let (view, size) = self.pipelines.shader_budget.trial_target(self.device, surface, (self.pixels, scale));
            let ground = PassTarget { view: &view, load: LoadOp::Clear(wgpu::Color::TRANSPARENT), size };
            self.encode_pass(
                &ground,
                &[DrawCall { indices: None, bind_group: group, pipeline, stencil_ref: 0 }],
                &corners,
                false,
            );
        }
        let trial = std::mem::replace(&mut self.encoder, before);
        let submitted = under_way.insert(self.queue.submit([trial.finish()]));
        let took = self.wait_done(submitted)?;
        *under_way = None;
        Some(took)
    }

    /// Waits until the GPU has finished the submitted work and returns the time it took; `None` for a timeout.
    fn wait_done(&self, submitted: &wgpu::SubmissionIndex) -> Option<Duration> {
        let (began, used) = (Instant::now(), process_cpu());
        // On a software renderer CPU time of other processes does not count.
        let software = self.device.wgpu_device().adapter_info().device_type == wgpu::DeviceType::Cpu;
        let worked = || if software { process_cpu().saturating_sub(used) } else { Duration::ZERO };
        let patience = trial_timeout(self.target.shader_time_max);
        loop {
            let wall = began.elapsed();
            let left = if self.target.blocking {
                if worked() > patience { Duration::ZERO } else { STEP_TIMEOUT.saturating_sub(wall) }
            } else {
                patience.saturating_sub(wall)
            };
            let poll = wgpu::PollType::Wait {
                submission_index: Some(submitted.clone()),
                timeout: Some(left.min(POLL_INTERVAL)),
            };
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

    /// Draws a shader's buffers.
    fn draw_shader_buffers(&mut self, shader: &SceneShader, params: &[u8]) {
        self.pipelines.shader_buffers.create_missing(self.device, shader, self.pixels);
        let params = self.create_buffer(params, BufferUsages::UNIFORM);
        let engine = self.engine_buffer(shader, buffer_size(shader, self.pixels));
        for buffer in &shader.buffers {
            let at = (TargetKind::Trail, StencilMode::None);
            let made = self.shader_pipeline(shader, ShaderOutput::Buffer(*buffer), at);
            let Some((pipeline, view)) =
                made.zip(self.pipelines.shader_buffers.write_view(shader.content_hash, *buffer))
            else {
                continue;
            };
            let group = self.pipelines.shader_group(self.device, shader.content_hash, [&engine, &params]);
            let load = LoadOp::Clear(wgpu::Color::TRANSPARENT);
            let ground = PassTarget { view: &view, load, size: self.pixels };
            self.encode_pass(
                &ground,
                &[DrawCall { indices: None, bind_group: group, pipeline, stencil_ref: 0 }],
                &self.vertex_buffers(&DrawBatch::default()),
                false,
            );
            self.pipelines.shader_buffers.swap(shader.content_hash, *buffer);
        }
    }

    fn draw_canvas(&mut self, view: &TextureView, batch: &DrawBatch) {
        let corners = self.vertex_buffers(batch);
        for step in &batch.commands {
            if let DrawCommand::Trail { slot, trail, steps, .. } = step {
                let size = (self.pixels, self.target.size);
                let next = self.pipelines.compositor.advance_trail(self.device, *slot, (trail, self.now), size);
                let Some((view, before)) = next else { continue };
                let clipped = needs_stencil(steps);
                let mut strokes = Vec::with_capacity(steps.len() + 1);
                if let Some(group) = before {
                    let stencil = if clipped { StencilMode::All } else { StencilMode::None };
                    let pipeline = self.pipelines.compositor.pipeline(self.device, TargetKind::Trail, None, stencil);
                    strokes.push(DrawCall { indices: None, bind_group: group, pipeline, stencil_ref: 0 });
                }
                strokes.extend(self.draw_calls(steps, TargetKind::Trail));
                let load = LoadOp::Clear(wgpu::Color::TRANSPARENT);
                let ground = PassTarget { view: &view, load, size: self.pixels };
                self.encode_pass(&ground, &strokes, &corners, clipped);
            }
        }
        let (load, steps) = match batch.commands.split_first() {
            Some((DrawCommand::Clear(colour), steps)) => {
                let [r, g, b, a] = colour.0.map(|part| f64::from(part) / 255.0);
                (LoadOp::Clear(wgpu::Color { r: r * a, g: g * a, b: b * a, a: 1.0 }), steps)
            }
            _ => (LoadOp::Clear(wgpu::Color { r: 0.043, g: 0.063, b: 0.125, a: 1.0 }), &batch.commands[..]),
        };
        let strokes = self.draw_calls(steps, TargetKind::Canvas);
        let ground = PassTarget { view, load, size: self.pixels };
        self.encode_pass(&ground, &strokes, &corners, needs_stencil(steps));
    }

    /// Returns the draw calls of commands, with their pipelines and bind groups.
    fn draw_calls(&mut self, steps: &[DrawCommand], surface: TargetKind) -> Vec<DrawCall> {
        let clipped = needs_stencil(steps);
        let mut strokes = Vec::with_capacity(steps.len());
        let (device, queue) = (self.device, self.queue);
        for step in steps {
            match step {
                DrawCommand::Clear(_) => {}
                DrawCommand::StencilWrite { run, mark } => {
                    let pipeline =
                        self.pipelines.fill_pipeline(device, surface, StencilMode::Write, DrawState::default());
                    let group = self.pipelines.materials.bind_image(device, queue, None);
                    strokes.push(DrawCall {
                        indices: Some(run.clone()),
                        bind_group: group,
                        pipeline,
                        stencil_ref: *mark,
                    });
                }
                DrawCommand::Triangles { run, how } => {
                    let (stencil, mark) = StencilMode::of(clipped, how.clip);
                    let pipeline = self.pipelines.fill_pipeline(device, surface, stencil, *how);
                    let image = how.image.zip(self.edition);
                    let image = image.and_then(|(index, edition)| edition.images.get(usize::from(index)));
                    let group = self.pipelines.materials.bind_image(device, queue, image);
                    strokes.push(DrawCall {
                        indices: Some(run.clone()),
                        bind_group: group,
                        pipeline,
                        stencil_ref: mark,
                    });
                }
                DrawCommand::Shader { index, params, blend, through } => {
                    let (stencil, mark) = StencilMode::of(clipped, *through);
                    let Some(shader) = self.edition.and_then(|edition| edition.shaders.get(*index)) else { continue };
                    if !self.pipelines.shader_budget.passed(shader.content_hash) {
                        continue;
                    }
                    let made = self.shader_pipeline(shader, ShaderOutput::Paint(*blend), (surface, stencil));
                    let Some(pipeline) = made else { continue };
                    let params = self.create_buffer(params, BufferUsages::UNIFORM);
                    let engine = self.engine_buffer(shader, self.pixels);
                    let group = self.pipelines.shader_group(device, shader.content_hash, [&engine, &params]);
                    strokes.push(DrawCall { indices: None, bind_group: group, pipeline, stencil_ref: mark });
                }
                DrawCommand::Trail { slot, seen: Some(laid), .. } => {
                    let picture = self.pipelines.compositor.trail_view(*slot).cloned();
                    strokes.extend(picture.map(|picture| self.composite(laid, &picture, surface, clipped)));
                }
                DrawCommand::Trail { seen: None, .. } => {}
                DrawCommand::Retained { slot, laid } => {
                    let picture = self.pipelines.compositor.retained_view(*slot).cloned();
                    strokes.extend(picture.map(|picture| self.composite(laid, &picture, surface, clipped)));
                }
            }
        }
        strokes
    }

    fn composite(&mut self, laid: &Compositing, picture: &TextureView, surface: TargetKind, clipped: bool) -> DrawCall {
        let (stencil, mark) = StencilMode::of(clipped, laid.clip);
        let pipeline = self.pipelines.compositor.pipeline(self.device, surface, Some(laid.blend), stencil);
        let group = self.pipelines.compositor.bind_layer(self.device, laid, picture);
        DrawCall { indices: None, bind_group: group, pipeline, stencil_ref: mark }
    }

    fn encode_pass(
        &mut self,
        ground: &PassTarget,
        strokes: &[DrawCall],
        (vertices, indices): &(Buffer, Buffer),
        clipped: bool,
    ) {
        let PassTarget { view, load, size, .. } = ground;
        let stencil = clipped.then(|| self.pipelines.stencil_view(self.device, [size.width, size.height]));
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
        for DrawCall { indices: run, bind_group: group, pipeline, stencil_ref: mark } in strokes {
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
