//! Supervisor of a site's show: restarts it whenever it ends, with the newest `site.toml` and scene that run.
//! Only a request ends the supervisor. `moongate run` runs it.

mod active_manifest;
mod edition_history;
mod manifest_watcher;
mod show_process;

pub use show_process::{ShowOptions, ShowProcess};

use crate::config::ConfigError;
use crate::device::bots::BotPreset;
use crate::device::clock::monotonic;
use crate::device::display::{self, NoDisplay};
use crate::device::last_good::LastGoodStore;
use crate::show::exit::{EXIT_NO_DISPLAY, EXIT_RESTART};
use crate::show::status::ShowStatus;
use crate::terminal::print_line;
use active_manifest::{ActiveManifest, EditOutcome};
use edition_history::{EditionHistory, EditionThresholds};
use manifest_watcher::ManifestWatcher;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// First pause before a show is restarted; each further one is twice as long.
const RESTART_BACKOFF: Duration = Duration::from_millis(500);
/// Longest of these pauses.
const RESTART_BACKOFF_MAX: Duration = Duration::from_secs(30);
/// Interval between checks of the show.
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// A show that has painted for this long is taken to run well, and so is the `site.toml` it was started with.
const STABLE_AFTER: Duration = Duration::from_secs(30);
/// Exit status of a show that cannot start. It does not count as a crash of its scene.
const CANNOT_START: u8 = 1;

/// Settings of a supervisor.
#[derive(Debug, Clone)]
pub struct SupervisorOptions {
    /// Folder of the site, as an absolute path.
    /// Graphics drivers need one that does not depend on the working directory.
    pub site: PathBuf,
    /// Runs the show without windows.
    pub offscreen: bool,
    /// Runs scenes even where this system cannot sandbox them.
    pub unjailed: bool,
    /// Program to run as the show in place of this one.
    pub program: Option<PathBuf>,
    /// Divisor of the long times; 1 except in tests.
    pub hurry: u32,
}

/// Supervisor of one site's show.
pub struct ShowSupervisor {
    options: SupervisorOptions,
    seed: u64,
    shelf: LastGoodStore,
    manifest: ActiveManifest,
    manifest_watcher: ManifestWatcher,
    history: EditionHistory,
    display: display::DisplayWaiter,
    show: Option<ShowProcess>,
    /// True once the running show has painted a frame.
    painted: bool,
    /// Last printed state of the link.
    last_link: String,
    /// Time at which the next show is started, while none runs.
    restart_at: Duration,
    backoff: Duration,
}

impl ShowSupervisor {
    /// Creates a supervisor. Fails only if there is nothing to run yet.
    pub fn new(options: SupervisorOptions) -> Result<Self, ConfigError> {
        let dir = options.site.clone();
        let shelf = LastGoodStore::new(&dir);
        let saved = ManifestWatcher::new(dir.join("site.toml"));
        let (manifest, fault) = ActiveManifest::load(dir, saved.read(), shelf.site())?;
        if let Some(fault) = fault {
            print_line(format_args!("{fault}; the last site.toml that ran is in force until it is mended"));
        }
        let EditionThresholds { stable_after: lived, retry_after: again } = EditionThresholds::default();
        let hurry = options.hurry.max(1);
        let proven = shelf.scenes().into_iter().map(|(_, edition)| edition);
        let ladder =
            EditionHistory::new(EditionThresholds { stable_after: lived / hurry, retry_after: again / hurry }, proven);
        Ok(Self {
            options,
            seed: fastrand::u64(..),
            shelf,
            manifest,
            manifest_watcher: saved,
            history: ladder,
            display: display::DisplayWaiter::default(),
            show: None,
            painted: false,
            last_link: String::new(),
            restart_at: Duration::ZERO,
            backoff: RESTART_BACKOFF,
        })
    }

