//! Touches over Open Sound Control, from machines that the manifest names.
//!
//! `/moongate/touch/down`, `…/move` and `…/up` with an id and x and y as fractions of the canvas. A finger that rests
//! says `move` again now and then: after 10 s of silence its touch is ended.

use super::listening::Packets;
use super::packet::{Limit, Refused, decode, number, whole};
use crate::presence::{By, Phase, Point, Word};
use rosc::OscMessage;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::time::Duration;

/// Most messages that are taken in a second, from all senders together.
pub const MESSAGES_A_SECOND: usize = 2_000;

/// What OSC packets mean: a pure machine.
#[derive(Debug)]
pub struct OscTouches {
    device: u32,
    canvas: Point,
    allow: Vec<IpAddr>,
    limit: Limit,
    refused: Refused,
}

impl OscTouches {
    /// Takes words from `allow` only; each address is a device, counted from `device`. `canvas` in its units.
    pub fn new(device: u32, canvas: Point, allow: Vec<IpAddr>) -> Self {
        Self { device, canvas, allow, limit: Limit::new(MESSAGES_A_SECOND), refused: Refused::default() }
    }

    fn word(&self, device: u32, phase: Phase, message: &OscMessage) -> Option<Word> {
        let [id, x, y] = message.args.first_chunk()?;
        let (x, y) = (number(Some(x))?.clamp(0.0, 1.0), number(Some(y))?.clamp(0.0, 1.0));
        let contact = (device, u64::from(whole(Some(id))?.cast_unsigned()));
        Some(Word::Touch(contact, phase, [x * self.canvas[0], y * self.canvas[1]], By::Finger))
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
                Some(word) => words.push(word),
                None => self.refused.malformed += 1,
            }
        }
    }

    fn idle(&mut self, _: Duration, _: &mut Vec<Word>) {}

    fn refused(&self) -> Refused {
        self.refused
    }
}
