//! Pipelines of artists' shaders, compiled on a separate thread.
//! The previous edition is drawn meanwhile: a driver that compiles for a long time, or never finishes, delays no frame.

use super::job_pool::{JobPool, JobState, PoolTask};
use super::targets::{ShaderOutput, StencilMode, TargetKind, color_target, create_fullscreen_pipeline};
use crate::device::virtual_steps::STEP_TIMEOUT;
use crate::scene::{BlendMode, SceneRevision, SceneShader, buffer_entry_point};
use bevy::render::render_resource::{
    BindGroupLayout, ColorTargetState, RenderPipeline, ShaderModuleDescriptor, ShaderSource,
};
use bevy::render::renderer::RenderDevice;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

/// Time after which a show refuses a pipeline.
const COMPILE_TIME_MAX: Duration = Duration::from_secs(2);

/// Key of a pipeline: the shader's content hash, its output, and the target that it is drawn on.
type PipelineKey = (u64, ShaderOutput, TargetKind, StencilMode);

/// Function that compiles a pipeline; tests replace it with a slow one.
pub(super) type CompileFn = Arc<dyn Fn(&PipelineSource) -> Result<RenderPipeline, String> + Send + Sync>;

/// Inputs of a pipeline's compilation.
pub(super) struct PipelineSource {
    device: RenderDevice,
    layout: BindGroupLayout,
    /// File name of the shader.
    pub name: String,
    source: String,
    output: ShaderOutput,
    target_kind: TargetKind,
    stencil: StencilMode,
}

/// Pipelines of artists' shaders.
pub(super) struct ShaderPipelines {
    device: RenderDevice,
    layout: BindGroupLayout,
    pool: JobPool<PipelineKey, RenderPipeline>,
    compile: CompileFn,
    /// True in virtual time, where a frame waits for its pipelines.
    blocking: bool,
}

impl ShaderPipelines {
    /// Creates an empty set. `patient`: a frame waits for its pipelines.
    pub fn new(device: &RenderDevice, layout: &BindGroupLayout, patient: bool) -> Self {
        let maker = JobPool::new(if patient { STEP_TIMEOUT } else { COMPILE_TIME_MAX });
        Self {
            device: device.clone(),
            layout: layout.clone(),
            pool: maker,
            compile: Arc::new(compile_pipeline),
            blocking: patient,
        }
    }

    /// Returns the state of a pipeline, and requests it if it was not requested before.
    pub fn get(
        &self,
        shader: &SceneShader,
        part: ShaderOutput,
        (surface, stencil): (TargetKind, StencilMode),
    ) -> JobState<RenderPipeline> {
        let variant = (shader.content_hash, part, surface, stencil);
        let stand = self.pool.get(variant, || self.compile_task(shader, part, (surface, stencil)));
        if self.blocking && stand.is_pending() { self.pool.wait(variant) } else { stand }
    }

    fn compile_task(
        &self,
        shader: &SceneShader,
        part: ShaderOutput,
        (surface, stencil): (TargetKind, StencilMode),
    ) -> PoolTask<RenderPipeline> {
        let (name, source) = (shader.params.name.clone(), shader.source.clone());
        let (device, layout, press) = (self.device.clone(), self.layout.clone(), self.compile.clone());
        let recipe = PipelineSource { device, layout, name, source, output: part, target_kind: surface, stencil };
        Box::new(move || press(&recipe))
    }

    /// Requests an edition's pipelines while the previous one is drawn; returns false while some are pending.
    /// The requested variants are those that shaders of the same names use now.
    pub fn prepare(&self, before: Option<&SceneRevision>, edition: &SceneRevision) -> bool {
        let Some(before) = before else { return true };
        let known: HashSet<u64> = [before, edition].iter().flat_map(|it| shader_keys(it)).collect();
        // A pending edition may have been overwritten by a later save.
        self.pool.retain(|(key, ..)| known.contains(key));
        let made = self.pool.keys();
        let mut ready = true;
        for old in before.shaders.iter() {
            let Some(new) = edition.shaders.iter().find(|new| new.params.name == old.params.name) else { continue };
            for (_, part, surface, stencil) in made.iter().filter(|(key, ..)| *key == old.content_hash) {
                let is_there = match part {
                    ShaderOutput::Paint(_) => true,
                    ShaderOutput::Buffer(buffer) => new.buffers.contains(buffer),
                };
                ready &= !is_there || !self.get(new, *part, (*surface, *stencil)).is_pending();
            }
        }
        ready
    }

    /// Forgets the pipelines of all other shaders.
    pub fn retain_edition(&self, edition: Option<&SceneRevision>) {
        let known: HashSet<u64> = edition.into_iter().flat_map(shader_keys).collect();
        self.pool.retain(|(key, ..)| known.contains(key));
    }

    /// Replaces the compile function, and refuses pipelines that take longer than `most`.
    #[cfg(test)]
    pub fn set_compiler(&mut self, press: CompileFn, most: Duration) {
        (self.compile, self.pool) = (press, JobPool::new(most));
    }
}

fn shader_keys(edition: &SceneRevision) -> impl Iterator<Item = u64> {
    edition.shaders.iter().map(|shader| shader.content_hash)
}

/// Compiles an artist's shader. naga has validated it before; only the driver's errors can occur here.
pub(super) fn compile_pipeline(recipe: &PipelineSource) -> Result<RenderPipeline, String> {
    let PipelineSource { device, layout, name, source, output: part, target_kind: surface, stencil } = recipe;
    let (entry_point, target) = match *part {
        ShaderOutput::Paint(BlendMode::Darken) => {
            ("moongate_darkens".into(), color_target(*surface, BlendMode::Darken))
        }
        ShaderOutput::Paint(blend) => ("moongate_fragment".into(), color_target(*surface, blend)),
        // Replaces the target's content.
        ShaderOutput::Buffer(buffer) => {
            (buffer_entry_point(buffer), ColorTargetState { blend: None, ..color_target(*surface, BlendMode::Over) })
        }
    };
    // Error scopes are per thread.
    let validation = device.wgpu_device().push_error_scope(wgpu::ErrorFilter::Validation);
    let internal = device.wgpu_device().push_error_scope(wgpu::ErrorFilter::Internal);
    let source = ShaderSource::Wgsl(source.as_str().into());
    let module = device.create_and_validate_shader_module(ShaderModuleDescriptor { label: Some(name), source });
    let entries = ["moongate_vertex", &entry_point];
    let pipeline = create_fullscreen_pipeline(device, name, layout, (&module, entries), target, *stencil);
    let errors = [bevy::tasks::block_on(internal.pop()), bevy::tasks::block_on(validation.pop())];
    match errors.into_iter().flatten().next() {
        Some(error) => Err(format!("this machine's graphics driver refuses it: {error}")),
        None => Ok(pipeline),
    }
}
