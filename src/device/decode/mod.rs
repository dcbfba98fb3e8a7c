//! Sounds and images of a scene as arrays. Their bytes come from strangers, so a process without access to anything decodes them;
//! its answers are checked as well.

mod process;
mod serve;
mod talk;

pub use serve::serve;

use crate::device::jail;
use crate::device::scene_process::SceneCommand;
use crate::files::{Files, Stamp, Unread};
use crate::mix::Sample;
use crate::scene::{Decode, Edition, Image, PIXELS_MAX, SAMPLES_MAX, ScriptFault};
use process::{Array, Deadline, Failure, Process};
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;
use talk::{Ask, Kind};

/// Most CPU time, and most wall-clock time, for one file.
const DEADLINE: Deadline = [Duration::from_secs(10), Duration::from_secs(60)];

/// Reads folders whole, and starts a process when a sound or an image in them has changed.
#[derive(Debug)]
pub struct Decoder {
    command: SceneCommand,
    deadline: Deadline,
    /// Stamps of the files, and their contents at that time.
    stamps: HashMap<String, (Stamp, Contents)>,
    known: HashMap<Contents, Known>,
}

/// Contents of a file: its extension, and the SHA-256 of its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Contents {
    ending: String,
    hash: [u8; 32],
}

/// Result of decoding a file. Arrays are kept alive by the editions that hold them.
#[derive(Debug)]
enum Known {
    Image([u32; 2], Weak<Vec<u8>>),
    Sound(Weak<Sample>),
    /// Larger than this bound.
    TooLarge(usize),
    Wrong(Failure),
}

impl Decoder {
    /// Returns a decoder that runs `command` when there is something to decode.
    pub fn new(command: SceneCommand) -> Self {
        Self { command, deadline: DEADLINE, stamps: HashMap::new(), known: HashMap::new() }
    }

    /// Limits the CPU time and the wall-clock time for one file.
    #[must_use]
    pub fn within(self, processor: Duration, wall: Duration) -> Self {
        Self { deadline: [processor, wall], ..self }
    }

    /// Reads a folder; see [`Edition::decoded`].
    pub fn read(&mut self, dir: &Path) -> Result<Edition, ScriptFault> {
        let mut turn = Turn { decoder: self, process: None, asked: HashSet::new() };
        let edition = Edition::decoded(dir, &mut turn)?;
        let Turn { asked, .. } = turn;
        self.stamps.retain(|name, _| asked.contains(name));
        let held: HashSet<&Contents> = self.stamps.values().map(|(_, contents)| contents).collect();
        self.known.retain(|contents, _| held.contains(contents));
        Ok(edition)
    }

    /// Returns the result for a file with these contents, if it is known for a bound of `most`.
    fn known(&self, contents: &Contents, most: usize) -> Option<Result<Array, Failure>> {
        match self.known.get(contents)? {
            Known::Image(size, pixels) => Some(Ok(Array::Image(*size, pixels.upgrade()?))),
            Known::Sound(sample) => Some(Ok(Array::Sound(sample.upgrade()?))),
            Known::TooLarge(asked) => (most <= *asked).then_some(Err(Failure::TooLarge)),
            Known::Wrong(failure) => Some(Err(failure.clone())),
        }
    }
}

/// One reading of a folder. The process that decodes for it ends with it.
struct Turn<'a> {
    decoder: &'a mut Decoder,
    process: Option<Process>,
    asked: HashSet<String>,
}

