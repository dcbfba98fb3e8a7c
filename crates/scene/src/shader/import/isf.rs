//! Import of the Interactive Shader Format, version 2: GLSL after a JSON comment that declares its inputs.
//! <https://isf.video>

use super::glsl::{GlslSource, WgslSource, global_name};
use super::lexer::{has_word, replace_words, without_comments, word_location};
use super::options::{ImportOptions, ImportedParameter, ImportedShader, TextureSource};
use super::texture::{NOISE_WGSL, PIXEL_WGSL, TextureMap, buffer_letter, to_letters};
use super::vertex;
use crate::diagnostic::SceneDiagnostic;
use naga::keywords::wgsl::RESERVED;
use serde::Deserialize;
use serde_json::Value;

/// Maximum length of a parameter's name, without a suffix that makes it unique.
const PARAM_MAX: usize = 28;
/// Maximum number of parameters of one scene, as in a manifest.
const PARAMETERS_MAX: usize = 32;
/// Maximum number of passes that become buffers.
const PASS_BUFFERS_MAX: usize = 4;

/// Minimum range, in pixels, of a point that is given in pixels of the frame.
const PICTURE_MIN: f64 = 256.0;
/// Frame size assumed for pixel values where the file does not state one: the size of the scene that is created.
const PICTURE: [f64; 2] = [1_920.0, 1_080.0];

/// Declarations of a file.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "UPPERCASE", default)]
struct IsfHeader {
    credit: String,
    inputs: Vec<IsfInput>,
    passes: Vec<IsfPass>,
    imported: Value,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "UPPERCASE", default)]
struct IsfInput {
    name: String,
    #[serde(rename = "TYPE")]
    kind: String,
    default: Value,
    min: Value,
    max: Value,
    values: Vec<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "UPPERCASE", default)]
struct IsfPass {
    target: String,
    width: Value,
    height: Value,
}

/// Variables that hold the painted colour and its position.
const COLOUR: &str = "moongate_colour";
const COORD: &str = "moongate_coord";

/// Names of ISF: the GLSL type, the name, and its WGSL expression here.
const BUILTINS: [(&str, &str, &str); 7] = [
    ("vec2", "RENDERSIZE", "engine.resolution"),
    ("float", "TIME", "engine.now"),
    ("float", "TIMEDELTA", "engine.dt"),
    ("int", "FRAMEINDEX", "i32(engine.frame)"),
    ("vec4", "DATE", "vec4f(2026.0, 1.0, 1.0, engine.here.hour * 3600.0)"),
    ("vec2", "isf_FragNormCoord", "moongate_pixel(at) / engine.resolution"),
    ("vec2", "vv_FragNormCoord", "moongate_pixel(at) / engine.resolution"),
];

fn json_header(source: &str) -> Option<&str> {
    let (_, rest) = source.trim_start().strip_prefix("/*").map(|rest| ("", rest))?;
    let (json, _) = rest.split_once("*/")?;
    json.trim_start().starts_with('{').then_some(json)
}

/// Returns true if a file begins with a comment that holds an object.
pub(super) fn is_isf(source: &str) -> bool {
    json_header(source).is_some()
}

fn numbers(value: &Value) -> Vec<f64> {
    let number = |value: &Value| value.as_f64().or(value.as_bool().map(f64::from)).filter(|number| number.is_finite());
    match value {
        Value::Array(values) => values.iter().filter_map(number).collect(),
        value => number(value).into_iter().collect(),
    }
}

fn number_or(value: &Value, otherwise: f64) -> f64 {
    numbers(value).first().copied().unwrap_or(otherwise)
}

/// Result of converting the inputs.
#[derive(Default)]
struct InputBindings {
    /// GLSL declarations, and the WGSL that sets them.
    declarations: String,
    assignments: Vec<(String, String)>,
    /// Names of parameters.
    params: Vec<String>,
    /// Members of `Params`.
    members: String,
    images: Vec<String>,
    imported: ImportedShader,
}

