//! Dependencies: running and testing compile the same ones, and the relay needs none of scenes and graphics.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// Returns the features of each package that `cargo tree` lists with these arguments.
fn features(arguments: &[&str]) -> BTreeMap<String, BTreeSet<String>> {
    let mut command = Command::new(env!("CARGO"));
    command.args(["tree", "--offline", "--locked", "--prefix=none", "--no-dedupe", "--format={p}|{f}"]).args(arguments);
    let output = command.current_dir(env!("CARGO_MANIFEST_DIR")).output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut packages: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let Some((package, features)) = line.split_once('|') else { continue };
        packages.entry(package.to_owned()).or_default().insert(features.trim_end_matches(" (*)").to_owned());
    }
    packages
}

#[test]
fn tests_compile_no_dependency_again_that_a_rehearsal_has_compiled() {
    let [run, test] = [&["--workspace", "--edges=no-dev"][..], &["--workspace"]].map(features);
    assert!(run.len() > 100, "{run:?}");
    let again: Vec<_> = run.iter().filter(|(package, features)| test.get(*package) != Some(features)).collect();
    assert!(again.is_empty(), "other features in tests: {again:?}; ask for the same in [workspace.dependencies]");
}

#[test]
fn a_relay_is_built_without_scripts_shaders_and_graphics() {
    let needed = features(&["--package=moongate-relay", "--edges=no-dev"]);
    assert!(needed.keys().any(|package| package.starts_with("ring ")), "{needed:?}");
    let banned = ["rquickjs", "oxc_", "naga", "wgpu", "bevy", "clang-sys", "quinn", "image "];
    let found: Vec<_> = needed.keys().filter(|package| banned.iter().any(|name| package.starts_with(name))).collect();
    assert!(found.is_empty(), "{found:?}");
}
