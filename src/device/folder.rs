//! An artist's folder, watched: whatever is saved in it becomes an edition. It is looked at and not waited for, since
//! editors replace files, and folders may lie on other machines.

use crate::device::decode::Decoder;
use crate::files::{self, Files};
use crate::manifest::{Installation, MANIFEST_MAX};
use crate::scene::{Edition, ScriptFault};
use ring::digest::{Context, SHA256};
use std::io;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often the folder is looked at. What has changed is read once it is the same in two looks: then it is saved whole.
const LOOK: Duration = Duration::from_millis(40);
/// Files of a folder that make an edition another one; more are not looked at.
const FILES_MAX: usize = 2_048;
/// Bytes of a file that is a part of an edition.
pub(super) const FILE_MAX: u64 = 64 << 20;

/// What a folder looks like from outside: its files, and what they are like unless they are none that are read.
type Stamp = Vec<(PathBuf, Option<files::Stamp>)>;

/// A folder that is read, and then watched.
pub struct Folder {
    dir: PathBuf,
    decoder: Decoder,
    /// Its script, which may have any name, or lie deeper; none while it is not known.
    script: Option<PathBuf>,
    /// What it looked like when it was read.
    known: Option<Stamp>,
}

impl Folder {
    /// A folder that is not read yet; it need not be there. `decoder` decodes its images and sounds.
    pub fn new(dir: PathBuf, decoder: Decoder) -> Self {
        Self { dir, decoder, script: None, known: None }
    }

    /// Its path.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Reads the folder whole. `may` is told the digest of what is in it before anything of that is understood, and can
    /// refuse it.
    pub fn read(&mut self, may: &mut dyn FnMut(&str) -> Result<(), ScriptFault>) -> Result<Edition, ScriptFault> {
        let found = Files::open(&self.dir).ok().and_then(|files| script(&files));
        self.script = found.or(self.script.take());
        self.known = Some(self.stamp());
        let digest = digest(&self.dir);
        may(&digest)?;
        // Whatever a file makes of its reader, the next that is saved is read.
        std::panic::catch_unwind(AssertUnwindSafe(|| self.decoder.read(&self.dir)))
            .unwrap_or_else(|_| {
                Err(ScriptFault::new(
                    "a file of the folder",
                    "cannot be understood",
                    "take out what was put there last",
                ))
            })
            .map(|edition| Edition { digest, ..edition })
    }

    /// Reads the folder whenever something has been saved in it, and now if it was not read before; `changed` is told of each,
    /// after the `first`, on a thread of its own, until what this returns is dropped.
    pub fn watch(
        mut self,
        first: Option<Edition>,
        mut may: impl FnMut(&str) -> Result<(), ScriptFault> + Send + 'static,
        mut changed: impl FnMut(Result<Edition, ScriptFault>) + Send + 'static,
    ) -> io::Result<Watch> {
        let over = Arc::new(AtomicBool::new(false));
        let ends = over.clone();
        let thread = std::thread::Builder::new().name("folder".into()).spawn(move || {
            let mut before = self.stamp();
            if let Some(first) = first {
                changed(Ok(first));
            }
            if self.known.is_none() {
                changed(self.read(&mut may));
            }
            while !ends.load(Ordering::Relaxed) {
                std::thread::sleep(LOOK);
                let now = self.stamp();
                if now == before && self.known.as_ref() != Some(&now) {
                    changed(self.read(&mut may));
                }
                before = now;
            }
        })?;
        Ok(Watch { over, thread: Some(thread) })
    }

    fn stamp(&self) -> Stamp {
        let Ok(files) = Files::open(&self.dir) else { return Stamp::new() };
        // Through links: what they point to is what is read.
        let about = |part: PathBuf| (part.clone(), files.look(&part).ok());
        parts(&files, self.script.as_deref()).into_iter().map(about).collect()
    }
}

/// A folder that is watched until this is dropped.
pub struct Watch {
    over: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so.
            let _ = thread.join();
        }
    }
}

/// What the content of a folder is known by: the same for the same files, wherever they lie.
pub fn digest(dir: &Path) -> String {
    let mut context = Context::new(&SHA256);
    if let Ok(files) = Files::open(dir) {
        for part in parts(&files, script(&files).as_deref()) {
            let name = part.to_string_lossy();
            context.update(&(name.len() as u64).to_le_bytes());
            context.update(name.as_bytes());
            let bytes = files.bytes(&part, FILE_MAX);
            context.update(&bytes.as_ref().map_or(u64::MAX, |bytes| bytes.len() as u64).to_le_bytes());
            context.update(&bytes.unwrap_or_default());
        }
    }
    context.finish().as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// The script of a folder, within it, where its manifest is sound.
fn script(files: &Files) -> Option<PathBuf> {
    let text = files.text("installation.toml".as_ref(), MANIFEST_MAX).ok()?;
    Installation::parse(files.path(), &text).ok().map(|installation| installation.script)
}

/// The paths, within a folder, of its script and of all else that an edition is made of, in order.
fn parts(files: &Files, script: Option<&Path>) -> Vec<PathBuf> {
    let names = files.names(FILES_MAX, Edition::is_part).into_iter().map(PathBuf::from);
    let mut parts: Vec<PathBuf> = names.chain(script.map(Path::to_owned)).collect();
    parts.sort();
    parts.dedup();
    parts
}

/// The paths, within a folder, of all that an edition is made of, in order.
pub(super) fn all_parts(files: &Files) -> Vec<PathBuf> {
    parts(files, script(files).as_deref())
}
