// A layer's picture laid onto what is below, or onto what it was itself a moment ago.

// From places of the canvas, 0 to 1, to places of the picture: columns of a matrix and a shift; how much is seen.
struct Laid { matrix: vec4f, shift: vec2f, alpha: f32, darkens: f32 }
@group(0) @binding(0) var<uniform> laid: Laid;
@group(0) @binding(1) var picture: texture_2d<f32>;
@group(0) @binding(2) var linear: sampler;

struct Out { @builtin(position) position: vec4f, @location(0) at: vec2f }

@vertex fn vertex(@builtin(vertex_index) index: u32) -> Out {
    let corner = vec2f(f32(index & 1u), f32(index >> 1u)) * 2.0;
    return Out(vec4f(corner.x * 2.0 - 1.0, 1.0 - corner.y * 2.0, 0.0, 1.0), corner);
}

// The picture is multiplied by its alpha, and so is what comes out.
@fragment fn fragment(in: Out) -> @location(0) vec4f {
    let at = laid.matrix.xy * in.at.x + laid.matrix.zw * in.at.y + laid.shift;
    let within = all(at == clamp(at, vec2f(0.0), vec2f(1.0)));
    // Light that adds up for long would leave what half precision holds, and never fade.
    let was = clamp(textureSampleLevel(picture, linear, at, 0.0), vec4f(0.0), vec4f(4.0));
    let colour = was * select(0.0, laid.alpha, within);
    return vec4f(colour.rgb + laid.darkens * (1.0 - colour.a), colour.a);
}
