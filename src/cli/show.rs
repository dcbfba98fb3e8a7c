//! `moongate show --site DIR`: runs the show of one site. `docs/show.md` specifies its interface to the process that
//! starts it.

use super::Failure;
use crate::config::{SiteConfig, TrustStore};
use crate::device::audio::Audio;
use crate::device::bots::BotPreset;
use crate::device::camera_pipeline::CameraPipelines;
use crate::device::clock::lower_priority;
use crate::device::display::{self, NoDisplay};
use crate::device::net::{LinkSetup, LinkThread, PeerAddrs, SiteProfile, transport_config};
use crate::device::scene_process::{SandboxCommand, SceneProcess};
use crate::device::site_key::SiteKey;
use crate::device::touch_sources::TouchSources;
use crate::link::LinkConfig;
use crate::marks::MemoryStore;
use crate::operator::OperatorPlugin;
use crate::presence::CanvasRegion;
use crate::render::{CanvasPlugin, FrameStats};
use crate::scene::{CityInfo, SCRIPT_BUDGET_MS, SiteContext};
use crate::show::exit::{CaptureQueue, EXIT_LOST, EXIT_NO_DISPLAY, ExitConditions, run_app};
use crate::show::{
    LiveParameters, OperatorContext, Rehearsal, ShowParts, ShowTime, Trace, control, edition_choice, graphics,
    now_showing, other_city, pointer, shutdown, visibility, visitors,
};
use crate::terminal::print_error;
use bevy::app::AppExit;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

/// Widest canvas texture for a software rasteriser, in pixels.
const SOFTWARE_WIDTH: u32 = 640;
/// Frames per second of a software rasteriser; more would only take CPU time from the link.
const SOFTWARE_FRAMES: f64 = 30.0;
const FRAMES: f64 = 60.0;
/// Wait for the scene's frame on a software rasteriser.
/// Its frames take long, so a slightly longer wait shows the scene's frame one whole frame sooner.
const SOFTWARE_SCENE_WAIT: Duration = Duration::from_millis(12);
/// Most GPU time of an artist's shader per frame: three frames.
/// A slower shader could not respond to visitors.
const SHADER_TIME_MAX: Duration = Duration::from_millis(50);
/// Limit for a software rasteriser, which is slower than a GPU. Without a GPU, something must still be shown.
const SOFTWARE_SHADER_TIME_MAX: Duration = Duration::from_secs(2);

/// Most keys that wait to be reported.
const KEYS_MAX: usize = 16;

/// Command-line arguments.
#[derive(Debug, Clone, clap::Args)]
pub struct ShowArgs {
    /// Folder of the site: site.toml and its key.
    #[arg(long, value_name = "DIR")]
    pub site: PathBuf,
    /// Simulated visitors who touch: nobody, one, shy, forty, vandal, cleaner.
    #[arg(long, default_value = "nobody")]
    pub cast: BotPreset,
    /// Play recorded visitors from a file written by `moongate record` or `--record`.
    #[arg(long, value_name = "FILE")]
    pub visitors: Option<PathBuf>,
    /// Start the recording at this fraction of its length.
    #[arg(long, hide = true, value_name = "PART", default_value_t = 0.0, requires = "visitors")]
    pub visitors_at: f64,
    /// Record visitors as shapes and touches, never as images.
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// Time for which the recording may be kept and played, at most 366d.
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = super::duration::parse_explicit, requires = "record")]
    pub keep: Duration,
    /// Random seed of the cast and the scene.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Run without windows; no display is needed.
    #[arg(long)]
    pub offscreen: bool,
    /// Render each frame while the next is prepared: more frames per second, one frame more latency.
    #[arg(long)]
    pub pipelined: bool,
    /// Report each touch and body with its times.
    #[arg(long)]
    pub trace: bool,
    /// Show the artist's errors on the screen; without it, visitors never see them.
    #[arg(long)]
    pub rehearsal: bool,
    /// Run scenes even where this system cannot sandbox them: only scenes by people you trust.
    #[arg(long)]
    pub unjailed: bool,
    /// Read this file in place of the folder's site.toml.
    #[arg(long, hide = true, value_name = "FILE")]
    pub manifest: Option<PathBuf>,
    /// Exclude editions of the scene with these digests.
    #[arg(long, hide = true, value_name = "EDITION")]
    pub aside: Vec<String>,
}

