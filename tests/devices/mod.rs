//! Cameras that are not there: shell scripts that write pictures, or do what a camera must not do.

// Each test takes some of it.
#![allow(dead_code, reason = "shared by tests that use parts of it")]

use moongate::config::CameraConfig;
use moongate::device::camera::CameraTiming;
use moongate::geometry::{FractionPoint, WHOLE};
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A header for pictures of 64 by 48.
pub const HEADER: &str = "YUV4MPEG2 W64 H48 F30:1 Ip A1:1 Cmono\n";

/// A folder of devices; they and their files are gone when it is dropped.
pub struct Devices {
    dir: TempDir,
}

impl Devices {
    /// A folder with `head` and `frame`, a header and a picture of 64 by 48; `small`, a whole stream of 32 by 24; and
    /// `nothing`.
    pub fn new() -> Self {
        let devices = Self { dir: tempfile::tempdir().expect("a folder for a while") };
        devices.write("head", HEADER.as_bytes());
        devices.write("frame", &picture(64, 48, 7));
        let mut small = b"YUV4MPEG2 W32 H24 F30:1 Cmono\n".to_vec();
        small.extend(picture(32, 24, 9).repeat(20));
        devices.write("small", &small);
        devices.write("nothing", b"");
        devices
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.dir().join(name), bytes).expect("a file is written");
    }

    /// A camera whose program is this script, which runs in the folder. `good` in it writes pictures for ever.
    pub fn script(&self, name: &str, script: &str) -> CameraConfig {
        // The folder's name among the arguments tells which processes are ours.
        let head = format!("here='{}'\n", self.dir().display());
        let good = "good() { cat \"$here/head\"; while :; do cat \"$here/frame\"; sleep 0.02; done; }\n";
        self.write(name, format!("{head}{good}{script}\n").as_bytes());
        camera(name, &format!("sh '{}'", self.dir().join(name).display()))
    }

    /// The same for one that does something else at its first start, and is good after that.
    pub fn at_first(&self, name: &str, script: &str) -> CameraConfig {
        self.script(name, &format!("if [ ! -e {name}.was ]; then : > {name}.was\n{script}\nexit\nfi\ngood"))
    }

    /// Processes that have this folder among their words: what a camera has left behind.
    pub fn left(&self) -> Vec<String> {
        let dir = self.dir().to_str().expect("a plain name");
        let processes = std::fs::read_dir("/proc").expect("a system with /proc");
        let words = |entry: std::fs::DirEntry| std::fs::read(entry.path().join("cmdline")).ok();
        let words = processes.filter_map(|entry| words(entry.ok()?));
        words.map(|words| String::from_utf8_lossy(&words).replace('\0', " ")).filter(|w| w.contains(dir)).collect()
    }
}

/// A picture with its header: the first pixel is `first`, and the others differ from one another.
pub fn picture(width: usize, height: usize, first: u8) -> Vec<u8> {
    let mut picture = b"FRAME\n".to_vec();
    picture.extend((0..width * height).map(|at| (at as u8).wrapping_mul(31).wrapping_add(first)));
    picture
}

/// A camera with nothing said but its name and its program.
pub fn camera(name: &str, command: &str) -> CameraConfig {
    CameraConfig {
        name: name.into(),
        command: command.into(),
        corners: [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]].map(FractionPoint::from),
        canvas: WHOLE,
        mask: Vec::new(),
        mirror: false,
    }
}

/// Short times, so that tests are; long enough for a shell on a busy machine.
pub fn quick() -> CameraTiming {
    CameraTiming {
        frame_timeout: Duration::from_millis(700),
        first_frame_timeout_max: Duration::from_millis(700),
        backoff: Duration::from_millis(20),
        backoff_max: Duration::from_millis(100),
        recovered_after: Duration::from_millis(300),
        grace: Duration::from_millis(100),
    }
}

/// Waits for something, at most so long; true when it came.
pub fn until(at_most: Duration, mut come: impl FnMut() -> bool) -> bool {
    let until = Instant::now() + at_most;
    loop {
        if come() {
            return true;
        }
        if Instant::now() >= until {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
