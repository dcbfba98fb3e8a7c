//! Bodies as a scene sees them: outlines packed into strings.
//!
//! Forty outlines of 48 points each are sent sixty times a second, and the script engine takes ten times longer to
//! parse a number than a character.

use moongate_core::presence::{BODIES_MAX, Body, MOTION_GRID, OUTLINE_MAX, Point};
use serde::Serialize;

/// A body as a scene sees it. Lengths are in tenths of a canvas unit.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct BodyState {
    /// Identifier, unique at its site while the body is tracked.
    pub id: u16,
    /// Estimated number of people.
    pub people: u8,
    /// Time standing still, in tenths of a second.
    pub still: u16,
    /// Time of the first detection on the shared clock, in seconds.
    pub began: f64,
    /// Foot, head and velocity (per second), x and y of each.
    pub at: [i32; 6],
    /// Position of an arm held out.
    pub reach: Option<[i32; 2]>,
    /// Packed outline.
    pub outline: String,
    /// Fade-out progress, in hundredths.
    #[serde(skip_serializing_if = "is_none_of_it")]
    pub faded: u8,
}

fn is_none_of_it(faded: &u8) -> bool {
    *faded == 0
}

impl BodyState {
    /// Creates the state of a body first detected at `began`. NaN becomes 0.
    pub fn from_body(body: &Body, began: f64) -> Self {
        let [foot, head, velocity] = [body.foot, body.head, body.velocity].map(|point| point.map(tenths));
        Self {
            id: body.id,
            people: body.people.max(1),
            still: (body.still * 10.0) as u16,
            began: (began * 1e3).round() / 1e3,
            at: [foot[0], foot[1], head[0], head[1], velocity[0], velocity[1]],
            reach: body.reach.map(|point| point.map(tenths)),
            outline: pack_numbers(
                body.outline.iter().take(OUTLINE_MAX).flatten().map(|axis| axis * 10.0),
                OUTLINE_CHARS,
            ),
            faded: (body.faded.clamp(0.0, 1.0) * 100.0) as u8,
        }
    }
}

/// Characters per coordinate (tenths of a unit, up to 52,428 units either way) and per speed (up to 16,383 units a
/// second).
const OUTLINE_CHARS: usize = 4;
const FLOW_CHARS: usize = 3;
/// Bits per character: the 32 characters from `0` on need no escape in JSON.
const BITS_PER_CHAR: usize = 5;

/// Returns the largest number in this count of characters; the smallest is its negative.
fn max_value(letters: usize) -> i32 {
    (1 << (BITS_PER_CHAR * letters - 1)) - 1
}

fn tenths(value: f32) -> i32 {
    let most = max_value(OUTLINE_CHARS) as f32;
    (value * 10.0).round().clamp(-most, most) as i32
}

/// Packs numbers into `letters` characters each. NaN becomes 0.
fn pack_numbers(numbers: impl Iterator<Item = f32>, letters: usize) -> String {
    let most = max_value(letters);
    let mut text = String::with_capacity(numbers.size_hint().0 * letters);
    for number in numbers {
        let bits = (number.round() as i32).clamp(-most, most) + most;
        text.extend((0..letters).rev().map(|i| char::from(b'0' + ((bits >> (BITS_PER_CHAR * i)) & 31) as u8)));
    }
    text
}

/// Unpacks the numbers of a string. They stay within the limits for any input.
fn unpack_numbers(text: &str, letters: usize) -> impl Iterator<Item = i32> {
    let most = max_value(letters);
    text.as_bytes().chunks_exact(letters).map(move |letters| {
        letters.iter().fold(0, |bits, letter| (bits << BITS_PER_CHAR) | i32::from(letter.wrapping_sub(b'0') & 31))
            - most
    })
}

/// Returns the points of a packed outline, in tenths of a canvas unit; at most 48.
pub(crate) fn unpack_outline(text: &str) -> Vec<[i32; 2]> {
    let mut axes = unpack_numbers(text, OUTLINE_CHARS).take(2 * OUTLINE_MAX);
    std::iter::from_fn(|| Some([axes.next()?, axes.next()?])).collect()
}

