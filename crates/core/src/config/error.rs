//! Errors in a manifest, reported so that its author can fix them: file, line, key, remedy.

use crate::escape::{Escaped, is_plain};
use crate::marks::NAME_MAX;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A mistake in a manifest, or an unreadable manifest. Its author must fix it; a retry does not help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// File with the mistake.
    pub file: PathBuf,
    /// Line of the mistake, counted from 1, if there is a particular one.
    pub line: Option<usize>,
    /// Key of the mistake, such as `screen.size`, if there is a particular one.
    pub key: Option<String>,
    /// Problem, in words for the author.
    pub problem: String,
    /// Remedy, in words for the author.
    pub remedy: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}", Escaped(self.file.display()))?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": ")?;
        if let Some(key) = &self.key {
            write!(f, "`{}`: ", Escaped(key))?;
        }
        // The message stays on one line, whatever it quotes from the manifest.
        write!(f, "{}; {}", Escaped(&self.problem), Escaped(&self.remedy))
    }
}

impl std::error::Error for ConfigError {}

/// Text of a manifest and its path, from which errors are made.
pub(super) struct TomlSource<'a> {
    pub file: &'a Path,
    pub text: &'a str,
}

impl TomlSource<'_> {
    /// Checks that a table's name can be a name in a script; `such` is an example for the remedy.
    pub fn check_script_name(&self, name: &toml::Spanned<String>, key: &str, such: &str) -> Result<(), ConfigError> {
        let word = name.get_ref();
        let letters = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        if word.len() <= NAME_MAX && word.starts_with(|c: char| c.is_ascii_lowercase()) && word.bytes().all(letters) {
            return Ok(());
        }
        let problem = format!("\"{word}\" cannot be a name in a script");
        let remedy = format!("use a small letter, then letters and digits, at most {NAME_MAX}: {such}");
        Err(self.error(name.span(), key, problem, remedy))
    }

    /// Reads a name or a title. It must not hold control characters, because other sites display it.
    pub fn plain_text(&self, text: toml::Spanned<String>, key: &str) -> Result<String, ConfigError> {
        if is_plain(text.get_ref()) {
            return Ok(text.into_inner());
        }
        let problem = format!("{:?} has control characters", text.get_ref());
        Err(self.error(text.span(), key, problem, "write it with letters, digits and spaces"))
    }

    /// Returns an error about the value at `span`, which belongs to `key`.
    pub fn error(
        &self,
        span: Range<usize>,
        key: &str,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> ConfigError {
        ConfigError {
            file: self.file.to_owned(),
            line: Some(self.line_number(span.start)),
            key: Some(key.to_owned()),
            problem: problem.into(),
            remedy: remedy.into(),
        }
    }

    /// Returns the numbers of an array, which must have exactly `N`.
    pub fn fixed_array<T: Copy, const N: usize>(
        &self,
        array: &toml::Spanned<Vec<T>>,
        key: &str,
    ) -> Result<[T; N], ConfigError> {
        array.get_ref()[..].try_into().map_err(|_| {
            let problem = format!("has {} numbers", array.get_ref().len());
            self.error(array.span(), key, problem, format!("give {N} of them"))
        })
    }

    /// Returns the value that a keyword stands for, out of the `known` ones. `besides` ends the remedy.
    pub fn keyword<T: Copy>(
        &self,
        word: &toml::Spanned<String>,
        key: &str,
        known: &[(&str, T)],
        besides: &str,
    ) -> Result<T, ConfigError> {
        let said = word.get_ref();
        if let Some((_, meaning)) = known.iter().find(|(one, _)| one == said) {
            return Ok(*meaning);
        }
        let words = known.iter().map(|(one, _)| *one);
        let remedy = match closest_match(said, words.clone()) {
            Some(meant) => format!("did you mean \"{meant}\"?"),
            None => format!("use {}{besides}", words.map(|one| format!("\"{one}\"")).collect::<Vec<_>>().join(" or ")),
        };
        Err(self.error(word.span(), key, format!("\"{said}\" is not among the words that may stand here"), remedy))
    }

    fn line_number(&self, at: usize) -> usize {
        self.text.bytes().take(at).filter(|&b| b == b'\n').count() + 1
    }

    /// Parses the text into `T`; errors of TOML or serde get a remedy.
    pub fn deserialize<T: serde::de::DeserializeOwned>(&self) -> Result<T, ConfigError> {
        toml::from_str(self.text).map_err(|error| {
            let message = error.message().trim_end_matches('.').to_owned();
            let (problem, remedy) = explain(&message);
            ConfigError {
                file: self.file.to_owned(),
                line: error.span().map(|span| self.line_number(span.start)),
                key: first_quoted(&message).filter(|_| message.contains("field")),
                problem,
                remedy,
            }
        })
    }
}

fn first_quoted(message: &str) -> Option<String> {
    message.split('`').nth(1).map(str::to_owned)
}

fn explain(message: &str) -> (String, String) {
    let words: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    match words.split_first() {
        Some((unknown, known)) if message.starts_with("unknown field") => {
            let remedy = match closest_match(unknown, known.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("what may stand here: {}", known.join(", ")),
            };
            ("there is no such key".into(), remedy)
        }
        Some((missing, _)) if message.starts_with("missing field") => {
            ("is missing".into(), format!("add a line `{missing} = …`"))
        }
        _ if message.starts_with("duplicate key") => {
            ("stands here for the second time".into(), "keep one of the two".into())
        }
        _ if message.starts_with("invalid type") => (message.into(), "change the value to that kind".into()),
        _ => (message.into(), "write it as TOML has it: key = value, text in \"quotes\"".into()),
    }
}

/// Returns the word of `known` that `word` is most likely a typo of: at most a third of its letters differ.
pub fn closest_match<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A manifest may hold a word of any length, and the cost of a comparison grows with it.
    let lowercase: String = word.to_lowercase().chars().take(64).collect();
    known
        .into_iter()
        .map(|candidate| (strsim::levenshtein(&lowercase, &candidate.to_lowercase()), candidate))
        .filter(|(far, candidate)| {
            // Changing half of a short word gives another word, unless both begin alike.
            let alike = candidate.len() > 4 || word.chars().next().is_some_and(|first| candidate.starts_with(first));
            *far <= if alike { 1 + candidate.len() / 4 } else { 1 }
        })
        .min_by_key(|(far, _)| *far)
        .map(|(_, candidate)| candidate)
}
