//! Annotations over a camera frame, for any painter: outlines, ids, reaches, motion, and the site's settings.

use super::{AnalyzedFrame, CameraSetup};
use crate::geometry::{CameraPoint, CameraSize, CameraVector};
use crate::presence::MOTION_GRID;
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
        points: Vec<CameraPoint>,
        closed: bool,
        wide: bool,
        colour: Rgb,
    },
    Dot {
        at: CameraPoint,
        radius: f32,
        colour: Rgb,
    },
    /// `at` is the middle of the text's lower edge.
    Text {
        at: CameraPoint,
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
    let size = CameraSize::from(look.size.map(|side| side as f32));
    let shift = CameraVector::from(look.vision.shift.map(|pixels| pixels as f32));
    annotate_motion(look, size, &mut marks);
    for polygon in &setup.mask {
        let points = polygon.iter().map(|[x, y]| CameraPoint::new(x * size.width, y * size.height)).collect();
        marks.push(Annotation::Line { points, closed: true, wide: false, colour: RED });
    }
    if let Some(corners) = setup.corners {
        let points = corners.map(|at| CameraPoint::new(at.x * size.width, at.y * size.height) + shift);
        // The dot marks the canvas's top left corner, which reveals a mirrored or upside-down frame.
        marks.push(Annotation::Dot { at: points[0], radius: 5.0, colour: WHITE });
        marks.push(Annotation::Line { points: points.to_vec(), closed: true, wide: false, colour: WHITE });
    }
    for figure in &look.vision.people {
        annotate_body(figure, shift, &mut marks);
    }
    marks.retain(Annotation::is_finite);
    marks
}

fn annotate_body(figure: &TrackedPerson, shift: CameraVector, marks: &mut Vec<Annotation>) {
    let colour = id_colour(figure.id);
    let bounds = figure.bounds.translate(shift);
    let (min, max) = (bounds.min(), bounds.max());
    let hidden = figure.outline.is_empty();
    let points = if hidden {
        // A hidden person is drawn at the predicted position.
        vec![min, CameraPoint::new(max.x, min.y), max, CameraPoint::new(min.x, max.y)]
    } else {
        figure.outline.iter().map(|point| *point + shift).collect()
    };
    marks.push(Annotation::Line { points, closed: true, wide: !hidden, colour });
    marks.push(Annotation::Dot { at: figure.foot + shift, radius: 2.0, colour });
    if let Some(reach) = figure.reach {
        marks.push(Annotation::Dot { at: reach + shift, radius: 4.0, colour: WHITE });
        marks.push(Annotation::Dot { at: reach + shift, radius: 2.5, colour });
    }
    let mut text = figure.id.to_string();
    if figure.people > 1 {
        text.push_str(&format!(" ×{}", figure.people));
    }
    if figure.still >= 1.0 {
        text.push_str(&format!(" {:.0}s", figure.still));
    }
    let at = CameraPoint::new(bounds.center().x, min.y - 3.0);
    marks.push(Annotation::Text { at, text, colour });
}

/// Adds an arrow for each cell with motion.
fn annotate_motion(look: &AnalyzedFrame, size: CameraSize, marks: &mut Vec<Annotation>) {
    let cell = [size.width / MOTION_GRID[0] as f32, size.height / MOTION_GRID[1] as f32];
    for (index, moved) in look.vision.motion.cells.iter().enumerate() {
        let speed = moved.length();
        if !(speed > ARROW_SPEED_MIN && speed.is_finite()) {
            continue;
        }
        let from = [(index % MOTION_GRID[0]) as f32 + 0.5, (index / MOTION_GRID[0]) as f32 + 0.5];
        let from = CameraPoint::new(from[0] * cell[0], from[1] * cell[1]);
        // Longer arrows than two cells would fill the frame.
        let long = (speed * ARROW_SECONDS).min(2.0 * cell[0]) / speed;
        let to = from + *moved * long;
        marks.push(Annotation::Line { points: vec![from, to], closed: false, wide: false, colour: YELLOW });
        marks.push(Annotation::Dot { at: to, radius: 1.5, colour: YELLOW });
    }
}

impl Annotation {
    fn is_finite(&self) -> bool {
        let is = |point: &CameraPoint| point.is_finite();
        match self {
            Self::Line { points, .. } => points.len() > 1 && points.iter().all(is),
            Self::Dot { at, .. } | Self::Text { at, .. } => is(at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{CameraRect, FractionPoint};
    use crate::vision::VisionOutput;
    use std::time::Duration;

    fn look(seen: &VisionOutput) -> AnalyzedFrame<'_> {
        AnalyzedFrame { number: 1, at: Duration::ZERO, y: &[0; 64 * 48], size: [64, 48], vision: seen, ms: 1.0 }
    }

    #[test]
    fn a_body_is_drawn_where_it_is_in_this_very_frame() {
        let outline = [[10.0, 10.0], [20.0, 10.0], [15.0, 30.0]].map(CameraPoint::from).to_vec();
        let figure = TrackedPerson {
            id: 12,
            people: 3,
            still: 4.2,
            bounds: CameraRect::new(CameraPoint::new(10.0, 10.0), CameraSize::new(10.0, 20.0)),
            outline,
            ..TrackedPerson::default()
        };
        let seen = VisionOutput { people: vec![figure], shift: [2, -1], ..VisionOutput::default() };
        let marks = annotate(&look(&seen), &CameraSetup::default());
        let line = marks.iter().find_map(|mark| match mark {
            Annotation::Line { points, closed: true, wide: true, .. } => Some(points.clone()),
            _ => None,
        });
        assert_eq!(line, Some([[12.0, 9.0], [22.0, 9.0], [17.0, 29.0]].map(CameraPoint::from).to_vec()));
        let text = marks.iter().find_map(|mark| match mark {
            Annotation::Text { text, .. } => Some(text.as_str()),
            _ => None,
        });
        assert_eq!(text, Some("12 ×3 4s"));
    }

    #[test]
    fn a_site_is_drawn_and_what_is_nowhere_is_not() {
        let setup = CameraSetup {
            corners: Some([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]].map(FractionPoint::from)),
            mask: vec![vec![[0.5, 0.5], [1.0, 0.5], [1.0, 1.0]]],
        };
        let mut seen = VisionOutput::default();
        let drawn = annotate(&look(&seen), &setup);
        assert!(drawn.contains(&Annotation::Line {
            points: [[32.0, 24.0], [64.0, 24.0], [64.0, 48.0]].map(CameraPoint::from).to_vec(),
            closed: true,
            wide: false,
            colour: RED
        }));
        assert_eq!(drawn.len(), 3);
        seen.people.push(TrackedPerson {
            bounds: CameraRect::new(CameraPoint::splat(f32::NAN), CameraSize::splat(f32::NAN)),
            foot: CameraPoint::new(f32::INFINITY, 0.0),
            ..TrackedPerson::default()
        });
        seen.motion.cells[5] = CameraVector::new(f32::NAN, 3.0);
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
