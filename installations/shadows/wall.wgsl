// A plastered wall with a round gate in it, through which the other city's light falls. Colours are sRGB as CSS writes
// them. No loop but over the pools of light that there are.

struct Params {
    wall: vec4f,    // rgb in full light; w: how much of a day it is, 0 to 1
    lamp: vec4f,    // rgb of their light; w: how much they are there, 0 to 1
    gate: vec4f,    // x, y, radius; w: how much it glows while it waits, 0 to 1
    zenith: vec4f,  // rgb of their sky above; w: how much night
    horizon: vec4f, // rgb of their sky at the horizon; w: how much of their sun is seen
    sun: vec4f,     // their sun behind the gate: x, y, radius, warmth
    pools: array<vec4f, 12>, // x, y, size, strength
    tints: array<vec4f, 12>, // rgb
    pool_count: u32,
}

fn hash(p: vec2f) -> f32 {
    var q = fract(vec3f(p.x, p.y, p.x) * 0.1031);
    q += dot(q, q.yzx + 33.33);
    return fract((q.x + q.y) * q.z);
}

fn plaster(p: vec2f) -> f32 {
    let i = floor(p);
    let f = p - i;
    let s = f * f * (3.0 - 2.0 * f);
    return mix(mix(hash(i), hash(i + vec2f(1.0, 0.0)), s.x), mix(hash(i + vec2f(0.0, 1.0)), hash(i + vec2f(1.0, 1.0)), s.x), s.y);
}

// Light laid over a colour: by night it adds, by day it tints, and never burns out to white.
fn lit(under: vec3f, light: vec3f, strength: f32) -> vec3f {
    let day = params.wall.w;
    let tinted = mix(under, under * (0.45 + 0.75 * light), strength);
    return mix(under + light * strength * 0.75, tinted, day);
}

fn paint(at: vec2f) -> vec4f {
    let size = engine.canvas;
    let off = (at - vec2f(0.5, 0.45) * size) / size;
    let day = params.wall.w;
    let grain = plaster(at / vec2f(210.0, 150.0)) * 0.6 + plaster(at / vec2f(34.0, 26.0)) * 0.4;
    var colour = params.wall.rgb * (1.04 - 0.55 * dot(off, off)) * (0.965 + 0.07 * grain);

    // Their light on the wall round the gate.
    let side = at - params.gate.xy;
    let far = length(side);
    let r = params.gate.z;
    let q = far / r;
    colour = lit(colour, params.lamp.rgb, params.lamp.w * 0.5 / (1.0 + q * q * 1.3));
    for (var i = 0u; i < min(params.pool_count, 12u); i++) {
        let pool = params.pools[i];
        let d = (at - pool.xy) / pool.z;
        let glow = 1.0 / (1.0 + dot(d, d) * 2.4);
        colour = lit(colour, params.tints[i].rgb, glow * glow * pool.w);
    }

    // The gate: their sky, as deep as the wall is thick.
    if (far < r + 12.0) {
        let live = params.lamp.w;
        let up = clamp(0.5 - side.y / (1.8 * r), 0.0, 1.0);
        var sky = mix(params.horizon.rgb, params.zenith.rgb, up * (2.0 - up));
        let d = at - params.sun.xy;
        let near = dot(d, d) / (params.sun.z * params.sun.z);
        let sun = mix(vec3f(1.0, 0.97, 0.88), vec3f(1.0, 0.66, 0.36), params.sun.w);
        sky = mix(sky, sun, params.horizon.w * min(1.0, (1.0 - smoothstep(0.86, 1.0, near)) + 0.4 / (1.0 + near * 0.35)) * 0.95);
        let star = floor(at / 19.0);
        let h = hash(star);
        let p = at - (star + 0.2 + 0.6 * vec2f(fract(h * 57.0), fract(h * 131.0))) * 19.0;
        sky += vec3f(0.85, 0.9, 1.0) * (params.zenith.w * step(0.86, h) * max(0.0, 1.0 - dot(p, p) / 6.0) * up);
        sky *= 0.62 + 0.38 * smoothstep(0.0, 34.0, r - length(side + vec2f(-7.0, -13.0)));
        let inside = 1.0 - smoothstep(r - 1.5, r + 1.5, far);
        colour = mix(colour, sky, inside * live);
        // Its rim; without them a line of dashes that waits.
        let rim = 1.0 - smoothstep(1.5, 4.0, abs(far - r - 2.0));
        let turn = atan2(side.y, side.x) * 9.5492966 + engine.now * 0.05;
        let dash = smoothstep(0.16, 0.24, abs(fract(turn) - 0.5));
        let line = mix(params.wall.rgb * 1.9 + 0.12, params.wall.rgb * 0.62, day);
        colour = mix(colour, line, rim * mix(dash, 1.0, live) * (0.55 + 0.45 * params.gate.w));
        colour += params.lamp.rgb * (params.gate.w * 0.05 * inside);
    }

    // Where people keep the lamp off the wall: soft, a little beside them.
    colour *= 1.0 - 0.22 * body_here(at - vec2f(16.0, 10.0));
    colour += (hash(at + fract(engine.now) * 61.0) - 0.5) / 255.0;
    return vec4f(clamp(colour, vec3f(0.0), vec3f(1.0)), 1.0);
}
