//! Watcher of an artist's folder: whatever is saved in it becomes a revision.
//!
//! It polls and does not use notifications, since editors replace files, and folders may be on other machines.

use crate::config::{Installation, MANIFEST_MAX};
use crate::device::decode::Decoder;
use crate::files::{self, ConfinedDir};
use crate::scene::{SceneDiagnostic, SceneRevision};
use ring::digest::{Context, SHA256};
use std::io;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Polling interval of the folder. A change is read once two polls agree: then the file is saved completely.
const POLL_INTERVAL: Duration = Duration::from_millis(40);
/// Most files that are checked.
const FILES_MAX: usize = 1_024;
/// Most bytes of a file that is part of a revision; an image or sound cannot be larger.
const FILE_MAX: u64 = 64 << 20;

/// Stamps of a folder's files; none for a file that cannot be read.
type FolderStamp = Vec<(String, Option<files::FileStamp>)>;

/// Folder that is read, and then watched.
pub struct SceneFolder {
    dir: PathBuf,
    decoder: Decoder,
    /// Its script, which may have any name and may be in a subfolder; none while it is not known.
    script: Option<PathBuf>,
    /// Its stamp when it was last read.
    last_stamp: Option<FolderStamp>,
}

impl SceneFolder {
    /// Returns a folder that has not been read yet; it need not exist.
    pub fn new(dir: PathBuf, decoder: Decoder) -> Self {
        Self { dir, decoder, script: None, last_stamp: None }
    }

    /// Returns its path.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Reads the whole folder.
    ///
    /// `may` receives the digest of its contents before any of them is parsed, and can refuse them.
    pub fn read(
        &mut self,
        may: &mut dyn FnMut(&str) -> Result<(), SceneDiagnostic>,
    ) -> Result<SceneRevision, SceneDiagnostic> {
        self.script = ConfinedDir::open(&self.dir).ok().and_then(|files| script_path(&files)).or(self.script.take());
        self.last_stamp = Some(self.stamp());
        let digest = digest(&self.dir);
        may(&digest)?;
        // Even if a file makes its reader panic, the next saved version is read.
        let read = std::panic::catch_unwind(AssertUnwindSafe(|| self.decoder.read(&self.dir)));
        let fault =
            || SceneDiagnostic::new("a file of the folder", "cannot be understood", "take out what was put there last");
        Ok(SceneRevision { digest, ..read.unwrap_or_else(|_| Err(fault()))? })
    }

    /// Reads the folder whenever something has been saved in it, and now if it was not read before.
    ///
    /// Calls `changed` for each revision after `first`, on a thread of its own, until the returned value is dropped.
    pub fn watch(
        mut self,
        first: Option<SceneRevision>,
        mut may: impl FnMut(&str) -> Result<(), SceneDiagnostic> + Send + 'static,
        mut changed: impl FnMut(Result<SceneRevision, SceneDiagnostic>) + Send + 'static,
    ) -> io::Result<FolderWatcher> {
        let over = Arc::new(AtomicBool::new(false));
        let ends = over.clone();
        let thread = std::thread::Builder::new().name("folder".into()).spawn(move || {
            let mut before = self.stamp();
            if let Some(first) = first {
                changed(Ok(first));
            }
            if self.last_stamp.is_none() {
                changed(self.read(&mut may));
            }
            while !ends.load(Ordering::Relaxed) {
                std::thread::sleep(POLL_INTERVAL);
                let now = self.stamp();
                if now == before && self.last_stamp.as_ref() != Some(&now) {
                    changed(self.read(&mut may));
                }
                before = now;
            }
        })?;
        Ok(FolderWatcher { stopping: over, thread: Some(thread) })
    }

    fn stamp(&self) -> FolderStamp {
        let Ok(files) = ConfinedDir::open(&self.dir) else { return FolderStamp::new() };
        // Follows links, since the files that they point to are read.
        let look = |part: String| (part.clone(), files.stat(part.as_ref()).ok());
        part_paths(&files, self.script.as_deref()).into_iter().map(look).collect()
    }
}

/// Handle of a watched folder; dropping it ends the watch.
pub struct FolderWatcher {
    stopping: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Drop for FolderWatcher {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has reported it.
            let _ = thread.join();
        }
    }
}

/// Returns the digest of a folder's contents: the same for the same files, wherever they are.
pub fn digest(dir: &Path) -> String {
    let mut context = Context::new(&SHA256);
    let mut add = |bytes: &[u8]| {
        context.update(&(bytes.len() as u64).to_le_bytes());
        context.update(bytes);
    };
    if let Ok(files) = ConfinedDir::open(dir) {
        for part in all_part_paths(&files) {
            if let Some(bytes) = read_part(&files, &part) {
                add(part.as_bytes());
                add(&bytes);
            }
        }
    }
    context.finish().as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Returns the bytes of a part; none if it is not read.
pub(super) fn read_part(files: &ConfinedDir, part: &str) -> Option<Vec<u8>> {
    files.read_bytes(part.as_ref(), FILE_MAX).ok()
}

/// Returns the paths, within a folder, of all parts of a revision, in order.
pub(super) fn all_part_paths(files: &ConfinedDir) -> Vec<String> {
    part_paths(files, script_path(files).as_deref())
}

/// Returns the path of a folder's script within it, if its manifest is valid.
fn script_path(files: &ConfinedDir) -> Option<PathBuf> {
    let text = files.read_text("installation.toml".as_ref(), MANIFEST_MAX).ok()?;
    Installation::parse(files.path(), &text).ok().map(|installation| installation.script)
}

/// Returns the paths, within a folder, of its script and all other parts of a revision, in order.
fn part_paths(files: &ConfinedDir, script: Option<&Path>) -> Vec<String> {
    let mut parts = files.names(FILES_MAX, SceneRevision::is_part_file);
    parts.extend(script.and_then(Path::to_str).map(str::to_owned));
    parts.sort();
    parts.dedup();
    parts
}