impl InputBindings {
    /// Returns a name that a manifest, a script and WGSL accept: it starts with a lower-case letter and is short
    /// enough.
    fn unique_param_name(&mut self, name: &str) -> String {
        let mut param = name[..name.len().min(PARAM_MAX)].to_owned();
        param[..1].make_ascii_lowercase();
        while RESERVED.contains(&param.as_str()) || self.params.contains(&param) {
            param.truncate(PARAM_MAX);
            param += &to_letters(self.params.len());
        }
        self.params.push(param.clone());
        param
    }

    fn add_input(
        &mut self,
        input: &IsfInput,
        fault: &dyn Fn(&str, String, &str) -> SceneDiagnostic,
    ) -> Result<(), SceneDiagnostic> {
        let name = &input.name;
        let is_name = name.starts_with(|letter: char| letter.is_ascii_alphabetic())
            && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
        if !is_name || name.len() > 64 {
            return Err(fault("NAME", format!("an input is named {name:?}"), "use letters, digits and _"));
        }
        let param = self.unique_param_name(name);
        let mut declare = |glsl: &str, wgsl: &str, value: &str| {
            self.declarations += &format!("{glsl} {name}; ");
            self.members += &format!("{param}: {wgsl}, ");
            self.assignments.push((name.clone(), value.replace("PARAM", &format!("params.{param}"))));
        };
        match input.kind.as_str() {
            "float" | "bool" | "long" | "event" => {
                let values: Vec<f64> = input.values.iter().flat_map(numbers).collect();
                let most = values.iter().copied().fold(1.0, f64::max);
                let (from, to) = match input.kind.as_str() {
                    "float" => (number_or(&input.min, 0.0), number_or(&input.max, 1.0)),
                    "long" => (values.iter().copied().fold(0.0, f64::min), number_or(&input.max, most)),
                    _ => (0.0, 1.0),
                };
                match input.kind.as_str() {
                    "float" => declare("float", "f32", "PARAM"),
                    "long" => declare("int", "f32", "i32(round(PARAM))"),
                    _ => declare("bool", "f32", "PARAM > 0.5"),
                }
                let value = number_or(&input.default, from);
                if input.kind != "event" && self.imported.parameters.len() >= PARAMETERS_MAX {
                    self.imported
                        .notes
                        .push(format!("{name} is {value:?} in scene.js: there are {PARAMETERS_MAX} dials already"));
                    self.imported.script_params.push((param, format!("{value:?}")));
                } else if input.kind == "event" {
                    self.imported.script_params.push((param, "touched".into()));
                    self.imported.notes.push(format!("{name} happens whenever somebody touches, in either city"));
                } else {
                    let range = if to > from { [from, to] } else { [from, from + 1.0] };
                    let value = value.clamp(range[0], range[1]);
                    self.imported.parameters.push(ImportedParameter { name: param, value, range });
                }
            }
            "color" => {
                declare("vec4", "vec4f", "PARAM");
                let mut colour = numbers(&input.default);
                colour.resize(4, 1.0);
                self.imported.script_params.push((param, format!("{colour:?}")));
                self.imported
                    .notes
                    .push(format!("{name} is a colour: red, green, blue and alpha, 0 to 1, in scene.js"));
            }
            "point2D" => {
                let (value, rest) = point_expression(input);
                declare("vec2", "vec2f", &value);
                let nth = match self.imported.point_params.len() {
                    0 => "somebody",
                    _ => "somebody else",
                };
                self.imported.notes.push(format!(
                    "{name} is where {nth} touches or walks by, of either city; it rests at {rest:?} of the picture while nobody does"
                ));
                self.imported.point_params.push((param, rest));
            }
            "image" => self.images.push(name.clone()),
            other => {
                let remedy = "a scene's shader does not hear; take that input out of the file";
                return Err(fault(name, format!("the input {name} is of the type {other:?}"), remedy));
            }
        }
        Ok(())
    }
}

