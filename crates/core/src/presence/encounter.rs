//! Encounters of people of two cities: outlines that overlap, and fingers that touch.

use super::{Body, Point, Presence};
use std::time::Duration;

/// Time apart after which a pair can meet again.
const SEPARATION_TIMEOUT: Duration = Duration::from_secs(2);
/// Distance at which two fingers meet, as a fraction of the canvas's height.
const FINGER_DISTANCE: f32 = 0.03;
/// Most outlines that are compared in one frame: the rest follows in the next frames.
const TESTS_MAX: usize = 200;
/// Most encounters in one frame: a sudden crowd meets over several frames, so that a scene can respond.
const ENCOUNTERS_MAX: usize = 8;
/// Most pairs that are remembered.
const PAIRS_MAX: usize = 1_024;

/// A participant of a site: a body or a touch, by its id there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Participant {
    Body(u16),
    Touch(u32),
}

/// Pairs that are together, with the last time that they were.
#[derive(Debug, Default)]
pub struct Encounters {
    pairs: Vec<([Participant; 2], Duration)>,
    /// Index of the comparison that the next frame begins with.
    next_test: usize,
}

impl Encounters {
    /// Returns the points where a participant here meets one there that it was not with.
    ///
    /// Both sites' presences are as of `now`, on one canvas of `height` units.
    pub fn update(&mut self, now: Duration, height: f32, here: &Presence, there: &Presence) -> Vec<Point> {
        let mut met = vec![];
        for (ours, theirs, at) in self.overlapping_pairs(height, here, there) {
            let room = self.pairs.len() < PAIRS_MAX && met.len() < ENCOUNTERS_MAX;
            match self.pairs.iter_mut().find(|(pair, _)| *pair == [ours, theirs]) {
                Some((_, last)) => *last = now,
                None if room => {
                    self.pairs.push(([ours, theirs], now));
                    met.push(at);
                }
                None => {}
            }
        }
        self.pairs.retain(|(_, last)| now.saturating_sub(*last) < SEPARATION_TIMEOUT);
        met
    }

    fn overlapping_pairs(
        &mut self,
        height: f32,
        here: &Presence,
        there: &Presence,
    ) -> Vec<(Participant, Participant, Point)> {
        let mut all = vec![];
        let boxes = |presence: &Presence| -> Vec<Option<[f32; 4]>> { presence.bodies.iter().map(bounds).collect() };
        let (boxes_here, boxes_there) = (boxes(here), boxes(there));
        let pairs = (0..here.bodies.len()).flat_map(|ours| (0..there.bodies.len()).map(move |theirs| (ours, theirs)));
        let near = pairs.filter_map(|(ours, theirs)| {
            let both = intersection(boxes_here[ours].as_ref()?, boxes_there[theirs].as_ref()?)?;
            // A body that fades away does not count.
            (there.bodies[theirs].faded == 0.0).then_some((&here.bodies[ours], &there.bodies[theirs], both))
        });
        let near: Vec<_> = near.collect();
        for step in 0..near.len().min(TESTS_MAX) {
            let (ours, theirs, [x0, y0, x1, y1]) = near[(self.next_test + step) % near.len()];
            if outlines_overlap(&ours.outline, &theirs.outline) {
                let at = [(x0 + x1) / 2.0, (y0 + y1) / 2.0];
                all.push((Participant::Body(ours.id), Participant::Body(theirs.id), at));
            }
        }
        self.next_test = if near.len() > TESTS_MAX { (self.next_test + TESTS_MAX) % near.len() } else { 0 };
        for ours in &here.touches {
            for theirs in &there.touches {
                let (dx, dy) = (ours.at[0] - theirs.at[0], ours.at[1] - theirs.at[1]);
                if dx.hypot(dy) < FINGER_DISTANCE * height {
                    let at = [(ours.at[0] + theirs.at[0]) / 2.0, (ours.at[1] + theirs.at[1]) / 2.0];
                    all.push((Participant::Touch(ours.id), Participant::Touch(theirs.id), at));
                }
            }
        }
        all
    }
}

/// Returns left, top, right and bottom of a body's outline; none without one.
fn bounds(body: &Body) -> Option<[f32; 4]> {
    let first = body.outline.first()?;
    let start = [first[0], first[1], first[0], first[1]];
    Some(body.outline.iter().fold(start, |b, p| [b[0].min(p[0]), b[1].min(p[1]), b[2].max(p[0]), b[3].max(p[1])]))
}

fn intersection(a: &[f32; 4], b: &[f32; 4]) -> Option<[f32; 4]> {
    let both = [a[0].max(b[0]), a[1].max(b[1]), a[2].min(b[2]), a[3].min(b[3])];
    (both[0] <= both[2] && both[1] <= both[3]).then_some(both)
}

/// Returns whether two closed outlines have any point in common.
fn outlines_overlap(a: &[Point], b: &[Point]) -> bool {
    fn edges(ring: &[Point]) -> impl Iterator<Item = (Point, Point)> + Clone {
        ring.iter().copied().zip(ring.iter().copied().cycle().skip(1))
    }
    let inside = |point: Option<&Point>, ring| point.is_some_and(|point| contains(ring, *point));
    inside(a.first(), b)
        || inside(b.first(), a)
        || edges(a).any(|(p, q)| edges(b).any(|(r, s)| segments_cross(p, q, r, s)))
}

