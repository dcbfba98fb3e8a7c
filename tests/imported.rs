//! Imported shaders, rendered: frames count from 0, pixels match, and non-constant initial values are set.
#![cfg(feature = "show")]

mod common;

use image::RgbaImage;
use moongate::config::BuiltinEffects;
use moongate::render::{OffscreenRenderer, PresenceMap};
use moongate::scene::{
    EngineUniforms, FrameInput, FromScene, ImportOptions, SceneInit, SceneRevision, ScriptHost, TextureSource,
    import_shader,
};
use std::sync::Arc;
use std::time::Duration;

/// Canvas sizes in units, with their pixel sizes: smaller, equal density in one direction only, and larger.
const SIZES: [([u32; 2], [u32; 2]); 3] = [([480, 270], [160, 90]), ([640, 360], [213, 120]), ([100, 64], [200, 129])];
const NOBODY: PresenceMap = PresenceMap { version: 1, width: 0, height: 0, mask: Vec::new(), flow: Vec::new() };

/// A scene with one shader, and the renderer that draws it.
struct Drawing {
    studio: OffscreenRenderer,
    edition: Arc<SceneRevision>,
    host: ScriptHost,
    frame: u64,
}

impl Drawing {
    fn of(shader: &str, [canvas, pixels]: [[u32; 2]; 2]) -> Self {
        let dir =
            common::folder("import { draw } from \"moongate\";\nexport function frame() { draw.shader(\"x.wgsl\"); }");
        let [width, height] = canvas;
        let manifest = format!("api = 1\nid = \"test\"\ncanvas = [{width}, {height}]\n{}", common::NO_KIT);
        std::fs::write(dir.path().join("installation.toml"), manifest).expect("written");
        std::fs::write(dir.path().join("x.wgsl"), shader).expect("written");
        let edition = Arc::new(SceneRevision::read(dir.path()).unwrap_or_else(|fault| panic!("{fault}\n{shader}")));
        let start = SceneInit { effects: BuiltinEffects::NONE, ..edition.scene_init(&common::setting()) };
        let host = ScriptHost::load(&start, || Duration::ZERO).unwrap_or_else(|fault| panic!("{fault}"));
        let studio =
            OffscreenRenderer::new(canvas.map(|side| side as f32), pixels).unwrap_or_else(|why| panic!("{why}"));
        Self { studio, edition, host, frame: 0 }
    }

    /// Renders the next frame. The clock starts in the middle of an evening, as in a show.
    fn next(&mut self) -> RgbaImage {
        self.frame += 1;
        let sees = FrameInput { now: 1_234.5 + self.frame as f64 / 30.0, dt: 1.0 / 30.0, ..FrameInput::default() };
        let json = serde_json::to_string(&sees).expect("it is plain");
        let FromScene::Frame { picture: Some(picture), .. } = self.host.run_frame(self.frame, 0, &json) else {
            panic!("no picture")
        };
        let uniforms = Arc::new(EngineUniforms::at_time(sees.now));
        let painted = self.studio.render(&picture, Some(&self.edition), [&NOBODY; 2], &uniforms);
        assert!(self.studio.faults().is_empty(), "{:?}", self.studio.faults());
        painted.unwrap_or_else(|why| panic!("{why}"))
    }
}

fn imported(name: &str, source: &str, buffer: Option<&str>) -> String {
    let textures = vec![("iChannel0".into(), TextureSource::Buffer(0))];
    let buffers = buffer.into_iter().map(|source| (0, "a.glsl".into(), source.into())).collect();
    let choices = ImportOptions { textures, buffers, ..ImportOptions::default() };
    import_shader(name, source, &choices).unwrap_or_else(|fault| panic!("{fault}")).shader
}

