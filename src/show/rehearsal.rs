//! What a rehearsal may change in a show while it runs: the hour, what is shown over the picture, a few words.

use crate::device::clock::monotonic;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long a few words are seen.
const MESSAGE_SHOWN: Duration = Duration::from_secs(4);

/// What is changed; the show's loop looks at it each frame.
#[derive(Debug, Default)]
pub struct Rehearsal {
    time_shift_s: AtomicI64,
    debug_overlay: AtomicBool,
    message: Mutex<Option<(String, Duration)>>,
}

impl Rehearsal {
    /// Sun and clocks of both cities are so many seconds ahead of what they are.
    pub fn set_time_shift(&self, seconds: i64) {
        self.time_shift_s.store(seconds, Ordering::Relaxed);
    }

    /// What the engine knows is drawn over the picture, or not.
    pub fn set_debug_overlay(&self, on: bool) {
        self.debug_overlay.store(on, Ordering::Relaxed);
    }

    /// Writes a few words over the picture, for some seconds.
    pub fn show_message(&self, words: &str) {
        let words = (!words.is_empty()).then(|| (words.to_owned(), monotonic()));
        *self.message.lock().unwrap_or_else(PoisonError::into_inner) = words;
    }

    /// Seconds to add to the time.
    pub(super) fn time_shift(&self) -> f64 {
        self.time_shift_s.load(Ordering::Relaxed) as f64
    }

    pub(super) fn debug_overlay(&self) -> bool {
        self.debug_overlay.load(Ordering::Relaxed)
    }

    /// What is to be read now.
    pub(super) fn message(&self, now: Duration) -> Option<String> {
        let words = self.message.lock().unwrap_or_else(PoisonError::into_inner);
        words.as_ref().filter(|(_, since)| now.saturating_sub(*since) < MESSAGE_SHOWN).map(|(words, _)| words.clone())
    }
}
