//! Touches over Open Sound Control, from machines that the manifest names.
//!
//! `/moongate/touch/down`, `…/move` and `…/up` take an id, and x and y as fractions of the canvas; for `up` the id is enough.
//! A finger that rests repeats `move` now and then: its touch ends after 10 s of silence.

use super::listening::Packets;
use super::packet::{Limit, Notes, Refused, decode, number, types, whole};
use crate::presence::{By, Contact, Phase, Point, Word};
use rosc::OscMessage;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::time::Duration;

/// Most messages that are taken in a second, from all senders together.
pub const MESSAGES_A_SECOND: usize = 2_000;

/// Most fingers whose last position is remembered.
const FINGERS_MAX: usize = 256;

/// What OSC packets mean: a pure machine.
#[derive(Debug)]
pub struct OscTouches {
    device: u32,
    canvas: Point,
    allow: Vec<IpAddr>,
    limit: Limit,
    refused: Refused,
    notes: Notes,
    /// Last position of each finger, for an `up` without one; the finger heard from longest ago comes first.
    last: Vec<(Contact, Point)>,
}

impl OscTouches {
    /// Takes words from `allow` only; each address is a device, counted from `device`. `canvas` in its units.
    pub fn new(device: u32, canvas: Point, allow: Vec<IpAddr>) -> Self {
        Self {
            device,
            canvas,
            allow,
            limit: Limit::new(MESSAGES_A_SECOND),
            refused: Refused::default(),
            notes: Notes::default(),
            last: Vec::new(),
        }
    }

    /// Returns the word that a message stands for; `Err` describes what is wrong with its arguments.
    fn word(&mut self, device: u32, phase: Phase, message: &OscMessage) -> Result<Option<Word>, &'static str> {
        let id = whole(message.args.first()).ok_or("its first argument is not an id, a whole number")?;
        let contact = (device, u64::from(id.cast_unsigned()));
        let known = self.last.iter().position(|(finger, _)| *finger == contact).map(|index| self.last.remove(index));
        let at = match (phase, &message.args[1..]) {
            (Phase::Up, []) => match known {
                Some((_, at)) => at,
                // The finger was lifted before, or its `down` was lost: there is nothing to end.
                None => return Ok(None),
            },
            (_, [x, y, ..]) => {
                let axes = number(Some(x)).zip(number(Some(y))).ok_or("x and y are not finite numbers")?;
                [axes.0.clamp(0.0, 1.0) * self.canvas[0], axes.1.clamp(0.0, 1.0) * self.canvas[1]]
            }
            _ => return Err("x and y are missing: fractions of the canvas, from 0 to 1"),
        };
        if phase != Phase::Up {
            if self.last.len() == FINGERS_MAX {
                self.last.remove(0);
            }
            self.last.push((contact, at));
        }
        Ok(Some(Word::Touch(contact, phase, at, By::Finger)))
    }
}

impl Packets for OscTouches {
    const WHAT: &'static str = "touches over OSC";
    const KEY: &'static str = "osc.listen";

    fn devices(&self) -> Range<u32> {
        self.device..self.device + self.allow.len() as u32
    }

    fn take(&mut self, now: Duration, from: SocketAddr, bytes: &[u8], words: &mut Vec<Word>) {
        let from = from.ip().to_canonical();
        let Some((device, _)) = (self.device..).zip(&self.allow).find(|(_, allowed)| **allowed == from) else {
            self.refused.strangers += 1;
            self.notes.add(format!("{from} may not send; to let it in, add \"{from}\" to `osc.allow` in site.toml"));
            return;
        };
        // What cannot be read counts as one message, so that reading it is bounded too.
        let mut paid = self.limit.pass(now);
        if !paid {
            self.refused.beyond += 1;
            return;
        }
        let Ok(messages) = decode(bytes) else {
            self.refused.malformed += 1;
            self.notes.add(format!("a packet from {from} is not Open Sound Control"));
            return;
        };
        for message in &messages {
            if !std::mem::take(&mut paid) && !self.limit.pass(now) {
                self.refused.beyond += 1;
                continue;
            }
            let phase = match message.addr.as_str() {
                "/moongate/touch/down" => Phase::Down,
                "/moongate/touch/move" => Phase::Move,
                "/moongate/touch/up" => Phase::Up,
                // Not meant for us; a mixer tells everyone everything.
                _ => continue,
            };
            match self.word(device, phase, message) {
                Ok(word) => words.extend(word),
                Err(why) => {
                    self.refused.malformed += 1;
                    self.notes.add(format!("{} {} from {from} is not read: {why}", message.addr, types(message)));
                }
            }
        }
    }

    fn idle(&mut self, _: Duration, _: &mut Vec<Word>) {}

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
    use rosc::{OscPacket, OscType, encoder};

    const FROM: &str = "192.168.1.30:9000";

    struct Phone {
        touches: OscTouches,
        words: Vec<Word>,
    }

    impl Phone {
        fn new() -> Self {
            let allow = vec!["192.168.1.30".parse().expect("an address")];
            Self { touches: OscTouches::new(7, [1920.0, 1080.0], allow), words: Vec::new() }
        }

        fn says_from(&mut self, from: &str, what: &str, args: Vec<OscType>) -> Vec<(Phase, Point)> {
            let message = OscMessage { addr: format!("/moongate/touch/{what}"), args };
            let bytes = encoder::encode(&OscPacket::Message(message)).expect("it can be written");
            self.touches.take(Duration::from_secs(1), from.parse().expect("one"), &bytes, &mut self.words);
            let touch = |word| if let Word::Touch(_, phase, at, _) = word { Some((phase, at)) } else { None };
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
        assert_eq!(phone.touches.refused(), Refused::default());
        assert_eq!(phone.says("down", vec![OscType::Float(3.5), half.clone(), half]), []);
        assert_eq!(phone.touches.refused().malformed, 1);
    }

    #[test]
    fn fingers_whose_place_is_known_are_bounded() {
        let mut phone = Phone::new();
        for id in 0..2_000 {
            phone.touches.limit = Limit::new(1);
            phone.says("down", vec![OscType::Int(id), OscType::Float(0.1), OscType::Float(0.1)]);
        }
        assert_eq!(phone.touches.last.len(), FINGERS_MAX);
    }

    #[test]
    fn what_is_not_read_is_told_once_with_its_reason() {
        let mut phone = Phone::new();
        for _ in 0..3 {
            phone.says("up", vec![OscType::String("a\u{1b}[2K".into()), OscType::Nil]);
            phone.says("down", vec![OscType::Int(1)]);
            phone.says_from("10.0.0.9:1", "down", vec![]);
            phone.touches.take(Duration::ZERO, FROM.parse().expect("one"), b"hello", &mut phone.words);
        }
        assert_eq!(
            phone.touches.notes(),
            [
                "/moongate/touch/up ,sN from 192.168.1.30 is not read: its first argument is not an id, a whole number",
                "/moongate/touch/down ,i from 192.168.1.30 is not read: x and y are missing: fractions of the canvas, from 0 to 1",
                "10.0.0.9 may not send; to let it in, add \"10.0.0.9\" to `osc.allow` in site.toml",
                "a packet from 192.168.1.30 is not Open Sound Control",
            ]
        );
        assert_eq!(phone.touches.notes(), Vec::<String>::new());
        for last in 0..200 {
            phone.says_from(&format!("10.0.0.{last}:1"), "down", vec![]);
        }
        assert!(phone.touches.notes().len() < 16, "a stranger cannot fill the log");
    }
}
