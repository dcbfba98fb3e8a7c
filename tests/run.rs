//! `moongate run` as a supervisor: only a request ends it, whatever happens to its show, its log or its files.

#![cfg(feature = "show")]

use moongate::device::site_key::SiteKey;
use std::fs::OpenOptions;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(20);
/// Longest time that `run` may take to end.
const ENDS: Duration = Duration::from_secs(3);
const SITE: &str = "api = 1\ncity = \"kobe\"\ninstallation = \"installation\"\nlisten = \"127.0.0.1:0\"\n";

/// First part of a fake show that draws nothing.
/// It records its arguments in `starts` and announces `edition`, or nothing if that edition is excluded.
const FAKE: &str = r#"#!/bin/sh
cd "$3"
echo "$@" >> starts
edition=$(cat edition)
case "$*" in *"--aside $edition"*) edition= ;; esac
name=null
[ -n "$edition" ] && { echo "{\"edition\":\"$edition\"}"; name="\"$edition\""; }
state() {
  echo "{\"state\":1,\"city\":\"kobe\",\"installation\":\"x\",\"uptime_s\":1,\"loops\":{\"frame\":1,\"link\":1,\"sound\":0,\"scene\":1},\"painted\":1,\"offscreen\":true,\"adapter\":\"none\",\"pixels\":[1,1],\"link\":\"none\",\"round_trip_ms\":null,\"waiting\":0,\"lost\":0,\"scene\":{\"ready\":true,\"pid\":null,\"starts\":1,\"fault\":null,\"last_fault\":null,\"took_ms\":1,\"edition\":$name},\"sound\":null}"
}
"#;
/// Last part of a show that runs well: it prints its status, and records its input until that closes.
const WELL: &str = "(while :; do state; sleep 0.1; done) & speaks=$!\ncat >> told\nkill $speaks\nexit 0\n";

struct Place(TempDir);

impl Place {
    /// Creates a site, with a program in place of its show.
    fn new(show: &str) -> Self {
        let place = Self(tempfile::tempdir().expect("a folder"));
        place.write("site.toml", SITE);
        place.write("edition", "a");
        place.show(show);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        // The file is replaced in one step, as by a good editor.
        std::fs::write(self.path("new"), text).expect("our own folder");
        std::fs::rename(self.path("new"), self.path(name)).expect("our own folder");
    }

    fn show(&self, show: &str) {
        self.write("show.sh", &format!("{FAKE}{show}"));
        std::fs::set_permissions(self.path("show.sh"), PermissionsExt::from_mode(0o755)).expect("our own file");
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// Returns the arguments of each start so far.
    fn starts(&self) -> Vec<String> {
        self.read("starts").lines().map(str::to_owned).collect()
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_moongate"));
        command
            .args(["run", "--offscreen"])
            .arg(self.0.path())
            .arg("--show")
            .arg(self.path("show.sh"))
            .stdin(Stdio::null());
        command
    }

    /// Starts the supervisor with its output in `log`. Long times are divided by a thousand.
    fn run(&self) -> Run {
        let log = OpenOptions::new().append(true).create(true).open(self.path("log")).expect("our own folder");
        let mut command = self.command();
        command.args(["--hurry", "1000"]).stderr(log.try_clone().expect("it is open")).stdout(log);
        Run(command.spawn().expect("the program is built"))
    }

    fn wait(&self, what: &str, come: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while !come(self) {
            assert!(began.elapsed() < PATIENCE, "{what}: {}{}", self.read("log"), self.read("starts"));
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn says(&self, words: &str) {
        self.wait(words, |place| place.read("log").contains(words));
    }
}

struct Run(Child);

impl Run {
    fn is_there(&mut self) -> bool {
        self.0.try_wait().expect("it is our child").is_none()
    }

    fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.0), signal).expect("it runs");
    }

