//! Whether an artist's shader is quick enough to be drawn: it is tried on a small sheet before it is seen, and again when
//! pictures take long. One that is not is shed, since a GPU that is never done takes the whole show with it.

use super::brushes::Surface;
use super::layers::sheet;
use bevy::render::render_resource::{Extent3d, Texture, TextureView};
use bevy::render::renderer::RenderDevice;
use std::collections::HashMap;
use std::time::Duration;

/// Sides of the sheet, as a part of the canvas's.
const PART: u32 = 4;
/// A trial is waited for at least this long: a driver may have to make something ready first.
const PATIENCE: Duration = Duration::from_millis(100);
/// Pictures that take long are looked into no more often than this, in seconds of the scene's clock.
const PAUSE: f64 = 2.0;

/// What became of trials.
#[derive(Default)]
pub(super) struct Trials {
    /// By the shaders' keys: whether they are drawn.
    verdicts: HashMap<u64, bool>,
    sheets: HashMap<Surface, (Texture, TextureView)>,
    last: Option<f64>,
}

impl Trials {
    /// Forgets shaders that are no more.
    pub fn only(&mut self, known: impl Fn(u64) -> bool) {
        self.verdicts.retain(|key, _| known(*key));
    }

    /// True unless it was shed.
    pub fn passed(&self, key: u64) -> bool {
        self.verdicts.get(&key).copied().unwrap_or(true)
    }

    /// True if a shader has to be tried.
    pub fn due(&self, key: u64) -> bool {
        !self.verdicts.contains_key(&key)
    }

    /// Pictures take long at `now`, in seconds: all that are drawn are tried again.
    pub fn suspect(&mut self, now: f64) {
        if self.last.is_none_or(|last| (now - last).abs() >= PAUSE) {
            self.last = Some(now);
            self.verdicts.retain(|_, passed| !*passed);
        }
    }

    /// What is tried on, for a canvas of so many pixels.
    pub fn sheet(&mut self, device: &RenderDevice, surface: Surface, canvas: Extent3d) -> (TextureView, Extent3d) {
        let size = Extent3d {
            width: (canvas.width / PART).max(1),
            height: (canvas.height / PART).max(1),
            depth_or_array_layers: 1,
        };
        let made = self.sheets.entry(surface).or_insert_with(|| sheet(device, "trial", size, surface.format()));
        if made.0.size() != size {
            *made = sheet(device, "trial", size, surface.format());
        }
        (made.1.clone(), size)
    }

    /// Takes down how long a shader took on the sheet, none if that was not waited for. The error is for the artist.
    pub fn judge(&mut self, key: u64, took: Option<Duration>, most: Duration) -> Result<(), String> {
        let whole = took.map(|took| took * PART * PART);
        let passed = whole.is_some_and(|whole| whole <= most);
        self.verdicts.insert(key, passed);
        if passed {
            return Ok(());
        }
        let took = whole.map_or("far more".to_owned(), |whole| format!("about {} ms", whole.as_millis()));
        Err(format!(
            "takes {took} of this machine's GPU for each picture, and {} ms are allowed, so it is not drawn; let loops turn \
             less often, or paint into a smaller buffer: const buffer_scale = 0.5;",
            most.as_millis()
        ))
    }
}

/// How long a trial is waited for.
pub(super) fn patience(most: Duration) -> Duration {
    PATIENCE.max(most / (PART * PART) * 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_slow_is_shed_and_what_is_suspected_is_tried_again() {
        let (mut trials, most) = (Trials::default(), Duration::from_millis(50));
        assert!(trials.due(1) && trials.passed(1));
        assert_eq!(trials.judge(1, Some(Duration::from_millis(3)), most), Ok(()));
        let why = trials.judge(2, Some(Duration::from_millis(10)), most).expect_err("160 ms are too many");
        assert!(why.contains("160 ms") && why.contains("buffer_scale"), "{why}");
        assert!(trials.judge(3, None, most).is_err());
        assert_eq!([1, 2, 3].map(|key| trials.passed(key)), [true, false, false]);
        trials.suspect(10.0);
        assert_eq!([1, 2, 3].map(|key| trials.due(key)), [true, false, false], "what is shed stays so");
        assert_eq!(trials.judge(1, Some(Duration::from_millis(3)), most), Ok(()));
        trials.suspect(11.0);
        assert!(!trials.due(1), "not so soon again");
        trials.only(|key| key == 1);
        assert!(trials.passed(2));
    }
}
