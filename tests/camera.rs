//! Cameras as child processes: reactions to one that dies, hangs, floods or lies, and `moongate camera` itself.

mod devices;

use devices::{Devices, HEADER, camera, picture, quick, until};
use moongate::config;
use moongate::device::camera::y4m::Y4mReader;
use moongate::device::camera::{CameraHandle, CameraState, CameraTiming};
use moongate::device::clock::monotonic;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);
const MOONGATE: &str = env!("CARGO_BIN_EXE_moongate");

fn start(camera: &config::CameraConfig, dir: &Path, timing: CameraTiming) -> CameraHandle {
    CameraHandle::start(camera, dir, timing).expect("a thread")
}

/// Returns the first pixel and the size of the next frame.
fn next(camera: &mut CameraHandle) -> Option<(u8, usize, usize)> {
    camera.next_frame(5 * SECOND).map(|frame| (frame.y[0], frame.width, frame.height))
}

/// Checks that a camera that fails in one way at its first start is reported and recovers, and leaves nothing behind.
fn recovers(name: &str, script: &str, said: &str) {
    let devices = Devices::new();
    let began = Instant::now();
    let mut camera = start(&devices.at_first(name, script), devices.dir(), quick());
    let told = until(10 * SECOND, || camera.status().last_fault.is_some());
    assert!(told, "{name}: {:?}", camera.status());
    let noticed = began.elapsed();
    let fault = camera.status().last_fault.expect("it was told");
    assert!(fault.contains(said) && fault.contains("; "), "{name}: {fault}");
    assert!(noticed < quick().frame_timeout + SECOND, "{name}: noticed after {noticed:?}");
    let back = until(5 * SECOND, || camera.status().starts >= 2 && camera.status().state == CameraState::Streaming);
    assert!(back, "{name}: {:?}", camera.status());
    assert_eq!(next(&mut camera), Some((7, 64, 48)), "{name}");
    assert_eq!(camera.status().size, [64, 48]);
    let began = Instant::now();
    drop(camera);
    assert!(began.elapsed() < SECOND, "{name}: {:?} to stop", began.elapsed());
    assert!(until(SECOND, || devices.left().is_empty()), "{name}: {:?}", devices.left());
}

#[test]
fn one_that_dies_is_started_again() {
    recovers("dies", "echo 'no such device' >&2; exit 3", "ended (exit status: 3), and said \"no such device\"");
}

#[test]
fn one_that_is_killed_is_started_again() {
    recovers("killed", "cat head frame; kill -9 $$", "ended (signal: 9");
}

#[test]
fn one_that_hangs_is_killed() {
    recovers("hangs", "exec tail -f \"$here/nothing\"", "no picture for 0.7 s");
}

#[test]
fn one_that_falls_silent_is_killed() {
    recovers("silent", "cat head frame frame; exec tail -f \"$here/nothing\"", "no picture for 0.7 s");
}

#[test]
fn one_that_only_dribbles_is_killed() {
    recovers("dribbles", "cat head; echo FRAME; while :; do printf x; sleep 0.1; done", "no picture for 0.7 s");
}

#[test]
fn one_that_ignores_being_asked_is_killed_with_its_own() {
    recovers(
        "ignores",
        "trap '' TERM INT HUP; tail -f \"$here/nothing\" >/dev/null & cat head; while :; do sleep 1; done",
        "no picture for 0.7 s",
    );
}

#[test]
fn one_that_writes_garbage_is_started_again() {
    recovers("garbage", "exec cat /dev/zero", "no header in its first 1024 bytes");
    recovers("page", "echo '<html>404</html>'; sleep 9", "does not begin with YUV4MPEG2");
}

#[test]
fn one_with_a_wrong_header_is_started_again() {
    recovers("wrong", "echo 'YUV4MPEG2 W64000 H48 F30:1'; sleep 9", "pictures of 64000 by 48");
    recovers("deep", "echo 'YUV4MPEG2 W64 H48 C420p10'; sleep 9", "with 8 bits");
}

