//! Times of a site's last link with each twin, and the marker of its running show.
//!
//! The files are `linked.toml` and `show.lock` in its folder.

use super::peers_file::{replace_file, unix_time};
use data_encoding::HEXLOWER;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

const LINKED_FILE: &str = "linked.toml";
/// Lock that a show holds for as long as it runs; the system releases it however the show ends.
const LOCK_FILE: &str = "show.lock";
/// Most twins that are remembered; those linked longest ago are dropped.
const TWINS_MAX: usize = 64;
/// Interval at which a link that lasts is recorded again, so that its time survives even if the show is killed.
const REFRESH_INTERVAL: Duration = Duration::from_secs(600);
/// Longest time for which a command holds the lock while it checks whether a show runs.
const LOCK_CHECK_MAX: Duration = Duration::from_millis(20);
/// Least time between two writes.
const WRITE_INTERVAL_MIN: Duration = Duration::from_secs(2);

/// Record of the site's links.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct LinkHistory {
    /// True while a show runs here.
    pub show_running: bool,
    stored: HistoryFile,
}

#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct HistoryFile {
    /// Twin that is linked, in hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    now: Option<String>,
    /// Twins that were linked, the latest last.
    #[serde(default)]
    twin: Vec<LastLink>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct LastLink {
    key: String,
    /// Time of its last link, in seconds since 1970.
    linked: u64,
}

impl LinkHistory {
    /// Reads the record from a site's folder. A file that cannot be read counts as empty.
    pub fn read(dir: &Path) -> Self {
        let running = matches!(try_lock(dir, false), Err(why) if why.kind() == io::ErrorKind::WouldBlock);
        Self { show_running: running, stored: read_file(dir) }
    }

    /// Returns true while a show runs here and is linked with this twin.
    pub fn is_linked(&self, twin: &[u8; 32]) -> bool {
        self.show_running && self.stored.now == Some(HEXLOWER.encode(twin))
    }

    /// Returns when this twin was last linked, since 1970, as far as it was recorded.
    pub fn last_linked(&self, twin: &[u8; 32]) -> Option<Duration> {
        let key = HEXLOWER.encode(twin);
        self.stored.twin.iter().find(|last| last.key == key).map(|last| Duration::from_secs(last.linked))
    }
}

fn read_file(dir: &Path) -> HistoryFile {
    let text = std::fs::read_to_string(dir.join(LINKED_FILE)).unwrap_or_default();
    toml::from_str(&text).unwrap_or_default()
}

/// Takes the lock. Fails with `WouldBlock` if a show has it, or if another command is checking it at this moment.
fn try_lock(dir: &Path, create: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(create).create(create).mode(0o600).custom_flags(libc::O_NOFOLLOW);
    let file = options.open(dir.join(LOCK_FILE))?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    Ok(file)
}

/// State that the recorder shares with the thread that writes it.
#[derive(Debug)]
struct RecorderShared {
    dir: PathBuf,
    stored: Mutex<HistoryFile>,
    /// Held while the file is written, which may take long.
    write_lock: Mutex<()>,
}

/// Recorder of a show's links. Dropping it records the end.
#[derive(Debug)]
pub struct LinkRecorder {
    shared: Arc<RecorderShared>,
    /// Twin that was linked at the last record, and the time of that record, monotonic.
    last_record: (Option<[u8; 32]>, Option<Duration>),
    _lock: Option<File>,
}

impl LinkRecorder {
    /// Opens the recorder of a show that runs from now on in a site's folder.
    pub fn open(dir: &Path) -> Self {
        let lock = try_lock(dir, true).or_else(|_| {
            // A command may just be checking it.
            std::thread::sleep(LOCK_CHECK_MAX);
            try_lock(dir, true)
        });
        if let Err(why) = &lock {
            let file = dir.join(LOCK_FILE);
            tracing::warn!("{}: cannot be held ({why}); `moongate twins` does not see this show", file.display());
        }
        let mut written = read_file(dir);
        let killed = written.now.take().is_some();
        let shared = RecorderShared { dir: dir.to_owned(), stored: written.into(), write_lock: Mutex::default() };
        if killed {
            shared.write_file();
        }
        Self { shared: Arc::new(shared), last_record: (None, None), _lock: lock.ok() }
    }

