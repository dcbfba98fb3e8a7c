//! Moongate.
#![warn(missing_docs)]

pub mod cli;
pub mod device;
pub mod link;
pub mod manifest;
pub mod mix;
#[cfg(feature = "show")]
pub mod operator;
pub mod presence;
pub mod scene;
#[cfg(feature = "show")]
pub mod stage;
#[cfg(feature = "show")]
pub mod twin;
pub mod wire;
