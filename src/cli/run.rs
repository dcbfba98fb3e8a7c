//! `moongate run [site.toml]`: supervises a site's show and restarts it whenever it ends. Only a request ends the supervisor.

mod ladder;
mod manifest;
mod saved;

use super::display::{self, NoDisplay};
use super::process::{Options, Show};
use super::show::{AGAIN, Line, NO_DISPLAY};
use super::{complain, say};
use crate::device::asked::on_asked;
use crate::device::cast::Cast;
use crate::device::clock::monotonic;
use crate::device::shelf::Shelf;
use ladder::{Ladder, Times};
use manifest::{Edit, Manifest};
use saved::Saved;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// First and longest pause before a show is started again.
const PAUSE: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(30)];
/// Interval between looks at the show.
const LOOK: Duration = Duration::from_millis(50);
/// A show that has painted for this long is taken to run well, and so is the `site.toml` it was started with.
const RUNS: Duration = Duration::from_secs(30);
/// Exit status of a show that cannot start. It does not count as a crash of its scene.
const CANNOT_START: u8 = 1;

/// What can be said on the command line.
#[derive(Debug, Clone, clap::Args)]
pub struct Arguments {
    /// The site: its folder, or its site.toml.
    #[arg(value_name = "SITE", default_value = ".")]
    pub site: PathBuf,
    /// Draws without windows, and without a display.
    #[arg(long)]
    pub offscreen: bool,
    /// Runs scenes even where this system cannot jail them: only scenes by people you trust.
    #[arg(long)]
    pub unjailed: bool,
    /// Starts this program as the show. For tests.
    #[arg(long, hide = true, value_name = "PROGRAM")]
    pub show: Option<PathBuf>,
    /// Divides the long times by this number. For tests.
    #[arg(long, hide = true, value_name = "FACTOR", default_value_t = 1)]
    pub hurry: u32,
}

/// What can go wrong, with what to do about it.
type Failure = Box<dyn std::error::Error>;

/// Runs the site until Ctrl-C or a signal asks it to end.
pub fn run(arguments: &Arguments) -> ExitCode {
    match keep_running(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            complain(format_args!("moongate run: {why}"));
            ExitCode::FAILURE
        }
    }
}

/// Fails only if there is nothing to run yet, or if the compositor that started this process has ended.
fn keep_running(arguments: &Arguments) -> Result<(), Failure> {
    let dir = match &arguments.site {
        file if file.is_file() => file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new(".")),
        dir => dir,
    };
    // Graphics drivers want a path that does not depend on where they are.
    let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    let asked = Arc::new(AtomicBool::new(false));
    let end = asked.clone();
    on_asked(move || end.store(true, Ordering::Relaxed))?;
    Ok(Supervisor::new(arguments, dir)?.work(&asked)?)
}

/// Supervisor of one site's show.
struct Supervisor<'a> {
    arguments: &'a Arguments,
    dir: PathBuf,
    seed: u64,
    shelf: Shelf,
    manifest: Manifest,
    saved: Saved,
    ladder: Ladder,
    display: display::Watch,
    show: Option<Show>,
    /// True once the running show has painted a picture.
    painted: bool,
    /// Last printed state of the link.
    said: String,
    /// Time at which the next show is started, while none runs.
    next: Duration,
    pause: Duration,
}

impl<'a> Supervisor<'a> {
    fn new(arguments: &'a Arguments, dir: PathBuf) -> Result<Self, Failure> {
        let shelf = Shelf::of(&dir);
        let saved = Saved::new(dir.join("site.toml"));
        let (manifest, fault) = Manifest::begin(dir.clone(), saved.read(), shelf.site())?;
        if let Some(fault) = fault {
            say(format_args!("{fault}; the last site.toml that ran is in force until it is mended"));
        }
        let Times { lived, again } = Times::default();
        let hurry = arguments.hurry.max(1);
        let proven = shelf.scenes().into_iter().map(|(_, edition)| edition);
        let ladder = Ladder::new(Times { lived: lived / hurry, again: again / hurry }, proven);
        Ok(Self {
            arguments,
            dir,
            seed: fastrand::u64(..),
            shelf,
            manifest,
            saved,
            ladder,
            display: display::Watch::default(),
            show: None,
            painted: false,
            said: String::new(),
            next: Duration::ZERO,
            pause: PAUSE[0],
        })
    }

    /// Supervises the show until the supervisor is asked to end, then ends the show in order.
    fn work(mut self, asked: &AtomicBool) -> Result<(), NoDisplay> {
        while !asked.load(Ordering::Relaxed) {
            self.look_at_manifest();
            if let Some(edition) = self.ladder.again(monotonic()) {
                say(format_args!("edition {edition} of the scene is tried again"));
                self.begin_again();
            }
            match &mut self.show {
                // A show without a display would end at once, so it is started once there is one.
                None if monotonic() >= self.next
                    && (self.arguments.offscreen || self.display.wait(|| asked.load(Ordering::Relaxed))?) =>
                {
                    self.start();
                }
                None => {}
                Some(show) => {
                    let ended = show.ended();
                    let mut lines = show.lines();
                    if matches!(ended, Ok(Some(_))) {
                        lines.extend(show.last_words());
                    }
                    self.hear(&lines);
                    match ended {
                        Ok(None) => {}
                        Ok(Some(status)) => self.ended(status),
                        Err(why) => {
                            say(format_args!("the show cannot be watched ({why})"));
                            self.again();
                        }
                    }
                }
            }
            std::thread::sleep(LOOK);
        }
        if let Some(show) = self.show.take() {
            show.end();
        }
        Ok(())
    }

