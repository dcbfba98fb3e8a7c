//! Shaders that are too long to write out.

use super::Case;

const PAINT: &str = "fn paint(at: vec2f) -> vec4f { return vec4f(1.0); }\n";

fn case(name: &str, becomes: &str, source: String) -> Case {
    Case { name: name.into(), becomes: becomes.into(), source }
}

/// Joins `line` for each number below `count`, in ascending order or, if `turned`, in descending order.
fn lines(count: usize, turned: bool, line: impl Fn(usize) -> String) -> String {
    let mut lines: Vec<String> = (0..count).map(line).collect();
    if turned {
        lines.reverse();
    }
    lines.concat()
}

pub fn cases() -> Vec<Case> {
    let call = |i: usize| match i {
        0 => "fn g0() -> f32 { return 1.0; }\n".to_owned(),
        i => format!("fn g{i}() -> f32 {{ return g{}(); }}\n", i - 1),
    };
    let paint = |body: &str| format!("fn paint(at: vec2f) -> vec4f {{ {body} return vec4f(1.0); }}\n");
    let many = lines(500, false, |i| format!("a{i}: f32, "));
    let mentions = |count: usize| "_ = T[0]; ".repeat(count);
    vec![
        case("nul", "refused", PAINT.replace("1.0", "1.0\0")),
        case("mark", "drawn", format!("\u{feff}{PAINT}")),
        case("empty", "refused: fn paint", String::new()),
        case("long", "refused: 64 KiB", " ".repeat(70_000)),
        case("calls_deep", "refused at 512: functions; 512", lines(1_500, false, call) + &paint("_ = g1499();")),
        case("calls_deep_turned", "drawn", lines(400, true, call) + &paint("_ = g399();")),
        case("constants_deep", "drawn", lines(2_500, false, |i| match i {
            0 => "const c0 = 1.0;\n".to_owned(),
            i => format!("const c{i} = c{};\n", i - 1),
        }) + PAINT),
        case("constants_deep_turned", "refused at 1: made of itself", lines(2_500, true, |i| match i {
            0 => "const c0 = 1.0;\n".to_owned(),
            i => format!("const c{i} = c{};\n", i - 1),
        }) + PAINT),
        case("aliases_deep_turned", "refused at 17: within each other", lines(2_500, true, |i| match i {
            0 => "alias a0 = f32;\n".to_owned(),
            i => format!("alias a{i} = a{};\n", i - 1),
        }) + PAINT),
        case("structs_deep", "refused at 17: within each other", lines(1_500, true, |i| match i {
            0 => "struct S0 { a: f32 }\n".to_owned(),
            i => format!("struct S{i} {{ a: S{} }}\n", i - 1),
        }) + PAINT),
        case("types_deep", "refused at 1: within each other", format!("var<private> a: {}f32{};\n{PAINT}", "array<".repeat(60), ", 1>".repeat(60))),
        case("members_many", "drawn", format!("struct S {{ {many} }}\nfn f() -> S {{ return S(); }}\n{}", paint("let x = f(); _ = x.a7;"))),
        case("arguments_many", "drawn", format!(
            "fn f({}) -> f32 {{ return a0; }}\n{}",
            lines(250, false, |i| format!("a{i}: f32, ")),
            paint(&format!("_ = f({});", "1.0, ".repeat(250)))
        )),
        case("cases_many", "drawn", paint(&format!(
            "var x = 0; switch i32(at.x) {{ {} default: {{ }} }}",
            lines(1_500, false, |i| format!("case {i}: {{ x = {i}; }} "))
        ))),
        case("variables_many", "drawn", paint(&lines(2_000, false, |i| format!("var v{i} = mat4x4f(); ")))),
        case("matrices_many", "refused at 1: keeps 51200 bytes", paint(&lines(800, false, |i| format!("var v{i}: mat4x4f; v{i}[i32(at.x)][i32(at.y)] += 1.0; ")))),
        case("loops_many", "drawn", paint(&"for (var i = 0; i < 100000; i++) { if at.x < 0.0 { continue; } }".repeat(100))),
        case("loops_deep", "drawn", paint(&format!("{}{}", "loop { ".repeat(50), "}".repeat(50)))),
        case("ifs_many", "drawn", paint(&"if at.x > 1.0 { return vec4f(0.5); } ".repeat(500))),
        case("buffers", "drawn", format!(
            "{}{PAINT}",
            ["a", "b", "c", "d"].map(|b| format!("fn buffer_{b}(at: vec2f) -> vec4f {{ var a: array<f32, 100>; a[u32(at.x)] = 1.0; return read_a(at) + a[u32(at.y)]; }}\n")).concat()
        )),
        case("constant_mentioned", "refused at 2: constants unfold", format!("const T = array<vec4f, 256>();\n{}", paint(&mentions(400)))),
        case("constant_looked_into", "refused at 2: keeps 20480 bytes", format!(
            "const T = array<vec4f, 16>();\n{}",
            paint(&"_ = T[u32(at.x)]; ".repeat(80))
        )),
        case("zero_values", "refused at 1: constants unfold", paint(&"_ = array<f32, 1024>()[1]; ".repeat(1_500))),
        case("arrays_written", "refused at 1: copies 160800 bytes", paint(&format!("var a: array<f32, 200>; {}", "a = array<f32, 200>(); ".repeat(200)))),
        case("tables", "refused at 257: constants unfold", lines(900, false, |i| format!("fn f{i}(i: u32) -> f32 {{ return T[i]; }}\n")) + "const T = array<f32, 1024>();\n" + PAINT),
        case("identifier_long", "drawn", format!("fn paint(at: vec2f) -> vec4f {{ let {0} = 1.0; return vec4f({0}); }}", "x".repeat(20_000))),
        case("templates", "refused at 1: within each other", paint(&format!("let a = vec2{}f32{}();", "<".repeat(200), ">".repeat(200)))),
        case("brackets", "drawn", paint(&format!("let a = {}1.0{};", "vec4(".repeat(60), ")".repeat(60)))),
        case("attributes", "refused", format!("{}{PAINT}", "@must_use ".repeat(3_000))),
        case("comments", "drawn", format!("{}{}{PAINT}", "/* ".repeat(9_000), "*/ ".repeat(9_000))),
        case("semicolons", "drawn", format!("{}{PAINT}", ";".repeat(60_000))),
        case("digits", "refused", paint(&format!("let a = {}1;", "0".repeat(60_000)))),
        case("floats", "drawn", paint(&format!("let a = 0.{}1;", "0".repeat(60_000)))),
    ]
}
