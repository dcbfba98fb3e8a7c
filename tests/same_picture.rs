//! A preview and a show draw the same picture from the same messages of the site half.
//!
//! A preview of two cities is recorded: the times of its frames and the bytes of the site half's messages. The frame loop of a show
//! then runs in Bevy from the recording alone, with a scene process of its own. Both draw in the GPU's driver.
#![cfg(feature = "show")]

use bevy::app::PluginsState;
use moongate::config::{TrustedPeer, city_by_slug};
use moongate::device::audio::Audio;
use moongate::device::scene_process::{SandboxCommand, SceneProcess};
use moongate::link::LinkCommand;
use moongate::messages::{ShowMessage, SiteMessage, decode, encode};
use moongate::preview::{Scenario, SimConfig, SimSite, SimWorld};
use moongate::render::{CanvasPlugin, CanvasQueue, Capture, FrameStats, OffscreenRenderer};
use moongate::scene::SceneRevision;
use moongate::show::{LiveParameters, ShowParts, ShowTime, SitePort, Trace, graphics};
use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Size of the pictures, in pixels.
const PIXELS: [u32; 2] = [640, 360];
/// Frames to record, at 30 per second, and those whose pictures are compared.
const FRAMES: usize = 150;
const COMPARED: [usize; 3] = [30, 90, 150];
const PATIENCE: Duration = Duration::from_secs(60);
/// Cities of the two sites.
const CITIES: [&str; 2] = ["shenzhen", "dublin"];

/// Time of the frame that the show draws.
static TIME: Mutex<ShowTime> = Mutex::new(ShowTime { now: Duration::ZERO, unix: 0.0 });

/// A frame of a recording: its time, and the bytes of the messages before it.
type Frame = (ShowTime, Vec<Vec<u8>>);

/// Site half that was recorded. What the show half sends is kept.
#[derive(Clone)]
struct Recorded {
    frames: Arc<Mutex<VecDeque<Frame>>>,
    sent: Arc<Mutex<Vec<ShowMessage>>>,
}

impl SitePort for Recorded {
    fn poll_messages(&mut self, _: Duration) -> Vec<SiteMessage> {
        let frame = self.frames.lock().expect("nobody panics").pop_front();
        let (_, messages) = frame.expect("as many frames as were recorded");
        messages.iter().map(|bytes| decode(bytes).expect("our own")).collect()
    }

    fn handle_message(&mut self, message: ShowMessage) {
        self.sent.lock().expect("nobody panics").push(message);
    }
}

fn command() -> SandboxCommand {
    SandboxCommand { program: env!("CARGO_BIN_EXE_moongate").into(), arguments: vec!["scene".into()] }
}

/// Records a preview. Returns the frames, the pictures to compare, and the number of marks that its scene left.
fn record(world: &mut SimWorld, edition: &Arc<SceneRevision>) -> (VecDeque<Frame>, Vec<image::RgbImage>, u64) {
    let mut renderer = OffscreenRenderer::new(edition.installation.canvas_size(), PIXELS).expect("a graphics driver");
    let (mut frames, mut pictures) = (VecDeque::new(), Vec::new());
    for number in 1..=FRAMES {
        world.step().unwrap_or_else(|why| panic!("{why}"));
        let site = &world.sites()[0];
        let messages = site.last_input.messages.iter().map(|message| encode(message).expect("within bounds"));
        frames.push_back((site.last_input.time, messages.collect()));
        let shot = site.snapshot();
        let [here, there] = &shot.presence;
        let picture =
            renderer.render(&shot.picture, Some(edition), [here, there], &shot.uniforms).expect("it is drawn");
        if COMPARED.contains(&number) {
            pictures.push(image::DynamicImage::from(picture).into_rgb8());
        }
    }
    (frames, pictures, world.sites()[0].actions.marks)
}

