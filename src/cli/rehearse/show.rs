//! One of a rehearsal's two shows: its folder, its process, what it says.

use crate::cli::show::{Line, memory};
use crate::device::cast::Cast;
use crate::device::key::{SiteKey, hex};
use crate::manifest::City;
use std::io::{self, BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

/// Lines that wait to be read.
const LINES_MAX: usize = 64;
/// A show that ended sooner than this could not run at all.
const LIVED: Duration = Duration::from_secs(3);
/// A show has this long to end when it is asked to.
const GRACE: Duration = Duration::from_secs(5);
/// Size of each window.
const WINDOW: [u32; 2] = [960, 540];

/// A folder that goes with the rehearsal.
pub struct Folder(PathBuf);

impl Folder {
    /// A new one among the system's temporary files.
    pub fn new() -> io::Result<Self> {
        let dir =
            std::env::temp_dir().join(format!("moongate-rehearse-{}-{:08x}", std::process::id(), fastrand::u32(..)));
        std::fs::DirBuilder::new().mode(0o700).create(&dir)?;
        Ok(Self(dir))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Left over at worst: two throw-away keys.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Two throw-away sites that have pinned each other's fresh keys. Each finds its twin at its shore of the ocean, and has
/// the camera that `cameras` adds to its manifest.
pub fn make_sites(
    folder: &Folder,
    cities: [&City; 2],
    names: &[String; 2],
    installation: &Path,
    listen: [SocketAddr; 2],
    shores: [SocketAddr; 2],
    cameras: &[String; 2],
) -> Result<[PathBuf; 2], Box<dyn std::error::Error>> {
    let mut keys = [SiteKey::generate()?, SiteKey::generate()?];
    // The first city is side 0: whoever puts side 0 on the left has it as it was typed.
    keys.sort_by_key(SiteKey::public);
    let dirs = [0, 1].map(|index| folder.0.join(&names[index]));
    for index in 0..2 {
        std::fs::DirBuilder::new().mode(0o700).create(&dirs[index])?;
        keys[index].write(&dirs[index].join("site.key"))?;
        let quoted = |path: &Path| serde_json::to_string(&path.to_string_lossy());
        let manifest = format!(
            "api = 1\ncity = \"{}\"\nname = \"{}\"\ninstallation = {}\nlisten = \"{}\"\n\n\
             [twin]\nkey = \"{}\"\ncity = \"{}\"\naddress = \"{}\"\n\n\
             [[screen]]\nsize = [{}, {}]\nposition = [{}, 0]\n",
            cities[index].slug,
            names[index],
            quoted(installation)?,
            listen[index],
            hex(&keys[1 - index].public()),
            cities[1 - index].slug,
            shores[index],
            WINDOW[0],
            WINDOW[1],
            index as u32 * WINDOW[0],
        );
        std::fs::write(dirs[index].join("site.toml"), manifest + &cameras[index])?;
    }
    Ok(dirs)
}

/// How a show is started.
pub struct Options<'a> {
    pub cast: Cast,
    /// Recorded visitors, and how far into the recording they begin.
    pub visitors: Option<(&'a Path, f64)>,
    pub seed: u64,
    pub offscreen: bool,
    pub pipelined: bool,
}

/// A show's process.
pub struct Show {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<Line>,
    /// What it says of its own memory, which nobody else may look at, and the scene process.
    memory: Option<f64>,
    scene: Option<u32>,
    began: Instant,
}

impl Show {
    /// Starts the show of a site's folder.
    pub fn start(site: &Path, name: &str, options: &Options) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["show", "--trace", "--site"]).arg(site);
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
        let (said, lines) = sync_channel(LINES_MAX);
        std::thread::Builder::new().name("show out".into()).spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                match serde_json::from_str::<Line>(&line) {
                    Ok(line) => {
                        if said.send(line).is_err() {
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
        Ok(Self { child, input: Some(input), lines, memory: None, scene: None, began: Instant::now() })
    }

    /// What it has said since the last call.
    pub fn lines(&mut self) -> Vec<Line> {
        let lines: Vec<Line> = self.lines.try_iter().collect();
        if let Some(line) = lines.last() {
            self.scene = line.scene.pid;
            self.memory = line.memory_mib;
        }
        lines
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
        self.lines.iter().collect()
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