    /// Supervises the show until the supervisor is asked to end, then ends the show in order.
    /// Fails only if the compositor that started this process has ended.
    pub fn run(mut self, asked: &AtomicBool) -> Result<(), NoDisplay> {
        while !asked.load(Ordering::Relaxed) {
            self.poll_manifest();
            if let Some(edition) = self.history.take_retry(monotonic()) {
                print_line(format_args!("edition {edition} of the scene is tried again"));
                self.restart_now();
            }
            match &mut self.show {
                // A show without a display would end at once, so it is started once there is one.
                None if monotonic() >= self.restart_at
                    && (self.options.offscreen || self.display.wait(|| asked.load(Ordering::Relaxed))?) =>
                {
                    self.start();
                }
                None => {}
                Some(show) => {
                    let ended = show.exit_status();
                    let mut lines = show.take_lines();
                    if matches!(ended, Ok(Some(_))) {
                        lines.extend(show.drain_lines());
                    }
                    self.handle_lines(&lines);
                    match ended {
                        Ok(None) => {}
                        Ok(Some(status)) => self.handle_exit(status),
                        Err(why) => {
                            print_line(format_args!("the show cannot be watched ({why})"));
                            self.schedule_restart();
                        }
                    }
                }
            }
            std::thread::sleep(POLL_INTERVAL);
        }
        if let Some(show) = self.show.take() {
            show.stop();
        }
        Ok(())
    }

    fn start(&mut self) {
        let aside: Vec<_> = self.history.excluded().map(str::to_owned).collect();
        let options = ShowOptions {
            cast: BotPreset::Nobody,
            visitors: None,
            seed: self.seed,
            offscreen: self.options.offscreen,
            pipelined: false,
            trace: false,
            rehearsal: false,
            unjailed: self.options.unjailed,
            program: self.options.program.as_deref(),
            manifest: self.manifest_file(),
            excluded: &aside,
        };
        self.history.handle_start();
        self.painted = false;
        match ShowProcess::start(&self.options.site, &self.manifest.site().city.latin, &options) {
            Ok(show) => self.show = Some(show),
            Err(why) => {
                print_line(format_args!(
                    "the show cannot be started ({why}); it is tried again in {:.1} s",
                    self.restart_seconds()
                ));
                self.schedule_restart();
            }
        }
    }

    /// Returns the file to read in place of the folder's site.toml while that is not in force.
    fn manifest_file(&self) -> Option<PathBuf> {
        let text = self.manifest.text();
        if !self.manifest.is_fallback() || (self.shelf.site().as_deref() != Some(text) && !self.store_site(text)) {
            return None;
        }
        Some(self.shelf.site_file())
    }

    fn store_site(&self, text: &str) -> bool {
        let kept = self.shelf.save_site(text);
        if let Err(why) = &kept {
            print_line(format_args!("site.toml cannot be kept in {} ({why})", self.shelf.site_file().display()));
        }
        kept.is_ok()
    }

    /// Handles the lines of state from the show.
    fn handle_lines(&mut self, lines: &[ShowStatus]) {
        let (Some(show), Some(line)) = (&self.show, lines.last()) else { return };
        let now = link_state(line);
        if now != self.last_link {
            print_line(&now);
            self.last_link = now;
        }
        self.painted |= line.painted > 0;
        let is_well = line.scene.ready && line.scene.fault.is_none();
        let (edition, age) = (show.edition().map(str::to_owned), show.age());
        if self.history.handle_shown(monotonic(), edition.as_deref(), is_well)
            && let Some(edition) = edition
        {
            self.store_scene(edition);
        }
        if self.painted
            && age >= STABLE_AFTER / self.options.hurry.max(1)
            && let Some(text) = self.manifest.mark_good().map(str::to_owned)
        {
            self.store_site(&text);
        }
    }

