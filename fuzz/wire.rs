//! Input from the twin, from a scene process, and from files that people write or pass on.

use super::Target;
use super::inputs::{Outcome, join, pieces};
use moongate::config::{ConfigError, Installation, SiteConfig};
use moongate::link::{DATAGRAM_MAX, Link, LinkConfig, MarkReplica, NowShowing, SiteEvent};
use moongate::marks::{BATCH_MARKS_MAX, MarkBatch, MarkLog, MemoryStore, NewMark, Signer};
use moongate::presence::recording::{RecordingHeader, RecordingReader, put_recorded_frame};
use moongate::presence::{
    BODIES_MAX, Body, OUTLINE_MAX, OutlineDetail, Point, PointerKind, Presence, PresenceAssembler, PresencePart,
    TOUCHES_MAX, Touch, encode_presence,
};
use moongate::scene::{
    BasicShape, Colour, DisplayList, Dot, DrawItem, FromScene, Gradient, GradientKind, ITEMS_MAX, IndexRange, Paint,
    RetainedLayerSet, RetainedUpdate, SceneAction, SceneDiagnostic, ToScene, Trail, read_message, write_message,
};
use moongate::wire::WireReader;
use std::path::Path;
use std::time::Duration;

const CANVAS: Point = [1920.0, 1080.0];
const SITE: &str = r#"
api = 1
city = "dublin"
name = "Smithfield"
installation = "../ripples"
listen = "[::]:4433"
public = ["203.0.113.7:4433"]
relay = "relay.example.org:4434"
[[screen]]
size = [1280, 720]
part = [0.0, 0.0, 0.5, 1.0]
[[camera]]
name = "door"
command = "ffmpeg -i 'rtsp://a/b?c=d' -f yuv4mpegpipe -"
corners = [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9], [0.1, 0.9]]
mask = [[[0.0, 0.0], [0.2, 0.0], [0.0, 0.3]]]
[[touch]]
tuio = "127.0.0.1:3333"
allow = ["10.0.0.7"]
turn = 90
[osc]
listen = "0.0.0.0:9000"
allow = ["10.0.0.7"]
[ground]
width = 6.0
height = 0.8
"#;
const INSTALLATION: &str = "api = 1\nid = \"night-garden\"\ntitle = \"Night\"\ncanvas = [1920, 1080]\nmeeting = \"facing\"\nscript = \"scene.js\"\n";

pub const TARGETS: &[Target] = &[
    Target { name: "link", seeds: talks, words: &[], most: 32_768, run: link },
    Target { name: "presence", seeds: parts, words: &[], most: 4_096, run: presence },
    Target {
        name: "recording",
        seeds: recordings,
        words: &["moongate recording ", "city ", "canvas ", "began ", "expires ", "\n\n", "-009999-01-01T00:00:00Z"],
        most: 16_384,
        run: recording,
    },
    Target { name: "scene", seeds: messages, words: &["\u{7f}\u{7f}"], most: 16_384, run: scene },
    Target { name: "marks", seeds: batches, words: &["lanterns", "{\"a\":1}"], most: 20_000, run: batch },
    Target {
        name: "manifest",
        seeds: || vec![format!("s{SITE}").into_bytes(), format!("i{INSTALLATION}").into_bytes()],
        words: &[
            "[[camera]]\n",
            "[[touch]]\n",
            "mask = ",
            "[[",
            "]]",
            "\"",
            "'",
            "\\",
            "\n",
            "api = ",
            "\u{202e}",
            "猫",
        ],
        most: 4_096,
        run: manifest,
    },
];

fn crowd(count: u16) -> Presence {
    let body = |id: u16| Body {
        id,
        people: 1 + id as u8 % 3,
        still: 0.5 * f32::from(id),
        foot: [f32::from(id) * 45.0, 900.0],
        head: [f32::from(id) * 45.0, 500.0],
        reach: id.is_multiple_of(2).then_some([f32::from(id) * 45.0 + 80.0, 600.0]),
        velocity: [30.0, -4.0],
        outline: (0..48).map(|i| [f32::from(id) * 45.0 + (i % 9) as f32, 900.0 - i as f32 * 8.0]).collect(),
        faded: 0.0,
    };
    let touch = |id: u16| Touch { id: u32::from(id), at: [f32::from(id) * 100.0, 400.0], kind: PointerKind::Finger };
    Presence { touches: (0..count).map(touch).collect(), bodies: (0..count).map(body).collect() }
}

