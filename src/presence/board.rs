//! Which touches are held at a site, whatever devices they come from, and which contacts are none.

use super::{By, Point, TOUCHES_MAX, Touch, View};
use std::time::Duration;

/// A touch of which nothing was heard for this long has lost its end, and is ended.
pub const FORGOTTEN: Duration = Duration::from_secs(10);
/// A contact that rests unmoved at the very edge for this long is a sleeve, a frame or dirt, and is ended.
const LEANING: Duration = Duration::from_secs(10);
/// How near the edge of its screen a contact leans, as a fraction of the screen; it stirs when it moves as far.
const EDGE: f32 = 0.01;
/// How far from the edge it has come away.
const AWAY: f32 = 0.02;
/// A finger that seems to move farther than this fraction of the canvas …
const LEAP: f32 = 0.25;
/// … between two words no farther apart than this is another finger.
const LEAP_WITHIN: Duration = Duration::from_millis(20);
/// Contacts that were ended here while they may still be down; of more the oldest is forgotten.
const RESTING_MAX: usize = 2 * TOUCHES_MAX;

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
pub type Contact = (u32, u64);

/// What a device says of one of its contacts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Word {
    /// It begins, moves or ends, at a point in canvas units.
    Touch(Contact, Phase, Point, By),
    /// It is still there, where it was.
    Heard(Contact),
}

/// What a word comes to: nothing, one event, or an end and a beginning.
pub type Changes = [Option<(Phase, Touch)>; 2];

/// Nothing.
const NONE: Changes = [None, None];

#[derive(Debug)]
struct Held {
    contact: Contact,
    touch: Touch,
    /// The last word of any kind.
    heard: Duration,
    /// The last word that said where.
    placed: Duration,
    /// Where and since when it leans at the edge, while it has not stirred.
    leans: Option<(Point, Duration)>,
}

/// Why a touch was ended though nobody said that its finger lifted.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Rest {
    /// Nothing was heard of it.
    Silent,
    /// It leaned at the edge.
    Leaning,
}

/// All touches held at a site.
///
/// Some devices say nothing of a finger that rests, so its touch is ended with those whose own end was lost. Nobody's
/// finger is dead for that: its next move begins a new touch. Only a mouse has to be pressed again, since it moves
/// with its button up as well. What leaned at the edge counts again once it lifts or comes away from the edge.
#[derive(Debug)]
pub struct Board {
    canvas: Point,
    screens: Vec<View>,
    held: Vec<Held>,
    resting: Vec<(Contact, Rest)>,
    next: u32,
}

impl Board {
    /// Nothing is held. `canvas` is its size in units, `screens` the parts of it that have edges; without one, the canvas.
    pub fn new(canvas: Point, mut screens: Vec<View>) -> Self {
        if screens.is_empty() {
            screens.push(View { origin: [0.0, 0.0], size: canvas });
        }
        Self { canvas, screens, held: Vec::new(), resting: Vec::new(), next: 0 }
    }

    /// Takes a device's word in. What it means; nothing for a move or an end of what never began, for more touches than
    /// are taken in, and for a point that is no number.
    pub fn take(&mut self, now: Duration, contact: Contact, phase: Phase, at: Point, by: By) -> Changes {
        let index = self.held.iter().position(|held| held.contact == contact);
        let placed = at.iter().all(|axis| axis.is_finite());
        match (phase, index) {
            (Phase::Up, _) => {
                self.wake(contact);
                let Some(index) = index else { return NONE };
                let mut touch = self.held.remove(index).touch;
                // An end counts wherever it is.
                touch.at = if placed { at } else { touch.at };
                [Some((Phase::Up, touch)), None]
            }
            _ if !placed => NONE,
            // A second beginning without an end between is a move, unless it is elsewhere.
            (Phase::Down | Phase::Move, Some(index)) => {
                let held = &self.held[index];
                let soon = phase == Phase::Down || now.saturating_sub(held.placed) <= LEAP_WITHIN;
                if soon && self.leaps(held.touch.at, at, by) {
                    let gone = self.held.remove(index).touch;
                    return [Some((Phase::Up, gone)), self.begin(now, contact, at, by)];
                }
                let stirred = self.held[index].leans.is_some_and(|(from, _)| self.stirs(from, at));
                let held = &mut self.held[index];
                if stirred {
                    held.leans = None;
                }
                held.touch.at = at;
                (held.heard, held.placed) = (now, now);
                [Some((Phase::Move, held.touch)), None]
            }
            (Phase::Down, None) => {
                self.wake(contact);
                [self.begin(now, contact, at, by), None]
            }
            (Phase::Move, None) => {
                let rest = self.resting.iter().find(|(resting, _)| *resting == contact).map(|(_, rest)| *rest);
                let again = match rest {
                    Some(Rest::Silent) => by != By::Mouse,
                    Some(Rest::Leaning) => !self.at_edge(at, AWAY),
                    None => false,
                };
                if !again {
                    return NONE;
                }
                self.wake(contact);
                [self.begin(now, contact, at, by), None]
            }
        }
    }

