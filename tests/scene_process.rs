//! The scene's process: the frames it provides, and the handling of a process that dies, lies or hangs.

mod common;

use moongate::device::scene_folder::{FolderWatcher, SceneFolder};
use moongate::device::scene_process::{BlockingScene, SandboxCommand, SceneProcess};
use moongate::scene::{DisplayList, FrameInput, FromScene, SceneRevision};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const SECOND: Duration = Duration::from_secs(1);
const GOOD: &str = "import { draw } from \"moongate\";
export function frame() { draw.circle(1, 2, 3); }
";

fn moongate() -> SandboxCommand {
    SandboxCommand { program: env!("CARGO_BIN_EXE_moongate").into(), arguments: vec!["scene".into()] }
}

struct Show {
    _folder: FolderWatcher,
    process: Arc<SceneProcess>,
    dir: TempDir,
    number: u64,
}

impl Show {
    fn start(command: SandboxCommand, script: &str) -> Self {
        let dir = common::folder(script);
        let process = Arc::new(SceneProcess::start(command, common::setting()).expect("a thread"));
        let weak = Arc::downgrade(&process);
        let folder = SceneFolder::new(dir.path().to_owned(), common::decoder());
        let folder = folder.watch(
            None,
            |_| Ok(()),
            move |edition| {
                let Some(process) = weak.upgrade() else { return };
                match edition {
                    Ok(edition) => process.load(Arc::new(edition)),
                    Err(fault) => process.refuse(fault),
                }
            },
        );
        Self { _folder: folder.expect("a thread"), process, dir, number: 0 }
    }

    /// Saves a script in the folder.
    fn save(&mut self, script: &str) {
        std::fs::write(self.dir.path().join("scene.js"), script).expect("the script is saved");
    }

    /// Requests frames until a display list has this many items.
    fn shows(&mut self, items: usize, at_most: Duration) -> bool {
        let until = Instant::now() + at_most;
        while Instant::now() < until {
            if self.picture(0.0, SECOND / 20).is_some_and(|picture| picture.items.len() == items) {
                return true;
            }
        }
        false
    }

    /// Requests one frame, if the process is free.
    fn ask(&mut self, now: f64) -> bool {
        self.number += 1;
        let sees = FrameInput { number: self.number, now, ..FrameInput::default() };
        let json = serde_json::to_string(&sees).expect("it is plain");
        self.process.request_frame(self.number, 0, json, self.process.has_pending())
    }

    /// Requests frames until a display list arrives, for `at_most`.
    fn picture(&mut self, now: f64, at_most: Duration) -> Option<Arc<DisplayList>> {
        let until = Instant::now() + at_most;
        while Instant::now() < until {
            if self.ask(now) {
                // Waits in small steps, because a restarted process does not answer an old request.
                while Instant::now() < until
                    && !self.process.wait_answered(self.number, SECOND / 50)
                    && !self.process.is_ready()
                {}
                if let (Some((picture, _)), _) = self.process.take_output() {
                    return Some(picture);
                }
            }
            std::thread::sleep(SECOND / 200);
        }
        None
    }

    /// Waits for a condition, for `at_most`; returns true if it was met.
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
    assert!(show.until(2 * SECOND, |show| show.process.is_ready()));
    let status = show.process.status();
    let fault = status.fault.expect("it was wrong");
    assert_eq!((fault.file.as_str(), fault.place.map(|place| place.0)), ("scene.js", Some(2)), "{fault}");
    assert!(show.picture(3.0, 2 * SECOND).is_some());
    let status = show.process.status();
    assert_eq!((status.starts, status.faults, status.fault), (1, 1, None));
    assert!(status.last_fault.is_some());
}

/// The script engine checks no clock within this call, so only the process can be stopped.
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
    // An answer in flight when the process died does not count as a new frame.
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
    show.save(GOOD);
    assert!(show.picture(0.0, 2 * SECOND).is_some(), "{:?}", show.process.status());
    assert_eq!(show.process.status().fault, None);
}

#[test]
fn a_program_that_writes_garbage_is_a_fault() {
    let arguments = vec!["-c".into(), "head -c 100000 /dev/urandom; sleep 5".into()];
    let mut show = Show::start(SandboxCommand { program: "/bin/sh".into(), arguments }, GOOD);
    // Garbage is almost always detected at once. If it happens to start with a valid length, that many bytes are
    // awaited.
    assert!(show.until(11 * SECOND, |show| show.process.status().fault.is_some()), "{:?}", show.process.status());
    assert!(show.picture(0.0, SECOND / 5).is_none());
}

#[test]
fn a_program_that_is_not_there_is_a_fault() {
    let command = SandboxCommand { program: "/nowhere/moongate".into(), arguments: vec![] };
    let show = Show::start(command, GOOD);
    assert!(show.until(2 * SECOND, |show| show.process.status().fault.is_some()));
    let fault = show.process.status().fault.expect("just seen");
    assert!(fault.problem.contains("cannot be started"), "{fault}");
}

#[test]
fn a_program_that_never_answers_is_let_go() {
    let command = SandboxCommand { program: "/bin/sleep".into(), arguments: vec!["100".into()] };
    let show = Show::start(command, GOOD);
    assert!(show.until(2 * SECOND, |show| show.process.status().pid.is_some()));
    let began = Instant::now();
    drop(show);
    assert!(began.elapsed() < 5 * SECOND, "{:?} to let go", began.elapsed());
}

