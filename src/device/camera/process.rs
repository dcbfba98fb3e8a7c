//! Process of a camera's program: started in its own group, read with a deadline, stopped reliably.

use super::super::clock::monotonic;
use super::super::self_exe::resolve_program;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use std::convert::Infallible;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::unix::pipe::Receiver;
use tokio::runtime::Runtime;
use tokio::sync::Notify;

/// Time that a program has to exit after its output ended, so that its exit status can be reported.
const EXIT_WAIT: Duration = Duration::from_millis(50);
/// Time to wait for a killed process. One that hangs in its driver is left behind and reaped later.
const KILL_WAIT: Duration = Duration::from_millis(500);
/// Polling interval for the exit of a process.
const EXIT_POLL: Duration = Duration::from_millis(2);
/// Longest reported line of a program's standard error, in bytes.
const STDERR_LINE_MAX: usize = 200;

/// Signal that stops a camera's thread.
#[derive(Default)]
pub(super) struct StopSignal {
    set: AtomicBool,
    notify: Notify,
}

impl StopSignal {
    pub(super) fn set(&self) {
        self.set.store(true, Ordering::Relaxed);
        // The permit is kept if the thread is not waiting now.
        self.notify.notify_one();
    }

    pub(super) fn is_set(&self) -> bool {
        self.set.load(Ordering::Relaxed)
    }

    /// Sleeps for `time`, or until the signal is set.
    pub(super) fn sleep(&self, runtime: &Runtime, time: Duration) {
        if self.is_set() {
            return;
        }
        runtime.block_on(async {
            tokio::select! {
                () = tokio::time::sleep(time) => {}
                () = self.notify.notified() => {}
            }
        });
    }
}

/// Program that runs, or that was killed but has not exited yet.
pub(super) struct CaptureProcess {
    child: Child,
    group: Pid,
    watchdog: Option<Child>,
    stdout: Option<Receiver>,
    stderr: Option<Receiver>,
    last_line: LastLine,
}

impl CaptureProcess {
    /// Starts a program in `dir` without standard input; its output is read with [`Self::reader`].
    pub(super) fn start(words: &[String], dir: &Path, runtime: &Runtime) -> io::Result<Self> {
        let (program, arguments) = words.split_first().ok_or_else(|| io::Error::other("no program is named"))?;
        let mut command = Command::new(resolve_program(program.into())?);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // The system rejects an empty path as a folder.
        if !dir.as_os_str().is_empty() {
            command.current_dir(dir);
        }
        // In its own group its descendants are killed with it, and Ctrl-C in a terminal reaches only the show.
        let mut child = command.process_group(0).spawn()?;
        let group = Pid::from_child(&child);
        let pipes = child.stdout.take().zip(child.stderr.take());
        let mut process = Self {
            child,
            group,
            watchdog: spawn_watchdog(group).ok(),
            stdout: None,
            stderr: None,
            last_line: LastLine::default(),
        };
        let _inside = runtime.enter();
        let received = |fd: OwnedFd| Receiver::from_owned_fd(fd);
        let opened = pipes.ok_or_else(|| io::Error::other("it has no pipes")).and_then(|(output, errors)| {
            process.stdout = Some(received(output.into())?);
            process.stderr = Some(received(errors.into())?);
            Ok(())
        });
        if let Err(why) = opened {
            process.terminate(runtime, false, Duration::ZERO);
            return Err(why);
        }
        Ok(process)
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns its standard output; a read fails if it is not complete before the deadline.
    pub(super) fn reader<'a>(
        &'a mut self,
        runtime: &'a Runtime,
        over: &'a StopSignal,
        deadline: Duration,
    ) -> CaptureOutput<'a> {
        CaptureOutput { process: self, runtime, stop: over, deadline }
    }

    /// Returns the last line that it wrote to its standard error.
    pub(super) fn last_stderr_line(&self) -> Option<String> {
        self.last_line.line()
    }

    /// Ends the process group: asks, waits for `grace`, then kills.
    /// Returns the exit status if the program exited by itself; this is awaited only if its output ended (`ended`).
    pub(super) fn terminate(&mut self, runtime: &Runtime, ended: bool, grace: Duration) -> Option<ExitStatus> {
        let by_itself = if ended { self.wait_exited(EXIT_WAIT.min(grace)) } else { self.has_exited() };
        if let Some(errors) = self.stderr.as_ref().filter(|_| by_itself) {
            // Its last output may still be unread. A descendant may hold the pipe open, so the wait is limited.
            let said = &mut self.last_line;
            runtime.block_on(async {
                let last_words = read_stderr(errors, said);
                let _ = tokio::time::timeout(EXIT_WAIT, last_words).await;
            });
        }
        // A program that is blocked in a write notices this.
        (self.stdout, self.stderr) = (None, None);
        // Until the leader is reaped, no other group can have its number.
        if !by_itself && kill_process_group(self.group, Signal::TERM).is_ok() {
            self.wait_exited(grace);
        }
        let _ = kill_process_group(self.group, Signal::KILL);
        self.wait_exited(KILL_WAIT);
        if let Some(mut lifeline) = self.watchdog.take() {
            // The watchdog belongs to the group and waits only for its pipe.
            let _ = lifeline.kill();
            let _ = lifeline.wait();
        }
        let status = if self.has_exited() { self.child.wait().ok() } else { None };
        status.filter(|_| by_itself)
    }

    /// Returns true if the program has exited and is gone from the system.
    /// Reaps it if it has exited.
    pub(super) fn is_reaped(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for its end without a limit.
    pub(super) fn reap(mut self) {
        let _ = self.child.wait();
    }

    /// Returns true if it has exited. Does not reap it.
    fn has_exited(&self) -> bool {
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        // An error means that no such child exists.
        !matches!(waitid(WaitId::Pid(self.group), look), Ok(None))
    }

    fn wait_exited(&self, time: Duration) -> bool {
        let began = monotonic();
        loop {
            if self.has_exited() {
                return true;
            }
            if monotonic() - began >= time {
                return false;
            }
            std::thread::sleep(EXIT_POLL);
        }
    }
}

