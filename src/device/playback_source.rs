//! Playback of recorded visitors: feeds a Saturday evening's crowd to the site half as if it were present.

use super::clock::monotonic;
use super::recording_file::Playback;
use super::site_handle::SiteHandle;
use crate::presence::{Body, Phase, Point, Presence, Touch, TouchUpdate};
use crate::site::devices::{PLAYBACK_CAMERA, PLAYBACK_DEVICE};
use std::collections::HashMap;
use std::time::Duration;

/// Interval at which resting touches are confirmed as held.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_millis(500);
/// Shortest pause between two steps.
const SLEEP_MIN: Duration = Duration::from_millis(1);
/// Most instants that are played in one step.
const INSTANTS_MAX: usize = 64;
/// Number of distinct body ids before they are reused.
const BODY_IDS_MAX: u16 = 1 << 13;

/// Plays a recording to the site half, on a thread of its own, for as long as the process lives.
///
/// `canvas` is the size of the installation's, in units: a recording from another one is stretched to it.
pub fn spawn_playback(mut playback: Playback, canvas: Point, site: SiteHandle) -> std::io::Result<()> {
    let mut visitors = PlaybackMapper::new(playback.head().canvas, canvas);
    std::thread::Builder::new().name("visitors".into()).spawn(move || {
        let mut words = Vec::new();
        loop {
            let now = monotonic();
            // The number is bounded: a damaged recording may put everything into one instant.
            for presence in (0..INSTANTS_MAX).map_while(|_| playback.poll_instant(now)) {
                visitors.handle_instant(presence, &mut words);
                site.handle_touches(&words);
                words.clear();
            }
            // Bodies are sent with every step, so that a still crowd does not look like a dead camera.
            site.handle_bodies(now, PLAYBACK_CAMERA, visitors.bodies.clone());
            visitors.keep_alive(&mut words);
            site.handle_touches(&words);
            words.clear();
            let due = playback.next_due().map_or(SLEEP_MIN, |due| due.saturating_sub(monotonic()));
            std::thread::sleep(due.clamp(SLEEP_MIN, KEEP_ALIVE_INTERVAL));
        }
    })?;
    Ok(())
}

/// Current touches and bodies of the recording: pure.
#[derive(Debug)]
struct PlaybackMapper {
    scale: [f32; 2],
    touches: Vec<Touch>,
    bodies: Vec<Body>,
    /// Map from the recording's body ids, which may be from several cameras, to ours.
    body_ids: HashMap<u16, u16>,
}

impl PlaybackMapper {
    fn new(from: Point, to: Point) -> Self {
        let stretch = [to[0] / from[0].max(1.0), to[1] / from[1].max(1.0)];
        Self { scale: stretch, touches: Vec::new(), bodies: Vec::new(), body_ids: HashMap::new() }
    }

    fn handle_instant(&mut self, presence: Presence, words: &mut Vec<TouchUpdate>) {
        let Presence { touches, bodies } = presence;
        let stretch = self.scale;
        let on = |at: Point| [at[0] * stretch[0], at[1] * stretch[1]];
        let contact = |touch: &Touch| (PLAYBACK_DEVICE, u64::from(touch.id));
        let mut now: Vec<Touch> = touches.into_iter().map(|touch| Touch { at: on(touch.at), ..touch }).collect();
        // An id that occurs twice in one instant is one touch.
        let mut seen = std::collections::HashSet::new();
        now.retain(|touch| seen.insert(touch.id));
        for gone in self.touches.iter().filter(|touch| !seen.contains(&touch.id)) {
            words.push(TouchUpdate::Touch(contact(gone), Phase::Up, gone.at, gone.kind));
        }
        for touch in &now {
            let phase = match self.touches.iter().find(|before| before.id == touch.id) {
                None => Phase::Down,
                Some(before) if before.at == touch.at => continue,
                Some(_) => Phase::Move,
            };
            words.push(TouchUpdate::Touch(contact(touch), phase, touch.at, touch.kind));
        }
        self.touches = now;
        if bodies.is_empty() {
            // Without bodies, a reused id cannot be confused with another body's.
            self.body_ids.clear();
        }
        self.bodies = bodies;
        for body in &mut self.bodies {
            let next = self.body_ids.len() as u16 % BODY_IDS_MAX;
            body.id = *self.body_ids.entry(body.id).or_insert(next);
            for point in [&mut body.foot, &mut body.head, &mut body.velocity] {
                *point = on(*point);
            }
            for point in body.reach.iter_mut().chain(&mut body.outline) {
                *point = on(*point);
            }
        }
    }

    /// Confirms the touches that are still held.
    fn keep_alive(&self, words: &mut Vec<TouchUpdate>) {
        words.extend(self.touches.iter().map(|touch| TouchUpdate::Alive((PLAYBACK_DEVICE, u64::from(touch.id)))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presence::PointerKind;

    fn said(words: &mut Vec<TouchUpdate>) -> Vec<(u64, Phase, Point)> {
        let touches = words.drain(..).filter_map(|word| match word {
            TouchUpdate::Touch((_, id), phase, at, PointerKind::Reach) => Some((id, phase, at)),
            _ => None,
        });
        touches.collect()
    }

    #[test]
    fn an_instant_becomes_words_on_the_canvas_of_today() {
        let mut visitors = PlaybackMapper::new([100.0, 100.0], [200.0, 50.0]);
        let mut words = Vec::new();
        let touch = |id, x| Touch { id, at: [x, 10.0], kind: PointerKind::Reach };
        let mut instant = |touches| {
            visitors.handle_instant(Presence { touches, bodies: Vec::new() }, &mut words);
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
        let mut visitors = PlaybackMapper::new([100.0, 100.0], [100.0, 100.0]);
        let body = |id| Body { id, ..Body::default() };
        let mut ids = |bodies| {
            visitors.handle_instant(Presence { touches: Vec::new(), bodies }, &mut Vec::new());
            visitors.bodies.iter().map(|body| body.id).collect::<Vec<_>>()
        };
        let first = ids(vec![body(4), body(4 | 1 << 13)]);
        assert_ne!(first[0], first[1]);
        assert_eq!(ids(vec![body(4 | 1 << 13)]), first[1..]);
        assert!(ids((0..200).map(|id| body(id * 300)).collect()).iter().all(|id| *id < BODY_IDS_MAX));
    }
}