fn config(side: u8) -> LinkConfig {
    LinkConfig {
        key: [side; 32],
        twin: Some([1 - side; 32]),
        boot: 100 + u64::from(side),
        city: ["shenzhen", "dublin"][usize::from(side)].into(),
        name: "Plaza".into(),
        showing: NowShowing { installation: "ripples".into(), schema_hash: 1 },
        canvas: CANVAS,
    }
}

/// Signer that accepts every signature, so that the contents of signed marks are fuzzed.
struct Trusting([u8; 32]);

impl Signer for Trusting {
    fn public_key(&self) -> [u8; 32] {
        self.0
    }

    fn sign(&self, _: &[u8]) -> [u8; 64] {
        [1; 64]
    }

    fn verify(&self, _: &[u8; 32], _: &[u8], _: &[u8; 64]) -> bool {
        true
    }
}

/// Returns a session with a mark log.
fn session(side: u8) -> Link {
    let store = Box::new(MemoryStore::new(u64::from(side)));
    let works = MarkReplica::open("ripples", Box::new(Trusting([side; 32])), store).expect("memory always opens");
    Link::new(Duration::ZERO, config(side)).with_replica(works)
}

fn lantern(number: u32, said: usize) -> NewMark {
    NewMark {
        name: "lanterns".into(),
        at: Some([5.0, 7.0]),
        seed: number,
        said: format!("{{\"a\":\"{}\"}}", "x".repeat(said)),
    }
}

fn batches() -> Vec<Vec<u8>> {
    let seal = Trusting([1; 32]);
    let mut work = MarkLog::open("ripples", seal.public_key(), &mut MemoryStore::new(1)).expect("memory always opens");
    [1, 5, 60]
        .map(|count| {
            (0..count)
                .for_each(|number| _ = work.add(Duration::from_secs(1), 1_000, lantern(number, number as usize * 4)));
            work.sign_pending(&seal).1[0].bytes.clone()
        })
        .into()
}

fn batch(input: &[u8]) -> u64 {
    let mut outcome = Outcome::default();
    match MarkBatch::decode_verified("ripples", input.to_vec(), i64::MAX, &Trusting([0; 32])) {
        Ok((batch, marks)) => {
            assert_eq!(marks, batch.marks());
            assert!(marks.len() <= BATCH_MARKS_MAX && marks.windows(2).all(|two| two[0].order < two[1].order));
            assert!(marks.iter().filter_map(|mark| mark.at).flatten().all(f32::is_finite));
            outcome.count(marks.len());
        }
        Err(why) => outcome.fault(&why),
    }
    outcome.end()
}

/// Returns the twin's datagrams while two sites link, touch, send marks and disconnect.
fn talks() -> Vec<Vec<u8>> {
    let mut links = [0, 1].map(session);
    links.iter_mut().for_each(|link| link.handle_path(Duration::ZERO));
    let mut said = Vec::new();
    for step in 0_u64..60 {
        let now = Duration::from_millis(step * 20);
        let twin = &mut links[1];
        match step {
            10 => twin.handle_presence(now, crowd(3)),
            12 => _ = twin.handle_event(now, SiteEvent::Down(crowd(1).touches[0])),
            14 => _ = twin.handle_event(now, SiteEvent::Signal { name: "bell".into(), data: "{\"x\":1}".into() }),
            16 => twin.handle_presence(now, crowd(12)),
            22 => twin.handle_mark(now, 1_000, lantern(1, 20)),
            24 => (2..9).for_each(|number| twin.handle_mark(now, 1_000, lantern(number, 900))),
            26 => _ = twin.handle_shared_state(now, "{\"tide\":1}"),
            28 => twin.handle_meeting(now, [5.0, 5.0]),
            20 => _ = twin.handle_event(now, SiteEvent::Up(crowd(1).touches[0])),
            40 => twin.handle_showing(now, NowShowing { installation: "other".into(), schema_hash: 2 }),
            55 => twin.handle_close(),
            _ => {}
        }
        for side in [0, 1] {
            links[side].handle_timeout(now);
            while let Some(datagram) = links[side].poll_transmit(now) {
                links[1 - side].handle_datagram(now, &datagram);
                if side == 1 {
                    said.push((20, datagram));
                }
            }
        }
    }
    let all = |part: &[(u8, Vec<u8>)]| join(part.iter().map(|(beside, bytes)| (*beside, &bytes[..])));
    vec![all(&said), all(&said[..said.len() / 3]), all(&said[..4])]
}

