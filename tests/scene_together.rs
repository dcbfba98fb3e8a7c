//! Features shared by both cities, from a script's view: marks, shared state, meetings.

mod common;

use moongate::marks::{NewMark, VISIBLE_MAX};
use moongate::scene::{FrameInput, FromScene, MarkState, MarksUpdate, SceneAction, SceneEvent, SceneInit, ScriptHost};
use std::time::Duration;

struct Scene {
    host: ScriptHost,
    now: f64,
}

/// Log of a frame, and its other actions.
struct Did {
    logs: Vec<String>,
    marks: Vec<NewMark>,
    shares: Vec<String>,
    fault: Option<String>,
}

impl Scene {
    fn new(body: &str) -> Self {
        Self::with(body, "alone", "hide")
    }

    fn with(body: &str, lost: &str, lost_share: &str) -> Self {
        let script = format!("import {{ here, there, ours, noise }} from \"moongate\";\n{body}\n");
        let dir = common::folder(&script);
        let ours = ["lanterns", "words"].map(|name| (name.to_owned(), lost.to_owned())).to_vec();
        let start = SceneInit { ours, lost_share: lost_share.into(), ..common::start(dir.path()) };
        Self { host: ScriptHost::load(&start, || Duration::ZERO).unwrap_or_else(|fault| panic!("{fault}")), now: 100.0 }
    }

    fn frame(&mut self, sees: FrameInput) -> Did {
        self.now += 1.0;
        let json = serde_json::to_string(&FrameInput { now: self.now, ..sees }).expect("it is plain");
        let FromScene::Frame { acts, fault, .. } = self.host.run_frame(1, 1, &json) else { panic!("no frame") };
        let mut did = Did { logs: vec![], marks: vec![], shares: vec![], fault: fault.map(|fault| fault.to_string()) };
        for act in acts {
            match act {
                SceneAction::Log(line) => did.logs.push(line),
                SceneAction::Mark(draft) => did.marks.push(draft),
                SceneAction::Share(data) => did.shares.push(data),
                other => panic!("{other:?}"),
            }
        }
        did
    }

    fn news(&mut self, news: Vec<MarkState>) -> Did {
        self.frame(linked(news))
    }
}

fn linked(news: Vec<MarkState>) -> FrameInput {
    FrameInput { linked: true, marks: MarksUpdate { news, ..MarksUpdate::default() }, ..FrameInput::default() }
}

fn mark(place: u32, here: bool, began: f64, said: &str) -> MarkState {
    MarkState {
        place: format!("{place:014x}"),
        name: "lanterns".into(),
        at: Some([place as f32, 50.0]),
        began,
        seed: place,
        here,
        own: None,
        weight: 400 + said.len(),
        said: said.into(),
    }
}

#[test]
fn a_mark_is_there_at_once_and_becomes_what_the_engine_makes_of_it() {
    let mut scene = Scene::new(
        "let mine;
        export function down(touch) { mine = ours.lanterns.add(touch, { hue: 40 }); }
        export function frame() { const l = ours.lanterns; console.log(l.length, l.all()[0] === mine, mine?.x, mine?.hue,
          mine?.age, mine?.shared, mine?.kept, mine?.city.name, mine?.by, mine?.here); }",
    );
    let touch = moongate::scene::TouchState { id: 1, x: 30.0, y: 40.0, by: "finger", began: 99.0 };
    let did = scene.frame(FrameInput { events: vec![SceneEvent::Down(touch)], ..linked(vec![]) });
    assert_eq!(did.fault, None);
    assert_eq!(did.logs, ["1 true 30 40 0 false false 深圳 undefined true"]);
    let NewMark { name, at, seed, said } = did.marks[0].clone();
    assert_eq!((name.as_str(), at, said.as_str()), ("lanterns", Some([30.0, 40.0]), "{\"hue\":40}"));
    // The engine assigns its number; it stays the same object.
    let settled = MarkState { seed, own: Some(3), began: 100.5, ..mark(9, true, 0.0, &said) };
    let did = scene.news(vec![settled]);
    assert_eq!(did.logs, ["1 true 30 40 1.5 false false 深圳 undefined true"]);
    let shared = MarksUpdate { shared: 4, ..MarksUpdate::default() };
    let did = scene.frame(FrameInput { marks: shared, ..linked(vec![]) });
    assert_eq!(did.logs, ["1 true 30 40 2.5 true false 深圳 undefined true"]);
}

#[test]
fn marks_stand_in_the_order_of_both_cities_and_can_be_asked_for() {
    let mut scene = Scene::new(
        "export function frame() { const l = ours.lanterns, x = (all) => all.map((m) => m.x).join();
          console.log(x(l.all()), '|', x(l.last('40s')), '|', x(l.last(5)), '|', x(l.near(10, 50, 5)), '|',
            x(l.near({ x: 10, y: 50 }, 4000)), '|', l.all().map((m) => m.city.latin[0] + (m.text ?? '')).join()); }",
    );
    let did = scene.news(vec![
        mark(12, true, 98.0, "{\"text\":\"hi\"}"),
        mark(10, false, 70.0, "null"),
        mark(14, false, 40.0, "{\"age\":7,\"x\":99,\"__proto__\":{\"x\":1},\"constructor\":1,\"add\":2}"),
        mark(11, false, 99.0, "not JSON at all"),
        mark(11, false, 99.0, "told twice"),
        MarkState { name: "toString".into(), ..mark(13, false, 99.0, "{}") },
    ]);
    assert_eq!(did.fault, None);
    assert_eq!(did.logs, ["10,11,12,14 | 10,11,12 | 11,12 | 10,11,12,14 | 10,11,12,14 | D,D,Shi,D"]);
}

