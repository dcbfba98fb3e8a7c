//! GPU time budget of artists' shaders: measures each one on a small target and disables it if it is too slow.
//! A shader is tried before it is first drawn, and again when frames take long. A shader that never finishes would stop
//! the whole show.

use super::targets::{TargetKind, create_target};
use crate::device::virtual_steps::run_with_retries;
use bevy::render::render_resource::{Extent3d, Texture, TextureView};
use bevy::render::renderer::RenderDevice;
use std::collections::HashMap;
use std::time::Duration;

/// Divisor of the canvas's sides for the trial target.
const SCALE: u32 = 4;
/// Maximum number of runs of a shader in one trial.
const ATTEMPTS_MAX: usize = 5;
/// Minimum timeout of a trial: a driver may have to prepare something first.
const TIMEOUT_MIN: Duration = Duration::from_millis(100);
/// Minimum interval between retrials because of slow frames, in seconds of the scene's clock.
const SUSPECT_INTERVAL: f64 = 2.0;

/// First delay before a disabled shader is tried again, in seconds of the scene's clock; it doubles.
const RETRY_BACKOFF: f64 = 30.0;
/// Longest of these pauses.
const RETRY_BACKOFF_MAX: f64 = 3_600.0;

/// Trial status of a shader.
#[derive(Debug, Clone, Copy)]
enum BudgetStatus {
    Passed,
    /// Disabled until `retry_at`; if the next trial fails, the delay doubles.
    Disabled {
        retry_at: f64,
        backoff: f64,
    },
    /// Disabled, and due for another trial.
    Retrying {
        backoff: f64,
    },
}

/// Results of trials.
#[derive(Default)]
pub(super) struct ShaderBudget {
    /// Status by the shader's content hash.
    statuses: HashMap<u64, BudgetStatus>,
    targets: HashMap<(TargetKind, [u32; 2]), (Texture, TextureView)>,
    last: Option<f64>,
}

impl ShaderBudget {
    /// Forgets removed shaders, and the failures of the remaining ones.
    pub fn retain(&mut self, known: impl Fn(u64) -> bool) {
        self.statuses.retain(|key, verdict| known(*key) && matches!(verdict, BudgetStatus::Passed));
        self.targets.clear();
    }

    /// Returns true if a shader was tried and is fast enough.
    pub fn passed(&self, key: u64) -> bool {
        matches!(self.statuses.get(&key), Some(BudgetStatus::Passed))
    }

    /// Returns true if a shader has to be tried at `now`, in seconds.
    pub fn needs_trial(&mut self, key: u64, now: f64) -> bool {
        match self.statuses.get(&key).copied() {
            None | Some(BudgetStatus::Retrying { .. }) => true,
            Some(BudgetStatus::Passed) => false,
            // A clock that runs backwards has been replaced.
            Some(BudgetStatus::Disabled { retry_at: again, backoff: pause }) => {
                let due = now >= again || now < again - pause;
                if due {
                    self.statuses.insert(key, BudgetStatus::Retrying { backoff: pause });
                }
                due
            }
        }
    }

    /// Schedules a new trial of all drawn shaders because frames take long at `now`, in seconds.
    pub fn retry_passed(&mut self, now: f64) {
        if self.last.is_none_or(|last| (now - last).abs() >= SUSPECT_INTERVAL) {
            self.last = Some(now);
            self.statuses.retain(|_, verdict| !matches!(verdict, BudgetStatus::Passed));
        }
    }

    /// Returns the trial target for a canvas of this size in pixels, and for a shader target that is `scale` of each
    /// side.
    pub fn trial_target(
        &mut self,
        device: &RenderDevice,
        surface: TargetKind,
        (canvas, scale): (Extent3d, f32),
    ) -> (TextureView, Extent3d) {
        let side = |side: u32| ((side as f32 * scale) as u32 / SCALE).max(1);
        let size = Extent3d { width: side(canvas.width), height: side(canvas.height), depth_or_array_layers: 1 };
        let made = self.targets.entry((surface, [size.width, size.height]));
        let made = made.or_insert_with(|| create_target(device, "trial", size, surface.format()));
        (made.1.clone(), size)
    }

