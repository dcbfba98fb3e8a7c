//! The stage: the canvas as a texture, painted from pictures, and the screens that show it.

mod batch;
mod brushes;
mod capture;
mod fill;
mod kept;
mod layers;
mod light;
mod maker;
mod outline;
mod painter;
mod passes;
mod pigments;
mod put;
mod screens;
mod shades;
mod studio;
mod text;
mod trial;
mod watched;

pub use light::Shown;
pub use studio::{Studio, adapter};
pub use watched::{Watched, watch};

use crate::device::clock::monotonic;
use crate::manifest::Screen;
use crate::scene::{Edition, Picture, Uniforms};
use bevy::asset::RenderAssetUsages;
use bevy::image::ImageSampler;
use bevy::prelude::*;
use bevy::render::render_resource::{Extent3d, TextureDimension, TextureFormat, TextureUsages};
use bevy::render::renderer::RenderDevice;
use kept::{KeptSoFar, Strokes};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Everything about the stage that is known before it is built.
pub struct StagePlugin {
    /// Size of the canvas, in its units.
    pub canvas: [u32; 2],
    /// Size of its texture, in pixels.
    pub pixels: [u32; 2],
    /// Windows to open; none off-screen.
    pub screens: Vec<Screen>,
    /// The windows' title.
    pub title: String,
    /// True if the mouse pointer is visible on them.
    pub pointer: bool,
    /// Where it is told when pictures are done.
    pub drawn: Drawn,
    /// What an artist's shader may take of the GPU for a picture; beyond that it is shed.
    pub shader_most: Duration,
}

/// The canvas: one texture that every screen shows a part of.
#[derive(Resource, Clone)]
pub struct Canvas {
    /// The texture.
    pub image: Handle<Image>,
    /// In its units.
    pub size: [f32; 2],
    /// Pixels of the texture that one unit is.
    pub pixel: f32,
    drawn: Drawn,
    shader_most: Duration,
}

/// A picture that is to be kept as a file.
#[derive(Debug, Clone)]
pub struct Capture {
    /// PNG.
    pub file: PathBuf,
}

/// A shader layer that is not drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerFault {
    /// The file.
    pub shader: String,
    /// The driver's message, or the time it takes: a sentence whose subject is the file.
    pub why: String,
}

/// When which picture was on the canvas, told from the render world and from the GPU.
#[derive(Debug, Clone, Default)]
pub struct Drawn(Arc<DrawnState>);

#[derive(Debug, Default)]
struct DrawnState {
    /// The last input that is on the canvas, when its picture was submitted and when the GPU was done with it.
    done: Mutex<Vec<(u64, Duration, Duration)>>,
    submitted: Mutex<Vec<(u64, Duration)>>,
    /// The GPU is done with a picture.
    freed: Condvar,
    faults: Mutex<Vec<LayerFault>>,
    /// Files of shaders that are drawn again, until they are taken.
    returned: Mutex<Vec<String>>,
    coming: Mutex<Option<Coming>>,
    /// What a picture takes of the GPU, as it was of late, in microseconds.
    takes_us: AtomicU64,
    painted: AtomicU64,
    /// Time at which a window last showed the canvas, in monotonic nanoseconds; 0 for never.
    shown_at: AtomicU64,
    shown: Shown,
}

/// An edition that is shown once its shaders can be drawn.
#[derive(Debug)]
struct Coming {
    edition: Arc<Edition>,
    /// Time of the request.
    since: Duration,
    ready: bool,
}

/// Maximum number of finished pictures, and of shaders drawn again, that are kept until they are taken.
const DONE_MAX: usize = 1_024;
const RETURNED_MAX: usize = 16;
/// Time after which an edition is shown even if the stage has not reported it ready.
const COMING_MAX: Duration = Duration::from_secs(5);

impl Drawn {
    fn submitted(&self, reflects: u64, at: Duration) {
        self.0.submitted.lock().unwrap_or_else(PoisonError::into_inner).push((reflects, at));
    }

    fn done(&self, reflects: u64, at: Duration) {
        self.0.painted.fetch_add(1, Ordering::Relaxed);
        let mut submitted = self.0.submitted.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(index) = submitted.iter().position(|(known, _)| *known == reflects) else { return };
        let (_, since) = submitted.remove(index);
        let took = at.saturating_sub(since).as_micros() as u64;
        let before = self.0.takes_us.load(Ordering::Relaxed);
        self.0.takes_us.store((before * 7 + took) / 8, Ordering::Relaxed);
        self.0.freed.notify_all();
        let mut done = self.0.done.lock().unwrap_or_else(PoisonError::into_inner);
        if done.len() < DONE_MAX {
            done.push((reflects, since, at));
        }
    }

