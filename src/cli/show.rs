//! `moongate show --site DIR`: one site's show. Its contract with who starts it stands in `docs/show.md`.

mod choice;
mod ending;
pub(super) mod graphics;
mod guests;
mod line;
mod seen;
mod state;

pub use line::{CameraLine, Line, Said, is_linked};
pub use state::memory;

use super::complain;
use super::display::{self, NoDisplay};
use super::record::length;
use crate::device::audio::Audio;
use crate::device::cast::Cast;
use crate::device::clock::yield_to_others;
use crate::device::fingers::Fingers;
use crate::device::key::SiteKey;
use crate::device::quic::{Home, LinkSender, LinkThread, Plan, Reach, transport};
use crate::device::scene_process::{SceneCommand, SceneProcess};
use crate::device::sight::{Shown, Sights};
use crate::device::touch::{TouchHub, WAITING_MAX};
use crate::link::Config;
use crate::manifest::{Site, Twins};
use crate::operator::OperatorPlugin;
use crate::presence::View;
use crate::scene::{BUDGET_MS, CityCard, Setting};
use crate::stage::{Capture, Drawn, Easel, ScreensGone, StagePlugin, pace};
use crate::twin::{Rehearsal, Trace, TwinParts, showing, there_of};
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
const SOFTWARE_PATIENCE: Duration = Duration::from_millis(12);
/// A GPU that is not done after so long is not waited for.
const GPU_PATIENCE: Duration = Duration::from_millis(200);

/// What an artist's shader may take of the GPU for a picture: three frames. What takes longer is nothing to act on.
const SHADER_MOST: Duration = Duration::from_millis(50);
/// A rasteriser is no GPU, and whoever has none has to see something.
const SOFTWARE_SHADER_MOST: Duration = Duration::from_secs(2);

/// Keys that wait to be told.
const KEYS_MAX: usize = 16;

/// Exit status of a show that lost its graphics device or its windows.
const LOST: u8 = 70;
/// How a show ends whose twin or whose canvas is another one now: it is to be started again.
pub(super) const AGAIN: u8 = 3;
/// Exit status of a show without a display for its windows, missing or lost: it is to be restarted once there is one.
pub(super) const NO_DISPLAY: u8 = 4;

