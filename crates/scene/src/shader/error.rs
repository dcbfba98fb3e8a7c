//! Error of one check of a shader.

/// A construct that is not allowed, with its line in the checked text if known.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ShaderError {
    pub line: Option<u32>,
    pub problem: String,
    pub remedy: String,
}
