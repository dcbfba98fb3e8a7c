//! Scenes of strangers who mean harm: whatever they do, the show goes on with the scene before, within a second, and says
//! why.

#[path = "../common/mod.rs"]
mod common;
mod liars;

use moongate::device::scene_process::{SandboxCommand, SceneProcess};
use moongate::scene::{FrameInput, ITEMS_MAX, SceneEvent, SceneRevision, TouchState};
use std::sync::Arc;
use std::time::{Duration, Instant};

const IMPORT: &str =
    "import { draw, gradient, ours, here, there, signal, sound, after, words, random, noise } from \"moongate\";";
/// What is shown before; it draws one circle.
const GOOD: &str = "import { draw } from \"moongate\";\nexport function frame() { draw.circle(1, 2, 3); }";
/// Longest time without a picture.
const GAP: Duration = Duration::from_secs(1);
/// How long each is given to do harm.
const PLAY: Duration = Duration::from_millis(1_400);
/// After this a scene is known to work.
const WORKS: Duration = Duration::from_millis(1_100);

/// Scripts by what they try. `FRAME`: in each frame; `LATER`: in the fifth; otherwise as it stands.
const SCRIPTS: &str = include_str!("scripts.txt");

fn moongate() -> SandboxCommand {
    SandboxCommand { program: env!("CARGO_BIN_EXE_moongate").into(), arguments: vec!["scene".into()] }
}

/// A show with a good scene, played as the frame loop plays it.
struct Show {
    process: SceneProcess,
    number: u64,
    last: Instant,
    longest: Duration,
    /// Things in the pictures that came.
    items: Vec<usize>,
}

impl Show {
    fn start(command: SandboxCommand) -> Self {
        let process = SceneProcess::start(command, common::setting()).expect("a thread");
        Self { process, number: 0, last: Instant::now(), longest: Duration::ZERO, items: Vec::new() }
    }

    fn offer(&self, script: &str) {
        let dir = common::folder(script);
        let manifest = "api = 1\nid = \"test\"\ncanvas = [1920, 1080]\n[ours.lanterns]\n";
        std::fs::write(dir.path().join("installation.toml"), manifest).expect("written");
        match SceneRevision::read(dir.path()) {
            Ok(edition) => self.process.load(Arc::new(edition)),
            Err(fault) => self.process.refuse(fault),
        }
    }

    /// One turn of the frame loop.
    fn turn(&mut self) {
        if self.process.is_ready() {
            self.number += 1;
            let touch = TouchState { id: self.number as u32, x: 5.0, y: 5.0, by: "finger", began: 0.0 };
            let now = self.number as f64 / 60.0;
            let sees = FrameInput {
                number: self.number,
                now,
                dt: 0.02,
                events: vec![SceneEvent::Down(touch)],
                ..FrameInput::default()
            };
            let json = serde_json::to_string(&sees).expect("it is plain");
            if self.process.request_frame(self.number, 0, json, self.process.has_pending()) {
                self.process.wait_answered(self.number, Duration::from_millis(4));
            }
        }
        let (painting, acts) = self.process.take_output();
        assert!(acts.len() <= 1_024, "{} acts at once", acts.len());
        if let Some((picture, _)) = painting {
            assert!(picture.items.len() <= ITEMS_MAX);
            self.items.push(picture.items.len());
            self.longest = self.longest.max(self.last.elapsed());
            self.last = Instant::now();
        }
        std::thread::sleep(Duration::from_millis(5));
    }

    fn play(&mut self, time: Duration) {
        let until = Instant::now() + time;
        while Instant::now() < until {
            self.turn();
        }
        self.longest = self.longest.max(self.last.elapsed());
    }

    /// Plays until a picture is there.
    fn until_seen(&mut self) {
        let until = Instant::now() + Duration::from_secs(5);
        while self.items.is_empty() && Instant::now() < until {
            self.turn();
        }
        assert!(!self.items.is_empty(), "{:?}", self.process.status());
        (self.last, self.longest) = (Instant::now(), Duration::ZERO);
    }
}

/// Each attack: its name, whether it has to be told of, and its script.
fn attacks() -> Vec<(&'static str, bool, String)> {
    SCRIPTS
        .split("\n=== ")
        .skip(1)
        .map(|part| {
            let (head, body) = part.split_once('\n').expect("a script follows its name");
            let (name, harmless) = head.strip_suffix(" (harmless)").map_or((head, false), |name| (name, true));
            let script = match body.split_once('\n') {
                Some(("FRAME", body)) => format!("export function frame() {{\n{body}\n}}"),
                Some(("LATER", body)) => {
                    format!("let frames = 0;\nexport function frame() {{ draw.circle(1, 2, 3); if (++frames < 5) return;\n{body}\n}}")
                }
                _ => body.to_owned(),
            };
            (name, !harmless, format!("{IMPORT}\n{script}"))
        })
        .collect()
}

/// The show goes on, and what was wrong is said.
fn survives(name: &str, told: bool, script: &str) -> Result<(), String> {
    let mut show = Show::start(moongate());
    show.offer(GOOD);
    show.until_seen();
    show.play(WORKS);
    (show.last, show.longest) = (Instant::now(), Duration::ZERO);
    show.offer(script);
    show.play(PLAY);
    let status = show.process.status();
    if show.longest > GAP {
        return Err(format!("{name}: {:?} without a picture: {status:?}", show.longest));
    }
    if told && status.faults == 0 {
        return Err(format!("{name}: nobody was told: {status:?}"));
    }
    Ok(())
}

#[test]
fn the_show_survives_each_of_them() {
    let attacks = attacks();
    assert!(attacks.len() > 60, "{}", attacks.len());
    // Four at once: most of the time is waiting for the scene before to come back.
    let next = std::sync::atomic::AtomicUsize::new(0);
    let again = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    let Some(attack @ (name, told, script)) = attacks.get(index) else { return };
                    if survives(name, *told, script).is_err() {
                        again.lock().expect("nobody panics").push(attack);
                    }
                }
            });
        }
    });
    // The gap is time on the clock, which three other attacks and a busy machine stretch: those that failed play alone, twice at most.
    let alone = |(name, told, script): &(&str, bool, String)| {
        survives(name, *told, script).or_else(|_| survives(name, *told, script)).err()
    };
    let wrong: Vec<_> = again.into_inner().expect("nobody panics").into_iter().filter_map(alone).collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
#[cfg(target_os = "linux")]
fn a_scenes_process_is_jailed() {
    let mut show = Show::start(moongate());
    show.offer(GOOD);
    show.until_seen();
    let pid = show.process.status().pid.expect("it runs");
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it can be looked at");
    assert!(status.contains("Seccomp:\t2") && status.contains("NoNewPrivs:\t1"), "{status}");
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).expect("it can be looked at");
    let data = limits.lines().find(|line| line.starts_with("Max data size")).expect("it has one");
    assert!(data.contains("268435456"), "{data}");
}
