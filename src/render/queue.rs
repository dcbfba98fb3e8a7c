//! Queue of the canvas: display lists become draw batches here, in the main world, and wait for the render world.

use super::batch::DrawBatch;
use super::canvas::CanvasTexture;
use super::capture::Capture;
use super::retained::{LayerUpdate, RetainedProgress};
use super::text::TextShaper;
use crate::scene::{DisplayList, EngineUniforms, SceneRevision};
use bevy::prelude::*;
use std::sync::{Arc, Mutex, PoisonError};

/// Frame on its way to the render world.
pub(super) struct RenderJob {
    pub batch: DrawBatch,
    /// New strokes of retained layers.
    pub layer_updates: Vec<LayerUpdate>,
    pub edition: Option<Arc<SceneRevision>>,
    pub atlas: Option<Vec<u8>>,
    pub uniforms: Arc<EngineUniforms>,
    pub reflects: u64,
    pub capture: Option<Capture>,
}

impl RenderJob {
    /// Replaces a job that was not drawn, and takes over its atlas, capture and layer updates.
    pub fn absorb_skipped(&mut self, before: Self) {
        self.atlas = self.atlas.take().or(before.atlas);
        self.capture = self.capture.take().or(before.capture);
        let anew = |slot: usize| self.layer_updates.iter().any(|strokes| strokes.slot == slot && strokes.clear);
        let left: Vec<_> = before.layer_updates.into_iter().filter(|strokes| !anew(strokes.slot)).collect();
        self.layer_updates.splice(..0, left);
    }
}

/// Display list, the edition with its shaders and images, and the uniforms of its shaders.
type LastPicture = (Arc<DisplayList>, Option<Arc<SceneRevision>>, Arc<EngineUniforms>);

/// Queue of one frame that waits to be drawn.
#[derive(Resource, Default)]
pub struct CanvasQueue {
    pub(super) job: Option<RenderJob>,
    capture: Option<Capture>,
    last: Option<LastPicture>,
    retained: RetainedProgress,
}

impl CanvasQueue {
    /// Saves the next frame as a file.
    pub fn request_capture(&mut self, capture: Capture) {
        self.capture = Some(capture);
    }

    /// Returns true if a capture can be requested without discarding another.
    pub fn can_capture(&self) -> bool {
        self.capture.is_none() && self.job.as_ref().is_none_or(|job| job.capture.is_none())
    }
}

/// Text shaper of all texts; the lock is there only because a resource must be `Sync`.
#[derive(Resource)]
pub(super) struct SharedTextShaper(Mutex<TextShaper>);

impl SharedTextShaper {
    pub fn new(shaper: TextShaper) -> Self {
        Self(Mutex::new(shaper))
    }
}

/// Draws a display list on the canvas. `edition` has the shaders and images that it names; `uniforms` are its shaders'
/// inputs.
pub fn show_picture(
    world: &mut World,
    picture: Arc<DisplayList>,
    edition: Option<Arc<SceneRevision>>,
    uniforms: Arc<EngineUniforms>,
) {
    world.resource_mut::<CanvasQueue>().last = Some((picture, edition, uniforms));
    repaint(world);
}

/// Keeps the current frame; draws it again only if a capture is waiting.
pub fn repeat_picture(world: &mut World) {
    if world.resource::<CanvasQueue>().capture.is_some() {
        repaint(world);
    }
}

fn repaint(world: &mut World) {
    let Some((picture, edition, uniforms)) = world.resource::<CanvasQueue>().last.clone() else { return };
    let canvas = world.resource::<CanvasTexture>();
    let (size, pixel) = (canvas.size, canvas.pixels_per_unit);
    let mut so_far = std::mem::take(&mut world.resource_mut::<CanvasQueue>().retained);
    let (batch, strokes, atlas) = {
        let case = world.resource::<SharedTextShaper>();
        let mut letters = case.0.lock().unwrap_or_else(PoisonError::into_inner);
        if letters.begin_frame() {
            so_far.restart();
        }
        let strokes = so_far.next_updates(&picture.kept, size, pixel, &mut letters);
        let batch = DrawBatch::build(&picture, size, pixel, &mut letters);
        let atlas = std::mem::take(&mut letters.changed).then(|| letters.pixels.clone());
        (batch, strokes, atlas)
    };
    let mut queue = world.resource_mut::<CanvasQueue>();
    queue.retained = so_far;
    let capture = queue.capture.take();
    let mut job =
        RenderJob { batch, layer_updates: strokes, edition, atlas, uniforms, reflects: picture.reflects, capture };
    if let Some(before) = queue.job.take() {
        job.absorb_skipped(before);
    }
    queue.job = Some(job);
}
