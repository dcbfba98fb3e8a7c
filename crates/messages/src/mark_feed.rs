//! Changes of the marks that wait for the frame loop, bounded by the number that a scene sees.

use crate::codec::{MessageError, check_len, check_points};
use moongate_core::marks::{Mark, NAME_MAX, PAYLOAD_MAX, VISIBLE_MAX, WriterId};
use moongate_link::LinkOutput;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Maximum bytes of waiting marks.
const PENDING_BYTES_MAX: usize = 4 << 20;

/// Changes of the mark log since the last call.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
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
    #[serde(skip)]
    bytes: usize,
    /// Writer and number of the last call.
    #[serde(skip)]
    known: Option<(Option<WriterId>, u64)>,
}

impl MarkFeed {
    /// Creates an empty feed of a site with this writer.
    pub fn new(local_writer: Option<WriterId>) -> Self {
        Self { local_writer, ..Self::default() }
    }

    /// Handles an output of the session. Returns false if it is not about marks.
    pub fn handle_output(&mut self, output: &mut LinkOutput) -> bool {
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
    pub fn drain(&mut self) -> Self {
        let state = (self.local_writer, self.shared_below);
        let rest = Self { local_writer: state.0, shared_below: state.1, known: Some(state), ..Self::default() };
        Self { known: None, bytes: 0, ..std::mem::replace(self, rest) }
    }

    /// Returns everything and clears the feed; none if nothing has changed since the last call.
    pub fn take_changes(&mut self) -> Option<Self> {
        let is_known = self.known == Some((self.local_writer, self.shared_below));
        let is_empty = !self.is_reset && self.marks.is_empty() && self.merged.is_none();
        if is_known && is_empty { None } else { Some(self.drain()) }
    }

    pub(crate) fn check(&self) -> Result<(), MessageError> {
        check_len("marks", self.marks.len(), VISIBLE_MAX)?;
        let payloads = self.marks.iter().map(|mark| mark.payload.len() + size_of::<Mark>()).sum();
        check_len("marks", payloads, PENDING_BYTES_MAX)?;
        self.marks.iter().try_for_each(|mark| {
            check_len("name", mark.name.len(), NAME_MAX)?;
            check_len("mark", mark.payload.len(), PAYLOAD_MAX)?;
            check_points("mark", mark.at.as_slice())
        })
    }
}
