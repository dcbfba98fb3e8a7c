//! No camera frame leaves the machine or is stored.
//! Runs a whole show whose cameras show a known pattern, and searches every file, datagram and output line for it, also
//! after a crash.

#![cfg(feature = "show")]

mod leaks;
mod tapped;

use leaks::{PERIOD, Pattern};
use moongate::config::{TrustedPeer, city_by_slug};
use moongate::device::peers_file::trust;
use moongate::device::site_key::SiteKey;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tapped::Tapped;

const SIZE: [usize; 2] = [160, 120];
/// Bytes of the header of a clip, and of a frame with its header.
const HEAD: usize = HEADER.len();
const FRAME: usize = "FRAME\n".len() + SIZE[0] * SIZE[1];
const HEADER: &str = "YUV4MPEG2 W160 H120 F15:1 Ip A1:1 Cmono\n";
const PATIENCE: Duration = Duration::from_secs(60);
/// Signal numbers, the same on all common Unix systems.
const ABORT: i32 = 6;

/// Pixel rows of the background and of the person who walks across it.
fn rows() -> [[u8; PERIOD]; 2] {
    [std::array::from_fn(|_| fastrand::u8(60..110)), std::array::from_fn(|_| fastrand::u8(150..235))]
}

/// Creates a clip of a person who walks to and fro, ten seconds at 15 frames per second.
fn clip([ground, person]: &[[u8; PERIOD]; 2]) -> Vec<u8> {
    let [width, height] = SIZE;
    let mut clip = HEADER.as_bytes().to_vec();
    for number in 0..150_i32 {
        clip.extend(b"FRAME\n");
        let x = 20 + (number - 75).abs() * 120 / 75;
        for y in 0..height as i32 {
            clip.extend((0..width as i32).map(|column| {
                let (dx, dy) = (column - x, y - 62);
                let head = dx * dx + (dy + 30) * (dy + 30) < 49;
                let trunk = dx.abs() < 10 && (-22..14).contains(&dy);
                let legs = (2..9).contains(&dx.abs()) && (14..40).contains(&dy);
                let row = if head || trunk || legs { person } else { ground };
                row[column as usize % PERIOD]
            }));
        }
    }
    clip
}

const SCENE: &str = r#"
import { here, there, draw } from "moongate";
export function frame() {
  draw.background("black");
  draw.shader("seen.wgsl");
  for (const body of [...here.bodies, ...there.bodies]) draw.body(body, { fill: "red" });
}
"#;

const SHADER: &str = "fn paint(at: vec2f) -> vec4f { return vec4f(body_here(at), flow_here(at), 1.0); }\n";

/// Folders of a show; everything that it writes is below them.
struct Rooms {
    dir: tempfile::TempDir,
}

