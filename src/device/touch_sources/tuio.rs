//! TUIO 1.1 and 2.0: tables and touch frames that report, frame by frame, which fingers are present and where.
//!
//! Every frame lists the sessions that are alive, so that a lost datagram does no harm: a session that is not listed
//! has lifted, and a listed one is held though it does not move. A frame older than the last one is late and ignored,
//! unless its sender has restarted its count.

use super::InputMapping;
use super::osc_packet::{DedupLog, MalformedOsc, RateLimiter, RefusedCounts, decode, float_arg, int_arg, type_tags};
use super::udp_listener::PacketParser;
use crate::presence::{ContactId, Phase, Point, PointerKind, TOUCH_TIMEOUT, TouchUpdate};
use rosc::{OscMessage, OscType};
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::time::Duration;

/// Most senders at once.
pub const SOURCES_MAX: usize = super::TOUCH_DEVICES as usize;
/// Most fingers, blobs or objects of a sender that are tracked, of each kind.
const FINGERS_MAX: usize = 128;
/// Most packets per second, from all senders together; a table sends 60 to 240.
const PACKETS_A_SECOND: usize = 4_000;
/// Step back in the frame number that means a restarted sender and not a late frame.
const RESTART_GAP: i64 = 100;
/// Pause of a sender after which any step back means a restart.
const RESTART_PAUSE: Duration = Duration::from_secs(1);
/// Fraction of the surface above which a blob is not a fingertip, by width or height: a palm, an arm, a sheet of
/// paper.
const PALM_SIZE: f32 = 0.2;
/// Most letters of a sender's name that are compared.
const NAME_MAX: usize = 64;

/// Profiles that number their frames and sessions independently.
const PROFILES: [&str; 4] = ["/tuio/2Dcur", "/tuio/2Dobj", "/tuio/2Dblb", "/tuio2/"];
/// Index of TUIO 2.0 in [`PROFILES`].
const TUIO2: usize = 3;

/// Parser of TUIO packets: pure.
#[derive(Debug)]
pub struct TuioParser {
    device: u32,
    surface: InputMapping,
    allow: Vec<IpAddr>,
    sources: [Option<TuioSource>; SOURCES_MAX],
    limit: RateLimiter,
    refused: RefusedCounts,
    log: DedupLog,
}

#[derive(Debug)]
struct TuioSource {
    address: SocketAddr,
    /// Its own name; without one, its port distinguishes it from others on the same machine.
    name: Option<String>,
    last_heard: Duration,
    profiles: [ProfileState; PROFILES.len()],
}

#[derive(Debug, Default)]
struct ProfileState {
    /// Number and time of the last frame.
    last_frame: Option<(i32, Duration)>,
    fingers: Vec<TrackedFinger>,
}

#[derive(Debug)]
struct TrackedFinger {
    session: i32,
    at: Point,
    /// True once it was a palm: it makes no touch until it lifts.
    palm: bool,
}

/// One frame of one profile, collected from its messages.
#[derive(Debug, Default)]
struct TuioFrame {
    profile: usize,
    name: Option<String>,
    number: Option<i32>,
    /// Sessions alive, sorted.
    alive: Option<Vec<i32>>,
    positions: Vec<FingerPosition>,
}

#[derive(Debug)]
struct FingerPosition {
    session: i32,
    at: [f32; 2],
    palm: bool,
    /// True for mere bounds; a pointer of the same session has a more exact position.
    bounds: bool,
}

impl TuioParser {
    /// Creates a parser for fingers of `surface` from `allow` only, or from this machine only if `allow` is empty.
    ///
    /// Each sender is a device, numbered from `device`.
    pub fn new(device: u32, surface: InputMapping, allow: Vec<IpAddr>) -> Self {
        let sources = std::array::from_fn(|_| None);
        let (limit, refused, notes) =
            (RateLimiter::new(PACKETS_A_SECOND), RefusedCounts::default(), DedupLog::default());
        Self { device, surface, allow, sources, limit, refused, log: notes }
    }

