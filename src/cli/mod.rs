//! What a person types: one file a command.

pub mod scene;
