//! The newest marks of a work, in their order: what a scene sees.

use super::mark::{Mark, MarkOrder};
use std::collections::BTreeMap;
use std::sync::Arc;

/// So many of the newest marks, each once, in an order that respects cause.
#[derive(Debug, Clone)]
pub struct RecentMarks {
    count_max: usize,
    weight_max: usize,
    weight: usize,
    marks: BTreeMap<MarkOrder, Arc<Mark>>,
}

impl RecentMarks {
    /// No marks yet, and never more than `most`, nor more than so much of them by [`Mark::weight`].
    pub fn new(most: usize, most_weight: usize) -> Self {
        Self { count_max: most, weight_max: most_weight, weight: 0, marks: BTreeMap::new() }
    }

    /// Takes a mark in; false when it is there already, or older than all that are kept.
    pub fn insert(&mut self, mark: Arc<Mark>) -> bool {
        let place = mark.order;
        if self.marks.contains_key(&place) {
            return false;
        }
        self.weight += mark.weight();
        self.marks.insert(place, mark);
        let mut stays = true;
        while self.marks.len() > self.count_max || self.weight > self.weight_max {
            let Some((oldest, gone)) = self.marks.pop_first() else { break };
            self.weight -= gone.weight();
            stays &= oldest != place;
        }
        stays
    }

    /// The marks after `place`, or all of them.
    pub fn after(&self, place: Option<MarkOrder>) -> impl Iterator<Item = &Arc<Mark>> {
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
