//! Reads a video file as YUV4MPEG2, either directly or through ffmpeg.

use crate::device::camera::y4m::Y4mError;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Frame timing of a video file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClipTiming {
    /// Constant rate: ffmpeg repeats or drops frames if the file's rate varies.
    ConstantRate,
    /// Every frame exactly once.
    EveryFrame,
}

/// Source of a video file's bytes.
pub(super) enum ClipReader {
    /// The file itself.
    File(File),
    /// ffmpeg, which decodes the file.
    Ffmpeg(Child),
}

/// Formats the reason why a video file cannot be read, for users.
pub(super) fn clip_error(clip: &Path, why: &Y4mError) -> String {
    format!("{}: {why}; play it with ffplay to see what is wrong with it", clip.display())
}

impl ClipReader {
    /// Opens a video file. The error is meant for users.
    pub(super) fn open(clip: &Path, pictures: ClipTiming) -> Result<Self, String> {
        let unread = |why: io::Error| format!("{}: {why}; name a clip", clip.display());
        let mut file = File::open(clip).map_err(unread)?;
        let mut start = [0; 9];
        let is_y4m = file.read_exact(&mut start).is_ok() && &start == b"YUV4MPEG2";
        if is_y4m {
            file.rewind().map_err(unread)?;
            return Ok(Self::File(file));
        }
        // An absolute path cannot be taken for an option, whatever the file's name begins with.
        let mut command = Command::new("ffmpeg");
        command.args(["-nostdin", "-v", "error", "-i"]).arg(clip.canonicalize().map_err(unread)?);
        if pictures == ClipTiming::EveryFrame {
            command.args([if is_old_ffmpeg() { "-vsync" } else { "-fps_mode" }, "passthrough"]);
        }
        command.args(["-an", "-sn", "-f", "yuv4mpegpipe", "-pix_fmt", "yuv420p", "-"]);
        match command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn() {
            Ok(child) => Ok(Self::Ffmpeg(child)),
            Err(why) => {
                let clip = clip.display();
                Err(format!(
                    "{clip} is no YUV4MPEG2, and ffmpeg, which could read it, cannot be started ({why}); install \
                     ffmpeg, or convert it elsewhere: ffmpeg -i {clip} -f yuv4mpegpipe -pix_fmt yuv420p {clip}.y4m"
                ))
            }
        }
    }
}

/// Returns true if ffmpeg is older than 5.1. It needs `-vsync`, which later versions no longer accept.
fn is_old_ffmpeg() -> bool {
    let told = Command::new("ffmpeg").arg("-version").stdin(Stdio::null()).stderr(Stdio::null()).output();
    told.is_ok_and(|told| is_old_version(&String::from_utf8_lossy(&told.stdout)))
}

fn is_old_version(told: &str) -> bool {
    // A build from ffmpeg's development branch has no such version number and counts as new.
    let mut numbers = told.strip_prefix("ffmpeg version ").unwrap_or_default().split(['.', '-', ' ']);
    let mut next = || numbers.next().and_then(|number| number.trim_start_matches('n').parse::<u32>().ok());
    next().is_some_and(|major| (major, next().unwrap_or(0)) < (5, 1))
}

impl Read for ClipReader {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.read(bytes),
            Self::Ffmpeg(child) => child.stdout.as_mut().map_or(Ok(0), |output| output.read(bytes)),
        }
    }
}

impl Drop for ClipReader {
    fn drop(&mut self) {
        if let Self::Ffmpeg(child) = self {
            // ffmpeg may have ended already, so errors are ignored.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_ffmpeg_is_known_by_what_it_says() {
        for old in ["4.4.2-0ubuntu0.22.04.1 Copyright", "5.0 ", "n4.4.1", "3.4.11"] {
            assert!(is_old_version(&format!("ffmpeg version {old}")), "{old}");
        }
        for new in ["5.1.9-0+deb12u1 Copyright", "8.0", "n7.1-12-g1234", "N-112233-gabcdef", "git-2024-01-01-1234", ""]
        {
            assert!(!is_old_version(&format!("ffmpeg version {new}")), "{new}");
        }
        assert!(!is_old_version("") && !is_old_version("something else 4.4"));
    }
}
