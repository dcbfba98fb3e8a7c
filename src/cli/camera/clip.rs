//! Video file as a camera, played at its own rate in a loop.

use super::super::clip::{ClipReader, ClipTiming, clip_error};
use super::{CameraArgs, Failure};
use crate::device::camera::y4m::{ChromaFormat, Y4mError, Y4mReader, Y4mWriter, flip_horizontal};
use std::fs::File;
use std::path::Path;

pub(super) fn run(arguments: &CameraArgs, clip: &Path, output: File) -> Result<(), Failure> {
    let told = |why: Y4mError| clip_error(clip, &why);
    let mut reader = Y4mReader::new(ClipReader::open(clip, ClipTiming::ConstantRate)?).map_err(told)?;
    let header = *reader.header();
    let mut pace = arguments.pacer(header.rate.period());
    let mut writer = Y4mWriter::new(output, [header.width, header.height], header.rate, ChromaFormat::Mono)?;
    let mut y = Vec::new();
    loop {
        let mut shown = 0_u64;
        loop {
            match reader.read(&mut y) {
                Ok(_) => {}
                // A truncated recording is treated as one that ends.
                Err(Y4mError::Ended | Y4mError::Truncated) if shown > 0 => break,
                Err(why) => return Err(told(why).into()),
            }
            shown += 1;
            if arguments.mirror {
                flip_horizontal(&mut y, header.width);
            }
            let Some(captured) = pace.wait_due() else { return Ok(()) };
            writer.write(captured, &[&y])?;
        }
        if arguments.once {
            return Ok(());
        }
        reader = Y4mReader::new(ClipReader::open(clip, ClipTiming::ConstantRate)?).map_err(told)?;
        if (reader.header().width, reader.header().height) != (header.width, header.height) {
            return Err(format!("{} has become one of another size; start it again", clip.display()).into());
        }
    }
}