/// Conway's Game of Life, seeded in the first frame; cells beyond its edges are dead, or it wraps around.
const LIFE: &str = "
int alive(ivec2 cell) {
#ifdef ROUND
    ivec2 size = textureSize(iChannel0, 0);
    cell = (cell + size) % size;
#endif
    return int(texelFetch(iChannel0, cell, 0).x + 0.5);
}
void mainImage(out vec4 fragColor, in vec2 fragCoord) {
    ivec2 cell = ivec2(fragCoord);
    int lives = 0;
    if (iFrame == 0) {
        lives = (cell.x * 7 + cell.y * 13 + cell.x * cell.y) % 5 < 2 ? 1 : 0;
    } else {
        int near = 0;
        for (int y = -1; y <= 1; y++) for (int x = -1; x <= 1; x++) near += alive(cell + ivec2(x, y));
        near -= alive(cell);
        lives = near == 3 || (near == 2 && alive(cell) == 1) ? 1 : 0;
    }
    fragColor = vec4(float(lives));
}";
const SHOWN: &str = "void mainImage(out vec4 fragColor, in vec2 fragCoord) {
    fragColor = vec4(texelFetch(iChannel0, ivec2(fragCoord), 0).xxx, 1.0);
}";

/// Computes the same on the CPU; y points up.
fn life([width, height]: [u32; 2], round: bool, generations: usize) -> Vec<bool> {
    let [width, height] = [width as i32, height as i32];
    let seed = |x: i32, y: i32| (x * 7 + y * 13 + x * y) % 5 < 2;
    let mut cells: Vec<bool> = (0..height).flat_map(|y| (0..width).map(move |x| seed(x, y))).collect();
    for _ in 0..generations {
        let alive = |x: i32, y: i32| {
            let [x, y] = if round { [x.rem_euclid(width), y.rem_euclid(height)] } else { [x, y] };
            (0..width).contains(&x) && (0..height).contains(&y) && cells[(y * width + x) as usize]
        };
        let next = |x: i32, y: i32| {
            let around = (-1..=1).flat_map(|dy| (-1..=1).map(move |dx| (dx, dy))).filter(|at| *at != (0, 0));
            let near = around.filter(|(dx, dy)| alive(x + dx, y + dy)).count();
            near == 3 || near == 2 && alive(x, y)
        };
        cells = (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).map(|(x, y)| next(x, y)).collect();
    }
    cells
}

fn cells(painted: &RgbaImage) -> Vec<bool> {
    painted.rows().rev().flat_map(|row| row.map(|pixel| pixel.0[0] > 127)).collect()
}

#[test]
fn life_lives_as_elsewhere_whatever_the_pixels_are() {
    const GENERATIONS: usize = 24;
    for (canvas, pixels) in SIZES {
        for round in [false, true] {
            let head = if round { "#define ROUND\n" } else { "" };
            let shader = imported("life.glsl", SHOWN, Some(&format!("{head}{LIFE}")));
            let mut drawing = Drawing::of(&shader, [canvas, pixels]);
            for generation in 0..=GENERATIONS {
                let painted = drawing.next();
                if generation % 8 == 0 {
                    let wrong =
                        cells(&painted).iter().zip(life(pixels, round, generation)).filter(|(a, b)| **a != *b).count();
                    assert_eq!(
                        wrong, 0,
                        "generation {generation} of {canvas:?} with {pixels:?} pixels, round: {round}"
                    );
                }
            }
        }
    }
}

/// An ISF pass smaller than the output has its own size, frame count and positions.
#[test]
fn a_smaller_pass_counts_its_own_pixels() {
    let isf = "/*{ \"PASSES\": [ { \"TARGET\": \"state\", \"PERSISTENT\": true, \"WIDTH\": \"$WIDTH/2.0\", \"HEIGHT\": \"$HEIGHT/2.0\" }, {} ] }*/
void main() {
    if (PASSINDEX == 0) {
        vec4 was = FRAMEINDEX == 0 ? vec4(0.0) : IMG_PIXEL(state, gl_FragCoord.xy);
        vec2 odd = mod(floor(gl_FragCoord.xy), 2.0);
        gl_FragColor = vec4(odd, was.z + 1.0, RENDERSIZE.x);
    } else {
        vec4 state = IMG_PIXEL(state, floor(gl_FragCoord.xy * IMG_SIZE(state) / RENDERSIZE) + 0.5);
        gl_FragColor = vec4(state.xy, state.z / 10.0, state.w == IMG_SIZE(state).x ? 1.0 : 0.0);
    }
}";
    let mut drawing = Drawing::of(&imported("half.fs", isf, None), [[480, 270], [160, 90]]);
    let painted = (0..4).map(|_| drawing.next()).last().expect("there is one");
    for (x, y, pixel) in painted.enumerate_pixels() {
        let up = 89 - y;
        let want = [x / 2 % 2 * 255, up / 2 % 2 * 255, 102, 255];
        assert_eq!(pixel.0.map(u32::from), want, "{x} {y}");
    }
}