/// Packs a motion field for [`SiteState::flow`](crate::SiteState::flow). `cells` are canvas units a second, row
/// by row from the top left. Returns `None` if nothing moves or the field does not match [`MOTION_GRID`].
pub fn encode_flow(cells: &[Point]) -> Option<String> {
    let moves = cells.iter().flatten().any(|axis| axis.abs() >= 0.5);
    (moves && cells.len() == MOTION_GRID[0] * MOTION_GRID[1])
        .then(|| pack_numbers(cells.iter().flatten().copied(), FLOW_CHARS))
}

/// An unpacked motion field.
#[derive(Debug)]
pub(crate) struct FlowField(Vec<f32>);

impl FlowField {
    /// Unpacks a motion field; `None` for a string of another length.
    pub fn decode(text: &str) -> Option<Self> {
        let axes: Vec<f32> = unpack_numbers(text, FLOW_CHARS).map(|axis| axis as f32).collect();
        (axes.len() == 2 * MOTION_GRID[0] * MOTION_GRID[1]).then_some(Self(axes))
    }

    /// Returns the motion at a fraction of the canvas, interpolated between cell centres.
    pub fn sample(&self, place: Point) -> Point {
        let cell = |i: usize| {
            let last = MOTION_GRID[i] - 1;
            let at = (place[i] * MOTION_GRID[i] as f32 - 0.5).clamp(0.0, last as f32);
            // The second-last cell at most, so that one follows it; NaN gives the first.
            let index = (at as usize).min(last - 1);
            (index, at - index as f32)
        };
        let ((i, s), (j, t)) = (cell(0), cell(1));
        [0, 1].map(|axis| {
            let of = |i: usize, j: usize| self.0[2 * (j * MOTION_GRID[0] + i) + axis];
            let row = |j| of(i, j) * (1.0 - s) + of(i + 1, j) * s;
            row(j) * (1.0 - t) + row(j + 1) * t
        })
    }
}

/// Bodies of one city from update to update.
#[derive(Debug, Default)]
pub struct BodyStateTracker {
    bodies: Vec<BodyState>,
}

impl BodyStateTracker {
    /// Sets the bodies present at `at`, on the shared clock, in seconds. A body that was present before keeps its first
    /// time.
    pub fn update(&mut self, at: f64, bodies: &[Body]) {
        let known = std::mem::take(&mut self.bodies);
        self.bodies.reserve(bodies.len().min(BODIES_MAX));
        for body in bodies.iter().take(BODIES_MAX) {
            // A camera uses each id once; duplicates are ignored.
            if self.bodies.iter().all(|seen| seen.id != body.id) {
                let began = known.iter().find(|seen| seen.id == body.id).map_or(at, |seen| seen.began);
                self.bodies.push(BodyState::from_body(body, began));
            }
        }
    }

    /// Returns the current bodies.
    pub fn bodies(&self) -> &[BodyState] {
        &self.bodies
    }
}

/// Returns the motion from 0 to 1 where only outlines are known: the fraction of the canvas that walking bodies cover.
/// `canvas` is its size in units.
pub fn motion_energy(bodies: &[Body], canvas: Point) -> f32 {
    // A stroll covers a twentieth of the canvas in a second.
    let stroll = canvas[0] / 20.0;
    let walks = |body: &Body| (body.velocity[0].hypot(body.velocity[1]) / stroll).min(1.0);
    let covered: f32 = bodies.iter().take(BODIES_MAX).map(|body| area(&body.outline) * walks(body)).sum();
    let stir = covered / (canvas[0] * canvas[1]);
    // An empty sum is -0, so add 0.
    if stir.is_finite() { (stir.clamp(0.0, 1.0) * 1e3).round() / 1e3 + 0.0 } else { 0.0 }
}

