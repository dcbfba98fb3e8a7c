//! Trace of latencies, from inputs to the canvas.
//! For each touch it has the creation, the arrival and the first frame on the canvas; it also has bodies that come and
//! go, and the age of outlines when they are drawn.

use crate::link::SiteEvent;
use crate::messages::LocalTouchEvent;
use crate::presence::{Body, Phase};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Maximum number of inputs that are not drawn yet, and of lines that are not taken; beyond it the oldest are dropped.
const QUEUE_MAX: usize = 8_192;
/// Number of frame starts that are kept.
const FRAMES_MAX: usize = 240;

/// Line about one event. All times are monotonic nanoseconds, which the processes of a machine share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum TraceLine {
    /// A touch at this site.
    Made {
        /// Id of the touch.
        id: u32,
        /// True if it began, false if it ended.
        down: bool,
        /// Arrival of the device's bytes.
        at: u64,
    },
    /// A touch of the twin, decoded on the link thread.
    Arrived {
        /// Id of the touch at its own site.
        id: u32,
        /// True if it began, false if it ended.
        down: bool,
        /// Time of the decoding.
        at: u64,
    },
    /// First frame that reflects a touch.
    Drawn {
        /// Id of the touch at its own site.
        id: u32,
        /// True if it began, false if it ended.
        down: bool,
        /// True if it was made at this site.
        own: bool,
        /// Number of frame starts between the bytes and the submission.
        frames: u32,
        /// Submission to the GPU.
        submitted: u64,
        /// Completion on the GPU.
        at: u64,
    },
    /// A body that came or went.
    Body {
        /// Id of the body at its own site.
        id: u16,
        /// True if it is at this site.
        own: bool,
        /// True if it came, false if it went.
        came: bool,
        /// Capture time; for the twin's bodies the time at which the frame loop saw them.
        at: u64,
    },
    /// First frame that reflects a camera frame of this site, or a later one.
    Outline {
        /// Capture time of the camera frame.
        made: u64,
        /// Number of frame starts between the capture and the submission.
        frames: u32,
        /// Submission to the GPU.
        submitted: u64,
    },
}

/// Input that is not on the canvas yet.
#[derive(Debug, Clone, Copy)]
enum PendingInput {
    Touch { id: u32, down: bool, own: bool },
    Outline,
}

#[derive(Debug, Default)]
struct TraceInner {
    /// Input number, time since when it waits, and input.
    waiting: VecDeque<(u64, Duration, PendingInput)>,
    /// Ids of the bodies at this site and at the twin.
    bodies: [Vec<u16>; 2],
    frames: VecDeque<Duration>,
    /// Frame intervals in seconds since they were last taken.
    frame_times: VecDeque<f64>,
    lines: VecDeque<TraceLine>,
}

/// Trace of a show; clones share it.
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

    /// Returns the frame intervals since the last call, in seconds, each from one frame's start to the next.
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

    /// Records an input of the scene that this site's cameras captured at `made`.
    pub(super) fn record_outline(&self, input: u64, made: Duration) {
        self.inner().push_pending(input, made, PendingInput::Outline);
    }

    /// Records the bodies at this site, or at the twin, as of `at`.
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

    /// Returns all lines since the last call.
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
