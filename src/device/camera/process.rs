//! A camera's program: started in a process group of its own, read with a limit to its silence, stopped for certain.

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

/// How long a program whose output ended has for ending by itself, so that its status can be told.
const EXIT_WAIT: Duration = Duration::from_millis(50);
/// How long a killed process may take to be gone; one that sits in its driver is left behind, and collected later.
const KILL_WAIT: Duration = Duration::from_millis(500);
/// How often a process that is to end is looked at.
const EXIT_POLL: Duration = Duration::from_millis(2);
/// Longest line of a program's that is told, in bytes.
const STDERR_LINE_MAX: usize = 200;

/// Tells a camera's thread to stop.
#[derive(Default)]
pub(super) struct StopSignal {
    set: AtomicBool,
    notify: Notify,
}

impl StopSignal {
    pub(super) fn set(&self) {
        self.set.store(true, Ordering::Relaxed);
        // Kept for the thread if it is not waiting now.
        self.notify.notify_one();
    }

    pub(super) fn is_set(&self) -> bool {
        self.set.load(Ordering::Relaxed)
    }

    /// Waits so long, or until it is over.
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

/// A program that runs, or that was killed and is not gone yet.
pub(super) struct CaptureProcess {
    child: Child,
    group: Pid,
    watchdog: Option<Child>,
    stdout: Option<Receiver>,
    stderr: Option<Receiver>,
    last_line: LastLine,
}

impl CaptureProcess {
    /// Starts a program, in `dir`. It reads nothing; what it writes is to be read with [`Self::reader`].
    pub(super) fn start(words: &[String], dir: &Path, runtime: &Runtime) -> io::Result<Self> {
        let (program, arguments) = words.split_first().ok_or_else(|| io::Error::other("no program is named"))?;
        let mut command = Command::new(resolve_program(program.into())?);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // An empty path is no folder to the system.
        if !dir.as_os_str().is_empty() {
            command.current_dir(dir);
        }
        // A group of its own: what it starts is killed with it, and Ctrl-C in a terminal is the show's to hear.
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

    /// Its standard output, which fails when nothing is read to the end before the deadline.
    pub(super) fn reader<'a>(
        &'a mut self,
        runtime: &'a Runtime,
        over: &'a StopSignal,
        deadline: Duration,
    ) -> CaptureOutput<'a> {
        CaptureOutput { process: self, runtime, stop: over, deadline }
    }

    /// The last line that it wrote to its standard error.
    pub(super) fn last_stderr_line(&self) -> Option<String> {
        self.last_line.line()
    }

    /// Ends it and all that it started: asks, waits for `grace`, kills. Its status, if it ended by itself; only one
    /// whose output ended is waited for.
    pub(super) fn terminate(&mut self, runtime: &Runtime, ended: bool, grace: Duration) -> Option<ExitStatus> {
        let by_itself = if ended { self.wait_exited(EXIT_WAIT.min(grace)) } else { self.has_exited() };
        if let Some(errors) = self.stderr.as_ref().filter(|_| by_itself) {
            // What it said last may not be read yet. Something it started may hold the pipe open: not for ever.
            let said = &mut self.last_line;
            runtime.block_on(async {
                let last_words = read_stderr(errors, said);
                let _ = tokio::time::timeout(EXIT_WAIT, last_words).await;
            });
        }
        // A program that is stuck writing notices by this.
        (self.stdout, self.stderr) = (None, None);
        // As long as nobody has collected the leader, no other group can have its number.
        if !by_itself && kill_process_group(self.group, Signal::TERM).is_ok() {
            self.wait_exited(grace);
        }
        let _ = kill_process_group(self.group, Signal::KILL);
        self.wait_exited(KILL_WAIT);
        if let Some(mut lifeline) = self.watchdog.take() {
            // It is of the group, and waits for nothing but its pipe.
            let _ = lifeline.kill();
            let _ = lifeline.wait();
        }
        let status = if self.has_exited() { self.child.wait().ok() } else { None };
        status.filter(|_| by_itself)
    }

    /// True when it has ended, and nothing of it is left in the system.
    pub(super) fn is_reaped(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for its end, however long that takes.
    pub(super) fn reap(mut self) {
        let _ = self.child.wait();
    }

    /// True when it has ended. Does not collect it.
    fn has_exited(&self) -> bool {
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        // An error means that there is no such child.
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

/// Kills a group when the show is gone, however it went: a shell within the group that waits for the end of a pipe which
/// only the show holds. A show that is killed at once would otherwise leave programs behind that never write again.
fn spawn_watchdog(group: Pid) -> io::Result<Child> {
    let kill = ["-c", "read -r _; kill -9 -\"$0\""];
    let mut command = Command::new("sh");
    command.args(kill).arg(group.as_raw_nonzero().to_string()).process_group(group.as_raw_nonzero().get());
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
}

/// A program's standard output for a reader that knows nothing of deadlines.
pub(super) struct CaptureOutput<'a> {
    process: &'a mut CaptureProcess,
    runtime: &'a Runtime,
    stop: &'a StopSignal,
    /// Monotonic.
    pub(super) deadline: Duration,
}

impl Read for CaptureOutput<'_> {
    /// Fails with `TimedOut` after the deadline, and with `ConnectionAborted` when it is over.
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.stop.is_set() {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            // Also where something comes: a byte now and then is no picture.
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
                    // It has closed its standard error, which is no reason to stop.
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

/// Reads what a program says until it says no more.
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
        // One that says a lot does not keep its pictures from being read.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// The last line of what a program says.
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

    /// Only what is text: a program that writes pictures to the wrong pipe must not have them logged.
    fn line(&self) -> Option<String> {
        let line = if self.line.is_empty() { &self.last } else { &self.line };
        let line = match std::str::from_utf8(line) {
            Ok(line) => line.trim(),
            // Cut off within its last letter.
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
