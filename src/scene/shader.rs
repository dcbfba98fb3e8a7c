//! An artist's WGSL: a function `paint`, and if wanted a `struct Params`. Checked by naga before a GPU sees it.

use super::fault::ScriptFault;
use super::loops::bounded;
use naga::{Scalar, ScalarKind, TypeInner, VectorSize};
use serde::{Deserialize, Serialize};

/// Longest source, in bytes.
const SOURCE_MAX: usize = 64 << 10;
/// Most operators side by side in one expression.
const OPERATORS_MAX: usize = 256;
/// Most brackets, or blocks, within each other.
const DEPTH_MAX: usize = 64;
/// Most times `else`.
const ELSES_MAX: usize = 256;
/// Largest `Params`, in bytes.
const PARAMS_MAX: u32 = 16 << 10;
/// Bytes of the engine's own uniforms, as `HEAD` declares them.
pub const ENGINE_UNIFORM_SIZE: usize = 16;

/// What every shader can use; it stands before the artist's source.
const HEAD: &str = "struct Engine { canvas: vec2f, now: f32, pixel: f32 }
@group(0) @binding(0) var<uniform> engine: Engine;
";
/// What a shader can use that asks for it by one of these names.
const SEES: [&str; 2] = ["body_here", "flow_here"];
/// It stands after `HEAD`. Both textures cover the canvas, and are black where no camera looks: people are 1 in the
/// first, motion in canvas units a second is in the second's red and green.
const HERE: &str = "@group(0) @binding(2) var mask_here: texture_2d<f32>;
@group(0) @binding(3) var flow_here_texture: texture_2d<f32>;
@group(0) @binding(4) var here_sampler: sampler;
fn body_here(at: vec2f) -> f32 { return textureSampleLevel(mask_here, here_sampler, at / engine.canvas, 0.0).r; }
fn flow_here(at: vec2f) -> vec2f {
    return textureSampleLevel(flow_here_texture, here_sampler, at / engine.canvas, 0.0).rg;
}
";
/// What calls the artist's function; it stands after the source.
const TAIL: &str = "
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
const PARAMS: &str = "@group(0) @binding(1) var<uniform> params: Params;\n";

/// One member of `Params`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Slot {
    pub name: String,
    offset: usize,
    /// Numbers in one element: 1 to 4.
    width: usize,
    /// Elements, and bytes from one to the next.
    count: usize,
    stride: usize,
    kind: Number,
}

/// How a number of `Params` is written.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
enum Number {
    F32,
    I32,
    U32,
}

/// What a script has to know of a shader.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Params {
    /// The shader's file within the installation.
    pub name: String,
    /// Bytes of its `Params`; 0 if it has none.
    pub size: usize,
    /// The members of its `Params`, in order.
    pub(super) slots: Vec<Slot>,
}

/// A shader that has been found sound.
#[derive(Debug, Clone, PartialEq)]
pub struct Shader {
    /// Its name, and what it is told.
    pub params: Params,
    /// The whole module, ready for a GPU: `moongate_vertex` and `moongate_fragment`.
    pub source: String,
    /// A number for this source: shaders with the same are the same.
    pub key: u64,
    /// It looks at who is here: mask, motion and their sampler are bindings 2, 3 and 4 of its group.
    pub sees_here: bool,
}

