//! Camera of this machine, through nokhwa.
//!
//! nokhwa is not trusted. Its `Camera` panics when it is dropped while a driver reports an error, it waits forever for
//! a silent driver, and its enumeration panics on unexpected data. A camera is therefore never dropped, a panic becomes
//! an error, and the parent process kills this one when no frames come.

mod luma;

use super::frame_pacer::FramePacer;
use super::y4m::{ChromaFormat, FrameRate, SIDE_MAX, Y4mWriter, flip_horizontal};
use crate::device::clock::monotonic;
use luma::{PREFERRED_FORMATS, decode_luma};
use nokhwa::utils::{ApiBackend, CameraFormat, CameraInfo, RequestedFormat, RequestedFormatType, Resolution};
use nokhwa::{Camera, NokhwaError};
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, SystemTime};
use thiserror::Error;

/// Unreadable frames in a row after which the camera is given up; fewer may be an accident.
const BAD_MAX: u32 = 60;
/// Formats tried before a camera is given up.
const TRIES: usize = 6;

/// Camera to read, and the wanted format. The nearest format that the camera accepts is used.
#[derive(Debug, Clone)]
pub struct CaptureOptions {
    /// Name of the camera or part of it, its number, or its path; none for the first one that can be read.
    pub device: Option<String>,
    /// Wanted width and height, in pixels.
    pub size: [usize; 2],
    /// Wanted frames per second.
    pub rate: f64,
    /// Flips the frames left to right.
    pub mirror: bool,
    /// Ends after the frames of this time.
    pub limit: Option<Duration>,
}

/// Reason why no more frames are written.
#[derive(Debug, Error)]
pub enum CaptureError {
    /// The camera cannot be read; the text includes the remedy.
    #[error("{0}")]
    Camera(String),
    /// The frames cannot be written.
    #[error(transparent)]
    Output(#[from] io::Error),
}

impl From<String> for CaptureError {
    fn from(why: String) -> Self {
        Self::Camera(why)
    }
}

/// Calls nokhwa and turns a panic into an error.
fn catch_panic<T>(act: impl FnOnce() -> Result<T, NokhwaError>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(act)) {
        Ok(done) => done.map_err(|why| why.to_string()),
        Err(_) => Err("its driver says what cannot be understood".into()),
    }
}

fn cameras() -> Result<Vec<CameraInfo>, String> {
    // The panic's own message is suppressed; `catch_panic` reports it in our words.
    std::panic::set_hook(Box::new(|_| {}));
    let mut cameras = catch_panic(|| nokhwa::query(ApiBackend::Auto))?;
    cameras.sort_by_key(|camera| camera.index().as_index().unwrap_or(u32::MAX));
    Ok(cameras)
}

/// Describes the cameras of this machine and their formats, one per line.
pub fn describe_cameras() -> Result<String, String> {
    let cameras = cameras()?;
    let mut text = String::new();
    if cameras.is_empty() {
        text.push_str("no camera; plug one in, or use --file, or any other program that writes YUV4MPEG2\n");
    }
    for info in &cameras {
        text.push_str(&format!("{}  \"{}\"  {}\n", info.index(), info.human_name(), info.description()));
        match open(info).and_then(|mut camera| catch_panic(|| camera.compatible_camera_formats())) {
            Ok(formats) => text.push_str(&describe(&formats)),
            Err(why) => text.push_str(&format!("    cannot be read ({why})\n")),
        }
    }
    Ok(text)
}

/// Describes formats: one line per kind and size, with its rates.
fn describe(formats: &[CameraFormat]) -> String {
    let mut sizes: BTreeMap<_, Vec<u32>> = BTreeMap::new();
    for format in formats.iter().filter(|format| PREFERRED_FORMATS.contains(&format.format())) {
        sizes.entry((format.format(), format.width(), format.height())).or_default().push(format.frame_rate());
    }
    let mut text = String::new();
    for ((kind, width, height), mut rates) in sizes {
        rates.sort_unstable();
        rates.dedup();
        let rates: Vec<String> = rates.iter().map(u32::to_string).collect();
        text.push_str(&format!("    {kind} {width}x{height} at {}\n", rates.join(", ")));
    }
    if text.is_empty() { "    nothing that can be read\n".into() } else { text }
}

