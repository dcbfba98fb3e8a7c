//! Which touches are held at a site, whatever devices they come from.

use super::{By, Point, TOUCHES_MAX, Touch};
use std::time::Duration;

/// A touch of which nothing was heard for this long has lost its end, and is ended.
const FORGOTTEN: Duration = Duration::from_secs(10);

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

#[derive(Debug)]
struct Held {
    contact: Contact,
    touch: Touch,
    heard: Duration,
}

/// All touches held at a site.
#[derive(Debug, Default)]
pub struct Board {
    held: Vec<Held>,
    next: u32,
}

impl Board {
    /// Takes a device's word in. What it means, or `None` if it means nothing: a move or an end of what never began,
    /// more touches than are taken in, a point that is no number.
    pub fn take(&mut self, now: Duration, contact: Contact, phase: Phase, at: Point, by: By) -> Option<(Phase, Touch)> {
        let at_index = self.held.iter().position(|held| held.contact == contact);
        if !at.iter().all(|axis| axis.is_finite()) {
            return None;
        }
        match (phase, at_index) {
            (Phase::Down | Phase::Move, Some(index)) => {
                // A second beginning without an end between is a move.
                let held = &mut self.held[index];
                held.touch.at = at;
                held.heard = now;
                Some((Phase::Move, held.touch))
            }
            (Phase::Down, None) if self.held.len() < TOUCHES_MAX => {
                let touch = Touch { id: self.next, at, by };
                self.next = self.next.wrapping_add(1);
                self.held.push(Held { contact, touch, heard: now });
                Some((Phase::Down, touch))
            }
            (Phase::Up, Some(index)) => {
                let mut touch = self.held.remove(index).touch;
                touch.at = at;
                Some((Phase::Up, touch))
            }
            _ => None,
        }
    }

    /// Ends all touches of a device: it is gone, or its window lost the pointer.
    pub fn release(&mut self, device: u32) -> Vec<Touch> {
        self.end(|held| held.contact.0 == device)
    }

    /// Ends touches whose own end was lost.
    pub fn forget(&mut self, now: Duration) -> Vec<Touch> {
        self.end(|held| now.saturating_sub(held.heard) > FORGOTTEN)
    }

    fn end(&mut self, mut which: impl FnMut(&Held) -> bool) -> Vec<Touch> {
        self.held.extract_if(.., |held| which(held)).map(|held| held.touch).collect()
    }

    /// All that are held, in the order in which they came.
    pub fn touches(&self) -> Vec<Touch> {
        self.held.iter().map(|held| held.touch).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(50);

    fn take(board: &mut Board, finger: u64, phase: Phase) -> Option<(Phase, Touch)> {
        board.take(NOW, (1, finger), phase, [1.0, 2.0], By::Finger)
    }

    #[test]
    fn each_touch_begins_and_ends_once() {
        let mut board = Board::default();
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
        let mut board = Board::default();
        take(&mut board, 1, Phase::Down);
        assert!(board.forget(NOW + FORGOTTEN).is_empty());
        assert_eq!(board.forget(NOW + FORGOTTEN * 2).len(), 1);
        take(&mut board, 2, Phase::Down);
        assert_eq!(board.release(7).len(), 0);
        assert_eq!(board.release(1).len(), 1);
        assert!(board.touches().is_empty());
    }

    #[test]
    fn more_than_are_taken_in_stay_out() {
        let mut board = Board::default();
        let taken = (0..200).filter(|finger| take(&mut board, *finger, Phase::Down).is_some()).count();
        assert_eq!(taken, TOUCHES_MAX);
    }
}
