//! Simulation of two cities in virtual time, for previews and checks; nothing here waits for a clock.
//! Streets, cameras, touches, a link, scenes and frames follow step by step from a seed.
//!
//! ```text
//! world      two sites, and the network between them
//! site       one site: its inputs, its scene, and the display lists that it shows
//! camera     its street and its camera
//! scenario   visitors and link failures
//! flash      detector of dangerous flashes
//! review     report on a scene
//! ```

mod camera;
mod flash;
mod review;
mod scenario;
mod site;
mod site_half;
mod world;

pub use camera::{FRAME_SIZE, RATE, WALL_WIDTH};
pub use flash::{FlashDetector, FlashViolation};
pub use review::{FRAME_RATE, FRAMES, ScenarioReport, ScriptTimes};
pub use scenario::{Scenario, SimVisitors};
pub use site::{ActionCounts, SimInput, SimSite, SimSnapshot};
pub use world::{SimConfig, SimWorld};
