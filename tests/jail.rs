//! Sandbox limits of processes that read untrusted input, and the handling of systems that cannot sandbox them.
#![cfg(target_os = "linux")]

mod common;
mod lacking;

use lacking::without;
use moongate::device::decode::Decoder;
use moongate::device::scene_process::{BlockingScene, SandboxCommand, SceneProcess};
use moongate::scene::{FrameInput, SceneRevision};
use std::sync::Arc;
use std::time::{Duration, Instant};

const SCRIPT: &str = "import { draw } from \"moongate\";\nexport function frame() { draw.circle(1, 2, 3); }";
const PATIENCE: Duration = Duration::from_secs(10);

fn moongate(word: &str) -> SandboxCommand {
    SandboxCommand { program: env!("CARGO_BIN_EXE_moongate").into(), arguments: vec![word.into()] }
}

fn edition() -> Arc<SceneRevision> {
    Arc::new(common::read(common::folder(SCRIPT).path()).unwrap_or_else(|fault| panic!("{fault}")))
}

/// Waits for a condition for a limited time; returns true if it was met.
fn until(mut come: impl FnMut() -> bool) -> bool {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        if come() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    false
}

/// Starts a scene's process from a shell with open files, and returns it once it is ready.
fn started() -> (SceneProcess, u32) {
    let text = "exec 7</etc/passwd 9</ 8>/dev/null; exec \"$0\" scene";
    let arguments = vec!["-c".into(), text.into(), env!("CARGO_BIN_EXE_moongate").into()];
    let process = SceneProcess::start(SandboxCommand { program: "/bin/sh".into(), arguments }, common::setting());
    let process = process.expect("a thread");
    process.load(edition());
    assert!(until(|| process.status().ready), "{:?}", process.status());
    let pid = process.status().pid.expect("it runs");
    (process, pid)
}

#[test]
fn what_a_shell_has_open_does_not_reach_a_scene() {
    let (_process, pid) = started();
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("it is ours");
    let mut open: Vec<String> =
        open.map(|entry| entry.expect("a number").file_name().to_string_lossy().into_owned()).collect();
    open.sort();
    assert_eq!(open, ["0", "1", "2"]);
}

#[test]
fn the_environment_does_not_reach_a_scene() {
    // Cargo sets this variable for each test.
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
    let (_process, pid) = started();
    let environment = std::fs::read_to_string(format!("/proc/{pid}/environ")).expect("it is ours");
    // The shell itself sets PWD, OLDPWD, SHLVL and _.
    let known = ["LD_LIBRARY_PATH", "MOONGATE_LOG", "RUST_BACKTRACE", "PWD", "OLDPWD", "SHLVL", "_"];
    for variable in environment.split('\0').filter(|variable| !variable.is_empty()) {
        let name = variable.split('=').next().unwrap_or_default();
        assert!(known.contains(&name), "{name} is told");
    }
}

#[test]
fn a_scene_without_a_jail_is_refused() {
    let calls = [libc::SYS_landlock_create_ruleset, libc::SYS_prlimit64, libc::SYS_seccomp];
    for (call, missing) in calls.into_iter().zip(["files", "limits", "system calls"]) {
        let fault = without(call, || {
            let process = SceneProcess::start(moongate("scene"), common::setting()).expect("a thread");
            process.load(edition());
            assert!(until(|| process.status().fault.is_some()), "{:?}", process.status());
            assert!(!process.status().ready);
            process.status().fault.expect("just seen")
        });
        assert!(fault.problem.contains("not jailed by") && fault.problem.contains(missing), "{fault}");
        assert!(fault.remedy.contains("--unjailed") && fault.remedy.contains("Landlock"), "{fault}");
    }
}

#[test]
fn a_scene_without_a_jail_runs_when_it_may_and_that_is_told() {
    let (mut alone, answered) = without(libc::SYS_landlock_create_ruleset, || {
        let process = SceneProcess::start(moongate("scene").unjailed(true), common::setting()).expect("a thread");
        process.load(edition());
        assert!(until(|| process.status().ready), "{:?}", process.status());
        let alone = BlockingScene::start(&moongate("scene").unjailed(true), &common::setting(), edition());
        let mut alone = alone.unwrap_or_else(|fault| panic!("{fault}"));
        let json = serde_json::to_string(&FrameInput::default()).expect("it is plain");
        let answered = alone.request_frame(1, 0, json).unwrap_or_else(|fault| panic!("{fault}"));
        (alone.unjailed.take(), answered)
    });
    assert_eq!(alone.take().as_deref(), Some("not jailed by: files"));
    assert!(answered.picture.is_some_and(|picture| picture.items.len() == 1));
    // With a sandbox there is nothing to report.
    let jailed = BlockingScene::start(&moongate("scene").unjailed(true), &common::setting(), edition());
    assert_eq!(jailed.unwrap_or_else(|fault| panic!("{fault}")).unjailed, None);
}

#[test]
fn a_decoder_without_a_jail_decodes_only_if_it_may() {
    let dir = common::folder(SCRIPT);
    image::RgbaImage::new(3, 2).save(dir.path().join("moon.png")).expect("written");
    let path = dir.path().to_owned();
    let [refused, read] = without(libc::SYS_landlock_create_ruleset, move || {
        [false, true].map(|may| Decoder::new(moongate("decode").unjailed(may)).read(&path))
    });
    let fault = refused.expect_err("it is refused");
    assert!(fault.file == "moon.png" && fault.to_string().contains("not jailed by: files"), "{fault}");
    assert!(fault.remedy.contains("--unjailed"), "{fault}");
    assert_eq!(read.unwrap_or_else(|fault| panic!("{fault}")).images[0].size, [3, 2]);
}
