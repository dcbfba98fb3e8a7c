//! Smooth curves through few points, for outlines of people and for `draw.curve`.

/// Number of steps across a canvas that look like a smooth line.
const STEPS_ACROSS: f32 = 200.0;
/// Maximum number of points that replace one, for outlines of many points and of few.
const SUBDIVISIONS_MAX: [usize; 2] = [3, 4];
/// Maximum number of points that replace one on a curve.
const CURVE_SUBDIVISIONS_MAX: usize = 24;
/// Number of points from which an outline counts as one of many points.
const MANY: usize = 24;

/// Returns the shortest step that needs a point of its own, in the units of a canvas of this size.
pub(crate) fn min_step(canvas: [f32; 2]) -> f32 {
    (canvas[0].max(canvas[1]) / STEPS_ACROSS).max(1e-3)
}

/// Returns a ring through the same points with more between them, along cubic curves.
///
/// The 48 points of a body become at most 144. Returns the input if its steps are already as short as `finest`, or if
/// it has fewer than three points.
pub(crate) fn smooth_ring(ring: &[[f32; 2]], finest: f32) -> Vec<[f32; 2]> {
    let count = ring.len();
    if count < 3 {
        return ring.to_vec();
    }
    let round: f32 = (0..count).map(|i| length(difference(ring[i], ring[(i + 1) % count]))).sum();
    let most = SUBDIVISIONS_MAX[usize::from(count < MANY)];
    // NaN gives one part.
    let parts = ((round / count as f32 / finest).round() as usize).clamp(1, most);
    catmull_rom(ring, true, |_| parts)
}

/// Returns a curve through points, with as many points as a smooth line needs; `finest` as for [`smooth_ring`].
pub(crate) fn smooth_curve(points: &[[f32; 2]], closed: bool, finest: f32) -> Vec<[f32; 2]> {
    if points.len() < 3 {
        return points.to_vec();
    }
    catmull_rom(points, closed, |hop| ((3.0 * hop / finest).round() as usize).clamp(1, CURVE_SUBDIVISIONS_MAX))
}

fn difference(from: [f32; 2], to: [f32; 2]) -> [f32; 2] {
    [to[0] - from[0], to[1] - from[1]]
}

fn length(v: [f32; 2]) -> f32 {
    v[0].hypot(v[1])
}

/// Returns cubic curves from point to point. `parts` returns the number of points for a step of the given length.
fn catmull_rom(points: &[[f32; 2]], closed: bool, parts: impl Fn(f32) -> usize) -> Vec<[f32; 2]> {
    let count = points.len();
    let at = |i: usize| if closed { points[(i + count - 1) % count] } else { points[i.clamp(1, count) - 1] };
    let hops = if closed { count } else { count - 1 };
    let mut out = Vec::with_capacity(count * 4);
    for i in 0..hops {
        let [before, from, to, after] = [at(i), at(i + 1), at(i + 2), at(i + 3)];
        let hop = length(difference(from, to));
        let parts = parts(hop);
        // The tangent at a point follows its neighbours (Catmull-Rom). It is limited by the length of the step, because
        // unevenly spaced points would cause loops.
        let leave = |from: [f32; 2], to: [f32; 2]| {
            let [x, y] = difference(from, to);
            let scale = (hop / length([x, y]).max(1e-6)).min(0.5);
            [x * scale, y * scale]
        };
        let (out_of, into) = (leave(before, to), leave(from, after));
        out.push(from);
        for part in 1..parts {
            let t = part as f32 / parts as f32;
            let (t2, t3) = (t * t, t * t * t);
            let weights = [2.0 * t3 - 3.0 * t2 + 1.0, t3 - 2.0 * t2 + t, 3.0 * t2 - 2.0 * t3, t3 - t2];
            let axis =
                |i: usize| weights[0] * from[i] + weights[1] * out_of[i] + weights[2] * to[i] + weights[3] * into[i];
            out.push([axis(0), axis(1)]);
        }
    }
    if !closed {
        out.push(points[count - 1]);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn circle(count: usize) -> Vec<[f32; 2]> {
        (0..count)
            .map(|i| (i as f32 / count as f32 * std::f32::consts::TAU).sin_cos())
            .map(|(sin, cos)| [500.0 + 200.0 * cos, 500.0 + 200.0 * sin])
            .collect()
    }

    #[test]
    fn a_curve_goes_through_all_its_points_and_from_end_to_end() {
        let points = [[0.0, 0.0], [300.0, 100.0], [310.0, 100.0], [600.0, 900.0]];
        let open = smooth_curve(&points, false, 9.6);
        assert_eq!((open[0], open[open.len() - 1]), (points[0], points[3]));
        assert!(points.iter().all(|point| open.contains(point)) && open.len() > 30, "{}", open.len());
        // No corner: the direction changes little from step to step.
        let turns = open.windows(3).map(|w| {
            let ([a, b], [c, d]) = (difference(w[0], w[1]), difference(w[1], w[2]));
            (a * d - b * c).atan2(a * c + b * d).abs()
        });
        assert!(turns.fold(0.0, f32::max) < 0.9);
        let closed = smooth_curve(&points, true, 9.6);
        assert!(points.iter().all(|point| closed.contains(point)) && closed.len() > open.len());
        assert_eq!(smooth_curve(&points[..2], false, 9.6), points[..2]);
    }

    #[test]
    fn a_circle_of_few_points_is_a_circle() {
        for (count, points) in [(48, 144), (16, 64)] {
            let ring = smooth_ring(&circle(count), 6.4);
            assert_eq!(ring.len(), points);
            for [x, y] in ring {
                let radius = (x - 500.0).hypot(y - 500.0);
                assert!((radius - 200.0).abs() < 1.0, "{count}: {radius}");
            }
        }
    }

    #[test]
    fn what_is_small_needs_no_more_points() {
        assert_eq!(smooth_ring(&circle(48), 400.0), circle(48));
        assert_eq!(min_step([1920.0, 1080.0]), 9.6);
    }

    #[test]
    fn uneven_points_make_no_loops() {
        // Two points close together between far ones: a plain Catmull-Rom curve turns back there.
        let ring = [[0.0, 0.0], [400.0, 0.0], [402.0, 0.0], [800.0, 0.0], [800.0, 300.0], [0.0, 300.0]];
        let points = smooth_ring(&ring, 1.0);
        for pair in points[4..13].windows(2) {
            assert!(pair[1][0] >= pair[0][0], "{pair:?}");
        }
    }

    #[test]
    fn what_is_no_outline_comes_back() {
        assert!(smooth_ring(&[], 6.4).is_empty());
        assert_eq!(smooth_ring(&[[1.0, 1.0]; 2], 6.4).len(), 2);
        assert_eq!(smooth_ring(&[[1.0, 1.0]; 9], 6.4).len(), 9);
    }
}