/// Returns the cameras that match a name, number or path, best match first.
fn matching_cameras<'a>(cameras: &'a [CameraInfo], word: Option<&str>) -> Vec<&'a CameraInfo> {
    let Some(word) = word else { return cameras.iter().collect() };
    // /dev/video0, or a link to it that is stable across restarts.
    let path = std::fs::canonicalize(word).ok().filter(|_| word.starts_with('/'));
    let number = match &path {
        Some(path) => path.to_str().and_then(|path| path.strip_prefix("/dev/video")).map(str::to_owned),
        None => Some(word.to_owned()),
    };
    let number = number.and_then(|number| number.parse::<u32>().ok());
    let by_number: Vec<_> =
        cameras.iter().filter(|camera| number.is_some() && camera.index().as_index().ok() == number).collect();
    if !by_number.is_empty() {
        return by_number;
    }
    let word = word.to_lowercase();
    let is = |camera: &&CameraInfo| camera.human_name().to_lowercase() == word;
    let has = |camera: &&CameraInfo| camera.human_name().to_lowercase().contains(&word);
    // A camera has several devices with the same name, and only one of them provides frames.
    let (exactly, roughly): (Vec<_>, Vec<_>) = cameras.iter().filter(has).partition(is);
    exactly.into_iter().chain(roughly).collect()
}

fn open(info: &CameraInfo) -> Result<ManuallyDrop<Camera>, String> {
    let any = RequestedFormat::with_formats(RequestedFormatType::None, &PREFERRED_FORMATS);
    catch_panic(|| Camera::new(info.index().clone(), any)).map(ManuallyDrop::new)
}

/// Sorts the readable formats by distance from the wanted one: by size, then rate, then kind.
fn nearest_first(mut formats: Vec<CameraFormat>, [width, height]: [usize; 2], rate: f64) -> Vec<CameraFormat> {
    formats.retain(|format| {
        let sides = [format.width() as usize, format.height() as usize];
        PREFERRED_FORMATS.contains(&format.format()) && sides.iter().all(|side| (1..=SIDE_MAX).contains(side))
    });
    formats.sort_by_key(|format| {
        let apart = (format.width() as usize).abs_diff(width) + (format.height() as usize).abs_diff(height);
        let over = f64::from(format.frame_rate()) - rate;
        // Too slow is worse than too fast.
        let rate = if over < -0.5 { 1_000.0 - over } else { over.abs() };
        let kind = PREFERRED_FORMATS.iter().position(|kind| *kind == format.format());
        (apart, rate as u32, kind)
    });
    formats
}

/// Opens a camera with the nearest format to the wanted one that it actually accepts.
fn open_nearest(info: &CameraInfo, options: &CaptureOptions) -> Result<ManuallyDrop<Camera>, String> {
    let [width, height] = options.size.map(|side| side as u32);
    let mut camera = match open(info) {
        Ok(camera) => camera,
        // A camera that lists no formats may still accept a requested one.
        Err(why) => PREFERRED_FORMATS
            .iter()
            .find_map(|&kind| {
                let format = CameraFormat::new(Resolution::new(width, height), kind, options.rate as u32);
                let exactly = RequestedFormat::with_formats(RequestedFormatType::Exact(format), &PREFERRED_FORMATS);
                catch_panic(|| Camera::new(info.index().clone(), exactly)).ok()
            })
            .map(ManuallyDrop::new)
            .ok_or(why)?,
    };
    let formats = catch_panic(|| camera.compatible_camera_formats()).unwrap_or_default();
    for format in nearest_first(formats, options.size, options.rate).into_iter().take(TRIES) {
        let exactly = RequestedFormat::with_formats(RequestedFormatType::Exact(format), &PREFERRED_FORMATS);
        if camera.camera_format() == format || catch_panic(|| camera.set_camera_requset(exactly)).is_ok() {
            break;
        }
    }
    // The camera may have chosen another format; the one that it reports now is the one of its frames.
    let _ = catch_panic(|| camera.refresh_camera_format());
    if !PREFERRED_FORMATS.contains(&camera.frame_format()) {
        return Err(format!("gives {}, which cannot be read", camera.frame_format()));
    }
    catch_panic(|| camera.open_stream())?;
    Ok(camera)
}

