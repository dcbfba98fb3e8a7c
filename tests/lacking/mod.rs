//! A system without a given system call.

use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch, apply_filter};

/// Runs a closure on a thread where a system call fails as if the system lacked it, also for all it starts.
pub fn without<T: Send + 'static>(call: i64, does: impl FnOnce() -> T + Send + 'static) -> T {
    let thread = std::thread::Builder::new().name("lacking".into()).spawn(move || {
        let lacks = SeccompAction::Errno(libc::ENOSYS as u32);
        let here = TargetArch::try_from(std::env::consts::ARCH).expect("a system with seccomp");
        let rules = [(call, Vec::new())].into_iter().collect();
        let filter = SeccompFilter::new(rules, SeccompAction::Allow, lacks, here).expect("one rule");
        let program: BpfProgram = filter.try_into().expect("one rule");
        apply_filter(&program).expect("a system with seccomp");
        does()
    });
    thread.expect("a thread").join().unwrap_or_else(|why| std::panic::resume_unwind(why))
}
