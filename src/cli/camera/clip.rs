//! A clip that stands in for a camera: played at its rate, over and over.

use super::{Arguments, Failure, Pace};
use crate::device::camera::y4m::{Colours, Reader, Writer, Y4mError, mirror};
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Where a clip's pictures come from.
enum Source {
    /// The file itself.
    File(File),
    /// ffmpeg, which reads the file.
    Ffmpeg(Child),
}

impl Source {
    fn open(clip: &Path) -> Result<Self, Failure> {
        let mut file = File::open(clip).map_err(|why| format!("{}: {why}; name a clip", clip.display()))?;
        let mut start = [0; 9];
        let is_y4m = file.read_exact(&mut start).is_ok() && &start == b"YUV4MPEG2";
        if is_y4m {
            file.rewind()?;
            return Ok(Self::File(file));
        }
        // An absolute path is no option, whatever its name begins with.
        let mut command = Command::new("ffmpeg");
        command.args(["-nostdin", "-v", "error", "-i"]).arg(clip.canonicalize()?);
        command.args(["-an", "-sn", "-f", "yuv4mpegpipe", "-pix_fmt", "yuv420p", "-"]);
        match command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn() {
            Ok(child) => Ok(Self::Ffmpeg(child)),
            Err(why) => {
                let clip = clip.display();
                Err(format!(
                    "{clip} is no YUV4MPEG2, and ffmpeg, which could read it, cannot be started ({why}); install \
                     ffmpeg, or convert it elsewhere: ffmpeg -i {clip} -f yuv4mpegpipe -pix_fmt yuv420p {clip}.y4m"
                )
                .into())
            }
        }
    }
}

impl Read for Source {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.read(bytes),
            Self::Ffmpeg(child) => child.stdout.as_mut().map_or(Ok(0), |output| output.read(bytes)),
        }
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        if let Self::Ffmpeg(child) = self {
            // It may have ended by itself, which is just as well.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

pub(super) fn run(arguments: &Arguments, clip: &Path, output: File) -> Result<(), Failure> {
    let told = |why: Y4mError| format!("{}: {why}; play it with ffplay to see what is wrong with it", clip.display());
    let mut reader = Reader::new(Source::open(clip)?).map_err(told)?;
    let header = *reader.header();
    let mut pace = Pace::new(header.rate.period(), arguments);
    let mut writer = Writer::new(output, [header.width, header.height], header.rate, Colours::Mono)?;
    let mut y = Vec::new();
    loop {
        let mut shown = 0_u64;
        loop {
            match reader.read(&mut y) {
                Ok(_) => {}
                // A recording that was cut off is as good as one that ends.
                Err(Y4mError::Ended | Y4mError::BrokeOff) if shown > 0 => break,
                Err(why) => return Err(told(why).into()),
            }
            shown += 1;
            if arguments.mirror {
                mirror(&mut y, header.width);
            }
            let Some(captured) = pace.wait() else { return Ok(()) };
            writer.write(captured, &[&y])?;
        }
        if arguments.once {
            return Ok(());
        }
        reader = Reader::new(Source::open(clip)?).map_err(told)?;
        if (reader.header().width, reader.header().height) != (header.width, header.height) {
            return Err(format!("{} has become one of another size; start it again", clip.display()).into());
        }
    }
}
