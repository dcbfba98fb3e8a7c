//! `good/` in a site's folder: the last `site.toml` that ran, and the last editions of its scene that ran for long. They are
//! used when the current ones are broken. Nobody edits them, and deleting the folder loses nothing else.

use super::atomic::{PRIVATE, replace};
use super::folder::{all_parts, contents, digest};
use crate::files::{Files, named_text};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Most editions of the scene that are kept: if the last one crashes, the one before may not.
const SCENES_MAX: usize = 2;
/// Most bytes of an edition; a larger one is not kept.
const SCENE_MAX: u64 = 256 << 20;
/// Most bytes of a `site.toml` that is kept.
const SITE_MAX: u64 = 1 << 20;

/// Name of the copy of `site.toml`.
const SITE: &str = "site.toml";
/// Prefix of the folders that hold copies of editions; the digest follows.
const SCENE: &str = "scene-";
/// Ending of the name of a copy that is not complete.
const PART: &str = ".part";

/// Copies that a site keeps.
#[derive(Debug, Clone)]
pub struct Shelf {
    dir: PathBuf,
}

impl Shelf {
    /// Returns the shelf of a site's folder. Nothing is created before something is kept.
    pub fn of(site: &Path) -> Self {
        Self { dir: site.join("good") }
    }

    /// Returns the path of the last good `site.toml`.
    pub fn site_file(&self) -> PathBuf {
        self.dir.join(SITE)
    }

    /// Returns the last `site.toml` that ran, if one is kept.
    pub fn site(&self) -> Option<String> {
        named_text(&self.site_file(), SITE_MAX).ok()
    }

    /// Keeps a copy of `site.toml`, readable by its owner only: it may hold a camera's password.
    pub fn keep_site(&self, text: &str) -> io::Result<()> {
        self.make()?;
        replace(&self.site_file(), PRIVATE, text.as_bytes())
    }

    /// Copies the edition with this digest from its folder. Discards all but the last two.
    ///
    /// Fails if the folder holds another edition by now or one of more than 256 MiB, or if the disk is full; the copies that were
    /// kept before stay.
    pub fn keep_scene(&self, from: &Path, edition: &str) -> io::Result<()> {
        self.make()?;
        let place = self.dir.join(format!("{SCENE}{edition}"));
        if self.is_whole(&place, edition) {
            // The edition that was kept last must be the newest.
            File::open(&place)?.set_modified(std::time::SystemTime::now())?;
            return self.tidy();
        }
        let part = self.dir.join(format!("{SCENE}{edition}{PART}"));
        discard(&part)?;
        let copied = copy(from, &part).and_then(|()| {
            let is_same = digest(&part) == edition;
            is_same.then_some(()).ok_or_else(|| io::Error::other("it was changed meanwhile"))
        });
        if let Err(why) = copied {
            discard(&part)?;
            return Err(why);
        }
        discard(&place)?;
        std::fs::rename(&part, &place)?;
        File::open(&self.dir)?.sync_all()?;
        self.tidy()
    }

    /// Returns the kept editions, newest first: folder and digest. Leaves out a copy that a power cut has damaged.
    pub fn scenes(&self) -> Vec<(PathBuf, String)> {
        let mut scenes: Vec<_> = self.all_scenes().into_iter().filter(|(dir, name)| self.is_whole(dir, name)).collect();
        scenes.truncate(SCENES_MAX);
        scenes
    }

    fn all_scenes(&self) -> Vec<(PathBuf, String)> {
        let Ok(entries) = std::fs::read_dir(&self.dir) else { return Vec::new() };
        let scene = |entry: io::Result<std::fs::DirEntry>| {
            let entry = entry.ok()?;
            let name = entry.file_name().into_string().ok()?;
            let edition = name.strip_prefix(SCENE).filter(|edition| !edition.ends_with(PART))?;
            Some((entry.metadata().ok()?.modified().ok()?, entry.path(), edition.to_owned()))
        };
        let mut scenes: Vec<_> = entries.filter_map(scene).collect();
        scenes.sort_by(|a, b| b.cmp(a));
        scenes.into_iter().map(|(_, dir, edition)| (dir, edition)).collect()
    }

