//! Bounded parser for one datagram of Open Sound Control: bundles here, plain messages by rosc.
//!
//! rosc descends into nested bundles and arrays without a limit and silently ends a bundle at the first unreadable
//! element. So bundles are parsed here, to a limited depth, and rosc only ever sees one plain message. A packet is
//! accepted as a whole or not at all.

use rosc::{OscMessage, OscPacket, OscType};
use std::collections::VecDeque;
use std::time::Duration;

/// Deepest nesting, of bundles in bundles and of arrays in arrays.
pub const DEPTH_MAX: usize = 8;
/// Most messages in one packet.
pub const MESSAGES_MAX: usize = 2_048;
/// Most arguments of one message.
const ARGUMENTS_MAX: usize = 1_024;
/// Most types of a message that appear in the log.
const TYPES_MAX: usize = 16;
/// Most lines that a source writes to the log about refused packets.
const LOG_LINES_MAX: usize = 16;
/// Start of a bundle; eight bytes of time follow.
const BUNDLE_TAG: &[u8] = b"#bundle\0";
const TIMETAG_BYTES: usize = 8;

/// The packet is not Open Sound Control, or exceeds the limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MalformedOsc;

/// Returns all messages of a packet in order, from all bundles; times of bundles are ignored.
pub fn decode(bytes: &[u8]) -> Result<Vec<OscMessage>, MalformedOsc> {
    let mut messages = Vec::new();
    decode_element(bytes, 0, &mut messages)?;
    Ok(messages)
}

fn decode_element(bytes: &[u8], depth: usize, messages: &mut Vec<OscMessage>) -> Result<(), MalformedOsc> {
    if bytes.is_empty() || !bytes.len().is_multiple_of(4) {
        return Err(MalformedOsc);
    }
    let Some(inside) = bytes.strip_prefix(BUNDLE_TAG) else {
        messages.push(decode_message(bytes)?);
        return if messages.len() > MESSAGES_MAX { Err(MalformedOsc) } else { Ok(()) };
    };
    if depth == DEPTH_MAX {
        return Err(MalformedOsc);
    }
    let mut left = inside.get(TIMETAG_BYTES..).ok_or(MalformedOsc)?;
    while !left.is_empty() {
        let (size, after) = left.split_first_chunk().ok_or(MalformedOsc)?;
        let size = usize::try_from(u32::from_be_bytes(*size)).map_err(|_| MalformedOsc)?;
        let (element, after) = after.split_at_checked(size).ok_or(MalformedOsc)?;
        decode_element(element, depth + 1, messages)?;
        left = after;
    }
    Ok(())
}

/// Decodes a message that is not a bundle.
fn decode_message(bytes: &[u8]) -> Result<OscMessage, MalformedOsc> {
    let tags = bytes.get(padded_len(bytes)?..).ok_or(MalformedOsc)?;
    let end = tags.iter().position(|byte| *byte == 0).ok_or(MalformedOsc)?;
    if end > ARGUMENTS_MAX {
        return Err(MalformedOsc);
    }
    let mut depth = 0_usize;
    for tag in &tags[..end] {
        match tag {
            b'[' => depth += 1,
            b']' => depth = depth.checked_sub(1).ok_or(MalformedOsc)?,
            _ => {}
        }
        if depth > DEPTH_MAX {
            return Err(MalformedOsc);
        }
    }
    match rosc::decoder::decode_udp(bytes) {
        Ok((_, OscPacket::Message(message))) if depth == 0 => Ok(message),
        _ => Err(MalformedOsc),
    }
}

/// Returns the length of the text at the start, with its end and padding.
fn padded_len(bytes: &[u8]) -> Result<usize, MalformedOsc> {
    let end = bytes.iter().position(|byte| *byte == 0).ok_or(MalformedOsc)?;
    Ok((end + 1).next_multiple_of(4))
}

/// Returns a number of any width, if it is finite.
pub(super) fn float_arg(argument: Option<&OscType>) -> Option<f32> {
    let number = match argument? {
        OscType::Float(number) => *number,
        OscType::Double(number) => *number as f32,
        OscType::Int(number) => *number as f32,
        OscType::Long(number) => *number as f32,
        _ => return None,
    };
    number.is_finite().then_some(number)
}

/// Returns a 32-bit integer. Many programs, TouchOSC and most patches among them, send all numbers as floats.
pub(super) fn int_arg(argument: Option<&OscType>) -> Option<i32> {
    let whole = |number: f64| (number.fract() == 0.0 && number.abs() < f64::from(i32::MAX)).then_some(number as i32);
    match argument? {
        OscType::Int(number) => Some(*number),
        OscType::Long(number) => i32::try_from(*number).ok(),
        OscType::Float(number) => whole(f64::from(*number)),
        OscType::Double(number) => whole(*number),
        _ => None,
    }
}

/// Returns the types of a message's arguments as OSC writes them, such as `,sff`.
pub(super) fn type_tags(message: &OscMessage) -> String {
    let letter = |argument: &OscType| match argument {
        OscType::Int(_) => 'i',
        OscType::Float(_) => 'f',
        OscType::String(_) => 's',
        OscType::Blob(_) => 'b',
        OscType::Time(_) => 't',
        OscType::Long(_) => 'h',
        OscType::Double(_) => 'd',
        OscType::Char(_) => 'c',
        OscType::Color(_) => 'r',
        OscType::Midi(_) => 'm',
        OscType::Bool(true) => 'T',
        OscType::Bool(false) => 'F',
        OscType::Array(_) => 'a',
        OscType::Nil => 'N',
        OscType::Inf => 'I',
    };
    std::iter::once(',').chain(message.args.iter().take(TYPES_MAX).map(letter)).collect()
}

