//! Imported shaders run, and errors name their line.

use super::*;

fn of(source: &str) -> ImportedShader {
    import_shader("x.glsl", source, &ImportOptions::default()).unwrap_or_else(|fault| panic!("{fault}"))
}

fn refused(source: &str) -> SceneDiagnostic {
    import_shader("x.glsl", source, &ImportOptions::default()).expect_err("it cannot be rewritten")
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
    let textures = vec![("iChannel0".into(), TextureSource::Noise), ("iChannel1".into(), TextureSource::Buffer(0))];
    let missing =
        import_shader("x.glsl", source, &ImportOptions { textures: textures.clone(), ..ImportOptions::default() });
    assert!(missing.expect_err("there is no buffer").remedy.contains("--buffer a=FILE"));
    let buffer = "float wave(float x) { return x; }
void mainImage(out vec4 c, in vec2 p) { c = 0.9 * texture(iChannel1, p / iResolution.xy) + wave(0.01); }";
    let buffers = vec![(0, "a.glsl".into(), buffer.into())];
    let imported = import_shader("x.glsl", source, &ImportOptions { textures, buffers, ..ImportOptions::default() })
        .unwrap_or_else(|fault| panic!("{fault}"));
    let looks = ["return moongate_noise(at);", "return read_a("];
    assert!(looks.iter().all(|look| imported.shader.contains(look)), "{}", imported.shader);
    assert!(
        imported.shader.contains("fn a_wave(") && imported.shader.contains("fn buffer_a(at"),
        "{}",
        imported.shader
    );
    assert_eq!(SceneShader::parse("x.wgsl", &imported.shader).expect("it is sound").buffers, [0]);
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
        imported.parameters.iter().map(|k| (k.name.as_str(), k.value, k.range)).collect();
    assert_eq!(knobs, [("level", 0.25, [0.0, 2.0]), ("flip", 1.0, [0.0, 1.0]), ("mode", 1.0, [0.0, 2.0])]);
    assert!(imported.shader.contains(" = params.ink2;"), "{}", imported.shader);
    assert_eq!(imported.script_params[0], ("ink2".into(), "[1.0, 0.5, 0.0, 1.0]".into()));
    assert_eq!(imported.author, "somebody");
    let shader = SceneShader::parse("x.wgsl", &imported.shader).expect("it is sound");
    assert_eq!((shader.buffers, shader.buffer_scale), (vec![0], 0.5));
}

#[test]
fn frames_and_pixels_are_those_of_what_is_painted() {
    let source = "void mainImage(out vec4 c, in vec2 p) {
  vec4 was = texelFetch(iChannel1, ivec2(p), 0) + texelFetch(iChannel0, textureSize(iChannel0, 0) / 2, 0);
  c = iFrame == 0 ? vec4(p / iResolution.xy, iChannelResolution[1].xy) : was;
}";
    let textures = vec![("iChannel0".into(), TextureSource::Noise), ("iChannel1".into(), TextureSource::Buffer(1))];
    let buffers = vec![(1, "b.glsl".into(), source.into())];
    let choices = ImportOptions { textures, buffers, ..ImportOptions::default() };
    let shader = import_shader("x.glsl", source, &choices).unwrap_or_else(|fault| panic!("{fault}")).shader;
    for part in [
        " = i32(engine.frame);",
        " = vec3f(engine.resolution, 1.0);",
        "mainImage(&colour, moongate_pixel(at));",
        "return texel_b(vec2i(at.x, i32(size_b().y) - 1 - at.y));",
        "return size_b();",
        "[1] = vec3f(moongate_b_extent_b(), 1.0);",
        "return vec2f(256.0);",
    ] {
        assert!(shader.contains(part), "{part}: {shader}");
    }
    assert!(!shader.contains("engine.now * 60") && !shader.contains("engine.canvas.y"), "{shader}");
    let isf =
        of("/*{}*/ void main() { gl_FragColor = vec4(gl_FragCoord.xy / RENDERSIZE, float(FRAMEINDEX), 1.0); }").shader;
    assert!(isf.contains(" = i32(engine.frame);") && isf.contains(" = engine.resolution;"), "{isf}");
}

