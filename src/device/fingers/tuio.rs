//! TUIO 1.1 and 2.0: tables and frames that tell, frame by frame, which fingers are there and where.
//!
//! Every frame lists who is alive, so that a lost datagram costs nothing: who is not listed has lifted, who is listed
//! is held though it does not move. A frame older than the last one is late and says nothing, unless its sender
//! began to count anew.

use super::Surface;
use super::listening::Packets;
use super::packet::{Limit, Malformed, Notes, Refused, decode, number, types, whole};
use crate::presence::{By, Contact, FORGOTTEN, Phase, Point, Word};
use rosc::{OscMessage, OscType};
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::time::Duration;

/// Most senders at once.
pub const SOURCES_MAX: usize = super::TOUCH_DEVICES as usize;
/// Most fingers, blobs or things of a sender that are followed, of each kind.
const FINGERS_MAX: usize = 128;
/// Most packets that are taken in a second, from all senders together; a table sends 60 to 240.
const PACKETS_A_SECOND: usize = 4_000;
/// A number this much smaller than the last one is no late frame but a sender that began anew …
const ANEW: i64 = 100;
/// … and so is any smaller one, when nothing was taken from the sender for this long.
const PAUSED: Duration = Duration::from_secs(1);
/// A blob wider or higher than this fraction of the surface is no fingertip: a palm, an arm, a sheet of paper.
const PALM: f32 = 0.2;
/// Most letters of a sender's name that are compared.
const NAME_MAX: usize = 64;

/// The kinds of things that number their frames and sessions apart.
const KINDS: [&str; 4] = ["/tuio/2Dcur", "/tuio/2Dobj", "/tuio/2Dblb", "/tuio2/"];
/// Of them, the one of TUIO 2.0.
const SECOND: usize = 3;

/// What TUIO packets mean: a pure machine.
#[derive(Debug)]
pub struct Tuio {
    device: u32,
    surface: Surface,
    allow: Vec<IpAddr>,
    sources: [Option<Source>; SOURCES_MAX],
    limit: Limit,
    refused: Refused,
    notes: Notes,
}

#[derive(Debug)]
struct Source {
    address: SocketAddr,
    /// What it calls itself; without a name, its port tells it from another on the same machine.
    name: Option<String>,
    heard: Duration,
    kinds: [Kind; KINDS.len()],
}

#[derive(Debug, Default)]
struct Kind {
    /// Number and time of the last frame.
    last: Option<(i32, Duration)>,
    fingers: Vec<Finger>,
}

#[derive(Debug)]
struct Finger {
    session: i32,
    at: Point,
    /// Once a palm, no touch until it lifts.
    palm: bool,
}

/// One frame of one kind, as its messages tell it.
#[derive(Debug, Default)]
struct Frame {
    kind: usize,
    name: Option<String>,
    number: Option<i32>,
    /// Sorted.
    alive: Option<Vec<i32>>,
    set: Vec<Set>,
}

#[derive(Debug)]
struct Set {
    session: i32,
    at: [f32; 2],
    palm: bool,
    /// Only the bounds of something; a pointer of the same session knows better where it is.
    bounds: bool,
}

impl Tuio {
    /// Takes fingers of `surface` from `allow` only, or from this machine only if `allow` is empty. Each sender is a device,
    /// numbered from `device`.
    pub fn new(device: u32, surface: Surface, allow: Vec<IpAddr>) -> Self {
        let sources = std::array::from_fn(|_| None);
        let (limit, refused, notes) = (Limit::new(PACKETS_A_SECOND), Refused::default(), Notes::default());
        Self { device, surface, allow, sources, limit, refused, notes }
    }

    fn apply(&mut self, now: Duration, from: SocketAddr, frame: &Frame, words: &mut Vec<Word>) {
        let known = |source: &Source| match (&source.name, &frame.name) {
            (Some(known), Some(name)) => known == name && source.address.ip() == from.ip(),
            (None, None) => source.address == from,
            _ => false,
        };
        let at = self.sources.iter().position(|source| source.as_ref().is_some_and(known));
        let Some(index) = at.or_else(|| self.sources.iter().position(Option::is_none)) else {
            self.refused.strangers += 1;
            return;
        };
        let source = self.sources[index].get_or_insert_with(|| Source {
            address: from,
            name: frame.name.clone(),
            heard: now,
            kinds: Default::default(),
        });
        let contact = |session: i32| contact(self.device, index, frame.kind, session);
        let kind = &mut source.kinds[frame.kind];
        match order(now, kind.last, frame) {
            Order::Late => {
                self.refused.stale += 1;
                return;
            }
            Order::Anew => kind.end(|_| true, contact, words),
            Order::Next => {}
        }
        source.heard = now;
        // A frame without a number is outside of the count.
        if let Some(number) = frame.number.filter(|number| *number != nameless(frame.kind)) {
            kind.last = Some((number, now));
        }
        if let Some(alive) = &frame.alive {
            kind.end(|finger| alive.binary_search(&finger.session).is_err(), contact, words);
            words.extend(kind.fingers.iter().map(|finger| Word::Heard(contact(finger.session))));
        }
        for set in &frame.set {
            let gone = frame.alive.as_ref().is_some_and(|alive| alive.binary_search(&set.session).is_err());
            if let Some(at) = self.surface.canvas(set.at).filter(|_| !gone) {
                kind.set(set, at, contact(set.session), words);
            }
        }
    }
}

