//! Tests of artists' shaders whose pipelines are slow to compile.

use super::super::batch::DrawBatch;
use super::super::offscreen::open_device;
use super::super::shader_pipelines::{CompileFn, compile_pipeline};
use super::super::text::TextShaper;
use super::super::{FrameStats, capture};
use super::*;
use crate::scene::{BlendMode, DisplayList, DrawItem, EngineUniforms, IndexRange, SceneRevision};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

const SIDE: u32 = 16;
const SOON: Duration = Duration::from_secs(20);
const RED: [u8; 3] = [255, 0, 0];
const GREEN: [u8; 3] = [0, 255, 0];

/// Canvas of a show, without its loop.
struct Wall {
    device: RenderDevice,
    queue: RenderQueue,
    pipelines: CanvasPipelines,
    texture: wgpu::Texture,
    target: CanvasTarget,
    on: ExtractedCanvas,
    now: f64,
}

/// Returns an edition whose shader `night.wgsl` paints everything in one colour.
fn edition(colour: [u8; 3]) -> Arc<SceneRevision> {
    let dir = tempfile::tempdir().expect("a folder for a while");
    let [r, g, b] = colour.map(|part| f32::from(part) / 255.0);
    let shader = format!("fn paint(at: vec2f) -> vec4f {{ return vec4f({r:?}, {g:?}, {b:?}, 1.0); }}");
    let files = [
        ("installation.toml", "api = 1\nid = \"test\"\ncanvas = [160, 160]\n"),
        ("scene.js", "export function frame() {}"),
        ("night.wgsl", &shader),
    ];
    for (name, text) in files {
        std::fs::write(dir.path().join(name), text).expect("written");
    }
    Arc::new(SceneRevision::read(dir.path()).unwrap_or_else(|fault| panic!("{fault}")))
}

/// Returns a function that makes pipelines on command, one for each message.
fn held() -> (Sender<()>, CompileFn) {
    let (let_go, held) = channel();
    let held: Mutex<Receiver<()>> = Mutex::new(held);
    let slow = move |recipe: &_| {
        // Without a message this waits for long, and the test fails.
        let _ = held.lock().map(|held| held.recv_timeout(SOON));
        compile_pipeline(recipe)
    };
    (let_go, Arc::new(slow))
}

impl Wall {
    /// Creates a wall whose pipelines are released one by one; those that take longer than `most` are refused.
    fn new(most: Duration) -> (Self, Sender<()>) {
        let (device, queue) = open_device().unwrap_or_else(|why| panic!("{why}"));
        let texture = device.wgpu_device().create_texture(&wgpu::TextureDescriptor {
            label: None,
            size: wgpu::Extent3d { width: SIDE, height: SIDE, depth_or_array_layers: 1 },
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: wgpu::TextureFormat::Rgba8Unorm,
            usage: wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::COPY_SRC,
            view_formats: &[],
        });
        let mut pipelines = CanvasPipelines::new(&device, false);
        let (let_go, held) = held();
        pipelines.shader_pipelines.set_compiler(held, most);
        let target = CanvasTarget {
            size: [160.0; 2],
            pixels_per_unit: 0.1,
            frame_stats: FrameStats::default(),
            shader_time_max: SOON * 16,
            blocking: false,
        };
        (Self { device, queue, pipelines, texture, target, on: ExtractedCanvas::default(), now: 1.0 }, let_go)
    }

    /// Queues a frame that consists of an edition's shader only.
    fn comes(&mut self, edition: &Arc<SceneRevision>) {
        let items =
            vec![DrawItem::Shader { index: 0, params: IndexRange { start: 0, count: 0 }, blend: BlendMode::Over }];
        let picture = DisplayList { items, ..DisplayList::default() };
        let batch = DrawBatch::build(&picture, self.target.size, self.target.pixels_per_unit, &mut TextShaper::new());
        let (edition, uniforms) = (Some(edition.clone()), Arc::new(EngineUniforms::at_time(self.now)));
        self.on.job = Some(RenderJob {
            batch,
            layer_updates: Vec::new(),
            edition,
            atlas: None,
            uniforms,
            reflects: 0,
            capture: None,
        });
    }

    /// Runs one frame of the loop and returns the canvas colour, if anything was drawn.
    fn frame(&mut self) -> Option<[u8; 3]> {
        let mut job = self.on.next_job(&self.pipelines)?;
        let (watched, device) = (PresenceMap::default(), (&self.device, &self.queue));
        let mut encoder =
            encode_frame(device, &mut self.pipelines, &self.texture, &mut job, [&watched; 2], &self.target);
        let copy = capture::begin_readback(&self.device, &mut encoder, &self.texture);
        self.queue.submit([encoder.finish()]);
        self.on.previous = Some(job);
        let painted = capture::read_blocking(copy, &self.device).unwrap_or_else(|why| panic!("{why}"));
        let [r, g, b, _] = painted.get_pixel(SIDE / 2, SIDE / 2).0;
        Some([r, g, b])
    }

