//! Simulated camera: a city's square with people, drawn from a seed, with exact ground truth.
//!
//! ```text
//! layout      static parts: paving, facade, props, foliage; prerender draws them once
//! lighting    sky, sun, lamps and screen over time; bus and rain are transient effects
//! population  who comes (archetypes, appearance); behaviour plans goals, pedestrian carries them out
//! skeleton    from a pose to bones (wheels and dog add theirs); limb_projection, from bones to limbs
//!             and shadows; rasterizer, from limbs to pixels
//! renderer    one frame; light_buffer, its light and exposure; truth is written beside it
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

/// Configuration of a simulated camera: size, frame rate, seed, crowd, weather and city.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SynthConfig {
    /// Width and height in pixels; clamped to between 16 and 4096.
    pub size: [usize; 2],
    /// Frames per second; clamped to between 1 and 240.
    pub rate: f64,
    /// Seed of the people.
    pub seed: u64,
    /// Crowd on the square.
    pub crowd: CrowdType,
    /// Weather and light.
    pub weather: Weather,
    /// Seed of the square: another city has another square.
    pub city: u64,
}

/// Frame in 4:2:0 and video range.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SynthFrame {
    /// Luma, 16 to 235.
    pub y: Vec<u8>,
    /// Blue difference, half as wide and high, rounded up.
    pub u: Vec<u8>,
    /// Red difference, likewise.
    pub v: Vec<u8>,
    /// Mean luminance of the wall's screen, 0 to 1; 0 unless it lights the square.
    pub screen_luminance: f32,
}

/// Ground truth of a frame.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SynthTruth {
    /// All people within the frame, hidden or not.
    pub people: Vec<TruthPerson>,
    /// Label of each pixel: 0, or the index in `people` of the visible person plus 1.
    pub labels: Vec<u8>,
}

/// Person in a frame; positions in pixels, origin top left.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TruthPerson {
    /// Id from 1; the same person in all frames.
    pub id: u32,
    /// Kind of the person as an observer would see it.
    pub kind: Archetype,
    /// Left, top, width, height of the whole body within the frame, including parts hidden by others.
    pub full: [f32; 4],
    /// Visible fraction of that, 0 to 1.
    pub visible: f32,
    /// Number of visible pixels.
    pub pixels: u32,
    /// Position of the foot.
    pub foot: [f32; 2],
    /// Centre of the head.
    pub head: [f32; 2],
    /// Hand of an arm that is held out still.
    pub reach: Option<[f32; 2]>,
    /// True if the person stands still.
    pub still: bool,
}

/// Camera over a square.
#[derive(Debug)]
pub struct SynthCamera {
    config: SynthConfig,
    renderer: SquareRenderer,
    pedestrians: Pedestrians,
    next_frame: u64,
    truth: SynthTruth,
}

impl SynthCamera {
    /// Creates a camera and draws the empty square once, which takes a fraction of a second.
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

    /// Returns the configuration after clamping.
    pub fn config(&self) -> SynthConfig {
        self.config
    }

    /// Draws a frame by its number, from 0. Numbers must ascend; a lower one restarts the simulation.
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
