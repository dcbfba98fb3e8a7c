//! The stage: the canvas as a texture, painted from pictures, and the screens that show it.

mod batch;
mod canvas_pass;
mod capture;
mod compositor;
mod encoder;
mod fullscreen;
mod job_pool;
mod luminance;
mod materials;
mod offscreen;
mod pipelines;
mod presence_textures;
mod retained;
mod screens;
mod shader_budget;
mod shader_buffers;
mod shader_pipelines;
mod shader_usage;
mod targets;
mod tessellate;
mod text;

pub use luminance::CanvasLuminance;
pub use offscreen::{OffscreenRenderer, find_adapter};
pub use presence_textures::{PresenceMap, set_presence};

use crate::config::ScreenConfig;
use crate::device::clock::monotonic;
use crate::scene::{DisplayList, EngineUniforms, SceneRevision};
use bevy::asset::RenderAssetUsages;
use bevy::image::ImageSampler;
use bevy::prelude::*;
use bevy::render::render_resource::{Extent3d, TextureDimension, TextureFormat, TextureUsages};
use bevy::render::renderer::RenderDevice;
use retained::{LayerUpdate, RetainedProgress};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Everything about the stage that is known before it is built.
pub struct CanvasPlugin {
    /// Size of the canvas, in its units.
    pub canvas: [u32; 2],
    /// Size of its texture, in pixels.
    pub pixels: [u32; 2],
    /// Windows to open; none off-screen.
    pub screens: Vec<ScreenConfig>,
    /// The windows' title.
    pub title: String,
    /// True if the mouse pointer is visible on them.
    pub pointer: bool,
    /// Where it is told when pictures are done.
    pub frame_stats: FrameStats,
    /// What an artist's shader may take of the GPU for a picture; beyond that it is shed.
    pub shader_time_max: Duration,
}

/// The canvas: one texture that every screen shows a part of.
#[derive(Resource, Clone)]
pub struct CanvasTexture {
    /// The texture.
    pub image: Handle<Image>,
    /// In its units.
    pub size: [f32; 2],
    /// Pixels of the texture that one unit is.
    pub pixels_per_unit: f32,
    frame_stats: FrameStats,
    shader_time_max: Duration,
}

/// A picture that is to be kept as a file.
#[derive(Debug, Clone)]
pub struct Capture {
    /// PNG.
    pub file: PathBuf,
}

/// A shader layer that is not drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShaderLayerFault {
    /// The file.
    pub shader: String,
    /// The driver's message, or the time it takes: a sentence whose subject is the file.
    pub why: String,
}

/// When which picture was on the canvas, told from the render world and from the GPU.
#[derive(Debug, Clone, Default)]
pub struct FrameStats(Arc<FrameStatsInner>);

#[derive(Debug, Default)]
struct FrameStatsInner {
    /// The last input that is on the canvas, when its picture was submitted and when the GPU was done with it.
    done: Mutex<Vec<(u64, Duration, Duration)>>,
    submitted: Mutex<Vec<(u64, Duration)>>,
    /// The GPU is done with a picture.
    idle: Condvar,
    faults: Mutex<Vec<ShaderLayerFault>>,
    /// Files of shaders that are drawn again, until they are taken.
    recovered: Mutex<Vec<String>>,
    pending: Mutex<Option<PendingEdition>>,
    /// What a picture takes of the GPU, as it was of late, in microseconds.
    gpu_time_us: AtomicU64,
    painted: AtomicU64,
    /// Time at which a window last showed the canvas, in monotonic nanoseconds; 0 for never.
    shown_at: AtomicU64,
    luminance: CanvasLuminance,
}

/// An edition that is shown once its shaders can be drawn.
#[derive(Debug)]
struct PendingEdition {
    edition: Arc<SceneRevision>,
    /// Time of the request.
    since: Duration,
    ready: bool,
}

/// Maximum number of finished pictures, and of shaders drawn again, that are kept until they are taken.
const DONE_MAX: usize = 1_024;
const RECOVERED_MAX: usize = 16;
/// Time after which an edition is shown even if the stage has not reported it ready.
const PENDING_MAX: Duration = Duration::from_secs(5);

impl FrameStats {
    fn record_submitted(&self, reflects: u64, at: Duration) {
        self.0.submitted.lock().unwrap_or_else(PoisonError::into_inner).push((reflects, at));
    }

    fn record_done(&self, reflects: u64, at: Duration) {
        self.0.painted.fetch_add(1, Ordering::Relaxed);
        let mut submitted = self.0.submitted.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(index) = submitted.iter().position(|(known, _)| *known == reflects) else { return };
        let (_, since) = submitted.remove(index);
        let took = at.saturating_sub(since).as_micros() as u64;
        let before = self.0.gpu_time_us.load(Ordering::Relaxed);
        self.0.gpu_time_us.store((before * 7 + took) / 8, Ordering::Relaxed);
        self.0.idle.notify_all();
        let mut done = self.0.done.lock().unwrap_or_else(PoisonError::into_inner);
        if done.len() < DONE_MAX {
            done.push((reflects, since, at));
        }
    }

