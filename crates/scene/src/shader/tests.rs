//! Accepted sources, refused sources, and the lines in diagnostics.

use super::*;

#[test]
fn parameters_are_laid_out_as_the_shader_has_them() {
    let source = "struct Params { sun: f32, wind: vec2f, rings: array<vec4f, 3>, n: u32 }
fn paint(at: vec2f) -> vec4f { return vec4f(params.sun, params.wind, params.rings[2].w + f32(params.n)); }";
    let shader = SceneShader::parse("a.wgsl", source).expect("it is sound");
    assert_eq!(shader.params.size, 80);
    let mut params = vec![0; shader.params.size];
    for (slot, numbers) in shader.params.slots.iter().zip([&[1.5][..], &[2.0, 3.0], &[0.0, 0.0, 0.0, 0.0, 7.0], &[9.0]])
    {
        slot.write_numbers(&mut params, numbers);
    }
    let number = |at: usize| f32::from_le_bytes([params[at], params[at + 1], params[at + 2], params[at + 3]]);
    assert_eq!([number(0), number(8), number(12), number(32)], [1.5, 2.0, 3.0, 7.0]);
    assert_eq!(params[64], 9);
}

#[test]
fn who_is_here_is_there_for_who_asks() {
    let asks = "fn paint(at: vec2f) -> vec4f {\n  return vec4f(body_here(at), flow_here(at), 1.0);\n}";
    let shader = SceneShader::parse("a.wgsl", asks).expect("it is sound");
    assert!(shader.inputs.people && shader.source.contains("@binding(2) var"), "{}", shader.source);
    let asks_not = SceneShader::parse("a.wgsl", "fn paint(at: vec2f) -> vec4f { return vec4f(1.0); }").expect("sound");
    assert!(!asks_not.inputs.people && !asks_not.source.contains("body_here"), "{}", asks_not.source);
    let wrong = "fn paint(at: vec2f) -> vec4f {\n  let b = body_here(at);\n  return vec4f(bb);\n}";
    assert_eq!(SceneShader::parse("a.wgsl", wrong).expect_err("it is not sound").place, Some((3, 1)));
    let all = "const buffer_scale = 0.5;
fn buffer_a(at: vec2f) -> vec4f { return 0.9 * read_a(at) + vec4f(body_there(at)); }
fn buffer_b(at: vec2f) -> vec4f { return read_a(at) + read_b(at); }
fn paint(at: vec2f) -> vec4f {
  var near = 1e9;
  for (var i = 0u; i < engine.there.touches; i++) { near = min(near, distance(at, engine.there.touch[i].xy)); }
  return previous(at) + read_b(at) + vec4f(flow_there(at), near, phase(7.0)) + engine.here.colour;
}";
    let shader = SceneShader::parse("a.wgsl", all).unwrap_or_else(|fault| panic!("{fault}"));
    assert_eq!((shader.buffers, shader.buffer_scale), (vec![0, 1], 0.5));
    assert!(shader.inputs.previous && shader.source.contains("fn moongate_buffer_b"));
}

#[test]
fn a_loop_without_an_end_has_one_and_parameters_stay_where_they_are() {
    let source = "struct Params { sun: f32, wind: vec2f, rings: array<vec4f, 3>, n: u32 }
fn paint(at: vec2f) -> vec4f { var x = params.sun; loop { x += body_here(at); } return vec4f(x, params.wind, params.rings[1].x); }";
    let shader = SceneShader::parse("a.wgsl", source).expect("it is sound");
    assert!(shader.source.contains(">= 20000u"), "{}", shader.source);
    let module = naga::front::wgsl::parse_str(&shader.source).expect("it is WGSL");
    for name in ["moongate_vertex", "moongate_fragment", "moongate_darkens"] {
        assert!(module.entry_points.iter().any(|entry| entry.name == name), "{name}");
    }
    assert_eq!((shader.params.size, shader.params.slots.len()), (80, 4));
    let numbered = "struct Params { p1: f32, p2: vec2f }
fn paint(at: vec2f) -> vec4f { var x = params.p1; for (var i = 0; i < 4; i++) { x += params.p2.x; } return vec4f(x); }";
    let shader = SceneShader::parse("a.wgsl", numbered).expect("a name may end in a digit");
    assert_eq!(shader.params.slots.iter().map(|slot| slot.name.as_str()).collect::<Vec<_>>(), ["p1", "p2"]);
    let aligned = "struct Params { @size(32) sun: f32, wind: f32 }
fn paint(at: vec2f) -> vec4f { loop { if params.sun > 0.0 { break; } } return vec4f(params.wind); }";
    let fault = SceneShader::parse("a.wgsl", aligned).expect_err("its members would move");
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
        let fault = SceneShader::parse("a.wgsl", &paint(endless + "1.0")).expect_err("it is too long");
        assert!(fault.place == Some((2, 1)) && fault.problem.contains("take it apart"), "{fault}");
    }
    assert!(SceneShader::parse("a.wgsl", &paint("at.x + ".repeat(100) + "1.0")).is_ok());
    let chain = "if at.x < 1.0 { } else ".repeat(2_000) + "{ }";
    for body in ["{".repeat(20_000), chain, "loop { ".repeat(5_000), "if true { ".repeat(5_000)] {
        let source = format!("fn paint(at: vec2f) -> vec4f {{ {body}");
        let fault = SceneShader::parse("a.wgsl", &source).expect_err("it is too deep");
        assert!(fault.problem.contains("take it apart"), "{fault}");
    }
}

