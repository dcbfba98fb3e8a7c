//! Quality of detection on the built-in street: our pipeline and MOG2 with contours, on the same frames, against
//! truth.

use super::opencv::{self, Tracker};
use super::{Failure, Options};
use moongate::device::camera::y4m::FrameRate;
use moongate::synth::{Archetype, CrowdType, SynthCamera, SynthConfig, SynthFrame, SynthTruth, Weather};
use moongate::vision::metrics::{
    ClipEvaluator, EvaluationTotals, MotBox, PixelMask, TrackingReport, TruthFrame, output_boxes,
};
use moongate::vision::{Luma, VisionPipeline};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

const SIZE: [usize; 2] = [640, 480];
const RATE: f64 = 15.0;
const SEED: u64 = 7;
const CROWDS: [CrowdType; 8] = [
    CrowdType::Few,
    CrowdType::Forty,
    CrowdType::Crossing,
    CrowdType::Still,
    CrowdType::Child,
    CrowdType::Wheelchair,
    CrowdType::Pram,
    CrowdType::Cane,
];
/// Promised figures over all scenes.
const MOTA_MIN: f64 = 0.85;
const OUTLINE_MIN: f64 = 0.85;
const BEYOND_MIN: f64 = 0.10;

/// Totals of our pipeline and, if it is installed, of the baseline.
type Both = (EvaluationTotals, Option<EvaluationTotals>);

/// Prints the tables and returns the promises that do not hold.
pub fn run(options: &Options) -> Result<Vec<String>, Failure> {
    let baseline = opencv::version();
    println!(
        "The built-in street, {}×{}, {RATE} frames a second, {} s a scene after {} s that are not judged; sense / MOG2",
        SIZE[0], SIZE[1], options.seconds, options.lead
    );
    match &baseline {
        Ok(version) => println!("{version}\n"),
        Err(why) => println!("Sense alone. {why}\n"),
    }
    let head = || {
        println!(
            "| scene | MOTA | IDF1 | recall | precision | switches | outline IoU | jitter beyond the person's own |"
        );
        println!("|---|---|---|---|---|---|---|---|");
    };
    head();
    let weathers = or_all(&options.weathers, &Weather::ALL);
    let crowds = or_all(&options.crowds, &CROWDS);
    let pairs = weathers.iter().flat_map(|weather| crowds.iter().map(move |crowd| (*weather, *crowd)));
    let scenes = play(options, &pairs.collect::<Vec<_>>(), baseline.is_ok())?;
    let sum = |of: &dyn Fn(Weather, CrowdType) -> bool| {
        let mut sum: Both = (EvaluationTotals::default(), baseline.is_ok().then(EvaluationTotals::default));
        for (_, _, (own, other)) in scenes.iter().filter(|(weather, crowd, _)| of(*weather, *crowd)) {
            sum.0.add(own);
            if let Some((sum, other)) = sum.1.as_mut().zip(other.as_ref()) {
                sum.add(other);
            }
        }
        sum
    };
    println!("\nAdded up:\n");
    head();
    for &weather in &weathers {
        row(&weather.to_string(), &sum(&|of, _| of == weather));
    }
    for &crowd in &crowds {
        row(&crowd.to_string(), &sum(&|_, of| of == crowd));
    }
    let all = sum(&|_, _| true);
    row("**all**", &all);
    println!("\nThe mean of the scenes, in which the few count as much as the forty:\n");
    alike("sense", scenes.iter().map(|(_, _, both)| &both.0));
    alike("MOG2", scenes.iter().filter_map(|(_, _, both)| both.1.as_ref()));
    let (own, other) = (all.0.report(), all.1.as_ref().map(EvaluationTotals::report));
    kinds(&own, other.as_ref());
    Ok(faults(&own, other.as_ref()))
}

