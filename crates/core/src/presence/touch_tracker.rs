//! Tracker of the touches held at a site, from all its devices; filters out contacts that are not touches.

use super::{CanvasRegion, Point, PointerKind, TOUCHES_MAX, Touch};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Time without updates after which a touch has lost its end, and is ended.
pub const TOUCH_TIMEOUT: Duration = Duration::from_secs(10);
/// Time for which a contact may rest unmoved at the very edge; then it is a sleeve, a frame or dirt, and is ended.
const EDGE_TIMEOUT: Duration = Duration::from_secs(10);
/// Distance from the edge of its screen at which a contact leans on it, as a fraction of the screen.
///
/// A move of the same distance counts as motion.
const EDGE: f32 = 0.01;
/// Distance from the edge at which a contact has left it.
const EDGE_RELEASE: f32 = 0.02;
/// Move, as a fraction of the canvas, beyond which it must be another finger if it was within [`JUMP_WITHIN`].
const JUMP_DISTANCE: f32 = 0.25;
/// Longest time between two updates for the check of [`JUMP_DISTANCE`].
const JUMP_WITHIN: Duration = Duration::from_millis(20);
/// Most contacts that were ended here while they may still be down; beyond it the oldest is forgotten.
const SUPPRESSED_MAX: usize = 2 * TOUCHES_MAX;

/// Phase of a touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// The touch begins.
    Down,
    /// The touch moves.
    Move,
    /// The touch ends.
    Up,
}

/// Identifier of a contact: its device, and its number there.
pub type ContactId = (u32, u64);

/// Update of a contact by its device.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum TouchUpdate {
    /// The contact begins, moves or ends, at a point in canvas units.
    Touch(ContactId, Phase, Point, PointerKind),
    /// The contact is still at the same place.
    Alive(ContactId),
}

/// Result of an update: nothing, one event, or an end and a beginning.
pub type TouchChanges = [Option<(Phase, Touch)>; 2];

/// The empty result.
const NO_CHANGES: TouchChanges = [None, None];

#[derive(Debug)]
struct TrackedTouch {
    contact: ContactId,
    touch: Touch,
    /// Time of the last update of any kind.
    last_heard: Duration,
    /// Time of the last update with a position.
    last_placed: Duration,
    /// Position and start of its rest at the edge, while it has not moved.
    edge_rest: Option<(Point, Duration)>,
}

/// Reason why a touch was ended although its finger did not lift.
#[derive(Debug, Clone, Copy, PartialEq)]
enum SuppressReason {
    /// Updates stopped.
    Silent,
    /// The contact leaned at the edge.
    AtEdge,
}

/// Tracker of all touches held at a site.
///
/// Some devices send nothing for a finger that rests, so its touch is ended along with those whose own end was lost.
/// That does not disable the finger: its next move begins a new touch. Only a mouse has to be pressed again, since it
/// moves with its button up as well. A contact that leaned at the edge counts again once it lifts or leaves the edge.
#[derive(Debug)]
pub struct TouchTracker {
    canvas: Point,
    screens: Vec<CanvasRegion>,
    tracked: Vec<TrackedTouch>,
    suppressed: Vec<(ContactId, SuppressReason)>,
    next_id: u32,
}

impl TouchTracker {
    /// Creates an empty tracker. `canvas` is its size in units.
    ///
    /// `screens` are the parts of it that have edges; without one, the canvas has them.
    pub fn new(canvas: Point, mut screens: Vec<CanvasRegion>) -> Self {
        if screens.is_empty() {
            screens.push(CanvasRegion { origin: [0.0, 0.0], size: canvas });
        }
        Self { canvas, screens, tracked: Vec::new(), suppressed: Vec::new(), next_id: 0 }
    }

