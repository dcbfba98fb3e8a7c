//! Luminance meter of the canvas, for the camera that watches the square lit by it: a few cells, read back at
//! intervals.

use super::canvas_pass::{ExtractedCanvas, paint_canvas};
use super::targets::{StencilMode, create_fullscreen_pipeline};
use crate::device::clock::monotonic;
use bevy::prelude::*;
use bevy::render::render_asset::RenderAssets;
use bevy::render::render_resource::{
    BindGroupEntries, BindGroupLayout, BindGroupLayoutEntry, BindingType, BufferDescriptor, BufferUsages,
    ColorTargetState, ColorWrites, CommandEncoderDescriptor, Extent3d, FilterMode, LoadOp, MapMode, Operations,
    RenderPassColorAttachment, RenderPassDescriptor, RenderPipeline, Sampler, SamplerBindingType, SamplerDescriptor,
    ShaderModuleDescriptor, ShaderSource, ShaderStages, StoreOp, TexelCopyBufferInfo, TexelCopyBufferLayout, Texture,
    TextureDescriptor, TextureDimension, TextureFormat, TextureSampleType, TextureUsages, TextureView,
    TextureViewDescriptor, TextureViewDimension,
};
use bevy::render::renderer::{RenderDevice, RenderGraph, RenderGraphSystems, RenderQueue};
use bevy::render::texture::GpuImage;
use bevy::render::{RenderApp, RenderStartup};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Columns and rows of cells, as in `shaders/light.wgsl`; each is one number.
const CELLS: [u32; 2] = [16, 9];
/// Rows of a copied texture begin at multiples of this.
const ROW_ALIGNMENT: u32 = wgpu::COPY_BYTES_PER_ROW_ALIGNMENT;
/// Interval between measurements.
const INTERVAL: Duration = Duration::from_millis(100);

/// GPU objects of the luminance meter.
#[derive(Resource)]
struct LuminanceMeter {
    layout: BindGroupLayout,
    pipeline: RenderPipeline,
    sampler: Sampler,
    cells: Texture,
    view: TextureView,
    buffer: wgpu::Buffer,
    /// True while the GPU fills or the CPU reads the buffer. It stays true if the device is lost, and nothing more is
    /// measured.
    reading: Arc<AtomicBool>,
    /// Number of finished frames at the last measurement, and its time.
    painted: u64,
    last: Duration,
}

pub(super) fn plug(app: &mut App) {
    let Some(render) = app.get_sub_app_mut(RenderApp) else { return };
    render
        .add_systems(RenderStartup, create_meter)
        .add_systems(RenderGraph, measure.in_set(RenderGraphSystems::Begin).after(paint_canvas));
}

fn create_meter(device: Res<RenderDevice>, mut commands: Commands) {
    let source = ShaderSource::Wgsl(include_str!("../../shaders/light.wgsl").into());
    let module = device.create_and_validate_shader_module(ShaderModuleDescriptor { label: Some("light"), source });
    let texture = BindGroupLayoutEntry {
        binding: 0,
        visibility: ShaderStages::FRAGMENT,
        ty: BindingType::Texture {
            sample_type: TextureSampleType::Float { filterable: true },
            view_dimension: TextureViewDimension::D2,
            multisampled: false,
        },
        count: None,
    };
    let sampler =
        BindGroupLayoutEntry { binding: 1, ty: BindingType::Sampler(SamplerBindingType::Filtering), ..texture };
    let layout = device.create_bind_group_layout("light", &[texture, sampler]);
    let format = TextureFormat::R32Float;
    let target = ColorTargetState { format, blend: None, write_mask: ColorWrites::ALL };
    let pipeline = create_fullscreen_pipeline(
        &device,
        "light",
        &layout,
        (&module, ["vertex", "fragment"]),
        target,
        StencilMode::None,
    );
    let sampler = device.create_sampler(&SamplerDescriptor {
        mag_filter: FilterMode::Linear,
        min_filter: FilterMode::Linear,
        ..Default::default()
    });
    let cells = device.create_texture(&TextureDescriptor {
        label: Some("light"),
        size: Extent3d { width: CELLS[0], height: CELLS[1], depth_or_array_layers: 1 },
        mip_level_count: 1,
        sample_count: 1,
        dimension: TextureDimension::D2,
        format,
        usage: TextureUsages::RENDER_ATTACHMENT | TextureUsages::COPY_SRC,
        view_formats: &[],
    });
    let view = cells.create_view(&TextureViewDescriptor::default());
    let buffer = device.wgpu_device().create_buffer(&BufferDescriptor {
        label: Some("light"),
        size: u64::from(ROW_ALIGNMENT * CELLS[1]),
        usage: BufferUsages::COPY_DST | BufferUsages::MAP_READ,
        mapped_at_creation: false,
    });
    let reading = Arc::default();
    let (painted, last) = (0, Duration::ZERO);
    commands.insert_resource(LuminanceMeter { layout, pipeline, sampler, cells, view, buffer, reading, painted, last });
}

