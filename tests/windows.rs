//! Two windows on a virtual display, and a real pointer: a press in the left one is seen in the right one.

#![cfg(feature = "show")]

use serde_json::Value;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Ends a child process of a test, however the test ends.
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        // The process may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn tool(display: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new("xdotool").env("DISPLAY", display).args(arguments).output();
    let output = output.expect("xdotool is there; ./x setup test installs it");
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn wait<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = ready() {
            return found;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{what} did not come");
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn a_press_in_the_left_window_is_drawn_in_the_right_one() {
    // A display number that is unlikely to be in use.
    let display = format!(":{}", 1_000 + std::process::id() % 30_000);
    // Without a reset after the last client has left, during which no client can connect.
    let screen = ["-screen", "0", "1920x1080x24", "-nolisten", "tcp", "-noreset"];
    let server = Command::new("Xvfb").arg(&display).args(screen).stderr(Stdio::null()).spawn();
    let _server = Guard(server.expect("Xvfb is there; ./x setup test installs it"));
    wait("the display", || tool(&display, &["getdisplaygeometry"]));

    let dir = tempfile::tempdir().expect("a folder");
    let report = dir.path().join("report.json");
    let hello = concat!(env!("CARGO_MANIFEST_DIR"), "/installations/hello");
    let mut rehearsal = Command::new(env!("CARGO_BIN_EXE_moongate"))
        .current_dir(dir.path())
        .args(["rehearse", hello, "--between", "shenzhen", "dublin", "--cast", "nobody", "--no-camera"])
        .args(["--for", "25s", "--report"])
        .arg(&report)
        .env("DISPLAY", &display)
        .env_remove("WAYLAND_DISPLAY")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .map(Guard)
        .expect("the program is built");
    for city in ["Shenzhen", "Dublin"] {
        wait(city, || tool(&display, &["search", "--name", city]));
    }
    // Both sites have been linked for a long time by then.
    std::thread::sleep(Duration::from_secs(6));
    for press in
        [["mousemove", "480", "270"], ["mousedown", "1", ""], ["mousemove", "500", "280"], ["mouseup", "1", ""]]
    {
        let words: Vec<&str> = press.into_iter().filter(|word| !word.is_empty()).collect();
        assert!(tool(&display, &words).is_some());
        std::thread::sleep(Duration::from_millis(300));
    }
    // A key saves a screenshot of both cities in the folder `out`.
    assert!(tool(&display, &["search", "--name", "Shenzhen", "windowfocus", "key", "p"]).is_some());
    let status = rehearsal.0.wait().expect("it is our child");
    assert!(status.success(), "{status}");
    let report: Value =
        serde_json::from_str(&std::fs::read_to_string(&report).expect("it is written")).expect("it is JSON");
    assert_eq!(report["offscreen"], false);
    let left = &report["sites"][0];
    assert_eq!(left["events"], 2, "one press, one release: {left}");
    assert_eq!((&left["lost"], &left["doubled"]), (&0.into(), &0.into()), "{left}");
    assert_eq!(left["drawn_ms"]["count"], 2, "both were drawn at the other city: {left}");
    assert_eq!(report["sites"][1]["events"], 0, "nobody touched the right window");
    let out = std::fs::read_dir(dir.path().join("out")).expect("a key was pressed");
    let names: Vec<_> = out.map(|file| file.expect("it is readable").file_name().into_string()).collect();
    assert!(names.iter().flatten().any(|name| name.starts_with("both-")), "{names:?}");
}
