//! Camera input: the stream of a camera, truth files, and the vision pipeline itself.

use super::Target;
use super::inputs::Outcome;
use moongate::device::camera::privacy_mask::PrivacyMask;
use moongate::device::camera::y4m::{ChromaFormat, FrameRate, SIDE_MAX, Y4mReader, Y4mWriter};
use moongate::geometry::{CameraSize, FractionPoint, WHOLE};
use moongate::presence::{MOTION_GRID, OUTLINE_MAX, Point};
use moongate::synth::{
    CrowdType, SynthCamera, SynthConfig, SynthFrame, TruthMaskReader, TruthWriter, Weather, read_boxes, read_light,
};
use moongate::vision::metrics::{MatchRules, MotBoxes, evaluate_tracks};
use moongate::vision::{CameraCalibration, DwellDetector, Luma, Mask, ScreenPlacement, VisionOutput, VisionPipeline};
use std::sync::OnceLock;
use std::time::Duration;

const WORDS: &[&str] = &[
    "YUV4MPEG2",
    "FRAME",
    "FRAME\n",
    " W",
    " H",
    " F",
    " C420",
    " C422",
    " C411",
    " C444alpha",
    " Cmono",
    " Xt=",
    "\n",
    " ",
    "0:0",
    "1,2,3,4,5,6\n",
    ",",
    "nan",
    "inf",
    "-1",
    "#",
    "1,1,1,1,1,1,0\n",
];

pub const TARGETS: &[Target] = &[
    Target { name: "y4m", seeds: streams, words: WORDS, most: 8_192, run: y4m },
    Target { name: "truth", seeds: truths, words: WORDS, most: 8_192, run: truth },
    Target { name: "sense", seeds: films, words: &[], most: 4_096, run: sense },
];

fn streams() -> Vec<Vec<u8>> {
    let mut seeds = vec![];
    for colours in [ChromaFormat::Mono, ChromaFormat::Yuv420] {
        let mut stream = Vec::new();
        let mut writer = Y4mWriter::new(&mut stream, [9, 5], FrameRate::new(29.97), colours).expect("memory");
        for number in 0..3 {
            let (y, u) = (vec![number; 45], vec![128; 15]);
            let planes: &[&[u8]] = if colours == ChromaFormat::Mono { &[&y] } else { &[&y, &u, &u] };
            writer.write(Duration::from_millis(33 * u64::from(number)), planes).expect("memory");
        }
        seeds.push(stream);
    }
    for space in ["C420", "C422", "C411", "C444", "C444alpha"] {
        let mut stream = format!("YUV4MPEG2 W4 H2 F30000:1001 Ip A128:117 {space} XYSCSS=420JPEG\n").into_bytes();
        for _ in 0..3 {
            stream.extend(b"FRAME Ixyz Xt=1500000\n");
            stream.extend([7; 20]);
        }
        seeds.push(stream);
    }
    seeds.push(b"YUV4MPEG2 W4096 H4096 Cmono\nFRAME\n".to_vec());
    seeds
}

fn y4m(input: &[u8]) -> u64 {
    let mut outcome = Outcome::default();
    let mut y = Vec::new();
    let why = match Y4mReader::new(input) {
        Err(why) => why,
        Ok(mut reader) => {
            let header = *reader.header();
            let pixels = header.width * header.height;
            assert!(
                header.width <= SIDE_MAX && header.height <= SIDE_MAX && header.frame_bytes() >= pixels && pixels > 0
            );
            assert!(header.rate.period() >= Duration::from_millis(1));
            let mut count = 0;
            let why = loop {
                match reader.read(&mut y) {
                    Ok(_) => assert_eq!(y.len(), pixels),
                    Err(why) => break why,
                }
                count += 1;
            };
            assert!(count * pixels <= input.len(), "more pictures than there are bytes");
            outcome.count(count);
            why
        }
    };
    outcome.fault(&why);
    outcome.end()
}

/// Returns truth files; the first byte selects the reader.
fn truths() -> Vec<Vec<u8>> {
    let dir = tempfile::tempdir().expect("a folder for a while");
    let (crowd, weather) = (CrowdType::Few, Weather::Day);
    let mut street = SynthCamera::new(SynthConfig { size: [32, 24], rate: 2.0, seed: 1, crowd, weather, city: 0 });
    let mut writer = TruthWriter::create(dir.path(), [32, 24], 2.0).expect("a folder");
    let mut frame = SynthFrame::default();
    for number in 0..5 {
        writer.write(street.draw(number + 10, &mut frame), frame.screen_luminance).expect("it is written");
    }
    writer.finish().expect("it is written");
    let file = |kind: u8, name: &str| [vec![kind], std::fs::read(dir.path().join(name)).expect("written")].concat();
    let mot =
        b"3# truth\n1,7,10,20,30.5,40\n2.0, 7, 11, 20, 30, 40, 1, 3, 0.25\r\n2 8 1 2 3 4\n3,7,1,2,3,4,1,-1,-1,-1\n";
    vec![file(0, "boxes.txt"), file(1, "light.txt"), file(2, "masks.y4m"), file(3, "boxes.txt"), mot.to_vec()]
}

