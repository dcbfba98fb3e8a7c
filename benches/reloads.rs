//! A scene that is saved 10,000 times: script, shader, image and sound change each time.
//!
//! `./x bench reloads [COUNT]`: each revision is read, offered to a scene process and drawn, and its sounds are
//! loaded, as in a show. Fails if memory, threads or open files have grown between the first twentieth and the end.

use moongate::config::city_by_slug;
use moongate::device::audio::Audio;
use moongate::device::decode::Decoder;
use moongate::device::scene_process::{SandboxCommand, SceneProcess};
use moongate::render::{OffscreenRenderer, PresenceMap};
use moongate::scene::{CityInfo, EngineUniforms, FrameInput, SiteContext};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

type Failure = Box<dyn std::error::Error>;

const COUNT: usize = 10_000;
/// Growth of memory in MiB that is noise: allocators keep memory for reuse.
const MIB: f64 = 12.0;

fn main() -> ExitCode {
    let count = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(COUNT).max(100);
    match reload(count) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("FAILED: it has grown");
            ExitCode::FAILURE
        }
        Err(why) => {
            eprintln!("FAILED: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Resources that could grow: memory in MiB, threads, open files, children.
#[derive(Debug, Clone, Copy)]
struct Held {
    mib: f64,
    threads: usize,
    files: usize,
    children: usize,
}

impl Held {
    fn now() -> Result<Self, Failure> {
        let status = std::fs::read_to_string("/proc/self/status")?;
        let number = |key: &str| -> Option<usize> {
            status.lines().find(|line| line.starts_with(key))?.split_whitespace().nth(1)?.parse().ok()
        };
        // Each thread has its own list of children.
        let children: usize = std::fs::read_dir("/proc/self/task")?
            .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("children")).ok())
            .map(|children| children.split_whitespace().count())
            .sum();
        Ok(Self {
            mib: number("VmRSS:").ok_or("no memory is told")? as f64 / 1024.0,
            threads: number("Threads:").ok_or("no threads are told")?,
            files: std::fs::read_dir("/proc/self/fd")?.count(),
            children,
        })
    }
}