/// Runs a site that receives all of these. The byte before a datagram is the time since the previous one, in
/// milliseconds.
fn link(input: &[u8]) -> u64 {
    let mut outcome = Outcome::default();
    let mut now = Duration::ZERO;
    let mut link = session(0);
    link.handle_path(now);
    link.handle_presence(now, crowd(2));
    for (beside, bytes) in pieces(input) {
        now += Duration::from_millis(if beside == 255 { 2_000 } else { beside.into() });
        link.handle_timeout(now);
        link.handle_datagram(now, bytes);
        let mut sent = 0;
        while let Some(datagram) = link.poll_transmit(now) {
            assert!(datagram.len() <= DATAGRAM_MAX, "{} bytes", datagram.len());
            sent += 1;
            assert!(sent < 10_000, "one datagram is answered by 10,000");
        }
        outcome.count(sent);
        let mut told = 0;
        while let Some(output) = link.poll_output() {
            told += 1;
            assert!(told < 100_000, "one datagram tells 100,000 things");
            // Only the name of the variant counts; the rest is the received data.
            format!("{output:?}").bytes().take(9).for_each(|byte| outcome.add(u64::from(byte)));
        }
        sound(link.remote_presence());
        assert!(link.shared_now(now).is_finite());
        let next = link.poll_timeout();
        assert!(next.is_none_or(|next| next > Duration::ZERO || now == Duration::ZERO));
    }
    outcome.end()
}

/// Checks that whatever was received can be shown.
fn sound(presence: &Presence) {
    assert!(presence.bodies.len() <= BODIES_MAX && presence.touches.len() <= TOUCHES_MAX);
    for body in &presence.bodies {
        assert!(body.outline.len() <= OUTLINE_MAX);
        let points = body.outline.iter().chain([&body.foot, &body.head, &body.velocity]).chain(&body.reach);
        assert!(points.flatten().all(|axis| axis.is_finite()) && body.still.is_finite(), "{body:?}");
    }
    assert!(presence.touches.iter().flat_map(|touch| touch.at).all(f32::is_finite));
}

fn parts() -> Vec<Vec<u8>> {
    let of = |count, detail| encode_presence(&crowd(count), CANVAS, 9, Duration::from_secs(3), detail);
    [of(0, OutlineDetail::Full), of(2, OutlineDetail::Full), of(30, OutlineDetail::Coarse)]
        .iter()
        .map(|parts| join(parts.iter().map(|part| (0, &part[..]))))
        .collect()
}

fn presence(input: &[u8]) -> u64 {
    let (mut outcome, mut there) = (Outcome::default(), PresenceAssembler::default());
    for (_, bytes) in pieces(input) {
        match PresencePart::decode(&mut WireReader::new(bytes), CANVAS) {
            Ok(part) => outcome.add(u64::from(there.push(part))),
            Err(why) => outcome.fault(&why),
        }
        sound(there.presence());
        outcome.count(there.presence().bodies.len());
        outcome.count(there.presence().touches.len());
    }
    outcome.end()
}

fn recordings() -> Vec<Vec<u8>> {
    let head = RecordingHeader { city: "dublin".into(), canvas: CANVAS, began: 1_700_000_000, expires: 1_702_000_000 };
    let mut long = head.encode();
    for count in [1, 3, 20, 0, 2] {
        put_recorded_frame(&mut long, CANVAS, Duration::from_millis(20), &crowd(count));
    }
    vec![head.encode(), long]
}

fn recording(input: &[u8]) -> u64 {
    let mut outcome = Outcome::default();
    let (canvas, rest) = match RecordingHeader::decode(input) {
        Ok((head, taken)) => {
            assert!(
                taken <= input.len()
                    && head.canvas.iter().all(|side| side.is_finite())
                    && !head.expires_text().is_empty()
            );
            (head.canvas, &input[taken..])
        }
        Err(why) => {
            outcome.fault(&why);
            (CANVAS, input)
        }
    };
    let mut tape = RecordingReader::new(canvas);
    'tape: for piece in rest.chunks(1 + input.len() % 700) {
        tape.feed(piece);
        loop {
            match tape.next() {
                Ok(Some(instant)) => {
                    sound(&instant.presence);
                    outcome.count(instant.presence.bodies.len());
                }
                Ok(None) => break,
                Err(why) => {
                    outcome.fault(&why);
                    break 'tape;
                }
            }
        }
    }
    outcome.end()
}

