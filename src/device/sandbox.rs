//! Sandbox around a process that parses input from strangers, for a scene or a decoder.
//!
//! Even if that input takes over the engine, it reaches no file, no network and no other process. All that it needs
//! comes through the pipes that it was started with.

use std::fmt;

/// Most memory of any kind, in bytes: including the program itself, its libraries, and shareable memory.
#[cfg(target_os = "linux")]
const ADDRESS_SPACE_MAX: u64 = 2 << 30;
/// Most writable memory of a scene process, in bytes: the script's own limit, and room for messages.
pub const SCENE_MEMORY_MAX: u64 = 256 << 20;
/// Most writable memory of a decoder, in bytes: a file, the largest image with 16 bits per channel, and the result.
pub const DECODER_MEMORY_MAX: u64 = 512 << 20;

/// Advice for systems where the sandbox is incomplete.
pub const UNAVAILABLE_HELP: &str =
    "use a Linux with seccomp and Landlock (5.13 or newer), or, for scenes of people whom you trust, say `--unjailed`";

/// Consequence of an incomplete sandbox.
pub const UNSANDBOXED_WARNING: &str =
    "what a script makes of the engine it can do to this account: run only scenes of people whom you trust";

/// Layers of the sandbox that are active.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SandboxStatus {
    /// Only system calls for computing are permitted; seccomp.
    pub syscalls: bool,
    /// Files cannot be opened and ports cannot be used; Landlock.
    pub files: bool,
    /// Memory, files, processes and core dumps are bounded.
    pub limits: bool,
}

impl SandboxStatus {
    /// Returns true if all layers are active: code that has taken over the process can do no harm beyond it.
    pub fn is_complete(&self) -> bool {
        self.syscalls && self.files && self.limits
    }

    /// Returns the missing layers, for people to read; none if all are active.
    pub fn missing(&self) -> Option<String> {
        (!self.is_complete()).then(|| self.to_string())
    }
}

impl fmt::Display for SandboxStatus {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let walls = [("system calls", self.syscalls), ("files", self.files), ("limits", self.limits)];
        let missing: Vec<&str> = walls.into_iter().filter_map(|(wall, holds)| (!holds).then_some(wall)).collect();
        match missing[..] {
            [] => write!(f, "jailed"),
            _ => write!(f, "not jailed by: {}", missing.join(", ")),
        }
    }
}

/// Confines the calling thread and all that it starts, and limits its process to `memory` bytes of writable memory.
///
/// This cannot be undone. Must be called first, while there is only one thread; closes every open file but the three
/// standard streams.
#[cfg(target_os = "linux")]
pub fn enter(memory: u64) -> SandboxStatus {
    close_inherited();
    SandboxStatus {
        limits: set_rlimits(memory).is_ok(),
        files: restrict_files().unwrap_or(false),
        syscalls: filter_syscalls().is_ok(),
    }
}

/// Reports an empty sandbox: other systems have other mechanisms, which are not implemented.
#[cfg(not(target_os = "linux"))]
pub fn enter(_: u64) -> SandboxStatus {
    close_inherited();
    SandboxStatus::default()
}

/// Closes every file that this process inherited, except the three standard streams.
fn close_inherited() {
    let listed = std::fs::read_dir("/dev/fd")
        .map(|open| open.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok()).collect::<Vec<_>>());
    // If the system does not list them, this covers as many as most processes may have.
    for number in listed.unwrap_or_else(|_| (0..4_096).collect()).into_iter().filter(|number| *number > 2) {
        // The descriptor of the list itself is closed already.
        let _ = nix::unistd::close(number);
    }
}

/// Limits the CPU time of this process, and its memory in bytes.
///
/// Beyond the CPU limit the process is killed, beyond the memory limit allocations fail. Systems without such limits
/// have none.
pub fn limit_cpu_and_memory(processor: std::time::Duration, memory: u64) {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        for (resource, most) in [(Resource::Cpu, processor.as_secs()), (Resource::As, memory)] {
            if let Err(why) = setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) }) {
                tracing::warn!("this process cannot be bounded ({why})");
            }
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (processor, memory);
}

/// Limits the resources of the process, including its bytes of writable memory.
#[cfg(target_os = "linux")]
pub fn set_rlimits(memory: u64) -> rustix::io::Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    for (resource, most) in [
        (Resource::Data, memory),
        (Resource::As, ADDRESS_SPACE_MAX),
        (Resource::Core, 0),
        (Resource::Fsize, 0),
        (Resource::Msgqueue, 0),
        (Resource::Memlock, 0),
    ] {
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    Ok(())
}

/// Takes all files and TCP ports away from the calling thread, as far as this kernel can; false if it cannot at all.
#[cfg(target_os = "linux")]
pub fn restrict_files() -> Result<bool, landlock::RulesetError> {
    use landlock::{ABI, Access, AccessFs, AccessNet, Ruleset, RulesetAttr, RulesetStatus};
    // An older kernel applies the rules that it supports.
    let newest = ABI::V5;
    let ruleset = Ruleset::default().handle_access(AccessFs::from_all(newest))?;
    let status = ruleset.handle_access(AccessNet::from_all(newest))?.create()?.restrict_self()?;
    Ok(status.ruleset != RulesetStatus::NotEnforced)
}

