//! Draws all accepted shaders, one after the other, in one studio: in software where there is no GPU.

use super::{Case, common};
use moongate::render::{OffscreenRenderer, PresenceMap};
use moongate::scene::{
    DisplayList, EngineUniforms, FrameInput, FromScene, RetainedLayerSet, SceneRevision, ScriptHost,
};
use std::sync::Arc;
use std::time::Duration;

const CANVAS: [f32; 2] = [64.0, 36.0];
const PIXELS: [u32; 2] = [64, 36];

/// Draws every case. Those marked `green` must be green, and the studio must still draw after all of them.
pub fn survive(cases: &[Case]) {
    let mut studio = OffscreenRenderer::new(CANVAS, PIXELS).unwrap_or_else(|why| panic!("{why}"));
    let last = Case {
        name: "last".into(),
        becomes: "green".into(),
        source: "fn paint(at: vec2f) -> vec4f { return vec4f(0.0, 1.0, 0.0, 1.0); }".into(),
    };
    let mut wrong = Vec::new();
    for case in cases.iter().chain([&last]) {
        let pixel = paint(&mut studio, case);
        let faults = studio.faults();
        if case.becomes == "green" && pixel != [0, 255, 0, 255] {
            wrong.push(format!("{}: {pixel:?} {faults:?}", case.name));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Returns the middle pixel of a picture drawn with one shader.
fn paint(studio: &mut OffscreenRenderer, case: &Case) -> [u8; 4] {
    let dir = common::folder("import { draw } from \"moongate\"; export function frame() { draw.shader(\"x.wgsl\"); }");
    let manifest = format!("api = 1\nid = \"test\"\ncanvas = [64, 64]\n{}", common::NO_KIT);
    std::fs::write(dir.path().join("installation.toml"), manifest).expect("written");
    std::fs::write(dir.path().join("x.wgsl"), &case.source).expect("written");
    let edition = Arc::new(SceneRevision::read(dir.path()).unwrap_or_else(|fault| panic!("{fault}")));
    let start = edition.scene_init(&common::setting());
    let mut host = ScriptHost::load(&start, || Duration::ZERO).unwrap_or_else(|fault| panic!("{fault}"));
    let sees = FrameInput { now: 1.0, dt: 0.03, ..FrameInput::default() };
    let json = serde_json::to_string(&sees).expect("it is plain");
    let FromScene::Frame { picture, kept, fault, .. } = host.run_frame(1, 0, &json) else { panic!("no frame") };
    let picture = picture.unwrap_or_else(|| panic!("{}", fault.unwrap_or_default()));
    let mut layers = RetainedLayerSet::new(1);
    layers.apply(kept, 0);
    let picture = DisplayList { kept: layers.shown(), ..picture };
    let uniforms = Arc::new(EngineUniforms::from_input(&sees, [&start.here, &start.there]));
    let nobody = PresenceMap { version: 1, width: 1, height: 1, mask: vec![0], flow: vec![[0.0; 2]; 32 * 18] };
    let painted = studio.render(&picture, Some(&edition), [&nobody, &nobody], &uniforms);
    painted.unwrap_or_else(|why| panic!("{}: {why}", case.name)).get_pixel(PIXELS[0] / 2, PIXELS[1] / 2).0
}
