//! Controls of a rehearsal over a running show: the hour, the overlay, and short messages.

use crate::device::clock::monotonic;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Time for which a message is shown.
const MESSAGE_SHOWN: Duration = Duration::from_secs(4);

/// Settings of a rehearsal; the frame loop reads them each frame.
#[derive(Debug, Default)]
pub struct Rehearsal {
    time_shift_s: AtomicI64,
    debug_overlay: AtomicBool,
    message: Mutex<Option<(String, Duration)>>,
}

impl Rehearsal {
    /// Shifts the sun and the clocks of both cities by a number of seconds.
    pub fn set_time_shift(&self, seconds: i64) {
        self.time_shift_s.store(seconds, Ordering::Relaxed);
    }

    /// Turns the debug overlay on or off.
    pub fn set_debug_overlay(&self, on: bool) {
        self.debug_overlay.store(on, Ordering::Relaxed);
    }

    /// Shows a message over the picture for some seconds.
    pub fn show_message(&self, words: &str) {
        let words = (!words.is_empty()).then(|| (words.to_owned(), monotonic()));
        *self.message.lock().unwrap_or_else(PoisonError::into_inner) = words;
    }

    /// Returns the seconds to add to the time.
    pub(super) fn time_shift(&self) -> f64 {
        self.time_shift_s.load(Ordering::Relaxed) as f64
    }

    pub(super) fn debug_overlay(&self) -> bool {
        self.debug_overlay.load(Ordering::Relaxed)
    }

    /// Returns the message to show now.
    pub(super) fn message(&self, now: Duration) -> Option<String> {
        let words = self.message.lock().unwrap_or_else(PoisonError::into_inner);
        words.as_ref().filter(|(_, since)| now.saturating_sub(*since) < MESSAGE_SHOWN).map(|(words, _)| words.clone())
    }
}
