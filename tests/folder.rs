//! Malicious or careless scene folders: the files read from them, and the cost of reading.

mod common;
mod flac;

use flac::flac;
use moongate::device::decode::Decoder;
use moongate::device::scene_process::SandboxCommand;
use moongate::scene::{SOUND_BYTES_MAX, SceneDiagnostic, SceneRevision};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::time::Duration;
use tempfile::TempDir;

const SCRIPT: &str = "export function frame() {}";
/// Longest wait for a read. An endless or blocking file must not hold it up longer than this.
const PATIENCE: Duration = Duration::from_secs(30);

/// A scene's folder, with files beside it that the scene must not reach.
struct Beside {
    all: TempDir,
    scene: PathBuf,
}

impl Beside {
    fn new() -> Self {
        let all = tempfile::tempdir().expect("a folder for a while");
        let scene = all.path().join("scene");
        std::fs::create_dir_all(scene.join("art")).expect("made");
        std::fs::write(scene.join("installation.toml"), "api = 1\nid = \"test\"\ncanvas = [64, 64]\n")
            .expect("written");
        std::fs::write(scene.join("scene.js"), SCRIPT).expect("written");
        image::RgbaImage::from_pixel(2, 2, image::Rgba([200, 100, 50, 128]))
            .save(all.path().join("private.png"))
            .expect("written");
        std::fs::write(all.path().join("private.txt"), "root:x:0:0").expect("written");
        Self { all, scene }
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.scene.join(name), bytes).expect("written");
    }

    /// Puts a link in place of a file.
    fn link(&self, to: impl AsRef<Path>, name: &str) {
        let _ = std::fs::remove_file(self.scene.join(name));
        symlink(to, self.scene.join(name)).expect("linked");
    }

    fn pipe(&self, name: &str) {
        let made = std::process::Command::new("mkfifo").arg(self.scene.join(name)).status().expect("coreutils");
        assert!(made.success());
    }

    /// Reads the folder, and fails if the result takes too long.
    fn read(&self) -> Result<SceneRevision, SceneDiagnostic> {
        let (tell, told) = channel();
        let dir = self.scene.clone();
        let read = move || {
            // The test may have given up by then.
            let _ = tell.send(common::read(&dir));
        };
        std::thread::Builder::new().name("reader".into()).spawn(read).expect("a thread");
        told.recv_timeout(PATIENCE).expect("it is read, or refused, within a while")
    }

    fn refused(&self) -> SceneDiagnostic {
        self.read().expect_err("it is refused")
    }
}

fn script(text: &str) -> SandboxCommand {
    let arguments = vec!["-c".into(), text.into(), env!("CARGO_BIN_EXE_moongate").into()];
    SandboxCommand { program: "/bin/sh".into(), arguments }
}

#[test]
fn links_within_the_folder_work() {
    let beside = Beside::new();
    std::fs::copy(beside.all.path().join("private.png"), beside.scene.join("art/moon.png")).expect("copied");
    beside.link("art/moon.png", "moon.png");
    std::fs::rename(beside.scene.join("scene.js"), beside.scene.join("art/code.js")).expect("moved");
    beside.link("art/code.js", "scene.js");
    let edition = beside.read().unwrap_or_else(|fault| panic!("{fault}"));
    assert_eq!((edition.script.as_str(), edition.images[0].size), (SCRIPT, [2, 2]));
    assert_eq!(edition.images[0].pixels[..4], [100, 50, 25, 128]);
}

#[test]
fn links_that_leave_the_folder_are_refused_by_name() {
    for (name, to) in [
        ("moon.png", "../private.png"),
        ("scene.js", "../private.txt"),
        ("night.wgsl", "../private.txt"),
        ("night.wgsl", "/dev/zero"),
        ("night.wgsl", "/proc/self/environ"),
        ("moon.png", "/dev/zero"),
        // This path leads to an open file of this process, whatever file that is.
        ("night.wgsl", "/proc/self/fd/0"),
    ] {
        let beside = Beside::new();
        beside.link(to, name);
        let fault = beside.refused();
        let told = fault.to_string();
        assert!(told.contains(name) && told.contains("leads out of the folder"), "{name} to {to}: {told}");
        assert!(!told.contains("root:") && fault.remedy.contains("copy the file"), "{name} to {to}: {told}");
    }
    let beside = Beside::new();
    beside.link("../private.txt", "installation.toml");
    let told = beside.refused().to_string();
    assert!(told.contains("installation.toml") && told.contains("leads out of the folder"), "{told}");
    assert!(!told.contains("root:"), "{told}");
    // A refused sound is silent, and the scene continues.
    let beside = Beside::new();
    beside.link("/dev/zero", "bell.wav");
    let edition = beside.read().unwrap_or_else(|fault| panic!("{fault}"));
    let fault = edition.sounds[0].audio.as_ref().expect_err("it is refused");
    assert!(fault.file == "bell.wav" && fault.problem.contains("leads out of the folder"), "{fault}");
}

