const buffer_scale = 0.33;

fn source(at: vec2f) -> vec2f {
    var fire = vec2f(body_here(at), body_there(at));
    for (var i = 0u; i < engine.here.touches; i++) {
        fire.x = max(fire.x, smoothstep(70.0, 40.0, distance(at, engine.here.touch[i].xy)));
    }
    return fire;
}

fn buffer_a(at: vec2f) -> vec4f {
    let drift = vec2f(9.0 * sin(at.y / 70.0 + engine.now), 7.0);
    var sum = vec2f(0.0);
    for (var i = 0; i < 4; i++) {
        let angle = f32(i) * 1.5708;
        sum += read_a(at + drift + 6.0 * vec2f(cos(angle), sin(angle))).xy;
    }
    return vec4f(max(0.245 * sum, 0.9 * source(at)), 0.0, 1.0);
}

fn paint(at: vec2f) -> vec4f {
    let smoke = read_a(at).xy;
    let colour = smoke.x * engine.here.colour.rgb + smoke.y * engine.there.colour.rgb;
    return vec4f(vec3f(0.03, 0.04, 0.07) + colour, 1.0);
}
