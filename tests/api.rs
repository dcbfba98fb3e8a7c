//! `docs/artists/api.md` matches `assets/moongate.d.ts` and has an image of everything that can be drawn.
//!
//! `MOONGATE_API=write cargo test --no-default-features --test api` rewrites it.

#[path = "golden/drawn.rs"]
mod drawn;

use drawn::DRAWN;
use std::fmt::Write;

const TYPES: &str = include_str!("../assets/moongate.d.ts");
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/artists/api.md");

/// Images shown at further entries than the one they are named after: the entry, and the prefix of the images' names.
const BESIDE: [(&str, &str); 10] = [
    ("Blend", "blend-"),
    ("Pattern", "pattern"),
    ("push", "transforms"),
    ("pop", "transforms"),
    ("translate", "transforms"),
    ("rotate", "transforms"),
    ("scale", "transforms"),
    ("linear", "gradient-linear"),
    ("radial", "gradient-radial"),
    ("conic", "gradient-conic"),
];

/// Entry of the API: its description, its declaration, and its members.
#[derive(Debug)]
struct Entry {
    about: String,
    declared: String,
    members: Vec<Entry>,
}

impl Entry {
    fn name(&self) -> &str {
        let words = ["export", "const", "function", "interface", "type", "readonly"];
        let rest = self.declared.split_whitespace().find(|word| !words.contains(word)).unwrap_or_default();
        let end = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(rest.len());
        &rest[..end]
    }

    fn is_value(&self) -> bool {
        self.declared.starts_with("export const") || self.declared.starts_with("export function")
    }
}

/// Returns the text of a comment without its asterisks.
fn plain(comment: &str) -> String {
    let inner = comment.trim().trim_start_matches("/**").trim_end_matches("*/").trim();
    let lines = inner
        .lines()
        .map(|line| line.trim().strip_prefix('*').map_or(line.trim(), |line| line.strip_prefix(' ').unwrap_or(line)));
    lines.collect::<Vec<_>>().join("\n")
}

/// Reads all entries at this indentation, up to the end of their block.
fn entries<'a>(lines: &mut impl Iterator<Item = &'a str>, indent: usize) -> Vec<Entry> {
    let (mut all, mut about) = (Vec::new(), String::new());
    while let Some(line) = lines.next() {
        let text = line.trim();
        if text.starts_with("/**") {
            let mut comment = line.to_owned();
            while !comment.trim_end().ends_with("*/") {
                comment += "\n";
                comment += lines.next().expect("a comment ends");
            }
            about = plain(&comment);
            continue;
        }
        if text.starts_with('}') {
            return all;
        }
        if text.is_empty() || line.len() - line.trim_start().len() != indent {
            continue;
        }
        let mut declared = text.to_owned();
        let members = if text.ends_with('{') { entries(lines, indent + 2) } else { Vec::new() };
        // A type may span several lines.
        while members.is_empty() && !declared.ends_with(';') {
            declared += " ";
            declared += lines.next().expect("a declaration ends").trim();
        }
        let declared = declared.trim_end_matches(['{', ';', ' ', ':']).to_owned();
        all.push(Entry { about: std::mem::take(&mut about), declared, members });
    }
    all
}

/// Splits a description into its text and the example at its end.
fn parted(about: &str) -> (String, Option<String>) {
    let about = about.trim();
    if let Some(rest) = about.strip_suffix('`')
        && let Some(start) = rest.rfind('`')
    {
        let (text, example) = (rest[..start].trim(), &rest[start + 1..]);
        // Several examples may follow one another. A sentence that ends in a code span has no example.
        if text.ends_with('.') || text.ends_with("```") || text.is_empty() {
            return (text.to_owned(), Some(example.to_owned()));
        }
    }
    (about.to_owned(), None)
}

