//! Finds installations by their names: in the current folder, with the installed program, and in the clone that it was built from.

use super::Failure;
use crate::config::closest_match;
use std::path::{Path, PathBuf};

/// File that makes a folder an installation.
const MANIFEST: &str = "installation.toml";
/// Folder of the installations that come with the program, beside the folder of the program itself.
const INSTALLED: &str = "../share/moongate/installations";

/// Returns the folder of an installation by its name or path.
pub(super) fn find(name: &str) -> Result<PathBuf, Failure> {
    find_in(name, &collections(std::env::current_exe().ok().as_deref()))
}

/// Returns the folders that hold installations, in the order of the search.
fn collections(program: Option<&Path>) -> Vec<PathBuf> {
    let installed = program.and_then(Path::parent).map(|folder| folder.join(INSTALLED));
    let clone = Path::new(env!("CARGO_MANIFEST_DIR")).join("installations");
    std::iter::once("installations".into()).chain(installed).chain([clone]).collect()
}

fn find_in(name: &str, collections: &[PathBuf]) -> Result<PathBuf, Failure> {
    let candidates = std::iter::once(PathBuf::from(name)).chain(collections.iter().map(|folder| folder.join(name)));
    if let Some(found) = candidates.into_iter().find(|folder| folder.join(MANIFEST).is_file()) {
        return Ok(found.canonicalize()?);
    }
    let entries = collections.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten();
    let folders = entries.filter(|entry| entry.path().join(MANIFEST).is_file());
    let mut known: Vec<String> = folders.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    known.sort();
    known.dedup();
    let hint = match closest_match(name, known.iter().map(String::as_str)) {
        Some(meant) => format!("did you mean {meant}?"),
        None if known.is_empty() => "run `./x install` in the clone of Moongate to have those that come with it".into(),
        None => format!("there are {}", known.join(", ")),
    };
    let own = if Path::new(MANIFEST).is_file() { "; the folder you are in is one: write `.`" } else { "" };
    Err(format!(
        "there is no installation \"{name}\": no folder of this name with {MANIFEST} is here or in installations/; {hint}{own}"
    )
    .into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_installed_program_finds_its_installations_beside_it() {
        let prefix = tempfile::tempdir().expect("a folder");
        let lake = prefix.path().join("share/moongate/installations/lake");
        std::fs::create_dir_all(&lake).expect("our own folder");
        std::fs::create_dir_all(prefix.path().join("bin")).expect("our own folder");
        std::fs::write(lake.join(MANIFEST), "").expect("our own folder");
        let all = collections(Some(&prefix.path().join("bin/moongate")));
        assert_eq!(find_in("lake", &all[1..2]).expect("it is there"), lake.canonicalize().expect("it is there"));
        let why = find_in("lak", &all[1..2]).expect_err("it is not there").to_string();
        assert!(why.contains("\"lak\"") && why.contains("did you mean lake?"), "{why}");
        let why = find_in("lake", &[]).expect_err("there is no folder").to_string();
        assert!(why.contains("./x install"), "{why}");
        // The clone that the tests were built from.
        assert!(find_in("hello", &all[2..]).is_ok());
    }
}
