// Everything flat that a scene draws: shapes by their distance, letters from the atlas, triangles with soft edges.
// Colours are sRGB and are mixed as they are, as CSS and canvases do; what comes out is premultiplied.

struct Engine { canvas: vec2f, now: f32, pixel: f32 }
@group(0) @binding(0) var<uniform> engine: Engine;
@group(0) @binding(1) var atlas: texture_2d<f32>;
@group(0) @binding(2) var linear: sampler;

// From canvas units to the gradient's own, as a matrix of two columns and a shift; along what it runs.
struct Gradient { matrix: vec4f, shift: vec2f, along: f32, unused: f32 }
@group(0) @binding(3) var<uniform> gradients: array<Gradient, 64>;
// Its colours, a row each, straight alpha.
@group(0) @binding(4) var ramps: texture_2d<f32>;
// The image that is drawn, colours multiplied by their alpha.
@group(0) @binding(5) var image: texture_2d<f32>;

// What a corner's `kind` says, as src/stage/batch.rs writes it.
const WHAT: u32 = 3u; // 0 triangles, 1 a shape, 2 a letter, 3 an image
const ADDS: u32 = 4u;
const LINES: u32 = 8u;
const DOTS: u32 = 16u;
const DARKENS: u32 = 32u;
const FILL_GRADIENT: u32 = 8u;
const STROKE_GRADIENT: u32 = 16u;

// How much of a pattern's colour is left in its gaps, so that one still sees whose shape it is.
const GAP: f32 = 0.25;

struct In {
    @location(0) at: vec2f,
    @location(1) local: vec2f,
    @location(2) half: vec2f,
    @location(3) edge: vec3f,
    @location(4) kind: u32,
    @location(5) fill: vec4f,
    @location(6) stroke: vec4f,
}

struct Out {
    @builtin(position) position: vec4f,
    @location(0) local: vec2f,
    @location(1) @interpolate(flat) half: vec2f,
    @location(2) @interpolate(flat) edge: vec3f,
    @location(3) @interpolate(flat) kind: u32,
    @location(4) @interpolate(flat) fill: vec4f,
    @location(5) @interpolate(flat) stroke: vec4f,
}

@vertex fn vertex(in: In) -> Out {
    let at = in.at / engine.canvas * 2.0 - 1.0;
    return Out(vec4f(at.x, -at.y, 0.0, 1.0), in.local, in.half, in.edge, in.kind, in.fill, in.stroke);
}

fn over(below: vec4f, above: vec4f) -> vec4f {
    return above + below * (1.0 - above.a);
}

// A colour, or that of a gradient at a place of the canvas.
fn shade(colour: vec4f, number: u32, at: vec2f) -> vec4f {
    if (number & 127u) == 0u {
        return colour;
    }
    let row = (number & 127u) - 1u;
    let gradient = gradients[row];
    let place = gradient.matrix.xy * at.x + gradient.matrix.zw * at.y + gradient.shift;
    var along = place.x;
    if gradient.along == 1.0 {
        along = length(place);
    } else if gradient.along == 2.0 {
        along = fract(atan2(place.y, place.x) / 6.2831853);
    }
    // The middles of the first and the last texel are its ends.
    let texel = (clamp(along, 0.0, 1.0) * 255.0 + 0.5) / 256.0;
    let ramp = textureSampleLevel(ramps, linear, vec2f(texel, (f32(row) + 0.5) / 64.0), 0.0);
    return vec4f(ramp.rgb, ramp.a * colour.a);
}

