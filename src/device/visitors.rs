//! Recorded visitors: a Saturday evening's crowd, played to the hub as if it were there.

use super::clock::monotonic;
use super::record::Playback;
use super::touch::{TouchHub, VISITORS_CAMERA, VISITORS_DEVICE};
use crate::presence::{Body, Phase, Point, Presence, Touch, Word};
use std::collections::HashMap;
use std::time::Duration;

/// How often those who rest are said to be there still.
const STILL: Duration = Duration::from_millis(500);
/// Shortest pause between two steps.
const STEP: Duration = Duration::from_millis(1);
/// Instants that are played at one step.
const INSTANTS_MAX: usize = 64;
/// Bodies that are told apart before their numbers come again.
const BODIES_APART: u16 = 1 << 13;

/// Plays a recording to the hub, on a thread of its own, for as long as the process lives. `canvas` is the size of the
/// installation's, in units: a recording from another one is stretched to it.
pub fn come_on_from(mut playback: Playback, canvas: Point, hub: TouchHub) -> std::io::Result<()> {
    let mut visitors = Visitors::new(playback.head().canvas, canvas);
    std::thread::Builder::new().name("visitors".into()).spawn(move || {
        let mut words = Vec::new();
        loop {
            let now = monotonic();
            // At most so many at once: a damaged recording may say that everything happens in one instant.
            for presence in (0..INSTANTS_MAX).map_while(|_| playback.next(now)) {
                visitors.take(presence, &mut words);
                hub.take_all(&words);
                words.clear();
            }
            // Bodies go with every step, so that a still crowd is no blind camera.
            hub.bodies(now, VISITORS_CAMERA, visitors.bodies.clone());
            visitors.rest(&mut words);
            hub.take_all(&words);
            words.clear();
            let due = playback.due().map_or(STEP, |due| due.saturating_sub(monotonic()));
            std::thread::sleep(due.clamp(STEP, STILL));
        }
    })?;
    Ok(())
}

/// Who of the recording is there: pure.
#[derive(Debug)]
struct Visitors {
    stretch: [f32; 2],
    touches: Vec<Touch>,
    bodies: Vec<Body>,
    /// The recording's numbers of bodies, which may be from several cameras, and ours.
    numbers: HashMap<u16, u16>,
}

impl Visitors {
    fn new(from: Point, to: Point) -> Self {
        let stretch = [to[0] / from[0].max(1.0), to[1] / from[1].max(1.0)];
        Self { stretch, touches: Vec::new(), bodies: Vec::new(), numbers: HashMap::new() }
    }

    fn take(&mut self, presence: Presence, words: &mut Vec<Word>) {
        let Presence { touches, bodies } = presence;
        let stretch = self.stretch;
        let on = |at: Point| [at[0] * stretch[0], at[1] * stretch[1]];
        let contact = |touch: &Touch| (VISITORS_DEVICE, u64::from(touch.id));
        let mut now: Vec<Touch> = touches.into_iter().map(|touch| Touch { at: on(touch.at), ..touch }).collect();
        // A number that comes twice in one instant is one touch.
        let mut seen = std::collections::HashSet::new();
        now.retain(|touch| seen.insert(touch.id));
        for gone in self.touches.iter().filter(|touch| !seen.contains(&touch.id)) {
            words.push(Word::Touch(contact(gone), Phase::Up, gone.at, gone.by));
        }
        for touch in &now {
            let phase = match self.touches.iter().find(|before| before.id == touch.id) {
                None => Phase::Down,
                Some(before) if before.at == touch.at => continue,
                Some(_) => Phase::Move,
            };
            words.push(Word::Touch(contact(touch), phase, touch.at, touch.by));
        }
        self.touches = now;
        if bodies.is_empty() {
            // Nobody to be mistaken for another.
            self.numbers.clear();
        }
        self.bodies = bodies;
        for body in &mut self.bodies {
            let next = self.numbers.len() as u16 % BODIES_APART;
            body.id = *self.numbers.entry(body.id).or_insert(next);
            for point in [&mut body.foot, &mut body.head, &mut body.velocity] {
                *point = on(*point);
            }
            for point in body.reach.iter_mut().chain(&mut body.outline) {
                *point = on(*point);
            }
        }
    }

    /// Those who are there, still.
    fn rest(&self, words: &mut Vec<Word>) {
        words.extend(self.touches.iter().map(|touch| Word::Heard((VISITORS_DEVICE, u64::from(touch.id)))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presence::By;

    fn said(words: &mut Vec<Word>) -> Vec<(u64, Phase, Point)> {
        let touches = words.drain(..).filter_map(|word| match word {
            Word::Touch((_, id), phase, at, By::Reach) => Some((id, phase, at)),
            _ => None,
        });
        touches.collect()
    }

    #[test]
    fn an_instant_becomes_words_on_the_canvas_of_today() {
        let mut visitors = Visitors::new([100.0, 100.0], [200.0, 50.0]);
        let mut words = Vec::new();
        let touch = |id, x| Touch { id, at: [x, 10.0], by: By::Reach };
        let mut instant = |touches| {
            visitors.take(Presence { touches, bodies: Vec::new() }, &mut words);
            said(&mut words)
        };
        assert_eq!(instant(vec![touch(1, 10.0), touch(1, 90.0)]), [(1, Phase::Down, [20.0, 5.0])]);
        assert_eq!(instant(vec![touch(1, 10.0)]), []);
        let both = instant(vec![touch(1, 20.0), touch(2, 1.0)]);
        assert_eq!(both, [(1, Phase::Move, [40.0, 5.0]), (2, Phase::Down, [2.0, 5.0])]);
        assert_eq!(instant(vec![touch(2, 1.0)]), [(1, Phase::Up, [40.0, 5.0])]);
    }

    #[test]
    fn bodies_of_two_cameras_stay_apart() {
        let mut visitors = Visitors::new([100.0, 100.0], [100.0, 100.0]);
        let body = |id| Body { id, ..Body::default() };
        let mut ids = |bodies| {
            visitors.take(Presence { touches: Vec::new(), bodies }, &mut Vec::new());
            visitors.bodies.iter().map(|body| body.id).collect::<Vec<_>>()
        };
        let first = ids(vec![body(4), body(4 | 1 << 13)]);
        assert_ne!(first[0], first[1]);
        assert_eq!(ids(vec![body(4 | 1 << 13)]), first[1..]);
        assert!(ids((0..200).map(|id| body(id * 300)).collect()).iter().all(|id| *id < BODIES_APART));
    }
}
