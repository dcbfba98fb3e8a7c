// A still lake under one sky: its left half is the first city's, its right half the second's, in both cities alike.
// Colours are sRGB as CSS writes them. No loop but over the rings and the pools of light that there are.

struct Params {
    colours: array<vec4f, 3>, // rgb of a drop of rain, of here, of there
    shores: array<vec4f, 2>, // rgb of the left city and of the right one
    zenith: array<vec4f, 2>,  // rgb of the sky above, left and right; w: how much night, 0 to 1
    horizon: array<vec4f, 2>, // rgb of the sky at the horizon; w: how much of its sun is seen, 0 to 1
    suns: array<vec4f, 2>,    // x, y, size, warmth
    rings: array<vec4f, 24>,  // x, y, radius, whose (0, 1, 2) + strength (0 to 0.99)
    shapes: array<vec4f, 24>, // of each ring: how much x and y count, as the lake is seen from the side; the squares
                              // of the radii between which it is to be seen
    pools: array<vec4f, 14>,  // x, y, size, whose (1, 2) + strength (0 to 0.99)
    ring_count: u32,
    pool_count: u32,
}

const HORIZON: f32 = 0.36; // of the height
const WAVE: f32 = 44.0;    // from crest to crest

fn hash(p: vec2f) -> f32 {
    var q = fract(vec3f(p.x, p.y, p.x) * 0.1031);
    q += dot(q, q.yzx + 33.33);
    return fract((q.x + q.y) * q.z);
}

// 0 over the left city, 1 over the right one, and soft between.
fn over_there(x: f32) -> f32 {
    return smoothstep(0.36, 0.64, x);
}

// The sky without its lights; `up` is 0 at the horizon and 1 at the top.
fn sky(x: f32, up: f32) -> vec3f {
    let side = over_there(x);
    let low = mix(params.horizon[0].rgb, params.horizon[1].rgb, side);
    let high = mix(params.zenith[0].rgb, params.zenith[1].rgb, side);
    let t = clamp(up, 0.0, 1.0);
    return mix(low, high, t * (2.0 - t));
}

// Light laid over a colour: by night it adds, by day it tints, and never burns out to white.
fn lit(under: vec3f, light: vec3f, cover: f32) -> vec3f {
    let most = clamp(max(light.r, max(light.g, light.b)), 0.0, 1.0);
    return under * (1.0 - cover * most) + light;
}

fn sun_colour(i: u32) -> vec3f {
    return mix(vec3f(1.0, 0.97, 0.88), vec3f(1.0, 0.62, 0.34), params.suns[i].w) * params.horizon[i].w;
}

// Windows of a far shore at night: how bright here, and how far each one's reflection reaches.
fn windows(x: f32, wide: f32) -> vec2f {
    let cell = floor(x / 23.0);
    let h = hash(vec2f(cell, 7.0));
    let off = abs(x - (cell + 0.25 + 0.5 * fract(h * 17.0)) * 23.0);
    let glow = max(0.0, 1.0 - off / wide) * step(0.62, h);
    return vec2f(glow * (0.25 + 0.75 * fract(h * 91.0)), 2.4 + 9.0 * fract(h * 43.0));
}

