//! Console output: one line per second, if there is no window.

use super::{AnalyzedFrame, Failure};
use std::io::{self, Write};

pub(super) struct ConsoleStatus {
    name: String,
    /// Next second to report.
    next: Option<u64>,
    /// Reason why no frames arrive; reported once.
    blind: String,
}

impl ConsoleStatus {
    /// Creates the output; `tell` is false for a silent one.
    pub(super) fn new(name: String, tell: bool) -> Self {
        Self { name, next: tell.then_some(0), blind: String::new() }
    }

    pub(super) fn print_frame(&mut self, look: &AnalyzedFrame) -> Result<(), Failure> {
        self.blind.clear();
        let second = look.at.as_secs();
        if self.next.is_none_or(|next| second < next) {
            return Ok(());
        }
        if self.next == Some(0) {
            writeln!(io::stdout(), "{}: {}×{}", self.name, look.size[0], look.size[1])?;
        }
        self.next = Some(second + 1);
        let (bodies, ms, stir) = (look.vision.people.len(), look.ms, look.vision.motion.energy);
        let minutes = [second / 60, second % 60];
        Ok(writeln!(
            io::stdout(),
            "{:02}:{:02}  {bodies} bodies, {:.0} % moves, {ms:.2} ms",
            minutes[0],
            minutes[1],
            stir * 100.0
        )?)
    }

    pub(super) fn print_no_frames(&mut self, why: &str) -> Result<(), Failure> {
        if self.next.is_none() || self.blind == why {
            return Ok(());
        }
        why.clone_into(&mut self.blind);
        Ok(writeln!(io::stdout(), "nothing is seen: {why}")?)
    }
}
