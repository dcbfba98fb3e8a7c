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

mod eyes;
mod flash;
mod judge;
mod scenario;
mod town;
mod world;

pub use eyes::{RATE, SIZE, WALL};
pub use flash::{FlashWatch, Flashing};
pub use judge::{FRAME_RATE, FRAMES, Seen};
pub use scenario::{Guests, Scenario};
pub use town::{Shot, Town};
pub use world::{Plan, World};
