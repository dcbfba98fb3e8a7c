//! The built-in camera: a city's square with people on it, drawn from a seed, with exact truth beside it.
//!
//! ```text
//! layout   what stands where: paving, facade, things, foliage; bake draws it once
//! light    sky, sun, lamps and screen over time; bus and wet are what passes
//! company  who comes; plans, what they mean to do; people, how they walk; looks, what they wear
//! body     from a pose to bones, rolling adds wheels, dog has bones of its own; figure, from bones to limbs and shadows; paint, to pixels
//! scene    one frame; canvas, light and what the sensor makes of it; truth is kept beside it
//! ```

mod bake;
mod body;
mod bus;
mod canvas;
mod company;
mod dog;
mod facade;
mod figure;
mod foliage;
mod grain;
mod kinds;
mod layout;
mod light;
mod looks;
mod paint;
mod paving;
mod people;
mod plans;
mod rolling;
mod scene;
mod things;
mod truth;
mod view;
mod wet;

pub use kinds::{Crowd, Kind, Weather};
pub use truth::{MaskReader, TrueBox, TruthFault, TruthWriter, mask_byte, read_boxes, read_light};

use company::Cast;
use scene::Scene;

/// Which square, who is on it, under which sky.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StreetConfig {
    /// Width and height in pixels; kept within 16 and 4096.
    pub size: [usize; 2],
    /// Frames a second; kept within 1 and 240.
    pub rate: f64,
    /// Another seed, other people.
    pub seed: u64,
    /// Who is there.
    pub crowd: Crowd,
    /// What the light does.
    pub weather: Weather,
    /// Another city, another square.
    pub city: u64,
}

/// One frame, 4:2:0, in video range.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Frame {
    /// Brightness, 16 to 235.
    pub y: Vec<u8>,
    /// Blue difference, half as wide and high, rounded up.
    pub u: Vec<u8>,
    /// Red difference, likewise.
    pub v: Vec<u8>,
    /// The mean brightness that the wall's screen shows, 0 to 1; 0 unless it lights the square.
    pub shown: f32,
}

/// What is really in a frame.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Truth {
    /// Everyone who is in the picture, hidden or not.
    pub people: Vec<TruthPerson>,
    /// For each pixel 0, or one more than the place in `people` of who is seen there.
    pub labels: Vec<u8>,
}

/// Someone in a frame; places in pixels, origin top left.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TruthPerson {
    /// From 1; the same person in all frames.
    pub id: u32,
    /// What an observer would call him.
    pub kind: Kind,
    /// Left, top, width, height of the whole body within the picture, with what hides behind others.
    pub full: [f32; 4],
    /// How much of that is to be seen, 0 to 1.
    pub visible: f32,
    /// How many pixels are to be seen.
    pub pixels: u32,
    /// Where he stands.
    pub foot: [f32; 2],
    /// The middle of his head.
    pub head: [f32; 2],
    /// The hand of an arm that is held out still.
    pub reach: Option<[f32; 2]>,
    /// Whether he stands still.
    pub still: bool,
}

/// The camera over a square.
#[derive(Debug)]
pub struct Street {
    config: StreetConfig,
    scene: Scene,
    cast: Cast,
    next: u64,
    truth: Truth,
}

impl Street {
    /// Draws the empty square once; takes a fraction of a second.
    pub fn new(config: StreetConfig) -> Self {
        let rate = if config.rate.is_finite() { config.rate.clamp(1.0, 240.0) } else { 25.0 };
        let config = StreetConfig { size: config.size.map(|side| side.clamp(16, 4096)), rate, ..config };
        let scene = Scene::new(&config);
        let cast = Self::cast(&config, &scene);
        Self { config, scene, cast, next: 0, truth: Truth::default() }
    }

    fn cast(config: &StreetConfig, scene: &Scene) -> Cast {
        Cast::new(config.crowd, scene.layout(), config.weather == Weather::Rain, config.seed)
    }

    /// What it was made from, within its bounds.
    pub fn config(&self) -> StreetConfig {
        self.config
    }

    /// Draws a frame by its number, from 0. Numbers go up; one that goes back begins anew.
    pub fn draw(&mut self, number: u64, frame: &mut Frame) -> &Truth {
        if number < self.next {
            self.cast = Self::cast(&self.config, &self.scene);
        }
        self.next = number.saturating_add(1);
        let time = number as f64 / self.config.rate;
        self.cast.advance(time, self.scene.layout());
        self.scene.draw(number, time, &self.cast.people, frame, &mut self.truth);
        &self.truth
    }
}

#[cfg(test)]
mod tests;
