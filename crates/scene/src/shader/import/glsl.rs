//! Translates GLSL to WGSL with naga's parser and writer.

use super::global_init::{GlobalInit, extract_global_init};
use super::texture::to_letters;
use crate::diagnostic::SceneDiagnostic;
use crate::shader::pointer_args;
use crate::shader::source_text::too_deep_line;
use naga::back::wgsl::{WriterFlags, write_string};
use naga::valid::{Capabilities, ValidationFlags, Validator};
use naga::{Module, ShaderStage, Span};

/// Names reserved by the engine and the added code.
const RESERVED_NAMES: [&str; 26] = [
    "City",
    "Engine",
    "engine",
    "Params",
    "params",
    "paint",
    "phase",
    "previous",
    "body_here",
    "body_there",
    "flow_here",
    "flow_there",
    "buffer_scale",
    "buffer_a",
    "buffer_b",
    "buffer_c",
    "buffer_d",
    "texel_a",
    "texel_b",
    "texel_c",
    "texel_d",
    "size_a",
    "size_b",
    "size_c",
    "size_d",
    "image",
];

/// GLSL source: our text before it, and the artist's.
pub(super) struct GlslSource<'a> {
    pub file: &'a str,
    pub head: String,
    pub body: &'a str,
    /// Prefix of all its names, where several sources are combined.
    pub prefix: &'a str,
    /// Variables that are set before it is called. In WGSL, each has the name that [`global_name`] returns, whatever
    /// other names there are.
    pub globals: &'a [String],
}

/// A source translated to WGSL.
pub(super) struct WgslSource {
    /// The whole source, without an entry point.
    pub wgsl: String,
    /// Calls that set its own variables to their initial values. They come after the variables that are set from outside.
    pub init_calls: String,
}

/// Returns the WGSL name of a variable that is set from outside.
pub(super) fn global_name(prefix: &str, index: usize, name: &str) -> String {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    format!("moongate_{prefix}{plain}_{}", to_letters(index))
}

impl GlslSource<'_> {
    /// Translates the source. An error names the line in the artist's source.
    pub fn to_wgsl(&self) -> Result<WgslSource, SceneDiagnostic> {
        let (file, body) = (self.file, self.body);
        let fault = |line: Option<u32>, problem: String, remedy: &str| {
            SceneDiagnostic::new(file, problem, remedy).with_location(line.map(|line| (line, 1)), body)
        };
        if let Some(line) = too_deep_line(body) {
            return Err(fault(Some(line), "this is too deep".into(), "take it apart"));
        }
        let GlobalInit { source, init_functions: functions } = extract_global_init(body, self.globals, self.prefix);
        // The parser requires an entry point; it is removed from the result.
        let whole = format!("#version 450\n{}\n{source}\nvoid main() {{ }}\n", self.head);
        let before = 1 + self.head.lines().count().max(1) as u32;
        let read = |whole: &str| -> Result<Module, (Option<Span>, String)> {
            let options = naga::front::glsl::Options::from(ShaderStage::Fragment);
            naga::front::glsl::Frontend::default().parse(&options, whole).map_err(|errors| {
                let first = errors.errors.into_iter().next();
                first.map_or((None, "it cannot be read".into()), |error| (Some(error.meta), error.kind.to_string()))
            })
        };
        let mut module = read(&whole).map_err(|(span, problem)| {
            let line = span.map(|span| span.location(&whole).line_number.saturating_sub(before));
            let lines = body.lines().count() as u32;
            fault(line.filter(|line| (1..=lines).contains(line)), parser_message(&problem), suggest_fix(&problem))
        })?;
        module.entry_points.clear();
        self.rename_conflicts(&mut module);
        pointer_args::copy_pointer_args(&mut module);
        let broken = |why: String| fault(None, format!("cannot be rewritten ({why})"), "write it more simply");
        let info = Validator::new(ValidationFlags::all(), Capabilities::empty()).validate(&module).map_err(|why| {
            broken(std::error::Error::source(why.as_inner()).map_or(why.to_string(), |why| why.to_string()))
        })?;
        let wgsl = write_string(&module, &info, WriterFlags::empty()).map_err(|why| broken(why.to_string()))?;
        let is_there = |function: &&String| wgsl.contains(&format!("fn {function}("));
        let begin = functions.iter().filter(is_there).map(|function| format!("    {function}();\n")).collect();
        let Some(start) = wgsl.find("fn moongate_nothing(") else { return Ok(WgslSource { wgsl, init_calls: begin }) };
        let end = wgsl[start..].find("\n}\n").map_or(wgsl.len(), |end| start + end + 3);
        Ok(WgslSource { wgsl: format!("{}{}", &wgsl[..start], &wgsl[end..]), init_calls: begin })
    }

    /// Renames everything whose name is reserved, or may occur in another file.
    fn rename_conflicts(&self, module: &mut Module) {
        let rename = |name: &mut Option<String>| {
            if let Some(known) = name {
                if RESERVED_NAMES.contains(&known.as_str()) || known.starts_with("read_") {
                    known.insert_str(0, "own_");
                }
                if !known.starts_with("moongate_") {
                    known.insert_str(0, self.prefix);
                }
            }
        };
        for (_, function) in module.functions.iter_mut() {
            if function.name.as_deref() == Some("main") {
                function.name = Some("moongate_nothing".into());
            }
            rename(&mut function.name);
        }
        for (_, variable) in module.global_variables.iter_mut() {
            let known = variable.name.as_ref().and_then(|name| self.globals.iter().position(|known| known == name));
            match known {
                Some(index) => variable.name = Some(global_name(self.prefix, index, &self.globals[index])),
                None => rename(&mut variable.name),
            }
        }
        module.constants.iter_mut().for_each(|(_, constant)| rename(&mut constant.name));
        let types: Vec<_> = module.types.iter().map(|(handle, ty)| (handle, ty.clone())).collect();
        for (handle, mut ty) in types {
            let before = ty.name.clone();
            rename(&mut ty.name);
            // The arena holds each type once and does not accept a type in its own place.
            if ty.name != before {
                module.types.replace(handle, ty);
            }
        }
    }
}

/// Returns the parser's message, in words for people.
fn parser_message(problem: &str) -> String {
    let problem = problem.replace("Identifier(", "(").replace("TokenValue::", "");
    let mut letters = problem.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

/// Returns a remedy for the parser's message, if known.
fn suggest_fix(problem: &str) -> &'static str {
    let known = [
        (
            "sampler",
            "a texture cannot be handed to a function: write the function out where it is called, with the texture's name",
        ),
        (
            "iChannel",
            "a texture cannot be handed to a function: write the function out where it is called, with the texture's name",
        ),
        ("Unknown function", "it is none that a shader has here; write it out"),
        ("Not implemented", "write it another way"),
        ("Unknown variable", "it is none that a shader has here; say what it is"),
    ];
    known.iter().find(|(word, _)| problem.contains(word)).map_or("", |(_, remedy)| remedy)
}