    /// Processes a device's update and returns the resulting events.
    ///
    /// There are none for a move or an end of a touch that never began, for touches beyond the limit, and for a point
    /// that is not finite.
    pub fn update(
        &mut self,
        now: Duration,
        contact: ContactId,
        phase: Phase,
        at: Point,
        by: PointerKind,
    ) -> TouchChanges {
        let index = self.tracked.iter().position(|held| held.contact == contact);
        let placed = at.iter().all(|axis| axis.is_finite());
        match (phase, index) {
            (Phase::Up, _) => {
                self.unsuppress(contact);
                let Some(index) = index else { return NO_CHANGES };
                let mut touch = self.tracked.remove(index).touch;
                // An end counts wherever it is.
                touch.at = if placed { at } else { touch.at };
                [Some((Phase::Up, touch)), None]
            }
            _ if !placed => NO_CHANGES,
            // A second beginning without an end between is a move, unless it is elsewhere.
            (Phase::Down | Phase::Move, Some(index)) => {
                let held = &self.tracked[index];
                let soon = phase == Phase::Down || now.saturating_sub(held.last_placed) <= JUMP_WITHIN;
                if soon && self.is_jump(held.touch.at, at, by) {
                    let gone = self.tracked.remove(index).touch;
                    return [Some((Phase::Up, gone)), self.begin(now, contact, at, by)];
                }
                let stirred = self.tracked[index].edge_rest.is_some_and(|(from, _)| self.has_left_rest(from, at));
                let held = &mut self.tracked[index];
                if stirred {
                    held.edge_rest = None;
                }
                held.touch.at = at;
                (held.last_heard, held.last_placed) = (now, now);
                [Some((Phase::Move, held.touch)), None]
            }
            (Phase::Down, None) => {
                self.unsuppress(contact);
                [self.begin(now, contact, at, by), None]
            }
            (Phase::Move, None) => {
                let rest = self.suppressed.iter().find(|(resting, _)| *resting == contact).map(|(_, rest)| *rest);
                let again = match rest {
                    Some(SuppressReason::Silent) => by != PointerKind::Mouse,
                    Some(SuppressReason::AtEdge) => !self.at_edge(at, EDGE_RELEASE),
                    None => false,
                };
                if !again {
                    return NO_CHANGES;
                }
                self.unsuppress(contact);
                [self.begin(now, contact, at, by), None]
            }
        }
    }

    /// Notes that a contact is still at the same place.
    pub fn keep_alive(&mut self, now: Duration, contact: ContactId) {
        if let Some(held) = self.tracked.iter_mut().find(|held| held.contact == contact) {
            held.last_heard = now;
        }
    }

    /// Ends all touches of a device: it is gone, or its window lost the pointer.
    pub fn release_device(&mut self, device: u32) -> Vec<Touch> {
        self.suppressed.retain(|(contact, _)| contact.0 != device);
        self.tracked.extract_if(.., |held| held.contact.0 == device).map(|held| held.touch).collect()
    }

    /// Ends touches whose own end was lost, and those that lean at the edge.
    pub fn end_stale(&mut self, now: Duration) -> Vec<Touch> {
        let past = |since: Duration, limit| now.saturating_sub(since) > limit;
        let ended = self.tracked.extract_if(.., |held| {
            past(held.last_heard, TOUCH_TIMEOUT) || held.edge_rest.is_some_and(|(_, since)| past(since, EDGE_TIMEOUT))
        });
        let mut touches = Vec::new();
        for held in ended {
            if self.suppressed.len() >= SUPPRESSED_MAX {
                self.suppressed.remove(0);
            }
            let rest = if held.edge_rest.is_some() { SuppressReason::AtEdge } else { SuppressReason::Silent };
            self.suppressed.push((held.contact, rest));
            touches.push(held.touch);
        }
        touches
    }

    /// Returns all held touches, in the order in which they began.
    pub fn touches(&self) -> Vec<Touch> {
        self.tracked.iter().map(|held| held.touch).collect()
    }

    fn begin(&mut self, now: Duration, contact: ContactId, at: Point, by: PointerKind) -> Option<(Phase, Touch)> {
        if self.tracked.len() >= TOUCHES_MAX {
            return None;
        }
        let touch = Touch { id: self.next_id, at, kind: by };
        self.next_id = self.next_id.wrapping_add(1);
        // Only fingers come with sleeves, and only touch screens have frames.
        let leans = (by == PointerKind::Finger && self.at_edge(at, EDGE)).then_some((at, now));
        self.tracked.push(TrackedTouch { contact, touch, last_heard: now, last_placed: now, edge_rest: leans });
        Some((Phase::Down, touch))
    }

    /// Clears the suppression of a contact, which has lifted or begins again.
    fn unsuppress(&mut self, contact: ContactId) {
        self.suppressed.retain(|(resting, _)| *resting != contact);
    }

