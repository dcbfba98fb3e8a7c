//! Layers that persist from frame to frame: trails, which fade, and retained layers.

use super::batch::Compositing;
use super::targets::{StencilMode, TargetKind, color_target, create_fullscreen_pipeline, create_target};
use crate::scene::{BlendMode, RETAINED_LAYERS_MAX, TRAILS_MAX, Trail};
use bevy::render::render_resource::{
    BindGroup, BindGroupEntries, BindGroupLayout, BindGroupLayoutEntry, BufferInitDescriptor, BufferUsages, Extent3d,
    FilterMode, RenderPipeline, Sampler, SamplerDescriptor, ShaderModule, ShaderModuleDescriptor, ShaderSource,
    Texture, TextureFormat, TextureView,
};
use bevy::render::renderer::RenderDevice;
use bytemuck::{Pod, Zeroable};
use std::collections::HashMap;

/// Maximum pause of a trail for its fading, in seconds.
const PAUSE_MAX: f64 = 30.0;
/// Maximum pause of a trail for its movement, in seconds.
const STEP_MAX: f32 = 0.1;
const IDENTITY: [f32; 4] = [1.0, 0.0, 0.0, 1.0];

/// Placement of a layer, as `shaders/layer.wgsl` reads it.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
struct LayerUniform {
    matrix: [f32; 4],
    shift: [f32; 2],
    alpha: f32,
    darkens: f32,
}

/// Textures of a trail: its current and its previous frame.
struct TrailTextures {
    current: (Texture, TextureView),
    previous: (Texture, TextureView),
    /// Time of the last draw on the shared clock, in seconds.
    drawn_at: f64,
}

/// Textures of a retained layer.
#[derive(Default)]
struct RetainedTextures {
    front: Option<(Texture, TextureView)>,
    /// Replacement for `front` once it is complete.
    back: Option<(Texture, TextureView)>,
    /// True while the replacement is being drawn.
    drawing_back: bool,
}

/// All layers of a canvas.
pub(super) struct LayerCompositor {
    layout: BindGroupLayout,
    module: ShaderModule,
    linear: Sampler,
    pipelines: HashMap<(TargetKind, Option<BlendMode>, StencilMode), RenderPipeline>,
    trails: [Option<TrailTextures>; TRAILS_MAX],
    retained: [RetainedTextures; RETAINED_LAYERS_MAX],
}

impl LayerCompositor {
    /// Creates the compositor. `entries` bind a uniform, a texture and a sampler.
    pub fn new(device: &RenderDevice, entries: &[BindGroupLayoutEntry]) -> Self {
        let source = ShaderSource::Wgsl(include_str!("../../shaders/layer.wgsl").into());
        let linear = device.create_sampler(&SamplerDescriptor {
            mag_filter: FilterMode::Linear,
            min_filter: FilterMode::Linear,
            ..Default::default()
        });
        Self {
            layout: device.create_bind_group_layout("laid", entries),
            module: device.create_and_validate_shader_module(ShaderModuleDescriptor { label: Some("laid"), source }),
            linear,
            pipelines: HashMap::new(),
            trails: Default::default(),
            retained: Default::default(),
        }
    }

    /// Drops all layers.
    pub fn clear(&mut self) {
        (self.trails, self.retained) = Default::default();
    }

    /// Returns the target for a slot's strokes, and whether to clear it first. `anew`: the layer restarts.
    pub fn begin_retained(
        &mut self,
        device: &RenderDevice,
        (slot, anew): (usize, bool),
        size: Extent3d,
    ) -> Option<(TextureView, bool)> {
        let RetainedTextures { front: seen, back: other, drawing_back: coming } = self.retained.get_mut(slot)?;
        let fits = |sheet: &Option<(Texture, TextureView)>| sheet.as_ref().is_some_and(|(it, _)| it.size() == size);
        // A restarted layer replaces the visible one once it is complete.
        *coming |= anew;
        let ground = if *coming { other } else { seen };
        let new = !fits(ground);
        if new {
            *ground = Some(create_target(device, "kept", size, TextureFormat::Rgba8Unorm));
        }
        ground.as_ref().map(|(_, view)| (view.clone(), anew || new))
    }

    /// Makes a restarted layer visible once all of its strokes are drawn.
    pub fn finish_retained(&mut self, slot: usize) {
        if let Some(RetainedTextures { front: seen, back: other, drawing_back: coming }) = self.retained.get_mut(slot)
            && std::mem::take(coming)
        {
            std::mem::swap(seen, other);
        }
    }

    /// Returns the visible texture of a slot, if there is one.
    pub fn retained_view(&self, slot: usize) -> Option<&TextureView> {
        self.retained.get(slot)?.front.as_ref().map(|(_, view)| view)
    }

    /// Returns the current texture of a trail.
    pub fn trail_view(&self, slot: usize) -> Option<&TextureView> {
        self.trails.get(slot)?.as_ref().map(|echo| &echo.current.1)
    }

