//! What an artist can say: `Sees` go in, a `Picture` and `Acts` come out. The script itself runs in [`Host`].

mod api;
mod bodies;
mod call;
mod check;
mod colour;
mod decode;
mod edition;
mod fault;
mod harness;
mod host;
mod idle;
mod import;
mod keep;
mod kept;
mod knows;
mod layers;
mod loops;
mod message;
mod names;
mod noise;
mod overlay;
mod palette;
mod particles;
mod pen;
mod picture;
mod pointers;
mod rejections;
mod shader;
mod sky;
mod smooth;
mod style;
mod swarm;
mod uniforms;
mod words;

pub use api::OWN_SOUNDS;
pub use bodies::{BodySeen, Crowd, FLOW, flow, stir};
pub use colour::Colour;
pub use decode::{Decode, Image, Sound};
pub use edition::{Edition, Setting};
pub use fault::ScriptFault;
pub use harness::{BUFFERS_MAX, Looks, buffer_entry};
pub use host::Host;
pub use idle::idle;
pub use import::{Choices, Imported, Knob, Texture, import};
pub use kept::{Kept, KeptLayers, KeptNews};
pub use knows::knows;
pub use message::{
    Act, CityCard, FromScene, MarkSeen, MarksSeen, Seen, Sees, SiteSeen, Start, ToScene, TouchSeen, read, write,
};
pub use names::nowhere;
pub use overlay::{caption, overlay};
pub use picture::{Align, Along, Blend, Dot, Gradient, Item, Paint, Pattern, Picture, Range, Shape, Trail, Transform};
pub use shader::{Params, Shader};
pub use sky::{Clock, Sun, local_clock, sun};
pub use uniforms::{CityUniforms, ENGINE_UNIFORM_SIZE, Pass, Uniforms};

/// Script time budget per frame: half of all frames must stay within it.
pub const BUDGET_MS: u64 = 4;
/// Script time after which a show stops a frame and discards its picture.
pub const STOP_MS: u64 = BUDGET_MS + 30;
/// Most things in one picture.
pub const ITEMS_MAX: usize = 20_000;
/// Most points of lines and polygons in one picture.
pub const POINTS_MAX: usize = 200_000;
/// Most text in one picture, in bytes.
pub const TEXT_MAX: usize = 64 << 10;
/// Most bytes of shader parameters in one picture.
pub const PARAMS_MAX: usize = 64 << 10;
/// Most full-canvas shader layers in one picture.
pub const SHADERS_MAX: usize = 8;
/// Most clips in one picture.
pub const CLIPS_MAX: usize = 128;
/// Most dots of particles in one picture, and in one scene.
pub const DOTS_MAX: usize = 20_000;
/// Most trails of a scene.
pub const TRAILS_MAX: usize = 4;
/// Most kept layers of a scene.
pub const KEPT_MAX: usize = 4;
/// Most things in one kept layer.
pub const KEPT_ITEMS_MAX: usize = 20_000;
/// Most gradients in one picture.
pub const GRADIENTS_MAX: usize = 64;
/// Most colours in one gradient.
pub const STOPS_MAX: usize = 16;
/// Most images of an installation.
pub const IMAGES_MAX: usize = 64;
/// Largest image, in pixels a side.
pub const IMAGE_SIDE_MAX: u32 = 4_096;
/// Most pixels of all images of an installation.
pub const PIXELS_MAX: usize = 32 << 20;
/// Maximum number of sounds in an installation.
pub const SOUNDS_MAX: usize = 256;
/// Maximum memory of all sounds of an installation, in bytes: three minutes.
pub const SAMPLES_MAX: usize = 64 << 20;
/// Most acts in one frame.
pub const ACTS_MAX: usize = 64;
/// Most memory that a script holds, in bytes.
pub const MEMORY_MAX: usize = 64 << 20;
