//! Report on a scene that was played in every scenario, frame by frame.

use super::flash::{FlashDetector, FlashViolation};
use super::scenario::Scenario;
use super::site::ActionCounts;
use super::world::{SimConfig, SimWorld};
use crate::render::OffscreenRenderer;
use crate::scene::{SCRIPT_BUDGET_MS, SCRIPT_STOP_MS, SceneDiagnostic};
use image::RgbaImage;
use std::time::Duration;

/// Number of frames in each scenario.
pub const FRAMES: u32 = 600;
/// Frames per second.
pub const FRAME_RATE: u32 = 60;
/// Width of the frames that are judged: four pixels for each cell of the flash detector.
const WIDTH: u32 = 192;
/// Number of items above which a report on a slow script names the count.
const MANY: usize = 1_000;
/// Share of differing pixels above which two frames differ.
const DIFFERENT_SHARE: f32 = 0.004;
/// Difference in one channel above which two pixels differ.
const DIFFERENT_CHANNEL: u8 = 12;
/// Interval between frames that are compared between scenarios, which begins with the frame `FIRST`.
const COMPARED: u32 = 20;
const FIRST: u32 = 120;

/// Script times of the frames of a scenario, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ScriptTimes {
    /// Median.
    pub median: f64,
    /// Longest, apart from the first frame. It does not measure the scene, since a busy machine makes some frames slow.
    pub longest: f64,
}

/// Results of one scenario.
#[derive(Debug, Clone, Default)]
pub struct ScenarioReport {
    /// Faults of the script and of its shaders, each once.
    pub faults: Vec<SceneDiagnostic>,
    /// The frame count and the reason when the scene ended early; the other fields cover the frames before that.
    pub ended_early: Option<(u32, String)>,
    /// Script time per frame.
    pub script_ms: ScriptTimes,
    /// Frames that would have been stopped in a show.
    pub too_long: usize,
    /// Number of items in the largest display list.
    pub items: usize,
    /// Worst flash violation.
    pub flashing: Option<FlashViolation>,
    /// Actions of the scene.
    pub actions: ActionCounts,
    /// Marks dropped beyond the rate limit.
    pub left_out: u64,
    /// Signals dropped beyond the rate limit.
    pub signals_dropped: u64,
    /// Number of frames with bodies.
    pub frames_with_bodies: u64,
    /// Number of frames with touches.
    pub frames_with_touches: u64,
    /// Missing parts of the process's sandbox, in words for people; `None` if it is complete.
    pub missing_sandbox: Option<String>,
    /// Number of frames with a link.
    pub linked: u32,
    /// Frames to compare with those of another scenario.
    pictures: Vec<RgbaImage>,
}

impl ScenarioReport {
    /// Plays one scenario until its last frame, or until the scene ends.
    pub fn run(plan: &SimConfig, scenario: Scenario, frames: u32) -> Self {
        let mut seen = Self::default();
        if let Err(why) = seen.play(plan, scenario, frames) {
            seen.ended_early.get_or_insert((0, why));
        }
        seen
    }

    fn play(&mut self, plan: &SimConfig, scenario: Scenario, frames: u32) -> Result<(), String> {
        let plan = SimConfig { scenario, rate: FRAME_RATE, ..plan.clone() };
        let canvas = plan.edition.installation.canvas_size();
        let height = (WIDTH as f32 * canvas[1] / canvas[0]).round().max(27.0) as u32;
        let mut studio = OffscreenRenderer::new(canvas, [WIDTH, height])?;
        let mut world = SimWorld::new(&plan)?;
        let mut watch = FlashDetector::default();
        for frame in 0..frames {
            if let Err(why) = self.step(&plan, (&mut world, &mut studio), &mut watch, frame) {
                self.ended_early = Some((frame, why));
                break;
            }
        }
        let town = &world.sites()[0];
        for fault in &town.faults {
            if self.faults.iter().all(|known| !known.is_same(fault)) {
                self.faults.push(fault.clone());
            }
        }
        for fault in studio.faults() {
            let remedy = "try it without what was changed last";
            self.faults.push(SceneDiagnostic::new(&fault.shader, fault.why, remedy));
        }
        self.script_ms = ScriptTimes::new(&town.took_us);
        self.too_long = town.took_us.iter().filter(|us| **us > SCRIPT_STOP_MS * 1_000).count();
        self.items = town.items.iter().max().copied().unwrap_or_default();
        (self.flashing, self.actions) = (watch.worst(), town.actions);
        (self.frames_with_bodies, self.frames_with_touches) = (town.frames_with_bodies, town.frames_with_touches);
        (self.left_out, self.signals_dropped) = (town.left_out, town.signals_dropped);
        self.missing_sandbox = town.missing_sandbox().map(str::to_owned);
        Ok(())
    }