impl Shader {
    /// Checks an artist's source.
    pub fn parse(name: &str, source: &str) -> Result<Self, ScriptFault> {
        let fault = |line: Option<u32>, problem: String| {
            ScriptFault::new(name, problem, "").at(line.map(|line| (line, 1)), source)
        };
        if source.len() > SOURCE_MAX {
            return Err(fault(None, format!("is longer than {} KiB; make it shorter", SOURCE_MAX >> 10)));
        }
        if let Some(line) = too_deep(source) {
            let problem = format!(
                "this is too deep: at most {OPERATORS_MAX} operators in a row, {DEPTH_MAX} brackets or blocks within each \
                 other, {ELSES_MAX} times `else`; take it apart"
            );
            return Err(fault(Some(line), problem));
        }
        let has_params = source.contains("struct Params");
        let sees_here = SEES.iter().any(|name| source.contains(name));
        let parts = [(HEAD, true), (HERE, sees_here), (PARAMS, has_params)];
        let head: String = parts.into_iter().filter_map(|(part, used)| used.then_some(part)).collect();
        let whole = format!("{head}{source}{TAIL}");
        let offset = head.lines().count() as u32;
        let lines = source.lines().count() as u32;
        // A fault in what the engine added is one of what it calls: `paint`.
        let line_of = |at: Option<naga::SourceLocation>| {
            at.map(|at| at.line_number.saturating_sub(offset)).filter(|line| (1..=lines).contains(line))
        };
        let module = naga::front::wgsl::parse_str(&whole).map_err(|error| {
            let problem = error.message().to_owned();
            if problem.contains("`paint`") {
                return fault(
                    None,
                    "has no `fn paint(at: vec2f) -> vec4f`; add it: the engine calls it for each pixel".into(),
                );
            }
            let line = line_of(error.location(&whole));
            let of_engine =
                line.and_then(|line| source.lines().nth(line as usize - 1)).is_some_and(|l| l.contains("engine."));
            if let Some(name) = ["body_there", "flow_there", "mask_there"].iter().find(|name| problem.contains(**name))
            {
                let remedy = "the other city sends outlines only: draw.body(body, there.look)";
                return fault(line, format!("there is no `{name}`; {remedy}"));
            }
            if problem.starts_with("invalid field accessor") && of_engine {
                return fault(line, format!("{problem}; `engine` has canvas, now and pixel"));
            }
            fault(line, problem)
        })?;
        let mut validator =
            naga::valid::Validator::new(naga::valid::ValidationFlags::all(), naga::valid::Capabilities::empty());
        validator.validate(&module).map_err(|error| {
            let place = error.spans().next().map(|(span, _)| span.location(&whole));
            let mut problem = error.to_string();
            let mut cause: &dyn std::error::Error = error.as_inner();
            while let Some(deeper) = cause.source() {
                problem = deeper.to_string();
                cause = deeper;
            }
            if problem.contains("array stride") {
                problem.push_str("; use array<vec4f, N> in `Params`");
            }
            fault(line_of(place), problem)
        })?;
        let slots = slots(&module).map_err(|problem| fault(None, problem))?;
        let size = params_size(&module);
        if size > PARAMS_MAX {
            return Err(fault(None, format!("`Params` takes {size} bytes; {PARAMS_MAX} are allowed")));
        }
        let source = match bounded(module).map_err(|problem| fault(None, problem))? {
            None => whole,
            Some(bounded) => {
                // It was written anew; what a script sends must still lie where the shader reads it.
                let again = naga::front::wgsl::parse_str(&bounded).map_err(|why| fault(None, why.message().into()))?;
                if self::slots(&again).as_ref() != Ok(&slots) {
                    return Err(fault(None, "has `Params` with @align or @size and loops; leave those out".into()));
                }
                bounded
            }
        };
        let key = crate::wire::hash(source.bytes());
        Ok(Self { params: Params { name: name.into(), size: size as usize, slots }, source, key, sees_here })
    }
}

/// The line on which a source is too deep: whoever reads it goes as deep, and has no such stack.
fn too_deep(source: &str) -> Option<u32> {
    // Operators on each level of brackets, and how many blocks are open.
    let mut levels = vec![0_usize];
    let (mut blocks, mut line) = (0_usize, 1);
    let mut letters = source.chars().peekable();
    while let Some(letter) = letters.next() {
        match (letter, letters.peek()) {
            ('\n', _) => line += 1,
            ('/', Some('/')) => while letters.next_if(|letter| *letter != '\n').is_some() {},
            (';', _) => levels = vec![0],
            ('{', _) => (levels, blocks) = (vec![0], blocks + 1),
            ('}', _) => (levels, blocks) = (vec![0], blocks.saturating_sub(1)),
            ('(' | '[', _) => levels.push(0),
            (')' | ']', _) if levels.len() > 1 => _ = levels.pop(),
            (',', _) => _ = levels.last_mut().map(|count| *count = 0),
            ('+' | '-' | '*' | '/' | '%' | '&' | '|' | '^' | '<' | '>' | '=' | '!' | '~' | '.', _) => {
                *levels.last_mut()? += 1;
            }
            _ => {}
        }
        if levels.last().is_some_and(|count| *count > OPERATORS_MAX) || levels.len() > DEPTH_MAX || blocks > DEPTH_MAX {
            return Some(line);
        }
    }
    // Each of a chain is within the one before.
    let elses = source.match_indices("else").nth(ELSES_MAX);
    elses.map(|(at, _)| source[..at].lines().count() as u32)
}

