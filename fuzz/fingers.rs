//! Touches: packets of TUIO and OSC, and the events of a touch frame, through the tracker that holds them.

use super::Target;
use super::inputs::{Outcome, join, pieces};
use moongate::device::touch_sources::osc_packet::{MESSAGES_MAX, decode};
use moongate::device::touch_sources::{
    AxisRanges, InputMapping, OscParser, PacketParser, SlotTracker, TuioParser, load_test,
};
use moongate::presence::{CanvasRegion, Phase, Point, TOUCHES_MAX, TouchTracker, TouchUpdate};
use rosc::{OscBundle, OscMessage, OscPacket, OscTime, OscType, encoder};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

const CANVAS: Point = [1920.0, 1080.0];
const WORDS: &[&str] = &[
    "#bundle\0",
    "/tuio/2Dcur\0",
    "/tuio/2Dobj\0",
    "/tuio/2Dblb\0",
    "/tuio2/frm\0\0",
    "/tuio2/ptr\0\0",
    "/tuio2/tok\0\0",
    "/tuio2/bnd\0\0",
    "/tuio2/alv\0\0",
    "/moongate/touch/down\0\0\0\0",
    "/moongate/touch/move\0\0\0\0",
    "/moongate/touch/up\0\0",
    ",si\0",
    ",sifffff\0\0\0\0",
    ",iff\0\0\0\0",
    ",ihTFNIbtdScrm[]\0\0\0",
    "alive\0\0\0",
    "set\0",
    "fseq\0\0\0\0",
    "source\0\0",
    "[[[[[[[[[[[[",
    "]]]]",
    "\u{0}\u{0}\u{0}\u{1}",
];

pub const TARGETS: &[Target] = &[
    Target { name: "packet", seeds: packets, words: WORDS, most: 4_096, run: packet },
    Target { name: "tuio", seeds: sessions, words: WORDS, most: 16_384, run: tuio },
    Target { name: "osc", seeds: sessions, words: WORDS, most: 16_384, run: osc },
    Target { name: "slots", seeds: events, words: &[], most: 4_096, run: slots },
];

fn say(address: &str, args: Vec<OscType>) -> OscPacket {
    OscPacket::Message(OscMessage { addr: address.into(), args })
}

fn bundle(content: Vec<OscPacket>) -> Vec<u8> {
    let bundle = OscPacket::Bundle(OscBundle { timetag: OscTime { seconds: 0, fractional: 1 }, content });
    encoder::encode(&bundle).expect("it can be written")
}

fn text(word: &str) -> OscType {
    OscType::String(word.into())
}

fn floats(numbers: &[f32]) -> Vec<OscType> {
    numbers.iter().copied().map(OscType::Float).collect()
}

/// Returns a frame of TUIO 1.1, of each of its kinds.
fn first(frame: i32, ids: &[i32]) -> Vec<u8> {
    let mut content = Vec::new();
    for (kind, before, after) in [("/tuio/2Dcur", 0, 5), ("/tuio/2Dobj", 1, 8), ("/tuio/2Dblb", 0, 10)] {
        content.push(say(kind, vec![text("source"), text("table@10.0.0.2")]));
        content.push(say(kind, [text("alive")].into_iter().chain(ids.iter().copied().map(OscType::Int)).collect()));
        for id in ids {
            let mut args = vec![text("set"), OscType::Int(*id)];
            args.extend(std::iter::repeat_n(OscType::Int(7), before));
            args.extend(floats(
                &[0.1 * *id as f32, 0.01 * frame as f32, 0.1, 0.05, 0.05, 0.0, 0.0, 0.0, 0.0, 0.0][..after],
            ));
            content.push(say(kind, args));
        }
        content.push(say(kind, vec![text("fseq"), OscType::Int(frame)]));
    }
    bundle(content)
}

/// Returns a frame of TUIO 2.0.
fn second(frame: i32, ids: &[i32]) -> Vec<u8> {
    let time = OscType::Time(OscTime { seconds: 9, fractional: 9 });
    let mut content = vec![say("/tuio2/frm", vec![OscType::Int(frame), time, OscType::Int(0x0500_0400), text("wall")])];
    for id in ids {
        let head = [*id, 0, *id].map(OscType::Int);
        content.push(say(
            "/tuio2/ptr",
            head.into_iter().chain(floats(&[0.3, 0.02 * frame as f32, 0.0, 0.0, 0.0, 0.5])).collect(),
        ));
        let head = [OscType::Int(*id)];
        content.push(say("/tuio2/bnd", head.into_iter().chain(floats(&[0.3, 0.3, 0.0, 0.02, 0.02, 0.0])).collect()));
    }
    content.push(say("/tuio2/alv", ids.iter().copied().map(OscType::Int).collect()));
    bundle(content)
}

