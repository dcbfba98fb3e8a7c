// Their garden: their sky with their sun or moon, hills, trees in their wind, and water. Alone it is all water.
struct Params {
    zenith: vec4f,   // colour, and how much night it is there
    horizon: vec4f,  // colour, and how much cloud is lit
    sun: vec4f,      // place, radius, and how high it stands (below 0: the moon)
    light: vec4f,    // their city's colour, and how much of the garden is there (0: water)
    wind: f32,
}

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

const SHORE: f32 = 0.60;

fn sky(at: vec2f, now: f32) -> vec3f {
    let size = engine.canvas;
    let h = clamp(at.y / (SHORE * size.y), 0.0, 1.0);
    let night = params.zenith.a;
    var colour = mix(params.zenith.rgb, params.horizon.rgb, pow(h, 1.6));
    let away = distance(at, params.sun.xy);
    let day = smoothstep(-0.08, 0.08, params.sun.w);
    let disc = smoothstep(params.sun.z + 1.5, params.sun.z - 1.5, away);
    let glow = exp(-away / (params.sun.z * 5.5));
    let warm = mix(vec3f(0.80, 0.86, 1.0), mix(vec3f(1.0, 0.72, 0.42), vec3f(1.0, 0.96, 0.84), clamp(params.sun.w * 2.0, 0.0, 1.0)), day);
    colour += warm * glow * mix(0.22, 0.5, day);
    // Clouds, thin and slow.
    let drift = fbm(vec2f(at.x / 420.0 + now * 0.012, at.y / 130.0));
    colour = mix(colour, mix(colour * 0.82, warm, 0.35 + 0.4 * params.horizon.a), smoothstep(0.52, 0.86, drift) * 0.5 * (1.0 - 0.6 * night));
    // The moon has seas.
    let face = mix(0.80 + 0.20 * fbm(at / 16.0), 1.0, day);
    colour = mix(colour, warm * face, disc);
    // Stars: they twinkle, and are not where the moon is.
    let cell = floor(at / 26.0);
    let star = hash(cell);
    let place = (cell + 0.25 + 0.5 * vec2f(hash(cell + 3.3), hash(cell + 9.1))) * 26.0;
    let seen = smoothstep(2.2, 0.4, distance(at, place)) * step(0.87, star) * (1.0 - h);
    return colour + seen * night * (0.55 + 0.35 * sin(now * (0.5 + star) + star * 60.0)) * (1.0 - disc);
}

fn water(at: vec2f, now: f32) -> vec3f {
    let size = engine.canvas;
    let deep = (at.y - SHORE * size.y) / ((1.0 - SHORE) * size.y);
    let near = mix(0.12, 1.0, deep);
    let wave = fbm(vec2f(at.x / (190.0 * near + 30.0) + now * 0.05, at.y / (26.0 * near + 3.0) - now * 0.35)) - 0.5;
    let glint = fbm(vec2f(at.x / (60.0 * near + 12.0) - now * 0.1, at.y / (7.0 * near + 1.2) + now * 0.3));
    let mirrored = vec2f(at.x + 90.0 * near * wave, 2.0 * SHORE * size.y - at.y + 60.0 * near * wave);
    var colour = sky(vec2f(mirrored.x, max(mirrored.y, 0.0)), now) * mix(0.86, 0.52, deep);
    // The sun's path over the water.
    let path = exp(-abs(at.x - params.sun.x) / (70.0 + 320.0 * deep)) * smoothstep(0.56, 0.74, glint);
    colour += path * mix(vec3f(0.55, 0.6, 0.75), vec3f(1.0, 0.86, 0.6), smoothstep(-0.08, 0.08, params.sun.w)) * 0.5;
    return mix(colour, params.light.rgb, 0.05);
}

fn ridge(x: f32, base: f32, tall: f32, wide: f32, seed: f32) -> f32 {
    return base - tall * fbm(vec2f(x / wide + seed, seed * 1.7));
}

