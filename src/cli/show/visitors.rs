//! Simulated and recorded visitors of a show, and the recording of its visitors.

use super::{Failure, ShowArgs};
use crate::cli::record;
use crate::config::SiteConfig;
use crate::device::bots;
use crate::device::playback_source::spawn_playback;
use crate::device::recording_file::Playback;
use crate::device::touch_hub::TouchHub;
use crate::presence::Point;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// Opens the recording to play, if there is one.
pub fn open_recording(arguments: &ShowArgs) -> Result<Option<Playback>, Failure> {
    let mut visitors = arguments.visitors.as_deref().map(Playback::open).transpose()?;
    if let Some(playback) = visitors.as_mut().filter(|_| arguments.visitors_at > 0.0) {
        playback.seek(arguments.visitors_at);
    }
    Ok(visitors)
}

/// Starts the simulated and recorded visitors, each on its own thread. `canvas` is its size in canvas units.
pub fn spawn_visitors(
    arguments: &ShowArgs,
    visitors: Option<Playback>,
    canvas: Point,
    hub: &TouchHub,
) -> Result<(), Failure> {
    bots::spawn_bots(arguments.cast, canvas, arguments.seed, hub.clone())?;
    if let Some(playback) = visitors {
        spawn_playback(playback, canvas, hub.clone())?;
    }
    Ok(())
}

/// Records the visitors until `over` is set, if requested, and returns the recording thread.
///
/// An error is logged and the show goes on. A show that is restarted, for example, finds its own file there already.
pub fn spawn_recorder(
    arguments: &ShowArgs,
    site: &SiteConfig,
    canvas: Point,
    hub: &TouchHub,
    over: Arc<AtomicBool>,
) -> Option<JoinHandle<()>> {
    let file = arguments.record.as_deref()?;
    let recorder = record::create_recording(file, site, canvas, arguments.keep);
    let recorder = recorder.map_err(|why| tracing::error!("nothing is recorded: {why}")).ok()?;
    let hub = hub.clone();
    let write = move || record::record_until(recorder, &hub, |_| over.load(Ordering::Relaxed));
    let thread = std::thread::Builder::new().name("record".into()).spawn(write);
    thread.map_err(|why| tracing::error!("nothing is recorded: no thread could be started ({why})")).ok()
}
