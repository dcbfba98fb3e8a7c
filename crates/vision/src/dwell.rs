//! Dwell detector: a hand held out and held still is a touch.

use moongate_core::presence::{Body, Phase, Point};
use std::time::Duration;

/// Duration after which a still hand is a touch.
const DWELL_TIME: Duration = Duration::from_millis(500);
/// Duration after which an unseen hand is released.
const RELEASE_AFTER: Duration = Duration::from_millis(250);
/// Distance that a still hand may wander and that a touch may jump, as fractions of the canvas's width.
const DWELL_RADIUS: f32 = 0.03;
const JUMP_DISTANCE: f32 = 0.15;

#[derive(Debug)]
struct TrackedHand {
    body: u16,
    /// Current position.
    at: Point,
    /// Position and time at which it became still.
    anchor: Point,
    since: Duration,
    seen: Duration,
    down: bool,
}

/// Hands of all people in one camera.
#[derive(Debug, Default)]
pub struct DwellDetector {
    hands: Vec<TrackedHand>,
}

impl DwellDetector {
    /// Updates the hands from the bodies seen at `now`, in canvas units.
    /// Calls `tell` with a body's id, the phase of its touch and the position.
    pub fn update(&mut self, now: Duration, bodies: &[Body], canvas: Point, mut tell: impl FnMut(u16, Phase, Point)) {
        let inside = |at: Point| (0.0..=canvas[0]).contains(&at[0]) && (0.0..=canvas[1]).contains(&at[1]);
        for body in bodies {
            let Some(at) = body.reach.filter(|at| inside(*at)) else { continue };
            let Some(hand) = self.hands.iter_mut().find(|hand| hand.body == body.id) else {
                self.hands.push(TrackedHand { body: body.id, at, anchor: at, since: now, seen: now, down: false });
                continue;
            };
            let off = |from: Point| (at[0] - from[0]).hypot(at[1] - from[1]) / canvas[0];
            if hand.down && off(hand.at) > JUMP_DISTANCE {
                // The other arm, or another person's.
                tell(body.id, Phase::Up, hand.at);
                hand.down = false;
            }
            if !hand.down && off(hand.anchor) > DWELL_RADIUS {
                (hand.anchor, hand.since) = (at, now);
            }
            // Noise of one pixel does not move a touch.
            let moved = off(hand.at) > 0.002;
            hand.seen = now;
            if hand.down {
                if moved {
                    hand.at = [hand.at[0] + (at[0] - hand.at[0]) * 0.5, hand.at[1] + (at[1] - hand.at[1]) * 0.5];
                    tell(body.id, Phase::Move, hand.at);
                }
                continue;
            }
            hand.at = at;
            if now.saturating_sub(hand.since) >= DWELL_TIME {
                hand.down = true;
                tell(body.id, Phase::Down, at);
            }
        }
        self.hands.retain(|hand| {
            let stays = now.saturating_sub(hand.seen) <= RELEASE_AFTER;
            if !stays && hand.down {
                tell(hand.body, Phase::Up, hand.at);
            }
            stays
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hand_held_still_is_one_touch_and_a_wave_is_none() {
        let mut reaches = DwellDetector::default();
        let mut told = Vec::new();
        let mut step = |ms: u64, reach: Option<Point>, told: &mut Vec<Phase>| {
            let body = Body { id: 3, reach, ..Body::default() };
            let now = Duration::from_millis(ms);
            reaches.update(now, &[body], [1920.0, 1080.0], |_, phase, _| told.push(phase));
        };
        for ms in (0..2000).step_by(40) {
            step(ms, Some([400.0 + (ms / 40 % 2) as f32 * 300.0, 300.0]), &mut told);
        }
        assert_eq!(told, []);
        for ms in (2000..3000).step_by(40) {
            step(ms, Some([900.0 + (ms % 3) as f32, 300.0]), &mut told);
        }
        step(3040, None, &mut told);
        assert_eq!(told, [Phase::Down], "one missed frame does not let go");
        for ms in (3080..3400).step_by(40) {
            step(ms, None, &mut told);
        }
        assert_eq!(told, [Phase::Down, Phase::Up]);
        for ms in (4000..5000).step_by(40) {
            step(ms, Some([-50.0, 300.0]), &mut told);
        }
        assert_eq!(told.len(), 2, "beside the canvas");
    }
}
