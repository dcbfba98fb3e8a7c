//! What the tests of scenes share: an artist's folder for a while, and what its scene starts with.

use moongate::config::{BuiltinEffects, city_by_slug};
use moongate::device::decode::Decoder;
use moongate::device::scene_process::SandboxCommand;
use moongate::scene::{CityInfo, SceneDiagnostic, SceneInit, SceneRevision, SiteContext};
use std::path::Path;
use tempfile::TempDir;

fn card(slug: &str) -> CityInfo {
    CityInfo::from_city(city_by_slug(slug).expect("a member city"))
}

/// Shenzhen, with Dublin at the other end.
pub fn setting() -> SiteContext {
    SiteContext { here: card("shenzhen"), there: card("dublin"), side: 0, seed: 7, metres: None, mark_seed: None }
}

/// Returns the decoder for images and sounds in these tests: a separate process, as in a show.
#[allow(dead_code, reason = "not every test of scenes reads images and sounds")]
pub fn decoder() -> Decoder {
    Decoder::new(SandboxCommand { program: env!("CARGO_BIN_EXE_moongate").into(), arguments: vec!["decode".into()] })
}

/// Reads a folder in the same way as a show.
#[allow(dead_code, reason = "not every test of scenes reads images and sounds")]
pub fn read(dir: &Path) -> Result<SceneRevision, SceneDiagnostic> {
    decoder().read(dir)
}

/// The scene of a folder, without what the engine adds: a picture is what the script draws and nothing else.
#[allow(dead_code, reason = "not every test of scenes loads one")]
pub fn edition(dir: &Path) -> Result<SceneInit, SceneDiagnostic> {
    read(dir).map(|edition| SceneInit { effects: BuiltinEffects::NONE, ..edition.scene_init(&setting()) })
}

/// The scene of a folder that is sound.
#[allow(dead_code, reason = "not every test of scenes loads one")]
pub fn start(dir: &Path) -> SceneInit {
    edition(dir).unwrap_or_else(|fault| panic!("{fault}"))
}

/// Nothing is added to a scene.
#[allow(dead_code, reason = "not every test of scenes writes a manifest")]
pub const NO_KIT: &str = "[kit]\narrival = false\nmeeting = false\nsky = false\ntouch = false\n";

/// A folder with this script as its `scene.js`, and without the engine's kit; it is gone when it is dropped.
#[allow(dead_code, reason = "not every test of scenes makes a folder")]
pub fn folder(script: &str) -> TempDir {
    let dir = tempfile::tempdir().expect("a folder for a while");
    let manifest = format!("api = 1\nid = \"test\"\ncanvas = [1920, 1080]\n{NO_KIT}");
    std::fs::write(dir.path().join("installation.toml"), manifest).expect("the manifest is written");
    std::fs::write(dir.path().join("scene.js"), script).expect("the script is written");
    dir
}
