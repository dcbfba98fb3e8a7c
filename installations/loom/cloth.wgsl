// The cloth: rows of weft through 96 warp threads, the newest at the lower edge.
struct Params {
    place: vec4f,             // top, lower edge, height of a row, how far the newest has yet to settle (in rows)
    warp: vec4f,              // colour of the warp, and how much the cloth has been cut off
    bits: array<vec4f, 48>,   // of each row, which threads the weft lies over: 24 to a number, from the newest up
    hues: array<vec4f, 48>,   // its colour, and how much of it is dyed
    others: array<vec4f, 48>, // the other city's colour in it
    count: u32,
    rows: u32,
}

fn hash(p: vec2f) -> f32 {
    let q = fract(p * vec2f(0.1031, 0.1030) + vec2f(0.11, 0.37));
    let r = q + dot(q, q.yx + 33.33);
    return fract((r.x + r.y) * r.x * 17.13);
}

fn paint(at: vec2f) -> vec4f {
    let fall = params.warp.a;
    let y = at.y - fall * fall * 700.0;
    if y < params.place.x || y > params.place.y {
        return vec4f(0.0);
    }
    let up = (params.place.y - y) / params.place.z + params.place.w;
    let row = u32(max(up, 0.0));
    if up < 0.0 || row >= params.rows {
        return vec4f(0.0);
    }
    let pitch = engine.canvas.x / 96.0;
    let thread = u32(clamp(at.x / pitch, 0.0, 95.0));
    // The cloth begins with undyed rows, one over and one under.
    let woven = row < params.count;
    let last = min(row, 47u);
    let word = params.bits[last][thread / 24u];
    let over = select((thread + row) & 1u, (u32(word) >> (23u - thread % 24u)) & 1u, woven);
    // Within one crossing, from -1 to 1.
    let cell = vec2f(fract(at.x / pitch), fract(up)) * 2.0 - 1.0;
    let hue = select(vec4f(params.warp.rgb, 0.0), params.hues[last], woven);
    // Two yarns twisted into one, where both cities have crossed.
    let twist = step(0.0, sin((at.x / pitch + f32(row) * 0.5) * 3.14159 + cell.y * 1.2));
    let weft = mix(params.others[last].rgb, hue.rgb, max(twist, 1.0 - params.others[last].a * select(0.0, 1.0, woven)));
    var colour = params.warp.rgb;
    var round = 1.0 - cell.x * cell.x;
    var lift = 1.0 - 0.35 * cell.y * cell.y;
    if over == 1u {
        colour = mix(params.warp.rgb * 0.82, weft, 0.25 + 0.75 * hue.a);
        round = 1.0 - cell.y * cell.y;
        lift = 1.0 - 0.35 * cell.x * cell.x;
    }
    let fibre = 0.94 + 0.12 * hash(floor(at / vec2f(2.0, 1.5)) + f32(over) * 7.0);
    let shade = (0.42 + 0.58 * sqrt(max(round, 0.0))) * lift * fibre;
    let edge = smoothstep(params.place.x, params.place.x + 60.0, y);
    return vec4f(colour * shade * mix(0.55, 1.0, edge), (1.0 - fall) * smoothstep(0.0, 3.0, y - params.place.x));
}
