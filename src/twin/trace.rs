//! How long everything took: for each touch when it was made, when it arrived, when it was on the canvas.

use crate::device::touch::Touched;
use crate::link::Happening;
use crate::presence::Phase;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Inputs that are not on the canvas yet, and lines that nobody has asked for; more, and the oldest go.
const KEPT_MAX: usize = 8_192;
/// Starts of frames remembered.
const FRAMES_MAX: usize = 240;

/// Something about one event. All times are monotonic nanoseconds, which the processes of a machine share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum TraceLine {
    /// A touch was made here.
    Made {
        /// Of the touch.
        id: u32,
        /// It began; otherwise it ended.
        down: bool,
        /// When the device's bytes came in.
        at: u64,
    },
    /// A touch made there was decoded here, on the link thread.
    Arrived {
        /// Of the touch, at its own site.
        id: u32,
        /// It began; otherwise it ended.
        down: bool,
        /// When.
        at: u64,
    },
    /// The first picture that reflects a touch.
    Drawn {
        /// Of the touch, at its own site.
        id: u32,
        /// It began; otherwise it ended.
        down: bool,
        /// Made here; otherwise there.
        own: bool,
        /// Starts of frames from the bytes to the submission.
        frames: u32,
        /// When it was submitted to the GPU.
        submitted: u64,
        /// When the GPU was done with it.
        at: u64,
    },
}

#[derive(Debug, Default)]
struct Inner {
    waiting: VecDeque<(u64, u32, bool, bool, Duration)>,
    frames: VecDeque<Duration>,
    lines: VecDeque<TraceLine>,
}

/// Notes of a show; clones are the same notes.
#[derive(Debug, Clone, Default)]
pub struct Trace(Arc<Mutex<Inner>>);

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl Trace {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn frame(&self, at: Duration) {
        let mut inner = self.inner();
        if inner.frames.len() == FRAMES_MAX {
            inner.frames.pop_front();
        }
        inner.frames.push_back(at);
    }

    pub(super) fn made(&self, input: u64, touched: &Touched) {
        if touched.phase == Phase::Move {
            return;
        }
        let (id, down) = (touched.touch.id, touched.phase == Phase::Down);
        self.inner().note(input, id, down, true, touched.made, TraceLine::Made { id, down, at: nanos(touched.made) });
    }

    pub(super) fn arrived(&self, input: u64, what: &Happening, at: Duration) {
        let (id, down) = match what {
            Happening::Down(touch) => (touch.id, true),
            Happening::Up(touch) => (touch.id, false),
            _ => return,
        };
        self.inner().note(input, id, down, false, at, TraceLine::Arrived { id, down, at: nanos(at) });
    }

    pub(super) fn drawn(&self, reflects: u64, submitted: Duration, done: Duration) {
        let mut inner = self.inner();
        while inner.waiting.front().is_some_and(|waiting| waiting.0 <= reflects) {
            let Some((_, id, down, own, since)) = inner.waiting.pop_front() else { break };
            let frames = inner.frames.iter().filter(|at| **at > since && **at <= submitted).count() as u32;
            inner.line(TraceLine::Drawn { id, down, own, frames, submitted: nanos(submitted), at: nanos(done) });
        }
    }

    /// All notes since the last call.
    pub fn take(&self) -> Vec<TraceLine> {
        std::mem::take(&mut self.inner().lines).into()
    }
}

impl Inner {
    fn note(&mut self, input: u64, id: u32, down: bool, own: bool, since: Duration, line: TraceLine) {
        if self.waiting.len() == KEPT_MAX {
            self.waiting.pop_front();
        }
        self.waiting.push_back((input, id, down, own, since));
        self.line(line);
    }

    fn line(&mut self, line: TraceLine) {
        if self.lines.len() == KEPT_MAX {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }
}
