//! Ends the show in order and within the time limit of its interface, even if the frame loop hangs.

use crate::device::signals::on_termination_signal;
use crate::device::site_handle::SiteHandle;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A show that has not ended this long after it was asked to is ended by exiting the process.
const GRACE: Duration = Duration::from_secs(2);
/// Interval between checks of the flag.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Ends the show once `over` is set, and sets it on a signal.
///
/// The twin gets its goodbye at once, without waiting for a frame loop that may be stuck in a driver.
pub fn spawn_watchdog(over: &Arc<AtomicBool>, site: SiteHandle) -> io::Result<()> {
    let asked = over.clone();
    on_termination_signal(move || asked.store(true, Ordering::Relaxed))?;
    end_after(over.clone(), site, || end_now())
}

/// Calls `end` if this process is still running some time after `over` was set.
fn end_after(over: Arc<AtomicBool>, site: SiteHandle, end: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let watch = move || {
        while !over.load(Ordering::Relaxed) {
            std::thread::sleep(POLL_INTERVAL);
        }
        site.stop();
        std::thread::sleep(GRACE);
        tracing::error!("the frame loop did not end; ending the process");
        end();
    };
    std::thread::Builder::new().name("ending".into()).spawn(watch).map(drop)
}

#[expect(clippy::disallowed_methods, reason = "a main thread that is stuck in a driver cannot be asked to return")]
fn end_now() -> ! {
    std::process::exit(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::net::{LinkSetup, LinkThread};
    use crate::device::site_key::SiteKey;
    use crate::link::{LinkConfig, LinkState, NowShowing};
    use std::net::UdpSocket;
    use std::time::Instant;

    fn wait(what: &str, at_most: Duration, come: impl Fn() -> bool) {
        let began = Instant::now();
        while !come() {
            assert!(began.elapsed() < at_most, "{what}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The test simulates a hung frame loop: no code checks `over`, and the link's thread goes on.
    #[test]
    fn the_twin_gets_its_goodbye_though_the_frame_loop_hangs() {
        let keys = [(); 2].map(|()| SiteKey::generate().expect("randomness"));
        let sockets = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").expect("loopback"));
        let at = sockets.map(|socket| socket.local_addr().expect("bound"));
        let [here, there] = [0, 1].map(|side: usize| {
            let config = LinkConfig {
                key: keys[side].public(),
                twin: Some(keys[1 - side].public()),
                boot: 1 + side as u64,
                city: ["kobe", "dublin"][side].into(),
                name: "test".into(),
                showing: NowShowing { installation: "test".into(), schema_hash: 1 },
                canvas: [320.0, 180.0],
            };
            LinkThread::start(at[side], LinkSetup::new(&keys[side], at[1 - side], config))
                .unwrap_or_else(|why| panic!("{why}"))
        });
        let is_linked = |link: &LinkThread| link.site().status().session.health.state == LinkState::Linked;
        wait("they are linked", Duration::from_secs(10), || is_linked(&here) && is_linked(&there));
        let (over, ended) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let ends = ended.clone();
        end_after(over.clone(), here.site(), move || ends.store(true, Ordering::Relaxed)).expect("a thread");
        let began = Instant::now();
        over.store(true, Ordering::Relaxed);
        wait("no goodbye came", Duration::from_secs(1), || !is_linked(&there));
        wait("it does not end", GRACE * 2, || ended.load(Ordering::Relaxed));
        assert!(began.elapsed() >= GRACE);
    }
}