impl Turn<'_> {
    fn array(&mut self, files: &Files, name: &str, kind: Kind, most: usize) -> Result<(Array, [u8; 32]), ScriptFault> {
        let unread = |why: Unread| ScriptFault::new(name, why.problem(), why.remedy());
        let file = Path::new(name);
        self.asked.insert(name.to_owned());
        let stamp = files.look(file).map_err(unread)?;
        let fits = |found: Array| {
            if found.size(kind).is_none_or(|size| size > most) { Err(Failure::TooLarge) } else { Ok(found) }
        };
        let before = self.decoder.stamps.get(name).filter(|(before, _)| *before == stamp);
        if let Some((_, contents)) = before
            && let Some(found) = self.decoder.known(contents, most)
        {
            return Ok((found.and_then(fits).map_err(|why| why.fault(name, kind))?, contents.hash));
        }
        let bytes = files.bytes(file, kind.bytes_max()).map_err(unread)?;
        let ending = file.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
        let mut hash = [0; 32];
        hash.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, &bytes).as_ref());
        let contents = Contents { ending, hash };
        self.decoder.stamps.insert(name.to_owned(), (stamp, contents.clone()));
        let found = self.decoder.known(&contents, most).unwrap_or_else(|| self.decode(kind, &contents, bytes, most));
        Ok((found.and_then(fits).map_err(|why| why.fault(name, kind))?, hash))
    }

    fn decode(&mut self, kind: Kind, contents: &Contents, bytes: Vec<u8>, most: usize) -> Result<Array, Failure> {
        let mut process = match self.process.take() {
            Some(process) => process,
            None => Process::start(&self.decoder.command, self.decoder.deadline)?,
        };
        let ask = Ask { kind, ending: contents.ending.clone(), most: most as u64, bytes: bytes.len() as u64 };
        let found = process.decode(ask, bytes);
        let known = match &found {
            Ok(Array::Image(size, pixels)) => Known::Image(*size, Arc::downgrade(pixels)),
            Ok(Array::Sound(sample)) => Known::Sound(Arc::downgrade(sample)),
            Err(Failure::TooLarge) => Known::TooLarge(most),
            Err(why) => Known::Wrong(why.clone()),
        };
        // A process that has ended, hangs or lies decodes nothing more; the next file gets another one.
        if !matches!(found, Err(Failure::Ended | Failure::Hung(_) | Failure::Lied)) {
            self.process = Some(process);
        }
        self.decoder.known.insert(contents.clone(), known);
        found
    }
}

impl Decode for Turn<'_> {
    fn image(&mut self, files: &Files, name: &str, pixels_max: usize) -> Result<Image, ScriptFault> {
        match self.array(files, name, Kind::Image, pixels_max)? {
            (Array::Image(size, pixels), [a, b, c, d, e, f, g, h, ..]) => {
                Ok(Image { name: name.into(), size, pixels, key: u64::from_le_bytes([a, b, c, d, e, f, g, h]) })
            }
            _ => Err(Failure::Lied.fault(name, Kind::Image)),
        }
    }

    fn sound(&mut self, files: &Files, name: &str, bytes_max: usize) -> Result<Arc<Sample>, ScriptFault> {
        match self.array(files, name, Kind::Sound, bytes_max)? {
            (Array::Sound(sample), _) => Ok(sample),
            _ => Err(Failure::Lied.fault(name, Kind::Sound)),
        }
    }
}

impl Failure {
    fn fault(&self, name: &str, kind: Kind) -> ScriptFault {
        let again = "save it again, with another program";
        let (problem, remedy) = match (self, kind) {
            (Self::TooLarge, Kind::Image) => (
                format!("is too much: all images have at most {} million pixels", PIXELS_MAX >> 20),
                "save them smaller; a screen has two million",
            ),
            (Self::TooLarge, Kind::Sound) => (
                format!("is too much: all sounds take at most {} MiB, 174 s at 48 kHz", SAMPLES_MAX >> 20),
                "cut them shorter, or save them at a lower rate",
            ),
            (Self::Wrong(why), Kind::Image) => (
                format!("is not an image that can be shown ({why})"),
                "save it again as PNG, JPEG or WebP, at most 4096 pixels a side",
            ),
            (Self::Wrong(why), Kind::Sound) => (
                format!("is not a sound that can be played ({why})"),
                "save it again as WAV, FLAC, MP3 or Ogg Vorbis, of 4 to 192 kHz and at most 8 channels",
            ),
            (Self::Ended, _) => ("ends the process that decodes it".into(), again),
            (Self::Hung(after), _) => (format!("is not decoded after {} s", after.as_secs_f64()), again),
            (Self::Lied, _) => ("is decoded to something that cannot be".into(), again),
            (Self::Absent(why), _) => (format!("is not decoded: its process does not start ({why})"), "try again"),
            (Self::Unjailed(missing), _) => (format!("is not decoded: its process is {missing}"), jail::REMEDY),
        };
        ScriptFault::new(name, problem, remedy)
    }
}
