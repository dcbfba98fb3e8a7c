// Arrays, structs and constants that are too large, or just not. `main.rs` says how this is read.

//// array_private: refused at 3: 400000000 bytes
// gigabytes a pixel

var<private> big: array<f32, 100000000>;
fn paint(at: vec2f) -> vec4f { return vec4f(big[u32(at.x)]); }

//// array_local: refused at 3: 400000000 bytes
// gigabytes a pixel
fn paint(at: vec2f) -> vec4f { 
    var big: array<f32, 100000000>;
    return vec4f(big[u32(at.x)]); }

//// array_constant: refused at 2: 400000000 bytes
// gigabytes in the compiler
const big = array<f32, 100000000>();
const x = big[3];
fn paint(at: vec2f) -> vec4f { return vec4f(x); }

//// array_40k: refused at 2: 40000 bytes
// 40 kB a pixel
var<private> big: array<f32, 10000>;
fn paint(at: vec2f) -> vec4f { big[u32(at.x)] = 1.0; return vec4f(big[u32(at.y)]); }

//// array_5k: refused at 4: 5120 bytes
// a little too much
struct Row { cells: array<vec4f, 20> }

fn f(i: u32) -> f32 { var rows: array<Row, 16>; rows[i].cells[i] = vec4f(1.0); return rows[i + 1].cells[i].x; }
fn paint(at: vec2f) -> vec4f { return vec4f(f(u32(at.x))); }

//// array_4k: refused at 2: 4096 bytes
// more than one may take
var<private> big: array<f32, 1024>;
fn paint(at: vec2f) -> vec4f { return vec4f(big[u32(at.x)]); }

//// array_small: green
// one that fits
var<private> big: array<f32, 64>;
fn paint(at: vec2f) -> vec4f { 
    for (var i = 0u; i < 64u; i++) { big[i] = f32(i); }
    return vec4f(select(vec3f(1.0, 0.0, 0.0), vec3f(0.0, 1.0, 0.0), big[u32(clamp(at.x, 63.0, 63.0))] == 63.0), 1.0); }

//// array_constant_small: drawn
// a constant that fits, looked into twice
const big = array<vec4f, 12>();
fn paint(at: vec2f) -> vec4f { let i = u32(at.x); return big[i] + big[i * 3u]; }

//// array_called_often: refused at 3: keeps 8000 bytes
// an array in a function that is called from many places
fn f(i: u32) -> f32 { var a: array<f32, 250>; a[i % 250u] = 1.0; return a[(i * 7u) % 250u]; }
fn paint(at: vec2f) -> vec4f {
    let i = u32(at.x);
    return vec4f(f(i) + f(i + 1u) + f(i + 2u) + f(i + 3u) + f(i + 4u) + f(i + 5u) + f(i + 6u) + f(i + 7u));
}

//// array_called: refused at 4: keeps 16384 bytes
// calls that each hold an array
fn f0(i: u32) -> f32 { var a: array<f32, 256>; a[i % 256u] = 1.0; return a[(i * 7u) % 256u]; }
fn f1(i: u32) -> f32 { return f0(i) + f0(i + 1u) + f0(i + 2u) + f0(i + 3u); }
fn f2(i: u32) -> f32 { return f1(i) + f1(i + 1u) + f1(i + 2u) + f1(i + 3u); }
fn f3(i: u32) -> f32 { return f2(i) + f2(i + 1u) + f2(i + 2u) + f2(i + 3u); }
fn paint(at: vec2f) -> vec4f { return vec4f(f3(u32(at.x))); }

//// array_copied: refused at 2: copies 167936 bytes
// arrays that are copied about
fn paint(at: vec2f) -> vec4f {
    var a: array<f32, 512>;
    var b: array<f32, 512>;
    a = b; b = a;
    a = b; b = a;
    a = b; b = a;
    a = b; b = a;
    a = b; b = a;
    a = b; b = a;
    a = b; b = a;
    a = b; b = a;
    a = b; b = a;
    a = b; b = a;
    a = b; b = a;
    a = b; b = a;
    a = b; b = a;
    a = b; b = a;
    a = b; b = a;
    a = b; b = a;
    a = b; b = a;
    a = b; b = a;
    a = b; b = a;
    a = b; b = a;
    a = b; b = a;
    a = b; b = a;
    a = b; b = a;
    a = b; b = a;
    a = b; b = a;
    a = b; b = a;
    a = b; b = a;
    a = b; b = a;
    a = b; b = a;
    a = b; b = a;
    a = b; b = a;
    a = b; b = a;
    a = b; b = a;
    a = b; b = a;
    a = b; b = a;
    a = b; b = a;
    a = b; b = a;
    a = b; b = a;
    a = b; b = a;
    a = b; b = a;
    return vec4f(a[u32(at.x)]);
}

//// array_structs: refused at 6: 16384 bytes
// structs within structs
struct A { v: array<vec4f, 16> }
struct B { a: A, b: A, c: A, d: A }
struct C { a: B, b: B, c: B, d: B }
struct D { a: C, b: C, c: C, d: C }
var<private> d: D;
fn paint(at: vec2f) -> vec4f { return d.a.a.a.v[0]; }

//// array_arrays: refused at 2: 18446744073709551615 bytes
// arrays within arrays
fn paint(at: vec2f) -> vec4f { var a: array<array<array<array<f32, 65535>, 65535>, 65535>, 65535>; return vec4f(a[0][0][0][0]); }

//// array_overflow: refused at 2: told beforehand
// a length beyond numbers
var<private> a: array<f32, 4294967296 * 4294967296>;
fn paint(at: vec2f) -> vec4f { return vec4f(a[0]); }

