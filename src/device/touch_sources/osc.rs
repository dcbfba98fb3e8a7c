//! Touches over Open Sound Control, from machines that the manifest lists.
//!
//! `/moongate/touch/down`, `…/move` and `…/up` take an id, and x and y as fractions of the canvas; for `up` the id is
//! enough. A finger that rests repeats `move` occasionally: its touch ends after 10 s of silence.

use super::osc_packet::{DedupLog, RateLimiter, RefusedCounts, decode, float_arg, int_arg, type_tags};
use super::udp_listener::PacketParser;
use crate::presence::{ContactId, Phase, Point, PointerKind, TouchUpdate};
use rosc::OscMessage;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::time::Duration;

/// Most messages per second, from all senders together.
pub const MESSAGES_PER_SECOND_MAX: usize = 2_000;

/// Most fingers whose last position is remembered.
const FINGERS_MAX: usize = 256;

/// Parser of OSC packets: pure.
#[derive(Debug)]
pub struct OscParser {
    device: u32,
    canvas: Point,
    allow: Vec<IpAddr>,
    limit: RateLimiter,
    refused: RefusedCounts,
    log: DedupLog,
    /// Last position of each finger, for an `up` without one; the finger heard from longest ago comes first.
    last_positions: Vec<(ContactId, Point)>,
}

impl OscParser {
    /// Creates a parser that accepts packets from `allow` only; each address is a device, counted from `device`.
    ///
    /// `canvas` is in its units.
    pub fn new(device: u32, canvas: Point, allow: Vec<IpAddr>) -> Self {
        Self {
            device,
            canvas,
            allow,
            limit: RateLimiter::new(MESSAGES_PER_SECOND_MAX),
            refused: RefusedCounts::default(),
            log: DedupLog::default(),
            last_positions: Vec::new(),
        }
    }

    /// Returns the update that a message stands for; `Err` describes a problem with its arguments.
    fn parse_update(
        &mut self,
        device: u32,
        phase: Phase,
        message: &OscMessage,
    ) -> Result<Option<TouchUpdate>, &'static str> {
        let id = int_arg(message.args.first()).ok_or("its first argument is not an id, a whole number")?;
        let contact = (device, u64::from(id.cast_unsigned()));
        let known = self
            .last_positions
            .iter()
            .position(|(finger, _)| *finger == contact)
            .map(|index| self.last_positions.remove(index));
        let at = match (phase, &message.args[1..]) {
            (Phase::Up, []) => match known {
                Some((_, at)) => at,
                // The finger was lifted before, or its `down` was lost: there is nothing to end.
                None => return Ok(None),
            },
            (_, [x, y, ..]) => {
                let axes = float_arg(Some(x)).zip(float_arg(Some(y))).ok_or("x and y are not finite numbers")?;
                [axes.0.clamp(0.0, 1.0) * self.canvas[0], axes.1.clamp(0.0, 1.0) * self.canvas[1]]
            }
            _ => return Err("x and y are missing: fractions of the canvas, from 0 to 1"),
        };
        if phase != Phase::Up {
            if self.last_positions.len() == FINGERS_MAX {
                self.last_positions.remove(0);
            }
            self.last_positions.push((contact, at));
        }
        Ok(Some(TouchUpdate::Touch(contact, phase, at, PointerKind::Finger)))
    }
}

impl PacketParser for OscParser {
    const LABEL: &'static str = "touches over OSC";
    const CONFIG_KEY: &'static str = "osc.listen";

    fn devices(&self) -> Range<u32> {
        self.device..self.device + self.allow.len() as u32
    }

    fn handle_packet(&mut self, now: Duration, from: SocketAddr, bytes: &[u8], words: &mut Vec<TouchUpdate>) {
        let from = from.ip().to_canonical();
        let Some((device, _)) = (self.device..).zip(&self.allow).find(|(_, allowed)| **allowed == from) else {
            self.refused.not_allowed += 1;
            self.log.push(format!("{from} may not send; to let it in, add \"{from}\" to `osc.allow` in site.toml"));
            return;
        };
        // A malformed packet counts as one message, so that reading it is limited too.
        let mut paid = self.limit.allow(now);
        if !paid {
            self.refused.rate_limited += 1;
            return;
        }
        let Ok(messages) = decode(bytes) else {
            self.refused.malformed += 1;
            self.log.push(format!("a packet from {from} is not Open Sound Control"));
            return;
        };
        for message in &messages {
            if !std::mem::take(&mut paid) && !self.limit.allow(now) {
                self.refused.rate_limited += 1;
                continue;
            }
            let phase = match message.addr.as_str() {
                "/moongate/touch/down" => Phase::Down,
                "/moongate/touch/move" => Phase::Move,
                "/moongate/touch/up" => Phase::Up,
                // The message is for other programs; a mixer sends everything to everyone.
                _ => continue,
            };
            match self.parse_update(device, phase, message) {
                Ok(word) => words.extend(word),
                Err(why) => {
                    self.refused.malformed += 1;
                    self.log.push(format!("{} {} from {from} is not read: {why}", message.addr, type_tags(message)));
                }
            }
        }
    }

