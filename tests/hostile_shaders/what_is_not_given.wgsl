// Address spaces, bindings, textures and entry points that a shader of a scene has not. `main.rs` says how this is read.

//// workgroup: refused at 2: address space `workgroup`
// a SIGSEGV in a driver
var<workgroup> w: u32;
fn paint(at: vec2f) -> vec4f { w = u32(at.x); return vec4f(f32(w)); }

//// workgroup_atomic: refused at 2: address space `workgroup`
// atomics
var<workgroup> w: atomic<u32>;
fn paint(at: vec2f) -> vec4f { return vec4f(f32(atomicAdd(&w, 1u))); }

//// storage: refused at 2: address space `storage`
// a buffer of its own
@group(0) @binding(1) var<storage, read_write> s: array<vec4f>;
fn paint(at: vec2f) -> vec4f { return s[u32(at.x)]; }

//// uniform: refused at 3: address space `uniform`
// a buffer of its own

@group(0) @binding(1) var<uniform> mine: vec4f;
fn paint(at: vec2f) -> vec4f { return mine; }

//// immediate: refused at 2: address space `immediate`
// what a pass hands over
var<immediate> i: vec4f;
fn paint(at: vec2f) -> vec4f { return i; }

//// push_constant: refused
// an older word for it
var<push_constant> i: vec4f;
fn paint(at: vec2f) -> vec4f { return i; }

//// task_payload: refused
// of mesh shaders
var<task_payload> i: vec4f;
fn paint(at: vec2f) -> vec4f { return i; }

//// ray_payload: refused
// of ray tracing
var<ray_payload> i: vec4f;
fn paint(at: vec2f) -> vec4f { return i; }

//// function_outside: refused at 2: address space `function`
// a space that is not for a module
var<function> i: vec4f;
fn paint(at: vec2f) -> vec4f { return i; }

//// texture: refused at 2: address space `handle`
// a texture of its own
@group(0) @binding(9) var t: texture_2d<f32>;
fn paint(at: vec2f) -> vec4f { return textureLoad(t, vec2i(at), 0); }

//// texture_group: refused at 2: address space `handle`
// in a group that is not there
@group(9) @binding(0) var t: texture_2d<f32>;
fn paint(at: vec2f) -> vec4f { return textureLoad(t, vec2i(at), 0); }

//// texture_storage: refused at 2: address space `handle`
// one that is written
@group(0) @binding(9) var t: texture_storage_2d<rgba8unorm, write>;
fn paint(at: vec2f) -> vec4f { textureStore(t, vec2i(at), vec4f(1.0)); return vec4f(1.0); }

//// texture_argument: refused at 2: cannot have this sort of texture
// one that nobody can hand over
fn f(t: texture_storage_2d<rgba8unorm, write>) { textureStore(t, vec2i(), vec4f()); }
fn paint(at: vec2f) -> vec4f { return vec4f(1.0); }

//// texture_external: refused at 2: cannot have this sort of texture
// a video
fn f(t: texture_external) -> vec4f { return textureLoad(t, vec2i()); }
fn paint(at: vec2f) -> vec4f { return vec4f(1.0); }

//// texture_flow: drawn
// a sample where pixels part ways
fn paint(at: vec2f) -> vec4f { if at.x > 1.0 { return vec4f(dpdx(at.x)) + textureSample(moongate_7, moongate_sampler, at) + previous(at); } return vec4f(1.0); }

//// texture_far: drawn
// a sample from far away
fn paint(at: vec2f) -> vec4f { return textureSampleLevel(moongate_7, moongate_sampler, vec2f(1e38), 1e38) + textureLoad(moongate_7, vec2i(-2147483647, 2147483647), 99) + previous(at); }

//// texture_kept: refused
// a texture cannot be kept
fn paint(at: vec2f) -> vec4f { var t = moongate_7; return previous(at); }

//// binding_array: refused at 2: address space `handle`
// wgpu #4379: the validator panicked
@group(0) @binding(9) var a: binding_array<i32, 4>;
fn f(i: i32) -> i32 { return a[i]; }
fn paint(at: vec2f) -> vec4f { return vec4f(f32(f(1))); }

//// override: refused at 2: is an `override`
// what nobody sets
override size: u32 = 4u;
fn paint(at: vec2f) -> vec4f { return vec4f(f32(size)); }

