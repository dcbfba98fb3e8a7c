//! Typed frames of `moongate/1`. Any input bytes decode to frames or to an error.

use super::pieces::{Have, Piece};
use moongate_core::escape::strip_controls;
pub use moongate_core::limits::{DATA_MAX, NAME_MAX};
use moongate_core::presence::{Point, PointerKind, Touch};
use moongate_core::wire::{WireError, WireReader, WireWrite};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Longest silence by default, and the longest that a sender may announce, in milliseconds.
pub(super) const PAUSE_MS: u32 = 125;
pub(super) const PAUSE_MAX_MS: u32 = 2_000;

const HEADER: u8 = 0;
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
const SHARED_STATE: u8 = 11;
const SHARED_STATE_ACK: u8 = 12;

/// Introduction of a site. Its key is known from the handshake; this is for people and for compatibility.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerHello {
    /// Lowest protocol version that the site supports.
    pub oldest: u8,
    /// Highest protocol version that the site supports.
    pub newest: u8,
    /// Random number of this start of its show.
    pub boot: u64,
    /// Additional capabilities, one bit each; none is defined yet.
    pub capabilities: u64,
    /// Slug of its city.
    pub city: String,
    /// Display name of the site.
    pub name: String,
}

/// Event at a site, delivered to its twin in order and once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum SiteEvent {
    /// A touch began.
    Down(Touch),
    /// A touch ended.
    Up(Touch),
    /// A scene sends a signal to its other half.
    Signal {
        /// Name, at most [`NAME_MAX`] bytes.
        name: String,
        /// JSON, at most [`DATA_MAX`] bytes.
        data: String,
    },
    /// People of both cities meet; proposed by the leading site.
    Meet {
        /// Time at which both sites show it, by the receiver's clock.
        at: Duration,
        /// Place, in canvas units.
        place: Point,
    },
    /// Event of a newer version; counted and otherwise ignored.
    Unknown,
}

/// Event with its number and the sender's time.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct EventEnvelope {
    pub number: u64,
    pub made: Duration,
    pub event: SiteEvent,
}

/// Reason for which a site ends a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goodbye {
    /// The show ends.
    Closing,
    /// More events were waiting than are kept.
    Overwhelmed,
}

