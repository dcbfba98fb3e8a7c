//! Messages between the show and the scene process, and the types in them.

pub(super) mod bodies;
pub(super) mod colour;
pub(super) mod daylight;
pub(super) mod display_list;
pub(super) mod message;
pub(super) mod retained;
pub(super) mod shader_params;
mod validate;
