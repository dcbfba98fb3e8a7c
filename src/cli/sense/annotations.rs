//! Annotations over a camera frame, for any painter: outlines, ids, reaches, motion, and the site's settings.

use super::{AnalyzedFrame, CameraSetup};
use crate::presence::{MOTION_GRID, Point};
use crate::vision::TrackedPerson;

/// Red, green, blue.
pub(super) type Rgb = [u8; 3];

const WHITE: Rgb = [255; 3];
const RED: Rgb = [255, 70, 60];
const YELLOW: Rgb = [255, 210, 60];
/// Time of motion that an arrow shows, in seconds.
const ARROW_SECONDS: f32 = 0.25;
/// Lowest speed that is shown by an arrow, in pixels per second.
const ARROW_SPEED_MIN: f32 = 2.0;

/// Shape to draw. Positions are in pixels of the frame, from its top left corner.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Annotation {
    Line {
        points: Vec<Point>,
        closed: bool,
        wide: bool,
        colour: Rgb,
    },
    Dot {
        at: Point,
        radius: f32,
        colour: Rgb,
    },
    /// `at` is the middle of the text's lower edge.
    Text {
        at: Point,
        text: String,
        colour: Rgb,
    },
}

/// Returns the colour of an id; consecutive ids have very different colours.
pub(super) fn id_colour(id: u16) -> Rgb {
    let hue = (f32::from(id) * 0.618_034).fract() * 6.0;
    let part = |shift: f32| {
        let turned = (hue + shift) % 6.0;
        ((turned - 3.0).abs() - 1.0).clamp(0.3, 1.0)
    };
    [part(0.0), part(4.0), part(2.0)].map(|part| (part * 255.0) as u8)
}

/// Returns all annotations of a frame.
pub(super) fn annotate(look: &AnalyzedFrame, setup: &CameraSetup) -> Vec<Annotation> {
    let mut marks = Vec::new();
    let size = look.size.map(|side| side as f32);
    let shift = look.vision.shift.map(|pixels| pixels as f32);
    let moved = |[x, y]: Point| [x + shift[0], y + shift[1]];
    annotate_motion(look, size, &mut marks);
    for polygon in &setup.mask {
        let points = polygon.iter().map(|[x, y]| [x * size[0], y * size[1]]).collect();
        marks.push(Annotation::Line { points, closed: true, wide: false, colour: RED });
    }
    if let Some(corners) = setup.corners {
        let points = corners.map(|[x, y]| moved([x * size[0], y * size[1]]));
        // The dot marks the canvas's top left corner, which reveals a mirrored or upside-down frame.
        marks.push(Annotation::Dot { at: points[0], radius: 5.0, colour: WHITE });
        marks.push(Annotation::Line { points: points.to_vec(), closed: true, wide: false, colour: WHITE });
    }
    for figure in &look.vision.people {
        annotate_body(figure, &moved, &mut marks);
    }
    marks.retain(Annotation::is_finite);
    marks
}

fn annotate_body(figure: &TrackedPerson, moved: &dyn Fn(Point) -> Point, marks: &mut Vec<Annotation>) {
    let colour = id_colour(figure.id);
    let [x, y, width, height] = figure.bounds;
    let hidden = figure.outline.is_empty();
    let points = if hidden {
        // A hidden person is drawn at the predicted position.
        [[x, y], [x + width, y], [x + width, y + height], [x, y + height]].map(moved).to_vec()
    } else {
        figure.outline.iter().map(|point| moved(*point)).collect()
    };
    marks.push(Annotation::Line { points, closed: true, wide: !hidden, colour });
    marks.push(Annotation::Dot { at: moved(figure.foot), radius: 2.0, colour });
    if let Some(reach) = figure.reach {
        marks.push(Annotation::Dot { at: moved(reach), radius: 4.0, colour: WHITE });
        marks.push(Annotation::Dot { at: moved(reach), radius: 2.5, colour });
    }
    let mut text = figure.id.to_string();
    if figure.people > 1 {
        text.push_str(&format!(" ×{}", figure.people));
    }
    if figure.still >= 1.0 {
        text.push_str(&format!(" {:.0}s", figure.still));
    }
    let [x, y] = moved([x + width / 2.0, y - 3.0]);
    marks.push(Annotation::Text { at: [x, y], text, colour });
}

