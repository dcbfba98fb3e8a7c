//! Window that shows the frame, mask, outlines, ids and motion live.

use super::annotations::{Annotation, annotate};
use super::overlay::OverlayPainter;
use super::stats::SenseStats;
use super::{AnalyzedFrame, CameraSetup, Failure, FrameSource, SenseArgs, SenseEvent};
use crate::device::clock::monotonic;
use crate::device::display;
use crate::device::signals::on_termination_signal;
use crate::geometry::CameraPoint;
use crate::render::limit_frame_rate;
use crate::show::graphics::{self, Graphics};
use crate::vision::VisionOutput;
use bevy::asset::RenderAssetUsages;
use bevy::camera::RenderTarget;
use bevy::core_pipeline::tonemapping::Tonemapping;
use bevy::prelude::*;
use bevy::render::render_resource::{Extent3d, TextureDimension, TextureFormat};
use bevy::render::view::Msaa;
use bevy::window::{PresentMode, WindowCloseRequested, WindowRef, WindowResolution};
use bevy_egui::{
    EguiContexts, EguiGlobalSettings, EguiPlugin, EguiPrimaryContextPass, EguiTextureHandle, EguiUserTextures,
    PrimaryEguiContext, egui,
};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Frames per second of the window.
const FRAMES: f64 = 60.0;
const SOFTWARE_FRAMES: f64 = 30.0;
/// Longest side of a frame that is uploaded at full resolution, in pixels.
const SIDE_MAX: usize = 2_048;
/// Time for the analysis thread to end; it may be waiting for a frame.
const END_TIMEOUT: Duration = Duration::from_secs(3);
const DARK: egui::Color32 = egui::Color32::from_rgb(11, 16, 32);

/// Returns the graphics adapter, or none if there is no display.
pub(super) fn graphics() -> Result<Option<Graphics>, String> {
    if display::check().is_err() {
        return Ok(None);
    }
    graphics::find_graphics(false).map(Some)
}

/// Frame with its vision results. Three of them circulate.
#[derive(Default)]
struct WindowFrame {
    number: u64,
    at: Duration,
    y: Vec<u8>,
    size: [usize; 2],
    vision: VisionOutput,
    ms: f32,
    /// Reason why there is no frame.
    blind: Option<String>,
}

/// State shared by the analysis thread and the window.
#[derive(Default)]
struct WindowShared {
    /// Newest frame, and true if the window has not taken it yet.
    newest: Mutex<(WindowFrame, bool)>,
    over: AtomicBool,
    paused: AtomicBool,
    /// True once the analysis thread has ended, with or without an error.
    ended: AtomicBool,
}

impl WindowFrame {
    fn analyzed(&self) -> AnalyzedFrame<'_> {
        AnalyzedFrame {
            number: self.number,
            at: self.at,
            y: &self.y,
            size: self.size,
            vision: &self.vision,
            ms: self.ms,
        }
    }
}

impl WindowShared {
    // The frame is complete after each statement, so a poisoned lock is usable.
    fn newest(&self) -> MutexGuard<'_, (WindowFrame, bool)> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is(&self, what: &AtomicBool) -> bool {
        what.load(Ordering::Relaxed)
    }
}

/// Shows the window until the user closes it or the requested time is over.
pub(super) fn run(
    graphics: &Graphics,
    arguments: &SenseArgs,
    source: FrameSource,
    setup: CameraSetup,
) -> Result<(), Failure> {
    let board = Arc::new(WindowShared::default());
    let title = format!("moongate sense · {}", source.name());
    let is_clip = matches!(source, FrameSource::Clip(_));
    let (told, tally) = sync_channel(1);
    let (time, eye) = (arguments.time, board.clone());
    std::thread::Builder::new().name("sense".into()).spawn(move || {
        let tally = run_source(source, time, is_clip, &eye);
        eye.ended.store(true, Ordering::Relaxed);
        // If the thread ends too late, nobody waits for its result any more.
        let _ = told.send(tally);
    })?;

    let limit = if graphics.software { SOFTWARE_FRAMES } else { FRAMES };
    let asked = board.clone();
    on_termination_signal(move || asked.over.store(true, Ordering::Relaxed))?;
    let mut app = graphics::create_app(graphics, false)?;
    app.add_plugins(EguiPlugin::default())
        .insert_resource(EguiGlobalSettings { auto_create_primary_context: false, ..default() })
        .insert_resource(ClearColor(Color::srgb_u8(DARK.r(), DARK.g(), DARK.b())))
        .insert_resource(SenseWindow {
            board: board.clone(),
            setup,
            title,
            frame: WindowFrame::default(),
            painter: OverlayPainter::default(),
            texture: None,
            tint: true,
            needs_repaint: false,
            is_clip,
            keeps_last_frame: is_clip && time.is_none(),
            last: Duration::ZERO,
            limit,
        })
        .add_systems(Startup, open_window)
        .add_systems(Update, (handle_exit, upload_frame))
        .add_systems(EguiPrimaryContextPass, draw_window);
    let exit = app.run();
    board.over.store(true, Ordering::Relaxed);
    match tally.recv_timeout(END_TIMEOUT) {
        Ok(tally) => tally?.print(false, None)?,
        Err(_) => return Ok(()),
    }
    if exit.is_success() { Ok(()) } else { Err("the graphics device was lost; start it again".into()) }
}

