//! Completion scripts and manual pages of the program, as packages install them.

use std::process::{Command, Output, Stdio};

/// Commands of every build, and those that need screens.
const COMMANDS: &[&str] = if cfg!(feature = "show") { &["record", "rehearse"] } else { &["record"] };

fn moongate(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_moongate"));
    command.args(arguments).stdin(Stdio::null()).output().expect("the program is built")
}

#[test]
fn shells_complete_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let output = moongate(&["completions", shell]);
        let script = String::from_utf8(output.stdout).expect("a script is text");
        assert!(output.status.success() && !script.is_empty(), "{shell}");
        for command in COMMANDS {
            assert!(script.contains(command), "{shell} does not complete {command}");
        }
        assert!(script.contains("completions"), "{shell}");
    }
    assert!(!moongate(&["completions", "csh"]).status.success());
}

#[test]
fn each_command_has_a_manual_page() {
    let dir = tempfile::tempdir().expect("a folder");
    let pages = dir.path().join("share/man1");
    let output = moongate(&["man", pages.to_str().expect("the folder's name is plain")]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let page = |name: &str| std::fs::read_to_string(pages.join(name)).unwrap_or_default();
    assert!(page("moongate.1").contains(".TH"), "the program has a page");
    for command in COMMANDS {
        let text = page(&format!("moongate-{command}.1"));
        assert!(text.contains(".TH") && text.contains(command), "{command}: {text}");
    }
    assert!(!pages.join("moongate-scene.1").exists(), "hidden commands have no page");
}

#[test]
fn a_manual_that_cannot_be_written_is_told() {
    let output = moongate(&["man", "/dev/null/man1"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("/dev/null/man1: "), "{said}");
}