/// Returns a script that draws `count` circles, and counts its frames in `keep`.
fn circles(count: usize, more: &str) -> String {
    format!(
        "import {{ draw }} from \"moongate\";
export const keep = {{ frames: 0, name: \"a\", gone: {count} }};
export function frame() {{
  keep.frames++;
  for (let i = 0; i < {count}; i++) draw.circle(keep.frames, 2, 3);
  {more}
}}
"
    )
}

#[test]
fn what_is_saved_is_shown_and_what_is_kept_stays() {
    let mut show = Show::start(moongate(), &circles(1, ""));
    assert!(show.shows(1, 5 * SECOND), "{:?}", show.process.status());
    for _ in 0..20 {
        assert!(show.shows(1, SECOND));
    }
    show.save(&circles(2, ""));
    assert!(show.shows(2, 2 * SECOND), "{:?}", show.process.status());
    let picture = show.picture(0.0, SECOND).expect("it runs");
    let moongate::scene::DrawItem::Shape { transform, .. } = picture.items[0] else { panic!("{:?}", picture.items) };
    assert!(transform[4] > 20.0, "{transform:?}: it began anew");
    let status = show.process.status();
    assert_eq!((status.editions, status.faults), (2, 0), "{status:?}");
}

#[test]
fn a_mistake_that_is_saved_leaves_what_is_shown() {
    let mut show = Show::start(moongate(), &circles(1, ""));
    assert!(show.shows(1, 5 * SECOND), "{:?}", show.process.status());
    let pid = show.process.status().pid;
    let mistakes: [(&str, String, &str); 4] = [
        ("scene.js", circles(2, "let = ;"), "scene.js:6"),
        ("scene.js", circles(2, "hear.bodies;"), "did you mean `here`"),
        ("scene.js", circles(2, "for (;;);"), "ran longer"),
        ("night.wgsl", "fn paint(at: vec2f) -> vec4f { return 1.0; }".into(), "night.wgsl"),
    ];
    for (file, text, told) in mistakes {
        std::fs::write(show.dir.path().join(file), text).expect("it is saved");
        let until = Instant::now() + 3 * SECOND;
        let refused = |show: &Show| show.process.status().refused.filter(|fault| fault.to_string().contains(told));
        while refused(&show).is_none() && Instant::now() < until {
            assert!(show.shows(1, SECOND), "{:?}", show.process.status());
        }
        assert!(refused(&show).is_some(), "{told}: {:?}", show.process.status());
        assert!(show.shows(1, SECOND), "{:?}", show.process.status());
        assert_eq!(show.process.status().pid, pid);
    }
    std::fs::remove_file(show.dir.path().join("night.wgsl")).expect("it was there");
    show.save(&circles(3, ""));
    assert!(show.shows(3, 2 * SECOND), "{:?}", show.process.status());
    assert_eq!(show.process.status().refused, None);
}

#[test]
fn an_edition_that_soon_fails_gives_way_to_the_one_that_worked() {
    let mut show = Show::start(moongate(), &circles(1, ""));
    assert!(show.shows(1, 5 * SECOND), "{:?}", show.process.status());
    let until = Instant::now() + 2 * SECOND;
    while Instant::now() < until {
        assert!(show.shows(1, SECOND), "{:?}", show.process.status());
    }
    // Its first frame is good.
    show.save(&circles(2, "if (keep.gone === 0) throw new Error(\"late\"); keep.gone = 0;"));
    assert!(show.shows(2, 2 * SECOND), "{:?}", show.process.status());
    assert!(show.shows(1, 3 * SECOND), "{:?}", show.process.status());
    let refused = show.process.status().refused.expect("it is told");
    assert!(refused.problem.contains("late"), "{refused}");
    // The same in a call that is never interrupted.
    show.save(&circles(2, "if (keep.name === \"b\") [].reverse.call({ length: 2 ** 53 - 1 }); keep.name = \"b\";"));
    assert!(show.shows(2, 2 * SECOND), "{:?}", show.process.status());
    assert!(show.shows(1, 3 * SECOND), "{:?}", show.process.status());
    assert!(show.process.status().refused.is_some());
}

/// The process only sleeps, as it might on a busy machine.
#[test]
fn a_process_that_sleeps_is_waited_for_in_virtual_time() {
    let dir = common::folder(GOOD);
    let mut bytes = [Vec::new(), Vec::new()];
    let frame =
        FromScene::Frame { picture: Some(DisplayList::default()), acts: vec![], kept: vec![], fault: None, took_us: 1 };
    for (bytes, message) in bytes.iter_mut().zip([FromScene::Ready { unjailed: None }, frame]) {
        moongate::scene::write_message(bytes, &message).expect("it can be written");
    }
    for (bytes, name) in bytes.iter().zip(["ready", "frame"]) {
        std::fs::write(dir.path().join(name), bytes).expect("written");
    }
    let path = dir.path().display();
    let script = format!("cat '{path}/ready'; sleep 2.2; cat '{path}/frame'; sleep 20");
    let command = SandboxCommand { program: "/bin/sh".into(), arguments: vec!["-c".into(), script] };
    let edition = Arc::new(SceneRevision::read(dir.path()).unwrap_or_else(|fault| panic!("{fault}")));
    let mut scene =
        BlockingScene::start(&command, &common::setting(), edition).unwrap_or_else(|fault| panic!("{fault}"));
    let answer = scene.request_frame(1, 0, "{}".into()).unwrap_or_else(|fault| panic!("{fault}"));
    assert!(answer.picture.is_some());
}
