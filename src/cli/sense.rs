//! `moongate sense CLIP`, or a camera: shows and measures the vision results, to set up a site or to benchmark.
//!
//! A video file is read as fast as possible, each frame once and timed by its frame rate, so results are reproducible.
//! Nothing from a live camera is ever written, whatever the arguments.

mod annotations;
mod clip;
mod console;
mod font;
mod ground_truth;
mod live;
mod outputs;
mod overlay;
mod stats;
#[cfg(feature = "show")]
mod window;

use super::Failure;
use crate::config::{CameraConfig, SiteConfig};
use crate::device::camera::privacy_mask::PrivacyMask;
use crate::device::process_hardening::exposed_password;
use crate::geometry::{FractionPoint, WHOLE};
use crate::presence::Point;
use crate::vision::{Luma, VisionOutput, VisionPipeline};
use clip::ClipSource;
use console::ConsoleStatus;
use live::LiveSource;
use outputs::ClipOutputs;
use stats::SenseStats;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Command-line arguments.
#[derive(Debug, Clone, clap::Args)]
#[command(group(clap::ArgGroup::new("from").args(["clip", "site", "command"]).multiple(true).required(true)))]
pub struct SenseArgs {
    /// Video file: YUV4MPEG2, or any format that ffmpeg reads; - for YUV4MPEG2 on standard input.
    clip: Option<PathBuf>,
    /// Live camera of a site, by the folder of its site.toml. With a video file, the file takes the place of that
    /// camera and its corners, mask and mirror apply.
    #[arg(long, value_name = "DIR")]
    site: Option<PathBuf>,
    /// Name of the site's camera.
    #[arg(long, value_name = "NAME", requires = "site")]
    camera: Option<String>,
    /// Live camera: a program that writes YUV4MPEG2, as in site.toml, such as "moongate camera".
    #[arg(long, value_name = "PROGRAM", conflicts_with_all = ["clip", "site"])]
    command: Option<String>,
    /// Write the box of each body in each frame as frame,id,x,y,w,h in pixels, frames counted from 1 (MOT). Video files
    /// only.
    #[arg(long, value_name = "FILE")]
    boxes: Option<PathBuf>,
    /// Write the frames with all results drawn over them, as YUV4MPEG2. Video files only.
    #[arg(long, value_name = "FILE")]
    overlay: Option<PathBuf>,
    /// Write the same as single images: PNG, or PPM if the engine was built without screens. Video files only.
    #[arg(long, value_name = "DIR")]
    pictures: Option<PathBuf>,
    /// Write one image for every this many frames. Defaults to one per second.
    #[arg(long, value_name = "COUNT", requires = "pictures", value_parser = clap::value_parser!(u64).range(1..))]
    every: Option<u64>,
    /// Evaluate against ground truth: a folder written by `moongate camera --street --truth`, or boxes in MOT format.
    #[arg(long, value_name = "DIR", requires = "clip")]
    truth: Option<PathBuf>,
    /// Time to exclude at the start, while the background is learned: 20s, 1m; a plain number means seconds.
    #[arg(long, value_name = "TIME", requires = "truth", default_value = "0", value_parser = super::duration::parse)]
    lead: Duration,
    /// Luminance of the site's screen, a number from 0 to 1 for each frame of the file. Defaults to light.txt beside
    /// the ground truth or the file.
    #[arg(long, value_name = "FILE", requires = "clip")]
    light: Option<PathBuf>,
    /// Stop after this time of frames: 90s, 10m; a plain number means seconds.
    #[arg(long = "for", value_name = "TIME", value_parser = super::duration::parse)]
    time: Option<Duration>,
    /// Print the summary as JSON.
    #[arg(long)]
    json: bool,
    /// Run without a window (the default if there is no display).
    #[arg(long)]
    offscreen: bool,
}

/// Shows, writes or measures until the file ends, the time is over, or the user closes the window.
pub fn run(arguments: &SenseArgs) -> ExitCode {
    match sense(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) if why.downcast_ref().is_some_and(|why: &io::Error| why.kind() == io::ErrorKind::BrokenPipe) => {
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("moongate sense: {why}");
            ExitCode::FAILURE
        }
    }
}

