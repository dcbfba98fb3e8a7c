//! Bodies in scripts: arrival, standing still and departure, and drawing of bodies.

mod common;

use moongate::presence::{Body, MOTION_GRID};
use moongate::scene::{
    BasicShape, BodyState, CLIPS_MAX, Colour, DisplayList, DrawItem, FillPattern, FrameInput, FromScene, ITEMS_MAX,
    SceneAction, SceneDiagnostic, ScriptHost, encode_flow,
};
use std::path::Path;
use std::time::Duration;

fn load(script: &str) -> Result<ScriptHost, SceneDiagnostic> {
    let dir = common::folder(script);
    ScriptHost::load(&common::start(dir.path()), || Duration::ZERO)
}

fn good(script: &str) -> ScriptHost {
    load(script).unwrap_or_else(|fault| panic!("{fault}"))
}

fn see(host: &mut ScriptHost, sees: &FrameInput) -> (Option<DisplayList>, Vec<SceneAction>, Option<SceneDiagnostic>) {
    let json = serde_json::to_string(sees).expect("it is plain");
    match host.run_frame(sees.number, sees.input, &json) {
        FromScene::Frame { picture, acts, fault, .. } => (picture, acts, fault),
        other => panic!("{other:?} is no frame"),
    }
}

fn picture(host: &mut ScriptHost, sees: &FrameInput) -> DisplayList {
    let (picture, _, fault) = see(host, sees);
    picture.unwrap_or_else(|| panic!("{}", fault.unwrap_or_default()))
}

/// Returns the lines that a script logs in a frame.
fn told(host: &mut ScriptHost, sees: &FrameInput) -> Vec<String> {
    let (_, acts, fault) = see(host, sees);
    assert_eq!(fault, None);
    let line = |act| if let SceneAction::Log(line) = act { Some(line) } else { None };
    acts.into_iter().filter_map(line).collect()
}

/// Returns a scene whose third line is `line`, within `frame`.
fn scene(line: &str) -> String {
    let import = "import { draw, here, there, canvas } from \"moongate\";";
    format!("{import}\nexport function frame({{ now }}) {{\n  {line}\n}}\n")
}

/// Returns a square body of 100 units, on the ground at (`x`, 800).
fn body(id: u16, x: f32) -> Body {
    Body {
        id,
        people: 1,
        foot: [x, 800.0],
        head: [x, 700.0],
        velocity: [60.0, 0.0],
        outline: vec![[x - 50.0, 800.0], [x - 50.0, 700.0], [x + 50.0, 700.0], [x + 50.0, 800.0]],
        ..Body::default()
    }
}

fn seen(bodies: &[Body]) -> Vec<BodyState> {
    bodies.iter().map(|body| BodyState::from_body(body, 1.0)).collect()
}

fn at(now: f64, here: &[Body], there: &[Body]) -> FrameInput {
    let mut sees = FrameInput { now, dt: 1.0 / 60.0, ..FrameInput::default() };
    (sees.here.bodies, sees.there.bodies) = (seen(here), seen(there));
    sees
}

