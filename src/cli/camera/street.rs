//! Simulated street as a camera, with ground truth of the people on it.

use super::{CameraArgs, Failure};
use crate::device::camera::y4m::{ChromaFormat, FrameRate, Y4mWriter, flip_horizontal};
use crate::synth::{CrowdType, SynthCamera, SynthConfig, SynthFrame, TruthWriter, Weather};
use std::fs::File;
use std::path::PathBuf;

/// Command-line arguments of the street.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct StreetArgs {
    /// Simulate a square with people instead of reading a camera.
    #[arg(long)]
    pub(super) street: bool,
    /// Simulated people: nobody, one, shy, few, forty, child, wheelchair, pram, cane, dancers, still, reach, crossing,
    /// vandal.
    #[arg(long, requires = "street", default_value = "few")]
    cast: CrowdType,
    /// Simulated light: day, dusk, rain, low-sun, shake, lamp, own-light, bus.
    #[arg(long, requires = "street", default_value = "day")]
    weather: Weather,
    /// Random seed of the people.
    #[arg(long, requires = "street", default_value_t = 1)]
    seed: u64,
    /// Number of the square; each number gives another one.
    #[arg(long, requires = "street", default_value_t = 0)]
    city: u64,
    /// Write the ground truth into a folder: boxes.txt, masks.y4m, light.txt.
    #[arg(long, value_name = "DIR", requires = "street", conflicts_with = "mirror")]
    truth: Option<PathBuf>,
}

pub(super) fn run(arguments: &CameraArgs, output: File) -> Result<(), Failure> {
    let StreetArgs { cast, weather, seed, city, truth, .. } = &arguments.street;
    let (size, rate) = (arguments.size, FrameRate::new(arguments.rate));
    let config = SynthConfig { size, rate: arguments.rate, seed: *seed, crowd: *cast, weather: *weather, city: *city };
    let in_folder = |why: std::io::Error| match truth {
        Some(folder) => format!("{}: {why}; name a folder that can be written", folder.display()),
        None => why.to_string(),
    };
    let mut truth = truth
        .as_ref()
        .map(|folder| TruthWriter::create(folder, size, arguments.rate))
        .transpose()
        .map_err(in_folder)?;
    let mut street = SynthCamera::new(config);
    let mut writer = Y4mWriter::new(output, size, rate, ChromaFormat::Yuv420)?;
    let mut pace = arguments.pacer(rate.period());
    let mut frame = SynthFrame::default();
    for number in 0.. {
        if pace.is_over() {
            break;
        }
        // The frame is drawn before it is due, so that drawing causes no delay.
        let real = street.draw(number, &mut frame);
        if let Some(truth) = &mut truth {
            truth.write(real, frame.screen_luminance).map_err(in_folder)?;
        }
        if arguments.mirror {
            for (plane, width) in
                [(&mut frame.y, size[0]), (&mut frame.u, size[0].div_ceil(2)), (&mut frame.v, size[0].div_ceil(2))]
            {
                flip_horizontal(plane, width);
            }
        }
        let Some(captured) = pace.wait_due() else { break };
        writer.write(captured, &[&frame.y, &frame.u, &frame.v])?;
    }
    truth.map_or(Ok(()), TruthWriter::finish).map_err(in_folder)?;
    Ok(())
}