impl Kind {
    /// Ends those of its fingers.
    fn end(&mut self, which: impl Fn(&Finger) -> bool, contact: impl Fn(i32) -> Contact, words: &mut Vec<Word>) {
        for finger in self.fingers.extract_if(.., |finger| which(finger)).filter(|finger| !finger.palm) {
            words.push(Word::Touch(contact(finger.session), Phase::Up, finger.at, By::Finger));
        }
    }

    fn set(&mut self, set: &Set, at: Point, contact: Contact, words: &mut Vec<Word>) {
        let mut say = |phase| words.push(Word::Touch(contact, phase, at, By::Finger));
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
                self.fingers.push(Finger { session: set.session, at, palm: set.palm });
            }
            None => {}
        }
    }
}

fn contact(device: u32, source: usize, kind: usize, session: i32) -> Contact {
    (device + source as u32, ((kind as u64) << 32) | u64::from(session.cast_unsigned()))
}

/// The number of a frame that does not count.
fn nameless(kind: usize) -> i32 {
    if kind == SECOND { 0 } else { -1 }
}

enum Order {
    Next,
    Late,
    /// Its sender began to count anew: what it held before is over, even where the numbers of sessions come again.
    Anew,
}

fn order(now: Duration, last: Option<(i32, Duration)>, frame: &Frame) -> Order {
    let (Some(number), Some((last, at))) = (frame.number, last) else { return Order::Next };
    let behind = i64::from(last) - i64::from(number);
    if number == nameless(frame.kind) || behind <= 0 {
        Order::Next
    } else if behind > ANEW || now.saturating_sub(at) > PAUSED {
        Order::Anew
    } else {
        Order::Late
    }
}

/// The frames of a packet. What else is in it is not ours and does no harm.
fn frames(messages: &[OscMessage]) -> Result<Vec<Frame>, Malformed> {
    let mut frames = Vec::new();
    let mut open: [Option<Frame>; KINDS.len()] = Default::default();
    for message in messages {
        let address = message.addr.as_str();
        if let Some(profile) = address.strip_prefix(KINDS[SECOND]) {
            second(profile, message, &mut open[SECOND], &mut frames)?;
        } else if let Some(kind) = KINDS[..SECOND].iter().position(|kind| *kind == address) {
            first(kind, message, &mut open[kind], &mut frames)?;
        }
    }
    frames.extend(open.into_iter().flatten());
    frames.retain(|frame| frame.number.is_some() || frame.alive.is_some() || !frame.set.is_empty());
    Ok(frames)
}

/// Parses a single message on its own.
fn frames_of(message: &OscMessage) -> Result<Vec<Frame>, Malformed> {
    frames(std::slice::from_ref(message))
}

/// A message of TUIO 1.1: its first argument says what it is, `fseq` ends the frame.
fn first(
    kind: usize,
    message: &OscMessage,
    open: &mut Option<Frame>,
    frames: &mut Vec<Frame>,
) -> Result<(), Malformed> {
    let Some((OscType::String(what), args)) = message.args.split_first() else { return Err(Malformed) };
    let frame = open.get_or_insert_with(|| Frame { kind, ..Frame::default() });
    match what.as_str() {
        "source" => frame.name = Some(name(args.first()).ok_or(Malformed)?),
        "alive" => frame.alive = Some(sessions(args)?),
        "set" => {
            // 2Dcur: s x y …; 2Dobj: s i x y …; 2Dblb: s x y a w h …
            let x = if kind == 1 { 2 } else { 1 };
            let palm = kind == 2 && is_palm(args.get(4), args.get(5))?;
            frame.place(args, x, palm, false)?;
        }
        "fseq" => {
            frame.number = Some(whole(args.first()).ok_or(Malformed)?);
            frames.extend(open.take());
        }
        _ => return Err(Malformed),
    }
    Ok(())
}

