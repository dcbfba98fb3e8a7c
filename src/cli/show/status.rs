//! One line of a show's state, as `docs/show.md` has it.

use crate::device::camera_pipeline::CameraPipelineStatus;
use crate::show::TraceLine;
use serde::{Deserialize, Serialize};

/// One line of a show.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum ShowMessage {
    /// How it is.
    State(Box<ShowStatus>),
    /// A key was pressed in its window.
    Key {
        /// What it is pressed for, as [`Key`](crate::operator::Key) has it.
        key: String,
    },
    /// An edition is about to be read, and shown if it is sound: the one to blame if the show crashes on it.
    Edition {
        /// Digest of the edition.
        edition: String,
    },
}

/// One line of state. Each loop's counter moves while the loop lives, whatever it finds to do.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ShowStatus {
    /// Version of this line.
    pub state: u32,
    /// Slug of the site's city.
    pub city: String,
    /// Id of what is shown.
    pub installation: String,
    /// Seconds since the start.
    pub uptime_s: f64,
    /// Turns of each loop since the start.
    pub loops: LoopCounts,
    /// Pictures that the GPU has finished since the start.
    pub painted: u64,
    /// Without windows.
    pub offscreen: bool,
    /// True while a picture is in view; otherwise the twin is not told who is here.
    #[serde(default)]
    pub in_view: bool,
    /// What draws.
    pub adapter: String,
    /// Size of the canvas's texture.
    pub pixels: [u32; 2],
    /// `none` (no twin is pinned), `alone`, `refused` (the twin has forgotten this site), `linked`, `weak` or
    /// `apart`.
    pub link: String,
    /// Why it is no better, for people.
    #[serde(default)]
    pub why: String,
    /// The share of packets that was lost of late, 0 to 1.
    #[serde(default)]
    pub loss: f64,
    /// By how much round trips are longer in the mean than the shortest.
    #[serde(default)]
    pub jitter_ms: Option<f64>,
    /// How long the twin's bodies are held back so that they move evenly.
    #[serde(default)]
    pub buffer_ms: f64,
    /// Bytes of UDP that have left and come since the start.
    #[serde(default)]
    pub bytes: [u64; 2],
    /// Connections that were opened since the start: more than two are reconnects, or better ways.
    #[serde(default)]
    pub connections: u64,
    /// `open`, `shapes` or `closed`.
    #[serde(default)]
    pub openness: String,
    /// Through a relay.
    #[serde(default)]
    pub relayed: bool,
    /// The twin's round trip, in milliseconds.
    pub round_trip_ms: Option<f64>,
    /// Events that the twin has not acknowledged, and those given up.
    pub waiting: usize,
    /// See `waiting`.
    pub lost: u64,
    /// The scene process.
    pub scene: SceneHealth,
    /// Who is there now.
    #[serde(default)]
    pub bodies: BodyCounts,
    /// Every camera of the site, in the order of its manifest.
    #[serde(default)]
    pub cameras: Vec<CameraHealth>,
    /// The sound device; none is a silent show, not a fault.
    pub sound: Option<String>,
    /// With `--trace`: memory of this process, in MiB (proportional set size).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_mib: Option<f64>,
    /// With `--trace`: how long each frame took since the line before, in milliseconds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub frames_ms: Vec<f64>,
    /// With `--trace`: what happened to each touch and body.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<TraceLine>,
}

/// Whether that word for a link stands for one that works.
pub fn is_linked(link: &str) -> bool {
    ["linked", "weak"].contains(&link)
}

/// Turns of each loop.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LoopCounts {
    /// The frame loop; should turn 30 to 60 times a second.
    pub frame: u64,
    /// The link thread; should turn at least ten times a second.
    pub link: u64,
    /// The sound callback; stands still without a device.
    pub sound: u64,
    /// Frames that the scene has answered.
    pub scene: u64,
}

/// How the scene is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SceneHealth {
    /// It runs.
    pub ready: bool,
    /// Its process.
    pub pid: Option<u32>,
    /// Processes started so far.
    pub starts: u64,
    /// What is wrong now.
    pub fault: Option<String>,
    /// What was wrong last.
    pub last_fault: Option<String>,
    /// Milliseconds of the last frame.
    pub took_ms: f64,
    /// Digest of the edition that is shown or about to be shown, if any.
    #[serde(default)]
    pub edition: Option<String>,
    /// Fault in the edition in the folder, because of which an older one, or none, is shown.
    #[serde(default)]
    pub refused: Option<String>,
}

/// How many bodies there are.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct BodyCounts {
    /// At this site.
    pub here: usize,
    /// At the twin, as far as is known here.
    pub there: usize,
}

/// How one camera is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CameraHealth {
    /// Its name in site.toml.
    pub name: String,
    /// `starting`, `seeing` or `waiting`: its program failed and is started again soon.
    pub state: String,
    /// Pictures since the start; moves while it is `seeing`.
    pub frames: u64,
    /// Pictures that were made sense of; moves as well, more slowly where they come too fast for that.
    #[serde(default)]
    pub looks: u64,
    /// Pictures a second, as they came lately.
    pub rate: f64,
    /// Columns and rows of its pictures.
    pub size: [usize; 2],
    /// Times that its program was started.
    pub starts: u64,
    /// Its program, while one runs.
    pub pid: Option<u32>,
    /// Bodies in its newest picture.
    pub bodies: usize,
    /// Milliseconds that the newest picture took to be made sense of.
    pub took_ms: f64,
    /// What was wrong last, and what to do about it.
    pub last_fault: Option<String>,
}

/// Rounded to a tenth.
pub(super) fn tenths(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

impl From<CameraPipelineStatus> for CameraHealth {
    fn from(status: CameraPipelineStatus) -> Self {
        let CameraPipelineStatus { name, camera, analyzed: looks, bodies, took_ms } = status;
        Self {
            name,
            state: camera.state.name().into(),
            frames: camera.frames,
            looks,
            rate: tenths(camera.frame_rate),
            size: camera.size,
            starts: camera.starts,
            pid: camera.pid,
            bodies,
            took_ms: tenths(took_ms.into()),
            last_fault: camera.last_fault,
        }
    }
}
