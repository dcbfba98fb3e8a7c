//! `moongate camera`: writes a camera, video file or simulated street to standard output as YUV4MPEG2.
//! A show starts it; any other program can take its place.

mod clip;
mod street;

use super::Failure;
use crate::device::camera::capture::{CaptureError, CaptureOptions, capture, describe_cameras};
use crate::device::camera::frame_pacer::FramePacer;
use crate::device::camera::y4m::SIDE_MAX;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Command-line arguments.
#[derive(Debug, Clone, clap::Args)]
#[command(group(clap::ArgGroup::new("source").args(["list", "device", "file", "street"])))]
pub struct CameraArgs {
    /// List the cameras of this machine and their formats.
    #[arg(long)]
    list: bool,
    /// Camera to read: its name or part of it, its number, or its path (/dev/v4l/by-path/… is stable). Defaults to the
    /// first camera that can be read.
    #[arg(long, value_name = "NAME")]
    device: Option<String>,
    /// Play a video file in a loop at its own rate. Files other than YUV4MPEG2 are read with ffmpeg, if it is
    /// installed.
    #[arg(long, value_name = "CLIP")]
    file: Option<PathBuf>,
    #[command(flatten)]
    street: street::StreetArgs,
    /// Width and height in pixels; for a camera, the nearest size that it supports.
    #[arg(long, value_name = "WIDTHxHEIGHT", default_value = "640x480", value_parser = size)]
    size: [usize; 2],
    /// Frames per second; for a camera, the nearest rate that it supports.
    #[arg(long, default_value = "30", value_parser = rate)]
    rate: f64,
    /// Flip the frames left to right.
    #[arg(long)]
    mirror: bool,
    /// Play the video file only once.
    #[arg(long, requires = "file")]
    once: bool,
    /// Write frames as fast as they are read, not at their rate.
    #[arg(long, conflicts_with_all = ["list", "device"])]
    fast: bool,
    /// Stop after this time of frames: 90s, 10m; a plain number means seconds.
    #[arg(long = "for", value_name = "TIME", value_parser = super::duration::parse)]
    time: Option<Duration>,
}

impl CameraArgs {
    fn capture_options(&self) -> CaptureOptions {
        let Self { device, size, rate, mirror, time, .. } = self;
        CaptureOptions { device: device.clone(), size: *size, rate: *rate, mirror: *mirror, limit: *time }
    }

    /// Returns the schedule of frames with this period.
    fn pacer(&self, period: Duration) -> FramePacer {
        FramePacer::new(period, self.time, self.fast)
    }
}

fn size(text: &str) -> Result<[usize; 2], String> {
    let sides = text.split_once(['x', 'X', '×']).and_then(|(width, height)| {
        let sides = [width.trim().parse().ok()?, height.trim().parse().ok()?];
        sides.iter().all(|side| (16..=SIDE_MAX).contains(side)).then_some(sides)
    });
    sides.ok_or_else(|| format!("write width and height of 16 to {SIDE_MAX} pixels, such as 640x480"))
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate| (1.0..=240.0).contains(rate));
    rate.ok_or_else(|| "use 1 to 240 pictures a second".into())
}

/// Writes frames until their source ends, the time is over, or nobody reads them any more.
/// A reader that goes away is not an error.
pub fn run(arguments: &CameraArgs) -> ExitCode {
    match stream(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) if why.downcast_ref().is_some_and(|why: &io::Error| why.kind() == io::ErrorKind::BrokenPipe) => {
            ExitCode::SUCCESS
        }
        Err(why) => super::report_failure("camera", why),
    }
}

fn stream(arguments: &CameraArgs) -> Result<(), Failure> {
    if arguments.list {
        // A reader that stops early has seen enough.
        let _ = io::stdout().write_all(describe_cameras()?.as_bytes());
        return Ok(());
    }
    let output = open_output()?;
    match &arguments.file {
        Some(clip) => clip::run(arguments, clip, output),
        None if arguments.street.street => street::run(arguments, output),
        None => capture(&arguments.capture_options(), output).map_err(|why| match why {
            CaptureError::Camera(why) => why.into(),
            // The caller recognises a reader that went away by this type.
            CaptureError::Output(why) => why.into(),
        }),
    }
}

/// Opens standard output unbuffered: one write per frame.
fn open_output() -> Result<File, Failure> {
    let output = io::stdout();
    if output.is_terminal() {
        return Err("pictures are no text for a terminal; lead them into a program, such as \
                    `moongate camera | ffplay -`, or look what there is with --list"
            .into());
    }
    let output = File::from(output.as_fd().try_clone_to_owned()?);
    // A driver that blocks forever cannot notice that its reader is gone, so the kernel kills this process. This does
    // not apply if frames go to a file, since that may outlive the terminal.
    #[cfg(target_os = "linux")]
    if rustix::fs::fstat(&output).is_ok_and(|stat| rustix::fs::FileType::from_raw_mode(stat.st_mode).is_fifo()) {
        let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    }
    Ok(output)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_checked() {
        assert_eq!(size("640x480"), Ok([640, 480]));
        for wrong in ["640", "640x", "0x0", "15x480", "4097x16", "-1x99", "axb"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
        assert!(rate("29.97").is_ok() && rate("0").is_err() && rate("nan").is_err() && rate("1e9").is_err());
    }
}
