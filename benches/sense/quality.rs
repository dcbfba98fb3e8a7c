//! How well people are found on the built-in street: sense and MOG2 with contours, on the same frames, against truth.

use super::opencv::{self, Tracker};
use super::{Failure, Options};
use moongate::device::camera::y4m::Rate;
use moongate::device::street::{Crowd, Frame, Kind, Street, StreetConfig, Truth, Weather};
use moongate::sense::score::{Box, Judge, Outlined, Outlines, Report, Rules, Shape, Tracks};
use moongate::sense::{Luma, Seen, Sense};
use std::time::Duration;

const SIZE: [usize; 2] = [640, 480];
const RATE: f64 = 15.0;
const SEED: u64 = 7;
const CROWDS: [Crowd; 8] = [
    Crowd::Few,
    Crowd::Forty,
    Crowd::Crossing,
    Crowd::Still,
    Crowd::Child,
    Crowd::Wheelchair,
    Crowd::Pram,
    Crowd::Cane,
];
/// Who is judged: so much of a person, and so many pixels, must be to be seen.
const VISIBLE_MIN: f32 = 0.3;
const PIXELS_MIN: u32 = 150;
/// Ids of what is seen of people who are not judged; people have lower ones.
const PARTS: u32 = 1 << 24;
/// What is promised over all scenes.
const MOTA_MIN: f64 = 0.85;
const OUTLINE_MIN: f64 = 0.85;
const BEYOND_MIN: f64 = 0.10;

/// What one side was counted for.
#[derive(Debug, Clone, Default)]
struct Sum {
    tracks: Tracks,
    outlines: Outlines,
}

impl Sum {
    fn add(&mut self, other: &Self) {
        self.tracks += &other.tracks;
        self.outlines.add(&other.outlines);
    }

    fn report(&self) -> Report {
        Report::new(&self.tracks, Some(&self.outlines))
    }
}

/// One side of one scene while it runs.
#[derive(Default)]
struct Side {
    judge: Judge,
    outlines: Outlines,
}

impl Side {
    fn frame(&mut self, people: &People, seen: &[(Box, Shape)]) {
        let boxes: Vec<Box> = seen.iter().map(|(place, _)| *place).collect();
        let found = self.judge.frame(&people.boxes, &boxes).into_iter();
        self.outlines.frame(found.map(|(person, at)| Outlined {
            person: people.boxes[person].id,
            id: boxes[at].id,
            still: people.still[person],
            truth: people.shapes[person].clone(),
            seen: seen[at].1.clone(),
        }));
    }

    fn end(self) -> Sum {
        Sum { tracks: self.judge.end(), outlines: self.outlines }
    }
}

/// Sense and, if it is there, the baseline.
type Both = (Sum, Option<Sum>);

/// Prints the tables; what does not hold.
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
    let mut scenes: Vec<(Weather, Crowd, Both)> = vec![];
    for &weather in &weathers {
        for &crowd in &crowds {
            let both = scene(options, weather, crowd, baseline.is_ok())?;
            row(&format!("{weather}, {crowd}"), &both);
            scenes.push((weather, crowd, both));
        }
    }
    let sum = |of: &dyn Fn(Weather, Crowd) -> bool| {
        let mut sum: Both = (Sum::default(), baseline.is_ok().then(Sum::default));
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
    let (own, other) = (all.0.report(), all.1.as_ref().map(Sum::report));
    kinds(&own, other.as_ref());
    Ok(faults(&own, other.as_ref()))
}

fn or_all<T: Copy>(said: &[T], all: &[T]) -> Vec<T> {
    if said.is_empty() { all.to_vec() } else { said.to_vec() }
}

fn scene(options: &Options, weather: Weather, crowd: Crowd, baseline: bool) -> Result<Both, Failure> {
    let mut street = Street::new(StreetConfig { size: SIZE, rate: RATE, seed: SEED, crowd, weather, city: 1 });
    let mut tracker = baseline.then(|| Tracker::start(SIZE, Rate::new(RATE))).transpose()?;
    let mut sense = Sense::default();
    let (mut own, mut other) = (Side::default(), Side::default());
    let mut frame = Frame::default();
    let lead = (options.lead * RATE) as u64;
    let end = lead + ((options.seconds * RATE) as u64).max(1);
    for number in 0..end {
        let truth = street.draw(number, &mut frame);
        if let Some(tracker) = &mut tracker {
            tracker.give(&[&frame.y, &frame.u, &frame.v])?;
        }
        // While the other side works.
        let luma = Luma::new(SIZE[0], SIZE[1], SIZE[0], &frame.y).ok_or("a frame is smaller than its size")?;
        let seen = sense.see(Duration::from_secs_f64(number as f64 / RATE), &luma, frame.shown);
        let judged = (number >= lead).then(|| People::new(truth, number as u32));
        if let Some(people) = &judged {
            own.frame(people, &figures(seen, number as u32));
        }
        if let Some(tracker) = &mut tracker {
            let found = tracker.take(number as u32)?;
            if let Some(people) = &judged {
                other.frame(people, &found);
            }
        }
    }
    Ok((own.end(), tracker.map(|_| other.end())))
}

