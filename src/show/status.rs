//! Status lines of a show, as specified in `docs/show.md`.

use super::TraceLine;
use crate::device::camera_pipeline::CameraPipelineStatus;
use serde::{Deserialize, Serialize};

/// One line from a show.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum ShowOutput {
    /// Status of the show.
    State(Box<ShowStatus>),
    /// A key was pressed in a window of the show.
    Key {
        /// Name of the key's action, as in [`RehearsalKey`](super::RehearsalKey).
        key: String,
    },
    /// An edition is about to be read, and shown if it is sound: the one to blame if the show crashes on it.
    Edition {
        /// Digest of the edition.
        edition: String,
    },
}

/// Status of a show. Each loop's counter moves while the loop runs, even if it has nothing to do.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ShowStatus {
    /// Version of this line's format.
    pub state: u32,
    /// Slug of the site's city.
    pub city: String,
    /// Id of the installation shown.
    pub installation: String,
    /// Seconds since the start.
    pub uptime_s: f64,
    /// Iterations of each loop since the start.
    pub loops: LoopCounts,
    /// Frames that the GPU has finished since the start.
    pub painted: u64,
    /// True without windows.
    pub offscreen: bool,
    /// True while a frame is in view; otherwise no bodies or touches here are sent to the twin.
    #[serde(default)]
    pub in_view: bool,
    /// Graphics adapter.
    pub adapter: String,
    /// Size of the canvas texture, in pixels.
    pub pixels: [u32; 2],
    /// State of the link: `none`, `alone`, `refused`, `linked`, `weak` or `apart`.
    /// `none` means that no twin is trusted, `refused` that the twin no longer trusts this site.
    pub link: String,
    /// Reason why the link is not better, for users.
    #[serde(default)]
    pub why: String,
    /// Share of packets lost recently, 0 to 1.
    #[serde(default)]
    pub loss: f64,
    /// Mean excess of the round-trip time over its minimum, in milliseconds.
    #[serde(default)]
    pub jitter_ms: Option<f64>,
    /// Delay of the twin's bodies in the jitter buffer, in milliseconds.
    #[serde(default)]
    pub buffer_ms: f64,
    /// UDP bytes sent and received since the start.
    #[serde(default)]
    pub bytes: [u64; 2],
    /// Connections opened since the start; more than two mean reconnects or moves to better paths.
    #[serde(default)]
    pub connections: u64,
    /// Sharing policy: `open`, `shapes` or `closed`.
    #[serde(default)]
    pub openness: String,
    /// True if the link runs through a relay.
    #[serde(default)]
    pub relayed: bool,
    /// Round-trip time to the twin, in milliseconds.
    pub round_trip_ms: Option<f64>,
    /// Events that the twin has not acknowledged, and events given up.
    pub waiting: usize,
    /// See `waiting`.
    pub lost: u64,
    /// State of the scene process.
    pub scene: SceneHealth,
    /// Bodies that are present now.
    #[serde(default)]
    pub bodies: BodyCounts,
    /// Cameras of the site, in the order of its manifest.
    #[serde(default)]
    pub cameras: Vec<CameraHealth>,
    /// Sound device; none means a silent show, which is not a fault.
    pub sound: Option<String>,
    /// With `--trace`: memory of this process, in MiB (proportional set size).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_mib: Option<f64>,
    /// With `--trace`: duration of each frame since the previous line, in milliseconds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub frames_ms: Vec<f64>,
    /// With `--trace`: trace of each touch and body.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<TraceLine>,
}

/// Returns true if this link state stands for a working link.
pub fn is_linked(link: &str) -> bool {
    ["linked", "weak"].contains(&link)
}

/// Iterations of each loop.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LoopCounts {
    /// Frame loop; normally 30 to 60 iterations per second.
    pub frame: u64,
    /// Link thread; normally at least ten iterations per second.
    pub link: u64,
    /// Sound callback; does not move without a device.
    pub sound: u64,
    /// Frames that the scene has answered.
    pub scene: u64,
}

/// State of the scene.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SceneHealth {
    /// True if the scene runs.
    pub ready: bool,
    /// Id of its process.
    pub pid: Option<u32>,
    /// Processes started so far.
    pub starts: u64,
    /// Current fault.
    pub fault: Option<String>,
    /// Last fault.
    pub last_fault: Option<String>,
    /// Duration of the last frame, in milliseconds.
    pub took_ms: f64,
    /// Digest of the edition that is shown or about to be shown, if any.
    #[serde(default)]
    pub edition: Option<String>,
    /// Fault in the folder's edition, because of which an older one, or none, is shown.
    #[serde(default)]
    pub refused: Option<String>,
}

/// Counts of bodies.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct BodyCounts {
    /// At this site.
    pub here: usize,
    /// At the twin, as far as it is reported here.
    pub there: usize,
}

/// State of one camera.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CameraHealth {
    /// Name of the camera in site.toml.
    pub name: String,
    /// `starting`, `seeing`, or `waiting` (its program failed and is restarted soon).
    pub state: String,
    /// Frames since the start; moves while the state is `seeing`.
    pub frames: u64,
    /// Frames analysed; moves more slowly than `frames` if the frames come too fast to analyse them all.
    #[serde(default)]
    pub looks: u64,
    /// Recent frames per second.
    pub rate: f64,
    /// Columns and rows of its frames.
    pub size: [usize; 2],
    /// Number of times that its program was started.
    pub starts: u64,
    /// Process id of its program, while one runs.
    pub pid: Option<u32>,
    /// Bodies in its newest frame.
    pub bodies: usize,
    /// Time taken to analyse the newest frame, in milliseconds.
    pub took_ms: f64,
    /// Last fault, with its remedy.
    pub last_fault: Option<String>,
}

/// Rounds to tenths.
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