/// Restricts the calling thread to the system calls that computing, its memory and its open pipes need; others fail.
#[cfg(target_os = "linux")]
pub fn filter_syscalls() -> Result<(), seccompiler::Error> {
    use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch, apply_filter};
    let rules = [
        // Pipes that are open.
        libc::SYS_read,
        libc::SYS_write,
        libc::SYS_readv,
        libc::SYS_writev,
        libc::SYS_close,
        // Memory.
        libc::SYS_munmap,
        libc::SYS_mremap,
        libc::SYS_madvise,
        libc::SYS_brk,
        // Threads, time, randomness.
        libc::SYS_futex,
        libc::SYS_sched_yield,
        libc::SYS_clock_gettime,
        libc::SYS_getrandom,
        libc::SYS_getpid,
        libc::SYS_gettid,
        // Signals to the process itself, and exit.
        libc::SYS_rt_sigreturn,
        libc::SYS_rt_sigprocmask,
        libc::SYS_rt_sigaction,
        libc::SYS_sigaltstack,
        libc::SYS_restart_syscall,
        libc::SYS_exit,
        libc::SYS_exit_group,
    ]
    .map(|call| (call, Vec::new()));
    // Memory may hold data but never be executable.
    let never_run = [libc::SYS_mmap, libc::SYS_mprotect].map(|call| Ok((call, vec![deny_exec_rule()?])));
    let never_run = never_run.into_iter().collect::<Result<Vec<_>, seccompiler::BackendError>>();
    let rules = rules.into_iter().chain(never_run.map_err(seccompiler::Error::Backend)?).collect();
    let here = TargetArch::try_from(std::env::consts::ARCH).map_err(seccompiler::Error::Backend)?;
    let refused = SeccompAction::Errno(libc::EPERM as u32);
    let filter = SeccompFilter::new(rules, refused, SeccompAction::Allow, here).map_err(seccompiler::Error::Backend)?;
    let program: BpfProgram = filter.try_into().map_err(seccompiler::Error::Backend)?;
    apply_filter(&program)
}

/// Returns the rule that the third argument must not ask for executable memory.
#[cfg(target_os = "linux")]
fn deny_exec_rule() -> Result<seccompiler::SeccompRule, seccompiler::BackendError> {
    use seccompiler::{SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompRule};
    let exec = libc::PROT_EXEC as u64;
    SeccompRule::new(vec![SeccompCondition::new(2, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(exec), 0)?])
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::io;
    use std::path::Path;

    /// Tries what a confined thread could still do: open, list, write, connect, listen, start, run new code, see its
    /// own clock.
    fn tries(shut: impl FnOnce() + Send + 'static) -> Vec<io::ErrorKind> {
        let (file, folder) = (std::env::current_exe().expect("it runs"), std::env::temp_dir());
        let escape = move || {
            shut();
            let tries: [io::Result<()>; 7] = [
                std::fs::File::open(&file).map(drop),
                std::fs::read_dir(&folder).map(drop),
                std::fs::write(folder.join("moongate-jail-test"), "x"),
                std::net::TcpStream::connect("127.0.0.1:9").map(drop),
                std::net::UdpSocket::bind("127.0.0.1:0").map(drop),
                std::process::Command::new("/bin/true").status().map(drop),
                std::os::unix::net::UnixStream::connect(Path::new("/nowhere")).map(drop),
            ];
            // Computing still works.
            let sum: u64 = (0..1_000_000_u64).collect::<Vec<_>>().iter().sum();
            assert_eq!(sum, 499_999_500_000);
            assert!(crate::device::clock::thread_cpu() > std::time::Duration::ZERO);
            tries.map(|tried| tried.err().map_or(io::ErrorKind::Other, |why| why.kind())).to_vec()
        };
        let thread = std::thread::Builder::new().spawn(escape).expect("a thread");
        thread.join().expect("it does not panic")
    }

    #[test]
    fn nothing_is_reached_from_within() {
        let denied = io::ErrorKind::PermissionDenied;
        assert_eq!(tries(|| filter_syscalls().expect("this kernel has seccomp")), [denied; 7]);
        // Without a sandbox most attempts succeed: they are real.
        let free = tries(|| {});
        assert_eq!(free.iter().filter(|kind| **kind == denied).count(), 0, "{free:?}");
    }

    #[test]
    fn files_are_out_of_reach_by_themselves() {
        let kinds = tries(|| {
            restrict_files().expect("a ruleset can be made");
        });
        if kinds[0] == io::ErrorKind::Other {
            // This is a kernel without Landlock; seccomp alone is active.
            return;
        }
        assert_eq!(kinds[..3], [io::ErrorKind::PermissionDenied; 3], "{kinds:?}");
    }

    #[test]
    fn what_is_missing_is_said() {
        assert_eq!(SandboxStatus { syscalls: true, files: true, limits: true }.to_string(), "jailed");
        assert_eq!(
            SandboxStatus { files: true, ..SandboxStatus::default() }.to_string(),
            "not jailed by: system calls, limits"
        );
        let walls = |syscalls, files, limits| SandboxStatus { syscalls, files, limits };
        assert!(walls(true, true, true).is_complete());
        // A single missing layer is enough to fail.
        assert!(
            ![walls(false, true, true), walls(true, false, true), walls(true, true, false)]
                .iter()
                .any(SandboxStatus::is_complete)
        );
    }
}
