//! Options and result of an import.

/// Options of an import that the file itself does not contain.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ImportOptions {
    /// Replacement of each texture, by its name in the file: `iChannel0`, or an image of ISF.
    pub textures: Vec<(String, TextureSource)>,
    /// For Shadertoy: index, file name and source of buffers a to d.
    pub buffers: Vec<(usize, String, String)>,
    /// For ISF: name and source of the vertex shader that belongs to the file.
    pub vertex: Option<(String, String)>,
}

/// An adjustable number.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportedParameter {
    /// Name in the shader.
    pub name: String,
    /// Initial value.
    pub value: f64,
    /// Minimum and maximum.
    pub range: [f64; 2],
}

/// Result of an import.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ImportedShader {
    /// Checked WGSL.
    pub shader: String,
    /// Parameters of the manifest that the shader takes.
    pub parameters: Vec<ImportedParameter>,
    /// Other parameters of the shader: name, and the script expression for it.
    pub script_params: Vec<(String, String)>,
    /// Position parameters of the shader, each following a different visitor: name, and rest position without a
    /// visitor. Both axes run from 0 to 1, from the left and from below.
    pub point_params: Vec<(String, [f64; 2])>,
    /// Author, if the file names one.
    pub author: String,
    /// Licence, if known.
    pub licence: String,
    /// Differences and missing features, for the artist.
    pub notes: Vec<String>,
}

/// Replacement of a texture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextureSource {
    /// Smooth noise, in four channels.
    Noise,
    /// The previous frame.
    Previous,
    /// People of this city, white on black.
    Here,
    /// People of the other city.
    There,
    /// A buffer of the shader, 0 to 3.
    Buffer(usize),
}

/// Names of replacements; a buffer by its letter.
const SOURCE_NAMES: [(&str, TextureSource); 8] = [
    ("noise", TextureSource::Noise),
    ("previous", TextureSource::Previous),
    ("here", TextureSource::Here),
    ("there", TextureSource::There),
    ("a", TextureSource::Buffer(0)),
    ("b", TextureSource::Buffer(1)),
    ("c", TextureSource::Buffer(2)),
    ("d", TextureSource::Buffer(3)),
];

impl std::str::FromStr for TextureSource {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let found = SOURCE_NAMES.iter().find(|(name, _)| *name == word).map(|(_, texture)| *texture);
        found.ok_or_else(|| {
            format!("\"{word}\" is nothing to look at; there are {}", SOURCE_NAMES.map(|(name, _)| name).join(", "))
        })
    }
}
