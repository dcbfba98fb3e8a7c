//! Two cities on one machine, as for a newcomer: linked, every touch exactly once, people seen in both cities.
//! Also screenshots of both, and a show that dies.

#![cfg(feature = "show")]

use moongate::device::recording_file::Recorder;
use moongate::presence::{Body, Presence};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Four software renderers at once would only slow each other down.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn rehearse(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_moongate"));
    command.args(["rehearse", "--offscreen"]).args(arguments).stdin(Stdio::null());
    command
}

fn report(dir: &Path) -> Value {
    let text = std::fs::read_to_string(dir.join("report.json")).expect("a rehearsal writes its report");
    serde_json::from_str(&text).expect("it is JSON")
}

#[test]
fn every_touch_crosses_the_ocean_once_and_everyone_is_seen_in_both_cities() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = tempfile::tempdir().expect("a folder");
    let out = dir.path().to_str().expect("a temporary folder has a plain name");
    let arguments = ["hello", "--between", "shenzhen", "dublin", "--loss", "2", "--for", "12s", "--pictures", out];
    let output = rehearse(&arguments).output().expect("the program is built");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    let report = report(dir.path());
    for site in report["sites"].as_array().expect("two sites") {
        assert!(site["events"].as_u64() >= Some(3), "{site}");
        assert_eq!((&site["lost"], &site["doubled"]), (&0.into(), &0.into()), "{site}");
        assert!(site["drawn_ms"]["count"].as_u64() >= Some(3), "{site}");
        assert_eq!(site["link"], "linked", "{site}");
        // From the pixels of a street to the other city, and to the own frame.
        assert_eq!(site["cameras"][0]["state"], "seeing", "{site}");
        assert!(site["bodies"].as_u64() >= Some(2), "{site}");
        assert!(site["bodies_there"].as_u64() >= Some(2), "{site}");
        assert_eq!(site["bodies_unseen"], 0, "{site}");
        assert!(site["outline_frames"]["count"].as_u64() >= Some(20), "{site}");
        assert!(site["outline_frames"]["p50"].as_f64() <= Some(2.0), "{site}");
    }
    let both = std::fs::read_dir(dir.path())
        .expect("the folder is there")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.starts_with("both-") && name.ends_with(".png"))
        .count();
    assert!(both >= 3, "{both} pictures of both cities");
}

#[test]
fn a_recorded_crowd_comes_to_both_cities_without_a_camera() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = tempfile::tempdir().expect("a folder");
    let path = |name: &str| dir.path().join(name).to_str().expect("a plain name").to_owned();
    let day = Duration::from_secs(86_400);
    let mut recorder = Recorder::create(Path::new(&path("crowd")), "cali", [1920.0, 1080.0], day).expect("a new file");
    for step in 0..120_u32 {
        // A different person each second, who walks.
        let x = (step % 30) as f32 * 40.0;
        let outline = vec![[x, 400.0], [x + 200.0, 400.0], [x + 200.0, 1000.0], [x, 1000.0]];
        let body = Body { id: (step / 30) as u16, people: 1, foot: [x + 100.0, 1000.0], outline, ..Body::default() };
        recorder.record(Duration::from_millis(33) * step, &Presence { touches: Vec::new(), bodies: vec![body] });
    }
    drop(recorder);
    let output = rehearse(&["hello", "--visitors", &path("crowd"), "--for", "9s", "--report", &path("report.json")])
        .output()
        .expect("the program is built");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for site in report(dir.path())["sites"].as_array().expect("two sites") {
        assert_eq!((&site["cameras"], &site["bodies_unseen"]), (&Value::Array(Vec::new()), &0.into()), "{site}");
        assert!(site["bodies"].as_u64() >= Some(2) && site["bodies_there"].as_u64() >= Some(2), "{site}");
        assert_eq!(site["events"], 0, "nobody touched anything: {site}");
    }
}

#[test]
fn a_show_that_is_killed_comes_back_and_is_linked_again() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("report.json");
    let mut child = rehearse(&["hello", "--for", "20s", "--report", file.to_str().expect("a plain name")])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program is built");
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines().map_while(Result::ok);
    let pid = lines
        .by_ref()
        .find_map(|line| line.strip_prefix("dublin: its show is process ").map(str::to_owned))
        .expect("it says so");
    std::thread::sleep(std::time::Duration::from_secs(6));
    let killed = Command::new("sh").args(["-c", &format!("kill -9 {pid}")]).status().expect("a shell is there");
    assert!(killed.success());
    let rest: Vec<String> = lines.collect();
    let status = child.wait().expect("it is our child");
    assert!(status.success(), "{rest:#?}");
    assert!(rest.iter().any(|line| line.contains("starting it again")), "{rest:#?}");
    let report = report(dir.path());
    assert_eq!(report["sites"][1]["restarts"], 1);
    for site in 0..2 {
        assert_eq!(report["sites"][site]["link"], "linked", "{rest:#?}");
    }
}

#[test]
fn slips_of_the_tongue_are_answered() {
    for (arguments, answer) in [
        (&["riples"][..], "did you mean ripples?"),
        (&["--between", "shenzen", "dublin"], "did you mean shenzhen?"),
        (&["--cast", "fourty"], "did you mean forty?"),
        (&["--camera", "ffmpeg | cat"], "for a shell"),
        (&["--visitors", "nobody-has-this"], "cannot be read"),
        (&["--loss", "200"], "use a number from 0 to 100"),
        (&["--for", "3 weeks"], "\"weeks\" is not a unit; use ms, s, m, h or d"),
    ] {
        let output = rehearse(arguments).output().expect("the program is built");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(answer), "{arguments:?}: {said}");
    }
}
