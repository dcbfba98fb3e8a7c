//! What the show and the scene process say to each other over pipes: a length, then one message.

use super::bodies::BodyState;
use super::daylight::{SunPosition, TimeOfDay};
use super::display_list::DisplayList;
use super::retained::RetainedUpdate;
use super::shader_params::ShaderParams;
use crate::config::City;
use crate::marks::NewMark;
use crate::scene::diagnostic::SceneDiagnostic;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io::{self, Read, Write};

/// Longest message, in bytes. A picture within its bounds is a third as long, and what is new on kept layers twice as much.
const MESSAGE_MAX: usize = 12 << 20;

/// What a scene may know of a city.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CityInfo {
    /// In its own script.
    pub name: String,
    /// In Latin script.
    pub latin: String,
    /// What it is known for.
    pub domain: String,
    /// `#rrggbb`.
    pub colour: String,
    /// BCP 47.
    pub language: String,
}

impl CityInfo {
    /// What a scene may know of `city`.
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

/// The first message: what there is to run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SceneInit {
    /// The name of the script's file.
    pub script: String,
    /// The script itself.
    pub text: String,
    /// What shaders there are, in the order in which pictures name them.
    pub params: Vec<ShaderParams>,
    /// The names of the sounds.
    pub sounds: Vec<String>,
    /// The images by name and size in pixels, in the order in which pictures name them.
    pub images: Vec<(String, [u32; 2])>,
    /// Canvas units in a metre of the screen.
    pub metre: f32,
    /// What can be turned, how it stands, and from where to where.
    pub dials: Vec<(String, f64, [f64; 2])>,
    /// Width and height in canvas units.
    pub canvas: [f32; 2],
    /// This city.
    pub here: CityInfo,
    /// The other city.
    pub there: CityInfo,
    /// 0 or 1, and stays.
    pub side: u8,
    /// What visitors of both cities leave: its name, and the word for what becomes of it when the link is lost.
    pub ours: Vec<(String, String)>,
    /// What becomes of what the other city says of itself.
    pub lost_share: String,
    /// What `random` follows from; `noise` is the same everywhere.
    pub seed: u64,
    /// Seed of the marks' own seeds. `None` in a show, where no two marks may have the same; set in virtual time, which repeats.
    pub mark_seed: Option<u64>,
    /// What the engine adds: arrivals, meetings, the other city's sky, touches that travel.
    pub kit: [bool; 4],
    /// Factor by which a frame may exceed its show limit before it is stopped: 1 in a show, more in virtual time, where the
    /// machine may be busy with other work.
    pub budgets: u32,
}

/// A touch as a scene sees it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct TouchState {
    /// Unique at its site while that show runs.
    pub id: u32,
    /// Canvas units.
    pub x: f32,
    /// Canvas units.
    pub y: f32,
    /// What makes it.
    pub by: &'static str,
    /// When it began, on the shared clock, in seconds.
    pub began: f64,
}

/// What a scene sees of one city this frame.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct SiteState {
    /// Touches held.
    pub touches: Vec<TouchState>,
    /// Bodies seen. That one came, stands still or left is found by comparing, so that a scene that starts in the middle
    /// is told of all that are there.
    pub bodies: Vec<BodyState>,
    /// How much moves, 0 to 1.
    pub stir: f32,
    /// How it moves, as [`flow`](super::flow) writes it; none where nothing does or no camera looks.
    pub flow: Option<String>,
    /// Where the sun stands.
    pub sun: SunPosition,
    /// What time it is.
    pub clock: TimeOfDay,
}

/// Something that happened, in the order in which it did.
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
    /// The other half of the scene speaks.
    Heard {
        /// The signal's name.
        name: String,
        /// JSON.
        data: String,
    },
    /// People of both cities meet; both are told at the same instant.
    Meet {
        /// Canvas units.
        x: f32,
        /// Canvas units.
        y: f32,
    },
    /// What both made while they were apart is together.
    Merged {
        /// How many marks of the twin are new.
        marks: usize,
    },
    /// The twin is there.
    Linked,
    /// The twin is gone.
    Parted,
}

