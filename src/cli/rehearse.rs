//! `moongate rehearse`: runs two sites with fresh keys and their shows on one machine, over a simulated link.

mod actions;
mod report;
mod screenshots;
mod sites;
mod street_camera;

use super::Failure;
use super::cities;
use crate::config::{City, Installation, split_command};
use crate::device::display;
use crate::device::netem_proxy::NetemProxy;
use crate::device::recording_file::Playback;
use crate::device::signals::on_termination_signal;
use crate::link::netem::PathProfile as Sea;
use crate::preview::SimVisitors;
use crate::show::RehearsalKey;
use crate::show::exit::EXIT_RESTART;
use crate::supervisor::{ShowOptions, ShowProcess};
use actions::RehearsalAction;
use report::RehearsalReport;

use std::io::{IsTerminal, Write};
use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Command-line arguments.
#[derive(Debug, Clone, clap::Args)]
pub struct RehearseArgs {
    /// Name of an installation in ./installations, or its folder.
    #[arg(default_value = "ripples")]
    installation: String,
    /// The two cities; their names are in assets/cities.toml.
    #[arg(long, num_args = 2, value_names = ["CITY", "CITY"], default_values = ["shenzhen", "dublin"], value_parser = cities::parse)]
    between: Vec<&'static City>,
    /// One-way delay: 80ms; a plain number means milliseconds. Defaults to that of the distance between the cities.
    #[arg(long, value_name = "TIME", value_parser = delay::<5_000>)]
    one_way: Option<f64>,
    /// Mean extra delay: 5ms; a plain number means milliseconds.
    #[arg(long, value_name = "TIME", default_value = "0", value_parser = delay::<1_000>)]
    jitter: f64,
    /// Datagrams lost, in percent.
    #[arg(long, value_name = "PERCENT", default_value = "0", value_parser = within::<0, 100>)]
    loss: f64,
    /// Mean length of a run of losses, in datagrams.
    #[arg(long, value_name = "COUNT", default_value = "0", value_parser = within::<0, 1_000>)]
    burst: f64,
    /// Seed for all simulated behaviour.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Stop after this time: 30s, 5m, 1h.
    #[arg(long = "for", value_name = "TIME", value_parser = super::duration::parse)]
    time: Option<Duration>,
    /// Simulated visitors, one cast for both cities or one for each: nobody, one, shy, few, forty, vandal, cleaner.
    /// Some
    /// are only seen and never touch: child, wheelchair, pram, cane, dancers, dog, still, reach, crossing. Defaults to
    /// few.
    #[arg(long, num_args = 1..=2, value_name = "CAST")]
    cast: Vec<SimVisitors>,
    /// Recorded visitors instead: a file written by `moongate record`, played from its start in the first city and from
    /// its middle in the second.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["cast", "camera"])]
    visitors: Option<PathBuf>,
    /// A camera instead of the simulated street, one for both cities or one for each: a program that writes YUV4MPEG2,
    /// such as "moongate camera". It runs in a folder of its own, so use absolute paths.
    #[arg(long, num_args = 1..=2, value_name = "COMMAND", conflicts_with = "no_camera")]
    camera: Vec<String>,
    /// Run without cameras: touch only, and nobody is seen.
    #[arg(long)]
    no_camera: bool,
    /// Save a screenshot of each city, and one of both, every second.
    #[arg(long, value_name = "DIR")]
    pictures: Option<PathBuf>,
    /// File of the report. Defaults to the folder of --pictures, or to ./out.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Run without windows; no display is needed.
    #[arg(long)]
    offscreen: bool,
    /// Render each frame while the next is prepared: more frames per second, one frame more latency.
    #[arg(long)]
    pipelined: bool,
}

fn within<const FROM: i32, const TO: i32>(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "this is no number".to_owned())?;
    if (f64::from(FROM)..=f64::from(TO)).contains(&number) {
        Ok(number)
    } else {
        Err(format!("use a number from {FROM} to {TO}"))
    }
}

/// Parses a delay of at most `MAX_MS` and returns it in milliseconds, which is what a plain number means.
fn delay<const MAX_MS: i32>(text: &str) -> Result<f64, String> {
    if text.parse::<f64>().is_ok() {
        return within::<0, MAX_MS>(text);
    }
    let ms = super::duration::parse(text)?.as_secs_f64() * 1e3;
    if ms <= f64::from(MAX_MS) { Ok(ms) } else { Err(format!("\"{text}\" is too long; use 0ms to {MAX_MS}ms")) }
}

impl RehearseArgs {
    /// Returns the simulated visitors of city `index`.
    fn visitors_of(&self, index: usize) -> SimVisitors {
        let said = self.cast.get(index).or(self.cast.last()).copied();
        said.unwrap_or(if self.visitors.is_some() { SimVisitors::NOBODY } else { SimVisitors::default() })
    }

    /// Returns the seed of all simulated behaviour in city `index`.
    fn seed_of(&self, index: usize) -> u64 {
        self.seed.wrapping_mul(2).wrapping_add(index as u64)
    }