fn messages() -> Vec<Vec<u8>> {
    let paint = Paint {
        fill: Colour([1, 2, 3, 4]),
        stroke: Colour::CLEAR,
        width: 2.0,
        soft: 0.0,
        blend: Default::default(),
        pattern: Default::default(),
        gradients: [1, 0],
    };
    let transform = [1.0, 0.0, 0.0, 1.0, 5.0, 6.0];
    let trail = Trail { fade: 1.0, drift: [0.0, -9.0], grow: 1.1, turn: 0.1, round: [5.0, 5.0] };
    let (points, text) = (IndexRange { start: 0, count: 4 }, IndexRange { start: 0, count: 6 });
    let items = vec![
        DrawItem::Background(Colour([9; 4])),
        DrawItem::Clip { rings: vec![points], inside: true },
        DrawItem::Shape { shape: BasicShape::Ellipse([3.0, 4.0]), transform, paint },
        DrawItem::Line { points, closed: true, paint },
        DrawItem::Unclip,
        DrawItem::Polygon { points, paint },
        DrawItem::Text {
            text,
            size: 30.0,
            align: Default::default(),
            language: IndexRange { start: 0, count: 0 },
            weight: 700,
            wrap: 300.0,
            leading: 1.5,
            transform,
            paint,
        },
        DrawItem::Image { index: 1, part: [0.0, 0.5, 1.0, 1.0], size: [30.0, 20.0], transform, paint },
        DrawItem::Shader { index: 1, params: IndexRange { start: 0, count: 16 }, blend: Default::default() },
        DrawItem::Trail { slot: 1, trail, alpha: 0.5, blend: Default::default() },
        DrawItem::Dots { dots: IndexRange { start: 0, count: 2 }, soft: 0.5, blend: Default::default() },
        DrawItem::Untrail,
        DrawItem::Kept { slot: 0, alpha: 1.0, blend: Default::default() },
    ];
    let dot = Dot { at: [3.0, 4.0], radius: 2.0, colour: Colour([9; 4]) };
    let points = vec![[0.0, 0.0], [10.0, 0.0], [10.0, 10.0], [0.0, 10.0]];
    let stops = vec![(0.0, Colour([1; 4])), (0.5, Colour([2; 4])), (1.0, Colour([3; 4]))];
    let gradients = vec![Gradient { along: GradientKind::Radius, place: transform, stops }];
    let (text, params) = ("深圳".into(), vec![7; 16]);
    let (dots, kept) = (vec![dot; 2], Vec::new());
    let picture = DisplayList { answers: 3, reflects: 4, items, points, text, params, gradients, dots, kept };
    let kept = vec![RetainedUpdate { slot: 0, anew: true, whole: true, strokes: picture.clone() }];
    let acts = vec![
        SceneAction::Play { name: "bell.ogg".into(), volume: 0.5, pan: -1.0, rate: 1.0 },
        SceneAction::Signal { name: "bell".into(), data: "1".into() },
        SceneAction::Log("hello".into()),
    ];
    let fault = SceneDiagnostic::new("scene.js", "x is not defined", "write `let x`");
    let frame = FromScene::Frame { picture: Some(picture), acts, kept, fault: Some(fault.clone()), took_us: 900 };
    let mut seeds = vec![];
    for message in [FromScene::Ready { unjailed: Some("not jailed".into()) }, frame, FromScene::Failed(fault)] {
        let mut bytes = vec![0];
        write_message(&mut bytes, &message).expect("memory");
        seeds.push(bytes);
    }
    let mut bytes = vec![1];
    write_message(&mut bytes, &ToScene::Sees { number: 1, input: 2, json: "{}".into() }).expect("memory");
    seeds.push(bytes);
    seeds
}

fn scene(input: &[u8]) -> u64 {
    let mut outcome = Outcome::default();
    let Some((to_scene, mut left)) = input.split_first() else { return 0 };
    while !left.is_empty() {
        let before = left.len();
        if to_scene % 2 == 1 {
            match read_message::<ToScene>(&mut left) {
                Ok(ToScene::Start(_)) => outcome.add(1),
                Ok(ToScene::Sees { .. }) => outcome.add(2),
                Ok(ToScene::Keep) => outcome.add(3),
                Ok(ToScene::Kept(json)) => outcome.count(json.len()),
                Err(why) => outcome.fault(&why),
            }
        } else {
            match read_message::<FromScene>(&mut left) {
                Ok(FromScene::Frame { picture, acts, kept, fault, .. }) => {
                    let mut layers = RetainedLayerSet::default();
                    layers.apply(kept, 2);
                    for strokes in layers.shown().iter().flat_map(|kept| &kept.strokes) {
                        drawable(DisplayList::clone(strokes), &mut outcome);
                    }
                    outcome.count(acts.len());
                    outcome.add(u64::from(fault.is_some()));
                    if let Some(picture) = picture {
                        drawable(picture, &mut outcome);
                    }
                }
                Ok(FromScene::Ready { .. }) => outcome.add(3),
                Ok(FromScene::Keeps(Ok(json))) => outcome.count(json.map_or(0, |json| json.len())),
                Ok(FromScene::Failed(fault) | FromScene::Keeps(Err(fault))) => outcome.count(fault.to_string().len()),
                Err(why) => outcome.fault(&why),
            }
        }
        if left.len() == before {
            break;
        }
    }
    outcome.end()
}

