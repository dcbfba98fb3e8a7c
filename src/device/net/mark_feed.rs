//! Changes of the marks that wait for the frame loop, bounded by the number that a scene sees.

use crate::link::LinkOutput;
use crate::marks::{Mark, VISIBLE_MAX, WriterId};
use std::collections::VecDeque;

/// Maximum bytes of waiting marks.
const PENDING_BYTES_MAX: usize = 4 << 20;

/// Changes of the mark log since the last call.
#[derive(Debug, Default)]
pub struct MarkFeed {
    /// True if all earlier marks belong to another mark log.
    pub is_reset: bool,
    /// Marks in the order of their arrival; only the latest ones if the feed was not read for long.
    pub marks: VecDeque<Mark>,
    /// Number of marks made while the two sites were apart, once all of them have arrived.
    pub merged: Option<usize>,
    /// Current writer of this site.
    pub local_writer: Option<WriterId>,
    /// Number below which the twin has all marks of `local_writer`.
    pub shared_below: u64,
    bytes: usize,
}

impl MarkFeed {
    /// Handles an output of the session. Returns false if it is not about marks.
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

    /// Returns everything and clears the feed.
    pub(crate) fn drain(&mut self) -> Self {
        let (me, shared) = (self.local_writer, self.shared_below);
        std::mem::replace(self, Self { local_writer: me, shared_below: shared, ..Self::default() })
    }
}
