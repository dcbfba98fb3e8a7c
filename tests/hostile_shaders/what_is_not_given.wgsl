// Address spaces, bindings, textures and entry points that a shader of a scene has not. `main.rs` says how this is read.

//// workgroup: ?
// a SIGSEGV in a driver
var<workgroup> w: u32;
fn paint(at: vec2f) -> vec4f { w = u32(at.x); return vec4f(f32(w)); }

//// workgroup_atomic: ?
// atomics
var<workgroup> w: atomic<u32>;
fn paint(at: vec2f) -> vec4f { return vec4f(f32(atomicAdd(&w, 1u))); }

//// storage: ?
// a buffer of its own
@group(0) @binding(1) var<storage, read_write> s: array<vec4f>;
fn paint(at: vec2f) -> vec4f { return s[u32(at.x)]; }

//// uniform: ?
// a buffer of its own

@group(0) @binding(1) var<uniform> mine: vec4f;
fn paint(at: vec2f) -> vec4f { return mine; }

//// immediate: ?
// what a pass hands over
var<immediate> i: vec4f;
fn paint(at: vec2f) -> vec4f { return i; }

//// push_constant: ?
// an older word for it
var<push_constant> i: vec4f;
fn paint(at: vec2f) -> vec4f { return i; }

//// task_payload: ?
// of mesh shaders
var<task_payload> i: vec4f;
fn paint(at: vec2f) -> vec4f { return i; }

//// ray_payload: ?
// of ray tracing
var<ray_payload> i: vec4f;
fn paint(at: vec2f) -> vec4f { return i; }

//// function_outside: ?
// a space that is not for a module
var<function> i: vec4f;
fn paint(at: vec2f) -> vec4f { return i; }

//// texture: ?
// a texture of its own
@group(0) @binding(9) var t: texture_2d<f32>;
fn paint(at: vec2f) -> vec4f { return textureLoad(t, vec2i(at), 0); }

//// texture_group: ?
// in a group that is not there
@group(9) @binding(0) var t: texture_2d<f32>;
fn paint(at: vec2f) -> vec4f { return textureLoad(t, vec2i(at), 0); }

//// texture_storage: ?
// one that is written
@group(0) @binding(9) var t: texture_storage_2d<rgba8unorm, write>;
fn paint(at: vec2f) -> vec4f { textureStore(t, vec2i(at), vec4f(1.0)); return vec4f(1.0); }

//// texture_argument: ?
// one that nobody can hand over
fn f(t: texture_storage_2d<rgba8unorm, write>) { textureStore(t, vec2i(), vec4f()); }
fn paint(at: vec2f) -> vec4f { return vec4f(1.0); }

//// texture_external: ?
// a video
fn f(t: texture_external) -> vec4f { return textureLoad(t, vec2i()); }
fn paint(at: vec2f) -> vec4f { return vec4f(1.0); }

//// texture_flow: ?
// a sample where pixels part ways
fn paint(at: vec2f) -> vec4f { if at.x > 1.0 { return vec4f(dpdx(at.x)) + textureSample(moongate_7, moongate_sampler, at) + previous(at); } return vec4f(1.0); }

//// texture_far: ?
// a sample from far away
fn paint(at: vec2f) -> vec4f { return textureSampleLevel(moongate_7, moongate_sampler, vec2f(1e38), 1e38) + textureLoad(moongate_7, vec2i(-2147483647, 2147483647), 99) + previous(at); }

//// texture_kept: ?
// a texture cannot be kept
fn paint(at: vec2f) -> vec4f { var t = moongate_7; return previous(at); }

//// binding_array: ?
// wgpu #4379: the validator panicked
@group(0) @binding(9) var a: binding_array<i32, 4>;
fn f(i: i32) -> i32 { return a[i]; }
fn paint(at: vec2f) -> vec4f { return vec4f(f32(f(1))); }

//// override: ?
// what nobody sets
override size: u32 = 4u;
fn paint(at: vec2f) -> vec4f { return vec4f(f32(size)); }

