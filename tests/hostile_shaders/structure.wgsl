// Values, names, and what is only half written. `main.rs` says how this is read.

//// sign_unsigned: refused at 3: gave up
// wgpu #10408: accepted, and not implemented
fn unused() { }
fn paint(at: vec2f) -> vec4f { 
    var input = vec4u(u32(at.x));
    return vec4f(sign(input));
}

//// matrix_loaded: refused: cannot be set
// wgpu #9011: a struct with a matrix of two rows, loaded whole
struct Params { a: i32, b: mat2x2f }
fn paint(at: vec2f) -> vec4f { let p = params; return vec4f(p.b[0], p.b[1]); }

//// matrix_negated: drawn
// wgpu #10036: minus of a matrix
fn f() -> mat2x2f { let x = -mat2x2f(); return x; }
fn paint(at: vec2f) -> vec4f { return vec4f(f()[0], f()[1]); }

//// constant_indexed_twice: green
// wgpu #7198: invalid SPIR-V, and a crash in the driver
fn paint(at: vec2f) -> vec4f {
    const positions = array(vec2(-1.0, -1.0), vec2(-1.0, 1.0), vec2(1.0, -1.0), vec2(1.0, 1.0));
    let index = u32(clamp(at.x, 3.0, 3.0));
    let both = positions[index] / 2.0 + 0.5 + positions[index - 1u];
    return vec4f(select(vec3f(1.0, 0.0, 0.0), vec3f(0.0, 1.0, 0.0), both.x == 2.0 && both.y == 0.0), 1.0); }

//// values_indexed_twice: green
// wgpu #7236: invalid SPIR-V
fn paint(at: vec2f) -> vec4f {
    let b = array<vec3f, 2>();
    var poly = vec4f(0.0);
    var k = 0;
    var j = 0;
    poly.x += b[j].y * b[k].z;
    return vec4f(select(vec3f(1.0, 0.0, 0.0), vec3f(0.0, 1.0, 0.0), poly.x == 0.0), 1.0); }

//// argument_indexed: green
// an array by value, looked into
fn look(list: array<vec2f, 3>, i: i32) -> vec2f { return list[i] + list[i - 1]; }
fn make(x: f32) -> array<vec2f, 3> { return array(vec2f(x), vec2f(2.0 * x), vec2f(3.0 * x)); }
fn paint(at: vec2f) -> vec4f {
    let i = i32(clamp(at.x, 2.0, 2.0));
    let sum = look(make(1.0), i).x + make(2.0)[i].y;
    return vec4f(select(vec3f(1.0, 0.0, 0.0), vec3f(0.0, 1.0, 0.0), sum == 11.0), 1.0); }

//// names_taken: green
// names of the engine, and of rewritten sources
fn moongate_copy(x: ptr<function, f32>) { *x += 1.0; }
struct moongate_turns { moongate_copy: f32, e5_: f32 }
fn paint(at: vec2f) -> vec4f {
    var moongate_counter = moongate_turns(1.0, 2.0);
    let _e5 = 1.0;
    var main = 0.0;
    for (var half = 0; half < 3; half++) { moongate_copy(&moongate_counter.moongate_copy); main += _e5; }
    return vec4f(select(vec3f(1.0, 0.0, 0.0), vec3f(0.0, 1.0, 0.0), moongate_counter.moongate_copy == 4.0 && main == 3.0), 1.0); }

//// names_builtin: refused
// functions and types named as those of WGSL
fn abs(x: f32) -> f32 { return x; }
struct vec2f { x: f32 }
alias f32 = i32;
fn paint(at: vec2f) -> vec4f { return vec4f(abs(1.0)); }

//// names_shadow: green
// one name over and over
fn paint(at: vec2f) -> vec4f { var x = 1.0; { var x = x + 1.0; { let x = x * 2.0; if x != 4.0 { return vec4f(1.0, 0.0, 0.0, 1.0); } } } for (var x = 0; x < 2; x++) { let x = 3; } return vec4f(select(vec3f(1.0, 0.0, 0.0), vec3f(0.0, 1.0, 0.0), x == 1.0), 1.0); }