fn truth(input: &[u8]) -> u64 {
    let mut outcome = Outcome::default();
    let Some((kind, bytes)) = input.split_first() else { return 0 };
    outcome.add(u64::from(kind % 4));
    match kind % 4 {
        0 => match read_boxes(bytes) {
            Ok(boxes) => {
                assert!(boxes.iter().flat_map(|one| one.bounds).all(f32::is_finite));
                outcome.count(boxes.len());
            }
            Err(why) => outcome.fault(&why),
        },
        1 => match read_light(bytes) {
            Ok(light) => {
                assert!(light.iter().all(|shown| (0.0..=1.0).contains(shown)));
                outcome.count(light.len());
            }
            Err(why) => outcome.fault(&why),
        },
        2 => match TruthMaskReader::new(bytes) {
            Ok(mut masks) => {
                let (mut mask, mut count) = (Vec::new(), 0);
                let why = loop {
                    match masks.read_frame(&mut mask) {
                        Ok(true) => assert_eq!(mask.len(), masks.size()[0] * masks.size()[1]),
                        Ok(false) => break None,
                        Err(why) => break Some(why),
                    }
                    count += 1;
                };
                outcome.count(count);
                why.iter().for_each(|why| outcome.fault(why));
            }
            Err(why) => outcome.fault(&why),
        },
        _ => match MotBoxes::read(&String::from_utf8_lossy(bytes)) {
            Ok(boxes) => {
                outcome.count(boxes.frames().count());
                let tracks =
                    evaluate_tracks(&boxes, &boxes, MatchRules { visibility_min: 0.3, ..MatchRules::default() });
                assert!(
                    tracks.matched <= tracks.truth && tracks.idf1().is_finite() && tracks.mota() <= 1.0,
                    "{tracks:?}"
                );
            }
            Err(why) => outcome.fault(&why),
        },
    }
    outcome.end()
}

/// Size of the street that is used occasionally, if a film has that size.
const STREET: [usize; 2] = [128, 96];

/// Returns frames of forty people at ten frames a second.
fn street() -> &'static [Vec<u8>] {
    static STREETS: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    STREETS.get_or_init(|| {
        let (crowd, weather) = (CrowdType::Forty, Weather::Rain);
        let mut street = SynthCamera::new(SynthConfig { size: STREET, rate: 10.0, seed: 3, crowd, weather, city: 0 });
        let mut frame = SynthFrame::default();
        (0..64)
            .map(|number| {
                street.draw(number, &mut frame);
                frame.y.clone()
            })
            .collect()
    })
}

/// Bytes of one step of a film.
///
/// A film is a head of four bytes (size, stride, seed) and then steps of eight: the kind of change, four numbers for
/// it, the elapsed time, the screen's light, a spare byte.
const STEP: usize = 8;
const FRAMES_MAX: usize = 64;

fn films() -> Vec<Vec<u8>> {
    let film = |head: [u8; 4], step: &dyn Fn(u8) -> [u8; STEP]| {
        let mut film = head.to_vec();
        (0..48).for_each(|at| film.extend(step(at)));
        film
    };
    vec![
        // The films: someone walks by; two cross; a lamp; a camera push; a reach; noise; a street; another size in
        // between.
        film([64, 48, 0, 1], &|at| [1, 10 + at, 20, 10, 30, 0, 0, 0]),
        film([64, 48, 9, 2], &|at| [if at % 2 == 0 { 1 } else { 2 }, 10 + at, 20, 8, 30, 0, 3, 0]),
        film([96, 64, 0, 3], &|at| if at == 20 { [5, 180, 0, 0, 0, 0, 1, 0] } else { [1, at, 9, 9, 40, 0, at, 0] }),
        film([90, 70, 0, 4], &|at| [if at % 7 == 0 { 4 } else { 1 }, 126 + at % 5, 127, 12, 30, 0, 0, 0]),
        film([128, 0, 0, 5], &|at| [3, at, 0, 0, 0, at % 8, 0, 0]),
        film([128 - 32, 96 - 32, 0, 6], &|at| [8, at, 0, 0, 0, 0, 0, 0]),
        film([96, 64, 0, 7], &|at| [if at % 16 == 15 { 6 } else { 8 }, at, at, 3, 3, at % 3, at, 0]),
    ]
}

