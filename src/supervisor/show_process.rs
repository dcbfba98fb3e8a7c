//! A show as a child process: starts it, reads its status lines and ends it. For `rehearse` and `run`.

use crate::device::bots::BotPreset;
use crate::device::self_exe;
use crate::escape::Escaped;
use crate::show::RehearsalKey;
use crate::show::control::memory;
use crate::show::status::{ShowOutput, ShowStatus};
use crate::terminal::{print_error, print_line};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

/// Most lines that wait to be read.
const LINES_MAX: usize = 64;
/// A show that ended sooner than this could not run at all.
const STARTUP_MIN: Duration = Duration::from_secs(3);
/// Time for a show to end after it was asked to; normally it takes at most 2 s.
const STOP_TIMEOUT: Duration = Duration::from_millis(2_300);
/// Time for a killed process to go away. One that does not is stuck in a driver and is left behind.
const KILL_TIMEOUT: Duration = Duration::from_millis(200);
/// Longest line of state, and of a show's log, in bytes.
const LINE_MAX: u64 = 16 << 20;
const LOG_MAX: u64 = 8 << 10;
/// Longest wait for the remaining output of a show that has ended.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(300);

/// Options for starting a show.
pub struct ShowOptions<'a> {
    /// Simulated visitors who touch.
    pub cast: BotPreset,
    /// Recorded visitors, and the fraction of the recording at which they begin.
    pub visitors: Option<(&'a Path, f64)>,
    /// Random seed of the cast and the scene.
    pub seed: u64,
    /// Runs without windows.
    pub offscreen: bool,
    /// Renders each frame while the next is prepared.
    pub pipelined: bool,
    /// Reports each touch and body.
    pub trace: bool,
    /// Shows the artist's errors on the screen.
    pub rehearsal: bool,
    /// Runs scenes even where this system cannot sandbox them.
    pub unjailed: bool,
    /// Program to run in place of this one.
    pub program: Option<&'a Path>,
    /// Manifest to read in place of the folder's site.toml.
    pub manifest: Option<PathBuf>,
    /// Digests of editions of the scene that must not be shown.
    pub excluded: &'a [String],
}

/// Process of a show.
pub struct ShowProcess {
    child: Child,
    input: Option<ChildStdin>,
    messages: Receiver<ShowOutput>,
    /// Keys pressed in its window and not taken yet.
    keys: Vec<RehearsalKey>,
    /// Memory of the show as it reports it, since no other process may read it.
    memory: Option<f64>,
    scene: Option<u32>,
    /// Edition that is shown, or is being read.
    edition: Option<String>,
    started: Instant,
}

impl ShowProcess {
    /// Starts the show of a site's folder.
    pub fn start(site: &Path, name: &str, options: &ShowOptions) -> io::Result<Self> {
        let program = options.program.map_or_else(self_exe::own_path, |program| Ok(program.into()))?;
        let mut command = Command::new(program);
        command.args(["show", "--site"]).arg(site);
        if options.rehearsal {
            command.arg("--rehearsal");
        }
        if options.unjailed {
            command.arg("--unjailed");
        }
        if options.trace {
            command.arg("--trace");
        }
        command.args(["--cast", &options.cast.to_string(), "--seed", &options.seed.to_string()]);
        if let Some((file, part)) = options.visitors {
            command.arg("--visitors").arg(file).args(["--visitors-at", &part.to_string()]);
        }
        if options.offscreen {
            command.arg("--offscreen");
        }
        if options.pipelined {
            command.arg("--pipelined");
        }
        if let Some(file) = &options.manifest {
            command.arg("--manifest").arg(file);
        }
        for edition in options.excluded {
            command.args(["--aside", edition]);
        }
        // Two software rasterisers with a thread per core each would leave no CPU time for anything else.
        if std::env::var_os("LP_NUM_THREADS").is_none()
            && std::thread::available_parallelism().is_ok_and(|n| n.get() <= 4)
        {
            command.env("LP_NUM_THREADS", "1");
        }
        // Graphics drivers look for this folder and print complaints without it. A site's folder is private enough.
        if std::env::var_os("XDG_RUNTIME_DIR").is_none() {
            command.env("XDG_RUNTIME_DIR", site);
        }
        // The show gets its own process group: Ctrl-C goes to the rehearsal only, which then ends its shows.
        let mut child =
            command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let (Some(input), Some(output), Some(errors)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(io::Error::other("a show has no pipes"));
        };
        print_line(format_args!("{name}: its show is process {}", child.id()));
        let (tell, said) = sync_channel(LINES_MAX);
        std::thread::Builder::new().name("show out".into()).spawn(move || {
            each_line(output, LINE_MAX, |line| match serde_json::from_str::<ShowOutput>(line) {
                Ok(line) => tell.send(line).is_ok(),
                Err(why) => {
                    tracing::debug!("not a state line ({why}): {line}");
                    true
                }
            });
        })?;
        let name = name.to_owned();
        std::thread::Builder::new().name("show errors".into()).spawn(move || {
            // The pipe is always drained, because a show must never block on its log.
            each_line(errors, LOG_MAX, |line| {
                print_error(format_args!("{name} | {}", Escaped(line)));
                true
            });
        })?;
        let keys = Vec::new();
        let (memory, scene, edition, began) = (None, None, None, Instant::now());
        Ok(Self { child, input: Some(input), messages: said, keys, memory, scene, edition, started: began })
    }

