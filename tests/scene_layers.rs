//! Persistence across frames: trails, retained layers and particles. Also the engine's own effects, and empty squares.

mod common;

use moongate::config::BuiltinEffects;
use moongate::presence::Body;
use moongate::scene::{
    BodyState, DisplayList, DrawItem, FrameInput, FromScene, RetainedLayerSet, RetainedUpdate, SceneAction,
    SceneDiagnostic, SceneEvent, SceneInit, SceneRevision, ScriptHost, TouchState,
};
use std::time::Duration;

const IMPORT: &str = "import { draw, here, there, particles, canvas } from \"moongate\";";

struct Scene {
    host: ScriptHost,
    now: f64,
}

impl Scene {
    fn new(body: &str) -> Self {
        Self::with(body, "", |start| start.effects = BuiltinEffects::NONE)
    }

    fn with(body: &str, manifest: &str, change: impl FnOnce(&mut SceneInit)) -> Self {
        let dir = common::folder(&format!("{IMPORT}\n{body}"));
        let head = "api = 1\nid = \"test\"\ncanvas = [1920, 1080]\n";
        std::fs::write(dir.path().join("installation.toml"), format!("{head}{manifest}")).expect("written");
        let edition = SceneRevision::read(dir.path()).unwrap_or_else(|fault| panic!("{fault}"));
        let mut start = edition.scene_init(&common::setting());
        change(&mut start);
        let host = ScriptHost::load(&start, || Duration::ZERO).unwrap_or_else(|fault| panic!("{fault}"));
        Self { host, now: 100.0 }
    }

    fn frame(
        &mut self,
        mut sees: FrameInput,
    ) -> (Option<DisplayList>, Vec<SceneAction>, Vec<RetainedUpdate>, Option<SceneDiagnostic>) {
        self.now += 1.0 / 60.0;
        (sees.now, sees.dt) = (self.now, 1.0 / 60.0);
        let json = serde_json::to_string(&sees).expect("it is plain");
        let FromScene::Frame { picture, acts, kept, fault, .. } = self.host.run_frame(1, 0, &json) else {
            panic!("no frame")
        };
        (picture, acts, kept, fault)
    }

    fn good(&mut self, sees: FrameInput) -> (DisplayList, Vec<SceneAction>, Vec<RetainedUpdate>) {
        let (picture, acts, kept, fault) = self.frame(sees);
        let picture = picture.unwrap_or_else(|| panic!("{}", fault.unwrap_or_default()));
        assert_eq!(picture.clone().validated(&[], 0), picture, "what a scene can say is within the bounds");
        (picture, acts, kept)
    }
}

fn fault(line: &str) -> String {
    let mut scene = Scene::new(&format!("const snow = particles();\nexport function frame() {{\n{line}\n}}"));
    let fault = scene.frame(FrameInput::default()).3.unwrap_or_else(|| panic!("it is right: {line}"));
    assert_eq!(fault.place.map(|(line, _)| line), Some(4), "{fault}");
    fault.problem
}

fn body(id: u16, x: f32) -> BodyState {
    let outline = vec![[x - 60.0, 300.0], [x + 60.0, 300.0], [x + 60.0, 1_000.0], [x - 60.0, 1_000.0]];
    let body = Body { id, people: 1, foot: [x, 1_000.0], head: [x, 330.0], outline, ..Body::default() };
    BodyState::from_body(&body, 90.0)
}

