//! Tests of the simulated camera.
//! They check reproducibility from a seed, the ground truth, and every crowd in every weather.

use super::*;
use std::path::PathBuf;

fn config(crowd: CrowdType, weather: Weather, size: [usize; 2]) -> SynthConfig {
    SynthConfig { size, rate: 10.0, seed: 7, crowd, weather, city: 3 }
}

/// Frames and truth of the given numbers.
fn drawn(config: SynthConfig, numbers: impl IntoIterator<Item = u64>) -> Vec<(SynthFrame, SynthTruth)> {
    let mut street = SynthCamera::new(config);
    let mut frame = SynthFrame::default();
    numbers
        .into_iter()
        .map(|number| {
            let truth = street.draw(number, &mut frame).clone();
            (frame.clone(), truth)
        })
        .collect()
}

fn mean(pixels: impl IntoIterator<Item = f64>) -> f64 {
    let (mut sum, mut count) = (0.0, 0.0);
    for pixel in pixels {
        sum += pixel;
        count += 1.0;
    }
    sum / f64::max(count, 1.0)
}

fn apart(a: &SynthFrame, b: &SynthFrame) -> f64 {
    mean(a.y.iter().zip(&b.y).map(|(a, b)| f64::from(a.abs_diff(*b))))
}

#[test]
fn the_same_seed_draws_the_same() {
    let config = config(CrowdType::Few, Weather::Rain, [160, 120]);
    let one = drawn(config, 0..6);
    assert_eq!(one, drawn(config, 0..6));
    let other = drawn(SynthConfig { seed: 8, ..config }, 0..6);
    assert_ne!(one[5].1.people, other[5].1.people);
}

#[test]
fn a_number_that_goes_back_begins_anew() {
    let config = config(CrowdType::Crossing, Weather::Day, [96, 72]);
    let twice = drawn(config, [0, 1, 30, 0, 1]);
    assert_eq!(twice[..2], twice[3..]);
}

#[test]
fn a_number_that_leaps_is_caught_up_with() {
    let config = config(CrowdType::Few, Weather::Day, [96, 72]);
    let frames = drawn(config, [0, 40_000_000_000, u64::MAX]);
    assert_eq!(frames.len(), 3);
}

#[test]
fn cities_differ() {
    let config = config(CrowdType::Nobody, Weather::Day, [160, 120]);
    let cities: Vec<_> = (0..5).map(|city| drawn(SynthConfig { city, ..config }, [0]).remove(0).0).collect();
    for (i, a) in cities.iter().enumerate() {
        for b in &cities[..i] {
            assert!(apart(a, b) > 6.0, "two cities look alike: {}", apart(a, b));
        }
    }
}

/// Boxes contain their labels, counts are right, colours are within the video range.
fn check(size: [usize; 2], frame: &SynthFrame, truth: &SynthTruth) {
    let [w, h] = size;
    assert_eq!([frame.y.len(), frame.u.len(), frame.v.len()], [w * h, w.div_ceil(2) * h.div_ceil(2), frame.u.len()]);
    assert!(frame.y.iter().all(|y| (16..=235).contains(y)));
    assert_eq!(truth.labels.len(), w * h);
    let mut counts = vec![0_u32; truth.people.len() + 1];
    for (at, label) in truth.labels.iter().enumerate() {
        counts[usize::from(*label)] += 1;
        let Some(person) = usize::from(*label).checked_sub(1).map(|i| truth.people[i]) else { continue };
        let [x, y] = [(at % w) as f32, (at / w) as f32];
        let [left, top, wide, high] = person.full;
        assert!(x >= left && x + 1.0 <= left + wide && y >= top && y + 1.0 <= top + high, "{x} {y} {person:?}");
    }
    for (person, count) in truth.people.iter().zip(&counts[1..]) {
        assert_eq!(person.pixels, *count, "{person:?}");
        assert!((0.0..=1.0).contains(&person.visible), "{person:?}");
        let [left, top, wide, high] = person.full;
        assert!(left >= 0.0 && top >= 0.0 && left + wide <= w as f32 && top + high <= h as f32, "{person:?}");
    }
}

