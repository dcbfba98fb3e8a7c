//! Messages between the show and the scene process over pipes: a length, then one message.

use super::bodies::BodyState;
use super::daylight::{SunPosition, TimeOfDay};
use super::display_list::DisplayList;
use super::retained::RetainedUpdate;
use super::shader_params::ShaderParams;
use crate::diagnostic::SceneDiagnostic;
use moongate_core::config::BuiltinEffects;
use moongate_core::config::City;
use moongate_core::marks::NewMark;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io::{self, Read, Write};

/// Maximum length of a message, in bytes. A display list within its limits takes a third of this, and updates of
/// retained layers take two thirds.
const MESSAGE_MAX: usize = 12 << 20;

/// City, as a scene sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CityInfo {
    /// Name in the local script.
    pub name: String,
    /// Name in Latin script.
    pub latin: String,
    /// Label of the city's domain: what it is known for.
    pub domain: String,
    /// Colour as `#rrggbb`.
    pub colour: String,
    /// Language as a BCP 47 tag.
    pub language: String,
}

impl CityInfo {
    /// Returns the parts of `city` that a scene sees.
    pub fn from_city(city: &City) -> Self {
        Self {
            name: city.name.clone(),
            latin: city.latin.clone(),
            domain: city.domain.label().into(),
            colour: city.colour.clone(),
            language: city.language.clone(),
        }
    }
}

/// First message: the scene to run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SceneInit {
    /// File name of the script.
    pub script: String,
    /// Source of the script.
    pub text: String,
    /// Parameters of the shaders, in the order in which display lists refer to them.
    pub params: Vec<ShaderParams>,
    /// Names of the sounds.
    pub sounds: Vec<String>,
    /// Names and sizes in pixels of the images, in the order in which display lists refer to them.
    pub images: Vec<(String, [u32; 2])>,
    /// Canvas units per metre of the screen.
    pub metre: f32,
    /// Parameters that can be adjusted: name, value and range.
    pub dials: Vec<(String, f64, [f64; 2])>,
    /// Width and height in canvas units.
    pub canvas: [f32; 2],
    /// This city.
    pub here: CityInfo,
    /// The other city.
    pub there: CityInfo,
    /// 0 or 1; never changes.
    pub side: u8,
    /// Mark collections shared by both cities: name, and keyword of the link-loss policy.
    pub ours: Vec<(String, String)>,
    /// Keyword of the link-loss policy for the twin's shared state.
    pub lost_share: String,
    /// Seed of `random`; `noise` is the same everywhere.
    pub seed: u64,
    /// Seed of the marks' own seeds. `None` in a show, where every mark needs a different one; set in virtual time,
    /// which is reproducible.
    pub mark_seed: Option<u64>,
    /// Built-in effects.
    pub effects: BuiltinEffects,
    /// Factor by which a frame may exceed the limit of a show: 1 in a show, more in virtual time, where the machine may
    /// be busy with other work.
    pub budgets: u32,
}

/// A touch as a scene sees it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct TouchState {
    /// Identifier, unique at its site while that show runs.
    pub id: u32,
    /// Canvas units.
    pub x: f32,
    /// Canvas units.
    pub y: f32,
    /// Source of the touch.
    pub by: &'static str,
    /// Start on the shared clock, in seconds.
    pub began: f64,
}

/// State of one city in one frame.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct SiteState {
    /// Current touches.
    pub touches: Vec<TouchState>,
    /// Detected bodies. The script compares frames to find arrivals, departures and bodies standing still, so a scene
    /// that starts in the middle also sees everyone present.
    pub bodies: Vec<BodyState>,
    /// Amount of motion, 0 to 1.
    pub stir: f32,
    /// Motion field, packed by [`encode_flow`](super::bodies::encode_flow); `None` without motion or without a camera.
    pub flow: Option<String>,
    /// Position of the sun.
    pub sun: SunPosition,
    /// Local time.
    pub clock: TimeOfDay,
}

/// An event, in the order of occurrence.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "is", rename_all = "camelCase")]
pub enum SceneEvent {
    /// A touch began here.
    Down(TouchState),
    /// A touch moved here.
    Move(TouchState),
    /// A touch ended here.
    Up(TouchState),
    /// A touch began there.
    DownThere(TouchState),
    /// A touch moved there.
    MoveThere(TouchState),
    /// A touch ended there.
    UpThere(TouchState),
    /// The twin's half of the scene sent a signal.
    Heard {
        /// The signal's name.
        name: String,
        /// Data as JSON.
        data: String,
    },
    /// People of both cities meet; both sites report it at the same instant.
    Meet {
        /// Canvas units.
        x: f32,
        /// Canvas units.
        y: f32,
    },
    /// Marks made during a separation have been merged.
    Merged {
        /// Number of the twin's marks that are new here.
        marks: usize,
    },
    /// The twin is connected.
    Linked,
    /// The twin is disconnected.
    Parted,
}

