//! The show's side of its contract: a line of state a second, commands, and an end when nobody listens any more.

use super::Captures;
use super::choice::Standing;
use super::line::{Bodies, CameraLine, Line, Loops, SceneLine, tenths};
use crate::device::audio::Audio;
use crate::device::clock::monotonic;
use crate::device::quic::LinkSender;
use crate::device::scene_process::SceneProcess;
use crate::device::sight::Sights;
use crate::device::touch::TouchHub;
use crate::guard::Openness;
use crate::operator::Key;
use crate::stage::Drawn;
use crate::twin::{Rehearsal, Trace};
use std::io::{self, BufRead, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, PoisonError, Weak};
use std::time::{Duration, Instant};

/// How often a line is written.
const PERIOD: Duration = Duration::from_secs(1);
/// Pictures that wait to be written.
const CAPTURES_MAX: usize = 16;

/// Where the state is read from.
pub struct Source {
    pub city: String,
    pub installation: String,
    pub offscreen: bool,
    pub adapter: String,
    pub pixels: [u32; 2],
    pub link: LinkSender,
    pub standing: Arc<Standing>,
    /// Weak: the process ends with the show, whatever this still says.
    pub scene: Weak<SceneProcess>,
    /// Weak for the same reason.
    pub sights: Weak<Sights>,
    pub hub: TouchHub,
    pub audio: Arc<Audio>,
    pub drawn: Drawn,
    pub trace: Option<Trace>,
    pub frames: Arc<AtomicU64>,
}

impl Source {
    fn line(&self, began: Instant) -> Line {
        let scene = self.scene.upgrade().map(|scene| scene.status()).unwrap_or_default();
        let status = self.link.status();
        let health = status.health;
        // A scene whose shader is not drawn is not what its artist made.
        let edition = self.standing.offered();
        let shown = scene.edition.filter(|_| scene.refused.is_some());
        let refused = self.standing.fault().or(scene.refused);
        let shed = || self.drawn.faults().into_iter().next().map(|fault| format!("{}: {}", fault.shader, fault.why));
        Line {
            state: 1,
            city: self.city.clone(),
            installation: self.installation.clone(),
            uptime_s: began.elapsed().as_secs_f64(),
            loops: Loops {
                frame: self.frames.load(Ordering::Relaxed),
                link: self.link.turns(),
                sound: self.audio.turns(),
                scene: scene.frames,
            },
            painted: self.drawn.painted(),
            offscreen: self.offscreen,
            in_view: self.link.is_in_view(monotonic()),
            adapter: self.adapter.clone(),
            pixels: self.pixels,
            link: status.word().0.into(),
            why: status.word().1.into(),
            loss: (status.loss * 1e3).round() / 1e3,
            jitter_ms: health.jitter.map(|s| tenths(s * 1e3)),
            buffer_ms: tenths(health.buffer.as_secs_f64() * 1e3),
            bytes: status.bytes,
            connections: status.opened,
            relayed: status.relayed,
            openness: self.link.openness().word().into(),
            round_trip_ms: health.round_trip.map(|s| tenths(s * 1e3)),
            waiting: health.waiting,
            lost: health.lost,
            scene: SceneLine {
                ready: scene.ready,
                pid: scene.pid,
                starts: scene.starts,
                fault: scene.fault.map(|fault| fault.to_string()).or_else(shed),
                last_fault: scene.last_fault.map(|fault| fault.to_string()),
                took_ms: scene.took_us as f64 / 1e3,
                edition: shown.or(edition),
                refused: refused.map(|fault| fault.to_string()),
            },
            bodies: Bodies { here: self.hub.presence().bodies.len(), there: self.link.there(monotonic()).bodies.len() },
            cameras: self
                .sights
                .upgrade()
                .map(|sights| sights.status().into_iter().map(CameraLine::from).collect())
                .unwrap_or_default(),
            sound: self.audio.device(),
            memory_mib: self.trace.as_ref().and_then(|_| memory("self")),
            frames_ms: self
                .trace
                .as_ref()
                .map(Trace::frame_times)
                .unwrap_or_default()
                .into_iter()
                .map(|s| tenths(s * 1e3))
                .collect(),
            events: self.trace.as_ref().map(Trace::take).unwrap_or_default(),
        }
    }
}

/// Memory of a process by its number, or of this one as `self`, in MiB (proportional set size); where the system tells.
/// A show's is told to nobody but itself.
pub fn memory(process: &str) -> Option<f64> {
    let text = std::fs::read_to_string(format!("/proc/{process}/smaps_rollup")).ok()?;
    let line = text.lines().find(|line| line.starts_with("Pss:"))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(tenths(kib / 1024.0))
}

/// Writes a line a second, and one for each of `keys`, on a thread of its own, until the show is over; one more at the end.
pub fn speak(source: Source, keys: Receiver<Key>, over: Arc<AtomicBool>) -> io::Result<()> {
    std::thread::Builder::new().name("state".into()).spawn(move || {
        let began = Instant::now();
        let mut next = began;
        let mut ends = false;
        loop {
            let text = serde_json::to_string(&source.line(began)).unwrap_or_default();
            if !say(&text) {
                over.store(true, Ordering::Relaxed);
            }
            if ends {
                return;
            }
            next += PERIOD;
            while Instant::now() < next && !ends {
                std::thread::sleep(Duration::from_millis(20));
                for key in keys.try_iter() {
                    say(&format!("{{\"key\":\"{}\"}}", key.word()));
                }
                ends = over.load(Ordering::Relaxed);
            }
        }
    })?;
    Ok(())
}

/// Announces the edition that is about to be read.
pub fn say_edition(edition: &str) {
    // A closed pipe is noticed by the next line of state.
    say(&format!("{{\"edition\":\"{edition}\"}}"));
}

/// Writes a line to standard output. Returns false if the parent process is gone; a full disk is not a reason to end.
fn say(line: &str) -> bool {
    let mut out = io::stdout().lock();
    let said = writeln!(out, "{line}").and_then(|()| out.flush());
    !said.is_err_and(|why| why.kind() == io::ErrorKind::BrokenPipe)
}

/// Reads commands until standard input closes, which ends the show: how open the site is, `picture FILE` and `quit`; in a
/// rehearsal also `shift SECONDS`, `knows on`, `knows off` and `say WORDS`.
pub fn listen(
    over: Arc<AtomicBool>,
    captures: Captures,
    link: LinkSender,
    rehearsal: Option<Arc<Rehearsal>>,
) -> io::Result<()> {
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
                (word, rest) if rehearsal.as_ref().is_some_and(|rehearsal| rehearse(rehearsal, word, rest)) => {}
                (word, _)
                    if Openness::parse(word).is_some_and(|openness| {
                        link.set_openness(openness);
                        true
                    }) => {}
                (other, _) => tracing::warn!(
                    "there is no command \"{other}\"; there are: open, shapes, closed, picture FILE, quit"
                ),
            }
        }
        over.store(true, Ordering::Relaxed);
    })?;
    Ok(())
}

/// Does what a rehearsal says; false for what is none of its words.
fn rehearse(rehearsal: &Rehearsal, word: &str, rest: &str) -> bool {
    match (word, rest) {
        ("knows", "on" | "off") => rehearsal.show_all(rest == "on"),
        ("say", words) => rehearsal.say(words),
        ("shift", seconds) => match seconds.parse::<i64>() {
            Ok(seconds) => rehearsal.shift(seconds.clamp(-86_400, 86_400)),
            Err(_) => return false,
        },
        _ => return false,
    }
    true
}