impl Slot {
    /// How many numbers it takes.
    pub fn numbers(&self) -> usize {
        self.width * self.count
    }

    /// Writes numbers into the bytes of `Params`; what is missing stays 0, what is too much is left out.
    pub fn fill(&self, params: &mut [u8], numbers: &[f32]) {
        for (i, number) in numbers.iter().take(self.numbers()).enumerate() {
            let at = self.offset + i / self.width * self.stride + i % self.width * 4;
            let bytes = match self.kind {
                Number::I32 => (*number as i32).to_le_bytes(),
                Number::U32 => (*number as u32).to_le_bytes(),
                Number::F32 => number.to_le_bytes(),
            };
            if let Some(place) = params.get_mut(at..at + 4) {
                place.copy_from_slice(&bytes);
            }
        }
    }
}

fn params_type(module: &naga::Module) -> Option<&naga::TypeInner> {
    let (_, variable) = module.global_variables.iter().find(|(_, v)| v.name.as_deref() == Some("params"))?;
    Some(&module.types[variable.ty].inner)
}

fn params_size(module: &naga::Module) -> u32 {
    match params_type(module) {
        // A uniform buffer is bound in multiples of 16 bytes.
        Some(TypeInner::Struct { span, .. }) => span.next_multiple_of(16),
        _ => 0,
    }
}

fn slots(module: &naga::Module) -> Result<Vec<Slot>, String> {
    let Some(TypeInner::Struct { members, .. }) = params_type(module) else { return Ok(Vec::new()) };
    members
        .iter()
        .map(|member| {
            let name = member.name.clone().unwrap_or_default();
            let inner = &module.types[member.ty].inner;
            let (element, count, stride) = match inner {
                TypeInner::Array { base, size: naga::ArraySize::Constant(count), stride } => {
                    (&module.types[*base].inner, count.get() as usize, *stride as usize)
                }
                other => (other, 1, 0),
            };
            let (width, scalar) = plain(element).ok_or_else(|| {
                format!(
                    "`Params.{name}` cannot be set from a script; use f32, i32, u32, their vectors, or arrays of vec4f"
                )
            })?;
            let kind = match scalar.kind {
                ScalarKind::Sint => Number::I32,
                ScalarKind::Uint => Number::U32,
                _ => Number::F32,
            };
            Ok(Slot { name, offset: member.offset as usize, width, count, stride, kind })
        })
        .collect()
}