// The colour of a pixel; `fill` is how much of the fill its pattern leaves.
fn colour_of(in: Out, fill: f32) -> vec4f {
    let what = in.kind & WHAT;
    // Outside of any branch, since derivatives and samples want all pixels alike.
    let corner = abs(in.local) - in.half + in.edge.x;
    let distance = length(max(corner, vec2f(0.0))) + min(max(corner.x, corner.y), 0.0) - in.edge.x;
    let step = max(fwidth(distance), 1e-6);
    let letter = textureSampleLevel(atlas, linear, in.local, 0.0).r;
    let texel = textureSampleLevel(image, linear, in.local, 0.0);
    let rim = (abs(in.local - in.edge.xy) - in.half) / max(fwidth(in.local), vec2f(1e-9));

    var colour = vec4f(in.fill.rgb, 1.0) * (in.fill.a * fill);
    if what == 2u {
        colour *= letter;
    } else if what == 1u {
        let fade = max(step, in.edge.z);
        let inside = clamp(0.5 - distance / fade, 0.0, 1.0);
        let band = clamp(0.5 - (abs(distance) - in.edge.y * 0.5) / fade, 0.0, 1.0) * min(in.edge.y / step, 1.0);
        colour *= smoothstep(0.0, 1.0, inside);
        colour = over(colour, vec4f(in.stroke.rgb, 1.0) * in.stroke.a * smoothstep(0.0, 1.0, band));
    } else if what == 3u {
        let seen = clamp(0.5 - rim, vec2f(0.0), vec2f(1.0));
        colour = texel * colour * seen.x * seen.y;
    } else {
        colour *= in.local.x;
    }
    if (in.kind & DARKENS) != 0u {
        // White where nothing is: the darker of both is kept.
        return vec4f(colour.rgb + 1.0 - colour.a, colour.a);
    }
    return vec4f(colour.rgb, select(colour.a, 0.0, (in.kind & ADDS) != 0u));
}

// How much of a fill is seen at a place of the canvas. Patterns hang in the canvas: what moves passes through them.
fn pattern(kind: u32, at: vec2f) -> f32 {
    let unit = max(engine.canvas.x, engine.canvas.y) / 1920.0;
    // Units by which the place lies within the pattern's own edge.
    var within = 0.0;
    if (kind & LINES) != 0u {
        let pitch = 10.0 * unit;
        let across = fract(dot(at, vec2f(0.70710678)) / pitch) - 0.5;
        within = (0.275 - abs(across)) * pitch;
    } else if (kind & DOTS) != 0u {
        let pitch = 14.0 * unit;
        // Rows so far apart that each dot has six neighbours; every other one is moved by half a step.
        let row = at.y / (pitch * 0.8660254);
        let cell = fract(vec2f(at.x / pitch + fract(floor(row) * 0.5), row)) - 0.5;
        within = 0.37 * pitch - length(cell * vec2f(pitch, pitch * 0.8660254));
    } else {
        return 1.0;
    }
    return mix(GAP, 1.0, clamp(within * engine.pixel + 0.5, 0.0, 1.0));
}

@fragment fn plain(in: Out) -> @location(0) vec4f {
    return colour_of(in, 1.0);
}

// The same for a run in which something has a pattern or a gradient.
@fragment fn rich(in: Out) -> @location(0) vec4f {
    let at = in.position.xy / engine.pixel;
    var shaded = in;
    shaded.fill = shade(in.fill, in.kind >> FILL_GRADIENT, at);
    shaded.stroke = shade(in.stroke, in.kind >> STROKE_GRADIENT, at);
    return dithered(colour_of(shaded, pattern(in.kind, at)), in);
}

// With less than a step of noise, so that a slow change over a large surface has no edges (interleaved gradient noise,
// Jimenez 2014). What is darkened is left as it is: its 1 has to stay 1.
fn dithered(colour: vec4f, in: Out) -> vec4f {
    let noise = fract(52.9829189 * fract(dot(in.position.xy, vec2f(0.06711056, 0.00583715)))) - 0.5;
    let seen = (in.kind & DARKENS) == 0u && any(colour.rgb > vec3f(0.0));
    return vec4f(colour.rgb + select(0.0, noise / 255.0, seen), colour.a);
}

// Only the stencil is written.
@fragment fn stamp() -> @location(0) vec4f {
    return vec4f(0.0);
}