    fn apply_frame(&mut self, now: Duration, from: SocketAddr, frame: &TuioFrame, words: &mut Vec<TouchUpdate>) {
        let known = |source: &TuioSource| match (&source.name, &frame.name) {
            (Some(known), Some(name)) => known == name && source.address.ip() == from.ip(),
            (None, None) => source.address == from,
            _ => false,
        };
        let at = self.sources.iter().position(|source| source.as_ref().is_some_and(known));
        let Some(index) = at.or_else(|| self.sources.iter().position(Option::is_none)) else {
            self.refused.not_allowed += 1;
            return;
        };
        let source = self.sources[index].get_or_insert_with(|| TuioSource {
            address: from,
            name: frame.name.clone(),
            last_heard: now,
            profiles: Default::default(),
        });
        let contact = |session: i32| contact_of(self.device, index, frame.profile, session);
        let kind = &mut source.profiles[frame.profile];
        match frame_order(now, kind.last_frame, frame) {
            FrameOrder::Late => {
                self.refused.stale += 1;
                return;
            }
            FrameOrder::Restarted => kind.end_fingers(|_| true, contact, words),
            FrameOrder::Next => {}
        }
        source.last_heard = now;
        // A frame without a number is not counted.
        if let Some(number) = frame.number.filter(|number| *number != unnumbered(frame.profile)) {
            kind.last_frame = Some((number, now));
        }
        if let Some(alive) = &frame.alive {
            kind.end_fingers(|finger| alive.binary_search(&finger.session).is_err(), contact, words);
            words.extend(kind.fingers.iter().map(|finger| TouchUpdate::Alive(contact(finger.session))));
        }
        for set in &frame.positions {
            let gone = frame.alive.as_ref().is_some_and(|alive| alive.binary_search(&set.session).is_err());
            if let Some(at) = self.surface.to_canvas(set.at).filter(|_| !gone) {
                kind.update_finger(set, at, contact(set.session), words);
            }
        }
    }
}

impl ProfileState {
    /// Ends the fingers that `which` selects.
    fn end_fingers(
        &mut self,
        which: impl Fn(&TrackedFinger) -> bool,
        contact: impl Fn(i32) -> ContactId,
        words: &mut Vec<TouchUpdate>,
    ) {
        for finger in self.fingers.extract_if(.., |finger| which(finger)).filter(|finger| !finger.palm) {
            words.push(TouchUpdate::Touch(contact(finger.session), Phase::Up, finger.at, PointerKind::Finger));
        }
    }

    fn update_finger(&mut self, set: &FingerPosition, at: Point, contact: ContactId, words: &mut Vec<TouchUpdate>) {
        let mut say = |phase| words.push(TouchUpdate::Touch(contact, phase, at, PointerKind::Finger));
        let full = self.fingers.len() == FINGERS_MAX;
        match self.fingers.iter_mut().find(|finger| finger.session == set.session) {
            Some(finger) if finger.palm => {}
            Some(finger) => {
                if set.palm {
                    say(Phase::Up);
                } else if finger.at != at {
                    say(Phase::Move);
                }
                (finger.at, finger.palm) = (at, set.palm);
            }
            None if !full => {
                if !set.palm {
                    say(Phase::Down);
                }
                self.fingers.push(TrackedFinger { session: set.session, at, palm: set.palm });
            }
            None => {}
        }
    }
}

fn contact_of(device: u32, source: usize, kind: usize, session: i32) -> ContactId {
    (device + source as u32, ((kind as u64) << 32) | u64::from(session.cast_unsigned()))
}

/// Returns the frame number that means an uncounted frame.
fn unnumbered(kind: usize) -> i32 {
    if kind == TUIO2 { 0 } else { -1 }
}

enum FrameOrder {
    Next,
    Late,
    /// The sender restarted its count: its earlier touches are over, even if session numbers are reused.
    Restarted,
}

fn frame_order(now: Duration, last: Option<(i32, Duration)>, frame: &TuioFrame) -> FrameOrder {
    let (Some(number), Some((last, at))) = (frame.number, last) else { return FrameOrder::Next };
    let behind = i64::from(last) - i64::from(number);
    if number == unnumbered(frame.profile) || behind <= 0 {
        FrameOrder::Next
    } else if behind > RESTART_GAP || now.saturating_sub(at) > RESTART_PAUSE {
        FrameOrder::Restarted
    } else {
        FrameOrder::Late
    }
}

/// Returns the frames of a packet. Ignores other messages.
fn parse_frames(messages: &[OscMessage]) -> Result<Vec<TuioFrame>, MalformedOsc> {
    let mut frames = Vec::new();
    let mut open: [Option<TuioFrame>; PROFILES.len()] = Default::default();
    for message in messages {
        let address = message.addr.as_str();
        if let Some(profile) = address.strip_prefix(PROFILES[TUIO2]) {
            parse_tuio2(profile, message, &mut open[TUIO2], &mut frames)?;
        } else if let Some(kind) = PROFILES[..TUIO2].iter().position(|kind| *kind == address) {
            parse_tuio1(kind, message, &mut open[kind], &mut frames)?;
        }
    }
    frames.extend(open.into_iter().flatten());
    frames.retain(|frame| frame.number.is_some() || frame.alive.is_some() || !frame.positions.is_empty());
    Ok(frames)
}