/// Formats a description for a table cell.
fn row(about: &str) -> String {
    about.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

/// Returns the images of an entry, with the code that draws them.
fn pictures(name: &str) -> Vec<(&'static str, &'static str)> {
    let prefixed = format!("{name}-");
    let beside: Vec<&str> = BESIDE.iter().filter(|(place, _)| *place == name).map(|(_, begins)| *begins).collect();
    let shown = |picture: &str| {
        picture == name || picture.starts_with(&prefixed) || beside.iter().any(|begins| picture.starts_with(begins))
    };
    DRAWN.iter().filter(|(picture, _)| shown(picture)).map(|(picture, code)| (*picture, *code)).collect()
}

fn show(page: &mut String, name: &str) {
    for (picture, code) in pictures(name) {
        let _ = write!(page, "![{picture}](../../tests/golden/{picture}.png)\n\n```js\n{code}\n```\n\n");
    }
}

fn call(page: &mut String, entry: &Entry, of: &str) {
    let (about, example) = parted(&entry.about);
    let _ = write!(
        page,
        "### {of}{}\n\n```ts\n{of}{}\n```\n\n{about}\n\n",
        entry.name(),
        entry.declared.trim_start_matches("readonly ")
    );
    if let Some(example) = example {
        let _ = write!(page, "```js\n{example}\n```\n\n");
    }
}

fn page() -> String {
    let mut page = String::from(
        "# Everything a scene can say\n\nWritten from [`assets/moongate.d.ts`](../../assets/moongate.d.ts), which your editor reads too, by \
         `tests/api.rs`: change it there.\nEach picture was drawn by the line under it, over the same night; `tests/golden` compares them.\n\n",
    );
    let (head, module) = TYPES.split_once("declare module \"moongate\" {\n").expect("it declares the module");
    page += "## What the engine calls\n\n";
    let called = plain(head);
    let (_, called) = called.split_once("The engine calls").expect("it says what is called");
    let _ = write!(page, "The engine calls{called}\n\n");
    let all = entries(&mut module.lines(), 2);
    page += "## What can be imported\n\n";
    for value in all.iter().filter(|entry| entry.is_value()) {
        let name = value.name();
        if value.members.is_empty() {
            let declared = value.declared.trim_start_matches("export ").trim_start_matches("function ").to_owned();
            let (about, example) = parted(&value.about);
            let _ = write!(page, "### {name}\n\n```ts\n{declared}\n```\n\n{about}\n\n");
            if let Some(example) = example {
                let _ = write!(page, "```js\n{example}\n```\n\n");
            }
            continue;
        }
        let (about, _) = parted(&value.about);
        let _ = write!(page, "## {name}\n\n{about}\n\n");
        for member in &value.members {
            call(&mut page, member, &format!("{name}."));
            if matches!(name, "draw" | "gradient") {
                show(&mut page, member.name());
            }
        }
    }
    page += "## What they are made of\n\n";
    for ty in all.iter().filter(|entry| !entry.is_value()) {
        let (about, example) = parted(&ty.about);
        let extends = ty.declared.split_once(" extends ").map(|(_, of)| format!(" A {} with more.", of.trim()));
        let _ = write!(page, "### {}\n\n{about}{}", ty.name(), extends.unwrap_or_default());
        let _ = write!(page, "{}\n\n", example.map_or_else(String::new, |example| format!(" `{example}`")));
        if ty.members.is_empty() {
            let declared = ty.declared.trim_start_matches("export ");
            let _ = write!(page, "```ts\n{declared}\n```\n\n");
        } else {
            page += "| | |\n|---|---|\n";
            for member in &ty.members {
                let declared = member.declared.trim_start_matches("readonly ");
                let _ = writeln!(page, "| `{}` | {} |", row(declared), row(&member.about));
            }
            page += "\n";
        }
        show(&mut page, ty.name());
    }
    page.trim_end().to_owned() + "\n"
}

#[test]
fn the_page_is_what_the_types_say() {
    let page = page();
    if std::env::var_os("MOONGATE_API").is_some() {
        std::fs::write(PAGE, &page).expect("it can be written");
    }
    let known = std::fs::read_to_string(PAGE).expect("it is there: write it with MOONGATE_API=write");
    let stale = page.lines().zip(known.lines()).find(|(new, old)| new != old);
    assert!(
        page == known,
        "docs/artists/api.md is not what the types say; write it with MOONGATE_API=write: {stale:?}"
    );
}

#[test]
fn all_that_draws_has_its_picture() {
    let (_, module) = TYPES.split_once("declare module \"moongate\" {\n").expect("it declares the module");
    let all = entries(&mut module.lines(), 2);
    let mut shown = 0;
    for value in all.iter().filter(|entry| matches!(entry.name(), "draw" | "gradient") && entry.is_value()) {
        for member in &value.members {
            assert!(!pictures(member.name()).is_empty(), "{}.{} has no picture", value.name(), member.name());
            shown += 1;
        }
    }
    assert!(shown > 25, "{shown}");
    for (picture, _) in DRAWN {
        let places: Vec<&str> =
            all.iter().flat_map(|entry| entry.members.iter().chain([entry])).map(Entry::name).collect();
        assert!(
            places.iter().any(|name| pictures(name).iter().any(|(known, _)| known == picture)),
            "{picture} is shown nowhere"
        );
    }
}
