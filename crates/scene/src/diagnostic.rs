//! Mistakes in a scene, described so that an artist can correct them.

use moongate_core::escape::Escaped;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// A mistake in a scene: its place, the problem and a remedy.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SceneDiagnostic {
    /// The file within the installation.
    pub file: String,
    /// Line and column from 1, where known.
    pub place: Option<(u32, u32)>,
    /// The problem.
    pub problem: String,
    /// The remedy: the intended word, or what to do. May be empty.
    pub remedy: String,
    /// The source line; may be empty.
    pub source: String,
}

/// Start of the problem text for a script that was stopped by its limit.
const OVERRUN_PROBLEM: &str = "ran longer than";

impl SceneDiagnostic {
    /// Creates a diagnostic without a place.
    pub fn new(file: &str, problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { file: file.into(), problem: problem.into(), remedy: remedy.into(), ..Self::default() }
    }

    /// Adds the place and the source line at that place.
    pub(super) fn with_location(mut self, place: Option<(u32, u32)>, script: &str) -> Self {
        self.place = place;
        let line = place.and_then(|(line, _)| script.lines().nth(line.saturating_sub(1) as usize));
        self.source = line.map(|line| line.trim().chars().take(160).collect()).unwrap_or_default();
        self
    }

    /// Creates the diagnostic for a script that was stopped by its limit after `drawn` items were drawn. Its place is
    /// where the script happened to be.
    pub(super) fn overrun(file: &str, limit: Duration, drawn: usize) -> Self {
        let drawn = match drawn {
            0 => "before anything was drawn".into(),
            1 => "after one thing was drawn".into(),
            drawn => format!("after {drawn} things were drawn"),
        };
        let spent = format!("{OVERRUN_PROBLEM} {} ms, {drawn}", limit.as_millis());
        let remedy = "look for a loop that does not end, or do less in one frame; what it called last is here";
        Self::new(file, spent, remedy)
    }

    /// Returns true for the same mistake: the same place, or two overruns, wherever the script was stopped.
    pub fn is_same(&self, other: &Self) -> bool {
        let overran = |fault: &Self| fault.problem.starts_with(OVERRUN_PROBLEM);
        self.file == other.file && (self.place == other.place || overran(self) && overran(other))
    }
}

impl fmt::Display for SceneDiagnostic {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}", Escaped(&self.file))?;
        if let Some((line, column)) = self.place {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", Escaped(&self.problem))?;
        if !self.remedy.is_empty() {
            write!(f, "; {}", Escaped(&self.remedy))?;
        }
        if !self.source.is_empty() {
            write!(f, "\n    {}", Escaped(&self.source))?;
        }
        Ok(())
    }
}

impl std::error::Error for SceneDiagnostic {}

/// Returns the line and column of a byte offset in a text, both from 1.
pub(super) fn line_and_column(text: &str, at: usize) -> (u32, u32) {
    let before = &text[..at];
    let column = before.chars().rev().take_while(|letter| *letter != '\n').count() + 1;
    (before.matches('\n').count() as u32 + 1, column as u32)
}

/// Returns the offset of the first occurrence of a whole word at or after an offset.
pub(super) fn find_word(text: &str, word: &str, after: usize) -> Option<usize> {
    let part = |letter: Option<char>| letter.is_some_and(|letter| letter.is_alphanumeric() || "_$".contains(letter));
    let whole = |at: &usize| !part(text[..*at].chars().next_back()) && !part(text[at + word.len()..].chars().next());
    text.match_indices(word).map(|(at, _)| at).filter(|at| *at >= after).find(whole)
}