/// Analyses frames and passes the results to the window; a video file runs at its own rate.
fn run_source(
    source: FrameSource,
    time: Option<Duration>,
    is_clip: bool,
    board: &WindowShared,
) -> Result<SenseStats, Failure> {
    let mut spare = WindowFrame::default();
    let (mut due, mut before) = (monotonic(), Duration::ZERO);
    source.run(time, &mut |told| {
        match told {
            SenseEvent::Frame(look) => {
                spare.y.clear();
                spare.y.extend_from_slice(look.y);
                spare.vision.clone_from(look.vision);
                (spare.number, spare.at, spare.size, spare.ms) = (look.number, look.at, look.size, look.ms);
                spare.blind = None;
                if is_clip {
                    due = wait_due(board, due + look.at.saturating_sub(before));
                    before = look.at;
                }
            }
            SenseEvent::NoFrames(why) => {
                spare.y.fill(0);
                spare.vision.people.clear();
                spare.blind = Some(why);
            }
        }
        let mut newest = board.newest();
        std::mem::swap(&mut newest.0, &mut spare);
        newest.1 = true;
        Ok(!board.is(&board.over))
    })
}

/// Waits until `due`, and while the window is paused. Returns the actual due time.
fn wait_due(board: &WindowShared, due: Duration) -> Duration {
    let step = Duration::from_millis(10);
    let mut due = due;
    while !board.is(&board.over) {
        let now = monotonic();
        if board.is(&board.paused) {
            due = now;
        } else if now >= due {
            // A source that is late does not catch up on missed frames.
            return if now - due > Duration::from_millis(100) { now } else { due };
        }
        std::thread::sleep(due.saturating_sub(now).clamp(Duration::from_millis(1), step));
    }
    due
}

#[derive(Resource)]
struct SenseWindow {
    board: Arc<WindowShared>,
    setup: CameraSetup,
    title: String,
    frame: WindowFrame,
    painter: OverlayPainter,
    texture: Option<(Handle<Image>, egui::TextureId)>,
    tint: bool,
    /// True if the frame must be painted again.
    needs_repaint: bool,
    is_clip: bool,
    /// True if the last frame stays after the analysis has ended.
    keeps_last_frame: bool,
    last: Duration,
    limit: f64,
}

fn open_window(mut commands: Commands, view: Res<SenseWindow>) {
    let window = Window {
        title: view.title.clone(),
        resolution: WindowResolution::new(1280, 800),
        present_mode: PresentMode::AutoVsync,
        ..default()
    };
    let window = commands.spawn(window).id();
    commands.spawn((
        Camera2d,
        RenderTarget::Window(WindowRef::Entity(window)),
        Msaa::Off,
        Tonemapping::None,
        PrimaryEguiContext,
    ));
}

fn handle_exit(
    mut view: ResMut<SenseWindow>,
    keys: Res<ButtonInput<KeyCode>>,
    mut closed: MessageReader<WindowCloseRequested>,
    mut exit: MessageWriter<AppExit>,
) {
    let ended = view.board.is(&view.board.ended) && !view.keeps_last_frame;
    // The error of a file that could not be read to its end is printed in the terminal.
    if ended || view.board.is(&view.board.over) || closed.read().next().is_some() || keys.just_pressed(KeyCode::Escape)
    {
        exit.write(AppExit::Success);
    }
    if keys.just_pressed(KeyCode::KeyM) {
        view.tint = !view.tint;
        // The frame is painted again even while it is paused.
        view.needs_repaint = true;
    }
    if keys.just_pressed(KeyCode::Space) && view.is_clip {
        view.board.paused.fetch_xor(true, Ordering::Relaxed);
    }
    let limit = view.limit;
    limit_frame_rate(&mut view.last, limit);
}

