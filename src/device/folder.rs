//! An artist's folder, watched: whatever is saved in it becomes an edition. It is looked at and not waited for, since
//! editors replace files, and folders may lie on other machines.

use crate::device::decode::Decoder;
use crate::files::{self, Files};
use crate::scene::{Edition, ScriptFault};
use std::io;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often the folder is looked at. What has changed is read once it is the same in two looks: then it is saved whole.
const LOOK: Duration = Duration::from_millis(40);

/// Most files that are looked at.
const FILES_MAX: usize = 1_024;

/// What a folder looks like from outside: its files, and what they are like unless they are none that are read.
type Stamp = Vec<(String, Option<files::Stamp>)>;

/// A folder that is watched until this is dropped.
pub struct Folder {
    over: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Folder {
    /// Reads the folder now, and again whenever something has been saved in it; `changed` is told of each, on a thread of its
    /// own.
    pub fn watch(
        dir: PathBuf,
        mut decoder: Decoder,
        mut changed: impl FnMut(Result<Edition, ScriptFault>) + Send + 'static,
    ) -> io::Result<Self> {
        let over = Arc::new(AtomicBool::new(false));
        let ends = over.clone();
        let thread = std::thread::Builder::new().name("folder".into()).spawn(move || {
            // The script may have another ending, or lie deeper.
            let mut script = PathBuf::new();
            let mut tell = |script: &mut PathBuf| {
                let edition = read(&mut decoder, &dir);
                if let Ok(edition) = &edition {
                    script.clone_from(&edition.installation.script);
                }
                changed(edition);
            };
            let mut known = stamp(&dir, &script);
            tell(&mut script);
            let mut before = known.clone();
            while !ends.load(Ordering::Relaxed) {
                std::thread::sleep(LOOK);
                let now = stamp(&dir, &script);
                if now != known && now == before {
                    known.clone_from(&now);
                    tell(&mut script);
                }
                before = now;
            }
        })?;
        Ok(Self { over, thread: Some(thread) })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so.
            let _ = thread.join();
        }
    }
}

/// Reads a folder. Whatever a file makes of its reader, the next that is saved is read.
fn read(decoder: &mut Decoder, dir: &Path) -> Result<Edition, ScriptFault> {
    std::panic::catch_unwind(AssertUnwindSafe(|| decoder.read(dir))).unwrap_or_else(|_| {
        Err(ScriptFault::new("a file of the folder", "cannot be understood", "take out what was put there last"))
    })
}

fn stamp(dir: &Path, script: &Path) -> Stamp {
    let Ok(files) = Files::open(dir) else { return Stamp::new() };
    let mut names = files.names(FILES_MAX, Edition::is_part);
    names.extend(script.to_str().map(str::to_owned));
    // Through links: what they point to is what is read.
    names.into_iter().map(|name| (name.clone(), files.look(name.as_ref()).ok())).collect()
}
