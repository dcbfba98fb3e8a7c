//! Invented street in front of a site, with its camera, as in a rehearsal but in virtual time.

use crate::config::{City, all_cities};
use crate::geometry::{FractionPoint, WHOLE};
use crate::presence::{Body, Phase, Point};
use crate::site::{FrameAnalyzer, VisionFrame};
use crate::synth::{CrowdType, SynthCamera, SynthConfig, SynthFrame, Weather};
use crate::vision::{CameraCalibration, Luma, ScreenPlacement};
use std::time::Duration;

/// Size of a street's frames; small and slow, since two streets are drawn and analysed on one machine.
pub const FRAME_SIZE: [usize; 2] = [320, 240];
/// Camera frames per second; see [`FRAME_SIZE`].
pub const RATE: u32 = 15;
/// Width of the wall that people walk past, in metres; it stands on the ground.
pub const WALL_WIDTH: f32 = 8.0;

/// Frames of an empty square before the start, for the camera; and frames for which people have been arriving.
const WARM_UP: [u64; 2] = [30, 20 * RATE as u64];

/// Street with its camera.
pub(super) struct SimCamera {
    street: SynthCamera,
    analyzer: FrameAnalyzer,
    frame: SynthFrame,
    number: u64,
    /// Result of the last frame.
    pub vision: VisionFrame,
}

impl SimCamera {
    /// Creates the square of a city with a crowd, before a canvas of this size in canvas units.
    pub fn new(city: &City, crowd: CrowdType, weather: Weather, seed: u64, canvas: Point) -> Option<Self> {
        let number = all_cities().iter().position(|known| known.slug == city.slug).unwrap_or_default() as u64;
        let config = SynthConfig { size: FRAME_SIZE, rate: f64::from(RATE), seed, crowd, weather, city: number };
        // The whole camera frame maps to the whole canvas.
        let corners = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]].map(FractionPoint::from);
        let metres = Some(ScreenPlacement { width: WALL_WIDTH, height: 0.0 });
        let place = CameraCalibration::new(corners, WHOLE, canvas, metres)?;
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

    /// Analyses the next frame if it is due at `since` the start, and returns the bodies. `now` is the site's monotonic
    /// clock.
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
        Some(bodies)
    }
}