#[test]
fn every_crowd_in_every_weather_at_odd_sizes() {
    for crowd in CrowdType::ALL {
        for weather in Weather::ALL {
            for (frame, truth) in drawn(config(crowd, weather, [33, 47]), [0, 1, 120]) {
                check([33, 47], &frame, &truth);
            }
        }
    }
    for weather in Weather::ALL {
        for (frame, truth) in drawn(config(CrowdType::Forty, weather, [161, 119]), [0, 170, 171]) {
            check([161, 119], &frame, &truth);
        }
    }
    for (frame, truth) in drawn(config(CrowdType::Forty, Weather::Shake, [641, 479]), [0, 1, 60]) {
        check([641, 479], &frame, &truth);
    }
}

#[test]
fn wild_configurations_are_bounded() {
    for (size, rate) in [([0, 0], f64::NAN), ([1, 5000], -3.0), ([16, 17], 1e300)] {
        let street = SynthCamera::new(SynthConfig { size, rate, ..config(CrowdType::Few, Weather::Bus, size) });
        assert!(street.config().size.iter().all(|side| (16..=4096).contains(side)));
        assert!((1.0..=240.0).contains(&street.config().rate));
    }
}

#[test]
fn an_empty_square_has_nobody() {
    for weather in Weather::ALL {
        for (_, truth) in drawn(config(CrowdType::Nobody, weather, [120, 90]), [0, 25, 90]) {
            assert!(truth.people.is_empty() && truth.labels.iter().all(|label| *label == 0));
        }
    }
}

#[test]
fn forty_fill_the_square_near_and_far() {
    let size = [240, 180];
    let frames = drawn(config(CrowdType::Forty, Weather::Day, size), (0..400).step_by(20));
    let count = mean(frames.iter().map(|(_, truth)| truth.people.len() as f64));
    assert!((30.0..52.0).contains(&count), "{count} people");
    let whole = frames.iter().flat_map(|(_, truth)| &truth.people).filter(|person| {
        let [x, y, w, h] = person.full;
        x > 0.0 && y > 0.0 && x + w < size[0] as f32 && y + h < size[1] as f32
    });
    let heights: Vec<f32> = whole.map(|person| person.full[3] / size[1] as f32).collect();
    let (least, most) = heights.iter().fold((1.0_f32, 0.0_f32), |(a, b), h| (a.min(*h), b.max(*h)));
    assert!((0.055..0.13).contains(&least), "the smallest is {least} of the height");
    assert!((0.33..0.55).contains(&most), "the tallest is {most} of the height");
    let mut kinds: Vec<u8> = frames.iter().flat_map(|(_, t)| &t.people).map(|person| person.kind.class()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds, [1, 2, 3, 4, 5], "everyone is among forty");
}

#[test]
fn those_who_stop_stay_a_minute_and_sway() {
    let frames = drawn(config(CrowdType::Still, Weather::Day, [160, 120]), 0..900);
    let mut longest = 0;
    let mut swayed = 0;
    let ids: Vec<u32> = frames[300].1.people.iter().filter(|person| person.still).map(|person| person.id).collect();
    assert!(ids.len() >= 2, "two stand after half a minute");
    for id in ids {
        let mut run = 0;
        let mut before = None;
        for (_, truth) in &frames {
            let found = truth.people.iter().find(|person| person.id == id && person.still);
            run = if found.is_some() { run + 1 } else { 0 };
            longest = longest.max(run);
            if let (Some(now), Some(then)) = (found, before) {
                let then: TruthPerson = then;
                assert!((now.foot[0] - then.foot[0]).hypot(now.foot[1] - then.foot[1]) < 1.0, "who stands glides");
                swayed += usize::from(now.head != then.head);
            }
            before = found.copied();
        }
    }
    assert!(longest > 600, "the longest stands {longest} tenths of a second");
    assert!(swayed > 600, "nobody stands as still as a post");
}

