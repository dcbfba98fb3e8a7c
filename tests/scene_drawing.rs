//! Drawing beyond plain shapes: gradients, images, curves and blend modes; and the helpers for motion.

mod common;

use moongate::scene::{
    BasicShape, BlendMode, Colour, DisplayList, DrawItem, FrameInput, FromScene, Gradient, GradientKind, Paint,
    SceneAction, SceneDiagnostic, ScriptHost,
};
use std::time::Duration;

const IMPORT: &str =
    "import { draw, gradient, mix, ease, after, every, words, dials, canvas, here, there, signal } from \"moongate\";";

/// A scene whose folder has an image of 64 × 32 pixels.
struct Scene {
    host: ScriptHost,
    last: f64,
}

impl Scene {
    fn new(body: &str) -> Result<Self, SceneDiagnostic> {
        let dir = common::folder(&format!("{IMPORT}\n{body}"));
        image::RgbaImage::new(64, 32).save(dir.path().join("moon.png")).expect("written");
        let manifest = "api = 1\nid = \"test\"\ncanvas = [1920, 1080]\n[dials.speed]\nvalue = 2\nto = 4\n";
        std::fs::write(dir.path().join("installation.toml"), manifest).expect("written");
        let host = ScriptHost::load(&common::edition(dir.path())?, || Duration::ZERO)?;
        Ok(Self { host, last: 100.0 })
    }

    fn good(body: &str) -> Self {
        Self::new(body).unwrap_or_else(|fault| panic!("{fault}"))
    }

    fn see(&mut self, sees: &FrameInput) -> (Option<DisplayList>, Vec<SceneAction>, Option<SceneDiagnostic>) {
        let json = serde_json::to_string(sees).expect("it is plain");
        let FromScene::Frame { picture, acts, fault, .. } = self.host.run_frame(1, 0, &json) else {
            panic!("no frame")
        };
        if let Some(picture) = &picture {
            assert_eq!(picture.clone().validated(&[], 1), *picture, "what a scene can say is within the bounds");
        }
        (picture, acts, fault)
    }

    fn logs(&mut self, now: f64) -> Vec<String> {
        let dt = (now - std::mem::replace(&mut self.last, now)).max(0.0);
        let (_, acts, fault) = self.see(&FrameInput { now, dt, ..FrameInput::default() });
        assert_eq!(fault, None);
        acts.into_iter().filter_map(|act| if let SceneAction::Log(line) = act { Some(line) } else { None }).collect()
    }
}

/// Returns the display list of one line within `frame`.
fn drawn(line: &str) -> DisplayList {
    let (picture, _, fault) = Scene::good(&format!("export function frame() {{ {line} }}"))
        .see(&FrameInput { now: 9.0, ..FrameInput::default() });
    picture.unwrap_or_else(|| panic!("{}", fault.unwrap_or_default()))
}

fn fault(line: &str) -> String {
    let script = format!("export function frame() {{\n{line}\n}}");
    let fault = match Scene::new(&script) {
        Ok(mut scene) => scene.see(&FrameInput::default()).2,
        Err(fault) => Some(fault),
    };
    fault.unwrap_or_else(|| panic!("no fault in {line}")).to_string()
}

fn paint(item: &DrawItem) -> Paint {
    match item {
        DrawItem::Shape { paint, .. }
        | DrawItem::Line { paint, .. }
        | DrawItem::Polygon { paint, .. }
        | DrawItem::Text { paint, .. }
        | DrawItem::Image { paint, .. } => *paint,
        other => panic!("{other:?} has no paint"),
    }
}

/// Returns the gradient coordinates of a point on the canvas, by the matrix that the shader uses.
fn place(gradient: &Gradient, [x, y]: [f32; 2]) -> [f32; 2] {
    let [a, b, c, d, e, f] = gradient.place;
    [a * x + c * y + e, b * x + d * y + f]
}

