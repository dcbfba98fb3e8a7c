//! Homography: the projective map between two planes as a camera sees it, determined by four points and their images.

use super::Point;

/// Projective weight, relative to that of the middle, below which a point lies at the horizon and cannot be mapped.
const HORIZON_WEIGHT: f64 = 1e-6;

/// Area below which three points of about one unit count as collinear.
const COLLINEAR: f64 = 1e-6;

/// A projective map between two planes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Homography {
    /// Matrix, row by row. The weight (the third row) is 1 in the middle of the points that it was made from.
    rows: [[f64; 3]; 3],
    /// Middle of those points.
    middle: [f64; 2],
}

impl Homography {
    /// Returns the map that takes each of four points to the corresponding one in `to`.
    ///
    /// `None` if three of the four are collinear, or a number is not finite.
    ///
    /// The direct linear transform, solved for exactly four points after their normalisation: Hartley and Zisserman,
    /// *Multiple View Geometry in Computer Vision*, second edition, sections 4.1 and 4.4.
    pub fn from_points(from: [Point; 4], to: [Point; 4]) -> Option<Self> {
        let (from, into_unit) = normalise(from)?;
        let (to, unit_of_to) = normalise(to)?;
        // The weight of the middle is 1, so that eight unknowns are left, with two equations for each point.
        let mut equations = [[0.0; 9]; 8];
        for (at, (&[x, y], &[u, v])) in from.iter().zip(&to).enumerate() {
            equations[2 * at] = [x, y, 1.0, 0.0, 0.0, 0.0, -u * x, -u * y, u];
            equations[2 * at + 1] = [0.0, 0.0, 0.0, x, y, 1.0, -v * x, -v * y, v];
        }
        let [a, b, c, d, e, f, g, h] = solve(equations)?;
        let rows = multiply(
            &unit_of_to.inverse_matrix(),
            &multiply(&[[a, b, c], [d, e, f], [g, h, 1.0]], &into_unit.matrix()),
        );
        Self { rows, middle: into_unit.middle }.normalised()
    }

    /// Maps a point. Returns `None` at the horizon and beyond, and for a point that is not finite.
    pub fn map(&self, at: Point) -> Option<Point> {
        let [x, y, weight] = self.apply(at.map(f64::from));
        let point = [(x / weight) as f32, (y / weight) as f32];
        (weight > HORIZON_WEIGHT && point.iter().all(|part| part.is_finite())).then_some(point)
    }

    /// Returns the inverse map.
    pub fn inverse(&self) -> Option<Self> {
        let [[a, b, c], [d, e, f], [g, h, i]] = self.rows;
        let adjugate = [
            [e * i - f * h, c * h - b * i, b * f - c * e],
            [f * g - d * i, a * i - c * g, c * d - a * f],
            [d * h - e * g, b * g - a * h, a * e - b * d],
        ];
        let [x, y, weight] = self.apply(self.middle);
        Self { rows: adjugate, middle: [x / weight, y / weight] }.normalised()
    }

    fn apply(&self, [x, y]: [f64; 2]) -> [f64; 3] {
        self.rows.map(|[a, b, c]| a * x + b * y + c)
    }

    /// Returns the same map with a weight of 1 in the middle.
    fn normalised(self) -> Option<Self> {
        let [_, _, weight] = self.apply(self.middle);
        let rows = self.rows.map(|row| row.map(|part| part / weight));
        rows.iter().flatten().all(|part| part.is_finite()).then_some(Self { rows, ..self })
    }
}

/// Returns true for a convex quadrilateral without crossings, seen from either side.
///
/// No corner may be flat: any three neighbours span at least `least` (in squares of the corners' unit).
pub fn is_convex(corners: &[Point; 4], least: f32) -> bool {
    let turn = |at: usize| {
        let [a, b, c] = [0, 1, 2].map(|next| corners[(at + next) % 4]);
        ((b[0] - a[0]) * (c[1] - b[1]) - (b[1] - a[1]) * (c[0] - b[0])) / 2.0
    };
    let turns = [0, 1, 2, 3].map(turn);
    turns.iter().all(|&turn| turn >= least) || turns.iter().all(|&turn| -turn >= least)
}

