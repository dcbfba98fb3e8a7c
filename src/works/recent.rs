//! The newest marks of a work, in their order: what a scene sees.

use super::mark::{Mark, Place};
use std::collections::BTreeMap;
use std::sync::Arc;

/// So many of the newest marks, each once, in an order that respects cause.
#[derive(Debug, Clone)]
pub struct Recent {
    most: usize,
    most_weight: usize,
    weight: usize,
    marks: BTreeMap<Place, Arc<Mark>>,
}

impl Recent {
    /// No marks yet, and never more than `most`, nor more than so much of them by [`Mark::weight`].
    pub fn new(most: usize, most_weight: usize) -> Self {
        Self { most, most_weight, weight: 0, marks: BTreeMap::new() }
    }

    /// Takes a mark in; false when it is there already, or older than all that are kept.
    pub fn take(&mut self, mark: Arc<Mark>) -> bool {
        let place = mark.place;
        if self.marks.contains_key(&place) {
            return false;
        }
        self.weight += mark.weight();
        self.marks.insert(place, mark);
        let mut stays = true;
        while self.marks.len() > self.most || self.weight > self.most_weight {
            let Some((oldest, gone)) = self.marks.pop_first() else { break };
            self.weight -= gone.weight();
            stays &= oldest != place;
        }
        stays
    }

    /// The marks after `place`, or all of them.
    pub fn after(&self, place: Option<Place>) -> impl Iterator<Item = &Arc<Mark>> {
        use std::ops::Bound::{Excluded, Unbounded};
        self.marks.range((place.map_or(Unbounded, Excluded), Unbounded)).map(|(_, mark)| mark)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.marks.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }
}
