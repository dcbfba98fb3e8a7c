//! Content of an installation's folder: manifest, script, shaders, images, sounds.

pub(super) mod decode;
pub(super) mod revision;
