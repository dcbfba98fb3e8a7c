//! Supervisor of a camera's program: restarts it after any failure and publishes its frames.

use super::super::clock::monotonic;
use super::privacy_mask::PrivacyMask;
use super::process::{CaptureProcess, StopSignal};
use super::triple_buffer::{CameraFrame, TripleBuffer};
use super::y4m::{Y4mError, Y4mReader, flip_horizontal};
use super::{CameraShared, CameraState, CameraTiming, SupervisorConfig};
use std::io;
use std::process::ExitStatus;
use std::time::Duration;
use tokio::runtime::Runtime;

/// Largest plausible age of a frame by its own capture time.
const CAPTURE_AGE_MAX: Duration = Duration::from_secs(2);
/// Rate limits: the shortest time between two frames, and the most bytes per second.
/// A program that floods is held back by its own pipe.
const FRAME_INTERVAL_MIN: Duration = Duration::from_millis(4);
const BYTES_PER_SECOND_MAX: usize = 1 << 30;
/// Number of killed processes stuck in their driver at which no other is started until one is gone.
const STUCK_MAX: usize = 4;
/// Weight of a new interval in the frame rate.
const RATE_WEIGHT: f64 = 0.1;

/// Reason for the end of a run.
enum Outage {
    /// The program did not start.
    Start(io::Error),
    /// No frame arrived in this time.
    Silence(Duration),
    /// Its output ended; with the exit status if it exited too.
    Ended(Option<ExitStatus>),
    /// Its output was not a valid frame.
    BadStream(Y4mError),
    /// Too many of its processes cannot be killed.
    Stuck,
}

impl Outage {
    /// Returns the fault and its remedy.
    fn describe(&self, words: &[String]) -> (String, &'static str) {
        let program = words.first().map_or("", String::as_str);
        match self {
            Self::Start(why) => (
                format!("its program \"{program}\" cannot be started ({why})"),
                "install it, or name another as `command` in site.toml",
            ),
            Self::Silence(time) => (
                format!("no picture for {:.1} s", time.as_secs_f64()),
                "look at the camera's cable and power, or run its command by hand",
            ),
            Self::Ended(Some(status)) => {
                (format!("its program \"{program}\" ended ({status})"), "run its command by hand to see why")
            }
            Self::Ended(None) => {
                (format!("its program \"{program}\" closed its output"), "run its command by hand to see why")
            }
            Self::BadStream(why) => {
                (why.to_string(), "let it write YUV4MPEG2, such as with `-f yuv4mpegpipe -pix_fmt yuv420p -` of ffmpeg")
            }
            Self::Stuck => (
                "its driver does not let its program end".into(),
                "unplug the camera and plug it in again, or restart this machine",
            ),
        }
    }
}

/// Supervisor thread of one camera.
pub(super) struct CameraSupervisor<'a> {
    config: &'a SupervisorConfig,
    shared: &'a CameraShared,
    runtime: &'a Runtime,
    /// Frame that is being filled.
    frame: CameraFrame,
    privacy_mask: PrivacyMask,
    frames: u64,
    /// Time limit for the first frame; it grows each time it was too short, for a camera far away.
    first_frame_timeout: Duration,
    /// True during consecutive failures, which are reported once.
    in_outage: bool,
}

impl<'a> CameraSupervisor<'a> {
    pub(super) fn new(plan: &'a SupervisorConfig, shared: &'a CameraShared, runtime: &'a Runtime) -> Self {
        let patience = plan.timing.frame_timeout;
        let (picture, blinds) = (CameraFrame::default(), plan.privacy_mask.clone());
        Self {
            config: plan,
            shared,
            runtime,
            frame: picture,
            privacy_mask: blinds,
            frames: 0,
            first_frame_timeout: patience,
            in_outage: false,
        }
    }