/// Returns the side of the line from `p` to `q` that a point lies on, as a sign.
fn side(p: Point, q: Point, point: Point) -> f32 {
    (q[0] - p[0]) * (point[1] - p[1]) - (q[1] - p[1]) * (point[0] - p[0])
}

fn segments_cross(p: Point, q: Point, r: Point, s: Point) -> bool {
    side(p, q, r) * side(p, q, s) <= 0.0 && side(r, s, p) * side(r, s, q) <= 0.0 && {
        // Edges on one line are still apart unless their boxes touch.
        let of = |a: Point, b: Point| [a[0].min(b[0]), a[1].min(b[1]), a[0].max(b[0]), a[1].max(b[1])];
        intersection(&of(p, q), &of(r, s)).is_some()
    }
}

/// Returns whether a point lies within a closed outline, by the even-odd rule.
fn contains(ring: &[Point], at: Point) -> bool {
    let edges = ring.iter().zip(ring.iter().cycle().skip(1));
    edges.fold(false, |inside, (p, q)| {
        let crosses = (p[1] > at[1]) != (q[1] > at[1]);
        inside ^ (crosses && at[0] < p[0] + (at[1] - p[1]) / (q[1] - p[1]) * (q[0] - p[0]))
    })
}

#[cfg(test)]
mod tests {
    use super::super::Touch;
    use super::*;

    fn square(id: u16, x: f32, y: f32, side: f32) -> Presence {
        let outline = vec![[x, y], [x + side, y], [x + side, y + side], [x, y + side]];
        Presence { touches: vec![], bodies: vec![Body { id, outline, ..Body::default() }] }
    }

    fn met(here: &Presence, there: &Presence) -> usize {
        Encounters::default().update(Duration::ZERO, 1_000.0, here, there).len()
    }

    #[test]
    fn outlines_meet_when_they_have_a_point_in_common() {
        let here = square(1, 100.0, 100.0, 50.0);
        for (there, expected) in [
            (square(1, 140.0, 120.0, 50.0), 1),
            (square(1, 110.0, 110.0, 10.0), 1),
            (square(1, 0.0, 0.0, 500.0), 1),
            (square(1, 150.0, 100.0, 50.0), 1),
            (square(1, 151.0, 100.0, 50.0), 0),
            (square(1, 100.0, 151.0, 50.0), 0),
            (Presence::default(), 0),
        ] {
            assert_eq!(met(&here, &there), expected, "{there:?}");
            assert_eq!(met(&there, &here), expected, "{there:?}");
        }
        // The box around a slanting line is larger than the line.
        let slant = |x: f32| {
            let outline = vec![[x, 0.0], [x + 100.0, 100.0], [x + 101.0, 100.0], [x + 1.0, 0.0]];
            Presence { touches: vec![], bodies: vec![Body { outline, ..Body::default() }] }
        };
        assert_eq!((met(&slant(0.0), &slant(10.0)), met(&slant(0.0), &slant(0.5))), (0, 1));
    }

    #[test]
    fn a_crowd_that_comes_at_once_meets_over_some_frames() {
        let crowd = |count: u16| {
            let bodies = (0..count).flat_map(|id| square(id, 100.0, 100.0, 50.0).bodies).collect();
            Presence { touches: vec![], bodies }
        };
        let (mut all, here, there) = (Encounters::default(), crowd(5), crowd(4));
        let mut turn = |frame: u64| all.update(Duration::from_millis(16 * frame), 1_000.0, &here, &there).len();
        assert_eq!([0, 1, 2, 3].map(&mut turn), [8, 8, 4, 0]);
    }

    #[test]
    fn they_meet_once_until_they_have_parted() {
        let (mut all, second) = (Encounters::default(), Duration::from_secs(1));
        let (near, far) = (square(1, 0.0, 0.0, 50.0), square(1, 500.0, 0.0, 50.0));
        let turns = [&near, &near, &far, &near, &far, &far, &far, &near];
        let met: Vec<usize> =
            (0..).zip(turns).map(|(at, there)| all.update(at * second, 1_000.0, &near, there).len()).collect();
        assert_eq!(met, [1, 0, 0, 0, 0, 0, 0, 1]);
    }

    #[test]
    fn fingers_meet_too_and_who_fades_does_not() {
        let touch = |at| Presence { touches: vec![Touch { at, ..Touch::default() }], bodies: vec![] };
        assert_eq!(met(&touch([10.0, 10.0]), &touch([20.0, 20.0])), 1);
        assert_eq!(met(&touch([10.0, 10.0]), &touch([100.0, 20.0])), 0);
        let mut fading = square(1, 0.0, 0.0, 50.0);
        fading.bodies[0].faded = 0.5;
        assert_eq!(met(&square(1, 0.0, 0.0, 50.0), &fading), 0);
    }
}