#[test]
fn one_whose_pictures_are_of_another_size_than_it_says_is_started_again() {
    recovers("lies", "cat head; tail -n +2 small; sleep 9", "no FRAME where the next has to begin");
    recovers("anew", "cat head frame small; sleep 9", "after 1 pictures there is no FRAME");
}

#[test]
fn one_that_closes_its_output_and_lives_on_is_killed() {
    recovers("closes", "cat head frame; exec tail -f \"$here/nothing\" >/dev/null", "closed its output");
}

#[test]
fn one_that_leaves_its_output_to_something_else_is_not_waited_for() {
    // `set -m` puts it into a process group of its own, so that it is not killed with its parent.
    recovers("leaves", "set -m; sleep 2 & exit 1", "ended (exit status: 1)");
}

#[test]
fn one_that_comes_back_with_another_size_is_seen() {
    let devices = Devices::new();
    let mut camera = start(&devices.at_first("grows", "cat small; exit"), devices.dir(), quick());
    assert_eq!(next(&mut camera), Some((9, 32, 24)));
    let grown = until(5 * SECOND, || next(&mut camera) == Some((7, 64, 48)));
    assert!(grown, "{:?}", camera.status());
}

#[test]
fn one_that_does_not_exist_is_seen_when_it_does() {
    let devices = Devices::new();
    let program = devices.dir().join("later");
    let mut camera = start(&camera("later", &format!("'{}' x", program.display())), devices.dir(), quick());
    assert!(until(5 * SECOND, || camera.status().starts > 2), "{:?}", camera.status());
    let fault = camera.status().last_fault.expect("it is not there");
    assert!(fault.contains("cannot be started") && fault.contains("install it"), "{fault}");
    assert!(until(SECOND, || camera.status().state == CameraState::Backoff), "{:?}", camera.status());
    let source = devices.script("source", "good");
    // Another process creates the file, so that this process has no file open for writing when it is run.
    let shell = format!("printf '#!/bin/sh\\nexec %s\\n' \"$1\" > '{0}.new'; chmod 755 '{0}.new'", program.display());
    let made = Command::new("sh").args(["-c", &shell, "sh", &source.command]).status().expect("a shell");
    assert!(made.success());
    std::fs::rename(program.with_extension("new"), &program).expect("a file");
    assert_eq!(next(&mut camera), Some((7, 64, 48)), "{:?}", camera.status());
}

#[test]
fn one_that_floods_is_held_back() {
    let devices = Devices::new();
    devices.write("many", &picture(64, 48, 7).repeat(200));
    let flood = devices.script("floods", "cat head; while :; do cat many; done");
    let mut camera = start(&flood, devices.dir(), quick());
    assert!(next(&mut camera).is_some());
    let (began, before) = (Instant::now(), camera.status().frames);
    std::thread::sleep(SECOND / 2);
    let rate = (camera.status().frames - before) as f64 / began.elapsed().as_secs_f64();
    assert!((30.0..=260.0).contains(&rate), "{rate} pictures a second");
    // A reader gets the newest frame; older ones are dropped.
    let (last, number) = (camera.status().frames, camera.next_frame(SECOND).expect("a picture").number);
    assert!(number >= last, "{number} after {last}");
    let began = Instant::now();
    drop(camera);
    assert!(began.elapsed() < SECOND, "{:?}", began.elapsed());
    // On a busy machine a killed process may take a moment to go.
    assert!(until(SECOND, || devices.left().is_empty()), "{:?}", devices.left());
}

#[test]
fn one_that_talks_without_end_is_seen_all_the_same() {
    let devices = Devices::new();
    let talks = devices.script("talks", "while :; do echo 'a line of a log that nobody reads' >&2; done & good");
    let mut camera = start(&talks, devices.dir(), quick());
    for _ in 0..10 {
        assert_eq!(next(&mut camera), Some((7, 64, 48)), "{:?}", camera.status());
    }
    assert_eq!(camera.status().starts, 1);
}

