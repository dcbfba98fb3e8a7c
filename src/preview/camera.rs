//! A street in front of a site and the camera that sees it, as in a rehearsal, but in virtual time.

use crate::config::{City, all_cities};
use crate::device::camera_pipeline::{FrameAnalyzer, VisionFrame};
use crate::presence::{Body, Phase, Point};
use crate::synth::{CrowdType, SynthCamera, SynthConfig, SynthFrame, Weather};
use crate::vision::{CameraCalibration, Luma, ScreenPlacement};
use std::time::Duration;

/// Size and rate of a street's pictures: two are drawn and seen on one machine.
pub const FRAME_SIZE: [usize; 2] = [320, 240];
/// See [`FRAME_SIZE`].
pub const RATE: u32 = 15;
/// Width of the wall that people walk by, in metres; it stands on the ground.
pub const WALL_WIDTH: f32 = 8.0;

/// The camera has looked at an empty square before, for so many pictures; and people have been coming for as long.
const WARM_UP: [u64; 2] = [30, 20 * RATE as u64];

/// A street and who sees it.
pub(super) struct SimCamera {
    street: SynthCamera,
    analyzer: FrameAnalyzer,
    frame: SynthFrame,
    number: u64,
    /// What was seen last.
    pub vision: VisionFrame,
}

impl SimCamera {
    /// The square of a city with a crowd on it, before a canvas of so many units.
    pub fn new(city: &City, crowd: CrowdType, weather: Weather, seed: u64, canvas: Point) -> Option<Self> {
        let number = all_cities().iter().position(|known| known.slug == city.slug).unwrap_or_default() as u64;
        let config = SynthConfig { size: FRAME_SIZE, rate: f64::from(RATE), seed, crowd, weather, city: number };
        // All of the picture is all of the canvas.
        let corners = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]];
        let metres = Some(ScreenPlacement { width: WALL_WIDTH, height: 0.0 });
        let place = CameraCalibration::new(corners, [0.0, 0.0, 1.0, 1.0], canvas, metres)?;
        let mut eyes = Self {
            street: SynthCamera::new(SynthConfig { crowd: CrowdType::Nobody, ..config }),
            analyzer: FrameAnalyzer::new(place, canvas),
            frame: SynthFrame::default(),
            number: 0,
            vision: VisionFrame::blank(canvas),
        };
        for number in 0..WARM_UP[0] {
            let at = Duration::from_secs_f64(number as f64 / f64::from(RATE));
            eyes.analyze(number, at, |_, _, _| {})?;
        }
        eyes.street = SynthCamera::new(config);
        Some(eyes)
    }

    /// Looks, if it is time for a picture `since` the beginning; `now` is the town's monotonic clock. Gives who is there.
    pub fn poll(&mut self, since: Duration, now: Duration, reach: impl FnMut(u16, Phase, Point)) -> Option<Vec<Body>> {
        if since.as_secs_f64() * f64::from(RATE) < self.number as f64 {
            return None;
        }
        self.number += 1;
        self.analyze(WARM_UP[1] + self.number, now, reach)
    }

    fn analyze(&mut self, number: u64, now: Duration, reach: impl FnMut(u16, Phase, Point)) -> Option<Vec<Body>> {
        self.street.draw(number, &mut self.frame);
        let luma = Luma::new(FRAME_SIZE[0], FRAME_SIZE[1], FRAME_SIZE[0], &self.frame.y)?;
        let bodies = self.analyzer.analyze(now, &luma, self.frame.screen_luminance, &mut self.vision, reach);
        self.vision.version = self.number + 1;
        Some(bodies)
    }
}
