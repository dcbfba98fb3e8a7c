//! Requests to end this process: the signals SIGTERM, SIGINT and SIGHUP.

use std::io;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Calls `end`, on a thread of its own, on each of these signals. From then on only `end` can end the process.
///
/// SIGINT and SIGHUP stay ignored if the parent process had them ignored, as `nohup` does.
pub fn on_termination_signal(mut end: impl FnMut() + Send + 'static) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ignored = ignored_signals();
    let (mut terminate, mut interrupt, mut hangup) = {
        let _inside = runtime.enter();
        let unless_ignored =
            |kind: SignalKind| if is_in_mask(kind, ignored) { Ok(None) } else { signal(kind).map(Some) };
        (
            signal(SignalKind::terminate())?,
            unless_ignored(SignalKind::interrupt())?,
            unless_ignored(SignalKind::hangup())?,
        )
    };
    let heed = move || loop {
        runtime.block_on(async {
            tokio::select! {
                _ = terminate.recv() => {}
                () = recv_or_pending(&mut interrupt) => {}
                () = recv_or_pending(&mut hangup) => {}
            }
        });
        end();
    };
    std::thread::Builder::new().name("asked".into()).spawn(heed).map(drop)
}

async fn recv_or_pending(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => _ = signal.recv().await,
        None => std::future::pending().await,
    }
}

/// Returns the ignored signals as a mask; none if the system does not report it.
///
/// Bit N - 1 is signal N, as in `SigIgn` of proc_pid_status(5).
fn ignored_signals() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

fn is_in_mask(kind: SignalKind, mask: u64) -> bool {
    u32::try_from(kind.as_raw_value() - 1).is_ok_and(|bit| mask.checked_shr(bit).unwrap_or(0) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_of_signals_is_read() {
        // This is the mask that `nohup` leaves.
        assert!(is_in_mask(SignalKind::hangup(), 0x1) && !is_in_mask(SignalKind::interrupt(), 0x1));
        assert!(is_in_mask(SignalKind::interrupt(), 0x1002) && !is_in_mask(SignalKind::terminate(), 0x1002));
    }
}
