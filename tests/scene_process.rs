//! The scene's process: what it shows, and what is seen when it dies, lies or runs away.

mod common;

use moongate::device::scene_process::{SceneCommand, SceneProcess};
use moongate::scene::{Picture, Sees};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const SECOND: Duration = Duration::from_secs(1);
const GOOD: &str = "import { draw } from \"moongate\";
export function frame() { draw.circle(1, 2, 3); }
";

fn moongate() -> SceneCommand {
    SceneCommand { program: env!("CARGO_BIN_EXE_moongate").into(), arguments: vec!["scene".into()] }
}

struct Show {
    process: SceneProcess,
    dir: TempDir,
    number: u64,
}

impl Show {
    fn start(command: SceneCommand, script: &str) -> Self {
        let dir = common::folder(script);
        let process = SceneProcess::start(command, common::start(dir.path()), vec![]).expect("a thread");
        Self { process, dir, number: 0 }
    }

    /// Asks for one frame, if the process is free.
    fn ask(&mut self, now: f64) -> bool {
        self.number += 1;
        let sees = Sees { number: self.number, now, ..Sees::default() };
        self.process.ask(self.number, 0, serde_json::to_string(&sees).expect("it is plain"))
    }

    /// Asks until a picture comes, at most so long.
    fn picture(&mut self, now: f64, at_most: Duration) -> Option<Arc<Picture>> {
        let until = Instant::now() + at_most;
        while Instant::now() < until {
            if self.ask(now) {
                // In small steps: a process that was started again answers no old frame.
                while Instant::now() < until && !self.process.wait(self.number, SECOND / 50) && !self.process.is_free()
                {
                }
                if let (Some(picture), _) = self.process.take() {
                    return Some(picture);
                }
            }
            std::thread::sleep(SECOND / 200);
        }
        None
    }

    /// Waits for something, at most so long; true when it came.
    fn until(&self, at_most: Duration, mut come: impl FnMut(&Self) -> bool) -> bool {
        let until = Instant::now() + at_most;
        while Instant::now() < until {
            if come(self) {
                return true;
            }
            std::thread::sleep(SECOND / 200);
        }
        false
    }
}

#[test]
fn a_first_picture_comes_within_five_seconds() {
    let mut show = Show::start(moongate(), GOOD);
    let picture = show.picture(0.0, 5 * SECOND).unwrap_or_else(|| panic!("{:?}", show.process.status()));
    assert_eq!((picture.items.len(), picture.answers), (1, show.number));
    let status = show.process.status();
    assert!(status.ready && status.fault.is_none() && status.faults == 0, "{status:?}");
    assert_eq!(status.starts, 1);
    let began = Instant::now();
    drop(show);
    assert!(began.elapsed() < SECOND, "{:?} to let go", began.elapsed());
}

