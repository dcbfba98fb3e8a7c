//! The frames of `moongate/1`, typed; whatever bytes come in, they become these or an error.

use super::pieces::{Have, Piece};
use crate::escape::plain;
use crate::presence::{By, Point, Touch};
use crate::wire::{Reader, WireError, Write};
use std::time::Duration;

/// Most bytes in a signal's name, or in any other name on the link.
pub const NAME_MAX: usize = 64;
/// Most bytes in a signal's data; an event always fits into one datagram.
pub const DATA_MAX: usize = 800;

/// Milliseconds of silence that are usual at most, and that anyone may ask for.
pub(super) const PAUSE: u32 = 125;
pub(super) const PAUSE_MAX: u32 = 2_000;

const BETWEEN: u8 = 0;
const HELLO: u8 = 1;
const SHOWING: u8 = 2;
const PING: u8 = 3;
const PONG: u8 = 4;
const PRESENCE: u8 = 5;
const EVENTS: u8 = 6;
const ACK: u8 = 7;
const GOODBYE: u8 = 8;
const HAVE: u8 = 9;
const PIECE: u8 = 10;
const SHARE: u8 = 11;
const SHARED: u8 = 12;

/// Who a site says it is. Its key is known from the handshake; this is for people and for compatibility.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// Lowest version of the protocol that it speaks.
    pub oldest: u8,
    /// Highest version of the protocol that it speaks.
    pub newest: u8,
    /// Random at each start of its show.
    pub boot: u64,
    /// What else it can do, a bit each; none is defined yet.
    pub capabilities: u64,
    /// Slug of its city.
    pub city: String,
    /// What its people call it.
    pub name: String,
}

/// One thing that happened at a site, told to its twin in order and once.
#[derive(Debug, Clone, PartialEq)]
pub enum Happening {
    /// A touch began.
    Down(Touch),
    /// A touch ended.
    Up(Touch),
    /// A scene speaks to its other half.
    Signal {
        /// At most [`NAME_MAX`] bytes.
        name: String,
        /// JSON, at most [`DATA_MAX`] bytes.
        data: String,
    },
    /// People of both cities meet: the leading site proposes it.
    Meet {
        /// When both are to see it, by the receiver's clock.
        at: Duration,
        /// Where, in canvas units.
        place: Point,
    },
    /// From a newer site; it is counted and otherwise ignored.
    Unknown,
}

/// A happening with its number and the sender's time.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Event {
    pub number: u64,
    pub made: Duration,
    pub what: Happening,
}

/// Why a site ends a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goodbye {
    /// Its show ends.
    Closing,
    /// More events were waiting than are kept.
    Overwhelmed,
}