/// Parses a single message on its own.
fn parse_message(message: &OscMessage) -> Result<Vec<TuioFrame>, MalformedOsc> {
    parse_frames(std::slice::from_ref(message))
}

/// Parses a message of TUIO 1.1: its first argument is the command, `fseq` ends the frame.
fn parse_tuio1(
    kind: usize,
    message: &OscMessage,
    open: &mut Option<TuioFrame>,
    frames: &mut Vec<TuioFrame>,
) -> Result<(), MalformedOsc> {
    let Some((OscType::String(what), args)) = message.args.split_first() else { return Err(MalformedOsc) };
    let frame = open.get_or_insert_with(|| TuioFrame { profile: kind, ..TuioFrame::default() });
    match what.as_str() {
        "source" => frame.name = Some(source_name(args.first()).ok_or(MalformedOsc)?),
        "alive" => frame.alive = Some(session_ids(args)?),
        "set" => {
            // 2Dcur: s x y …; 2Dobj: s i x y …; 2Dblb: s x y a w h …
            let x = if kind == 1 { 2 } else { 1 };
            let palm = kind == 2 && is_palm(args.get(4), args.get(5))?;
            frame.set_position(args, x, palm, false)?;
        }
        "fseq" => {
            frame.number = Some(int_arg(args.first()).ok_or(MalformedOsc)?);
            frames.extend(open.take());
        }
        _ => return Err(MalformedOsc),
    }
    Ok(())
}

/// Parses a message of TUIO 2.0: `frm` begins a frame, `alv` ends it.
fn parse_tuio2(
    profile: &str,
    message: &OscMessage,
    open: &mut Option<TuioFrame>,
    frames: &mut Vec<TuioFrame>,
) -> Result<(), MalformedOsc> {
    let args = message.args.as_slice();
    let frame = open.get_or_insert_with(|| TuioFrame { profile: TUIO2, ..TuioFrame::default() });
    match profile {
        "frm" => {
            let number = Some(int_arg(args.first()).ok_or(MalformedOsc)?);
            // The time and the size of the sensor are between number and name; old senders leave some of them out.
            let name = args.iter().find_map(|argument| source_name(Some(argument)));
            let begun = TuioFrame { profile: TUIO2, number, name, ..TuioFrame::default() };
            frames.push(std::mem::replace(frame, begun));
        }
        // s_id tu_id c_id x y …
        "ptr" | "tok" => frame.set_position(args, 3, false, false)?,
        // s_id x y angle width height …
        "bnd" => frame.set_position(args, 1, is_palm(args.get(4), args.get(5))?, true)?,
        "alv" => {
            frame.alive = Some(session_ids(args)?);
            frames.extend(open.take());
        }
        _ => {}
    }
    Ok(())
}

impl TuioFrame {
    /// Sets the position of a session: x and y are at `x` among the arguments.
    fn set_position(&mut self, args: &[OscType], x: usize, palm: bool, bounds: bool) -> Result<(), MalformedOsc> {
        let session = int_arg(args.first()).ok_or(MalformedOsc)?;
        let at = [float_arg(args.get(x)).ok_or(MalformedOsc)?, float_arg(args.get(x + 1)).ok_or(MalformedOsc)?];
        let full = self.positions.len() == FINGERS_MAX;
        match self.positions.iter_mut().find(|set| set.session == session) {
            Some(set) => {
                if !bounds || set.bounds {
                    set.at = at;
                }
                set.palm |= palm;
                set.bounds &= bounds;
            }
            None if !full => self.positions.push(FingerPosition { session, at, palm, bounds }),
            None => {}
        }
        Ok(())
    }
}

fn is_palm(width: Option<&OscType>, height: Option<&OscType>) -> Result<bool, MalformedOsc> {
    let (width, height) = (float_arg(width).ok_or(MalformedOsc)?, float_arg(height).ok_or(MalformedOsc)?);
    Ok(width > PALM_SIZE || height > PALM_SIZE)
}

fn session_ids(args: &[OscType]) -> Result<Vec<i32>, MalformedOsc> {
    let mut sessions = args.iter().map(|id| int_arg(Some(id)).ok_or(MalformedOsc)).collect::<Result<Vec<_>, _>>()?;
    sessions.sort_unstable();
    Ok(sessions)
}

fn source_name(argument: Option<&OscType>) -> Option<String> {
    match argument? {
        OscType::String(name) => Some(name.chars().take(NAME_MAX).collect()),
        _ => None,
    }
}

