//! `moongate preview DIR`: pictures of a scene in situations that a venue will have, without waiting for them.

use crate::device::scene_process::SceneCommand;
use crate::manifest::City;
use crate::preview::{Plan, Scenario, World};
use crate::scene::{Edition, caption};
use crate::stage::Studio;
use image::RgbaImage;
use image::imageops::{FilterType, resize};
use std::collections::HashSet;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// What can be said on the command line.
#[derive(Debug, Clone, clap::Args)]
pub struct Arguments {
    /// Name of an installation in ./installations, or its folder.
    #[arg(value_name = "DIR")]
    installation: String,
    /// Where pictures go.
    #[arg(long, value_name = "DIR", default_value = "pictures")]
    pictures: PathBuf,
    /// Moments to picture, after the beginning.
    #[arg(long, value_name = "TIMES", value_delimiter = ',', value_parser = super::duration, default_value = "8s")]
    at: Vec<Duration>,
    /// Situations: nobody, one, meeting, forty, vandal, asleep, cut (from 4 s to 8 s); or all of these. Also those that a
    /// check compares: empty, bodies, hands.
    #[arg(long, value_name = "NAME", num_args = 1.., default_values = ["meeting"])]
    scenario: Vec<String>,
    /// Also a moving picture of each situation, up to the last moment: an animated PNG.
    #[arg(long)]
    moving: bool,
    /// One picture of all situations beside each other, for a README, in place of single ones.
    #[arg(long, value_name = "FILE")]
    sheet: Option<PathBuf>,
    /// The two cities; pictures are of the first.
    #[arg(long, num_args = 2, value_names = ["HERE", "THERE"], value_parser = super::cities::parse, default_values = ["shenzhen", "dublin"])]
    between: Vec<&'static City>,
    /// What time it is, in UTC.
    #[arg(long, value_name = "TIME", default_value = "2026-09-23T12:00", value_parser = unix)]
    when: f64,
    /// Width of a picture in pixels; its height follows from the canvas.
    #[arg(long, value_name = "PIXELS", default_value_t = 1280, value_parser = clap::value_parser!(u32).range(64..=4096))]
    width: u32,
    /// Frames a second that the scene is asked for.
    #[arg(long, value_name = "RATE", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=120))]
    rate: u32,
    /// Other people, other chances.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
}

/// The situations of a sheet, each with the moment that is shown and what is written under it.
const SHEET: [(&str, &str); 6] = [
    ("nobody", "nobody"),
    ("one", "one person here"),
    ("meeting", "people in both cities"),
    ("forty", "forty in both cities"),
    ("asleep", "the twin is asleep"),
    ("cut", "the link is cut"),
];
const COLUMNS: u32 = 2;
/// Width of a picture on a sheet, and of a moving one; pictures a second of the latter.
const TILE: u32 = 640;
const MOVING: (u32, f64) = (480, 12.5);

type Failure = Box<dyn std::error::Error>;

fn unix(text: &str) -> Result<f64, String> {
    let time: jiff::civil::DateTime = text.parse().map_err(|_| "write it as 2026-09-23T12:00")?;
    let time = time.to_zoned(jiff::tz::TimeZone::UTC).map_err(|why| why.to_string())?;
    Ok(time.timestamp().as_second() as f64)
}

/// Makes the pictures.
pub fn run(arguments: &Arguments) -> ExitCode {
    match preview(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("moongate preview: {why}");
            ExitCode::FAILURE
        }
    }
}