/// A mark as a scene sees it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MarkState {
    /// Sort key among all marks, as a string; the same in both cities.
    pub place: String,
    /// Name of its collection in the manifest.
    pub name: String,
    /// Position in units of this canvas.
    pub at: Option<[f32; 2]>,
    /// Time of creation on the shared clock, in seconds.
    pub began: f64,
    /// Random number, the same in both cities.
    pub seed: u32,
    /// True if it was made in this city.
    pub here: bool,
    /// Sequence number, if this site made it since the show started: the twin may lack it.
    pub own: Option<u64>,
    /// Approximate memory in the script's engine, in bytes.
    pub weight: usize,
    /// Data as JSON.
    pub said: String,
}

/// Changes of marks since the previous frame.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct MarksUpdate {
    /// Discards all known marks.
    pub anew: bool,
    /// Marks that are new to the scene.
    pub news: Vec<MarkState>,
    /// The twin has this site's own marks below this sequence number.
    pub shared: u64,
    /// True if marks survive a power loss.
    pub lasting: bool,
}

/// Input of a scene in one frame.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct FrameInput {
    /// Number of the frame in the show.
    pub number: u64,
    /// Number of the last input, counted over the whole show. Each of `events` is one input, and so is each camera
    /// frame.
    pub input: u64,
    /// The shared clock, in seconds.
    pub now: f64,
    /// Seconds since the previous frame.
    pub dt: f64,
    /// This city.
    pub here: SiteState,
    /// The other city.
    pub there: SiteState,
    /// The twin is connected.
    pub linked: bool,
    /// One-way delay to the twin, in seconds.
    pub delay: f64,
    /// True at one site while linked, and when alone.
    pub lead: bool,
    /// Shared state of the twin, as JSON.
    pub share: Option<String>,
    /// Changes of marks.
    pub marks: MarksUpdate,
    /// Parameters adjusted since the previous frame.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dials: Vec<(String, f64)>,
    /// Events since the previous frame.
    pub events: Vec<SceneEvent>,
}

/// Message to the scene process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ToScene {
    /// Starts the scene; the first message.
    Start(Box<SceneInit>),
    /// One frame: number, input, and the `FrameInput` as JSON, the fastest format for the script's engine.
    Sees {
        /// See [`FrameInput::number`].
        number: u64,
        /// See [`FrameInput::input`].
        input: u64,
        /// [`FrameInput`] as JSON.
        json: String,
    },
    /// Requests the state that the script keeps for the next revision.
    Keep,
    /// State that the previous revision kept, as JSON; sent before the first frame.
    Kept(String),
}

/// Action of a scene besides drawing: in order, once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum SceneAction {
    /// Plays a sound of the installation now.
    Play {
        /// File name within the folder.
        name: String,
        /// Volume, 0 to 1.
        volume: f32,
        /// Stereo position: -1 is left, 1 is right.
        pan: f32,
        /// Speed, and with it pitch; 1 is as recorded.
        rate: f32,
    },
    /// Sends a signal to the twin's half of the scene.
    Signal {
        /// The signal's name.
        name: String,
        /// Data as JSON.
        data: String,
    },
    /// Adds a mark left by a visitor here.
    Mark(NewMark),
    /// Sets this site's shared state, as JSON; empty for none.
    Share(String),
    /// Writes a line of `console.log`.
    Log(String),
}

/// Message from the scene process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(clippy::large_enum_variant, reason = "nearly all that are sent are frames")]
pub enum FromScene {
    /// The script is loaded.
    Ready {
        /// Missing parts of the process sandbox, in words for people; `None` if it is complete.
        unjailed: Option<String>,
    },
    /// One frame. Contains no display list if the script failed.
    Frame {
        /// Items to draw.
        picture: Option<DisplayList>,
        /// Actions to perform.
        acts: Vec<SceneAction>,
        /// Updates of retained layers.
        kept: Vec<RetainedUpdate>,
        /// The script's error.
        fault: Option<SceneDiagnostic>,
        /// Script time, in microseconds of CPU.
        took_us: u64,
    },
    /// The script cannot be run at all.
    Failed(SceneDiagnostic),
    /// State that the script keeps, as JSON; `None` if it keeps none.
    Keeps(Result<Option<String>, SceneDiagnostic>),
}

/// Writes one message and flushes.
pub fn write_message<T: Serialize>(to: &mut impl Write, message: &T) -> io::Result<()> {
    let bytes = postcard::to_allocvec(message).map_err(io::Error::other)?;
    let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
    to.write_all(&length.to_le_bytes())?;
    to.write_all(&bytes)?;
    to.flush()
}

/// Reads one message.
///
/// A length beyond the limit or an invalid message is an error. A length beyond the limit allocates nothing.
pub fn read_message<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<T> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length) as usize;
    if length > MESSAGE_MAX {
        return Err(io::Error::other(format!("a message of {length} bytes")));
    }
    let mut bytes = vec![0; length];
    from.read_exact(&mut bytes)?;
    postcard::from_bytes(&bytes).map_err(io::Error::other)
}
