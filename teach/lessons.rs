//! Training data for the net of the vision pipeline: the built-in street as the net sees it, and the truth.
//!
//! `docs/sense.md` describes the training. `./x lessons FOLDER SECONDS [FIRST_SEED]` draws streets, one seed each
//! from the first on (0), on all cores, until the time is over and the streets that were begun are done. Each core
//! writes
//!
//! - `N.bin`, lesson by lesson, one byte per pixel: at 640×480 brightness and labels (0, or the person's label), at
//!   320×240 the empty square in this light, its noise, and the difference; all as if nobody had pushed the camera;
//! - `N.txt`, a line for each person of a lesson: lesson, label, the whole body's left, top, width and height, the
//!   visible share, its pixels, the foot, in pixels of 320×240. A label 0 with crowd, weather and seed ends a lesson.

use moongate::synth::{CrowdType, SynthCamera, SynthConfig, SynthFrame, SynthTruth, TruthPerson, Weather};
use moongate::vision::{Luma, TrainingSample, VisionPipeline};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Frame size that the vision pipeline works on.
const SIZE: [usize; 2] = [320, 240];
/// Crowds to draw from; one that is listed more often comes more often.
const CROWDS: [CrowdType; 24] = {
    use CrowdType::*;
    [
        One, Few, Few, Forty, Forty, Forty, Forty, Forty, Forty, Forty, Child, Child, Child, Wheelchair, Wheelchair,
        Pram, Pram, Cane, Dancers, Still, Reach, Crossing, Crossing, Vandal,
    ]
};
/// Cities of the streets. City 1 and seed 7 serve for evaluation and are never drawn; the seeds lie above.
const CITIES: core::ops::Range<u64> = 2..4_000;
const SEEDS: u64 = 5_000;

/// Plan of one street; all of it follows from a seed.
struct Plan {
    seed: u64,
    street: SynthConfig,
    frames: core::ops::Range<u64>,
    /// Interval between two lessons, in frames.
    every: u64,
    /// Share of people whom the background model absorbs, as it will where the net misses someone.
    missed: f32,
}

impl Plan {
    fn draw(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed * 77 + 5);
        let crowd = CROWDS[rng.usize(..CROWDS.len())];
        let weather = Weather::ALL[rng.usize(..Weather::ALL.len())];
        let city = rng.u64(CITIES);
        let size = if rng.f32() < 0.85 { SIZE.map(|side| 2 * side) } else { SIZE };
        let rate = [6.0, 10.0, 15.0][rng.usize(..3)];
        let count = (rate * rng.f64() * 10.0 + rate * 8.0) as u64;
        // The start varies, so that not only the beginning of a lamp's 30 s is used.
        let first = (rate * rng.f64() * 20.0) as u64;
        let every = 5 + rng.u64(..3);
        let missed = if rng.f32() < 0.3 { 0.25 } else { 0.04 };
        let street = SynthConfig { size, rate, seed: SEEDS + seed, crowd, weather, city };
        Self { seed, street, frames: first..first + count, every, missed }
    }

    /// Returns whether the net is to miss this person, for five seconds at a time; tiny people are always missed.
    fn misses(&self, person: &TruthPerson, frame: u64) -> bool {
        let turn = (frame as f64 / self.street.rate / 5.0) as u64;
        let mut rng = fastrand::Rng::with_seed(u64::from(person.id) * 31 + turn * 7_919 + self.seed);
        rng.f32() < self.missed || person.pixels < 40
    }

    /// Plays the street and writes its lessons.
    fn play(&self, book: &mut Book) -> io::Result<()> {
        let (mut street, mut sense, mut frame) =
            (SynthCamera::new(self.street), VisionPipeline::new(), SynthFrame::default());
        let [width, height] = self.street.size;
        for number in self.frames.clone() {
            let truth = street.draw(number, &mut frame);
            // The index is the label; 0 is nobody.
            let mut known = [false; 256];
            let people = known[1..].iter_mut().zip(&truth.people);
            people.for_each(|(known, person)| *known = !self.misses(person, number));
            let known: Vec<u8> = truth.labels.iter().map(|label| known[usize::from(*label)].into()).collect();
            let now = Duration::from_secs_f64(number as f64 / self.street.rate);
            let luma = Luma::new(width, height, width, &frame.y);
            let lesson = luma.and_then(|luma| sense.training_sample(now, &luma, frame.screen_luminance, &known));
            let fits = lesson.filter(|lesson| lesson.size == SIZE);
            let lesson = fits.ok_or_else(|| io::Error::other("sense works on another size: change SIZE"))?;
            if (number - self.frames.start) % self.every == self.every - 1 {
                book.add(self, &frame.y, truth, &lesson)?;
            }
        }
        Ok(())
    }
}

/// Output files of one core.
struct Book {
    pixels: BufWriter<File>,
    people: BufWriter<File>,
    lessons: u64,
}