    /// Returns the manifest entry for the camera of city `index`.
    /// This is the given command, or a simulated street with the visitors of the city.
    fn camera_of(&self, index: usize, city: &City) -> Result<String, Failure> {
        if self.no_camera || self.visitors.is_some() {
            return Ok(String::new());
        }
        match self.camera.get(index).or(self.camera.last()) {
            None => Ok(street_camera::street_command(self.visitors_of(index).seen, self.seed_of(index), city)),
            Some(command) => {
                split_command(command).map_err(|why| format!("--camera: {why}"))?;
                Ok(format!("\n[[camera]]\nname = \"camera\"\ncommand = {}\n", serde_json::to_string(command)?))
            }
        }
    }
}

/// Rehearses until the time is over, a window is closed, or Ctrl-C is pressed.
pub fn run(arguments: &RehearseArgs) -> ExitCode {
    match rehearse(arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => super::report_failure("rehearse", why),
    }
}

/// Returns a UDP port of this machine that is free now.
fn free_port() -> Result<SocketAddr, Failure> {
    Ok(UdpSocket::bind("127.0.0.1:0")?.local_addr()?)
}

fn rehearse(arguments: &RehearseArgs) -> Result<bool, Failure> {
    let dir = super::installations::find(&arguments.installation)?;
    let installation = Installation::read(&dir)?;
    let cities: [&'static City; 2] = [arguments.between[0], arguments.between[1]];
    let km = cities[0].distance_km(cities[1]);
    let one_way =
        arguments.one_way.map_or_else(|| Sea::one_way_for_distance(km), |ms| Duration::from_secs_f64(ms / 1e3));
    let sea = Sea {
        one_way,
        jitter: Duration::from_secs_f64(arguments.jitter / 1e3),
        loss: arguments.loss / 100.0,
        burst: arguments.burst,
        ..Sea::default()
    };
    if let Some(file) = &arguments.visitors {
        // Opened here so that a faulty file is reported once, and not by each show.
        Playback::open(file)?;
    }
    if let Some(pictures) = &arguments.pictures {
        std::fs::create_dir_all(pictures).map_err(|why| format!("{}: {why}", pictures.display()))?;
    }

    let addresses = [free_port()?, free_port()?];
    let ocean = NetemProxy::start(sea, arguments.seed, addresses)?;
    let folder = sites::create_folder()?;
    let names = sites::site_names(cities);
    let guests = [0, 1].map(|index| arguments.visitors_of(index));
    let cameras = [arguments.camera_of(0, cities[0])?, arguments.camera_of(1, cities[1])?];
    let sites = sites::make_sites(folder.path(), cities, &names, &dir, addresses, ocean.endpoints(), &cameras)?;
    println!(
        "{} between {} and {}: {:.0} km, {:.1} ms one way, jitter {} ms, loss {} %",
        installation.title,
        cities[0].latin,
        cities[1].latin,
        km,
        one_way.as_secs_f64() * 1e3,
        arguments.jitter,
        arguments.loss
    );

    let lacking = if arguments.offscreen { None } else { display::check().err() };
    if let Some(why) = &lacking {
        let kept = if arguments.pictures.is_none() { "; --pictures DIR keeps pictures of both cities" } else { "" };
        println!("both cities are drawn off-screen{kept}: {why}");
    }

    let stop = Arc::new(AtomicBool::new(false));
    let asked = stop.clone();
    on_termination_signal(move || asked.store(true, Ordering::Relaxed))?;
    let began = Instant::now();
    let start_show = |index: usize| {
        let options = ShowOptions {
            cast: guests[index].touch,
            seed: arguments.seed_of(index),
            // The second city starts in the middle of the recording.
            visitors: arguments.visitors.as_ref().map(|file| (file.as_path(), index as f64 / 2.0)),
            offscreen: arguments.offscreen || lacking.is_some(),
            pipelined: arguments.pipelined,
            trace: true,
            rehearsal: true,
            // Artists run their own scenes here; the log reports if scenes are not sandboxed.
            unjailed: true,
            program: None,
            manifest: None,
            excluded: &[],
        };
        ShowProcess::start(&sites[index], &names[index], &options)
    };
    let mut shows = [Some(start_show(0)?), Some(start_show(1)?)];
    let mut report = RehearsalReport::new(&installation.id, &names, one_way);
    let into = arguments.pictures.clone().unwrap_or_else(|| PathBuf::from("out"));
    let mut pictures = screenshots::Screenshots::new(&into, &names, arguments.pictures.is_some());
    let mut keys = actions::RehearsalState::new(cities, one_way);
    let typed = actions::spawn_line_reader()?;
    println!("keys, in a window or here with Enter: {}", RehearsalKey::help());
    let mut live = StatusLine { began, last: Instant::now(), terminal: std::io::stdout().is_terminal() };
    let mut ended = false;

    while !stop.load(Ordering::Relaxed) && arguments.time.is_none_or(|time| began.elapsed() < time) && !ended {
        std::thread::sleep(Duration::from_millis(20));
        let mut pressed: Vec<(RehearsalKey, usize)> = Vec::new();
        for line in typed.try_iter().filter(|line| !line.trim().is_empty()) {
            match RehearsalKey::parse(&line) {
                Some(key) => pressed.push((key, 0)),
                None => println!("there is no key {:?}; there are {}", line.trim(), RehearsalKey::help()),
            }
        }
        for (index, place) in shows.iter_mut().enumerate() {
            let Some(show) = place else { continue };
            for line in show.take_lines() {
                report.handle_status(index, &line, began.elapsed());
            }
            pressed.extend(show.take_keys().into_iter().map(|key| (key, index)));
            match show.exit_status()? {
                None => {}
                Some(status) if status.success() => {
                    println!("{}: its window was closed", names[index]);
                    ended = true;
                }
                Some(status) if status.code() == Some(i32::from(EXIT_RESTART)) => {
                    println!("{}: another canvas; starting it again", names[index]);
                    *show = start_show(index)?;
                    keys.startup_commands().iter().for_each(|word| show.send_command(word));
                }
                Some(status) if show.survived_startup() => {
                    println!("{}: its show ended ({status}); starting it again", names[index]);
                    report.handle_restart(index);
                    *show = start_show(index)?;
                    keys.startup_commands().iter().for_each(|word| show.send_command(word));
                }
                Some(_) => {
                    return Err(format!("the show of {} cannot run; what it said stands above", names[index]).into());
                }
            }
        }
        for (key, index) in pressed {
            let unix = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
            let (wish, mut words) = keys.handle_key(key, index, unix);
            match wish {
                RehearsalAction::Cut(cut) => {
                    ocean.set_cut(cut);
                    report.handle_interruption();
                }
                RehearsalAction::OneWayDelay(one_way) => ocean.set_path(Sea { one_way, ..sea }),
                RehearsalAction::Broadcast(word) => {
                    shows.iter_mut().flatten().for_each(|show| show.send_command(&word))
                }
                RehearsalAction::Sleep(index, true) => {
                    for line in shows[index].take().map(ShowProcess::stop).unwrap_or_default() {
                        report.handle_status(index, &line, began.elapsed());
                    }
                    report.handle_sleep(index);
                }
                RehearsalAction::Sleep(index, false) => {
                    report.handle_restart(index);
                    let show = shows[index].insert(start_show(index)?);
                    keys.startup_commands().iter().for_each(|word| show.send_command(word));
                }
                RehearsalAction::Picture => {
                    std::fs::create_dir_all(&into).map_err(|why| format!("{}: {why}", into.display()))?;
                    words = pictures.request(&mut shows, began.elapsed().as_secs()).display().to_string();
                }
            }
            live.note(&words);
            // Screenshots are kept without words on them.
            if key != RehearsalKey::Picture {
                shows.iter_mut().flatten().for_each(|show| show.send_command(&format!("say {words}")));
            }
        }
        pictures.poll(&mut shows, began.elapsed());
        live.print(&report);
    }

    live.end();
    report.record_memory([0, 1].map(|index| shows[index].as_ref().map_or([None; 2], ShowProcess::memory)));
    report.finish(began.elapsed(), ocean.counts());
    let lines = shows.map(|show| show.map(ShowProcess::stop).unwrap_or_default());
    for (index, lines) in lines.into_iter().enumerate() {
        for line in lines {
            report.handle_status(index, &line, began.elapsed());
        }
    }
    pictures.finish();
    let summary = report.summary();
    println!("{summary}");
    let file = arguments.report.clone().unwrap_or_else(|| into.join("report.json"));
    if let Some(parent) = file.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::write(&file, serde_json::to_string_pretty(&summary)?)
        .map_err(|why| format!("{}: {why}", file.display()))?;
    println!("{} is written", file.display());
    Ok(summary.passed())
}

/// Status line: rewritten once a second on a terminal, written less often to a log.
struct StatusLine {
    began: Instant,
    last: Instant,
    terminal: bool,
}

impl StatusLine {
    fn print(&mut self, report: &RehearsalReport) {
        let pause = if self.terminal { Duration::from_secs(1) } else { Duration::from_secs(5) };
        if self.last.elapsed() < pause {
            return;
        }
        self.last = Instant::now();
        let seconds = self.began.elapsed().as_secs();
        let line = format!("{:02}:{:02}  {}", seconds / 60, seconds % 60, report.status_line());
        if self.terminal {
            print!("\r\x1b[2K{line}");
            // A terminal that is gone is not a reason to stop.
            let _ = std::io::stdout().flush();
        } else {
            println!("{line}");
        }
    }

    /// Prints that a requested action is done.
    fn note(&self, words: &str) {
        println!("{}{words}", if self.terminal { "\r\x1b[2K" } else { "" });
    }

    fn end(&self) {
        if self.terminal {
            println!();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_is_in_milliseconds_unless_it_has_a_unit() {
        assert_eq!(["80", "80ms", "0.08s", "0"].map(delay::<5_000>), [Ok(80.0), Ok(80.0), Ok(80.0), Ok(0.0)]);
        for wrong in ["5001", "6s", "-1", "inf", "fast"] {
            assert!(delay::<5_000>(wrong).is_err(), "{wrong}");
        }
    }
}