#[test]
fn a_slow_start_is_given_more_time_until_it_is_enough() {
    let devices = Devices::new();
    let mut camera = start(
        &devices.script("slow", "sleep 1; good"),
        devices.dir(),
        CameraTiming { frame_timeout: SECOND * 2 / 5, first_frame_timeout_max: 5 * SECOND, ..quick() },
    );
    assert!(next(&mut camera).is_some() || next(&mut camera).is_some(), "{:?}", camera.status());
    assert_eq!(camera.status().starts, 3, "after 0.4 and 0.8 s");
}

#[test]
fn a_consumer_that_does_not_look_gets_the_newest() {
    let devices = Devices::new();
    let mut camera = start(&devices.script("good", "good"), devices.dir(), quick());
    let first = camera.next_frame(5 * SECOND).expect("a picture").number;
    assert!(until(5 * SECOND, || camera.status().frames >= first + 8));
    let frame = camera.next_frame(SECOND).expect("a picture");
    assert!(frame.number >= first + 8, "{frame:?} after {first}");
    let now = monotonic();
    assert!(frame.captured <= now && now - frame.captured < SECOND / 2);
    assert!(format!("{frame:?}").len() < 100, "no pixels: {frame:?}");
    let (captured, number) = (frame.captured, frame.number);
    let next = camera.next_frame(SECOND).expect("a picture");
    assert!(next.captured > captured && next.number > number);
    assert!((5.0..=60.0).contains(&camera.status().frame_rate), "{:?}", camera.status());
}

#[test]
fn a_mirrored_camera_is_turned_left_to_right() {
    let devices = Devices::new();
    let plan = config::CameraConfig { mirror: true, ..devices.script("mirror", "good") };
    let mut camera = start(&plan, devices.dir(), quick());
    let frame = camera.next_frame(5 * SECOND).expect("a picture");
    assert_eq!((frame.y[63], frame.y[0]), (7, 7_u8.wrapping_add(63_u8.wrapping_mul(31))));
}

#[test]
fn the_word_moongate_is_this_very_program() {
    // The program is this test itself, which lists its tests.
    let camera = start(&camera("self", "moongate --list --format terse"), Path::new(""), quick());
    assert!(until(5 * SECOND, || camera.status().last_fault.is_some()));
    let fault = camera.status().last_fault.expect("a list is no picture");
    assert!(fault.contains("does not begin with YUV4MPEG2"), "{fault}");
}

#[test]
fn a_command_that_cannot_be_taken_apart_is_refused() {
    assert!(CameraHandle::start(&camera("quote", "cat 'a"), Path::new(""), quick()).is_err());
}

/// Log of all cameras in this file.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn log() -> &'static Log {
    static LOG: OnceLock<Log> = OnceLock::new();
    LOG.get_or_init(|| {
        let log = Log::default();
        let writer = log.clone();
        let quiet = tracing_subscriber::fmt().with_ansi(false).with_max_level(tracing::Level::INFO);
        quiet.with_writer(move || writer.clone()).try_init().expect("the only one");
        log
    })
}

