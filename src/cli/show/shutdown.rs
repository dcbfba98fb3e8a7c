//! The end of a show: in order, and within the time set by its contract, even if the frame loop hangs.

use crate::device::net::LinkHandle;
use crate::device::signals::on_termination_signal;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A show that has not ended this long after it was asked to is ended by exiting the process.
const GRACE: Duration = Duration::from_secs(2);
/// Interval between looks at the flag.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Ends the show once `over` is set, and sets it on a signal.
///
/// The twin gets its goodbye at once, without waiting for a frame loop that may be stuck in a driver.
pub fn spawn_watchdog(over: &Arc<AtomicBool>, link: LinkHandle) -> io::Result<()> {
    let asked = over.clone();
    on_termination_signal(move || asked.store(true, Ordering::Relaxed))?;
    let over = over.clone();
    let watch = move || {
        while !over.load(Ordering::Relaxed) {
            std::thread::sleep(POLL_INTERVAL);
        }
        link.stop();
        std::thread::sleep(GRACE);
        tracing::error!("the frame loop did not end; ending the process");
        end_now();
    };
    std::thread::Builder::new().name("ending".into()).spawn(watch).map(drop)
}

#[expect(clippy::disallowed_methods, reason = "a main thread that is stuck in a driver cannot be asked to return")]
fn end_now() -> ! {
    std::process::exit(0)
}
