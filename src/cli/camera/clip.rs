//! A clip that stands in for a camera: played at its rate, over and over.

use super::super::clip::{Pictures, Source, told};
use super::{Arguments, Failure, Pace};
use crate::device::camera::y4m::{Colours, Reader, Writer, Y4mError, mirror};
use std::fs::File;
use std::path::Path;

pub(super) fn run(arguments: &Arguments, clip: &Path, output: File) -> Result<(), Failure> {
    let told = |why: Y4mError| told(clip, &why);
    let mut reader = Reader::new(Source::open(clip, Pictures::Even)?).map_err(told)?;
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
        reader = Reader::new(Source::open(clip, Pictures::Even)?).map_err(told)?;
        if (reader.header().width, reader.header().height) != (header.width, header.height) {
            return Err(format!("{} has become one of another size; start it again", clip.display()).into());
        }
    }
}
