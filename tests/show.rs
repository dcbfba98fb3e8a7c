//! `moongate show` as started by a person or a program: bad input gets a clear message, and the screen is never black.

#![cfg(feature = "show")]

use moongate::config::{Installation, TrustedPeer, city_by_slug};
use moongate::device::last_good::LastGoodStore;
use moongate::device::net::{LinkSetup, LinkThread};
use moongate::device::peers_file::trust;
use moongate::device::scene_folder::digest;
use moongate::device::site_key::SiteKey;
use moongate::link::{LinkConfig, LinkState, NowShowing};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Two software renderers at once would only slow each other down.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

const GOOD: &str = "import { draw } from \"moongate\";\nexport function frame() { draw.background(\"#804020\"); }\n";

/// Creates a site's folder that shows `script`, on a free port, without a twin.
fn site(script: &str, shader: Option<&str>) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    let installation = dir.path().join("installation");
    std::fs::create_dir(&installation).expect("a new folder");
    let write = |file: &Path, text: &str| std::fs::write(file, text).expect("our own folder");
    write(&installation.join("installation.toml"), "api = 1\nid = \"test\"\ncanvas = [320, 180]\n[kit]\nsky = false\n");
    write(&installation.join("scene.js"), script);
    if let Some(shader) = shader {
        write(&installation.join("night.wgsl"), shader);
    }
    write(
        &dir.path().join("site.toml"),
        "api = 1\ncity = \"kobe\"\ninstallation = \"installation\"\nlisten = \"127.0.0.1:0\"\n",
    );
    SiteKey::generate().expect("randomness").write(&dir.path().join("site.key")).expect("a new file");
    dir
}

fn command(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_moongate"));
    command.args(["show", "--offscreen", "--site"]).arg(dir);
    command
}

/// Returns the error message of a show that cannot start.
fn refusal(dir: &Path) -> String {
    let output = command(dir).stdin(Stdio::null()).output().expect("the program is built");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "it started: {said}");
    assert!(!said.contains("panicked"), "{said}");
    said
}

#[test]
fn what_cannot_start_says_why_and_what_to_do() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let nowhere = tempfile::tempdir().expect("a folder");
    let said = refusal(nowhere.path());
    assert!(said.contains("site.toml: cannot be read") && said.contains("name the folder of a site"), "{said}");

    let dir = site(GOOD, None);
    let manifest = dir.path().join("site.toml");
    let good = std::fs::read_to_string(&manifest).expect("just written");
    std::fs::write(&manifest, good.replace("kobe", "kobbe")).expect("our own folder");
    let said = refusal(dir.path());
    assert!(said.contains("site.toml:2: `city`") && said.contains("did you mean \"kobe\"?"), "{said}");

    std::fs::write(&manifest, &good).expect("our own folder");
    std::fs::remove_file(dir.path().join("site.key")).expect("it is there");
    let said = refusal(dir.path());
    assert!(said.contains("site.key") && said.contains("cannot be read"), "{said}");
}

/// A show without a visible window is an error unless it was requested.
#[test]
fn a_show_without_a_display_says_so_and_ends() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = site(GOOD, None);
    let gone = dir.path().join("wayland-9").display().to_string();
    for (variable, value, said) in [
        ("DISPLAY", "", "neither WAYLAND_DISPLAY nor DISPLAY is set"),
        ("DISPLAY", ":64321", "DISPLAY=:64321 cannot be reached"),
        ("WAYLAND_DISPLAY", gone.as_str(), "wayland-9 cannot be reached"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_moongate"));
        for name in ["DISPLAY", "WAYLAND_DISPLAY", "WAYLAND_SOCKET"] {
            command.env_remove(name);
        }
        let output =
            command.args(["show", "--site"]).arg(dir.path()).env(variable, value).stdin(Stdio::null()).output();
        let output = output.expect("the program is built");
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(words.contains(said) && words.contains("--offscreen") && !words.contains("panicked"), "{words}");
        assert_eq!((output.status.code(), output.stdout.len()), (Some(4), 0), "{words}");
    }
}

