//! Artists' WGSL: a function `paint`, and optionally a `struct Params`. It is checked completely before a GPU sees it.

mod allowlist;
mod catch_panic;
mod error;
pub(super) mod import;
mod loop_bound;
mod memory_limits;
mod params;
mod pointer_args;
pub(super) mod prelude;
mod rewrite;
mod size_limits;
mod source_text;
mod spirv;
pub(super) mod uniforms;

use crate::diagnostic::SceneDiagnostic;
use crate::protocol::shader_params::{ParamField, ShaderParams};
use catch_panic::catch_panic;
use error::ShaderError;
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use params::{param_fields, params_size};
use prelude::{ShaderInputs, ShaderPrelude};
use rewrite::rewrite;
use source_text::{too_deep_line, without_comments};

/// Maximum length of a source, in bytes.
const SOURCE_MAX: usize = 64 << 10;
/// Maximum size of `Params`, in bytes.
const PARAMS_BYTES_MAX: u32 = 16 << 10;

/// A checked shader.
#[derive(Debug, Clone, PartialEq)]
pub struct SceneShader {
    /// Name and parameters.
    pub params: ShaderParams,
    /// Complete module, ready for a GPU: `moongate_vertex` and `moongate_fragment`.
    pub source: String,
    /// Hash of the source: equal shaders have equal hashes.
    pub content_hash: u64,
    /// Textures that it samples.
    pub inputs: ShaderInputs,
    /// Buffers that it paints before the canvas, in this order, each with its own entry point. They persist between
    /// frames.
    pub buffers: Vec<usize>,
    /// Side length of the buffers as a fraction of the canvas.
    pub buffer_scale: f32,
}

impl SceneShader {
    /// Checks an artist's source.
    pub fn parse(name: &str, source: &str) -> Result<Self, SceneDiagnostic> {
        // Some editors start a file with a byte order mark.
        let source = source.strip_prefix('\u{feff}').unwrap_or(source);
        let artist = ShaderSource { name, source };
        if source.len() > SOURCE_MAX {
            return Err(artist.diagnostic(None, format!("is longer than {} KiB; make it shorter", SOURCE_MAX >> 10)));
        }
        let plain = without_comments(source);
        if let Some(line) = too_deep_line(&plain) {
            return Err(artist.diagnostic(Some(line), source_text::too_deep_problem()));
        }
        if let Some(refusal) = size_limits::too_large(&plain) {
            return Err(artist.error_diagnostic(refusal));
        }
        let harness = ShaderPrelude::for_source(&plain);
        catch_panic(|| artist.compile(harness)).unwrap_or_else(|panic| Err(artist.compiler_failure(None, &panic)))
    }
}

/// Source to check, and its name.
struct ShaderSource<'a> {
    name: &'a str,
    source: &'a str,
}

/// The artist's source with the text before and after it.
struct FullSource {
    text: String,
    /// Lines before the artist's.
    before: u32,
    /// Lines of the artist's source.
    lines: u32,
}

impl FullSource {
    /// Returns the line in the artist's source; `None` for engine code, where an error is an error of the artist's
    /// `paint`.
    fn artist_line(&self, line: u32) -> Option<u32> {
        Some(line.saturating_sub(self.before)).filter(|line| (1..=self.lines).contains(line))
    }
}