#[test]
fn pipes_and_folders_are_not_waited_for() {
    for name in ["night.wgsl", "moon.png"] {
        let beside = Beside::new();
        beside.pipe(name);
        let fault = beside.refused();
        assert!(fault.file == name && fault.problem.contains("is a pipe"), "{fault}");
    }
    let beside = Beside::new();
    std::fs::create_dir(beside.scene.join("moon.png")).expect("made");
    assert!(beside.refused().problem.contains("is a folder"), "{}", beside.refused());
    let beside = Beside::new();
    beside.pipe("bell.wav");
    let edition = beside.read().unwrap_or_else(|fault| panic!("{fault}"));
    assert!(edition.sounds[0].audio.as_ref().is_err_and(|fault| fault.problem.contains("is a pipe")));
}

#[test]
fn a_text_that_is_too_long_is_read_no_further() {
    let beside = Beside::new();
    let file = std::fs::File::create(beside.scene.join("night.wgsl")).expect("made");
    // A sparse file of 1 TiB.
    file.set_len(1 << 40).expect("a file system that knows holes");
    let fault = beside.refused();
    assert!(fault.file == "night.wgsl" && fault.problem.contains("longer than 1 MiB"), "{fault}");
}

#[test]
fn a_mark_of_byte_order_is_not_a_part_of_a_text() {
    let beside = Beside::new();
    let manifest = std::fs::read(beside.scene.join("installation.toml")).expect("it is there");
    beside.write("installation.toml", [b"\xef\xbb\xbf", &manifest[..]].concat());
    beside.write("scene.js", [b"\xef\xbb\xbf", SCRIPT.as_bytes()].concat());
    let edition = beside.read().unwrap_or_else(|fault| panic!("{fault}"));
    assert_eq!(edition.script, SCRIPT);
}

/// Six kilobytes that decode to 92 MB.
#[test]
fn a_sound_has_a_bound() {
    let beside = Beside::new();
    let bomb = flac(192_000, 2, 176, 0);
    assert!(bomb.len() < 14_000, "{} bytes", bomb.len());
    beside.write("bomb.flac", &bomb);
    beside.write("quiet.flac", flac(48_000, 1, 2, 1_000));
    let edition = beside.read().unwrap_or_else(|fault| panic!("{fault}"));
    let fault = edition.sounds[0].audio.as_ref().expect_err("it is refused");
    let told = fault.to_string();
    assert!(told.contains("bomb.flac") && told.contains("64 MiB") && fault.remedy.contains("shorter"), "{told}");
    // The other sound is still heard.
    let quiet = edition.sounds[1].audio.as_ref().unwrap_or_else(|fault| panic!("{fault}"));
    assert_eq!((quiet.rate, quiet.frames.len()), (48_000, 2 * flac::BLOCK));
    assert!((quiet.frames[9][0] - 1_000.0 / 32_768.0).abs() < 1e-6 && quiet.frames[9][0] == quiet.frames[9][1]);
}

#[test]
fn sounds_have_a_bound_together() {
    let beside = Beside::new();
    for number in 0..40 {
        beside.write(&format!("{number:02}.flac"), flac(96_000, 2, 20, number));
    }
    let edition = beside.read().unwrap_or_else(|fault| panic!("{fault}"));
    assert_eq!(edition.sounds.len(), 40);
    let heard: Vec<usize> =
        edition.sounds.iter().filter_map(|sound| Some(sound.audio.as_ref().ok()?.bytes())).collect();
    assert!(heard.len() == 6 && heard.iter().sum::<usize>() <= SOUND_BYTES_MAX, "{heard:?}");
    let fault = edition.sounds[39].audio.as_ref().expect_err("there is no room");
    assert!(fault.file == "39.flac" && fault.problem.contains("all sounds"), "{fault}");
}

