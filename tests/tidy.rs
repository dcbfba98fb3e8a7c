//! House rules that can be checked automatically: layers of modules, a pure core, short and finished files.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Rooms of the application, from the bottom up, and the rooms that each may use. Cargo holds the borders between crates.
const ROOMS: &[(&str, &[&str])] = &[
    ("mix", &[]),
    ("terminal", &[]),
    ("device", &["mix"]),
    ("render", &["device"]),
    ("show", &["mix", "device", "render"]),
    ("preview", &["mix", "device", "render", "show"]),
    ("operator", &["device", "render", "show"]),
    ("supervisor", &["terminal", "device", "show"]),
    ("cli", &["mix", "terminal", "device", "render", "show", "preview", "operator", "supervisor"]),
];

/// Crates that the application re-exports, so that its paths begin with `crate::` too.
const CRATES: &[&str] = &[
    "audio",
    "config",
    "delay_histogram",
    "escape",
    "files",
    "geometry",
    "limits",
    "link",
    "marks",
    "messages",
    "policy",
    "presence",
    "scene",
    "site",
    "synth",
    "token_bucket",
    "vision",
    "wire",
];

/// Crates without threads, sockets, devices and clocks.
const PURE: &[&str] = &["core", "link", "messages", "scene", "site", "synth", "vision"];

const LINES_MAX: usize = 600;

/// Text that must not be left in the source, with its replacement.
const UNFINISHED: &[(&str, &str)] = &[
    ("todo!", "write it, or leave the feature out"),
    ("unimplemented!", "write it, or leave the feature out"),
    ("dbg!", "use tracing"),
    (".unwrap()", "handle it, or `expect` with the invariant that rules it out"),
];

/// Items that the core must not use, with the right place for them.
const IMPURE: &[(&str, &str)] = &[
    ("bevy", "what needs Bevy lives in render or show"),
    ("std::thread", "threads live in device"),
    ("std::net", "sockets live in device; addresses are in core::net"),
    ("Instant::now", "take `now` from the caller"),
    ("SystemTime", "take the time from the caller"),
];

/// Words that begin a question, not a description.
const QUESTIONS: &[&str] = &["What", "Who", "Whom", "Whose", "How", "Whether"];

#[test]
fn use_goes_down_only() {
    let mut faults = Faults::default();
    for source in sources("src") {
        let Some(room) = source.room() else { continue };
        let Some((_, below)) = ROOMS.iter().find(|(name, _)| *name == room) else {
            faults.add(&source, 1, format!("the room `{room}` is new: give it a floor in tests/tidy.rs"));
            continue;
        };
        let way_out = "super::".repeat(source.depth());
        for (line, code) in source.code() {
            if code.contains(&way_out) {
                faults.add(&source, line, format!("`{way_out}` leaves the room: write `crate::ROOM`"));
            }
            for (_, path) in code.match_indices("crate::").map(|(at, name)| code.split_at(at + name.len())) {
                let end = path.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(path.len());
                match &path[..end] {
                    "" => faults.add(&source, line, "name the room: one `crate::ROOM` for each"),
                    used if used == room || below.contains(&used) || CRATES.contains(&used) => {}
                    used => faults.add(
                        &source,
                        line,
                        format!("`{room}` may not use `{used}`, only {below:?}: move what both need into one of these"),
                    ),
                }
            }
        }
    }
    faults.none();
}

#[test]
fn the_core_is_pure() {
    without(IMPURE, PURE.iter().flat_map(|name| sources(&format!("crates/{name}/src"))));
}

#[test]
fn nothing_is_left_unfinished() {
    without(UNFINISHED, shipped());
}

#[test]
fn files_stay_short() {
    let mut faults = Faults::default();
    for source in shipped().into_iter().chain(["tests", "benches"].into_iter().flat_map(sources)) {
        let lines = source.text.lines().count();
        if lines > LINES_MAX {
            faults.add(&source, lines, format!("over {LINES_MAX} lines: part it by what changes together"));
        }
    }
    faults.none();
}

#[test]
fn files_say_what_they_are() {
    let mut faults = Faults::default();
    for source in shipped().into_iter().filter(|source| !source.text.starts_with("//!")) {
        faults.add(&source, 1, "begin with a line `//!` that says what the file is for");
    }
    faults.none();
}