    /// Returns whether a move is too far for one finger: the device reused its number. A mouse may jump.
    fn is_jump(&self, from: Point, to: Point, by: PointerKind) -> bool {
        let far = |axis: usize| (to[axis] - from[axis]) / self.canvas[axis].max(1.0);
        matches!(by, PointerKind::Finger | PointerKind::Reach) && far(0).hypot(far(1)) > JUMP_DISTANCE
    }

    /// Returns the screen that a point lies on; where screens overlap, the first.
    fn screen_at(&self, at: Point) -> Option<&CanvasRegion> {
        self.screens
            .iter()
            .find(|screen| (0..2).all(|axis| (0.0..=screen.size[axis]).contains(&(at[axis] - screen.origin[axis]))))
    }

    fn at_edge(&self, at: Point, near: f32) -> bool {
        self.screen_at(at).is_some_and(|screen| {
            (0..2).any(|axis| {
                let along = (at[axis] - screen.origin[axis]) / screen.size[axis];
                along <= near || along >= 1.0 - near
            })
        })
    }

    fn has_left_rest(&self, from: Point, to: Point) -> bool {
        self.screen_at(from)
            .is_none_or(|screen| (0..2).any(|axis| ((to[axis] - from[axis]) / screen.size[axis]).abs() > EDGE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(50);
    const CANVAS: Point = [1000.0, 500.0];

    fn board() -> TouchTracker {
        TouchTracker::new(CANVAS, Vec::new())
    }

    /// Returns the only event of an update.
    fn one(changes: TouchChanges) -> Option<(Phase, Touch)> {
        assert!(changes[1].is_none(), "{changes:?}");
        changes[0]
    }

    fn take(board: &mut TouchTracker, finger: u64, phase: Phase) -> Option<(Phase, Touch)> {
        one(board.update(NOW, (1, finger), phase, [100.0, 200.0], PointerKind::Finger))
    }

    #[test]
    fn each_touch_begins_and_ends_once() {
        let mut board = board();
        assert_eq!(take(&mut board, 9, Phase::Move), None);
        let (phase, touch) = take(&mut board, 9, Phase::Down).expect("it begins");
        assert_eq!(phase, Phase::Down);
        assert_eq!(take(&mut board, 9, Phase::Down).map(|t| t.0), Some(Phase::Move));
        assert_eq!(take(&mut board, 9, Phase::Up), Some((Phase::Up, touch)));
        assert_eq!(take(&mut board, 9, Phase::Up), None);
        assert_ne!(take(&mut board, 9, Phase::Down).map(|t| t.1.id), Some(touch.id));
    }

    #[test]
    fn a_lost_end_is_made_up_for() {
        let mut board = board();
        take(&mut board, 1, Phase::Down);
        assert!(board.end_stale(NOW + TOUCH_TIMEOUT).is_empty());
        assert_eq!(board.end_stale(NOW + TOUCH_TIMEOUT * 2).len(), 1);
        take(&mut board, 2, Phase::Down);
        assert_eq!(board.release_device(7).len(), 0);
        assert_eq!(board.release_device(1).len(), 1);
        assert!(board.touches().is_empty());
    }

    #[test]
    fn a_resting_finger_that_is_heard_of_stays() {
        let mut board = board();
        take(&mut board, 1, Phase::Down);
        for second in 1..60 {
            let now = NOW + Duration::from_secs(second);
            board.keep_alive(now, (1, 1));
            assert!(board.end_stale(now).is_empty());
        }
    }

    #[test]
    fn a_silent_finger_is_ended_and_its_next_move_begins_anew() {
        let mut board = board();
        take(&mut board, 1, Phase::Down);
        let ended = board.end_stale(NOW + Duration::from_secs(12));
        assert_eq!(ended.len(), 1);
        let (phase, touch) = take(&mut board, 1, Phase::Move).expect("it is not dead");
        assert_eq!(phase, Phase::Down);
        assert_ne!(touch.id, ended[0].id);
        assert_eq!(take(&mut board, 1, Phase::Up).map(|t| t.0), Some(Phase::Up));
        assert_eq!(take(&mut board, 1, Phase::Move), None, "it has lifted");
        // A mouse moves with its button up too, so its move proves nothing.
        board.update(NOW, (500, 0), Phase::Down, [100.0, 100.0], PointerKind::Mouse);
        assert_eq!(board.end_stale(NOW + Duration::from_secs(12)).len(), 1);
        assert_eq!(board.update(NOW, (500, 0), Phase::Move, [110.0, 100.0], PointerKind::Mouse), NO_CHANGES);
    }

    #[test]
    fn what_leans_at_the_edge_is_ended_until_it_lifts_or_comes_away() {
        // These are two screens side by side: the seam between them is an edge of both.
        let half = |x: f32| CanvasRegion { origin: [x, 0.0], size: [500.0, 500.0] };
        for (at, leans) in [([2.0, 250.0], true), ([503.0, 250.0], true), ([250.0, 250.0], false)] {
            let mut board = TouchTracker::new(CANVAS, vec![half(0.0), half(500.0)]);
            let word = |board: &mut TouchTracker, second: u64, phase, at| {
                one(board.update(NOW + Duration::from_secs(second), (1, 1), phase, at, PointerKind::Finger))
                    .map(|t| t.0)
            };
            assert_eq!(word(&mut board, 0, Phase::Down, at), Some(Phase::Down));
            // It trembles and sends updates all the time.
            for second in 1..=10 {
                let trembling = [at[0] + 1.0, at[1] - 1.0];
                assert_eq!(word(&mut board, second, Phase::Move, trembling), Some(Phase::Move));
            }
            let ended = board.end_stale(NOW + Duration::from_millis(10_500)).len();
            assert_eq!(ended, usize::from(leans), "{at:?}");
            if leans {
                assert_eq!(word(&mut board, 11, Phase::Move, at), None, "it still leans");
                let away = word(&mut board, 12, Phase::Move, [at[0] + 50.0, at[1]]);
                assert_eq!(away, Some(Phase::Down), "a finger that comes away is a finger");
            }
        }
    }

    #[test]
    fn what_begins_at_the_edge_and_moves_is_a_finger() {
        let mut board = board();
        board.update(NOW, (1, 1), Phase::Down, [0.0, 250.0], PointerKind::Finger);
        board.update(NOW, (1, 1), Phase::Move, [0.0, 265.0], PointerKind::Finger);
        board.keep_alive(NOW + Duration::from_secs(30), (1, 1));
        assert!(board.end_stale(NOW + Duration::from_secs(30)).is_empty());
    }

    #[test]
    fn a_leap_is_another_finger() {
        let mut board = board();
        let word = |board: &mut TouchTracker, ms: u64, x: f32, by| {
            board.update(NOW + Duration::from_millis(ms), (1, 1), Phase::Move, [x, 250.0], by)
        };
        let (_, first) = take(&mut board, 1, Phase::Down).expect("it begins");
        let [up, down] = word(&mut board, 16, 900.0, PointerKind::Finger);
        assert_eq!(up, Some((Phase::Up, first)));
        let (phase, second) = down.expect("another begins");
        assert_eq!((phase, second.at, second.id == first.id), (Phase::Down, [900.0, 250.0], false));
        // The same distance in a fifth of a second is a swipe.
        assert!(matches!(word(&mut board, 216, 300.0, PointerKind::Finger), [Some((Phase::Move, _)), None]));
        assert!(matches!(word(&mut board, 226, 900.0, PointerKind::Mouse), [Some((Phase::Move, _)), None]));
    }

    #[test]
    fn an_end_that_is_nowhere_is_still_an_end() {
        let mut board = board();
        let (_, touch) = take(&mut board, 1, Phase::Down).expect("it begins");
        let nowhere = [f32::NAN, 1.0];
        assert_eq!(board.update(NOW, (1, 1), Phase::Move, nowhere, PointerKind::Finger), NO_CHANGES);
        assert_eq!(one(board.update(NOW, (1, 1), Phase::Up, nowhere, PointerKind::Finger)), Some((Phase::Up, touch)));
    }

    #[test]
    fn more_than_are_taken_in_stay_out() {
        let mut board = board();
        let taken = (0..200).filter(|finger| take(&mut board, *finger, Phase::Down).is_some()).count();
        assert_eq!(taken, TOUCHES_MAX);
        for round in 0..10 {
            board.end_stale(NOW + Duration::from_secs(20));
            (0..200).for_each(|finger| _ = take(&mut board, finger + 1_000 * round, Phase::Down));
        }
        assert!(board.suppressed.len() <= SUPPRESSED_MAX);
    }
}