#[test]
fn a_frame_is_counted_for_each_shader_from_its_first() {
    let shader = imported(
        "count.glsl",
        "void mainImage(out vec4 c, in vec2 p) { c = vec4(iFrame == 0, iFrame < 2, float(iFrame) / 255.0, 1.0); }",
        None,
    );
    let mut drawing = Drawing::of(&shader, [[480, 270], [160, 90]]);
    for frame in 0..4_u8 {
        let first = |yes: bool| if yes { 255 } else { 0 };
        let want = [first(frame == 0), first(frame < 2), frame, 255];
        assert_eq!(drawing.next().get_pixel(80, 45).0, want);
    }
}

#[test]
fn what_is_not_constant_at_first_has_its_value() {
    let isf = "/*{}*/
const float wide = RENDERSIZE.x;
float ratio = wide / RENDERSIZE.y, low = 0.5 / ratio;
vec2 turned = normalize(vec2(3.0, 4.0)), both[2] = vec2[2](turned, turned.yx);
float picked = FRAMEINDEX > 0 ? 1.0 : low;
void main() { gl_FragColor = vec4(ratio / 2.0, both[1].x, picked, 1.0); }";
    let shader =
        "float ratio = iResolution.x / iResolution.y; vec2 both[2] = vec2[](vec2(0.6), vec2(0.8) * ratio / ratio);
const float wide = iResolution.x;
float low = 0.5 * iResolution.y / wide, picked = low;
void mainImage(out vec4 c, in vec2 p) { c = vec4(ratio / 2.0, both[1].x, picked, 1.0); }";
    for (name, source) in [("x.fs", isf), ("x.glsl", shader)] {
        let mut drawing = Drawing::of(&imported(name, source, None), [[480, 270], [160, 90]]);
        let want = [0.5 * 160.0 / 90.0, 0.8, 0.5 * 90.0 / 160.0, 1.0].map(|part: f64| (part * 255.0).round() as u8);
        let seen = drawing.next().get_pixel(80, 45).0;
        assert!(seen.iter().zip(want).all(|(seen, want)| seen.abs_diff(want) <= 1), "{name}: {seen:?} {want:?}");
    }
}

/// The same holds in a scene's own WGSL: one texel is one pixel of the buffer, wherever it is drawn.
#[test]
fn a_scenes_own_shader_reads_texels() {
    let shader = "const buffer_scale = 0.5;
fn texel(at: vec2f) -> vec2i { return vec2i(floor(at / engine.canvas * engine.resolution)); }
fn buffer_a(at: vec2f) -> vec4f {
    let before = texel_a(texel(at) - vec2i(1, 0));
    return select(before, vec4f(f32(texel(at).x == 0)), engine.frame == 0u);
}
fn paint(at: vec2f) -> vec4f {
    let texel = vec2i(at / engine.canvas * size_a());
    return vec4f(texel_a(texel).x, f32(engine.resolution.x == 160.0), 0.0, 1.0);
}";
    let mut drawing = Drawing::of(shader, [[480, 270], [160, 90]]);
    // A column one texel wide moves by one texel per frame.
    for frame in 0..10 {
        let painted = drawing.next();
        for (x, _, pixel) in painted.enumerate_pixels() {
            assert_eq!(pixel.0, [if x / 2 == frame { 255 } else { 0 }, 255, 0, 255], "{frame} {x}");
        }
    }
}