fn own(word: &str, id: i32, at: [f32; 2]) -> Vec<u8> {
    let packet = say(
        &format!("/moongate/touch/{word}"),
        vec![OscType::Int(id), OscType::Float(at[0]), OscType::Double(at[1].into())],
    );
    encoder::encode(&packet).expect("it can be written")
}

fn packets() -> Vec<Vec<u8>> {
    let odd = vec![
        OscType::Blob(vec![1; 7]),
        OscType::Array(rosc::OscArray { content: vec![OscType::Nil, OscType::Long(-1)] }),
        OscType::Char('x'),
        OscType::Inf,
        OscType::Bool(true),
    ];
    let nested =
        OscPacket::Bundle(OscBundle { timetag: OscTime { seconds: 0, fractional: 1 }, content: vec![say("/a", odd)] });
    vec![
        first(1, &[1, 2, 3]),
        second(1, &[4, 5]),
        own("down", 1, [0.5, 0.5]),
        bundle(vec![nested]),
        load_test::tuio_packet(1),
    ]
}

/// Returns packets in the order of time; the byte before each selects its sender and the time since the previous one.
fn sessions() -> Vec<Vec<u8>> {
    let whole =
        |packets: Vec<Vec<u8>>| join(packets.iter().enumerate().map(|(at, packet)| (at as u8 % 4, &packet[..])));
    vec![
        whole(vec![first(1, &[1]), first(2, &[1, 2]), first(3, &[2]), first(4, &[])]),
        whole(vec![second(1, &[1]), second(2, &[1, 2]), second(3, &[2]), second(1, &[3])]),
        whole(vec![own("down", 1, [0.1, 0.1]), own("move", 1, [0.9, 0.1]), own("up", 1, [0.9, 0.1])]),
        join([(1, &load_test::tuio_packet(1)[..]), (1, &load_test::tuio_packet(2)[..]), (250, &[])]),
    ]
}

fn packet(input: &[u8]) -> u64 {
    let mut outcome = Outcome::default();
    match decode(input) {
        Ok(messages) => {
            assert!(messages.len() <= MESSAGES_MAX);
            outcome.count(messages.len());
            for message in messages.iter().take(4) {
                outcome.count(message.args.len());
                message.args.iter().take(6).for_each(|arg| outcome.add(kind_of(arg)));
            }
        }
        Err(_) => outcome.add(99),
    }
    outcome.end()
}

fn kind_of(argument: &OscType) -> u64 {
    match argument {
        OscType::Int(_) => 1,
        OscType::Float(number) => 2 + u64::from(number.is_finite()),
        OscType::String(_) => 4,
        OscType::Blob(_) => 5,
        OscType::Array(array) => 6 + 8 * array.content.first().map_or(0, kind_of),
        OscType::Double(_) => 7,
        _ => 8,
    }
}

/// Touch updates as the hub handles them, on a tracker of two screens.
struct Hub {
    board: TouchTracker,
    outcome: Outcome,
}

impl Hub {
    fn new() -> Self {
        let half = |x| CanvasRegion { origin: [x, 0.0], size: [960.0, 1080.0] };
        Self { board: TouchTracker::new(CANVAS, vec![half(0.0), half(960.0)]), outcome: Outcome::default() }
    }

    fn take(&mut self, now: Duration, words: &mut Vec<TouchUpdate>) {
        self.outcome.count(words.len());
        for word in words.drain(..) {
            match word {
                TouchUpdate::Touch(contact, phase, at, by) => {
                    let inside = (0..2).all(|axis| (0.0..=CANVAS[axis]).contains(&at[axis]));
                    assert!(inside || phase == Phase::Up, "{phase:?} at {at:?} lies beyond the canvas");
                    let changes = self.board.update(now, contact, phase, at, by);
                    changes.into_iter().flatten().for_each(|(phase, _)| self.outcome.add(phase as u64));
                }
                TouchUpdate::Alive(contact) => self.board.keep_alive(now, contact),
            }
        }
        self.outcome.count(self.board.end_stale(now).len());
        let held = self.board.touches().len();
        assert!(held <= TOUCHES_MAX, "{held} touches");
    }
}

