//! `moongate preview DIR`: renders screenshots of a scene in situations that a venue will meet, faster than real time.

mod contact_sheet;
mod player;

use super::Failure;
use crate::config::City;
use crate::device::decode::Decoder;
use crate::device::scene_process::SandboxCommand;
use crate::preview::Scenario;
use crate::terminal::print_error;
use image::RgbaImage;
use player::{MOVING_FORMAT, ScenarioPlayer};
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// Command-line arguments.
#[derive(Debug, Clone, clap::Args)]
pub struct PreviewArgs {
    /// Name of an installation in ./installations, or its folder.
    #[arg(value_name = "DIR")]
    installation: String,
    /// Folder for the screenshots.
    #[arg(long, value_name = "DIR", default_value = "pictures", conflicts_with = "sheet")]
    pictures: PathBuf,
    /// Times of the screenshots, from the start of the scenario.
    #[arg(long, value_name = "TIMES", value_delimiter = ',', value_parser = super::duration::parse, default_value = "8s")]
    at: Vec<Duration>,
    /// Scenarios: nobody, one, meeting, forty, vandal, asleep, cut (from 4 s to 8 s), or all of these. Also those that
    /// `moongate check` compares: empty, bodies, hands. Defaults to meeting; with --sheet, to all except vandal.
    #[arg(long, value_name = "NAME", num_args = 1..)]
    scenario: Vec<String>,
    /// Also write an animated PNG of each scenario, up to the last time.
    #[arg(long, conflicts_with = "sheet")]
    moving: bool,
    /// Write one contact sheet of the scenarios, for a README, instead of single screenshots. With several times, each
    /// scenario has a row. With one time, the cut scenario is shown while the link is cut.
    #[arg(long, value_name = "FILE")]
    sheet: Option<PathBuf>,
    /// The two cities; screenshots are of the first.
    #[arg(long, num_args = 2, value_names = ["HERE", "THERE"], value_parser = super::cities::parse, default_values = ["shenzhen", "dublin"])]
    between: Vec<&'static City>,
    /// Simulated time at the start, in UTC.
    #[arg(long, value_name = "TIME", default_value = "2026-09-23T12:00", value_parser = unix)]
    when: f64,
    /// Width of a screenshot in pixels; its height follows from the canvas.
    #[arg(long, value_name = "PIXELS", default_value_t = 1280, value_parser = clap::value_parser!(u32).range(64..=4096))]
    width: u32,
    /// Scene frames per second.
    #[arg(long, value_name = "RATE", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=120))]
    rate: u32,
    /// Random seed.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
}

fn unix(text: &str) -> Result<f64, String> {
    let time: jiff::civil::DateTime = text.parse().map_err(|_| "write it as 2026-09-23T12:00")?;
    let time = time.to_zoned(jiff::tz::TimeZone::UTC).map_err(|why| why.to_string())?;
    Ok(time.timestamp().as_second() as f64)
}

/// Renders and saves the screenshots.
pub fn run(arguments: &PreviewArgs) -> ExitCode {
    match preview(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => super::report_failure("preview", why),
    }
}

fn preview(arguments: &PreviewArgs) -> Result<(), Failure> {
    let dir = super::installations::find(&arguments.installation)?;
    let command = SandboxCommand::own_scene().unjailed(true);
    let edition = Arc::new(Decoder::new(command.decoder()).read(&dir)?);
    for fault in edition.sounds.iter().filter_map(|sound| sound.audio.as_ref().err()) {
        print_error(format_args!("it is not heard: {fault}"));
    }
    if let Some(file) = &arguments.sheet {
        return contact_sheet::save_sheet(arguments, &edition, file);
    }
    std::fs::create_dir_all(&arguments.pictures)
        .map_err(|why| format!("{}: the folder cannot be made ({why})", arguments.pictures.display()))?;
    let meeting = ["meeting".to_owned()];
    let names = if arguments.scenario.is_empty() { &meeting[..] } else { &arguments.scenario };
    for scenario in scenarios(names)? {
        let mut film = ScenarioPlayer::new(arguments, &edition, scenario, arguments.width)?;
        let mut moving = Vec::new();
        for at in sorted_times(&arguments.at) {
            if arguments.moving {
                moving.extend(film.run_to(at, Some(1.0 / MOVING_FORMAT.1))?);
            }
            let name = format!("{}-{}s.png", scenario.name, at.as_secs_f64());
            let file = arguments.pictures.join(name);
            save_png(&film.render_at(at)?, &file)?;
            println!("{}  ({})", file.display(), film.crowd_caption());
        }
        film.print_shader_faults();
        if !moving.is_empty() {
            let file = arguments.pictures.join(format!("{}.png", scenario.name));
            save_apng(&moving, &file)?;
            println!("{}", file.display());
        }
    }
    Ok(())
}

fn scenarios(names: &[String]) -> Result<Vec<Scenario>, Failure> {
    let mut all = Vec::new();
    for name in names {
        match (name.as_str(), Scenario::named(name)) {
            ("all", _) => all.extend(Scenario::ALL),
            (_, Some(scenario)) => all.push(scenario),
            (_, None) => {
                let known: Vec<&str> = Scenario::checked().map(|scenario| scenario.name).collect();
                let known = known.join(", ");
                return Err(format!("there is no situation \"{name}\"; there are {known}, and all").into());
            }
        }
    }
    Ok(all)
}

fn sorted_times(times: &[Duration]) -> Vec<Duration> {
    let mut times = times.to_vec();
    times.sort();
    times
}

fn save_png(picture: &RgbaImage, file: &Path) -> Result<(), Failure> {
    let told = |why: image::ImageError| format!("{}: cannot be written ({why})", file.display());
    let jpeg = file.extension().is_some_and(|ending| ending == "jpg" || ending == "jpeg");
    if jpeg {
        // JPEG has no alpha channel.
        image::DynamicImage::ImageRgba8(picture.clone()).into_rgb8().save(file).map_err(told)?;
    } else {
        picture.save(file).map_err(told)?;
    }
    Ok(())
}

/// Saves an animated PNG, which browsers and READMEs can show.
fn save_apng(pictures: &[RgbaImage], file: &Path) -> Result<(), Failure> {
    let (width, height) = pictures[0].dimensions();
    let mut encoder = png::Encoder::new(BufWriter::new(File::create(file)?), width, height);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_animated(pictures.len() as u32, 0)?;
    encoder.set_frame_delay(2, (2.0 * MOVING_FORMAT.1) as u16)?;
    let mut writer = encoder.write_header()?;
    for picture in pictures {
        writer.write_image_data(picture)?;
    }
    writer.finish()?;
    Ok(())
}