    /// Returns the status lines received since the last call.
    pub fn take_lines(&mut self) -> Vec<ShowStatus> {
        let mut lines = Vec::new();
        while let Ok(said) = self.messages.try_recv() {
            self.handle_message(said, &mut lines);
        }
        lines
    }

    fn handle_message(&mut self, said: ShowOutput, lines: &mut Vec<ShowStatus>) {
        match said {
            ShowOutput::State(line) => {
                self.scene = line.scene.pid;
                self.memory = line.memory_mib;
                self.edition.clone_from(&line.scene.edition);
                lines.push(*line);
            }
            ShowOutput::Key { key } => self.keys.extend(RehearsalKey::parse(&key)),
            ShowOutput::Edition { edition } => self.edition = Some(edition),
        }
    }

    /// Returns the lines that are still unread after the show has ended.
    pub fn drain_lines(&mut self) -> Vec<ShowStatus> {
        let (until, mut lines) = (Instant::now() + DRAIN_TIMEOUT, Vec::new());
        loop {
            // A child process of the show may hold its output open, so the wait is limited.
            match self.messages.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(said) => self.handle_message(said, &mut lines),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return lines,
            }
        }
    }

    /// Returns the digest of the edition that is shown, or is being read.
    pub fn edition(&self) -> Option<&str> {
        self.edition.as_deref()
    }

    /// Returns the keys pressed in its window since the last call, from the lines read so far.
    pub fn take_keys(&mut self) -> Vec<RehearsalKey> {
        std::mem::take(&mut self.keys)
    }

    /// Sends a command to the show; does nothing if the show is gone.
    pub fn send_command(&mut self, command: &str) {
        if let Some(input) = &mut self.input {
            let _ = writeln!(input, "{command}").and_then(|()| input.flush());
        }
    }

    /// Returns the exit status once the show has ended.
    pub fn exit_status(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Returns true if the show ran for longer than `STARTUP_MIN`.
    pub fn survived_startup(&self) -> bool {
        self.age() > STARTUP_MIN
    }

    /// Returns the time since the show was started.
    pub fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// Returns the memory of the show and of its scene process, in MiB.
    /// This is the proportional set size where the system reports it.
    pub fn memory(&self) -> [Option<f64>; 2] {
        [self.memory, self.scene.and_then(|pid| memory(&pid.to_string()))]
    }

    /// Asks the show to end, waits for it, and returns its last status lines.
    pub fn stop(mut self) -> Vec<ShowStatus> {
        self.input = None;
        if !self.is_gone_within(STOP_TIMEOUT) {
            self.kill();
        }
        self.drain_lines()
    }

    /// Kills the show at once.
    fn kill(&mut self) {
        let _ = self.child.kill();
        if !self.is_gone_within(KILL_TIMEOUT) {
            print_error(format_args!("process {} cannot be killed; its driver may be stuck", self.child.id()));
        }
    }

    fn is_gone_within(&mut self, time: Duration) -> bool {
        let began = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) {
            if began.elapsed() >= time {
                return false;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        true
    }
}

impl Drop for ShowProcess {
    fn drop(&mut self) {
        // After `stop` the process is gone already; after an error it must not be left behind.
        if !self.is_gone_within(Duration::ZERO) {
            self.kill();
        }
    }
}

/// Calls `each` with every line of a pipe until it ends or `each` returns false. Longer lines are split.
fn each_line(pipe: impl Read, most: u64, mut each: impl FnMut(&str) -> bool) {
    let mut pipe = BufReader::new(pipe);
    let mut line = Vec::new();
    loop {
        line.clear();
        match pipe.by_ref().take(most).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {
                let text = String::from_utf8_lossy(&line);
                if !each(text.trim_end_matches(['\n', '\r'])) {
                    return;
                }
            }
        }
    }
}