/// Frame between two sites.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum LinkFrame<'a> {
    /// First frame of each datagram: the shortened boots of sender and receiver (0 while unknown), and the sender's
    /// longest silence until its next datagram, in milliseconds.
    Header {
        from: u32,
        to: u32,
        pause: u32,
    },
    Hello(PeerHello),
    Showing {
        installation: String,
        schema_hash: u64,
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
    Presence(WireReader<'a>),
    /// Events. No event below `oldest` will ever be sent again.
    Events {
        oldest: u64,
        events: Vec<EventEnvelope>,
    },
    /// Acknowledges all events below `next`, and those after it whose bit is set.
    Ack {
        next: u64,
        later: u64,
    },
    Goodbye(Goodbye),
    Have(Have),
    /// Shared state of the sender, as JSON; a higher number is newer.
    SharedState {
        number: u64,
        data: String,
    },
    /// Acknowledges the shared state of this number.
    SharedStateAck {
        number: u64,
    },
    Piece(Piece<'a>),
    /// Frame of an unknown type.
    Skipped,
}

/// Reads JSON without control characters. They would have to be escaped, six times as long, when it is passed on.
fn read_json(from: &mut WireReader) -> Result<String, WireError> {
    let text = from.text(DATA_MAX)?;
    if text.bytes().any(|byte| byte < 0x20) { Err(WireError::InvalidText) } else { Ok(text.to_owned()) }
}

fn read_micros(from: &mut WireReader) -> Result<Duration, WireError> {
    Ok(Duration::from_micros(from.varint()?))
}

fn put_micros(out: &mut Vec<u8>, time: Duration) {
    out.put_varint(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
}

impl EventEnvelope {
    fn encode(&self, out: &mut Vec<u8>) {
        let mut inner = Vec::with_capacity(32);
        inner.put_varint(self.number);
        put_micros(&mut inner, self.made);
        match &self.event {
            SiteEvent::Down(touch) => put_touch(&mut inner, 1, touch),
            SiteEvent::Up(touch) => put_touch(&mut inner, 2, touch),
            SiteEvent::Signal { name, data } => {
                inner.put_u8(3);
                inner.put_text(name);
                inner.put_text(data);
            }
            SiteEvent::Meet { at, place } => {
                inner.put_u8(4);
                put_micros(&mut inner, *at);
                put_point(&mut inner, *place);
            }
            SiteEvent::Unknown => inner.put_u8(0),
        }
        out.put_varint(inner.len() as u64);
        out.extend_from_slice(&inner);
    }

    fn decode(from: &mut WireReader) -> Result<Self, WireError> {
        let size = from.count(from.remaining())?;
        let mut from = WireReader::new(from.bytes(size)?);
        let number = from.varint()?;
        let made = read_micros(&mut from)?;
        let what = match from.u8()? {
            1 => SiteEvent::Down(read_touch(&mut from)?),
            2 => SiteEvent::Up(read_touch(&mut from)?),
            3 => SiteEvent::Signal { name: from.text(NAME_MAX)?.to_owned(), data: read_json(&mut from)? },
            4 => SiteEvent::Meet { at: read_micros(&mut from)?, place: read_point(&mut from)? },
            _ => SiteEvent::Unknown,
        };
        Ok(Self { number, made, event: what })
    }
}

fn put_touch(out: &mut Vec<u8>, kind: u8, touch: &Touch) {
    out.put_u8(kind);
    out.put_varint(u64::from(touch.id));
    put_point(out, touch.at);
    out.put_u8(touch.kind as u8);
}

fn put_point(out: &mut Vec<u8>, point: Point) {
    point.into_iter().for_each(|axis| out.put_u32(axis.to_bits()));
}

fn read_point(from: &mut WireReader) -> Result<Point, WireError> {
    let point = [f32::from_bits(from.u32()?), f32::from_bits(from.u32()?)];
    if point.iter().all(|axis| axis.is_finite() && axis.abs() < 1e5) { Ok(point) } else { Err(WireError::OutOfRange) }
}

fn read_touch(from: &mut WireReader) -> Result<Touch, WireError> {
    let id = u32::try_from(from.varint()?).map_err(|_| WireError::OutOfRange)?;
    let at = read_point(from)?;
    Ok(Touch { id, at, kind: PointerKind::from_code(from.u8()?) })
}

impl<'a> LinkFrame<'a> {
    /// Appends this frame. Presence parts are appended unchanged, by [`put_presence`].
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut inner = Vec::with_capacity(64);
        let kind = match self {
            Self::Header { from, to, pause } => {
                inner.put_u32(*from);
                inner.put_u32(*to);
                // The default is omitted; the first release had no such field.
                if *pause != PAUSE_MS {
                    inner.put_varint(u64::from(*pause));
                }
                HEADER
            }
            Self::Hello(hello) => {
                inner.put_u8(hello.oldest);
                inner.put_u8(hello.newest);
                inner.put_u64(hello.boot);
                inner.put_varint(hello.capabilities);
                inner.put_text(&hello.city);
                inner.put_text(&hello.name);
                HELLO
            }
            Self::Showing { installation, schema_hash: declarations } => {
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
                inner.put_varint(*oldest);
                for event in events {
                    event.encode(&mut inner);
                }
                EVENTS
            }
            Self::Ack { next, later } => {
                inner.put_varint(*next);
                inner.put_varint(*later);
                ACK
            }
            Self::Goodbye(why) => {
                inner.put_u8(*why as u8);
                GOODBYE
            }
            Self::SharedState { number, data } => {
                inner.put_varint(*number);
                inner.put_text(data);
                SHARED_STATE
            }
            Self::SharedStateAck { number } => {
                inner.put_varint(*number);
                SHARED_STATE_ACK
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

    /// Decodes the next frame of a datagram; `None` at its end.
    pub fn decode(datagram: &mut WireReader<'a>) -> Result<Option<Self>, WireError> {
        let Some((kind, mut from)) = datagram.frame()? else { return Ok(None) };
        let from = &mut from;
        // Bytes after the known fields of a frame belong to a newer version and are skipped with it.
        Ok(Some(match kind {
            HEADER => {
                let (from_boot, to) = (from.u32()?, from.u32()?);
                let pause = if from.remaining() > 0 {
                    from.varint()?.clamp(u64::from(PAUSE_MS), u64::from(PAUSE_MAX_MS)) as u32
                } else {
                    PAUSE_MS
                };
                Self::Header { from: from_boot, to, pause }
            }
            HELLO => Self::Hello(PeerHello {
                oldest: from.u8()?,
                newest: from.u8()?,
                boot: from.u64()?,
                capabilities: from.varint()?,
                city: strip_controls(from.text(NAME_MAX)?),
                name: strip_controls(from.text(NAME_MAX)?),
            }),
            SHOWING => Self::Showing { installation: strip_controls(from.text(NAME_MAX)?), schema_hash: from.u64()? },
            PING => Self::Ping { t0: read_micros(from)? },
            PONG => Self::Pong {
                t0: read_micros(from)?,
                t1: read_micros(from)?,
                t2: read_micros(from)?,
                shared: read_micros(from)?,
            },
            PRESENCE => Self::Presence(from.clone()),
            EVENTS => {
                let oldest = from.varint()?;
                let mut events = Vec::new();
                while from.remaining() > 0 {
                    events.push(EventEnvelope::decode(from)?);
                }
                Self::Events { oldest, events }
            }
            ACK => Self::Ack { next: from.varint()?, later: from.varint()? },
            GOODBYE => Self::Goodbye(match from.u8()? {
                1 => Goodbye::Overwhelmed,
                _ => Goodbye::Closing,
            }),
            SHARED_STATE => Self::SharedState { number: from.varint()?, data: read_json(from)? },
            SHARED_STATE_ACK => Self::SharedStateAck { number: from.varint()? },
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

/// Returns the maximum bytes of an event within a frame of events.
pub(super) fn event_size(event: &EventEnvelope) -> usize {
    let mut out = Vec::with_capacity(64);
    event.encode(&mut out);
    out.len()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Returns one frame of each type, with every field set. `tests/wire` holds their bytes.
    pub fn samples() -> Vec<LinkFrame<'static>> {
        let touch = Touch { id: 7, at: [960.5, 12.25], kind: PointerKind::Reach };
        let event = |number, what| EventEnvelope { number, made: Duration::from_micros(123_456), event: what };
        vec![
            LinkFrame::Header { from: 0xdead_beef, to: 0x0102_0304, pause: PAUSE_MS },
            LinkFrame::Hello(PeerHello {
                oldest: 1,
                newest: 1,
                boot: 0x0123_4567_89ab_cdef,
                capabilities: 5,
                city: "saint-etienne".into(),
                name: "Place Jean-Jaurès".into(),
            }),
            LinkFrame::Showing { installation: "ripples".into(), schema_hash: 42 },
            LinkFrame::Ping { t0: Duration::from_micros(1) },
            LinkFrame::Pong {
                t0: Duration::from_micros(1),
                t1: Duration::from_micros(300),
                t2: Duration::from_micros(40_000),
                shared: Duration::from_secs(86_400),
            },
            LinkFrame::Events {
                oldest: 3,
                events: vec![
                    event(3, SiteEvent::Down(touch)),
                    event(4, SiteEvent::Up(touch)),
                    event(5, SiteEvent::Signal { name: "bell".into(), data: "{\"x\":1}".into() }),
                ],
            },
            LinkFrame::Ack { next: 9, later: 0b101 },
            LinkFrame::Goodbye(Goodbye::Closing),
        ]
    }

    /// Returns the frames that were added to version 1 later; older sites skip them.
    fn later_samples() -> Vec<LinkFrame<'static>> {
        use super::super::pieces::{HaveEntry, WriterRef};
        let (speaker, other) =
            (WriterRef { of_sender: true, store: 77 }, WriterRef { of_sender: false, store: 1 << 60 });
        let known = vec![
            HaveEntry { writer: speaker, next: 300, pieces: vec![(300, 0b101), (364, 1)] },
            HaveEntry { writer: other, next: 0, pieces: vec![] },
        ];
        let meet = SiteEvent::Meet { at: Duration::from_micros(654_321), place: [12.5, 900.0] };
        vec![
            LinkFrame::Events {
                oldest: 6,
                events: vec![EventEnvelope { number: 6, made: Duration::from_micros(5), event: meet }],
            },
            LinkFrame::Have(Have { log: 0x0123_4567_89ab_cdef, asks: true, part: 0, parts: 1, entries: known }),
            LinkFrame::Piece(Piece {
                log: 0x0123_4567_89ab_cdef,
                writer: other,
                first: 64,
                oldest: 3,
                size: 965,
                index: 1,
                sent: Duration::from_micros(9_000_001),
                age: Duration::from_millis(40),
                bytes: b"marks",
            }),
            LinkFrame::SharedState { number: 4, data: "{\"tide\":0.5}".into() },
            LinkFrame::SharedStateAck { number: 4 },
        ]
    }

    /// The bytes of version 1 decode forever. `MOONGATE_BLESS=1` rewrites them, for a new version only.
    #[test]
    fn the_bytes_of_version_1_stay() {
        stay(samples(), "link-1.bin");
        stay(later_samples(), "link-1-together.bin");
    }

    fn stay(samples: Vec<LinkFrame>, name: &str) {
        let mut bytes = Vec::new();
        for frame in &samples {
            frame.encode(&mut bytes);
        }
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/wire").join(name);
        if std::env::var_os("MOONGATE_BLESS").is_some() {
            std::fs::write(&file, &bytes).expect("the tree can be written");
        }
        let kept = std::fs::read(&file).expect("tests/wire is in the repository");
        let mut reader = WireReader::new(&kept);
        for frame in samples {
            assert_eq!(LinkFrame::decode(&mut reader), Ok(Some(frame)));
        }
        assert_eq!(bytes, kept, "what we send now is what version 1 sent");
    }

    #[test]
    fn a_longer_pause_is_said_within_bounds() {
        for (said, heard) in [(PAUSE_MS, PAUSE_MS), (1_000, 1_000), (3, PAUSE_MS), (u32::MAX, PAUSE_MAX_MS)] {
            let mut bytes = Vec::new();
            LinkFrame::Header { from: 1, to: 2, pause: said }.encode(&mut bytes);
            let read = LinkFrame::decode(&mut WireReader::new(&bytes));
            assert_eq!(read, Ok(Some(LinkFrame::Header { from: 1, to: 2, pause: heard })));
        }
    }

    #[test]
    fn an_unknown_frame_is_skipped() {
        let mut bytes = Vec::new();
        bytes.put_frame(200, b"from the future");
        LinkFrame::Ack { next: 1, later: 0 }.encode(&mut bytes);
        let mut reader = WireReader::new(&bytes);
        assert_eq!(LinkFrame::decode(&mut reader), Ok(Some(LinkFrame::Skipped)));
        assert_eq!(LinkFrame::decode(&mut reader), Ok(Some(LinkFrame::Ack { next: 1, later: 0 })));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..1300)) {
            let mut reader = WireReader::new(&bytes);
            while let Ok(Some(_)) = LinkFrame::decode(&mut reader) {}
        }

        #[test]
        fn broken_frames_never_panic(place in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut bytes = Vec::new();
            for frame in samples().into_iter().chain(later_samples()) {
                frame.encode(&mut bytes);
            }
            let at = place.index(bytes.len());
            bytes[at] = byte;
            let mut reader = WireReader::new(&bytes);
            while let Ok(Some(_)) = LinkFrame::decode(&mut reader) {}
        }
    }
}