/// Returns a point as a WGSL expression of PARAM, which runs from 0 to 1 from the left and from below, and its rest
/// position. ISF gives points in pixels unless the file states a range.
fn point_expression(input: &IsfInput) -> (String, [f64; 2]) {
    let pair = |value: &Value| match numbers(value)[..] {
        [x, y, ..] => Some([x, y].map(|number| number.clamp(-1e9, 1e9))),
        _ => None,
    };
    let (min, max, rest) = (pair(&input.min), pair(&input.max), pair(&input.default));
    let pixels = "PARAM * engine.resolution".to_owned();
    let part = |of: [f64; 2], from: [f64; 2], to: [f64; 2]| {
        [0, 1].map(|i| if to[i] == from[i] { 0.0 } else { (of[i] - from[i]) / (to[i] - from[i]) })
    };
    let (value, rest) = match (min.unwrap_or([0.0; 2]), max, rest) {
        // A range as large as a frame means pixels.
        (min, Some(max), rest) if min == [0.0; 2] && max.iter().all(|side| *side >= PICTURE_MIN) => {
            (pixels, rest.map(|rest| part(rest, min, max)))
        }
        (min, Some(max), rest) => {
            let [a, b] = [min, max].map(|[x, y]| format!("vec2f({x:?}, {y:?})"));
            let whole = min == [0.0; 2] && max == [1.0; 2];
            let value = if whole { "PARAM".into() } else { format!("mix({a}, {b}, PARAM)") };
            (value, rest.map(|rest| part(rest, min, max)))
        }
        (_, None, Some(rest)) if rest.iter().any(|side| side.abs() > 1.0) => {
            (pixels, Some(part(rest, [0.0; 2], PICTURE)))
        }
        // A fraction; whole numbers are corners of the frame.
        (_, None, rest) if rest.is_some_and(|rest| rest.iter().any(|side| side.fract() != 0.0)) => {
            ("PARAM".into(), rest)
        }
        (_, None, rest) => (pixels, rest),
    };
    (value, rest.unwrap_or([0.5; 2]).map(|side| (side * 1e4).round() / 1e4))
}

/// Returns the scale of a pass relative to the canvas, if it is stated as a plain fraction of it.
fn pass_scale(pass: &IsfPass) -> Option<f64> {
    let of = |value: &Value, side: &str| -> Option<f64> {
        let text = value.as_str()?.replace(' ', "");
        let rest = text.strip_prefix(side)?;
        if let Some(by) = rest.strip_prefix('/') {
            return by.parse::<f64>().ok().filter(|by| *by >= 1.0).map(|by| 1.0 / by);
        }
        rest.strip_prefix('*').map_or(rest.is_empty().then_some(1.0), |by| by.parse().ok())
    };
    of(&pass.width, "$WIDTH").or(of(&pass.height, "$HEIGHT"))
}