fn paint(at: vec2f) -> vec4f {
    let size = engine.canvas;
    let shore = size.y * HORIZON;
    let night = mix(params.zenith[0].w, params.zenith[1].w, over_there(at.x / size.x));
    let lamp = mix(params.shores[0].rgb, params.shores[1].rgb, smoothstep(0.49, 0.51, at.x / size.x));
    let town = mix(vec3f(1.0, 0.80, 0.52), lamp, 0.45) * night;
    var colour = vec3f(0.0);

    if (at.y < shore) {
        let up = 1.0 - at.y / shore;
        colour = sky(at.x / size.x, up);
        // Stars, where it is night.
        let cell = floor(at / 22.0);
        let h = hash(cell);
        if (h > 0.86 && night > 0.02) {
            let star = (cell + 0.2 + 0.6 * vec2f(fract(h * 57.0), fract(h * 131.0))) * 22.0;
            let d = at - star;
            let glow = max(0.0, 1.0 - dot(d, d) / 5.0);
            let twinkle = 0.75 + 0.25 * sin(engine.now * (0.4 + fract(h * 23.0)) + h * 600.0);
            colour += vec3f(0.85, 0.9, 1.0) * (glow * twinkle * night * up * (0.25 + 0.75 * fract(h * 311.0)));
        }
        for (var i = 0u; i < 2u; i++) {
            let sun = params.suns[i];
            let d = at - sun.xy;
            let q = dot(d, d) / (sun.z * sun.z);
            let halo = 1.0 / (1.0 + q * 0.11);
            let disc = 1.0 - smoothstep(0.80, 1.0, q);
            colour = lit(colour, sun_colour(i) * min(1.0, disc + halo * halo * 0.55), 0.9);
        }
        let above = shore - at.y;
        if (above < 14.0) {
            colour += town * (windows(at.x, 3.4).x * max(0.0, 1.0 - abs(above - 4.0) / 3.2) + 0.10 * (1.0 - above / 14.0));
        }
    } else {
        let t = (at.y - shore) / (size.y - shore); // 0 at the far shore, 1 at the feet
        // The lake's own slow ripples, closer together the farther they are.
        let z = 1.0 / (t + 0.09);
        let p = vec2f((at.x - size.x * 0.5) * z * 0.010, z * 9.0);
        let now = engine.now;
        let bend = sin(p.x * 0.31 + p.y * 0.23 + now * 0.21);
        let a = sin(p.y * 1.7 + p.x * 0.42 + bend * 1.9 + now * 0.80);
        let b = sin(p.y * 3.1 - p.x * 0.95 + bend * 2.3 - a * 0.8 - now * 1.10);
        let c = sin(p.y * 6.3 + p.x * 1.70 + b * 1.3 + now * 1.63);
        let calm = smoothstep(0.0, 0.12, t);
        let swell = (a * 0.5 + b * 0.33 + c * 0.17) * (0.35 + 0.65 * calm);

        // Rings: a crest runs out, others follow it. They tilt the water, and carry the light of who made them.
        var tilt = vec2f(0.0);
        var crest = vec3f(0.0);
        for (var i = 0u; i < min(params.ring_count, 24u); i++) {
            let ring = params.rings[i];
            let shape = params.shapes[i];
            let d = (at - ring.xy) * shape.xy;
            let far = dot(d, d);
            if (far > shape.z && far < shape.w) {
                let whose = u32(ring.w);
                let strength = fract(ring.w);
                let distance = sqrt(far);
                let q = distance - ring.z;
                let front = 1.0 - smoothstep(0.0, 12.0, q);
                let tail = smoothstep(-WAVE * 3.4, 0.0, q);
                let phase = q * (6.2831853 / WAVE);
                let body = front * tail * tail * strength;
                let high = 0.5 + 0.5 * cos(phase);
                let thin = high * high * high;
                // The far rim shows its face, the near rim its back.
                let facing = 0.72 - 0.28 * d.y / max(distance, 1.0);
                let light = mix(params.colours[whose].rgb, vec3f(1.0), 0.35 * thin * strength * min(f32(whose), 1.0));
                crest += light * ((thin * thin * 1.25 + 0.10 * tail) * body * facing);
                tilt += d * (sin(phase) * body / max(distance, 1.0));
            }
        }

        // What is mirrored, seen through the tilt.
        let shake = (4.0 + 30.0 * t) * swell;
        let seen = vec2f(at.x + shake * 0.9 + tilt.x * 46.0, t + swell * 0.050 * calm + tilt.y * 0.30);
        let mirror = sky(seen.x / size.x, seen.y * 1.15);
        let deep = mirror * vec3f(0.22, 0.32, 0.38) + vec3f(0.006, 0.018, 0.030);
        let grazing = (1.0 - t) * (1.0 - t);
        colour = mix(deep, mirror * vec3f(0.86, 0.90, 0.94), 0.22 + 0.66 * grazing);
        colour *= 1.0 + (swell * 0.13 + tilt.y * 0.22) * calm;
        // A breath of mist where lake and sky meet.
        colour += sky(at.x / size.x, 0.0) * (0.16 * max(0.0, 1.0 - t * 14.0));

        // The suns' paths.
        for (var i = 0u; i < 2u; i++) {
            let sun = params.suns[i];
            let wide = sun.z * 0.75 + 150.0 * t;
            let off = (seen.x + shake * 1.6 - sun.x) / wide;
            let path = 1.0 / (1.0 + off * off * 1.6);
            let glint = smoothstep(-0.1, 0.8, mix(swell, c * 0.6 + b * 0.4, 0.3 + 0.4 * t) + tilt.y * 0.8 + path * 0.25);
            colour = lit(colour, sun_colour(i) * (path * path * (0.10 + 0.75 * glint) * (1.0 - t) * (1.0 - 0.35 * t)), 0.6);
        }
        // The windows' long reflections.
        if (t < 0.42 && night > 0.01) {
            let window = windows(at.x + shake * 0.45 + tilt.x * 16.0, 4.0 + 9.0 * t);
            let streak = window.x * max(0.0, 1.0 - t * window.y);
            colour += town * (streak * (0.46 + 0.50 * swell) + 0.07 * max(0.0, 1.0 - t * 16.0));
        }

        // Pools of light lie on the water, and the crests run through them.
        for (var i = 0u; i < min(params.pool_count, 14u); i++) {
            let pool = params.pools[i];
            let d = vec2f(seen.x - pool.x, (at.y - pool.y + shake * 0.5 + tilt.y * 30.0) * 2.4) / pool.z;
            let soft = 1.0 / (1.0 + dot(d, d) * 2.2);
            let rim = 1.0 + swell * 0.45 + tilt.y * 1.3;
            colour = lit(colour, params.colours[u32(pool.w)].rgb * (soft * soft * fract(pool.w) * rim), 0.85);
        }
        colour = lit(colour, crest * (0.9 + 0.15 * swell), 0.75);
    }

    // The heart of each light, on the water or before the sky.
    for (var i = 0u; i < min(params.pool_count, 14u); i++) {
        let pool = params.pools[i];
        let d = (at - pool.xy) / (pool.z * 0.16);
        let far = dot(d, d);
        if (far < 90.0) {
            let soft = 1.0 / (1.0 + far * 0.8);
            let light = mix(params.colours[u32(pool.w)].rgb, vec3f(1.0), 0.75 * soft);
            colour = lit(colour, light * ((soft * soft - 0.00019) * fract(pool.w) * 1.25), 0.8);
        }
    }
    colour += (hash(at + fract(engine.now) * 61.0) - 0.5) / 255.0;
    return vec4f(clamp(colour, vec3f(0.0), vec3f(1.0)), 1.0);
}
