// Loops, switches, calls and returns. `main.rs` says how this is read.

//// switch_continue_twice: green
// wgpu #5658: invalid SPIR-V
fn paint(at: vec2f) -> vec4f {
    var n = 0;
    loop {
        n++;
        if n > 5 { break; }
        switch n { default: { continue; } }
        switch n { default: { continue; } }
    }
    return vec4f(select(vec3f(1.0, 0.0, 0.0), vec3f(0.0, 1.0, 0.0), n == 6), 1.0); }

//// switch_continue: green
// naga #1017: `continue` within a switch
fn paint(at: vec2f) -> vec4f {
    var n = 0;
    loop {
        if n > 9 { break; }
        switch n { case 1: { n += 5; continue; } case 3, default: { } }
        n++;
    }
    return vec4f(select(vec3f(1.0, 0.0, 0.0), vec3f(0.0, 1.0, 0.0), n == 10), 1.0); }

//// switch_break: green
// naga #1575: `break` within a switch within a loop
fn f(x: i32) -> i32 { loop { switch x { case 0: { return 0; } default: { break; } } return -9; } return -99; }
fn paint(at: vec2f) -> vec4f {
    let nine = f(i32(at.x) + 1);
    return vec4f(select(vec3f(1.0, 0.0, 0.0), vec3f(0.0, 1.0, 0.0), nine == -9), 1.0); }

//// switch_oddities: refused
// one default, a case twice, no default
fn paint(at: vec2f) -> vec4f { var x = 1.0; switch 1 { default: { } } switch i32(at.x) { case 1: { x = 2.0; } case 1: { x = 3.0; } default: { } } return vec4f(x); }

//// switch_no_default: refused
// no default
fn paint(at: vec2f) -> vec4f { switch i32(at.x) { case 1: { } } return vec4f(1.0); }

//// switch_mixed: refused
// cases of another type
fn paint(at: vec2f) -> vec4f { switch u32(at.x) { case 1i: { } case 4294967296: { } default: { } } return vec4f(1.0); }

//// loop_continue_break: drawn
// wgpu #7733: loops without an end that naga does not see
fn paint(at: vec2f) -> vec4f { loop { continue; break; } for (;;) { continue; break; } return vec4f(1.0); }

//// loop_after_return: refused
// wgpu #7733: after a `return`
fn paint(at: vec2f) -> vec4f { return vec4f(1.0); loop { } }

//// loop_empty: drawn
// a loop of nothing, in loops
fn paint(at: vec2f) -> vec4f { loop { loop { loop { loop { } } } } while true { } for (;;) { } return vec4f(1.0); }

//// loop_no_return: refused
// a function that ends in a loop
fn paint(at: vec2f) -> vec4f { loop { } }

//// continuing_break: refused
// `break` out of a continuing
fn paint(at: vec2f) -> vec4f { loop { continuing { break; } } return vec4f(1.0); }

//// continuing_return: refused
// `return` out of a continuing
fn paint(at: vec2f) -> vec4f { loop { continuing { return vec4f(1.0); } } return vec4f(1.0); }

//// loop_huge: drawn
// 4,294,967,295 turns
fn paint(at: vec2f) -> vec4f { var x = 0u; for (var i = 0u; i < 4294967295u; i++) { for (var j = 0u; j < 4294967295u; j++) { x += i ^ j; } } return vec4f(f32(x)); }

//// recursion: refused
// a function that calls itself
fn f(x: f32) -> f32 { return f(x); }
fn paint(at: vec2f) -> vec4f { return vec4f(f(1.0)); }

//// recursion_mutual: refused
// two that call each other
fn f(x: f32) -> f32 { return g(x); }
fn g(x: f32) -> f32 { return f(x); }
fn paint(at: vec2f) -> vec4f { return vec4f(f(1.0)); }

//// recursion_paint: refused
// `paint` that calls itself
fn paint(at: vec2f) -> vec4f { return paint(at); }

//// recursion_struct: refused at 2: within each other
// a struct within itself
struct S { s: S }
struct A { b: B }
struct B { a: array<A, 2> }
fn paint(at: vec2f) -> vec4f { return vec4f(1.0); }

//// recursion_alias: refused at 2: within each other
// an alias of itself
alias A = array<B, 2>;
alias B = A;
fn paint(at: vec2f) -> vec4f { return vec4f(1.0); }

//// recursion_const: refused at 4: told beforehand
// a constant of itself
const a = b + 1;
const b = a + 1;
var<private> c: array<f32, a>;
fn paint(at: vec2f) -> vec4f { return vec4f(f32(a)); }

//// no_return: refused
// a function that returns nothing
fn f() -> f32 { if true { return 1.0; } }
fn paint(at: vec2f) -> vec4f { return vec4f(f()); }

//// after_return: drawn
// what is never reached
fn paint(at: vec2f) -> vec4f { if at.x > 1.0 { return vec4f(1.0); } else { return vec4f(0.0); } let x = 1.0; return vec4f(x); }

//// discard: drawn
// a pixel that is left out
fn paint(at: vec2f) -> vec4f { if at.x >= 0.0 { discard; } return vec4f(1.0); }

//// short_circuit: green
// calls behind `&&` and `||`, in calls
var<private> n: i32;
fn f(x: bool) -> bool { n++; return x; }
fn paint(at: vec2f) -> vec4f {
    if f(f(true) || f(true)) && (f(false) || f(true) && f(false)) { n = 100; }
    return vec4f(select(vec3f(1.0, 0.0, 0.0), vec3f(0.0, 1.0, 0.0), n == 5), 1.0); }