/// Checks that a validated display list refers only to existing items.
fn drawable(picture: DisplayList, outcome: &mut Outcome) {
    let said = picture.items.len();
    let picture = picture.validated(&[0, 16, 64], 2);
    for gradient in &picture.gradients {
        assert!(gradient.place.iter().all(|number| number.is_finite()));
        assert!(gradient.stops.is_sorted_by(|a, b| a.0 <= b.0));
        let Colour([r, ..]) = gradient.colour_at(0.3);
        outcome.add(u64::from(r));
    }
    assert!(picture.items.len() <= ITEMS_MAX && picture.items.len() <= said + 2);
    let mut open = Vec::new();
    for item in &picture.items {
        if let DrawItem::Shape { paint, .. } | DrawItem::Line { paint, .. } | DrawItem::Polygon { paint, .. } = item {
            assert!(paint.gradients.iter().all(|number| usize::from(*number) <= picture.gradients.len()));
        }
        match item {
            DrawItem::Image { index, .. } => {
                assert!(*index < 2);
                outcome.add(7);
            }
            DrawItem::Line { points, .. } | DrawItem::Polygon { points, .. } => {
                assert_eq!(points.slice(&picture.points).len(), points.count as usize);
                outcome.add(1);
            }
            DrawItem::Text { text, language, .. } => {
                assert_eq!(picture.text_slice(*text).len(), text.count as usize);
                assert_eq!(picture.text_slice(*language).len(), language.count as usize);
                outcome.add(2);
            }
            DrawItem::Shader { index, params, .. } => {
                assert_eq!(params.slice(&picture.params).len(), [0, 16, 64][usize::from(*index)]);
                outcome.add(3);
            }
            DrawItem::Clip { rings, .. } => {
                assert!(!open.contains(&"clip"), "a clip within a clip");
                assert!(rings.iter().all(|ring| ring.slice(&picture.points).len() == ring.count as usize));
                open.push("clip");
                outcome.add(4);
            }
            DrawItem::Unclip => {
                assert_eq!(open.pop(), Some("clip"), "an end without a clip");
                outcome.add(5);
            }
            DrawItem::Background(_) => assert!(open.is_empty(), "a background within a clip"),
            DrawItem::Shape { .. } => outcome.add(6),
            DrawItem::Trail { .. } => {
                assert!(!open.contains(&"trail"), "a trail within a trail");
                open.push("trail");
                outcome.add(8);
            }
            DrawItem::Untrail => {
                assert_eq!(open.pop(), Some("trail"), "an end without a trail");
                outcome.add(9);
            }
            DrawItem::Dots { dots, .. } => {
                assert_eq!(dots.slice(&picture.dots).len(), dots.count as usize);
                outcome.add(10);
            }
            DrawItem::Kept { slot, .. } => {
                assert!(*slot < 4);
                outcome.add(11);
            }
        }
    }
    assert!(open.is_empty(), "no end of {open:?}");
}

fn manifest(input: &[u8]) -> u64 {
    let mut outcome = Outcome::default();
    let Some((kind, text)) = input.split_first() else { return 0 };
    let Ok(text) = std::str::from_utf8(text) else { return 1 };
    let dir = Path::new("folder");
    let told = |fault: ConfigError, outcome: &mut Outcome| {
        assert!(!fault.to_string().is_empty() && fault.line.is_none_or(|line| line >= 1));
        outcome.fault(&fault.problem);
    };
    if kind % 2 == 1 {
        match SiteConfig::parse(dir, text) {
            Ok(site) => {
                [site.screens.len(), site.cameras.len(), site.touches.len()].into_iter().for_each(|n| outcome.count(n));
                assert!(site.screens.iter().all(|screen| screen.part.is_finite()));
            }
            Err(fault) => told(fault, &mut outcome),
        }
    } else {
        match Installation::parse(dir, text) {
            Ok(installation) => assert!(installation.canvas_size().iter().all(|side| (64.0..=8192.0).contains(side))),
            Err(fault) => told(fault, &mut outcome),
        }
    }
    outcome.end()
}