#[test]
fn a_port_in_use_is_named() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = site(GOOD, None);
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").expect("loopback");
    let port = taken.local_addr().expect("bound").port();
    let manifest =
        format!("api = 1\ncity = \"kobe\"\ninstallation = \"installation\"\nlisten = \"127.0.0.1:{port}\"\n");
    std::fs::write(dir.path().join("site.toml"), manifest).expect("our own folder");
    let said = refusal(dir.path());
    assert!(said.contains(&format!("127.0.0.1:{port} is in use")) && said.contains("change `listen`"), "{said}");
}

struct Running {
    child: Child,
    lines: std::sync::mpsc::Receiver<serde_json::Value>,
}

impl Running {
    fn start(dir: &Path) -> Self {
        Self::start_with(dir, &[])
    }

    fn start_with(dir: &Path, arguments: &[&str]) -> Self {
        let mut command = command(dir);
        command.args(arguments);
        Self::run(command)
    }

    fn run(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the program is built");
        let output = child.stdout.take().expect("it is piped");
        let (said, lines) = std::sync::mpsc::channel();
        std::thread::Builder::new()
            .spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    let _ = said.send(serde_json::from_str(&line).expect("each line is JSON"));
                }
            })
            .expect("a thread");
        Self { child, lines }
    }

    /// Returns the first status line that meets the condition.
    fn wait(&self, wanted: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
        let began = Instant::now();
        let mut last = serde_json::Value::Null;
        while began.elapsed() < Duration::from_secs(60) {
            if let Ok(line) = self.lines.recv_timeout(Duration::from_millis(200)) {
                if wanted(&line) {
                    return line;
                }
                last = line;
            }
        }
        panic!("it never came to that; last: {last}");
    }

    /// Returns a screenshot of the canvas.
    fn picture(&mut self, dir: &Path) -> Vec<u8> {
        let file = dir.join("picture.png");
        let input = self.child.stdin.as_mut().expect("it is piped");
        writeln!(input, "picture {}", file.display()).expect("it listens");
        let began = Instant::now();
        while !file.is_file() {
            assert!(began.elapsed() < Duration::from_secs(30), "no picture came");
            std::thread::sleep(Duration::from_millis(20));
        }
        std::fs::read(&file).expect("it is there")
    }

    /// Returns its exit status once it has ended by itself, with its input still open.
    fn ended(&mut self) -> std::process::ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                return status;
            }
            assert!(began.elapsed() < Duration::from_secs(30), "it goes on");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Closes its input, and checks that it ends by itself.
    fn end(mut self) {
        drop(self.child.stdin.take());
        let status = self.child.wait().expect("it is our child");
        assert!(status.success(), "{status}");
    }
}

/// Shows a scene that fails; checks its message, and that the screen is not black.
fn fails(script: &str, shader: Option<&str>, message: &[&str]) {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = site(script, shader);
    let mut show = Running::start(dir.path());
    let line = show.wait(|line| line["scene"]["last_fault"].is_string());
    let said = line["scene"]["last_fault"].as_str().expect("just seen");
    assert!(message.iter().all(|part| said.contains(part)), "{said}");
    let picture = show.picture(dir.path());
    // A black image of this size compresses to a few hundred bytes.
    assert!(picture.len() > 2_000, "{} bytes of picture", picture.len());
    show.end();
}

#[test]
fn a_syntax_error_is_named_and_the_idle_picture_stands() {
    let script = "import { draw } from \"moongate\";\nexport function frame() {\n  draw.circle(1, 2;\n}\n";
    fails(script, None, &["scene.js:3", "draw.circle(1, 2;"]);
}

#[test]
fn a_script_that_never_returns_is_stopped() {
    fails(
        "export function frame() {\n  for (;;) {}\n}\n",
        None,
        &["ran longer than", "look for a loop that does not end"],
    );
}

#[test]
fn a_script_that_cannot_be_interrupted_is_killed() {
    let script = "export function frame() { [].reverse.call({ length: 2 ** 53 - 1 }); }\n";
    fails(script, None, &["its process was killed"]);
}

#[test]
fn a_shader_that_does_not_compile_is_named() {
    let script = "import { draw } from \"moongate\";\nexport function frame() { draw.shader(\"night.wgsl\"); }\n";
    let shader = "fn paint(at: vec2f) -> vec4f {\n  return vec4f(nothing, 1.0);\n}\n";
    fails(script, Some(shader), &["night.wgsl:2", "nothing"]);
}