/// Writes the frames of a camera as YUV4MPEG2, luma only, until the limit or an error ends it.
pub fn capture(options: &CaptureOptions, output: File) -> Result<(), CaptureError> {
    let cameras = cameras()?;
    let word = options.device.as_deref();
    let meant = matching_cameras(&cameras, word);
    let mut whys = Vec::new();
    let opened = meant.iter().find_map(|info| {
        open_nearest(info, options).map_err(|why| whys.push(format!("\"{}\": {why}", info.human_name()))).ok()
    });
    let Some(mut camera) = opened else {
        let problem = match (word, whys.is_empty()) {
            (_, false) => whys.join("; "),
            (Some(word), true) => format!("there is no camera \"{word}\""),
            (None, true) => "there is no camera".into(),
        };
        return Err(format!(
            "{problem}; see `moongate camera --list`. One that is in use, or not yours to open (group video), is not \
             given"
        )
        .into());
    };
    let format = camera.camera_format();
    let size = [format.width() as usize, format.height() as usize];
    let rate = FrameRate::new(f64::from(format.frame_rate()));
    // The camera sets the pace; the pacer only counts frames.
    let mut pace = FramePacer::new(rate.period(), options.limit, true);
    let mut writer = Y4mWriter::new(output, size, rate, ChromaFormat::Mono)?;
    let (mut y, mut spare) = (Vec::new(), Vec::new());
    let mut bad = 0;
    loop {
        let picture = catch_panic(|| camera.frame()).map_err(|why| {
            format!("\"{}\" gives no more pictures ({why}); is it plugged in?", camera.info().human_name())
        })?;
        let now = monotonic();
        let captured = picture.capture_timestamp().and_then(|at| as_monotonic(at, now)).unwrap_or(now);
        let read = || decode_luma(picture.buffer(), format.format(), size, &mut y, &mut spare);
        let read = catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| Err("cannot be taken apart".into()));
        if let Err(why) = read {
            // A loose cable breaks a frame now and then.
            bad += 1;
            if bad > BAD_MAX {
                return Err(format!("{BAD_MAX} pictures in a row cannot be read ({why}); try another --size").into());
            }
            continue;
        }
        bad = 0;
        if options.mirror {
            flip_horizontal(&mut y, size[0]);
        }
        if pace.wait_due().is_none() {
            return Ok(());
        }
        writer.write(captured, &[&y])?;
    }
}

/// Converts nokhwa's timestamp, a time since 1970, to the monotonic clock.
fn as_monotonic(at: Duration, now: Duration) -> Option<Duration> {
    let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?;
    now.checked_sub(wall.checked_sub(at)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nokhwa::utils::{CameraIndex, FrameFormat};

    fn camera(index: u32, name: &str) -> CameraInfo {
        CameraInfo::new(name, "", "", CameraIndex::Index(index))
    }

    #[test]
    fn a_camera_is_meant_by_its_name_part_of_it_or_number() {
        let cameras = [camera(0, "HD Webcam"), camera(1, "HD Webcam"), camera(2, "HD Webcam Pro"), camera(12, "2")];
        let meant =
            |word| matching_cameras(&cameras, word).iter().map(|info| info.index().as_string()).collect::<Vec<_>>();
        assert_eq!(meant(None), ["0", "1", "2", "12"]);
        assert_eq!(meant(Some("hd webcam")), ["0", "1", "2"]);
        assert_eq!(meant(Some("pro")), ["2"]);
        assert_eq!(meant(Some("2")), ["2"], "a number is a number");
        assert_eq!(meant(Some("99")), [""; 0]);
        assert_eq!(meant(Some("/dev/null")), [""; 0]);
    }

    #[test]
    fn the_nearest_size_comes_first_then_a_rate_that_is_enough() {
        let format = |width, height, kind, rate| CameraFormat::new(Resolution::new(width, height), kind, rate);
        let formats = vec![
            format(1920, 1080, FrameFormat::MJPEG, 30),
            format(640, 480, FrameFormat::MJPEG, 30),
            format(640, 480, FrameFormat::YUYV, 30),
            format(640, 480, FrameFormat::YUYV, 15),
            format(640, 480, FrameFormat::RAWRGB, 30),
            format(5_000, 480, FrameFormat::YUYV, 30),
        ];
        let best = nearest_first(formats.clone(), [640, 480], 30.0);
        assert_eq!((best[0].format(), best[0].frame_rate()), (FrameFormat::YUYV, 30));
        assert_eq!((best[1].format(), best[2].frame_rate(), best.len()), (FrameFormat::MJPEG, 15, 4));
        assert_eq!(nearest_first(formats, [1280, 1000], 25.0)[0].width(), 1920);
        assert!(describe(&best).contains("YUYV 640x480 at 15, 30\n"), "{}", describe(&best));
    }

    #[test]
    fn a_wall_clock_time_is_moved_to_the_monotonic_clock() {
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
        let now = Duration::from_secs(500);
        let at = as_monotonic(wall - Duration::from_millis(40), now).expect("it can be");
        assert!(now - at >= Duration::from_millis(40) && now - at < Duration::from_secs(1), "{at:?}");
        assert_eq!(as_monotonic(Duration::ZERO, now), None, "before the machine was");
    }
}