fn area(outline: &[Point]) -> f32 {
    let next = outline.iter().cycle().skip(1);
    let doubled: f32 = outline.iter().zip(next).map(|(a, b)| a[0] * b[1] - b[0] * a[1]).sum();
    doubled.abs() / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(id: u16, x: f32) -> Body {
        let outline = vec![[x, 0.0], [x + 100.0, 0.0], [x + 100.0, 100.0], [x, 100.0]];
        Body { id, people: 1, foot: [x, 100.04], still: 1.25, outline, velocity: [96.0, 0.0], ..Body::default() }
    }

    #[test]
    fn a_body_is_as_old_as_it_is_known() {
        let mut crowd = BodyStateTracker::default();
        crowd.update(1.0, &[body(7, 0.0)]);
        crowd.update(2.0, &[body(7, 1.0), body(8, 2.0), body(8, 3.0)]);
        let seen: Vec<_> = crowd.bodies().iter().map(|body| (body.id, body.began, body.at[0])).collect();
        assert_eq!(seen, [(7, 1.0, 10), (8, 2.0, 20)]);
        crowd.update(3.0, &[]);
        crowd.update(4.0, &[body(7, 0.0)]);
        assert_eq!(crowd.bodies()[0].began, 4.0);
    }

    #[test]
    fn what_is_told_is_bounded_and_made_of_numbers() {
        let mut liar = body(1, f32::NAN);
        liar.reach = Some([f32::INFINITY, -1e30]);
        liar.outline = vec![[5.0, 6.04]; 1_000];
        liar.still = f32::NAN;
        let seen = BodyState::from_body(&liar, 1.23456);
        assert_eq!((seen.at[0], seen.at[1], seen.still, seen.began), (0, 1_000, 0, 1.235));
        assert_eq!(seen.reach, Some([524_287, -524_287]));
        assert_eq!(unpack_outline(&seen.outline), [[50, 60]; OUTLINE_MAX]);
        let mut crowd = BodyStateTracker::default();
        let many: Vec<Body> = (0..1_000).map(|id| body(id, 0.0)).collect();
        crowd.update(0.0, &many);
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
        let mut crowd = BodyStateTracker::default();
        crowd.update(123_456.789_123, &bodies);
        let json = serde_json::to_string(crowd.bodies()).expect("it is plain");
        assert!(json.len() < 22_000, "{} bytes", json.len());
    }

    #[test]
    fn what_is_packed_comes_out() {
        let outline = vec![[0.0, -0.1], [1_919.96, 1_080.0], [-400.5, 8_192.0], [1e9, -1e9], [f32::NAN, 7.0]];
        let seen = BodyState::from_body(&Body { outline, ..body(1, 0.0) }, 0.0);
        let far = 524_287;
        assert_eq!(unpack_outline(&seen.outline), [[0, -1], [19_200, 10_800], [-4_005, 81_920], [far, -far], [0, 70]]);
        for text in ["", "0", "\\\"é\n~~~~~~~~", "0000000"] {
            assert!(unpack_outline(text).len() <= 2, "{text}");
            assert!(FlowField::decode(text).is_none(), "{text}");
        }
    }

    #[test]
    fn who_stands_does_not_stir_and_who_walks_does() {
        let canvas = [1_000.0, 500.0];
        let standing = Body { velocity: [0.0; 2], ..body(1, 0.0) };
        assert_eq!(motion_energy(&[standing], canvas), 0.0);
        assert_eq!(motion_energy(&[body(1, 0.0), body(2, 300.0)], canvas), 0.04);
        assert_eq!(motion_energy(&[body(1, f32::NAN)], canvas), 0.0);
    }

    #[test]
    fn a_field_is_smooth_and_goes_on_beyond_the_canvas() {
        assert_eq!(encode_flow(&[[1.0, 0.0]; 5]), None);
        assert_eq!(encode_flow(&[[0.2, f32::NAN]; 576]), None);
        let mut cells = [[0.0; 2]; 576];
        (cells[0], cells[575]) = ([100.4, -40.0], [1e9, f32::NAN]);
        let field = encode_flow(&cells).and_then(|text| FlowField::decode(&text)).expect("something moves");
        let middle = |i: f32, j: f32| [(i + 0.5) / 32.0, (j + 0.5) / 18.0];
        let near = |at: Point, expected: Point| {
            let found = field.sample(at);
            assert!((found[0] - expected[0]).hypot(found[1] - expected[1]) < 0.01, "{found:?} is not {expected:?}");
        };
        near(middle(0.0, 0.0), [100.0, -40.0]);
        near(middle(0.5, 0.0), [50.0, -20.0]);
        near([-9.0, -9.0], [100.0, -40.0]);
        near(middle(31.0, 17.0), [16_383.0, 0.0]);
        near([f32::INFINITY, f32::INFINITY], [16_383.0, 0.0]);
        field.sample([f32::NAN, f32::NAN]);
    }
}