    /// Begins a trail's next frame. Returns the target, and the bind group that draws the faded previous frame into it.
    pub fn advance_trail(
        &mut self,
        device: &RenderDevice,
        slot: usize,
        (trail, now): (&Trail, f64),
        (size, canvas): (Extent3d, [f32; 2]),
    ) -> Option<(TextureView, Option<BindGroup>)> {
        let layer = self.trails.get_mut(slot)?;
        if layer.as_ref().is_none_or(|echo| echo.current.0.size() != size) {
            let sheet = || create_target(device, "trail", size, TargetKind::Trail.format());
            *layer = Some(TrailTextures { current: sheet(), previous: sheet(), drawn_at: f64::MIN });
        }
        let echo = layer.as_mut()?;
        std::mem::swap(&mut echo.current, &mut echo.previous);
        let passed = (now - std::mem::replace(&mut echo.drawn_at, now)).clamp(0.0, PAUSE_MAX) as f32;
        let (view, before) = (echo.current.1.clone(), echo.previous.1.clone());
        let fresh = passed >= PAUSE_MAX as f32;
        let group = (!fresh).then(|| self.bind_uniform(device, &fade_trail(trail, passed, canvas), &before));
        Some((view, group))
    }

    /// Returns the bind group that draws a layer unchanged.
    pub fn bind_layer(&self, device: &RenderDevice, laid: &Compositing, picture: &TextureView) -> BindGroup {
        let darkens = f32::from(u8::from(laid.blend == BlendMode::Darken));
        self.bind_uniform(
            device,
            &LayerUniform { matrix: IDENTITY, shift: [0.0; 2], alpha: laid.alpha, darkens },
            picture,
        )
    }

    fn bind_uniform(&self, device: &RenderDevice, placed: &LayerUniform, picture: &TextureView) -> BindGroup {
        let contents = bytemuck::bytes_of(placed);
        let usage = BufferUsages::UNIFORM;
        let placed = device.create_buffer_with_data(&BufferInitDescriptor { label: Some("laid"), contents, usage });
        let entries = BindGroupEntries::sequential((placed.as_entire_binding(), picture, &self.linear));
        device.create_bind_group("laid", &self.layout, &entries)
    }

    /// Returns the pipeline that draws a layer onto a target; without a blend mode it replaces the target's content.
    pub fn pipeline(
        &mut self,
        device: &RenderDevice,
        surface: TargetKind,
        blend: Option<BlendMode>,
        stencil: StencilMode,
    ) -> RenderPipeline {
        let Self { layout, module, pipelines, .. } = self;
        let make = || {
            let mut target = color_target(surface, blend.unwrap_or_default());
            if blend.is_none() {
                target.blend = None;
            }
            create_fullscreen_pipeline(device, "laid", layout, (module, ["vertex", "fragment"]), target, stencil)
        };
        pipelines.entry((surface, blend, stencil)).or_insert_with(make).clone()
    }
}

/// Returns a trail's transform back to `passed` seconds ago, in fractions of the canvas, and its remaining alpha.
fn fade_trail(trail: &Trail, passed: f32, [width, height]: [f32; 2]) -> LayerUniform {
    let step = passed.min(STEP_MAX);
    let (sin, cos) = (-trail.turn * step).sin_cos();
    let shrink = trail.grow.powf(-step);
    // In canvas units: p' = R (p - drift - round) / grow + round; then both sides as fractions.
    let [a, b, c, d] = [cos * shrink, sin * shrink, -sin * shrink, cos * shrink];
    let [x, y] = [0, 1].map(|axis| trail.round[axis] + trail.drift[axis] * step);
    let shift = [trail.round[0] - (a * x + c * y), trail.round[1] - (b * x + d * y)];
    LayerUniform {
        matrix: [a, b * width / height, c * height / width, d],
        shift: [shift[0] / width, shift[1] / height],
        alpha: 0.1_f32.powf(passed / trail.fade),
        darkens: 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn was(trail: &Trail, at: [f32; 2]) -> [f32; 2] {
        let LayerUniform { matrix: [a, b, c, d], shift, .. } = fade_trail(trail, 0.1, [1_000.0, 500.0]);
        let [x, y] = [at[0] / 1_000.0, at[1] / 500.0];
        [(a * x + c * y + shift[0]) * 1_000.0, (b * x + d * y + shift[1]) * 500.0]
    }

    #[test]
    fn a_trail_moves_grows_turns_and_fades_as_it_is_told() {
        let still = Trail { fade: 0.2, drift: [0.0; 2], grow: 1.0, turn: 0.0, round: [500.0, 250.0] };
        let near = |a: [f32; 2], b: [f32; 2]| assert!((a[0] - b[0]).hypot(a[1] - b[1]) < 0.01, "{a:?} {b:?}");
        near(was(&still, [100.0, 400.0]), [100.0, 400.0]);
        assert!((fade_trail(&still, 0.2, [1_000.0, 500.0]).alpha - 0.1).abs() < 1e-6);
        near(was(&Trail { drift: [100.0, -50.0], ..still }, [100.0, 400.0]), [90.0, 405.0]);
        near(was(&Trail { grow: 1_024.0, ..still }, [700.0, 250.0]), [600.0, 250.0]);
        // A quarter turn clockwise in a tenth of a second: a point below the middle was to its right.
        let quarter = Trail { turn: std::f32::consts::FRAC_PI_2 * 10.0, ..still };
        near(was(&quarter, [500.0, 350.0]), [600.0, 250.0]);
    }
}
