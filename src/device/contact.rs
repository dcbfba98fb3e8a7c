//! Times of a site's last link with each twin, and the sign that its show runs: `linked.toml` and `show.lock` in its folder.

use super::introductions::{replace, since_1970};
use data_encoding::HEXLOWER;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

const LINKED: &str = "linked.toml";
/// Lock that a show holds for as long as it runs; the system releases it however the show ends.
const LOCK: &str = "show.lock";
/// Most twins that are remembered; those linked longest ago are dropped.
const TWINS_MAX: usize = 64;
/// Interval at which a link that lasts is noted again, so that its time survives even if the show is killed.
const AGAIN: Duration = Duration::from_secs(600);
/// Longest time for which a command holds the lock while it checks whether a show runs.
const LOOK: Duration = Duration::from_millis(20);
/// Least time between two notes.
const PAUSE: Duration = Duration::from_secs(2);

/// Record of the site's links.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Contact {
    /// True while a show runs here.
    pub running: bool,
    written: Written,
}

#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Written {
    /// Twin that is linked, in hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    now: Option<String>,
    /// Twins that were linked, the latest last.
    #[serde(default)]
    twin: Vec<Last>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Last {
    key: String,
    /// Time of its last link, in seconds since 1970.
    linked: u64,
}

impl Contact {
    /// Reads the record from a site's folder. A file that cannot be read counts as empty.
    pub fn read(dir: &Path) -> Self {
        let running = matches!(lock(dir, false), Err(why) if why.kind() == io::ErrorKind::WouldBlock);
        Self { running, written: read(dir) }
    }

    /// Returns true while a show runs here and is linked with this twin.
    pub fn is_linked(&self, twin: &[u8; 32]) -> bool {
        self.running && self.written.now == Some(HEXLOWER.encode(twin))
    }

    /// Returns when this twin was last linked, since 1970, as far as it was noted.
    pub fn last(&self, twin: &[u8; 32]) -> Option<Duration> {
        let key = HEXLOWER.encode(twin);
        self.written.twin.iter().find(|last| last.key == key).map(|last| Duration::from_secs(last.linked))
    }
}

fn read(dir: &Path) -> Written {
    let text = std::fs::read_to_string(dir.join(LINKED)).unwrap_or_default();
    toml::from_str(&text).unwrap_or_default()
}

/// Takes the lock. Fails with `WouldBlock` if a show has it, or if another command is checking it at this moment.
fn lock(dir: &Path, create: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(create).create(create).mode(0o600).custom_flags(libc::O_NOFOLLOW);
    let file = options.open(dir.join(LOCK))?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    Ok(file)
}

/// State that the notes share with the thread that writes them.
#[derive(Debug)]
struct Shared {
    dir: PathBuf,
    written: Mutex<Written>,
    /// Held while the file is written, which may take long.
    disk: Mutex<()>,
}

/// A show's notes of its links. Dropping them notes the end.
#[derive(Debug)]
pub struct Notes {
    shared: Arc<Shared>,
    /// Twin that was linked at the last note, and the time of that note, monotonic.
    noted: (Option<[u8; 32]>, Option<Duration>),
    _lock: Option<File>,
}

impl Notes {
    /// Opens the notes of a show that runs from now on in a site's folder.
    pub fn open(dir: &Path) -> Self {
        let lock = lock(dir, true).or_else(|_| {
            // A command may just have been checking it.
            std::thread::sleep(LOOK);
            lock(dir, true)
        });
        if let Err(why) = &lock {
            let file = dir.join(LOCK);
            tracing::warn!("{}: cannot be held ({why}); `moongate twins` does not see this show", file.display());
        }
        let mut written = read(dir);
        let killed = written.now.take().is_some();
        let shared = Shared { dir: dir.to_owned(), written: written.into(), disk: Mutex::default() };
        if killed {
            shared.write();
        }
        Self { shared: Arc::new(shared), noted: (None, None), _lock: lock.ok() }
    }