//// array_negative: refused at 2: told beforehand
// a length below nothing
var<private> a: array<f32, -1>;
fn paint(at: vec2f) -> vec4f { return vec4f(a[0]); }

//// array_zero: refused
// no length
var<private> a: array<f32, 0>;
fn paint(at: vec2f) -> vec4f { return vec4f(a[0]); }

//// array_float: refused at 2: told beforehand
// naga #2209: a length with a fraction
fn s() { let x = array<f32, 0f>(); }
fn paint(at: vec2f) -> vec4f { return vec4f(1.0); }

//// array_endless: refused: cannot have an array without a length
// without a length
var<private> a: array<f32>;
fn paint(at: vec2f) -> vec4f { return vec4f(a[0]); }

//// array_computed: green
// a length that is made of constants
const N = 4; const M = (N + 4) * 2 >> 1u;
var<private> a: array<f32, M>;
fn paint(at: vec2f) -> vec4f { a[7] = 1.0; return vec4f(select(vec3f(1.0, 0.0, 0.0), vec3f(0.0, 1.0, 0.0), a[u32(clamp(at.x, 7.0, 7.0))] == 1.0), 1.0); }

//// array_of_types: refused
// arrays of textures and pointers
fn paint(at: vec2f) -> vec4f { var a: array<texture_2d<f32>, 4>; var b: array<ptr<function, f32>, 4>; return vec4f(1.0); }

//// size_attribute: refused
// a member as large as one says
struct S { @size(4000000000) a: f32, @align(1073741824) b: f32 }
var<private> s: S;
fn paint(at: vec2f) -> vec4f { return vec4f(s.a); }

//// size_params: refused
// `Params` as large as one says
struct Params { @size(2000000000) a: f32, b: f32 }
fn paint(at: vec2f) -> vec4f { return vec4f(params.a); }

//// constant_doubles: refused at 12: constants unfold
// two gigabytes in the compiler, by 23 lines
const a0 = array(1.0, 2.0);
const a1 = array(a0, a0);
const a2 = array(a1, a1);
const a3 = array(a2, a2);
const a4 = array(a3, a3);
const a5 = array(a4, a4);
const a6 = array(a5, a5);
const a7 = array(a6, a6);
const a8 = array(a7, a7);
const a9 = array(a8, a8);
const a10 = array(a9, a9);
const a11 = array(a10, a10);
const a12 = array(a11, a11);
const a13 = array(a12, a12);
const a14 = array(a13, a13);
const a15 = array(a14, a14);
const a16 = array(a15, a15);
const a17 = array(a16, a16);
const a18 = array(a17, a17);
const a19 = array(a18, a18);
const a20 = array(a19, a19);
const a21 = array(a20, a20);
const a22 = array(a21, a21);
fn paint(at: vec2f) -> vec4f { let x = a22; return vec4f(1.0); }

//// constant_shadows: refused at 2: made of itself
// the same by one name
fn paint(at: vec2f) -> vec4f { const a = array(1.0, 2.0); { const a = array(a, a); { const a = array(a, a); { const a = array(a, a); { const a = array(a, a); { const a = array(a, a); { const a = array(a, a); { const a = array(a, a); { const a = array(a, a); { const a = array(a, a); { const a = array(a, a); { const a = array(a, a); { const a = array(a, a); { const a = array(a, a); { const a = array(a, a); { const a = array(a, a); { const a = array(a, a); { const a = array(a, a); { const a = array(a, a); { const a = array(a, a); { const a = array(a, a); { const a = array(a, a); { const a = array(a, a); { const a = array(a, a); { const a = array(a, a); { const a = array(a, a); { const a = array(a, a); { const a = array(a, a); { const a = array(a, a); { const a = array(a, a); { const a = array(a, a); { const a = array(a, a); { const a = array(a, a); { const a = array(a, a); { const a = array(a, a); { const a = array(a, a); { const a = array(a, a); { const a = array(a, a); { const a = array(a, a); { const a = array(a, a); { const a = array(a, a); let x = a; }}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}} return vec4f(1.0); }

//// constant_structs: refused at 14: 32768 bytes
// 2^30 numbers, made of structs
struct S0 { a: f32, b: f32 }
struct S1 { a: S0, b: S0 }
struct S2 { a: S1, b: S1 }
struct S3 { a: S2, b: S2 }
struct S4 { a: S3, b: S3 }
struct S5 { a: S4, b: S4 }
struct S6 { a: S5, b: S5 }
struct S7 { a: S6, b: S6 }
struct S8 { a: S7, b: S7 }
struct S9 { a: S8, b: S8 }
struct S10 { a: S9, b: S9 }
struct S11 { a: S10, b: S10 }
struct S12 { a: S11, b: S11 }
struct S13 { a: S12, b: S12 }
struct S14 { a: S13, b: S13 }
struct S15 { a: S14, b: S14 }
struct S16 { a: S15, b: S15 }
struct S17 { a: S16, b: S16 }
struct S18 { a: S17, b: S17 }
struct S19 { a: S18, b: S18 }
struct S20 { a: S19, b: S19 }
struct S21 { a: S20, b: S20 }
struct S22 { a: S21, b: S21 }
struct S23 { a: S22, b: S22 }
struct S24 { a: S23, b: S23 }
struct S25 { a: S24, b: S24 }
struct S26 { a: S25, b: S25 }
struct S27 { a: S26, b: S26 }
struct S28 { a: S27, b: S27 }
struct S29 { a: S28, b: S28 }
const x = S29().a;
fn paint(at: vec2f) -> vec4f { return vec4f(1.0); }

//// constant_matrices: drawn
// large values, added up
fn paint(at: vec2f) -> vec4f { const m = mat4x4f(); const n = m + m + m * 2.0; return n[0]; }
