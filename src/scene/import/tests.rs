//! What is imported runs, and what cannot be is told with its line.

use super::*;

fn of(source: &str) -> Imported {
    import("x.glsl", source, &Choices::default()).unwrap_or_else(|fault| panic!("{fault}"))
}

fn refused(source: &str) -> ScriptFault {
    import("x.glsl", source, &Choices::default()).expect_err("it cannot be rewritten")
}

const PLASMA: &str = "// A plasma.
#define PI 3.14159
float wave(vec2 p, float t) { return sin(p.x * PI + t) + cos(p.y * PI - t); }
mat2 turn(float a) { return mat2(cos(a), -sin(a), sin(a), cos(a)); }
void mainImage( out vec4 fragColor, in vec2 fragCoord )
{
    vec2 uv = (2.0 * fragCoord - iResolution.xy) / iResolution.y;
    uv *= turn(iTime * 0.1);
    vec3 col = vec3(0);
    for (int i = 0; i < 4; i++) {
        uv += 0.3 * wave(uv, iTime + float(i));
        col[i % 3] += 0.25 / length(uv - iMouse.xy / iResolution.xy);
    }
    if (iFrame < 1) discard;
    fragColor = vec4(pow(col, vec3(0.4545)), 1.);
}";

#[test]
fn a_fragment_of_shadertoy_is_a_shader() {
    let source = PLASMA.replace("    if (iFrame < 1) discard;\n", "");
    let imported = of(&source);
    assert!(
        imported.shader.contains("fn wave(") && imported.shader.contains("fn paint(at: vec2f)"),
        "{}",
        imported.shader
    );
    assert!(imported.notes.iter().any(|note| note.contains("iMouse")) && imported.licence.contains("NC"));
}

#[test]
fn what_it_calls_as_the_engine_does_gets_another_name() {
    let source = "float paint(float x) { return x * 2.; } float engine = 1.0;
void mainImage(out vec4 c, in vec2 p) { c = vec4(paint(p.x) * engine); }";
    let shader = of(source).shader;
    assert!(shader.contains("fn own_paint(") && shader.contains("own_engine"), "{shader}");
}

#[test]
fn textures_have_something_in_their_place() {
    let source = "void mainImage(out vec4 c, in vec2 p) {
  vec2 uv = p / iResolution.xy;
  c = texture(iChannel0, uv) + textureLod(iChannel1, uv, 0.) * texelFetch(iChannel0, ivec2(p), 0);
}";
    let fault = refused(source);
    assert_eq!(fault.place, Some((3, 15)));
    assert!(fault.remedy.contains("--texture iChannel0=noise"), "{fault}");
    let textures = vec![("iChannel0".into(), Texture::Noise), ("iChannel1".into(), Texture::Buffer(0))];
    let missing = import("x.glsl", source, &Choices { textures: textures.clone(), ..Choices::default() });
    assert!(missing.expect_err("there is no buffer").remedy.contains("--buffer a=FILE"));
    let buffer = "float wave(float x) { return x; }
void mainImage(out vec4 c, in vec2 p) { c = 0.9 * texture(iChannel1, p / iResolution.xy) + wave(0.01); }";
    let buffers = vec![(0, "a.glsl".into(), buffer.into())];
    let imported = import("x.glsl", source, &Choices { textures, buffers }).unwrap_or_else(|fault| panic!("{fault}"));
    let looks = ["return moongate_noise(at);", "return read_a("];
    assert!(looks.iter().all(|look| imported.shader.contains(look)), "{}", imported.shader);
    assert!(
        imported.shader.contains("fn a_wave(") && imported.shader.contains("fn buffer_a(at"),
        "{}",
        imported.shader
    );
    assert_eq!(Shader::parse("x.wgsl", &imported.shader).expect("it is sound").buffers, [0]);
}

#[test]
fn a_mistake_names_the_line_of_the_file() {
    let fault = refused("void mainImage(out vec4 c, in vec2 p) {\n  c = vec4(1.0);\n  c.x = wobble(p.x);\n}");
    assert_eq!(fault.place, Some((3, 1)), "{fault}");
    let fault = refused(
        "vec4 look(sampler2D t, vec2 p) { return texture(t, p); }\nvoid mainImage(out vec4 c, in vec2 p) { c = vec4(1.0); }",
    );
    assert!(fault.remedy.contains("handed to a function"), "{fault}");
    assert!(refused("void main() { }").remedy.contains("Image"));
    assert!(refused("vec2 mainSound(float t) { return vec2(0.0); }").problem.contains("mainSound"));
    for garbage in ["void mainImage(", "void mainImage(out vec4 c, in vec2 p) { c = vec4(1.0) }", "\u{0}mainImage"] {
        refused(garbage);
    }
}

