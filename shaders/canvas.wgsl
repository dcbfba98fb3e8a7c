// Everything flat that a scene draws: shapes by their distance, letters from the atlas, triangles with soft edges.
// Colours are sRGB and are mixed as they are, as CSS and canvases do; what comes out is premultiplied.

struct Engine { canvas: vec2f, now: f32, pixel: f32 }
@group(0) @binding(0) var<uniform> engine: Engine;
@group(0) @binding(1) var atlas: texture_2d<f32>;
@group(0) @binding(2) var linear: sampler;

struct In {
    @location(0) at: vec2f,
    @location(1) local: vec2f,
    @location(2) half: vec2f,
    @location(3) edge: vec3f,
    @location(4) kind: f32,
    @location(5) fill: vec4f,
    @location(6) stroke: vec4f,
}

struct Out {
    @builtin(position) position: vec4f,
    @location(0) local: vec2f,
    @location(1) @interpolate(flat) half: vec2f,
    @location(2) @interpolate(flat) edge: vec3f,
    @location(3) @interpolate(flat) kind: f32,
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

@fragment fn fragment(in: Out) -> @location(0) vec4f {
    let adds = in.kind > 3.5;
    let kind = select(in.kind, in.kind - 4.0, adds);
    // Outside of any branch, since derivatives and samples want all pixels alike.
    let corner = abs(in.local) - in.half + in.edge.x;
    let distance = length(max(corner, vec2f(0.0))) + min(max(corner.x, corner.y), 0.0) - in.edge.x;
    let step = max(fwidth(distance), 1e-6);
    let letter = textureSampleLevel(atlas, linear, in.local, 0.0).r;

    var colour = vec4f(in.fill.rgb, 1.0) * in.fill.a;
    if kind > 1.5 {
        colour *= letter;
    } else if kind > 0.5 {
        let fade = max(step, in.edge.z);
        let inside = clamp(0.5 - distance / fade, 0.0, 1.0);
        let band = clamp(0.5 - (abs(distance) - in.edge.y * 0.5) / fade, 0.0, 1.0) * min(in.edge.y / step, 1.0);
        colour *= smoothstep(0.0, 1.0, inside);
        colour = over(colour, vec4f(in.stroke.rgb, 1.0) * in.stroke.a * smoothstep(0.0, 1.0, band));
    } else {
        colour *= in.local.x;
    }
    return vec4f(colour.rgb, select(colour.a, 0.0, adds));
}
