//! `moongate record --site DIR FILE`: records visitors as shapes and touches, without a screen.
//! `moongate rehearse --visitors` plays the recording.

use super::Failure;
use crate::config::{Installation, SiteConfig};
use crate::device::camera_pipeline::CameraPipelines;
use crate::device::clock::monotonic;
use crate::device::site_handle::SiteHandle;
use crate::device::touch_sources::TouchSources;
use crate::device::visitor_recorder::{create_recording, record_until};
use crate::presence::CanvasRegion;
use crate::site::SiteSetup;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

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
    #[arg(long = "for", value_name = "TIME", default_value = "1h", value_parser = super::duration::parse_explicit)]
    pub length: Duration,
    /// Time for which the recording may be kept and played, at most 366d.
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = super::duration::parse_explicit)]
    pub keep: Duration,
}

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
    let views = site.screens.iter().map(|screen| CanvasRegion::from_fractions(canvas, screen.part)).collect();
    let handle = SiteHandle::new(SiteSetup::alone(canvas, views));
    let _fingers = TouchSources::start(&site, canvas, &handle);
    let _cameras = CameraPipelines::start(&site, canvas, &handle)?;

    let began = monotonic();
    record_until(recorder, &handle, |now| {
        handle.handle_timeout();
        now.saturating_sub(began) >= *length
    });
    Ok(())
}
