//! Error of one check of a shader.

/// A construct that is not allowed, at a line of the text that was checked if the line is known.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ShaderError {
    pub line: Option<u32>,
    pub problem: String,
    pub remedy: String,
}
