//! Checks that a busy machine changes nothing in previews and checks.
//!
//! `./x bench busy [COUNT]` previews COUNT scenes, a plain colour first, and checks that first one. It does so on the
//! machine as it is, then beside 8 processes that never rest. Fails if an image or a verdict differs.

use image::RgbImage;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

type Failure = Box<dyn std::error::Error>;

const COUNT: usize = 20;
const LOAD: usize = 8;
/// Two images differ if more than this share of their pixels differs by more than this much in one channel.
const DIFFERENT: (f64, u8) = (0.001, 8);

fn main() -> ExitCode {
    let count = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(COUNT).max(1);
    match bench(count) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("FAILED: a busy machine has changed something");
            ExitCode::FAILURE
        }
        Err(why) => {
            eprintln!("FAILED: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Processes that keep the processor busy until they are dropped.
struct Load(Vec<Child>);

impl Load {
    fn start() -> Result<Self, Failure> {
        let spin = || Command::new("sh").args(["-c", "while :; do :; done"]).spawn();
        let mut load = Self(Vec::new());
        for _ in 0..LOAD {
            load.0.push(spin()?);
        }
        Ok(load)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // The child process ends at once; if it does not, there is nobody to report to.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Image and verdict of one scene.
struct Seen {
    picture: Option<RgbImage>,
    said: String,
    took: Duration,
}

fn moongate(arguments: &[&str]) -> Result<(String, Duration), Failure> {
    let began = Instant::now();
    let mut command = Command::new(env!("CARGO_BIN_EXE_moongate"));
    let output = command.args(arguments).stdin(Stdio::null()).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    Ok((format!("{}\n{text}", output.status), began.elapsed()))
}

fn text(path: &Path) -> Result<&str, Failure> {
    Ok(path.to_str().ok_or("a path is not UTF-8")?)
}

fn preview(scene: &Path) -> Result<Seen, Failure> {
    let out = tempfile::tempdir()?;
    let pictures = text(out.path())?;
    let asked = ["preview", text(scene)?, "--at", "1.5s", "--width", "320", "--pictures", pictures];
    let (said, took) = moongate(&asked)?;
    let picture = image::open(out.path().join("meeting-1.5s.png")).ok().map(image::DynamicImage::into_rgb8);
    Ok(Seen { picture, said: said.replace(pictures, ""), took })
}

/// Runs a check and drops its figures: the number of situations played, and what was refused and advised, remain.
fn check(scene: &Path) -> Result<Seen, Failure> {
    let (said, took) = moongate(&["check", text(scene)?, "--frames", "130"])?;
    let verdict = |line: &&str| line.starts_with(['✓', '✗', '·']) || line.contains("exit status");
    let said = said.lines().filter(verdict).collect::<Vec<_>>().join("\n");
    Ok(Seen { picture: None, said, took })
}

/// Returns at most `count` scenes: one with a shader of one colour, then those shipped with the engine.
fn scenes(plain: &Path, count: usize) -> Result<Vec<PathBuf>, Failure> {
    let manifest =
        "api = 1\nid = \"plain\"\ntitle = \"Plain\"\nauthor = \"us\"\nlicence = \"MIT\"\ncanvas = [1920, 1080]\n";
    std::fs::write(plain.join("installation.toml"), manifest)?;
    let script = "import { draw } from \"moongate\";\nexport function frame() { draw.shader(\"plain.wgsl\"); }\n";
    std::fs::write(plain.join("scene.js"), script)?;
    let shader = "fn paint(at: vec2f) -> vec4f { return vec4f(0.1, 0.4, 0.7, 1.0); }\n";
    std::fs::write(plain.join("plain.wgsl"), shader)?;
    let mut scenes = Vec::new();
    for folder in ["installations", "docs/artists/examples"] {
        for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder))? {
            let path = entry?.path();
            if path.join("installation.toml").exists() {
                scenes.push(path);
            }
        }
    }
    scenes.sort();
    scenes.insert(0, plain.to_owned());
    scenes.truncate(count);
    Ok(scenes)
}

fn look(scenes: &[PathBuf], what: &str) -> Result<Vec<Seen>, Failure> {
    let began = Instant::now();
    let mut all = vec![check(&scenes[0])?];
    for scene in scenes {
        all.push(preview(scene)?);
    }
    println!("{what}: a check and {} previews in {:.0} s", scenes.len(), began.elapsed().as_secs_f64());
    Ok(all)
}

fn differs(a: &Seen, b: &Seen) -> bool {
    let picture = match (&a.picture, &b.picture) {
        (Some(a), Some(b)) if a.dimensions() == b.dimensions() => {
            let far = |(a, b): &(&image::Rgb<u8>, &image::Rgb<u8>)| {
                a.0.iter().zip(b.0).any(|(a, b)| a.abs_diff(b) > DIFFERENT.1)
            };
            a.pixels().zip(b.pixels()).filter(far).count() as f64 > DIFFERENT.0 * f64::from(a.width() * a.height())
        }
        (None, None) => false,
        _ => true,
    };
    picture || a.said != b.said
}

fn bench(count: usize) -> Result<bool, Failure> {
    let plain = tempfile::tempdir()?;
    let scenes = scenes(plain.path(), count)?;
    let idle = look(&scenes, "as it is")?;
    let load = Load::start()?;
    let busy = look(&scenes, &format!("beside a load of {LOAD}"))?;
    drop(load);
    let mut same = true;
    println!("{:<24} {:>8} {:>8}", "", "s", "s, busy");
    for (index, (idle, busy)) in idle.iter().zip(&busy).enumerate() {
        let name = match index {
            0 => "check plain".into(),
            index => scenes[index - 1].file_name().unwrap_or_default().to_string_lossy(),
        };
        println!("{name:<24} {:>8.1} {:>8.1}", idle.took.as_secs_f64(), busy.took.as_secs_f64());
        if differs(idle, busy) {
            same = false;
            println!("differs; as it was:\n{}\nand beside a load:\n{}", idle.said, busy.said);
        }
    }
    Ok(same)
}