fn sense(input: &[u8]) -> u64 {
    let mut outcome = Outcome::default();
    let [width, height, pad, seed, steps @ ..] = input else { return 0 };
    let mut random = fastrand::Rng::with_seed(u64::from(*seed));
    // Most are small, for speed; some have the largest size.
    let size = |wide: u8, high: u8| match wide {
        255 => [8_192 - usize::from(high), 32],
        254 => [32, 8_192 - usize::from(high)],
        253 => [840 + usize::from(high), 33],
        _ => [32 + usize::from(wide), 32 + usize::from(high)],
    };
    let [mut width, mut height] = size(*width, *height);
    let ground = |random: &mut fastrand::Rng, count: usize| -> Vec<u8> {
        (0..count).map(|at| 90 + (at % 13) as u8 * 5 + random.u8(..8)).collect()
    };
    let mut base = ground(&mut random, width * height);
    let mut eye = VisionPipeline::new();
    let mut far = After::new();
    let mut now = Duration::from_secs(50);
    // The frame's rows are longer in memory than its width.
    let pad = usize::from(*pad % 32);
    for step in steps.as_chunks::<STEP>().0.iter().take(FRAMES_MAX) {
        let [what, a, b, c, d, time, light, _] = *step;
        let mut y = base.clone();
        match what % 10 {
            // Draws a grey person; another one at the other side; both.
            1 | 2 => block(&mut y, width, [a, b, c, d], if what & 16 == 0 { 200 } else { 30 }, what % 10 == 2),
            3 => y.iter_mut().for_each(|pixel| *pixel = random.u8(..)),
            4 => y.rotate_right((usize::from(a) + 127 * width - 127 + usize::from(b) * width) % base.len()),
            5 => {
                base.iter_mut().for_each(|pixel| *pixel = (u32::from(*pixel) * u32::from(a) / 128).min(255) as u8);
                y.clone_from(&base);
            }
            6 => {
                [width, height] = size(a, b);
                base = ground(&mut random, width * height);
                y.clone_from(&base);
            }
            7 => y.fill(a),
            8 if [width, height] == STREET => y.clone_from(&street()[usize::from(a) % street().len()]),
            9 => y.iter_mut().step_by(1 + usize::from(b)).for_each(|pixel| *pixel = a),
            _ => {}
        }
        now = match time {
            0..32 => now.saturating_add(Duration::from_millis(40)),
            32..64 => now,
            64..96 => now.saturating_sub(Duration::from_secs(3)),
            96..128 => now.saturating_add(Duration::from_secs(10)),
            128..160 => now.saturating_add(Duration::from_nanos(1)),
            160..164 => Duration::MAX,
            164..168 => Duration::ZERO,
            _ => now.saturating_add(Duration::from_millis(u64::from(time))),
        };
        let shown = match light {
            0..200 => 0.0,
            200 => f32::NAN,
            201 => f32::INFINITY,
            202 => -1e30,
            _ => f32::from(light) / 255.0,
        };
        let rows: Vec<u8> =
            y.chunks_exact(width).flat_map(|row| row.iter().chain(&y[..pad.min(width)])).copied().collect();
        let luma = Luma::new(width, height, width + pad.min(width), &rows).expect("sides are within its bounds");
        let seen = eye.process(now, &luma, shown);
        holds(seen, [width, height]);
        outcome.count(seen.people.len());
        outcome.add(u64::from(seen.shift != [0, 0]) + 2 * u64::from(seen.motion.energy > 0.1));
        for figure in seen.people.iter().take(4) {
            outcome.add(
                u64::from(figure.outline.is_empty())
                    + 2 * u64::from(figure.reach.is_some())
                    + 4 * u64::from(figure.people.min(4)),
            );
        }
        far.take(now, seen, CameraSize::new(width as f32, height as f32), [a, b, c, d]);
    }
    outcome.end()
}

