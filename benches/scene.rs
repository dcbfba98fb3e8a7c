//! A sketch of many circles, as a scene of Moongate and in p5.js 2 in headless Chromium, in one run.
//!
//! `./x bench scene`: measures the time of a frame from `FrameInput` in to `DisplayList` out, for 1,000, 4,000 and
//! 5,000 circles. Then it compares with p5.js: the time within its `draw()`, the memory of all processes, and the
//! time to the first frame. Without Chromium or p5.js (it tries `npm install p5@2` into `target/scene-peers`) only
//! the first part runs, and the output says so. Fails if a bound of the first part is missed: 1 ms for 1,000, 4 ms
//! for 4,000.

#[path = "scene/browser.rs"]
mod browser;
#[path = "scene/show.rs"]
mod show;

use moongate::config::city_by_slug;
use moongate::scene::{
    CityInfo, FrameInput, FromScene, SceneRevision, ScriptHost, SiteContext, read_message, write_message,
};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

type Failure = Box<dyn std::error::Error>;

/// Numbers of circles, and the most milliseconds that a frame of them may take.
const BOUNDS: [(usize, Option<f64>); 3] = [(1_000, Some(1.0)), (4_000, Some(4.0)), (5_000, None)];
const WARM: usize = 120;
const FRAMES: usize = 600;

fn main() -> ExitCode {
    match bench() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("FAILED: {why}");
            ExitCode::FAILURE
        }
    }
}

fn bench() -> Result<bool, Failure> {
    println!("from Sees in to Picture out, on one core, in milliseconds a frame");
    println!("{:>8} {:>12} {:>12} {:>12} {:>12}", "circles", "script p50", "script p99", "in all p50", "in all p99");
    let mut sound = true;
    for (count, most) in BOUNDS {
        let [script, all] = frames(count)?;
        println!(
            "{count:>8} {:>12.2} {:>12.2} {:>12.2} {:>12.2}{}",
            percentile(&script, 50),
            percentile(&script, 99),
            percentile(&all, 50),
            percentile(&all, 99),
            most.map_or(String::new(), |most| format!("   at most {most} at p50")),
        );
        sound &= most.is_none_or(|most| percentile(&all, 50) <= most);
    }
    let chromium = match browser::Browser::find() {
        Ok(chromium) => chromium,
        Err(why) => {
            println!("\nnot beside p5.js: {why}");
            return Ok(sound);
        }
    };
    println!("\nbeside p5.js {} in headless Chromium, 1280×720", chromium.version);
    println!(
        "{:>8} {:>22} {:>14} {:>14} {:>16} {:>14}",
        "circles", "", "draw() p50 ms", "p99 ms", "memory MiB", "first picture s"
    );
    for count in [1_000, 5_000] {
        let p5 = chromium.measure(count)?;
        let ours = show::measure(count)?;
        for (name, it) in [("p5.js", &p5), ("Moongate", &ours)] {
            println!(
                "{count:>8} {name:>22} {:>14.2} {:>14.2} {:>16.0} {:>14.2}",
                percentile(&it.took_ms, 50),
                percentile(&it.took_ms, 99),
                it.memory_mib,
                it.first_s
            );
        }
        println!(
            "{count:>8} {:>22} {:>14.1} {:>14.1} {:>16.1} {:>14.2}",
            "times",
            percentile(&p5.took_ms, 50) / percentile(&ours.took_ms, 50),
            percentile(&p5.took_ms, 99) / percentile(&ours.took_ms, 99),
            p5.memory_mib / ours.memory_mib,
            p5.first_s / ours.first_s,
        );
        println!(
            "{count:>8} {:>22} {:.0} ms in the middle, {:.0} at most, of {}, picture file and all",
            "saved and shown",
            percentile(&ours.saved_s, 50) * 1e3,
            percentile(&ours.saved_s, 100) * 1e3,
            ours.saved_s.len()
        );
    }
    Ok(sound)
}

/// Measurements of one way to show the sketch.
pub struct Measured {
    /// Time of each frame within the artist's function.
    pub took_ms: Vec<f64>,
    /// Proportional set size of all processes.
    pub memory_mib: f64,
    /// Time from the start of the program to the first frame.
    pub first_s: f64,
    /// Times from saving the sketch until it was on the canvas; empty where a page has to be reloaded.
    pub saved_s: Vec<f64>,
}

fn percentile(numbers: &[f64], percent: usize) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
}

/// Writes the sketch as an installation.
pub fn installation(dir: &Path, count: usize) -> std::io::Result<()> {
    let script = include_str!("scene/sketch.js").replace("let frames", &format!("const COUNT = {count};\nlet frames"));
    std::fs::write(dir.join("scene.js"), script)?;
    let manifest = "api = 1\nid = \"sketch\"\ncanvas = [1280, 720]\n[kit]\n\
                    arrival = false\nmeeting = false\nsky = false\ntouch = false\n";
    std::fs::write(dir.join("installation.toml"), manifest)
}

/// Returns the milliseconds of each frame: of the script alone, and with all that is written, read and checked.
fn frames(count: usize) -> Result<[Vec<f64>; 2], Failure> {
    let dir = tempfile::tempdir()?;
    installation(dir.path(), count)?;
    let edition = SceneRevision::read(dir.path())?;
    let card = |slug| city_by_slug(slug).map(CityInfo::from_city).ok_or("no such city");
    let setting = SiteContext {
        here: card("shenzhen")?,
        there: card("dublin")?,
        side: 0,
        seed: 1,
        metres: None,
        mark_seed: None,
    };
    let mut host = ScriptHost::load(&edition.scene_init(&setting), moongate::device::clock::thread_cpu)?;
    let (mut script, mut all, mut bytes) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..(WARM + FRAMES) as u64 {
        let json = serde_json::to_string(&FrameInput { number, now: number as f64 / 60.0, ..FrameInput::default() })?;
        let began = Instant::now();
        let answer = host.run_frame(number, 0, &json);
        bytes.clear();
        write_message(&mut bytes, &answer)?;
        let FromScene::Frame { picture, fault, took_us, .. } = read_message(&mut &bytes[..])? else {
            return Err("no frame".into());
        };
        let picture = picture.ok_or_else(|| fault.unwrap_or_default())?.validated(&[], 0);
        let took = began.elapsed();
        if picture.items.len() != count + 1 {
            return Err(format!("{} things are not {count} circles", picture.items.len()).into());
        }
        if number >= WARM as u64 {
            script.push(took_us as f64 / 1e3);
            all.push(took.as_secs_f64() * 1e3);
        }
    }
    Ok([script, all])
}