    fn stop(&self) -> &'a StopSignal {
        &self.shared.stop
    }

    fn buffer(&self) -> &'a TripleBuffer {
        &self.shared.buffer
    }

    /// Runs the program until the camera is dropped.
    pub(super) fn supervise(mut self) {
        let CameraTiming { backoff: first, backoff_max, .. } = self.config.timing;
        let mut backoff = first;
        let mut stuck: Vec<CaptureProcess> = Vec::new();
        while !self.stop().is_set() {
            stuck.retain_mut(|process| !process.is_reaped());
            let mut settled = false;
            let (outage, said) =
                if stuck.len() < STUCK_MAX { self.run_once(&mut settled, &mut stuck) } else { (Outage::Stuck, None) };
            // No image of a person stays in memory while the camera is away.
            self.frame.wipe();
            self.buffer().wipe();
            if self.stop().is_set() {
                break;
            }
            self.report_outage(&outage, said);
            if settled {
                backoff = first;
            }
            self.stop().sleep(self.runtime, backoff);
            backoff = (backoff * 2).min(backoff_max);
        }
        let mut board = self.shared.lock_record();
        (board.status.state, board.status.pid) = (CameraState::Backoff, None);
        drop(board);
        self.buffer().close();
        stuck.retain_mut(|process| !process.is_reaped());
        if !stuck.is_empty() {
            // A stuck driver must not delay the exit; its processes are reaped when it releases them.
            let collect = || stuck.into_iter().for_each(CaptureProcess::reap);
            let _ = std::thread::Builder::new().name("camera-leftovers".into()).spawn(collect);
        }
    }

    /// Runs the program once. Sets `settled` if its frames were good for long enough.
    fn run_once(&mut self, settled: &mut bool, stuck: &mut Vec<CaptureProcess>) -> (Outage, Option<String>) {
        {
            let status = &mut self.shared.lock_record().status;
            status.state = CameraState::Starting;
            status.starts += 1;
        }
        let mut process = match CaptureProcess::start(&self.config.command, &self.config.dir, self.runtime) {
            Ok(process) => process,
            Err(why) => return (Outage::Start(why), None),
        };
        self.shared.lock_record().status.pid = Some(process.id());
        let mut outage = self.read_frames(&mut process, settled);
        let ended = matches!(outage, Outage::Ended(_));
        let status = process.terminate(self.runtime, ended, self.config.timing.grace);
        // After its exit a descendant may still hold its pipe, and the outage appears as silence.
        if let Outage::Ended(_) | Outage::Silence(_) = outage
            && status.is_some()
        {
            outage = Outage::Ended(status);
        }
        let said = process.last_stderr_line();
        if !process.is_reaped() {
            stuck.push(process);
        }
        (outage, said)
    }

    /// Reads frames until a fault occurs.
    fn read_frames(&mut self, process: &mut CaptureProcess, settled: &mut bool) -> Outage {
        let timing = &self.config.timing;
        let began = monotonic();
        let output = process.reader(self.runtime, self.stop(), began + self.first_frame_timeout);
        let mut first = None;
        let why = match Y4mReader::new(output) {
            Err(why) => why,
            Ok(mut reader) => loop {
                let captured = match reader.read(&mut self.frame.y) {
                    Ok(captured) => captured,
                    Err(why) => break why,
                };
                let now = monotonic();
                reader.source_mut().deadline = now + timing.frame_timeout;
                self.frame.captured = plausible_capture_time(captured, now);
                let header = *reader.header();
                (self.frame.width, self.frame.height) = (header.width, header.height);
                let first = *first.get_or_insert(now);
                if !*settled && now - first >= timing.recovered_after {
                    *settled = true;
                    self.mark_recovered();
                }
                self.publish(now);
                let least = Duration::from_secs_f64(header.frame_bytes() as f64 / BYTES_PER_SECOND_MAX as f64)
                    .max(FRAME_INTERVAL_MIN);
                std::thread::sleep(least.saturating_sub(monotonic() - now));
            },
        };
        match why {
            Y4mError::Read(why) if why.kind() == io::ErrorKind::TimedOut => {
                let silence = if first.is_some() { timing.frame_timeout } else { self.first_frame_timeout };
                if first.is_none() {
                    self.first_frame_timeout =
                        (self.first_frame_timeout * 2).min(timing.first_frame_timeout_max.max(timing.frame_timeout));
                }
                Outage::Silence(silence)
            }
            Y4mError::Ended | Y4mError::Truncated => Outage::Ended(None),
            why => Outage::BadStream(why),
        }
    }

    /// Publishes the frame.
    fn publish(&mut self, now: Duration) {
        self.frames += 1;
        self.frame.number = self.frames;
        if self.config.mirror {
            flip_horizontal(&mut self.frame.y, self.frame.width);
        }
        self.privacy_mask.apply(&mut self.frame.y, [self.frame.width, self.frame.height]);
        let mut board = self.shared.lock_record();
        // The mean interval, not the mean rate: two frames at once are not a high rate.
        board.interval = if board.status.state == CameraState::Streaming {
            let interval = (now - board.at).as_secs_f64();
            let mean = if board.interval > 0.0 { board.interval } else { interval };
            mean + (interval - mean) * RATE_WEIGHT
        } else {
            0.0
        };
        board.at = now;
        board.status.state = CameraState::Streaming;
        board.status.frames = self.frames;
        board.status.size = [self.frame.width, self.frame.height];
        drop(board);
        self.buffer().publish(&mut self.frame);
    }

    /// Reports an outage, once until the camera has recovered.
    fn report_outage(&mut self, outage: &Outage, said: Option<String>) {
        let (mut problem, remedy) = outage.describe(&self.config.command);
        if let Some(said) = said {
            problem.push_str(&format!(", and said \"{said}\""));
        }
        let name = &self.config.name;
        if self.in_outage {
            tracing::debug!("camera \"{name}\": {problem}; {remedy}");
        } else {
            tracing::warn!("camera \"{name}\": {problem}; {remedy}. It is tried again until it is back");
        }
        self.in_outage = true;
        let status = &mut self.shared.lock_record().status;
        status.state = CameraState::Backoff;
        status.pid = None;
        status.last_fault = Some(format!("{problem}; {remedy}"));
    }

    /// Marks the camera as recovered, so that the next failure is reported as a new outage.
    fn mark_recovered(&mut self) {
        if std::mem::take(&mut self.in_outage) {
            tracing::info!("camera \"{}\" is back", self.config.name);
        }
    }
}

