//! An artist's WGSL: a function `paint`, and optionally a `struct Params`. It is checked completely before a GPU sees it.

mod allowed;
mod caught;
mod memory;
mod params;
mod rewritten;
mod sizes;
mod spirv;
mod text;

pub use params::Params;
pub(super) use params::Slot;
pub(super) use text::too_deep;

use super::fault::ScriptFault;
use super::harness::{Harness, Looks};
use caught::caught;
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use params::{params_size, slots};
use rewritten::rewritten;
use text::without_comments;

/// Longest source, in bytes.
const SOURCE_MAX: usize = 64 << 10;
/// Largest `Params`, in bytes.
const PARAMS_MAX: u32 = 16 << 10;

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

/// A construct that is not allowed, at a line of the text that was checked if the line is known.
#[derive(Debug, Clone, PartialEq)]
struct Refusal {
    line: Option<u32>,
    problem: String,
    remedy: String,
}

impl Shader {
    /// Checks an artist's source.
    pub fn parse(name: &str, source: &str) -> Result<Self, ScriptFault> {
        // Some editors start a file with a byte order mark.
        let source = source.strip_prefix('\u{feff}').unwrap_or(source);
        let artist = Artist { name, source };
        if source.len() > SOURCE_MAX {
            return Err(artist.fault(None, format!("is longer than {} KiB; make it shorter", SOURCE_MAX >> 10)));
        }
        let plain = without_comments(source);
        if let Some(line) = too_deep(&plain) {
            return Err(artist.fault(Some(line), text::too_deep_problem()));
        }
        if let Some(refusal) = sizes::too_large(&plain) {
            return Err(artist.refused(refusal));
        }
        let harness = Harness::of(&plain);
        caught(|| artist.compiled(harness)).unwrap_or_else(|panic| Err(artist.gave_up(None, &panic)))
    }
}

/// The source to check, and its name.
struct Artist<'a> {
    name: &'a str,
    source: &'a str,
}

/// The artist's source with the text before and after it.
struct Whole {
    text: String,
    /// Lines before the artist's.
    before: u32,
    /// Lines of the artist's source.
    lines: u32,
}

impl Whole {
    /// Returns the artist's line; none for engine code. A fault there is a fault of the function that it calls: `paint`.
    fn line(&self, line: u32) -> Option<u32> {
        Some(line.saturating_sub(self.before)).filter(|line| (1..=self.lines).contains(line))
    }
}

