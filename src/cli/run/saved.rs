//! Watch on a file that somebody edits. A change is reported once two looks in a row find the same file.

use crate::manifest::{Fault, Site};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::Duration;

/// Interval between looks at the file.
const LOOK: Duration = Duration::from_millis(250);

/// Inode, length, and modification time in seconds and nanoseconds.
type Stamp = Option<(u64, u64, i64, i64)>;

/// The `site.toml` of a folder.
pub struct Saved {
    file: PathBuf,
    known: Stamp,
    before: Stamp,
    next: Duration,
}

impl Saved {
    /// Watches `file`; its present state is not news.
    pub fn new(file: PathBuf) -> Self {
        let mut saved = Self { file, known: None, before: None, next: Duration::ZERO };
        saved.known = saved.stamp();
        saved.before = saved.known;
        saved
    }

    /// Returns the text of the file.
    pub fn read(&self) -> Result<String, Fault> {
        Site::text(&self.file)
    }

    /// Returns true if the file was saved with a change since the last one reported.
    pub fn look(&mut self, now: Duration) -> bool {
        if now < self.next {
            return false;
        }
        self.next = now + LOOK;
        let stamp = self.stamp();
        let is_news = stamp == self.before && stamp != self.known;
        self.before = stamp;
        if is_news {
            self.known = stamp;
        }
        is_news
    }

    fn stamp(&self) -> Stamp {
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
        let mut saved = Saved::new(file.clone());
        let mut looks = 0;
        let mut look = |saved: &mut Saved| {
            looks += 1;
            saved.look(LOOK * looks)
        };
        assert!(!look(&mut saved) && !look(&mut saved));
        std::fs::write(&file, "three").expect("our own folder");
        assert_eq!([look(&mut saved), look(&mut saved), look(&mut saved)], [false, true, false]);
        std::fs::remove_file(&file).expect("our own folder");
        assert_eq!([look(&mut saved), look(&mut saved), look(&mut saved)], [false, true, false]);
    }
}