/// What can be said on the command line.
#[derive(Debug, Clone, clap::Args)]
pub struct Arguments {
    /// Folder of the site: site.toml and its key.
    #[arg(long, value_name = "DIR")]
    pub site: PathBuf,
    /// Invented visitors who touch: nobody, one, shy, forty, vandal, cleaner.
    #[arg(long, default_value = "nobody")]
    pub cast: Cast,
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
pub fn run(arguments: &Arguments) -> ExitCode {
    match start(arguments) {
        Ok(code) => code,
        Err(why) => {
            complain(format_args!("moongate show: {why}"));
            if why.is::<NoDisplay>() { ExitCode::from(NO_DISPLAY) } else { ExitCode::FAILURE }
        }
    }
}

fn start(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let site = match &arguments.manifest {
        Some(file) => Site::read_file(&arguments.site, file)?,
        None => Site::read(&arguments.site)?,
    };
    let key = SiteKey::read(&site.key)?;
    let visitors = guests::visitors(arguments)?;
    if !arguments.offscreen {
        display::check()?;
    }
    let command = SceneCommand::own().unjailed(arguments.unjailed);
    let choice = choice::choose(&site, &arguments.aside, &command);
    let installation = choice.begun.clone();
    let canvas = installation.canvas_size();

    // The link starts before the screen, which may be slow to open, or hang.
    let (touched_in, touched) = sync_channel(WAITING_MAX);
    let twin = Twins::read(&site.dir)?.latest().cloned();
    super::log::name(&site.name, twin.as_ref().map(|twin| twin.name.as_str()));
    let there = there_of(site.city, twin.as_ref());
    let side = u8::from(twin.as_ref().is_some_and(|twin| key.public() > twin.key));
    let config = Config {
        key: key.public(),
        twin: twin.as_ref().map(|twin| twin.key),
        boot: fastrand::u64(1..),
        city: site.city.slug.clone(),
        name: site.name.clone(),
        showing: showing(&installation),
        canvas,
    };
    let public = key.public();
    let reach = twin.as_ref().map_or_else(Reach::default, |twin| Reach::of(twin, site.relay.as_deref()));
    let plan = Plan { key, config, reach, home: Some(Home::of(&site)), transport: transport() };
    let (link_thread, told) = LinkThread::open(site.listen, plan)?;
    let sender = link_thread.sender();
    sender.set_openness(site.openness);
    // No picture is in view yet.
    sender.set_in_view(Duration::ZERO);
    let over = Arc::new(AtomicBool::new(false));
    ending::watch(&over, sender.clone())?;
    let captures = Captures::default();
    let rehearsal = arguments.rehearsal.then(Arc::<Rehearsal>::default);
    state::listen(over.clone(), captures.clone(), sender.clone(), rehearsal.clone())?;
    let views = site.screens.iter().map(|screen| View::of(canvas, screen.part)).collect();
    let hub = TouchHub::new(Some(sender.clone()), touched_in, canvas, views);
    let fingers = Fingers::start(&site, canvas, &hub);
    let drawn = Drawn::default();
    let light = drawn.shown();
    let shown: Shown = Arc::new(move || light.luminance());
    let sights = Arc::new(Sights::start(&site, canvas, &hub, &shown)?);
    let audio = Arc::new(Audio::start());
    let scene = SceneProcess::start(
        command,
        Setting {
            here: CityCard::of(site.city),
            there: CityCard::of(there),
            side,
            // Two cities are not to throw the same dice.
            seed: arguments.seed.wrapping_mul(2).wrapping_add(u64::from(side)),
            metres: site.ground.map(|ground| ground.width),
        },
    )?;
    let scene = Arc::new(scene);
    let again = Arc::new(AtomicBool::new(false));
    let standing = choice.standing();
    let folder = choice.show(&scene, &audio, &again)?;

    yield_to_others();
    let graphics = graphics::find(arguments.offscreen)?;
    let trace = Trace::default();
    let frames = Arc::new(AtomicU64::new(0));
    let [width, height] = installation.canvas;
    let pixels = if graphics.software && width > SOFTWARE_WIDTH {
        [SOFTWARE_WIDTH, (height * SOFTWARE_WIDTH / width).max(1)]
    } else {
        [width, height]
    };

    let mut app = graphics::app(&graphics, arguments.pipelined)?;
    app.add_plugins(StagePlugin {
        canvas: installation.canvas,
        pixels,
        screens: if graphics.offscreen { Vec::new() } else { site.screens.clone() },
        pointer: arguments.rehearsal,
        title: format!("{} · {}", installation.title, site.city.latin),
        drawn: drawn.clone(),
        shader_most: if graphics.software { SOFTWARE_SHADER_MOST } else { SHADER_MOST },
    });
    let (pressed, keys) = sync_channel(KEYS_MAX);
    if !graphics.offscreen && (arguments.rehearsal || site.panel) {
        app.add_plugins(OperatorPlugin { drawn: drawn.clone(), keys: arguments.rehearsal.then_some(pressed) });
    }
    TwinParts {
        city: site.city,
        twin: twin.clone(),
        key: public,
        installation: installation.clone(),
        link: (sender.clone(), told),
        scene: scene.clone(),
        audio: audio.clone(),
        sights: sights.clone(),
        touches: hub.clone(),
        touched,
        drawn: drawn.clone(),
        trace: trace.clone(),
        frames: frames.clone(),
        patience: if graphics.software { SOFTWARE_PATIENCE } else { Duration::from_millis(BUDGET_MS) },
        rehearsal: rehearsal.clone(),
    }
    .plug(&mut app);
    // A window of a real GPU is paced by its display; a second pace beside that would only miss its beat.
    let limit = match (graphics.software, graphics.offscreen) {
        (true, _) => Some(SOFTWARE_FRAMES),
        (false, true) => Some(FRAMES),
        (false, false) => None,
    };
    seen::plug(&mut app, graphics.offscreen, &drawn, &sender);
    app.insert_resource(Ends {
        over: over.clone(),
        again,
        captures: captures.clone(),
        last: Duration::ZERO,
        limit,
        drawn: drawn.clone(),
        link: sender.clone(),
        twin: twin.map(|twin| twin.key),
    })
    .add_systems(First, ends);

    let source = state::Source {
        city: site.city.slug.clone(),
        installation: installation.id.clone(),
        offscreen: graphics.offscreen,
        adapter: graphics.name.clone(),
        pixels,
        link: sender,
        standing,
        scene: Arc::downgrade(&scene),
        sights: Arc::downgrade(&sights),
        hub: hub.clone(),
        audio,
        drawn,
        trace: arguments.trace.then_some(trace),
        frames,
    };
    state::speak(source, keys, over.clone())?;
    let recording = guests::record(arguments, &site, canvas, &hub, over.clone());
    guests::come(arguments, visitors, canvas, &hub)?;

    let exit = drive(&mut app, graphics.offscreen);
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
            complain("moongate show: the display is gone");
            ExitCode::from(NO_DISPLAY)
        }
        // Status 1 is reserved for a show that could not start.
        AppExit::Error(code) if code.get() == 1 => ExitCode::from(LOST),
        AppExit::Error(code) => ExitCode::from(code.get()),
    })
}

/// Windows have a loop of their own; without them this is the loop.
fn drive(app: &mut App, offscreen: bool) -> AppExit {
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

type Captures = Arc<Mutex<VecDeque<PathBuf>>>;

/// How the show ends, how often it turns, and which picture is to be kept.
#[derive(Resource)]
struct Ends {
    over: Arc<AtomicBool>,
    again: Arc<AtomicBool>,
    captures: Captures,
    last: Duration,
    limit: Option<f64>,
    drawn: Drawn,
    link: LinkSender,
    twin: Option<[u8; 32]>,
}

fn ends(
    mut ends: ResMut<Ends>,
    gone: Option<Res<ScreensGone>>,
    mut easel: ResMut<Easel>,
    mut exit: MessageWriter<AppExit>,
) {
    if ends.over.load(Ordering::Relaxed) || gone.is_some_and(|gone| gone.0) {
        exit.write(AppExit::Success);
        return;
    }
    // What the scene knows of the other city was said at its start.
    let other_twin = ends.link.status().at > Duration::ZERO && ends.link.status().twin != ends.twin;
    if other_twin || ends.again.load(Ordering::Relaxed) {
        exit.write(AppExit::from_code(AGAIN));
        return;
    }
    if easel.can_capture()
        && let Some(file) = ends.captures.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    {
        easel.capture(Capture { file });
    }
    // Before the devices are read, not between what they say and the picture of it.
    if let Some(limit) = ends.limit {
        pace(&mut ends.last, limit);
        ends.drawn.free(GPU_PATIENCE);
    }
}
