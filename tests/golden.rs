//! Small images of everything that can be drawn, compared with reference images that were reviewed by eye.
//!
//! `MOONGATE_GOLDEN=write cargo test --test golden` rewrites them in `tests/golden`. Open them before you keep them.
#![cfg(feature = "show")]

mod common;
#[path = "golden/drawn.rs"]
mod drawn;

use drawn::DRAWN;
use image::{Rgba, RgbaImage};
use moongate::config::BuiltinEffects;
use moongate::presence::Body;
use moongate::render::{OffscreenRenderer, PresenceMap};
use moongate::scene::{
    BodyState, DisplayList, EngineUniforms, FrameInput, FromScene, RetainedLayerSet, SceneInit, SceneRevision,
    ScriptHost, TouchState,
};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

const CANVAS: [f32; 2] = [480.0, 270.0];
const PIXELS: [u32; 2] = [160, 90];
/// Allowed mean difference of a channel, and of how many pixels per thousand may differ by more than `FAR`.
/// Rasterisers draw edges slightly differently.
const MEAN: f64 = 1.5;
const THOUSANDTHS: usize = 15;
const FAR: u8 = 40;

/// Number of frames after which an animated scene is compared.
const FRAMES: u64 = 40;
const CHANGES: [&str; 5] = ["draw.trail", "draw.kept", "draw.particles", "smoke.wgsl", "melt.wgsl"];

const RINGS: &str = "struct Params { middle: vec2f, colour: vec3f }
fn paint(at: vec2f) -> vec4f {
    let ring = 0.5 + 0.5 * sin(distance(at, params.middle) / 8.0 - engine.now);
    return vec4f(params.colour, ring);
}";
const THEIRS: &str = "fn paint(at: vec2f) -> vec4f {
    var near = 1e9;
    for (var i = 0u; i < engine.there.touches; i++) { near = min(near, distance(at, engine.there.touch[i].xy)); }
    let ring = smoothstep(6.0, 2.0, abs(near - 40.0));
    return vec4f(body_there(at), flow_there(at).x / 100.0, ring, 0.8) + 0.3 * engine.there.colour * body_here(at);
}";
const SMOKE: &str = "struct Params { at: vec2f }
const buffer_scale = 0.5;
fn buffer_a(at: vec2f) -> vec4f {
    let spread = 0.25 * (read_a(at + vec2f(6.0, 0.0)) + read_a(at - vec2f(6.0, 0.0)) + read_a(at + vec2f(0.0, 9.0)) + read_a(at - vec2f(0.0, 3.0)));
    return 0.98 * spread + smoothstep(30.0, 20.0, distance(at, params.at));
}
fn buffer_b(at: vec2f) -> vec4f { return sqrt(read_a(at)); }
fn paint(at: vec2f) -> vec4f { return vec4f(1.0, 0.8, 0.4, read_b(at).r); }";
const MELT: &str = "fn paint(at: vec2f) -> vec4f { return vec4f(previous(at - vec2f(0.0, 2.0)).rgb * 0.97, 1.0); }";
const SEEN: &str = "fn paint(at: vec2f) -> vec4f { return vec4f(body_here(at), flow_here(at).x / 100.0, 0.2, 1.0); }";

