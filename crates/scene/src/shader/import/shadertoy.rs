//! Import of Shadertoy: `mainImage`, its predefined names, textures as channels, and further files as buffers.

use super::glsl::{GlslSource, WgslSource, global_name};
use super::lexer::{has_word, replace_words, without_comments, word_location};
use super::options::{ImportOptions, ImportedShader, TextureSource};
use super::texture::{NOISE_WGSL, PIXEL_WGSL, TextureMap, buffer_letter};
use crate::diagnostic::SceneDiagnostic;

/// Names that a fragment may use: type, name, and its WGSL expression here.
const BUILTINS: [(&str, &str, &str); 9] = [
    ("vec3", "iResolution", "vec3f(engine.resolution, 1.0)"),
    ("float", "iTime", "engine.now"),
    ("float", "iGlobalTime", "engine.now"),
    ("float", "iTimeDelta", "engine.dt"),
    ("float", "iFrameRate", "1.0 / max(engine.dt, 0.001)"),
    ("int", "iFrame", "i32(engine.frame)"),
    ("vec4", "iMouse", "moongate_mouse()"),
    ("vec4", "iFragCoord", "vec4f(moongate_pixel(at), 0.0, 1.0)"),
    ("vec4", "iDate", "vec4f(2026.0, 0.0, 1.0, engine.here.hour * 3600.0)"),
];
const CHANNELS: usize = 4;

/// The mouse is a touch, or else a passing body, of this city or the other one.
pub(super) const MOUSE_WGSL: &str = "
fn moongate_mouse() -> vec4f {
    var at = vec2f(0.0);
    var down = 0.0;
    if engine.here.touches > 0u { at = engine.here.touch[0].xy; down = 1.0; }
    else if engine.there.touches > 0u { at = engine.there.touch[0].xy; down = 1.0; }
    else if engine.here.bodies > 0u { at = engine.here.body[0].zw; down = 1.0; }
    else if engine.there.bodies > 0u { at = engine.there.body[0].zw; down = 1.0; }
    if down == 0.0 { return vec4f(0.0); }
    let up = vec2f(at.x, engine.canvas.y - at.y) / engine.canvas * engine.resolution;
    return vec4f(up, up);
}
";

/// Translated file: functions in which `image` returns the colour at a position, and its textures.
fn convert_file(
    (file, source): (&str, &str),
    choices: &ImportOptions,
    prefix: &str,
) -> Result<(String, TextureMap), SceneDiagnostic> {
    let plain = without_comments(source);
    let plain = replace_words(&plain, |word, _| (word == "gl_FragCoord").then(|| ("iFragCoord".into(), 0)));
    if !has_word(&plain, "mainImage") {
        let other = ["mainSound", "mainVR", "mainCubemap"].into_iter().find(|name| has_word(&plain, name));
        let problem = match other {
            Some(other) => format!("has no `mainImage`, and `{other}` cannot be had"),
            None => "has no `void mainImage(out vec4 fragColor, in vec2 fragCoord)`".into(),
        };
        let remedy = "of Shadertoy take the tab \"Image\", of ISF the whole file with its comment in JSON";
        let line = other.and_then(|name| word_location(&plain, name));
        return Err(SceneDiagnostic::new(file, problem, remedy).with_location(line, source));
    }
    let names: Vec<String> = (0..CHANNELS).map(|i| format!("iChannel{i}")).collect();
    let textures = TextureMap::new((file, &plain), &names, &[], choices, prefix)?;
    let body = textures.rewrite(&plain);
    let (mut head, mut set, mut globals) = (String::new(), String::new(), Vec::new());
    for (ty, name, value) in BUILTINS.iter().filter(|(_, name, _)| has_word(&body, name) || *name == "iResolution") {
        head += &format!("{ty} {name}; ");
        set += &format!("    {} = {value};\n", global_name(prefix, globals.len(), name));
        globals.push((*name).to_owned());
    }
    if has_word(&body, "iChannelResolution") {
        head += &format!("vec3 iChannelResolution[{CHANNELS}]; ");
        let name = global_name(prefix, globals.len(), "iChannelResolution");
        set.extend(names.iter().enumerate().map(|(i, channel)| {
            let size = textures.size_call(channel).unwrap_or_else(|| "engine.resolution".into());
            format!("    {name}[{i}] = vec3f({size}, 1.0);\n")
        }));
        globals.push("iChannelResolution".to_owned());
    }
    head += &textures.declarations("iResolution.xy", None);
    let WgslSource { wgsl, init_calls: begin } =
        GlslSource { file, head, body: &body, prefix, globals: &globals }.to_wgsl()?;
    let mut wgsl = textures.substitute(&wgsl);
    // The colour is returned through a pointer.
    wgsl += &format!(
        "\nfn {prefix}image(at: vec2f) -> vec4f {{\n{set}{begin}    var colour = vec4f(0.0, 0.0, 0.0, 1.0);\n    \
         {prefix}mainImage(&colour, moongate_pixel(at));\n    return colour;\n}}\n"
    );
    Ok((wgsl, textures))
}

/// Converts a fragment with its buffers.
pub(super) fn import(file: &str, source: &str, choices: &ImportOptions) -> Result<ImportedShader, SceneDiagnostic> {
    let (mut image, textures) = convert_file((file, source), choices, "")?;
    let mut looked: Vec<usize> = textures.buffers().collect();
    let mut noise = textures.uses_noise();
    let mut buffers = String::new();
    for (index, name, source) in &choices.buffers {
        let prefix = format!("{}_", buffer_letter(*index));
        let (wgsl, textures) = convert_file((name, source), choices, &prefix)?;
        looked.extend(textures.buffers());
        noise |= textures.uses_noise();
        buffers += &wgsl;
        buffers +=
            &format!("\nfn buffer_{}(at: vec2f) -> vec4f {{ return {prefix}image(at); }}\n", buffer_letter(*index));
    }
    if let Some(missing) = looked.into_iter().find(|index| !choices.buffers.iter().any(|(known, ..)| known == index)) {
        let letter = buffer_letter(missing);
        let problem = format!("looks at buffer {letter}, which is not there");
        return Err(SceneDiagnostic::new(file, problem, format!("say where it is: --buffer {letter}=FILE")));
    }
    image += "\nfn paint(at: vec2f) -> vec4f { return vec4f(image(at).rgb, 1.0); }\n";
    let mut shader = format!("{buffers}{image}{PIXEL_WGSL}");
    if shader.contains("moongate_mouse()") {
        shader += MOUSE_WGSL;
    }
    if noise {
        shader += NOISE_WGSL;
    }
    let mut notes = Vec::new();
    let others = choices.buffers.iter().map(|(_, _, source)| source.as_str());
    let plain: String = others.chain([source]).map(without_comments).collect();
    if has_word(&plain, "iMouse") {
        notes.push("iMouse is who touches, or who walks by, of either city".to_owned());
    }
    if choices.textures.iter().any(|(_, texture)| *texture == TextureSource::Noise) {
        notes.push(
            "noise stands in for a texture: soft blotches, and not its picture, so it looks other than there"
                .to_owned(),
        );
    }
    if has_word(&plain, "iDate") {
        notes.push("of iDate only the seconds of the day are true".to_owned());
    }
    notes.push(
        "what is on Shadertoy is CC BY-NC-SA 3.0 if its author says nothing else: ask before it is shown, and write `author` \
         into installation.toml"
            .to_owned(),
    );
    Ok(ImportedShader { shader, notes, licence: "CC-BY-NC-SA-3.0".into(), ..ImportedShader::default() })
}
