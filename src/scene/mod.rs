//! What an artist can say: `FrameInput` go in, a `Picture` and `SceneAction`s come out. The script itself runs in [`ScriptHost`].

mod args;
mod atoms;
mod bodies;
mod colour;
mod curves;
mod daylight;
mod debug_overlay;
mod decode;
mod diagnostic;
mod display_list;
mod display_list_builder;
mod error_overlay;
mod hot_reload;
mod import;
mod layer_natives;
mod lint;
mod loop_bound;
mod natives;
mod noise;
mod paint_natives;
mod particle_natives;
mod particle_system;
mod pointer_args;
mod promise_rejections;
mod protocol;
mod retained;
mod revision;
mod script_host;
mod shader;
mod shader_prelude;
mod standby;
mod style;
mod uniforms;
mod validate;

pub use bodies::{BodyState, BodyStateTracker, encode_flow, motion_energy};
pub use colour::Colour;
pub use daylight::{SunPosition, TimeOfDay, sun_position, time_of_day};
pub use debug_overlay::debug_overlay;
pub use decode::{AssetDecoder, ImageAsset, SoundAsset};
pub use diagnostic::SceneDiagnostic;
pub use display_list::{
    Affine, BasicShape, BlendMode, DisplayList, Dot, DrawItem, FillPattern, Gradient, GradientKind, IndexRange, Paint,
    TextAlign, Trail,
};
pub use error_overlay::{caption, error_overlay};
pub use import::{ImportOptions, ImportedParameter, ImportedShader, TextureSource, import_shader};
pub use lint::lint_script;
pub use natives::BUILTIN_SOUNDS;
pub use protocol::{
    CityInfo, FrameInput, FromScene, MarkState, MarksUpdate, SceneAction, SceneEvent, SceneInit, SiteState, ToScene,
    TouchState, read_message, write_message,
};
pub use retained::{RetainedLayer, RetainedLayerSet, RetainedUpdate};
pub use revision::{SceneRevision, SiteContext};
pub use script_host::ScriptHost;
pub use shader::{SceneShader, ShaderParams};
pub use shader_prelude::{BUFFERS_MAX, ShaderInputs, buffer_entry_point};
pub use standby::standby_screen;
pub use uniforms::{CityUniforms, ENGINE_UNIFORM_SIZE, EngineUniforms, ShaderPass};

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