/// Uploads the newest frame to the GPU. A texture managed by egui would be replaced by another one on every change,
/// which is shown one frame later.
fn upload_frame(
    mut view: ResMut<SenseWindow>,
    mut images: ResMut<Assets<Image>>,
    mut textures: ResMut<EguiUserTextures>,
) {
    let view = &mut *view;
    let mut newest = view.board.newest();
    if std::mem::take(&mut newest.1) {
        std::mem::swap(&mut newest.0, &mut view.frame);
        view.needs_repaint = true;
    }
    drop(newest);
    if !std::mem::take(&mut view.needs_repaint) || view.frame.number == 0 || view.frame.blind.is_some() {
        return;
    }
    view.painter.begin(&view.frame.analyzed(), view.tint);
    let image = frame_image(&view.painter);
    match view.texture.as_ref().map(|(handle, _)| handle) {
        // Inserting fails only for an asset that was removed.
        Some(handle) => _ = images.insert(handle.id(), image),
        None => {
            let handle = images.add(image);
            let texture = textures.add_image(EguiTextureHandle::Strong(handle.clone()));
            view.texture = Some((handle, texture));
        }
    }
}

fn draw_window(mut contexts: EguiContexts, view: Res<SenseWindow>) -> Result {
    let context = contexts.ctx_mut()?;
    let look = view.frame.analyzed();
    let AnalyzedFrame { at, size, ms, .. } = look;
    let painter = context.layer_painter(egui::LayerId::background());
    let room = context.content_rect();
    let font = egui::FontId::proportional(15.0);
    let line = |text: String| {
        painter.text(room.min + egui::vec2(10.0, 8.0), egui::Align2::LEFT_TOP, text, font.clone(), egui::Color32::WHITE)
    };
    if let Some(why) = &view.frame.blind {
        line(why.clone());
        return Ok(());
    }
    let Some((_, texture)) = &view.texture else {
        line("waiting for the first picture".into());
        return Ok(());
    };
    let [width, height] = size.map(|side| side as f32);
    let under = egui::Rect::from_min_max(room.min + egui::vec2(0.0, 32.0), room.max);
    let scale = (under.width() / width).min(under.height() / height).max(0.01);
    let picture = egui::Rect::from_center_size(under.center(), egui::vec2(width, height) * scale);
    let all = egui::Rect::from_min_max(egui::Pos2::ZERO, egui::pos2(1.0, 1.0));
    painter.image(*texture, picture, all, egui::Color32::WHITE);
    let place = |at: CameraPoint| picture.min + egui::vec2(at.x, at.y) * scale;
    for mark in annotate(&look, &view.setup) {
        draw_annotation(&painter, mark, &place);
    }
    let pause = if view.is_clip { "   Space pause" } else { "" };
    let paused = if view.board.is(&view.board.paused) { " · paused" } else { "" };
    let over = if view.board.is(&view.board.ended) { " · the clip is over" } else { "" };
    line(format!(
        "{:02}:{:02} · {width}×{height} · {} bodies · {:.0} % moves · {ms:.2} ms{paused}{over}     M mask{pause}   Esc end",
        at.as_secs() / 60,
        at.as_secs() % 60,
        look.vision.people.len(),
        look.vision.motion.energy * 100.0,
    ));
    Ok(())
}

fn draw_annotation(painter: &egui::Painter, mark: Annotation, place: &dyn Fn(CameraPoint) -> egui::Pos2) {
    let of = |[r, g, b]: [u8; 3]| egui::Color32::from_rgb(r, g, b);
    match mark {
        Annotation::Line { points, closed, wide, colour } => {
            let points: Vec<_> = points.into_iter().map(place).collect();
            let stroke = egui::Stroke::new(if wide { 2.5 } else { 1.5 }, of(colour));
            painter.add(if closed {
                egui::Shape::closed_line(points, stroke)
            } else {
                egui::Shape::line(points, stroke)
            });
        }
        Annotation::Dot { at, radius, colour } => _ = painter.circle_filled(place(at), radius * 1.5, of(colour)),
        Annotation::Text { at, text, colour } => {
            let font = egui::FontId::proportional(15.0);
            let under = egui::vec2(1.0, 1.0);
            painter.text(place(at) + under, egui::Align2::CENTER_BOTTOM, &text, font.clone(), egui::Color32::BLACK);
            painter.text(place(at), egui::Align2::CENTER_BOTTOM, text, font, of(colour));
        }
    }
}

/// Converts the painted frame to a GPU image. Too large a frame is reduced to every second pixel or fewer.
fn frame_image(painter: &OverlayPainter) -> Image {
    let step = painter.size.iter().max().map_or(1, |side| side.div_ceil(SIDE_MAX)).max(1);
    let rows = painter.rgb.chunks_exact((3 * painter.size[0]).max(1)).step_by(step);
    let pixels = rows.flat_map(|row| row.chunks_exact(3).step_by(step));
    let rgba = pixels.flat_map(|pixel| [pixel[0], pixel[1], pixel[2], 255]).collect();
    let [width, height] = painter.size.map(|side| side.div_ceil(step) as u32);
    let size = Extent3d { width, height, depth_or_array_layers: 1 };
    let of = (TextureDimension::D2, TextureFormat::Rgba8UnormSrgb);
    Image::new(size, of.0, rgba, of.1, RenderAssetUsages::RENDER_WORLD)
}