    /// Asks the supervisor to end, as a system does at shutdown.
    fn end(mut self) -> (ExitStatus, Duration) {
        self.signal(rustix::process::Signal::TERM);
        let began = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().expect("it is our child") {
                return (status, began.elapsed());
            }
            assert!(began.elapsed() < PATIENCE, "it does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn ends_in_order(self) {
        let (status, took) = self.end();
        assert!(status.success() && took < ENDS, "{status} after {took:?}");
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // The process may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_full_disk_ends_neither_run_nor_its_show() {
    // If nobody read its log any more, the show would end at its second line.
    let place = Place::new("echo words >&2\nsleep 0.2\necho words >&2 && echo so >> lived\nstate\nsleep 0.2\nexit 9\n");
    let full = || OpenOptions::new().write(true).open("/dev/full").expect("a system with /dev/full");
    let mut run = Run(place.command().stdout(full()).stderr(full()).spawn().expect("the program is built"));
    place.wait("a second start", |place| place.starts().len() > 1);
    assert!(run.is_there());
    assert!(!place.read("lived").is_empty(), "its show ended for a log");
    run.ends_in_order();
}

#[test]
fn a_show_whose_window_was_closed_is_started_again() {
    let place = Place::new("state\nexit 0\n");
    let mut run = place.run();
    place.wait("a third start", |place| place.starts().len() > 2);
    assert!(run.is_there());
    place.says("its last window closed");
    run.ends_in_order();
}

#[test]
fn a_show_that_cannot_be_started_is_tried_again() {
    let place = Place::new(WELL);
    std::fs::remove_file(place.path("show.sh")).expect("it is there");
    let mut run = place.run();
    place.says("the show cannot be started");
    assert!(run.is_there());
    place.show(WELL);
    place.wait("a start", |place| !place.starts().is_empty());
    run.ends_in_order();
}

/// The show and all its child processes are of the running version, even after an update.
#[test]
fn a_program_that_was_replaced_starts_its_shows_all_the_same() {
    let place = Place::new("");
    let installation = place.path("installation");
    std::fs::create_dir(&installation).expect("a new folder");
    place.write("installation/installation.toml", "api = 1\nid = \"test\"\ncanvas = [320, 180]\n");
    place.write("installation/scene.js", "export function frame() {}\n");
    SiteKey::generate().expect("randomness").write(&place.path("site.key")).expect("a new file");
    let program = place.path("moongate");
    let built = Path::new(env!("CARGO_BIN_EXE_moongate"));
    if std::fs::hard_link(built, &program).is_err() {
        std::fs::copy(built, &program).expect("our own folder");
    }
    let log = std::fs::File::create(place.path("log")).expect("our own folder");
    let mut command = Command::new(&program);
    command.args(["run", "--offscreen"]).arg(place.0.path()).stdin(Stdio::null());
    command.stderr(log.try_clone().expect("it is open")).stdout(log);
    let mut run = Run(command.spawn().expect("the program is there"));
    let shows = |place: &Place| -> Vec<i32> {
        let log = place.read("log");
        log.lines().filter_map(|line| line.split_once("its show is process ")?.1.parse().ok()).collect()
    };
    place.wait("a show", |place| !shows(place).is_empty());
    std::fs::remove_file(&program).expect("it is there");
    place.write("moongate", "#!/bin/sh\necho the new version runs\n");
    let show = rustix::process::Pid::from_raw(shows(&place)[0]).expect("a process");
    rustix::process::kill_process(show, rustix::process::Signal::KILL).expect("it runs");
    place.wait("a second show", |place| shows(place).len() > 1);
    assert!(run.is_there() && !place.read("log").contains("the new version"), "{}", place.read("log"));
    run.ends_in_order();
}

#[test]
fn a_show_that_does_not_end_is_killed_and_all_who_ask_are_heard() {
    // Under `nohup`, or as a background job, these tests start with some signals ignored, which `run` then ignores too.
    let status = std::fs::read_to_string("/proc/self/status").expect("a system with /proc");
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).expect("it is told");
    let ignored = u64::from_str_radix(ignored.trim(), 16).expect("a mask");
    for signal in [rustix::process::Signal::INT, rustix::process::Signal::HUP, rustix::process::Signal::TERM] {
        if ignored >> (signal.as_raw() - 1) & 1 == 1 {
            continue;
        }
        let place = Place::new("state\ntrap '' TERM\nexec sleep 100\n");
        let mut run = place.run();
        place.says("none\n");
        run.signal(signal);
        let began = Instant::now();
        let status = loop {
            if let Some(status) = run.0.try_wait().expect("it is our child") {
                break status;
            }
            assert!(began.elapsed() < ENDS, "{signal:?}: it goes on");
            std::thread::sleep(Duration::from_millis(5));
        };
        assert!(status.success(), "{signal:?}: {status}, signal {:?}", status.signal());
    }
}

#[test]
fn an_edition_that_crashes_twice_is_put_aside_until_it_is_changed() {
    let place = Place::new(&format!("[ \"$edition\" = bad ] && kill -SEGV $$\n{WELL}"));
    place.write("edition", "bad");
    let mut run = place.run();
    place.says("edition bad of the scene crashed the show twice within five minutes and is put aside");
    place.wait("a start without it", |place| place.starts().len() == 3);
    let starts = place.starts();
    assert!(!starts[1].contains("--aside") && starts[2].ends_with("--aside bad"), "{starts:?}");
    place.says("none\n");
    assert!(run.is_there());
    run.ends_in_order();
}

#[test]
fn what_cannot_start_is_no_crash_of_its_scene() {
    let place = Place::new("exit 1\n");
    let run = place.run();
    place.wait("a third start", |place| place.starts().len() > 2);
    assert!(place.starts().iter().all(|start| !start.contains("--aside")), "{:?}", place.starts());
    run.ends_in_order();
}

#[test]
fn edits_of_the_site_are_told_and_taken() {
    let place = Place::new(WELL);
    let run = place.run();
    place.wait("its text is kept", |place| place.read("good/site.toml") == SITE);
    place.write("site.toml", &format!("{SITE}openness = \"closed\"\n"));
    place.says("`openness` is closed from now on");
    place.wait("the show is told", |place| place.read("told").contains("closed\n"));
    place.write("site.toml", &format!("{SITE}opennes = \"open\"\n"));
    place.says("site.toml:5: `opennes`: there is no such key; did you mean `openness`?; the show goes on as it was");
    assert_eq!(place.starts().len(), 1, "neither needs another show");
    place.write("site.toml", &format!("{SITE}openness = \"closed\"\nname = \"Pier\"\n"));
    place.says("site.toml: `name` changed; the show is started again with it");
    place.wait("a second start", |place| place.starts().len() == 2);
    assert!(!place.starts()[1].contains("--manifest"), "{:?}", place.starts());
    run.ends_in_order();
}

#[test]
fn a_site_that_is_broken_after_a_restart_runs_as_it_did() {
    let place = Place::new(WELL);
    let broken = SITE.replace("kobe", "kobbe");
    place.write("site.toml", &broken);
    let output = place.command().output().expect("the program is built");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("site.toml:2: `city`"), "there was never a good one: {said}");

