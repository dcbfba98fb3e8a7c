//! Unhandled promise rejections of a script, reported like an exception.

use super::source::ScriptSource;
use crate::diagnostic::SceneDiagnostic;
use rquickjs::{CaughtError, Exception, Persistent, Runtime, Value};
use std::cell::RefCell;
use std::rc::Rc;

/// Maximum number of rejections kept per frame; one of them is reported.
const PENDING_MAX: usize = 64;

type PendingRejections = Vec<(Persistent<Value<'static>>, SceneDiagnostic)>;

/// Rejected promises without a handler. They must be released before the script's engine is dropped.
pub(super) struct PromiseRejections(Rc<RefCell<PendingRejections>>);

impl PromiseRejections {
    /// Starts to collect the rejections of a runtime.
    pub fn track(runtime: &Runtime, script: &Rc<ScriptSource>) -> Self {
        let waiting = Rc::new(RefCell::new(PendingRejections::new()));
        let (collected, script) = (waiting.clone(), script.clone());
        runtime.set_host_promise_rejection_tracker(Some(Box::new(move |ctx, promise, reason, handled| {
            if handled {
                // A handler may be attached after the rejection, within the same frame.
                collected
                    .borrow_mut()
                    .retain(|(known, _)| known.clone().restore(&ctx).is_ok_and(|known| known != promise));
            } else if collected.borrow().len() < PENDING_MAX {
                let error = match Exception::from_value(reason.clone()) {
                    Ok(exception) => CaughtError::Exception(exception),
                    Err(_) => CaughtError::Value(reason),
                };
                // Reading the reason may run the script, which may reject another promise, so nothing is borrowed meanwhile.
                let fault = script.diagnostic(&ctx, error);
                collected.borrow_mut().push((Persistent::save(&ctx, promise), fault));
            }
        })));
        Self(waiting)
    }

    /// Returns the first rejection that is still unhandled, and clears all of them.
    pub fn take_first(&self) -> Option<SceneDiagnostic> {
        let waiting = std::mem::take(&mut *self.0.borrow_mut());
        waiting.into_iter().next().map(|(_, fault)| fault)
    }
}

impl Drop for PromiseRejections {
    fn drop(&mut self) {
        self.0.borrow_mut().clear();
    }
}
