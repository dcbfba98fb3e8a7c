//! The numbers of a scene that somebody turns while it runs, as a panel shows them and the scene is told of them.

use crate::config::ParameterSpec;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What has been turned; for any thread.
#[derive(Debug, Clone, Default)]
pub struct LiveParameters(Arc<Mutex<ParameterState>>);

#[derive(Debug, Default)]
struct ParameterState {
    /// What can be turned now.
    declared: Vec<ParameterSpec>,
    /// They stay turned when a scene begins anew.
    values: BTreeMap<String, f64>,
    changed: bool,
}

impl LiveParameters {
    /// One is turned.
    pub fn set(&self, name: &str, value: f64) {
        let mut turned = self.lock();
        turned.values.insert(name.to_owned(), value);
        turned.changed = true;
    }

    /// All that can be turned, and how it stands.
    pub fn all(&self) -> Vec<(ParameterSpec, f64)> {
        let turned = self.lock();
        let value = |dial: &ParameterSpec| turned.values.get(&dial.name).copied().unwrap_or(dial.value);
        turned.declared.iter().map(|dial| (dial.clone(), value(dial))).collect()
    }

    /// What can be turned from now on. What is not in its range any more stands as the artist has set it.
    pub(super) fn declare(&self, dials: &[ParameterSpec]) {
        let mut turned = self.lock();
        turned.declared = dials.to_vec();
        turned.values.retain(|name, value| {
            let dial = dials.iter().find(|dial| dial.name == *name);
            dial.is_some_and(|dial| (dial.range[0]..=dial.range[1]).contains(value))
        });
    }

    /// All that has been turned, if the scene is to be told: something is new, or it begins.
    pub(super) fn take_changes(&self, begins: bool) -> Vec<(String, f64)> {
        let mut turned = self.lock();
        if std::mem::take(&mut turned.changed) || begins {
            turned.values.iter().map(|(name, value)| (name.clone(), *value)).collect()
        } else {
            Vec::new()
        }
    }

    fn lock(&self) -> MutexGuard<'_, ParameterState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