/// Measures the canvas if it has a new frame, and never waits for the result.
fn measure(
    device: Res<RenderDevice>,
    queue: Res<RenderQueue>,
    images: Res<RenderAssets<GpuImage>>,
    on: Res<ExtractedCanvas>,
    meter: Option<ResMut<LuminanceMeter>>,
) {
    let (Some(mut meter), Some(canvas)) = (meter, on.canvas.as_ref()) else { return };
    let Some(image) = images.get(&canvas.image) else { return };
    let (painted, now) = (canvas.frame_stats.painted_count(), monotonic());
    let due = painted != meter.painted && now.saturating_sub(meter.last) >= INTERVAL;
    if !due || meter.reading.swap(true, Ordering::Acquire) {
        return;
    }
    (meter.painted, meter.last) = (painted, now);

    let entries = BindGroupEntries::sequential((&image.texture_view, &meter.sampler));
    let group = device.create_bind_group("light", &meter.layout, &entries);
    let mut encoder = device.create_command_encoder(&CommandEncoderDescriptor { label: Some("light") });
    let mut pass = encoder.begin_render_pass(&RenderPassDescriptor {
        label: Some("light"),
        color_attachments: &[Some(RenderPassColorAttachment {
            view: &meter.view,
            depth_slice: None,
            resolve_target: None,
            ops: Operations { load: LoadOp::Clear(wgpu::Color::BLACK), store: StoreOp::Store },
        })],
        depth_stencil_attachment: None,
        timestamp_writes: None,
        occlusion_query_set: None,
        multiview_mask: None,
    });
    pass.set_pipeline(&meter.pipeline);
    pass.set_bind_group(0, &*group, &[]);
    pass.draw(0..3, 0..1);
    drop(pass);
    let layout = TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(ROW_ALIGNMENT), rows_per_image: None };
    let extent = Extent3d { width: CELLS[0], height: CELLS[1], depth_or_array_layers: 1 };
    let to = TexelCopyBufferInfo { buffer: &meter.buffer, layout };
    encoder.copy_texture_to_buffer(meter.cells.as_image_copy(), to, extent);
    queue.submit([encoder.finish()]);

    let (buffer, reading, shown) = (meter.buffer.clone(), meter.reading.clone(), canvas.frame_stats.luminance());
    meter.buffer.slice(..).map_async(MapMode::Read, move |mapped| {
        if mapped.is_err() {
            tracing::debug!("the graphics device does not tell how bright the canvas is");
            return;
        }
        let rows = buffer.slice(..).get_mapped_range();
        let luminance = mean_of_cells(&rows);
        drop(rows);
        buffer.unmap();
        if let Some(luminance) = luminance {
            shown.store(luminance);
        }
        reading.store(false, Ordering::Release);
    });
}

/// Returns the mean of all cells in copied, padded rows; `None` if it is not a finite number.
fn mean_of_cells(rows: &[u8]) -> Option<f32> {
    let row = (CELLS[0] * 4) as usize;
    let numbers = rows
        .chunks(ROW_ALIGNMENT as usize)
        .filter_map(|padded| padded.get(..row))
        .flat_map(|row| row.chunks_exact(4).map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])));
    let (sum, count) = numbers.fold((0.0_f32, 0.0_f32), |(sum, count), number| (sum + number, count + 1.0));
    let mean = sum / count;
    mean.is_finite().then_some(mean.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_is_of_the_cells_and_not_of_what_lies_between() {
        let mut rows = vec![0xff; (ROW_ALIGNMENT * CELLS[1]) as usize];
        for (y, row) in rows.chunks_mut(ROW_ALIGNMENT as usize).enumerate() {
            for cell in row[..(CELLS[0] * 4) as usize].chunks_mut(4) {
                cell.copy_from_slice(&(y as f32 / 10.0).to_le_bytes());
            }
        }
        assert!((mean_of_cells(&rows).expect("all are numbers") - 0.4).abs() < 1e-6);
        rows[..4].copy_from_slice(&f32::NAN.to_le_bytes());
        assert_eq!(mean_of_cells(&rows), None);
        assert_eq!(mean_of_cells(&[]), None);
    }
}
