//! The built-in camera: a city's square with people on it, drawn from a seed, with exact truth beside it.
//!
//! ```text
//! layout   what stands where: paving, facade, things, foliage; bake draws it once
//! light    sky, sun, lamps and screen over time; bus and wet are what passes
//! company  who comes; plans, what they mean to do; people, how they walk; looks, what they wear
//! body     from a pose to bones, rolling adds wheels, dog has bones of its own; figure, from bones to limbs and shadows; paint, to pixels
//! scene    one frame; canvas, light and what the sensor makes of it; truth is kept beside it
//! ```

mod appearance;
mod archetypes;
mod behaviour;
mod bus;
mod camera_model;
mod dog;
mod facade;
mod foliage;
mod layout;
mod light_buffer;
mod lighting;
mod limb_projection;
mod noise;
mod paving;
mod pedestrian;
mod population;
mod prerender;
mod props;
mod rain;
mod rasterizer;
mod renderer;
mod skeleton;
mod truth;
mod wheels;

pub use archetypes::{Archetype, CrowdType, Weather};
pub use truth::{TruthBox, TruthError, TruthMaskReader, TruthWriter, mask_byte, read_boxes, read_light};

use population::Pedestrians;
use renderer::SquareRenderer;

/// Which square, who is on it, under which sky.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SynthConfig {
    /// Width and height in pixels; kept within 16 and 4096.
    pub size: [usize; 2],
    /// Frames a second; kept within 1 and 240.
    pub rate: f64,
    /// Another seed, other people.
    pub seed: u64,
    /// Who is there.
    pub crowd: CrowdType,
    /// What the light does.
    pub weather: Weather,
    /// Another city, another square.
    pub city: u64,
}

/// One frame, 4:2:0, in video range.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SynthFrame {
    /// Brightness, 16 to 235.
    pub y: Vec<u8>,
    /// Blue difference, half as wide and high, rounded up.
    pub u: Vec<u8>,
    /// Red difference, likewise.
    pub v: Vec<u8>,
    /// The mean brightness that the wall's screen shows, 0 to 1; 0 unless it lights the square.
    pub screen_luminance: f32,
}

/// What is really in a frame.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SynthTruth {
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
    pub kind: Archetype,
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
pub struct SynthCamera {
    config: SynthConfig,
    renderer: SquareRenderer,
    pedestrians: Pedestrians,
    next_frame: u64,
    truth: SynthTruth,
}

impl SynthCamera {
    /// Draws the empty square once; takes a fraction of a second.
    pub fn new(config: SynthConfig) -> Self {
        let rate = if config.rate.is_finite() { config.rate.clamp(1.0, 240.0) } else { 25.0 };
        let config = SynthConfig { size: config.size.map(|side| side.clamp(16, 4096)), rate, ..config };
        let scene = SquareRenderer::new(&config);
        let cast = Self::spawn_pedestrians(&config, &scene);
        Self { config, renderer: scene, pedestrians: cast, next_frame: 0, truth: SynthTruth::default() }
    }

    fn spawn_pedestrians(config: &SynthConfig, scene: &SquareRenderer) -> Pedestrians {
        Pedestrians::new(config.crowd, scene.layout(), config.weather == Weather::Rain, config.seed)
    }

    /// What it was made from, within its bounds.
    pub fn config(&self) -> SynthConfig {
        self.config
    }

    /// Draws a frame by its number, from 0. Numbers go up; one that goes back begins anew.
    pub fn draw(&mut self, number: u64, frame: &mut SynthFrame) -> &SynthTruth {
        if number < self.next_frame {
            self.pedestrians = Self::spawn_pedestrians(&self.config, &self.renderer);
        }
        self.next_frame = number.saturating_add(1);
        let time = number as f64 / self.config.rate;
        self.pedestrians.advance(time, self.renderer.layout());
        self.renderer.draw(number, time, &self.pedestrians.people, frame, &mut self.truth);
        &self.truth
    }
}

#[cfg(test)]
mod tests;
