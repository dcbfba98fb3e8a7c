struct Params { speed: f32, day: f32 }

fn paint(at: vec2f) -> vec4f {
    var near = 1e4;
    for (var i = 0u; i < engine.here.touches; i++) {
        near = min(near, distance(at, engine.here.touch[i].xy));
    }
    let wave = 0.5 + 0.5 * sin(at.x / 90.0 + 3.0 * sin(at.y / 160.0 + engine.now * params.speed));
    var colour = mix(vec3f(0.05, 0.08, 0.16), vec3f(0.12, 0.22, 0.36), wave * (0.6 + params.day));
    colour = mix(colour, engine.there.colour.rgb, 0.7 * body_there(at));
    colour = mix(colour, engine.here.colour.rgb, body_here(at));
    return vec4f(colour + exp(-near / 90.0), 1.0);
}
