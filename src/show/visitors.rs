//! Simulated and recorded visitors of a show, and the recording of its visitors.

use crate::config::SiteConfig;
use crate::device::bots::{BotPreset, spawn_bots};
use crate::device::playback_source::spawn_playback;
use crate::device::recording_file::{Playback, PlaybackError};
use crate::device::site_handle::SiteHandle;
use crate::device::visitor_recorder::{create_recording, record_until};
use crate::presence::Point;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Opens the recording to play, if there is one, at a fraction of its length.
pub fn open_recording(file: Option<&Path>, part: f64) -> Result<Option<Playback>, PlaybackError> {
    let mut visitors = file.map(Playback::open).transpose()?;
    if let Some(playback) = visitors.as_mut().filter(|_| part > 0.0) {
        playback.seek(part);
    }
    Ok(visitors)
}

/// Starts the simulated and recorded visitors, each on its own thread. `canvas` is its size in canvas units.
pub fn spawn_visitors(
    cast: BotPreset,
    seed: u64,
    visitors: Option<Playback>,
    canvas: Point,
    site: &SiteHandle,
) -> io::Result<()> {
    spawn_bots(cast, canvas, seed, site.clone())?;
    if let Some(playback) = visitors {
        spawn_playback(playback, canvas, site.clone())?;
    }
    Ok(())
}

/// Records the visitors into a file until `over` is set, and returns the recording thread.
///
/// An error is logged and the show goes on. A show that is restarted, for example, finds its own file there already.
pub fn spawn_recorder(
    file: &Path,
    keep: Duration,
    config: &SiteConfig,
    canvas: Point,
    site: &SiteHandle,
    over: Arc<AtomicBool>,
) -> Option<JoinHandle<()>> {
    let recorder = create_recording(file, config, canvas, keep);
    let recorder = recorder.map_err(|why| tracing::error!("nothing is recorded: {why}")).ok()?;
    let site = site.clone();
    let write = move || record_until(recorder, &site, |_| over.load(Ordering::Relaxed));
    let thread = std::thread::Builder::new().name("record".into()).spawn(write);
    thread.map_err(|why| tracing::error!("nothing is recorded: no thread could be started ({why})")).ok()
}