fn preview(arguments: &Arguments) -> Result<(), Failure> {
    let edition = Arc::new(Edition::read(&super::find_installation(&arguments.installation)?)?);
    if let Some(file) = &arguments.sheet {
        return sheet(arguments, &edition, file);
    }
    std::fs::create_dir_all(&arguments.pictures)
        .map_err(|why| format!("{}: the folder cannot be made ({why})", arguments.pictures.display()))?;
    for scenario in scenarios(&arguments.scenario)? {
        let mut film = Film::new(arguments, &edition, scenario, arguments.width)?;
        let mut moving = Vec::new();
        for at in sorted(&arguments.at) {
            if arguments.moving {
                moving.extend(film.run_to(at, Some(1.0 / MOVING.1))?);
            }
            let name = format!("{}-{}s.png", scenario.name, at.as_secs_f64());
            let file = arguments.pictures.join(name);
            save(&film.picture(at)?, &file)?;
        }
        film.tell();
        if !moving.is_empty() {
            let file = arguments.pictures.join(format!("{}.png", scenario.name));
            animate(&moving, &file)?;
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

fn sorted(times: &[Duration]) -> Vec<Duration> {
    let mut times = times.to_vec();
    times.sort();
    times
}

/// Pictures of one situation, in order.
struct Film {
    world: World,
    studio: Studio,
    edition: Arc<Edition>,
    /// Places of faults that were said.
    said: HashSet<(String, Option<(u32, u32)>)>,
}

impl Film {
    fn new(arguments: &Arguments, edition: &Arc<Edition>, scenario: Scenario, width: u32) -> Result<Self, Failure> {
        let plan = Plan {
            edition: edition.clone(),
            command: SceneCommand::own()?,
            cities: [arguments.between[0], arguments.between[1]],
            scenario,
            seed: arguments.seed,
            unix: arguments.when,
            rate: arguments.rate,
        };
        let canvas = edition.installation.canvas_size();
        let height = (width as f32 * canvas[1] / canvas[0]).round().max(1.0) as u32;
        let studio = Studio::new(canvas, [width, height])?;
        Ok(Self { world: World::new(&plan)?, studio, edition: edition.clone(), said: HashSet::new() })
    }

    /// The picture at a moment. All before are painted too, since trails and buffers are made of them.
    fn picture(&mut self, at: Duration) -> Result<RgbaImage, Failure> {
        self.run_to(at, None)?;
        self.paint(None)
    }

    /// Goes on until then; `every` so many seconds a picture for a moving one.
    fn run_to(&mut self, until: Duration, every: Option<f64>) -> Result<Vec<RgbaImage>, Failure> {
        let mut pictures = Vec::new();
        while self.world.now() < until {
            let before = self.world.now().as_secs_f64();
            self.world.turn()?;
            self.say();
            let painted = self.paint(None)?;
            let now = self.world.now().as_secs_f64();
            if every.is_some_and(|every| (before / every).floor() < (now / every).floor()) {
                let height = (painted.height() * MOVING.0 / painted.width()).max(1);
                pictures.push(resize(&painted, MOVING.0, height, FilterType::Triangle));
            }
        }
        Ok(pictures)
    }

    /// Says what is wrong, once for a place.
    fn say(&mut self) {
        for fault in &self.world.towns()[0].faults {
            if self.said.insert((fault.file.clone(), fault.place)) {
                eprintln!("{fault}");
            }
        }
    }

    fn paint(&mut self, words: Option<&str>) -> Result<RgbaImage, Failure> {
        let shot = self.world.towns()[0].shot();
        let [here, there] = &shot.watched;
        let canvas = self.edition.installation.canvas_size();
        let written = words.map(|words| caption(&shot.picture, words, canvas));
        let picture = written.as_ref().unwrap_or(&shot.picture);
        Ok(self.studio.paint(picture, Some(&self.edition), [here, there], &shot.uniforms)?)
    }

    fn tell(&self) {
        for fault in self.studio.faults() {
            eprintln!("{}: this machine's graphics driver refuses it: {}", fault.shader, fault.why);
        }
    }
}

/// All situations on one picture.
fn sheet(arguments: &Arguments, edition: &Arc<Edition>, file: &Path) -> Result<(), Failure> {
    let at = sorted(&arguments.at)[0];
    let mut tiles = Vec::new();
    for (name, words) in SHEET {
        let scenario = Scenario::named(name).ok_or("a situation of the sheet is none")?;
        let mut film = Film::new(arguments, edition, scenario, TILE)?;
        // The link is cut from the fourth second to the eighth.
        let at = scenario.cut.map_or(at, |[from, to]| from + (to - from).mul_f64(0.75));
        film.run_to(at, None)?;
        tiles.push(film.paint(Some(words))?);
        film.tell();
    }
    let (width, height) = tiles[0].dimensions();
    let rows = (tiles.len() as u32).div_ceil(COLUMNS);
    let mut all = RgbaImage::new(width * COLUMNS, height * rows);
    for (i, tile) in tiles.iter().enumerate() {
        let i = i as u32;
        image::imageops::replace(&mut all, tile, i64::from(i % COLUMNS * width), i64::from(i / COLUMNS * height));
    }
    save(&all, file)
}

fn save(picture: &RgbaImage, file: &Path) -> Result<(), Failure> {
    let told = |why: image::ImageError| format!("{}: cannot be written ({why})", file.display());
    let jpeg = file.extension().is_some_and(|ending| ending == "jpg" || ending == "jpeg");
    if jpeg {
        // It knows no alpha.
        image::DynamicImage::ImageRgba8(picture.clone()).into_rgb8().save(file).map_err(told)?;
    } else {
        picture.save(file).map_err(told)?;
    }
    println!("{}", file.display());
    Ok(())
}

/// An animated PNG, as browsers and READMEs show it.
fn animate(pictures: &[RgbaImage], file: &Path) -> Result<(), Failure> {
    let (width, height) = pictures[0].dimensions();
    let mut encoder = png::Encoder::new(BufWriter::new(File::create(file)?), width, height);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_animated(pictures.len() as u32, 0)?;
    encoder.set_frame_delay(2, (2.0 * MOVING.1) as u16)?;
    let mut writer = encoder.write_header()?;
    for picture in pictures {
        writer.write_image_data(picture)?;
    }
    writer.finish()?;
    Ok(())
}
