//! The show's side of its contract: a line of state a second, commands, and an end when nobody listens any more.

use super::Captures;
use crate::device::audio::Audio;
use crate::device::quic::LinkSender;
use crate::device::scene_process::SceneProcess;
use crate::link::State;
use crate::stage::Drawn;
use crate::twin::{Trace, TraceLine};
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, Weak};
use std::time::{Duration, Instant};

/// How often a line is written.
const PERIOD: Duration = Duration::from_secs(1);
/// Pictures that wait to be written.
const CAPTURES_MAX: usize = 16;
/// A frame loop that has not ended this long after it was asked to is ended with its process.
const GRACE: Duration = Duration::from_secs(3);

/// Where the state is read from.
pub struct Source {
    pub city: String,
    pub installation: String,
    pub offscreen: bool,
    pub adapter: String,
    pub pixels: [u32; 2],
    pub link: Option<LinkSender>,
    /// Weak: the process ends with the show, whatever this still says.
    pub scene: Weak<SceneProcess>,
    pub audio: Arc<Audio>,
    pub drawn: Drawn,
    pub trace: Option<Trace>,
    pub frames: Arc<AtomicU64>,
}

/// One line of state. Each loop's counter moves while the loop lives, whatever it finds to do.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Version of this line.
    pub state: u32,
    /// Slug of the site's city.
    pub city: String,
    /// Id of what is shown.
    pub installation: String,
    /// Seconds since the start.
    pub uptime_s: f64,
    /// Turns of each loop since the start.
    pub loops: Loops,
    /// Pictures that the GPU has finished since the start.
    pub painted: u64,
    /// Without windows.
    pub offscreen: bool,
    /// What draws.
    pub adapter: String,
    /// Size of the canvas's texture.
    pub pixels: [u32; 2],
    /// `none`, `alone`, `linked` or `apart`.
    pub link: String,
    /// The twin's round trip, in milliseconds.
    pub round_trip_ms: Option<f64>,
    /// Events that the twin has not acknowledged, and those given up.
    pub waiting: usize,
    /// See `waiting`.
    pub lost: u64,
    /// The scene process.
    pub scene: SceneLine,
    /// The sound device; none is a silent show, not a fault.
    pub sound: Option<String>,
    /// With `--trace`: what happened to each touch.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<TraceLine>,
}

/// Turns of each loop.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Loops {
    /// The frame loop; should turn 30 to 60 times a second.
    pub frame: u64,
    /// The link thread; should turn at least ten times a second. 0 without a twin.
    pub link: u64,
    /// The sound callback; stands still without a device.
    pub sound: u64,
    /// Frames that the scene has answered.
    pub scene: u64,
}

/// How the scene is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SceneLine {
    /// It runs.
    pub ready: bool,
    /// Its process.
    pub pid: Option<u32>,
    /// Processes started so far.
    pub starts: u64,
    /// What is wrong now.
    pub fault: Option<String>,
    /// What was wrong last.
    pub last_fault: Option<String>,
    /// Milliseconds of the last frame.
    pub took_ms: f64,
}

impl Source {
    fn line(&self, began: Instant) -> Line {
        let scene = self.scene.upgrade().map(|scene| scene.status()).unwrap_or_default();
        let link = self.link.as_ref().map(|link| (link.status(), link.turns()));
        let health = link.map(|(status, _)| status.health);
        Line {
            state: 1,
            city: self.city.clone(),
            installation: self.installation.clone(),
            uptime_s: began.elapsed().as_secs_f64(),
            loops: Loops {
                frame: self.frames.load(Ordering::Relaxed),
                link: link.map_or(0, |(_, turns)| turns),
                sound: self.audio.turns(),
                scene: scene.frames,
            },
            painted: self.drawn.painted(),
            offscreen: self.offscreen,
            adapter: self.adapter.clone(),
            pixels: self.pixels,
            link: match health.map(|health| health.state) {
                None => "none",
                Some(State::Alone) => "alone",
                Some(State::Linked) => "linked",
                Some(State::Apart) => "apart",
            }
            .into(),
            round_trip_ms: health.and_then(|health| health.round_trip).map(|s| (s * 1e4).round() / 10.0),
            waiting: health.map_or(0, |health| health.waiting),
            lost: health.map_or(0, |health| health.lost),
            scene: SceneLine {
                ready: scene.ready,
                pid: scene.pid,
                starts: scene.starts,
                fault: scene.fault.map(|fault| fault.to_string()),
                last_fault: scene.last_fault.map(|fault| fault.to_string()),
                took_ms: scene.took_us as f64 / 1e3,
            },
            sound: self.audio.device(),
            events: self.trace.as_ref().map(Trace::take).unwrap_or_default(),
        }
    }
}

/// Writes a line a second, on a thread of its own, until the show is over; one more at the end.
pub fn speak(source: Source, over: Arc<AtomicBool>) -> io::Result<()> {
    std::thread::Builder::new().name("state".into()).spawn(move || {
        let began = Instant::now();
        let mut next = began;
        let mut asked_to_end: Option<Instant> = None;
        loop {
            let text = serde_json::to_string(&source.line(began)).unwrap_or_default();
            // Whoever started the show is gone when nobody reads: the show ends as well.
            if writeln!(io::stdout(), "{text}").and_then(|()| io::stdout().flush()).is_err() {
                over.store(true, Ordering::Relaxed);
            }
            next += PERIOD;
            while Instant::now() < next {
                std::thread::sleep(Duration::from_millis(20));
                if over.load(Ordering::Relaxed) {
                    match asked_to_end {
                        None => {
                            asked_to_end = Some(Instant::now());
                            break;
                        }
                        Some(since) if since.elapsed() > GRACE => {
                            tracing::error!("the frame loop did not end; ending the process");
                            end_now();
                        }
                        Some(_) => {}
                    }
                }
            }
        }
    })?;
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a main thread that is stuck in a driver cannot be asked to return")]
fn end_now() -> ! {
    std::process::exit(0)
}

/// Reads commands until standard input closes, which ends the show: `picture FILE` and `quit`.
pub fn listen(over: Arc<AtomicBool>, captures: Captures) -> io::Result<()> {
    std::thread::Builder::new().name("commands".into()).spawn(move || {
        for line in io::stdin().lock().lines() {
            let Ok(line) = line else { break };
            match line.trim().split_once(' ').unwrap_or((line.trim(), "")) {
                ("quit", _) => break,
                ("picture", file) if !file.is_empty() => {
                    let mut captures = captures.lock().unwrap_or_else(PoisonError::into_inner);
                    // More than a loop that stands still will ever write.
                    captures.truncate(CAPTURES_MAX);
                    captures.push_back(file.into());
                }
                ("", _) => {}
                (other, _) => tracing::warn!("there is no command \"{other}\"; there are: picture FILE, quit"),
            }
        }
        over.store(true, Ordering::Relaxed);
    })?;
    Ok(())
}