/// Converts a file.
pub(super) fn import(file: &str, source: &str, choices: &ImportOptions) -> Result<ImportedShader, SceneDiagnostic> {
    let json = json_header(source).unwrap_or_default();
    let first = source[..source.find(json).unwrap_or_default()].matches('\n').count();
    let header: IsfHeader = serde_json::from_str(json).map_err(|why| {
        let line = (first + why.line()) as u32;
        SceneDiagnostic::new(file, format!("the comment at its head is no JSON of ISF: {why}"), "")
            .with_location(Some((line, 1)), source)
    })?;
    let fault = |word: &str, problem: String, remedy: &str| {
        let line = word_location(source, word);
        SceneDiagnostic::new(file, problem, remedy).with_location(line, source)
    };
    let mut given = InputBindings::default();
    for input in &header.inputs {
        given.add_input(input, &fault)?;
    }
    if !header.imported.is_null() {
        return Err(fault("IMPORTED", "has pictures of its own (IMPORTED)".into(), "a scene's shader has no textures"));
    }
    let targets: Vec<&IsfPass> = header.passes.iter().filter(|pass| !pass.target.is_empty()).collect();
    if targets.len() > PASS_BUFFERS_MAX {
        return Err(fault("PASSES", format!("has {} passes with a target", targets.len()), "4 buffers can be had"));
    }
    let own: Vec<(String, TextureSource)> =
        targets.iter().enumerate().map(|(index, pass)| (pass.target.clone(), TextureSource::Buffer(index))).collect();
    let names: Vec<String> = given.images.iter().cloned().chain(own.iter().map(|(name, _)| name.clone())).collect();

    let plain = modernize(&without_comments(source));
    if let Some(name) = vertex::varyings(&plain, ["varying", "in"]).into_iter().next() {
        let from = choices.vertex.as_ref().map_or("a vertex shader", |(file, _)| file.as_str());
        let problem = format!("takes `{name}` from {from}, and a scene's shader has no vertices");
        return Err(fault(&name, problem, "work it out from isf_FragNormCoord in main()"));
    }
    let textures = TextureMap::new((file, &plain), &names, &own, choices, "")?;
    let body = textures.rewrite(&plain);
    let mut set: Vec<(String, String)> =
        BUILTINS.iter().map(|(_, name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    set.push(("PASSINDEX".into(), "index".into()));
    set.extend(given.assignments);
    let coord = (COORD.to_owned(), "vec4f(moongate_pixel(at), 0.0, 1.0)".to_owned());
    set.insert(0, coord);
    let mut globals: Vec<String> = set.iter().map(|(name, _)| name.clone()).collect();
    globals.push(COLOUR.into());
    let mut head = format!("vec4 {COLOUR}; vec4 {COORD}; int PASSINDEX; ");
    for (ty, name, _) in BUILTINS {
        head += &format!("{ty} {name}; ");
    }
    head += &given.declarations;
    head += &textures.declarations("RENDERSIZE", Some(COORD));
    let WgslSource { wgsl, init_calls: begin } =
        GlslSource { file, head, body: &body, prefix: "", globals: &globals }.to_wgsl()?;
    let mut shader = textures.substitute(&wgsl);
    let set: String = set
        .iter()
        .enumerate()
        .map(|(index, (name, value))| format!("    {} = {value};\n", global_name("", index, name)))
        .collect();
    let colour = global_name("", globals.len() - 1, COLOUR);
    shader += &format!(
        "\nfn image(at: vec2f, index: i32) -> vec4f {{\n{set}{begin}    isf_main();\n    return {colour};\n}}\n",
    );
    for (index, (number, _)) in header.passes.iter().enumerate().filter(|(_, pass)| !pass.target.is_empty()).enumerate()
    {
        shader +=
            &format!("fn buffer_{}(at: vec2f) -> vec4f {{ return image(at, {number}); }}\n", buffer_letter(index));
    }
    let last = header.passes.len().saturating_sub(1);
    shader += &format!("fn paint(at: vec2f) -> vec4f {{ return image(at, {last}); }}\n");
    let scales: Vec<f64> = targets.iter().filter_map(|pass| pass_scale(pass)).collect();
    if let Some(scale) = scales.first().filter(|scale| (1.0 / 16.0..1.0).contains(*scale)) {
        shader.insert_str(0, &format!("const buffer_scale = {scale:?};\n"));
    }
    if !given.members.is_empty() {
        shader.insert_str(0, &format!("struct Params {{ {}}}\n", given.members));
    }
    shader += PIXEL_WGSL;
    if textures.uses_noise() {
        shader += NOISE_WGSL;
    }
    let mut imported = given.imported;
    if let Some((file, source)) = &choices.vertex {
        imported.notes.extend(vertex::dropped_notice(file, source));
    }
    if scales.iter().any(|scale| *scale != scales[0]) || scales.len() < targets.len() && !scales.is_empty() {
        imported.notes.push("all buffers have the size of the first one".into());
    }
    (imported.shader, imported.author) = (shader, header.credit.trim_start_matches("by ").trim().to_owned());
    Ok(imported)
}

/// Replaces words of older GLSL by those of newer GLSL.
fn modernize(plain: &str) -> String {
    let kept: Vec<&str> = plain
        .lines()
        .map(|line| {
            let first = line.split_whitespace().next().unwrap_or_default();
            let declares = has_word(line, "isf_FragNormCoord") || has_word(line, "vv_FragNormCoord");
            let gone = first == "#version" || first == "precision" || (matches!(first, "varying" | "in") && declares);
            if gone { "" } else { line }
        })
        .collect();
    replace_words(&kept.join("\n"), |word, _| {
        let new = match word {
            "gl_FragColor" => COLOUR,
            "gl_FragCoord" => COORD,
            "vv_FragNormCoord" => "isf_FragNormCoord",
            "main" => "isf_main",
            _ => return None,
        };
        Some((new.into(), 0))
    })
}
