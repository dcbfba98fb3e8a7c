//! The site's folder, as the link thread uses it: what the operator changes there is followed, and links are noted there.

use crate::device::contact::Notes;
use crate::device::introductions::Watch;
use crate::manifest::{Fault, Twins};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::task::{JoinHandle, spawn_blocking};

/// The folder is looked at this often.
const LOOK: Duration = Duration::from_millis(500);

pub(super) struct Folder {
    dir: PathBuf,
    watch: Watch,
    /// The next look is due then, monotonic.
    at: Duration,
    notes: Notes,
    writing: Option<JoinHandle<()>>,
}

impl Folder {
    /// The folder of a site whose show runs from now on.
    pub fn new(dir: &Path, now: Duration) -> Self {
        Self { dir: dir.to_owned(), watch: Watch::twins(dir), at: now, notes: Notes::open(dir), writing: None }
    }

    /// Reads whom the site knows, where that has changed since the last look.
    pub fn look(&mut self, now: Duration) -> Option<Result<Twins, Fault>> {
        if now < self.at {
            return None;
        }
        self.at = now + LOOK;
        self.watch.look().then(|| Twins::read(&self.dir))
    }

    /// Notes who is linked, without waiting for a disk; to be called on the link's runtime.
    pub fn note(&mut self, now: Duration, linked: Option<[u8; 32]>) {
        if self.writing.as_ref().is_none_or(JoinHandle::is_finished)
            && let Some(write) = self.notes.note(now, linked)
        {
            self.writing = Some(spawn_blocking(write));
        }
    }
}
