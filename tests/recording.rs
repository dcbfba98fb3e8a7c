//! Recordings: written presence is played back until it expires, whatever damage the disk does.

use moongate::device::clock::monotonic;
use moongate::device::playback_source::spawn_playback;
use moongate::device::recording_file::{Playback, PlaybackError, RETENTION_MAX, Recorder};
use moongate::device::site_handle::SiteHandle;
use moongate::messages::SiteMessage;
use moongate::presence::recording::{HEADER_MAX, RecordingError, RecordingHeader, RecordingReader, put_recorded_frame};
use moongate::presence::{BODIES_MAX, Body, Phase, Point, PointerKind, Presence, TOUCHES_MAX, Touch};
use moongate::site::SiteSetup;
use moongate::wire::WireWrite as _;
use proptest::prelude::*;
use std::collections::VecDeque;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const CANVAS: Point = [1920.0, 1080.0];
const DAY: Duration = Duration::from_secs(86_400);
const NOW: Duration = Duration::from_secs(500);

fn touch(id: u32, x: f32) -> Touch {
    Touch { id, at: [x, 300.0], kind: PointerKind::Reach }
}

fn body(id: u16, x: f32) -> Body {
    let outline = (0..16).map(|i| [x + (i % 4) as f32 * 8.0, 1000.0 - i as f32 * 20.0]).collect();
    Body { id, people: 1, foot: [x, 1000.0], head: [x, 700.0], outline, ..Body::default() }
}

fn file(folder: &tempfile::TempDir) -> PathBuf {
    folder.path().join("saturday.moongate")
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

fn unix() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() as i64
}

/// Creates a file with its own header, followed by these bytes.
fn written(folder: &tempfile::TempDir, expires: i64, after: &[u8]) -> PathBuf {
    let head = RecordingHeader { city: "dublin".into(), canvas: CANVAS, began: 0, expires };
    let mut out = std::fs::File::create(file(folder)).expect("a file");
    out.write_all(&head.encode()).and_then(|()| out.write_all(after)).expect("it can be written");
    file(folder)
}

/// Returns everything played within `seconds`, in steps of a millisecond, with milliseconds since the start.
fn played(playback: &mut Playback, seconds: u64) -> Vec<(u64, Presence)> {
    let mut all = Vec::new();
    for ms in 0..seconds * 1_000 {
        while let Some(presence) = playback.poll_instant(NOW + Duration::from_millis(ms)) {
            all.push((ms, presence));
        }
    }
    all
}

#[test]
fn an_evening_is_played_as_it_was_and_again() {
    let folder = folder();
    let mut recorder = Recorder::create(&file(&folder), "shenzhen", CANVAS, DAY).expect("a new file");
    let instant = |touches: &[Touch], bodies: &[Body]| Presence { touches: touches.to_vec(), bodies: bodies.to_vec() };
    let evening = [
        (0, instant(&[], &[])),
        (400, instant(&[], &[body(3, 100.0)])),
        (433, instant(&[], &[body(3, 110.0)])),
        // Too soon after the last one to be worth its bytes; and the same as before.
        (440, instant(&[], &[body(3, 111.0)])),
        (466, instant(&[touch(9, 120.0)], &[body(3, 120.0)])),
        (500, instant(&[touch(9, 120.0)], &[body(3, 120.0)])),
        // Just as soon, but a hand is lifted and a person arrives.
        (505, instant(&[], &[body(3, 120.0), body(4, 900.0)])),
        (2_000, instant(&[], &[])),
    ];
    for (ms, presence) in &evening {
        recorder.record(Duration::from_millis(*ms), presence);
    }
    assert_eq!(recorder.dropped(), 0);
    drop(recorder);

    let mut playback = Playback::open(&file(&folder)).expect("it is fresh");
    assert_eq!((playback.head().city.as_str(), playback.head().canvas), ("shenzhen", CANVAS));
    let kept = [0, 1, 2, 4, 6, 7].map(|index| &evening[index]);
    let played = played(&mut playback, 4);
    // The whole recording, a second of emptiness, and again from the start.
    assert_eq!(played.len(), kept.len() + 1 + 5, "{played:?}");
    for ((at, presence), (ms, before)) in played.iter().zip(kept) {
        assert_eq!(at, ms);
        assert_eq!(presence.touches.len(), before.touches.len());
        assert!(presence.touches.iter().all(|touch| (touch.id, touch.kind) == (9, PointerKind::Reach)));
        let ids = |presence: &Presence| presence.bodies.iter().map(|body| body.id).collect::<Vec<_>>();
        assert_eq!(ids(presence), ids(before));
        for (a, b) in presence.bodies.iter().zip(&before.bodies) {
            assert!((a.foot[0] - b.foot[0]).abs() < 0.1 && a.outline.len() == b.outline.len());
        }
    }
    assert_eq!(played[6], (2_030, Presence::default()));
    assert_eq!((played[7].0, played[8].0), (3_030, 3_430));

    // From a fifth of its two seconds onwards, and then from the start.
    let mut late = Playback::open(&file(&folder)).expect("it is fresh");
    late.seek(0.2);
    let times: Vec<_> = self::played(&mut late, 4).iter().map(|(at, _)| *at).collect();
    assert_eq!(times[..6], [33, 66, 105, 1_600, 1_630, 2_630]);
}

