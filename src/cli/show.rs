//! `moongate show --site DIR`: one site's show. Its contract with who starts it stands in `docs/show.md`.

mod control;
mod edition_choice;
pub(super) mod graphics;
mod shutdown;
mod status;
mod visibility;
mod visitors;

pub use control::memory;
pub use status::{CameraHealth, ShowMessage, ShowStatus, is_linked};

use super::display::{self, NoDisplay};
use super::print_error;
use super::record::length;
use crate::config::{SiteConfig, TrustStore};
use crate::device::audio::Audio;
use crate::device::bots::BotPreset;
use crate::device::camera_pipeline::{CameraPipelines, ScreenLuminanceFn};
use crate::device::clock::lower_priority;
use crate::device::net::{LinkHandle, LinkSetup, LinkThread, PeerAddrs, SiteProfile, transport_config};
use crate::device::scene_process::{SandboxCommand, SceneProcess};
use crate::device::site_key::SiteKey;
use crate::device::touch_hub::{TOUCH_QUEUE_MAX, TouchHub};
use crate::device::touch_sources::TouchSources;
use crate::link::LinkConfig;
use crate::operator::OperatorPlugin;
use crate::presence::CanvasRegion;
use crate::render::{AllScreensClosed, CanvasPlugin, CanvasQueue, Capture, FrameStats, limit_frame_rate};
use crate::scene::{CityInfo, SCRIPT_BUDGET_MS, SiteContext};
use crate::show::{Rehearsal, ShowParts, Trace, now_showing, other_city};
use bevy::app::PluginsState;
use bevy::prelude::*;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Widest texture of the canvas that a software rasteriser gets, in pixels.
const SOFTWARE_WIDTH: u32 = 640;
/// Frames a second there; more would only take the processor from the link.
const SOFTWARE_FRAMES: f64 = 30.0;
const FRAMES: f64 = 60.0;
/// Such frames are long: to wait a little more for the scene's picture shows it a whole frame sooner.
const SOFTWARE_SCENE_WAIT: Duration = Duration::from_millis(12);
/// A GPU that is not done after so long is not waited for.
const GPU_WAIT_MAX: Duration = Duration::from_millis(200);

/// What an artist's shader may take of the GPU for a picture: three frames. What takes longer is nothing to act on.
const SHADER_TIME_MAX: Duration = Duration::from_millis(50);
/// A rasteriser is no GPU, and whoever has none has to see something.
const SOFTWARE_SHADER_TIME_MAX: Duration = Duration::from_secs(2);

/// Keys that wait to be told.
const KEYS_MAX: usize = 16;

/// Exit status of a show that lost its graphics device or its windows.
const EXIT_LOST: u8 = 70;
/// How a show ends whose twin or whose canvas is another one now: it is to be started again.
pub(super) const EXIT_RESTART: u8 = 3;
/// Exit status of a show without a display for its windows, missing or lost: it is to be restarted once there is one.
pub(super) const EXIT_NO_DISPLAY: u8 = 4;

/// What can be said on the command line.
#[derive(Debug, Clone, clap::Args)]
pub struct ShowArgs {
    /// Folder of the site: site.toml and its key.
    #[arg(long, value_name = "DIR")]
    pub site: PathBuf,
    /// Invented visitors who touch: nobody, one, shy, forty, vandal, cleaner.
    #[arg(long, default_value = "nobody")]
    pub cast: BotPreset,
    /// Plays recorded visitors: a file that `moongate record` or `--record` wrote.
    #[arg(long, value_name = "FILE")]
    pub visitors: Option<PathBuf>,
    /// Begins the recording so far in, as a fraction of its length.
    #[arg(long, hide = true, value_name = "PART", default_value_t = 0.0, requires = "visitors")]
    pub visitors_at: f64,
    /// Records who comes by, as shapes and touches and never pictures.
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// How long the recording may be kept and played, at most 366d.
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = length, requires = "record")]
    pub keep: Duration,
    /// What the cast and the scene's random follow from.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Draws without windows, and without a display.
    #[arg(long)]
    pub offscreen: bool,
    /// Draws a frame while the next is prepared: more frames, a frame later.
    #[arg(long)]
    pub pipelined: bool,
    /// Reports each touch and body with its times.
    #[arg(long)]
    pub trace: bool,
    /// Shows the artist's mistakes on the screen; visitors never see them.
    #[arg(long)]
    pub rehearsal: bool,
    /// Runs scenes even where this system cannot jail them: only scenes by people you trust.
    #[arg(long)]
    pub unjailed: bool,
    /// Reads this file in place of the folder's site.toml.
    #[arg(long, hide = true, value_name = "FILE")]
    pub manifest: Option<PathBuf>,
    /// Excludes editions of the scene with these digests.
    #[arg(long, hide = true, value_name = "EDITION")]
    pub aside: Vec<String>,
}

/// What can go wrong before there is a show, with what to do about it.
type Failure = Box<dyn std::error::Error>;

