//! Shader prelude: text before and after an artist's WGSL, with its inputs and entry points.

/// Maximum number of buffers of one shader.
pub const BUFFERS_MAX: usize = 4;
/// Letters of the buffers, as in `fn buffer_a` and `read_a`.
const BUFFERS: [char; BUFFERS_MAX] = ['a', 'b', 'c', 'd'];
/// Side length of buffers as a fraction of the canvas: without `const buffer_scale`, and the minimum.
const BUFFER_SCALES: [f32; 2] = [1.0, 1.0 / 16.0];

/// Engine uniforms, placed before every artist's source.
pub(super) const ENGINE_WGSL: &str = "struct City { colour: vec4f, sun: vec2f, stir: f32, hour: f32, touches: u32, bodies: u32, unused: vec2f, touch: array<vec4f, 16>, body: array<vec4f, 32> }
struct Engine { canvas: vec2f, now: f32, pixel: f32, dt: f32, hours: f32, linked: f32, delay: f32, resolution: vec2f, frame: u32, here: City, there: City }
@group(0) @binding(0) var<uniform> engine: Engine;
";

const SAMPLER_BINDING: &str = "@group(0) @binding(4) var moongate_sampler: sampler;\n";
const PARAMS_BINDING: &str = "@group(0) @binding(1) var<uniform> params: Params;\n";
/// Position in a cycle of the given seconds, 0 to 1, without a jump when `now` wraps.
const PHASE: &str = "fn phase(period: f32) -> f32 {
    return fract(fract(engine.hours * fract(3600.0 / period)) + engine.now / period);
}
";
/// Textures that a shader can sample: name, binding, and function body. All cover the canvas from edge to edge.
const INPUT_TEXTURES: [(&str, u32, &str); 5] = [
    ("body_here", 2, "f32 { return SAMPLE.r; }"),
    ("flow_here", 3, "vec2f { return SAMPLE.rg; }"),
    ("body_there", 5, "f32 { return SAMPLE.r; }"),
    ("flow_there", 6, "vec2f { return SAMPLE.rg; }"),
    ("previous", 7, "vec4f { return SAMPLE; }"),
];
/// Binding of the first buffer.
const FIRST_BUFFER: u32 = 8;
/// Further functions for a buffer: a name, which gets the buffer's letter appended, and its body. Texels outside the
/// buffer are 0.
const BUFFER_FUNCTIONS: [(&str, &str); 2] = [
    ("size", "() -> vec2f { return vec2f(textureDimensions(TEXTURE)); }"),
    (
        "texel",
        "(at: vec2i) -> vec4f {
    if any(at < vec2i(0)) || any(at >= vec2i(textureDimensions(TEXTURE))) { return vec4f(0.0); }
    return textureLoad(TEXTURE, at, 0);
}",
    ),
];

const ENTRY_POINTS: &str = "
struct MoongateVertex { @builtin(position) position: vec4f, @location(0) at: vec2f }
@vertex fn moongate_vertex(@builtin(vertex_index) index: u32) -> MoongateVertex {
    let corner = vec2f(f32(index & 1u), f32(index >> 1u)) * 2.0;
    var out: MoongateVertex;
    out.position = vec4f(corner.x * 2.0 - 1.0, 1.0 - corner.y * 2.0, 0.0, 1.0);
    out.at = corner * engine.canvas;
    return out;
}
fn moongate_paint(at: vec2f) -> vec4f {
    let colour = paint(at);
    let a = clamp(colour.a, 0.0, 1.0);
    return vec4f(clamp(colour.rgb, vec3f(0.0), vec3f(1.0)) * a, a);
}
@fragment fn moongate_fragment(in: MoongateVertex) -> @location(0) vec4f {
    return moongate_paint(in.at);
}
@fragment fn moongate_darkens(in: MoongateVertex) -> @location(0) vec4f {
    let colour = moongate_paint(in.at);
    return vec4f(colour.rgb + 1.0 - colour.a, colour.a);
}
";

/// Textures that a shader samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ShaderInputs {
    /// True if it samples people or motion, here or there.
    pub people: bool,
    /// True if it samples the previous frame.
    pub previous: bool,
}

/// Text added to one source.
pub(super) struct ShaderPrelude {
    pub head: String,
    pub tail: String,
    pub inputs: ShaderInputs,
    /// Indices of the buffers that it paints.
    pub buffers: Vec<usize>,
    /// Side length of the buffers as a fraction of the canvas.
    pub scale: f32,
}

/// Returns true if `name` occurs as a whole word.
fn mentions(source: &str, name: &str) -> bool {
    let part = |letter: Option<char>| letter.is_some_and(|letter| letter.is_alphanumeric() || letter == '_');
    let ends = |at: usize| (source[..at].chars().next_back(), source[at + name.len()..].chars().next());
    source.match_indices(name).any(|(at, _)| {
        let (before, after) = ends(at);
        !part(before) && !part(after)
    })
}

