//! Executable of this program, to be started again as another process: a show, a scene, a camera.

use std::io;
use std::path::PathBuf;

/// Word that stands for this program where a program is named.
pub const OWN_PROGRAM: &str = "moongate";
/// Kernel's link to the running program, which works even if its file was replaced or deleted.
const PROC_SELF_EXE: &str = "/proc/self/exe";

/// Returns the path to start this program by. Must be called at each start.
///
/// This is the file's own path while that file is still this program. Once an update has replaced the file, it is the
/// kernel's link, so that all processes of a show have one version until the first of them is restarted by hand.
pub fn own_path() -> io::Result<PathBuf> {
    let path = std::env::current_exe()?;
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::fs::MetadataExt;
        let which = |path: &std::path::Path| std::fs::metadata(path).map(|file| (file.dev(), file.ino())).ok();
        let running = which(PROC_SELF_EXE.as_ref());
        if running.is_some() && running != which(&path) {
            return Ok(PROC_SELF_EXE.into());
        }
    }
    Ok(path)
}

/// Returns the path of a program by the name that starts it: [`OWN_PROGRAM`] is this program, and is not searched for.
pub fn resolve_program(program: PathBuf) -> io::Result<PathBuf> {
    if program.as_os_str() == OWN_PROGRAM { own_path() } else { Ok(program) }
}
