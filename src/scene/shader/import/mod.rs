//! Fragments from elsewhere as shaders of a scene: Shadertoy's `mainImage`, and files in the Interactive Shader Format.

mod global_init;
mod glsl;
mod isf;
mod lexer;
mod shadertoy;
mod texture;
mod vertex;

pub use texture::TextureSource;

use crate::scene::diagnostic::SceneDiagnostic;
use crate::scene::shader::SceneShader;

/// Longest source that is read, in bytes.
const SOURCE_MAX: usize = 256 << 10;

/// What has to be said besides the file itself.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ImportOptions {
    /// What stands in for a texture, by its name in the file: `iChannel0`, or an image of ISF.
    pub textures: Vec<(String, TextureSource)>,
    /// Of Shadertoy: the file's name and the source of buffers a to d.
    pub buffers: Vec<(usize, String, String)>,
    /// For ISF: the name and the source of the vertex shader that belongs to the file.
    pub vertex: Option<(String, String)>,
}

/// A number that somebody may turn.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportedParameter {
    /// As the shader has it.
    pub name: String,
    /// At the beginning.
    pub value: f64,
    /// From where to where.
    pub range: [f64; 2],
}

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ImportedShader {
    /// WGSL, found sound.
    pub shader: String,
    /// Numbers that are dials of the manifest, and parameters of the shader.
    pub parameters: Vec<ImportedParameter>,
    /// Other parameters of the shader: a name, and what a script says for it.
    pub script_params: Vec<(String, String)>,
    /// Parameters of the shader that are positions, each following a different visitor: the name, and the rest position without
    /// one. From 0 to 1, from the left and from below.
    pub point_params: Vec<(String, [f64; 2])>,
    /// Who made it, as far as the file says.
    pub author: String,
    /// Under which licence, as far as it is known.
    pub licence: String,
    /// What is other than it was, or cannot be had, for the artist.
    pub notes: Vec<String>,
}

/// Rewrites a file. The fault names its line, and what to do. naga's reader of GLSL goes as deep as a source does, and may
/// give up on one with a panic: call this on a thread with a stack of some MiB, whose end is looked at.
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
    // It is WGSL that the engine takes, or the artist is told what is wrong with it.
    match SceneShader::parse(file, &imported.shader) {
        Ok(_) => Ok(imported),
        Err(fault) => {
            Err(SceneDiagnostic { remedy: format!("it was rewritten as WGSL, and there {}", fault.source), ..fault })
        }
    }
}

#[cfg(test)]
mod tests;