fn sense(arguments: &SenseArgs) -> Result<(), Failure> {
    arguments.refuse_live_output()?;
    let (camera, dir) = camera(arguments)?;
    let setup = CameraSetup::new(camera.as_ref());
    let source = match (&arguments.clip, camera) {
        (Some(clip), camera) => FrameSource::Clip(ClipSource::open(arguments, clip, camera.as_ref())?),
        (None, Some(camera)) => FrameSource::Live(LiveSource::new(camera, dir)),
        (None, None) => return Err("name a clip or a camera".into()),
    };
    let mut files = match &source {
        FrameSource::Clip(clip) => ClipOutputs::create(arguments, clip, &setup)?,
        FrameSource::Live(_) => ClipOutputs::default(),
    };
    #[cfg(feature = "show")]
    if !arguments.offscreen && !arguments.json && files.is_empty() {
        match window::graphics() {
            Ok(Some(graphics)) => return window::run(&graphics, arguments, source, setup),
            Ok(None) => {}
            Err(why) => eprintln!("moongate sense: no window: {why}"),
        }
    }
    let mut lines = ConsoleStatus::new(source.name(), !arguments.json && files.is_empty());
    let tally = source.run(arguments.time, &mut |told| {
        match told {
            SenseEvent::Frame(look) => {
                files.write_frame(&look)?;
                lines.print_frame(&look)?;
            }
            SenseEvent::NoFrames(why) => lines.print_no_frames(&why)?,
        }
        Ok(true)
    })?;
    tally.print(arguments.json, files.finish()?.as_ref())
}

impl SenseArgs {
    /// Returns an error if output files are requested for a live camera, or for a source that may be one.
    fn refuse_live_output(&self) -> Result<(), Failure> {
        let asked = [("--overlay", &self.overlay), ("--pictures", &self.pictures), ("--boxes", &self.boxes)];
        let mut asked = asked.iter().filter(|(_, file)| file.is_some()).map(|(word, _)| *word);
        let Some(word) = asked.next() else { return Ok(()) };
        let Some(clip) = &self.clip else {
            return Err(format!(
                "{word} is for clips: nothing is written of who stands before a live camera. `moongate record` keeps \
                 shapes, and says until when"
            )
            .into());
        };
        if word != "--boxes" && clip.as_os_str() == "-" && !is_file(&io::stdin()) {
            return Err(format!(
                "{word} is for clips: what comes through a pipe may be a live camera, of which no picture is ever \
                 written. Name the clip, or lead it in as a file: moongate sense - {word} … < CLIP"
            )
            .into());
        }
        Ok(())
    }
}

fn is_file(input: &io::Stdin) -> bool {
    rustix::fs::fstat(input).is_ok_and(|stat| rustix::fs::FileType::from_raw_mode(stat.st_mode).is_file())
}

/// Returns the named camera and the working folder of its program.
fn camera(arguments: &SenseArgs) -> Result<(Option<CameraConfig>, PathBuf), Failure> {
    if let Some(command) = &arguments.command {
        return Ok((Some(CameraConfig { command: command.clone(), ..default_camera() }), PathBuf::new()));
    }
    let Some(dir) = &arguments.site else { return Ok((None, PathBuf::new())) };
    let site = SiteConfig::read(dir)?;
    exposed_password(&site).iter().for_each(|why| tracing::warn!("{why}"));
    let names = || site.cameras.iter().map(|camera| camera.name.as_str()).collect::<Vec<_>>().join(", ");
    let camera = match (&arguments.camera, &site.cameras[..]) {
        (_, []) => return Err(format!("{}: no [[camera]] in site.toml; add one", dir.display()).into()),
        (None, [camera]) => camera,
        (None, _) => return Err(format!("the site has the cameras {}; choose with --camera", names()).into()),
        (Some(name), cameras) => cameras
            .iter()
            .find(|camera| camera.name == *name)
            .ok_or_else(|| format!("the site has no camera \"{name}\", but {}", names()))?,
    };
    Ok((Some(camera.clone()), site.dir.clone()))
}

/// Returns a camera with default settings.
fn default_camera() -> CameraConfig {
    CameraConfig {
        name: "camera".into(),
        command: String::new(),
        corners: [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]].map(FractionPoint::from),
        canvas: WHOLE,
        mask: Vec::new(),
        mirror: false,
    }
}

/// Settings of the site for the camera's frame, in fractions of its size.
#[derive(Debug, Clone, Default)]
struct CameraSetup {
    /// Corners of the canvas, top left first, clockwise; none without a site.
    corners: Option<[FractionPoint; 4]>,
    /// Areas that must not be analysed.
    mask: Vec<Vec<Point>>,
}

impl CameraSetup {
    fn new(camera: Option<&CameraConfig>) -> Self {
        let of = |camera: &CameraConfig| Self { corners: Some(camera.corners), mask: camera.mask.clone() };
        camera.map(of).unwrap_or_default()
    }
}