/// A faulty manifest may also be there from the start, as after a power cut. Once it is corrected, the show must
/// restart.
#[test]
fn a_manifest_that_is_wrong_is_named_and_begins_again_when_it_is_mended() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = site(GOOD, None);
    let manifest = dir.path().join("installation/installation.toml");
    let good = std::fs::read_to_string(&manifest).expect("it is there");
    std::fs::write(&manifest, good.replace("[320, 180]", "[320, a]")).expect("it is broken");
    let mut show = Running::start(dir.path());
    let line = show.wait(|line| line["scene"]["last_fault"].is_string());
    let said = line["scene"]["last_fault"].as_str().expect("just seen");
    assert!(said.contains("installation.toml:3"), "{said}");
    let picture = show.picture(dir.path());
    assert!(picture.len() > 2_000, "{} bytes of picture", picture.len());
    std::fs::write(&manifest, good).expect("it is mended");
    let status = show.ended();
    assert_eq!(status.code(), Some(3), "{status}");
}

/// Returns the child processes of a process.
fn children(pid: u32) -> Vec<String> {
    let parent = |stat: &str| stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse::<u32>().ok();
    let child = |entry: std::fs::DirEntry| {
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        let words = std::fs::read_to_string(entry.path().join("cmdline")).ok()?;
        (parent(&stat) == Some(pid)).then(|| words.replace('\0', " "))
    };
    std::fs::read_dir("/proc").expect("a system with /proc").filter_map(|entry| child(entry.ok()?)).collect()
}

#[test]
fn a_site_without_a_camera_starts_none_and_can_be_touched() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = site(GOOD, None);
    let show = Running::start_with(dir.path(), &["--cast", "vandal", "--trace"]);
    let touched = |line: &serde_json::Value| {
        line["events"].as_array().is_some_and(|events| events.iter().any(|event| event["is"] == "drawn"))
    };
    let line = show.wait(touched);
    assert_eq!((&line["cameras"], &line["bodies"]["here"]), (&serde_json::json!([]), &0.into()), "{line}");
    let children = children(show.child.id());
    assert!(children.len() == 1 && children[0].trim_end().ends_with(" scene"), "{children:?}");
    show.end();
}

#[test]
fn a_program_that_is_no_camera_is_named_and_one_that_writes_y4m_is_seen() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = site(GOOD, None);
    // A frame of zeros, as from a depth sensor in an empty room.
    let depth = "sh -c 'printf \"YUV4MPEG2 W64 H48 F30:1 Cmono\\n\"; while :; do echo FRAME; head -c 3072 /dev/zero; sleep 0.05; done'";
    let file = dir.path().join("site.toml");
    let text = std::fs::read_to_string(&file).expect("just written");
    let cameras = format!(
        "[[camera]]\nname = \"depth\"\ncommand = {depth:?}\n[[camera]]\nname = \"away\"\ncommand = \"false\"\n"
    );
    std::fs::write(&file, text + &cameras).expect("our own folder");
    let show = Running::start(dir.path());
    let line = show.wait(|line| {
        let [depth, away] = [&line["cameras"][0], &line["cameras"][1]];
        depth["frames"].as_u64() > Some(5) && away["last_fault"].is_string() && line["painted"].as_u64() > Some(3)
    });
    let [depth, away] = [&line["cameras"][0], &line["cameras"][1]];
    assert_eq!(
        (&depth["name"], &depth["state"], &depth["size"]),
        (&"depth".into(), &"seeing".into(), &serde_json::json!([64, 48]))
    );
    assert!(away["last_fault"].as_str().is_some_and(|why| why.contains("run its command by hand")), "{away}");
    assert_ne!(away["state"], "seeing");
    show.end();
    assert!(!Path::new(&format!("/proc/{}", depth["pid"])).exists(), "its program still runs");
}

#[test]
fn a_good_scene_is_painted_and_all_loops_turn() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = site(GOOD, None);
    let show = Running::start(dir.path());
    let first = show.wait(|line| line["scene"]["ready"] == true && line["painted"].as_u64() > Some(3));
    assert_eq!(first["in_view"], true, "this show was asked to have no window");
    let frames = first["loops"]["frame"].as_u64();
    show.wait(|line| line["loops"]["frame"].as_u64() > frames && line["loops"]["scene"].as_u64() > Some(3));
    show.end();
}