#[test]
fn a_mistake_names_the_artists_own_line() {
    let fault = |source| SceneShader::parse("a.wgsl", source).expect_err("it is not sound");
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

#[test]
fn what_no_driver_should_see_is_told_with_line_and_remedy() {
    let fault = |source: &str| SceneShader::parse("a.wgsl", source).expect_err("it is not allowed");
    let paint = "fn paint(at: vec2f) -> vec4f { return vec4f(1.0); }";
    for (declared, problem, remedy) in [
        ("var<workgroup> w: u32;", "`workgroup`", "var<private>"),
        ("var<private> big: array<f32, 100000000>;", "400000000 bytes", "buffer"),
        ("var<private> big: array<f32, 513>;", "2052 bytes", "buffer"),
        ("const big = array<vec4f, 129>();", "2064 bytes", "buffer"),
        (
            &format!("fn f() {{ {} }}", (0..5).map(|i| format!("var v{i}: array<vec4f, 60>; ")).collect::<String>()),
            "4800 bytes",
            "buffer",
        ),
        ("override size = 4;", "`override`", "`const`"),
        ("@fragment fn mine() { }", "`mine`", "`paint`"),
        ("@group(0) @binding(3) var t: texture_2d<f32>;", "`handle`", "`Params`"),
        ("fn f() { workgroupBarrier(); }", "wait for each other", "leave it out"),
    ] {
        let fault = fault(&format!("\n{declared}\n{paint}"));
        assert!(fault.place == Some((2, 1)) && fault.problem.contains(problem), "{fault}");
        assert!(fault.remedy.contains(remedy), "{fault}");
    }
    let fits = format!("var<private> big: array<f32, 512>;\n{paint}");
    assert!(SceneShader::parse("a.wgsl", &fits).is_ok());
}

#[test]
fn what_the_compiler_gives_up_on_is_a_fault_at_its_function() {
    // wgpu #10408: naga accepts it, and panics while writing SPIR-V.
    let source = "fn fine(x: f32) -> f32 { return x * 2.0; }

fn dark(x: vec4u) -> vec4f { return vec4f(sign(x)); }
fn paint(at: vec2f) -> vec4f { return dark(vec4u(u32(fine(at.x)))); }";
    let fault = SceneShader::parse("a.wgsl", source).expect_err("it cannot be written");
    assert!(fault.problem.contains("gave up") && fault.problem.contains("sign"), "{fault}");
    assert_eq!(
        (fault.place, fault.source.as_str()),
        (Some((3, 1)), "fn dark(x: vec4u) -> vec4f { return vec4f(sign(x)); }")
    );
    assert!(!fault.remedy.is_empty());
    let looped = source.replace("return x * 2.0;", "var y = x; loop { y += 1.0; if y > 9.0 { break; } } return y;");
    assert_eq!(SceneShader::parse("a.wgsl", &looped).expect_err("nor with a loop").place, Some((3, 1)));
}

#[test]
fn parts_of_variables_are_handed_on_as_copies() {
    let source = "struct Ray { at: vec2f, t: f32 }
fn advance(t: ptr<function, f32>) { *t += 1.0; }
fn paint(at: vec2f) -> vec4f { var ray = Ray(at, 0.0); advance(&ray.t); return vec4f(ray.t); }";
    let shader = SceneShader::parse("a.wgsl", source).unwrap_or_else(|fault| panic!("{fault}"));
    let body = shader.source.split_once("fn paint(").expect("it is there").1;
    let order = ["moongate_copy = ", "advance((&moongate_copy))", "ray.t = "].map(|part| body.find(part));
    assert!(order.is_sorted() && order.iter().all(Option::is_some), "{}", shader.source);
    let whole = source.replace("advance(&ray.t)", "var t = ray.t; advance(&t)");
    assert!(!SceneShader::parse("a.wgsl", &whole).expect("it is sound").source.contains("moongate_copy"));
}

#[test]
fn parts_of_variables_in_glsl_too() {
    let source = "struct Ray { vec3 at; float t; };
void advance(inout float t) { t += 1.0; }
void turn(inout vec3 at) { at = at.zxy; }
void mainImage(out vec4 c, in vec2 p) {
    Ray ray = Ray(vec3(p, 0.0), 0.0);
    float list[3];
    advance(ray.t); advance(ray.at.x); advance(list[int(p.x) % 3]); turn(ray.at);
    c = vec4(ray.at, ray.t + list[1]);
}";
    let imported = crate::import_shader("x.glsl", source, &crate::ImportOptions::default());
    let imported = imported.unwrap_or_else(|fault| panic!("{fault}"));
    let shader = SceneShader::parse("x.wgsl", &imported.shader).unwrap_or_else(|fault| panic!("{fault}"));
    assert!(shader.source.contains("moongate_copy"), "{}", shader.source);
}
