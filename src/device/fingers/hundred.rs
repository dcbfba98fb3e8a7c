//! A hundred fingers at 120 frames a second, to be measured: what a table would send, through reader, board and hub.

use super::listening::Packets;
use super::{Surface, Tuio};
use crate::device::clock::monotonic;
use crate::device::touch::{TOUCH_DEVICE, TouchHub};
use crate::presence::View;
use rosc::{OscBundle, OscMessage, OscPacket, OscTime, OscType};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Fingers.
pub const FINGERS: i32 = 100;
/// Frames a second.
pub const RATE: i32 = 120;

/// The TUIO 1.1 packet of frame number `frame`, from 1: every finger is alive and has moved.
pub fn packet(frame: i32) -> Vec<u8> {
    let say = |args| OscPacket::Message(OscMessage { addr: "/tuio/2Dcur".into(), args });
    let text = |word: &str| OscType::String(word.into());
    let alive = std::iter::once(text("alive")).chain((0..FINGERS).map(OscType::Int)).collect();
    let mut content = vec![say(vec![text("source"), text("hundred")]), say(alive)];
    for finger in 0..FINGERS {
        let turn = frame as f32 * 0.02 + finger as f32;
        let at = [0.5 + 0.4 * turn.sin(), 0.5 + 0.4 * (0.7 * turn).cos()];
        let still = [OscType::Float(0.0), OscType::Float(0.0), OscType::Float(0.0)];
        let place = [text("set"), OscType::Int(finger), OscType::Float(at[0]), OscType::Float(at[1])];
        content.push(say(place.into_iter().chain(still).collect()));
    }
    content.push(say(vec![text("fseq"), OscType::Int(frame)]));
    let bundle = OscPacket::Bundle(OscBundle { timetag: OscTime { seconds: 0, fractional: 1 }, content });
    // Writing to memory cannot fail.
    rosc::encoder::encode(&bundle).unwrap_or_default()
}

/// Takes one second of it in as fast as it goes; how long that took. `hub` should have a scene that is read, or none.
pub fn one_second(hub: &TouchHub) -> Duration {
    let surface = Surface::new(View { origin: [0.0, 0.0], size: [1920.0, 1080.0] }, 0, false);
    let mut tuio = Tuio::new(TOUCH_DEVICE, surface, Vec::new());
    let from = SocketAddr::from((Ipv4Addr::LOCALHOST, 3333));
    let packets: Vec<Vec<u8>> = (1..=RATE).map(packet).collect();
    let mut words = Vec::new();
    let began = monotonic();
    for bytes in &packets {
        tuio.take(monotonic(), from, bytes, &mut words);
        hub.take_all(&words);
        words.clear();
    }
    let took = monotonic().saturating_sub(began);
    tuio.devices().for_each(|device| hub.release(device));
    took
}