//// names_unicode: refused
// letters from everywhere
fn zażółć(Δ: f32) -> f32 { return Δ; }
/* 漢字 😀 */ fn paint(at: vec2f) -> vec4f { let 速度 = zażółć(at.x); return vec4f(速度, 0.0, 0.0, "); }

//// names_reserved: refused
// words that are reserved
fn paint(at: vec2f) -> vec4f { let self = 1.0; let class = 2.0; return vec4f(self); }

//// tail_attribute: drawn
// an attribute before what the engine adds
fn paint(at: vec2f) -> vec4f { return vec4f(1.0); }
@fragment

//// tail_open: refused
// an open block before what the engine adds
struct S { a: f32, b: f32 }
fn paint(at: vec2f) -> vec4f { return vec4f(1.0); }
fn open() {

//// tail_comment: refused: without an end
// an open comment before what the engine adds
fn paint(at: vec2f) -> vec4f { return vec4f(1.0); }
/* /* */

//// tail_const: refused
// an open constant
fn paint(at: vec2f) -> vec4f { return vec4f(1.0); }
const x =

//// void_value: refused
// nothing as a value
fn f() { }
fn paint(at: vec2f) -> vec4f { let x = f(); return vec4f(1.0); }

//// phony: drawn
// values for nobody
fn f() -> f32 { return 1.0; }
fn paint(at: vec2f) -> vec4f { _ = f(); _ = at; f(); return vec4f(1.0); }

//// must_use: refused
// a value that must be used
@must_use fn f() -> f32 { return 1.0; }
fn paint(at: vec2f) -> vec4f { f(); return vec4f(1.0); }

//// uninitialised: green
// what was never set
fn paint(at: vec2f) -> vec4f { var a: mat4x4f; var b: array<vec3f, 5>; var c: bool; if c { a[1] = vec4f(1.0); } return vec4f(select(vec3f(1.0, 0.0, 0.0), vec3f(0.0, 1.0, 0.0), a[1].x + b[u32(clamp(at.x, 4.0, 4.0))].z == 0.0), 1.0); }

//// dynamic_matrix: green
// columns and rows by an index that is not constant
fn paint(at: vec2f) -> vec4f { 
    var m = mat4x4f(vec4f(1.0), vec4f(2.0), vec4f(3.0), vec4f(4.0));
    let i = i32(clamp(at.x, 2.0, 2.0));
    m[i][i] = 9.0;
    m[i + 100][i - 100] += 1.0;
    var v = vec3f();
    v[i] = m[i][i];
    v[i * 1000] = 1.0;
    return vec4f(select(vec3f(1.0, 0.0, 0.0), vec3f(0.0, 1.0, 0.0), m[2][2] == 9.0 && v.z >= 1.0), 1.0); }

//// compound: refused
// assignments with parts of vectors
fn paint(at: vec2f) -> vec4f { var v = vec4f(1.0); v.x += 1.0; v.y *= 3.0; v.w = v.x; v.xy = vec2f(1.0); return v; }

//// matrices: green
// products of matrices that are not square
fn paint(at: vec2f) -> vec4f { let a = mat2x3f(1.0, 2.0, 3.0, 4.0, 5.0, 6.0); let b = mat3x2f(1.0, 0.0, 0.0, 1.0, 1.0, 1.0); let c = a * b; let d = vec3f(1.0) * a; return vec4f(select(vec3f(1.0, 0.0, 0.0), vec3f(0.0, 1.0, 0.0), c[2].x == 5.0 && d.x == 6.0), 1.0); }

//// compare: refused
// arrays and structs cannot be compared
struct S { a: f32 }
fn paint(at: vec2f) -> vec4f { if S(1.0) == S(1.0) || array(1) == array(1) { } return vec4f(1.0); }

//// select_array: refused
// arrays cannot be selected
fn paint(at: vec2f) -> vec4f { let x = select(array(1.0), array(2.0), at.x > 1.0); return vec4f(x[0]); }

//// array_abstract: green
// wgpu #7103: an array of abstract vectors
fn paint(at: vec2f) -> vec4f { var weird: array<vec3f, 1> = array(vec3(0)); var v: vec4f = vec4(); return vec4f(select(vec3f(1.0, 0.0, 0.0), vec3f(0.0, 1.0, 0.0), weird[0].x == 0.0 && v.x == 0.0), 1.0); }

//// constructor: refused
// wgpu #8767: a vector of another kind
fn paint(at: vec2f) -> vec4f { return vec4f(vec2f(u32(at.x)), vec2f(1)); }

//// address_of_value: refused
// an address of what has none
fn paint(at: vec2f) -> vec4f { let p = &1.0; let q = &at; return vec4f(*p); }

//// dereferenced_value: refused
// a value in place of a pointer
fn paint(at: vec2f) -> vec4f { return vec4f(*at, 1.0, 1.0); }

//// nan_out: drawn
// NaN, painted
fn buffer_a(at: vec2f) -> vec4f { return read_a(at) + vec4f(0.0 / (at.x * 0.0)); }
fn paint(at: vec2f) -> vec4f { return read_a(at) / 0.0 * at.x; }
