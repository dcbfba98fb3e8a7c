//! Bodies as a scene is told of them: whole tenths, flat, since forty of 48 points each are told sixty times a second.

use crate::presence::{BODIES_MAX, Body, OUTLINE_MAX, Point};
use serde::Serialize;

/// A body as a scene sees it. Lengths are tenths of a canvas unit.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct BodySeen {
    /// Unique at its site while it is followed.
    pub id: u16,
    /// How many people it may be.
    pub people: u8,
    /// How long it has stood still, in tenths of a second.
    pub still: u16,
    /// When it was first seen, on the shared clock, in seconds.
    pub began: f64,
    /// Foot, head and velocity (a second), x and y of each.
    pub at: [i32; 6],
    /// An arm held out.
    pub reach: Option<[i32; 2]>,
    /// Its outline, `x, y, x, y, …`.
    pub outline: Vec<i32>,
}

impl BodySeen {
    /// A body that was first seen at `began`. What is no number is 0.
    pub fn of(body: &Body, began: f64) -> Self {
        let [foot, head, velocity] = [body.foot, body.head, body.velocity].map(|point| point.map(tenths));
        Self {
            id: body.id,
            people: body.people.max(1),
            still: (body.still * 10.0) as u16,
            began: (began * 1e3).round() / 1e3,
            at: [foot[0], foot[1], head[0], head[1], velocity[0], velocity[1]],
            reach: body.reach.map(|point| point.map(tenths)),
            outline: body.outline.iter().take(OUTLINE_MAX).flatten().map(|axis| tenths(*axis)).collect(),
        }
    }
}

/// Far from every canvas, and short when written.
const FAR: f32 = 1e5;

fn tenths(value: f32) -> i32 {
    (value.clamp(-FAR, FAR) * 10.0).round() as i32
}

/// The bodies of one city, from look to look.
#[derive(Debug, Default)]
pub struct Crowd {
    bodies: Vec<BodySeen>,
}

impl Crowd {
    /// These are there at `at`, on the shared clock, in seconds; who was there before is as old as it is.
    pub fn take(&mut self, at: f64, bodies: &[Body]) {
        let known = std::mem::take(&mut self.bodies);
        self.bodies.reserve(bodies.len().min(BODIES_MAX));
        for body in bodies.iter().take(BODIES_MAX) {
            // A camera gives each id once; who does not is not believed twice.
            if self.bodies.iter().all(|seen| seen.id != body.id) {
                let began = known.iter().find(|seen| seen.id == body.id).map_or(at, |seen| seen.began);
                self.bodies.push(BodySeen::of(body, began));
            }
        }
    }

    /// All of them.
    pub fn bodies(&self) -> &[BodySeen] {
        &self.bodies
    }
}

/// How much moves where only outlines are known, 0 to 1: the part of the canvas that bodies cover who walk. `canvas` in
/// its units.
pub fn stir(bodies: &[Body], canvas: Point) -> f32 {
    // A twentieth of the canvas in a second is a stroll.
    let stroll = canvas[0] / 20.0;
    let walks = |body: &Body| (body.velocity[0].hypot(body.velocity[1]) / stroll).min(1.0);
    let covered: f32 = bodies.iter().take(BODIES_MAX).map(|body| area(&body.outline) * walks(body)).sum();
    let stir = covered / (canvas[0] * canvas[1]);
    if stir.is_finite() { (stir.clamp(0.0, 1.0) * 1e3).round() / 1e3 } else { 0.0 }
}

fn area(outline: &[Point]) -> f32 {
    let next = outline.iter().cycle().skip(1);
    let doubled: f32 = outline.iter().zip(next).map(|(a, b)| a[0] * b[1] - b[0] * a[1]).sum();
    doubled.abs() / 2.0
}

/// A field of motion, in canvas units a second, as a scene is told of it: whole units, row by row, x and y of each cell.
/// None where nothing moves or the field has another size.
pub fn flow(cells: &[Point]) -> Option<Vec<i32>> {
    let [across, down] = FLOW;
    let whole: Vec<i32> = cells.iter().flatten().map(|axis| axis.clamp(-FAR, FAR).round() as i32).collect();
    (cells.len() == across * down && whole.iter().any(|axis| *axis != 0)).then_some(whole)
}

