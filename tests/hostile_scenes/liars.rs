//! Scene processes that lie: what they send is no picture, or one that could not be.

use super::*;
use moongate::scene::{
    BasicShape, BlendMode, Colour, DisplayList, DrawItem, FromScene, Gradient, GradientKind, IndexRange, Paint,
    SceneAction, SceneDiagnostic, write_message,
};

/// A program that says this and then waits.
fn says(messages: &[FromScene]) -> (tempfile::TempDir, SandboxCommand) {
    let dir = tempfile::tempdir().expect("a folder");
    let mut bytes = Vec::new();
    for message in messages {
        write_message(&mut bytes, message).expect("it can be written");
    }
    let file = dir.path().join("said");
    std::fs::write(&file, bytes).expect("written");
    let script = format!("cat '{}'; sleep 20", file.display());
    (dir, SandboxCommand { program: "/bin/sh".into(), arguments: vec!["-c".into(), script] })
}

fn frame(picture: DisplayList, acts: Vec<SceneAction>) -> FromScene {
    FromScene::Frame { picture: Some(picture), acts, kept: Vec::new(), fault: None, took_us: u64::MAX }
}

#[test]
fn pictures_that_cannot_be_are_made_into_ones_that_can() {
    let far = IndexRange { start: u32::MAX, count: u32::MAX };
    let paint = Paint { fill: Colour([255; 4]), gradients: [200, 200], ..Paint::default() };
    let nan = [f32::NAN; 6];
    let items = vec![
        DrawItem::Unclip,
        DrawItem::Clip { rings: vec![far; 1_000], inside: false },
        DrawItem::Clip { rings: vec![], inside: true },
        DrawItem::Shape { shape: BasicShape::Ellipse([f32::INFINITY; 2]), transform: nan, paint },
        DrawItem::Line { points: far, closed: true, paint },
        DrawItem::Image { index: 9, part: [f32::NAN; 4], size: [-1.0; 2], transform: nan, paint },
        DrawItem::Shader { index: 5, params: far, blend: BlendMode::Darken },
        DrawItem::Text {
            text: far,
            size: f32::NAN,
            align: Default::default(),
            language: far,
            weight: 0,
            wrap: f32::NEG_INFINITY,
            leading: 0.0,
            transform: nan,
            paint,
        },
    ];
    let gradient = Gradient { along: GradientKind::Angle, place: nan, stops: vec![(f32::NAN, Colour::CLEAR); 100] };
    let wild = DisplayList {
        answers: u64::MAX,
        items,
        gradients: vec![gradient; 300],
        points: vec![[f32::NAN; 2]; 10],
        ..DisplayList::default()
    };
    let acts = vec![
        SceneAction::Log("x".repeat(100_000)),
        SceneAction::Share("{".into()),
        SceneAction::Signal { name: String::new(), data: "no".into() },
    ];
    let (_dir, command) =
        says(&[FromScene::Ready { unjailed: None }, frame(wild.clone(), acts.clone()), frame(wild, acts)]);
    let mut show = Show::start(command);
    show.offer(GOOD);
    show.until_seen();
    // What is left is a clip in which nothing is, with its end.
    assert!(show.items.iter().all(|items| *items <= 2), "{:?}", show.items);
}

#[test]
fn answers_that_nobody_asked_for_are_not_believed() {
    let fault = SceneDiagnostic::new("scene.js", "x".repeat(200_000), "");
    for messages in [
        vec![FromScene::Keeps(Ok(Some("{}".into()))), FromScene::Ready { unjailed: None }],
        vec![frame(DisplayList::default(), vec![])],
        vec![FromScene::Ready { unjailed: Some("\u{1b}[2J".repeat(10_000)) }, FromScene::Failed(fault.clone())],
        vec![FromScene::Ready { unjailed: None }, FromScene::Ready { unjailed: None }],
        vec![FromScene::Failed(fault)],
        vec![],
    ] {
        let (_dir, command) = says(&messages);
        let mut show = Show::start(command);
        show.offer(GOOD);
        show.play(Duration::from_millis(500));
        assert!(show.items.is_empty(), "{messages:?}");
        let began = Instant::now();
        drop(show);
        assert!(began.elapsed() < Duration::from_secs(1), "{:?} to let go", began.elapsed());
    }
}
