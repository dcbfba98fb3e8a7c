//! The baseline's process: `opencv.py` beside this file.

use super::Failure;
use moongate::device::camera::y4m::{ChromaFormat, FrameRate, Y4mWriter};
use moongate::vision::metrics::{MotBox, PixelMask};
use serde::Deserialize;
use std::io::{BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/sense/opencv.py");
/// Bound on the number of boxes, larger than a frame has room for.
const FOUND_MAX: u32 = 100_000;

fn python(words: &[&str]) -> Command {
    let mut command = Command::new("python3");
    command.arg(SCRIPT).args(words).stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

/// Returns the versions of Python and OpenCV; the error is the reason why they are missing and what to do.
pub fn version() -> Result<String, String> {
    let told = python(&["check"]).stderr(Stdio::null()).output();
    match told {
        Ok(told) if told.status.success() => Ok(String::from_utf8_lossy(&told.stdout).trim().to_owned()),
        _ => Err("python3 has no OpenCV: python3 -m pip install opencv-python-headless numpy".into()),
    }
}

/// Milliseconds per frame: median and p99.
pub type Took = [f64; 2];

/// Times of each method.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Times {
    /// MOG2, morphology, contours and ids, on colours, as usually written.
    pub mog2: Took,
    /// The same on brightness only, which is less work.
    pub mog2_grey: Took,
    pub dis_ultrafast: Took,
    pub dis_fast: Took,
}

/// Measures all of them on a clip in Y4M.
pub fn time(clip: &Path) -> Result<Times, Failure> {
    let clip = clip.to_str().ok_or("the folder for temporary files has a name that is no text")?;
    let told = python(&["time", clip]).stderr(Stdio::inherit()).output()?;
    if !told.status.success() {
        return Err("opencv.py failed, see above".into());
    }
    Ok(serde_json::from_slice(&told.stdout)?)
}

/// Tracker of the baseline: takes a frame with [`Self::give`] and returns its detections with [`Self::take`].
pub struct Tracker {
    child: Child,
    /// None only while it is dropped.
    to: Option<Y4mWriter<ChildStdin>>,
    from: BufReader<ChildStdout>,
    size: [usize; 2],
}

impl Tracker {
    pub fn start(size: [usize; 2], rate: FrameRate) -> Result<Self, Failure> {
        let mut child = python(&["track"]).stdin(Stdio::piped()).spawn()?;
        let (to, from) = child.stdin.take().zip(child.stdout.take()).ok_or("its streams are not piped")?;
        Ok(Self {
            child,
            to: Some(Y4mWriter::new(to, size, rate, ChromaFormat::Yuv420)?),
            from: BufReader::new(from),
            size,
        })
    }

    pub fn give(&mut self, planes: &[&[u8]]) -> Result<(), Failure> {
        let to = self.to.as_mut().ok_or("it has ended")?;
        Ok(to.write(Duration::ZERO, planes)?)
    }

    /// Returns the boxes in frame `frame`, and the mask that their contours enclose.
    pub fn take(&mut self, frame: u32) -> Result<Vec<(MotBox, PixelMask)>, Failure> {
        let count = u32::from_le_bytes(self.bytes()?);
        if count > FOUND_MAX {
            return Err(format!("opencv.py says that it found {count}").into());
        }
        (0..count).map(|_| self.found(frame)).collect()
    }

    fn found(&mut self, frame: u32) -> Result<(MotBox, PixelMask), Failure> {
        let mut numbers = [0_i32; 5];
        for number in &mut numbers {
            *number = i32::from_le_bytes(self.bytes()?);
        }
        let [id, left, top, width, height] = numbers;
        let size = [usize::try_from(width)?, usize::try_from(height)?];
        if size[0] > self.size[0] || size[1] > self.size[1] {
            return Err(format!("opencv.py found something of {width} by {height}").into());
        }
        let mut mask = vec![0; size[0] * size[1]];
        self.from.read_exact(&mut mask)?;
        let bounds = [left, top, width, height].map(|number| number as f32);
        Ok((MotBox::new(frame, u32::try_from(id)?, bounds), PixelMask::from_mask([left, top], size, &mask)))
    }

    fn bytes(&mut self) -> Result<[u8; 4], Failure> {
        let mut bytes = [0; 4];
        self.from.read_exact(&mut bytes).map_err(|why| format!("opencv.py ended ({why})"))?;
        Ok(bytes)
    }
}

impl Drop for Tracker {
    fn drop(&mut self) {
        // It ends when its input does. An error here leaves nothing else to do.
        self.to = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
