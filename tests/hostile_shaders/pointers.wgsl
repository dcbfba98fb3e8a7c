// Pointers to parts of variables, which naga 29 and 30 cannot write as SPIR-V. `main.rs` says how this is read.

//// pointer_member: green
// wgpu #4540: a pointer to a member, handed to a function
struct Ray { at: vec2f, t: f32 }
fn advance(t: ptr<function, f32>) { *t += 2.0; }
fn paint(at: vec2f) -> vec4f {
    var ray = Ray(at, 1.0);
    advance(&ray.t);
    advance(&ray.t);
    return vec4f(select(vec3f(1.0, 0.0, 0.0), vec3f(0.0, 1.0, 0.0), ray.t == 5.0), 1.0); }

//// pointer_let: green
// wgpu #4540: the same through a name
struct Thing { a: i32, b: i32 }
fn something(x: ptr<function, i32>) -> i32 { *x = 7; return *x + 1; }
fn part_of(thing: ptr<function, Thing>) -> i32 { let part = &((*thing).b); return something(part); }
fn paint(at: vec2f) -> vec4f {
    var thing = Thing(1, 2);
    let eight = part_of(&thing);
    return vec4f(select(vec3f(1.0, 0.0, 0.0), vec3f(0.0, 1.0, 0.0), eight == 8 && thing.b == 7 && thing.a == 1), 1.0); }

//// pointer_nested: green
// wgpu #5593: a struct within a struct
struct Inner { a: f32 }
struct Outer { inner: Inner, b: f32 }
fn g(inner: ptr<function, Inner>) { (*inner).a = 3.0; }
fn f(outer: ptr<function, Outer>) { g(&(*outer).inner); (*outer).b = (*outer).inner.a; }
fn paint(at: vec2f) -> vec4f {
    var outer: Outer;
    f(&outer);
    return vec4f(select(vec3f(1.0, 0.0, 0.0), vec3f(0.0, 1.0, 0.0), outer.b == 3.0), 1.0); }

//// pointer_element: green
// wgpu #7315: an element of an array, by an index that is not constant
fn double(x: ptr<function, i32>) { *x *= 2; }
fn paint(at: vec2f) -> vec4f {
    var list = array(1, 2, 3, 4);
    for (var i = 0; i < 4; i++) { double(&list[i]); }
    double(&list[u32(clamp(at.x, 2.0, 2.0))]);
    return vec4f(select(vec3f(1.0, 0.0, 0.0), vec3f(0.0, 1.0, 0.0), list[0] == 2 && list[1] == 4 && list[2] == 12 && list[3] == 8), 1.0); }

//// pointer_arrays: green
// wgpu #10266: arrays of arrays of arrays
fn takes(p: ptr<function, i32>) { *p = 9; }
fn within(v: ptr<function, array<array<array<i32, 4>, 4>, 4>>, i: u32, j: u32) { takes(&(*v)[i][0][j]); }
fn paint(at: vec2f) -> vec4f {
    var v: array<array<array<i32, 4>, 4>, 4>;
    within(&v, 2u, 3u);
    return vec4f(select(vec3f(1.0, 0.0, 0.0), vec3f(0.0, 1.0, 0.0), v[2][0][3] == 9 && v[2][0][2] == 0), 1.0); }

//// pointer_out_of_bounds: green
// an element that is not there
fn put(p: ptr<function, f32>) { *p = 1.0; }
fn paint(at: vec2f) -> vec4f {
    var list: array<f32, 3>;
    put(&list[u32(at.x) + 1000000u]);
    put(&list[i32(at.y) - 1000000]);
    return vec4f(select(vec3f(1.0, 0.0, 0.0), vec3f(0.0, 1.0, 0.0), list[0] + list[1] + list[2] <= 3.0), 1.0); }