#[test]
fn a_fault_in_a_frame_is_told_and_the_process_lives_on() {
    let script = "import { draw } from \"moongate\";
export function frame({ now }) { if (now > 1 && now < 2) draw.circle(\"x\", 2, 3); draw.circle(1, 2, 3); }
";
    let mut show = Show::start(moongate(), script);
    assert!(show.picture(0.0, 5 * SECOND).is_some(), "{:?}", show.process.status());
    assert!(show.ask(1.5));
    assert!(show.until(2 * SECOND, |show| show.process.is_free()));
    let status = show.process.status();
    let fault = status.fault.expect("it was wrong");
    assert_eq!((fault.file.as_str(), fault.place.map(|place| place.0)), ("scene.js", Some(2)), "{fault}");
    assert!(show.picture(3.0, 2 * SECOND).is_some());
    let status = show.process.status();
    assert_eq!((status.starts, status.faults, status.fault), (1, 1, None));
    assert!(status.last_fault.is_some());
}

/// The script's engine looks at no clock within this call: only the process can be stopped.
#[test]
fn a_process_that_runs_away_is_killed_and_started_again() {
    let script = "import { draw } from \"moongate\";
export function frame({ now }) {
  if (now > 1 && now < 2) [].reverse.call({ length: 2 ** 53 - 1 });
  draw.circle(1, 2, 3);
}
";
    let mut show = Show::start(moongate(), script);
    assert!(show.picture(0.0, 5 * SECOND).is_some(), "{:?}", show.process.status());
    for frame in 1..5 {
        assert!(show.picture(f64::from(frame) * 0.1, SECOND).is_some(), "{:?}", show.process.status());
    }
    let before = show.process.status();
    assert_eq!((before.frames, before.faults), (5, 0), "{before:?}");
    assert!(show.ask(1.5));
    assert!(show.until(3 * SECOND, |show| show.process.status().faults > 0), "{:?}", show.process.status());
    let fault = show.process.status().last_fault.expect("it was told");
    assert!(fault.problem.contains("did not end"), "{fault}");
    assert!(show.picture(3.0, 3 * SECOND).is_some(), "{:?}", show.process.status());
    let after = show.process.status();
    assert_eq!((after.starts, after.fault.clone()), (2, None), "{after:?}");
    assert_ne!(before.pid, after.pid);
}

#[test]
fn a_process_that_is_killed_is_back_within_a_second() {
    let mut show = Show::start(moongate(), GOOD);
    assert!(show.picture(0.0, 5 * SECOND).is_some(), "{:?}", show.process.status());
    let pid = show.process.status().pid.expect("it runs");
    let began = Instant::now();
    let killed = Command::new("sh").args(["-c", &format!("kill -9 {pid}")]).status().expect("a shell is there");
    assert!(killed.success());
    let mut picture = None;
    // An answer that was under way when the process died is no new picture.
    while began.elapsed() < SECOND && show.process.status().starts < 2 {
        show.picture(1.0, SECOND / 50);
    }
    if show.process.status().starts == 2 {
        picture = show.picture(1.0, SECOND.saturating_sub(began.elapsed()));
    }
    let status = show.process.status();
    assert!(picture.is_some(), "{status:?}");
    assert_ne!(status.pid, Some(pid));
    assert_eq!(status.faults, 1, "{status:?}");
}

#[test]
fn a_script_that_is_mended_is_shown() {
    let mut show = Show::start(moongate(), "export function frame() {}\nlet a = ;\n");
    assert!(show.until(5 * SECOND, |show| show.process.status().fault.is_some()), "{:?}", show.process.status());
    let status = show.process.status();
    let fault = status.fault.expect("just seen");
    assert_eq!((fault.file.as_str(), fault.place.map(|place| place.0)), ("scene.js", Some(2)), "{fault}");
    assert!(!status.ready);
    assert!(show.picture(0.0, SECOND / 10).is_none());
    std::fs::write(show.dir.path().join("scene.js"), GOOD).expect("it is mended");
    assert!(show.picture(0.0, 12 * SECOND).is_some(), "{:?}", show.process.status());
    assert_eq!(show.process.status().fault, None);
}

#[test]
fn a_program_that_writes_garbage_is_a_fault() {
    let arguments = vec!["-c".into(), "head -c 100000 /dev/urandom; sleep 5".into()];
    let mut show = Show::start(SceneCommand { program: "/bin/sh".into(), arguments }, GOOD);
    // Almost always at once; a length that happens to be possible is waited for.
    assert!(show.until(11 * SECOND, |show| show.process.status().fault.is_some()), "{:?}", show.process.status());
    assert!(show.picture(0.0, SECOND / 5).is_none());
}

#[test]
fn a_program_that_is_not_there_is_a_fault() {
    let command = SceneCommand { program: "/nowhere/moongate".into(), arguments: vec![] };
    let show = Show::start(command, GOOD);
    assert!(show.until(2 * SECOND, |show| show.process.status().fault.is_some()));
    let fault = show.process.status().fault.expect("just seen");
    assert!(fault.problem.contains("cannot be started"), "{fault}");
}

#[test]
fn a_program_that_never_answers_is_let_go() {
    let command = SceneCommand { program: "/bin/sleep".into(), arguments: vec!["100".into()] };
    let show = Show::start(command, GOOD);
    assert!(show.until(2 * SECOND, |show| show.process.status().pid.is_some()));
    let began = Instant::now();
    drop(show);
    assert!(began.elapsed() < 5 * SECOND, "{:?} to let go", began.elapsed());
}