/// Runs the show until standard input or its last window is closed.
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
    let visitors = visitors::open_recording(arguments.visitors.as_deref(), arguments.visitors_at)?;
    if !arguments.offscreen {
        display::check()?;
    }
    let command = SandboxCommand::own_scene().unjailed(arguments.unjailed);
    let choice = edition_choice::choose(&site, &arguments.aside, &command);
    let installation = choice.initial.clone();
    let canvas = installation.canvas_size();

    // The link starts before the screen, which may be slow to open, or hang.
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
        screens: site.screens.iter().map(|screen| CanvasRegion::from_fractions(canvas, screen.part)).collect(),
        policy: site.openness,
        // No frame is in view yet.
        in_view_until: Some(Duration::ZERO),
        store: Box::new(MemoryStore::new(fastrand::u64(..))),
        peer_addrs: reach,
        profile: Some(SiteProfile::from_site(&site)),
        transport: transport_config(),
    };
    let link_thread = LinkThread::start(site.listen, plan)?;
    let handle = link_thread.site();
    let over = Arc::new(AtomicBool::new(false));
    shutdown::spawn_watchdog(&over, handle.clone())?;
    let captures = CaptureQueue::default();
    let rehearsal = arguments.rehearsal.then(Arc::<Rehearsal>::default);
    control::spawn_command_reader(over.clone(), captures.clone(), handle.clone(), rehearsal.clone())?;
    let fingers = TouchSources::start(&site, canvas, &handle);
    let drawn = FrameStats::default();
    let sights = Arc::new(CameraPipelines::start(&site, canvas, &handle)?);
    let audio = Arc::new(Audio::start());
    let scene = SceneProcess::start(
        command,
        SiteContext {
            here: CityInfo::from_city(site.city),
            there: CityInfo::from_city(there),
            side,
            // The two cities must not draw the same random numbers.
            seed: arguments.seed.wrapping_mul(2).wrapping_add(u64::from(side)),
            metres: site.ground.map(|ground| ground.width),
            mark_seed: None,
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
    let parameters = LiveParameters::default();
    let (pressed, keys) = sync_channel(KEYS_MAX);
    if !graphics.offscreen && (arguments.rehearsal || site.panel) {
        let (site, scene, audio) = (handle.clone(), scene.clone(), audio.clone());
        let (cameras, parameters) = (sights.clone(), parameters.clone());
        app.insert_resource(OperatorContext { site, scene, audio, cameras, parameters });
        app.add_plugins(OperatorPlugin { frame_stats: drawn.clone(), keys: arguments.rehearsal.then_some(pressed) });
    }
    ShowParts {
        city: site.city,
        twin: twin.clone(),
        key: public,
        installation: installation.clone(),
        site: Box::new(handle.clone()),
        clock: ShowTime::current,
        scene: scene.clone(),
        audio: audio.clone(),
        cameras: Some(sights.clone()),
        frame_stats: drawn.clone(),
        trace: trace.clone(),
        frames: frames.clone(),
        scene_wait: if graphics.software { SOFTWARE_SCENE_WAIT } else { Duration::from_millis(SCRIPT_BUDGET_MS) },
        rehearsal: rehearsal.clone(),
        parameters: parameters.clone(),
    }
    .plug(&mut app);
    pointer::plug(&mut app, handle.clone());
    // The display paces the windows of a real GPU; a second limit would only conflict with that.
    let limit = match (graphics.software, graphics.offscreen) {
        (true, _) => Some(SOFTWARE_FRAMES),
        (false, true) => Some(FRAMES),
        (false, false) => None,
    };
    visibility::plug(&mut app, graphics.offscreen, &drawn, &handle);
    ExitConditions {
        over: over.clone(),
        again,
        captures: captures.clone(),
        last: Duration::ZERO,
        limit,
        frame_stats: drawn.clone(),
        site: handle.clone(),
        twin: twin.map(|twin| twin.key),
    }
    .plug(&mut app);

    let source = control::StatusSource {
        city: site.city.slug.clone(),
        installation: installation.id.clone(),
        offscreen: graphics.offscreen,
        adapter: graphics.name.clone(),
        pixels,
        edition_status: standing,
        scene: Arc::downgrade(&scene),
        cameras: Arc::downgrade(&sights),
        site: handle.clone(),
        audio,
        frame_stats: drawn,
        trace: arguments.trace.then_some(trace),
        frames,
    };
    control::spawn_status_writer(source, keys, over.clone())?;
    let recording = arguments
        .record
        .as_deref()
        .and_then(|file| visitors::spawn_recorder(file, arguments.keep, &site, canvas, &handle, over.clone()));
    visitors::spawn_visitors(arguments.cast, arguments.seed, visitors, canvas, &handle)?;

    let exit = run_app(&mut app, graphics.offscreen);
    over.store(true, Ordering::Relaxed);
    // Dropping these notifies scene, cameras, recording and twin before this process ends.
    drop(folder);
    drop(app);
    drop(scene);
    drop(sights);
    drop(fingers);
    if let Some(recording) = recording {
        // A thread that panicked has reported it already; its file holds everything written until then.
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
