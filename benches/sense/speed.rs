//! Time per frame: our pipeline and OpenCV in alternation, on the same frames.

use super::opencv::{self, Times, Took};
use super::{Failure, Options};
use moongate::device::camera::y4m::{ChromaFormat, FrameRate, Y4mReader, Y4mWriter};
use moongate::synth::{CrowdType, SynthCamera, SynthConfig, SynthFrame, Weather};
use moongate::vision::{Luma, VisionPipeline};
use std::fs::File;
use std::hint::black_box;
use std::io::BufWriter;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::NamedTempFile;

const SIZES: [[usize; 2]; 3] = [[320, 240], [640, 480], [768, 576]];
/// Frame size that the figures below are promised for.
const PROMISED: [usize; 2] = [640, 480];
const MS_MAX: f64 = 2.0;
/// Least factor by which we must be faster than MOG2 with contours.
const FASTER_MIN: f64 = 3.0;
/// Most frames that are timed: they are held in memory.
const FRAMES: u64 = 300;
/// Frame rate of the built-in street.
const RATE: f64 = 15.0;
/// Rounds of OpenCV; our pipeline runs before each and after the last. The best round of each counts.
const TURNS: usize = 3;

/// Prints the table and returns the promises that do not hold.
pub fn run(options: &Options) -> Result<Vec<String>, Failure> {
    let from = options.clip.as_ref().map_or_else(|| "the built-in street".into(), |clip| clip.display().to_string());
    let opencv = opencv::version();
    println!("{from}, at most {FRAMES} frames; ms a frame on one core: median (p99) of the best of several turns");
    match &opencv {
        Ok(version) => println!("{version}, one thread\n"),
        Err(why) => println!("Sense alone. {why}\n"),
    }
    println!("| size | frames | **sense** | MOG2, contours | … on grey | DIS ultrafast | DIS fast | MOG2 ÷ sense |");
    println!("|---|---|---|---|---|---|---|---|");
    let mut faults = vec![];
    for size in SIZES {
        let clip = clip(options, size)?;
        let (frames, period) = read(clip.path(), size)?;
        let mut own = sense(&frames, period, size)?;
        let mut other: Option<Times> = None;
        if opencv.is_ok() {
            for _ in 0..TURNS {
                let times = opencv::time(clip.path())?;
                other = Some(other.map_or(times, |before| best_of(before, times)));
                own = best(own, sense(&frames, period, size)?);
            }
        } else {
            own = best(own, sense(&frames, period, size)?);
        }
        let shown = |took: Option<Took>| took.map_or_else(|| "-".into(), |[p50, p99]| format!("{p50:.2} ({p99:.2})"));
        let faster = other.map(|times| times.mog2[0] / own[0]);
        println!(
            "| {}×{} | {} | **{}** | {} | {} | {} | {} | {} |",
            size[0],
            size[1],
            frames.len(),
            shown(Some(own)),
            shown(other.map(|times| times.mog2)),
            shown(other.map(|times| times.mog2_grey)),
            shown(other.map(|times| times.dis_ultrafast)),
            shown(other.map(|times| times.dis_fast)),
            faster.map_or_else(|| "-".into(), |faster| format!("{faster:.1}")),
        );
        if size == PROMISED && own[0] > MS_MAX {
            faults.push(format!("{:.2} ms a frame at 640×480, more than {MS_MAX}", own[0]));
        }
        if let Some(faster) = faster.filter(|faster| size == PROMISED && *faster < FASTER_MIN) {
            faults.push(format!("{faster:.1} times as fast as MOG2 with contours at 640×480, less than {FASTER_MIN}"));
        }
    }
    Ok(faults)
}

/// Writes the clip at one size as Y4M into a temporary file, so that both sides read the same bytes.
fn clip(options: &Options, size: [usize; 2]) -> Result<NamedTempFile, Failure> {
    let file = NamedTempFile::with_suffix(".y4m")?;
    match &options.clip {
        Some(clip) => scale(clip, size, file.path())?,
        None => draw(size, file.as_file())?,
    }
    Ok(file)
}

fn scale(clip: &Path, [width, height]: [usize; 2], to: &Path) -> Result<(), Failure> {
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-nostdin", "-v", "error", "-y", "-i"]).arg(clip);
    ffmpeg.args(["-frames:v", &FRAMES.to_string(), "-vf", &format!("scale={width}:{height}")]);
    ffmpeg.args(["-pix_fmt", "yuv420p", "-f", "yuv4mpegpipe"]).arg(to);
    let status = ffmpeg.stdin(Stdio::null()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(format!("ffmpeg cannot read {}, see above", clip.display()).into()),
        Err(why) => Err(format!("a clip is read by ffmpeg, which does not start ({why}): apt install ffmpeg").into()),
    }
}

fn draw(size: [usize; 2], file: &File) -> Result<(), Failure> {
    let (crowd, weather) = (CrowdType::Few, Weather::Day);
    let mut street = SynthCamera::new(SynthConfig { size, rate: RATE, seed: 1, crowd, weather, city: 1 });
    let mut frame = SynthFrame::default();
    let mut writer = Y4mWriter::new(BufWriter::new(file), size, FrameRate::new(RATE), ChromaFormat::Yuv420)?;
    for number in 0..FRAMES {
        street.draw(number, &mut frame);
        writer.write(Duration::from_secs_f64(number as f64 / RATE), &[&frame.y, &frame.u, &frame.v])?;
    }
    Ok(())
}

/// Reads all of its frames, brightness only.
fn read(clip: &Path, size: [usize; 2]) -> Result<(Vec<Vec<u8>>, Duration), Failure> {
    let mut reader = Y4mReader::new(File::open(clip)?)?;
    let header = *reader.header();
    if [header.width, header.height] != size {
        return Err(format!("the clip came as {} by {}", header.width, header.height).into());
    }
    let mut frames = vec![];
    loop {
        let mut y = vec![];
        // A truncated end counts as the end here.
        if reader.read(&mut y).is_err() {
            break;
        }
        frames.push(y);
    }
    if frames.is_empty() { Err("the clip has no frame".into()) } else { Ok((frames, header.rate.period())) }
}

/// Runs one round with fresh state.
fn sense(frames: &[Vec<u8>], period: Duration, [width, height]: [usize; 2]) -> Result<Took, Failure> {
    let mut sense = VisionPipeline::default();
    let mut took = Vec::with_capacity(frames.len());
    let mut now = Duration::ZERO;
    for frame in frames {
        let luma = Luma::new(width, height, width, frame).ok_or("a frame is smaller than its size")?;
        let begin = Instant::now();
        black_box(sense.process(now, &luma, 0.0));
        took.push(begin.elapsed().as_secs_f64() * 1e3);
        now += period;
    }
    took.sort_by(f64::total_cmp);
    Ok([50, 99].map(|percent| took[(took.len() * percent).div_ceil(100) - 1]))
}

fn best(a: Took, b: Took) -> Took {
    if b[0] < a[0] { b } else { a }
}

fn best_of(a: Times, b: Times) -> Times {
    Times {
        mog2: best(a.mog2, b.mog2),
        mog2_grey: best(a.mog2_grey, b.mog2_grey),
        dis_ultrafast: best(a.dis_ultrafast, b.dis_ultrafast),
        dis_fast: best(a.dis_fast, b.dis_fast),
    }
}
