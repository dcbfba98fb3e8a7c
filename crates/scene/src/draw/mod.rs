//! Drawing for scripts: display list builder, curves, particles, noise.

pub(super) mod curves;
pub(super) mod display_list_builder;
pub(super) mod noise;
pub(super) mod particle_system;