    fn is_whole(&self, dir: &Path, edition: &str) -> bool {
        std::fs::symlink_metadata(dir).is_ok_and(|about| about.is_dir()) && digest(dir) == edition
    }

    fn make(&self) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.dir)
    }

    /// Discards all but the last editions.
    fn tidy(&self) -> io::Result<()> {
        self.all_scenes().into_iter().skip(SCENES_MAX).try_for_each(|(dir, _)| discard(&dir))
    }
}

/// Copies all parts of an edition, and nothing else, into a new folder.
fn copy(from: &Path, into: &Path) -> io::Result<()> {
    let make = |dir: &Path| DirBuilder::new().recursive(true).mode(0o700).create(dir);
    make(into)?;
    let files = Files::open(from)?;
    let mut left = SCENE_MAX;
    for part in all_parts(&files) {
        let Some(bytes) = contents(&files, &part) else { continue };
        left = left.checked_sub(bytes.len() as u64).ok_or_else(|| io::Error::other("it is too large"))?;
        let file = into.join(&part);
        if let Some(dir) = file.parent() {
            make(dir)?;
        }
        write_new(&file, &bytes)?;
    }
    File::open(into)?.sync_all()
}

/// Writes a new file, readable by its owner only; it is on the disk when this returns.
fn write_new(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
    out.write_all(bytes)?;
    out.sync_all()
}

/// Deletes a file or a folder, but never the target of a link.
fn discard(path: &Path) -> io::Result<()> {
    match std::fs::symlink_metadata(path) {
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(why) => Err(why),
        Ok(about) if about.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn scene(text: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).expect("our own folder");
        write("installation.toml", "api = 1\nid = \"test\"\ncanvas = [320, 180]\nscript = \"deep/scene.js\"\n");
        std::fs::create_dir(dir.path().join("deep")).expect("a new folder");
        write("deep/scene.js", text);
        write("notes.txt", "not a part");
        dir
    }

    #[test]
    fn a_site_is_kept_for_its_owner_only() {
        let dir = tempfile::tempdir().expect("a folder");
        let shelf = Shelf::of(dir.path());
        assert_eq!(shelf.site(), None);
        shelf.keep_site("one").expect("our own folder");
        shelf.keep_site("two").expect("our own folder");
        assert_eq!(shelf.site().as_deref(), Some("two"));
        let mode = |file: &Path| std::fs::metadata(file).expect("it is there").permissions().mode() & 0o777;
        assert_eq!((mode(&shelf.site_file()), mode(&dir.path().join("good"))), (0o600, 0o700));
    }

    #[test]
    fn the_last_two_editions_are_kept_whole() {
        let dir = tempfile::tempdir().expect("a folder");
        let shelf = Shelf::of(dir.path());
        let mut editions = Vec::new();
        for text in ["one", "two", "three"] {
            let scene = scene(text);
            let edition = digest(scene.path());
            shelf.keep_scene(scene.path(), &edition).expect("our own folder");
            editions.insert(0, edition);
            // Editions are ordered by their modification times.
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let kept = shelf.scenes();
        assert_eq!(kept.iter().map(|(_, edition)| edition).collect::<Vec<_>>(), [&editions[0], &editions[1]]);
        assert_eq!(std::fs::read_to_string(kept[0].0.join("deep/scene.js")).expect("it is kept"), "three");
        assert!(!kept[0].0.join("notes.txt").exists());

        std::fs::write(kept[0].0.join("deep/scene.js"), "torn").expect("our own folder");
        assert_eq!(shelf.scenes(), [kept[1].clone()], "a torn copy is not used");
    }

    #[test]
    fn an_edition_that_has_changed_meanwhile_is_not_kept() {
        let dir = tempfile::tempdir().expect("a folder");
        let (shelf, scene) = (Shelf::of(dir.path()), scene("one"));
        let edition = digest(scene.path());
        std::fs::write(scene.path().join("deep/scene.js"), "two").expect("our own folder");
        assert!(shelf.keep_scene(scene.path(), &edition).is_err());
        assert!(shelf.scenes().is_empty());
        assert_eq!(std::fs::read_dir(dir.path().join("good")).expect("it is made").count(), 0, "nothing is left over");
    }
}
