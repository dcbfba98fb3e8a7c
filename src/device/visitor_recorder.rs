//! Records the visitors of a site as shapes and touches.

use super::clock::monotonic;
use super::recording_file::{RETENTION_MAX, Recorder};
use super::site_handle::SiteHandle;
use crate::config::SiteConfig;
use crate::presence::Point;
use std::path::Path;
use std::time::Duration;

/// Interval between samples of the visitors.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(16);

/// Creates a new recording of a site. The error is meant for users.
pub fn create_recording(file: &Path, site: &SiteConfig, canvas: Point, keep: Duration) -> Result<Recorder, String> {
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
pub fn record_until(mut recorder: Recorder, site: &SiteHandle, mut over: impl FnMut(Duration) -> bool) {
    loop {
        let now = monotonic();
        recorder.record(now, &site.presence());
        if over(now) {
            break;
        }
        std::thread::sleep(SAMPLE_INTERVAL);
    }
    if recorder.dropped() > 0 {
        tracing::warn!("{} instants were lost: the disk was too slow or too full for them", recorder.dropped());
    }
}
