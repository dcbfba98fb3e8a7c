//! Scripts of artists, on QuickJS: the host, its native functions and their state.

mod args;
mod atoms;
mod draw_natives;
pub(super) mod host;
mod hot_reload;
mod keys;
mod layer_natives;
mod native_registry;
pub(super) mod natives;
mod paint_natives;
mod particle_natives;
mod promise_rejections;
mod source;
mod state;
mod style;
