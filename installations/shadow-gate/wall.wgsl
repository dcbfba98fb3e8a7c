// The wall: plaster that shadows cut open. Where a hole is, nothing is painted; its edge is as thick as a wall is.
struct Params {
    plaster: vec4f,  // colour, and how much day it is here
    ring: vec4f,     // the round line: place, radius, how bright
    sun: vec4f,      // their sun or moon behind the wall: place, radius, strength
    tint: vec4f,     // its colour, and how far the wall is down
    lamp: vec4f,     // the light that falls through the holes: colour, strength
    holes: array<vec4f, 24>, // round ones: place, radius, softness
    glows: array<vec4f, 16>, // rings of light on the plaster: place, radius, strength
    hues: array<vec4f, 16>,
    hole_count: u32,
    glow_count: u32,
}
const buffer_scale = 0.5;

fn hash(p: vec2f) -> f32 {
    let q = fract(p * vec2f(0.1031, 0.1030) + vec2f(0.11, 0.37));
    let r = q + dot(q, q.yx + 33.33);
    return fract((r.x + r.y) * r.x * 17.13);
}
fn noise(p: vec2f) -> f32 {
    let i = floor(p);
    let f = fract(p);
    let u = f * f * (3.0 - 2.0 * f);
    return mix(mix(hash(i), hash(i + vec2f(1.0, 0.0)), u.x), mix(hash(i + vec2f(0.0, 1.0)), hash(i + vec2f(1.0, 1.0)), u.x), u.y);
}
fn fbm(p: vec2f) -> f32 {
    return 0.55 * noise(p) + 0.28 * noise(p * 2.13 + 7.1) + 0.17 * noise(p * 4.31 + 3.7);
}

// How open the wall is, from moment to moment: it opens at once, and closes in half a second.
fn buffer_a(at: vec2f) -> vec4f {
    var open = body_here(at);
    for (var i = 0u; i < params.hole_count; i++) {
        let hole = params.holes[i];
        open = max(open, smoothstep(hole.z + hole.w, hole.z - hole.w, distance(at, hole.xy)));
    }
    let before = read_a(at).r;
    let speed = select(7.0, 16.0, open > before);
    return vec4f(mix(before, open, 1.0 - exp(-speed * max(engine.dt, 0.008))));
}
// The same, made even: its slope is the edge of the wall.
fn buffer_b(at: vec2f) -> vec4f {
    var sum = 0.0;
    var wide = 0.0;
    for (var y = -2; y <= 2; y++) {
        for (var x = -2; x <= 2; x++) {
            sum += read_a(at + vec2f(f32(x), f32(y)) * 4.5).r;
            wide += read_a(at + vec2f(f32(x), f32(y)) * 34.0).r;
        }
    }
    // In the second, how near an opening is.
    return vec4f(sum / 25.0, mix(wide / 25.0, read_b(at).g, 0.7), 0.0, 0.0);
}

fn paint(at: vec2f) -> vec4f {
    let down = params.tint.a;
    let day = params.plaster.a;
    let soft = read_b(at).r;
    // The wall comes down in flakes, from above.
    let flake = fbm(at / 90.0) * 0.7 + 0.3 * at.y / engine.canvas.y;
    let gone = smoothstep(flake - 0.06, flake + 0.06, down * 1.2);
    let open = max(smoothstep(0.42, 0.60, soft), gone);
    if open > 0.999 {
        return vec4f(0.0);
    }
    // Plaster: trowelled, a little uneven, lit from above.
    let trowel = fbm(at / vec2f(260.0, 90.0) + 2.0) - 0.5;
    let grain = noise(at / 2.3) - 0.5;
    let step = 3.0;
    let bump = fbm((at + vec2f(0.0, step)) / vec2f(60.0, 34.0)) - fbm((at - vec2f(0.0, step)) / vec2f(60.0, 34.0));
    var colour = params.plaster.rgb * (1.0 + 0.10 * trowel + 0.030 * grain + 0.35 * bump);
    colour *= 1.0 - 0.22 * length((at / engine.canvas - vec2f(0.5, 0.42)) * vec2f(0.9, 0.8));
    // Their sun or moon, behind the plaster.
    let away = distance(at, params.sun.xy);
    let through = smoothstep(params.sun.z * 1.06, params.sun.z * 0.94, away) * 0.55 + exp(-away / (params.sun.z * 2.2)) * 0.5;
    colour = mix(colour, params.tint.rgb, clamp(through * params.sun.w, 0.0, 0.85));
    // The round line, scratched in.
    let line = abs(distance(at, params.ring.xy) - params.ring.z);
    colour *= 1.0 - 0.22 * smoothstep(3.0, 0.5, line);
    colour += params.lamp.rgb * params.ring.w * exp(-line / 26.0);
    // Light that falls out of the holes onto the plaster, and the thickness of their edges.
    let e = 7.0;
    let slope = vec2f(read_b(at + vec2f(e, 0.0)).r - read_b(at - vec2f(e, 0.0)).r, read_b(at + vec2f(0.0, e)).r - read_b(at - vec2f(0.0, e)).r);
    let halo = smoothstep(0.0, 0.5, soft) + 0.9 * read_b(at).g;
    colour += params.lamp.rgb * params.lamp.a * halo * 0.5;
    colour *= 1.0 + clamp(dot(slope, vec2f(-0.5, -0.9)), -0.5, 0.5) * 0.9;
    // Rings of light that hands send.
    for (var i = 0u; i < params.glow_count; i++) {
        let glow = params.glows[i];
        let off = abs(distance(at, glow.xy) - glow.z);
        colour = mix(colour, params.hues[i].rgb, clamp(glow.w * (smoothstep(7.0, 2.0, off) + 0.35 * exp(-off / 30.0)), 0.0, 0.9));
    }
    return vec4f(colour + (hash(at + fract(engine.now) * 61.0) - 0.5) / 255.0, 1.0 - open);
}
