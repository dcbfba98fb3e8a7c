//! Recording of the presence at a site, as shapes, for playback in rehearsal. It never holds images, and it expires.
//!
//! The head is text, so that anyone can read what the file holds and until when it may be kept:
//!
//! ```text
//! moongate recording 1
//! holds shapes and touches, no pictures
//! city shenzhen
//! canvas 1920 1080
//! began 2026-03-07T18:00:00Z
//! expires 2026-04-06T18:00:00Z
//! ```
//!
//! and an empty line. Frames of `wire.rs` follow. A frame of type 1 is one instant: the time since the previous
//! instant in microseconds, then the parts of its presence as on the link, each with its size. Lines and frames with
//! other names belong to a later version and are skipped.

use super::{OutlineDetail, Point, Presence, PresenceAssembler, PresencePart, encode_presence};
use crate::wire::{WireError, WireReader, WireWrite};
use jiff::Timestamp;
use std::time::Duration;
use thiserror::Error;

/// Version of recordings that this engine writes and reads.
pub const API: u32 = 1;
/// Most bytes of a head.
pub const HEADER_MAX: usize = 1_024;
/// Most bytes of one frame's payload.
const FRAME_MAX: usize = 64 << 10;
/// Type of a frame that holds an instant.
const FRAME_KIND: u8 = 1;
/// Longest gap between two instants that is played at its full length: a night at a closed square.
const GAP_MAX: Duration = Duration::from_secs(86_400);
/// Largest side of a canvas, in its units.
const SIDE_MAX: f32 = 65_536.0;
/// Most letters in a city's name.
const CITY_MAX: usize = 64;

/// Head of a recording.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordingHeader {
    /// City of the recording, by its short name.
    pub city: String,
    /// Size of the canvas, in its units.
    pub canvas: Point,
    /// Start of the recording, in seconds since 1970.
    pub began: i64,
    /// Time from which it must not be played any more, in seconds since 1970.
    pub expires: i64,
}

/// Reason why a file is not a playable recording.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RecordingError {
    /// The file is something else.
    #[error("it is not a recording of Moongate; name a file that `moongate record` wrote")]
    NotARecording,
    /// The recording is of a later version.
    #[error("it is of version {0}, and this engine reads {API}; update Moongate on this machine")]
    Newer(u32),
    /// A line is missing or invalid.
    #[error("its line `{0}` is missing or broken; record again")]
    Line(&'static str),
}

impl RecordingHeader {
    /// Returns the head as bytes. Values are clamped to their bounds.
    pub fn encode(&self) -> Vec<u8> {
        let city: String = self.city.chars().filter(|letter| !letter.is_control()).take(CITY_MAX).collect();
        let [width, height] = self.canvas;
        let [began, expires] = [self.began, self.expires].map(format_date);
        format!(
            "moongate recording {API}\nholds shapes and touches, no pictures\ncity {city}\ncanvas {width} {height}\n\
             began {began}\nexpires {expires}\n\n"
        )
        .into_bytes()
    }

    /// Reads a head from the first bytes of a file; returns it with the number of bytes that it took.
    pub fn decode(bytes: &[u8]) -> Result<(Self, usize), RecordingError> {
        let bytes = &bytes[..bytes.len().min(HEADER_MAX)];
        let end = bytes.windows(2).position(|pair| pair == b"\n\n").ok_or(RecordingError::NotARecording)?;
        let text = std::str::from_utf8(&bytes[..end]).map_err(|_| RecordingError::NotARecording)?;
        let mut lines = text.lines();
        let version = lines.next().and_then(|line| line.strip_prefix("moongate recording "));
        match version.and_then(|version| version.parse::<u32>().ok()) {
            Some(API) => {}
            Some(newer) if newer > API => return Err(RecordingError::Newer(newer)),
            _ => return Err(RecordingError::NotARecording),
        }
        let find = |key: &'static str| {
            let mut values = text.lines().filter_map(move |line| line.strip_prefix(key)?.strip_prefix(' '));
            values.next_back().ok_or(RecordingError::Line(key))
        };
        let date = |key: &'static str| {
            let date: Timestamp = find(key)?.parse().map_err(|_| RecordingError::Line(key))?;
            Ok(date.as_second())
        };
        let side = |text: Option<&str>| {
            let side = text?.parse::<f32>().ok()?;
            (1.0..=SIDE_MAX).contains(&side).then_some(side)
        };
        let mut sides = find("canvas")?.split(' ');
        let canvas = side(sides.next()).zip(side(sides.next())).ok_or(RecordingError::Line("canvas"))?;
        let head = Self {
            city: find("city")?.chars().take(CITY_MAX).collect(),
            canvas: [canvas.0, canvas.1],
            began: date("began")?,
            expires: date("expires")?,
        };
        Ok((head, end + 2))
    }

    /// Returns the day and second from which it must not be played, for people.
    pub fn expires_text(&self) -> String {
        format_date(self.expires)
    }
}