/// Shift and scale that move points around the origin, about one unit from it.
struct Normalisation {
    middle: [f64; 2],
    scale: f64,
}

impl Normalisation {
    fn matrix(&self) -> [[f64; 3]; 3] {
        let Self { middle: [x, y], scale } = self;
        [[*scale, 0.0, -x * scale], [0.0, *scale, -y * scale], [0.0, 0.0, 1.0]]
    }

    fn inverse_matrix(&self) -> [[f64; 3]; 3] {
        let Self { middle: [x, y], scale } = self;
        [[1.0 / scale, 0.0, *x], [0.0, 1.0 / scale, *y], [0.0, 0.0, 1.0]]
    }
}

fn normalise(points: [Point; 4]) -> Option<([[f64; 2]; 4], Normalisation)> {
    let points = points.map(|point| point.map(f64::from));
    let middle = [0, 1].map(|axis| points.iter().map(|point| point[axis]).sum::<f64>() / 4.0);
    let around = points.map(|[x, y]| [x - middle[0], y - middle[1]]);
    let spread = around.iter().map(|[x, y]| x.hypot(*y)).sum::<f64>() / 4.0;
    let scale = 1.0 / spread;
    if !scale.is_finite() {
        return None;
    }
    let points = around.map(|at| at.map(|part| part * scale));
    // Any three points must span an area: each point is left out once.
    let spans = |out: usize| {
        let [a, b, c] = [1, 2, 3].map(|next| points[(out + next) % 4]);
        ((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])).abs() > COLLINEAR
    };
    (0..4).all(spans).then_some((points, Normalisation { middle, scale }))
}

fn multiply(left: &[[f64; 3]; 3], right: &[[f64; 3]; 3]) -> [[f64; 3]; 3] {
    left.map(|row| [0, 1, 2].map(|at| row[0] * right[0][at] + row[1] * right[1][at] + row[2] * right[2][at]))
}