/// Camera frame with its vision results.
struct AnalyzedFrame<'a> {
    /// Frame number, from 1.
    number: u64,
    /// Time since the first frame.
    at: Duration,
    y: &'a [u8],
    size: [usize; 2],
    vision: &'a VisionOutput,
    /// Analysis time, in milliseconds.
    ms: f32,
}

/// Event reported to the handler.
enum SenseEvent<'a> {
    Frame(AnalyzedFrame<'a>),
    /// No frames arrive, with the reason.
    NoFrames(String),
}

/// Handles an event; returns false to stop.
type EventHandler<'a> = &'a mut dyn FnMut(SenseEvent) -> Result<bool, Failure>;

enum FrameSource {
    Clip(ClipSource),
    Live(LiveSource),
}

impl FrameSource {
    /// Runs until the source ends, the handler stops it, or `time` of frames is over.
    fn run(self, time: Option<Duration>, each: EventHandler) -> Result<SenseStats, Failure> {
        match self {
            Self::Clip(clip) => clip.run(time, each),
            Self::Live(live) => live.run(time, each),
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Clip(clip) => clip.name(),
            Self::Live(live) => live.name(),
        }
    }
}

/// Analyses frames in order.
#[derive(Default)]
struct SenseRunner {
    sense: VisionPipeline,
    blinds: PrivacyMask,
    stats: SenseStats,
    time: Option<Duration>,
}

impl SenseRunner {
    fn new(mask: &[Vec<Point>], time: Option<Duration>) -> Self {
        Self { blinds: PrivacyMask::new(mask.to_vec()), time, ..Self::default() }
    }

    /// Analyses a frame that was captured `at` after the first one; `shown` is the luminance of the site's screen.
    /// Returns false if no more frames are wanted.
    fn process_frame(
        &mut self,
        at: Duration,
        y: &mut [u8],
        size: [usize; 2],
        shown: f32,
        each: EventHandler,
    ) -> Result<bool, Failure> {
        if self.time.is_some_and(|time| at >= time) {
            return Ok(false);
        }
        self.blinds.apply(y, size);
        let [width, height] = size;
        let luma = Luma::new(width, height, width, y).ok_or_else(|| {
            let [least, most] = [Luma::SIDES.start(), Luma::SIDES.end()];
            format!("pictures of {width} by {height}, where sides of {least} to {most} pixels can be made sense of")
        })?;
        let began = Instant::now();
        let seen = self.sense.process(at, &luma, shown);
        let ms = began.elapsed().as_secs_f32() * 1e3;
        let number = self.stats.record_frame(at, size, seen, ms);
        each(SenseEvent::Frame(AnalyzedFrame { number, at, y, size, vision: seen, ms }))
    }
}

/// Returns true if both names refer to the same file, even if one of them does not exist yet.
fn is_same_file(one: &Path, other: &Path) -> bool {
    let whole = |path: &Path| path.canonicalize().ok();
    whole(one).is_some_and(|one| whole(other) == Some(one))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        arguments: SenseArgs,
    }

    fn line(words: &str) -> Result<SenseArgs, clap::Error> {
        Line::try_parse_from(format!("sense {words}").split(' ')).map(|line| line.arguments)
    }

    #[test]
    fn what_belongs_together_is_checked() {
        for good in [
            "a.y4m",
            "- --boxes b",
            "a --site s --camera c",
            "--site s",
            "--command c --json",
            "a --pictures p --every 5",
        ] {
            assert!(line(good).is_ok(), "{good}");
        }
        for bad in [
            "--json",
            "a --command c",
            "--site s --command c",
            "--camera c a",
            "a --every 5",
            "a --pictures p --every 0",
            "--site s --truth t",
            "--site s --light l",
            "a --lead 3",
        ] {
            assert!(line(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn of_a_live_camera_nothing_is_written() {
        for words in ["--overlay o", "--pictures p", "--boxes b"] {
            for camera in ["--site s", "--command c"] {
                let why = line(&format!("{camera} {words}")).map(|line| line.refuse_live_output());
                let why = why.expect("it is said well").expect_err("it is a live camera").to_string();
                assert!(why.contains("live camera") && why.starts_with(&words[..6]), "{why}");
            }
            let clip = line(&format!("a.y4m --site s {words}")).map(|line| line.refuse_live_output());
            assert!(clip.expect("it is said well").is_ok(), "a clip, set up as a camera of a site");
        }
    }
}
