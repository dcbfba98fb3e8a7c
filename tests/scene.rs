//! Scripts as artists write them, good and bad, and their results.

mod common;

use moongate::scene::{
    BasicShape, BlendMode, Colour, DisplayList, DrawItem, FrameInput, FromScene, Paint, SceneAction, SceneDiagnostic,
    SceneEvent, SceneInit, ScriptHost, TextAlign, TouchState,
};
use std::cell::Cell;
use std::time::Duration;
use tempfile::TempDir;

const NIGHT: &str = "struct Params { sun: f32, wind: vec2f }
fn paint(at: vec2f) -> vec4f { return vec4f(params.sun, params.wind, 1.0); }
";

struct Answer {
    picture: Option<DisplayList>,
    acts: Vec<SceneAction>,
    fault: Option<SceneDiagnostic>,
}

/// Creates a folder with this script, a shader and a sound.
fn folder(script: &str) -> (TempDir, SceneInit) {
    let dir = common::folder(script);
    std::fs::write(dir.path().join("night.wgsl"), NIGHT).expect("the shader is written");
    std::fs::write(dir.path().join("bell.wav"), "only its name matters here").expect("the sound is written");
    let start = common::start(dir.path());
    (dir, start)
}

/// Loads a script without a time limit.
fn load(script: &str) -> Result<ScriptHost, SceneDiagnostic> {
    let (_dir, start) = folder(script);
    ScriptHost::load(&start, || Duration::ZERO)
}

fn good(script: &str) -> ScriptHost {
    load(script).unwrap_or_else(|fault| panic!("{fault}"))
}

/// Returns a clock on which each reading takes 1 ms; the script engine reads it once every few thousand steps.
fn ticking() -> impl Fn() -> Duration {
    let looks = Cell::new(0);
    move || {
        looks.set(looks.get() + 1);
        Duration::from_millis(looks.get())
    }
}

fn see(host: &mut ScriptHost, sees: &FrameInput) -> Answer {
    let json = serde_json::to_string(sees).expect("it is plain");
    match host.run_frame(sees.number, sees.input, &json) {
        FromScene::Frame { picture, acts, fault, .. } => {
            assert_eq!(picture.is_none(), fault.is_some(), "a picture, or a fault");
            Answer { picture, acts, fault }
        }
        other => panic!("{other:?} is no frame"),
    }
}

fn at(now: f64) -> FrameInput {
    FrameInput { now, dt: 1.0 / 60.0, ..FrameInput::default() }
}

/// Returns a scene whose third line is `line`, within `frame`.
fn scene(line: &str) -> String {
    format!(
        "import {{ draw, sound, random, noise, signal, here, there, canvas }} from \"moongate\";\nexport function frame({{ now }}) {{\n  {line}\n}}\n"
    )
}

fn picture(host: &mut ScriptHost, sees: &FrameInput) -> DisplayList {
    let answer = see(host, sees);
    answer.picture.unwrap_or_else(|| panic!("{}", answer.fault.unwrap_or_default()))
}

/// Returns the fault of a script, either on loading or in its first frame.
fn fault_of(script: &str) -> SceneDiagnostic {
    match load(script) {
        Err(fault) => fault,
        Ok(mut host) => see(&mut host, &at(0.0)).fault.unwrap_or_else(|| panic!("no fault in:\n{script}")),
    }
}

fn logs(acts: &[SceneAction]) -> Vec<&str> {
    acts.iter().filter_map(|act| if let SceneAction::Log(line) = act { Some(line.as_str()) } else { None }).collect()
}

// (a)