/// Returns true if a source declares `name` at module scope.
fn declares(source: &str, name: &str) -> bool {
    let (mut depth, mut last) = (0_usize, "");
    let mut rest = source;
    while let Some(letter) = rest.chars().next() {
        let word = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(rest.len());
        if word > 0 {
            let before = std::mem::replace(&mut last, &rest[..word]);
            let declares = ["fn", "const", "var", "override", "struct", "alias", "private", "workgroup"];
            if depth == 0 && last == name && declares.contains(&before) {
                return true;
            }
            rest = &rest[word..];
            continue;
        }
        match letter {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        rest = &rest[letter.len_utf8()..];
    }
    false
}

/// Parses the value of `const buffer_scale = 0.5;`.
fn parse_buffer_scale(source: &str) -> Option<f32> {
    let (_, rest) = source.split_once("const buffer_scale")?;
    let (_, value) = rest.split_once(';')?.0.split_once('=')?;
    value.trim().trim_end_matches('f').parse().ok()
}

impl ShaderPrelude {
    /// Creates the prelude of a source without comments.
    pub fn for_source(source: &str) -> Self {
        let buffers: Vec<usize> =
            (0..BUFFERS_MAX).filter(|i| declares(source, &format!("buffer_{}", BUFFERS[*i]))).collect();
        let mut head = String::from(ENGINE_WGSL);
        if !declares(source, "phase") {
            head += PHASE;
        }
        let mut looks = ShaderInputs::default();
        let mut sampled = String::new();
        let mut sight = |name: &str, binding: u32, read: &str| {
            let sample = format!("textureSampleLevel(moongate_{binding}, moongate_sampler, at / engine.canvas, 0.0)");
            let read = read.replace("SAMPLE", &sample);
            sampled += &format!("@group(0) @binding({binding}) var moongate_{binding}: texture_2d<f32>;\n");
            sampled += &format!("fn {name}(at: vec2f) -> {read}\n");
        };
        for (name, binding, read) in INPUT_TEXTURES {
            // A declaration of the same name in the source takes precedence.
            if mentions(source, name) && !declares(source, name) {
                sight(name, binding, read);
                *(if name == "previous" { &mut looks.previous } else { &mut looks.people }) = true;
            }
        }
        let mut texels = String::new();
        for i in &buffers {
            let binding = FIRST_BUFFER + *i as u32;
            sight(&format!("read_{}", BUFFERS[*i]), binding, "vec4f { return SAMPLE; }");
            for (what, read) in BUFFER_FUNCTIONS {
                let name = format!("{what}_{}", BUFFERS[*i]);
                if mentions(source, &name) && !declares(source, &name) {
                    texels += &format!("fn {name}{}\n", read.replace("TEXTURE", &format!("moongate_{binding}")));
                }
            }
        }
        sampled += &texels;
        if !sampled.is_empty() {
            head += SAMPLER_BINDING;
            head += &sampled;
        }
        if declares(source, "Params") {
            head += PARAMS_BINDING;
        }
        let mut tail = String::from(ENTRY_POINTS);
        for name in buffers.iter().map(|i| BUFFERS[*i]) {
            // A NaN would persist in the buffer forever; half precision holds up to 65,504.
            tail += &format!(
                "@fragment fn moongate_buffer_{name}(in: MoongateVertex) -> @location(0) vec4f {{
    return clamp(buffer_{name}(in.at), vec4f(-65504.0), vec4f(65504.0));
}}\n"
            );
        }
        let scale = parse_buffer_scale(source)
            .filter(|scale| scale.is_finite())
            .unwrap_or(BUFFER_SCALES[0])
            .clamp(BUFFER_SCALES[1], BUFFER_SCALES[0]);
        Self { head, tail, inputs: looks, buffers, scale }
    }
}

/// Returns the entry point that paints a buffer.
pub fn buffer_entry_point(buffer: usize) -> String {
    format!("moongate_buffer_{}", BUFFERS[buffer.min(BUFFERS_MAX - 1)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_named_is_added() {
        let plain = ShaderPrelude::for_source("fn paint(at: vec2f) -> vec4f { return vec4f(1.0 - anybody_here); }");
        assert!(!plain.head.contains("sampler") && plain.buffers.is_empty() && plain.inputs == ShaderInputs::default());
        let smoke = ShaderPrelude::for_source(
            "const buffer_scale = 0.25;\nfn buffer_a(at: vec2f) -> vec4f { return read_a(at); }",
        );
        assert!(smoke.head.contains("fn read_a") && !smoke.head.contains("read_b"));
        assert_eq!((smoke.buffers, smoke.scale), (vec![0], 0.25));
        assert!(!smoke.head.contains("fn texel_a") && !smoke.head.contains("fn size_a"));
        let life = "fn buffer_a(at: vec2f) -> vec4f { return texel_a(vec2i(at)); } fn size_a() -> f32 { return 1.0; }";
        let life = ShaderPrelude::for_source(life);
        assert!(life.head.contains("fn texel_a(at: vec2i)") && !life.head.contains("fn size_a"), "{}", life.head);
        // Outside a texture, some drivers return 0 and others the nearest texel.
        assert!(life.head.contains("if any(at < vec2i(0)) || any(at >= "), "{}", life.head);
        assert!(
            ShaderPrelude::for_source("let x = body_there(at) + previous(at).r;").inputs
                == ShaderInputs { people: true, previous: true }
        );
        let own = "const previous = 1.0; var<private> body_here: f32; fn flow_there() { let buffer_b = previous * body_here; }";
        let own = ShaderPrelude::for_source(own);
        assert!(own.inputs == ShaderInputs::default() && own.buffers.is_empty(), "{}", own.head);
        let shadowed =
            ShaderPrelude::for_source("fn paint(at: vec2f) -> vec4f { let previous = previous(at); return previous; }");
        assert!(shadowed.inputs.previous);
        assert_eq!(ShaderPrelude::for_source("const buffer_scale: f32 = 9e9f;").scale, 1.0);
    }
}