/// Saves another revision each time.
fn save(dir: &Path, number: usize) -> Result<(), Failure> {
    let script = format!(
        "import {{ draw, gradient, particles, sound }} from \"moongate\";
export const keep = {{ saved: 0, marks: [] }};
const snow = particles({{ life: 2, most: 50 }}), stars = [{{ x: {r} }}];
export function start() {{ keep.saved++; sound.play(\"bell.wav\"); }}
export function frame() {{
  draw.background(gradient.linear(0, 0, 320, 0, [\"rgb({r} 0 0)\", \"navy\"]));
  draw.shader(\"night.wgsl\");
  draw.image(\"moon.png\", 10, 10);
  draw.trail(\"glow\", {{ fade: 1 }}, () => draw.circle({r}, 90, 20));
  draw.kept(\"stars\", stars, ({{ x }}) => draw.circle(x, 20, 3));
  snow.emit({{ x: 160, y: 0 }}, {{ count: 3 }});
  draw.particles(snow);
  draw.text(`edition {number}, ${{keep.saved}}`, 20, 160);
}}",
        r = number % 255
    );
    std::fs::write(dir.join("scene.js"), script)?;
    let shader = format!(
        "fn buffer_a(at: vec2f) -> vec4f {{ return 0.9 * read_a(at) + vec4f(0.01); }}
fn paint(at: vec2f) -> vec4f {{ return vec4f(at / {}.0, read_a(at).r, 0.5); }}",
        number + 1
    );
    std::fs::write(dir.join("night.wgsl"), shader)?;
    let side = 64 + (number % 7) as u32;
    let pixel = image::Rgba([(number % 256) as u8, (number / 256 % 256) as u8, 90, 255]);
    image::RgbaImage::from_pixel(side, side, pixel).save(dir.join("moon.png"))?;
    let samples = 800 + number % 50;
    let mut wav = Vec::new();
    wav.extend(b"RIFF");
    wav.extend((36 + samples as u32 * 2).to_le_bytes());
    wav.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data");
    wav.extend((samples as u32 * 2).to_le_bytes());
    wav.extend(std::iter::repeat_n(0_u8, samples * 2));
    std::fs::write(dir.join("bell.wav"), wav)?;
    Ok(())
}

fn reload(count: usize) -> Result<bool, Failure> {
    let dir = tempfile::tempdir()?;
    let manifest = "api = 1\nid = \"saved\"\ncanvas = [320, 180]\n[kit]\n\
                    arrival = false\nmeeting = false\nsky = false\ntouch = false\n";
    std::fs::write(dir.path().join("installation.toml"), manifest)?;
    let card = |slug| city_by_slug(slug).map(CityInfo::from_city).ok_or("no such city");
    let setting = SiteContext {
        here: card("shenzhen")?,
        there: card("dublin")?,
        side: 0,
        seed: 1,
        metres: None,
        mark_seed: None,
    };
    let command = SandboxCommand { program: env!("CARGO_BIN_EXE_moongate").into(), arguments: vec!["scene".into()] };
    let mut decoder = Decoder::new(command.decoder());
    let process = SceneProcess::start(command, setting)?;
    let audio = Audio::start();
    let mut studio = OffscreenRenderer::new([320.0, 180.0], [160, 90])?;
    let (watched, uniforms) =
        (PresenceMap::default(), Arc::new(EngineUniforms { now: 1.0, ..EngineUniforms::default() }));
    let (began, mut frame, mut early, mut last) = (Instant::now(), 0, None, 0);
    println!("{:>8} {:>10} {:>8} {:>8} {:>10}", "saved", "MiB", "threads", "files", "processes");
    for number in 0..count {
        save(dir.path(), number)?;
        let edition = Arc::new(decoder.read(dir.path())?);
        audio.load(&edition.sounds);
        process.load(edition.clone());
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            if Instant::now() > until {
                return Err(format!("edition {number} is not shown: {:?}", process.status()).into());
            }
            if process.is_ready() {
                frame += 1;
                let json =
                    serde_json::to_string(&FrameInput { number: frame, now: frame as f64, ..FrameInput::default() })?;
                if process.request_frame(frame, 0, json, process.has_pending()) {
                    process.wait_answered(frame, Duration::from_millis(20));
                }
            }
            let (Some((picture, of)), _) = process.take_output() else {
                std::thread::sleep(Duration::from_millis(1));
                continue;
            };
            if Arc::ptr_eq(&of, &edition) {
                studio.render(&picture, Some(&of), [&watched; 2], &uniforms)?;
                break;
            }
        }
        if number + 1 == count / 20 || (number + 1) % (count / 10) == 0 {
            let held = Held::now()?;
            println!(
                "{:>8} {:>10.1} {:>8} {:>8} {:>10}",
                number + 1,
                held.mib,
                held.threads,
                held.files,
                held.children
            );
            early = early.or(Some(held));
            last = number + 1;
        }
    }
    let (early, late) = (early.ok_or("too few")?, Held::now()?);
    println!(
        "{last} editions in {:.0} s, {:.0} ms each",
        began.elapsed().as_secs_f64(),
        began.elapsed().as_secs_f64() * 1e3 / last as f64
    );
    if process.status().faults > 0 || !studio.faults().is_empty() {
        return Err(format!("{:?} {:?}", process.status(), studio.faults()).into());
    }
    // One more process may be about to exit.
    let alike = |a: usize, b: usize, more: usize| b <= a + more;
    Ok(late.mib <= early.mib + MIB
        && alike(early.threads, late.threads, 2)
        && alike(early.files, late.files, 4)
        && alike(early.children, late.children, 1))
}