/// Runs the show until standard input closes or its last window does.
pub fn run(arguments: &ShowArgs) -> ExitCode {
    match start(arguments) {
        Ok(code) => code,
        Err(why) => {
            print_error(format_args!("moongate show: {why}"));
            if why.is::<NoDisplay>() { ExitCode::from(EXIT_NO_DISPLAY) } else { ExitCode::FAILURE }
        }
    }
}

fn start(arguments: &ShowArgs) -> Result<ExitCode, Failure> {
    let site = match &arguments.manifest {
        Some(file) => SiteConfig::read_file(&arguments.site, file)?,
        None => SiteConfig::read(&arguments.site)?,
    };
    let key = SiteKey::read(&site.key)?;
    let visitors = visitors::open_recording(arguments)?;
    if !arguments.offscreen {
        display::check()?;
    }
    let command = SandboxCommand::own_scene().unjailed(arguments.unjailed);
    let choice = edition_choice::choose(&site, &arguments.aside, &command);
    let installation = choice.initial.clone();
    let canvas = installation.canvas_size();

    // The link starts before the screen, which may be slow to open, or hang.
    let (touched_in, touched) = sync_channel(TOUCH_QUEUE_MAX);
    let twin = TrustStore::read(&site.dir)?.latest().cloned();
    super::log::set_site_names(&site.name, twin.as_ref().map(|twin| twin.name.as_str()));
    let there = other_city(site.city, twin.as_ref());
    let side = u8::from(twin.as_ref().is_some_and(|twin| key.public() > twin.key));
    let config = LinkConfig {
        key: key.public(),
        twin: twin.as_ref().map(|twin| twin.key),
        boot: fastrand::u64(1..),
        city: site.city.slug.clone(),
        name: site.name.clone(),
        showing: now_showing(&installation),
        canvas,
    };
    let public = key.public();
    let reach = twin.as_ref().map_or_else(PeerAddrs::default, |twin| PeerAddrs::from_twin(twin, site.relay.as_deref()));
    let plan = LinkSetup {
        key,
        config,
        peer_addrs: reach,
        profile: Some(SiteProfile::from_site(&site)),
        transport: transport_config(),
    };
    let (link_thread, told) = LinkThread::open(site.listen, plan)?;
    let sender = link_thread.sender();
    sender.set_sharing_policy(site.openness);
    // No picture is in view yet.
    sender.set_in_view_until(Duration::ZERO);
    let over = Arc::new(AtomicBool::new(false));
    shutdown::spawn_watchdog(&over, sender.clone())?;
    let captures = CaptureQueue::default();
    let rehearsal = arguments.rehearsal.then(Arc::<Rehearsal>::default);
    control::spawn_command_reader(over.clone(), captures.clone(), sender.clone(), rehearsal.clone())?;
    let views = site.screens.iter().map(|screen| CanvasRegion::from_fractions(canvas, screen.part)).collect();
    let hub = TouchHub::new(Some(sender.clone()), touched_in, canvas, views);
    let fingers = TouchSources::start(&site, canvas, &hub);
    let drawn = FrameStats::default();
    let light = drawn.luminance();
    let shown: ScreenLuminanceFn = Arc::new(move || light.luminance());
    let sights = Arc::new(CameraPipelines::start(&site, canvas, &hub, &shown)?);
    let audio = Arc::new(Audio::start());
    let scene = SceneProcess::start(
        command,
        SiteContext {
            here: CityInfo::from_city(site.city),
            there: CityInfo::from_city(there),
            side,
            // Two cities are not to throw the same dice.
            seed: arguments.seed.wrapping_mul(2).wrapping_add(u64::from(side)),
            metres: site.ground.map(|ground| ground.width),
        },
    )?;
    let scene = Arc::new(scene);
    let again = Arc::new(AtomicBool::new(false));
    let standing = choice.status();
    let folder = choice.start(&scene, &audio, &again)?;

    lower_priority();
    let graphics = graphics::find_graphics(arguments.offscreen)?;
    let trace = Trace::default();
    let frames = Arc::new(AtomicU64::new(0));
    let [width, height] = installation.canvas;
    let pixels = if graphics.software && width > SOFTWARE_WIDTH {
        [SOFTWARE_WIDTH, (height * SOFTWARE_WIDTH / width).max(1)]
    } else {
        [width, height]
    };

    let mut app = graphics::create_app(&graphics, arguments.pipelined)?;
    app.add_plugins(CanvasPlugin {
        canvas: installation.canvas,
        pixels,
        screens: if graphics.offscreen { Vec::new() } else { site.screens.clone() },
        pointer: arguments.rehearsal,
        title: format!("{} · {}", installation.title, site.city.latin),
        frame_stats: drawn.clone(),
        shader_time_max: if graphics.software { SOFTWARE_SHADER_TIME_MAX } else { SHADER_TIME_MAX },
    });
    let (pressed, keys) = sync_channel(KEYS_MAX);
    if !graphics.offscreen && (arguments.rehearsal || site.panel) {
        app.add_plugins(OperatorPlugin { frame_stats: drawn.clone(), keys: arguments.rehearsal.then_some(pressed) });
    }
    ShowParts {
        city: site.city,
        twin: twin.clone(),
        key: public,
        installation: installation.clone(),
        link: (sender.clone(), told),
        scene: scene.clone(),
        audio: audio.clone(),
        cameras: sights.clone(),
        touches: hub.clone(),
        touch_events: touched,
        frame_stats: drawn.clone(),
        trace: trace.clone(),
        frames: frames.clone(),
        scene_wait: if graphics.software { SOFTWARE_SCENE_WAIT } else { Duration::from_millis(SCRIPT_BUDGET_MS) },
        rehearsal: rehearsal.clone(),
    }
    .plug(&mut app);
    // A window of a real GPU is paced by its display; a second pace beside that would only miss its beat.
    let limit = match (graphics.software, graphics.offscreen) {
        (true, _) => Some(SOFTWARE_FRAMES),
        (false, true) => Some(FRAMES),
        (false, false) => None,
    };
    visibility::plug(&mut app, graphics.offscreen, &drawn, &sender);
    app.insert_resource(ExitConditions {
        over: over.clone(),
        again,
        captures: captures.clone(),
        last: Duration::ZERO,
        limit,
        frame_stats: drawn.clone(),
        link: sender.clone(),
        twin: twin.map(|twin| twin.key),
    })
    .add_systems(First, check_exit);

    let source = control::StatusSource {
        city: site.city.slug.clone(),
        installation: installation.id.clone(),
        offscreen: graphics.offscreen,
        adapter: graphics.name.clone(),
        pixels,
        link: sender,
        edition_status: standing,
        scene: Arc::downgrade(&scene),
        cameras: Arc::downgrade(&sights),
        hub: hub.clone(),
        audio,
        frame_stats: drawn,
        trace: arguments.trace.then_some(trace),
        frames,
    };
    control::spawn_status_writer(source, keys, over.clone())?;
    let recording = visitors::spawn_recorder(arguments, &site, canvas, &hub, over.clone());
    visitors::spawn_visitors(arguments, visitors, canvas, &hub)?;

    let exit = run_app(&mut app, graphics.offscreen);
    over.store(true, Ordering::Relaxed);
    // Scene, cameras, recording and twin are told before this process ends.
    drop(folder);
    drop(app);
    drop(scene);
    drop(sights);
    drop(fingers);
    if let Some(recording) = recording {
        // A thread that panicked has said so; its file holds what it had written.
        let _ = recording.join();
    }
    drop(link_thread);
    Ok(match exit {
        AppExit::Success => ExitCode::SUCCESS,
        // winit's event loop ends with its display.
        AppExit::Error(_) if !graphics.offscreen && display::check().is_err() => {
            print_error("moongate show: the display is gone");
            ExitCode::from(EXIT_NO_DISPLAY)
        }
        // Status 1 is reserved for a show that could not start.
        AppExit::Error(code) if code.get() == 1 => ExitCode::from(EXIT_LOST),
        AppExit::Error(code) => ExitCode::from(code.get()),
    })
}