    fn start(&mut self) {
        let aside: Vec<_> = self.ladder.aside().map(str::to_owned).collect();
        let options = Options {
            cast: Cast::Nobody,
            visitors: None,
            seed: self.seed,
            offscreen: self.arguments.offscreen,
            pipelined: false,
            trace: false,
            rehearsal: false,
            unjailed: self.arguments.unjailed,
            program: self.arguments.show.as_deref(),
            manifest: self.manifest_file(),
            aside: &aside,
        };
        self.ladder.begins();
        self.painted = false;
        match Show::start(&self.dir, &self.manifest.site().city.latin, &options) {
            Ok(show) => self.show = Some(show),
            Err(why) => {
                say(format_args!("the show cannot be started ({why}); it is tried again in {:.1} s", self.seconds()));
                self.again();
            }
        }
    }

    /// Returns the file to read in place of the folder's site.toml while that is not in force.
    fn manifest_file(&self) -> Option<PathBuf> {
        let text = self.manifest.text();
        if !self.manifest.is_instead() || (self.shelf.site().as_deref() != Some(text) && !self.keep_site(text)) {
            return None;
        }
        Some(self.shelf.site_file())
    }

    fn keep_site(&self, text: &str) -> bool {
        let kept = self.shelf.keep_site(text);
        if let Err(why) = &kept {
            say(format_args!("site.toml cannot be kept in {} ({why})", self.shelf.site_file().display()));
        }
        kept.is_ok()
    }

    /// Handles the lines of state from the show.
    fn hear(&mut self, lines: &[Line]) {
        let (Some(show), Some(line)) = (&self.show, lines.last()) else { return };
        let now = state(line);
        if now != self.said {
            say(&now);
            self.said = now;
        }
        self.painted |= line.painted > 0;
        let is_well = line.scene.ready && line.scene.fault.is_none();
        let (edition, age) = (show.edition().map(str::to_owned), show.age());
        if self.ladder.shows(monotonic(), edition.as_deref(), is_well)
            && let Some(edition) = edition
        {
            self.keep_scene(edition);
        }
        if self.painted
            && age >= RUNS / self.arguments.hurry.max(1)
            && let Some(text) = self.manifest.ran().map(str::to_owned)
        {
            self.keep_site(&text);
        }
    }

    /// Keeps an edition of the scene, on a separate thread because a disk may be slow.
    fn keep_scene(&self, edition: String) {
        let (shelf, from) = (self.shelf.clone(), self.manifest.site().installation.clone());
        let keep = move || {
            if let Err(why) = shelf.keep_scene(&from, &edition) {
                say(format_args!("{}: edition {edition} cannot be kept for worse days ({why})", from.display()));
            }
        };
        if let Err(why) = std::thread::Builder::new().name("keep".into()).spawn(keep) {
            say(format_args!("the scene cannot be kept for worse days ({why})"));
        }
    }

    fn ended(&mut self, status: ExitStatus) {
        let edition = self.show.as_ref().and_then(|show| show.edition().map(str::to_owned));
        if self.show.as_ref().is_some_and(Show::lived) {
            self.pause = PAUSE[0];
        }
        if status.success() {
            say(format_args!(
                "the show was ended, or its last window closed; it is started again in {:.1} s",
                self.seconds()
            ));
        } else if status.code() != Some(i32::from(AGAIN)) {
            say(format_args!("the show ended ({status}); it is started again in {:.1} s", self.seconds()));
            self.blame(status, edition.as_deref());
        }
        self.again();
    }

    /// Attributes a failure of the show to its likely cause; the newest change is suspected first.
    fn blame(&mut self, status: ExitStatus, edition: Option<&str>) {
        let ended = |code: u8| status.code() == Some(i32::from(code));
        // A window system that goes away may end the show with any status.
        if ended(NO_DISPLAY) || (!self.arguments.offscreen && display::check().is_err()) {
            return;
        }
        if !self.manifest.is_proven() {
            if self.manifest.failed() {
                say("the show does not run with this site.toml; the last one that ran is in force until it is edited");
            }
            return;
        }
        let Some(edition) = edition.filter(|_| !ended(CANNOT_START)) else { return };
        if self.ladder.crashed(monotonic(), edition) {
            say(format_args!(
                "edition {edition} of the scene crashed the show twice within five minutes and is put aside until it is \
                 changed; the last edition that ran for ten minutes is shown, or else the gate of light"
            ));
        }
    }

    /// Schedules a restart of the show after the back-off.
    fn again(&mut self) {
        self.show = None;
        self.next = monotonic() + self.pause;
        self.pause = (self.pause * 2).min(PAUSE[1]);
    }

    fn seconds(&self) -> f64 {
        self.pause.as_secs_f64()
    }

    fn look_at_manifest(&mut self) {
        if !self.saved.look(monotonic()) {
            return;
        }
        match self.manifest.saved(self.saved.read()) {
            Edit::Same => say("site.toml was saved; it says what is in force already"),
            Edit::Refused(fault) => say(format_args!("{fault}; the show goes on as it was")),
            Edit::Open(openness) => {
                say(format_args!("site.toml: `openness` is {} from now on", openness.word()));
                if let Some(show) = &mut self.show {
                    show.say(openness.word());
                }
            }
            Edit::Again(keys) => {
                let keys = keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
                say(format_args!("site.toml: {keys} changed; the show is started again with it"));
                self.begin_again();
            }
        }
    }

    /// Ends the show in order and schedules an immediate restart.
    fn begin_again(&mut self) {
        if let Some(show) = self.show.take() {
            show.end();
        }
        (self.next, self.pause) = (Duration::ZERO, PAUSE[0]);
    }
}

/// How the link is, for people.
fn state(line: &Line) -> String {
    let way = if line.relayed { " through a relay" } else { "" };
    if line.why.is_empty() { format!("{}{way}", line.link) } else { format!("{}{way}: {}", line.link, line.why) }
}