/// naga's reader drops the initial values, so the variables would be 0.
#[test]
fn what_is_not_constant_at_first_is_set_before_anything_is_painted() {
    let source = "#define R iResolution
float ratio = R.x / R.y, half_of = ratio * 0.5;
vec2 turned = normalize(vec2(1.0, 2.0)), at[2] = vec2[2](iMouse.xy, turned);
const float wide = iResolution.x;
const float tall = wide / ratio;
vec3 picked = iTime > 1.0 ? vec3(1.0) : vec3(tall);
void mainImage(out vec4 c, in vec2 p) { c = vec4(half_of, at[1].x, picked.x, 1.0); }";
    let shader = of(source).shader;
    let begins: Vec<usize> = ('a'..='e')
        .map(|letter| shader.find(&format!("    moongate_begin_{letter}();\n")).unwrap_or_else(|| panic!("{shader}")))
        .collect();
    assert!(begins.is_sorted(), "{begins:?}");
    let set = shader.find("moongate_iResolution").and_then(|_| shader.find(" = vec3f(engine.resolution"));
    assert!(set.is_some_and(|set| set < begins[0]), "{shader}");
    for stored in ["ratio = (", "half_of = (", "turned = vec2", "wide = ", "tall = (", "picked = "] {
        assert!(shader.contains(stored), "{stored}: {shader}");
    }
    let isf =
        of("/*{}*/ float ratio = RENDERSIZE.x / RENDERSIZE.y; void main() { gl_FragColor = vec4(ratio); }").shader;
    assert!(isf.contains("    moongate_begin_a();\n    isf_main();"), "{isf}");
    // A constant stays constant, and declarations that the preprocessor removes are not called.
    let shader = of("const int N = 2;\n#ifdef NOT\nfloat x = iTime;\n#endif
void mainImage(out vec4 c, in vec2 p) { float a[N]; a[0] = p.x; a[1] = p.y; c = vec4(a[0], a[1], 0.0, 1.0); }")
    .shader;
    assert!(!shader.contains("moongate_begin"), "{shader}");
}

#[test]
fn each_point_is_another_visitor_and_rests_where_the_file_says() {
    let inputs = [
        ("first", r#""DEFAULT": [0.25, 0.75], "MIN": [0, 0], "MAX": [1, 1]"#, "params.first;", [0.25, 0.75]),
        (
            "side",
            r#""DEFAULT": [0, 0.5], "MIN": [-1, -1], "MAX": [1, 1]"#,
            "mix(vec2f(-1.0, -1.0), vec2f(1.0, 1.0), params.side);",
            [0.5, 0.75],
        ),
        ("dots", r#""DEFAULT": [480, 810]"#, "params.dots * engine.resolution;", [0.25, 0.75]),
        (
            "large",
            r#""DEFAULT": [320, 90], "MIN": [0, 0], "MAX": [640, 360]"#,
            "params.large * engine.resolution;",
            [0.5, 0.25],
        ),
        ("corner", r#""DEFAULT": [0, 1]"#, "params.corner * engine.resolution;", [0.0, 1.0]),
        ("bare", r#""LABEL": "x""#, "params.bare * engine.resolution;", [0.5, 0.5]),
        (
            "level",
            r#""DEFAULT": [3, 3], "MIN": [3, 0], "MAX": [3, 6]"#,
            "mix(vec2f(3.0, 0.0), vec2f(3.0, 6.0), params.level);",
            [0.0, 0.5],
        ),
    ];
    let json: Vec<String> = inputs
        .iter()
        .map(|(name, more, ..)| format!("{{\"NAME\": \"{name}\", \"TYPE\": \"point2D\", {more}}}"))
        .collect();
    let sum: Vec<&str> = inputs.iter().map(|(name, ..)| *name).collect();
    let source = format!(
        "/*{{\"INPUTS\": [{}]}}*/\nvoid main() {{ gl_FragColor = vec4({}, 0.0, 1.0); }}",
        json.join(","),
        sum.join(" + ")
    );
    let imported = of(&source);
    for (index, (name, _, set, rest)) in inputs.into_iter().enumerate() {
        // A name that WGSL reserves is replaced.
        let param = &imported.point_params[index].0;
        let set = set.replace(&format!("params.{name}"), &format!("params.{param}"));
        assert!(imported.shader.contains(&format!(" = {set}")), "{set}: {}", imported.shader);
        assert_eq!(imported.point_params[index].1, rest, "{name}");
    }
    assert!(imported.notes.iter().any(|note| note.starts_with("side is where somebody else touches")), "{imported:?}");
}

#[test]
fn a_vertex_shader_that_is_left_out_is_said_to_be() {
    let vertex =
        |source: &str| ImportOptions { vertex: Some(("x.vs".into(), source.into())), ..ImportOptions::default() };
    let plain = "/*{}*/ void main() { gl_FragColor = vec4(1.0); }";
    let moves = vertex("void main() { isf_vertShaderInit(); gl_Position.x *= TIME; }");
    let imported = import_shader("x.fs", plain, &moves).unwrap_or_else(|fault| panic!("{fault}"));
    assert!(imported.notes.iter().any(|note| note.starts_with("x.vs is left out: it moves")), "{:?}", imported.notes);
    let passes = import_shader("x.fs", plain, &vertex("void main() { isf_vertShaderInit(); }")).expect("it is sound");
    assert!(passes.notes.is_empty(), "{:?}", passes.notes);
    let takes = "/*{}*/\n#if __VERSION__ <= 120\nvarying vec2 left_coord;\n#else\nin vec2 left_coord;\n#endif
void main() { gl_FragColor = vec4(left_coord, 0.0, 1.0); }";
    let fault = import_shader("x.fs", takes, &moves).expect_err("there is no such thing");
    assert!(fault.problem.contains("`left_coord` from x.vs") && fault.place == Some((3, 14)), "{fault}");
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
    for set in ["moongate_iTime_b = engine.now;", "moongate_iFragCoord_c = vec4f(moongate_pixel(at)", "fn own_image("] {
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
    assert_eq!(imported.parameters.len(), inputs.len());
    for knob in &imported.parameters {
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
    let choices = ImportOptions { textures: vec![("pic".into(), TextureSource::Here)], ..ImportOptions::default() };
    let imported = import_shader("x.fs", &source, &choices).unwrap_or_else(|fault| panic!("{fault}"));
    assert_eq!(SceneShader::parse("x.wgsl", &imported.shader).expect("it is sound").buffers, [0, 1, 2, 3]);
    assert!(
        refused("void mainImage(out vec4 c, in vec2 p) { c = vec4(gl_PointCoord, 0.0, 1.0); }")
            .problem
            .contains("gl_PointCoord")
    );
}
