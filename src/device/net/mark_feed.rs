//! What there is to tell of marks, until the frame loop asks: never more than a scene sees.

use crate::link::LinkOutput;
use crate::marks::{Mark, VISIBLE_MAX, WriterId};
use std::collections::VecDeque;

/// Most bytes of marks that wait.
const PENDING_BYTES_MAX: usize = 4 << 20;

/// What has become of the work since it was last asked.
#[derive(Debug, Default)]
pub struct MarkFeed {
    /// All marks from before are of another work.
    pub is_reset: bool,
    /// Marks in the order in which they came; when nobody asked for long only the last ones.
    pub marks: VecDeque<Mark>,
    /// So many of them were made while the two sites were apart, and now all of those are here.
    pub merged: Option<usize>,
    /// This site, as it writes now.
    pub local_writer: Option<WriterId>,
    /// The twin has what `me` has made below this number.
    pub shared_below: u64,
    bytes: usize,
}

impl MarkFeed {
    /// Takes in what the session tells of marks; false when it is about something else.
    pub(crate) fn handle_output(&mut self, output: &mut LinkOutput) -> bool {
        match output {
            LinkOutput::Marks(marks) => {
                for mark in marks.drain(..) {
                    self.bytes += mark.payload.len() + size_of::<Mark>();
                    self.marks.push_back(mark);
                }
                while self.marks.len() > VISIBLE_MAX || self.bytes > PENDING_BYTES_MAX {
                    let Some(gone) = self.marks.pop_front() else { break };
                    self.bytes -= gone.payload.len() + size_of::<Mark>();
                }
            }
            LinkOutput::MarksReset => {
                (self.is_reset, self.merged, self.bytes, self.shared_below) = (true, None, 0, 0);
                self.marks.clear();
            }
            LinkOutput::Merged { marks } => self.merged = Some(*marks),
            LinkOutput::Replicated { below } => self.shared_below = *below,
            _ => return false,
        }
        true
    }

    /// Everything, once.
    pub(crate) fn drain(&mut self) -> Self {
        let (me, shared) = (self.local_writer, self.shared_below);
        std::mem::replace(self, Self { local_writer: me, shared_below: shared, ..Self::default() })
    }
}