//// override_array: refused at 3: told beforehand
// a length that nobody sets
override size = 4;
var<private> list: array<f32, size * 2>;
fn paint(at: vec2f) -> vec4f { return vec4f(list[0]); }

//// override_f16: refused
// wgpu #7801
override o: f16;
fn paint(at: vec2f) -> vec4f { return vec4f(1.0); }

//// subgroup: refused at 2: pixels wait
// pixels that talk
fn paint(at: vec2f) -> vec4f { return vec4f(subgroupAdd(at.x)) + f32(subgroupBallot(true).x); }

//// barrier: refused at 2: pixels wait
// pixels that wait
fn paint(at: vec2f) -> vec4f { workgroupBarrier(); return vec4f(1.0); }

//// barrier_unused: refused at 2: pixels wait
// in a function that nobody calls
fn f() { storageBarrier(); }
fn paint(at: vec2f) -> vec4f { return vec4f(1.0); }

//// ray_query: refused
// rays
fn f() { var q: ray_query; rayQueryProceed(&q); }
fn paint(at: vec2f) -> vec4f { return vec4f(1.0); }

//// ray_enabled: refused
// rays that are enabled
enable wgpu_ray_query;
fn f() { var q: ray_query; rayQueryProceed(&q); }
fn paint(at: vec2f) -> vec4f { return vec4f(1.0); }

//// cooperative: refused
// matrices of many
enable wgpu_cooperative_matrix;
fn f() { var c: coop_mat8x8<f32, A>; }
fn paint(at: vec2f) -> vec4f { return vec4f(1.0); }

//// entry_compute: refused at 2: is an entry point
// an entry point of its own
@compute @workgroup_size(1024, 1024, 1024) fn mine() { }
fn paint(at: vec2f) -> vec4f { return vec4f(1.0); }

//// entry_fragment: refused at 3: is an entry point
// an entry point of its own

@fragment fn mine(@builtin(position) p: vec4f) -> @location(0) vec4f { return p; }
fn paint(at: vec2f) -> vec4f { return vec4f(1.0); }

//// entry_taken: refused
// one that the engine has
@fragment fn moongate_fragment() -> @location(0) vec4f { return vec4f(1.0); }
fn paint(at: vec2f) -> vec4f { return vec4f(1.0); }

//// entry_paint: refused
// `paint` itself
@fragment fn paint(@location(0) at: vec2f) -> @location(0) vec4f { return vec4f(1.0); }

//// entry_depth: refused at 3: is an entry point
// depth, written
struct Out { @builtin(frag_depth) depth: f32, @location(0) c: vec4f }
@fragment @early_depth_test(force) fn mine() -> Out { return Out(1.0, vec4f()); }
fn paint(at: vec2f) -> vec4f { return vec4f(1.0); }

//// entry_argument: refused
// what a fragment knows
fn f(@builtin(position) p: vec4f) -> @location(3) vec4f { return p; }
fn paint(at: vec2f) -> vec4f { return f(at.xyxy); }

//// diagnostic: drawn
// a rule that is switched off
@diagnostic(off, derivative_uniformity)
fn paint(at: vec2f) -> vec4f { return vec4f(dpdx(at.x)); }

//// requires: refused
// what is asked for
requires readonly_and_readwrite_storage_textures;
fn paint(at: vec2f) -> vec4f { return vec4f(1.0); }

//// params_empty: refused
// wgpu #2018: an empty struct
struct Params { }
fn paint(at: vec2f) -> vec4f { return vec4f(1.0); }

//// params_endless: refused at 2: cannot have an array without a length
// a list without an end
struct Params { a: f32, b: array<vec4f> }
fn paint(at: vec2f) -> vec4f { return params.b[u32(at.x)]; }

//// params_loaded: refused at 3: keeps 32000 bytes
// all of `Params` by value, looked into
struct Params { list: array<vec4f, 1000> }
fn paint(at: vec2f) -> vec4f { let p = params; return p.list[u32(at.x)] + p.list[u32(at.y)]; }

//// engine_loaded: drawn
// a city by value, looked into
fn paint(at: vec2f) -> vec4f { let city = engine.here; return city.touch[u32(at.x)]; }

//// engine_written: refused
// what is read alone
fn paint(at: vec2f) -> vec4f { engine.now = 1.0; return vec4f(1.0); }
