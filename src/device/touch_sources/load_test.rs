//! Load test: a hundred fingers at 120 frames per second, as a table would send them, through parser and
//! touch tracker.

use super::udp_listener::PacketParser;
use super::{InputMapping, TuioParser};
use crate::device::clock::monotonic;
use crate::device::site_handle::SiteHandle;
use crate::presence::CanvasRegion;
use crate::site::devices::TOUCH_DEVICE;
use rosc::{OscBundle, OscMessage, OscPacket, OscTime, OscType};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Number of fingers.
pub const FINGER_COUNT: i32 = 100;
/// Frames per second.
pub const FRAME_RATE: i32 = 120;

/// Returns the TUIO 1.1 packet of frame number `frame`, from 1: every finger is alive and has moved.
pub fn tuio_packet(frame: i32) -> Vec<u8> {
    let say = |args| OscPacket::Message(OscMessage { addr: "/tuio/2Dcur".into(), args });
    let text = |word: &str| OscType::String(word.into());
    let alive = std::iter::once(text("alive")).chain((0..FINGER_COUNT).map(OscType::Int)).collect();
    let mut content = vec![say(vec![text("source"), text("hundred")]), say(alive)];
    for finger in 0..FINGER_COUNT {
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

/// Processes one second of it as fast as possible; returns the time that this took.
///
/// `site` should have a scene that is read, or none.
pub fn time_one_second(site: &SiteHandle) -> Duration {
    let surface = InputMapping::new(CanvasRegion { origin: [0.0, 0.0], size: [1920.0, 1080.0] }, 0, false);
    let mut tuio = TuioParser::new(TOUCH_DEVICE, surface, Vec::new());
    let from = SocketAddr::from((Ipv4Addr::LOCALHOST, 3333));
    let packets: Vec<Vec<u8>> = (1..=FRAME_RATE).map(tuio_packet).collect();
    let mut words = Vec::new();
    let began = monotonic();
    for bytes in &packets {
        tuio.handle_packet(monotonic(), from, bytes, &mut words);
        site.handle_touches(&words);
        words.clear();
    }
    let took = monotonic().saturating_sub(began);
    tuio.devices().for_each(|device| site.release_device(device));
    took
}