impl Rooms {
    fn new(twin: &Tapped, key: &SiteKey, cameras: &[String]) -> Self {
        let rooms = Self { dir: tempfile::tempdir().expect("a folder") };
        for room in ["site", "home", "run", "tmp", "work"] {
            std::fs::create_dir(rooms.path(room)).expect("a new folder");
        }
        let mut site =
            format!("api = 1\ncity = \"kobe\"\ninstallation = {:?}\nlisten = \"127.0.0.1:0\"\n", twin.installation());
        for (index, command) in cameras.iter().enumerate() {
            site.push_str(&format!("\n[[camera]]\nname = \"{index}\"\ncommand = {command:?}\n"));
        }
        std::fs::write(rooms.path("site/site.toml"), site).expect("our own folder");
        let city = city_by_slug("lyon").expect("a member city");
        let (key_there, addresses) = (twin.key(), vec![twin.address()]);
        let there = TrustedPeer { key: key_there, city, name: "tap".into(), addresses, relay: None };
        trust(&rooms.path("site"), there).expect("our own folder");
        key.write(&rooms.path("site/site.key")).expect("a new file");
        rooms
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Starts the show with core dumps allowed by the system and all logging enabled.
    fn show(&self) -> Show {
        let file = |name| File::create(self.path(name)).expect("our own folder");
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -c unlimited; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_moongate")]);
        command.args(["show", "--offscreen", "--trace", "--record", "presence", "--site"]).arg(self.path("site"));
        command.current_dir(self.path("work")).env("HOME", self.path("home")).env("TMPDIR", self.path("tmp"));
        for (variable, room) in [("CACHE", "cache"), ("CONFIG", "config"), ("DATA", "data"), ("STATE", "state")] {
            command.env(format!("XDG_{variable}_HOME"), self.path("home").join(room));
        }
        command.env("XDG_RUNTIME_DIR", self.path("run")).env("MOONGATE_LOG", "trace").env("RUST_LOG", "trace");
        command.stdin(Stdio::piped()).stdout(file("state")).stderr(file("log"));
        Show { child: command.spawn().expect("a shell is there"), state: self.path("state") }
    }
}

struct Show {
    child: Child,
    state: PathBuf,
}

impl Show {
    /// Returns the newest status line, if it is complete.
    fn line(&self) -> Option<serde_json::Value> {
        let text = std::fs::read_to_string(&self.state).ok()?;
        let (whole, _) = text.rsplit_once('\n')?;
        Some(serde_json::from_str(whole.lines().last()?).expect("each line is JSON"))
    }