/// Creates a folder with the files that the scenes use, and a scene that draws this.
fn edition(draws: &str) -> (tempfile::TempDir, Arc<SceneRevision>) {
    let script = format!(
        "import {{ draw, gradient, mix, here, there, particles }} from \"moongate\";
let things = [], count = 0;
const snow = particles({{ most: 400, life: 9, size: [3, 8], colour: [\"white\", \"skyblue\"], gravity: 90, lands: \"both\" }});
const sparks = particles({{ life: 1, size: [20, 4], soft: 1, colour: [\"gold\", \"red\", \"transparent\"], blend: \"add\" }});
const person = [[100, 20], [130, 40], [125, 80], [160, 110], [165, 180], [140, 190], [140, 260], [60, 260], [60, 190], [35, 180], [40, 110], [75, 80], [70, 40]];
const three = (blend) => {{
  draw.circle(190, 110, 80, {{ fill: \"#d04030\", blend }});
  draw.circle(290, 110, 80, {{ fill: \"#30b040\", blend }});
  draw.circle(240, 180, 80, {{ fill: \"#3050d0\", blend, alpha: 0.8 }});
}};
export function frame({{ now }}) {{
  draw.background(\"#14202c\");
  draw.rect(0, 120, 480, 30, {{ fill: \"#8a9aa8\" }});
  {draws}
}}"
    );
    let dir = common::folder(&script);
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).expect("written");
    write("installation.toml", "api = 1\nid = \"test\"\ncanvas = [480, 270]\n");
    write("rings.wgsl", RINGS);
    for (name, source) in [("seen", SEEN), ("theirs", THEIRS), ("smoke", SMOKE), ("melt", MELT)] {
        write(&format!("{name}.wgsl"), source);
    }
    let tile = |x: u32, y: u32| match (x / 4 + y / 4) % 3 {
        0 => Rgba([220, 60, 40, 255]),
        1 => Rgba([240, 240, 220, 255]),
        _ => Rgba([30, 120, 200, 96]),
    };
    RgbaImage::from_fn(16, 16, tile).save(dir.path().join("tiles.png")).expect("written");
    let edition = common::read(dir.path()).unwrap_or_else(|fault| panic!("{fault}"));
    (dir, Arc::new(edition))
}

fn paint(studio: &mut OffscreenRenderer, draws: &str) -> RgbaImage {
    let (_dir, edition) = edition(draws);
    let start = SceneInit { effects: BuiltinEffects::NONE, ..edition.scene_init(&common::setting()) };
    let mut host = ScriptHost::load(&start, || Duration::ZERO).unwrap_or_else(|fault| panic!("{fault}\n{draws}"));
    let (width, height) = (16, 9);
    let mask = (0..width * height).map(|i| if i % width > 8 { 255 } else { 0 }).collect();
    let watched = PresenceMap { version: 1, width, height, mask, flow: vec![[60.0, 0.0]; 32 * 18] };
    // No two folders have the same strokes, so their generations differ too.
    let mut layers = RetainedLayerSet::new(fastrand::u64(1 << 20..1 << 50));
    let frames = if CHANGES.iter().any(|call| draws.contains(call)) { FRAMES } else { 1 };
    let mut painted = RgbaImage::default();
    for frame in 1..=frames {
        let dt = 1.0 / 30.0;
        let mut sees = FrameInput { now: 2.0 - (frames - frame) as f64 * dt, dt, ..FrameInput::default() };
        let outline = [[200.0, 100.0], [280.0, 100.0], [290.0, 260.0], [190.0, 260.0]].to_vec();
        let body =
            Body { outline, foot: [240.0, 260.0], head: [240.0, 100.0], velocity: [90.0, 0.0], ..Body::default() };
        sees.there.bodies = vec![BodyState::from_body(&body, 0.0)];
        let columns = 10..14;
        let mask = (0..320_usize).map(|i| if columns.contains(&(i % 20)) { 255 } else { 0 }).collect();
        let there = PresenceMap { version: 1, width: 20, height: 16, mask, flow: vec![[90.0, 0.0]; 32 * 18] };
        sees.there.touches = vec![TouchState { id: 1, x: 100.0, y: 100.0, by: "finger", began: 1.0 }];
        let json = serde_json::to_string(&sees).expect("it is plain");
        let FromScene::Frame { picture, kept, fault, .. } = host.run_frame(frame, 0, &json) else { panic!("no frame") };
        let picture = picture.unwrap_or_else(|| panic!("{}\n{draws}", fault.unwrap_or_default()));
        layers.apply(kept, edition.images.len());
        let picture = DisplayList { kept: layers.shown(), ..picture };
        let uniforms = Arc::new(EngineUniforms::from_input(&sees, [&start.here, &start.there]));
        let result = studio.render(&picture, Some(&edition), [&watched, &there], &uniforms);
        painted = result.unwrap_or_else(|why| panic!("{why}"));
    }
    painted
}

/// Returns the difference of two images: the mean of all channels, and the number of pixels far off.
fn difference(a: &RgbaImage, b: &RgbaImage) -> (f64, usize) {
    let sum: u64 = a.as_raw().iter().zip(b.as_raw()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    let far = |(a, b): &(&Rgba<u8>, &Rgba<u8>)| a.0.iter().zip(b.0).any(|(a, b)| a.abs_diff(b) > FAR);
    (sum as f64 / a.as_raw().len() as f64, a.pixels().zip(b.pixels()).filter(far).count())
}

#[test]
fn everything_that_can_be_drawn_looks_as_it_did() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let write = std::env::var("MOONGATE_GOLDEN").is_ok_and(|word| word == "write");
    let mut studio = OffscreenRenderer::new(CANVAS, PIXELS).unwrap_or_else(|why| panic!("{why}"));
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

/// Every method of `draw` is used in a reference image.
#[test]
fn nothing_that_draws_is_without_a_picture() {
    let script =
        "import { draw } from \"moongate\"; export function frame() { console.log(Object.keys(draw).join(\" \")); }";
    let dir = common::folder(script);
    let mut host =
        ScriptHost::load(&common::start(dir.path()), || Duration::ZERO).unwrap_or_else(|fault| panic!("{fault}"));
    let json = serde_json::to_string(&FrameInput::default()).expect("it is plain");
    let FromScene::Frame { acts, .. } = host.run_frame(1, 0, &json) else { panic!("no frame") };
    let Some(moongate::scene::SceneAction::Log(names)) = acts.first() else { panic!("{acts:?}") };
    let all: String = DRAWN.iter().map(|(_, draws)| *draws).collect();
    let missing: Vec<&str> = names.split(' ').filter(|name| !all.contains(&format!("draw.{name}("))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// Different images are detected as different: the tolerance is not too wide.
#[test]
fn another_picture_is_another_one() {
    let mut studio = OffscreenRenderer::new(CANVAS, PIXELS).unwrap_or_else(|why| panic!("{why}"));
    let one = paint(&mut studio, "draw.circle(240, 135, 60, { fill: \"gold\" });");
    for other in
        ["draw.circle(246, 135, 60, { fill: \"gold\" });", "draw.circle(240, 135, 60, { fill: \"orange\" });", ""]
    {
        let (mean, far) = difference(&one, &paint(&mut studio, other));
        assert!(mean > MEAN || far * 1_000 > (PIXELS[0] * PIXELS[1]) as usize * THOUSANDTHS, "{other}: {mean} {far}");
    }
}

#[test]
fn a_shader_over_its_time_is_not_drawn_and_said_to_be_so() {
    let mut studio = OffscreenRenderer::new(CANVAS, PIXELS).unwrap_or_else(|why| panic!("{why}"));
    let without = paint(&mut studio, "");
    // With a limit of zero, any time is too long.
    studio.set_shader_time_max(Duration::ZERO);
    let shed = paint(&mut studio, "draw.shader(\"smoke.wgsl\");");
    assert_eq!(difference(&without, &shed), (0.0, 0));
    let faults = studio.faults();
    assert!(faults.len() == 1 && faults[0].why.contains("buffer_scale"), "{faults:?}");
    // The result must not come from another edition's drawing.
    studio.set_shader_time_max(Duration::from_secs(3_600));
    let drawn = paint(&mut studio, "draw.shader(\"seen.wgsl\");");
    assert!(studio.faults().is_empty() && difference(&without, &drawn).0 > MEAN, "{:?}", studio.faults());
}