#[test]
fn a_scene_draws_what_it_says() {
    let mut host = good(
        r##"import { draw, here, there, canvas } from "moongate";
export function frame({ now, dt, width, height }) {
  draw.background("#102030");
  draw.circle(100, 50, 10, { fill: "red" });
  draw.rect(1, 2, 30, 40, { stroke: "white", width: 3, radius: 5 });
  draw.line(0, 0, 10, 0);
  draw.polyline([[0, 0], [1, 1], { x: 2, y: 0 }], { stroke: "gold", closed: true });
  draw.polygon([0, 0, 10, 0, 10, 10], { fill: "blue", blend: "add" });
  draw.text(here.city.name, 5, 6, { size: 20, align: "center", bold: true, language: "zh" });
  draw.shader("night.wgsl", { sun: 0.5, wind: [1, 2] });
  draw.push();
  draw.translate(10, 20);
  draw.scale(2);
  draw.alpha(0.5);
  draw.circle(1, 1, 1);
  draw.pop();
  draw.circle(width, canvas.height, now);
}
"##,
    );
    let white = Colour([255; 4]);
    let plain = Paint { width: 1.0, ..Paint::default() };
    let picture = picture(&mut host, &FrameInput { number: 12, input: 34, ..at(3.0) });
    assert_eq!((picture.answers, picture.reflects), (12, 34));
    let [background, circle, rect, line, polyline, polygon, text, shader, inner, last] = &picture.items[..] else {
        panic!("{:?}", picture.items);
    };
    assert_eq!(*background, DrawItem::Background(Colour([0x10, 0x20, 0x30, 255])));
    let paint = Paint { fill: Colour([255, 0, 0, 255]), ..plain };
    let transform = [1.0, 0.0, 0.0, 1.0, 100.0, 50.0];
    assert_eq!(*circle, DrawItem::Shape { shape: BasicShape::Ellipse([10.0, 10.0]), transform, paint });
    let paint = Paint { stroke: white, width: 3.0, ..plain };
    let transform = [1.0, 0.0, 0.0, 1.0, 1.0, 2.0];
    assert_eq!(*rect, DrawItem::Shape { shape: BasicShape::Rect([30.0, 40.0, 5.0]), transform, paint });
    // A line is a rectangle with round ends.
    let paint = Paint { fill: white, width: 0.0, ..plain };
    let transform = [1.0, 0.0, 0.0, 1.0, -0.5, -0.5];
    assert_eq!(*line, DrawItem::Shape { shape: BasicShape::Rect([11.0, 1.0, 0.5]), transform, paint });
    let DrawItem::Line { points, closed: true, .. } = polyline else { panic!("{polyline:?}") };
    assert_eq!(points.slice(&picture.points), [[0.0, 0.0], [1.0, 1.0], [2.0, 0.0]]);
    let DrawItem::Polygon { points, paint } = polygon else { panic!("{polygon:?}") };
    assert_eq!(points.slice(&picture.points), [[0.0, 0.0], [10.0, 0.0], [10.0, 10.0]]);
    assert_eq!((paint.fill, paint.blend), (Colour([0, 0, 255, 255]), BlendMode::Add));
    let DrawItem::Text { text, size, align, language, weight, .. } = text else { panic!("{text:?}") };
    assert_eq!((picture.text_slice(*text), picture.text_slice(*language)), ("深圳", "zh"));
    assert_eq!((*size, *align, *weight), (20.0, TextAlign::Center, 700));
    let DrawItem::Shader { index: 0, params, blend: BlendMode::Over } = shader else { panic!("{shader:?}") };
    let params: Vec<f32> =
        params.slice(&picture.params).chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    assert_eq!(params, [0.5, 0.0, 1.0, 2.0]);
    let paint = Paint { fill: Colour([255, 255, 255, 128]), ..plain };
    let transform = [2.0, 0.0, 0.0, 2.0, 12.0, 22.0];
    assert_eq!(*inner, DrawItem::Shape { shape: BasicShape::Ellipse([1.0, 1.0]), transform, paint });
    let paint = Paint { fill: white, ..plain };
    let transform = [1.0, 0.0, 0.0, 1.0, 1920.0, 1080.0];
    assert_eq!(*last, DrawItem::Shape { shape: BasicShape::Ellipse([3.0, 3.0]), transform, paint });
    assert_eq!(picture.clone().validated(&[16], 0), picture, "what a scene can say is within the bounds");
}

