//! A street in front of a site and the camera that sees it, as in a rehearsal, but in virtual time.

use crate::device::sight::{Look, Sighted};
use crate::device::street::{Crowd, Frame, Street, StreetConfig, Weather};
use crate::manifest::{City, cities};
use crate::presence::{Body, Phase, Point};
use crate::sense::{Luma, Metres, Place};
use std::time::Duration;

/// Size and rate of a street's pictures: two are drawn and seen on one machine.
pub const SIZE: [usize; 2] = [320, 240];
/// See [`SIZE`].
pub const RATE: u32 = 15;
/// Width of the wall that people walk by, in metres; it stands on the ground.
pub const WALL: f32 = 8.0;

/// The camera has looked at an empty square before, for so many pictures; and people have been coming for as long.
const BEFORE: [u64; 2] = [30, 20 * RATE as u64];

/// A street and who sees it.
pub(super) struct Eyes {
    street: Street,
    look: Look,
    frame: Frame,
    number: u64,
    /// What was seen last.
    pub sighted: Sighted,
}

impl Eyes {
    /// The square of a city with a crowd on it, before a canvas of so many units.
    pub fn new(city: &City, crowd: Crowd, weather: Weather, seed: u64, canvas: Point) -> Option<Self> {
        let number = cities().iter().position(|known| known.slug == city.slug).unwrap_or_default() as u64;
        let config = StreetConfig { size: SIZE, rate: f64::from(RATE), seed, crowd, weather, city: number };
        // All of the picture is all of the canvas.
        let corners = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]];
        let metres = Some(Metres { width: WALL, height: 0.0 });
        let place = Place::new(corners, [0.0, 0.0, 1.0, 1.0], canvas, metres)?;
        let mut eyes = Self {
            street: Street::new(StreetConfig { crowd: Crowd::Nobody, ..config }),
            look: Look::new(place, canvas),
            frame: Frame::default(),
            number: 0,
            sighted: Sighted::blank(canvas),
        };
        for number in 0..BEFORE[0] {
            let at = Duration::from_secs_f64(number as f64 / f64::from(RATE));
            eyes.see(number, at, |_, _, _| {})?;
        }
        eyes.street = Street::new(config);
        Some(eyes)
    }

    /// Looks, if it is time for a picture `since` the beginning; `now` is the town's monotonic clock. Gives who is there.
    pub fn look(&mut self, since: Duration, now: Duration, reach: impl FnMut(u16, Phase, Point)) -> Option<Vec<Body>> {
        if since.as_secs_f64() * f64::from(RATE) < self.number as f64 {
            return None;
        }
        self.number += 1;
        self.see(BEFORE[1] + self.number, now, reach)
    }

    fn see(&mut self, number: u64, now: Duration, reach: impl FnMut(u16, Phase, Point)) -> Option<Vec<Body>> {
        self.street.draw(number, &mut self.frame);
        let luma = Luma::new(SIZE[0], SIZE[1], SIZE[0], &self.frame.y)?;
        let bodies = self.look.see(now, &luma, self.frame.shown, &mut self.sighted, reach);
        self.sighted.version = self.number + 1;
        Some(bodies)
    }
}
