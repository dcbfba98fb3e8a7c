//! What the tests of scenes share: an artist's folder for a while, and what its scene starts with.

use moongate::manifest::city;
use moongate::scene::{CityCard, Start};
use std::path::Path;
use tempfile::TempDir;

fn card(slug: &str) -> CityCard {
    CityCard::of(city(slug).expect("a member city"))
}

/// The scene of a folder, in Shenzhen, with Dublin at the other end.
pub fn start(dir: &Path) -> Start {
    Start {
        dir: dir.to_owned(),
        script: "scene.js".into(),
        canvas: [1920.0, 1080.0],
        here: card("shenzhen"),
        there: card("dublin"),
        side: 0,
        ours: vec![],
        lost_share: "hide".into(),
        seed: 7,
    }
}

/// A folder with this script as its `scene.js`; it is gone when it is dropped.
pub fn folder(script: &str) -> TempDir {
    let dir = tempfile::tempdir().expect("a folder for a while");
    std::fs::write(dir.path().join("scene.js"), script).expect("the script is written");
    dir
}
