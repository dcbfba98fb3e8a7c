//! Everything that can be drawn, each with its small picture: compared by `golden.rs`, shown by `docs/artists/api.md`.

/// What is drawn, by name. Each over the same night with a light strip, so that what is see-through is seen to be.
pub const DRAWN: &[(&str, &str)] = &[
    ("background", "draw.background(\"teal\");"),
    ("background-gradient", "draw.background(gradient.linear(0, 0, 480, 270, [\"navy\", \"gold\"]));"),
    ("circle", "draw.circle(120, 135, 70); draw.circle(330, 135, 70, { fill: \"gold\", stroke: \"red\", width: 14 });"),
    (
        "circle-soft",
        "draw.circle(120, 135, 70, { soft: 60 }); draw.circle(330, 135, 70, { stroke: \"red\", width: 10, soft: 30 });",
    ),
    ("ellipse", "draw.ellipse(240, 135, 200, 60, { fill: \"gold\", stroke: \"white\", width: 6 });"),
    (
        "rect",
        "draw.rect(20, 40, 180, 180); draw.rect(260, 40, 180, 180, { radius: 50, fill: \"gold\", stroke: \"red\", width: 12 });",
    ),
    (
        "line",
        "draw.line(20, 20, 460, 250, { width: 20 }); draw.line(20, 250, 460, 20, { stroke: \"gold\", width: 6 });",
    ),
    ("arc", "draw.arc(240, 135, 100, 0, Math.PI * 1.5, { stroke: \"gold\", width: 20 });"),
    (
        "polyline",
        "draw.polyline([[20, 240], [120, 40], [240, 240], [360, 40], [460, 240]], { stroke: \"gold\", width: 16 });",
    ),
    ("polyline-closed", "draw.polyline([60, 220, 240, 40, 420, 220], { stroke: \"gold\", width: 16, closed: true });"),
    (
        "curve",
        "draw.curve([[20, 240], [120, 40], [240, 240], [360, 40], [460, 240]], { stroke: \"gold\", width: 12 });",
    ),
    (
        "curve-filled",
        "draw.curve([[120, 40], [360, 60], [420, 220], [80, 200]], { fill: \"gold\", stroke: \"red\", width: 6 });",
    ),
    (
        "polygon",
        "draw.polygon([[240, 20], [300, 250], [40, 90], [440, 90], [180, 250]], { fill: \"gold\", stroke: \"red\", width: 4 });",
    ),
    (
        "body",
        "draw.body(person, here.look); draw.push(); draw.translate(230, 0); draw.body(person, there.look); draw.pop();",
    ),
    (
        "inside",
        "draw.inside({ x: 240, y: 135, radius: 100 }, () => { draw.background(\"teal\"); draw.rect(240, 0, 240, 270, { fill: \"gold\" }); });",
    ),
    (
        "outside",
        "draw.outside([{ x: 60, y: 60, width: 160, height: 150 }, { x: 330, y: 135, radius: 80 }], () => draw.background(\"teal\"));",
    ),
    (
        "image",
        "draw.image(\"tiles.png\", 20, 20, 200); draw.push(); draw.translate(350, 135); draw.rotate(0.4); draw.image(\"tiles.png\", 0, 0, 180, 180, { center: true, alpha: 0.8 }); draw.pop();",
    ),
    (
        "image-part",
        "draw.image(\"tiles.png\", 20, 35, 200, 200, { part: [0, 0, 8, 8] }); draw.image(\"tiles.png\", 260, 35, 200, 200, { fill: \"gold\" });",
    ),
    (
        "text",
        "draw.text(\"Moongate\", 20, 110, { size: 90 }); draw.text(\"深圳 Dublin\", 460, 220, { size: 60, fill: \"gold\", align: \"right\", language: \"zh\", bold: true });",
    ),
    (
        "text-wrap",
        "draw.text(\"Two squares and one scene\", 240, 70, { size: 54, wrap: 400, leading: 1.2, align: \"center\", weight: 300 });",
    ),
    (
        "gradient-linear",
        "draw.rect(20, 20, 440, 230, { fill: gradient.linear(20, 0, 460, 0, [\"red\", [0.3, \"gold\"], \"rgb(0 0 255 / 0%)\"]) });",
    ),
    (
        "gradient-radial",
        "draw.circle(240, 135, 120, { fill: gradient.radial(200, 100, 160, [\"white\", \"red\", \"black\"]) });",
    ),
    (
        "gradient-conic",
        "draw.circle(240, 135, 110, { stroke: gradient.conic(240, 135, -Math.PI / 2, [\"red\", \"gold\", \"teal\", \"red\"]), width: 40 });",
    ),
    (
        "gradient-text",
        "draw.text(\"Loom\", 30, 190, { size: 180, fill: gradient.linear(0, 60, 0, 200, [\"gold\", \"red\"]) });",
    ),
    (
        "pattern",
        "draw.rect(20, 35, 200, 200, { fill: \"gold\", pattern: \"lines\" }); draw.circle(350, 135, 100, { fill: \"tomato\", pattern: \"dots\", stroke: \"white\", width: 4 });",
    ),
    (
        "alpha",
        "draw.circle(180, 135, 100, { fill: \"red\", alpha: 0.5 }); draw.alpha(0.5); draw.circle(300, 135, 100, { fill: \"gold\" });",
    ),
    ("blend-add", "three(\"add\");"),
    ("blend-multiply", "draw.background(\"#f4efe6\"); three(\"multiply\");"),
    ("blend-screen", "three(\"screen\");"),
    ("blend-lighten", "three(\"lighten\");"),
    ("blend-darken", "draw.background(\"#f4efe6\"); three(\"darken\");"),
    (
        "transforms",
        "for (let i = 0; i < 8; i++) { draw.push(); draw.translate(240, 135); draw.rotate(i * Math.PI / 4); draw.scale(1 + i / 8, 1); draw.rect(30, -12, 60, 24, { fill: \"gold\", radius: 8 }); draw.pop(); }",
    ),
    ("shader", "draw.shader(\"rings.wgsl\", { middle: [240, 135], colour: [1, 0.8, 0.2] });"),
    (
        "shader-blend",
        "draw.shader(\"rings.wgsl\", { middle: [120, 135], colour: [0.2, 0.8, 0.4], blend: \"screen\" }); draw.shader(\"rings.wgsl\", { middle: [360, 135], colour: [0.3, 0.4, 0.9], blend: \"darken\" });",
    ),
    (
        "shader-inside",
        "draw.inside(person, () => draw.shader(\"rings.wgsl\", { middle: [240, 135], colour: [1, 0.5, 0.3] }));",
    ),
    ("shader-here", "draw.shader(\"seen.wgsl\");"),
    ("shader-there", "draw.shader(\"theirs.wgsl\");"),
    ("shader-buffers", "draw.shader(\"smoke.wgsl\", { at: [80 + 200 * now, 135] });"),
    ("shader-previous", "draw.shader(\"melt.wgsl\"); draw.circle(80 + 200 * now, 135, 24, { fill: \"gold\" });"),
    ("trail", "draw.trail(\"a\", { fade: 2 }, () => draw.circle(60 + 200 * now, 135, 24, { fill: \"gold\" }));"),
    (
        "trail-moves",
        "draw.trail(\"a\", { fade: 3, drift: [0, -60], grow: 1.2, turn: 0.4, blend: \"screen\" }, () => draw.rect(200, 180, 80, 20, { fill: now < 1.5 ? \"tomato\" : \"gold\" }));",
    ),
    (
        "trail-inside",
        "draw.inside({ x: 240, y: 135, radius: 110 }, () => draw.trail(\"a\", { fade: 2 }, () => draw.circle(60 + 200 * now, 135, 40, { fill: \"gold\" })));",
    ),
    (
        "kept",
        "if (count < 9) things.push({ x: 40 + 50 * count++ }); if (count === 9) things = things.filter((thing) => thing.x !== 190); draw.kept(\"a\", things, ({ x }) => draw.circle(x, 60 + x / 3, 30, { fill: gradient.radial(x, 60 + x / 3, 30, [\"gold\", \"red\"]) }), { alpha: 0.9 });",
    ),
    (
        "particles",
        "if (count++ === 0) snow.emit({ x: [0, 480], y: [0, 60] }, { count: 300, speed: 20 }); draw.particles(snow);",
    ),
    (
        "particles-add",
        "sparks.emit({ x: 240, y: 200 }, { rate: 200, speed: [60, 160], angle: -Math.PI / 2, fan: 1 }); draw.particles(sparks);",
    ),
];