/// Feeds a parser all packets of an input. After silence for `beyond`, no touch may be left.
fn session(input: &[u8], mut machine: impl PacketParser, beyond: Duration) -> u64 {
    let (mut hub, mut words, mut now) = (Hub::new(), Vec::new(), Duration::from_secs(100));
    for (beside, bytes) in pieces(input) {
        now += [5, 17, 300, 1_500, 11_000][usize::from(beside / 8) % 5] * Duration::from_millis(1);
        let from = SocketAddr::from((Ipv4Addr::new(10, 0, 0, beside % 4), 3_333 + u16::from(beside % 2)));
        machine.handle_packet(now, from, bytes, &mut words);
        if beside % 3 == 0 {
            machine.handle_timeout(now, &mut words);
        }
        hub.take(now, &mut words);
    }
    let refused = machine.refused_counts();
    [refused.malformed, refused.stale, refused.not_allowed, refused.rate_limited]
        .iter()
        .for_each(|n| hub.outcome.count(*n as usize));
    machine.handle_timeout(now + beyond, &mut words);
    hub.take(now + beyond, &mut words);
    assert!(hub.board.touches().is_empty(), "held for ever: {:?}", hub.board.touches());
    hub.outcome.end()
}

fn tuio(input: &[u8]) -> u64 {
    let view = CanvasRegion { origin: [0.0, 0.0], size: CANVAS };
    session(input, TuioParser::new(2_000, InputMapping::new(view, 1, true), Vec::new()), Duration::from_secs(12))
}

fn osc(input: &[u8]) -> u64 {
    let allow = (0..3).map(|last| Ipv4Addr::new(10, 0, 0, last).into()).collect();
    session(input, OscParser::new(3_000, CANVAS, allow), Duration::from_secs(12))
}

/// Returns events of six bytes each: type, code, value.
fn events() -> Vec<Vec<u8>> {
    let event = |(kind, code, value): &(u8, u8, i32)| {
        let [a, b, c, d] = value.to_le_bytes();
        [*kind, *code, a, b, c, d]
    };
    let finger = [(3, 0x2f, 0), (3, 0x39, 5), (3, 0x35, 100), (3, 0x36, 200), (3, 0x30, 9), (0, 0, 0)];
    let moved = [(3, 0x35, 900), (3, 0x30, 4_000), (3, 0x37, 2), (0, 0, 0), (3, 0x39, -1), (0, 3, 0), (0, 0, 0)];
    let other =
        [(3, 0x2f, 1), (3, 0x39, 6), (3, 0x35, 5), (3, 0x36, 2), (0, 0, 0), (3, 0x2f, 0), (3, 0x39, -1), (0, 0, 0)];
    [finger.to_vec(), moved.to_vec(), other.to_vec(), [&finger[..], &other[..], &moved[..]].concat()]
        .iter()
        .map(|events| events.iter().flat_map(event).collect())
        .collect()
}

fn slots(input: &[u8]) -> u64 {
    let surface = InputMapping::new(CanvasRegion { origin: [0.0, 0.0], size: CANVAS }, 2, false);
    let Some(axes) = AxisRanges::new([-10, 1_000], [0, 500], 0) else { return 0 };
    let mut slots = SlotTracker::new(5, surface, axes, i32::from(input.first().copied().unwrap_or(0)) - 1);
    let (mut hub, mut words) = (Hub::new(), Vec::new());
    for (at, event) in input.as_chunks::<6>().0.iter().enumerate() {
        let [kind, code, a, b, c, d] = *event;
        if slots.handle_event(kind.into(), code.into(), i32::from_le_bytes([a, b, c, d]), &mut words) {
            slots.set_current_slot(i32::from(a) - 3);
        }
        hub.take(Duration::from_millis(7 * at as u64), &mut words);
    }
    slots.release(&mut words);
    hub.take(Duration::from_secs(3_600), &mut words);
    assert!(hub.board.touches().is_empty(), "held for ever: {:?}", hub.board.touches());
    hub.outcome.end()
}
