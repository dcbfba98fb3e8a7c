//! Decoder for the sounds and images of a scene. Their bytes come from strangers, so a process without access to
//! anything decodes them; its replies are validated as well.

mod process;
mod protocol;
mod worker;

pub use worker::serve;

use crate::device::sandbox;
use crate::device::scene_process::SandboxCommand;
use crate::files::{ConfinedDir, FileError, FileStamp};
use crate::mix::AudioBuffer;
use crate::scene::{AssetDecoder, IMAGE_PIXELS_MAX, ImageAsset, SOUND_BYTES_MAX, SceneDiagnostic, SceneRevision};
use process::{DecodeFailure, DecodedMedia, DecoderProcess, TimeLimits};
use protocol::{DecodeRequest, MediaKind};
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// Most CPU time, and most wall-clock time, for one file.
const LIMITS: TimeLimits = [Duration::from_secs(10), Duration::from_secs(60)];

/// Reader of whole folders that starts a process when a sound or an image in them has changed.
#[derive(Debug)]
pub struct Decoder {
    command: SandboxCommand,
    limits: TimeLimits,
    /// Stamps of the files, and their contents at that time.
    stamps: HashMap<String, (FileStamp, ContentKey)>,
    cache: HashMap<ContentKey, CacheEntry>,
}

/// Contents of a file: its extension, and the SHA-256 of its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct ContentKey {
    extension: String,
    hash: [u8; 32],
}

/// Result of decoding a file. Arrays are kept alive by the revisions that hold them.
#[derive(Debug)]
enum CacheEntry {
    Image([u32; 2], Weak<Vec<u8>>),
    Sound(Weak<AudioBuffer>),
    /// Larger than this bound.
    TooLarge(usize),
    Wrong(DecodeFailure),
}

impl Decoder {
    /// Returns a decoder that runs `command` when there is something to decode.
    pub fn new(command: SandboxCommand) -> Self {
        Self { command, limits: LIMITS, stamps: HashMap::new(), cache: HashMap::new() }
    }

    /// Limits the CPU time and the wall-clock time for one file.
    #[must_use]
    pub fn with_limits(self, processor: Duration, wall: Duration) -> Self {
        Self { limits: [processor, wall], ..self }
    }

    /// Reads a folder; see [`SceneRevision::read_decoded`].
    pub fn read(&mut self, dir: &Path) -> Result<SceneRevision, SceneDiagnostic> {
        let mut turn = DecodeSession { decoder: self, process: None, requested: HashSet::new() };
        let edition = SceneRevision::read_decoded(dir, &mut turn)?;
        let DecodeSession { requested: asked, .. } = turn;
        self.stamps.retain(|name, _| asked.contains(name));
        let held: HashSet<&ContentKey> = self.stamps.values().map(|(_, contents)| contents).collect();
        self.cache.retain(|contents, _| held.contains(contents));
        Ok(edition)
    }

    /// Returns the result for a file with these contents, if it is known for a bound of `most`.
    fn cached(&self, contents: &ContentKey, most: usize) -> Option<Result<DecodedMedia, DecodeFailure>> {
        match self.cache.get(contents)? {
            CacheEntry::Image(size, pixels) => Some(Ok(DecodedMedia::Image(*size, pixels.upgrade()?))),
            CacheEntry::Sound(sample) => Some(Ok(DecodedMedia::Sound(sample.upgrade()?))),
            CacheEntry::TooLarge(asked) => (most <= *asked).then_some(Err(DecodeFailure::TooLarge)),
            CacheEntry::Wrong(failure) => Some(Err(failure.clone())),
        }
    }
}

/// One read of a folder. The process that decodes for it ends with it.
struct DecodeSession<'a> {
    decoder: &'a mut Decoder,
    process: Option<DecoderProcess>,
    requested: HashSet<String>,
}

