//! Pipelines of artists' shaders, made on a thread while the previous edition is drawn: a driver that compiles for a long time,
//! or forever, delays no frame.

use super::brushes::{Part, Stencil, Surface, covering, target};
use super::maker::{Make, Maker, Stand};
use crate::device::steps::WALL;
use crate::scene::{Blend, Edition, Shader, buffer_entry};
use bevy::render::render_resource::{
    BindGroupLayout, ColorTargetState, RenderPipeline, ShaderModuleDescriptor, ShaderSource,
};
use bevy::render::renderer::RenderDevice;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

/// Time after which a show refuses a pipeline.
const MOST: Duration = Duration::from_secs(2);

/// Key of a pipeline: the shader's key, its part, and the target that it is drawn on.
type Variant = (u64, Part, Surface, Stencil);

/// Function that makes a pipeline; tests replace it with a slow one.
pub(super) type Press = Arc<dyn Fn(&Recipe) -> Result<RenderPipeline, String> + Send + Sync>;

/// Everything that a pipeline is made of.
pub(super) struct Recipe {
    device: RenderDevice,
    layout: BindGroupLayout,
    /// File name of the shader.
    pub name: String,
    source: String,
    part: Part,
    surface: Surface,
    stencil: Stencil,
}

/// Pipelines of artists' shaders.
pub(super) struct Shades {
    device: RenderDevice,
    layout: BindGroupLayout,
    maker: Maker<Variant, RenderPipeline>,
    press: Press,
    /// True in virtual time, where a picture waits for its pipelines.
    patient: bool,
}

impl Shades {
    /// Creates an empty set. `patient`: a picture waits for its pipelines.
    pub fn new(device: &RenderDevice, layout: &BindGroupLayout, patient: bool) -> Self {
        let maker = Maker::new(if patient { WALL } else { MOST });
        Self { device: device.clone(), layout: layout.clone(), maker, press: Arc::new(press), patient }
    }

    /// Returns the state of a pipeline, and requests it if it was not requested before.
    pub fn get(&self, shader: &Shader, part: Part, (surface, stencil): (Surface, Stencil)) -> Stand<RenderPipeline> {
        let variant = (shader.key, part, surface, stencil);
        let stand = self.maker.get(variant, || self.order(shader, part, (surface, stencil)));
        if self.patient && stand.is_coming() { self.maker.wait(variant) } else { stand }
    }

    fn order(&self, shader: &Shader, part: Part, (surface, stencil): (Surface, Stencil)) -> Make<RenderPipeline> {
        let (name, source) = (shader.params.name.clone(), shader.source.clone());
        let (device, layout, press) = (self.device.clone(), self.layout.clone(), self.press.clone());
        let recipe = Recipe { device, layout, name, source, part, surface, stencil };
        Box::new(move || press(&recipe))
    }

    /// Requests an edition's pipelines while the previous one is drawn: those that shaders of the same names are drawn with now.
    /// Returns false while some are being made.
    pub fn prepare(&self, before: Option<&Edition>, edition: &Edition) -> bool {
        let Some(before) = before else { return true };
        let known: HashSet<u64> = [before, edition].iter().flat_map(|it| keys(it)).collect();
        // A pending edition may have been overwritten by a later save.
        self.maker.only(|(key, ..)| known.contains(key));
        let made = self.maker.keys();
        let mut ready = true;
        for old in before.shaders.iter() {
            let Some(new) = edition.shaders.iter().find(|new| new.params.name == old.params.name) else { continue };
            for (_, part, surface, stencil) in made.iter().filter(|(key, ..)| *key == old.key) {
                let is_there = match part {
                    Part::Paint(_) => true,
                    Part::Buffer(buffer) => new.buffers.contains(buffer),
                };
                ready &= !is_there || !self.get(new, *part, (*surface, *stencil)).is_coming();
            }
        }
        ready
    }

    /// Forgets the pipelines of all other shaders.
    pub fn only(&self, edition: Option<&Edition>) {
        let known: HashSet<u64> = edition.into_iter().flat_map(keys).collect();
        self.maker.only(|(key, ..)| known.contains(key));
    }

    /// Replaces the function that makes pipelines, and refuses those that take longer than `most`.
    #[cfg(test)]
    pub fn press_with(&mut self, press: Press, most: Duration) {
        (self.press, self.maker) = (press, Maker::new(most));
    }
}

fn keys(edition: &Edition) -> impl Iterator<Item = u64> {
    edition.shaders.iter().map(|shader| shader.key)
}

/// A shader of an artist as a pipeline. naga has found it sound; what a driver makes of it is seen here.
pub(super) fn press(recipe: &Recipe) -> Result<RenderPipeline, String> {
    let Recipe { device, layout, name, source, part, surface, stencil } = recipe;
    let (entry_point, target) = match *part {
        Part::Paint(Blend::Darken) => ("moongate_darkens".into(), target(*surface, Blend::Darken)),
        Part::Paint(blend) => ("moongate_fragment".into(), target(*surface, blend)),
        // What was there is replaced.
        Part::Buffer(buffer) => {
            (buffer_entry(buffer), ColorTargetState { blend: None, ..target(*surface, Blend::Over) })
        }
    };
    // Error scopes are per thread.
    let validation = device.wgpu_device().push_error_scope(wgpu::ErrorFilter::Validation);
    let internal = device.wgpu_device().push_error_scope(wgpu::ErrorFilter::Internal);
    let source = ShaderSource::Wgsl(source.as_str().into());
    let module = device.create_and_validate_shader_module(ShaderModuleDescriptor { label: Some(name), source });
    let entries = ["moongate_vertex", &entry_point];
    let pipeline = covering(device, name, layout, (&module, entries), target, *stencil);
    let errors = [bevy::tasks::block_on(internal.pop()), bevy::tasks::block_on(validation.pop())];
    match errors.into_iter().flatten().next() {
        Some(error) => Err(format!("this machine's graphics driver refuses it: {error}")),
        None => Ok(pipeline),
    }
}