#[test]
fn gradients_lie_where_they_are_said_to_and_move_with_what_is_drawn() {
    let picture = drawn(
        "const dusk = gradient.linear(100, 0, 300, 0, [\"navy\", [0.2, \"gold\"], \"red\"]);
         draw.circle(1, 2, 3, { fill: dusk });
         draw.line(0, 0, 9, 0, { stroke: dusk, width: 4 });
         draw.circle(1, 2, 3, { fill: \"red\", stroke: dusk });
         draw.push(); draw.translate(50, 0); draw.scale(2); draw.rect(0, 0, 5, 5, { fill: dusk }); draw.pop();
         draw.text(\"a\", 1, 2, { fill: gradient.radial(10, 20, 30, [\"white\", \"transparent\"]) });
         draw.background(gradient.conic(10, 20, Math.PI / 2, [\"red\", \"blue\"]));",
    );
    let gradients: Vec<[u8; 2]> = picture.items.iter().map(|item| paint(item).gradients).collect();
    assert_eq!(gradients, [[1, 0], [1, 0], [0, 1], [2, 0], [3, 0], [4, 0]]);
    let [dusk, moved, radial, conic] = &picture.gradients[..] else { panic!("{:?}", picture.gradients) };
    assert_eq!(dusk.stops.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [0.0, 0.2, 1.0]);
    for (x, at) in [(100.0, 0.0), (200.0, 0.5), (300.0, 1.0)] {
        assert!((place(dusk, [x, 77.0])[0] - at).abs() < 1e-5);
        assert!((place(moved, [50.0 + 2.0 * x, 77.0])[0] - at).abs() < 1e-5);
    }
    let [x, y] = place(radial, [10.0, 50.0]);
    assert!((x.hypot(y) - 1.0).abs() < 1e-5 && radial.along == GradientKind::Radius, "{x} {y}");
    // Clockwise as seen (y points down), from its start angle.
    let turn = |at| {
        let [x, y] = place(conic, at);
        (y.atan2(x) / std::f32::consts::TAU).rem_euclid(1.0)
    };
    for (at, along) in [([10.0, 25.1], 0.0), ([5.0, 20.0], 0.25), ([10.0, 15.0], 0.5), ([15.0, 20.0], 0.75)] {
        assert!((turn(at) - along).abs() < 1e-3, "{at:?}: {}", turn(at));
    }
}

#[test]
fn images_are_as_large_as_is_said() {
    let picture = drawn(
        "draw.image(\"moon.png\", 10, 20);
         draw.image(\"moon.png\", 10, 20, 200);
         draw.image(\"moon.png\", 10, 20, 200, 300, { alpha: 0.5, blend: \"screen\" });
         draw.image(\"moon.png\", 10, 20, { center: true, part: [16, 0, 32, 32] });",
    );
    let images: Vec<_> = picture
        .items
        .iter()
        .map(|item| match item {
            DrawItem::Image { index: 0, part, size, transform, paint } => {
                (*size, [transform[4], transform[5]], *part, paint.fill.0[3], paint.blend)
            }
            other => panic!("{other:?}"),
        })
        .collect();
    let whole = [0.0, 0.0, 1.0, 1.0];
    assert_eq!(images[0], ([64.0, 32.0], [10.0, 20.0], whole, 255, BlendMode::Over));
    assert_eq!(images[1].0, [200.0, 100.0]);
    assert_eq!((images[2].0, images[2].3, images[2].4), ([200.0, 300.0], 128, BlendMode::Screen));
    assert_eq!((images[3].0, images[3].1), ([32.0, 32.0], [-6.0, 4.0]));
    assert_eq!(images[3].2, [0.25, 0.0, 0.75, 1.0]);
}

#[test]
fn shapes_that_are_round() {
    let picture = drawn(
        "draw.ellipse(10, 20, 30, 5);
         draw.arc(100, 100, 50, 0, Math.PI / 2, { width: 4 });
         draw.curve([[0, 0], [100, 100], [200, 0]], { stroke: \"gold\" });
         draw.curve([[0, 0], [100, 100], [200, 0]], { fill: \"gold\" });",
    );
    assert!(matches!(picture.items[0], DrawItem::Shape { shape: BasicShape::Ellipse([30.0, 5.0]), .. }));
    let DrawItem::Line { points, closed: false, .. } = &picture.items[1] else { panic!("{:?}", picture.items[1]) };
    let arc = points.slice(&picture.points);
    let near = |a: [f32; 2], b: [f32; 2]| (a[0] - b[0]).hypot(a[1] - b[1]) < 1e-3;
    // Clockwise as seen, from the right and downwards.
    assert!(near(arc[0], [150.0, 100.0]) && near(arc[arc.len() - 1], [100.0, 150.0]), "{arc:?}");
    assert!(arc.iter().all(|[x, y]| ((x - 100.0).hypot(y - 100.0) - 50.0).abs() < 1e-3));
    assert!(matches!(&picture.items[2], DrawItem::Line { closed: false, points, .. } if points.count > 20));
    assert!(matches!(&picture.items[3], DrawItem::Polygon { points, .. } if points.count > 30));
}

#[test]
fn text_is_as_large_as_can_be_read_from_there() {
    let picture = drawn(
        "draw.text(words({ en: \"moon\", zh: \"月\" }), 0, 0, { readable: 10, weight: 300, wrap: 400, leading: 1.5 });
         draw.text(\"a\", 0, 0);",
    );
    let DrawItem::Text { text, size, weight: 300, wrap: 400.0, leading: 1.5, .. } = &picture.items[0] else {
        panic!("{:?}", picture.items[0])
    };
    // 9 cm at a distance of ten metres, on a screen of 4 metres and 1920 units; `here` is Shenzhen.
    assert!((size - 0.09 * 480.0).abs() < 0.01, "{size}");
    assert_eq!(picture.text_slice(*text), "月");
    assert!(matches!(picture.items[1], DrawItem::Text { size: 32.0, weight: 400, wrap: 0.0, .. }));
}

#[test]
fn colours_meet_in_six_ways() {
    let picture = drawn(
        "for (const blend of [\"over\", \"add\", \"multiply\", \"screen\", \"lighten\", \"darken\"])
           draw.circle(1, 2, 3, { blend, fill: mix(\"black\", \"white\", 0.5) });",
    );
    let blends: Vec<BlendMode> = picture.items.iter().map(|item| paint(item).blend).collect();
    use BlendMode::{Add, Darken, Lighten, Multiply, Over, Screen};
    assert_eq!(blends, [Over, Add, Multiply, Screen, Lighten, Darken]);
    assert_eq!(paint(&picture.items[0]).fill, Colour([99, 99, 99, 255]));
}

#[test]
fn curves_of_time_begin_at_0_and_end_at_1() {
    let mut scene = Scene::good(
        "export function frame() {
           for (const name of Object.keys(ease)) console.log(name, ease[name](-1), ease[name](0), ease[name](1), ease[name](2),
             [0.2, 0.5, 0.8].every((t) => Math.abs(ease[name](t) - ease[name](t + 1e-6)) < 1e-4));
           console.log(ease.in(0.5), ease.out(0.5), ease.inOut(0.5), ease.bounce(0.5));
         }",
    );
    let logs = scene.logs(1.0);
    let (last, ends) = logs.split_last().expect("there are some");
    assert_eq!(ends.len(), 6);
    for line in ends {
        let numbers: Vec<f64> = line.split(' ').skip(1).take(4).map(|n| n.parse().expect("a number")).collect();
        assert!(numbers.iter().zip([0.0, 0.0, 1.0, 1.0]).all(|(a, b)| (a - b).abs() < 1e-6), "{line}");
        assert!(line.ends_with("true"), "{line} jumps");
    }
    assert_eq!(last, "0.125 0.875 0.5 0.765625");
}

#[test]
fn what_is_due_happens_once_and_in_order() {
    let mut scene = Scene::good(
        "export function start() {
           after(\"2s\", () => console.log(\"two\"));
           after(1, () => { console.log(\"one\"); after(0, () => console.log(\"at once\")); });
           const end = every(\"1s\", () => console.log(\"each\"));
           after(4.5, end);
           const never = after(3, () => console.log(\"never\"));
           never();
         }
         export function frame() {}",
    );
    assert_eq!(scene.logs(100.0), Vec::<String>::new());
    assert_eq!(scene.logs(100.9), Vec::<String>::new());
    assert_eq!(scene.logs(101.0), ["one", "each"]);
    assert_eq!(scene.logs(101.1), ["at once"]);
    // Beats missed while the screen stood still are not made up for.
    assert_eq!(scene.logs(104.4), ["two", "each"]);
    assert_eq!(scene.logs(104.6), Vec::<String>::new());
    assert_eq!(scene.logs(200.0), Vec::<String>::new());
}

#[test]
fn a_timer_is_told_when_it_was_due() {
    let mut scene = Scene::good(
        "export function start() { every(0.125, ({ now }) => console.log(now.toFixed(3))); }
         export function frame() {}",
    );
    scene.logs(100.0);
    // At 60 frames per second a log line is due between frames; the times still keep the beat.
    let told: Vec<String> = (1..=60).flat_map(|frame| scene.logs(100.0 + f64::from(frame) / 60.0)).collect();
    assert_eq!(told, ["100.125", "100.250", "100.375", "100.500", "100.625", "100.750", "100.875", "101.000"]);
}

#[test]
fn a_rejected_promise_is_told_like_an_exception() {
    let told = |body: &str| Scene::good(body).see(&FrameInput::default()).2;
    let fault =
        told("export async function frame() {\n  await null;\n  draw.circel(1, 2, 3);\n}").expect("it is rejected");
    assert_eq!(fault.place.map(|(line, _)| line), Some(4), "{fault}");
    assert!(fault.remedy.contains("draw.circle"), "{fault}");
    let fault =
        told("export function frame() {\n  Promise.reject(new Error(\"no tide\"));\n}").expect("it is rejected");
    assert!(fault.problem.contains("no tide") && fault.place.is_some_and(|(line, _)| line == 3), "{fault}");
    let fault = told("export function frame() { Promise.reject(\"a word\"); }").expect("it is rejected");
    assert_eq!(fault.problem, "throws a word");
}

#[test]
fn a_rejection_that_is_handled_is_not_told() {
    for body in [
        "export function frame() { Promise.reject(new Error(\"no\")).catch(() => {}); }",
        "export async function frame() { try { await Promise.reject(1); } catch {} }",
        "export async function frame() { const late = Promise.reject(1); await null; await null; late.catch(() => {}); }",
    ] {
        assert_eq!(Scene::good(body).see(&FrameInput::default()).2, None, "{body}");
    }
    // Reading the reason runs the script, which rejects another promise.
    let body = "export function frame() { Promise.reject({ toString() { Promise.reject(2); return \"odd\"; } }); }";
    let mut scene = Scene::good(body);
    for _ in 0..3 {
        assert!(scene.see(&FrameInput::default()).2.is_some_and(|fault| fault.problem.starts_with("throws")));
    }
}

#[test]
fn dials_stand_as_the_manifest_says_until_they_are_turned() {
    let mut scene = Scene::good(
        "export function frame() { console.log(dials.speed); try { dials.speed = 9; } catch { console.log(\"no\"); } }",
    );
    assert_eq!(scene.logs(1.0), ["2", "no"]);
    let turned = FrameInput { dials: vec![("speed".into(), 3.5)], ..FrameInput::default() };
    let (_, acts, _) = scene.see(&turned);
    assert_eq!(acts[0], SceneAction::Log("3.5".into()));
    assert_eq!(scene.logs(2.0), ["3.5", "no"]);
}

#[test]
fn words_are_in_the_language_of_the_city() {
    let mut scene = Scene::good(
        "const moon = words({ en: \"moon\", zh: \"月\", ja: \"つき\" });
         export function frame() { console.log(moon.here, moon.there, moon.in(\"ja-JP\"), moon.in(\"fr\"), `${moon}`, JSON.stringify({ moon })); }",
    );
    assert_eq!(scene.logs(1.0), ["月 moon つき moon 月 {\"moon\":\"月\"}"]);
}

#[test]
fn a_beginners_mistake_is_told_with_what_was_meant() {
    let mistakes = [
        ("draw.image(\"mon.png\", 1, 2);", "there is no image \"mon.png\"; did you mean \"moon.png\"?"),
        ("draw.image(\"moon.png\", 1);", "y is missing"),
        ("draw.image(\"moon.png\", 1, 2, \"3\");", "the width is a string, not a number"),
        ("draw.image(\"moon.png\", 1, 2, { tint: \"red\" });", "an image has no `tint`; did you mean `fill`?"),
        ("draw.image(\"moon.png\", 1, 2, { part: [1, 2] });", "[left, top, width, height]"),
        ("gradient.linear(0, 0, 1, 1);", "the colours are missing"),
        ("gradient.linear(0, 0, 1, 1, \"red\");", "the colours are a string, not an array"),
        ("gradient.linear(0, 0, 1, 1, [\"redd\"]);", "\"redd\" is no colour (did you mean \"red\"?)"),
        ("gradient.linear(0, 0, 1, 1, []);", "0 colours cannot be used"),
        ("gradient.radial(0, NaN, 1, [\"red\"]);", "y is NaN"),
        ("draw.circle(1, 2, 3, { fill: { a: 1 } });", "fill is an object, not a colour"),
        ("draw.circle(1, 2, 3, { fill: { __gradient: \"{}\" } });", "this is no gradient"),
        ("mix(\"red\", \"blue\");", "how much of the second is missing"),
        ("ease.in(\"a\");", "ease.in: a string is no number"),
        ("after(\"2 weeks\", () => {});", "after: \"2 weeks\" is no time"),
        ("after(\"2s\");", "what is to happen is undefined, not a function"),
        ("every(0, () => {});", "this is too often"),
        ("words(\"moon\");", "words: a string is no object"),
        ("words({});", "there are none"),
        ("words({ en: 5 });", "`en` is a number, not a text"),
        ("draw.text(\"a\", 1, 2, { width: 50 });", "a text has no `width`; did you mean `wrap`?"),
        ("draw.ellipse(1, 2, 3);", "the radius down is missing"),
        ("draw.curve(5);", "the points are an int, not an array"),
        ("draw.arc(1, 2, 3, 0, \"x\");", "the angle to is a string"),
        (
            "for (let i = 0; i < 65; i++) draw.circle(1, 2, 3, { fill: gradient.linear(0, 0, i + 1, 9, [\"red\"]) });",
            "more than 64 gradients",
        ),
        ("for (;;) after(1, () => {});", "more than 1000 timers"),
    ];
    let wrong: Vec<String> = mistakes
        .into_iter()
        .map(|(line, told)| (line, told, fault(line)))
        .filter(|(_, told, fault)| !fault.contains(told))
        .map(|(line, told, fault)| format!("`{line}` does not say {told:?}: {fault}"))
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn an_image_that_cannot_be_shown_is_named() {
    let dir = common::folder("export function frame() {}");
    std::fs::write(dir.path().join("bad.png"), b"\x89PNG\r\n\x1a\nno").expect("written");
    let fault = common::edition(dir.path()).expect_err("it is broken");
    assert!(fault.file == "bad.png" && fault.remedy.contains("PNG, JPEG or WebP"), "{fault}");
    image::GrayImage::new(5_000, 2).save(dir.path().join("bad.png")).expect("written");
    let fault = common::edition(dir.path()).expect_err("it is too wide");
    assert!(fault.remedy.contains("4096"), "{fault}");
}
