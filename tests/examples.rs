//! The examples of `docs/artists` are short and run: empty, with people in both cities, and empty again.

mod common;

use moongate::presence::Body;
use moongate::scene::{BodyState, FrameInput, FromScene, SceneEvent, ScriptHost, TouchState};
use std::path::PathBuf;
use std::time::Duration;

/// Most lines of one file.
const LINES_MAX: usize = 64;

fn folders() -> Vec<PathBuf> {
    let all = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/artists/examples");
    let entries = std::fs::read_dir(all).expect("they are there");
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.expect("it can be read").path()).collect();
    folders.sort();
    folders
}

/// Returns the input of a frame.
/// It is empty at first, then people in both cities touch, stand still and meet, then it is empty again.
fn sees(frame: u32) -> FrameInput {
    let dt = 1.0 / 30.0;
    let mut sees =
        FrameInput { now: 100.0 + f64::from(frame) * dt, dt, linked: frame < 90, delay: 0.09, ..FrameInput::default() };
    if !(20..110).contains(&frame) {
        return sees;
    }
    let body = |x: f32| {
        let outline =
            [[-60.0, -700.0], [60.0, -700.0], [70.0, 0.0], [-70.0, 0.0]].map(|[dx, dy]| [x + dx, 1_000.0 + dy]);
        let body = Body {
            id: 1,
            people: 1,
            still: if frame > 60 { 2.0 } else { 0.0 },
            foot: [x, 1_000.0],
            head: [x, 340.0],
            velocity: [30.0, 0.0],
            outline: outline.to_vec(),
            ..Body::default()
        };
        BodyState::from_body(&body, 100.0)
    };
    let touch = TouchState { id: 4, x: 900.0, y: 500.0, by: "finger", began: 100.5 };
    (sees.here.bodies, sees.here.touches) = (vec![body(700.0)], vec![touch]);
    if sees.linked {
        (sees.there.bodies, sees.there.touches) = (vec![body(1_200.0)], vec![touch]);
    }
    sees.events = match frame {
        20 => vec![SceneEvent::Linked, SceneEvent::Down(touch), SceneEvent::DownThere(touch)],
        40 => vec![SceneEvent::Meet { x: 950.0, y: 600.0 }],
        41 => vec![SceneEvent::Heard { name: "bell".into(), data: "{\"x\":300}".into() }],
        90 => vec![SceneEvent::Parted],
        _ => vec![],
    };
    sees
}

#[test]
fn they_and_our_own_works_name_nothing_that_is_nowhere() {
    let own =
        std::fs::read_dir(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("installations")).expect("they are there");
    let own = own.map(|entry| entry.expect("it can be read").path());
    for folder in folders().into_iter().chain(own) {
        let edition = common::read(&folder).unwrap_or_else(|fault| panic!("{fault}"));
        assert_eq!(edition.lint(|_, read| read()), [], "{}", folder.display());
    }
}

#[test]
fn they_are_short_and_run() {
    let folders = folders();
    assert_eq!(folders.len(), 12);
    for folder in &folders {
        let name = folder.display();
        for entry in std::fs::read_dir(folder).expect("it is a folder") {
            let file = entry.expect("it can be read").path();
            let lines = std::fs::read_to_string(&file).expect("it is text").lines().count();
            assert!(lines <= LINES_MAX, "{}: {lines} lines", file.display());
        }
        let edition = common::read(folder).unwrap_or_else(|fault| panic!("{name}: {fault}"));
        let start = edition.scene_init(&common::setting());
        let mut host = ScriptHost::load(&start, || Duration::ZERO).unwrap_or_else(|fault| panic!("{name}: {fault}"));
        for frame in 0..150 {
            let json = serde_json::to_string(&sees(frame)).expect("it is plain");
            let FromScene::Frame { picture, fault, .. } = host.run_frame(u64::from(frame), 0, &json) else {
                panic!("no frame")
            };
            assert_eq!(fault, None, "{name}, frame {frame}");
            let sizes: Vec<usize> = edition.shaders.iter().map(|shader| shader.params.size).collect();
            let picture = picture.expect("without a fault there is one");
            assert!(!picture.items.is_empty(), "{name}, frame {frame}");
            assert_eq!(picture.clone().validated(&sizes, edition.images.len()), picture, "{name}, frame {frame}");
        }
    }
}

/// Each example is named in the page for artists.
#[test]
fn the_page_names_all_of_them() {
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/artists/README.md")).expect("it is there");
    for folder in folders() {
        let name = folder.file_name().expect("it has one").to_string_lossy().into_owned();
        assert!(page.contains(&format!("examples/{name}")), "{name}");
    }
}
