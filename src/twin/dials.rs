//! The numbers of a scene that somebody turns while it runs, as a panel shows them and the scene is told of them.

use crate::manifest::Dial;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What has been turned; for any thread.
#[derive(Debug, Clone, Default)]
pub struct Dials(Arc<Mutex<Turned>>);

#[derive(Debug, Default)]
struct Turned {
    /// What can be turned now.
    declared: Vec<Dial>,
    /// They stay turned when a scene begins anew.
    values: BTreeMap<String, f64>,
    untold: bool,
}

impl Dials {
    /// One is turned.
    pub fn turn(&self, name: &str, value: f64) {
        let mut turned = self.turned();
        turned.values.insert(name.to_owned(), value);
        turned.untold = true;
    }

    /// All that can be turned, and how it stands.
    pub fn all(&self) -> Vec<(Dial, f64)> {
        let turned = self.turned();
        let value = |dial: &Dial| turned.values.get(&dial.name).copied().unwrap_or(dial.value);
        turned.declared.iter().map(|dial| (dial.clone(), value(dial))).collect()
    }

    /// What can be turned from now on. What is not in its range any more stands as the artist has set it.
    pub(super) fn declare(&self, dials: &[Dial]) {
        let mut turned = self.turned();
        turned.declared = dials.to_vec();
        turned.values.retain(|name, value| {
            let dial = dials.iter().find(|dial| dial.name == *name);
            dial.is_some_and(|dial| (dial.range[0]..=dial.range[1]).contains(value))
        });
    }

    /// All that has been turned, if the scene is to be told: something is new, or it begins.
    pub(super) fn tell(&self, begins: bool) -> Vec<(String, f64)> {
        let mut turned = self.turned();
        if std::mem::take(&mut turned.untold) || begins {
            turned.values.iter().map(|(name, value)| (name.clone(), *value)).collect()
        } else {
            Vec::new()
        }
    }

    fn turned(&self) -> MutexGuard<'_, Turned> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
