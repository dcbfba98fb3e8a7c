//! A small picture of everything that can be drawn, compared with the one that was looked at and found right.
//!
//! `MOONGATE_GOLDEN=write cargo test --test golden` writes them anew into `tests/golden`: open them before you keep them.
#![cfg(feature = "show")]

mod common;

use image::{Rgba, RgbaImage};
use moongate::scene::{Edition, FromScene, Host, Sees};
use moongate::stage::{Studio, Watched};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

const CANVAS: [f32; 2] = [480.0, 270.0];
const PIXELS: [u32; 2] = [160, 90];
/// The mean difference of a channel that is allowed, and of how many pixels in a thousand one may be more than `FAR` off:
/// rasterisers draw edges a little differently.
const MEAN: f64 = 1.5;
const THOUSANDTHS: usize = 15;
const FAR: u8 = 40;

/// What is drawn, by name. Each over the same night with a light strip, so that what is see-through is seen to be.
const DRAWN: &[(&str, &str)] = &[
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
];

const RINGS: &str = "struct Params { middle: vec2f, colour: vec3f }
fn paint(at: vec2f) -> vec4f {
    let ring = 0.5 + 0.5 * sin(distance(at, params.middle) / 8.0 - engine.now);
    return vec4f(params.colour, ring);
}";
const SEEN: &str = "fn paint(at: vec2f) -> vec4f { return vec4f(body_here(at), flow_here(at).x / 100.0, 0.2, 1.0); }";

/// A folder with what the scenes name, and a scene that draws this.
fn edition(draws: &str) -> (tempfile::TempDir, Arc<Edition>) {
    let script = format!(
        "import {{ draw, gradient, mix, here, there }} from \"moongate\";
const person = [[100, 20], [130, 40], [125, 80], [160, 110], [165, 180], [140, 190], [140, 260], [60, 260], [60, 190], [35, 180], [40, 110], [75, 80], [70, 40]];
const three = (blend) => {{
  draw.circle(190, 110, 80, {{ fill: \"#d04030\", blend }});
  draw.circle(290, 110, 80, {{ fill: \"#30b040\", blend }});
  draw.circle(240, 180, 80, {{ fill: \"#3050d0\", blend, alpha: 0.8 }});
}};
export function frame() {{
  draw.background(\"#14202c\");
  draw.rect(0, 120, 480, 30, {{ fill: \"#8a9aa8\" }});
  {draws}
}}"
    );
    let dir = common::folder(&script);
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).expect("written");
    write("installation.toml", "api = 1\nid = \"test\"\ncanvas = [480, 270]\n");
    write("rings.wgsl", RINGS);
    write("seen.wgsl", SEEN);
    let tile = |x: u32, y: u32| match (x / 4 + y / 4) % 3 {
        0 => Rgba([220, 60, 40, 255]),
        1 => Rgba([240, 240, 220, 255]),
        _ => Rgba([30, 120, 200, 96]),
    };
    RgbaImage::from_fn(16, 16, tile).save(dir.path().join("tiles.png")).expect("written");
    let edition = Edition::read(dir.path()).unwrap_or_else(|fault| panic!("{fault}"));
    (dir, Arc::new(edition))
}

fn paint(studio: &mut Studio, draws: &str) -> RgbaImage {
    let (_dir, edition) = edition(draws);
    let start = edition.start(&common::setting());
    let mut host = Host::load(&start, || Duration::ZERO).unwrap_or_else(|fault| panic!("{fault}\n{draws}"));
    let json = serde_json::to_string(&Sees { now: 2.0, ..Sees::default() }).expect("it is plain");
    let FromScene::Frame { picture, fault, .. } = host.frame(1, 0, &json) else { panic!("no frame") };
    let picture = picture.unwrap_or_else(|| panic!("{}\n{draws}", fault.unwrap_or_default()));
    let (width, height) = (16, 9);
    let mask = (0..width * height).map(|i| if i % width > 8 { 255 } else { 0 }).collect();
    let watched = Watched { version: 1, width, height, mask, flow: vec![[60.0, 0.0]; 32 * 18] };
    studio.paint(&picture, Some(&edition), &watched, 2.0).unwrap_or_else(|why| panic!("{why}"))
}

/// How two pictures differ: the mean of all channels, and how many pixels are far off.
fn difference(a: &RgbaImage, b: &RgbaImage) -> (f64, usize) {
    let sum: u64 = a.as_raw().iter().zip(b.as_raw()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    let far = |(a, b): &(&Rgba<u8>, &Rgba<u8>)| a.0.iter().zip(b.0).any(|(a, b)| a.abs_diff(b) > FAR);
    (sum as f64 / a.as_raw().len() as f64, a.pixels().zip(b.pixels()).filter(far).count())
}

#[test]
fn everything_that_can_be_drawn_looks_as_it_did() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let write = std::env::var("MOONGATE_GOLDEN").is_ok_and(|word| word == "write");
    let mut studio = Studio::new(CANVAS, PIXELS).unwrap_or_else(|why| panic!("{why}"));
    let mut wrong = Vec::new();
    for (name, draws) in DRAWN {
        let painted = paint(&mut studio, draws);
        let file = folder.join(format!("{name}.png"));
        if write {
            painted.save(&file).expect("written");
            continue;
        }
        let known = image::open(&file).unwrap_or_else(|why| panic!("{}: {why}", file.display())).into_rgba8();
        let (mean, far) = difference(&painted, &known);
        let pixels = (PIXELS[0] * PIXELS[1]) as usize;
        if painted.dimensions() != known.dimensions() || mean > MEAN || far * 1_000 > pixels * THOUSANDTHS {
            let seen = std::env::temp_dir().join(format!("moongate-{name}.png"));
            painted.save(&seen).expect("written");
            wrong.push(format!("{name}: {mean:.2} on the mean, {far} pixels far off; see {}", seen.display()));
        }
    }
    assert!(studio.faults().is_empty(), "{:?}", studio.faults());
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Every call of `draw` is among the pictures.
#[test]
fn nothing_that_draws_is_without_a_picture() {
    let script =
        "import { draw } from \"moongate\"; export function frame() { console.log(Object.keys(draw).join(\" \")); }";
    let dir = common::folder(script);
    let mut host = Host::load(&common::start(dir.path()), || Duration::ZERO).unwrap_or_else(|fault| panic!("{fault}"));
    let json = serde_json::to_string(&Sees::default()).expect("it is plain");
    let FromScene::Frame { acts, .. } = host.frame(1, 0, &json) else { panic!("no frame") };
    let Some(moongate::scene::Act::Log(names)) = acts.first() else { panic!("{acts:?}") };
    let all: String = DRAWN.iter().map(|(_, draws)| *draws).collect();
    let missing: Vec<&str> = names.split(' ').filter(|name| !all.contains(&format!("draw.{name}("))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// Pictures that are not the same are told apart: the tolerance is not wide.
#[test]
fn another_picture_is_another_one() {
    let mut studio = Studio::new(CANVAS, PIXELS).unwrap_or_else(|why| panic!("{why}"));
    let one = paint(&mut studio, "draw.circle(240, 135, 60, { fill: \"gold\" });");
    for other in
        ["draw.circle(246, 135, 60, { fill: \"gold\" });", "draw.circle(240, 135, 60, { fill: \"orange\" });", ""]
    {
        let (mean, far) = difference(&one, &paint(&mut studio, other));
        assert!(mean > MEAN || far * 1_000 > (PIXELS[0] * PIXELS[1]) as usize * THOUSANDTHS, "{other}: {mean} {far}");
    }
}
