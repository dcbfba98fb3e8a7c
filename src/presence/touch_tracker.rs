//! Which touches are held at a site, whatever devices they come from, and which contacts are none.

use super::{CanvasRegion, Point, PointerKind, TOUCHES_MAX, Touch};
use std::time::Duration;

/// A touch of which nothing was heard for this long has lost its end, and is ended.
pub const TOUCH_TIMEOUT: Duration = Duration::from_secs(10);
/// A contact that rests unmoved at the very edge for this long is a sleeve, a frame or dirt, and is ended.
const EDGE_TIMEOUT: Duration = Duration::from_secs(10);
/// How near the edge of its screen a contact leans, as a fraction of the screen; it stirs when it moves as far.
const EDGE: f32 = 0.01;
/// How far from the edge it has come away.
const EDGE_RELEASE: f32 = 0.02;
/// A finger that seems to move farther than this fraction of the canvas …
const JUMP_DISTANCE: f32 = 0.25;
/// … between two words no farther apart than this is another finger.
const JUMP_WITHIN: Duration = Duration::from_millis(20);
/// Contacts that were ended here while they may still be down; of more the oldest is forgotten.
const SUPPRESSED_MAX: usize = 2 * TOUCHES_MAX;

/// What happens to a touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It begins.
    Down,
    /// It moves.
    Move,
    /// It ends.
    Up,
}

/// A device's own name for a touch: which device, which of its fingers.
pub type ContactId = (u32, u64);

/// What a device says of one of its contacts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TouchUpdate {
    /// It begins, moves or ends, at a point in canvas units.
    Touch(ContactId, Phase, Point, PointerKind),
    /// It is still there, where it was.
    Alive(ContactId),
}

/// What a word comes to: nothing, one event, or an end and a beginning.
pub type TouchChanges = [Option<(Phase, Touch)>; 2];

/// Nothing.
const NO_CHANGES: TouchChanges = [None, None];

#[derive(Debug)]
struct TrackedTouch {
    contact: ContactId,
    touch: Touch,
    /// The last word of any kind.
    last_heard: Duration,
    /// The last word that said where.
    last_placed: Duration,
    /// Where and since when it leans at the edge, while it has not stirred.
    edge_rest: Option<(Point, Duration)>,
}

/// Why a touch was ended though nobody said that its finger lifted.
#[derive(Debug, Clone, Copy, PartialEq)]
enum SuppressReason {
    /// Nothing was heard of it.
    Silent,
    /// It leaned at the edge.
    AtEdge,
}

/// All touches held at a site.
///
/// Some devices say nothing of a finger that rests, so its touch is ended with those whose own end was lost. Nobody's
/// finger is dead for that: its next move begins a new touch. Only a mouse has to be pressed again, since it moves
/// with its button up as well. What leaned at the edge counts again once it lifts or comes away from the edge.
#[derive(Debug)]
pub struct TouchTracker {
    canvas: Point,
    screens: Vec<CanvasRegion>,
    tracked: Vec<TrackedTouch>,
    suppressed: Vec<(ContactId, SuppressReason)>,
    next_id: u32,
}

impl TouchTracker {
    /// Nothing is held. `canvas` is its size in units, `screens` the parts of it that have edges; without one, the canvas.
    pub fn new(canvas: Point, mut screens: Vec<CanvasRegion>) -> Self {
        if screens.is_empty() {
            screens.push(CanvasRegion { origin: [0.0, 0.0], size: canvas });
        }
        Self { canvas, screens, tracked: Vec::new(), suppressed: Vec::new(), next_id: 0 }
    }

    /// Takes a device's word in. What it means; nothing for a move or an end of what never began, for more touches than
    /// are taken in, and for a point that is no number.
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

    /// A device says that a contact is still there, where it was.
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

    /// All that are held, in the order in which they came.
    pub fn touches(&self) -> Vec<Touch> {
        self.tracked.iter().map(|held| held.touch).collect()
    }

    fn begin(&mut self, now: Duration, contact: ContactId, at: Point, by: PointerKind) -> Option<(Phase, Touch)> {
        if self.tracked.len() >= TOUCHES_MAX {
            return None;
        }
        let touch = Touch { id: self.next_id, at, kind: by };
        self.next_id = self.next_id.wrapping_add(1);
        // Only a finger has a sleeve, and only a screen of fingers has a frame.
        let leans = (by == PointerKind::Finger && self.at_edge(at, EDGE)).then_some((at, now));
        self.tracked.push(TrackedTouch { contact, touch, last_heard: now, last_placed: now, edge_rest: leans });
        Some((Phase::Down, touch))
    }

    /// The contact rests no longer: it lifted, or begins anew.
    fn unsuppress(&mut self, contact: ContactId) {
        self.suppressed.retain(|(resting, _)| *resting != contact);
    }

    /// Too far for one finger: a device gave its number to another one. A mouse may fly.
    fn is_jump(&self, from: Point, to: Point, by: PointerKind) -> bool {
        let far = |axis: usize| (to[axis] - from[axis]) / self.canvas[axis].max(1.0);
        matches!(by, PointerKind::Finger | PointerKind::Reach) && far(0).hypot(far(1)) > JUMP_DISTANCE
    }

    /// The screen that a point lies on; where they overlap, the first.
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

    /// What came of it; no more than one thing.
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
        // A mouse moves with its button up too: its move proves nothing.
        board.update(NOW, (500, 0), Phase::Down, [100.0, 100.0], PointerKind::Mouse);
        assert_eq!(board.end_stale(NOW + Duration::from_secs(12)).len(), 1);
        assert_eq!(board.update(NOW, (500, 0), Phase::Move, [110.0, 100.0], PointerKind::Mouse), NO_CHANGES);
    }

    #[test]
    fn what_leans_at_the_edge_is_ended_until_it_lifts_or_comes_away() {
        // Two screens side by side: the seam between them is an edge of both.
        let half = |x: f32| CanvasRegion { origin: [x, 0.0], size: [500.0, 500.0] };
        for (at, leans) in [([2.0, 250.0], true), ([503.0, 250.0], true), ([250.0, 250.0], false)] {
            let mut board = TouchTracker::new(CANVAS, vec![half(0.0), half(500.0)]);
            let word = |board: &mut TouchTracker, second: u64, phase, at| {
                one(board.update(NOW + Duration::from_secs(second), (1, 1), phase, at, PointerKind::Finger))
                    .map(|t| t.0)
            };
            assert_eq!(word(&mut board, 0, Phase::Down, at), Some(Phase::Down));
            // It trembles, and is heard of all the time.
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
        // The same way in a fifth of a second is a swipe.
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
