//! A site's wall on a virtual display: it fills the display, waits for it, and returns with it.

#![cfg(feature = "show")]

use moongate::device::site_key::SiteKey;
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Two software renderers at once would only slow each other down.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
/// Size of the screen: not a default of any tool, and in the shape of the canvas.
const SIZE: [usize; 2] = [1_376, 774];
const GROUND: [u8; 3] = [0x80, 0x40, 0x20];
const SCENE: &str = "import { draw } from \"moongate\";\nexport function frame() { draw.background(\"#804020\"); }\n";

/// Kills the child process at the end of a test, even if it fails.
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        // The child process may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A virtual X server that keeps its pixels in a file.
struct Server {
    name: String,
    pixels: tempfile::TempDir,
    _process: Guard,
}

impl Server {
    fn start(name: &str) -> Self {
        let pixels = tempfile::tempdir().expect("a folder");
        let screen = format!("{}x{}x24", SIZE[0], SIZE[1]);
        let mut command = Command::new("Xvfb");
        // Without -noreset the server resets after the last client has left, and refuses connections meanwhile.
        command.arg(name).args(["-screen", "0", &screen, "-nolisten", "tcp", "-noreset", "-fbdir"]).arg(pixels.path());
        let process = command.stderr(Stdio::null()).spawn().map(Guard);
        let process = process.expect("Xvfb is there; ./x setup test installs it");
        let server = Self { name: name.to_owned(), pixels, _process: process };
        wait("the display", || server.tool(&["getdisplaygeometry"]));
        server
    }

    fn tool(&self, arguments: &[&str]) -> Option<String> {
        let output = Command::new("xdotool").env("DISPLAY", &self.name).args(arguments).output();
        let output = output.expect("xdotool is there; ./x setup test installs it");
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Returns left, top, width and height of Kobe's window.
    fn window(&self) -> Option<[i32; 4]> {
        let text = self.tool(&["search", "--name", "Kobe", "getwindowgeometry", "--shell", "%1"])?;
        let number = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')?.parse().ok());
        Some([number("X")?, number("Y")?, number("WIDTH")?, number("HEIGHT")?])
    }

    /// Reads the screen from an X window dump.
    /// The format has big-endian numbers, a colour table, and rows of blue, green, red and a padding byte.
    fn picture(&self) -> impl Fn(usize, usize) -> [u8; 3] + use<> {
        let bytes = std::fs::read(self.pixels.path().join("Xvfb_screen0")).expect("Xvfb writes it");
        let number = |index: usize| {
            u32::from_be_bytes(bytes[index * 4..index * 4 + 4].try_into().expect("four of them")) as usize
        };
        let (start, row) = (number(0) + number(19) * 12, number(12));
        move |x, y| {
            let at = start + y * row + x * 4;
            [bytes[at + 2], bytes[at + 1], bytes[at]]
        }
    }

    /// Returns the first pixel in this area that is not the scene's.
    fn stain(&self, columns: impl Iterator<Item = usize> + Clone, rows: impl Iterator<Item = usize>) -> Option<String> {
        let pixel = self.picture();
        let is_ground = |colour: [u8; 3]| colour.iter().zip(GROUND).all(|(one, other)| one.abs_diff(other) < 4);
        let mut all = rows.flat_map(|y| columns.clone().map(move |x| (x, y)));
        let (x, y) = all.find(|(x, y)| !is_ground(pixel(*x, *y)))?;
        Some(format!("{:?} at {x}, {y}", pixel(x, y)))
    }

    /// Returns the first pixel of the whole screen that is not the scene's.
    fn stained(&self) -> Option<String> {
        self.stain(0..SIZE[0], 0..SIZE[1])
    }
}

/// Returns a display name that no other process is likely to use.
fn display() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!(":{}", 31_000 + std::process::id() % 25_000 + NEXT.fetch_add(1, Ordering::Relaxed))
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

/// Creates a site's folder, on a free port and without a twin, with `more` added to its manifest.
fn site(more: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    let installation = dir.path().join("installation");
    std::fs::create_dir(&installation).expect("a new folder");
    let write = |file: &Path, text: &str| std::fs::write(file, text).expect("our own folder");
    write(&installation.join("installation.toml"), "api = 1\nid = \"test\"\ncanvas = [320, 180]\n[kit]\nsky = false\n");
    write(&installation.join("scene.js"), SCENE);
    let site = "api = 1\ncity = \"kobe\"\ninstallation = \"installation\"\nlisten = \"127.0.0.1:0\"\n";
    write(&dir.path().join("site.toml"), &format!("{site}{more}"));
    SiteKey::generate().expect("randomness").write(&dir.path().join("site.key")).expect("a new file");
    dir
}

/// `moongate run` of a site, with its output.
struct Wall {
    process: Guard,
    said: Receiver<String>,
    all: Vec<String>,
}

impl Wall {
    fn start(site: &Path, display: Option<&str>) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_moongate"));
        command.arg("run").arg(site).env_remove("WAYLAND_DISPLAY").env_remove("WAYLAND_SOCKET").env_remove("DISPLAY");
        if let Some(display) = display {
            command.env("DISPLAY", display);
        }
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut process = Guard(child.expect("the program is built"));
        let (tell, said) = channel();
        let streams: [Option<Box<dyn Read + Send>>; 2] = [
            process.0.stdout.take().map(|out| Box::new(out) as _),
            process.0.stderr.take().map(|err| Box::new(err) as _),
        ];
        for stream in streams.into_iter().flatten() {
            let tell = tell.clone();
            let read = move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    let _ = tell.send(line);
                }
            };
            std::thread::Builder::new().name("reader".into()).spawn(read).expect("a thread");
        }
        Self { process, said, all: Vec::new() }
    }

    /// Counts the lines so far that contain all of `words`.
    fn says(&mut self, words: &[&str]) -> usize {
        self.all.extend(self.said.try_iter());
        self.all.iter().filter(|line| words.iter().all(|word| line.contains(word))).count()
    }

    /// Asks the supervisor to end, and checks that it ends with success.
    fn end(mut self) {
        let pid = Pid::from_child(&self.process.0);
        kill_process(pid, Signal::TERM).expect("it is our child");
        let ended = wait("its end", || self.process.0.try_wait().expect("it is our child"));
        assert!(ended.success(), "{ended}: {:?}", self.all);
    }
}