/// The people of a frame, as boxes with what belongs to each.
struct People {
    boxes: Vec<Box>,
    shapes: Vec<Shape>,
    still: Vec<bool>,
}

impl People {
    fn new(truth: &Truth, frame: u32) -> Self {
        let mut shapes = Shape::of_labels(&truth.labels, SIZE[0]);
        let mut people = Self { boxes: vec![], shapes: vec![], still: vec![] };
        for (at, person) in truth.people.iter().enumerate() {
            let shape = u8::try_from(at + 1).ok().and_then(|label| shapes.remove(&label)).unwrap_or_default();
            let judged = person.visible >= VISIBLE_MIN && person.pixels >= PIXELS_MIN;
            let visibility = if judged { person.visible } else { -1.0 };
            let whole = Box { kind: person.kind.class(), visibility, ..Box::new(frame, person.id, person.full) };
            if !judged && shape.area() > 0 {
                // Who finds the little that is to be seen of someone is not wrong.
                people.push(Box { visibility, ..Box::new(frame, PARTS + person.id, shape.bounds()) }, &shape, false);
            }
            people.push(whole, &shape, person.still);
        }
        people
    }

    fn push(&mut self, place: Box, shape: &Shape, still: bool) {
        self.boxes.push(place);
        self.shapes.push(shape.clone());
        self.still.push(still);
    }
}

/// What sense saw, where it lies in this very frame.
fn figures(seen: &Seen, frame: u32) -> Vec<(Box, Shape)> {
    let [right, down] = seen.shift.map(|pixels| pixels as f32);
    let figures = seen.figures.iter().map(|figure| {
        let [x, y, width, height] = figure.bounds;
        let outline: Vec<_> = figure.outline.iter().map(|[x, y]| [x + right, y + down]).collect();
        let place = Box::new(frame, u32::from(figure.id), [x + right, y + down, width, height]);
        (place, Shape::of_polygon(&outline, SIZE))
    });
    figures.collect()
}

fn row(name: &str, (own, other): &Both) {
    let reports: Vec<Report> = [Some(own), other.as_ref()].into_iter().flatten().map(Sum::report).collect();
    let both = |of: &dyn Fn(&Report) -> String| reports.iter().map(of).collect::<Vec<_>>().join(" / ");
    let some = |value: Option<f64>| value.map_or_else(|| "-".into(), |value| format!("{value:.2}"));
    println!(
        "| {name} | {} | {} | {} | {} | {} | {} | {} |",
        both(&|report| format!("{:.2}", report.mota)),
        both(&|report| format!("{:.2}", report.idf1)),
        both(&|report| format!("{:.2}", report.recall)),
        both(&|report| format!("{:.2}", report.precision)),
        both(&|report| report.switches.to_string()),
        both(&|report| some(report.outline_iou)),
        both(&|report| some(report.jitter.map(|jitter| jitter.beyond()))),
    );
}

fn kinds(own: &Report, other: Option<&Report>) {
    println!("\n| recall of | sense | MOG2 |\n|---|---|---|");
    for kind in Kind::ALL {
        let of = |report: &Report| report.recall_of.get(&kind.class()).map(|recall| format!("{recall:.3}"));
        if let Some(recall) = of(own) {
            println!("| {kind} | {recall} | {} |", other.and_then(of).unwrap_or_else(|| "-".into()));
        }
    }
    println!("\n| of {} boxes | sense | MOG2 |\n|---|---|---|", own.truth);
    for (what, of) in [
        ("missed", (|report| report.misses) as fn(&Report) -> u64),
        ("where nobody is", |report| report.false_positives),
        ("id changed", |report| report.switches),
    ] {
        println!("| {what} | {} | {} |", of(own), other.map_or_else(|| "-".into(), |other| of(other).to_string()));
    }
}

fn faults(own: &Report, other: Option<&Report>) -> Vec<String> {
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