    /// A device says that a contact is still there, where it was.
    pub fn heard(&mut self, now: Duration, contact: Contact) {
        if let Some(held) = self.held.iter_mut().find(|held| held.contact == contact) {
            held.heard = now;
        }
    }

    /// Ends all touches of a device: it is gone, or its window lost the pointer.
    pub fn release(&mut self, device: u32) -> Vec<Touch> {
        self.resting.retain(|(contact, _)| contact.0 != device);
        self.held.extract_if(.., |held| held.contact.0 == device).map(|held| held.touch).collect()
    }

    /// Ends touches whose own end was lost, and those that lean at the edge.
    pub fn forget(&mut self, now: Duration) -> Vec<Touch> {
        let past = |since: Duration, limit| now.saturating_sub(since) > limit;
        let ended = self.held.extract_if(.., |held| {
            past(held.heard, FORGOTTEN) || held.leans.is_some_and(|(_, since)| past(since, LEANING))
        });
        let mut touches = Vec::new();
        for held in ended {
            if self.resting.len() >= RESTING_MAX {
                self.resting.remove(0);
            }
            let rest = if held.leans.is_some() { Rest::Leaning } else { Rest::Silent };
            self.resting.push((held.contact, rest));
            touches.push(held.touch);
        }
        touches
    }

    /// All that are held, in the order in which they came.
    pub fn touches(&self) -> Vec<Touch> {
        self.held.iter().map(|held| held.touch).collect()
    }

    fn begin(&mut self, now: Duration, contact: Contact, at: Point, by: By) -> Option<(Phase, Touch)> {
        if self.held.len() >= TOUCHES_MAX {
            return None;
        }
        let touch = Touch { id: self.next, at, by };
        self.next = self.next.wrapping_add(1);
        // Only a finger has a sleeve, and only a screen of fingers has a frame.
        let leans = (by == By::Finger && self.at_edge(at, EDGE)).then_some((at, now));
        self.held.push(Held { contact, touch, heard: now, placed: now, leans });
        Some((Phase::Down, touch))
    }

    /// The contact rests no longer: it lifted, or begins anew.
    fn wake(&mut self, contact: Contact) {
        self.resting.retain(|(resting, _)| *resting != contact);
    }

    /// Too far for one finger: a device gave its number to another one. A mouse may fly.
    fn leaps(&self, from: Point, to: Point, by: By) -> bool {
        let far = |axis: usize| (to[axis] - from[axis]) / self.canvas[axis].max(1.0);
        matches!(by, By::Finger | By::Reach) && far(0).hypot(far(1)) > LEAP
    }

    /// The screen that a point lies on; where they overlap, the first.
    fn screen(&self, at: Point) -> Option<&View> {
        self.screens
            .iter()
            .find(|screen| (0..2).all(|axis| (0.0..=screen.size[axis]).contains(&(at[axis] - screen.origin[axis]))))
    }

    fn at_edge(&self, at: Point, near: f32) -> bool {
        self.screen(at).is_some_and(|screen| {
            (0..2).any(|axis| {
                let along = (at[axis] - screen.origin[axis]) / screen.size[axis];
                along <= near || along >= 1.0 - near
            })
        })
    }