#[test]
fn what_is_not_a_sound_that_can_be_played_is_named_with_a_remedy() {
    let beside = Beside::new();
    let wav = |rate: u32, channels: u16| {
        let frames = 64_u32;
        let bytes = frames * u32::from(channels) * 2;
        let mut wav = b"RIFF".to_vec();
        wav.extend((36 + bytes).to_le_bytes());
        wav.extend(b"WAVEfmt \x10\0\0\0\x01\0");
        wav.extend(channels.to_le_bytes());
        wav.extend(rate.to_le_bytes());
        wav.extend((rate * u32::from(channels) * 2).to_le_bytes());
        wav.extend((channels * 2).to_le_bytes());
        wav.extend(b"\x10\0data");
        wav.extend(bytes.to_le_bytes());
        wav.resize(wav.len() + bytes as usize, 0);
        wav
    };
    beside.write("a-slow.wav", wav(100, 1));
    beside.write("b-fast.wav", wav(768_000, 1));
    beside.write("c-wide.wav", wav(48_000, 12));
    beside.write("d-none.wav", "only its name matters here");
    beside.write("e-cut.flac", &flac(48_000, 2, 2, 0)[..50]);
    let long = std::fs::File::create(beside.scene.join("f-long.wav")).expect("made");
    long.set_len((16 << 20) + 1).expect("a file system that knows holes");
    beside.write("g-good.wav", wav(48_000, 2));
    let edition = beside.read().unwrap_or_else(|fault| panic!("{fault}"));
    for (sound, told) in edition.sounds.iter().zip(["100 frames", "768000 frames", "", "", "", "longer than 16 MiB"]) {
        let fault = sound.audio.as_ref().expect_err(&sound.name);
        assert!(fault.problem.contains(told) && !fault.remedy.is_empty() && fault.file == sound.name, "{fault}");
    }
    let good = edition.sounds[6].audio.as_ref().unwrap_or_else(|fault| panic!("{fault}"));
    assert_eq!((good.rate, good.frames.len()), (48_000, 64));
}

/// Reads two sounds with a decoder that misbehaves as given when it is first started.
fn first(does: &str) -> [Result<(), SceneDiagnostic>; 2] {
    let beside = Beside::new();
    beside.write("a.flac", flac(48_000, 1, 1, 1));
    beside.write("b.flac", flac(48_000, 1, 1, 2));
    let flag = beside.all.path().join("flag");
    let text = format!("if [ -e {0} ]; then exec \"$0\" decode; fi; : > {0}; {does}", flag.display());
    let mut decoder = Decoder::new(script(&text)).with_limits(Duration::from_secs(10), Duration::from_secs(2));
    let edition = decoder.read(&beside.scene).unwrap_or_else(|fault| panic!("{fault}"));
    [0, 1].map(|index| edition.sounds[index].audio.clone().map(drop))
}

#[test]
fn a_decoder_that_fails_costs_one_file() {
    // `hello` reports a complete sandbox. The answers are garbage, an image beyond the largest size, an endless sound,
    // and an image in place of a sound.
    let hello = "printf '\\001\\000\\000\\000\\000'";
    let lies = [
        "printf '\\377\\377\\377\\377'".to_owned(),
        format!("{hello}; printf '\\007\\000\\000\\000\\000\\340\\324\\003\\340\\324\\003'; sleep 9"),
        format!("{hello}; printf '\\007\\000\\000\\000\\001\\200\\367\\002\\377\\377\\377\\017'; sleep 9"),
        format!("{hello}; printf '\\003\\000\\000\\000\\000\\001\\001\\377\\377\\377\\377'; sleep 9"),
    ];
    let lies = lies.iter().map(|lie| (lie.as_str(), "cannot be"));
    let others =
        [("exit 1", "ends the process"), ("kill -9 $$", "ends the process"), ("exec sleep 100", "not decoded after")];
    for (does, told) in others.into_iter().chain(lies) {
        let [failed, heard] = first(does);
        let fault = failed.expect_err(does);
        assert!(fault.file == "a.flac" && fault.problem.contains(told) && !fault.remedy.is_empty(), "{does}: {fault}");
        heard.unwrap_or_else(|fault| panic!("{does}: {fault}"));
    }
}

#[test]
fn a_decoder_is_started_only_for_what_is_new() {
    let beside = Beside::new();
    beside.write("bell.flac", flac(48_000, 1, 1, 1));
    beside.write("broken.wav", "nothing");
    std::fs::copy(beside.all.path().join("private.png"), beside.scene.join("moon.png")).expect("copied");
    let starts = beside.all.path().join("starts");
    let mut decoder = Decoder::new(script(&format!("echo >> {}; exec \"$0\" decode", starts.display())));
    let started = || std::fs::read_to_string(&starts).map_or(0, |text| text.len());
    let mut read = || decoder.read(&beside.scene).unwrap_or_else(|fault| panic!("{fault}"));
    let first = read();
    assert_eq!(started(), 1);
    beside.write("scene.js", "export function frame() { /* another */ }");
    let second = read();
    assert_eq!(started(), 1, "nothing but the script is another");
    assert_eq!((&second.sounds, &second.images), (&first.sounds, &first.images));
    // Rewritten with the same content, and also under another name.
    beside.write("bell.flac", flac(48_000, 1, 1, 1));
    beside.write("chime.flac", flac(48_000, 1, 1, 1));
    let third = read();
    assert_eq!(started(), 1, "what is in the files is the same");
    assert_eq!(third.sounds[0].audio, third.sounds[2].audio);
    beside.write("bell.flac", flac(48_000, 1, 1, 2));
    let fourth = read();
    assert_eq!(started(), 2);
    assert_ne!(fourth.sounds[0].audio, first.sounds[0].audio);
    assert!(fourth.sounds[1].audio.is_err());
}
