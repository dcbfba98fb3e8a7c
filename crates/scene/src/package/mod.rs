//! An installation's folder: manifest, script, shaders, images and sounds.

pub(super) mod decode;
pub(super) mod revision;