/// Formats seconds since 1970 for people.
fn format_date(seconds: i64) -> String {
    let held = seconds.clamp(Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
    Timestamp::from_second(held).unwrap_or_default().to_string()
}

/// Appends one instant: `since` is the time since the previous one.
pub fn put_recorded_frame(out: &mut Vec<u8>, canvas: Point, since: Duration, presence: &Presence) {
    let mut payload = Vec::new();
    payload.put_varint(u64::try_from(since.as_micros()).unwrap_or(u64::MAX));
    for part in encode_presence(presence, canvas, 0, Duration::ZERO, OutlineDetail::for_bodies(presence.bodies.len())) {
        payload.put_varint(part.len() as u64);
        payload.extend_from_slice(&part);
    }
    out.put_frame(FRAME_KIND, &payload);
}

/// One instant of a recording.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedFrame {
    /// Time since the previous instant.
    pub since: Duration,
    /// Presence at that instant.
    pub presence: Presence,
}

/// Reader of instants from bytes that arrive in chunks: everything after the head.
#[derive(Debug)]
pub struct RecordingReader {
    canvas: Point,
    bytes: Vec<u8>,
    read: usize,
}

impl RecordingReader {
    /// Creates a reader without data. `canvas` is that of the head.
    pub fn new(canvas: Point) -> Self {
        Self { canvas, bytes: Vec::new(), read: 0 }
    }

    /// Appends the next bytes.
    ///
    /// Call it only when [`RecordingReader::next`] has no more instants; then the buffer holds at most one frame and
    /// `bytes`.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.read);
        self.read = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// Returns the next instant; `None` if it needs more bytes. After an error nothing more can be read.
    ///
    /// At the end of a file `None` means its end, complete or truncated.
    #[expect(clippy::should_implement_trait, reason = "it can fail, and more may come after `None`")]
    pub fn next(&mut self) -> Result<Option<RecordedFrame>, WireError> {
        loop {
            let left = self.bytes.get(self.read..).unwrap_or_default();
            let mut reader = WireReader::new(left);
            let (kind, size) = match read_frame_header(&mut reader) {
                Ok(head) => head,
                Err(WireError::Truncated) => return Ok(None),
                Err(why) => return Err(why),
            };
            let Ok(payload) = reader.bytes(size) else { return Ok(None) };
            self.read += left.len() - reader.remaining();
            if kind == FRAME_KIND {
                return decode_frame(payload, self.canvas).map(Some);
            }
        }
    }
}

fn read_frame_header(reader: &mut WireReader) -> Result<(u8, usize), WireError> {
    Ok((reader.u8()?, reader.count(FRAME_MAX)?))
}

fn decode_frame(payload: &[u8], canvas: Point) -> Result<RecordedFrame, WireError> {
    let mut reader = WireReader::new(payload);
    let since = Duration::from_micros(reader.varint()?).min(GAP_MAX);
    let mut presence = PresenceAssembler::default();
    while reader.remaining() > 0 {
        let size = reader.count(FRAME_MAX)?;
        presence.push(PresencePart::decode(&mut WireReader::new(reader.bytes(size)?), canvas)?);
    }
    Ok(RecordedFrame { since, presence: presence.presence().clone() })
}
