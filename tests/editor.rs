//! An editor finds no errors in shipped scenes: TypeScript checks all of them against `assets/moongate.d.ts`.
//!
//! `./x test --all` installs the compilers and names them in `MOONGATE_TSC`, separated by colons.
//!
//! `./x test --all` installs the compilers and names them in `MOONGATE_TSC`, separated by colons.

use std::path::{Path, PathBuf};
use std::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Returns the compilers to check with; empty where only Rust is installed.
fn compilers() -> Vec<PathBuf> {
    let named = std::env::var_os("MOONGATE_TSC");
    named.map(|paths| std::env::split_paths(&paths).collect()).unwrap_or_default()
}

/// Returns the errors that a compiler finds in a folder with a `jsconfig.json`.
fn mistakes(compiler: &Path, folder: &Path) -> Option<String> {
    let checked = Command::new(compiler).args(["--noEmit", "-p", "jsconfig.json"]).current_dir(folder).output();
    let checked = checked.unwrap_or_else(|why| panic!("{}: {why}", compiler.display()));
    (!checked.status.success()).then(|| format!("{}:\n{}", folder.display(), String::from_utf8_lossy(&checked.stdout)))
}

/// Returns the folders within a folder.
fn folders(within: &str) -> Vec<PathBuf> {
    let entries = Path::new(ROOT).join(within).read_dir().expect("it is in the repository");
    let all: Vec<_> = entries.map(|entry| entry.expect("it can be read").path()).filter(|path| path.is_dir()).collect();
    assert!(!all.is_empty(), "{within} is empty");
    all
}

/// Copies a scene into a folder as made by `moongate new`, with the types and the editor's settings beside it.
fn as_made(scene: &Path) -> tempfile::TempDir {
    let made = tempfile::tempdir().expect("a folder");
    let copy = |from: PathBuf| {
        let name = from.file_name().expect("it has a name");
        std::fs::copy(&from, made.path().join(name)).unwrap_or_else(|why| panic!("{}: {why}", from.display()));
    };
    copy(scene.join("scene.js"));
    copy(Path::new(ROOT).join("assets/new/jsconfig.json"));
    copy(Path::new(ROOT).join("assets/moongate.d.ts"));
    made
}

#[test]
fn an_editor_finds_no_mistakes_in_shipped_scenes() {
    let compilers = compilers();
    if compilers.is_empty() {
        println!("TypeScript is not at hand: ./x test --all checks the scenes with it");
    }
    let made: Vec<_> = folders("docs/artists/examples").iter().map(|scene| as_made(scene)).collect();
    let new = as_made(&Path::new(ROOT).join("assets/new"));
    for compiler in &compilers {
        let all = folders("installations");
        let all = all.iter().map(PathBuf::as_path).chain(made.iter().chain([&new]).map(tempfile::TempDir::path));
        let found: Vec<String> = all.filter_map(|folder| mistakes(compiler, folder)).collect();
        assert!(found.is_empty(), "{}\n{}", compiler.display(), found.join("\n"));
    }
}

#[test]
fn an_editor_finds_a_mistake() {
    for compiler in compilers() {
        let folder = as_made(&Path::new(ROOT).join("assets/new"));
        std::fs::write(
            folder.path().join("scene.js"),
            "import { draw } from \"moongate\";\nexport function frame() { draw.circel(1, 2, 3); }\n",
        )
        .expect("written");
        let found = mistakes(&compiler, folder.path()).unwrap_or_default();
        assert!(found.contains("circel"), "{}: {found}", compiler.display());
    }
}
