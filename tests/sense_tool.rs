//! `moongate sense`: its output files for a clip, its evaluation, and no files for a live camera.

use moongate::device::camera::y4m::{ChromaFormat, FrameRate, Y4mReader, Y4mWriter};
use moongate::synth::{CrowdType, SynthCamera, SynthConfig, SynthFrame, TruthWriter, Weather};
use moongate::vision::{Luma, VisionPipeline};
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;
use tempfile::TempDir;

const MOONGATE: &str = env!("CARGO_BIN_EXE_moongate");
const SIZE: [usize; 2] = [320, 240];
const RATE: f64 = 10.0;
const FRAMES: u64 = 80;

/// A clip of a street with people, its ground truth in `truth`, and the boxes that the vision pipeline finds in it.
struct Clip {
    dir: TempDir,
    boxes: String,
}

impl Clip {
    fn file(&self) -> PathBuf {
        self.dir.path().join("street.y4m")
    }

    fn truth(&self) -> PathBuf {
        self.dir.path().join("truth")
    }
}

/// Creates the clip once for all tests. Its wall lights the square, so that the luminance of the screen matters.
fn clip() -> &'static Clip {
    static CLIP: OnceLock<Clip> = OnceLock::new();
    CLIP.get_or_init(|| {
        let dir = tempfile::tempdir().expect("a folder for a while");
        let (crowd, weather) = (CrowdType::Few, Weather::OwnLight);
        let mut street = SynthCamera::new(SynthConfig { size: SIZE, rate: RATE, seed: 5, crowd, weather, city: 0 });
        let file = BufWriter::new(File::create(dir.path().join("street.y4m")).expect("a file"));
        let mut writer =
            Y4mWriter::new(file, SIZE, FrameRate::new(RATE), ChromaFormat::Yuv420).expect("a header is written");
        let mut truth = TruthWriter::create(&dir.path().join("truth"), SIZE, RATE).expect("a folder");
        let (mut frame, mut sense, mut boxes) = (SynthFrame::default(), VisionPipeline::new(), String::new());
        for number in 0..FRAMES {
            let real = street.draw(number, &mut frame);
            truth.write(real, frame.screen_luminance).expect("it is written");
            // An implausible capture time: a clip may have been drawn faster than it plays.
            writer.write(Duration::from_millis(number), &[&frame.y, &frame.u, &frame.v]).expect("it is written");
            let luma = Luma::new(SIZE[0], SIZE[1], SIZE[0], &frame.y).expect("it fits");
            // Rounded as in the file beside the clip.
            let shown = format!("{:.4}", frame.screen_luminance).parse().expect("a number");
            let seen = sense.process(Duration::from_secs_f64(number as f64 * 0.1), &luma, shown);
            let [right, down] = seen.shift.map(|pixels| pixels as f32);
            for figure in &seen.people {
                let (at, size) = (figure.bounds.origin, figure.bounds.size);
                let (x, y, w, h) = (at.x, at.y, size.width, size.height);
                let (x, y) = (x + right, y + down);
                boxes.push_str(&format!("{},{},{x:.1},{y:.1},{w:.1},{h:.1}\n", number + 1, figure.id));
            }
        }
        truth.finish().expect("it is written");
        drop(writer);
        Clip { dir, boxes }
    })
}

/// Never opens a window, even where tests run on a display.
fn sense() -> Command {
    let mut command = Command::new(MOONGATE);
    command.arg("sense").env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY").stdin(Stdio::null());
    command
}

fn run(command: &mut Command) -> Output {
    let output = command.output().expect("it is built");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

fn refused(command: &mut Command) -> String {
    let output = command.output().expect("it is built");
    assert!(!output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stdout));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(said.lines().filter(|line| line.starts_with("moongate sense: ")).count(), 1, "{said}");
    said
}

fn json(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|why| panic!("{why}: {}", String::from_utf8_lossy(&output.stdout)))
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("a folder");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("plain")).collect();
    names.sort();
    names
}

