//! Offscreen renderer for previews, checks and tests: it renders single frames, without a window, a loop or a clock of
//! its own.

use super::batch::DrawBatch;
use super::capture;
use super::encoder::{CanvasTarget, encode_frame};
use super::frame_stats::{FrameStats, ShaderLayerFault};
use super::pipelines::CanvasPipelines;
use super::presence_textures::PresenceMap;
use super::queue::RenderJob;
use super::retained::RetainedProgress;
use super::text::TextShaper;
use crate::device::virtual_steps::{STEP_TIMEOUT, run_shared};
use crate::scene::{DisplayList, EngineUniforms, SceneRevision};
use bevy::render::renderer::WgpuWrapper;
use bevy::render::renderer::{RenderDevice, RenderQueue};
use image::RgbaImage;
use std::sync::Arc;
use std::time::Duration;

/// Only the caller waits for these frames.
const SHADER_TIME_MAX: Duration = STEP_TIMEOUT;

/// Renderer of single frames into a texture.
pub struct OffscreenRenderer {
    device: RenderDevice,
    queue: RenderQueue,
    pipelines: CanvasPipelines,
    text_shaper: TextShaper,
    retained: RetainedProgress,
    texture: wgpu::Texture,
    target: CanvasTarget,
}

/// Returns this machine's graphics adapter. The error says what to install.
pub fn find_adapter() -> Result<wgpu::Adapter, String> {
    let descriptor = wgpu::InstanceDescriptor {
        backends: wgpu::Backends::PRIMARY,
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    };
    let instance = wgpu::Instance::new(descriptor);
    let adapter = bevy::tasks::block_on(instance.request_adapter(&wgpu::RequestAdapterOptions::default()));
    adapter.map_err(|why| {
        format!("nothing on this machine can draw ({why}); install a graphics driver, or mesa-vulkan-drivers to draw in software")
    })
}

/// Opens this machine's graphics device. The error says what to install.
pub(super) fn open_device() -> Result<(RenderDevice, RenderQueue), String> {
    let adapter = find_adapter()?;
    let device = wgpu::DeviceDescriptor { required_limits: adapter.limits(), ..Default::default() };
    let opened = bevy::tasks::block_on(adapter.request_device(&device));
    let (device, queue) = opened.map_err(|why| format!("the graphics device cannot be used ({why})"))?;
    // A failed draw is not shown; it does not end the program.
    device.on_uncaptured_error(Arc::new(|why| tracing::warn!("the graphics device: {why}")));
    Ok((RenderDevice::from(device), RenderQueue(Arc::new(WgpuWrapper::new(queue)))))
}

impl OffscreenRenderer {
    /// Creates a renderer for canvases of `canvas` units and `pixels` pixels. The error says what to install.
    pub fn new(canvas: [f32; 2], [width, height]: [u32; 2]) -> Result<Self, String> {
        let (device, queue) = open_device()?;
        let texture = device.wgpu_device().create_texture(&wgpu::TextureDescriptor {
            label: Some("studio"),
            size: wgpu::Extent3d { width, height, depth_or_array_layers: 1 },
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: wgpu::TextureFormat::Rgba8Unorm,
            usage: wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::COPY_SRC,
            view_formats: &[],
        });
        let pipelines = CanvasPipelines::new(&device, true);
        let (pixel, drawn, most) = (width as f32 / canvas[0], FrameStats::default(), SHADER_TIME_MAX);
        let target = CanvasTarget {
            size: canvas,
            pixels_per_unit: pixel,
            frame_stats: drawn,
            shader_time_max: most,
            blocking: true,
        };
        Ok(Self {
            device,
            queue,
            pipelines,
            text_shaper: TextShaper::new(),
            retained: RetainedProgress::default(),
            texture,
            target,
        })
    }

    /// Renders a display list. `edition` has the shaders and images that it names, `watched` the people here and there,
    /// and `uniforms` are the shaders' inputs.
    pub fn render(
        &mut self,
        picture: &DisplayList,
        edition: Option<&Arc<SceneRevision>>,
        watched: [&PresenceMap; 2],
        uniforms: &Arc<EngineUniforms>,
    ) -> Result<RgbaImage, String> {
        let mut job = run_shared(|| self.build_job(picture, edition, uniforms));
        let (device, queue) = (&self.device, &self.queue);
        // Trial runs are separate steps.
        let mut encoder =
            encode_frame((device, queue), &mut self.pipelines, &self.texture, &mut job, watched, &self.target);
        run_shared(|| {
            let copy = capture::begin_readback(device, &mut encoder, &self.texture);
            queue.submit([encoder.finish()]);
            capture::read_blocking(copy, device)
        })
    }

    fn build_job(
        &mut self,
        picture: &DisplayList,
        edition: Option<&Arc<SceneRevision>>,
        uniforms: &Arc<EngineUniforms>,
    ) -> RenderJob {
        if self.text_shaper.begin_frame() {
            self.retained.restart();
        }
        let (size, pixel) = (self.target.size, self.target.pixels_per_unit);
        let mut strokes = self.retained.next_updates(&picture.kept, size, pixel, &mut self.text_shaper);
        // A single frame has to be complete.
        while let more = self.retained.next_updates(&picture.kept, size, pixel, &mut self.text_shaper)
            && !more.is_empty()
        {
            strokes.extend(more);
        }
        let batch = DrawBatch::build(picture, self.target.size, self.target.pixels_per_unit, &mut self.text_shaper);
        let atlas = std::mem::take(&mut self.text_shaper.changed).then(|| self.text_shaper.pixels.clone());
        let (edition, uniforms) = (edition.cloned(), uniforms.clone());
        RenderJob { batch, layer_updates: strokes, edition, atlas, uniforms, reflects: picture.reflects, capture: None }
    }

    /// Sets the maximum GPU time of a shader per frame; a slower one is disabled.
    pub fn set_shader_time_max(&mut self, most: Duration) {
        self.target.shader_time_max = most;
    }

    /// Returns the shader layers that are not drawn.
    pub fn faults(&self) -> Vec<ShaderLayerFault> {
        self.target.frame_stats.faults()
    }
}
