// How bright the canvas is, in a few cells: each the mean of some places, in linear light.

@group(0) @binding(0) var canvas: texture_2d<f32>;
@group(0) @binding(1) var linear: sampler;

// As in src/stage/light.rs.
const CELLS: vec2f = vec2f(16.0, 9.0);

@vertex fn vertex(@builtin(vertex_index) index: u32) -> @builtin(position) vec4f {
    return vec4f(f32(index & 1u) * 4.0 - 1.0, 1.0 - f32(index >> 1u) * 4.0, 0.0, 1.0);
}

// The canvas is read as sRGB, so what a sample gives is linear already.
@fragment fn fragment(@builtin(position) position: vec4f) -> @location(0) vec4f {
    var sum = vec3f(0.0);
    for (var i = 0u; i < 16u; i++) {
        let place = vec2f(f32(i & 3u), f32(i >> 2u)) * 0.25 - 0.375;
        sum += textureSampleLevel(canvas, linear, (position.xy + place) / CELLS, 0.0).rgb;
    }
    return vec4f(dot(sum / 16.0, vec3f(0.2126, 0.7152, 0.0722)), 0.0, 0.0, 1.0);
}