/// Windows have a loop of their own; without them this is the loop.
fn run_app(app: &mut App, offscreen: bool) -> AppExit {
    if !offscreen {
        return app.run();
    }
    while app.plugins_state() == PluginsState::Adding {
        bevy::tasks::tick_global_task_pools_on_main_thread();
    }
    app.finish();
    app.cleanup();
    loop {
        app.update();
        if let Some(exit) = app.should_exit() {
            return exit;
        }
    }
}

type CaptureQueue = Arc<Mutex<VecDeque<PathBuf>>>;

/// How the show ends, how often it turns, and which picture is to be kept.
#[derive(Resource)]
struct ExitConditions {
    over: Arc<AtomicBool>,
    again: Arc<AtomicBool>,
    captures: CaptureQueue,
    last: Duration,
    limit: Option<f64>,
    frame_stats: FrameStats,
    link: LinkHandle,
    twin: Option<[u8; 32]>,
}

fn check_exit(
    mut ends: ResMut<ExitConditions>,
    gone: Option<Res<AllScreensClosed>>,
    mut easel: ResMut<CanvasQueue>,
    mut exit: MessageWriter<AppExit>,
) {
    if ends.over.load(Ordering::Relaxed) || gone.is_some_and(|gone| gone.0) {
        exit.write(AppExit::Success);
        return;
    }
    // What the scene knows of the other city was said at its start.
    let other_twin = ends.link.status().at > Duration::ZERO && ends.link.status().twin != ends.twin;
    if other_twin || ends.again.load(Ordering::Relaxed) {
        exit.write(AppExit::from_code(EXIT_RESTART));
        return;
    }
    if easel.can_capture()
        && let Some(file) = ends.captures.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    {
        easel.request_capture(Capture { file });
    }
    // Before the devices are read, not between what they say and the picture of it.
    if let Some(limit) = ends.limit {
        limit_frame_rate(&mut ends.last, limit);
        ends.frame_stats.wait_idle(GPU_WAIT_MAX);
    }
}
