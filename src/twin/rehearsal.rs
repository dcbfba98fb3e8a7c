//! What a rehearsal may change in a show while it runs: the hour, what is shown over the picture, a few words.

use crate::device::clock::monotonic;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long a few words are seen.
const SAID: Duration = Duration::from_secs(4);

/// What is changed; the show's loop looks at it each frame.
#[derive(Debug, Default)]
pub struct Rehearsal {
    shift_s: AtomicI64,
    knows: AtomicBool,
    words: Mutex<Option<(String, Duration)>>,
}

impl Rehearsal {
    /// Sun and clocks of both cities are so many seconds ahead of what they are.
    pub fn shift(&self, seconds: i64) {
        self.shift_s.store(seconds, Ordering::Relaxed);
    }

    /// What the engine knows is drawn over the picture, or not.
    pub fn show_all(&self, on: bool) {
        self.knows.store(on, Ordering::Relaxed);
    }

    /// Writes a few words over the picture, for some seconds.
    pub fn say(&self, words: &str) {
        let words = (!words.is_empty()).then(|| (words.to_owned(), monotonic()));
        *self.words.lock().unwrap_or_else(PoisonError::into_inner) = words;
    }

    /// Seconds to add to the time.
    pub(super) fn shifted(&self) -> f64 {
        self.shift_s.load(Ordering::Relaxed) as f64
    }

    pub(super) fn shows_all(&self) -> bool {
        self.knows.load(Ordering::Relaxed)
    }

    /// What is to be read now.
    pub(super) fn words(&self, now: Duration) -> Option<String> {
        let words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        words.as_ref().filter(|(_, since)| now.saturating_sub(*since) < SAID).map(|(words, _)| words.clone())
    }
}