/// Lines for the log about refused packets: each once, up to a limit.
#[derive(Debug, Default)]
pub struct DedupLog {
    seen: Vec<String>,
    new: Vec<String>,
}

impl DedupLog {
    /// Adds a line, unless it was added before or the limit is reached.
    pub fn push(&mut self, line: String) {
        if self.seen.len() < LOG_LINES_MAX && !self.seen.contains(&line) {
            self.seen.push(line.clone());
            self.new.push(line);
        }
    }

    /// Returns the lines added since the last call.
    pub fn drain(&mut self) -> Vec<String> {
        std::mem::take(&mut self.new)
    }
}

/// Counts of refused input since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RefusedCounts {
    /// Packets that could not be read.
    pub malformed: u64,
    /// Frames older than the last one of their source.
    pub stale: u64,
    /// Packets of senders that are not allowed, or of more sources than the limit.
    pub not_allowed: u64,
    /// Messages, or packets, beyond the limit per second.
    pub rate_limited: u64,
}

/// Rate limiter over a sliding second.
#[derive(Debug)]
pub struct RateLimiter {
    per_second: usize,
    /// Times of the last accepted messages.
    recent: VecDeque<Duration>,
}

impl RateLimiter {
    /// Creates a limiter that accepts `most` per second.
    pub fn new(most: usize) -> Self {
        Self { per_second: most, recent: VecDeque::new() }
    }

    /// Returns whether one more may pass at `now`.
    pub fn allow(&mut self, now: Duration) -> bool {
        while self.recent.front().is_some_and(|at| now.saturating_sub(*at) >= Duration::from_secs(1)) {
            self.recent.pop_front();
        }
        let free = self.recent.len() < self.per_second;
        if free {
            self.recent.push_back(now);
        }
        free
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rosc::{OscBundle, OscTime, encoder};

    fn bundle(content: Vec<OscPacket>) -> OscPacket {
        OscPacket::Bundle(OscBundle { timetag: OscTime { seconds: 0, fractional: 1 }, content })
    }

    fn plain(args: Vec<OscType>) -> OscPacket {
        OscPacket::Message(OscMessage { addr: "/a".into(), args })
    }

    fn nested(depth: usize) -> Vec<u8> {
        let packet = (0..depth).fold(plain(vec![OscType::Int(7)]), |inner, _| bundle(vec![inner]));
        encoder::encode(&packet).expect("it can be written")
    }

    #[test]
    fn bundles_are_walked_to_a_depth() {
        for depth in 0..=DEPTH_MAX {
            assert_eq!(decode(&nested(depth)).map(|messages| messages.len()), Ok(1), "{depth}");
        }
        assert_eq!(decode(&nested(DEPTH_MAX + 1)), Err(MalformedOsc));
        assert_eq!(decode(&nested(3_000)), Err(MalformedOsc));
    }

    #[test]
    fn arrays_are_let_in_to_a_depth() {
        let nested = |depth: usize| {
            let mut bytes = b"/a\0\0,".to_vec();
            bytes.extend(std::iter::repeat_n(b'[', depth));
            bytes.extend(std::iter::repeat_n(b']', depth));
            bytes.resize((bytes.len() + 1).next_multiple_of(4), 0);
            decode(&bytes).is_ok()
        };
        assert!(nested(0) && nested(DEPTH_MAX));
        assert!(!nested(DEPTH_MAX + 1) && !nested(20_000));
        assert!(decode(b"/a\0\0,[]]\0\0\0\0").is_err() && decode(b"/a\0\0,[\0\0").is_err());
    }

    #[test]
    fn a_packet_that_ends_early_is_not_taken_in_part() {
        let whole = encoder::encode(&bundle(vec![plain(vec![OscType::Int(1)]), plain(vec![OscType::Int(2)])]));
        let whole = whole.expect("it can be written");
        assert_eq!(decode(&whole).map(|messages| messages.len()), Ok(2));
        for end in 17..whole.len() {
            // This is the only place where a bundle of one message could end.
            let good = end == 16 + 4 + 12;
            assert_eq!(decode(&whole[..end]).is_ok(), good, "{end}");
        }
    }

    #[test]
    fn too_many_messages_or_arguments_are_refused() {
        let many = |count| encoder::encode(&bundle(vec![plain(vec![]); count])).expect("it can be written");
        assert!(decode(&many(MESSAGES_MAX)).is_ok());
        assert!(decode(&many(MESSAGES_MAX + 1)).is_err());
        let long = |count| encoder::encode(&plain(vec![OscType::Bool(true); count])).expect("it can be written");
        assert!(decode(&long(1_000)).is_ok() && decode(&long(2_000)).is_err());
    }

    #[test]
    fn no_second_lets_more_through_than_the_limit() {
        let mut limit = RateLimiter::new(100);
        let passed: Vec<u64> = (0..5_000).filter(|ms| limit.allow(Duration::from_millis(*ms))).collect();
        assert_eq!(passed.len(), 500);
        assert!(passed.windows(101).all(|window| window[100] - window[0] >= 1_000));
    }
}