/// Returns the capture time of a frame if it is plausible, otherwise its arrival time.
fn plausible_capture_time(told: Option<Duration>, now: Duration) -> Duration {
    told.filter(|&told| told <= now && now - told <= CAPTURE_AGE_MAX).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_capture_time_that_can_be_is_believed() {
        let now = Duration::from_secs(100);
        assert_eq!(plausible_capture_time(Some(Duration::from_millis(99_960)), now), Duration::from_millis(99_960));
        for told in [None, Some(Duration::ZERO), Some(Duration::MAX), Some(Duration::from_millis(100_001))] {
            assert_eq!(plausible_capture_time(told, now), now);
        }
    }

    #[test]
    fn every_outage_has_a_remedy() {
        let words = ["ffmpeg".to_owned()];
        let (problem, remedy) = Outage::Start(io::ErrorKind::NotFound.into()).describe(&words);
        assert!(problem.contains("\"ffmpeg\"") && remedy.contains("site.toml"), "{problem}");
        assert_eq!(Outage::Silence(Duration::from_secs(2)).describe(&words).0, "no picture for 2.0 s");
        for outage in [Outage::Ended(None), Outage::Stuck, Outage::BadStream(Y4mError::Frame(3))] {
            let (problem, remedy) = outage.describe(&[]);
            assert!(!problem.is_empty() && !remedy.is_empty());
        }
    }
}