    /// Records a shader's time on the trial target at `now`; `None` for a timeout. The error is for the artist.
    pub fn record_trial(&mut self, key: u64, now: f64, took: Option<Duration>, most: Duration) -> Result<(), String> {
        let whole = took.map(|took| took * SCALE * SCALE);
        if whole.is_some_and(|whole| whole <= most) {
            self.statuses.insert(key, BudgetStatus::Passed);
            return Ok(());
        }
        let pause = match self.statuses.get(&key) {
            Some(BudgetStatus::Retrying { backoff: pause } | BudgetStatus::Disabled { backoff: pause, .. }) => {
                (pause * 2.0).min(RETRY_BACKOFF_MAX)
            }
            _ => RETRY_BACKOFF,
        };
        self.statuses.insert(key, BudgetStatus::Disabled { retry_at: now + pause, backoff: pause });
        let took = whole.map_or("far more".to_owned(), |whole| format!("about {} ms", whole.as_millis()));
        Err(format!(
            "takes {took} of this machine's graphics for each picture, and {} ms are allowed, so it is not drawn; let loops turn \
             less often, or paint into a smaller buffer: const buffer_scale = 0.5;",
            most.as_millis()
        ))
    }
}

/// Runs a trial until the shader is fast enough for `most` per frame, at most [`ATTEMPTS_MAX`] times.
/// The fastest run counts: the first may include preparation, and the machine may have been busy. A run that does not
/// finish in time is not repeated. In virtual time (`patient`) the whole procedure is a step that is itself repeated.
pub(super) fn best_of_trials(
    most: Duration,
    patient: bool,
    mut trial: impl FnMut() -> Option<Duration>,
) -> Option<Duration> {
    let most = most / (SCALE * SCALE);
    let mut tried = || {
        let mut took = trial();
        for _ in 1..ATTEMPTS_MAX {
            if took.is_none_or(|took| took <= most) {
                break;
            }
            took = took.min(trial());
        }
        took.filter(|took| *took <= most).ok_or(took)
    };
    let tried = if patient { run_with_retries(tried) } else { tried() };
    tried.map_or_else(|took| took, Some)
}

/// Returns the timeout of a trial run.
pub(super) fn trial_timeout(most: Duration) -> Duration {
    TIMEOUT_MIN.max(most / (SCALE * SCALE) * 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_slow_is_shed_and_tried_again_later_and_later() {
        let (mut trials, most) = (ShaderBudget::default(), Duration::from_millis(50));
        assert!(trials.needs_trial(1, 0.0) && !trials.passed(1));
        assert_eq!(trials.record_trial(1, 0.0, Some(Duration::from_millis(3)), most), Ok(()));
        let why = trials.record_trial(2, 0.0, Some(Duration::from_millis(10)), most).expect_err("160 ms are too many");
        assert!(why.contains("160 ms") && why.contains("buffer_scale"), "{why}");
        assert!(trials.record_trial(3, 0.0, None, most).is_err());
        assert_eq!([1, 2, 3].map(|key| trials.passed(key)), [true, false, false]);
        trials.retry_passed(10.0);
        assert_eq!([1, 2, 3].map(|key| trials.needs_trial(key, 10.0)), [true, false, false]);
        assert_eq!(trials.record_trial(1, 10.0, Some(Duration::from_millis(3)), most), Ok(()));
        trials.retry_passed(11.0);
        assert!(!trials.needs_trial(1, 11.0), "not so soon again");
        // After one failure it is tried again after 30 s, after two failures after 60 s.
        assert!(trials.needs_trial(2, 31.0) && trials.record_trial(2, 31.0, None, most).is_err());
        assert!(!trials.needs_trial(2, 62.0) && trials.needs_trial(2, 92.0));
        assert_eq!(trials.record_trial(2, 92.0, Some(Duration::ZERO), most), Ok(()));
        assert!(trials.passed(2));
        // A saved file is tried anew.
        trials.retain(|key| key == 3);
        assert!(trials.needs_trial(3, 93.0));
    }

    #[test]
    fn in_virtual_time_a_shader_is_too_slow_only_when_it_was_so_twice_more() {
        let (most, slow) = (Duration::from_millis(16), Duration::from_millis(7));
        let tries = |patient, succeeds: usize, late: Option<Duration>| {
            let mut tries = 0;
            let took = best_of_trials(most, patient, || {
                tries += 1;
                if tries < succeeds { late } else { Some(Duration::from_millis(1)) }
            });
            (tries, took)
        };
        let (quick, late) = (Some(Duration::from_millis(1)), Some(slow));
        assert_eq!(tries(true, 1, late), (1, quick));
        // A busy machine: the first runs are slow, and one of the repeated runs is fast.
        assert_eq!(tries(true, 13, late), (13, quick));
        assert_eq!(tries(true, 3, None), (3, quick));
        // The shader is slow in every run.
        assert_eq!(tries(true, 99, late), (15, late));
        assert_eq!(tries(true, 99, None), (3, None));
        // A show does not repeat the step.
        assert_eq!(tries(false, 6, late), (5, late));
        assert_eq!(tries(false, 2, None), (1, None));
    }
}
