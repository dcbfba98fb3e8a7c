//! A show as a process of its own: how it is started, what it says, and how it ends. For `rehearse` and `run`.

use super::show::{Line, Said, memory};
use crate::device::cast::Cast;
use crate::operator::Key;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

/// Lines that wait to be read.
const LINES_MAX: usize = 64;
/// A show that ended sooner than this could not run at all.
const LIVED: Duration = Duration::from_secs(3);
/// A show has this long to end when it is asked to.
const GRACE: Duration = Duration::from_secs(5);

/// How a show is started.
pub struct Options<'a> {
    pub cast: Cast,
    /// Recorded visitors, and how far into the recording they begin.
    pub visitors: Option<(&'a Path, f64)>,
    pub seed: u64,
    pub offscreen: bool,
    pub pipelined: bool,
    /// Tells of each touch and body.
    pub trace: bool,
    /// Mistakes of the artist are shown.
    pub rehearsal: bool,
    /// Scenes run also where this system does not jail them.
    pub unjailed: bool,
}

/// A show's process.
pub struct Show {
    child: Child,
    input: Option<ChildStdin>,
    said: Receiver<Said>,
    /// What was pressed in its window and is not asked for yet.
    keys: Vec<Key>,
    /// What it says of its own memory, which nobody else may look at, and the scene process.
    memory: Option<f64>,
    scene: Option<u32>,
    began: Instant,
}

impl Show {
    /// Starts the show of a site's folder.
    pub fn start(site: &Path, name: &str, options: &Options) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
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
        // Two software rasterisers with a thread a core each would starve everything else.
        if std::env::var_os("LP_NUM_THREADS").is_none()
            && std::thread::available_parallelism().is_ok_and(|n| n.get() <= 4)
        {
            command.env("LP_NUM_THREADS", "1");
        }
        // Graphics drivers look for it and complain aloud; a site's folder is as private as it has to be.
        if std::env::var_os("XDG_RUNTIME_DIR").is_none() {
            command.env("XDG_RUNTIME_DIR", site);
        }
        // A group of its own: Ctrl-C is for the rehearsal, which then ends its shows.
        let mut child =
            command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let (Some(input), Some(output), Some(errors)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(io::Error::other("a show has no pipes"));
        };
        println!("{name}: its show is process {}", child.id());
        let (tell, said) = sync_channel(LINES_MAX);
        std::thread::Builder::new().name("show out".into()).spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                match serde_json::from_str::<Said>(&line) {
                    Ok(line) => {
                        if tell.send(line).is_err() {
                            return;
                        }
                    }
                    Err(why) => tracing::debug!("a line that is no state ({why}): {line}"),
                }
            }
        })?;
        let name = name.to_owned();
        std::thread::Builder::new().name("show errors".into()).spawn(move || {
            for line in BufReader::new(errors).lines().map_while(Result::ok) {
                eprintln!("{name} | {line}");
            }
        })?;
        let keys = Vec::new();
        Ok(Self { child, input: Some(input), said, keys, memory: None, scene: None, began: Instant::now() })
    }

    /// What it has said since the last call.
    pub fn lines(&mut self) -> Vec<Line> {
        let mut lines = Vec::new();
        for said in self.said.try_iter() {
            match said {
                Said::State(line) => lines.push(*line),
                Said::Key { key } => self.keys.extend(Key::parse(&key)),
            }
        }
        if let Some(line) = lines.last() {
            self.scene = line.scene.pid;
            self.memory = line.memory_mib;
        }
        lines
    }

    /// What was pressed in its window since the last call, as far as its lines are read.
    pub fn keys(&mut self) -> Vec<Key> {
        std::mem::take(&mut self.keys)
    }

    /// Says a command to it; one that is gone hears nothing.
    pub fn say(&mut self, command: &str) {
        if let Some(input) = &mut self.input {
            let _ = writeln!(input, "{command}").and_then(|()| input.flush());
        }
    }

    /// Its exit status, once it has one.
    pub fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// It ran for a while.
    pub fn lived(&self) -> bool {
        self.began.elapsed() > LIVED
    }

    /// Memory of the show and of its scene process, in MiB (proportional set size where the system tells it).
    pub fn memory(&self) -> [Option<f64>; 2] {
        [self.memory, self.scene.and_then(|pid| memory(&pid.to_string()))]
    }

    /// Asks it to end, and waits; what it still had to say.
    pub fn end(mut self) -> Vec<Line> {
        self.input = None;
        let asked = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) {
            if asked.elapsed() > GRACE {
                // It does not answer; nothing of it is kept.
                let _ = self.child.kill();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let state = |said| if let Said::State(line) = said { Some(*line) } else { None };
        self.said.iter().filter_map(state).collect()
    }
}

impl Drop for Show {
    fn drop(&mut self) {
        // After `end` there is nobody to kill; after a failure nobody is left behind.
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