    /// Waits for a status line that meets the condition.
    fn wait(&self, what: &str, wanted: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
        let began = Instant::now();
        loop {
            let line = self.line();
            if let Some(line) = line.as_ref().filter(|line| wanted(line)) {
                return line.clone();
            }
            assert!(began.elapsed() < PATIENCE, "{what}: {line:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Show {
    fn drop(&mut self) {
        // The process may have ended already, as it should.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn kill(signal: &str, pid: u64) {
    let killed = Command::new("sh").args(["-c", &format!("kill -{signal} {pid}")]).status().expect("a shell is there");
    assert!(killed.success(), "process {pid} is gone");
}

/// Returns the soft and the hard limit of core files.
fn core_limits(pid: u64) -> Vec<String> {
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).expect("it runs");
    let line = limits.lines().find_map(|line| line.strip_prefix("Max core file size")).expect("a system with /proc");
    line.split_whitespace().take(2).map(str::to_owned).collect()
}

/// Returns the processes that have this folder among their arguments.
fn processes_of(dir: &Path) -> Vec<String> {
    let dir = dir.to_str().expect("a plain name");
    let entries = std::fs::read_dir("/proc").expect("a system with /proc");
    let words = entries.filter_map(|entry| std::fs::read(entry.ok()?.path().join("cmdline")).ok());
    words.map(|words| String::from_utf8_lossy(&words).replace('\0', " ")).filter(|words| words.contains(dir)).collect()
}

#[test]
fn no_pixel_is_written_sent_or_said_even_in_a_crash() {
    // The clip lies outside the folders that are searched.
    let shelf = tempfile::tempdir().expect("a folder");
    let rows = rows();
    let pattern = Pattern::of(&rows);
    let film = shelf.path().join("clip.y4m");
    std::fs::write(&film, clip(&rows)).expect("our own folder");
    assert_eq!(pattern.find_below(shelf.path()).0.len(), 1, "what is looked for is in the pictures");

    // One camera of ours and one by a third party, such as a depth sensor, which prints text too and writes its frame
    // there.
    let frame = shelf.path().join("frame");
    std::fs::write(&frame, &clip(&rows)[..HEAD + FRAME]).expect("our own folder");
    let (film, frame) = (film.display(), frame.display());
    let rest = format!("tail -c {FRAME} {frame}");
    let foreign = format!("sh -c 'cat {frame}; while :; do {rest} >&2; sleep 0.05; {rest}; done'");
    let key = SiteKey::generate().expect("randomness");
    let twin = Tapped::start(&shelf.path().join("installation"), SCENE, SHADER, key.public());
    let rooms = Rooms::new(&twin, &key, &[format!("moongate camera --file {film}"), foreign]);
    let mut show = rooms.show();

    let line = show.wait("bodies", |line| {
        let seeing = |index: usize| line["cameras"][index]["bodies"].as_u64() > Some(0);
        let long = line["uptime_s"].as_f64() > Some(5.0) && line["painted"].as_u64() > Some(9);
        long && seeing(0) && line["cameras"][1]["frames"].as_u64() > Some(9)
    });
    let began = Instant::now();
    while twin.bodies() == 0 {
        assert!(began.elapsed() < PATIENCE, "no outline came to the twin");
        std::thread::sleep(Duration::from_millis(20));
    }
    // Takes a screenshot, as an operator would.
    let input = show.child.stdin.as_mut().expect("it is piped");
    writeln!(input, "picture {}", rooms.path("work/picture.png").display()).expect("it listens");
    let began = Instant::now();
    while !rooms.path("work/picture.png").is_file() {
        assert!(began.elapsed() < PATIENCE, "no picture came");
        std::thread::sleep(Duration::from_millis(20));
    }

    // Whichever process crashes, none of its memory is stored.
    let pid = |value: &serde_json::Value| value.as_u64().expect("it runs");
    let own = u64::from(show.child.id());
    for process in [own, pid(&line["cameras"][0]["pid"]), pid(&line["cameras"][1]["pid"]), pid(&line["scene"]["pid"])] {
        assert_eq!(core_limits(process), ["0", "0"], "process {process} of {line}");
    }
    // Protected memory belongs to root. If this test runs as root, the check proves nothing.
    let owner = |path: String| std::fs::metadata(path).expect("it runs").uid();
    for process in [own, pid(&line["cameras"][0]["pid"])] {
        assert_eq!(owner(format!("/proc/{process}/mem")), 0, "process {process} of {line}");
    }
    kill("ABRT", pid(&line["cameras"][0]["pid"]));
    show.wait("the camera again", |line| line["cameras"][0]["starts"].as_u64() > Some(1));
    kill("ABRT", own);
    let status = show.child.wait().expect("it is our child");
    assert_eq!((status.signal(), status.core_dumped()), (Some(ABORT), false), "{status}");

    // Its child processes end with it.
    let began = Instant::now();
    while !processes_of(shelf.path()).is_empty() {
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", processes_of(shelf.path()));
        std::thread::sleep(Duration::from_millis(20));
    }

    let (leaks, files, size) = pattern.find_below(rooms.dir.path());
    assert!(leaks.is_empty(), "{leaks:#?}");
    let log = std::fs::metadata(rooms.path("log")).expect("it wrote one").len();
    assert!(files >= 6 && log > 10_000, "{files} files, {size} bytes, {log} of log");
    // Packets as sent, and datagrams before encryption.
    let [packets, plain] = twin.heard();
    for (what, datagrams) in [("packet", &packets), ("datagram", &plain)] {
        assert!(datagrams.len() > 20, "{} of {what}", datagrams.len());
        for bytes in datagrams {
            assert_eq!(pattern.find(bytes), None, "a {what} of {} bytes", bytes.len());
        }
    }
    println!(
        "{files} files with {size} bytes, {log} of them log; {} packets, {} datagrams",
        packets.len(),
        plain.len()
    );
}

/// Checks that a crash writes a core dump on this system at all.
/// If it does not, the test above proves less than it seems to.
#[test]
fn a_crash_would_leave_a_core_here() {
    let dir = tempfile::tempdir().expect("a folder");
    let script = "ulimit -c unlimited && kill -ABRT $$";
    let status = Command::new("sh").args(["-c", script]).current_dir(dir.path()).stderr(Stdio::null()).status();
    if !status.expect("a shell is there").core_dumped() {
        println!("this system dumps no cores of anybody");
    }
}
