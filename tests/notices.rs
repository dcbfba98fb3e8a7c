//! `THIRD-PARTY.md` names every third-party component of the program, with its licence.
//!
//! `MOONGATE_NOTICES=write cargo test --test notices` rewrites it after a dependency has changed.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::process::Command;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/THIRD-PARTY.md");

const HEAD: &str = "# Third-party notices

Moongate itself is licensed as MIT OR Apache-2.0. The program contains the crates and fonts below, each under its own licence. The source of
every crate is at `https://crates.io/crates/NAME/VERSION`, unmodified.

";

const FONTS: &str = "## Fonts

| font | licence | used for |
|---|---|---|
| Hack, by Christopher Simpkins and others (`epaint_default_fonts`) | MIT and Bitstream Vera | the panel on F1 |
| Ubuntu Light, by Canonical (`epaint_default_fonts`) | Ubuntu Font Licence 1.0 | the panel on F1 |
| Noto Emoji, by Google (`epaint_default_fonts`) | SIL Open Font Licence 1.1 | the panel on F1 |
| emoji-icon-font, by John Slegers (`epaint_default_fonts`) | MIT | the panel on F1 |

Text in scenes is set in fonts of the system, such as Debian's `fonts-noto-core` and `fonts-noto-cjk` (SIL Open Font Licence 1.1). They are
not part of the program.

";

const WEAK_COPYLEFT: &str = "## Mozilla Public License 2.0

These crates decode sounds. They are used as published; whoever passes the program on tells that their source is available, and where:

";

fn text<'a>(of: &'a Value, key: &str) -> &'a str {
    of[key].as_str().unwrap_or_default()
}

/// Returns name, version and licence of every crate that ends up in the program on Linux, in order.
fn crates() -> BTreeSet<[String; 3]> {
    let metadata = ["metadata", "--format-version=1", "--locked", "--filter-platform=x86_64-unknown-linux-gnu"];
    let told = Command::new(env!("CARGO")).args(metadata).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    let told = told.expect("cargo runs");
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let told: Value = serde_json::from_slice(&told.stdout).expect("cargo writes JSON");
    let list = |of: &Value| of.as_array().cloned().unwrap_or_default();
    let nodes: BTreeMap<String, Value> =
        list(&told["resolve"]["nodes"]).into_iter().map(|node| (text(&node, "id").to_owned(), node)).collect();
    let root = text(&told["resolve"], "root").to_owned();
    let (mut reached, mut open) = (BTreeSet::new(), vec![root.clone()]);
    while let Some(id) = open.pop() {
        if !reached.insert(id.clone()) {
            continue;
        }
        for needed in nodes.get(&id).map(|node| list(&node["deps"])).unwrap_or_default() {
            // Dependencies of tests and build scripts are not part of the program.
            if list(&needed["dep_kinds"]).iter().any(|kind| kind["kind"].is_null()) {
                open.push(text(&needed, "pkg").to_owned());
            }
        }
    }
    reached.remove(&root);
    let is_ours = |package: &Value| text(package, "name").starts_with("moongate-");
    let packages = list(&told["packages"]).into_iter();
    let packages = packages.filter(|package| reached.contains(text(package, "id")) && !is_ours(package));
    packages.map(|package| ["name", "version", "license"].map(|key| text(&package, key).replace('/', " OR "))).collect()
}

fn notices(crates: &BTreeSet<[String; 3]>) -> String {
    let mut page = format!("{HEAD}{WEAK_COPYLEFT}");
    for [name, version, _] in crates.iter().filter(|[_, _, licence]| licence.contains("MPL")) {
        writeln!(page, "- [{name} {version}](https://crates.io/crates/{name}/{version})").expect("into memory");
    }
    page.push_str("\nThe licence: <https://mozilla.org/MPL/2.0/>.\n\n");
    page.push_str(FONTS);
    page.push_str("## All crates\n\n| crate | version | licence |\n|---|---|---|\n");
    for [name, version, licence] in crates {
        writeln!(page, "| {name} | {version} | {licence} |").expect("into memory");
    }
    page
}

#[test]
fn all_that_is_in_the_program_is_named_with_its_licence() {
    let crates = crates();
    assert!(crates.len() > 100, "{} crates", crates.len());
    for [name, version, licence] in &crates {
        assert!(!licence.is_empty(), "{name} {version} has no licence");
    }
    let page = notices(&crates);
    if std::env::var_os("MOONGATE_NOTICES").is_some() {
        std::fs::write(FILE, page).expect("it can be written");
        return;
    }
    let written = std::fs::read_to_string(FILE).unwrap_or_default();
    let differs = page.lines().zip(written.lines()).find(|(now, then)| now != then);
    assert!(page == written, "write THIRD-PARTY.md again with MOONGATE_NOTICES=write; first difference: {differs:?}");
}
