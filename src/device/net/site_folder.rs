//! Site folder of the link thread: follows the operator's changes and records links.

use crate::config::{ConfigError, TrustStore};
use crate::device::link_history::LinkRecorder;
use crate::device::peers_file::FileWatcher;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::task::{JoinHandle, spawn_blocking};

/// Interval at which the folder is checked.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

pub(super) struct SiteFolder {
    dir: PathBuf,
    watcher: FileWatcher,
    /// Time of the next check, monotonic.
    next_poll: Duration,
    recorder: LinkRecorder,
    writing: Option<JoinHandle<()>>,
}

impl SiteFolder {
    /// Opens the folder of a site whose show runs from now on.
    pub fn new(dir: &Path, now: Duration) -> Self {
        Self {
            dir: dir.to_owned(),
            watcher: FileWatcher::for_twins(dir),
            next_poll: now,
            recorder: LinkRecorder::open(dir),
            writing: None,
        }
    }

    /// Reads the trusted peers of the site, if they have changed since the last poll.
    pub fn poll(&mut self, now: Duration) -> Option<Result<TrustStore, ConfigError>> {
        if now < self.next_poll {
            return None;
        }
        self.next_poll = now + POLL_INTERVAL;
        self.watcher.poll_changed().then(|| TrustStore::read(&self.dir))
    }

    /// Records the linked twin without waiting for a disk; must be called on the link's runtime.
    pub fn record_link(&mut self, now: Duration, linked: Option<[u8; 32]>) {
        if self.writing.as_ref().is_none_or(JoinHandle::is_finished)
            && let Some(write) = self.recorder.record(now, linked)
        {
            self.writing = Some(spawn_blocking(write));
        }
    }
}