fn paint(at: vec2f) -> vec4f {
    let size = engine.canvas;
    let now = engine.now;
    let shore = SHORE * size.y;
    let night = params.zenith.a;
    let there = params.light.a;
    var colour = sky(at, now);
    if at.y > shore {
        colour = water(at, now);
    }
    // Hills, the nearer the darker; alone there are none.
    let haze = mix(params.horizon.rgb, vec3f(0.10, 0.13, 0.22), 0.55 * night);
    for (var i = 0; i < 3; i++) {
        let n = f32(i);
        let top = ridge(at.x, shore - (30.0 - 6.0 * n), (170.0 - 42.0 * n) * there, 520.0 - 110.0 * n, 3.1 + 5.7 * n);
        let green = mix(vec3f(0.32, 0.47, 0.40), vec3f(0.13, 0.27, 0.20), n / 2.0) * mix(1.0, 0.34, night);
        let within = smoothstep(-1.2, 1.2, at.y - top) * step(at.y, shore) * there;
        colour = mix(colour, mix(haze, green, 0.45 + 0.25 * n), within);
    }
    // The garden's own shore: grass, and a path of stones that their people stand on.
    let edge = shore + (112.0 + 26.0 * fbm(vec2f(at.x / 240.0, 4.0))) * 1.0;
    let lawn = smoothstep(-1.5, 1.5, at.y - mix(size.y + 40.0, edge + 120.0, there));
    let blades = fbm(vec2f(at.x / 5.0 + 2.0 * sin(now * 0.9 + at.x / 90.0) * params.wind, at.y / 24.0));
    var grass = mix(vec3f(0.30, 0.46, 0.22), vec3f(0.16, 0.30, 0.15), (at.y - edge) / 380.0) * (0.78 + 0.44 * blades);
    let stone = smoothstep(0.55, 0.62, fbm(vec2f(at.x / 120.0, at.y / 34.0) + 11.0)) * smoothstep(size.y - 140.0, size.y - 90.0, at.y);
    grass = mix(grass, vec3f(0.62, 0.60, 0.55), 0.6 * stone);
    colour = mix(colour, grass * mix(vec3f(1.0), vec3f(0.26, 0.32, 0.46), night) + params.light.rgb * 0.04, lawn);
    // Two trees lean in from the sides, and move in their wind.
    for (var i = 0; i < 2; i++) {
        let side = f32(i);
        let sway = (10.0 + 22.0 * params.wind) * sin(now * 0.7 + 2.0 * side) * clamp((shore + 120.0 - at.y) / 500.0, 0.0, 1.0);
        let x = mix(at.x, size.x - at.x, side) + sway;
        let crown = vec2f(150.0 + 60.0 * side, 0.25 * size.y);
        let leaf = fbm(vec2f(x, at.y) / 38.0 + 20.0 * side) - 0.42;
        let reach = 1.0 - length((vec2f(x, at.y) - crown) / vec2f(330.0, 245.0));
        let canopy = smoothstep(0.0, 0.05, reach + 0.55 * leaf) * there;
        let trunk = smoothstep(17.0, 14.0, abs(x - crown.x - 24.0 * sin(at.y / 190.0))) * step(crown.y, at.y) * step(at.y, edge + 150.0) * there;
        let lit = 0.6 + 0.8 * leaf + 0.25 * reach;
        let leaves = mix(vec3f(0.20, 0.36, 0.18), vec3f(0.42, 0.55, 0.22), clamp(lit, 0.0, 1.0)) * mix(1.0, 0.30, night) + params.light.rgb * 0.05;
        colour = mix(colour, vec3f(0.20, 0.15, 0.12) * mix(1.0, 0.4, night), trunk);
        colour = mix(colour, leaves, canopy);
    }
    // Fireflies in their colour, by night.
    let cell = floor(at / 120.0);
    let own = hash(cell + 50.0);
    let place = (cell + 0.5) * 120.0 + 46.0 * vec2f(sin(now * (0.3 + 0.4 * own) + 40.0 * own), cos(now * (0.25 + 0.3 * own) + 70.0 * own));
    let blink = max(0.0, sin(now * (0.6 + own) + 30.0 * own));
    colour += params.light.rgb * exp(-distance(at, place) / 7.0) * blink * step(0.55, own) * night * there * step(shore - 60.0, at.y);
    return vec4f(colour + (hash(at + fract(now) * 61.0) - 0.5) / 255.0, 1.0);
}