    fn handle_timeout(&mut self, _: Duration, _: &mut Vec<TouchUpdate>) {}

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
    use rosc::{OscPacket, OscType, encoder};

    const FROM: &str = "192.168.1.30:9000";

    struct Phone {
        touches: OscParser,
        words: Vec<TouchUpdate>,
    }

    impl Phone {
        fn new() -> Self {
            let allow = vec!["192.168.1.30".parse().expect("an address")];
            Self { touches: OscParser::new(7, [1920.0, 1080.0], allow), words: Vec::new() }
        }

        fn says_from(&mut self, from: &str, what: &str, args: Vec<OscType>) -> Vec<(Phase, Point)> {
            let message = OscMessage { addr: format!("/moongate/touch/{what}"), args };
            let bytes = encoder::encode(&OscPacket::Message(message)).expect("it can be written");
            self.touches.handle_packet(Duration::from_secs(1), from.parse().expect("one"), &bytes, &mut self.words);
            let touch = |word| if let TouchUpdate::Touch(_, phase, at, _) = word { Some((phase, at)) } else { None };
            self.words.drain(..).filter_map(touch).collect()
        }

        fn says(&mut self, what: &str, args: Vec<OscType>) -> Vec<(Phase, Point)> {
            self.says_from(FROM, what, args)
        }
    }

    #[test]
    fn an_id_may_be_a_float_and_up_needs_no_place() {
        let mut phone = Phone::new();
        let [id, half] = [OscType::Float(3.0), OscType::Float(0.5)];
        assert_eq!(phone.says("down", vec![id.clone(), half.clone(), half.clone()]), [(Phase::Down, [960.0, 540.0])]);
        assert_eq!(
            phone.says("move", vec![OscType::Double(3.0), OscType::Float(1.0), half.clone()]),
            [(Phase::Move, [1920.0, 540.0])]
        );
        assert_eq!(phone.says("up", vec![id.clone()]), [(Phase::Up, [1920.0, 540.0])]);
        // A finger that was lifted before is not a mistake.
        assert_eq!(phone.says("up", vec![id.clone()]), []);
        assert_eq!(phone.touches.refused_counts(), RefusedCounts::default());
        assert_eq!(phone.says("down", vec![OscType::Float(3.5), half.clone(), half]), []);
        assert_eq!(phone.touches.refused_counts().malformed, 1);
    }

    #[test]
    fn fingers_whose_place_is_known_are_bounded() {
        let mut phone = Phone::new();
        for id in 0..2_000 {
            phone.touches.limit = RateLimiter::new(1);
            phone.says("down", vec![OscType::Int(id), OscType::Float(0.1), OscType::Float(0.1)]);
        }
        assert_eq!(phone.touches.last_positions.len(), FINGERS_MAX);
    }

    #[test]
    fn what_is_not_read_is_told_once_with_its_reason() {
        let mut phone = Phone::new();
        for _ in 0..3 {
            phone.says("up", vec![OscType::String("a\u{1b}[2K".into()), OscType::Nil]);
            phone.says("down", vec![OscType::Int(1)]);
            phone.says_from("10.0.0.9:1", "down", vec![]);
            phone.touches.handle_packet(Duration::ZERO, FROM.parse().expect("one"), b"hello", &mut phone.words);
        }
        assert_eq!(
            phone.touches.drain_log(),
            [
                "/moongate/touch/up ,sN from 192.168.1.30 is not read: its first argument is not an id, a whole number",
                "/moongate/touch/down ,i from 192.168.1.30 is not read: x and y are missing: fractions of the canvas, from 0 to 1",
                "10.0.0.9 may not send; to let it in, add \"10.0.0.9\" to `osc.allow` in site.toml",
                "a packet from 192.168.1.30 is not Open Sound Control",
            ]
        );
        assert_eq!(phone.touches.drain_log(), Vec::<String>::new());
        for last in 0..200 {
            phone.says_from(&format!("10.0.0.{last}:1"), "down", vec![]);
        }
        assert!(phone.touches.drain_log().len() < 16, "a stranger cannot fill the log");
    }
}