/// A mark as a scene sees it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MarkState {
    /// Where it stands among the others, as a text that sorts; the same in both cities.
    pub place: String,
    /// What the manifest calls it.
    pub name: String,
    /// Canvas units, as they lie on this canvas.
    pub at: Option<[f32; 2]>,
    /// When it was made, on the shared clock, in seconds.
    pub began: f64,
    /// Random, the same in both cities.
    pub seed: u32,
    /// It was made in this city.
    pub here: bool,
    /// Its number, if this site has made it since the show started: the twin may lack it.
    pub own: Option<u64>,
    /// What it takes in the memory of the script's engine, in bytes, about.
    pub weight: usize,
    /// JSON.
    pub said: String,
}

/// What has become of marks since the frame before.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct MarksUpdate {
    /// Whatever was known of marks is over.
    pub anew: bool,
    /// Marks that the scene does not know of.
    pub news: Vec<MarkState>,
    /// The twin has those of this site's own below this number.
    pub shared: u64,
    /// What is here will be here after the power was gone.
    pub lasting: bool,
}

/// All that a scene may know this frame.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct FrameInput {
    /// Counts the frames of a show.
    pub number: u64,
    /// The number of the last input, counted over the whole show: each of `events` is one, and each look of the camera.
    pub input: u64,
    /// The shared clock, in seconds.
    pub now: f64,
    /// Seconds since the frame before.
    pub dt: f64,
    /// This city.
    pub here: SiteState,
    /// The other city.
    pub there: SiteState,
    /// The twin is there.
    pub linked: bool,
    /// One way to the twin, in seconds.
    pub delay: f64,
    /// True at one site while linked, and when alone.
    pub lead: bool,
    /// What the twin says of itself, as JSON.
    pub share: Option<String>,
    /// What has become of marks.
    pub marks: MarksUpdate,
    /// What has been turned since the frame before.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dials: Vec<(String, f64)>,
    /// What happened since the frame before.
    pub events: Vec<SceneEvent>,
}

/// To the scene process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ToScene {
    /// First.
    Start(Box<SceneInit>),
    /// A frame: number, input, and the `FrameInput` as JSON, which is what the script's engine reads fastest.
    Sees {
        /// As in [`FrameInput::number`].
        number: u64,
        /// As in [`FrameInput::input`].
        input: u64,
        /// [`FrameInput`] in JSON.
        json: String,
    },
    /// Asks for what the script wants to keep when another edition takes its place.
    Keep,
    /// What the edition before has kept, as JSON; before the first frame.
    Kept(String),
}

/// Something that a scene does besides showing: in order, once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum SceneAction {
    /// A sound of the installation is to be heard now.
    Play {
        /// Its file, within the folder.
        name: String,
        /// 0 to 1.
        volume: f32,
        /// -1 is left, 1 is right.
        pan: f32,
        /// Speed, and with it pitch; 1 as recorded.
        rate: f32,
    },
    /// The twin's half of the scene is to hear this.
    Signal {
        /// The signal's name.
        name: String,
        /// JSON.
        data: String,
    },
    /// A visitor here leaves something.
    Mark(NewMark),
    /// What this site says of itself from now on, as JSON; empty for nothing.
    Share(String),
    /// `console.log`.
    Log(String),
}

/// From the scene process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(clippy::large_enum_variant, reason = "nearly all that are sent are frames")]
pub enum FromScene {
    /// The script is loaded.
    Ready {
        /// What keeps the process from reaching anything is not all there: what is missing, for people.
        unjailed: Option<String>,
    },
    /// One frame. Without a picture when the script failed in it.
    Frame {
        /// What is to be seen.
        picture: Option<DisplayList>,
        /// What is to be done.
        acts: Vec<SceneAction>,
        /// What is new in kept layers.
        kept: Vec<RetainedUpdate>,
        /// What went wrong.
        fault: Option<SceneDiagnostic>,
        /// Script time, in microseconds of CPU.
        took_us: u64,
    },
    /// The script cannot be run at all.
    Failed(SceneDiagnostic),
    /// What the script wants to keep, as JSON; nothing if it does not.
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

/// Reads one message. A length beyond the bound or bytes that are no such message are an error; nothing is allocated
/// for them.
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