impl ShaderSource<'_> {
    fn diagnostic(&self, line: Option<u32>, problem: String) -> SceneDiagnostic {
        self.error_diagnostic(ShaderError { line, problem, remedy: String::new() })
    }

    fn error_diagnostic(&self, ShaderError { line, problem, remedy }: ShaderError) -> SceneDiagnostic {
        SceneDiagnostic::new(self.name, problem, remedy).with_location(line.map(|line| (line, 1)), self.source)
    }

    /// Returns the error for a source that naga accepts but cannot compile.
    fn compiler_failure(&self, line: Option<u32>, why: &str) -> SceneDiagnostic {
        let remedy = "the compiler is at fault; write it another way, and take lines out until you have found the one";
        let problem = format!("the compiler of shaders gave up on this ({why})");
        self.error_diagnostic(ShaderError { line, problem, remedy: remedy.into() })
    }

    fn compile(&self, harness: ShaderPrelude) -> Result<SceneShader, SceneDiagnostic> {
        let Self { name, source } = *self;
        let ShaderPrelude { head, tail, inputs: looks, buffers, scale } = harness;
        let whole = FullSource {
            text: format!("{head}{source}{tail}"),
            before: head.lines().count() as u32,
            lines: source.lines().count() as u32,
        };
        let refused = |refusal: ShaderError| {
            let line = refusal.line.and_then(|line| whole.artist_line(line));
            self.error_diagnostic(ShaderError { line, ..refusal })
        };
        let module = naga::front::wgsl::parse_str(&whole.text).map_err(|error| self.parse_error(&error, &whole))?;
        let artists = head.len()..head.len() + source.len();
        if let Some(refusal) = allowlist::find_disallowed(&module, (&whole.text, artists), &tail) {
            return Err(refused(refusal));
        }
        let entries: usize = ["@vertex fn ", "@fragment fn "].map(|word| tail.matches(word).count()).iter().sum();
        if module.entry_points.len() != entries {
            let problem = "has a comment `/*` without an end; close it with `*/`";
            return Err(self.diagnostic(None, problem.into()));
        }
        memory_limits::check_variables(&module, &whole.text, 0).map_err(refused)?;
        let info = self.validate(&module, &whole)?;
        memory_limits::check_functions(&module, &info, &whole.text).map_err(refused)?;
        let slots = param_fields(&module).map_err(|problem| self.diagnostic(None, problem))?;
        let size = params_size(&module);
        if size > PARAMS_BYTES_MAX {
            return Err(self.diagnostic(None, format!("`Params` takes {size} bytes; {PARAMS_BYTES_MAX} are allowed")));
        }
        let other = rewrite(module.clone()).map_err(|problem| self.diagnostic(None, problem))?;
        let source = match other {
            None => {
                self.check_spirv(&module, &info)?;
                whole.text
            }
            Some(text) => {
                self.check_rewritten(&text, &slots)?;
                text
            }
        };
        let key = moongate_core::wire::fnv1a(source.bytes());
        let params = ShaderParams { name: name.into(), size: size as usize, slots };
        Ok(SceneShader { params, source, content_hash: key, inputs: looks, buffers, buffer_scale: scale })
    }

    /// Converts an error of naga's parser to a diagnostic.
    fn parse_error(&self, error: &naga::front::wgsl::ParseError, whole: &FullSource) -> SceneDiagnostic {
        let problem = error.message().to_owned();
        if problem.starts_with("no definition in scope") && problem.contains("`paint`") {
            let problem = "has no `fn paint(at: vec2f) -> vec4f`; add it: the engine calls it for each pixel";
            return self.diagnostic(None, problem.into());
        }
        let line = error.location(&whole.text).and_then(|at| whole.artist_line(at.line_number));
        let of_engine =
            line.and_then(|line| self.source.lines().nth(line as usize - 1)).is_some_and(|l| l.contains("engine."));
        if problem.starts_with("invalid field accessor") && of_engine {
            let has = "canvas, now, pixel, dt, linked, delay, resolution, frame, here and there";
            return self.diagnostic(line, format!("{problem}; `engine` has {has}"));
        }
        self.diagnostic(line, problem)
    }

    fn validate(&self, module: &naga::Module, whole: &FullSource) -> Result<ModuleInfo, SceneDiagnostic> {
        validator().validate(module).map_err(|error| {
            let line =
                error.spans().next().and_then(|(span, _)| whole.artist_line(span.location(&whole.text).line_number));
            let mut problem = error.to_string();
            let mut cause: &dyn std::error::Error = error.as_inner();
            while let Some(deeper) = cause.source() {
                problem = deeper.to_string();
                cause = deeper;
            }
            if problem.contains("array stride") {
                problem.push_str("; use array<vec4f, N> in `Params`");
            }
            self.diagnostic(line, problem)
        })
    }

    /// Checks a rewritten source like the original. A script's numbers must still be where the shader reads them.
    fn check_rewritten(&self, text: &str, slots: &[ParamField]) -> Result<(), SceneDiagnostic> {
        let module = naga::front::wgsl::parse_str(text).map_err(|why| self.diagnostic(None, why.message().into()))?;
        let written = self::param_fields(&module).map_err(|problem| self.diagnostic(None, problem))?;
        if written.len() != slots.len() || written.iter().zip(slots).any(|(a, b)| !a.same_layout(b)) {
            return Err(self.diagnostic(None, "has `Params` with @align or @size and loops; leave those out".into()));
        }
        let nowhere = |refusal: ShaderError| self.error_diagnostic(ShaderError { line: None, ..refusal });
        memory_limits::check_variables(&module, text, rewrite::COUNTER_BYTES).map_err(nowhere)?;
        let info = validator().validate(&module).map_err(|why| self.compiler_failure(None, &why.to_string()))?;
        memory_limits::check_functions(&module, &info, text).map_err(nowhere)?;
        self.check_spirv(&module, &info)
    }

    /// Tries the next step that wgpu takes.
    fn check_spirv(&self, module: &naga::Module, info: &ModuleInfo) -> Result<(), SceneDiagnostic> {
        spirv::check_writable(module, info).map_err(|why| {
            let name = spirv::first_unwritable_function(module);
            let line = name.and_then(|name| source_text::line_of_function(self.source, &name));
            self.compiler_failure(line, &why)
        })
    }
}

fn validator() -> Validator {
    Validator::new(ValidationFlags::all(), Capabilities::empty())
}

#[cfg(test)]
mod tests;
