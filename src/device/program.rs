//! This very program, to be started once more as a process of its own: a show, a scene, a camera.

use std::io;
use std::path::PathBuf;

/// The word for this program where a program is named.
pub const OWN: &str = "moongate";
/// The kernel's link to the program that runs, which holds when its file was replaced or deleted.
const RUNNING: &str = "/proc/self/exe";

/// The path to start this program by. It is to be asked for at each start.
///
/// It is the file's own path while that file is still this program. Once an update has replaced the file, it is the kernel's
/// link: all processes of a show are of one version until the first of them is started again by hand.
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

/// The path of a program by the name that it is started by: [`OWN`] is this one, and is not looked for.
pub fn named(program: PathBuf) -> io::Result<PathBuf> {
    if program.as_os_str() == OWN { own() } else { Ok(program) }
}