    /// What a picture takes of the GPU, as it was of late.
    fn gpu_time(&self) -> Duration {
        Duration::from_micros(self.0.gpu_time_us.load(Ordering::Relaxed))
    }

    /// There are other shaders: what was wrong with those before is no more.
    fn clear_faults(&self) {
        self.0.faults.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Records a layer's fault once: a layer has a pipeline for each way to blend and to clip it, but one fault.
    fn record_fault(&self, shader: &str, why: String) {
        let mut faults = self.0.faults.lock().unwrap_or_else(PoisonError::into_inner);
        if faults.iter().all(|known| known.shader != shader) {
            tracing::warn!("{shader}: {why}");
            faults.push(ShaderLayerFault { shader: shader.to_owned(), why });
        }
    }

    /// Records that a layer is drawn; if it was not before, reports that.
    fn record_recovered(&self, shader: &str) {
        let mut faults = self.0.faults.lock().unwrap_or_else(PoisonError::into_inner);
        let before = faults.len();
        faults.retain(|fault| fault.shader != shader);
        if faults.len() < before {
            tracing::info!("{shader}: is drawn again");
            let mut returned = self.0.recovered.lock().unwrap_or_else(PoisonError::into_inner);
            if returned.len() < RECOVERED_MAX {
                returned.push(shader.to_owned());
            }
        }
    }

    /// Takes the files of shaders, slow or refused before, that are drawn again since the last call.
    pub fn take_recovered(&self) -> Vec<String> {
        std::mem::take(&mut self.0.recovered.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Prepares an edition; returns true once its shaders can be drawn. Call it until then; `now` is monotonic.
    pub fn prepare(&self, edition: &Arc<SceneRevision>, now: Duration) -> bool {
        let mut coming = self.0.pending.lock().unwrap_or_else(PoisonError::into_inner);
        match &*coming {
            Some(known) if Arc::ptr_eq(&known.edition, edition) => {
                known.ready || now.saturating_sub(known.since) > PENDING_MAX
            }
            _ => {
                *coming = Some(PendingEdition { edition: edition.clone(), since: now, ready: false });
                false
            }
        }
    }

    /// Checks whether the shaders of the next edition can be drawn.
    fn poll_pending(&self, is_ready: impl FnOnce(&SceneRevision) -> bool) {
        let mut coming = self.0.pending.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(coming) = coming.as_mut().filter(|coming| !coming.ready) {
            coming.ready = is_ready(&coming.edition);
        }
    }

    /// Pictures that were finished since the last call: the last input they reflect, submitted at, done at.
    pub fn take_finished(&self) -> Vec<(u64, Duration, Duration)> {
        std::mem::take(&mut self.0.done.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Pictures that the GPU has finished since the start.
    pub fn painted_count(&self) -> u64 {
        self.0.painted.load(Ordering::Relaxed)
    }

    /// Returns the monotonic time at which a window last showed a picture.
    pub fn shown_at(&self) -> Option<Duration> {
        let at = self.0.shown_at.load(Ordering::Relaxed);
        (at > 0).then(|| Duration::from_nanos(at))
    }

    /// Records that a window shows the canvas; ignored before the first picture.
    fn record_shown(&self, at: Duration) {
        if self.painted_count() > 0 {
            self.0.shown_at.store(at.as_nanos() as u64, Ordering::Relaxed);
        }
    }

    /// Layers that are not drawn.
    pub fn faults(&self) -> Vec<ShaderLayerFault> {
        self.0.faults.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How bright the canvas is.
    pub fn luminance(&self) -> CanvasLuminance {
        self.0.luminance.clone()
    }

    /// Pictures that the GPU works on.
    /// Waits until the GPU is done with all that it was given, `at_most` so long: what a frame reads before that would be
    /// old when its picture can be painted.
    pub fn wait_idle(&self, at_most: Duration) {
        let submitted = self.0.submitted.lock().unwrap_or_else(PoisonError::into_inner);
        let busy = |submitted: &mut Vec<_>| !submitted.is_empty();
        drop(self.0.idle.wait_timeout_while(submitted, at_most, busy).unwrap_or_else(PoisonError::into_inner));
    }

    fn in_flight(&self) -> usize {
        self.0.submitted.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// A picture on its way to the render world.
struct RenderJob {
    batch: batch::DrawBatch,
    /// What is new on kept layers.
    layer_updates: Vec<LayerUpdate>,
    edition: Option<Arc<SceneRevision>>,
    atlas: Option<Vec<u8>>,
    uniforms: Arc<EngineUniforms>,
    reflects: u64,
    capture: Option<Capture>,
}

impl RenderJob {
    /// This one instead of one that was not painted: what was to be learned from that is not lost.
    fn absorb_skipped(&mut self, before: Self) {
        self.atlas = self.atlas.take().or(before.atlas);
        self.capture = self.capture.take().or(before.capture);
        let anew = |slot: usize| self.layer_updates.iter().any(|strokes| strokes.slot == slot && strokes.clear);
        let left: Vec<_> = before.layer_updates.into_iter().filter(|strokes| !anew(strokes.slot)).collect();
        self.layer_updates.splice(..0, left);
    }
}

/// A picture, whose shaders and images it names, and what shaders are told.
type LastPicture = (Arc<DisplayList>, Option<Arc<SceneRevision>>, Arc<EngineUniforms>);

/// Where a picture is put to be painted.
#[derive(Resource, Default)]
pub struct CanvasQueue {
    job: Option<RenderJob>,
    capture: Option<Capture>,
    last: Option<LastPicture>,
    retained: RetainedProgress,
}

impl CanvasQueue {
    /// The next painting is kept as a file.
    pub fn request_capture(&mut self, capture: Capture) {
        self.capture = Some(capture);
    }

    /// True when a painting can be asked for without another being forgotten.
    pub fn can_capture(&self) -> bool {
        self.capture.is_none() && self.job.as_ref().is_none_or(|job| job.capture.is_none())
    }
}

/// The letters of all texts; behind a lock only because a resource must be `Sync`.
#[derive(Resource)]
struct SharedTextShaper(Mutex<text::TextShaper>);

/// Puts a picture on the canvas. `edition`: whose shaders and images it names; `uniforms`: what shaders are told.
pub fn show_picture(
    world: &mut World,
    picture: Arc<DisplayList>,
    edition: Option<Arc<SceneRevision>>,
    uniforms: Arc<EngineUniforms>,
) {
    world.resource_mut::<CanvasQueue>().last = Some((picture, edition, uniforms));
    repaint(world);
}

/// Leaves the picture that is there; a capture that waits gets it.
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
        let batch = batch::DrawBatch::build(&picture, size, pixel, &mut letters);
        let atlas = std::mem::take(&mut letters.changed).then(|| letters.pixels.clone());
        (batch, strokes, atlas)
    };
    let mut easel = world.resource_mut::<CanvasQueue>();
    easel.retained = so_far;
    let capture = easel.capture.take();
    let mut job =
        RenderJob { batch, layer_updates: strokes, edition, atlas, uniforms, reflects: picture.reflects, capture };
    if let Some(before) = easel.job.take() {
        job.absorb_skipped(before);
    }
    easel.job = Some(job);
}

impl Plugin for CanvasPlugin {
    fn build(&self, app: &mut App) {
        let [width, height] = self.pixels;
        let extent = Extent3d { width, height, depth_or_array_layers: 1 };
        let format = TextureFormat::Rgba8UnormSrgb;
        let mut image = Image::new_uninit(extent, TextureDimension::D2, format, RenderAssetUsages::RENDER_WORLD);
        image.texture_descriptor.usage = TextureUsages::TEXTURE_BINDING
            | TextureUsages::RENDER_ATTACHMENT
            | TextureUsages::COPY_SRC
            | TextureUsages::COPY_DST;
        image.texture_descriptor.view_formats = &[TextureFormat::Rgba8Unorm];
        image.sampler = ImageSampler::linear();
        let image = app.world_mut().resource_mut::<Assets<Image>>().add(image);
        let mut letters = text::TextShaper::new();
        if !letters.has_fonts() {
            tracing::warn!("this system has no fonts, so there is no text; install fonts-noto-core and fonts-noto-cjk");
        }
        let size = self.canvas.map(|side| side as f32);
        let (drawn, shader_most) = (self.frame_stats.clone(), self.shader_time_max);
        app.insert_resource(CanvasTexture {
            image,
            size,
            pixels_per_unit: width as f32 / size[0],
            frame_stats: drawn,
            shader_time_max: shader_most,
        })
        .init_resource::<CanvasQueue>()
        .init_resource::<presence_textures::PresenceMaps>()
        .insert_resource(SharedTextShaper(Mutex::new(letters)));
        canvas_pass::plug(app);
        luminance::plug(app);
        if !self.screens.is_empty() {
            screens::plug(app, &self.screens, &self.title, self.pointer);
            fullscreen::plug(app);
        }
    }

    fn finish(&self, app: &mut App) {
        // The GPU tells that it is done only to who asks; a thread that asks keeps the times true.
        let Some(device) = app.world().get_resource::<RenderDevice>() else { return };
        let (device, drawn) = (device.clone(), self.frame_stats.clone());
        let asking = std::thread::Builder::new().name("gpu watch".into()).spawn(move || {
            loop {
                let busy = drawn.in_flight() > 0;
                if busy && device.poll(wgpu::PollType::Poll).is_err() {
                    tracing::debug!("the graphics device does not answer");
                }
                std::thread::sleep(Duration::from_millis(if busy { 1 } else { 4 }));
            }
        });
        if asking.is_err() {
            tracing::warn!("no thread could be started to watch the graphics device; `drawn` is told late");
        }
    }
}

/// Keeps the frame rate at most `frames` a second, for rasterisers that would eat every core.
pub(crate) fn limit_frame_rate(last: &mut Duration, frames: f64) {
    let next = *last + Duration::from_secs_f64(1.0 / frames);
    let now = monotonic();
    if next > now {
        std::thread::sleep(next - now);
    }
    *last = next.max(now);
}

pub(crate) use screens::{AllScreensClosed, ScreenCamera, ScreenWindow};