/// Solves for eight unknowns by elimination with the largest pivot first; each row ends with its right side.
fn solve(mut rows: [[f64; 9]; 8]) -> Option<[f64; 8]> {
    for at in 0..8 {
        let pivot = (at..8).max_by(|&a, &b| rows[a][at].abs().total_cmp(&rows[b][at].abs()))?;
        rows.swap(at, pivot);
        let top = rows[at];
        // No three points are collinear, so this should not happen; but a division by zero would be worse.
        if top[at].is_nan() || top[at].abs() < 1e-12 {
            return None;
        }
        for (below, row) in rows.iter_mut().enumerate() {
            if below != at {
                let times = row[at] / top[at];
                row.iter_mut().zip(&top).for_each(|(part, above)| *part -= times * above);
            }
        }
    }
    Some(std::array::from_fn(|at| rows[at][8] / rows[at][at]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const UNIT: [Point; 4] = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]];

    fn close(a: Option<Point>, b: Point, by: f32) -> bool {
        a.is_some_and(|a| (a[0] - b[0]).hypot(a[1] - b[1]) <= by)
    }

    #[test]
    fn a_picture_is_stretched_to_the_canvas() {
        let canvas = [[0.0, 0.0], [1920.0, 0.0], [1920.0, 1080.0], [0.0, 1080.0]];
        let map = Homography::from_points(UNIT, canvas).expect("a rectangle");
        assert!(close(map.map([0.25, 0.5]), [480.0, 540.0], 1e-3));
        assert!(close(map.map([1.5, -1.0]), [2880.0, -1080.0], 1e-2), "outside of the four points too");
    }

    #[test]
    fn a_mirrored_order_mirrors() {
        let corners = [[1.0, 0.0], [0.0, 0.0], [0.0, 1.0], [1.0, 1.0]];
        let map = Homography::from_points(corners, UNIT).expect("a rectangle");
        assert!(close(map.map([0.25, 0.5]), [0.75, 0.5], 1e-6));
    }

    #[test]
    fn beyond_the_horizon_nothing_is_told() {
        // This is a road whose far side is a tenth as wide. Its edges meet above the image.
        let road = [[0.45, 0.5], [0.55, 0.5], [1.0, 1.0], [0.0, 1.0]];
        let map = Homography::from_points(road, UNIT).expect("convex");
        assert!(close(map.map([0.5, 0.5]), [0.5, 0.0], 1e-5));
        let horizon = 0.5 - 0.5 / 9.0;
        assert_eq!(map.map([0.5, horizon]), None);
        assert_eq!(map.map([0.5, horizon - 0.1]), None, "no flipped world behind the camera");
        let far = map.map([0.5, horizon + 0.01]).expect("this side of it");
        assert!(far[1] < -1.0, "{far:?}");
        assert_eq!(map.map([f32::NAN, 0.5]), None);
        assert_eq!(map.map([f32::INFINITY, 0.5]), None);
    }

    #[test]
    fn points_on_a_line_make_no_map() {
        let line = [[0.0, 0.0], [0.5, 0.0], [1.0, 0.0], [0.0, 1.0]];
        assert_eq!(Homography::from_points(line, UNIT), None);
        assert_eq!(Homography::from_points(UNIT, line), None);
        assert_eq!(Homography::from_points([[0.5; 2]; 4], UNIT), None);
        assert_eq!(Homography::from_points([[f32::NAN; 2]; 4], UNIT), None);
        assert_eq!(Homography::from_points([[f32::INFINITY; 2]; 4], UNIT), None);
    }

    #[test]
    fn convex_is_seen_from_both_sides() {
        let mirrored = [UNIT[1], UNIT[0], UNIT[3], UNIT[2]];
        assert!(is_convex(&UNIT, 0.01) && is_convex(&mirrored, 0.01));
        assert!(!is_convex(&[UNIT[0], UNIT[2], UNIT[1], UNIT[3]], 0.01), "a crossing");
        assert!(!is_convex(&[UNIT[0], UNIT[1], [0.2, 0.2], UNIT[3]], 0.01), "a dent");
        assert!(!is_convex(&[UNIT[0], [0.5, 0.0], UNIT[1], UNIT[2]], 0.01), "a flat corner");
        assert!(!is_convex(&[[f32::NAN; 2]; 4], 0.01));
    }

    /// Generates squares whose corners are pulled by a fifth at most: always convex.
    fn quad(size: f32) -> impl Strategy<Value = [Point; 4]> {
        let pull = || (-0.2_f32..0.2, -0.2_f32..0.2);
        ((pull(), pull(), pull(), pull()), any::<bool>(), -3.0_f32..3.0).prop_map(move |(pulls, mirrored, left)| {
            let pulls = [pulls.0, pulls.1, pulls.2, pulls.3];
            std::array::from_fn(|at| {
                let x = UNIT[at][0] + pulls[at].0;
                let x = if mirrored { 1.0 - x } else { x };
                [(x + left) * size, (UNIT[at][1] + pulls[at].1) * size]
            })
        })
    }

    proptest! {
        #[test]
        fn there_and_back_is_where_it_was(from in quad(1.0), to in quad(1_000.0), x in 0.0_f32..1.0, y in 0.0_f32..1.0) {
            let map = Homography::from_points(from, to).expect("convex");
            for (a, b) in from.into_iter().zip(to) {
                prop_assert!(close(map.map(a), b, 0.2), "{:?} {:?}", map.map(a), b);
            }
            let back = map.inverse().expect("convex");
            // This is a point within the four, by two blends.
            let blend = |a: Point, b: Point, by: f32| [a[0] + (b[0] - a[0]) * by, a[1] + (b[1] - a[1]) * by];
            let within = blend(blend(from[0], from[1], x), blend(from[3], from[2], x), y);
            let there = map.map(within).expect("this side of the horizon");
            prop_assert!(close(back.map(there), within, 1e-3), "{within:?} {there:?} {:?}", back.map(there));
        }

        #[test]
        fn no_four_points_make_it_panic(numbers in proptest::array::uniform16(any::<f32>()), at in any::<[f32; 2]>()) {
            let point = |index: usize| [numbers[index], numbers[index + 1]];
            let quad = |first: usize| [point(first), point(first + 2), point(first + 4), point(first + 6)];
            if let Some(map) = Homography::from_points(quad(0), quad(8)) {
                prop_assert!(map.map(at).is_none_or(|at| at.iter().all(|part| part.is_finite())));
                let _ = map.inverse();
            }
        }
    }
}