/// Draws a person of blocks, `d` tall, and optionally another one at the other side.
fn block(y: &mut [u8], width: usize, [a, b, c, d]: [u8; 4], bright: u8, other: bool) {
    let (left, top, wide, tall) = (usize::from(a), usize::from(b), usize::from(c) + 1, usize::from(d) + 1);
    for (row, line) in y.chunks_exact_mut(width).enumerate().skip(top).take(tall) {
        let narrow = if row < top + tall / 5 { wide / 3 } else { 0 };
        for x in left + narrow..left + wide.saturating_sub(narrow) {
            if let Some(pixel) = line.get_mut(x % (2 * width)) {
                *pixel = bright;
            }
            if other && let Some(pixel) = width.checked_sub(x + 1).and_then(|x| line.get_mut(x)) {
                *pixel = bright;
            }
        }
    }
}

/// Checks the promises for every output of the pipeline.
fn holds(seen: &VisionOutput, size: [usize; 2]) {
    let VisionOutput { people: figures, motion, mask, shift } = seen;
    assert_eq!(mask.pixels.len(), mask.width * mask.height);
    assert!(mask.width <= size[0] && mask.height <= size[1] && mask.width > 0 && mask.height > 0);
    assert_eq!(motion.cells.len(), MOTION_GRID[0] * MOTION_GRID[1]);
    assert!(motion.cells.iter().all(|moved| moved.is_finite()), "motion");
    assert!((0.0..=1.0).contains(&motion.energy), "{} moves", motion.energy);
    assert!(shift.iter().all(|pixels| pixels.abs() <= 64), "{shift:?}");
    assert!(
        mask.pixels.iter().all(|owner| usize::from(*owner) <= figures.len()),
        "the mask names someone who is not told of"
    );
    for (at, figure) in figures.iter().enumerate() {
        let mut points = figure.outline.iter().chain([&figure.foot, &figure.head]).chain(&figure.reach);
        assert!(points.all(|point| point.is_finite()), "{figure:?}");
        assert!(figure.bounds.is_finite() && figure.velocity.is_finite(), "{figure:?}");
        let numbers = [figure.still, figure.age, figure.pixels_per_metre];
        assert!(numbers.iter().all(|number| number.is_finite()), "{figure:?}");
        assert!(figure.outline.len() <= OUTLINE_MAX && figure.people >= 1, "{figure:?}");
        assert!(
            figure.bounds.width() >= 0.0 && figure.bounds.height() >= 0.0 && figure.pixels_per_metre > 0.0,
            "{figure:?}"
        );
        assert!(figures[..at].iter().all(|other| other.id != figure.id), "an id is twice");
    }
}

/// State after the pipeline, on the canvas.
struct After {
    reaches: DwellDetector,
    mask: Mask,
    cells: Vec<Point>,
}

impl After {
    fn new() -> Self {
        let mask = Mask { width: 64, height: 36, pixels: vec![0; 64 * 36] };
        Self { reaches: DwellDetector::default(), mask, cells: vec![[0.0; 2]; MOTION_GRID[0] * MOTION_GRID[1]] }
    }

    fn take(&mut self, now: Duration, seen: &VisionOutput, size: CameraSize, numbers: [u8; 4]) {
        const CANVAS: Point = [1920.0, 1080.0];
        let [a, b, c, d] = numbers.map(|number| f32::from(number) / 255.0);
        let corners =
            [[0.4 * a, 0.4 * b], [1.0 - 0.4 * c, 0.3 * d], [1.0 - 0.3 * b, 1.0 - 0.4 * a], [0.3 * c, 1.0 - 0.3 * d]];
        let metres =
            numbers[0].is_multiple_of(2).then_some(ScreenPlacement { width: 0.1 + 499.0 * a, height: 200.0 * b });
        let Some(place) = CameraCalibration::new(corners.map(FractionPoint::from), WHOLE, CANVAS, metres) else {
            return;
        };
        let bodies: Vec<_> = seen.people.iter().filter_map(|figure| place.map_body(figure, size)).collect();
        for body in &bodies {
            let points = body.outline.iter().chain([&body.foot, &body.head, &body.velocity]).chain(&body.reach);
            assert!(points.flatten().all(|axis| axis.is_finite()), "{body:?}");
        }
        self.reaches.update(now, &bodies, CANVAS, |_, _, at| assert!(at.iter().all(|axis| axis.is_finite())));
        place.draw_mask(&seen.people, &seen.mask, size, &mut self.mask);
        self.cells.fill([0.0; 2]);
        place.add_flow(&seen.motion, size, &mut self.cells);
        assert!(self.cells.iter().flatten().all(|axis| axis.is_finite()), "flow");
        let mut blinds = PrivacyMask::new(vec![corners.to_vec(), vec![[a, b], [c, d], [b, a]]]);
        blinds.apply(&mut [200; 640], [32, 20]);
    }
}
