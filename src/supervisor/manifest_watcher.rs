//! Watches a file for edits. A change is reported once two checks in a row find the same file.

use crate::config::{ConfigError, SiteConfig};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::Duration;

/// Interval between checks of the file.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// Inode, length, and modification time in seconds and nanoseconds.
type ManifestStamp = Option<(u64, u64, i64, i64)>;

/// Watcher of the `site.toml` in a folder.
pub struct ManifestWatcher {
    file: PathBuf,
    reported: ManifestStamp,
    previous: ManifestStamp,
    next: Duration,
}

impl ManifestWatcher {
    /// Watches `file` from its present state, which is not reported as a change.
    pub fn new(file: PathBuf) -> Self {
        let mut saved = Self { file, reported: None, previous: None, next: Duration::ZERO };
        saved.reported = saved.stamp();
        saved.previous = saved.reported;
        saved
    }

    /// Returns the text of the file.
    pub fn read(&self) -> Result<String, ConfigError> {
        SiteConfig::read_text(&self.file)
    }

    /// Returns true if the file was saved with a change since the last one reported.
    pub fn poll_changed(&mut self, now: Duration) -> bool {
        if now < self.next {
            return false;
        }
        self.next = now + POLL_INTERVAL;
        let stamp = self.stamp();
        let is_news = stamp == self.previous && stamp != self.reported;
        self.previous = stamp;
        if is_news {
            self.reported = stamp;
        }
        is_news
    }

    fn stamp(&self) -> ManifestStamp {
        let about = std::fs::metadata(&self.file).ok()?;
        Some((about.ino(), about.len(), about.mtime(), about.mtime_nsec()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_is_news_once_and_after_it_has_settled() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("site.toml");
        std::fs::write(&file, "one").expect("our own folder");
        let mut saved = ManifestWatcher::new(file.clone());
        let mut looks = 0;
        let mut look = |saved: &mut ManifestWatcher| {
            looks += 1;
            saved.poll_changed(POLL_INTERVAL * looks)
        };
        assert!(!look(&mut saved) && !look(&mut saved));
        std::fs::write(&file, "three").expect("our own folder");
        assert_eq!([look(&mut saved), look(&mut saved), look(&mut saved)], [false, true, false]);
        std::fs::remove_file(&file).expect("our own folder");
        assert_eq!([look(&mut saved), look(&mut saved), look(&mut saved)], [false, true, false]);
    }
}
