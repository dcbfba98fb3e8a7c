//! Prose that a test can hold: links, commands, TOML, scripts and pictures of the pages are what they seem.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Folders without pages of ours.
const OTHER: &[&str] = &["target", "out", "pictures", ".git", "node_modules"];

struct Page {
    path: PathBuf,
    text: String,
}

impl Page {
    fn name(&self) -> String {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        self.path.strip_prefix(root).unwrap_or(&self.path).display().to_string()
    }

    /// Returns the lines with their numbers and the language of the block that they stand in; an empty one for prose.
    fn lines(&self) -> impl Iterator<Item = (usize, &str, &str)> {
        let mut block = None;
        (1..).zip(self.text.lines()).map(move |(number, line)| {
            if let Some(language) = line.trim_start().strip_prefix("```") {
                block = block.is_none().then_some(if language.is_empty() { "text" } else { language });
                return (number, "", "```");
            }
            (number, line, block.unwrap_or_default())
        })
    }

    /// Returns the blocks in a language, each with the number of its first line.
    fn blocks(&self, language: &str) -> Vec<(usize, String)> {
        let mut blocks: Vec<(usize, String)> = Vec::new();
        let mut last = 0;
        for (number, line, of) in self.lines().filter(|(_, _, of)| of.split(' ').next() == Some(language)) {
            let _ = of;
            match blocks.last_mut().filter(|_| last + 1 == number) {
                Some((_, text)) => *text += &format!("{line}\n"),
                None => blocks.push((number, format!("{line}\n"))),
            }
            last = number;
        }
        blocks
    }

    /// Returns the anchors of the headings.
    fn anchors(&self) -> BTreeSet<String> {
        let headings = self.lines().filter(|(_, line, of)| of.is_empty() && line.starts_with('#'));
        headings.map(|(_, line, _)| anchor(line.trim_start_matches('#'))).collect()
    }
}

/// Returns the anchor that GitHub gives a heading.
fn anchor(heading: &str) -> String {
    let text = links(heading)
        .into_iter()
        .fold(heading.to_owned(), |text, link| text.replace(&format!("[{}]({})", link.text, link.to), &link.text));
    let kept = text.trim().to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

struct Link {
    is_picture: bool,
    text: String,
    to: String,
}

/// Returns the links and pictures in a line.
fn links(line: &str) -> Vec<Link> {
    let mut found = Vec::new();
    for (middle, _) in line.match_indices("](") {
        let Some(end) = line[middle..].find(')') else { continue };
        let Some(begin) = line[..middle].rfind('[') else { continue };
        let to = line[middle + 2..middle + end].split(' ').next().unwrap_or_default().to_owned();
        found.push(Link { is_picture: line[..begin].ends_with('!'), text: line[begin + 1..middle].to_owned(), to });
    }
    found
}

/// Returns all pages of the repository.
fn pages() -> Vec<Page> {
    fn read(folder: &Path, into: &mut Vec<Page>) {
        for entry in fs::read_dir(folder).expect("our own folder").flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            if path.is_dir() && !OTHER.iter().any(|other| name == *other) {
                read(&path, into);
            } else if path.extension().is_some_and(|ending| ending == "md") {
                let text = fs::read_to_string(&path).expect("our own page");
                into.push(Page { path, text });
            }
        }
    }
    let mut pages = Vec::new();
    read(Path::new(env!("CARGO_MANIFEST_DIR")), &mut pages);
    assert!(pages.len() > 30, "{}", pages.len());
    pages
}

