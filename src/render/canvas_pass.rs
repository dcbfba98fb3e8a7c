//! Draws batches into the canvas's texture, in the render world, before any screen samples it.

use super::canvas::CanvasTexture;
use super::encoder::{CanvasTarget, encode_frame};
use super::pipelines::CanvasPipelines;
use super::presence_textures::{PresenceMap, PresenceMaps};
use super::queue::{CanvasQueue, RenderJob};
use crate::device::clock::monotonic;
use bevy::prelude::*;
use bevy::render::render_asset::RenderAssets;
use bevy::render::renderer::{RenderDevice, RenderGraph, RenderGraphSystems, RenderQueue};
use bevy::render::texture::GpuImage;
use bevy::render::view::{ExtractedWindow, ExtractedWindows};
use bevy::render::{ExtractSchedule, MainWorld, Render, RenderApp, RenderStartup, RenderSystems};
use std::sync::Arc;

/// Maximum number of frames in flight on the GPU.
const IN_FLIGHT_MAX: usize = 1;

/// Frame to be drawn, kept until the texture and its shaders' pipelines are ready.
#[derive(Resource, Default)]
pub(super) struct ExtractedCanvas {
    job: Option<RenderJob>,
    /// Previous frame, still drawn while another edition's shaders are being compiled.
    previous: Option<RenderJob>,
    pub canvas: Option<CanvasTexture>,
    presence: [Arc<PresenceMap>; 2],
}

pub(super) fn plug(app: &mut App) {
    let Some(render) = app.get_sub_app_mut(RenderApp) else { return };
    render
        .init_resource::<ExtractedCanvas>()
        .add_systems(RenderStartup, create_pipelines)
        .add_systems(ExtractSchedule, extract)
        .add_systems(RenderGraph, paint_canvas.in_set(RenderGraphSystems::Begin))
        .add_systems(Render, record_window_shown.in_set(RenderSystems::Cleanup));
}

/// Records that a window shows the drawn frame.
fn record_window_shown(windows: Option<Res<ExtractedWindows>>, on: Res<ExtractedCanvas>) {
    let (Some(windows), Some(canvas)) = (windows, &on.canvas) else { return };
    // A texture that was presented to the display has been released; its view is kept until the next frame.
    let is_shown =
        |window: &ExtractedWindow| window.swap_chain_texture.is_none() && window.swap_chain_texture_view.is_some();
    if windows.values().any(is_shown) {
        canvas.frame_stats.record_shown(monotonic());
    }
}

fn extract(mut main: ResMut<MainWorld>, mut on: ResMut<ExtractedCanvas>) {
    let canvas = main.get_resource::<CanvasTexture>().cloned();
    if let Some(watching) = main.get_resource::<PresenceMaps>() {
        on.presence = watching.0.clone();
    }
    let Some(mut queue) = main.get_resource_mut::<CanvasQueue>() else { return };
    if let Some(mut job) = queue.job.take() {
        if let Some(before) = on.job.take() {
            job.absorb_skipped(before);
        }
        on.job = Some(job);
    }
    on.canvas = canvas;
}

fn create_pipelines(device: Res<RenderDevice>, mut commands: Commands) {
    commands.insert_resource(CanvasPipelines::new(&device, false));
}

pub(super) fn paint_canvas(
    device: Res<RenderDevice>,
    queue: Res<RenderQueue>,
    images: Res<RenderAssets<GpuImage>>,
    mut on: ResMut<ExtractedCanvas>,
    pipelines: Option<ResMut<CanvasPipelines>>,
) {
    let (Some(mut pipelines), Some(canvas)) = (pipelines, on.canvas.clone()) else { return };
    canvas.frame_stats.poll_pending(|edition| pipelines.prepare(edition));
    let Some(image) = images.get(&canvas.image) else { return };
    // Nothing throttles a loop without a screen: a GPU that is behind gets no further frame.
    if canvas.frame_stats.in_flight() >= IN_FLIGHT_MAX {
        return;
    }
    let Some(mut job) = on.next_job(&pipelines) else { return };
    let (drawn, most) = (canvas.frame_stats.clone(), canvas.shader_time_max);
    let target = CanvasTarget {
        size: canvas.size,
        pixels_per_unit: canvas.pixels_per_unit,
        frame_stats: drawn,
        shader_time_max: most,
        blocking: false,
    };
    let [here, there] = on.presence.clone();
    let mut encoder =
        encode_frame((&device, &queue), &mut pipelines, &image.texture, &mut job, [&here, &there], &target);
    let copy = job
        .capture
        .take()
        .map(|capture| (super::capture::begin_readback(&device, &mut encoder, &image.texture), capture));
    queue.submit([encoder.finish()]);
    if let Some((copy, capture)) = copy {
        super::capture::save_png(copy, capture);
    }
    let (reflects, drawn) = (job.reflects, canvas.frame_stats.clone());
    canvas.frame_stats.record_submitted(reflects, monotonic());
    queue.on_submitted_work_done(move || drawn.record_done(reflects, monotonic()));
    on.previous = Some(job);
}

impl ExtractedCanvas {
    /// Returns the frame to draw now: the newest, or the previous one until the newest can be drawn.
    fn next_job(&mut self, pipelines: &CanvasPipelines) -> Option<RenderJob> {
        let job = self.job.as_ref()?;
        if pipelines.is_ready(job) {
            return self.job.take();
        }
        // The previous frame's shaders get the newest uniforms.
        let uniforms = job.uniforms.clone();
        self.previous.take().map(|before| RenderJob { uniforms, ..before })
    }
}

#[cfg(test)]
mod tests;
