//! An artist's WGSL: a function `paint`, and if wanted a `struct Params`. Checked by naga before a GPU sees it.

use super::fault::ScriptFault;
use super::harness::{Harness, Looks};
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
    /// What it looks at.
    pub looks: Looks,
    /// The buffers that it paints before itself, in this order, each by its entry point; they stay from picture to picture.
    pub buffers: Vec<usize>,
    /// Their sides, as a fraction of the canvas.
    pub buffer_scale: f32,
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
        let plain = without_comments(source);
        if let Some(line) = too_deep(&plain) {
            let problem = format!(
                "this is too deep: at most {OPERATORS_MAX} operators in a row, {DEPTH_MAX} brackets or blocks within each \
                 other, {ELSES_MAX} times `else`; take it apart"
            );
            return Err(fault(Some(line), problem));
        }
        let Harness { head, tail, looks, buffers, scale } = Harness::of(&plain);
        let whole = format!("{head}{source}{tail}");
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
            if problem.starts_with("invalid field accessor") && of_engine {
                let has = "canvas, now, pixel, dt, linked, delay, here and there";
                return fault(line, format!("{problem}; `engine` has {has}"));
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
                // Names may have changed: what ends in a digit gets something behind it.
                let moved = |(a, b): (&Slot, &Slot)| {
                    Slot { name: String::new(), ..a.clone() } != Slot { name: String::new(), ..b.clone() }
                };
                let written = self::slots(&again).map_err(|problem| fault(None, problem))?;
                if written.len() != slots.len() || written.iter().zip(&slots).any(moved) {
                    return Err(fault(None, "has `Params` with @align or @size and loops; leave those out".into()));
                }
                bounded
            }
        };
        let key = crate::wire::hash(source.bytes());
        let params = Params { name: name.into(), size: size as usize, slots };
        Ok(Self { params, source, key, looks, buffers, buffer_scale: scale })
    }
}

/// A source with spaces in place of its comments: every letter that is left stands where it stood.
fn without_comments(source: &str) -> String {
    let mut plain = String::with_capacity(source.len());
    let mut letters = source.chars().peekable();
    // How many of `/*` are open: in WGSL they stand within each other. And what ends a line there.
    let (mut depth, mut line) = (0_usize, false);
    let ends = |letter: char| matches!(letter, '\n' | '\u{b}' | '\u{c}' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}');
    while let Some(letter) = letters.next() {
        let pair = letters.peek().map(|next| (letter, *next));
        line = !ends(letter) && (line || depth == 0 && pair == Some(('/', '/')));
        let bracket = match pair {
            Some(('/', '*')) if !line => {
                depth += 1;
                true
            }
            Some(('*', '/')) if depth > 0 => {
                depth -= 1;
                true
            }
            _ => false,
        };
        if bracket {
            letters.next();
            plain.push_str("  ");
        } else {
            plain.push(if !ends(letter) && (line || depth > 0) { ' ' } else { letter });
        }
    }
    plain
}

/// The line on which a source is too deep: whoever reads it goes as deep, and has no such stack.
pub(super) fn too_deep(source: &str) -> Option<u32> {
    // Operators on each level of brackets, and how many blocks are open.
    let mut levels = vec![0_usize];
    let (mut blocks, mut line) = (0_usize, 1);
    let mut letters = source.chars().peekable();
    while let Some(letter) = letters.next() {
        match (letter, letters.peek()) {
            ('\n', _) => line += 1,
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
        assert!(shader.looks.people && shader.source.contains("@binding(2) var"), "{}", shader.source);
        let asks_not = Shader::parse("a.wgsl", "fn paint(at: vec2f) -> vec4f { return vec4f(1.0); }").expect("sound");
        assert!(!asks_not.looks.people && !asks_not.source.contains("body_here"), "{}", asks_not.source);
        let wrong = "fn paint(at: vec2f) -> vec4f {\n  let b = body_here(at);\n  return vec4f(bb);\n}";
        assert_eq!(Shader::parse("a.wgsl", wrong).expect_err("it is not sound").place, Some((3, 1)));
        let all = "const buffer_scale = 0.5;
fn buffer_a(at: vec2f) -> vec4f { return 0.9 * read_a(at) + vec4f(body_there(at)); }
fn buffer_b(at: vec2f) -> vec4f { return read_a(at) + read_b(at); }
fn paint(at: vec2f) -> vec4f {
  var near = 1e9;
  for (var i = 0u; i < engine.there.touches; i++) { near = min(near, distance(at, engine.there.touch[i].xy)); }
  return previous(at) + read_b(at) + vec4f(flow_there(at), near, phase(7.0)) + engine.here.colour;
}";
        let shader = Shader::parse("a.wgsl", all).unwrap_or_else(|fault| panic!("{fault}"));
        assert_eq!((shader.buffers, shader.buffer_scale), (vec![0, 1], 0.5));
        assert!(shader.looks.previous && shader.source.contains("fn moongate_buffer_b"));
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
        let numbered = "struct Params { p1: f32, p2: vec2f }
fn paint(at: vec2f) -> vec4f { var x = params.p1; for (var i = 0; i < 4; i++) { x += params.p2.x; } return vec4f(x); }";
        let shader = Shader::parse("a.wgsl", numbered).expect("a name may end in a digit");
        assert_eq!(shader.params.slots.iter().map(|slot| slot.name.as_str()).collect::<Vec<_>>(), ["p1", "p2"]);
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
