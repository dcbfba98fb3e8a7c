//! House rules that can be checked automatically: layers of modules, a pure core, short and finished files.

use std::fs;
use std::path::{Path, PathBuf};

/// Modules of the core, from the bottom up, and the modules that each may use.
const CORE: &[(&str, &[&str])] = &[
    ("wire", &[]),
    ("escape", &[]),
    ("token_bucket", &[]),
    ("files", &[]),
    ("mix", &[]),
    ("presence", &["wire"]),
    ("vision", &["presence"]),
    ("marks", &["wire"]),
    ("policy", &["presence"]),
    ("link", &["marks", "presence", "policy", "wire", "token_bucket", "escape"]),
    ("config", &["presence", "marks", "policy", "wire", "escape", "files"]),
    ("scene", &["config", "presence", "marks", "link", "wire", "escape", "mix", "files"]),
];

/// Modules above the core, from the bottom up, and the modules that each may use besides the core.
const ABOVE: &[(&str, &[&str])] = &[
    ("device", &[]),
    ("render", &["device"]),
    ("show", &["device", "render"]),
    ("preview", &["device", "render", "show"]),
    ("operator", &["device", "render", "show"]),
    ("cli", &["device", "render", "show", "preview", "operator"]),
];

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

#[test]
fn use_goes_down_only() {
    let mut faults = Faults::default();
    for source in sources("src") {
        let Some(room) = source.room() else { continue };
        let Some(below) = rooms_below(&room) else {
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
                    used if used == room || below.contains(&used) => {}
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
    let in_core = |source: &Source| source.room().is_some_and(|room| CORE.iter().any(|(name, _)| *name == room));
    without(IMPURE, sources("src").into_iter().filter(in_core));
}

#[test]
fn nothing_is_left_unfinished() {
    without(UNFINISHED, sources("src"));
}

#[test]
fn files_stay_short() {
    let mut faults = Faults::default();
    for source in ["src", "tests", "benches"].into_iter().flat_map(sources) {
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
    for source in sources("src").into_iter().filter(|source| !source.text.starts_with("//!")) {
        faults.add(&source, 1, "begin with a line `//!` that says what the file is for");
    }
    faults.none();
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

/// Returns the modules that `room` may use, or none if it is in neither list.
fn rooms_below(room: &str) -> Option<Vec<&'static str>> {
    let named = |floors: &[(&str, &'static [&'static str])]| {
        floors.iter().find(|(name, _)| *name == room).map(|(_, below)| below.to_vec())
    };
    named(CORE).or_else(|| {
        let mut below: Vec<_> = CORE.iter().map(|(name, _)| *name).collect();
        below.extend(named(ABOVE)?);
        Some(below)
    })
}

/// A Rust source file; its path starts at the root of the repository.
struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    /// `link` for `src/link/clock.rs`, `wire` for `src/wire.rs`, none for `src/lib.rs` and `src/main.rs`.
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
