//! What a picture becomes: runs of triangles, stamps, layers.

use super::*;
use std::sync::{LazyLock, Mutex, PoisonError};

/// Finding the system's fonts takes a while.
static LETTERS: LazyLock<Mutex<Letters>> = LazyLock::new(|| Mutex::new(Letters::new()));

const CANVAS: [f32; 2] = [1920.0, 1080.0];

fn dot(x: f32, pattern: Pattern) -> Item {
    let paint = Paint { fill: Colour([255; 4]), pattern, ..Paint::default() };
    Item::Shape { shape: Shape::Ellipse([5.0, 5.0]), transform: [1.0, 0.0, 0.0, 1.0, x, 50.0], paint }
}

fn clip(rings: &[(u32, u32)], inside: bool) -> Item {
    Item::Clip { rings: rings.iter().map(|(start, count)| Range { start: *start, count: *count }).collect(), inside }
}

const SHADER: Item = Item::Shader { index: 2, params: Range { start: 0, count: 0 }, blend: Blend::Add };

/// A picture with two triangles to clip to.
fn build(items: Vec<Item>) -> Batch {
    let points = vec![[0.0, 0.0], [9.0, 0.0], [0.0, 9.0], [20.0, 0.0], [29.0, 0.0], [20.0, 9.0]];
    let picture = Picture { items, points, ..Picture::default() };
    let mut letters = LETTERS.lock().unwrap_or_else(PoisonError::into_inner);
    let batch = Batch::build(&picture, CANVAS, 1.0, &mut letters);
    // Whatever is drawn, each index is of a corner and in exactly one step.
    assert!(batch.indices.iter().all(|index| (*index as usize) < batch.vertices.len()));
    let mut next = 0;
    for step in &batch.steps {
        if let Step::Stamp { run, .. } | Step::Triangles { run, .. } = step {
            assert_eq!(run.start, next, "{:?}", batch.steps);
            assert!(run.end > run.start, "{:?}", batch.steps);
            next = run.end;
        }
    }
    assert_eq!(next as usize, batch.indices.len());
    batch
}

fn triangles(run: std::ops::Range<u32>, through: Through) -> Step {
    Step::Triangles { run, how: How { through, ..How::default() } }
}

#[test]
fn without_a_clip_there_is_one_run_and_no_stencil() {
    let batch = build(vec![
        Item::Background(Colour([1, 2, 3, 255])),
        dot(10.0, Pattern::Plain),
        Item::Unclip,
        dot(20.0, Pattern::Plain),
        clip(&[(0, 3)], true),
        Item::Unclip,
        dot(30.0, Pattern::Plain),
    ]);
    assert!(!clips(&batch.steps));
    assert_eq!(batch.steps, [Step::Clear(Colour([1, 2, 3, 255])), triangles(0..18, Through::All)]);
}

#[test]
fn what_is_drawn_in_a_clip_is_tested_and_the_rest_is_not() {
    let batch = build(vec![
        dot(10.0, Pattern::Plain),
        clip(&[(0, 3), (3, 3)], true),
        dot(20.0, Pattern::Plain),
        SHADER,
        dot(30.0, Pattern::Plain),
        // A new clip takes the place of the one before.
        clip(&[(3, 3)], false),
        Item::Background(Colour([9; 4])),
        Item::Unclip,
        dot(40.0, Pattern::Plain),
    ]);
    assert!(clips(&batch.steps));
    let shader = Step::Shader { index: 2, params: Vec::new(), blend: Blend::Add, through: Through::Inside(1) };
    assert_eq!(
        batch.steps,
        [
            triangles(0..6, Through::All),
            Step::Stamp { run: 6..12, mark: 1 },
            triangles(12..18, Through::Inside(1)),
            shader,
            triangles(18..24, Through::Inside(1)),
            Step::Stamp { run: 24..27, mark: 2 },
            triangles(27..33, Through::Outside(2)),
            triangles(33..39, Through::All),
        ]
    );
}

#[test]
fn of_nothing_there_is_no_inside() {
    let far = (u32::MAX, u32::MAX);
    for rings in [&[][..], &[(0, 2)], &[far], &[(0, 0), (5, 3)]] {
        let batch = build(vec![
            clip(rings, true),
            dot(10.0, Pattern::Plain),
            SHADER,
            Item::Background(Colour([255; 4])),
            clip(rings, false),
            dot(20.0, Pattern::Plain),
        ]);
        assert_eq!(batch.steps, [triangles(0..6, Through::All)], "{rings:?}");
    }
}