fn plain(inner: &TypeInner) -> Option<(usize, Scalar)> {
    let (width, scalar) = match inner {
        TypeInner::Scalar(scalar) => (1, *scalar),
        TypeInner::Vector { size, scalar } => (
            match size {
                VectorSize::Bi => 2,
                VectorSize::Tri => 3,
                VectorSize::Quad => 4,
            },
            *scalar,
        ),
        _ => return None,
    };
    (scalar.width == 4 && scalar.kind != ScalarKind::Bool).then_some((width, scalar))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_laid_out_as_the_shader_has_them() {
        let source = "struct Params { sun: f32, wind: vec2f, rings: array<vec4f, 3>, n: u32 }
fn paint(at: vec2f) -> vec4f { return vec4f(params.sun, params.wind, params.rings[2].w + f32(params.n)); }";
        let shader = Shader::parse("a.wgsl", source).expect("it is sound");
        assert_eq!(shader.params.size, 80);
        let mut params = vec![0; shader.params.size];
        for (slot, numbers) in
            shader.params.slots.iter().zip([&[1.5][..], &[2.0, 3.0], &[0.0, 0.0, 0.0, 0.0, 7.0], &[9.0]])
        {
            slot.fill(&mut params, numbers);
        }
        let number = |at: usize| f32::from_le_bytes([params[at], params[at + 1], params[at + 2], params[at + 3]]);
        assert_eq!([number(0), number(8), number(12), number(32)], [1.5, 2.0, 3.0, 7.0]);
        assert_eq!(params[64], 9);
    }

    #[test]
    fn who_is_here_is_there_for_who_asks() {
        let asks = "fn paint(at: vec2f) -> vec4f {\n  return vec4f(body_here(at), flow_here(at), 1.0);\n}";
        let shader = Shader::parse("a.wgsl", asks).expect("it is sound");
        assert!(shader.sees_here && shader.source.contains("@binding(2) var mask_here"), "{}", shader.source);
        let asks_not = Shader::parse("a.wgsl", "fn paint(at: vec2f) -> vec4f { return vec4f(1.0); }").expect("sound");
        assert!(!asks_not.sees_here && !asks_not.source.contains("mask_here"), "{}", asks_not.source);
        let wrong = "fn paint(at: vec2f) -> vec4f {\n  let b = body_here(at);\n  return vec4f(bb);\n}";
        assert_eq!(Shader::parse("a.wgsl", wrong).expect_err("it is not sound").place, Some((3, 1)));
        let wrong = "fn paint(at: vec2f) -> vec4f {\n  return vec4f(body_there(at));\n}";
        let fault = Shader::parse("a.wgsl", wrong).expect_err("there is no such thing");
        assert!(fault.place == Some((2, 1)) && fault.problem.contains("outlines only"), "{fault}");
    }

    #[test]
    fn a_loop_without_an_end_has_one_and_parameters_stay_where_they_are() {
        let source = "struct Params { sun: f32, wind: vec2f, rings: array<vec4f, 3>, n: u32 }
fn paint(at: vec2f) -> vec4f { var x = params.sun; loop { x += body_here(at); } return vec4f(x, params.wind, params.rings[1].x); }";
        let shader = Shader::parse("a.wgsl", source).expect("it is sound");
        assert!(shader.source.contains(">= 20000u"), "{}", shader.source);
        let module = naga::front::wgsl::parse_str(&shader.source).expect("it is WGSL");
        for name in ["moongate_vertex", "moongate_fragment", "moongate_darkens"] {
            assert!(module.entry_points.iter().any(|entry| entry.name == name), "{name}");
        }
        assert_eq!((shader.params.size, shader.params.slots.len()), (80, 4));
        let aligned = "struct Params { @size(32) sun: f32, wind: f32 }
fn paint(at: vec2f) -> vec4f { loop { if params.sun > 0.0 { break; } } return vec4f(params.wind); }";
        let fault = Shader::parse("a.wgsl", aligned).expect_err("its members would move");
        assert!(fault.problem.contains("@size"), "{fault}");
    }

    #[test]
    fn expressions_that_nobody_could_read_are_refused() {
        let paint = |sum: String| format!("fn paint(at: vec2f) -> vec4f {{\n  return vec4f({sum});\n}}");
        for endless in [
            "at.x+".repeat(12_000),
            "f(at.x, 1.0)*".repeat(5_000),
            "!".repeat(60_000),
            "-".repeat(60_000),
            "(".repeat(30_000),
        ] {
            let fault = Shader::parse("a.wgsl", &paint(endless + "1.0")).expect_err("it is too long");
            assert!(fault.place == Some((2, 1)) && fault.problem.contains("take it apart"), "{fault}");
        }
        assert!(Shader::parse("a.wgsl", &paint("at.x + ".repeat(100) + "1.0")).is_ok());
        let chain = "if at.x < 1.0 { } else ".repeat(2_000) + "{ }";
        for body in ["{".repeat(20_000), chain, "loop { ".repeat(5_000), "if true { ".repeat(5_000)] {
            let source = format!("fn paint(at: vec2f) -> vec4f {{ {body}");
            let fault = Shader::parse("a.wgsl", &source).expect_err("it is too deep");
            assert!(fault.problem.contains("take it apart"), "{fault}");
        }
    }

    #[test]
    fn a_mistake_names_the_artists_own_line() {
        let fault = |source| Shader::parse("a.wgsl", source).expect_err("it is not sound");
        let wrong = fault("fn paint(at: vec2f) -> vec4f {\n  let x = 1.0\n  return vec4f(x);\n}");
        assert!(matches!(wrong.place, Some((2 | 3, 1))), "{wrong}");
        let wrong = fault("fn paint(at: vec2f) -> vec4f {\n  return vec4f(att, 0.0, 1.0);\n}");
        assert_eq!(wrong.place, Some((2, 1)), "{wrong}");
        assert_eq!(wrong.source, "return vec4f(att, 0.0, 1.0);");
        let wrong = fault("fn paint(at: vec2f) -> vec4f {\n  return 1.0;\n}");
        assert!(wrong.place.is_none_or(|(line, _)| line <= 3), "{wrong}");
        assert!(fault("fn pant(at: vec2f) -> vec4f { return vec4f(); }").problem.contains("fn paint"));
        assert!(
            fault("struct Params { b: mat2x2f }\nfn paint(at: vec2f) -> vec4f { return vec4f(params.b[0].x); }")
                .problem
                .contains("`Params.b`")
        );
    }
}