const FULL: &str = "[[screen]]\nfullscreen = true\n";

#[test]
fn a_wall_reaches_all_edges_without_a_window_manager_and_shows_no_pointer_and_no_panel() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let server = Server::start(&display());
    let dir = site(FULL);
    let wall = Wall::start(dir.path(), Some(&server.name));
    let middle = [SIZE[0] / 2, SIZE[1] / 2].map(|at| at.to_string());
    assert!(server.tool(&["mousemove", &middle[0], &middle[1]]).is_some());
    wait("a picture from edge to edge", || server.stained().is_none().then_some(()));
    assert_eq!(server.window(), Some([0, 0, SIZE[0] as i32, SIZE[1] as i32]));
    assert!(server.tool(&["key", "F1"]).is_some());
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(server.stained(), None, "F1 is nothing to visitors");
    wall.end();

    // With the operator panel enabled, the same key opens it, and its parameters then need a pointer.
    let dir = site(&format!("{FULL}[operator]\npanel = true\n"));
    let wall = Wall::start(dir.path(), Some(&server.name));
    wait("a picture from edge to edge", || server.stained().is_none().then_some(()));
    wait("a panel", || {
        server.tool(&["key", "F1"]);
        std::thread::sleep(Duration::from_secs(1));
        server.stain(30..200, 30..60)
    });
    let around = |middle: usize| middle - 20..middle + 20;
    wait("a pointer", || server.stain(around(SIZE[0] / 2), around(SIZE[1] / 2)));
    wall.end();
}

#[test]
fn a_wall_reaches_all_edges_under_a_window_manager() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let server = Server::start(&display());
    let manager =
        Command::new("openbox").arg("--sm-disable").env("DISPLAY", &server.name).stderr(Stdio::null()).spawn();
    let Ok(manager) = manager else {
        println!("NOT TESTED: openbox is not installed, so nothing is known of window managers");
        return;
    };
    let _manager = Guard(manager);
    let dir = site(FULL);
    let wall = Wall::start(dir.path(), Some(&server.name));
    wait("a picture from edge to edge", || server.stained().is_none().then_some(()));
    assert_eq!(server.window(), Some([0, 0, SIZE[0] as i32, SIZE[1] as i32]));
    wall.end();
}

#[test]
fn a_window_that_is_not_fullscreen_has_the_size_and_the_place_of_its_manifest() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let server = Server::start(&display());
    let dir = site("[[screen]]\nsize = [640, 360]\nposition = [100, 50]\n");
    let wall = Wall::start(dir.path(), Some(&server.name));
    wait("its picture", || server.stain(100..740, 50..410).is_none().then_some(()));
    assert_eq!(server.window(), Some([100, 50, 640, 360]));
    wall.end();
}

#[test]
fn a_wall_without_a_display_says_what_is_missing_and_waits_for_it() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = site(FULL);
    let mut wall = Wall::start(dir.path(), None);
    wait("a word", || (wall.says(&["WAYLAND_DISPLAY", "DISPLAY", "--offscreen"]) > 0).then_some(()));
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(wall.says(&["--offscreen"]), 1, "once is enough: {:?}", wall.all);
    assert_eq!(wall.says(&["its show is process"]), 0, "nothing is drawn where nobody sees it: {:?}", wall.all);
    assert!(wall.process.0.try_wait().expect("it is our child").is_none(), "it goes on trying");
    wall.end();
}

#[test]
fn a_wall_comes_back_with_its_display() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = site(FULL);
    let name = display();
    let mut wall = Wall::start(dir.path(), Some(&name));
    wait("a word", || (wall.says(&[&format!("DISPLAY={name} cannot be reached"), "--offscreen"]) == 1).then_some(()));
    for (round, place) in ["a picture", "a picture again"].into_iter().enumerate() {
        let server = Server::start(&name);
        wait(place, || server.stained().is_none().then_some(()));
        assert_eq!(wall.says(&["its show is process"]), round + 1, "{:?}", wall.all);
        drop(server);
        wait("a word", || (wall.says(&["cannot be reached", "--offscreen"]) == round + 2).then_some(()));
    }
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(wall.says(&["its show is process"]), 2, "nothing is drawn where nobody sees it: {:?}", wall.all);
    wall.end();
}
