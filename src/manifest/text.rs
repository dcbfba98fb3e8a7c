//! Texts that somebody wrote: manifests, scripts and shaders.

use std::io::Result;
use std::path::Path;

/// What editors on Windows put before a text.
const MARK: char = '\u{feff}';

/// Reads a file's text, without the byte order mark that may stand before it.
pub fn read_text(file: &Path) -> Result<String> {
    let mut text = std::fs::read_to_string(file)?;
    if text.starts_with(MARK) {
        text.drain(..MARK.len_utf8());
    }
    Ok(text)
}
