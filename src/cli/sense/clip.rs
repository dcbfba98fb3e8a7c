//! Video file as a source: every frame once, timed by the frame rate.

use super::super::clip::{ClipReader, ClipTiming, clip_error};
use super::{EventHandler, Failure, SenseArgs, SenseRunner, SenseStats};
use crate::config::CameraConfig;
use crate::device::camera::y4m::{FrameRate, Y4mError, Y4mHeader, Y4mReader, flip_horizontal};
use crate::presence::Point;
use crate::synth::read_light;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(super) struct ClipSource {
    reader: Y4mReader<Box<dyn Read + Send>>,
    path: PathBuf,
    mirror: bool,
    mask: Vec<Vec<Point>>,
    /// Luminance of the screen at each frame; 0 after its end.
    screen_luminance: Vec<f32>,
}

impl ClipSource {
    /// Opens a video file; `camera` is the one that it replaces.
    pub(super) fn open(arguments: &SenseArgs, path: &Path, camera: Option<&CameraConfig>) -> Result<Self, Failure> {
        let reader = if path.as_os_str() == "-" {
            let input: Box<dyn Read + Send> = Box::new(io::stdin());
            Y4mReader::new(input).map_err(|why| format!("standard input: {why}; lead YUV4MPEG2 into it"))?
        } else {
            // A device or a pipe may be a camera.
            if path.exists() && !path.is_file() {
                return Err(
                    format!("{} is no file; name a clip, or lead it into `moongate sense -`", path.display()).into()
                );
            }
            let source: Box<dyn Read + Send> = Box::new(ClipReader::open(path, ClipTiming::EveryFrame)?);
            Y4mReader::new(source).map_err(|why| clip_error(path, &why))?
        };
        let mask = camera.map(|camera| camera.mask.clone()).unwrap_or_default();
        let mirror = camera.is_some_and(|camera| camera.mirror);
        Ok(Self {
            reader,
            path: path.to_owned(),
            mirror,
            mask,
            screen_luminance: read_screen_luminance(arguments, path)?,
        })
    }

    pub(super) fn header(&self) -> &Y4mHeader {
        self.reader.header()
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn name(&self) -> String {
        if self.path.as_os_str() == "-" { "standard input".into() } else { self.path.display().to_string() }
    }

    pub(super) fn run(mut self, time: Option<Duration>, each: EventHandler) -> Result<SenseStats, Failure> {
        let header = *self.reader.header();
        let size = [header.width, header.height];
        let FrameRate { num, den } = header.rate;
        // The period is kept within sound bounds.
        let period = (f64::from(den.max(1)) / f64::from(num.max(1))).clamp(1e-3, 10.0);
        let mut eye = SenseRunner::new(&self.mask, time);
        let mut y = Vec::new();
        for number in 0_u64.. {
            match self.reader.read(&mut y) {
                Ok(_) => {}
                // A truncated recording is treated as one that ends.
                Err(Y4mError::Ended | Y4mError::Truncated) if number > 0 => break,
                Err(why) => return Err(clip_error(&self.path, &why).into()),
            }
            if self.mirror {
                flip_horizontal(&mut y, header.width);
            }
            // A sum of periods would accumulate rounding errors.
            let at = Duration::from_secs_f64(number as f64 * period);
            let shown = usize::try_from(number).ok().and_then(|number| self.screen_luminance.get(number)).copied();
            if !eye.process_frame(at, &mut y, size, shown.unwrap_or(0.0), each)? {
                break;
            }
        }
        eye.stats.rate = 1.0 / period;
        Ok(eye.stats)
    }
}

/// Reads the luminance of the screen from the given file, or from light.txt beside the ground truth or the video file.
fn read_screen_luminance(arguments: &SenseArgs, clip: &Path) -> Result<Vec<f32>, Failure> {
    let beside = |folder: &Path| Some(folder.join("light.txt")).filter(|file| file.is_file());
    let of_truth = arguments.truth.as_deref().and_then(beside);
    let of_clip = || clip.parent().filter(|_| clip.as_os_str() != "-").and_then(beside);
    let Some(file) = arguments.light.clone().or(of_truth).or_else(of_clip) else { return Ok(Vec::new()) };
    let in_file = |why: String| {
        format!(
            "{}: {why}; give a number from 0 to 1 for each picture, a line each, or name another with --light",
            file.display()
        )
    };
    let light = File::open(&file).map_err(|why| in_file(why.to_string()))?;
    Ok(read_light(light).map_err(|why| in_file(why.to_string()))?)
}
