//! The show's control interface: a status line per second, commands, and an end when nobody reads the status any more.

use super::edition_choice::EditionStatus;
use super::exit::CaptureQueue;
use super::status::{BodyCounts, CameraHealth, LoopCounts, SceneHealth, ShowStatus, tenths};
use super::{Rehearsal, RehearsalKey, Trace};
use crate::device::audio::Audio;
use crate::device::camera_pipeline::CameraPipelines;
use crate::device::clock::monotonic;
use crate::device::scene_process::SceneProcess;
use crate::device::site_handle::SiteHandle;
use crate::policy::SharingPolicy;
use crate::render::FrameStats;
use std::io::{self, BufRead, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, PoisonError, Weak};
use std::time::{Duration, Instant};

/// Interval between status lines.
const STATUS_INTERVAL: Duration = Duration::from_secs(1);
/// Most screenshots that wait to be written.
const CAPTURES_MAX: usize = 16;

/// Sources of the show's status.
pub struct StatusSource {
    pub city: String,
    pub installation: String,
    pub offscreen: bool,
    pub adapter: String,
    pub pixels: [u32; 2],
    pub edition_status: Arc<EditionStatus>,
    /// Weak, so that the scene's process ends with the show even while this thread still writes.
    pub scene: Weak<SceneProcess>,
    /// Weak for the same reason.
    pub cameras: Weak<CameraPipelines>,
    pub site: SiteHandle,
    pub audio: Arc<Audio>,
    pub frame_stats: FrameStats,
    pub trace: Option<Trace>,
    pub frames: Arc<AtomicU64>,
}

impl StatusSource {
    fn status(&self, began: Instant) -> ShowStatus {
        let scene = self.scene.upgrade().map(|scene| scene.status()).unwrap_or_default();
        let status = self.site.status();
        let health = status.session.health;
        // A scene without one of its shaders is not what its artist made, so a disabled shader counts as a fault.
        let edition = self.edition_status.offered();
        let shown = scene.edition.filter(|_| scene.refused.is_some());
        let refused = self.edition_status.fault().or(scene.refused);
        let shed =
            || self.frame_stats.faults().into_iter().next().map(|fault| format!("{}: {}", fault.shader, fault.why));
        ShowStatus {
            state: 1,
            city: self.city.clone(),
            installation: self.installation.clone(),
            uptime_s: began.elapsed().as_secs_f64(),
            loops: LoopCounts {
                frame: self.frames.load(Ordering::Relaxed),
                link: self.site.update_count(),
                sound: self.audio.callback_count(),
                scene: scene.frames,
            },
            painted: self.frame_stats.painted_count(),
            offscreen: self.offscreen,
            in_view: self.site.is_in_view(monotonic()),
            adapter: self.adapter.clone(),
            pixels: self.pixels,
            link: status.summary().0.into(),
            why: status.summary().1.into(),
            loss: (status.loss * 1e3).round() / 1e3,
            jitter_ms: health.jitter.map(|s| tenths(s * 1e3)),
            buffer_ms: tenths(health.playout_delay.as_secs_f64() * 1e3),
            bytes: status.bytes,
            connections: status.opened_total,
            relayed: status.relayed,
            openness: self.site.sharing_policy().as_str().into(),
            round_trip_ms: health.round_trip.map(|s| tenths(s * 1e3)),
            waiting: health.pending,
            lost: health.lost,
            scene: SceneHealth {
                ready: scene.ready,
                pid: scene.pid,
                starts: scene.starts,
                fault: scene.fault.map(|fault| fault.to_string()).or_else(shed),
                last_fault: scene.last_fault.map(|fault| fault.to_string()),
                took_ms: scene.took_us as f64 / 1e3,
                edition: shown.or(edition),
                refused: refused.map(|fault| fault.to_string()),
            },
            bodies: BodyCounts {
                here: self.site.body_count(),
                there: self.site.remote_presence(monotonic()).bodies.len(),
            },
            cameras: self
                .cameras
                .upgrade()
                .map(|sights| sights.status().into_iter().map(CameraHealth::from).collect())
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
            events: self.trace.as_ref().map(Trace::take_lines).unwrap_or_default(),
        }
    }
}