#[test]
fn each_body_appears_stands_and_leaves_once_in_its_own_city() {
    let mut script = String::from("import { here, there } from \"moongate\";\n");
    for name in ["appear", "leave", "still", "appearThere", "leaveThere", "stillThere"] {
        script += &format!("export function {name}(b) {{ console.log(\"{name}\", b.id, b.city.latin, b.here); }}\n");
    }
    script += "export function frame() { console.log(here.bodies.length, there.bodies.length); }\n";
    let mut host = good(&script);
    let standing = |still| [Body { still, ..body(7, 100.0) }];
    assert_eq!(told(&mut host, &at(1.0, &[], &[])), ["0 0"]);
    assert_eq!(
        told(&mut host, &at(1.0, &standing(0.0), &[body(7, 9.0), body(8, 9.0)])),
        ["appear 7 Shenzhen true", "appearThere 7 Dublin false", "appearThere 8 Dublin false", "1 2"]
    );
    assert_eq!(told(&mut host, &at(2.0, &standing(0.9), &[body(8, 9.0)])), ["leaveThere 7 Dublin false", "1 1"]);
    assert_eq!(
        told(&mut host, &at(2.1, &standing(1.0), &[])),
        ["leaveThere 8 Dublin false", "still 7 Shenzhen true", "1 0"]
    );
    assert_eq!(told(&mut host, &at(9.0, &standing(8.0), &[])), ["1 0"], "it still stands");
    assert_eq!(told(&mut host, &at(9.1, &standing(0.0), &[])), ["1 0"], "it moves");
    assert_eq!(told(&mut host, &at(10.1, &standing(1.0), &[])), ["still 7 Shenzhen true", "1 0"], "it stands again");
    assert_eq!(told(&mut host, &at(10.2, &[], &[])), ["leave 7 Shenzhen true", "0 0"]);
    // A body that is present when a scene starts also appears, standing or not.
    assert_eq!(
        told(&mut good(&script), &at(0.0, &[], &standing(5.0))),
        ["appearThere 7 Dublin false", "stillThere 7 Dublin false", "0 1"]
    );
}

#[test]
fn a_body_is_the_same_object_while_it_is_followed() {
    let mut host = good(
        r#"import { here } from "moongate";
export function appear(body) { body.name = "first"; }
export function leave(body) { console.log("left", body.name, body.kept.length, body.outline.length, body.x); }
export function frame() {
  const [body] = here.bodies;
  if (!body) return;
  here.bodies.length = 0;
  console.log(body.name, body.x, body.foot.y, body.head.y, body.reach && body.reach.x, body.vx, body.still, body.people, body.age);
  body.kept ??= body.outline;
  console.log(body.outline[0], body.kept[0], { ...body }.outline.length, body.outline === body.outline);
}
"#,
    );
    let first = Body { reach: Some([150.0, 750.0]), people: 3, ..body(4, 100.0) };
    let lines = told(&mut host, &at(1.5, &[first], &[]));
    assert_eq!(lines, ["first 100 800 700 150 60 0 3 0.5", "[50,800] [50,800] 4 true"]);
    let lines = told(&mut host, &at(2.0, &[Body { still: 0.5, ..body(4, 110.5) }], &[]));
    assert_eq!(lines, ["first 110.5 800 700 null 60 0.5 1 1", "[60.5,800] [50,800] 4 true"]);
    assert_eq!(told(&mut host, &at(3.0, &[], &[])), ["left first 4 4 110.5"]);
}

#[test]
fn a_body_is_drawn_round_in_its_citys_look() {
    let mut host = good(&scene(
        "draw.body(here.bodies[0], here.look); draw.body(there.bodies[0], { ...there.look, alpha: 0.5, stroke: \"white\" }); \
         draw.body({ ...here.bodies[0] }); draw.body(here.bodies[0].outline);",
    ));
    let turn = |i: usize| (i as f32 / 48.0 * std::f32::consts::TAU).sin_cos();
    let outline = (0..48).map(|i| [500.0 + 100.0 * turn(i).1, 500.0 + 300.0 * turn(i).0]).collect();
    let sees = at(1.0, &[Body { outline, ..body(1, 500.0) }], &[body(2, 900.0)]);
    let picture = picture(&mut host, &sees);
    let drawn: Vec<_> = picture
        .items
        .iter()
        .map(|item| match item {
            DrawItem::Polygon { points, paint } => (points.slice(&picture.points), *paint),
            other => panic!("{other:?}"),
        })
        .collect();
    let [mine, theirs, copy, kept] = drawn[..] else { panic!("{drawn:?}") };
    assert_eq!(mine.0.len(), 144);
    for [x, y] in mine.0 {
        let off = ((x - 500.0) / 100.0).hypot((y - 500.0) / 300.0);
        assert!((off - 1.0).abs() < 0.01, "{x}, {y} is not on the outline");
    }
    let start = common::setting();
    assert_eq!((Some(mine.1.fill), mine.1.pattern), (Colour::parse(&start.here.colour), FillPattern::Plain));
    assert_eq!((theirs.0.len(), theirs.1.pattern), (16, FillPattern::Lines), "a few points become a few more");
    assert_eq!((theirs.1.fill.0[3], theirs.1.stroke), (128, Colour([255, 255, 255, 128])));
    assert_eq!((copy.0, copy.1.fill), (mine.0, Colour([255; 4])));
    assert_eq!(kept.0.len(), 144, "an outline that was kept is as round");
    assert_eq!(picture.clone().validated(&[], 0), picture, "what a scene can say is within the bounds");
}