impl PacketParser for TuioParser {
    const LABEL: &'static str = "touches over TUIO";
    const CONFIG_KEY: &'static str = "touch.tuio";

    fn devices(&self) -> Range<u32> {
        self.device..self.device + SOURCES_MAX as u32
    }

    fn handle_packet(&mut self, now: Duration, from: SocketAddr, bytes: &[u8], words: &mut Vec<TouchUpdate>) {
        let address = from.ip().to_canonical();
        let allowed = if self.allow.is_empty() { address.is_loopback() } else { self.allow.contains(&address) };
        if !allowed {
            self.refused.not_allowed += 1;
            let list: Vec<String> = self.allow.iter().chain([&address]).map(|one| format!("\"{one}\"")).collect();
            let list = list.join(", ");
            self.log.push(format!(
                "{address} may not send; to let it in, write `allow = [{list}]` below its `tuio` in site.toml"
            ));
            return;
        }
        if !self.limit.allow(now) {
            self.refused.rate_limited += 1;
            return;
        }
        let Ok(messages) = decode(bytes) else {
            self.refused.malformed += 1;
            self.log.push(format!("a packet from {address} is not Open Sound Control"));
            return;
        };
        let Ok(frames) = parse_frames(&messages) else {
            self.refused.malformed += 1;
            let first = messages.iter().find(|message| parse_message(message).is_err()).or(messages.first());
            let what = first.map_or_else(String::new, |message| format!("{} {}", message.addr, type_tags(message)));
            self.log.push(format!("{what} from {address} is not TUIO 1.1 or 2.0"));
            return;
        };
        for frame in &frames {
            self.apply_frame(now, SocketAddr::new(address, from.port()), frame, words);
        }
    }

    fn handle_timeout(&mut self, now: Duration, words: &mut Vec<TouchUpdate>) {
        for (index, slot) in self.sources.iter_mut().enumerate() {
            if let Some(mut silent) = slot.take_if(|source| now.saturating_sub(source.last_heard) > TOUCH_TIMEOUT) {
                for (number, kind) in silent.profiles.iter_mut().enumerate() {
                    kind.end_fingers(|_| true, |session| contact_of(self.device, index, number, session), words);
                }
            }
        }
    }

    fn refused_counts(&self) -> RefusedCounts {
        self.refused
    }

    fn drain_log(&mut self) -> Vec<String> {
        self.log.drain()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presence::CanvasRegion;
    use rosc::{OscPacket, encoder};

    fn alive(session: i32) -> Vec<u8> {
        let packet = |what: &str, args: &[OscType]| {
            let args = std::iter::once(OscType::String(what.into())).chain(args.iter().cloned()).collect();
            OscPacket::Message(OscMessage { addr: "/tuio/2Dcur".into(), args })
        };
        let at = [OscType::Int(session), OscType::Float(0.5), OscType::Float(0.5)];
        let time = rosc::OscTime { seconds: 0, fractional: 1 };
        let content = vec![packet("alive", &at[..1]), packet("set", &at), packet("fseq", &[OscType::Int(1)])];
        encoder::encode(&OscPacket::Bundle(rosc::OscBundle { timetag: time, content })).expect("it can be written")
    }

    #[test]
    fn without_a_list_only_this_machine_may_send() {
        let surface = InputMapping::new(CanvasRegion { origin: [0.0; 2], size: [1920.0, 1080.0] }, 0, false);
        let mut words = Vec::new();
        let mut send = |allow: &[&str], from: &str| {
            let allow = allow.iter().map(|one| one.parse().expect("an address")).collect();
            let mut tuio = TuioParser::new(7, surface, allow);
            words.clear();
            tuio.handle_packet(Duration::from_secs(1), from.parse().expect("one"), &alive(3), &mut words);
            (words.len(), tuio.drain_log())
        };
        assert_eq!(send(&[], "127.0.0.1:3333"), (1, vec![]));
        assert_eq!(send(&[], "[::ffff:127.0.0.1]:3333"), (1, vec![]));
        let (taken, notes) = send(&[], "192.168.1.20:3333");
        let line =
            "192.168.1.20 may not send; to let it in, write `allow = [\"192.168.1.20\"]` below its `tuio` in site.toml";
        assert_eq!((taken, notes), (0, vec![line.to_owned()]));
        assert_eq!(send(&["192.168.1.20"], "192.168.1.20:3333").0, 1);
        let (_, notes) = send(&["192.168.1.20"], "192.168.1.21:3333");
        assert!(notes[0].contains("`allow = [\"192.168.1.20\", \"192.168.1.21\"]`"), "{notes:?}");
    }
}
