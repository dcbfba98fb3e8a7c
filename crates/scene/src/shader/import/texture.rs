//! Replacements for textures of imported shaders.
//!
//! A scene's shader has none of its own, but can sample other inputs.

use super::lexer::{first_argument, has_word, replace_words};
use super::options::{ImportOptions, TextureSource};
use crate::diagnostic::SceneDiagnostic;

/// Returns the letter of a buffer.
pub(super) fn buffer_letter(buffer: usize) -> char {
    char::from(b'a' + buffer.min(3) as u8)
}

/// Encodes a number in letters, so that naga's WGSL writer appends nothing to a name: a, b, … z, ba, bb …
pub(super) fn to_letters(number: usize) -> String {
    let last = char::from(b'a' + (number % 26) as u8);
    if number < 26 { last.into() } else { to_letters(number / 26) + &last.to_string() }
}

/// Texture functions of GLSL and ISF, by their kind of coordinates: fractions, pixels, or the current pixel.
const SAMPLING_FUNCTIONS: [(&str, &str); 12] = [
    ("texture", "unit"),
    ("textureLod", "unit"),
    ("textureGrad", "unit"),
    ("texture2D", "unit"),
    ("texture2DRect", "pixel"),
    ("texelFetch", "texel"),
    ("textureSize", "size"),
    ("IMG_NORM_PIXEL", "unit"),
    ("IMG_PIXEL", "pixel"),
    ("IMG_THIS_PIXEL", "this"),
    ("IMG_THIS_NORM_PIXEL", "this"),
    ("IMG_SIZE", "size"),
];

/// Width and height of the noise texture, in pixels.
const NOISE_SIDE: &str = "256.0";

impl TextureSource {
    /// Returns the WGSL body that samples a colour at fractions of the texture. In the imported source y points up.
    fn sample_body(self) -> String {
        let at = "vec2f(at.x, 1.0 - at.y) * engine.canvas";
        match self {
            Self::Noise => "    return moongate_noise(at);".to_owned(),
            Self::Previous => format!("    return previous({at});"),
            Self::Here => format!("    return vec4f(vec3f(body_here({at})), 1.0);"),
            Self::There => format!("    return vec4f(vec3f(body_there({at})), 1.0);"),
            Self::Buffer(buffer) => format!("    return read_{}({at});", buffer_letter(buffer)),
        }
    }

    /// Returns the WGSL body that fetches one texel. Outside a buffer or a frame it is 0, as in a browser.
    fn fetch_body(self, look: &str, extent: &str) -> String {
        let within = format!("    let place = (vec2f(at) + 0.5) / {extent}();");
        match self {
            Self::Noise => format!("{within}\n    return {look}(place);"),
            Self::Previous | Self::Here | Self::There => format!(
                "{within}\n    if any(place < vec2f(0.0)) || any(place > vec2f(1.0)) {{ return vec4f(0.0); }}\n    \
                 return {look}(place);"
            ),
            Self::Buffer(buffer) => {
                let letter = buffer_letter(buffer);
                format!("    return texel_{letter}(vec2i(at.x, i32(size_{letter}().y) - 1 - at.y));")
            }
        }
    }

    /// Returns the WGSL body that gives its size in pixels.
    fn size_body(self) -> String {
        match self {
            Self::Noise => format!("    return vec2f({NOISE_SIDE});"),
            Self::Previous | Self::Here | Self::There => "    return round(engine.canvas * engine.pixel);".to_owned(),
            Self::Buffer(buffer) => format!("    return size_{}();", buffer_letter(buffer)),
        }
    }
}

/// Textures of one file, and their replacements.
pub(super) struct TextureMap {
    /// Textures by their names in the file.
    known: Vec<(String, TextureSource)>,
    /// Prefix of their functions, where two files are combined.
    prefix: String,
}

impl TextureMap {
    /// Creates the map. `names` are the textures that a file may use; `own` are those that it declares.
    pub fn new(
        (file, source): (&str, &str),
        names: &[String],
        own: &[(String, TextureSource)],
        choices: &ImportOptions,
        prefix: &str,
    ) -> Result<Self, SceneDiagnostic> {
        let (mut known, mut unsaid) = (Vec::new(), Vec::new());
        for name in names.iter().filter(|name| has_word(source, name)) {
            match own.iter().chain(&choices.textures).find(|(known, _)| known == name) {
                Some((_, texture)) => known.push((name.clone(), *texture)),
                None => unsaid.push(name.as_str()),
            }
        }
        let Some(first) = unsaid.first() else { return Ok(Self { known, prefix: prefix.into() }) };
        let problem = format!("looks at the texture {}, and a scene's shader has none", unsaid.join(" and at "));
        let said: String = unsaid.iter().map(|name| format!(" --texture {name}=noise")).collect();
        let remedy = format!(
            "say what stands in for it, with the same command and{said}; in place of noise also previous (the picture \
             before), here or there (people of a city), a to d (a buffer)"
        );
        Err(SceneDiagnostic::new(file, problem, remedy)
            .with_location(super::lexer::word_location(source, first), source))
    }

    /// Returns the function name of a texture for a kind of access.
    ///
    /// Its last character is a letter, and the writer changes nothing in it.
    fn function_name(&self, index: usize, way: &str) -> String {
        format!("moongate_{}{way}_{}", self.prefix, to_letters(index))
    }