#[test]
fn a_trail_holds_what_is_drawn_in_it_and_nothing_else() {
    let mut scene = Scene::new(
        "export function frame() {
  draw.push(); draw.translate(100, 50); draw.alpha(0.5);
  draw.trail(\"glow\", { fade: 2, round: [10, 10], blend: \"screen\" }, () => { draw.circle(5, 5, 4); draw.scale(9); });
  draw.circle(5, 5, 4);
  draw.pop();
  draw.inside({ x: 1, y: 1, radius: 9 }, () => draw.trail(\"other\", () => draw.background(\"red\")));
}",
    );
    let (picture, ..) = scene.good(FrameInput::default());
    let [
        DrawItem::Trail { slot: 0, trail, alpha, .. },
        DrawItem::Shape { paint, transform, .. },
        DrawItem::Untrail,
        after,
        rest @ ..,
    ] = &picture.items[..]
    else {
        panic!("{:?}", picture.items)
    };
    assert_eq!((trail.fade, trail.round, *alpha), (2.0, [110.0, 60.0], 0.5));
    assert_eq!((paint.fill.0[3], transform[4]), (255, 105.0), "what goes into a trail is whole");
    let DrawItem::Shape { paint, transform, .. } = after else { panic!("{after:?}") };
    assert_eq!((paint.fill.0[3], transform[0], transform[4]), (128, 1.0, 105.0), "all is as before the trail");
    assert!(
        matches!(
            rest,
            [
                DrawItem::Clip { .. },
                DrawItem::Trail { slot: 1, .. },
                DrawItem::Shape { .. },
                DrawItem::Untrail,
                DrawItem::Unclip
            ]
        ),
        "{rest:?}"
    );
}

#[test]
fn what_is_kept_is_sent_once_and_all_of_it_again_when_something_is_gone() {
    let mut scene = Scene::new(
        "let things = [{ x: 1 }, { x: 2 }], count = 0;
export function frame() {
  count += 1;
  if (count === 2) things.push({ x: 3 });
  if (count === 4) things = things.slice(1);
  draw.kept(\"cloth\", things, ({ x }) => draw.circle(x, 0, 1), { alpha: 0.5 });
}",
    );
    let mut layers = RetainedLayerSet::default();
    let mut sent = Vec::new();
    for _ in 0..5 {
        let (picture, _, kept) = scene.good(FrameInput::default());
        assert!(matches!(picture.items[..], [DrawItem::Kept { slot: 0, alpha: 0.5, .. }]), "{:?}", picture.items);
        sent.push(kept.iter().map(|news| (news.anew, news.strokes.items.len())).collect::<Vec<_>>());
        layers.apply(kept, 0);
    }
    assert_eq!(sent, [vec![(false, 2)], vec![(false, 1)], vec![], vec![(true, 2)], vec![]]);
    let shown = &layers.shown()[0];
    assert_eq!((shown.generation, shown.strokes.len()), (2, 1));
}

#[test]
fn many_things_come_little_by_little() {
    let mut scene = Scene::new(
        "const things = Array.from({ length: 1200 }, (_, i) => ({ x: i }));
export function frame() { draw.kept(\"stars\", things, ({ x }) => draw.circle(x, 0, 1)); }",
    );
    let sent: Vec<_> = (0..4)
        .map(|_| {
            scene
                .good(FrameInput::default())
                .2
                .iter()
                .map(|news| (news.whole, news.strokes.items.len()))
                .collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(sent, [vec![(false, 500)], vec![(false, 500)], vec![(true, 200)], vec![]]);
}

#[test]
fn a_layer_that_is_full_says_so_once_and_the_scene_goes_on() {
    let mut scene = Scene::new(
        "const things = Array.from({ length: 9 }, (_, i) => ({ i }));
export function frame() {
  draw.kept(\"stars\", things, ({ i }) => { for (let n = 0; n < 2_500; n++) draw.circle(i, n, 1); });
}",
    );
    let (mut layers, mut said) = (RetainedLayerSet::new(0), 0);
    for _ in 0..12 {
        let (_, acts, news) = scene.good(FrameInput::default());
        let items: usize = news.iter().map(|news| news.strokes.items.len()).sum();
        assert!(items <= 7_500, "{items} in one frame");
        said += acts
            .iter()
            .filter(|act| matches!(act, SceneAction::Log(line) if line.contains("\"stars\" is full")))
            .count();
        layers.apply(news, 0);
    }
    let kept: usize = layers.shown()[0].strokes.iter().map(|strokes| strokes.items.len()).sum();
    assert_eq!((said, kept), (1, 15_000), "a frame brings all of its news or none");
}

#[test]
fn particles_fall_land_on_somebody_and_end() {
    let mut scene = Scene::new(
        "const snow = particles({ most: 50, life: 5, size: [4, 8], colour: [\"white\", \"gold\"], gravity: 400, lands: \"there\" });
export function start() { snow.emit({ x: [950, 970], y: 0 }, { count: 60 }); }
export function frame() { draw.particles(snow); }",
    );
    let sees = || {
        let mut sees = FrameInput::default();
        sees.there.bodies = vec![body(1, 960.0)];
        sees
    };
    let mut last = DisplayList::default();
    for _ in 0..120 {
        last = scene.good(sees()).0;
    }
    assert_eq!(last.dots.len(), 50);
    assert!(last.dots.iter().all(|dot| (280.0..=300.0).contains(&dot.at[1])), "{:?}", last.dots[0]);
    for _ in 0..60 {
        last = scene.good(FrameInput::default()).0;
    }
    assert!(last.dots.iter().all(|dot| dot.at[1] > 350.0), "who carried them has gone");
    for _ in 0..240 {
        last = scene.good(FrameInput::default()).0;
    }
    assert!(last.items.is_empty() && last.dots.is_empty());
}

#[test]
fn a_mistake_is_told_with_its_remedy() {
    for (line, said) in [
        ("draw.trail({ fade: 2 }, () => {});", "draw.trail: the name is an object, not a text"),
        ("draw.trail(\"a\", { fades: 2 }, () => {});", "a trail has no `fades`; did you mean `fade`?"),
        ("draw.trail(\"a\", { fade: \"2s\" }, () => {});", "fade is a string, not a number"),
        ("draw.trail(\"a\", { fade: NaN }, () => {});", "fade is NaN"),
        ("draw.trail(\"a\", { fade: 2 });", "what draws is an object, not a function"),
        ("draw.trail(\"a\", () => {}); draw.trail(\"a\", () => {});", "this trail is drawn already"),
        ("draw.trail(\"a\", () => draw.trail(\"b\", () => {}));", "within another draw.trail"),
        ("for (const n of \"abcde\") draw.trail(n, () => {});", "more than 4 trails"),
        ("draw.kept(\"a\", { x: 1 }, () => {});", "draw.kept: the things are an object, not an array"),
        ("draw.kept(\"a\", [1]);", "what draws a thing is undefined, not a function"),
        (
            "draw.kept(\"a\", [1], () => draw.trail(\"b\", () => {}));",
            "a trail changes, and cannot be drawn into what is kept",
        ),
        ("for (const n of \"abcde\") draw.kept(n, [], () => {});", "more than 4 layers"),
        ("particles({ colour: \"golden\" });", "golden"),
        ("particles({ lifetime: 2 });", "a kind of particles has no `lifetime`; did you mean `life`?"),
        ("particles({ lands: \"everywhere\" });", "lands is \"everywhere\", not \"here\" or \"there\" or \"both\""),
        ("particles({ most: 20000 });", "more than 20000 in all"),
        ("snow.emit(100, 100);", "the place is an int, not an object with x and y"),
        ("snow.emit({ x: 100 });", "y is undefined, not a number"),
        ("snow.emit({ x: [1, 2, 3], y: 0 });", "x has 3 numbers, not [from, to]"),
        ("snow.emit({ x: 1, y: 0 }, { number: 3 });", "emit has no `number`"),
        ("draw.particles({});", "an object has no particles"),
    ] {
        let fault = fault(line);
        assert!(fault.contains(said), "{line}\n{fault}");
    }
}

fn dots(picture: &DisplayList) -> usize {
    picture.items.len()
}

#[test]
fn the_engine_adds_what_the_manifest_does_not_switch_off() {
    let script = "export function frame() { draw.push(); draw.translate(1e5, 1e5); }";
    let with = |manifest: &str| Scene::with(script, manifest, |_| {});
    let off = "[kit]\narrival = false\nmeeting = false\nsky = false\ntouch = false\n";
    let mut none = with(off);
    assert_eq!(dots(&none.good(FrameInput { linked: true, ..FrameInput::default() }).0), 0);
    let mut scene = with("");
    let linked = || FrameInput { linked: true, delay: 0.09, ..FrameInput::default() };
    let (calm, acts, _) = scene.good(linked());
    assert!(dots(&calm) >= 4 && acts.is_empty(), "their name, their clock and their sky: {:?}", calm.items);
    assert!(calm.text.contains("Baile Átha Cliath") || calm.text.contains("Dublin"), "{}", calm.text);

    let mut sees = linked();
    sees.there.bodies = vec![body(3, 400.0)];
    sees.events = vec![SceneEvent::Meet { x: 600.0, y: 500.0 }];
    let (busy, acts, _) = scene.good(sees);
    assert_eq!(dots(&busy), dots(&calm) + 4, "light for a warm place and for a meeting");
    let played = |name: &str| acts.iter().any(|act| matches!(act, SceneAction::Play { name: own, .. } if own == name));
    assert!(played("moongate:step") && played("moongate:bell"), "{acts:?}");

    // A touch is in flight for as long as it takes, and then arrives.
    let mut scene = with("[kit]\nsky = false\n");
    let touch = TouchState { id: 1, x: 100.0, y: 100.0, by: "finger", began: 100.0 };
    let (first, ..) = scene.good(FrameInput { events: vec![SceneEvent::Down(touch)], ..linked() });
    let line =
        |picture: &DisplayList| picture.items.iter().filter(|item| matches!(item, DrawItem::Shape { .. })).count();
    assert_eq!(line(&first), 0);
    let later: Vec<usize> = (0..12).map(|_| line(&scene.good(linked()).0)).collect();
    // Beads on their way, and then a light.
    assert!(later[..4].iter().all(|beads| *beads > 1) && later[8..] == [2; 4], "{later:?}");
    let fault = Scene::with("export function frame() { draw.circle(); }", "", |_| {}).frame(linked()).3;
    assert!(fault.is_some(), "a mistake of the scene is still one");
}

#[test]
fn nobody_for_twenty_seconds_is_told_once() {
    let mut scene = Scene::new(
        "let told = 0;
export function idle() { told += 1; }
export function frame() { for (let i = 0; i < told; i++) draw.circle(0, 0, 1 + here.empty); }",
    );
    let count = |scene: &mut Scene, frames: usize, somebody: bool| {
        let mut picture = DisplayList::default();
        for _ in 0..frames {
            let mut sees = FrameInput::default();
            if somebody {
                sees.here.bodies = vec![body(1, 500.0)];
            }
            picture = scene.good(sees).0;
        }
        dots(&picture)
    };
    assert_eq!(count(&mut scene, 1_190, false), 0);
    assert_eq!(count(&mut scene, 20, false), 1);
    assert_eq!(count(&mut scene, 1_500, false), 1);
    assert_eq!(count(&mut scene, 2, true), 1);
    assert_eq!(count(&mut scene, 1_250, false), 2, "and again when somebody was there in between");
}

#[test]
fn a_frame_that_fails_leaves_nothing_behind() {
    let body = "import { ours } from \"moongate\";
export function down(touch) { ours.rings.add(touch, { colour: \"goldd\" }); console.log(\"left\"); }
export function frame() { for (const ring of ours.rings.all()) draw.circle(ring.x, ring.y, 9, { fill: ring.colour }); }";
    let mut scene = Scene::with(body, "[ours.rings]\nlost = \"alone\"\n", |start| start.effects = BuiltinEffects::NONE);
    let touch = TouchState { id: 1, x: 5.0, y: 5.0, by: "finger", began: 1.0 };
    let (picture, acts, _, fault) =
        scene.frame(FrameInput { events: vec![SceneEvent::Down(touch)], ..FrameInput::default() });
    assert!(picture.is_none() && fault.is_some_and(|fault| fault.problem.contains("goldd")));
    assert!(matches!(&acts[..], [SceneAction::Log(line)] if line == "left"), "{acts:?}");
    // The script has forgotten it as well: a touch that never reached the other city is not drawn here either.
    let (picture, _, _, fault) = scene.frame(FrameInput::default());
    assert!(fault.is_none() && picture.is_some_and(|picture| picture.items.is_empty()), "{fault:?}");
}
