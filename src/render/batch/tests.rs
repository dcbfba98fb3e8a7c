//! Tests of draw batches: runs of triangles, stamps, layers.

use super::*;
use std::sync::{LazyLock, Mutex, PoisonError};

/// Shared by all tests, since finding the system's fonts takes a while.
static LETTERS: LazyLock<Mutex<TextShaper>> = LazyLock::new(|| Mutex::new(TextShaper::new()));

const CANVAS: [f32; 2] = [1920.0, 1080.0];

fn dot(x: f32, pattern: FillPattern) -> DrawItem {
    let paint = Paint { fill: Colour([255; 4]), pattern, ..Paint::default() };
    DrawItem::Shape { shape: BasicShape::Ellipse([5.0, 5.0]), transform: [1.0, 0.0, 0.0, 1.0, x, 50.0], paint }
}

fn clip(rings: &[(u32, u32)], inside: bool) -> DrawItem {
    DrawItem::Clip {
        rings: rings.iter().map(|(start, count)| IndexRange { start: *start, count: *count }).collect(),
        inside,
    }
}

const SHADER: DrawItem =
    DrawItem::Shader { index: 2, params: IndexRange { start: 0, count: 0 }, blend: BlendMode::Add };

/// Display list with two triangles to clip to.
fn build(items: Vec<DrawItem>) -> DrawBatch {
    let points = vec![[0.0, 0.0], [9.0, 0.0], [0.0, 9.0], [20.0, 0.0], [29.0, 0.0], [20.0, 9.0]];
    let picture = DisplayList { items, points, ..DisplayList::default() };
    let mut letters = LETTERS.lock().unwrap_or_else(PoisonError::into_inner);
    let batch = DrawBatch::build(&picture, CANVAS, 1.0, &mut letters);
    // Each index refers to a vertex and belongs to exactly one command.
    assert!(batch.indices.iter().all(|index| (*index as usize) < batch.vertices.len()));
    let mut next = 0;
    for step in &batch.commands {
        if let DrawCommand::StencilWrite { run, .. } | DrawCommand::Triangles { run, .. } = step {
            assert_eq!(run.start, next, "{:?}", batch.commands);
            assert!(run.end > run.start, "{:?}", batch.commands);
            next = run.end;
        }
    }
    assert_eq!(next as usize, batch.indices.len());
    batch
}

fn triangles(run: std::ops::Range<u32>, through: ClipState) -> DrawCommand {
    DrawCommand::Triangles { run, how: DrawState { clip: through, ..DrawState::default() } }
}

#[test]
fn without_a_clip_there_is_one_run_and_no_stencil() {
    let batch = build(vec![
        DrawItem::Background(Colour([1, 2, 3, 255])),
        dot(10.0, FillPattern::Plain),
        DrawItem::Unclip,
        dot(20.0, FillPattern::Plain),
        clip(&[(0, 3)], true),
        DrawItem::Unclip,
        dot(30.0, FillPattern::Plain),
    ]);
    assert!(!needs_stencil(&batch.commands));
    assert_eq!(batch.commands, [DrawCommand::Clear(Colour([1, 2, 3, 255])), triangles(0..18, ClipState::All)]);
}

#[test]
fn what_is_drawn_in_a_clip_is_tested_and_the_rest_is_not() {
    let batch = build(vec![
        dot(10.0, FillPattern::Plain),
        clip(&[(0, 3), (3, 3)], true),
        dot(20.0, FillPattern::Plain),
        SHADER,
        dot(30.0, FillPattern::Plain),
        // A new clip replaces the previous one.
        clip(&[(3, 3)], false),
        DrawItem::Background(Colour([9; 4])),
        DrawItem::Unclip,
        dot(40.0, FillPattern::Plain),
    ]);
    assert!(needs_stencil(&batch.commands));
    let shader =
        DrawCommand::Shader { index: 2, params: Vec::new(), blend: BlendMode::Add, through: ClipState::Inside(1) };
    assert_eq!(
        batch.commands,
        [
            triangles(0..6, ClipState::All),
            DrawCommand::StencilWrite { run: 6..12, mark: 1 },
            triangles(12..18, ClipState::Inside(1)),
            shader,
            triangles(18..24, ClipState::Inside(1)),
            DrawCommand::StencilWrite { run: 24..27, mark: 2 },
            triangles(27..33, ClipState::Outside(2)),
            triangles(33..39, ClipState::All),
        ]
    );
}