impl Book {
    fn create(name: &Path) -> io::Result<Self> {
        let create = |ending| File::create(name.with_extension(ending));
        Ok(Self { pixels: BufWriter::new(create("bin")?), people: BufWriter::new(create("txt")?), lessons: 0 })
    }

    fn add(&mut self, plan: &Plan, y: &[u8], truth: &SynthTruth, lesson: &TrainingSample) -> io::Result<()> {
        let [width, height] = plan.street.size;
        let factor = width / SIZE[0];
        // Maps a pixel of 640×480 to the camera's, which has been pushed.
        let place = |at: usize, axis: usize, side: usize| {
            ((at * factor / 2) as i32 + lesson.shift[axis]).clamp(0, side as i32 - 1) as usize
        };
        let columns: Vec<usize> = (0..2 * SIZE[0]).map(|x| place(x, 0, width)).collect();
        for plane in [y, &truth.labels] {
            for row in (0..2 * SIZE[1]).map(|y| &plane[place(y, 1, height) * width..][..width]) {
                self.pixels.write_all(&columns.iter().map(|x| row[*x]).collect::<Vec<_>>())?;
            }
        }
        [lesson.relit, lesson.threshold, lesson.foreground]
            .into_iter()
            .try_for_each(|plane| self.pixels.write_all(plane))?;
        let (number, scale) = (self.lessons, factor as f32);
        let [right, down] = lesson.shift.map(|axis| axis as f32);
        for (label, person) in (1..).zip(&truth.people) {
            let [x, y, w, h] = person.full;
            let [x, y, w, h] = [x - right, y - down, w, h].map(|side| side / scale);
            let [foot_x, foot_y] = [person.foot[0] - right, person.foot[1] - down].map(|axis| axis / scale);
            let (visible, pixels) = (person.visible, person.pixels as f32 / (scale * scale));
            writeln!(self.people, "{number} {label} {x} {y} {w} {h} {visible} {pixels} {foot_x} {foot_y}")?;
        }
        let SynthConfig { crowd, weather, .. } = plan.street;
        writeln!(self.people, "{number} 0 {} {} {} 0 0 0 0 0", crowd as u8, weather as u8, plan.seed)?;
        self.lessons += 1;
        Ok(())
    }
}

/// Writes on all cores; returns the number of lessons, and the next seed.
fn write(folder: &Path, limit: Duration, first: u64) -> io::Result<(u64, u64)> {
    std::fs::create_dir_all(folder)?;
    let cores = thread::available_parallelism().map_or(1, |cores| cores.get());
    let (began, next) = (Instant::now(), AtomicU64::new(first));
    let work = |core: usize| {
        let mut book = Book::create(&folder.join(core.to_string()))?;
        while began.elapsed() < limit {
            Plan::draw(next.fetch_add(1, Ordering::Relaxed)).play(&mut book)?;
        }
        book.pixels.flush()?;
        book.people.flush()?;
        Ok(book.lessons)
    };
    let written: io::Result<u64> = thread::scope(|scope| {
        let start = |core| thread::Builder::new().spawn_scoped(scope, move || work(core));
        let cores: Vec<_> = (0..cores).map(start).collect();
        cores.into_iter().map(|core| core?.join().unwrap_or_else(|_| Err(io::Error::other("a core panicked")))).sum()
    });
    Ok((written?, next.into_inner()))
}

fn arguments() -> Result<(PathBuf, Duration, u64), String> {
    // Cargo adds `--bench`.
    let words = std::env::args_os().skip(1).filter(|word| word != "--bench").map(|word| word.into_string());
    let words = words.collect::<Result<Vec<_>, _>>().map_err(|word| format!("{} is not UTF-8", word.display()))?;
    let (folder, seconds, first) = match &words[..] {
        [folder, seconds] => (folder, seconds, "0"),
        [folder, seconds, first] => (folder, seconds, first.as_str()),
        _ => return Err("say a folder and how long: ./x lessons FOLDER SECONDS [FIRST_SEED]".into()),
    };
    let limit = seconds.parse().ok().filter(|seconds| (0.0..=1e6).contains(seconds));
    let limit = limit.ok_or_else(|| format!("\"{seconds}\" is no number of seconds, 0 to 1000000"))?;
    // The seed has half of the bits, so that additions to it do not overflow.
    let first: u32 = first.parse().map_err(|_| format!("\"{first}\" is no seed, 0 to {}", u32::MAX))?;
    Ok((folder.into(), Duration::from_secs_f64(limit), first.into()))
}

fn main() -> ExitCode {
    let done = arguments().map_err(|why| (2, why)).and_then(|(folder, limit, first)| {
        write(&folder, limit, first).map_err(|why| (1, format!("cannot write to {}: {why}", folder.display())))
    });
    match done {
        Ok((lessons, next)) => {
            println!("{lessons} lessons; the next seed is {next}");
            ExitCode::SUCCESS
        }
        Err((code, why)) => {
            eprintln!("lessons: {why}");
            ExitCode::from(code)
        }
    }
}