    fn step(
        &mut self,
        plan: &SimConfig,
        (world, studio): (&mut SimWorld, &mut OffscreenRenderer),
        watch: &mut FlashDetector,
        frame: u32,
    ) -> Result<(), String> {
        world.step()?;
        let shot = world.sites()[0].snapshot();
        let [here, there] = &shot.presence;
        let painted = studio.render(&shot.picture, Some(&plan.edition), [here, there], &shot.uniforms)?;
        watch.push_frame(Duration::from_secs_f64(f64::from(frame) / f64::from(FRAME_RATE)), &painted);
        self.linked += u32::from(world.is_linked());
        if frame >= FIRST && frame.is_multiple_of(COMPARED) {
            self.pictures.push(painted);
        }
        Ok(())
    }

    /// Returns the reasons for which a reviewer would refuse the scene.
    pub fn refusals(&self) -> Vec<String> {
        let stopped = self.ended_early.as_ref().map(|(frames, why)| {
            format!("it was stopped after {:.1} s: {why}", f64::from(*frames) / f64::from(FRAME_RATE))
        });
        let mut said: Vec<String> = stopped.into_iter().chain(self.faults.iter().map(ToString::to_string)).collect();
        let median = self.script_ms.median;
        if median > SCRIPT_BUDGET_MS as f64 {
            let with =
                if self.items > MANY { format!(" with {} things in a picture", self.items) } else { String::new() };
            said.push(format!(
                "its script takes {median:.1} ms a frame{with}, in half of all frames or more; {SCRIPT_BUDGET_MS} are allowed: draw or \
                 compute less, or keep what does not change with draw.kept"
            ));
        }
        if let Some(FlashViolation { at, place: [x, y], share, red }) = self.flashing {
            let what = if red { "red light flashes" } else { "it flashes" };
            said.push(format!(
                "{what} more than three times a second at {:.1} s, round {:.0} % from the left and {:.0} % from the top, \
                 over {:.0} % of a third of the picture's width and height; that can cause seizures (WCAG 2.3.1): let it \
                 change more slowly, by less, or over less of the picture",
                at.as_secs_f64(),
                100.0 * x,
                100.0 * y,
                100.0 * share,
            ));
        }
        said
    }

    /// Returns the points that a reviewer would ask about without refusing the scene.
    pub fn advice(&self) -> Vec<String> {
        let mut said = Vec::new();
        if self.left_out > 0 {
            let many = if self.left_out == 1 { "a mark is" } else { "marks are" };
            said.push(format!(
                "{} {many} left out: at most 60 a second are kept; add fewer, in `meet` only `if (here.lead)`",
                self.left_out
            ));
        }
        if self.signals_dropped > 0 {
            let many = if self.signals_dropped == 1 { "signal is" } else { "signals are" };
            said.push(format!(
                "{} {many} left out: at most 30 a second are sent; tell what is so now with `here.share`",
                self.signals_dropped
            ));
        }
        said
    }

    /// Returns true if the frames of two scenarios differ visibly.
    pub fn differs_from(&self, other: &Self) -> bool {
        let heard = |report: &Self| ActionCounts { log_lines: 0, ..report.actions };
        heard(self) != heard(other)
            || self.pictures.iter().zip(&other.pictures).any(|(a, b)| pixel_difference(a, b) > DIFFERENT_SHARE)
    }
}

impl ScriptTimes {
    /// Returns the times of frames that took these microseconds.
    fn new(took_us: &[u64]) -> Self {
        let mut sorted = took_us.to_vec();
        sorted.sort_unstable();
        let median = sorted.get(sorted.len() / 2).copied().unwrap_or_default();
        let longest = took_us.iter().skip(1).max().copied().unwrap_or_default();
        Self { median: median as f64 / 1e3, longest: longest as f64 / 1e3 }
    }
}

/// Returns the share of pixels that differ.
fn pixel_difference(a: &RgbaImage, b: &RgbaImage) -> f32 {
    let far = |(a, b): &(&image::Rgba<u8>, &image::Rgba<u8>)| {
        a.0.iter().zip(b.0).any(|(a, b)| a.abs_diff(b) > DIFFERENT_CHANNEL)
    };
    a.pixels().zip(b.pixels()).filter(far).count() as f32 / (a.width() * a.height()).max(1) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_frame_is_judged() {
        let seen =
            |took_us: &[u64]| ScenarioReport { script_ms: ScriptTimes::new(took_us), ..ScenarioReport::default() };
        let mut frames = vec![2_000; 600];
        frames[0] = 30_000;
        for busy in frames.iter_mut().skip(100).take(200) {
            *busy = 12_000;
        }
        // A judgement by the mean would refuse this.
        assert!(frames.iter().sum::<u64>() / 600 > SCRIPT_BUDGET_MS * 1_000);
        let busy = seen(&frames);
        assert_eq!((busy.script_ms, busy.refusals()), (ScriptTimes { median: 2.0, longest: 12.0 }, Vec::new()));
        let slow = seen(&[4_500; 600]).refusals();
        assert!(slow.len() == 1 && slow[0].contains("4.5 ms a frame"), "{slow:?}");
        assert_eq!(ScriptTimes::new(&[]), ScriptTimes::default());
    }
}
