//! Monotonic clock of the machine, which all its processes share.

use rustix::time::{ClockId, Timespec, clock_gettime};
use std::time::Duration;

/// Returns the time since the machine's own origin. It never goes back and is independent of the wall clock.
pub fn monotonic() -> Duration {
    to_duration(clock_gettime(ClockId::Monotonic))
}

/// Returns the CPU time that the calling thread has used.
pub fn thread_cpu() -> Duration {
    to_duration(clock_gettime(ClockId::ThreadCPUTime))
}

/// Returns the CPU time that a process has used; none if the system does not report it.
pub fn process_cpu_of(process: u32) -> Option<Duration> {
    let text = std::fs::read_to_string(format!("/proc/{process}/schedstat")).ok()?;
    let nanos = text.split_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(nanos))
}

/// Returns the CPU time that all threads of this process have used.
pub fn process_cpu() -> Duration {
    to_duration(clock_gettime(ClockId::ProcessCPUTime))
}

fn to_duration(Timespec { tv_sec, tv_nsec }: Timespec) -> Duration {
    Duration::new(tv_sec.max(0) as u64, tv_nsec.clamp(0, 999_999_999) as u32)
}

/// Lowers the CPU priority of the calling thread and of all that it starts.
///
/// The link and the sound, which were started before, then come first. It has no effect if the system does not permit
/// it.
pub fn lower_priority() {
    // `nice` is the value for the calling thread only, on Linux.
    let _ = rustix::process::nice(5);
}