#[test]
fn a_scene_knows_both_cities() {
    let script = scene(
        "console.log(here.city.latin, here.city.language, here.side, there.city.latin, there.side, here.clock.text, \
         here.sun.up, there.sun.up, there.linked, there.delay, here.lead, here.touches.length, canvas.width)",
    );
    let mut sees = FrameInput { linked: true, delay: 0.125, lead: true, ..at(1.0) };
    sees.here.sun.altitude = 0.5;
    sees.there.sun.altitude = -0.5;
    sees.here.clock.hour = 9;
    sees.here.clock.second = 7;
    sees.here.touches.push(TouchState { id: 1, x: 2.0, y: 3.0, by: "finger", began: 0.5 });
    let answer = see(&mut good(&script), &sees);
    let language = common::setting().here.language;
    let line = format!("Shenzhen {language} 0 Dublin 1 09:00:07 true false true 0.125 true 1 1920");
    assert_eq!(logs(&answer.acts), [line], "{:?}", answer.fault);
}

// (b)

#[test]
fn a_beginners_mistake_is_told_with_its_line_and_what_was_meant() {
    let mistakes = [
        (
            r#"draw.circle("10", 20, 30);"#,
            "x is a string, not a number; use draw.circle(x, y, radius, { fill, stroke, width })",
        ),
        ("draw.circle(10, 20);", "the radius is missing; use draw.circle("),
        ("draw.circle(here.x, 20, 30);", "x is undefined, not a number"),
        ("draw.circle([1], 20, 30);", "x is an array, not a number"),
        ("draw.rect(0, 0 / 0, 1, 1);", "y is NaN; use draw.rect(x, y, width, height"),
        ("draw.line(0, 0, 1 / 0, 1);", "x2 is Infinity"),
        ("draw.translate();", "x is missing; use draw.translate(x, y)"),
        (r#"draw.background("blak");"#, "\"blak\" is no colour (did you mean \"black\"?)"),
        ("draw.background(20);", "not a colour such as \"#e8543f\""),
        ("draw.background();", "the colour is missing; use draw.background("),
        (r#"draw.circle(1, 2, 3, { fill: "no colour at all" });"#, "is no colour; use draw.circle("),
        (r#"draw.circle(1, 2, 3, { fil: "red" });"#, "a circle has no `fil`; did you mean `fill`?"),
        (r#"draw.circle(1, 2, 3, { fill: "red", widht: 2 });"#, "did you mean `width`?"),
        (r#"draw.circle(1, 2, 3, { width: "2" });"#, "width is a string, not a number"),
        (r#"draw.circle(1, 2, 3, "red");"#, "the style is a string, not an object such as { fill: \"white\" }"),
        (r#"draw.circle(1, 2, 3, { blend: "dodge" });"#, "blend is \"dodge\", not \"over\" or \"add\" or \"multiply\""),
        (r#"draw.text("a", 1, 2, { align: "middle" });"#, "not \"left\" or \"center\" or \"right\""),
        ("draw.text(undefined, 1, 2);", "the text is undefined; use draw.text("),
        ("draw.line(0, 0, 9, 9, { fill: \"red\" });", "a line has no `fill`; did you mean `stroke`?"),
        ("draw.text(\"a\", 1, 2, { stroke: \"red\" });", "a text has no `stroke`; did you mean `fill`?"),
        ("draw.circle(1, 2, 3, { color: \"red\" });", "a circle has no `color`; did you mean `fill`?"),
        ("background(20);", "`background` is `draw.background` here"),
        ("draw.background(width);", "`width` is `canvas.width` here"),
        ("draw.circle(here.touches[0].x, 2, 3);", "a list can be empty, and nobody may be there"),
        ("draw.circel(1, 2, 3);", "did you mean `draw.circle`?"),
        ("draw.polyline(5);", "not an array; use draw.polyline([[x, y], …]"),
        ("draw.polyline([1, 2, 3]);", "the last point has an x and no y"),
        (r#"draw.polygon([[1, "2"]]);"#, "a point's y is a string"),
        (r#"draw.shader("nigth.wgsl");"#, "there is no shader \"nigth.wgsl\"; did you mean \"night.wgsl\"?"),
        (r#"draw.shader("sea");"#, "the folder has night.wgsl"),
        (r#"draw.shader("night.wgsl", { son: 1 });"#, "`Params` of night.wgsl has no `son`; did you mean `sun`?"),
        (r#"draw.shader("night.wgsl", { wind: [1, 2, 3] });"#, "`wind` has 3 numbers; night.wgsl takes 2"),
        (r#"sound.play("bel.wav");"#, "there is no sound \"bel.wav\"; did you mean \"bell.wav\"?"),
        (r#"sound.play("bell.wav", { loud: 1 });"#, "a sound has no `loud`"),
        ("draw.pop();", "draw.pop without a draw.push before it"),
        ("drow.circle(1, 2, 3);", "did you mean `draw`?"),
        ("createCanvas(400, 400);", "`canvas` in installation.toml"),
        ("ellipse(1, 2, 3);", "`ellipse` is `draw.ellipse` here"),
        ("setTimeout(() => {}, 10);", "from \"moongate\""),
        ("Date.now();", "use the `now` that `frame` is given"),
        ("new Date();", "use the `now` that `frame` is given"),
        ("here.bodys.length;", "did you mean `here.bodies`?"),
        ("lerp(1, 2, 0.5);", "`lerp` is arithmetic"),
        ("dist(1, 2, 3, 4);", "`dist` is `Math.hypot("),
        ("Circle(1, 2, 3);", "`Circle` is `draw.circle` here"),
        ("draw.trial(1);", "did you mean `draw.trail`?"),
        (r#"throw "paint";"#, "throws paint"),
        (r#"throw new Error("my own");"#, "my own"),
    ];
    let mut wrong = Vec::new();
    for (line, said) in mistakes {
        let fault = fault_of(&scene(line));
        let shown = fault.to_string();
        if fault.file != "scene.js" || !shown.contains(said) {
            wrong.push(format!("`{line}` does not say \"{said}\": {shown}"));
        }
        // A thrown text has no place.
        if !line.starts_with("throw \"") && (fault.place.is_none_or(|place| place.0 != 3) || fault.source != line) {
            wrong.push(format!("`{line}` is not found on line 3: {shown}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn a_mistake_of_the_whole_script_is_told_when_it_is_loaded() {
    let frame = "export function frame() {}";
    let mistakes = [
        (format!("// A\nimport {{ drw }} from \"moongate\";\n{frame}"), Some(2), "did you mean `draw`?"),
        (format!("import {{ everything }} from \"moongate\";\n{frame}"), Some(1), "\"moongate\" has here, there"),
        (format!("// A\nimport fs from \"fs\";\n{frame}"), Some(2), "a scene imports from \"moongate\" only"),
        (format!("// A frame\nimport {{\n  draw,\n  frme,\n}} from \"moongate\";\n{frame}"), Some(4), "'frme'"),
        (format!("import {{ a }} from \"./other.js\";\n{frame}"), Some(1), "cannot be imported"),
        (format!("{frame}\nconst pair = [1 2];"), Some(2), "a comma, an operator or a bracket that is missing"),
        ("// A\nexport function setup() {}".into(), Some(2), "`setup` is never called; it is `start` here"),
        ("// A\nexport function draw() {}".into(), Some(2), "`draw` is never called; it is `frame` here"),
        (format!("{frame}\nexport function mousePressed() {{}}"), Some(2), "it is `down` here"),
        ("export function fram() {}".into(), Some(1), "did you mean `frame`?"),
        ("// A\nfunction frame() {}".into(), Some(2), "write `export` before `function frame`"),
        ("let x = 1;".into(), None, "write: export function frame({ now }) { … }"),
        (String::new(), None, "exports no function that the engine calls"),
        (format!("{frame}\nlet a = 1;\nlet b = ;\n"), Some(3), "token"),
        (format!("{frame}\nawait 1;\nwhile (false) {{\n"), None, "scene.js"),
        (format!("{frame}\nconst x = noise(1);"), Some(2), "add it to the import: import { noise } from \"moongate\""),
        (format!("{frame}\nthrow new Error(\"at once\");"), Some(2), "at once"),
    ];
    let mut wrong = Vec::new();
    for (script, line, said) in mistakes {
        let Err(fault) = load(&script) else {
            wrong.push(format!("is taken for good:\n{script}"));
            continue;
        };
        let shown = fault.to_string();
        if !shown.contains(said) || (line.is_some() && fault.place.map(|place| place.0) != line) {
            wrong.push(format!("not \"{said}\" on line {line:?}: {shown}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let (dir, _) = folder(&scene(""));
    let read = || common::edition(dir.path()).expect_err("it cannot be used");
    std::fs::rename(dir.path().join("scene.js"), dir.path().join("other.js")).expect("renamed");
    let fault = read();
    assert!(fault.file == "installation.toml" && fault.problem.contains("no file"), "{fault}");
    std::fs::rename(dir.path().join("other.js"), dir.path().join("scene.js")).expect("renamed");

    std::fs::write(dir.path().join("broken.wgsl"), "fn paint(at: vec2f) -> vec4f {\n  return vec4f(att, 0.0, 1.0);\n}")
        .expect("written");
    let fault = read();
    assert_eq!((fault.file.as_str(), fault.place.map(|place| place.0)), ("broken.wgsl", Some(2)), "{fault}");
    std::fs::remove_file(dir.path().join("broken.wgsl")).expect("removed");

    std::fs::write(dir.path().join("scene.js"), [0xff, 0xfe, b'a']).expect("written");
    let fault = read();
    assert!(fault.remedy.contains("UTF-8"), "{fault}");
    std::fs::write(dir.path().join("scene.js"), vec![b' '; (1 << 20) + 1]).expect("written");
    let fault = read();
    assert!(fault.remedy.contains("1 MiB"), "{fault}");
}

// (c)

#[test]
fn a_loop_without_an_end_ends_and_the_next_frame_is_drawn() {
    let (_dir, start) = folder(&scene("if (now === 1) { for (;;) {} } draw.circle(1, 2, 3);"));
    let mut host = ScriptHost::load(&start, ticking()).unwrap_or_else(|fault| panic!("{fault}"));
    assert_eq!(picture(&mut host, &at(0.0)).items.len(), 1);
    for _ in 0..3 {
        let fault = see(&mut host, &at(1.0)).fault.expect("it does not end");
        assert!(fault.problem.contains("ran longer than 34 ms, before anything was drawn"), "{fault}");
        assert!(fault.remedy.contains("loop"), "{fault}");
        assert_eq!(fault.place.map(|place| place.0), Some(3), "{fault}");
        assert_eq!(picture(&mut host, &at(2.0)).items.len(), 1);
    }
}

/// In virtual time a frame gets more time on a busy machine, until the machine cannot be the cause any more.
#[test]
fn a_frame_is_stopped_after_all_of_its_budgets() {
    let (_dir, start) = folder(&scene("if (now === 1) { for (;;) {} } draw.circle(1, 2, 3);"));
    let mut host =
        ScriptHost::load(&SceneInit { budgets: 3, ..start }, ticking()).unwrap_or_else(|fault| panic!("{fault}"));
    for limit in ["102 ms", "34 ms", "34 ms"] {
        let fault = see(&mut host, &at(1.0)).fault.expect("it does not end");
        assert!(fault.problem.contains(&format!("ran longer than {limit}")), "{fault}");
        assert_eq!(picture(&mut host, &at(2.0)).items.len(), 1);
    }
}

#[test]
fn a_script_cannot_catch_its_own_end() {
    let (_dir, start) =
        folder(&scene("for (;;) { try { for (;;) {} } catch { draw.circle(1, 2, 3); } finally { now; } }"));
    let mut host = ScriptHost::load(&start, ticking()).unwrap_or_else(|fault| panic!("{fault}"));
    let fault = see(&mut host, &at(0.0)).fault.expect("it does not end");
    assert!(fault.problem.contains("ran longer"), "{fault}");
    // Wherever the script was stopped, it is the same single fault.
    let there = SceneDiagnostic { place: Some((1, 1)), problem: "ran longer than 34 ms".into(), ..fault.clone() };
    let other = SceneDiagnostic { problem: "x is NaN".into(), ..there.clone() };
    assert!(fault.is_same(&there) && !fault.is_same(&other), "{fault}");
}

#[test]
fn a_loop_without_an_end_ends_while_loading() {
    let (_dir, start) = folder("export function frame() {}\nfor (;;) {}\n");
    let fault = ScriptHost::load(&start, ticking()).err().expect("it does not end");
    assert!(fault.problem.contains("ran longer"), "{fault}");
}

#[test]
fn promises_without_an_end_are_a_fault() {
    let fault = fault_of(&scene("const again = () => Promise.resolve().then(again); again();"));
    assert!(fault.problem.contains("promises without an end"), "{fault}");
}

// (d)

#[test]
fn recursion_without_an_end_is_a_fault() {
    let mut host = good(&scene("const again = () => 1 + again(); if (now < 1) again(); draw.circle(1, 2, 3);"));
    let fault = see(&mut host, &at(0.0)).fault.expect("there is no room for it");
    assert!(fault.problem.contains("call stack"), "{fault}");
    assert_eq!(picture(&mut host, &at(2.0)).items.len(), 1);
}

#[test]
fn more_memory_than_there_is_is_a_fault() {
    let mut host =
        good(&scene("if (now < 1) { const all = []; for (;;) all.push(\"x\".repeat(10000)); } draw.circle(1, 2, 3);"));
    for _ in 0..3 {
        let fault = see(&mut host, &at(0.0)).fault.expect("there is no room for it");
        assert!(fault.remedy.contains("64 MiB"), "{fault}");
        assert_eq!(picture(&mut host, &at(2.0)).items.len(), 1);
    }
}

#[test]
fn memory_that_is_kept_is_a_fault_each_frame_and_no_crash() {
    let script =
        "const all = [];\nexport function frame() {\n  for (;;) all.push(\"x\".repeat(1000) + all.length);\n}\n";
    let mut host = good(script);
    for _ in 0..5 {
        assert!(see(&mut host, &at(0.0)).fault.is_some());
    }
}

// (e)

#[test]
fn what_is_beyond_the_bounds_is_told_and_the_next_frame_is_drawn() {
    let bounds = [
        ("for (let i = 0; i <= 20000; i++) draw.circle(1, 2, 3);", "more than 20000 things in one frame; draw fewer"),
        ("for (let i = 0; i <= 64; i++) signal(\"a\");", "more than 64 sounds, signals, marks and logs in one frame"),
        ("for (let i = 0; i <= 64; i++) sound.play(\"bell.wav\");", "more than 64 sounds"),
        (
            "for (let i = 0; i <= 64; i++) draw.push();",
            "draw.push 64 times without a draw.pop; add the missing draw.pop",
        ),
        ("for (let i = 0; i <= 8; i++) draw.shader(\"night.wgsl\");", "more than 8 shader layers in one frame"),
        ("for (let i = 0; i <= 16; i++) draw.text(\"x\".repeat(4000), 1, 2);", "more than 64 KiB of text in one frame"),
        ("draw.polyline(new Array(200001).fill(0));", "200001 points are too many"),
        (
            "for (let i = 0; i < 3; i++) draw.polyline(new Array(200000).fill(0));",
            "more than 200000 points in one frame",
        ),
        ("signal(\"a\", \"x\".repeat(800));", "802 bytes of data are more than 800"),
        ("signal(\"x\".repeat(65));", "a name has 1 to 64 bytes"),
        ("signal(\"\");", "a name has 1 to 64 bytes"),
    ];
    for (line, said) in bounds {
        let mut host = good(&scene(&format!("if (now < 1) {{ {line} }} draw.circle(1, 2, 3);")));
        let fault = see(&mut host, &at(0.0)).fault.unwrap_or_else(|| panic!("no fault: {line}"));
        assert!(fault.problem.contains(said), "{line} does not say \"{said}\": {fault}");
        let next = see(&mut host, &at(2.0));
        assert_eq!(next.picture.map(|picture| picture.items.len()), Some(1), "after {line}");
        assert!(next.acts.is_empty(), "after {line}");
    }
}

#[test]
fn too_many_logs_never_stop_a_scene() {
    let answer =
        see(&mut good(&scene("for (let i = 0; i < 1000; i++) console.log(i); draw.circle(1, 2, 3);")), &at(0.0));
    assert!(answer.fault.is_none(), "{:?}", answer.fault);
    assert_eq!(answer.acts.len(), moongate::scene::ACTIONS_MAX);
}

#[test]
fn what_is_exactly_within_the_bounds_is_drawn() {
    let line = "for (let i = 0; i < 20000; i++) draw.circle(1, 2, 3); for (let i = 0; i < 64; i++) draw.push();";
    assert_eq!(picture(&mut good(&scene(line)), &at(0.0)).items.len(), moongate::scene::ITEMS_MAX);
    // Items covered by an opaque background are not counted.
    let line =
        "for (let i = 0; i < 20000; i++) draw.circle(1, 2, 3); draw.background(\"black\"); draw.circle(1, 2, 3);";
    assert_eq!(picture(&mut good(&scene(line)), &at(0.0)).items.len(), 2);
}

// (f)

#[test]
fn signals_go_out_as_json_and_come_in_parsed() {
    let mut host = good(
        r#"import { signal, sound } from "moongate";
export function frame({ now }) {
  if (now > 0) return;
  signal("hello", { a: [1, 2], name: "深圳 \"gate\"" });
  signal("bare");
  sound.play("bell.wav", { volume: 0.5, pan: -3, rate: 2 });
  signal("list", [true, null]);
}
export function heard(name, data) {
  console.log(name, data);
}
"#,
    );
    let acts = see(&mut host, &at(0.0)).acts;
    let signal = |name: &str, data: &str| SceneAction::Signal { name: name.into(), data: data.into() };
    assert_eq!(
        acts,
        [
            signal("hello", r#"{"a":[1,2],"name":"深圳 \"gate\""}"#),
            signal("bare", "null"),
            SceneAction::Play { name: "bell.wav".into(), volume: 0.5, pan: -1.0, rate: 2.0 },
            signal("list", "[true,null]"),
        ]
    );
    // Shared state set in one half arrives in the other.
    let events = acts.into_iter().filter_map(|act| match act {
        SceneAction::Signal { name, data } => Some(SceneEvent::Heard { name, data }),
        _ => None,
    });
    let answer = see(&mut host, &FrameInput { events: events.collect(), ..at(1.0) });
    assert_eq!(
        logs(&answer.acts),
        [r#"hello {"a":[1,2],"name":"深圳 \"gate\""}"#, "bare null", "list [true,null]"],
        "{:?}",
        answer.fault
    );
}

#[test]
fn what_a_twin_says_that_is_no_json_is_not_heard() {
    let mut host = good("export function frame() {}\nexport function heard(name) { throw name; }\n");
    let events = vec![SceneEvent::Heard { name: "a".into(), data: "{".into() }];
    assert!(see(&mut host, &FrameInput { events, ..at(0.0) }).fault.is_none());
    assert!(see(&mut host, &at(1.0)).fault.is_none());
}

// (g)

#[test]
fn random_and_noise_follow_from_the_seed() {
    let script = scene(
        "for (let i = 0; i < 9; i++) console.log(random(), random(5), random(-3, 3), Math.random(), noise(i + 0.3, now), noise(0.5, i, 0.7));",
    );
    let run = |seed| {
        let (_dir, mut start) = folder(&script);
        start.seed = seed;
        let mut host = ScriptHost::load(&start, || Duration::ZERO).unwrap_or_else(|fault| panic!("{fault}"));
        let answer = see(&mut host, &at(1.25));
        assert!(answer.fault.is_none(), "{:?}", answer.fault);
        logs(&answer.acts).join(" ")
    };
    let first = run(7);
    assert_eq!(first, run(7));
    assert_ne!(first, run(8));
    let numbers: Vec<f64> = first.split(' ').map(|number| number.parse().expect("a number")).collect();
    assert_eq!(numbers.len(), 54);
    for six in numbers.chunks_exact(6) {
        assert!(
            (0.0..1.0).contains(&six[0]) && (0.0..5.0).contains(&six[1]) && (-3.0..3.0).contains(&six[2]),
            "{six:?}"
        );
        assert!((0.0..1.0).contains(&six[3]) && six[4].abs() <= 1.0 && six[5].abs() <= 1.0, "{six:?}");
    }
}

// (h)

#[test]
fn events_of_both_cities_come_in_order_with_age_and_city() {
    let mut script = String::from("import { there } from \"moongate\";\n");
    for name in ["down", "move", "up", "downThere", "moveThere", "upThere"] {
        script += &format!(
            "export function {name}(t) {{ console.log(\"{name}\", t.id, t.x, t.y, t.by, t.age, t.city.latin, t.here); }}\n"
        );
    }
    script += "export function start() { console.log(\"start\"); }
export function linked() { console.log(\"linked\", there.linked); }
export function parted() { console.log(\"parted\", there.linked); }
export function heard(name, data) { console.log(\"heard\", name, data.n); }
export function frame({ now, dt }) { console.log(\"frame\", now, dt); }
";
    let mut host = good(&script);
    let touch = |id, began| TouchState { id, x: 10.5, y: 20.0, by: "finger", began };
    let cast = TouchState { by: "cast", ..touch(9, 0.5) };
    let events = vec![
        SceneEvent::Linked,
        SceneEvent::Down(touch(7, 1.0)),
        SceneEvent::DownThere(cast),
        SceneEvent::Move(touch(7, 1.0)),
        SceneEvent::Heard { name: "n".into(), data: r#"{"n":3}"#.into() },
        SceneEvent::MoveThere(cast),
        SceneEvent::UpThere(cast),
        SceneEvent::Up(touch(7, 1.0)),
        // A touch that began in the future, by a clock that is being slewed, counts as new.
        SceneEvent::Down(touch(8, 99.0)),
    ];
    let answer = see(&mut host, &FrameInput { linked: true, dt: 0.5, events, ..at(2.0) });
    assert_eq!(
        logs(&answer.acts),
        [
            "start",
            "linked true",
            "down 7 10.5 20 finger 1 Shenzhen true",
            "downThere 9 10.5 20 cast 1.5 Dublin false",
            "move 7 10.5 20 finger 1 Shenzhen true",
            "heard n 3",
            "moveThere 9 10.5 20 cast 1.5 Dublin false",
            "upThere 9 10.5 20 cast 1.5 Dublin false",
            "up 7 10.5 20 finger 1 Shenzhen true",
            "down 8 10.5 20 finger 0 Shenzhen true",
            "frame 2 0.5",
        ],
        "{:?}",
        answer.fault
    );
    // `start` is called once.
    let answer = see(&mut host, &FrameInput { dt: 0.5, events: vec![SceneEvent::Parted], ..at(3.0) });
    assert_eq!(logs(&answer.acts), ["parted false", "frame 3 0.5"], "{:?}", answer.fault);
}

#[test]
fn what_a_script_keeps_is_an_object_and_fits_what_comes_after_it() {
    let fault = load("export const keep = 4;\nexport function frame() {}").err().expect("it is a number");
    assert!(fault.problem.contains("`keep` is an int") && fault.remedy.contains("export const keep"), "{fault}");
    let before =
        good("export const keep = { a: 1, b: [2], c: \"x\", d: {}, e: null, f: 5 };\nexport function frame() {}");
    let kept = before.export_state().expect("it is small").expect("there is some");
    let script = "import { signal } from \"moongate\";
export const keep = { a: 9.5, b: [], c: 7, e: 3, g: 8 };
export function frame() { signal(\"keep\", keep); }";
    let mut after = good(script);
    after.import_state(&kept);
    after.import_state("no JSON");
    after.import_state("[1, 2]");
    let acts = see(&mut after, &at(1.0)).acts;
    let data = r#"{"a":1,"b":[2],"c":7,"e":null,"g":8}"#.to_owned();
    assert_eq!(acts, [SceneAction::Signal { name: "keep".into(), data }]);
    let large = good("export const keep = { a: \"x\".repeat(300000) };\nexport function frame() {}");
    assert!(large.export_state().expect_err("it is large").problem.contains("292 KiB"));
    let (_dir, start) = folder("export const keep = { get a() { for (;;); } };\nexport function frame() {}");
    let wild = ScriptHost::load(&start, ticking()).unwrap_or_else(|fault| panic!("{fault}"));
    assert!(wild.export_state().expect_err("it has no end").problem.contains("ran longer"));
    assert_eq!(good("export function frame() {}").export_state(), Ok(None));
}
