//! Scenes of artists: scripts and shaders. Frame inputs go in; display lists and actions come out.
//!
//! [`ScriptHost`] runs a script. Nothing here starts a process or touches Bevy.
//!
//! ```text
//! protocol/    messages and display lists between the show and the scene process
//! draw/        display lists built for scripts: curves, particles, noise
//! lint/        static check of a script, and remedies for its errors
//! shader/      check and preparation of WGSL; import of shaders from elsewhere
//! package/     an installation's folder, read as one revision
//! script/      QuickJS host and its native functions
//! overlay/     display lists of the engine itself
//! ```

mod diagnostic;
mod draw;
mod limits;
mod lint;
mod overlay;
mod package;
mod protocol;
mod script;
mod shader;

pub use diagnostic::SceneDiagnostic;
pub use limits::{
    ACTIONS_MAX, CLIPS_MAX, DOTS_MAX, GRADIENT_STOPS_MAX, GRADIENTS_MAX, IMAGE_PIXELS_MAX, IMAGE_SIDE_MAX, IMAGES_MAX,
    ITEMS_MAX, PARAMS_MAX, POINTS_MAX, RETAINED_ITEMS_MAX, RETAINED_LAYERS_MAX, SCRIPT_BUDGET_MS, SCRIPT_MEMORY_MAX,
    SCRIPT_STOP_MS, SHADERS_MAX, SOUND_BYTES_MAX, SOUNDS_MAX, TEXT_MAX, TRAILS_MAX,
};
pub use lint::lint_script;
pub use overlay::debug_overlay::debug_overlay;
pub use overlay::error_overlay::{caption, error_overlay};
pub use overlay::standby::standby_screen;
pub use package::decode::{AssetDecoder, ImageAsset, SoundAsset};
pub use package::revision::{SceneRevision, SiteContext};
pub use protocol::bodies::{BodyState, BodyStateTracker, encode_flow, motion_energy};
pub use protocol::colour::Colour;
pub use protocol::daylight::{SunPosition, TimeOfDay, sun_position, time_of_day};
pub use protocol::display_list::{
    Affine, BasicShape, BlendMode, DisplayList, Dot, DrawItem, FillPattern, Gradient, GradientKind, IndexRange, Paint,
    RetainedLayer, TextAlign, Trail,
};
pub use protocol::message::{
    CityInfo, FrameInput, FromScene, MarkState, MarksUpdate, SceneAction, SceneEvent, SceneInit, SiteState, ToScene,
    TouchState, read_message, write_message,
};
pub use protocol::retained::{RetainedLayerSet, RetainedUpdate};
pub use protocol::shader_params::ShaderParams;
pub use script::host::ScriptHost;
pub use script::natives::BUILTIN_SOUNDS;
pub use shader::SceneShader;
pub use shader::import::{ImportOptions, ImportedParameter, ImportedShader, TextureSource, import_shader};
pub use shader::prelude::{BUFFERS_MAX, ShaderInputs, buffer_entry_point};
pub use shader::uniforms::{CityUniforms, ENGINE_UNIFORM_SIZE, EngineUniforms, ShaderPass};