/// Everything that two sites say to each other.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Frame<'a> {
    /// First in each datagram: the boots of sender and receiver (0 while not known), shortened; and how long the sender is
    /// silent at most until the next one, in milliseconds.
    Between {
        from: u32,
        to: u32,
        pause: u32,
    },
    Hello(Hello),
    Showing {
        installation: String,
        declarations: u64,
    },
    Ping {
        t0: Duration,
    },
    /// Times of the four-timestamp exchange, and the sender's shared clock at `t2`.
    Pong {
        t0: Duration,
        t1: Duration,
        t2: Duration,
        shared: Duration,
    },
    Presence(Reader<'a>),
    /// `oldest`: no event below this number will ever come again.
    Events {
        oldest: u64,
        events: Vec<Event>,
    },
    /// All below `next` have come, and those after it whose bit is set.
    Ack {
        next: u64,
        later: u64,
    },
    Goodbye(Goodbye),
    Have(Have),
    /// What the sender says of itself, as JSON; a higher number is newer.
    Share {
        number: u64,
        data: String,
    },
    /// This number of it has come.
    Shared {
        number: u64,
    },
    Piece(Piece<'a>),
    /// Of a type that is not known here.
    Skipped,
}

/// JSON, as far as it matters here: without what has to be escaped in it, and would be six times as long where it is told on.
fn json(from: &mut Reader) -> Result<String, WireError> {
    let text = from.text(DATA_MAX)?;
    if text.bytes().any(|byte| byte < 0x20) { Err(WireError::Text) } else { Ok(text.to_owned()) }
}

fn micros(from: &mut Reader) -> Result<Duration, WireError> {
    Ok(Duration::from_micros(from.var()?))
}

fn put_micros(out: &mut Vec<u8>, time: Duration) {
    out.put_var(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
}

impl Event {
    fn encode(&self, out: &mut Vec<u8>) {
        let mut inner = Vec::with_capacity(32);
        inner.put_var(self.number);
        put_micros(&mut inner, self.made);
        match &self.what {
            Happening::Down(touch) => put_touch(&mut inner, 1, touch),
            Happening::Up(touch) => put_touch(&mut inner, 2, touch),
            Happening::Signal { name, data } => {
                inner.put_u8(3);
                inner.put_text(name);
                inner.put_text(data);
            }
            Happening::Meet { at, place } => {
                inner.put_u8(4);
                put_micros(&mut inner, *at);
                put_point(&mut inner, *place);
            }
            Happening::Unknown => inner.put_u8(0),
        }
        out.put_var(inner.len() as u64);
        out.extend_from_slice(&inner);
    }

    fn decode(from: &mut Reader) -> Result<Self, WireError> {
        let size = from.count(from.left())?;
        let mut from = Reader::new(from.take(size)?);
        let number = from.var()?;
        let made = micros(&mut from)?;
        let what = match from.u8()? {
            1 => Happening::Down(take_touch(&mut from)?),
            2 => Happening::Up(take_touch(&mut from)?),
            3 => Happening::Signal { name: from.text(NAME_MAX)?.to_owned(), data: json(&mut from)? },
            4 => Happening::Meet { at: micros(&mut from)?, place: take_point(&mut from)? },
            _ => Happening::Unknown,
        };
        Ok(Self { number, made, what })
    }
}

fn put_touch(out: &mut Vec<u8>, kind: u8, touch: &Touch) {
    out.put_u8(kind);
    out.put_var(u64::from(touch.id));
    put_point(out, touch.at);
    out.put_u8(touch.by as u8);
}

fn put_point(out: &mut Vec<u8>, point: Point) {
    point.into_iter().for_each(|axis| out.put_u32(axis.to_bits()));
}

fn take_point(from: &mut Reader) -> Result<Point, WireError> {
    let point = [f32::from_bits(from.u32()?), f32::from_bits(from.u32()?)];
    if point.iter().all(|axis| axis.is_finite() && axis.abs() < 1e5) { Ok(point) } else { Err(WireError::Range) }
}

fn take_touch(from: &mut Reader) -> Result<Touch, WireError> {
    let id = u32::try_from(from.var()?).map_err(|_| WireError::Range)?;
    let at = take_point(from)?;
    Ok(Touch { id, at, by: By::from_code(from.u8()?) })
}

impl<'a> Frame<'a> {
    /// Appends this frame. Presence parts are appended as they are, by [`put_presence`].
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut inner = Vec::with_capacity(64);
        let kind = match self {
            Self::Between { from, to, pause } => {
                inner.put_u32(*from);
                inner.put_u32(*to);
                // What is usual need not be said, and was not said at first.
                if *pause != PAUSE {
                    inner.put_var(u64::from(*pause));
                }
                BETWEEN
            }
            Self::Hello(hello) => {
                inner.put_u8(hello.oldest);
                inner.put_u8(hello.newest);
                inner.put_u64(hello.boot);
                inner.put_var(hello.capabilities);
                inner.put_text(&hello.city);
                inner.put_text(&hello.name);
                HELLO
            }
            Self::Showing { installation, declarations } => {
                inner.put_text(installation);
                inner.put_u64(*declarations);
                SHOWING
            }
            Self::Ping { t0 } => {
                put_micros(&mut inner, *t0);
                PING
            }
            Self::Pong { t0, t1, t2, shared } => {
                for time in [t0, t1, t2, shared] {
                    put_micros(&mut inner, *time);
                }
                PONG
            }
            Self::Events { oldest, events } => {
                inner.put_var(*oldest);
                for event in events {
                    event.encode(&mut inner);
                }
                EVENTS
            }
            Self::Ack { next, later } => {
                inner.put_var(*next);
                inner.put_var(*later);
                ACK
            }
            Self::Goodbye(why) => {
                inner.put_u8(*why as u8);
                GOODBYE
            }
            Self::Share { number, data } => {
                inner.put_var(*number);
                inner.put_text(data);
                SHARE
            }
            Self::Shared { number } => {
                inner.put_var(*number);
                SHARED
            }
            Self::Have(have) => {
                have.encode(&mut inner);
                HAVE
            }
            Self::Piece(piece) => {
                piece.encode(&mut inner);
                PIECE
            }
            Self::Presence(_) | Self::Skipped => return,
        };
        out.put_frame(kind, &inner);
    }

    /// The next frame of a datagram; `None` at its end.
    pub fn decode(datagram: &mut Reader<'a>) -> Result<Option<Self>, WireError> {
        let Some((kind, mut from)) = datagram.frame()? else { return Ok(None) };
        let from = &mut from;
        // What follows the known fields of a frame was added by a newer version and is skipped with it.
        Ok(Some(match kind {
            BETWEEN => {
                let (from_boot, to) = (from.u32()?, from.u32()?);
                let pause = if from.left() > 0 {
                    from.var()?.clamp(u64::from(PAUSE), u64::from(PAUSE_MAX)) as u32
                } else {
                    PAUSE
                };
                Self::Between { from: from_boot, to, pause }
            }
            HELLO => Self::Hello(Hello {
                oldest: from.u8()?,
                newest: from.u8()?,
                boot: from.u64()?,
                capabilities: from.var()?,
                city: plain(from.text(NAME_MAX)?),
                name: plain(from.text(NAME_MAX)?),
            }),
            SHOWING => Self::Showing { installation: plain(from.text(NAME_MAX)?), declarations: from.u64()? },
            PING => Self::Ping { t0: micros(from)? },
            PONG => Self::Pong { t0: micros(from)?, t1: micros(from)?, t2: micros(from)?, shared: micros(from)? },
            PRESENCE => Self::Presence(from.clone()),
            EVENTS => {
                let oldest = from.var()?;
                let mut events = Vec::new();
                while from.left() > 0 {
                    events.push(Event::decode(from)?);
                }
                Self::Events { oldest, events }
            }
            ACK => Self::Ack { next: from.var()?, later: from.var()? },
            GOODBYE => Self::Goodbye(match from.u8()? {
                1 => Goodbye::Overwhelmed,
                _ => Goodbye::Closing,
            }),
            SHARE => Self::Share { number: from.var()?, data: json(from)? },
            SHARED => Self::Shared { number: from.var()? },
            HAVE => Self::Have(Have::decode(from)?),
            PIECE => Self::Piece(Piece::decode(from)?),
            _ => Self::Skipped,
        }))
    }
}

/// Appends a part of presence as a frame.
pub(super) fn put_presence(out: &mut Vec<u8>, part: &[u8]) {
    out.put_frame(PRESENCE, part);
}

/// Bytes that an event takes within a frame of events, at most.
pub(super) fn event_size(event: &Event) -> usize {
    let mut out = Vec::with_capacity(64);
    event.encode(&mut out);
    out.len()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// One frame of each type, with every field set: what `tests/wire` keeps the bytes of.
    pub fn samples() -> Vec<Frame<'static>> {
        let touch = Touch { id: 7, at: [960.5, 12.25], by: By::Reach };
        let event = |number, what| Event { number, made: Duration::from_micros(123_456), what };
        vec![
            Frame::Between { from: 0xdead_beef, to: 0x0102_0304, pause: PAUSE },
            Frame::Hello(Hello {
                oldest: 1,
                newest: 1,
                boot: 0x0123_4567_89ab_cdef,
                capabilities: 5,
                city: "saint-etienne".into(),
                name: "Place Jean-Jaurès".into(),
            }),
            Frame::Showing { installation: "ripples".into(), declarations: 42 },
            Frame::Ping { t0: Duration::from_micros(1) },
            Frame::Pong {
                t0: Duration::from_micros(1),
                t1: Duration::from_micros(300),
                t2: Duration::from_micros(40_000),
                shared: Duration::from_secs(86_400),
            },
            Frame::Events {
                oldest: 3,
                events: vec![
                    event(3, Happening::Down(touch)),
                    event(4, Happening::Up(touch)),
                    event(5, Happening::Signal { name: "bell".into(), data: "{\"x\":1}".into() }),
                ],
            },
            Frame::Ack { next: 9, later: 0b101 },
            Frame::Goodbye(Goodbye::Closing),
        ]
    }

    /// What was added to version 1 later: sites from before skip it.
    fn later_samples() -> Vec<Frame<'static>> {
        use super::super::pieces::{Known, Who};
        let (speaker, other) = (Who { speaker: true, store: 77 }, Who { speaker: false, store: 1 << 60 });
        let known = vec![
            Known { who: speaker, next: 300, pieces: vec![(300, 0b101), (364, 1)] },
            Known { who: other, next: 0, pieces: vec![] },
        ];
        let meet = Happening::Meet { at: Duration::from_micros(654_321), place: [12.5, 900.0] };
        vec![
            Frame::Events { oldest: 6, events: vec![Event { number: 6, made: Duration::from_micros(5), what: meet }] },
            Frame::Have(Have { work: 0x0123_4567_89ab_cdef, asks: true, part: 0, parts: 1, known }),
            Frame::Piece(Piece {
                work: 0x0123_4567_89ab_cdef,
                who: other,
                first: 64,
                oldest: 3,
                size: 965,
                index: 1,
                sent: Duration::from_micros(9_000_001),
                age: Duration::from_millis(40),
                bytes: b"marks",
            }),
            Frame::Share { number: 4, data: "{\"tide\":0.5}".into() },
            Frame::Shared { number: 4 },
        ]
    }

    /// The bytes of version 1 decode for ever. `MOONGATE_BLESS=1` writes them anew, for a new version only.
    #[test]
    fn the_bytes_of_version_1_stay() {
        stay(samples(), "link-1.bin");
        stay(later_samples(), "link-1-together.bin");
    }

    fn stay(samples: Vec<Frame>, name: &str) {
        let mut bytes = Vec::new();
        for frame in &samples {
            frame.encode(&mut bytes);
        }
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire").join(name);
        if std::env::var_os("MOONGATE_BLESS").is_some() {
            std::fs::write(&file, &bytes).expect("the tree can be written");
        }
        let kept = std::fs::read(&file).expect("tests/wire is in the repository");
        let mut reader = Reader::new(&kept);
        for frame in samples {
            assert_eq!(Frame::decode(&mut reader), Ok(Some(frame)));
        }
        assert_eq!(bytes, kept, "what we send now is what version 1 sent");
    }

    #[test]
    fn a_longer_pause_is_said_within_bounds() {
        for (said, heard) in [(PAUSE, PAUSE), (1_000, 1_000), (3, PAUSE), (u32::MAX, PAUSE_MAX)] {
            let mut bytes = Vec::new();
            Frame::Between { from: 1, to: 2, pause: said }.encode(&mut bytes);
            let read = Frame::decode(&mut Reader::new(&bytes));
            assert_eq!(read, Ok(Some(Frame::Between { from: 1, to: 2, pause: heard })));
        }
    }

    #[test]
    fn an_unknown_frame_is_skipped() {
        let mut bytes = Vec::new();
        bytes.put_frame(200, b"from the future");
        Frame::Ack { next: 1, later: 0 }.encode(&mut bytes);
        let mut reader = Reader::new(&bytes);
        assert_eq!(Frame::decode(&mut reader), Ok(Some(Frame::Skipped)));
        assert_eq!(Frame::decode(&mut reader), Ok(Some(Frame::Ack { next: 1, later: 0 })));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..1300)) {
            let mut reader = Reader::new(&bytes);
            while let Ok(Some(_)) = Frame::decode(&mut reader) {}
        }

        #[test]
        fn broken_frames_never_panic(place in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut bytes = Vec::new();
            for frame in samples().into_iter().chain(later_samples()) {
                frame.encode(&mut bytes);
            }
            let at = place.index(bytes.len());
            bytes[at] = byte;
            let mut reader = Reader::new(&bytes);
            while let Ok(Some(_)) = Frame::decode(&mut reader) {}
        }
    }
}