#[test]
fn an_arm_is_held_out_again_and_again() {
    let frames = drawn(config(CrowdType::Reach, Weather::Day, [160, 120]), 0..500);
    let mut runs = vec![0];
    for (_, truth) in &frames {
        let reach = truth.people.iter().find_map(|person| person.reach.map(|at| (person, at)));
        if let Some((person, [x, y])) = reach {
            let [left, top, w, h] = person.full;
            assert!(x > left - 3.0 && x < left + w + 3.0 && y > top - 3.0 && y < top + h + 3.0, "{person:?}");
            *runs.last_mut().expect("there is one") += 1;
        } else if runs.last() != Some(&0) {
            runs.push(0);
        }
    }
    assert!(runs.iter().filter(|run| **run >= 12).count() >= 3, "{runs:?}");
}

#[test]
fn who_cross_hide_each_other() {
    let frames = drawn(config(CrowdType::Crossing, Weather::Day, [160, 120]), 0..300);
    let hidden = frames.iter().flat_map(|(_, truth)| &truth.people).filter(|person| person.visible < 0.6).count();
    assert!(hidden > 20, "hidden in {hidden} boxes");
}

#[test]
fn a_lamp_comes_on_and_the_screen_lights_the_square() {
    // The screen lights the nearer half.
    let level = |frame: &SynthFrame| mean(frame.y[frame.y.len() / 2..].iter().map(|y| f64::from(*y)));
    let lamp = drawn(config(CrowdType::Nobody, Weather::Lamp, [120, 90]), [79, 83, 159, 162]);
    let lamp: Vec<f64> = lamp.iter().map(|(frame, _)| level(frame)).collect();
    assert!(lamp[1] > lamp[0] + 8.0 && lamp[2] > lamp[3] + 8.0, "{lamp:?}");

    let own = drawn(config(CrowdType::Nobody, Weather::OwnLight, [120, 90]), 0..300);
    let most = own.iter().max_by(|a, b| a.0.screen_luminance.total_cmp(&b.0.screen_luminance)).map(|(frame, _)| frame);
    let least = own.iter().min_by(|a, b| a.0.screen_luminance.total_cmp(&b.0.screen_luminance)).map(|(frame, _)| frame);
    let (most, least) = (most.expect("there are frames"), least.expect("there are frames"));
    assert!(most.screen_luminance > least.screen_luminance + 0.4 && level(most) > level(least) + 15.0);
    let day = drawn(config(CrowdType::Nobody, Weather::Day, [64, 48]), [0, 50]);
    assert!(day.iter().all(|(frame, _)| frame.screen_luminance == 0.0));
}

#[test]
fn a_low_sun_throws_hard_shadows_that_are_nobody() {
    let size = [240, 180];
    let with = drawn(config(CrowdType::Few, Weather::LowSun, size), [100]).remove(0);
    let without = drawn(config(CrowdType::Nobody, Weather::LowSun, size), [100]).remove(0);
    let mut ratios: Vec<f32> = with
        .0
        .y
        .iter()
        .zip(&without.0.y)
        .zip(&with.1.labels)
        .filter(|((_, without), label)| **label == 0 && **without > 90)
        .map(|((with, without), _)| (f32::from(*with) - 16.0) / (f32::from(*without) - 16.0))
        .filter(|ratio| *ratio < 0.65)
        .collect();
    ratios.sort_by(f32::total_cmp);
    assert!(ratios.len() > 150, "{} pixels of shadow", ratios.len());
    let middle = ratios[ratios.len() / 2];
    assert!((0.35..0.55).contains(&middle), "shadows are {middle} as bright");
}

#[test]
fn names_are_read_and_mistakes_are_told() {
    for crowd in CrowdType::ALL {
        assert_eq!(crowd.to_string().parse(), Ok(crowd));
    }
    for weather in Weather::ALL {
        assert_eq!(weather.to_string().parse(), Ok(weather));
    }
    let wrong = "fourty".parse::<CrowdType>().expect_err("there is no such crowd");
    assert!(wrong.contains("did you mean forty?"), "{wrong}");
    let wrong = "sandstorm of knives".parse::<Weather>().expect_err("there is no such weather");
    assert!(wrong.contains("low-sun"), "{wrong}");
}

/// Folder that is removed when the test ends.
struct TestFolder(PathBuf);

