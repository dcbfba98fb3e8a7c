//! `./x install` and `./x uninstall`: the program runs from where a user has it, and finds its installations there.
#![cfg(all(feature = "show", target_os = "linux"))]

use std::path::Path;
use std::process::{Command, Output};

/// Runs `./x WORD` with a prefix of its own.
fn x(word: &str, prefix: &Path) -> Output {
    let target = Path::new(env!("CARGO_BIN_EXE_moongate")).parent().and_then(Path::parent).expect("target/debug");
    let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("x"));
    // What cargo sets for a test would make its build scripts run again, and all that depends on them.
    let of_cargo = |name: &str| name.starts_with("CARGO_") && name != "CARGO_HOME" || name == "LD_LIBRARY_PATH";
    std::env::vars().map(|(name, _)| name).filter(|name| of_cargo(name)).for_each(|name| _ = command.env_remove(name));
    command.arg(word).env("PREFIX", prefix).env("CARGO_TARGET_DIR", target).output().expect("bash runs")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn a_user_has_the_program_its_installations_its_manual_and_its_completions() {
    let prefix = tempfile::tempdir().expect("a folder");
    let prefix = prefix.path();
    let installed = x("install", prefix);
    assert!(installed.status.success(), "{}", text(&installed));
    let path = format!("export PATH=\"{}/bin:$PATH\"", prefix.display());
    assert!(text(&installed).contains(&path), "the shell has to be told where it is: {}", text(&installed));
    for file in [
        "bin/moongate-relay",
        "share/man/man1/moongate-rehearse.1",
        "share/bash-completion/completions/moongate",
        "share/moongate/installations/lanterns/scene.js",
    ] {
        assert!(prefix.join(file).is_file(), "{file}");
    }
    // Away from the clone, a name is looked for beside the program first.
    std::fs::rename(
        prefix.join("share/moongate/installations/hello"),
        prefix.join("share/moongate/installations/renamed"),
    )
    .expect("our own folder");
    let program = prefix.join("bin/moongate");
    let looked = Command::new(&program).args(["preview", "renames"]).current_dir(prefix).output().expect("it runs");
    assert!(text(&looked).contains("did you mean renamed?"), "{}", text(&looked));
    // An installation over the one before has exactly what comes with it.
    assert!(x("install", prefix).status.success());
    assert!(prefix.join("share/moongate/installations/hello").is_dir());
    assert!(!prefix.join("share/moongate/installations/renamed").exists());
    let removed = x("uninstall", prefix);
    assert!(removed.status.success(), "{}", text(&removed));
    assert!(!program.exists() && !prefix.join("share/moongate").exists());
}
