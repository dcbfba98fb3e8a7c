//! Import of fragment shaders: Shadertoy's `mainImage`, and files in the Interactive Shader Format.

mod global_init;
mod glsl;
mod isf;
mod lexer;
mod options;
mod shadertoy;
mod texture;
mod vertex;

pub use options::{ImportOptions, ImportedParameter, ImportedShader, TextureSource};

use crate::diagnostic::SceneDiagnostic;
use crate::shader::SceneShader;

/// Maximum length of a source, in bytes.
const SOURCE_MAX: usize = 256 << 10;

/// Converts a file to WGSL. An error names its line and a remedy.
///
/// naga's GLSL parser recurses as deep as the source nests and may panic: call this on a thread with a stack of some
/// MiB, and check how the thread ended.
pub fn import_shader(file: &str, source: &str, choices: &ImportOptions) -> Result<ImportedShader, SceneDiagnostic> {
    let longest = choices.buffers.iter().map(|(_, _, source)| source.len()).max().unwrap_or_default();
    if source.len().max(longest) > SOURCE_MAX {
        return Err(SceneDiagnostic::new(
            file,
            format!("is longer than {} KiB", SOURCE_MAX >> 10),
            "take what is needed",
        ));
    }
    let plain = lexer::without_comments(source);
    let known = ["gl_FragCoord", "gl_FragColor"];
    let mut other = None;
    lexer::replace_words(&plain, |word, _| {
        if word.starts_with("gl_") && !known.contains(&word) {
            other = other.take().or(Some(word.to_owned()));
        }
        None
    });
    if let Some(other) = other {
        let line = lexer::word_location(&plain, &other);
        let remedy = "a scene's shader has `fragCoord`, `gl_FragCoord` and `gl_FragColor`";
        return Err(SceneDiagnostic::new(file, format!("`{other}` cannot be had"), remedy).with_location(line, source));
    }
    let imported = if isf::is_isf(source) {
        isf::import(file, source, choices)?
    } else {
        shadertoy::import(file, source, choices)?
    };
    // The engine checks the result like any artist's shader.
    match SceneShader::parse(file, &imported.shader) {
        Ok(_) => Ok(imported),
        Err(fault) => {
            Err(SceneDiagnostic { remedy: format!("it was rewritten as WGSL, and there {}", fault.source), ..fault })
        }
    }
}

#[cfg(test)]
mod tests;
