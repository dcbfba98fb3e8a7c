//! This program itself, to be started again as another process: a show, a scene, a camera.

use std::io;
use std::path::PathBuf;

/// Word that stands for this program where a program is named.
pub const OWN: &str = "moongate";
/// The kernel's link to the running program, which works even if its file was replaced or deleted.
const RUNNING: &str = "/proc/self/exe";

/// Returns the path to start this program by. Must be called at each start.
///
/// This is the file's own path while that file is still this program. Once an update has replaced the file, it is the kernel's
/// link, so that all processes of a show have one version until the first of them is restarted by hand.
pub fn own() -> io::Result<PathBuf> {
    let path = std::env::current_exe()?;
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::fs::MetadataExt;
        let which = |path: &std::path::Path| std::fs::metadata(path).map(|file| (file.dev(), file.ino())).ok();
        let running = which(RUNNING.as_ref());
        if running.is_some() && running != which(&path) {
            return Ok(RUNNING.into());
        }
    }
    Ok(path)
}

/// Returns the path of a program by the name that starts it: [`OWN`] is this program, and is not searched for.
pub fn named(program: PathBuf) -> io::Result<PathBuf> {
    if program.as_os_str() == OWN { own() } else { Ok(program) }
}
