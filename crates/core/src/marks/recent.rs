//! Newest marks of a log, in their order, for a scene.

use super::mark::{Mark, MarkOrder};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A bounded number of the newest marks, each once, in causal order.
#[derive(Debug, Clone)]
pub struct RecentMarks {
    count_max: usize,
    weight_max: usize,
    weight: usize,
    marks: BTreeMap<MarkOrder, Arc<Mark>>,
}

impl RecentMarks {
    /// Creates an empty set of at most `most` marks with a total [`Mark::weight`] of at most `most_weight`.
    pub fn new(most: usize, most_weight: usize) -> Self {
        Self { count_max: most, weight_max: most_weight, weight: 0, marks: BTreeMap::new() }
    }

    /// Inserts a mark; returns false if it is known already, or older than all that are kept.
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

    /// Returns the marks after `place`, or all of them.
    pub fn after(&self, place: Option<MarkOrder>) -> impl Iterator<Item = &Arc<Mark>> {
        use std::ops::Bound::{Excluded, Unbounded};
        self.marks.range((place.map_or(Unbounded, Excluded), Unbounded)).map(|(_, mark)| mark)
    }

    /// Returns the number of marks.
    pub fn len(&self) -> usize {
        self.marks.len()
    }

    /// Returns whether there are no marks.
    pub fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }
}
