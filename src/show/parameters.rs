//! Parameters of a scene that are changed while it runs, as a panel shows them and the scene receives them.

use crate::config::ParameterSpec;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Current parameters; usable from any thread.
#[derive(Debug, Clone, Default)]
pub struct LiveParameters(Arc<Mutex<ParameterState>>);

#[derive(Debug, Default)]
struct ParameterState {
    /// Declared parameters.
    declared: Vec<ParameterSpec>,
    /// Changed values; they persist when a scene restarts.
    values: BTreeMap<String, f64>,
    changed: bool,
}

impl LiveParameters {
    /// Sets a parameter.
    pub fn set(&self, name: &str, value: f64) {
        let mut turned = self.lock();
        turned.values.insert(name.to_owned(), value);
        turned.changed = true;
    }

    /// Returns all parameters with their values.
    pub fn all(&self) -> Vec<(ParameterSpec, f64)> {
        let turned = self.lock();
        let value = |dial: &ParameterSpec| turned.values.get(&dial.name).copied().unwrap_or(dial.value);
        turned.declared.iter().map(|dial| (dial.clone(), value(dial))).collect()
    }

    /// Declares the parameters of an edition. A value outside its new range returns to the artist's default.
    pub(super) fn declare(&self, dials: &[ParameterSpec]) {
        let mut turned = self.lock();
        turned.declared = dials.to_vec();
        turned.values.retain(|name, value| {
            let dial = dials.iter().find(|dial| dial.name == *name);
            dial.is_some_and(|dial| (dial.range[0]..=dial.range[1]).contains(value))
        });
    }

    /// Returns all changed values if the scene needs them: after a change, or when it starts.
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
