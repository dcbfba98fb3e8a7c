//! Paints batches into the canvas's texture, in the render world, before any screen looks at it.

use super::brushes::Brushes;
use super::put::{Sheet, put};
use super::watched::{Watched, Watching};
use super::{Canvas, Easel, Job};
use crate::device::clock::monotonic;
use bevy::prelude::*;
use bevy::render::render_asset::RenderAssets;
use bevy::render::renderer::{RenderDevice, RenderGraph, RenderGraphSystems, RenderQueue};
use bevy::render::texture::GpuImage;
use bevy::render::view::{ExtractedWindow, ExtractedWindows};
use bevy::render::{ExtractSchedule, MainWorld, Render, RenderApp, RenderStartup, RenderSystems};
use std::sync::Arc;

/// Pictures that the GPU works on at once.
const UNDER_WORK_MAX: usize = 1;

/// The picture being painted, kept until the texture and its shaders' pipelines are ready.
#[derive(Resource, Default)]
pub(super) struct OnEasel {
    job: Option<Job>,
    /// The picture before, still drawn while another edition's shaders are being prepared.
    before: Option<Job>,
    pub canvas: Option<Canvas>,
    watched: [Arc<Watched>; 2],
}

pub(super) fn plug(app: &mut App) {
    let Some(render) = app.get_sub_app_mut(RenderApp) else { return };
    render
        .init_resource::<OnEasel>()
        .add_systems(RenderStartup, make_brushes)
        .add_systems(ExtractSchedule, extract)
        .add_systems(RenderGraph, paint.in_set(RenderGraphSystems::Begin))
        .add_systems(Render, shown.in_set(RenderSystems::Cleanup));
}

/// Records that a window shows the painted picture.
fn shown(windows: Option<Res<ExtractedWindows>>, on: Res<OnEasel>) {
    let (Some(windows), Some(canvas)) = (windows, &on.canvas) else { return };
    // A texture that was presented to the display has been released; its view is kept until the next frame.
    let is_shown =
        |window: &ExtractedWindow| window.swap_chain_texture.is_none() && window.swap_chain_texture_view.is_some();
    if windows.values().any(is_shown) {
        canvas.drawn.show_at(monotonic());
    }
}

fn extract(mut main: ResMut<MainWorld>, mut on: ResMut<OnEasel>) {
    let canvas = main.get_resource::<Canvas>().cloned();
    if let Some(watching) = main.get_resource::<Watching>() {
        on.watched = watching.0.clone();
    }
    let Some(mut easel) = main.get_resource_mut::<Easel>() else { return };
    if let Some(mut job) = easel.job.take() {
        if let Some(before) = on.job.take() {
            job.instead_of(before);
        }
        on.job = Some(job);
    }
    on.canvas = canvas;
}

fn make_brushes(device: Res<RenderDevice>, mut commands: Commands) {
    commands.insert_resource(Brushes::new(&device, false));
}

pub(super) fn paint(
    device: Res<RenderDevice>,
    queue: Res<RenderQueue>,
    images: Res<RenderAssets<GpuImage>>,
    mut on: ResMut<OnEasel>,
    brushes: Option<ResMut<Brushes>>,
) {
    let (Some(mut brushes), Some(canvas)) = (brushes, on.canvas.clone()) else { return };
    canvas.drawn.look(|edition| brushes.prepare(edition));
    let Some(image) = images.get(&canvas.image) else { return };
    // Nothing holds a loop without a screen back: a GPU that is behind is given no more to do.
    if canvas.drawn.waiting() >= UNDER_WORK_MAX {
        return;
    }
    let Some(mut job) = on.next(&brushes) else { return };
    let (drawn, most) = (canvas.drawn.clone(), canvas.shader_most);
    let sheet = Sheet { size: canvas.size, pixel: canvas.pixel, drawn, most, patient: false };
    let [here, there] = on.watched.clone();
    let mut encoder = put((&device, &queue), &mut brushes, &image.texture, &mut job, [&here, &there], &sheet);
    let copy = job.capture.take().map(|capture| (super::capture::copy(&device, &mut encoder, &image.texture), capture));
    queue.submit([encoder.finish()]);
    if let Some((copy, capture)) = copy {
        super::capture::save(copy, capture);
    }
    let (reflects, drawn) = (job.reflects, canvas.drawn.clone());
    canvas.drawn.submitted(reflects, monotonic());
    queue.on_submitted_work_done(move || drawn.done(reflects, monotonic()));
    on.before = Some(job);
}

impl OnEasel {
    /// Returns the picture to draw now: the newest, or the one before until the newest can be drawn.
    fn next(&mut self, brushes: &Brushes) -> Option<Job> {
        let job = self.job.as_ref()?;
        if brushes.is_ready(job) {
            return self.job.take();
        }
        // Its shaders get the uniforms of the newest.
        let uniforms = job.uniforms.clone();
        self.before.take().map(|before| Job { uniforms, ..before })
    }
}

#[cfg(test)]
mod tests;