    /// What a picture takes of the GPU, as it was of late.
    fn takes(&self) -> Duration {
        Duration::from_micros(self.0.takes_us.load(Ordering::Relaxed))
    }

    /// There are other shaders: what was wrong with those before is no more.
    fn forget_faults(&self) {
        self.0.faults.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Records a layer's fault once: a layer has a pipeline for each way to blend and to clip it, but one fault.
    fn fault(&self, shader: &str, why: String) {
        let mut faults = self.0.faults.lock().unwrap_or_else(PoisonError::into_inner);
        if faults.iter().all(|known| known.shader != shader) {
            tracing::warn!("{shader}: {why}");
            faults.push(LayerFault { shader: shader.to_owned(), why });
        }
    }

    /// Records that a layer is drawn; if it was not before, reports that.
    fn returns(&self, shader: &str) {
        let mut faults = self.0.faults.lock().unwrap_or_else(PoisonError::into_inner);
        let before = faults.len();
        faults.retain(|fault| fault.shader != shader);
        if faults.len() < before {
            tracing::info!("{shader}: is drawn again");
            let mut returned = self.0.returned.lock().unwrap_or_else(PoisonError::into_inner);
            if returned.len() < RETURNED_MAX {
                returned.push(shader.to_owned());
            }
        }
    }

    /// Takes the files of shaders, slow or refused before, that are drawn again since the last call.
    pub fn returned(&self) -> Vec<String> {
        std::mem::take(&mut self.0.returned.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Prepares an edition; returns true once its shaders can be drawn. Call it until then; `now` is monotonic.
    pub fn prepare(&self, edition: &Arc<Edition>, now: Duration) -> bool {
        let mut coming = self.0.coming.lock().unwrap_or_else(PoisonError::into_inner);
        match &*coming {
            Some(known) if Arc::ptr_eq(&known.edition, edition) => {
                known.ready || now.saturating_sub(known.since) > COMING_MAX
            }
            _ => {
                *coming = Some(Coming { edition: edition.clone(), since: now, ready: false });
                false
            }
        }
    }

    /// Checks whether the shaders of the next edition can be drawn.
    fn look(&self, is_ready: impl FnOnce(&Edition) -> bool) {
        let mut coming = self.0.coming.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(coming) = coming.as_mut().filter(|coming| !coming.ready) {
            coming.ready = is_ready(&coming.edition);
        }
    }

    /// Pictures that were finished since the last call: the last input they reflect, submitted at, done at.
    pub fn take(&self) -> Vec<(u64, Duration, Duration)> {
        std::mem::take(&mut self.0.done.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Pictures that the GPU has finished since the start.
    pub fn painted(&self) -> u64 {
        self.0.painted.load(Ordering::Relaxed)
    }

    /// Returns the monotonic time at which a window last showed a picture.
    pub fn shown_at(&self) -> Option<Duration> {
        let at = self.0.shown_at.load(Ordering::Relaxed);
        (at > 0).then(|| Duration::from_nanos(at))
    }

    /// Records that a window shows the canvas; ignored before the first picture.
    fn show_at(&self, at: Duration) {
        if self.painted() > 0 {
            self.0.shown_at.store(at.as_nanos() as u64, Ordering::Relaxed);
        }
    }

    /// Layers that are not drawn.
    pub fn faults(&self) -> Vec<LayerFault> {
        self.0.faults.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How bright the canvas is.
    pub fn shown(&self) -> Shown {
        self.0.shown.clone()
    }

    /// Pictures that the GPU works on.
    /// Waits until the GPU is done with all that it was given, `at_most` so long: what a frame reads before that would be
    /// old when its picture can be painted.
    pub fn free(&self, at_most: Duration) {
        let submitted = self.0.submitted.lock().unwrap_or_else(PoisonError::into_inner);
        let busy = |submitted: &mut Vec<_>| !submitted.is_empty();
        drop(self.0.freed.wait_timeout_while(submitted, at_most, busy).unwrap_or_else(PoisonError::into_inner));
    }

    fn waiting(&self) -> usize {
        self.0.submitted.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// A picture on its way to the render world.
struct Job {
    batch: batch::Batch,
    /// What is new on kept layers.
    strokes: Vec<Strokes>,
    edition: Option<Arc<Edition>>,
    atlas: Option<Vec<u8>>,
    uniforms: Arc<Uniforms>,
    reflects: u64,
    capture: Option<Capture>,
}

impl Job {
    /// This one instead of one that was not painted: what was to be learned from that is not lost.
    fn instead_of(&mut self, before: Self) {
        self.atlas = self.atlas.take().or(before.atlas);
        self.capture = self.capture.take().or(before.capture);
        let anew = |slot: usize| self.strokes.iter().any(|strokes| strokes.slot == slot && strokes.first);
        let left: Vec<_> = before.strokes.into_iter().filter(|strokes| !anew(strokes.slot)).collect();
        self.strokes.splice(..0, left);
    }
}

/// A picture, whose shaders and images it names, and what shaders are told.
type Hung = (Arc<Picture>, Option<Arc<Edition>>, Arc<Uniforms>);

/// Where a picture is put to be painted.
#[derive(Resource, Default)]
pub struct Easel {
    job: Option<Job>,
    capture: Option<Capture>,
    last: Option<Hung>,
    kept: KeptSoFar,
}

impl Easel {
    /// The next painting is kept as a file.
    pub fn capture(&mut self, capture: Capture) {
        self.capture = Some(capture);
    }

    /// True when a painting can be asked for without another being forgotten.
    pub fn can_capture(&self) -> bool {
        self.capture.is_none() && self.job.as_ref().is_none_or(|job| job.capture.is_none())
    }
}

/// The letters of all texts; behind a lock only because a resource must be `Sync`.
#[derive(Resource)]
struct LetterCase(Mutex<text::Letters>);

/// Puts a picture on the canvas. `edition`: whose shaders and images it names; `uniforms`: what shaders are told.
pub fn show(world: &mut World, picture: Arc<Picture>, edition: Option<Arc<Edition>>, uniforms: Arc<Uniforms>) {
    world.resource_mut::<Easel>().last = Some((picture, edition, uniforms));
    repaint(world);
}

/// Leaves the picture that is there; a capture that waits gets it.
pub fn keep(world: &mut World) {
    if world.resource::<Easel>().capture.is_some() {
        repaint(world);
    }
}

fn repaint(world: &mut World) {
    let Some((picture, edition, uniforms)) = world.resource::<Easel>().last.clone() else { return };
    let canvas = world.resource::<Canvas>();
    let (size, pixel) = (canvas.size, canvas.pixel);
    let mut so_far = std::mem::take(&mut world.resource_mut::<Easel>().kept);
    let (batch, strokes, atlas) = {
        let case = world.resource::<LetterCase>();
        let mut letters = case.0.lock().unwrap_or_else(PoisonError::into_inner);
        if letters.begin() {
            so_far.begin();
        }
        let strokes = so_far.strokes(&picture.kept, size, pixel, &mut letters);
        let batch = batch::Batch::build(&picture, size, pixel, &mut letters);
        let atlas = std::mem::take(&mut letters.changed).then(|| letters.pixels.clone());
        (batch, strokes, atlas)
    };
    let mut easel = world.resource_mut::<Easel>();
    easel.kept = so_far;
    let capture = easel.capture.take();
    let mut job = Job { batch, strokes, edition, atlas, uniforms, reflects: picture.reflects, capture };
    if let Some(before) = easel.job.take() {
        job.instead_of(before);
    }
    easel.job = Some(job);
}

impl Plugin for StagePlugin {
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
        let mut letters = text::Letters::new();
        if !letters.any_fonts() {
            tracing::warn!("this system has no fonts, so there is no text; install fonts-noto-core and fonts-noto-cjk");
        }
        let size = self.canvas.map(|side| side as f32);
        let (drawn, shader_most) = (self.drawn.clone(), self.shader_most);
        app.insert_resource(Canvas { image, size, pixel: width as f32 / size[0], drawn, shader_most })
            .init_resource::<Easel>()
            .init_resource::<watched::Watching>()
            .insert_resource(LetterCase(Mutex::new(letters)));
        painter::plug(app);
        light::plug(app);
        if !self.screens.is_empty() {
            screens::plug(app, &self.screens, &self.title, self.pointer);
            fill::plug(app);
        }
    }

    fn finish(&self, app: &mut App) {
        // The GPU tells that it is done only to who asks; a thread that asks keeps the times true.
        let Some(device) = app.world().get_resource::<RenderDevice>() else { return };
        let (device, drawn) = (device.clone(), self.drawn.clone());
        let asking = std::thread::Builder::new().name("gpu watch".into()).spawn(move || {
            loop {
                let busy = drawn.waiting() > 0;
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
pub(crate) fn pace(last: &mut Duration, frames: f64) {
    let next = *last + Duration::from_secs_f64(1.0 / frames);
    let now = monotonic();
    if next > now {
        std::thread::sleep(next - now);
    }
    *last = next.max(now);
}

pub(crate) use screens::{PaneCamera, ScreenOf, ScreensGone};