#[test]
fn a_clip_without_an_end_and_a_clear_within_one_harm_nothing() {
    let batch = build(vec![clip(&[(0, 3)], true), Item::Background(Colour([7; 4]))]);
    assert_eq!(batch.steps, [Step::Stamp { run: 0..3, mark: 1 }, triangles(3..9, Through::Inside(1))]);
}

#[test]
fn three_hundred_clips_each_have_a_number_of_their_own() {
    let mut items = Vec::new();
    for i in 0..300 {
        items.extend([clip(&[(0, 3)], i % 2 == 0), dot(10.0, Pattern::Plain)]);
    }
    let batch = build(items);
    // The stencil as it would be after each step: numbers that stand in it.
    let mut standing = vec![0];
    let mut drawn = 0;
    for step in &batch.steps {
        match step {
            Step::Stamp { mark: 0, .. } => standing = vec![0],
            Step::Stamp { mark, .. } => {
                assert!(!standing.contains(mark), "{mark} is used twice");
                standing.push(*mark);
            }
            Step::Triangles { how: How { through: Through::Inside(mark) | Through::Outside(mark), .. }, .. } => {
                assert_eq!(Some(mark), standing.last());
                drawn += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((drawn, standing.len()), (300, 46));
}

#[test]
fn a_pattern_is_of_the_fill_alone() {
    let fill = Colour([255; 4]);
    let paint = Paint { fill, stroke: fill, width: 2.0, pattern: Pattern::Dots, ..Paint::default() };
    let points = Range { start: 0, count: 3 };
    let kinds = |items| -> Vec<u32> {
        let mut kinds: Vec<u32> = build(items).vertices.iter().map(|vertex| vertex.kind).collect();
        kinds.dedup();
        kinds
    };
    assert_eq!(kinds(vec![Item::Polygon { points, paint }]), [TRIANGLES + DOTS, TRIANGLES]);
    assert_eq!(kinds(vec![Item::Line { points, closed: true, paint }]), [TRIANGLES]);
    let adds = Paint { blend: Blend::Add, pattern: Pattern::Lines, ..paint };
    assert_eq!(kinds(vec![Item::Polygon { points, paint: adds }]), [TRIANGLES + LINES + ADDS, TRIANGLES + ADDS]);
    // Runs in which nothing has a pattern are drawn as if there were none.
    let batch = build(vec![dot(1.0, Pattern::Plain), dot(2.0, Pattern::Lines), SHADER, dot(3.0, Pattern::Plain)]);
    let patterned: Vec<bool> = batch
        .steps
        .iter()
        .filter_map(|step| if let Step::Triangles { how, .. } = step { Some(how.rich) } else { None })
        .collect();
    assert_eq!(patterned, [true, false]);
    // What covers and what adds light is drawn in one; other ways to meet what is below, and images, each have a run.
    let meets = |blend| {
        let Item::Shape { shape, transform, paint } = dot(1.0, Pattern::Plain) else { unreachable!("it is a dot") };
        Item::Shape { shape, transform, paint: Paint { blend, ..paint } }
    };
    let image = |index| Item::Image {
        index,
        part: [0.0, 0.0, 1.0, 1.0],
        size: [9.0, 9.0],
        transform: IDENTITY,
        paint: Paint { fill, ..Paint::default() },
    };
    let (over, add, ink) = (meets(Blend::Over), meets(Blend::Add), meets(Blend::Multiply));
    let batch = build(vec![over.clone(), add, ink.clone(), ink, image(3), over, image(3), image(4), image(4)]);
    let runs: Vec<(Blend, Option<u16>, u32)> = batch
        .steps
        .iter()
        .map(|step| match step {
            Step::Triangles { run, how } => (how.blend, how.image, (run.end - run.start) / 6),
            other => panic!("{other:?}"),
        })
        .collect();
    let (over, ink) = (Blend::Over, Blend::Multiply);
    assert_eq!(runs, [(over, None, 2), (ink, None, 2), (over, Some(3), 3), (over, Some(4), 2)]);
    let unseen = Paint { fill: Colour::CLEAR, ..paint };
    let shape = Item::Shape { shape: Shape::Ellipse([5.0; 2]), transform: IDENTITY, paint: unseen };
    assert_eq!(kinds(vec![shape]), [SHAPE]);
}
