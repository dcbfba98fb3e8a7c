//! Options and result of an import.

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

/// What a shader can look at in place of a texture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextureSource {
    /// Smooth noise, in four channels.
    Noise,
    /// The picture before.
    Previous,
    /// People of this city, white on black.
    Here,
    /// People of the other city.
    There,
    /// A buffer of the shader, 0 to 3.
    Buffer(usize),
}

/// By their names; a buffer by its letter.
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