#[test]
fn a_recording_is_ours_alone_and_says_what_it_is() {
    let folder = folder();
    drop(Recorder::create(&file(&folder), "dublin", CANVAS, 30 * DAY).expect("a new file"));
    let text = std::fs::read_to_string(file(&folder)).expect("a head alone is text");
    assert!(text.starts_with("moongate recording 1\nholds shapes and touches, no pictures\ncity dublin\n"), "{text}");
    assert!(text.contains("canvas 1920 1080\n") && text.contains("\nexpires 2"), "{text}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(file(&folder)).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    // No file is overwritten, and no recording is kept forever.
    let again = Recorder::create(&file(&folder), "dublin", CANVAS, DAY).err().expect("it is there");
    assert_eq!(again.kind(), std::io::ErrorKind::AlreadyExists);
    assert_eq!(std::fs::read_to_string(file(&folder)).expect("as it was"), text);
    let other = folder.path().join("other");
    assert!(Recorder::create(&other, "dublin", CANVAS, RETENTION_MAX + DAY).is_err());
    assert!(!other.exists());
}

#[test]
fn an_expired_recording_is_refused_and_left_where_it_is() {
    let folder = folder();
    let path = written(&folder, unix() - 5, &[]);
    let why = Playback::open(&path).expect_err("it is over");
    assert!(matches!(&why, PlaybackError::Expired { until, .. } if until.ends_with('Z')));
    assert!(why.to_string().contains("expired") && why.to_string().contains("delete it"), "{why}");
    assert!(path.exists());
    assert!(Playback::open(&written(&folder, unix() + 60, &[])).is_ok());
}

#[test]
fn a_recording_that_expires_while_it_is_played_is_not_begun_again() {
    let folder = folder();
    let mut bytes = Vec::new();
    put_recorded_frame(&mut bytes, CANVAS, Duration::ZERO, &Presence { touches: vec![touch(1, 5.0)], bodies: vec![] });
    let mut playback = Playback::open(&written(&folder, unix() + 1, &bytes)).expect("a second left");
    assert_eq!(playback.poll_instant(NOW).map(|presence| presence.touches.len()), Some(1));
    std::thread::sleep(Duration::from_millis(1_100));
    let after: Vec<_> = (1..60).filter_map(|second| playback.poll_instant(NOW + Duration::from_secs(second))).collect();
    // One instant was read ahead.
    assert!(after.iter().filter(|presence| !presence.is_empty()).count() <= 1, "{after:?}");
    assert!(after.last().is_some_and(Presence::is_empty));
}

#[test]
fn what_is_no_recording_is_told_as_such() {
    let folder = folder();
    let why = |bytes: &[u8]| {
        std::fs::write(file(&folder), bytes).expect("it can be written");
        Playback::open(&file(&folder)).expect_err("it is none").to_string()
    };
    assert!(why(b"").contains("not a recording"));
    assert!(why(b"YUV4MPEG2 W640 H480 F30:1\n\n").contains("not a recording"));
    assert!(why(&[0xff; 4_000]).contains("not a recording"));
    assert!(why(b"moongate recording 2\nexpires 2999-01-01T00:00:00Z\n\n").contains("update Moongate"));
    assert!(why(b"moongate recording 1\ncity x\ncanvas 0 NaN\nbegan x\nexpires y\n\n").contains("canvas"));
    assert!(why(b"moongate recording 1\ncity x\ncanvas 9 9\nbegan 2026-01-01T00:00:00Z\n\n").contains("expires"));
    let missing = Playback::open(&folder.path().join("nowhere")).expect_err("it is not there");
    assert!(matches!(missing, PlaybackError::Read { .. }));
}

#[test]
fn a_torn_end_is_an_end() {
    let folder = folder();
    let mut bytes = Vec::new();
    let mut ends = vec![0];
    for step in 0..5_u16 {
        let bodies = (0..40).map(|id| body(id, f32::from(id * 40 + step))).collect();
        put_recorded_frame(&mut bytes, CANVAS, Duration::from_millis(100), &Presence { touches: vec![], bodies });
        ends.push(bytes.len());
    }
    for cut in (0..bytes.len()).step_by(97) {
        let whole = ends.iter().filter(|end| **end > 0 && **end <= cut).count();
        let mut playback = Playback::open(&written(&folder, unix() + 60, &bytes[..cut])).expect("a sound head");
        let first = (0..800).filter_map(|ms| playback.poll_instant(NOW + Duration::from_millis(ms)));
        assert_eq!(first.filter(|presence| presence.bodies.len() == 40).count(), whole, "{cut}");
    }
}

#[test]
fn a_later_version_may_add_lines_and_frames() {
    let folder = folder();
    let mut text = String::from_utf8(
        RecordingHeader { city: "dublin".into(), canvas: CANVAS, began: 0, expires: unix() + 60 }.encode(),
    )
    .expect("text");
    text.insert_str(text.len() - 1, "weather rain\n");
    let mut bytes = text.into_bytes();
    bytes.put_frame(77, &[9; 300]);
    put_recorded_frame(&mut bytes, CANVAS, Duration::ZERO, &Presence { touches: vec![touch(1, 5.0)], bodies: vec![] });
    std::fs::write(file(&folder), &bytes).expect("it can be written");
    let mut playback = Playback::open(&file(&folder)).expect("it is of our version");
    assert_eq!(playback.poll_instant(NOW).map(|presence| presence.touches.len()), Some(1));
}

#[test]
fn recorded_visitors_come_on_through_the_site_half() {
    let folder = folder();
    let mut recorder = Recorder::create(&file(&folder), "dublin", CANVAS, DAY).expect("a new file");
    let here = |x| Presence { touches: vec![touch(9, x)], bodies: vec![body(3, x)] };
    recorder.record(Duration::ZERO, &here(100.0));
    recorder.record(Duration::from_millis(50), &here(110.0));
    recorder.record(Duration::from_millis(900), &Presence::default());
    drop(recorder);
    let half = [CANVAS[0] / 2.0, CANVAS[1] / 2.0];
    let site = SiteHandle::new(SiteSetup::alone(half, Vec::new()));
    spawn_playback(Playback::open(&file(&folder)).expect("it is fresh"), half, site.clone()).expect("a thread");
    let mut waiting = VecDeque::new();
    let mut next = || {
        for _ in 0..1_000 {
            waiting.extend(site.poll_messages(monotonic()).into_iter().filter_map(|message| match message {
                SiteMessage::Touch(event) => Some(event),
                _ => None,
            }));
            match waiting.pop_front() {
                Some(event) => return event,
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        }
        panic!("no touch comes");
    };
    let down = next();
    assert_eq!((down.phase, down.touch.kind, down.touch.at[0].round()), (Phase::Down, PointerKind::Reach, 50.0));
    assert_eq!(next().phase, Phase::Move);
    std::thread::sleep(Duration::from_millis(100));
    let bodies = site.presence().bodies;
    assert_eq!((bodies.len(), bodies[0].foot.map(f32::round)), (1, [55.0, 500.0]), "on the canvas of today");
    assert_eq!(next().phase, Phase::Up);
    let again = next();
    assert_eq!((again.phase, again.touch.id == down.touch.id), (Phase::Down, false), "it begins again");
}

/// Feeds bytes in pieces; returns the number of instants up to the end or the first damage.
fn fed(bytes: &[u8], piece: usize) -> usize {
    let mut tape = RecordingReader::new(CANVAS);
    let mut count = 0;
    for piece in bytes.chunks(piece.max(1)) {
        tape.feed(piece);
        loop {
            match tape.next() {
                Ok(Some(instant)) => {
                    assert!(instant.presence.touches.len() <= TOUCHES_MAX);
                    assert!(instant.presence.bodies.len() <= BODIES_MAX);
                    count += 1;
                }
                Ok(None) => break,
                Err(_) => return count,
            }
        }
    }
    count
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_time: 5_000, ..ProptestConfig::default() })]

    #[test]
    fn pieces_of_any_size_make_the_same_instants(
        crowd in prop::collection::vec((0..5_u32, 0..30_u16), 0..6), piece in 1..4_000_usize,
    ) {
        let mut bytes = Vec::new();
        for (touches, bodies) in &crowd {
            let touches = (0..*touches).map(|id| touch(id, 5.0)).collect();
            let bodies = (0..*bodies).map(|id| body(id, 50.0)).collect();
            put_recorded_frame(&mut bytes, CANVAS, Duration::from_millis(30), &Presence { touches, bodies });
        }
        prop_assert_eq!(fed(&bytes, piece), crowd.len());
    }

    #[test]
    fn no_bytes_make_a_tape_panic(bytes in prop::collection::vec(any::<u8>(), 0..2_000), piece in 1..500_usize) {
        fed(&bytes, piece);
    }

    /// Noise seldom gets past the first frame; damaged recordings do.
    #[test]
    fn no_damage_makes_a_tape_panic(damage in prop::collection::vec((any::<u16>(), any::<u8>()), 1..6)) {
        let mut bytes = Vec::new();
        for step in 0..4_u16 {
            let bodies = (0..20).map(|id| body(id, f32::from(id * 40 + step))).collect();
            put_recorded_frame(&mut bytes, CANVAS, Duration::from_millis(30), &Presence { touches: vec![touch(1, 7.0)], bodies });
        }
        for (at, value) in damage {
            let at = usize::from(at) % bytes.len();
            bytes[at] = value;
        }
        fed(&bytes, 700);
    }

    #[test]
    fn a_head_is_read_as_it_was_written(
        city in "[^\n]{0,80}", canvas in [1.0_f32..60_000.0, 1.0_f32..60_000.0], began in any::<i64>(), expires in any::<i64>(),
    ) {
        let head = RecordingHeader { city, canvas, began, expires };
        let bytes = head.encode();
        prop_assert!(bytes.len() <= HEADER_MAX);
        let (read, size) = RecordingHeader::decode(&bytes).map_err(|why| TestCaseError::fail(why.to_string()))?;
        prop_assert_eq!((size, read.canvas), (bytes.len(), canvas));
        if (0..4_000_000_000).contains(&expires) {
            prop_assert_eq!(read.expires, expires);
        }
    }

    #[test]
    fn no_bytes_make_a_head_panic(bytes in prop::collection::vec(any::<u8>(), 0..1_500), text in "(moongate recording [0-9]{0,12}\n)?[ -~\n]{0,300}") {
        let _ = RecordingHeader::decode(&bytes);
        prop_assert!(!matches!(RecordingHeader::decode(text.as_bytes()), Err(RecordingError::Newer(0 | 1))));
    }
}
