//! How a show ends, whatever its frame loop does: in order, and within the time that its contract names.

use crate::device::asked::on_asked;
use crate::device::quic::LinkSender;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A show that has not ended this long after it was asked to is ended with its process.
const GRACE: Duration = Duration::from_secs(2);
/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Sees to it that the show ends once it is `over`, and lets signals ask for that.
///
/// The twin gets its goodbye at once. It does not wait for a frame loop that may be stuck in a driver.
pub fn watch(over: &Arc<AtomicBool>, link: LinkSender) -> io::Result<()> {
    let asked = over.clone();
    on_asked(move || asked.store(true, Ordering::Relaxed))?;
    let over = over.clone();
    let watch = move || {
        while !over.load(Ordering::Relaxed) {
            std::thread::sleep(LOOK);
        }
        link.end();
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
