//! How long everything took: for each touch when it was made, when it arrived, when it was on the canvas; who was seen
//! by whom, and how old one's own outline is when it is drawn.

use crate::device::touch_hub::LocalTouchEvent;
use crate::link::SiteEvent;
use crate::presence::{Body, Phase};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Inputs that are not on the canvas yet, and lines that nobody has asked for; more, and the oldest go.
const QUEUE_MAX: usize = 8_192;
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
    /// A body came or went.
    Body {
        /// At its own site.
        id: u16,
        /// It is one of here; otherwise one of there.
        own: bool,
        /// It came; otherwise it went.
        came: bool,
        /// When it was captured; of there, when the frame loop saw it.
        at: u64,
    },
    /// The first picture that reflects what a camera of here saw, or one that saw later.
    Outline {
        /// When the camera's picture was captured.
        made: u64,
        /// Starts of frames from then to the submission.
        frames: u32,
        /// When it was submitted to the GPU.
        submitted: u64,
    },
}

/// What is not on the canvas yet.
#[derive(Debug, Clone, Copy)]
enum PendingInput {
    Touch { id: u32, down: bool, own: bool },
    Outline,
}

#[derive(Debug, Default)]
struct TraceInner {
    /// By the number of the input, and since when.
    waiting: VecDeque<(u64, Duration, PendingInput)>,
    /// Who is there, of here and of there.
    bodies: [Vec<u16>; 2],
    frames: VecDeque<Duration>,
    /// From frame to frame, in seconds, since somebody asked.
    frame_times: VecDeque<f64>,
    lines: VecDeque<TraceLine>,
}

/// Notes of a show; clones are the same notes.
#[derive(Debug, Clone, Default)]
pub struct Trace(Arc<Mutex<TraceInner>>);

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl Trace {
    fn inner(&self) -> MutexGuard<'_, TraceInner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn record_frame(&self, at: Duration) {
        let mut inner = self.inner();
        if inner.frames.len() == FRAMES_MAX {
            inner.frames.pop_front();
        }
        if let Some(before) = inner.frames.back().copied() {
            if inner.frame_times.len() == FRAMES_MAX {
                inner.frame_times.pop_front();
            }
            inner.frame_times.push_back(at.saturating_sub(before).as_secs_f64());
        }
        inner.frames.push_back(at);
    }

    /// How long each frame took since this was last asked, in seconds: from its start to the next one's.
    pub fn frame_times(&self) -> Vec<f64> {
        self.inner().frame_times.drain(..).collect()
    }

    pub(super) fn record_touch(&self, input: u64, touched: &LocalTouchEvent) {
        if touched.phase == Phase::Move {
            return;
        }
        let (id, down) = (touched.touch.id, touched.phase == Phase::Down);
        let mut inner = self.inner();
        inner.push_pending(input, touched.made, PendingInput::Touch { id, down, own: true });
        inner.push_line(TraceLine::Made { id, down, at: nanos(touched.made) });
    }

    pub(super) fn record_arrival(&self, input: u64, what: &SiteEvent, at: Duration) {
        let (id, down) = match what {
            SiteEvent::Down(touch) => (touch.id, true),
            SiteEvent::Up(touch) => (touch.id, false),
            _ => return,
        };
        let mut inner = self.inner();
        inner.push_pending(input, at, PendingInput::Touch { id, down, own: false });
        inner.push_line(TraceLine::Arrived { id, down, at: nanos(at) });
    }

    /// What cameras of here captured at `made` is an input of the scene.
    pub(super) fn record_outline(&self, input: u64, made: Duration) {
        self.inner().push_pending(input, made, PendingInput::Outline);
    }

    /// Who is here, or there, as of `at`.
    pub(super) fn record_bodies(&self, own: bool, bodies: &[Body], at: Duration) {
        let mut inner = self.inner();
        let before = std::mem::take(&mut inner.bodies[usize::from(!own)]);
        let ids = || bodies.iter().map(|body| body.id);
        let line = |id, came| TraceLine::Body { id, own, came, at: nanos(at) };
        ids().filter(|id| !before.contains(id)).for_each(|id| inner.push_line(line(id, true)));
        before.iter().filter(|before| ids().all(|id| id != **before)).for_each(|id| inner.push_line(line(*id, false)));
        inner.bodies[usize::from(!own)] = ids().collect();
    }

    pub(super) fn record_drawn(&self, reflects: u64, submitted: Duration, done: Duration) {
        let mut inner = self.inner();
        while inner.waiting.front().is_some_and(|waiting| waiting.0 <= reflects) {
            let Some((_, since, what)) = inner.waiting.pop_front() else { break };
            let frames = inner.frames.iter().filter(|at| **at > since && **at <= submitted).count() as u32;
            let submitted = nanos(submitted);
            inner.push_line(match what {
                PendingInput::Touch { id, down, own } => {
                    TraceLine::Drawn { id, down, own, frames, submitted, at: nanos(done) }
                }
                PendingInput::Outline => TraceLine::Outline { made: nanos(since), frames, submitted },
            });
        }
    }

    /// All notes since the last call.
    pub fn take_lines(&self) -> Vec<TraceLine> {
        std::mem::take(&mut self.inner().lines).into()
    }
}

impl TraceInner {
    fn push_pending(&mut self, input: u64, since: Duration, what: PendingInput) {
        if self.waiting.len() == QUEUE_MAX {
            self.waiting.pop_front();
        }
        self.waiting.push_back((input, since, what));
    }

    fn push_line(&mut self, line: TraceLine) {
        if self.lines.len() == QUEUE_MAX {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_and_goes_is_told_once() {
        let trace = Trace::default();
        let body = |id| Body { id, ..Body::default() };
        let second = Duration::from_secs(1);
        trace.record_bodies(true, &[body(1), body(2)], second);
        trace.record_bodies(true, &[body(2), body(1)], second * 2);
        trace.record_bodies(false, &[body(1)], second * 3);
        trace.record_bodies(true, &[body(1)], second * 4);
        let told: Vec<_> = trace
            .take_lines()
            .into_iter()
            .map(|line| match line {
                TraceLine::Body { id, own, came, at } => (id, own, came, at / 1_000_000_000),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(told, [(1, true, true, 1), (2, true, true, 1), (1, false, true, 3), (2, true, false, 4)]);
    }

    #[test]
    fn an_outline_is_as_old_as_its_picture() {
        let trace = Trace::default();
        let ms = Duration::from_millis;
        trace.record_frame(ms(10));
        trace.record_outline(7, ms(15));
        trace.record_frame(ms(20));
        trace.record_frame(ms(30));
        trace.record_drawn(6, ms(31), ms(32));
        assert_eq!(trace.take_lines(), []);
        trace.record_drawn(8, ms(35), ms(40));
        assert_eq!(trace.take_lines(), [TraceLine::Outline { made: 15_000_000, frames: 2, submitted: 35_000_000 }]);
    }
}