    fn stirs(&self, from: Point, to: Point) -> bool {
        self.screen(from)
            .is_none_or(|screen| (0..2).any(|axis| ((to[axis] - from[axis]) / screen.size[axis]).abs() > EDGE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(50);
    const CANVAS: Point = [1000.0, 500.0];

    fn board() -> Board {
        Board::new(CANVAS, Vec::new())
    }

    /// What came of it; no more than one thing.
    fn one(changes: Changes) -> Option<(Phase, Touch)> {
        assert!(changes[1].is_none(), "{changes:?}");
        changes[0]
    }

    fn take(board: &mut Board, finger: u64, phase: Phase) -> Option<(Phase, Touch)> {
        one(board.take(NOW, (1, finger), phase, [100.0, 200.0], By::Finger))
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
        assert!(board.forget(NOW + FORGOTTEN).is_empty());
        assert_eq!(board.forget(NOW + FORGOTTEN * 2).len(), 1);
        take(&mut board, 2, Phase::Down);
        assert_eq!(board.release(7).len(), 0);
        assert_eq!(board.release(1).len(), 1);
        assert!(board.touches().is_empty());
    }

    #[test]
    fn a_resting_finger_that_is_heard_of_stays() {
        let mut board = board();
        take(&mut board, 1, Phase::Down);
        for second in 1..60 {
            let now = NOW + Duration::from_secs(second);
            board.heard(now, (1, 1));
            assert!(board.forget(now).is_empty());
        }
    }

    #[test]
    fn a_silent_finger_is_ended_and_its_next_move_begins_anew() {
        let mut board = board();
        take(&mut board, 1, Phase::Down);
        let ended = board.forget(NOW + Duration::from_secs(12));
        assert_eq!(ended.len(), 1);
        let (phase, touch) = take(&mut board, 1, Phase::Move).expect("it is not dead");
        assert_eq!(phase, Phase::Down);
        assert_ne!(touch.id, ended[0].id);
        assert_eq!(take(&mut board, 1, Phase::Up).map(|t| t.0), Some(Phase::Up));
        assert_eq!(take(&mut board, 1, Phase::Move), None, "it has lifted");
        // A mouse moves with its button up too: its move proves nothing.
        board.take(NOW, (500, 0), Phase::Down, [100.0, 100.0], By::Mouse);
        assert_eq!(board.forget(NOW + Duration::from_secs(12)).len(), 1);
        assert_eq!(board.take(NOW, (500, 0), Phase::Move, [110.0, 100.0], By::Mouse), NONE);
    }

    #[test]
    fn what_leans_at_the_edge_is_ended_until_it_lifts_or_comes_away() {
        // Two screens side by side: the seam between them is an edge of both.
        let half = |x: f32| View { origin: [x, 0.0], size: [500.0, 500.0] };
        for (at, leans) in [([2.0, 250.0], true), ([503.0, 250.0], true), ([250.0, 250.0], false)] {
            let mut board = Board::new(CANVAS, vec![half(0.0), half(500.0)]);
            let word = |board: &mut Board, second: u64, phase, at| {
                one(board.take(NOW + Duration::from_secs(second), (1, 1), phase, at, By::Finger)).map(|t| t.0)
            };
            assert_eq!(word(&mut board, 0, Phase::Down, at), Some(Phase::Down));
            // It trembles, and is heard of all the time.
            for second in 1..=10 {
                let trembling = [at[0] + 1.0, at[1] - 1.0];
                assert_eq!(word(&mut board, second, Phase::Move, trembling), Some(Phase::Move));
            }
            let ended = board.forget(NOW + Duration::from_millis(10_500)).len();
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
        board.take(NOW, (1, 1), Phase::Down, [0.0, 250.0], By::Finger);
        board.take(NOW, (1, 1), Phase::Move, [0.0, 265.0], By::Finger);
        board.heard(NOW + Duration::from_secs(30), (1, 1));
        assert!(board.forget(NOW + Duration::from_secs(30)).is_empty());
    }

    #[test]
    fn a_leap_is_another_finger() {
        let mut board = board();
        let word = |board: &mut Board, ms: u64, x: f32, by| {
            board.take(NOW + Duration::from_millis(ms), (1, 1), Phase::Move, [x, 250.0], by)
        };
        let (_, first) = take(&mut board, 1, Phase::Down).expect("it begins");
        let [up, down] = word(&mut board, 16, 900.0, By::Finger);
        assert_eq!(up, Some((Phase::Up, first)));
        let (phase, second) = down.expect("another begins");
        assert_eq!((phase, second.at, second.id == first.id), (Phase::Down, [900.0, 250.0], false));
        // The same way in a fifth of a second is a swipe.
        assert!(matches!(word(&mut board, 216, 300.0, By::Finger), [Some((Phase::Move, _)), None]));
        assert!(matches!(word(&mut board, 226, 900.0, By::Mouse), [Some((Phase::Move, _)), None]));
    }

    #[test]
    fn an_end_that_is_nowhere_is_still_an_end() {
        let mut board = board();
        let (_, touch) = take(&mut board, 1, Phase::Down).expect("it begins");
        let nowhere = [f32::NAN, 1.0];
        assert_eq!(board.take(NOW, (1, 1), Phase::Move, nowhere, By::Finger), NONE);
        assert_eq!(one(board.take(NOW, (1, 1), Phase::Up, nowhere, By::Finger)), Some((Phase::Up, touch)));
    }

    #[test]
    fn more_than_are_taken_in_stay_out() {
        let mut board = board();
        let taken = (0..200).filter(|finger| take(&mut board, *finger, Phase::Down).is_some()).count();
        assert_eq!(taken, TOUCHES_MAX);
        for round in 0..10 {
            board.forget(NOW + Duration::from_secs(20));
            (0..200).for_each(|finger| _ = take(&mut board, finger + 1_000 * round, Phase::Down));
        }
        assert!(board.resting.len() <= RESTING_MAX);
    }
}