const ISF: &str = r#"/*{
  "CREDIT": "by somebody", "ISFVSN": "2",
  "INPUTS": [
    { "NAME": "level", "TYPE": "float", "DEFAULT": 0.25, "MIN": 0.0, "MAX": 2.0 },
    { "NAME": "flip", "TYPE": "bool", "DEFAULT": 1 },
    { "NAME": "mode", "TYPE": "long", "VALUES": [0, 1, 2], "DEFAULT": 1 },
    { "NAME": "ink2", "TYPE": "color", "DEFAULT": [1.0, 0.5, 0.0, 1.0] },
    { "NAME": "place", "TYPE": "point2D", "DEFAULT": [0.5, 0.5], "MIN": [0, 0], "MAX": [1, 1] },
    { "NAME": "hit", "TYPE": "event" }
  ],
  "PASSES": [ { "TARGET": "trace", "PERSISTENT": true, "FLOAT": true, "WIDTH": "$WIDTH/2.0" }, {} ]
}*/
varying vec2 isf_FragNormCoord;
void main() {
  vec2 uv = isf_FragNormCoord;
  if (PASSINDEX == 0) {
    float near = 1.0 - smoothstep(0.0, level, distance(uv, place));
    gl_FragColor = max(IMG_THIS_PIXEL(trace) * 0.98, vec4(near) * ink2) + (hit ? 0.1 : 0.0);
  } else {
    vec4 c = IMG_NORM_PIXEL(trace, flip ? uv : 1.0 - uv);
    gl_FragColor = mode == 1 ? c : c * sin(TIME + gl_FragCoord.x / RENDERSIZE.x);
  }
}
"#;

#[test]
fn a_file_of_isf_is_a_shader_with_dials() {
    let imported = of(ISF);
    let knobs: Vec<(&str, f64, [f64; 2])> =
        imported.knobs.iter().map(|k| (k.name.as_str(), k.value, k.range)).collect();
    assert_eq!(knobs, [("level", 0.25, [0.0, 2.0]), ("flip", 1.0, [0.0, 1.0]), ("mode", 1.0, [0.0, 2.0])]);
    assert!(imported.shader.contains(" = params.ink2;"), "{}", imported.shader);
    assert_eq!(imported.given[0], ("ink2".into(), "[1.0, 0.5, 0.0, 1.0]".into()));
    assert_eq!(imported.author, "somebody");
    let shader = Shader::parse("x.wgsl", &imported.shader).expect("it is sound");
    assert_eq!((shader.buffers, shader.buffer_scale), (vec![0], 0.5));
}

#[test]
fn what_isf_has_and_a_scene_has_not_is_said() {
    let filter =
        ISF.replace("\"TYPE\": \"event\"", "\"TYPE\": \"image\"").replace("(hit ? 0.1 : 0.0)", "IMG_THIS_PIXEL(hit)");
    assert!(refused(&filter).remedy.contains("--texture hit=noise"));
    assert!(refused(&ISF.replace("\"event\"", "\"audioFFT\"")).problem.contains("audioFFT"));
    let broken = refused(&ISF.replace("\"DEFAULT\": 1 },", "\"DEFAULT\": 1 "));
    assert_eq!(broken.place.map(|(line, _)| line), Some(6), "{broken}");
}

#[test]
fn what_is_given_arrives_whatever_else_has_its_name() {
    let source = "float map(vec3 p, float iTime) { float iResolution = 1.0; return p.x * iTime * iResolution; }
vec3 image(vec2 p) { return vec3(p, 0.0); }
void mainImage(out vec4 c, in vec2 p) { c = vec4(map(vec3(p, 1.0), iTime) * image(gl_FragCoord.xy), iResolution.x); }";
    let shader = of(source).shader;
    for set in ["moongate_iTime_b = engine.now;", "moongate_iFragCoord_c = vec4f(at.x", "fn own_image("] {
        assert!(shader.contains(set), "{set}: {shader}");
    }
    let inputs = [
        "Angle",
        "phase",
        "select",
        "a_very_long_name_that_no_dial_of_a_manifest_could_have_as_it_is",
        "Angle2",
        "angle",
    ];
    let json: Vec<String> =
        inputs.iter().map(|name| format!("{{\"NAME\": \"{name}\", \"TYPE\": \"float\"}}")).collect();
    let sum = inputs.join(" + ");
    let source = format!(
        "/*{{\"INPUTS\": [{}]}}*/ float turn(float Angle) {{ return Angle; }}\nvoid main() {{ gl_FragColor = vec4(turn({sum})); }}",
        json.join(",")
    );
    let imported = of(&source);
    assert_eq!(imported.knobs.len(), inputs.len());
    for knob in &imported.knobs {
        assert!(knob.name.len() <= 32 && knob.name.starts_with(|letter: char| letter.is_ascii_lowercase()), "{knob:?}");
        assert!(imported.shader.contains(&format!(" = params.{};", knob.name)), "{knob:?} {}", imported.shader);
    }
}

#[test]
fn many_textures_do_not_meet() {
    let passes: Vec<String> = (0..4).map(|i| format!("{{\"TARGET\": \"t{i}\"}}")).collect();
    let source = format!(
        "/*{{\"INPUTS\": [{{\"NAME\": \"pic\", \"TYPE\": \"image\"}}], \"PASSES\": [{}]}}*/
void main() {{ gl_FragColor = IMG_THIS_PIXEL(pic) + IMG_THIS_PIXEL(t0) + IMG_THIS_PIXEL(t1) + IMG_THIS_PIXEL(t2) + IMG_THIS_PIXEL(t3); }}",
        passes.join(",")
    );
    let choices = Choices { textures: vec![("pic".into(), Texture::Here)], ..Choices::default() };
    let imported = import("x.fs", &source, &choices).unwrap_or_else(|fault| panic!("{fault}"));
    assert_eq!(Shader::parse("x.wgsl", &imported.shader).expect("it is sound").buffers, [0, 1, 2, 3]);
    assert!(
        refused("void mainImage(out vec4 c, in vec2 p) { c = vec4(gl_PointCoord, 0.0, 1.0); }")
            .problem
            .contains("gl_PointCoord")
    );
}