/// Returns the memory of a process by its number, or of this one as `self`, in MiB (proportional set size).
/// Returns none where the system does not report it. Only a show itself can read its own.
pub fn memory(process: &str) -> Option<f64> {
    let text = std::fs::read_to_string(format!("/proc/{process}/smaps_rollup")).ok()?;
    let line = text.lines().find(|line| line.starts_with("Pss:"))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(tenths(kib / 1024.0))
}

/// Writes a status line per second and a line for each of `keys`, on its own thread, until the show is over.
/// Writes one more status line at the end.
pub fn spawn_status_writer(
    source: StatusSource,
    keys: Receiver<RehearsalKey>,
    over: Arc<AtomicBool>,
) -> io::Result<()> {
    std::thread::Builder::new().name("state".into()).spawn(move || {
        let began = Instant::now();
        let mut next = began;
        let mut ends = false;
        loop {
            let text = serde_json::to_string(&source.status(began)).unwrap_or_default();
            if !write_line(&text) {
                over.store(true, Ordering::Relaxed);
            }
            if ends {
                return;
            }
            next += STATUS_INTERVAL;
            while Instant::now() < next && !ends {
                std::thread::sleep(Duration::from_millis(20));
                for key in keys.try_iter() {
                    write_line(&format!("{{\"key\":\"{}\"}}", key.word()));
                }
                ends = over.load(Ordering::Relaxed);
            }
        }
    })?;
    Ok(())
}

/// Announces the edition that is about to be read.
pub fn announce_edition(edition: &str) {
    // A closed pipe is noticed by the next line of state.
    write_line(&format!("{{\"edition\":\"{edition}\"}}"));
}

/// Writes a line to standard output. Returns false if the parent process is gone; a full disk is not a reason to end.
fn write_line(line: &str) -> bool {
    let mut out = io::stdout().lock();
    let said = writeln!(out, "{line}").and_then(|()| out.flush());
    !said.is_err_and(|why| why.kind() == io::ErrorKind::BrokenPipe)
}

/// Reads commands until standard input closes, which ends the show.
/// Commands: the sharing policy of the site, `picture FILE` and `quit`. In a rehearsal also `shift SECONDS`,
/// `knows on`, `knows off` and `say WORDS`.
pub fn spawn_command_reader(
    over: Arc<AtomicBool>,
    captures: CaptureQueue,
    site: SiteHandle,
    rehearsal: Option<Arc<Rehearsal>>,
) -> io::Result<()> {
    std::thread::Builder::new().name("commands".into()).spawn(move || {
        for line in io::stdin().lock().lines() {
            let Ok(line) = line else { break };
            match line.trim().split_once(' ').unwrap_or((line.trim(), "")) {
                ("quit", _) => break,
                ("picture", file) if !file.is_empty() => {
                    let mut captures = captures.lock().unwrap_or_else(PoisonError::into_inner);
                    // The limit is more than a stalled frame loop will ever write.
                    captures.truncate(CAPTURES_MAX);
                    captures.push_back(file.into());
                }
                ("", _) => {}
                (word, rest)
                    if rehearsal.as_ref().is_some_and(|rehearsal| handle_rehearsal_command(rehearsal, word, rest)) => {}
                (word, _)
                    if SharingPolicy::parse(word).is_some_and(|openness| {
                        site.set_sharing_policy(openness);
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

/// Runs a rehearsal command; returns false if it is not one.
fn handle_rehearsal_command(rehearsal: &Rehearsal, word: &str, rest: &str) -> bool {
    match (word, rest) {
        ("knows", "on" | "off") => rehearsal.set_debug_overlay(rest == "on"),
        ("say", words) => rehearsal.show_message(words),
        ("shift", seconds) => match seconds.parse::<i64>() {
            Ok(seconds) => rehearsal.set_time_shift(seconds.clamp(-86_400, 86_400)),
            Err(_) => return false,
        },
        _ => return false,
    }
    true
}