#[test]
fn boxes_are_those_that_sense_gives_in_the_time_of_the_clip() {
    let (clip, out) = (clip(), tempfile::tempdir().expect("a folder"));
    assert!(clip.boxes.lines().count() > 50, "there is something to compare:\n{}", clip.boxes);
    let file = out.path().join("boxes.txt");
    let light = clip.truth().join("light.txt");
    run(sense().arg(clip.file()).arg("--light").arg(&light).arg("--boxes").arg(&file));
    assert_eq!(fs::read_to_string(&file).expect("written"), clip.boxes);
    // The same through a pipe and redirected from a file, and once more.
    let mut cat = Command::new("cat").arg(clip.file()).stdout(Stdio::piped()).spawn().expect("cat");
    let pipe = cat.stdout.take().expect("a pipe");
    run(sense().args(["-", "--light"]).arg(&light).arg("--boxes").arg(&file).stdin(pipe));
    cat.wait().expect("it ends");
    assert_eq!(fs::read_to_string(&file).expect("written"), clip.boxes);
    let led_in = File::open(clip.file()).expect("it is there");
    run(sense().args(["-", "--light"]).arg(&light).arg("--boxes").arg(&file).stdin(led_in));
    assert_eq!(fs::read_to_string(&file).expect("written"), clip.boxes);
}

#[test]
fn the_light_that_lies_beside_a_clip_counts() {
    let (clip, out) = (clip(), tempfile::tempdir().expect("a folder"));
    let (beside, file) = (out.path().join("a.y4m"), out.path().join("boxes.txt"));
    fs::copy(clip.file(), &beside).expect("a copy");
    run(sense().arg(&beside).arg("--boxes").arg(&file));
    let without = fs::read_to_string(&file).expect("written");
    assert_ne!(without, clip.boxes, "the wall's light must matter");
    fs::copy(clip.truth().join("light.txt"), out.path().join("light.txt")).expect("a copy");
    run(sense().arg(&beside).arg("--boxes").arg(&file));
    assert_eq!(fs::read_to_string(&file).expect("written"), clip.boxes);
    fs::write(out.path().join("light.txt"), "0.5\nbright\n").expect("written");
    let said = refused(sense().arg(&beside));
    assert!(said.contains("light.txt: line 2") && said.contains("--light"), "{said}");
}

#[test]
fn a_clip_is_summed_up_for_people_and_for_programs() {
    let clip = clip();
    let told = json(&run(sense().arg(clip.file()).arg("--json")));
    assert_eq!((told["frames"].as_u64(), told["rate"].as_f64()), (Some(FRAMES), Some(RATE)));
    assert_eq!(told["size"], serde_json::json!(SIZE));
    assert!(told["ids"].as_u64() >= Some(1) && told["ms_p99"].as_f64() >= told["ms_median"].as_f64(), "{told}");
    assert!(told.get("mota").is_none());
    let output = run(sense().arg(clip.file()).args(["--for", "3"]));
    let text = String::from_utf8_lossy(&output.stdout);
    let seconds: Vec<_> = text.lines().filter_map(|line| line.split_once("  ")).map(|(time, _)| time).collect();
    assert_eq!(seconds, ["00:00", "00:01", "00:02"], "{text}");
    assert!(text.contains("30 frames of 320×240, 10.00 a second"), "{text}");
}

#[test]
fn a_clip_is_judged_by_its_truth() {
    let (clip, out) = (clip(), tempfile::tempdir().expect("a folder"));
    let own = out.path().join("own.txt");
    fs::write(&own, &clip.boxes).expect("written");
    let light = clip.truth().join("light.txt");
    let told = json(&run(sense().arg(clip.file()).arg("--light").arg(&light).arg("--truth").arg(&own).arg("--json")));
    let figures = ["mota", "idf1", "recall", "precision"].map(|name| told[name].as_f64());
    assert_eq!(figures, [Some(1.0); 4], "against itself: {told}");
    assert_eq!(told["truth"].as_u64(), Some(clip.boxes.lines().count() as u64));
    assert_eq!((&told["outline_iou"], &told["jitter"]), (&serde_json::Value::Null, &serde_json::Value::Null));
    // Compared with the street's own ground truth: with masks, with its luminance, without the first seconds.
    let told = json(&run(sense().arg(clip.file()).arg("--truth").arg(clip.truth()).args(["--lead", "3", "--json"])));
    assert!(told["truth"].as_u64() > Some(0) && told["outline_iou"].as_f64() > Some(0.3), "{told}");
    let all = json(&run(sense().arg(clip.file()).arg("--truth").arg(clip.truth()).arg("--json")));
    assert!(all["truth"].as_u64() > told["truth"].as_u64(), "{all}");
    let output = run(sense().arg(clip.file()).arg("--truth").arg(clip.truth()));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("MOTA   IDF1") && text.contains("where nobody is"), "{text}");
}

