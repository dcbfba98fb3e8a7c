//! Two cities in virtual time: streets, cameras, hands, a link, scenes and pictures, frame by frame from a seed. What a
//! preview shows and a check judges; nothing here waits for a clock.
//!
//! ```text
//! world      two towns, and an ocean between them
//! town       one site: who is there, what its scene sees and shows
//! eyes       its street and its camera
//! scenario   who comes, and what becomes of the link
//! flash      whether pictures flash
//! judge      what is to be said of a scene
//! ```

mod camera;
mod flash;
mod review;
mod scenario;
mod site;
mod world;

pub use camera::{FRAME_SIZE, RATE, WALL_WIDTH};
pub use flash::{FlashDetector, FlashViolation};
pub use review::{FRAME_RATE, FRAMES, ScenarioReport};
pub use scenario::{Scenario, SimVisitors};
pub use site::{SimSite, SimSnapshot};
pub use world::{SimConfig, SimWorld};
