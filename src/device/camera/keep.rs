//! Keeps a camera's program running, whatever it does, and its pictures coming.

use super::super::clock::monotonic;
use super::blinds::Blinds;
use super::process::{Over, Process};
use super::ring::{Picture, Ring};
use super::y4m::{Reader, Y4mError, mirror};
use super::{CameraState, Plan, Shared};
use std::io;
use std::process::ExitStatus;
use std::time::Duration;
use tokio::runtime::Runtime;

/// A picture that says that it was captured longer ago than this is not believed.
const CAPTURED_MAX: Duration = Duration::from_secs(2);
/// No two pictures are read within this time, or faster than so many bytes a second: a program that floods is held
/// back by its own pipe.
const APART: Duration = Duration::from_millis(4);
const BYTES_A_SECOND: usize = 1 << 30;
/// Killed processes that sit in their driver; with so many, none is started until one of them is gone.
const STUCK_MAX: usize = 4;
/// How much a new interval weighs in the rate.
const RATE_WEIGHT: f64 = 0.1;

/// What ended a run of the program.
enum Outage {
    /// It did not run at all.
    Start(io::Error),
    /// Nothing came in this time.
    Silence(Duration),
    /// Its output ended; its status, if it ended too.
    Ended(Option<ExitStatus>),
    /// What came was no picture.
    Nonsense(Y4mError),
    /// Too many of its processes cannot be killed.
    Stuck,
}

impl Outage {
    /// What is wrong, and what to do about it.
    fn words(&self, words: &[String]) -> (String, &'static str) {
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
            Self::Nonsense(why) => {
                (why.to_string(), "let it write YUV4MPEG2, such as with `-f yuv4mpegpipe -pix_fmt yuv420p -` of ffmpeg")
            }
            Self::Stuck => (
                "its driver does not let its program end".into(),
                "unplug the camera and plug it in again, or restart this machine",
            ),
        }
    }
}

/// One camera's thread.
pub(super) struct Keeper<'a> {
    plan: &'a Plan,
    shared: &'a Shared,
    runtime: &'a Runtime,
    /// The picture that is being filled.
    picture: Picture,
    blinds: Blinds,
    frames: u64,
    /// How long a program may take to its first picture: more each time that was too short, for a camera far away.
    patience: Duration,
    /// Failures in a row; told once.
    outage: bool,
}

impl<'a> Keeper<'a> {
    pub(super) fn new(plan: &'a Plan, shared: &'a Shared, runtime: &'a Runtime) -> Self {
        let patience = plan.timing.silence;
        let (picture, blinds) = (Picture::default(), plan.blinds.clone());
        Self { plan, shared, runtime, picture, blinds, frames: 0, patience, outage: false }
    }