#[test]
fn truth_that_is_none_is_told() {
    let (clip, out) = (clip(), tempfile::tempdir().expect("a folder"));
    let truth = out.path().join("truth.txt");
    fs::write(&truth, "1,1,2,3,4,5\n1,2,x,3,4,5\n").expect("written");
    let said = refused(sense().arg(clip.file()).arg("--truth").arg(&truth));
    assert!(said.contains("truth.txt: line 2: field 3 is no number"), "{said}");
    let said = refused(sense().arg(clip.file()).arg("--truth").arg(out.path()));
    assert!(said.contains("boxes.txt") && said.contains("name a folder"), "{said}");
    fs::write(out.path().join("boxes.txt"), "1,1,2,3,4,5\n").expect("written");
    fs::write(out.path().join("masks.y4m"), "YUV4MPEG2 W64 H48 F10:1 Cmono\n").expect("written");
    let said = refused(sense().arg(clip.file()).arg("--truth").arg(out.path()));
    assert!(said.contains("masks of 64 by 48 for a clip of 320 by 240"), "{said}");
}

#[test]
fn an_overlay_is_the_clip_with_colours() {
    let (clip, out) = (clip(), tempfile::tempdir().expect("a folder"));
    let (overlay, pictures) = (out.path().join("overlay.y4m"), out.path().join("pictures"));
    run(sense()
        .arg(clip.file())
        .arg("--overlay")
        .arg(&overlay)
        .arg("--pictures")
        .arg(&pictures)
        .args(["--every", "30"]));
    let read = |file: &Path| {
        let mut reader = Y4mReader::new(File::open(file).expect("it is there")).expect("a header");
        let header = *reader.header();
        let frames = std::iter::from_fn(|| {
            let mut y = Vec::new();
            reader.read(&mut y).ok().map(|_| y)
        });
        (header, frames.collect::<Vec<_>>())
    };
    let ((header, drawn), (of_clip, plain)) = (read(&overlay), read(&clip.file()));
    assert_eq!((header.width, header.height, header.rate), (of_clip.width, of_clip.height, of_clip.rate));
    assert_eq!((drawn.len(), plain.len()), (FRAMES as usize, FRAMES as usize));
    for (at, (drawn, plain)) in drawn.iter().zip(&plain).enumerate() {
        let changed = drawn.iter().zip(plain).filter(|(a, b)| a != b).count();
        // Pixels without annotations are unchanged; the milliseconds are always drawn.
        assert!((50..drawn.len() / 2).contains(&changed), "{changed} pixels of frame {at}");
    }
    let ending = if cfg!(feature = "show") { "png" } else { "ppm" };
    assert_eq!(names(&pictures), ["000001", "000031", "000061"].map(|name| format!("{name}.{ending}")));
    let first = fs::read(pictures.join(format!("000001.{ending}"))).expect("written");
    let start: &[u8] = if cfg!(feature = "show") { b"\x89PNG" } else { b"P6 320 240 255\n" };
    assert!(first.starts_with(start) && first.len() > 10_000);
}

#[test]
fn of_a_live_camera_nothing_is_ever_written() {
    let out = tempfile::tempdir().expect("a folder");
    let site = "api = 1\ncity = \"dublin\"\ninstallation = \".\"\nlisten = \"[::]:4433\"\n\
                [[camera]]\nname = \"door\"\ncommand = \"moongate camera --street\"\n";
    fs::create_dir(out.path().join("site")).expect("a folder");
    fs::write(out.path().join("site/site.toml"), site).expect("written");
    for camera in [["--command", "moongate camera --street"], ["--site", "site"]] {
        for file in [["--overlay", "o.y4m"], ["--pictures", "p"], ["--boxes", "b.txt"]] {
            let said = refused(sense().args(camera).args(file).current_dir(&out));
            assert!(
                said.contains(file[0]) && said.contains("live camera") && said.contains("moongate record"),
                "{said}"
            );
        }
    }
    // A pipe may be a live camera.
    for file in [["--overlay", "o.y4m"], ["--pictures", "p"]] {
        let mut camera = Command::new(MOONGATE);
        camera.args(["camera", "--street", "--size", "64x48", "--for", "1", "--fast"]).stdout(Stdio::piped());
        let mut camera = camera.spawn().expect("it is built");
        let said = refused(sense().arg("-").args(file).current_dir(&out).stdin(camera.stdout.take().expect("a pipe")));
        assert!(said.contains("a pipe may be a live camera") && said.contains("< CLIP"), "{said}");
        camera.wait().expect("it ends");
    }
    // A device that is not a regular file may be one as well.
    let said = refused(sense().args(["/dev/zero", "--overlay", "o.y4m"]).current_dir(&out));
    assert!(said.contains("is no file"), "{said}");
    // Viewing a live camera leaves no files either.
    let told = json(&run(sense().args(["--site", "site", "--for", "1", "--json"]).current_dir(&out)));
    assert!(told["frames"].as_u64() >= Some(5) && told["size"] == serde_json::json!([640, 480]), "{told}");
    assert_eq!(names(out.path()), ["site"]);
    assert_eq!(names(&out.path().join("site")), ["site.toml"]);
}