/// Runs the frame loop of a show from a recording. Returns the pictures to compare, and the messages to the site half.
fn replay(
    site: &SimSite,
    edition: &Arc<SceneRevision>,
    frames: VecDeque<Frame>,
) -> (Vec<image::RgbImage>, Vec<ShowMessage>) {
    let scene = Arc::new(SceneProcess::start(command(), site.context.clone()).expect("a thread"));
    scene.load(edition.clone());
    let began = Instant::now();
    while scene.pending_edition().is_none() || !scene.is_ready() {
        assert!(began.elapsed() < PATIENCE, "{:?}", scene.status());
        std::thread::sleep(Duration::from_millis(5));
    }
    *TIME.lock().expect("nobody panics") = ShowTime { now: site.began, unix: 0.0 };
    let times: Vec<_> = frames.iter().map(|(time, _)| *time).collect();
    let recorded = Recorded { frames: Arc::new(Mutex::new(frames)), sent: Arc::default() };
    let graphics = graphics::find_graphics(true).expect("a graphics driver");
    let mut app = graphics::create_app(&graphics, false).expect("no display is needed");
    let frame_stats = FrameStats::default();
    app.add_plugins(CanvasPlugin {
        canvas: edition.installation.canvas,
        pixels: PIXELS,
        screens: Vec::new(),
        title: String::new(),
        pointer: false,
        frame_stats: frame_stats.clone(),
        shader_time_max: PATIENCE,
    });
    let [here, there] = CITIES.map(|city| city_by_slug(city).expect("a member city"));
    ShowParts {
        city: here,
        twin: Some(TrustedPeer { key: [0; 32], city: there, name: String::new(), addresses: Vec::new(), relay: None }),
        key: site.key,
        installation: edition.installation.clone(),
        site: Box::new(recorded.clone()),
        clock: || *TIME.lock().expect("nobody panics"),
        scene,
        audio: Arc::new(Audio::start()),
        cameras: None,
        frame_stats: frame_stats.clone(),
        trace: Trace::default(),
        frames: Arc::default(),
        scene_wait: PATIENCE,
        rehearsal: None,
        parameters: LiveParameters::default(),
    }
    .plug(&mut app);
    while app.plugins_state() == PluginsState::Adding {
        bevy::tasks::tick_global_task_pools_on_main_thread();
    }
    app.finish();
    app.cleanup();
    let folder = tempfile::tempdir().expect("a folder");
    let mut pictures = Vec::new();
    for (number, time) in (1..).zip(times) {
        *TIME.lock().expect("nobody panics") = time;
        let file = COMPARED.contains(&number).then(|| folder.path().join(format!("{number}.png")));
        if let Some(file) = file.clone() {
            app.world_mut().resource_mut::<CanvasQueue>().request_capture(Capture { file });
        }
        app.update();
        frame_stats.wait_idle(PATIENCE);
        pictures.extend(file.map(|file| read_soon(&file)));
    }
    let sent = recorded.sent.lock().expect("nobody panics").clone();
    (pictures, sent)
}

/// Reads a picture that a thread is about to write.
fn read_soon(file: &Path) -> image::RgbImage {
    let began = Instant::now();
    while !file.exists() {
        assert!(began.elapsed() < PATIENCE, "{} is not written", file.display());
        std::thread::sleep(Duration::from_millis(5));
    }
    image::open(file).expect("it is whole").into_rgb8()
}

#[test]
fn a_preview_and_a_show_draw_the_same_picture_from_the_same_messages() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("installations/lanterns");
    let edition = Arc::new(SceneRevision::read(&folder).unwrap_or_else(|fault| panic!("{fault}")));
    let plan = SimConfig {
        edition: edition.clone(),
        command: command(),
        cities: CITIES.map(|city| city_by_slug(city).expect("a member city")),
        scenario: Scenario::named("meeting").expect("it is one"),
        seed: 1,
        unix_start: 1_790_164_800.0,
        rate: 30,
    };
    let mut world = SimWorld::new(&plan).unwrap_or_else(|why| panic!("{why}"));
    let (frames, previewed, marks) = record(&mut world, &edition);
    let messages: Vec<SiteMessage> =
        frames.iter().flat_map(|(_, messages)| messages).map(|bytes| decode(bytes).expect("our own")).collect();
    let has = |kind: fn(&SiteMessage) -> bool| messages.iter().any(kind);
    assert!(
        has(|message| matches!(message, SiteMessage::Touch(_)))
            && has(|message| matches!(message, SiteMessage::Event { .. }))
            && has(|message| matches!(message, SiteMessage::Marks(feed) if !feed.marks.is_empty()))
            && has(|message| matches!(message, SiteMessage::Vision(report) if !report.bodies.is_empty()))
            && has(|message| matches!(message, SiteMessage::Twin(report) if !report.presence.bodies.is_empty())),
        "the recording has everything that a scene sees"
    );
    let (shown, sent) = replay(&world.sites()[0], &edition, frames);
    for ((previewed, shown), number) in previewed.iter().zip(&shown).zip(COMPARED) {
        let other = previewed.pixels().zip(shown.pixels()).filter(|(a, b)| a != b).count();
        if other > 0 {
            let dir = std::env::temp_dir();
            let files = ["preview", "show"].map(|name| dir.join(format!("moongate-{number}-{name}.png")));
            let _ = (previewed.save(&files[0]), shown.save(&files[1]));
            panic!("frame {number}: {other} pixels differ; look at {files:?}");
        }
    }
    let left = sent.iter().filter(|m| matches!(m, ShowMessage::Command { command: LinkCommand::Mark { .. }, .. }));
    assert_eq!(left.count() as u64, marks, "the scene of the show left the same marks");
    assert!(marks > 0);
}