//// override_array: ?
// a length that nobody sets
override size = 4;
var<private> list: array<f32, size * 2>;
fn paint(at: vec2f) -> vec4f { return vec4f(list[0]); }

//// override_f16: ?
// wgpu #7801
override o: f16;
fn paint(at: vec2f) -> vec4f { return vec4f(1.0); }

//// subgroup: ?
// pixels that talk
fn paint(at: vec2f) -> vec4f { return vec4f(subgroupAdd(at.x)) + f32(subgroupBallot(true).x); }

//// barrier: ?
// pixels that wait
fn paint(at: vec2f) -> vec4f { workgroupBarrier(); return vec4f(1.0); }

//// barrier_unused: ?
// in a function that nobody calls
fn f() { storageBarrier(); }
fn paint(at: vec2f) -> vec4f { return vec4f(1.0); }

//// ray_query: ?
// rays
fn f() { var q: ray_query; rayQueryProceed(&q); }
fn paint(at: vec2f) -> vec4f { return vec4f(1.0); }

//// ray_enabled: ?
// rays that are enabled
enable wgpu_ray_query;
fn f() { var q: ray_query; rayQueryProceed(&q); }
fn paint(at: vec2f) -> vec4f { return vec4f(1.0); }

//// cooperative: ?
// matrices of many
enable wgpu_cooperative_matrix;
fn f() { var c: coop_mat8x8<f32, A>; }
fn paint(at: vec2f) -> vec4f { return vec4f(1.0); }

//// entry_compute: ?
// an entry point of its own
@compute @workgroup_size(1024, 1024, 1024) fn mine() { }
fn paint(at: vec2f) -> vec4f { return vec4f(1.0); }

//// entry_fragment: ?
// an entry point of its own

@fragment fn mine(@builtin(position) p: vec4f) -> @location(0) vec4f { return p; }
fn paint(at: vec2f) -> vec4f { return vec4f(1.0); }

//// entry_taken: ?
// one that the engine has
@fragment fn moongate_fragment() -> @location(0) vec4f { return vec4f(1.0); }
fn paint(at: vec2f) -> vec4f { return vec4f(1.0); }

//// entry_paint: ?
// `paint` itself
@fragment fn paint(@location(0) at: vec2f) -> @location(0) vec4f { return vec4f(1.0); }

//// entry_depth: ?
// depth, written
struct Out { @builtin(frag_depth) depth: f32, @location(0) c: vec4f }
@fragment @early_depth_test(force) fn mine() -> Out { return Out(1.0, vec4f()); }
fn paint(at: vec2f) -> vec4f { return vec4f(1.0); }

//// entry_argument: ?
// what a fragment knows
fn f(@builtin(position) p: vec4f) -> @location(3) vec4f { return p; }
fn paint(at: vec2f) -> vec4f { return f(at.xyxy); }

//// diagnostic: ?
// a rule that is switched off
@diagnostic(off, derivative_uniformity)
fn paint(at: vec2f) -> vec4f { return vec4f(dpdx(at.x)); }

//// requires: ?
// what is asked for
requires readonly_and_readwrite_storage_textures;
fn paint(at: vec2f) -> vec4f { return vec4f(1.0); }

//// params_empty: ?
// wgpu #2018: an empty struct
struct Params { }
fn paint(at: vec2f) -> vec4f { return vec4f(1.0); }

//// params_endless: ?
// a list without an end
struct Params { a: f32, b: array<vec4f> }
fn paint(at: vec2f) -> vec4f { return params.b[u32(at.x)]; }

//// params_loaded: ?
// all of `Params` by value, looked into
struct Params { list: array<vec4f, 1000> }
fn paint(at: vec2f) -> vec4f { let p = params; return p.list[u32(at.x)] + p.list[u32(at.y)]; }

//// engine_loaded: ?
// a city by value, looked into
fn paint(at: vec2f) -> vec4f { let city = engine.here; return city.touch[u32(at.x)] + city.body[u32(at.y)]; }

//// engine_written: ?
// what is read alone
fn paint(at: vec2f) -> vec4f { engine.now = 1.0; return vec4f(1.0); }