    fn over(&self) -> &'a Over {
        &self.shared.over
    }

    fn ring(&self) -> &'a Ring {
        &self.shared.ring
    }

    /// Runs the program until it is over.
    pub(super) fn keep(mut self) {
        let [first, longest] = self.plan.timing.backoff;
        let mut backoff = first;
        let mut stuck: Vec<Process> = Vec::new();
        while !self.over().is_set() {
            stuck.retain_mut(|process| !process.is_collected());
            let mut settled = false;
            let (outage, said) =
                if stuck.len() < STUCK_MAX { self.run(&mut settled, &mut stuck) } else { (Outage::Stuck, None) };
            // Nobody who was before the camera stays in memory while there is nothing to see.
            self.picture.wipe();
            self.ring().wipe();
            if self.over().is_set() {
                break;
            }
            self.tell(&outage, said);
            if settled {
                backoff = first;
            }
            self.over().sleep(self.runtime, backoff);
            backoff = (backoff * 2).min(longest);
        }
        let mut board = self.shared.board();
        (board.status.state, board.status.pid) = (CameraState::Waiting, None);
        drop(board);
        self.ring().close();
        stuck.retain_mut(|process| !process.is_collected());
        if !stuck.is_empty() {
            // Nobody waits for a driver; what it holds is collected when it lets go.
            let collect = || stuck.into_iter().for_each(Process::collect);
            let _ = std::thread::Builder::new().name("camera-leftovers".into()).spawn(collect);
        }
    }

    /// Runs the program once. `settled`: its pictures were good for long enough.
    fn run(&mut self, settled: &mut bool, stuck: &mut Vec<Process>) -> (Outage, Option<String>) {
        {
            let status = &mut self.shared.board().status;
            status.state = CameraState::Starting;
            status.starts += 1;
        }
        let mut process = match Process::start(&self.plan.words, &self.plan.dir, self.runtime) {
            Ok(process) => process,
            Err(why) => return (Outage::Start(why), None),
        };
        self.shared.board().status.pid = Some(process.id());
        let mut outage = self.watch(&mut process, settled);
        let ended = matches!(outage, Outage::Ended(_));
        let status = process.end(self.runtime, ended, self.plan.timing.grace);
        // Where it has ended, its pipe may still be held by something that it started: then it is silence that is seen.
        if let Outage::Ended(_) | Outage::Silence(_) = outage
            && status.is_some()
        {
            outage = Outage::Ended(status);
        }
        let said = process.said();
        if !process.is_collected() {
            stuck.push(process);
        }
        (outage, said)
    }

    /// Reads pictures until something is wrong.
    fn watch(&mut self, process: &mut Process, settled: &mut bool) -> Outage {
        let timing = &self.plan.timing;
        let began = monotonic();
        let output = process.output(self.runtime, self.over(), began + self.patience);
        let mut first = None;
        let why = match Reader::new(output) {
            Err(why) => why,
            Ok(mut reader) => loop {
                let captured = match reader.read(&mut self.picture.y) {
                    Ok(captured) => captured,
                    Err(why) => break why,
                };
                let now = monotonic();
                reader.source_mut().deadline = now + timing.silence;
                self.picture.captured = believed(captured, now);
                let header = *reader.header();
                (self.picture.width, self.picture.height) = (header.width, header.height);
                let first = *first.get_or_insert(now);
                if !*settled && now - first >= timing.settled {
                    *settled = true;
                    self.is_back();
                }
                self.post(now);
                let least = Duration::from_secs_f64(header.bytes() as f64 / BYTES_A_SECOND as f64).max(APART);
                std::thread::sleep(least.saturating_sub(monotonic() - now));
            },
        };
        match why {
            Y4mError::Read(why) if why.kind() == io::ErrorKind::TimedOut => {
                let silence = if first.is_some() { timing.silence } else { self.patience };
                if first.is_none() {
                    self.patience = (self.patience * 2).min(timing.patience.max(timing.silence));
                }
                Outage::Silence(silence)
            }
            Y4mError::Ended | Y4mError::BrokeOff => Outage::Ended(None),
            why => Outage::Nonsense(why),
        }
    }

    /// Puts the picture out.
    fn post(&mut self, now: Duration) {
        self.frames += 1;
        self.picture.number = self.frames;
        if self.plan.mirror {
            mirror(&mut self.picture.y, self.picture.width);
        }
        self.blinds.close(&mut self.picture.y, [self.picture.width, self.picture.height]);
        let mut board = self.shared.board();
        // The mean interval, not the mean rate: two pictures in one go are no high rate.
        board.interval = if board.status.state == CameraState::Seeing {
            let interval = (now - board.at).as_secs_f64();
            let mean = if board.interval > 0.0 { board.interval } else { interval };
            mean + (interval - mean) * RATE_WEIGHT
        } else {
            0.0
        };
        board.at = now;
        board.status.state = CameraState::Seeing;
        board.status.frames = self.frames;
        board.status.size = [self.picture.width, self.picture.height];
        drop(board);
        self.ring().post(&mut self.picture);
    }

    /// Says that the camera is gone, once until it is back.
    fn tell(&mut self, outage: &Outage, said: Option<String>) {
        let (mut problem, remedy) = outage.words(&self.plan.words);
        if let Some(said) = said {
            problem.push_str(&format!(", and said \"{said}\""));
        }
        let name = &self.plan.name;
        if self.outage {
            tracing::debug!("camera \"{name}\": {problem}; {remedy}");
        } else {
            tracing::warn!("camera \"{name}\": {problem}; {remedy}. It is tried again until it is back");
        }
        self.outage = true;
        let status = &mut self.shared.board().status;
        status.state = CameraState::Waiting;
        status.pid = None;
        status.last_fault = Some(format!("{problem}; {remedy}"));
    }

    /// Its pictures have been good for so long that what comes next is a new outage.
    fn is_back(&mut self) {
        if std::mem::take(&mut self.outage) {
            tracing::info!("camera \"{}\" is back", self.plan.name);
        }
    }
}

/// The capture time that a picture tells, if that can be, and else the time at which it came.
fn believed(told: Option<Duration>, now: Duration) -> Duration {
    told.filter(|&told| told <= now && now - told <= CAPTURED_MAX).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_capture_time_that_can_be_is_believed() {
        let now = Duration::from_secs(100);
        assert_eq!(believed(Some(Duration::from_millis(99_960)), now), Duration::from_millis(99_960));
        for told in [None, Some(Duration::ZERO), Some(Duration::MAX), Some(Duration::from_millis(100_001))] {
            assert_eq!(believed(told, now), now);
        }
    }

    #[test]
    fn every_outage_has_a_remedy() {
        let words = ["ffmpeg".to_owned()];
        let (problem, remedy) = Outage::Start(io::ErrorKind::NotFound.into()).words(&words);
        assert!(problem.contains("\"ffmpeg\"") && remedy.contains("site.toml"), "{problem}");
        assert_eq!(Outage::Silence(Duration::from_secs(2)).words(&words).0, "no picture for 2.0 s");
        for outage in [Outage::Ended(None), Outage::Stuck, Outage::Nonsense(Y4mError::Frame(3))] {
            let (problem, remedy) = outage.words(&[]);
            assert!(!problem.is_empty() && !remedy.is_empty());
        }
    }
}