    /// Returns the WGSL call that gives a texture's size in pixels; none if the name is not a texture.
    pub fn size_call(&self, name: &str) -> Option<String> {
        let index = self.known.iter().position(|(known, _)| known == name)?;
        Some(format!("{}()", self.function_name(index, "extent")))
    }

    /// Returns the buffers in use.
    pub fn buffers(&self) -> impl Iterator<Item = usize> {
        self.known
            .iter()
            .filter_map(|(_, texture)| if let TextureSource::Buffer(index) = texture { Some(*index) } else { None })
    }

    /// Returns the source with texture calls replaced by functions. A texture that is used in any other way stays, and
    /// is then undefined.
    pub fn rewrite(&self, source: &str) -> String {
        replace_words(source, |word, rest| {
            let (_, way) = SAMPLING_FUNCTIONS.iter().find(|(read, _)| *read == word)?;
            let (name, bytes) = first_argument(rest)?;
            let index = self.known.iter().position(|(known, _)| known == name)?;
            Some((format!("{}(", self.function_name(index, way)), bytes))
        })
    }

    /// Returns the GLSL declarations, on one line. The bodies that sample, fetch a texel and give a texture's size are
    /// inserted afterwards, in WGSL.
    ///
    /// `size` is the GLSL name of the frame size, and `coord` that of the pixel position, where there is one.
    pub fn declarations(&self, size: &str, coord: Option<&str>) -> String {
        let mut glsl = String::new();
        for index in 0..self.known.len() {
            let [look, fetch, extent] = ["look", "fetch", "extent"].map(|way| self.function_name(index, way));
            let [unit, pixel, texel, this, sized] =
                ["unit", "pixel", "texel", "this", "size"].map(|way| self.function_name(index, way));
            glsl += &format!(
                "vec4 {look}(vec2 at) {{ return vec4(at, 0.0, 1.0); }} vec4 {fetch}(ivec2 at) {{ return vec4(at, 0.0, 1.0); }} \
                 vec2 {extent}() {{ return vec2(1.0); }} \
                 vec4 {unit}(vec2 at) {{ return {look}(at); }} vec4 {unit}(vec2 at, float lod) {{ return {look}(at); }} \
                 vec4 {unit}(vec2 at, vec2 dx, vec2 dy) {{ return {look}(at); }} \
                 vec4 {pixel}(vec2 at) {{ return {look}(at / {extent}()); }} \
                 vec4 {texel}(ivec2 at, int lod) {{ return {fetch}(at); }} \
                 ivec2 {sized}(int lod) {{ return ivec2({extent}()); }} vec2 {sized}() {{ return {extent}(); }} "
            );
            if let Some(coord) = coord {
                glsl += &format!("vec4 {this}() {{ return {look}({coord}.xy / {size}); }} ");
            }
        }
        glsl
    }

    /// Returns the WGSL with each texture's functions reading its replacement.
    pub fn substitute(&self, wgsl: &str) -> String {
        let mut wgsl = wgsl.to_owned();
        for (index, (name, texture)) in self.known.iter().enumerate() {
            let [look, fetch, extent] = ["look", "fetch", "extent"].map(|way| self.function_name(index, way));
            let functions = [
                (&look, "at: vec2f) -> vec4f", texture.sample_body()),
                (&fetch, "at: vec2i) -> vec4f", texture.fetch_body(&look, &extent)),
                (&extent, ") -> vec2f", texture.size_body()),
            ];
            for (function, signature, body) in functions {
                let head = format!("fn {function}(");
                let Some(start) = wgsl.find(&head) else { continue };
                let end = wgsl[start..].find("\n}").map_or(wgsl.len(), |end| start + end + 2);
                let function = format!("// {name}\n{head}{signature} {{\n{body}\n}}");
                wgsl.replace_range(start..end, &function);
            }
        }
        wgsl
    }

    /// Returns true if noise is in use.
    pub fn uses_noise(&self) -> bool {
        self.known.iter().any(|(_, texture)| *texture == TextureSource::Noise)
    }
}

/// Centre of the pixel being painted, measured from the left and from below as elsewhere.
pub(super) const PIXEL_WGSL: &str = "
fn moongate_pixel(at: vec2f) -> vec2f {
    let pixel = floor(at / engine.canvas * engine.resolution) + 0.5;
    return vec2f(pixel.x, engine.resolution.y - pixel.y);
}
";

/// Noise function of the `noise` replacement: as smooth as a repeating texture of 256 by 256 random colours.
pub(super) const NOISE_WGSL: &str = "
fn moongate_hash(cell: vec2f) -> vec4f {
    let wrapped = cell - 256.0 * floor(cell / 256.0);
    let sines = sin(vec4f(dot(wrapped, vec2f(127.1, 311.7)), dot(wrapped, vec2f(269.5, 183.3)), dot(wrapped, vec2f(419.2, 371.9)), dot(wrapped, vec2f(89.3, 157.7))));
    return fract(sines * 43758.5453);
}
fn moongate_noise(at: vec2f) -> vec4f {
    let place = at * 256.0 - 0.5;
    let cell = floor(place);
    let part = place - cell;
    let top = mix(moongate_hash(cell), moongate_hash(cell + vec2f(1.0, 0.0)), part.x);
    let bottom = mix(moongate_hash(cell + vec2f(0.0, 1.0)), moongate_hash(cell + vec2f(1.0, 1.0)), part.x);
    return mix(top, bottom, part.y);
}
";