#[test]
fn a_public_type_name_has_one_meaning() {
    let mut faults = Faults::default();
    let mut known: HashMap<String, String> = HashMap::new();
    for source in shipped() {
        for (line, code) in source.code() {
            let Some(name) = public_type(code) else { continue };
            let place = format!("{}:{line}", source.path.display());
            if let Some(first) = known.insert(name.to_owned(), place) {
                faults.add(
                    &source,
                    line,
                    format!("`{name}` is also the name of a type at {first}: give one a name of its own"),
                );
            }
        }
    }
    faults.none();
}

#[test]
fn doc_comments_describe() {
    let mut faults = Faults::default();
    for source in shipped() {
        let mut before = "";
        for (line, text) in (1..).zip(source.text.lines()) {
            let (last, text) = (std::mem::replace(&mut before, text.trim_start()), text.trim_start());
            let first = text.strip_prefix("/// ").filter(|_| !last.starts_with("///"));
            let word = first.and_then(|words| words.split(' ').next());
            if word.is_some_and(|word| QUESTIONS.contains(&word)) {
                faults.add(
                    &source,
                    line,
                    "begin with a verb in the third person (\"Returns\") or a noun (\"Limit of\")",
                );
            }
        }
    }
    faults.none();
}

/// Returns the name of the public type that this line defines, if it does.
fn public_type(code: &str) -> Option<&str> {
    let rest = code.trim_start().strip_prefix("pub")?;
    let rest = rest.strip_prefix('(').and_then(|inner| inner.split_once(") ")).map_or(rest, |(_, rest)| rest);
    let rest = rest.trim_start();
    let name = ["struct ", "enum ", "trait ", "type "].iter().find_map(|kind| rest.strip_prefix(kind))?;
    name.split(|c: char| !c.is_alphanumeric()).next()
}

/// Fails if one of `banned` occurs outside comments and tests.
fn without(banned: &[(&str, &str)], sources: impl IntoIterator<Item = Source>) {
    let mut faults = Faults::default();
    for source in sources {
        for (line, code) in source.code() {
            for (text, remedy) in banned.iter().filter(|(text, _)| code.contains(text)) {
                faults.add(&source, line, format!("`{text}`: {remedy}"));
            }
        }
    }
    faults.none();
}

/// Returns the sources of the application and of all crates.
fn shipped() -> Vec<Source> {
    ["src", "crates"].into_iter().flat_map(sources).collect()
}

/// A Rust source file; its path starts at the root of the repository.
struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    /// `device` for `src/device/clock.rs`, none for `src/lib.rs` and `src/main.rs`.
    fn room(&self) -> Option<String> {
        let name = Path::new(self.path.iter().nth(1)?).file_stem()?.to_str()?;
        (!["lib", "main"].contains(&name)).then(|| name.to_owned())
    }

    /// Returns the number of modules from the root of the crate down to this file, including itself.
    fn depth(&self) -> usize {
        self.path.iter().count() - 1 - usize::from(self.path.ends_with("mod.rs"))
    }

    /// Numbered lines, without comments, up to the tests. A `//` in a string ends its line here, which is good enough.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines: Vec<_> = self.text.lines().collect();
        // Tests count only at the end of a file: one item under `#[cfg(test)]` does not hide the code after it.
        let tests = lines.windows(2).position(|pair| pair[0] == "#[cfg(test)]" && pair[1].ends_with("mod tests {"));
        let end = if self.path.ends_with("tests.rs") { 0 } else { tests.unwrap_or(lines.len()) };
        lines.into_iter().take(end).enumerate().map(|(at, line)| (at + 1, line.split("//").next().unwrap_or_default()))
    }
}

/// Returns all Rust files under `folder`, which may be missing.
fn sources(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![PathBuf::from(folder)];
    let mut sources = vec![];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(root.join(&folder)) else { continue };
        for entry in entries {
            let entry = entry.expect("the repository can be read");
            let path = folder.join(entry.file_name());
            if entry.path().is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(entry.path()).expect("source is UTF-8");
                sources.push(Source { path, text });
            }
        }
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}

#[derive(Default)]
struct Faults(Vec<String>);

impl Faults {
    fn add(&mut self, source: &Source, line: usize, what: impl std::fmt::Display) {
        self.0.push(format!("{}:{line}: {what}", source.path.display()));
    }

    fn none(self) {
        assert!(self.0.is_empty(), "\n{}\n", self.0.join("\n"));
    }
}