/// Creates a site that has stored its `GOOD` scene, and whose folder now holds another script.
fn site_that_keeps(script: &str) -> (tempfile::TempDir, String) {
    let dir = site(GOOD, None);
    let installation = dir.path().join("installation");
    let edition = digest(&installation);
    LastGoodStore::new(dir.path()).save_scene(&installation, &edition).expect("our own folder");
    std::fs::write(installation.join("scene.js"), script).expect("our own folder");
    (dir, edition)
}

#[test]
fn without_a_folder_the_gate_of_light_is_shown_until_there_is_one() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = site(GOOD, None);
    std::fs::rename(dir.path().join("installation"), dir.path().join("elsewhere")).expect("our own folder");
    let mut show = Running::start(dir.path());
    let line = show.wait(|line| line["scene"]["refused"].is_string());
    let said = line["scene"]["refused"].as_str().expect("just seen");
    assert!(said.contains("installation.toml") && said.contains("cannot be read"), "{said}");
    let picture = show.picture(dir.path());
    assert!(picture.len() > 2_000, "{} bytes of picture", picture.len());
    std::fs::rename(dir.path().join("elsewhere"), dir.path().join("installation")).expect("our own folder");
    assert_eq!(show.ended().code(), Some(3));
}

#[test]
fn a_folder_that_is_broken_at_the_start_gives_way_to_the_last_good_edition() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let (dir, good) = site_that_keeps(GOOD);
    let shader = dir.path().join("installation/night.wgsl");
    std::fs::write(&shader, "fn paint(").expect("our own folder");
    let show = Running::start(dir.path());
    let line = show.wait(|line| line["loops"]["scene"].as_u64() > Some(3));
    assert_eq!(line["scene"]["edition"], *good, "{line}");
    assert!(line["scene"]["refused"].as_str().is_some_and(|why| why.contains("night.wgsl")), "{line}");
    std::fs::remove_file(shader).expect("our own folder");
    show.wait(|line| line["scene"]["refused"].is_null() && line["scene"]["edition"].is_string());
    show.end();
}

#[test]
fn an_edition_that_is_put_aside_is_not_shown_and_another_one_is() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let (dir, good) = site_that_keeps("export function frame() { throw new Error(\"not to be seen\"); }\n");
    let bad = digest(&dir.path().join("installation"));
    let show = Running::start_with(dir.path(), &["--aside", &bad]);
    let line = show.wait(|line| line["loops"]["scene"].as_u64() > Some(3));
    assert_eq!(line["scene"]["edition"], *good, "{line}");
    assert!(line["scene"]["refused"].as_str().is_some_and(|why| why.contains("put aside")), "{line}");
    std::fs::write(dir.path().join("installation/scene.js"), format!("{GOOD}// changed\n")).expect("our own folder");
    let other = digest(&dir.path().join("installation"));
    show.wait(|line| line["scene"]["refused"].is_null() && line["scene"]["edition"] == *other);
    show.end();

    let show = Running::start_with(dir.path(), &["--aside", &other, "--aside", &good]);
    let line = show.wait(|line| line["painted"].as_u64() > Some(3));
    assert!(line["scene"]["edition"].is_null() && line["scene"]["starts"] == 0, "{line}");
    show.end();
}

/// An update replaces the program, and then the scene's process ends.
#[test]
fn a_program_that_was_replaced_starts_its_scenes_all_the_same() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = site(GOOD, None);
    let program = dir.path().join("moongate");
    let built = env!("CARGO_BIN_EXE_moongate");
    if std::fs::hard_link(built, &program).is_err() {
        std::fs::copy(built, &program).expect("our own folder");
    }
    let mut command = Command::new(&program);
    command.args(["show", "--offscreen", "--site"]).arg(dir.path());
    let show = Running::run(command);
    let line = show.wait(|line| line["scene"]["ready"] == true && line["painted"].as_u64() > Some(0));
    std::fs::remove_file(&program).expect("it is there");
    let scene = i32::try_from(line["scene"]["pid"].as_u64().expect("it runs")).expect("a process");
    let scene = rustix::process::Pid::from_raw(scene).expect("a process");
    rustix::process::kill_process(scene, rustix::process::Signal::KILL).expect("it runs");
    show.wait(|line| line["scene"]["starts"].as_u64() > Some(1) && line["scene"]["ready"] == true);
    show.end();
}