#[test]
fn a_camera_that_shows_nothing_is_told() {
    let said = refused(sense().args(["--command", "sh -c 'echo away >&2; exit 3'", "--for", "0"]));
    assert!(said.contains("said \"away\"") && said.contains("; "), "{said}");
}

#[test]
fn a_clip_stands_in_for_a_camera_of_a_site() {
    let (clip, out) = (clip(), tempfile::tempdir().expect("a folder"));
    let write = |cameras: &str| {
        let site = "api = 1\ncity = \"dublin\"\ninstallation = \".\"\nlisten = \"[::]:4433\"\n";
        fs::write(out.path().join("site.toml"), format!("{site}{cameras}")).expect("written");
    };
    let camera = |name: &str, rest: &str| format!("[[camera]]\nname = \"{name}\"\ncommand = \"x\"\n{rest}\n");
    let with = |rest: &[&str]| {
        let file = out.path().join("boxes.txt");
        run(sense().arg(clip.file()).arg("--site").arg(out.path()).args(rest).arg("--boxes").arg(&file));
        fs::read_to_string(&file).expect("written")
    };
    // Nobody is seen in a frame that is masked completely.
    let all = "mask = [[[0, 0], [1, 0], [1, 1], [0, 1]]]";
    write(&(camera("door", all) + &camera("yard", "mirror = true")));
    assert_eq!(with(&["--camera", "door"]), "");
    let mirrored = with(&["--camera", "yard"]);
    assert!(mirrored.lines().count() > 20 && mirrored != clip.boxes, "{mirrored}");
    let said = refused(sense().arg(clip.file()).arg("--site").arg(out.path()));
    assert!(said.contains("door, yard") && said.contains("--camera"), "{said}");
    let said = refused(sense().arg(clip.file()).arg("--site").arg(out.path()).args(["--camera", "roof"]));
    assert!(said.contains("no camera \"roof\", but door, yard"), "{said}");
    write("");
    let said = refused(sense().arg("--site").arg(out.path()));
    assert!(said.contains("add one"), "{said}");
}

#[test]
fn what_is_no_clip_is_told() {
    let out = tempfile::tempdir().expect("a folder");
    let small = out.path().join("small.y4m");
    fs::write(&small, b"YUV4MPEG2 W16 H16 F10:1 Cmono\nFRAME\n".iter().copied().chain([0; 256]).collect::<Vec<_>>())
        .expect("written");
    let said = refused(sense().arg(&small));
    assert!(said.contains("pictures of 16 by 16") && said.contains("32 to 8192"), "{said}");
    assert!(refused(sense().arg(out.path().join("none.y4m"))).contains("name a clip"));
    assert!(refused(sense().arg("-")).contains("standard input"));
    // The clip itself is not overwritten.
    let said = refused(sense().arg(&small).arg("--boxes").arg(&small));
    assert!(said.contains("is the clip itself"), "{said}");
    assert!(fs::metadata(&small).is_ok_and(|file| file.len() > 256));
}

#[test]
fn ffmpeg_is_asked_for_each_picture_once() {
    let (clip, out) = (clip(), tempfile::tempdir().expect("a folder"));
    fs::write(out.path().join("film.mp4"), "no pictures").expect("written");
    let bin = out.path().join("bin");
    // Another process creates the file, so that this process has no file open for writing when it is run.
    let shell = format!(
        "mkdir '{0}' && printf '#!/bin/sh\\ncase \"$*\" in *film.mp4*passthrough*yuv4mpegpipe*) exec /bin/cat %s;; esac\\n' \
         '{1}' > '{0}/ffmpeg' && chmod 755 '{0}/ffmpeg'",
        bin.display(),
        clip.file().display()
    );
    assert!(Command::new("sh").args(["-c", &shell]).status().expect("a shell").success());
    let told = json(&run(sense().arg(out.path().join("film.mp4")).arg("--json").env("PATH", &bin)));
    assert_eq!(told["frames"].as_u64(), Some(FRAMES));
}
