//! What is wrong with a script, told so that an artist can mend it.

use crate::escape::Escaped;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// A script's mistake: where, what, and what was meant.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SceneDiagnostic {
    /// The file within the installation.
    pub file: String,
    /// Line and column from 1, where known.
    pub place: Option<(u32, u32)>,
    /// What went wrong.
    pub problem: String,
    /// What was meant, or what to do; may be empty.
    pub remedy: String,
    /// The line itself; may be empty.
    pub source: String,
}

/// How the fault begins of a script that was stopped by its limit.
const OVERRUN_PROBLEM: &str = "ran longer than";

impl SceneDiagnostic {
    /// A fault without a place.
    pub fn new(file: &str, problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { file: file.into(), problem: problem.into(), remedy: remedy.into(), ..Self::default() }
    }

    /// Adds the place, and the line itself out of the script.
    pub(super) fn with_location(mut self, place: Option<(u32, u32)>, script: &str) -> Self {
        self.place = place;
        let line = place.and_then(|(line, _)| script.lines().nth(line.saturating_sub(1) as usize));
        self.source = line.map(|line| line.trim().chars().take(160).collect()).unwrap_or_default();
        self
    }

    /// A script that was stopped by its limit, after so many things were drawn. Its place is where it happened to be.
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

    /// True if both are one mistake: at one place, or two times that a script was stopped, wherever it was.
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

/// Line and column of a place in a text, from 1.
pub(super) fn line_and_column(text: &str, at: usize) -> (u32, u32) {
    let before = &text[..at];
    let column = before.chars().rev().take_while(|letter| *letter != '\n').count() + 1;
    (before.matches('\n').count() as u32 + 1, column as u32)
}

/// Where a word stands first, whole, after a place.
pub(super) fn find_word(text: &str, word: &str, after: usize) -> Option<usize> {
    let part = |letter: Option<char>| letter.is_some_and(|letter| letter.is_alphanumeric() || "_$".contains(letter));
    let whole = |at: &usize| !part(text[..*at].chars().next_back()) && !part(text[at + word.len()..].chars().next());
    text.match_indices(word).map(|(at, _)| at).filter(|at| *at >= after).find(whole)
}