    /// Runs frames of an edition until it is seen; returns all other colours seen before.
    fn until(&mut self, edition: &Arc<SceneRevision>, colour: [u8; 3]) -> Vec<[u8; 3]> {
        let (end, mut before) = (Instant::now() + SOON, Vec::new());
        while Instant::now() < end {
            self.comes(edition);
            match self.frame() {
                Some(seen) if seen == colour => return before,
                seen => before.extend(seen),
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        panic!("{colour:?} is not seen: {:?}", self.target.frame_stats.faults());
    }
}

#[test]
fn a_slow_pipeline_holds_up_no_frame_and_the_edition_before_is_drawn_meanwhile() {
    let ((mut wall, let_go), red, green) = (Wall::new(SOON), edition(RED), edition(GREEN));
    let_go.send(()).expect("it is there");
    wall.until(&red, RED);
    let began = Instant::now();
    for _ in 0..20 {
        wall.comes(&green);
        assert_eq!(wall.frame(), Some(RED));
    }
    assert!(began.elapsed() < SOON / 2, "it was waited for");
    assert_eq!(wall.target.frame_stats.faults(), []);
    // The switch is immediate: no other colour is seen in between.
    let_go.send(()).expect("it is being made");
    let before = wall.until(&green, GREEN);
    assert!(before.iter().all(|seen| *seen == RED), "{before:?}");
    assert_eq!(wall.target.frame_stats.faults(), []);
}

#[test]
fn a_pipeline_that_does_not_come_is_refused_by_name_and_told_when_it_comes_after_all() {
    let most = Duration::from_secs(1);
    let ((mut wall, let_go), red, green) = (Wall::new(most), edition(RED), edition(GREEN));
    let_go.send(()).expect("it is there");
    wall.until(&red, RED);
    let end = Instant::now() + SOON;
    while wall.target.frame_stats.faults().is_empty() && Instant::now() < end {
        wall.comes(&green);
        wall.frame();
    }
    let faults = wall.target.frame_stats.faults();
    assert!(faults.len() == 1 && faults[0].shader == "night.wgsl", "{faults:?}");
    assert!(faults[0].why.contains("has not made it ready"), "{faults:?}");
    assert!(wall.target.frame_stats.take_recovered().is_empty());
    let_go.send(()).expect("it is being made");
    wall.until(&green, GREEN);
    assert_eq!(wall.target.frame_stats.take_recovered(), ["night.wgsl"]);
    assert_eq!(wall.target.frame_stats.faults(), []);
}

#[test]
fn an_edition_that_is_to_be_shown_begins_when_its_pipelines_are_ready() {
    let ((mut wall, let_go), red, green) = (Wall::new(SOON), edition(RED), edition(GREEN));
    let drawn = wall.target.frame_stats.clone();
    let ready = |wall: &Wall, at: u64| {
        let ready = drawn.prepare(&green, Duration::from_millis(at));
        drawn.poll_pending(|edition| wall.pipelines.prepare(edition));
        ready
    };
    let_go.send(()).expect("it is there");
    wall.until(&red, RED);
    for at in 0..20 {
        wall.comes(&red);
        assert!(!ready(&wall, at));
        assert_eq!(wall.frame(), Some(RED));
    }
    let_go.send(()).expect("it is being made");
    let end = Instant::now() + SOON;
    while !ready(&wall, 20) && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(ready(&wall, 20));
    // The edition is visible from its first frame on.
    wall.comes(&green);
    assert_eq!(wall.frame(), Some(GREEN));
    // A renderer that does not report delays nothing beyond the limit.
    assert!(!drawn.prepare(&red, Duration::from_secs(100)));
    assert!(drawn.prepare(&red, Duration::from_secs(106)));
}

#[test]
fn a_shader_that_was_slow_and_is_drawn_again_is_told() {
    let ((mut wall, let_go), red) = (Wall::new(SOON), edition(RED));
    let_go.send(()).expect("it is there");
    // Any time at all exceeds the limit.
    wall.target.shader_time_max = Duration::ZERO;
    let end = Instant::now() + SOON;
    while wall.target.frame_stats.faults().is_empty() && Instant::now() < end {
        wall.comes(&red);
        assert_ne!(wall.frame(), Some(RED));
    }
    assert_eq!((wall.target.frame_stats.faults().len(), wall.target.frame_stats.take_recovered().len()), (1, 0));
    wall.target.shader_time_max = SOON * 16;
    wall.comes(&red);
    assert_ne!(wall.frame(), Some(RED), "not so soon");
    wall.now += 31.0;
    wall.comes(&red);
    assert_eq!(wall.frame(), Some(RED));
    assert_eq!(wall.target.frame_stats.take_recovered(), ["night.wgsl"]);
    assert_eq!(wall.target.frame_stats.faults(), []);
}