    /// Records the twin linked at `now`, monotonic; call it often. Returns the write, for a thread that may block.
    pub fn record(&mut self, now: Duration, linked: Option<[u8; 32]>) -> Option<impl FnOnce() + Send + use<>> {
        let (before, at) = self.last_record;
        let changed = linked != before;
        let pause = if changed { WRITE_INTERVAL_MIN } else { REFRESH_INTERVAL };
        let due = at.is_none_or(|at| now.saturating_sub(at) >= pause);
        if !due || (!changed && linked.is_none()) {
            return None;
        }
        self.last_record = (linked, Some(now));
        self.shared.update(before, linked);
        let shared = self.shared.clone();
        Some(move || shared.write_file())
    }
}

impl Drop for LinkRecorder {
    fn drop(&mut self) {
        if let (Some(twin), _) = self.last_record {
            self.shared.update(Some(twin), None);
            self.shared.write_file();
        }
    }
}

impl RecorderShared {
    /// Records that `now` is linked, and that `before` was linked until now.
    fn update(&self, before: Option<[u8; 32]>, now: Option<[u8; 32]>) {
        let mut written = self.stored.lock().unwrap_or_else(PoisonError::into_inner);
        for key in [before, now].into_iter().flatten().map(|key| HEXLOWER.encode(&key)) {
            written.twin.retain(|last| last.key != key);
            written.twin.push(LastLink { key, linked: unix_time().as_secs() });
        }
        let over = written.twin.len().saturating_sub(TWINS_MAX);
        written.twin.drain(..over);
        written.now = now.map(|key| HEXLOWER.encode(&key));
    }

    /// Writes the newest records, even if another thread writes at the same time.
    fn write_file(&self) {
        let _disk = self.write_lock.lock().unwrap_or_else(PoisonError::into_inner);
        let written = self.stored.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let text = toml::to_string(&written).expect("text and numbers are TOML");
        let text = format!("# Written by a show that runs, for `moongate twins`.\n{text}");
        if let Err(why) = replace_file(&self.dir.join(LINKED_FILE), &text) {
            tracing::warn!("{why}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_of_a_link_is_what_was_noted() {
        let dir = tempfile::tempdir().expect("a folder");
        let (dir, second) = (dir.path(), Duration::from_secs(1));
        let [kobe, lyon] = [[1; 32], [2; 32]];
        let told = || LinkHistory::read(dir);
        assert_eq!(told(), LinkHistory::default());
        let mut notes = LinkRecorder::open(dir);
        assert!(told().show_running && !told().is_linked(&kobe) && told().last_linked(&kobe).is_none());
        assert!(notes.record(second, None).is_none(), "there is nothing to tell");
        notes.record(second, Some(kobe)).expect("news")();
        assert!(told().is_linked(&kobe) && !told().is_linked(&lyon) && told().last_linked(&lyon).is_none());
        let linked = told().last_linked(&kobe).expect("it was noted");
        assert!(unix_time().saturating_sub(linked) < Duration::from_secs(60), "{linked:?}");
        assert!(notes.record(second * 2, None).is_none(), "too soon after the last one");
        assert!(notes.record(second * 2, Some(kobe)).is_none() && notes.record(second * 500, Some(kobe)).is_none());
        assert!(notes.record(second * 602, Some(kobe)).is_some(), "a link that lasts");
        notes.record(second * 700, None).expect("news")();
        assert!(told().show_running && !told().is_linked(&kobe) && told().last_linked(&kobe).is_some());
        notes.record(second * 800, Some(lyon)).expect("news")();
        drop(notes);
        assert!(!told().show_running && !told().is_linked(&lyon));
        assert!(told().last_linked(&kobe).is_some() && told().last_linked(&lyon).is_some());
    }

    #[test]
    fn a_show_that_was_killed_is_not_linked() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut notes = LinkRecorder::open(dir.path());
        notes.record(Duration::from_secs(1), Some([1; 32])).expect("news")();
        // Stops the recorder and lets the system release the lock.
        drop(notes._lock.take());
        let told = LinkHistory::read(dir.path());
        assert!(!told.show_running && !told.is_linked(&[1; 32]) && told.last_linked(&[1; 32]).is_some());
        let _next = LinkRecorder::open(dir.path());
        let told = LinkHistory::read(dir.path());
        assert!(told.show_running && !told.is_linked(&[1; 32]) && told.last_linked(&[1; 32]).is_some());
    }

    #[test]
    fn garbage_tells_nothing() {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join(LINKED_FILE), "now = 7\n[[twin").expect("our own folder");
        assert_eq!(LinkHistory::read(dir.path()), LinkHistory::default());
    }
}