    /// Notes the twin linked at `now`, monotonic; call it often. Returns the write, for a thread that may block.
    pub fn note(&mut self, now: Duration, linked: Option<[u8; 32]>) -> Option<impl FnOnce() + Send + use<>> {
        let (before, at) = self.noted;
        let changed = linked != before;
        let pause = if changed { PAUSE } else { AGAIN };
        let due = at.is_none_or(|at| now.saturating_sub(at) >= pause);
        if !due || (!changed && linked.is_none()) {
            return None;
        }
        self.noted = (linked, Some(now));
        self.shared.note(before, linked);
        let shared = self.shared.clone();
        Some(move || shared.write())
    }
}

impl Drop for Notes {
    fn drop(&mut self) {
        if let (Some(twin), _) = self.noted {
            self.shared.note(Some(twin), None);
            self.shared.write();
        }
    }
}

impl Shared {
    /// Notes that `now` is linked, and that `before` was linked until now.
    fn note(&self, before: Option<[u8; 32]>, now: Option<[u8; 32]>) {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        for key in [before, now].into_iter().flatten().map(|key| HEXLOWER.encode(&key)) {
            written.twin.retain(|last| last.key != key);
            written.twin.push(Last { key, linked: since_1970().as_secs() });
        }
        let over = written.twin.len().saturating_sub(TWINS_MAX);
        written.twin.drain(..over);
        written.now = now.map(|key| HEXLOWER.encode(&key));
    }

    /// Writes the newest notes, even if another thread writes at the same time.
    fn write(&self) {
        let _disk = self.disk.lock().unwrap_or_else(PoisonError::into_inner);
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let text = toml::to_string(&written).expect("text and numbers are TOML");
        let text = format!("# Written by a show that runs, for `moongate twins`.\n{text}");
        if let Err(why) = replace(&self.dir.join(LINKED), &text) {
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
        let told = || Contact::read(dir);
        assert_eq!(told(), Contact::default());
        let mut notes = Notes::open(dir);
        assert!(told().running && !told().is_linked(&kobe) && told().last(&kobe).is_none());
        assert!(notes.note(second, None).is_none(), "there is nothing to tell");
        notes.note(second, Some(kobe)).expect("news")();
        assert!(told().is_linked(&kobe) && !told().is_linked(&lyon) && told().last(&lyon).is_none());
        let linked = told().last(&kobe).expect("it was noted");
        assert!(since_1970().saturating_sub(linked) < Duration::from_secs(60), "{linked:?}");
        assert!(notes.note(second * 2, None).is_none(), "too soon after the last one");
        assert!(notes.note(second * 2, Some(kobe)).is_none() && notes.note(second * 500, Some(kobe)).is_none());
        assert!(notes.note(second * 602, Some(kobe)).is_some(), "a link that lasts");
        notes.note(second * 700, None).expect("news")();
        assert!(told().running && !told().is_linked(&kobe) && told().last(&kobe).is_some());
        notes.note(second * 800, Some(lyon)).expect("news")();
        drop(notes);
        assert!(!told().running && !told().is_linked(&lyon));
        assert!(told().last(&kobe).is_some() && told().last(&lyon).is_some());
    }

    #[test]
    fn a_show_that_was_killed_is_not_linked() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut notes = Notes::open(dir.path());
        notes.note(Duration::from_secs(1), Some([1; 32])).expect("news")();
        // Stops the notes and lets the system release the lock.
        drop(notes._lock.take());
        let told = Contact::read(dir.path());
        assert!(!told.running && !told.is_linked(&[1; 32]) && told.last(&[1; 32]).is_some());
        let _next = Notes::open(dir.path());
        let told = Contact::read(dir.path());
        assert!(told.running && !told.is_linked(&[1; 32]) && told.last(&[1; 32]).is_some());
    }

    #[test]
    fn garbage_tells_nothing() {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join(LINKED), "now = 7\n[[twin").expect("our own folder");
        assert_eq!(Contact::read(dir.path()), Contact::default());
    }
}