#[test]
fn an_outage_is_logged_once_and_so_is_its_end() {
    let log = log();
    let devices = Devices::new();
    let script = "echo x >> times; [ $(wc -l < times) -gt 4 ] || { cat head frame; exit 1; }; good";
    let camera = start(&devices.script("only-once", script), devices.dir(), quick());
    let lines = || {
        let bytes = log.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let text = String::from_utf8(bytes).expect("no pixels");
        text.lines().filter(|line| line.contains("\"only-once\"")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert!(until(10 * SECOND, || lines().len() >= 2), "{:?} {:?}", lines(), camera.status());
    assert!(camera.status().starts >= 5);
    std::thread::sleep(SECOND / 5);
    let lines = lines();
    let [down, back] = &lines[..] else { panic!("{lines:?}") };
    assert!(down.contains("WARN") && down.contains("exit status: 1") && down.contains("by hand"), "{down}");
    assert!(back.contains("INFO") && back.contains("is back"), "{back}");
}

/// Runs `moongate camera` and reads its frames.
fn moongate(arguments: &[&str]) -> (std::process::Child, Y4mReader<std::process::ChildStdout>) {
    let mut command = Command::new(MOONGATE);
    command.arg("camera").args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("it is built");
    let output = child.stdout.take().expect("a pipe");
    (child, Y4mReader::new(output).expect("a header"))
}

fn clip(devices: &Devices) -> String {
    let mut clip = HEADER.replace("30:1", "25:1").into_bytes();
    for first in [10, 20, 30] {
        clip.extend(picture(64, 48, first));
    }
    devices.write("clip.y4m", &clip);
    devices.dir().join("clip.y4m").to_str().expect("a plain name").to_owned()
}

#[test]
fn a_clip_is_paced_and_looped_and_ends_when_nobody_reads() {
    let devices = Devices::new();
    let (mut child, mut reader) = moongate(&["--file", &clip(&devices)]);
    assert_eq!((reader.header().width, reader.header().height), (64, 48));
    let (mut y, mut times, mut firsts) = (Vec::new(), Vec::new(), Vec::new());
    let began = Instant::now();
    for _ in 0..11 {
        times.push(reader.read(&mut y).expect("a picture").expect("its time"));
        firsts.push(y[0]);
    }
    assert_eq!(firsts, [10, 20, 30, 10, 20, 30, 10, 20, 30, 10, 20]);
    assert!(began.elapsed() >= Duration::from_millis(390), "{:?}", began.elapsed());
    assert!(times[10] <= monotonic() && monotonic() - times[10] < SECOND / 2);
    let took = times[10] - times[0];
    assert!((Duration::from_millis(399)..SECOND).contains(&took), "{took:?}");
    drop(reader);
    assert!(until(2 * SECOND, || child.try_wait().expect("a child").is_some()), "it goes on without a reader");
    assert!(child.wait().expect("a child").success());
}

#[test]
fn a_clip_is_played_once_as_fast_as_it_goes_and_mirrored() {
    let devices = Devices::new();
    let (mut child, mut reader) = moongate(&["--file", &clip(&devices), "--once", "--fast", "--mirror"]);
    let mut y = Vec::new();
    for first in [10_u8, 20, 30] {
        reader.read(&mut y).expect("a picture");
        assert_eq!(y[63], first);
    }
    assert!(reader.read(&mut y).is_err());
    assert!(child.wait().expect("a child").success());
}

#[test]
fn another_clip_is_read_by_ffmpeg_if_there_is_one() {
    let devices = Devices::new();
    clip(&devices);
    devices.write("film.mp4", b"not for us");
    let film = devices.dir().join("film.mp4");
    let run = |path: &Path| {
        let mut command = Command::new(MOONGATE);
        command.args(["camera", "--once", "--fast", "--file"]).arg(&film).env("PATH", path);
        command.output().expect("it is built")
    };
    let without = run(&devices.dir().join("empty"));
    let said = String::from_utf8_lossy(&without.stderr).into_owned();
    assert!(!without.status.success() && said.contains("install ffmpeg, or convert it"), "{said}");
    // A fake ffmpeg that outputs the clip when it is asked for the film.
    let bin = devices.dir().join("bin");
    let shell = format!(
        "mkdir '{0}' && printf '#!/bin/sh\\ncase \"$*\" in *film.mp4*yuv4mpegpipe*) exec /bin/cat %s/clip.y4m;; esac\\n' \
         '{1}' > '{0}/ffmpeg' && chmod 755 '{0}/ffmpeg'",
        bin.display(),
        devices.dir().display()
    );
    assert!(Command::new("sh").args(["-c", &shell]).status().expect("a shell").success());
    let with = run(&bin);
    assert!(with.status.success(), "{}", String::from_utf8_lossy(&with.stderr));
    let mut reader = Y4mReader::new(&with.stdout[..]).expect("a header");
    let mut y = Vec::new();
    let pictures = std::iter::from_fn(|| reader.read(&mut y).ok().map(|_| y[0])).collect::<Vec<_>>();
    assert_eq!(pictures, [10, 20, 30]);
}

#[test]
fn what_cannot_be_played_is_told() {
    let devices = Devices::new();
    devices.write("empty.y4m", HEADER.as_bytes());
    for (name, said) in [("empty.y4m", "ended"), ("none.y4m", "name a clip")] {
        let run = Command::new(MOONGATE).args(["camera", "--file"]).arg(devices.dir().join(name)).output();
        let run = run.expect("it is built");
        let text = String::from_utf8_lossy(&run.stderr).into_owned();
        assert!(!run.status.success() && text.contains(said) && text.contains(name), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}

#[test]
fn cameras_are_listed_where_there_are_none_too() {
    let run = Command::new(MOONGATE).args(["camera", "--list"]).output().expect("it is built");
    assert!(run.status.success() && !run.stdout.is_empty(), "{run:?}");
    let run = Command::new(MOONGATE).args(["camera", "--device", "a camera that nobody has"]).output();
    let run = run.expect("it is built");
    let text = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(!run.status.success() && text.contains("there is no camera") && text.contains("--list"), "{text}");
}

#[test]
fn a_clip_and_the_street_are_cameras() {
    let devices = Devices::new();
    let commands = [
        (format!("'{MOONGATE}' camera --file '{}'", clip(&devices)), [64, 48]),
        (format!("'{MOONGATE}' camera --street --cast few --size 160x120 --rate 25 --seed 3"), [160, 120]),
    ];
    for (command, size) in commands {
        let mut camera = start(&camera("own", &command), devices.dir(), CameraTiming::default());
        for _ in 0..5 {
            let frame = camera.next_frame(20 * SECOND).expect("a picture");
            assert_eq!([frame.width, frame.height], size);
            let now = monotonic();
            assert!(frame.captured <= now && now - frame.captured < SECOND, "{command}: {frame:?} at {now:?}");
        }
        let began = Instant::now();
        drop(camera);
        assert!(began.elapsed() < SECOND, "{command}: {:?}", began.elapsed());
    }
    assert!(devices.left().is_empty(), "{:?}", devices.left());
}

#[test]
fn the_street_writes_its_truth_beside_it() {
    let devices = Devices::new();
    let truth = devices.dir().join("truth");
    let mut command = Command::new(MOONGATE);
    command
        .args(["camera", "--street", "--cast", "forty", "--size", "160x120", "--rate", "10", "--for", "2", "--fast"]);
    let run = command.arg("--truth").arg(&truth).output().expect("it is built");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let mut reader = Y4mReader::new(&run.stdout[..]).expect("a header");
    let mut y = Vec::new();
    let pictures = std::iter::from_fn(|| reader.read(&mut y).ok()).count();
    let mut masks = Y4mReader::new(std::fs::File::open(truth.join("masks.y4m")).expect("masks")).expect("a header");
    let masks = std::iter::from_fn(|| masks.read(&mut y).ok()).count();
    assert_eq!((pictures, masks), (20, 20));
    let boxes = std::fs::read_to_string(truth.join("boxes.txt")).expect("boxes");
    assert!(boxes.lines().count() > 20, "{boxes}");
}

#[test]
fn what_must_not_be_looked_at_is_black_before_anyone_sees_it() {
    let devices = Devices::new();
    let half = vec![[0.5, 0.0], [1.0, 0.0], [1.0, 1.0], [0.5, 1.0]];
    for mirror in [false, true] {
        let masked = config::CameraConfig { mask: vec![half.clone()], mirror, ..devices.script("masked", "good") };
        let mut camera = start(&masked, devices.dir(), CameraTiming::default());
        for _ in 0..3 {
            let frame = camera.next_frame(20 * SECOND).expect("a picture");
            for row in frame.y.chunks_exact(64) {
                assert!(row[32..].iter().all(|pixel| *pixel == 16), "the right half, as the picture is after `mirror`");
                assert!(row[..32].iter().any(|pixel| *pixel != 16));
            }
        }
    }
}