#[test]
fn of_nothing_there_is_no_inside() {
    let far = (u32::MAX, u32::MAX);
    for rings in [&[][..], &[(0, 2)], &[far], &[(0, 0), (5, 3)]] {
        let batch = build(vec![
            clip(rings, true),
            dot(10.0, FillPattern::Plain),
            SHADER,
            DrawItem::Background(Colour([255; 4])),
            clip(rings, false),
            dot(20.0, FillPattern::Plain),
        ]);
        assert_eq!(batch.commands, [triangles(0..6, ClipState::All)], "{rings:?}");
    }
}

#[test]
fn a_clip_without_an_end_and_a_clear_within_one_harm_nothing() {
    let batch = build(vec![clip(&[(0, 3)], true), DrawItem::Background(Colour([7; 4]))]);
    assert_eq!(
        batch.commands,
        [DrawCommand::StencilWrite { run: 0..3, mark: 1 }, triangles(3..9, ClipState::Inside(1))]
    );
}

#[test]
fn three_hundred_clips_each_have_a_number_of_their_own() {
    let mut items = Vec::new();
    for i in 0..300 {
        items.extend([clip(&[(0, 3)], i % 2 == 0), dot(10.0, FillPattern::Plain)]);
    }
    let batch = build(items);
    // Simulates the numbers in the stencil after each command.
    let mut standing = vec![0];
    let mut drawn = 0;
    for step in &batch.commands {
        match step {
            DrawCommand::StencilWrite { mark: 0, .. } => standing = vec![0],
            DrawCommand::StencilWrite { mark, .. } => {
                assert!(!standing.contains(mark), "{mark} is used twice");
                standing.push(*mark);
            }
            DrawCommand::Triangles {
                how: DrawState { clip: ClipState::Inside(mark) | ClipState::Outside(mark), .. },
                ..
            } => {
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
    let paint = Paint { fill, stroke: fill, width: 2.0, pattern: FillPattern::Dots, ..Paint::default() };
    let points = IndexRange { start: 0, count: 3 };
    let kinds = |items| -> Vec<u32> {
        let mut kinds: Vec<u32> = build(items).vertices.iter().map(|vertex| vertex.kind).collect();
        kinds.dedup();
        kinds
    };
    assert_eq!(kinds(vec![DrawItem::Polygon { points, paint }]), [TRIANGLES + DOTS, TRIANGLES]);
    assert_eq!(kinds(vec![DrawItem::Line { points, closed: true, paint }]), [TRIANGLES]);
    let adds = Paint { blend: BlendMode::Add, pattern: FillPattern::Lines, ..paint };
    assert_eq!(kinds(vec![DrawItem::Polygon { points, paint: adds }]), [TRIANGLES + LINES + ADDS, TRIANGLES + ADDS]);
    // Runs without patterns use the plain pipeline.
    let batch =
        build(vec![dot(1.0, FillPattern::Plain), dot(2.0, FillPattern::Lines), SHADER, dot(3.0, FillPattern::Plain)]);
    let patterned: Vec<bool> = batch
        .commands
        .iter()
        .filter_map(|step| if let DrawCommand::Triangles { how, .. } = step { Some(how.patterned) } else { None })
        .collect();
    assert_eq!(patterned, [true, false]);
    // `Over` and `Add` share a run; other blend modes, and images, each have their own.
    let meets = |blend| {
        let DrawItem::Shape { shape, transform, paint } = dot(1.0, FillPattern::Plain) else {
            unreachable!("it is a dot")
        };
        DrawItem::Shape { shape, transform, paint: Paint { blend, ..paint } }
    };
    let image = |index| DrawItem::Image {
        index,
        part: [0.0, 0.0, 1.0, 1.0],
        size: [9.0, 9.0],
        transform: IDENTITY,
        paint: Paint { fill, ..Paint::default() },
    };
    let (over, add, ink) = (meets(BlendMode::Over), meets(BlendMode::Add), meets(BlendMode::Multiply));
    let batch = build(vec![over.clone(), add, ink.clone(), ink, image(3), over, image(3), image(4), image(4)]);
    let runs: Vec<(BlendMode, Option<u16>, u32)> = batch
        .commands
        .iter()
        .map(|step| match step {
            DrawCommand::Triangles { run, how } => (how.blend, how.image, (run.end - run.start) / 6),
            other => panic!("{other:?}"),
        })
        .collect();
    let (over, ink) = (BlendMode::Over, BlendMode::Multiply);
    assert_eq!(runs, [(over, None, 2), (ink, None, 2), (over, Some(3), 3), (over, Some(4), 2)]);
    let unseen = Paint { fill: Colour::CLEAR, ..paint };
    let shape = DrawItem::Shape { shape: BasicShape::Ellipse([5.0; 2]), transform: IDENTITY, paint: unseen };
    assert_eq!(kinds(vec![shape]), [SHAPE]);
}
