//! `moongate run [site.toml]`: a site's show, started again whenever it ends without being asked to.

use super::display;
use super::process::{Options, Show};
use super::show::Line;
use crate::device::cast::Cast;
use crate::manifest::Site;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// First and longest pause before a show is started again.
const PAUSE: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(30)];

/// What can be said on the command line.
#[derive(Debug, Clone, clap::Args)]
pub struct Arguments {
    /// The site: its folder, or its site.toml.
    #[arg(value_name = "SITE", default_value = ".")]
    pub site: PathBuf,
    /// Draws without windows, and without a display.
    #[arg(long)]
    pub offscreen: bool,
    /// Runs scenes also where this system does not jail them: only those of people whom you trust.
    #[arg(long)]
    pub unjailed: bool,
}

/// What can go wrong, with what to do about it.
type Failure = Box<dyn std::error::Error>;

/// Runs the site until Ctrl-C, or until its last window is closed.
pub fn run(arguments: &Arguments) -> ExitCode {
    match keep_running(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("moongate run: {why}");
            ExitCode::FAILURE
        }
    }
}

fn keep_running(arguments: &Arguments) -> Result<(), Failure> {
    let dir = match &arguments.site {
        file if file.is_file() => file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new(".")),
        dir => dir,
    };
    let site = Site::read(dir)?;
    // Graphics drivers want a path that does not depend on where they are.
    let dir = &dir.canonicalize()?;
    let stop = Arc::new(AtomicBool::new(false));
    let asked = stop.clone();
    ctrlc::set_handler(move || asked.store(true, Ordering::Relaxed))?;
    let options = Options {
        cast: Cast::Nobody,
        visitors: None,
        seed: fastrand::u64(..),
        offscreen: arguments.offscreen,
        pipelined: false,
        trace: false,
        rehearsal: false,
        unjailed: arguments.unjailed,
    };
    // A show without a display would end at once; it is started when there is one.
    let mut display = display::Watch::default();
    let mut can_start =
        || -> Result<bool, Failure> { Ok(arguments.offscreen || display.wait(|| stop.load(Ordering::Relaxed))?) };
    if !can_start()? {
        return Ok(());
    }
    let mut show = Show::start(dir, &site.city.latin, &options)?;
    let (mut said, mut pause) = (String::new(), PAUSE[0]);
    while !stop.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(50));
        if let Some(line) = show.lines().last() {
            let now = state(line);
            if now != said {
                println!("{now}");
                said = now;
            }
        }
        match show.ended()? {
            None => {}
            Some(status) if status.success() => return Ok(()),
            Some(status) => {
                if show.lived() {
                    pause = PAUSE[0];
                }
                if status.code() != Some(i32::from(super::show::AGAIN)) {
                    println!("the show ended ({status}); it is started again in {:.1} s", pause.as_secs_f64());
                }
                let began = Instant::now();
                while began.elapsed() < pause && !stop.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(50));
                }
                pause = (pause * 2).min(PAUSE[1]);
                if !can_start()? {
                    return Ok(());
                }
                show = Show::start(dir, &site.city.latin, &options)?;
            }
        }
    }
    show.end();
    Ok(())
}

/// How the link is, for people.
fn state(line: &Line) -> String {
    let way = if line.relayed { " through a relay" } else { "" };
    if line.why.is_empty() { format!("{}{way}", line.link) } else { format!("{}{way}: {}", line.link, line.why) }
}