/// Adds an arrow for each cell with motion.
fn annotate_motion(look: &AnalyzedFrame, size: Point, marks: &mut Vec<Annotation>) {
    let cell = [size[0] / MOTION_GRID[0] as f32, size[1] / MOTION_GRID[1] as f32];
    for (index, [dx, dy]) in look.vision.motion.cells.iter().enumerate() {
        let speed = dx.hypot(*dy);
        if !(speed > ARROW_SPEED_MIN && speed.is_finite()) {
            continue;
        }
        let from = [(index % MOTION_GRID[0]) as f32 + 0.5, (index / MOTION_GRID[0]) as f32 + 0.5];
        let from = [from[0] * cell[0], from[1] * cell[1]];
        // Longer arrows than two cells would fill the frame.
        let long = (speed * ARROW_SECONDS).min(2.0 * cell[0]) / speed;
        let to = [from[0] + dx * long, from[1] + dy * long];
        marks.push(Annotation::Line { points: vec![from, to], closed: false, wide: false, colour: YELLOW });
        marks.push(Annotation::Dot { at: to, radius: 1.5, colour: YELLOW });
    }
}

impl Annotation {
    fn is_finite(&self) -> bool {
        let is = |point: &Point| point.iter().all(|axis| axis.is_finite());
        match self {
            Self::Line { points, .. } => points.len() > 1 && points.iter().all(is),
            Self::Dot { at, .. } | Self::Text { at, .. } => is(at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vision::VisionOutput;
    use std::time::Duration;

    fn look(seen: &VisionOutput) -> AnalyzedFrame<'_> {
        AnalyzedFrame { number: 1, at: Duration::ZERO, y: &[0; 64 * 48], size: [64, 48], vision: seen, ms: 1.0 }
    }

    #[test]
    fn a_body_is_drawn_where_it_is_in_this_very_frame() {
        let outline = vec![[10.0, 10.0], [20.0, 10.0], [15.0, 30.0]];
        let figure = TrackedPerson {
            id: 12,
            people: 3,
            still: 4.2,
            bounds: [10.0, 10.0, 10.0, 20.0],
            outline,
            ..TrackedPerson::default()
        };
        let seen = VisionOutput { people: vec![figure], shift: [2, -1], ..VisionOutput::default() };
        let marks = annotate(&look(&seen), &CameraSetup::default());
        let line = marks.iter().find_map(|mark| match mark {
            Annotation::Line { points, closed: true, wide: true, .. } => Some(points.clone()),
            _ => None,
        });
        assert_eq!(line, Some(vec![[12.0, 9.0], [22.0, 9.0], [17.0, 29.0]]));
        let text = marks.iter().find_map(|mark| match mark {
            Annotation::Text { text, .. } => Some(text.as_str()),
            _ => None,
        });
        assert_eq!(text, Some("12 ×3 4s"));
    }

    #[test]
    fn a_site_is_drawn_and_what_is_nowhere_is_not() {
        let setup = CameraSetup {
            corners: Some([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]),
            mask: vec![vec![[0.5, 0.5], [1.0, 0.5], [1.0, 1.0]]],
        };
        let mut seen = VisionOutput::default();
        let drawn = annotate(&look(&seen), &setup);
        assert!(drawn.contains(&Annotation::Line {
            points: vec![[32.0, 24.0], [64.0, 24.0], [64.0, 48.0]],
            closed: true,
            wide: false,
            colour: RED
        }));
        assert_eq!(drawn.len(), 3);
        seen.people.push(TrackedPerson {
            bounds: [f32::NAN; 4],
            foot: [f32::INFINITY, 0.0],
            ..TrackedPerson::default()
        });
        seen.motion.cells[5] = [f32::NAN, 3.0];
        assert_eq!(annotate(&look(&seen), &setup).len(), 3);
    }

    #[test]
    fn colours_of_neighbours_differ() {
        for id in 0..1_000 {
            let [a, b] = [id_colour(id), id_colour(id + 1)];
            let apart: u32 = a.iter().zip(b).map(|(a, b)| u32::from(a.abs_diff(b))).sum();
            assert!(apart > 150, "{id}: {a:?} {b:?}");
        }
    }
}
