//! The site's folder, as the link thread uses it: it follows the operator's changes there, and notes links there.

use crate::device::contact::Notes;
use crate::device::introductions::Watch;
use crate::manifest::{Fault, Twins};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::task::{JoinHandle, spawn_blocking};

/// Interval at which the folder is checked.
const LOOK: Duration = Duration::from_millis(500);

pub(super) struct Folder {
    dir: PathBuf,
    watch: Watch,
    /// Time of the next check, monotonic.
    at: Duration,
    notes: Notes,
    writing: Option<JoinHandle<()>>,
}

impl Folder {
    /// Opens the folder of a site whose show runs from now on.
    pub fn new(dir: &Path, now: Duration) -> Self {
        Self { dir: dir.to_owned(), watch: Watch::twins(dir), at: now, notes: Notes::open(dir), writing: None }
    }

    /// Reads the twins that the site knows, if they have changed since the last look.
    pub fn look(&mut self, now: Duration) -> Option<Result<Twins, Fault>> {
        if now < self.at {
            return None;
        }
        self.at = now + LOOK;
        self.watch.look().then(|| Twins::read(&self.dir))
    }

    /// Notes the linked twin without waiting for a disk; must be called on the link's runtime.
    pub fn note(&mut self, now: Duration, linked: Option<[u8; 32]>) {
        if self.writing.as_ref().is_none_or(JoinHandle::is_finished)
            && let Some(write) = self.notes.note(now, linked)
        {
            self.writing = Some(spawn_blocking(write));
        }
    }
}