/// Cells of a field of motion across and down the canvas; `prelude.js` has it so.
pub const FLOW: [usize; 2] = [32, 18];

#[cfg(test)]
mod tests {
    use super::*;

    fn body(id: u16, x: f32) -> Body {
        let outline = vec![[x, 0.0], [x + 100.0, 0.0], [x + 100.0, 100.0], [x, 100.0]];
        Body { id, people: 1, foot: [x, 100.04], still: 1.25, outline, velocity: [96.0, 0.0], ..Body::default() }
    }

    #[test]
    fn a_body_is_as_old_as_it_is_known() {
        let mut crowd = Crowd::default();
        crowd.take(1.0, &[body(7, 0.0)]);
        crowd.take(2.0, &[body(7, 1.0), body(8, 2.0), body(8, 3.0)]);
        let seen: Vec<_> = crowd.bodies().iter().map(|body| (body.id, body.began, body.at[0])).collect();
        assert_eq!(seen, [(7, 1.0, 10), (8, 2.0, 20)]);
        crowd.take(3.0, &[]);
        crowd.take(4.0, &[body(7, 0.0)]);
        assert_eq!(crowd.bodies()[0].began, 4.0);
    }

    #[test]
    fn what_is_told_is_bounded_and_made_of_numbers() {
        let mut liar = body(1, f32::NAN);
        liar.reach = Some([f32::INFINITY, -1e30]);
        liar.outline = vec![[5.0, 6.04]; 1_000];
        liar.still = f32::NAN;
        let seen = BodySeen::of(&liar, 1.23456);
        assert_eq!((seen.at[0], seen.at[1], seen.still, seen.began), (0, 1_000, 0, 1.235));
        assert_eq!(seen.reach, Some([1_000_000, -1_000_000]));
        assert_eq!((seen.outline.len(), &seen.outline[..2]), (2 * OUTLINE_MAX, &[50, 60][..]));
        let mut crowd = Crowd::default();
        let many: Vec<Body> = (0..1_000).map(|id| body(id, 0.0)).collect();
        crowd.take(0.0, &many);
        assert_eq!(crowd.bodies().len(), BODIES_MAX);
    }

    #[test]
    fn forty_bodies_are_told_in_few_bytes() {
        let round = |i: usize| (i as f32 / 48.0 * std::f32::consts::TAU).sin_cos();
        let bodies: Vec<Body> = (0..40)
            .map(|id| Body {
                outline: (0..48).map(|i| [1_500.0 + 99.0 * round(i).0, 700.0 + 299.0 * round(i).1]).collect(),
                ..body(id, 1_500.0)
            })
            .collect();
        let mut crowd = Crowd::default();
        crowd.take(123_456.789_123, &bodies);
        let json = serde_json::to_string(crowd.bodies()).expect("it is plain");
        assert!(json.len() < 28_000, "{} bytes", json.len());
    }

    #[test]
    fn who_stands_does_not_stir_and_who_walks_does() {
        let canvas = [1_000.0, 500.0];
        let standing = Body { velocity: [0.0; 2], ..body(1, 0.0) };
        assert_eq!(stir(&[standing], canvas), 0.0);
        assert_eq!(stir(&[body(1, 0.0), body(2, 300.0)], canvas), 0.04);
        assert_eq!(stir(&[body(1, f32::NAN)], canvas), 0.0);
    }

    #[test]
    fn a_field_that_is_none_is_not_told() {
        assert_eq!(flow(&[[1.0, 0.0]; 5]), None);
        assert_eq!(flow(&[[0.2, f32::NAN]; 576]), None);
        assert_eq!(flow(&[[3.7, -2.0]; 576]).map(|cells| cells[574..].to_vec()), Some([4, -2, 4, -2][..2].to_vec()));
    }
}
