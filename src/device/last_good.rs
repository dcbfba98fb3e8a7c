//! Last-good store: `good/` in a site's folder, with the last `site.toml` and revisions of its scene that ran well.
//!
//! It holds the last `site.toml` that ran, and the last revisions that ran for long. They are used when the current
//! ones are broken. Nobody edits them, and deleting the folder loses nothing else.

use super::atomic_file::{PRIVATE_MODE, replace};
use super::scene_folder::{all_part_paths, digest, read_part};
use crate::files::{ConfinedDir, read_text_file};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Most revisions of the scene that are kept: if the last one crashes, the one before may not.
const SCENES_KEPT_MAX: usize = 2;
/// Most bytes of a revision; a larger one is not kept.
const SCENE_BYTES_MAX: u64 = 256 << 20;
/// Most bytes of a `site.toml` that is kept.
const SITE_BYTES_MAX: u64 = 1 << 20;

/// Name of the copy of `site.toml`.
const SITE_FILE: &str = "site.toml";
/// Prefix of the folders that hold copies of revisions; the digest follows.
const SCENE_PREFIX: &str = "scene-";
/// Ending of the name of a copy that is not complete.
const PARTIAL_SUFFIX: &str = ".part";

/// Copies that a site keeps.
#[derive(Debug, Clone)]
pub struct LastGoodStore {
    dir: PathBuf,
}

impl LastGoodStore {
    /// Returns the store of a site's folder. Nothing is created before something is kept.
    pub fn new(site: &Path) -> Self {
        Self { dir: site.join("good") }
    }

    /// Returns the path of the last good `site.toml`.
    pub fn site_file(&self) -> PathBuf {
        self.dir.join(SITE_FILE)
    }

    /// Returns the last `site.toml` that ran, if one is kept.
    pub fn site(&self) -> Option<String> {
        read_text_file(&self.site_file(), SITE_BYTES_MAX).ok()
    }

    /// Keeps a copy of `site.toml`, readable by its owner only: it may hold a camera's password.
    pub fn save_site(&self, text: &str) -> io::Result<()> {
        self.create_dir()?;
        replace(&self.site_file(), PRIVATE_MODE, text.as_bytes())
    }

    /// Copies the revision with this digest from its folder. Discards all but the last two.
    ///
    /// Fails if the folder holds another revision by now or one of more than 256 MiB, or if the disk is full; the
    /// copies that were kept before stay.
    pub fn save_scene(&self, from: &Path, edition: &str) -> io::Result<()> {
        self.create_dir()?;
        let place = self.dir.join(format!("{SCENE_PREFIX}{edition}"));
        if self.is_intact(&place, edition) {
            // The revision that was kept last must be the newest.
            File::open(&place)?.set_modified(std::time::SystemTime::now())?;
            return self.prune();
        }
        let part = self.dir.join(format!("{SCENE_PREFIX}{edition}{PARTIAL_SUFFIX}"));
        remove_any(&part)?;
        let copied = copy_parts(from, &part).and_then(|()| {
            let is_same = digest(&part) == edition;
            is_same.then_some(()).ok_or_else(|| io::Error::other("it was changed meanwhile"))
        });
        if let Err(why) = copied {
            remove_any(&part)?;
            return Err(why);
        }
        remove_any(&place)?;
        std::fs::rename(&part, &place)?;
        File::open(&self.dir)?.sync_all()?;
        self.prune()
    }

    /// Returns the kept revisions, newest first: folder and digest. Leaves out a copy that a power cut has damaged.
    pub fn scenes(&self) -> Vec<(PathBuf, String)> {
        let mut scenes: Vec<_> =
            self.all_scenes().into_iter().filter(|(dir, name)| self.is_intact(dir, name)).collect();
        scenes.truncate(SCENES_KEPT_MAX);
        scenes
    }

    fn all_scenes(&self) -> Vec<(PathBuf, String)> {
        let Ok(entries) = std::fs::read_dir(&self.dir) else { return Vec::new() };
        let scene = |entry: io::Result<std::fs::DirEntry>| {
            let entry = entry.ok()?;
            let name = entry.file_name().into_string().ok()?;
            let edition = name.strip_prefix(SCENE_PREFIX).filter(|edition| !edition.ends_with(PARTIAL_SUFFIX))?;
            Some((entry.metadata().ok()?.modified().ok()?, entry.path(), edition.to_owned()))
        };
        let mut scenes: Vec<_> = entries.filter_map(scene).collect();
        scenes.sort_by(|a, b| b.cmp(a));
        scenes.into_iter().map(|(_, dir, edition)| (dir, edition)).collect()
    }

    fn is_intact(&self, dir: &Path, edition: &str) -> bool {
        std::fs::symlink_metadata(dir).is_ok_and(|about| about.is_dir()) && digest(dir) == edition
    }

    fn create_dir(&self) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.dir)
    }

    /// Discards all but the last revisions.
    fn prune(&self) -> io::Result<()> {
        self.all_scenes().into_iter().skip(SCENES_KEPT_MAX).try_for_each(|(dir, _)| remove_any(&dir))
    }
}

/// Copies all parts of a revision, and nothing else, into a new folder.
fn copy_parts(from: &Path, into: &Path) -> io::Result<()> {
    let make = |dir: &Path| DirBuilder::new().recursive(true).mode(0o700).create(dir);
    make(into)?;
    let files = ConfinedDir::open(from)?;
    let mut left = SCENE_BYTES_MAX;
    for part in all_part_paths(&files) {
        let Some(bytes) = read_part(&files, &part) else { continue };
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
fn remove_any(path: &Path) -> io::Result<()> {
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
        let shelf = LastGoodStore::new(dir.path());
        assert_eq!(shelf.site(), None);
        shelf.save_site("one").expect("our own folder");
        shelf.save_site("two").expect("our own folder");
        assert_eq!(shelf.site().as_deref(), Some("two"));
        let mode = |file: &Path| std::fs::metadata(file).expect("it is there").permissions().mode() & 0o777;
        assert_eq!((mode(&shelf.site_file()), mode(&dir.path().join("good"))), (0o600, 0o700));
    }

    #[test]
    fn the_last_two_editions_are_kept_whole() {
        let dir = tempfile::tempdir().expect("a folder");
        let shelf = LastGoodStore::new(dir.path());
        let mut editions = Vec::new();
        for text in ["one", "two", "three"] {
            let scene = scene(text);
            let edition = digest(scene.path());
            shelf.save_scene(scene.path(), &edition).expect("our own folder");
            editions.insert(0, edition);
            // Revisions are ordered by their modification times.
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
        let (shelf, scene) = (LastGoodStore::new(dir.path()), scene("one"));
        let edition = digest(scene.path());
        std::fs::write(scene.path().join("deep/scene.js"), "two").expect("our own folder");
        assert!(shelf.save_scene(scene.path(), &edition).is_err());
        assert!(shelf.scenes().is_empty());
        assert_eq!(std::fs::read_dir(dir.path().join("good")).expect("it is made").count(), 0, "nothing is left over");
    }
}