/// Plays all scenes, one per core, and prints their rows in order.
fn play(
    options: &Options,
    pairs: &[(Weather, CrowdType)],
    baseline: bool,
) -> Result<Vec<(Weather, CrowdType, Both)>, Failure> {
    let next = AtomicUsize::new(0);
    let (tell, told) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, |cores| cores.get()).min(pairs.len()) {
            let (next, tell) = (&next, tell.clone());
            scope.spawn(move || {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(&(weather, crowd)) = pairs.get(at) else { break };
                    // The receiver is gone once a scene has failed.
                    if tell.send((at, scene(options, weather, crowd, baseline))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(tell);
        let mut early = BTreeMap::new();
        let mut scenes = vec![];
        for (at, both) in told {
            early.insert(at, both?);
            while let Some(both) = early.remove(&scenes.len()) {
                let (weather, crowd) = pairs[scenes.len()];
                row(&format!("{weather}, {crowd}"), &both);
                scenes.push((weather, crowd, both));
            }
        }
        Ok(scenes)
    })
}

fn or_all<T: Copy>(said: &[T], all: &[T]) -> Vec<T> {
    if said.is_empty() { all.to_vec() } else { said.to_vec() }
}

fn scene(options: &Options, weather: Weather, crowd: CrowdType, baseline: bool) -> Result<Both, Failure> {
    let mut street = SynthCamera::new(SynthConfig { size: SIZE, rate: RATE, seed: SEED, crowd, weather, city: 1 });
    let mut tracker = baseline.then(|| Tracker::start(SIZE, FrameRate::new(RATE))).transpose()?;
    let mut sense = VisionPipeline::default();
    let (mut own, mut other) = (ClipEvaluator::default(), ClipEvaluator::default());
    let mut frame = SynthFrame::default();
    let lead = (options.lead * RATE) as u64;
    let end = lead + ((options.seconds * RATE) as u64).max(1);
    for number in 0..end {
        let truth = street.draw(number, &mut frame);
        if let Some(tracker) = &mut tracker {
            tracker.give(&[&frame.y, &frame.u, &frame.v])?;
        }
        // The baseline processes the same frame meanwhile.
        let luma = Luma::new(SIZE[0], SIZE[1], SIZE[0], &frame.y).ok_or("a frame is smaller than its size")?;
        let seen = sense.process(Duration::from_secs_f64(number as f64 / RATE), &luma, frame.screen_luminance);
        let judged = (number >= lead).then(|| people(truth, number as u32));
        if let Some(people) = &judged {
            own.add_frame(people, &output_boxes(seen, number as u32, SIZE));
        }
        if let Some(tracker) = &mut tracker {
            let contours = tracker.take(number as u32)?;
            if let Some(people) = &judged {
                other.add_frame(people, &contours);
            }
        }
    }
    Ok((own.finish(), tracker.map(|_| other.finish())))
}

/// Returns the true people of a frame.
fn people(truth: &SynthTruth, frame: u32) -> TruthFrame {
    let mut shapes = PixelMask::from_labels(&truth.labels, SIZE[0]);
    let mut people = TruthFrame::default();
    for (at, person) in truth.people.iter().enumerate() {
        let shape = u8::try_from(at + 1).ok().and_then(|label| shapes.remove(&label)).unwrap_or_default();
        let (kind, visibility) = (person.kind.class(), person.visible);
        people.add(
            MotBox { kind, visibility, ..MotBox::new(frame, person.id, person.full) },
            Some(shape),
            person.still,
        );
    }
    people
}

fn row(name: &str, (own, other): &Both) {
    let reports: Vec<TrackingReport> =
        [Some(own), other.as_ref()].into_iter().flatten().map(EvaluationTotals::report).collect();
    let both = |of: &dyn Fn(&TrackingReport) -> String| reports.iter().map(of).collect::<Vec<_>>().join(" / ");
    let some = |value: Option<f64>| value.map_or_else(|| "-".into(), |value| format!("{value:.2}"));
    println!(
        "| {name} | {} | {} | {} | {} | {} | {} | {} |",
        both(&|report| format!("{:.2}", report.mota)),
        both(&|report| format!("{:.2}", report.idf1)),
        both(&|report| format!("{:.2}", report.recall)),
        both(&|report| format!("{:.2}", report.precision)),
        both(&|report| report.switches.to_string()),
        both(&|report| some(report.outline_iou)),
        both(&|report| some(report.jitter.map(|jitter| jitter.excess()))),
    );
}

/// Prints the mean of several scenes.
fn alike<'a>(name: &str, scenes: impl Iterator<Item = &'a EvaluationTotals>) {
    let reports: Vec<TrackingReport> = scenes.map(EvaluationTotals::report).collect();
    let mean = |of: &dyn Fn(&TrackingReport) -> Option<f64>| {
        let figures: Vec<f64> = reports.iter().filter_map(of).collect();
        figures.iter().sum::<f64>() / figures.len() as f64
    };
    if !reports.is_empty() {
        println!(
            "{name}: MOTA {:.3}, IDF1 {:.3}, recall {:.3}, precision {:.3}, outline IoU {:.3}",
            mean(&|report| Some(report.mota)),
            mean(&|report| Some(report.idf1)),
            mean(&|report| Some(report.recall)),
            mean(&|report| Some(report.precision)),
            mean(&|report| report.outline_iou),
        );
    }
}

fn kinds(own: &TrackingReport, other: Option<&TrackingReport>) {
    println!("\n| recall of | sense | MOG2 |\n|---|---|---|");
    for kind in Archetype::ALL {
        let of = |report: &TrackingReport| report.recall_of.get(&kind.class()).map(|recall| format!("{recall:.3}"));
        if let Some(recall) = of(own) {
            println!("| {kind} | {recall} | {} |", other.and_then(of).unwrap_or_else(|| "-".into()));
        }
    }
    println!("\n| of {} boxes | sense | MOG2 |\n|---|---|---|", own.truth);
    for (what, of) in [
        ("missed", (|report| report.misses) as fn(&TrackingReport) -> u64),
        ("where nobody is", |report| report.false_positives),
        ("id changed", |report| report.switches),
    ] {
        println!("| {what} | {} | {} |", of(own), other.map_or_else(|| "-".into(), |other| of(other).to_string()));
    }
}

fn faults(own: &TrackingReport, other: Option<&TrackingReport>) -> Vec<String> {
    let mut faults = vec![];
    if own.mota < MOTA_MIN {
        faults.push(format!("MOTA is {:.3}, less than {MOTA_MIN}", own.mota));
    }
    if own.outline_iou.is_none_or(|iou| iou < OUTLINE_MIN) {
        faults.push(format!("outline IoU is {:.3}, less than {OUTLINE_MIN}", own.outline_iou.unwrap_or(0.0)));
    }
    if let Some(other) = other.filter(|other| own.mota - other.mota < BEYOND_MIN) {
        faults.push(format!("MOTA is {:.3}, not {BEYOND_MIN} above the {:.3} of MOG2", own.mota, other.mota));
    }
    faults
}
