//! The vision pipeline as a whole, on the simulated street with its exact ground truth.

use moongate::synth::{CrowdType, SynthCamera, SynthConfig, SynthFrame, SynthTruth, Weather};
use moongate::vision::metrics::{MotBox, TrackingCounts, TrackingEvaluator};
use moongate::vision::{Luma, VisionOutput, VisionPipeline};
use std::collections::BTreeMap;
use std::time::Duration;

const SIZE: [usize; 2] = [320, 240];
const RATE: f64 = 15.0;

/// Plays a street for some seconds; `look` gets each frame's time, its ground truth and the vision output.
fn watch(crowd: CrowdType, weather: Weather, seconds: u64, mut look: impl FnMut(f64, &SynthTruth, &VisionOutput)) {
    let mut street = SynthCamera::new(SynthConfig { size: SIZE, rate: RATE, seed: 7, crowd, weather, city: 1 });
    let (mut sense, mut frame) = (VisionPipeline::new(), SynthFrame::default());
    for number in 0..seconds * RATE as u64 {
        let truth = street.draw(number, &mut frame);
        let luma = Luma::new(SIZE[0], SIZE[1], SIZE[0], &frame.y).expect("a frame of its size");
        let now = number as f64 / RATE;
        look(now, truth, sense.process(Duration::from_secs_f64(now), &luma, frame.screen_luminance));
    }
}

/// Evaluates the tracks of people who are at least half visible, after five seconds of learning.
fn judged(crowd: CrowdType, weather: Weather) -> TrackingCounts {
    let mut judge = TrackingEvaluator::default();
    let mut number = 0;
    watch(crowd, weather, 20, |now, truth, seen| {
        number += 1;
        if now < 5.0 {
            return;
        }
        let people = truth.people.iter().map(|person| {
            let visibility = if person.visible >= 0.5 && person.pixels >= 60 { person.visible } else { -1.0 };
            MotBox { visibility, ..MotBox::new(number, person.id, person.full) }
        });
        let figures = seen.people.iter().map(|figure| {
            let (at, size) = (figure.bounds.origin, figure.bounds.size);
            MotBox::new(number, u32::from(figure.id), [at.x, at.y, size.width, size.height])
        });
        judge.add_frame(&people.collect::<Vec<_>>(), &figures.collect::<Vec<_>>());
    });
    judge.finish()
}

#[test]
fn people_who_cross_at_dusk_are_followed() {
    let tracks = judged(CrowdType::Crossing, Weather::Dusk);
    assert!(tracks.mota() > 0.4, "MOTA {:.2}", tracks.mota());
    assert!(tracks.idf1() > 0.4, "IDF1 {:.2}", tracks.idf1());
}

#[test]
fn nobody_is_seen_where_nobody_is() {
    for weather in [Weather::Day, Weather::Dusk, Weather::Rain, Weather::Shake, Weather::Lamp] {
        let mut seen_frames = 0;
        watch(CrowdType::Nobody, weather, 20, |now, _, seen| {
            seen_frames += u32::from(now > 5.0 && !seen.people.is_empty())
        });
        assert!(seen_frames < 15, "{weather}: somebody in {seen_frames} of 225 frames");
    }
}

#[test]
fn who_stands_for_a_minute_keeps_the_id() {
    // For each pair of person and id: the first and the last time at which they were matched.
    let mut seen_as: BTreeMap<(u32, u16), [f64; 2]> = BTreeMap::new();
    let mut longest = 0.0_f64;
    watch(CrowdType::Still, Weather::Dusk, 100, |now, truth, seen| {
        for person in &truth.people {
            let [x, y, width, height] = person.full;
            let (middle, foot) = (x + width / 2.0, y + height);
            for figure in &seen.people {
                let off = (figure.foot.x - middle).hypot(0.5 * (figure.foot.y - foot));
                if off < 0.25 * height {
                    let times = seen_as.entry((person.id, figure.id)).or_insert([now; 2]);
                    *times = if now - times[1] > 1.0 { [now; 2] } else { [times[0], now] };
                    longest = longest.max(times[1] - times[0]);
                }
            }
        }
    });
    assert!(longest > 60.0, "the longest was the same for {longest:.1} s");
}