#[test]
fn what_is_lost_with_the_link_is_as_the_manifest_says() {
    let frame = "export function frame() { const a = ours.lanterns.add({ x: 1, y: 1 });
        console.log(a === null, ours.lanterns.all().filter((m) => !m.here).map((m) => m.faded.toFixed(1)).join()); }";
    for (lost, expected) in [
        ("alone", ["false 0.0", "false 0.0", "false 0.0", "false 0.0"]),
        ("freeze", ["false 0.0", "true 0.0", "true 0.0", "true 0.0"]),
        ("hide", ["false 0.0", "false ", "false ", "false "]),
        ("fade", ["false 0.0", "false 0.0", "false 0.5", "false "]),
    ] {
        let mut scene = Scene::with(frame, lost, "hide");
        let mut logs = scene.news(vec![mark(7, false, 90.0, "{}")]).logs;
        for _ in 0..3 {
            logs.extend(scene.frame(FrameInput::default()).logs);
        }
        assert_eq!(logs, expected, "{lost}");
        let back = scene.news(vec![]).logs;
        assert_eq!(back, ["false 0.0"], "{lost}");
        let quiet = Scene::with(&frame.replace("ours.lanterns.add({ x: 1, y: 1 })", "0"), lost, "hide");
        assert_eq!(comes_back(quiet), "false 0.0", "{lost}, and nobody leaves anything");
    }
}

/// Links, separates for long, and links again.
fn comes_back(mut scene: Scene) -> String {
    scene.news(vec![mark(7, false, 90.0, "{}")]);
    for _ in 0..4 {
        scene.frame(FrameInput::default());
    }
    scene.news(vec![]).logs.concat()
}

#[test]
fn a_share_is_told_when_it_changes_and_goes_with_the_link() {
    let script = "export function start() { here.share = { tide: 1 }; }
        export function frame({ now }) { here.share.tide = now < 103 ? 1 : 2; console.log(JSON.stringify(there.share)); }";
    for (lost, gone) in [("hide", "{}"), ("freeze", "{\"sea\":5}")] {
        let mut scene = Scene::with(script, "alone", lost);
        let sea =
            |share: Option<&str>, linked| FrameInput { share: share.map(Into::into), linked, ..FrameInput::default() };
        let first = scene.frame(sea(None, true));
        assert_eq!((first.shares, first.logs), (vec!["{\"tide\":1}".to_owned()], vec!["{}".to_owned()]));
        let second = scene.frame(sea(Some("{\"sea\":5}"), true));
        assert_eq!((second.shares, second.logs), (vec![], vec!["{\"sea\":5}".to_owned()]));
        let third = scene.frame(sea(None, false));
        assert_eq!((third.shares, third.logs), (vec!["{\"tide\":2}".to_owned()], vec![gone.to_owned()]), "{lost}");
    }
    let mut scene = Scene::new("export function frame() { here.share = { much: \"x\".repeat(900) }; }");
    assert!(
        scene
            .frame(FrameInput::default())
            .fault
            .is_some_and(|fault| fault.contains("here.share: 911 bytes are more than 800"))
    );
}

#[test]
fn meetings_and_merges_are_told() {
    let mut scene = Scene::new(
        "export function meet(at) { console.log('met', at.x, at.y); }
        export function merged(count) { console.log('merged', count); }",
    );
    let events = vec![SceneEvent::Meet { x: 7.0, y: 8.0 }, SceneEvent::Merged { marks: 3 }];
    assert_eq!(scene.frame(FrameInput { events, ..linked(vec![]) }).logs, ["met 7 8", "merged 3"]);
}

#[test]
fn a_wrong_call_says_what_to_write() {
    for (call, expected) in [
        (
            "ours.lanterns.add(3)",
            "ours.lanterns.add: a mark is a number, not an object; use ours.lanterns.add({ x, y })",
        ),
        ("ours.lanterns.add({ x: NaN, y: 1 })", "ours.lanterns.add: x is NaN, not a number"),
        ("ours.lanterns.add({ x: \"1\", y: 1 })", "ours.lanterns.add: x is a string, not a number"),
        ("ours.lanterns.add({ x: 1 })", "ours.lanterns.add: y is missing"),
        ("ours.lanterns.add({ x: 1, y: 1, text: \"深\".repeat(2000) })", "letters are more than 4096: say less of it"),
        ("ours.lanterns.last(\"soon\")", "ours.lanterns.last: \"soon\" is no time; use \"40s\""),
        ("ours.lanterns.near(1)", "ours.lanterns.near: x, y and the distance must be numbers"),
    ] {
        let mut scene = Scene::new(&format!("export function frame() {{ {call}; }}"));
        let fault = scene.frame(linked(vec![])).fault.expect(call);
        assert!(fault.contains(expected), "{call}: {fault}");
    }
    let mut scene = Scene::new("export function frame() { ours.birds.add({ x: 1, y: 1 }); }");
    let fault = scene.frame(linked(vec![])).fault.expect("a fault");
    assert!(fault.contains("is there a line [ours.birds] in installation.toml?"), "{fault}");
}

#[test]
fn a_long_night_of_marks_is_bounded_and_quick() {
    let mut scene = Scene::new("export function frame() { console.log(ours.lanterns.length + ours.words.length); }");
    let mut last = 0;
    for round in 0..80_u32 {
        let news = (0..250).map(|n| {
            let name = if n % 3 == 0 { "words" } else { "lanterns" };
            MarkState { name: name.into(), ..mark(round * 250 + n, false, 1.0, "{\"text\":\"a word\"}") }
        });
        let did = scene.news(news.collect());
        assert_eq!(did.fault, None);
        last = did.logs[0].parse().expect("a number");
    }
    assert!((VISIBLE_MAX - 300..=VISIBLE_MAX).contains(&last), "{last}");
}