    place.write("site.toml", SITE);
    let run = place.run();
    place.wait("its text is kept", |place| place.read("good/site.toml") == SITE);
    let mode = std::fs::metadata(place.path("good/site.toml")).expect("it is kept").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    run.ends_in_order();

    place.write("site.toml", &broken);
    let run = place.run();
    place.says("site.toml:2: `city`");
    place.wait("a start", |place| place.starts().len() == 2);
    let kept = place.path("good/site.toml").canonicalize().expect("it is kept");
    assert!(place.starts()[1].contains(&format!("--manifest {}", kept.display())), "{:?}", place.starts());
    place.write("site.toml", &SITE.replace("kobe", "dublin"));
    place.says("`city`, `name` changed");
    place.wait("another start", |place| place.starts().len() == 3);
    assert!(!place.starts()[2].contains("--manifest"), "{:?}", place.starts());
    run.ends_in_order();
}

#[test]
fn a_new_text_with_which_the_show_fails_gives_way_to_the_last_that_ran() {
    let place =
        Place::new(&format!("grep -q dublin site.toml && case \"$*\" in *--manifest*) ;; *) exit 1 ;; esac\n{WELL}"));
    let run = place.run();
    place.wait("its text is kept", |place| place.read("good/site.toml") == SITE);
    place.write("site.toml", &SITE.replace("kobe", "dublin"));
    place.says("the last one that ran is in force until it is edited");
    place.wait("a start with it", |place| place.starts().last().is_some_and(|start| start.contains("--manifest")));
    run.ends_in_order();
}