impl DecodeSession<'_> {
    fn load(
        &mut self,
        files: &ConfinedDir,
        name: &str,
        kind: MediaKind,
        most: usize,
    ) -> Result<(DecodedMedia, [u8; 32]), SceneDiagnostic> {
        let unread = |why: FileError| SceneDiagnostic::new(name, why.problem(), why.remedy());
        let file = Path::new(name);
        self.requested.insert(name.to_owned());
        let stamp = files.stat(file).map_err(unread)?;
        let fits = |found: DecodedMedia| {
            if found.size(kind).is_none_or(|size| size > most) { Err(DecodeFailure::TooLarge) } else { Ok(found) }
        };
        let before = self.decoder.stamps.get(name).filter(|(before, _)| *before == stamp);
        if let Some((_, contents)) = before
            && let Some(found) = self.decoder.cached(contents, most)
        {
            return Ok((found.and_then(fits).map_err(|why| why.fault(name, kind))?, contents.hash));
        }
        let bytes = files.read_bytes(file, kind.bytes_max()).map_err(unread)?;
        let ending = file.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
        let mut hash = [0; 32];
        hash.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, &bytes).as_ref());
        let contents = ContentKey { extension: ending, hash };
        self.decoder.stamps.insert(name.to_owned(), (stamp, contents.clone()));
        let found = self.decoder.cached(&contents, most).unwrap_or_else(|| self.decode(kind, &contents, bytes, most));
        Ok((found.and_then(fits).map_err(|why| why.fault(name, kind))?, hash))
    }

    fn decode(
        &mut self,
        kind: MediaKind,
        contents: &ContentKey,
        bytes: Vec<u8>,
        most: usize,
    ) -> Result<DecodedMedia, DecodeFailure> {
        let mut process = match self.process.take() {
            Some(process) => process,
            None => DecoderProcess::start(&self.decoder.command, self.decoder.limits)?,
        };
        let ask =
            DecodeRequest { kind, ending: contents.extension.clone(), most: most as u64, bytes: bytes.len() as u64 };
        let found = process.decode(ask, bytes);
        let known = match &found {
            Ok(DecodedMedia::Image(size, pixels)) => CacheEntry::Image(*size, Arc::downgrade(pixels)),
            Ok(DecodedMedia::Sound(sample)) => CacheEntry::Sound(Arc::downgrade(sample)),
            Err(DecodeFailure::TooLarge) => CacheEntry::TooLarge(most),
            Err(why) => CacheEntry::Wrong(why.clone()),
        };
        // A process that has ended, hangs or lies decodes nothing more; the next file gets another one.
        if !matches!(found, Err(DecodeFailure::Exited | DecodeFailure::TimedOut(_) | DecodeFailure::InvalidReply)) {
            self.process = Some(process);
        }
        self.decoder.cache.insert(contents.clone(), known);
        found
    }
}

impl AssetDecoder for DecodeSession<'_> {
    fn decode_image(
        &mut self,
        files: &ConfinedDir,
        name: &str,
        pixels_max: usize,
    ) -> Result<ImageAsset, SceneDiagnostic> {
        match self.load(files, name, MediaKind::Image, pixels_max)? {
            (DecodedMedia::Image(size, pixels), [a, b, c, d, e, f, g, h, ..]) => Ok(ImageAsset {
                name: name.into(),
                size,
                pixels,
                content_hash: u64::from_le_bytes([a, b, c, d, e, f, g, h]),
            }),
            _ => Err(DecodeFailure::InvalidReply.fault(name, MediaKind::Image)),
        }
    }

    fn decode_sound(
        &mut self,
        files: &ConfinedDir,
        name: &str,
        bytes_max: usize,
    ) -> Result<Arc<AudioBuffer>, SceneDiagnostic> {
        match self.load(files, name, MediaKind::Sound, bytes_max)? {
            (DecodedMedia::Sound(sample), _) => Ok(sample),
            _ => Err(DecodeFailure::InvalidReply.fault(name, MediaKind::Sound)),
        }
    }
}

impl DecodeFailure {
    fn fault(&self, name: &str, kind: MediaKind) -> SceneDiagnostic {
        let again = "save it again, with another program";
        let (problem, remedy) = match (self, kind) {
            (Self::TooLarge, MediaKind::Image) => (
                format!("is too much: all images have at most {} million pixels", IMAGE_PIXELS_MAX >> 20),
                "save them smaller; a screen has two million",
            ),
            (Self::TooLarge, MediaKind::Sound) => (
                format!("is too much: all sounds take at most {} MiB, 174 s at 48 kHz", SOUND_BYTES_MAX >> 20),
                "cut them shorter, or save them at a lower rate",
            ),
            (Self::Undecodable(why), MediaKind::Image) => (
                format!("is not an image that can be shown ({why})"),
                "save it again as PNG, JPEG or WebP, at most 4096 pixels a side",
            ),
            (Self::Undecodable(why), MediaKind::Sound) => (
                format!("is not a sound that can be played ({why})"),
                "save it again as WAV, FLAC, MP3 or Ogg Vorbis, of 4 to 192 kHz and at most 8 channels",
            ),
            (Self::Exited, _) => ("ends the process that decodes it".into(), again),
            (Self::TimedOut(after), _) => (format!("is not decoded after {} s", after.as_secs_f64()), again),
            (Self::InvalidReply, _) => ("is decoded to something that cannot be".into(), again),
            (Self::NotStarted(why), _) => (format!("is not decoded: its process does not start ({why})"), "try again"),
            (Self::NotSandboxed(missing), _) => {
                (format!("is not decoded: its process is {missing}"), sandbox::UNAVAILABLE_HELP)
            }
        };
        SceneDiagnostic::new(name, problem, remedy)
    }
}
