//! People detected by a camera: time per frame and quality, beside a pipeline built with OpenCV.
//!
//! `./x bench sense [CLIP]` measures times; the clip is anything ffmpeg reads, else $MOONGATE_CLIP, else the built-in
//! street.
//! `./x bench sense --quality [--seconds N] [--lead N] [WEATHER…] [CROWD…]` evaluates against the truth of the
//! built-in street, in all its weathers, or in those that are named: `--quality rain dusk crossing`.
//! Fails if the promised figures do not hold.

#[path = "sense/opencv.rs"]
mod opencv;
#[path = "sense/quality.rs"]
mod quality;
#[path = "sense/speed.rs"]
mod speed;

use moongate::synth::{CrowdType, Weather};
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

type Failure = std::boxed::Box<dyn Error + Send + Sync>;

/// Options of the command line.
#[derive(Debug)]
struct Options {
    clip: Option<PathBuf>,
    quality: bool,
    weathers: Vec<Weather>,
    crowds: Vec<CrowdType>,
    /// Seconds of each scene that are evaluated, and seconds before them that are not, while the camera learns its
    /// background.
    seconds: f64,
    lead: f64,
}

impl Options {
    fn read(words: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let clip = std::env::var_os("MOONGATE_CLIP").map(PathBuf::from);
        let mut options = Self { clip, quality: false, weathers: vec![], crowds: vec![], seconds: 30.0, lead: 5.0 };
        let mut free = vec![];
        let mut words = words;
        while let Some(word) = words.next() {
            match word.as_str() {
                // Cargo adds this argument.
                "--bench" => {}
                "--quality" => options.quality = true,
                "--seconds" => options.seconds = seconds(words.next(), 1.0)?,
                "--lead" => options.lead = seconds(words.next(), 0.0)?,
                _ if word.starts_with('-') => {
                    return Err(format!("there is no {word}, only --quality, --seconds and --lead").into());
                }
                _ => free.push(word),
            }
        }
        for word in free {
            match (word.parse(), word.parse()) {
                _ if !options.quality => options.clip = Some(word.into()),
                (Ok(weather), _) => options.weathers.push(weather),
                (_, Ok(crowd)) => options.crowds.push(crowd),
                (Err(weather), Err(crowd)) => return Err(format!("{weather}\n{crowd}").into()),
            }
        }
        Ok(options)
    }
}

fn seconds(word: Option<String>, least: f64) -> Result<f64, Failure> {
    let number = word.and_then(|word| word.parse().ok()).filter(|number| (least..=3_600.0).contains(number));
    Ok(number.ok_or_else(|| format!("--seconds and --lead want a number of seconds, {least} to 3600"))?)
}

fn main() -> ExitCode {
    let done = Options::read(std::env::args().skip(1))
        .and_then(|options| if options.quality { quality::run(&options) } else { speed::run(&options) });
    let faults = done.unwrap_or_else(|why| vec![why.to_string()]);
    for fault in &faults {
        println!("FAILED: {fault}");
    }
    if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
