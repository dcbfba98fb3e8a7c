//! Limits of one scene: script time, memory, and sizes of what a frame may contain.

/// Script time budget per frame, in milliseconds: half of all frames must stay within it.
pub const SCRIPT_BUDGET_MS: u64 = 4;
/// Script time after which a show stops a frame and discards its display list, in milliseconds.
pub const SCRIPT_STOP_MS: u64 = SCRIPT_BUDGET_MS + 30;
/// Maximum number of items in one display list.
pub const ITEMS_MAX: usize = 20_000;
/// Maximum number of points of lines and polygons in one display list.
pub const POINTS_MAX: usize = 200_000;
/// Maximum text in one display list, in bytes.
pub const TEXT_MAX: usize = 64 << 10;
/// Maximum shader parameters in one display list, in bytes.
pub const PARAMS_MAX: usize = 64 << 10;
/// Maximum number of full-canvas shader layers in one display list.
pub const SHADERS_MAX: usize = 8;
/// Maximum number of clips in one display list.
pub const CLIPS_MAX: usize = 128;
/// Maximum number of particle dots, in one display list and in one scene.
pub const DOTS_MAX: usize = 20_000;
/// Maximum number of trails in a scene.
pub const TRAILS_MAX: usize = 4;
/// Maximum number of retained layers in a scene.
pub const RETAINED_LAYERS_MAX: usize = 4;
/// Maximum number of items in one retained layer.
pub const RETAINED_ITEMS_MAX: usize = 20_000;
/// Maximum number of gradients in one display list.
pub const GRADIENTS_MAX: usize = 64;
/// Maximum number of colours in one gradient.
pub const GRADIENT_STOPS_MAX: usize = 16;
/// Maximum number of images in an installation.
pub const IMAGES_MAX: usize = 64;
/// Maximum side of an image, in pixels.
pub const IMAGE_SIDE_MAX: u32 = 4_096;
/// Maximum number of pixels of all images of an installation together.
pub const IMAGE_PIXELS_MAX: usize = 32 << 20;
/// Maximum number of sounds in an installation.
pub const SOUNDS_MAX: usize = 256;
/// Maximum memory of all sounds of an installation, in bytes: three minutes.
pub const SOUND_BYTES_MAX: usize = 64 << 20;
/// Maximum number of actions in one frame.
pub const ACTIONS_MAX: usize = 64;
/// Maximum memory of a script, in bytes.
pub const SCRIPT_MEMORY_MAX: usize = 64 << 20;