//// pointer_private: green
// a part of a private variable
struct State { seed: u32, sum: f32 }
var<private> state: State;
var<private> pair: array<State, 2>;
fn next(seed: ptr<private, u32>) -> u32 { *seed = *seed * 3u + 1u; return *seed; }
fn twice(a: ptr<private, State>) { next(&(*a).seed); next(&(*a).seed); }
fn paint(at: vec2f) -> vec4f {
    state.seed = 1u;
    let four = next(&state.seed);
    pair[1].seed = 2u;
    twice(&pair[1]);
    return vec4f(select(vec3f(1.0, 0.0, 0.0), vec3f(0.0, 1.0, 0.0), four == 4u && state.seed == 4u && pair[1].seed == 22u && pair[0].seed == 0u), 1.0); }

//// pointer_two: green
// two parts at once, of one variable
fn swap(a: ptr<function, f32>, b: ptr<function, f32>) { let c = *a; *a = *b; *b = c; }
fn paint(at: vec2f) -> vec4f {
    var list = array<f32, 4>(1.0, 2.0, 3.0, 4.0);
    swap(&list[0], &list[3]);
    swap(&list[1], &list[2]);
    return vec4f(select(vec3f(1.0, 0.0, 0.0), vec3f(0.0, 1.0, 0.0), list[0] == 4.0 && list[1] == 3.0 && list[2] == 2.0 && list[3] == 1.0), 1.0); }

//// pointer_flow: green
// in loops, switches, and behind `&&`
struct Box { n: i32, on: bool }
fn up(n: ptr<function, i32>) -> bool { *n += 1; return *n < 10; }
fn paint(at: vec2f) -> vec4f {
    var box: Box;
    loop {
        switch box.n { case 3, 4: { up(&box.n); } default: { if box.on && up(&box.n) { continue; } } }
        box.on = true;
        continuing { up(&box.n); break if box.n > 20; }
    }
    return vec4f(select(vec3f(1.0, 0.0, 0.0), vec3f(0.0, 1.0, 0.0), box.n > 20 && box.n < 24), 1.0); }

//// pointer_deep: green
// a copy within a function that was handed a copy
struct A { v: f32 }
struct B { a: A }
struct C { b: B }
fn on_v(v: ptr<function, f32>) { *v += 1.0; }
fn on_a(a: ptr<function, A>) { on_v(&(*a).v); on_v(&(*a).v); }
fn on_b(b: ptr<function, B>) { on_a(&(*b).a); }
fn paint(at: vec2f) -> vec4f {
    var c: C;
    on_b(&c.b);
    on_v(&c.b.a.v);
    return vec4f(select(vec3f(1.0, 0.0, 0.0), vec3f(0.0, 1.0, 0.0), c.b.a.v == 3.0), 1.0); }

//// pointer_matrix: green
// a column of a matrix
fn put(v: ptr<function, vec2f>) { *v = vec2f(5.0, 6.0); }
fn paint(at: vec2f) -> vec4f {
    var m = mat2x2f();
    put(&m[1]);
    return vec4f(select(vec3f(1.0, 0.0, 0.0), vec3f(0.0, 1.0, 0.0), m[1].y == 6.0 && m[0].x == 0.0), 1.0); }

//// pointer_component: refused
// wgpu #4517: a part of a vector has no address
fn test(rng: ptr<function, u32>) { }
fn paint(at: vec2f) -> vec4f { var rngs = vec3u(1u, 2u, 3u); test(&rngs.x); return vec4f(1.0); }

//// pointer_uniform: refused at 2: address space `uniform`
// a pointer to what is read alone
fn f(p: ptr<uniform, vec4f>) -> vec4f { return *p; }
fn paint(at: vec2f) -> vec4f { return f(&engine.here.colour); }

//// pointer_returned: refused
// a pointer cannot be kept
struct Keeps { p: ptr<function, f32> }
fn paint(at: vec2f) -> vec4f { return vec4f(1.0); }

//// pointer_assigned: refused
// a pointer that is set
fn paint(at: vec2f) -> vec4f { var x = 1.0; var p = &x; p = &x; return vec4f(*p); }