    /// Keeps an edition of the scene, on a separate thread because a disk may be slow.
    fn store_scene(&self, edition: String) {
        let (shelf, from) = (self.shelf.clone(), self.manifest.site().installation.clone());
        let keep = move || {
            if let Err(why) = shelf.save_scene(&from, &edition) {
                print_line(format_args!("{}: edition {edition} cannot be kept for worse days ({why})", from.display()));
            }
        };
        if let Err(why) = std::thread::Builder::new().name("keep".into()).spawn(keep) {
            print_line(format_args!("the scene cannot be kept for worse days ({why})"));
        }
    }

    fn handle_exit(&mut self, status: ExitStatus) {
        let edition = self.show.as_ref().and_then(|show| show.edition().map(str::to_owned));
        if self.show.as_ref().is_some_and(ShowProcess::survived_startup) {
            self.backoff = RESTART_BACKOFF;
        }
        if status.success() {
            print_line(format_args!(
                "the show was ended, or its last window closed; it is started again in {:.1} s",
                self.restart_seconds()
            ));
        } else if status.code() != Some(i32::from(EXIT_RESTART)) {
            print_line(format_args!(
                "the show ended ({status}); it is started again in {:.1} s",
                self.restart_seconds()
            ));
            self.attribute_failure(status, edition.as_deref());
        }
        self.schedule_restart();
    }

    /// Attributes a failure of the show to its likely cause; the newest change is suspected first.
    fn attribute_failure(&mut self, status: ExitStatus, edition: Option<&str>) {
        let ended = |code: u8| status.code() == Some(i32::from(code));
        // A window system that goes away may end the show with any status.
        if ended(EXIT_NO_DISPLAY) || (!self.options.offscreen && display::check().is_err()) {
            return;
        }
        if !self.manifest.is_proven() {
            if self.manifest.handle_failure() {
                print_line(
                    "the show does not run with this site.toml; the last one that ran is in force until it is edited",
                );
            }
            return;
        }
        let Some(edition) = edition.filter(|_| !ended(CANNOT_START)) else { return };
        if self.history.handle_crash(monotonic(), edition) {
            print_line(format_args!(
                "edition {edition} of the scene crashed the show twice within five minutes and is put aside until it is \
                 changed; the last edition that ran for ten minutes is shown, or else the gate of light"
            ));
        }
    }

    /// Schedules a restart of the show after the back-off.
    fn schedule_restart(&mut self) {
        self.show = None;
        self.restart_at = monotonic() + self.backoff;
        self.backoff = (self.backoff * 2).min(RESTART_BACKOFF_MAX);
    }

    fn restart_seconds(&self) -> f64 {
        self.backoff.as_secs_f64()
    }

    fn poll_manifest(&mut self) {
        if !self.manifest_watcher.poll_changed(monotonic()) {
            return;
        }
        match self.manifest.handle_edit(self.manifest_watcher.read()) {
            EditOutcome::Unchanged => print_line("site.toml was saved; it says what is in force already"),
            EditOutcome::Rejected(fault) => print_line(format_args!("{fault}; the show goes on as it was")),
            EditOutcome::SetPolicy(openness) => {
                print_line(format_args!("site.toml: `openness` is {} from now on", openness.as_str()));
                if let Some(show) = &mut self.show {
                    show.send_command(openness.as_str());
                }
            }
            EditOutcome::Restart(keys) => {
                let keys = keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
                print_line(format_args!("site.toml: {keys} changed; the show is started again with it"));
                self.restart_now();
            }
        }
    }

    /// Ends the show in order and schedules an immediate restart.
    fn restart_now(&mut self) {
        if let Some(show) = self.show.take() {
            show.stop();
        }
        (self.restart_at, self.backoff) = (Duration::ZERO, RESTART_BACKOFF);
    }
}

/// Describes the state of the link for users.
fn link_state(line: &ShowStatus) -> String {
    let way = if line.relayed { " through a relay" } else { "" };
    if line.why.is_empty() { format!("{}{way}", line.link) } else { format!("{}{way}: {}", line.link, line.why) }
}
