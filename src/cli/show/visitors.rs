//! Who comes to a show besides those whom its devices see: a cast, recorded visitors; and who writes down who was there.

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

/// Opens the recording that is to be played, if one is.
pub fn open_recording(arguments: &ShowArgs) -> Result<Option<Playback>, Failure> {
    let mut visitors = arguments.visitors.as_deref().map(Playback::open).transpose()?;
    if let Some(playback) = visitors.as_mut().filter(|_| arguments.visitors_at > 0.0) {
        playback.seek(arguments.visitors_at);
    }
    Ok(visitors)
}

/// Lets them come, each on a thread of its own. `canvas` in its units.
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

/// Records who is there, if that is asked for; the thread that does, until it is `over`.
///
/// What stands in the way is logged, and the show goes on: one that is started again finds its own file there.
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
