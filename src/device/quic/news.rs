//! What there is to tell of marks, until the frame loop asks: never more than a scene sees.

use crate::link::Output;
use crate::works::{Mark, SEEN_MAX, Writer};
use std::collections::VecDeque;

/// Most bytes of marks that wait.
const BYTES_MAX: usize = 4 << 20;

/// What has become of the work since it was last asked.
#[derive(Debug, Default)]
pub struct News {
    /// All marks from before are of another work.
    pub anew: bool,
    /// Marks in the order in which they came; when nobody asked for long only the last ones.
    pub marks: VecDeque<Mark>,
    /// So many of them were made while the two sites were apart, and now all of those are here.
    pub merged: Option<usize>,
    /// This site, as it writes now.
    pub me: Option<Writer>,
    /// The twin has what `me` has made below this number.
    pub shared: u64,
    bytes: usize,
}

impl News {
    /// Takes in what the session tells of marks; false when it is about something else.
    pub(crate) fn take(&mut self, output: &mut Output) -> bool {
        match output {
            Output::Marked(marks) => {
                for mark in marks.drain(..) {
                    self.bytes += mark.said.len() + size_of::<Mark>();
                    self.marks.push_back(mark);
                }
                while self.marks.len() > SEEN_MAX || self.bytes > BYTES_MAX {
                    let Some(gone) = self.marks.pop_front() else { break };
                    self.bytes -= gone.said.len() + size_of::<Mark>();
                }
            }
            Output::NewWork => {
                (self.anew, self.merged, self.bytes, self.shared) = (true, None, 0, 0);
                self.marks.clear();
            }
            Output::Merged { marks } => self.merged = Some(*marks),
            Output::Shared { below } => self.shared = *below,
            _ => return false,
        }
        true
    }

    /// Everything, once.
    pub(crate) fn ask(&mut self) -> Self {
        let (me, shared) = (self.me, self.shared);
        std::mem::replace(self, Self { me, shared, ..Self::default() })
    }
}
