//! Process hardening: keeps process memory, which holds camera frames, out of files.
//!
//! It also keeps passwords in files from being read by others.

use crate::config::SiteConfig;
use std::os::unix::fs::MetadataExt;

/// Permission bits of a file for its group and for others.
pub(super) const NON_OWNER_BITS: u32 = 0o077;
/// Permission bits that let users other than the owner read a file.
const OTHER_READ_BITS: u32 = 0o044;
/// Words that precede a secret in a camera's command.
const SECRET_WORDS: [&str; 6] = ["password", "passwd", "passphrase", "pwd=", "token=", "secret="];

/// Turns core dumps off, for this process and all that it starts.
pub fn disable_core_dumps() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        let none = Rlimit { current: Some(0), maximum: Some(0) };
        if let Err(why) = setrlimit(Resource::Core, none) {
            tracing::error!("core dumps cannot be turned off ({why}); turn them off for this user: ulimit -c 0");
        }
    }
}

/// Closes this process's memory to other programs of the same user, and to crash reporters, which ignore size limits.
///
/// Child processes do not inherit this: they must call it themselves. Only for processes that hold frames. It makes
/// `/proc/PID` the administrator's, and where that folder is hidden from others (`hidepid`), a show could no longer
/// see how much CPU time its scene has used.
pub fn make_undumpable() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        if let Err(why) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
            tracing::error!("this process's memory cannot be closed to other programs ({why}); update the kernel");
        }
    }
}

/// Returns advice if other users of this machine may read a `site.toml` that holds the password of a camera.
pub fn exposed_password(site: &SiteConfig) -> Option<String> {
    let camera = site.cameras.iter().find(|camera| contains_password(&camera.command))?;
    let file = site.dir.join("site.toml");
    let mode = std::fs::metadata(&file).ok()?.mode() & 0o7777;
    (mode & OTHER_READ_BITS != 0).then(|| {
        let (file, name) = (file.display(), &camera.name);
        format!(
            "{file}: other users of this machine may read the password in the command of the camera \"{name}\" (mode \
             {mode:04o}); run: chmod 600 {file}"
        )
    })
}

/// Returns true for `scheme://user:password@host`, and for arguments that are named as passwords.
fn contains_password(command: &str) -> bool {
    let in_address = command.split("://").skip(1).any(|rest| {
        let end = rest.find(|letter: char| letter.is_whitespace() || "/'\"".contains(letter)).unwrap_or(rest.len());
        rest[..end].rsplit_once('@').is_some_and(|(user, _)| user.contains(':'))
    });
    let command = command.to_ascii_lowercase();
    in_address || SECRET_WORDS.iter().any(|word| command.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_password_is_known_by_its_place_or_its_name() {
        for command in [
            "ffmpeg -i rtsp://admin:hunter2@192.0.2.7/stream -f yuv4mpegpipe -",
            "ffmpeg -i 'http://192.0.2.8/' -i 'rtsps://a:b@cam:554'",
            "grab --Password hunter2",
            "ffmpeg -i http://192.0.2.7/video?user=a&pwd=b",
        ] {
            assert!(contains_password(command), "{command}");
        }
        for command in ["moongate camera --street", "ffmpeg -i rtsp://192.0.2.7:554/a@b", "ffmpeg -i rtsp://admin@cam/"]
        {
            assert!(!contains_password(command), "{command}");
        }
    }

    #[test]
    fn a_password_that_others_may_read_is_told_with_the_remedy() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("site.toml");
        let head = "api = 1\ncity = \"kobe\"\ninstallation = \"x\"\nlisten = \"0.0.0.0:4433\"\n";
        let told = |camera: &str, mode: u32| {
            std::fs::write(&file, format!("{head}[[camera]]\nname = \"door\"\ncommand = \"{camera}\"\n"))
                .expect("ours");
            std::fs::set_permissions(&file, PermissionsExt::from_mode(mode)).expect("our own file");
            exposed_password(&SiteConfig::read(dir.path()).expect("a sound manifest"))
        };
        let secret = "ffmpeg -i rtsp://a:b@cam/ -";
        assert!(told(secret, 0o644).is_some_and(|why| why.contains("chmod 600") && !why.contains("a:b")));
        assert!(told(secret, 0o640).is_some());
        assert_eq!(told(secret, 0o600), None);
        assert_eq!(told("moongate camera", 0o644), None);
    }
}