#[test]
fn patterns_are_for_what_has_an_inside() {
    let line = "draw.circle(1, 2, 3, { pattern: \"dots\" }); draw.rect(1, 2, 3, 4, { pattern: \"lines\" }); \
                draw.polygon([0, 0, 9, 0, 9, 9], { pattern: \"plain\" });";
    let picture = picture(&mut good(&scene(line)), &at(0.0, &[], &[]));
    let patterns = picture.items.iter().map(|item| match item {
        DrawItem::Shape { paint, .. } | DrawItem::Polygon { paint, .. } => paint.pattern,
        other => panic!("{other:?}"),
    });
    assert_eq!(patterns.collect::<Vec<_>>(), [FillPattern::Dots, FillPattern::Lines, FillPattern::Plain]);
}

/// Returns the kinds of draw items as words.
/// C and O stand for an inside or outside clip with its rings, U for its end, * for any other item.
fn order(picture: &DisplayList) -> String {
    let word = |item: &DrawItem| match item {
        DrawItem::Clip { rings, inside } => format!("{}{}", if *inside { "C" } else { "O" }, rings.len()),
        DrawItem::Unclip => "U".into(),
        _ => "*".into(),
    };
    picture.items.iter().map(word).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_clip_ends_with_its_function() {
    let orders = [
        ("draw.inside(here.bodies, () => { dot(); dot(); }); dot();", "C2 * * U *"),
        ("draw.outside(here.bodies[0], dot);", "O1 * U"),
        ("draw.inside(there.bodies, dot); draw.outside(there.bodies, dot);", "C0 * U O0 * U"),
        ("draw.inside([0, 0, 9, 0, 9, 9], dot); draw.inside([[0, 0], [9, 0], [9, 9]], dot);", "C1 * U C1 * U"),
        ("draw.inside([here.bodies[0].outline, [0, 0, 9, 0, 9, 9]], dot);", "C2 * U"),
        (
            "draw.inside([here.bodies[0], [[0, 0], [9, 0], [9, 9]]], dot); draw.inside([{ x: 1, y: 1 }], dot);",
            "C2 * U C0 * U",
        ),
        ("draw.inside({ x: 5, y: 5, radius: 3 }, dot);", "C1 * U"),
        ("draw.inside([{ x: 5, y: 5, width: 3, height: 4 }, here.bodies[0], [0, 0, 9, 0, 9, 9]], dot);", "C3 * U"),
        ("try { draw.inside(here.bodies, () => { dot(); throw new Error(\"mine\"); }); } catch {} dot();", "C2 * U *"),
        ("try { draw.inside(here.bodies, () => { draw.inside(here.bodies, dot); }); } catch {} dot();", "C2 U *"),
        // A background within a clip paints inside it, and removes nothing.
        ("dot(); draw.inside(here.bodies, () => draw.background(\"black\")); dot();", "* C2 * U *"),
    ];
    let bodies = [body(1, 100.0), body(2, 300.0)];
    for (line, expected) in orders {
        let script = scene(&format!("const dot = () => draw.circle(1, 2, 3); {line}"));
        let picture = picture(&mut good(&script), &at(0.0, &bodies, &[]));
        assert_eq!(order(&picture), expected, "{line}");
        assert_eq!(picture.clone().validated(&[], 0), picture, "{line}");
    }
}

#[test]
fn what_is_moved_within_a_clip_is_as_before_after_it() {
    let line = "draw.push(); draw.translate(10, 0); \
                try { draw.inside(here.bodies, () => { draw.push(); draw.translate(100, 0); draw.pop(); draw.pop(); }); } \
                catch (e) { console.log(e.message); } \
                draw.inside(here.bodies, () => { draw.push(); draw.scale(5); draw.alpha(0.1); }); \
                draw.circle(0, 0, 3, { fill: \"white\" }); draw.pop(); draw.circle(0, 0, 3);";
    let (picture, acts, fault) = see(&mut good(&scene(line)), &at(0.0, &[body(1, 100.0)], &[]));
    assert_eq!(fault, None);
    assert!(format!("{acts:?}").contains("draw.pop without a draw.push"), "{acts:?}");
    let picture = picture.expect("no fault");
    let [
        DrawItem::Clip { rings, .. },
        ..,
        DrawItem::Shape { transform: moved, paint, .. },
        DrawItem::Shape { transform, .. },
    ] = &picture.items[..]
    else {
        panic!("{:?}", picture.items)
    };
    assert_eq!((moved[4], moved[0], paint.fill.0[3], transform[4]), (10.0, 1.0, 255, 0.0));
    assert_eq!(rings[0].slice(&picture.points)[0], [60.0, 800.0], "an outline is moved as everything is");
}

#[test]
fn clips_and_bodies_are_bounded() {
    let line = "for (let i = 0; i < 129; i++) draw.inside(here.bodies, () => {});";
    let fault = see(&mut good(&scene(line)), &at(0.0, &[], &[])).2.expect("too many");
    assert!(fault.problem.contains(&format!("more than {CLIPS_MAX} of draw.inside and draw.outside")), "{fault}");
    // A full display list still ends its clip.
    let line = "try { draw.inside(here.bodies, () => { for (;;) draw.circle(1, 2, 3); }); } catch {}";
    let full = picture(&mut good(&scene(line)), &at(0.0, &[], &[]));
    assert_eq!((full.items.len(), full.items.last()), (ITEMS_MAX, Some(&DrawItem::Unclip)));
    let line = "for (;;) draw.body(here.bodies[0]);";
    let many = [Body { outline: vec![[0.0, 0.0]; 5_000], ..body(1, 0.0) }];
    let fault = see(&mut good(&scene(line)), &at(0.0, &many, &[])).2.expect("too many");
    assert!(fault.problem.contains("more than"), "{fault}");
}

#[test]
fn motion_is_felt_in_both_cities() {
    let line = "const say = (v) => console.log(Math.round(v.x), Math.round(v.y)); \
                say(here.flow.at(30, 30)); say(here.flow.at(60, 30)); say(here.flow.at(-9e5, 9e5)); \
                say(there.flow.at(500, 750)); say(there.flow.at(900, 750)); console.log(here.stir, there.stir);";
    let mut host = good(&scene(line));
    let mut cells = vec![[0.0, 0.0]; MOTION_GRID[0] * MOTION_GRID[1]];
    // Cells are 60 units wide and high, so the centre of the first is at 30, 30.
    (cells[0], cells[MOTION_GRID[0] * (MOTION_GRID[1] - 1)]) = ([100.0, -40.0], [7.0, 8.0]);
    let mut sees = at(0.0, &[], &[body(1, 500.0)]);
    (sees.here.flow, sees.here.stir, sees.there.stir) = (encode_flow(&cells), 0.5, 0.25);
    assert_eq!(told(&mut host, &sees), ["100 -40", "50 -20", "7 8", "60 0", "0 0", "0.5 0.25"]);
    assert_eq!(told(&mut host, &at(1.0, &[], &[])), ["0 0", "0 0", "0 0", "0 0", "0 0", "0 0"], "no camera");
}

#[test]
fn a_beginners_mistake_with_bodies_is_told() {
    let mistakes = [
        ("draw.body();", "draw.body: the body is missing; use draw.body(body, { fill, pattern })"),
        ("draw.body(here.touches[0]);", "a touch is no body, it has no outline: draw.circle(touch.x, touch.y, 20)"),
        ("draw.body(here.bodies);", "draw one at a time: for (const body of here.bodies)"),
        ("draw.body(here);", "a city is no body; it has `bodies`"),
        ("draw.body(here.bodies[9]);", "undefined is no body"),
        ("draw.body(here.bodies[0], { pattern: \"stripes\" });", "\"stripes\", not \"plain\" or \"lines\" or \"dots\""),
        ("draw.body(here.bodies[0], { texture: \"dots\" });", "a body has no `texture`; did you mean `pattern`?"),
        ("draw.line(0, 0, 9, 9, { pattern: \"dots\" });", "a line has no `pattern`"),
        ("draw.inside(here.bodies);", "the function that draws is missing; use draw.inside(here.bodies, () => { … })"),
        ("draw.inside(here.bodies, draw.body(here.bodies[0]));", "what draws is undefined, not a function"),
        ("draw.inside(here.touches[0], () => {});", "a touch is no body"),
        ("draw.inside({ x: 1, y: 2, radius: \"3\" }, () => {});", "radius is a string, not a number"),
        ("draw.inside({ x: 1, y: 2 }, () => {});", "an object is no body"),
        ("draw.inside(here.bodies, () => draw.inside(here.bodies, () => {}));", "cannot stand within another"),
        ("for (const body of here.bodies()) draw.body(body);", "`bodies` is an array: for (const body of here.bodies)"),
        ("const v = here.flow(1, 2);", "here.flow.at(x, y)"),
        ("const v = here.flow.at(1);", "here.flow.at: y is missing; use here.flow.at(x, y)"),
        ("const v = there.flow.at(\"a\", 2);", "there.flow.at: x and y must be numbers; use there.flow.at(x, y)"),
        ("draw.insid(here.bodies, () => {});", "did you mean `draw.inside`?"),
    ];
    let mut sees = at(0.0, &[body(1, 100.0)], &[]);
    sees.here.touches.push(moongate::scene::TouchState { id: 1, x: 2.0, y: 3.0, by: "reach", began: 0.0 });
    let mut wrong = Vec::new();
    for (line, said) in mistakes {
        let shown = match see(&mut good(&scene(line)), &sees).2 {
            Some(fault) if fault.place.is_some_and(|place| place.0 == 3) => fault.to_string(),
            Some(fault) => format!("not on line 3: {fault}"),
            None => "no fault".into(),
        };
        if !shown.contains(said) || shown.starts_with("not") {
            wrong.push(format!("`{line}` does not say \"{said}\": {shown}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    let fault = load("export function appears() {}").err().expect("it is never called");
    assert!(fault.to_string().contains("did you mean `appear`?"), "{fault}");
}

#[test]
fn a_background_within_a_clip_covers_every_canvas() {
    let line = "draw.translate(500, 500); draw.inside(here.bodies, () => draw.background(\"gold\"));";
    let picture = picture(&mut good(&scene(line)), &at(0.0, &[body(1, 100.0)], &[]));
    let [_, DrawItem::Shape { shape: BasicShape::Rect([w, h, _]), transform, .. }, DrawItem::Unclip] =
        &picture.items[..]
    else {
        panic!("{:?}", picture.items)
    };
    assert!(transform[4] < 0.0 && transform[5] < 0.0 && w + transform[4] >= 8192.0 && h + transform[5] >= 8192.0);
}

/// Runs an installation for some seconds; holds the sounds it played and its last frame.
struct Evening {
    host: ScriptHost,
    now: f64,
    frames: u64,
    played: Vec<String>,
}

impl Evening {
    fn run(&mut self, seconds: f64, linked: bool, here: &[Body], there: &[Body]) -> DisplayList {
        let mut last = None;
        for _ in 0..(seconds * 60.0) as u64 {
            self.now += 1.0 / 60.0;
            self.frames += 1;
            let mut sees = FrameInput { number: self.frames, linked, ..at(self.now, here, there) };
            sees.here.flow =
                encode_flow(&vec![[80.0, -20.0]; MOTION_GRID[0] * MOTION_GRID[1]]).filter(|_| !here.is_empty());
            let (picture, acts, fault) = see(&mut self.host, &sees);
            assert_eq!(fault, None, "{} bodies here, {} there", here.len(), there.len());
            last = picture;
            self.played.extend(acts.into_iter().filter_map(|act| match act {
                SceneAction::Play { name, .. } => Some(name),
                _ => None,
            }));
        }
        last.expect("a picture")
    }

    fn played(&mut self, sound: &str) -> usize {
        let played = std::mem::take(&mut self.played);
        played.iter().filter(|name| *name == sound).count()
    }
}

/// Returns the numbers of filled bodies and of hollow outlines.
fn shadows(picture: &DisplayList) -> [usize; 2] {
    let polygons = picture.items.iter().filter_map(|item| match item {
        DrawItem::Polygon { paint, .. } => Some(paint.fill.0[3] > 0),
        _ => None,
    });
    let (filled, hollow): (Vec<_>, Vec<_>) = polygons.partition(|filled| *filled);
    [filled.len(), hollow.len()]
}

#[test]
fn shadows_is_whole_alone_in_a_crowd_and_without_its_twin() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("installations/shadows");
    let host = ScriptHost::load(&common::start(&dir), || Duration::ZERO).unwrap_or_else(|fault| panic!("{fault}"));
    let mut evening = Evening { host, now: 100.0, frames: 0, played: Vec::new() };
    let person = |id, x: f32| Body {
        head: [x, 420.0],
        outline: [[0.0, 900.0], [-90.0, 700.0], [-60.0, 400.0], [60.0, 400.0], [90.0, 700.0], [20.0, 899.0]]
            .into_iter()
            .flat_map(|[side, y]| [[x + side, y], [x + side, y - 20.0]])
            .collect(),
        foot: [x, 900.0],
        ..body(id, x)
    };

    // Empty: no body is filled, and after a while a person crosses as an outline.
    assert_eq!(shadows(&evening.run(10.0, true, &[], &[])), [0, 0]);
    assert_eq!(shadows(&evening.run(14.0, true, &[], &[])), [0, 1]);
    assert!(evening.played.is_empty());

    // One person here and one there, apart; then together: one bell, and gold within the person here.
    assert_eq!(shadows(&evening.run(4.0, true, &[person(1, 400.0)], &[person(1, 1_500.0)])), [2, 0]);
    assert_eq!(evening.played("step.wav"), 2);
    let met = evening.run(3.0, true, &[person(1, 400.0)], &[person(1, 430.0)]);
    assert_eq!((order(&met).matches("C1 * U").count(), evening.played("bell.wav")), (1, 1));

    // The link is cut: the twin's people are outlines for a moment, and then disappear.
    assert_eq!(shadows(&evening.run(0.5, false, &[person(1, 400.0)], &[])), [1, 1]);
    assert_eq!(shadows(&evening.run(3.0, false, &[person(1, 400.0)], &[])), [1, 0]);

    // Forty people in each city: a moderate number of draw items, and no storm of bells.
    let crowd = |from: f32| (0..40).map(|id| person(id, from + 46.0 * f32::from(id))).collect::<Vec<_>>();
    let forty = evening.run(3.0, true, &crowd(40.0), &crowd(60.0));
    assert_eq!(order(&forty).matches("C40").count(), 1);
    assert!(forty.items.len() < 250 && forty.points.len() < 20_000, "{} {}", forty.items.len(), forty.points.len());
    assert!(evening.played.len() <= 6 + 3 * 5, "{:?}", evening.played);

    // Everyone leaves; after a while the wall shows one of them from memory.
    assert_eq!(shadows(&evening.run(30.0, true, &[], &[])), [0, 1]);
}
