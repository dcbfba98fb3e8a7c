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
mod keys;
mod layer_natives;
mod limits;
mod lint;
mod loop_bound;
mod native_registry;
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
mod script_source;
mod shader;
mod shader_params;
mod shader_prelude;
mod standby;
mod state;
mod style;
mod uniforms;
mod validate;

pub use bodies::{BodyState, BodyStateTracker, FLOW_GRID, encode_flow, motion_energy};
pub use colour::Colour;
pub use daylight::{SunPosition, TimeOfDay, sun_position, time_of_day};
pub use debug_overlay::debug_overlay;
pub use decode::{AssetDecoder, ImageAsset, SoundAsset};
pub use diagnostic::SceneDiagnostic;
pub use display_list::{
    Affine, BasicShape, BlendMode, DisplayList, Dot, DrawItem, FillPattern, Gradient, GradientKind, IndexRange, Paint,
    RetainedLayer, TextAlign, Trail,
};
pub use error_overlay::{caption, error_overlay};
pub use import::{ImportOptions, ImportedParameter, ImportedShader, TextureSource, import_shader};
pub use limits::{
    ACTIONS_MAX, CLIPS_MAX, DOTS_MAX, GRADIENT_STOPS_MAX, GRADIENTS_MAX, IMAGE_PIXELS_MAX, IMAGE_SIDE_MAX, IMAGES_MAX,
    ITEMS_MAX, PARAMS_MAX, POINTS_MAX, RETAINED_ITEMS_MAX, RETAINED_LAYERS_MAX, SCRIPT_BUDGET_MS, SCRIPT_MEMORY_MAX,
    SCRIPT_STOP_MS, SHADERS_MAX, SOUND_BYTES_MAX, SOUNDS_MAX, TEXT_MAX, TRAILS_MAX,
};
pub use lint::lint_script;
pub use natives::BUILTIN_SOUNDS;
pub use protocol::{
    CityInfo, FrameInput, FromScene, MarkState, MarksUpdate, SceneAction, SceneEvent, SceneInit, SiteState, ToScene,
    TouchState, read_message, write_message,
};
pub use retained::{RetainedLayerSet, RetainedUpdate};
pub use revision::{SceneRevision, SiteContext};
pub use script_host::ScriptHost;
pub use shader::SceneShader;
pub use shader_params::ShaderParams;
pub use shader_prelude::{BUFFERS_MAX, ShaderInputs, buffer_entry_point};
pub use standby::standby_screen;
pub use uniforms::{CityUniforms, ENGINE_UNIFORM_SIZE, EngineUniforms, ShaderPass};