impl TestFolder {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("moongate-street-{name}-{}", std::process::id())))
    }
}

impl Drop for TestFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn truth_is_written_and_read_again() {
    let size = [97, 65];
    let frames = drawn(config(CrowdType::Few, Weather::OwnLight, size), 0..5);
    let folder = TestFolder::new("truth");
    let mut writer = TruthWriter::create(&folder.0, size, 12.5).expect("a folder for what is temporary");
    for (frame, truth) in &frames {
        writer.write(truth, frame.screen_luminance).expect("it can be written");
    }
    writer.finish().expect("it can be written");
    let open = |name: &str| std::fs::File::open(folder.0.join(name)).expect("it was written");

    let boxes = read_boxes(open("boxes.txt")).expect("it is well formed");
    let people = frames.iter().enumerate().flat_map(|(i, (_, truth))| truth.people.iter().map(move |p| (i, p)));
    assert_eq!(boxes.len(), people.clone().count());
    for (read, (i, person)) in boxes.iter().zip(people) {
        assert_eq!((read.frame, read.id, read.kind), (i as u32 + 1, person.id, Some(person.kind)));
        assert_eq!(read.bounds, person.full);
        assert!((read.visible - person.visible).abs() < 0.001);
    }
    let light = read_light(open("light.txt")).expect("it is well formed");
    assert!(light.iter().zip(&frames).all(|(light, (frame, _))| (light - frame.screen_luminance).abs() < 0.001));
    assert_eq!(light.len(), frames.len());

    let mut masks = TruthMaskReader::new(open("masks.y4m")).expect("it is well formed");
    assert_eq!(masks.size(), size);
    let mut mask = vec![];
    for (_, truth) in &frames {
        assert!(masks.read_frame(&mut mask).expect("it is well formed"));
        for (byte, label) in mask.iter().zip(&truth.labels) {
            let id = usize::from(*label).checked_sub(1).map(|i| truth.people[i].id);
            assert_eq!(*byte, id.map_or(0, mask_byte));
        }
    }
    assert!(!masks.read_frame(&mut mask).expect("the end is no fault"));
}

#[test]
fn garbage_is_refused() {
    for wrong in
        ["1,2,3", "a,b,c,d,e,f", "0,1,1,1,1,1", "1,1,1,1,-5,1", "1,1,nan,1,1,1", "1,1,1e300,1,1,1", "\u{1F980}"]
    {
        let fault = read_boxes(wrong.as_bytes()).expect_err(wrong);
        assert_eq!(fault.line, 1, "{wrong}");
    }
    assert!(read_boxes(&[0xff, 0xfe, 0x00][..]).is_err());
    assert!(read_boxes(vec![b'1'; 100_000].as_slice()).is_err());
    assert_eq!(read_boxes(&b"1,1,2,3,4,5\n\n3,2,2,3,4,5,0,1,1\n"[..]).expect("it is well formed").len(), 1);
    assert!(read_light(&b"0.5\n1.5\n"[..]).is_err_and(|fault| fault.line == 2));
    assert!(read_light(&b"NaN\n"[..]).is_err());

    for wrong in [
        "",
        "YUV4MPEG2",
        "YUV4MPEG2 W4 H4\n",
        "YUV4MPEG2 W0 H4 Cmono\n",
        "YUV4MPEG2 W99999999999999999999 H4 Cmono\n",
        "YUV4MPEG2 W9000 H4 Cmono\n",
        "JPEG W4 H4 Cmono\n",
    ] {
        assert!(TruthMaskReader::new(wrong.as_bytes()).is_err(), "{wrong:?}");
    }
    assert!(TruthMaskReader::new(vec![b' '; 5000].as_slice()).is_err());
    let mut mask = vec![];
    for wrong in ["FRAME\n123", "FRAMED\n1234567890123456", "garbage"] {
        let file = format!("YUV4MPEG2 W4 H4 F25:1 Cmono\n{wrong}");
        let mut masks = TruthMaskReader::new(file.as_bytes()).expect("the header is right");
        assert!(masks.read_frame(&mut mask).is_err(), "{wrong:?}");
    }
}
