//! What keeps the memory of a process, with the pictures that are in it, from ever becoming a file.

/// Turns core dumps off, for this process and all that it starts.
pub fn no_core_dumps() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        let none = Rlimit { current: Some(0), maximum: Some(0) };
        if let Err(why) = setrlimit(Resource::Core, none) {
            tracing::error!("core dumps cannot be turned off ({why}); turn them off for this user: ulimit -c 0");
        }
    }
}

/// Closes this process's memory to other programs of the same user, and to crash reporters, which a limit of size does
/// not stop. Not for what it starts: they say it for themselves.
///
/// Only for processes that hold pictures. It makes `/proc/PID` the administrator's, and where that folder is hidden from
/// others (`hidepid`), a show could not see any more how much of the processor its scene has used.
pub fn close_memory() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        if let Err(why) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
            tracing::error!("this process's memory cannot be closed to other programs ({why}); update the kernel");
        }
    }
}
