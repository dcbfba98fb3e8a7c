//! Whether an artist's shader is quick enough to be drawn: it is tried on a small sheet before it is seen, and again when
//! pictures take long. One that is not is shed, since a GPU that is never done takes the whole show with it.

use super::targets::{TargetKind, create_target};
use crate::device::virtual_steps::run_with_retries;
use bevy::render::render_resource::{Extent3d, Texture, TextureView};
use bevy::render::renderer::RenderDevice;
use std::collections::HashMap;
use std::time::Duration;

/// Sides of the sheet, as a part of the canvas's.
const SCALE: u32 = 4;
/// Times that a shader is tried before it is shed.
const ATTEMPTS_MAX: usize = 5;
/// A trial is waited for at least this long: a driver may have to make something ready first.
const TIMEOUT_MIN: Duration = Duration::from_millis(100);
/// Pictures that take long are looked into no more often than this, in seconds of the scene's clock.
const SUSPECT_INTERVAL: f64 = 2.0;

/// One that was shed is tried again after so long at first, and at last, in seconds of the scene's clock.
const RETRY_BACKOFF: [f64; 2] = [30.0, 3_600.0];

/// What is known of a shader.
#[derive(Debug, Clone, Copy)]
enum BudgetStatus {
    Passed,
    /// It is tried again at this time, and if it fails then, after twice as long.
    Disabled {
        retry_at: f64,
        backoff: f64,
    },
    /// It was shed, and is to be tried again.
    Retrying {
        backoff: f64,
    },
}

/// What became of trials.
#[derive(Default)]
pub(super) struct ShaderBudget {
    /// By the shaders' keys.
    statuses: HashMap<u64, BudgetStatus>,
    targets: HashMap<(TargetKind, [u32; 2]), (Texture, TextureView)>,
    last: Option<f64>,
}

impl ShaderBudget {
    /// Forgets shaders that are no more, and what was held against those that are.
    pub fn retain(&mut self, known: impl Fn(u64) -> bool) {
        self.statuses.retain(|key, verdict| known(*key) && matches!(verdict, BudgetStatus::Passed));
        self.targets.clear();
    }

    /// True if it was tried and is fast enough.
    pub fn passed(&self, key: u64) -> bool {
        matches!(self.statuses.get(&key), Some(BudgetStatus::Passed))
    }

    /// True if a shader has to be tried at `now`, in seconds.
    pub fn needs_trial(&mut self, key: u64, now: f64) -> bool {
        match self.statuses.get(&key).copied() {
            None | Some(BudgetStatus::Retrying { .. }) => true,
            Some(BudgetStatus::Passed) => false,
            // A clock that goes back is another clock.
            Some(BudgetStatus::Disabled { retry_at: again, backoff: pause }) => {
                let due = now >= again || now < again - pause;
                if due {
                    self.statuses.insert(key, BudgetStatus::Retrying { backoff: pause });
                }
                due
            }
        }
    }

    /// Pictures take long at `now`, in seconds: all that are drawn are tried again.
    pub fn retry_passed(&mut self, now: f64) {
        if self.last.is_none_or(|last| (now - last).abs() >= SUSPECT_INTERVAL) {
            self.last = Some(now);
            self.statuses.retain(|_, verdict| !matches!(verdict, BudgetStatus::Passed));
        }
    }

    /// What is tried on, for a canvas of so many pixels, of which what is painted on is this part of each side.
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

    /// Takes down how long a shader took on the sheet at `now`, none if that was not waited for. The error is for the artist.
    pub fn record_trial(&mut self, key: u64, now: f64, took: Option<Duration>, most: Duration) -> Result<(), String> {
        let whole = took.map(|took| took * SCALE * SCALE);
        if whole.is_some_and(|whole| whole <= most) {
            self.statuses.insert(key, BudgetStatus::Passed);
            return Ok(());
        }
        let pause = match self.statuses.get(&key) {
            Some(BudgetStatus::Retrying { backoff: pause } | BudgetStatus::Disabled { backoff: pause, .. }) => {
                (pause * 2.0).min(RETRY_BACKOFF[1])
            }
            _ => RETRY_BACKOFF[0],
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

/// Tries a shader until it is fast enough for pictures in which it may take `most`, at most [`ATTEMPTS_MAX`] times; the fastest run
/// counts, since the first run may include preparation, and the machine may have been busy. A run that does not finish in time
/// is not repeated. In virtual time (`patient`) the whole procedure is a step that is itself repeated.
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

/// How long a trial is waited for.
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
        // It failed once: after half a minute it may be well. It failed twice: after a minute.
        assert!(trials.needs_trial(2, 31.0) && trials.record_trial(2, 31.0, None, most).is_err());
        assert!(!trials.needs_trial(2, 62.0) && trials.needs_trial(2, 92.0));
        assert_eq!(trials.record_trial(2, 92.0, Some(Duration::ZERO), most), Ok(()));
        assert!(trials.passed(2));
        // What is saved anew is looked at anew.
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