/// Starts a watchdog that kills the group once the show is gone, even if the show was killed abruptly.
/// The watchdog is a shell within the group that waits for the end of a pipe which only the show holds. Without it,
/// programs that never write again would stay behind.
fn spawn_watchdog(group: Pid) -> io::Result<Child> {
    let kill = ["-c", "read -r _; kill -9 -\"$0\""];
    let mut command = Command::new("sh");
    command.args(kill).arg(group.as_raw_nonzero().to_string()).process_group(group.as_raw_nonzero().get());
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
}

/// Standard output of a program for a reader without support for deadlines.
pub(super) struct CaptureOutput<'a> {
    process: &'a mut CaptureProcess,
    runtime: &'a Runtime,
    stop: &'a StopSignal,
    /// Monotonic.
    pub(super) deadline: Duration,
}

impl Read for CaptureOutput<'_> {
    /// Fails with `TimedOut` after the deadline, and with `ConnectionAborted` when the stop signal is set.
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.stop.is_set() {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            // The deadline also applies while data arrives: an occasional byte is not a frame.
            let left = self.deadline.checked_sub(monotonic()).ok_or(io::ErrorKind::TimedOut)?;
            let CaptureProcess { stdout: Some(output), stderr: errors, last_line: said, .. } = &mut *self.process
            else {
                return Ok(0);
            };
            match output.try_read(bytes) {
                Err(why) if why.kind() == io::ErrorKind::WouldBlock => {}
                Err(why) if why.kind() == io::ErrorKind::Interrupted => continue,
                read => return read,
            }
            self.runtime.block_on(async {
                let silent = async {
                    if let Some(errors) = errors.as_ref() {
                        read_stderr(errors, said).await;
                    }
                    // It has closed its standard error, which is not a reason to stop.
                    std::future::pending::<Infallible>().await
                };
                tokio::select! {
                    ready = output.readable() => ready,
                    () = self.stop.notify.notified() => Err(io::ErrorKind::ConnectionAborted.into()),
                    () = tokio::time::sleep(left) => Err(io::ErrorKind::TimedOut.into()),
                    never = silent => match never {},
                }
            })?;
        }
    }
}

/// Reads the standard error of a program until it ends.
async fn read_stderr(errors: &Receiver, said: &mut LastLine) {
    let mut bytes = [0; 4_096];
    loop {
        match errors.try_read(&mut bytes) {
            Ok(0) => return,
            Ok(some) => said.push(&bytes[..some]),
            Err(why) if why.kind() == io::ErrorKind::WouldBlock => {
                if errors.readable().await.is_err() {
                    return;
                }
                continue;
            }
            Err(_) => return,
        }
        // Heavy output on standard error must not block the reading of frames.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Last line of a program's standard error.
#[derive(Default)]
struct LastLine {
    line: Vec<u8>,
    last: Vec<u8>,
}

impl LastLine {
    fn push(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            match byte {
                b'\n' | b'\r' if self.line.is_empty() => {}
                b'\n' | b'\r' => {
                    std::mem::swap(&mut self.line, &mut self.last);
                    self.line.clear();
                }
                _ if self.line.len() < STDERR_LINE_MAX => self.line.push(byte),
                _ => {}
            }
        }
    }

    /// Returns the line only if it is text.
    /// Frames that a program writes to the wrong pipe must not be logged.
    fn line(&self) -> Option<String> {
        let line = if self.line.is_empty() { &self.last } else { &self.line };
        let line = match std::str::from_utf8(line) {
            Ok(line) => line.trim(),
            // Cut off within its last character.
            Err(why) if why.error_len().is_none() => std::str::from_utf8(line.get(..why.valid_up_to())?).ok()?.trim(),
            Err(_) => return None,
        };
        let is_text = !line.is_empty() && line.chars().all(|letter| !letter.is_control());
        is_text.then(|| line.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_that_is_text_is_told() {
        let mut said = LastLine::default();
        assert_eq!(said.line(), None);
        said.push(b"one\ntwo");
        assert_eq!(said.line().as_deref(), Some("two"));
        said.push(b" and a half\r\n\n");
        assert_eq!(said.line().as_deref(), Some("two and a half"));
        said.push(&[b'x'; 10_000]);
        assert_eq!(said.line().map(|line| line.len()), Some(STDERR_LINE_MAX));
        said.push(b"\n");
        said.push("城".repeat(200).as_bytes());
        assert_eq!(said.line().map(|line| line.chars().count()), Some(STDERR_LINE_MAX / 3));
        said.push(b"\n\x10\x80\xff\n");
        assert_eq!(said.line(), None, "pixels are no text");
        said.push(b"\x10\x11\x12\n");
        assert_eq!(said.line(), None);
    }
}