impl Artist<'_> {
    fn fault(&self, line: Option<u32>, problem: String) -> ScriptFault {
        self.refused(Refusal { line, problem, remedy: String::new() })
    }

    fn refused(&self, Refusal { line, problem, remedy }: Refusal) -> ScriptFault {
        ScriptFault::new(self.name, problem, remedy).at(line.map(|line| (line, 1)), self.source)
    }

    /// Returns the fault for source that naga accepts but cannot compile.
    fn gave_up(&self, line: Option<u32>, why: &str) -> ScriptFault {
        let remedy = "the compiler is at fault; write it another way, and take lines out until you have found the one";
        let problem = format!("the compiler of shaders gave up on this ({why})");
        self.refused(Refusal { line, problem, remedy: remedy.into() })
    }

    fn compiled(&self, harness: Harness) -> Result<Shader, ScriptFault> {
        let Self { name, source } = *self;
        let Harness { head, tail, looks, buffers, scale } = harness;
        let whole = Whole {
            text: format!("{head}{source}{tail}"),
            before: head.lines().count() as u32,
            lines: source.lines().count() as u32,
        };
        let refused = |refusal: Refusal| {
            let line = refusal.line.and_then(|line| whole.line(line));
            self.refused(Refusal { line, ..refusal })
        };
        let module = naga::front::wgsl::parse_str(&whole.text).map_err(|error| self.unread(&error, &whole))?;
        let artists = head.len()..head.len() + source.len();
        if let Some(refusal) = allowed::refused(&module, (&whole.text, artists), &tail) {
            return Err(refused(refusal));
        }
        let entries: usize = ["@vertex fn ", "@fragment fn "].map(|word| tail.matches(word).count()).iter().sum();
        if module.entry_points.len() != entries {
            let problem = "has a comment `/*` without an end; close it with `*/`";
            return Err(self.fault(None, problem.into()));
        }
        memory::kept(&module, &whole.text, 0).map_err(refused)?;
        let info = self.valid(&module, &whole)?;
        memory::moved(&module, &info, &whole.text).map_err(refused)?;
        let slots = slots(&module).map_err(|problem| self.fault(None, problem))?;
        let size = params_size(&module);
        if size > PARAMS_MAX {
            return Err(self.fault(None, format!("`Params` takes {size} bytes; {PARAMS_MAX} are allowed")));
        }
        let other = rewritten(module.clone()).map_err(|problem| self.fault(None, problem))?;
        let source = match other {
            None => {
                self.writable(&module, &info)?;
                whole.text
            }
            Some(text) => {
                self.rewritten(&text, &slots)?;
                text
            }
        };
        let key = crate::wire::hash(source.bytes());
        let params = Params { name: name.into(), size: size as usize, slots };
        Ok(Shader { params, source, key, looks, buffers, buffer_scale: scale })
    }

    /// Turns an error of naga's reader into a fault.
    fn unread(&self, error: &naga::front::wgsl::ParseError, whole: &Whole) -> ScriptFault {
        let problem = error.message().to_owned();
        if problem.starts_with("no definition in scope") && problem.contains("`paint`") {
            let problem = "has no `fn paint(at: vec2f) -> vec4f`; add it: the engine calls it for each pixel";
            return self.fault(None, problem.into());
        }
        let line = error.location(&whole.text).and_then(|at| whole.line(at.line_number));
        let of_engine =
            line.and_then(|line| self.source.lines().nth(line as usize - 1)).is_some_and(|l| l.contains("engine."));
        if problem.starts_with("invalid field accessor") && of_engine {
            let has = "canvas, now, pixel, dt, linked, delay, resolution, frame, here and there";
            return self.fault(line, format!("{problem}; `engine` has {has}"));
        }
        self.fault(line, problem)
    }

    fn valid(&self, module: &naga::Module, whole: &Whole) -> Result<ModuleInfo, ScriptFault> {
        validator().validate(module).map_err(|error| {
            let line = error.spans().next().and_then(|(span, _)| whole.line(span.location(&whole.text).line_number));
            let mut problem = error.to_string();
            let mut cause: &dyn std::error::Error = error.as_inner();
            while let Some(deeper) = cause.source() {
                problem = deeper.to_string();
                cause = deeper;
            }
            if problem.contains("array stride") {
                problem.push_str("; use array<vec4f, N> in `Params`");
            }
            self.fault(line, problem)
        })
    }

    /// Checks a rewritten source like the original; a script's numbers must still be where the shader reads them.
    fn rewritten(&self, text: &str, slots: &[Slot]) -> Result<(), ScriptFault> {
        let module = naga::front::wgsl::parse_str(text).map_err(|why| self.fault(None, why.message().into()))?;
        let written = self::slots(&module).map_err(|problem| self.fault(None, problem))?;
        if written.len() != slots.len() || written.iter().zip(slots).any(|(a, b)| !a.lies_as(b)) {
            return Err(self.fault(None, "has `Params` with @align or @size and loops; leave those out".into()));
        }
        let nowhere = |refusal: Refusal| self.refused(Refusal { line: None, ..refusal });
        memory::kept(&module, text, rewritten::COUNTER).map_err(nowhere)?;
        let info = validator().validate(&module).map_err(|why| self.gave_up(None, &why.to_string()))?;
        memory::moved(&module, &info, text).map_err(nowhere)?;
        self.writable(&module, &info)
    }

    /// Tries the next step that wgpu takes.
    fn writable(&self, module: &naga::Module, info: &ModuleInfo) -> Result<(), ScriptFault> {
        spirv::written(module, info).map_err(|why| {
            let name = spirv::broken_function(module);
            let line = name.and_then(|name| text::line_of_function(self.source, &name));
            self.gave_up(line, &why)
        })
    }
}

fn validator() -> Validator {
    Validator::new(ValidationFlags::all(), Capabilities::empty())
}

#[cfg(test)]
mod tests;
