//! A stage without a show: pictures painted one after the other, for previews, checks and tests. There is no window, no
//! loop and no clock but the one that is given.

use super::batch::Batch;
use super::brushes::Brushes;
use super::kept::KeptSoFar;
use super::put::{Sheet, put};
use super::text::Letters;
use super::{Drawn, Job, LayerFault, Watched, capture};
use crate::device::steps::{WALL, beside};
use crate::scene::{Edition, Picture, Uniforms};
use bevy::render::renderer::WgpuWrapper;
use bevy::render::renderer::{RenderDevice, RenderQueue};
use image::RgbaImage;
use std::sync::Arc;
use std::time::Duration;

/// Nobody waits for these pictures but who asked for them.
const SHADER_MOST: Duration = WALL;

/// What pictures are painted with, and on.
pub struct Studio {
    device: RenderDevice,
    queue: RenderQueue,
    brushes: Brushes,
    letters: Letters,
    kept: KeptSoFar,
    texture: wgpu::Texture,
    sheet: Sheet,
}

/// What this machine can draw with. The error says what to install.
pub fn adapter() -> Result<wgpu::Adapter, String> {
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
pub(super) fn device() -> Result<(RenderDevice, RenderQueue), String> {
    let adapter = adapter()?;
    let device = wgpu::DeviceDescriptor { required_limits: adapter.limits(), ..Default::default() };
    let opened = bevy::tasks::block_on(adapter.request_device(&device));
    let (device, queue) = opened.map_err(|why| format!("the graphics device cannot be used ({why})"))?;
    // What fails is not painted; it is no reason to end.
    device.on_uncaptured_error(Arc::new(|why| tracing::warn!("the graphics device: {why}")));
    Ok((RenderDevice::from(device), RenderQueue(Arc::new(WgpuWrapper::new(queue)))))
}

impl Studio {
    /// For canvases of `canvas` units, painted with `pixels` pixels. The error says what to install.
    pub fn new(canvas: [f32; 2], [width, height]: [u32; 2]) -> Result<Self, String> {
        let (device, queue) = device()?;
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
        let brushes = Brushes::new(&device, true);
        let (pixel, drawn, most) = (width as f32 / canvas[0], Drawn::default(), SHADER_MOST);
        let sheet = Sheet { size: canvas, pixel, drawn, most, patient: true };
        Ok(Self { device, queue, brushes, letters: Letters::new(), kept: KeptSoFar::default(), texture, sheet })
    }

    /// Paints a picture. `edition`: whose shaders and images it names; `watched`: who is here and there; `uniforms`: what shaders
    /// are told.
    pub fn paint(
        &mut self,
        picture: &Picture,
        edition: Option<&Arc<Edition>>,
        watched: [&Watched; 2],
        uniforms: &Arc<Uniforms>,
    ) -> Result<RgbaImage, String> {
        let mut job = beside(|| self.job(picture, edition, uniforms));
        let (device, queue) = (&self.device, &self.queue);
        // Trial runs are separate steps.
        let mut encoder = put((device, queue), &mut self.brushes, &self.texture, &mut job, watched, &self.sheet);
        beside(|| {
            let copy = capture::copy(device, &mut encoder, &self.texture);
            queue.submit([encoder.finish()]);
            capture::read(copy, device)
        })
    }

    fn job(&mut self, picture: &Picture, edition: Option<&Arc<Edition>>, uniforms: &Arc<Uniforms>) -> Job {
        if self.letters.begin() {
            self.kept.begin();
        }
        let (size, pixel) = (self.sheet.size, self.sheet.pixel);
        let mut strokes = self.kept.strokes(&picture.kept, size, pixel, &mut self.letters);
        // A picture that stands alone has to be whole.
        while let more = self.kept.strokes(&picture.kept, size, pixel, &mut self.letters)
            && !more.is_empty()
        {
            strokes.extend(more);
        }
        let batch = Batch::build(picture, self.sheet.size, self.sheet.pixel, &mut self.letters);
        let atlas = std::mem::take(&mut self.letters.changed).then(|| self.letters.pixels.clone());
        let (edition, uniforms) = (edition.cloned(), uniforms.clone());
        Job { batch, strokes, edition, atlas, uniforms, reflects: picture.reflects, capture: None }
    }

    /// What a shader may take of the GPU for a picture; beyond that it is shed.
    pub fn allow(&mut self, most: Duration) {
        self.sheet.most = most;
    }

    /// Shader layers that are not drawn.
    pub fn faults(&self) -> Vec<LayerFault> {
        self.sheet.drawn.faults()
    }
}