#[test]
fn a_show_that_is_asked_by_a_signal_ends_in_order() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = site(GOOD, None);
    let mut show = Running::start(dir.path());
    show.wait(|line| line["painted"].as_u64() > Some(0));
    let began = Instant::now();
    rustix::process::kill_process(rustix::process::Pid::from_child(&show.child), rustix::process::Signal::TERM)
        .expect("it runs");
    let status = show.ended();
    assert!(status.success() && began.elapsed() < Duration::from_secs(3), "{status} after {:?}", began.elapsed());
}

#[test]
fn a_show_ends_when_nobody_reads_and_not_when_a_disk_is_full() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = site(GOOD, None);
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").expect("a system with /dev/full");
    let mut child =
        command(dir.path()).stdin(Stdio::piped()).stdout(full()).stderr(full()).spawn().expect("the program is built");
    let picture = dir.path().join("picture.png");
    writeln!(child.stdin.as_mut().expect("it is piped"), "picture {}", picture.display()).expect("it listens");
    let began = Instant::now();
    while !picture.is_file() {
        assert!(child.try_wait().expect("it is our child").is_none(), "it ended for a log");
        assert!(began.elapsed() < Duration::from_secs(30), "no picture came");
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(child.stdin.take());
    assert!(child.wait().expect("it is our child").success());

    let mut child =
        command(dir.path()).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the program is built");
    let mut line = String::new();
    let mut output = BufReader::new(child.stdout.take().expect("it is piped"));
    output.read_line(&mut line).expect("it speaks");
    drop(output);
    let status = child.wait().expect("it is our child");
    assert!(status.success(), "{status}");
}

/// A twin that gets no goodbye detects only after some seconds that the other site is silent.
#[test]
fn the_twin_gets_its_goodbye_when_a_signal_ends_the_show() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = site(GOOD, None);
    let sockets = [(); 2].map(|()| std::net::UdpSocket::bind("127.0.0.1:0").expect("loopback"));
    let [here, there] = sockets.map(|socket| socket.local_addr().expect("bound"));
    let manifest = dir.path().join("site.toml");
    let text = std::fs::read_to_string(&manifest).expect("just written");
    std::fs::write(&manifest, text.replace("127.0.0.1:0", &here.to_string())).expect("our own folder");
    let [key, twin] =
        [SiteKey::read(&dir.path().join("site.key")).expect("just written"), SiteKey::generate().expect("randomness")];
    let city = city_by_slug("dublin").expect("a member city");
    let known = TrustedPeer { key: twin.public(), city, name: "test".into(), addresses: vec![there], relay: None };
    trust(dir.path(), known).expect("our own folder");
    let declarations = Installation::read(&dir.path().join("installation")).expect("it is sound").schema_hash();
    let config = LinkConfig {
        key: twin.public(),
        twin: Some(key.public()),
        boot: 1,
        city: city.slug.clone(),
        name: "test".into(),
        showing: NowShowing { installation: "test".into(), schema_hash: declarations },
        canvas: [320.0, 180.0],
    };
    let link = LinkThread::start(there, LinkSetup::new(&twin, here, config)).unwrap_or_else(|why| panic!("{why}"));
    let is_linked = || link.site().status().session.health.state == LinkState::Linked;
    let mut show = Running::start(dir.path());
    show.wait(|line| {
        line["painted"].as_u64() > Some(0) && ["linked", "weak"].contains(&line["link"].as_str().unwrap_or_default())
    });
    assert!(is_linked());
    let began = Instant::now();
    rustix::process::kill_process(rustix::process::Pid::from_child(&show.child), rustix::process::Signal::TERM)
        .expect("it runs");
    while is_linked() {
        assert!(began.elapsed() < Duration::from_secs(1), "no goodbye came");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(show.ended().success());
}