/// A message of TUIO 2.0: `frm` begins a frame, `alv` ends it.
fn second(
    profile: &str,
    message: &OscMessage,
    open: &mut Option<Frame>,
    frames: &mut Vec<Frame>,
) -> Result<(), Malformed> {
    let args = message.args.as_slice();
    let frame = open.get_or_insert_with(|| Frame { kind: SECOND, ..Frame::default() });
    match profile {
        "frm" => {
            let number = Some(whole(args.first()).ok_or(Malformed)?);
            // Time and size of the sensor stand between number and name; old senders leave some of them out.
            let name = args.iter().find_map(|argument| name(Some(argument)));
            let begun = Frame { kind: SECOND, number, name, ..Frame::default() };
            frames.push(std::mem::replace(frame, begun));
        }
        // s_id tu_id c_id x y …
        "ptr" | "tok" => frame.place(args, 3, false, false)?,
        // s_id x y angle width height …
        "bnd" => frame.place(args, 1, is_palm(args.get(4), args.get(5))?, true)?,
        "alv" => {
            frame.alive = Some(sessions(args)?);
            frames.extend(open.take());
        }
        _ => {}
    }
    Ok(())
}

impl Frame {
    /// Where a session is: x and y at `x` among the arguments.
    fn place(&mut self, args: &[OscType], x: usize, palm: bool, bounds: bool) -> Result<(), Malformed> {
        let session = whole(args.first()).ok_or(Malformed)?;
        let at = [number(args.get(x)).ok_or(Malformed)?, number(args.get(x + 1)).ok_or(Malformed)?];
        let full = self.set.len() == FINGERS_MAX;
        match self.set.iter_mut().find(|set| set.session == session) {
            Some(set) => {
                if !bounds || set.bounds {
                    set.at = at;
                }
                set.palm |= palm;
                set.bounds &= bounds;
            }
            None if !full => self.set.push(Set { session, at, palm, bounds }),
            None => {}
        }
        Ok(())
    }
}

fn is_palm(width: Option<&OscType>, height: Option<&OscType>) -> Result<bool, Malformed> {
    let (width, height) = (number(width).ok_or(Malformed)?, number(height).ok_or(Malformed)?);
    Ok(width > PALM || height > PALM)
}

fn sessions(args: &[OscType]) -> Result<Vec<i32>, Malformed> {
    let mut sessions = args.iter().map(|id| whole(Some(id)).ok_or(Malformed)).collect::<Result<Vec<_>, _>>()?;
    sessions.sort_unstable();
    Ok(sessions)
}

fn name(argument: Option<&OscType>) -> Option<String> {
    match argument? {
        OscType::String(name) => Some(name.chars().take(NAME_MAX).collect()),
        _ => None,
    }
}

impl Packets for Tuio {
    const WHAT: &'static str = "touches over TUIO";
    const KEY: &'static str = "touch.tuio";

    fn devices(&self) -> Range<u32> {
        self.device..self.device + SOURCES_MAX as u32
    }

    fn take(&mut self, now: Duration, from: SocketAddr, bytes: &[u8], words: &mut Vec<Word>) {
        let address = from.ip().to_canonical();
        let allowed = if self.allow.is_empty() { address.is_loopback() } else { self.allow.contains(&address) };
        if !allowed {
            self.refused.strangers += 1;
            let list: Vec<String> = self.allow.iter().chain([&address]).map(|one| format!("\"{one}\"")).collect();
            let list = list.join(", ");
            self.notes.add(format!(
                "{address} may not send; to let it in, write `allow = [{list}]` below its `tuio` in site.toml"
            ));
            return;
        }
        if !self.limit.pass(now) {
            self.refused.beyond += 1;
            return;
        }
        let Ok(messages) = decode(bytes) else {
            self.refused.malformed += 1;
            self.notes.add(format!("a packet from {address} is not Open Sound Control"));
            return;
        };
        let Ok(frames) = frames(&messages) else {
            self.refused.malformed += 1;
            let first = messages.iter().find(|message| frames_of(message).is_err()).or(messages.first());
            let what = first.map_or_else(String::new, |message| format!("{} {}", message.addr, types(message)));
            self.notes.add(format!("{what} from {address} is not TUIO 1.1 or 2.0"));
            return;
        };
        for frame in &frames {
            self.apply(now, SocketAddr::new(address, from.port()), frame, words);
        }
    }

    fn idle(&mut self, now: Duration, words: &mut Vec<Word>) {
        for (index, slot) in self.sources.iter_mut().enumerate() {
            if let Some(mut silent) = slot.take_if(|source| now.saturating_sub(source.heard) > FORGOTTEN) {
                for (number, kind) in silent.kinds.iter_mut().enumerate() {
                    kind.end(|_| true, |session| contact(self.device, index, number, session), words);
                }
            }
        }
    }

    fn refused(&self) -> Refused {
        self.refused
    }

    fn notes(&mut self) -> Vec<String> {
        self.notes.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presence::View;
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
        let surface = Surface::new(View { origin: [0.0; 2], size: [1920.0, 1080.0] }, 0, false);
        let mut words = Vec::new();
        let mut send = |allow: &[&str], from: &str| {
            let allow = allow.iter().map(|one| one.parse().expect("an address")).collect();
            let mut tuio = Tuio::new(7, surface, allow);
            words.clear();
            tuio.take(Duration::from_secs(1), from.parse().expect("one"), &alive(3), &mut words);
            (words.len(), tuio.notes())
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
