//! Source of a script, and its errors as diagnostics with a place in the source.

use super::state::SharedScriptState;
use crate::diagnostic::{SceneDiagnostic, find_word, line_and_column};
use crate::limits::SCRIPT_MEMORY_MAX;
use crate::lint::hints::suggest_fix;
use rquickjs::{CaughtError, Coerced, Ctx};
use std::cell::Cell;
use std::time::Duration;

/// Exports of "moongate" that a script may import.
const API_EXPORTS: [&str; 17] = [
    "here",
    "there",
    "ours",
    "draw",
    "sound",
    "signal",
    "random",
    "noise",
    "canvas",
    "gradient",
    "mix",
    "ease",
    "after",
    "every",
    "words",
    "dials",
    "particles",
];

/// File name and source of a script.
pub(super) struct ScriptSource {
    pub name: String,
    pub text: String,
    /// Current time limit: longer during loading.
    pub limit: Cell<Duration>,
    pub state: SharedScriptState,
}

impl ScriptSource {
    pub fn diagnostic(&self, ctx: &Ctx, error: CaughtError) -> SceneDiagnostic {
        let fault = |problem: String| SceneDiagnostic::new(&self.name, problem, "");
        match error {
            CaughtError::Exception(exception) => {
                let problem = exception.message().unwrap_or_default();
                let place = stack_location(&exception.stack().unwrap_or_default(), &self.name);
                if exception.as_value().is_uncatchable_error() {
                    // A loop has no position of its own; the last call is known.
                    let drawn = self.state.borrow().builder.item_count();
                    return SceneDiagnostic::overrun(&self.name, self.limit.get(), drawn)
                        .with_location(place, &self.text);
                }
                let place = place.or_else(|| self.find_import(&problem));
                let mut fault = fault(problem).with_location(place, &self.text);
                fault.remedy = suggest_fix(&fault.problem, &fault.source, &API_EXPORTS);
                if fault.problem == "out of memory" {
                    fault.remedy = self.out_of_memory().remedy;
                }
                fault
            }
            // Without memory, no error object can be created, and null is thrown instead.
            CaughtError::Value(value) if value.is_null() => self.out_of_memory(),
            CaughtError::Value(value) => {
                let text = value.get::<Coerced<String>>().map(|text| text.0);
                let text = text.unwrap_or_else(|_| {
                    ctx.catch();
                    "something that is no text".into()
                });
                fault(format!("throws {}", text.chars().take(200).collect::<String>()))
            }
            CaughtError::Error(error) => fault(error.to_string()),
        }
    }

    fn out_of_memory(&self) -> SceneDiagnostic {
        SceneDiagnostic::new(
            &self.name,
            "out of memory",
            format!("a scene has {} MiB; keep less", SCRIPT_MEMORY_MAX >> 20),
        )
    }

    /// Returns the first line that contains a word.
    pub fn find_line(&self, word: &str) -> Option<(u32, u32)> {
        let line = self.text.lines().position(|line| line.contains(word))?;
        Some((line as u32 + 1, 1))
    }

    /// Returns the line of an import: import errors carry no position.
    fn find_import(&self, problem: &str) -> Option<(u32, u32)> {
        let word = problem.split(['\'', '"']).nth(1)?;
        let after = self.text.find("import")?;
        find_word(&self.text, word, after).map(|at| line_and_column(&self.text, at))
    }
}

/// Returns the first position in the script that a stack trace names.
fn stack_location(stack: &str, script: &str) -> Option<(u32, u32)> {
    stack.lines().find_map(|line| {
        let rest = &line[line.find(&format!("{script}:"))? + script.len() + 1..];
        let mut numbers = rest.trim_end_matches(')').split(':');
        Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
    })
}
