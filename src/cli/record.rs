//! `moongate record --site DIR FILE`: records visitors as shapes and touches, without a screen.
//! `moongate rehearse --visitors` plays the recording.

use crate::config::{Installation, SiteConfig};
use crate::device::camera_pipeline::{CameraPipelines, ScreenLuminanceFn};
use crate::device::clock::monotonic;
use crate::device::recording_file::{RETENTION_MAX, Recorder};
use crate::device::touch_hub::TouchHub;
use crate::device::touch_sources::TouchSources;
use crate::presence::{CanvasRegion, Point};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

/// Interval between samples of the visitors.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(16);
/// Longest recording in one file.
const FOR_MAX: Duration = Duration::from_secs(7 * 86_400);

/// Command-line arguments.
#[derive(Debug, Clone, clap::Args)]
pub struct RecordArgs {
    /// Folder of the site: site.toml, its cameras and touch sources.
    #[arg(long, value_name = "DIR")]
    pub site: PathBuf,
    /// File to write; it must not exist yet.
    pub file: PathBuf,
    /// Length of the recording: 90s, 20m, 1h, 1d.
    #[arg(long = "for", value_name = "TIME", default_value = "1h", value_parser = length)]
    pub length: Duration,
    /// Time for which the recording may be kept and played, at most 366d.
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = length)]
    pub keep: Duration,
}

/// Error of the command, with its remedy.
type Failure = Box<dyn std::error::Error>;

/// Records until the time is over. If it is interrupted, the file lacks at most the last second.
pub fn run(arguments: &RecordArgs) -> ExitCode {
    match record(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => super::report_failure("record", why),
    }
}

fn record(arguments: &RecordArgs) -> Result<(), Failure> {
    let RecordArgs { site, file, length, keep } = arguments;
    let site = SiteConfig::read(site)?;
    let canvas = Installation::read(&site.installation)?.canvas_size();
    if site.cameras.is_empty() && site.touches.is_empty() && site.osc.is_none() {
        return Err("site.toml names nothing that sees anyone; add a [[camera]], a [[touch]] or [osc]".into());
    }
    if *length > FOR_MAX {
        return Err(format!("`--for` is {} days at most; record several files", FOR_MAX.as_secs() / 86_400).into());
    }
    let recorder = create_recording(file, &site, canvas, *keep)?;
    // There is no scene, so its events are dropped.
    let (scene, _) = sync_channel(1);
    let views = site.screens.iter().map(|screen| CanvasRegion::from_fractions(canvas, screen.part)).collect();
    let hub = TouchHub::new(None, scene, canvas, views);
    let _fingers = TouchSources::start(&site, canvas, &hub);
    // Without a screen of this site, no light from it falls on the square.
    let shown: ScreenLuminanceFn = Arc::new(|| 0.0);
    let _sights = CameraPipelines::start(&site, canvas, &hub, &shown)?;

    let began = monotonic();
    record_until(recorder, &hub, |now| {
        hub.expire();
        now.saturating_sub(began) >= *length
    });
    Ok(())
}

/// Creates a new recording of a site. The error is meant for users.
pub(super) fn create_recording(
    file: &Path,
    site: &SiteConfig,
    canvas: Point,
    keep: Duration,
) -> Result<Recorder, String> {
    if keep > RETENTION_MAX {
        return Err(format!("`--keep` is {} days at most", RETENTION_MAX.as_secs() / 86_400));
    }
    Recorder::create(file, &site.city.slug, canvas, keep).map_err(|why| match why.kind() {
        std::io::ErrorKind::AlreadyExists => {
            format!("{} is there already, and nothing is written over; name another file", file.display())
        }
        _ => format!("{} cannot be written ({why})", file.display()),
    })
}

/// Records visitors until `over` returns true.
pub(super) fn record_until(mut recorder: Recorder, hub: &TouchHub, mut over: impl FnMut(Duration) -> bool) {
    loop {
        let now = monotonic();
        recorder.record(now, &hub.presence());
        if over(now) {
            break;
        }
        std::thread::sleep(SAMPLE_INTERVAL);
    }
    if recorder.dropped() > 0 {
        tracing::warn!("{} instants were lost: the disk was too slow or too full for them", recorder.dropped());
    }
}

/// Parses a length of time: a whole number with the unit s, m, h or d.
pub(super) fn length(text: &str) -> Result<Duration, String> {
    let fault = || format!("\"{text}\" is no length of time; write a number and s, m, h or d, such as 90s or 1h");
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(fault)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(fault()),
    };
    let number: u32 = number.parse().map_err(|_| fault())?;
    match u64::from(number) * seconds {
        0 => Err(fault()),
        seconds => Ok(Duration::from_secs(seconds)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_a_number_and_a_unit() {
        assert_eq!(length("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(length("2h"), Ok(Duration::from_secs(7_200)));
        assert_eq!(length("30d"), Ok(Duration::from_secs(2_592_000)));
        for wrong in ["", "s", "0m", "-1h", "1.5h", "1", "1 h", "一", "4294967296d", "h1"] {
            assert!(length(wrong).is_err(), "{wrong}");
        }
    }
}