fn report(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn links_lead_to_pages_and_headings_and_pictures_have_a_text() {
    let pages = pages();
    let anchors: BTreeMap<&Path, BTreeSet<String>> =
        pages.iter().map(|page| (page.path.as_path(), page.anchors())).collect();
    let mut wrong = Vec::new();
    for page in &pages {
        for (number, line, _) in page.lines().filter(|(_, _, of)| of.is_empty()) {
            for Link { is_picture, text, to } in links(line) {
                if is_picture && text.split_whitespace().count() < 1 {
                    wrong.push(format!("{}:{number}: a picture without a text: {to}", page.name()));
                }
                if to.contains("://") || to.starts_with("mailto:") {
                    continue;
                }
                let (file, heading) = to.split_once('#').unwrap_or((&to, ""));
                let folder = page.path.parent().expect("a page is in a folder");
                let target = if file.is_empty() { page.path.clone() } else { folder.join(file) };
                let Ok(target) = target.canonicalize() else {
                    wrong.push(format!("{}:{number}: {to} leads nowhere", page.name()));
                    continue;
                };
                let target = if target.is_dir() { target.join("README.md") } else { target };
                let known = anchors.get(target.as_path()).is_none_or(|known| known.contains(heading));
                if !heading.is_empty() && !known {
                    wrong.push(format!("{}:{number}: {to}: there is no such heading", page.name()));
                }
            }
        }
    }
    report(&wrong);
}

/// Splits a command line into words, as a shell does; a comment after two spaces is left out.
fn words(line: &str) -> Vec<String> {
    let line = line.split("  #").next().unwrap_or_default();
    let (mut words, mut quoted, mut word) = (Vec::new(), None, None::<String>);
    for c in line.chars() {
        match (quoted, c) {
            (None, '"' | '\'') => (quoted, word) = (Some(c), Some(word.unwrap_or_default())),
            (Some(open), _) if open == c => quoted = None,
            (None, ' ') => words.extend(word.take()),
            _ => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[test]
fn every_command_of_the_pages_is_one() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for page in pages() {
        for (number, line, of) in page.lines() {
            let typed = line.strip_prefix("    ").or(Some(line).filter(|_| matches!(of, "text" | "console" | "sh")));
            let typed = typed.map(|line| line.strip_prefix("$ ").unwrap_or(line));
            let Some(typed) = typed.filter(|line| line.starts_with("moongate ")) else { continue };
            // What is piped on or in is another program's.
            let first = typed.split(" | ").next().unwrap_or_default().split(" < ").next().unwrap_or_default();
            let first = first.split(" > ").next().unwrap_or_default();
            count += 1;
            if let Err(why) = moongate::cli::check_arguments(words(first)) {
                wrong.push(format!(
                    "{}:{number}: {typed}\n    {}",
                    page.name(),
                    why.lines().next().unwrap_or_default()
                ));
            }
        }
    }
    assert!(count > 20, "{count} commands");
    report(&wrong);
}

#[test]
fn every_block_of_toml_can_be_read() {
    let mut wrong = Vec::new();
    for page in pages() {
        for (number, text) in page.blocks("toml") {
            if let Err(why) = text.parse::<toml::Table>() {
                wrong.push(format!("{}:{number}: {}", page.name(), why.message()));
            }
        }
    }
    report(&wrong);
}

#[test]
fn every_whole_script_of_the_guides_loads() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for page in pages().into_iter().filter(|page| !page.name().ends_with("api.md")) {
        let blocks = page.blocks("js");
        for (number, script) in blocks.iter().filter(|(_, script)| script.contains("export function frame")) {
            count += 1;
            let dir = common::folder(script);
            let names: BTreeSet<&str> = script
                .match_indices("ours.")
                .filter_map(|(at, _)| script[at + 5..].split(|c: char| !c.is_alphanumeric()).next())
                .collect();
            let manifest = dir.path().join("installation.toml");
            let declared: String = names.iter().map(|name| format!("[ours.{name}]\n")).collect();
            fs::write(&manifest, fs::read_to_string(&manifest).expect("ours") + &declared).expect("our own folder");
            let start = common::edition(dir.path());
            let loaded = start.and_then(|start| moongate::scene::ScriptHost::load(&start, || Duration::ZERO));
            if let Err(why) = loaded {
                wrong.push(format!("{}:{number}: {why}", page.name()));
            }
        }
    }
    assert!(count >= 2, "{count} scripts");
    report(&wrong);
}
