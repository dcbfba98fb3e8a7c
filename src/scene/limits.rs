//! Limits of one scene: script time, memory, and sizes of what a frame may contain.

/// Script time budget per frame: half of all frames must stay within it.
pub const SCRIPT_BUDGET_MS: u64 = 4;
/// Script time after which a show stops a frame and discards its picture.
pub const SCRIPT_STOP_MS: u64 = SCRIPT_BUDGET_MS + 30;
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
pub const RETAINED_LAYERS_MAX: usize = 4;
/// Most things in one kept layer.
pub const RETAINED_ITEMS_MAX: usize = 20_000;
/// Most gradients in one picture.
pub const GRADIENTS_MAX: usize = 64;
/// Most colours in one gradient.
pub const GRADIENT_STOPS_MAX: usize = 16;
/// Most images of an installation.
pub const IMAGES_MAX: usize = 64;
/// Largest image, in pixels a side.
pub const IMAGE_SIDE_MAX: u32 = 4_096;
/// Most pixels of all images of an installation.
pub const IMAGE_PIXELS_MAX: usize = 32 << 20;
/// Maximum number of sounds in an installation.
pub const SOUNDS_MAX: usize = 256;
/// Maximum memory of all sounds of an installation, in bytes: three minutes.
pub const SOUND_BYTES_MAX: usize = 64 << 20;
/// Most acts in one frame.
pub const ACTIONS_MAX: usize = 64;
/// Most memory that a script holds, in bytes.
pub const SCRIPT_MEMORY_MAX: usize = 64 << 20;
