//! Traces the pixels of one body to a smooth closed polygon.
//! Marching squares are followed by a least-squares fit of even steps.

use super::space::FinePoint;
use euclid::vec2;
use moongate_core::presence::OUTLINE_MAX;

/// Points in the outline of a body that is small in the frame.
const POINTS_MIN: usize = 16;
/// Perimeter from which an outline has all its points, in pixels of the traced image.
const FULL_DETAIL_PERIMETER: f32 = 220.0;
/// Iterations of the fit of an outline's points.
const FIT_ITERATIONS: usize = 6;

/// Traces one body after another and reuses its buffers.
#[derive(Debug, Default)]
pub(super) struct ContourTracer {
    /// Coverage of each pixel by the body, 0 to 255, over the body's box and a margin of two.
    coverage: Vec<u8>,
    scratch: Vec<u8>,
    visited: Vec<bool>,
    contour: Vec<FinePoint>,
    longest: Vec<FinePoint>,
}

impl ContourTracer {
    /// Traces the outline of the coverage `of` (0 to 255 per pixel) within `at` into `outline`.
    /// `at` is left, top, right, bottom. The outline starts at its lowest point and runs clockwise on the screen; it is
    /// empty if there is no body.
    pub fn trace(&mut self, at: [usize; 4], of: impl Fn(usize, usize) -> u8, outline: &mut Vec<FinePoint>) {
        outline.clear();
        let [left, top, right, bottom] = at;
        let (width, height) = (right - left + 4, bottom - top + 4);
        self.coverage.clear();
        self.coverage.resize(width * height, 0);
        for y in top..bottom {
            let row = &mut self.coverage[(y - top + 2) * width + 2..];
            for (x, to) in (left..right).zip(row) {
                *to = of(x, y);
            }
        }
        self.blur(width, height);
        self.blur(width, height);
        self.find_contours(width, height);
        if self.longest.len() < 6 {
            return;
        }
        let offset = vec2(left as f32 - 1.5, top as f32 - 1.5);
        self.longest.iter_mut().for_each(|point| *point += offset);
        resample(&mut self.longest, outline);
    }

    /// Blurs by 1 2 1 in both directions, so that thinly connected parts stay one body.
    fn blur(&mut self, width: usize, height: usize) {
        core::mem::swap(&mut self.coverage, &mut self.scratch);
        self.coverage.clear();
        self.coverage.resize(width * height, 0);
        for y in 1..height - 1 {
            let rows: [&[u8]; 3] = core::array::from_fn(|k| &self.scratch[(y + k - 1) * width..][..width]);
            let down = |x: usize| u16::from(rows[0][x]) + 2 * u16::from(rows[1][x]) + u16::from(rows[2][x]);
            for (x, to) in self.coverage[y * width..][..width].iter_mut().enumerate().skip(1).take(width - 2) {
                *to = ((down(x - 1) + 2 * down(x) + down(x + 1)) >> 4) as u8;
            }
        }
    }

    /// Runs marching squares at one half and leaves the longest ring in `longest`.
    /// Positions are in pixel centres of the blurred coverage.
    fn find_contours(&mut self, width: usize, height: usize) {
        self.visited.clear();
        self.visited.resize(width * height, false);
        self.longest.clear();
        let inside = |soft: &[u8], x: usize, y: usize| soft[y * width + x] >= 128;
        for y in 0..height - 1 {
            for x in 0..width - 1 {
                // A ring is entered along the top edge of a square, where the left is outside and the right inside.
                let enters = !inside(&self.coverage, x, y) && inside(&self.coverage, x + 1, y);
                if !enters || self.visited[y * width + x] {
                    continue;
                }
                self.follow_contour([x, y], width, height);
                if self.contour.len() > self.longest.len() {
                    core::mem::swap(&mut self.contour, &mut self.longest);
                }
            }
        }
    }

    /// Follows one ring from the top edge of a square, with the inside on its right.
    fn follow_contour(&mut self, start: [usize; 2], width: usize, height: usize) {
        self.contour.clear();
        let soft = &self.coverage;
        let value = |x: usize, y: usize| f32::from(soft[y * width + x]);
        // The square above the edge is entered upwards, through its bottom edge.
        let (mut x, mut y, mut from) = (start[0], start[1], CellEdge::Bottom);
        if y == 0 {
            return;
        }
        y -= 1;
        for _ in 0..4 * width * height {
            let corners = [value(x, y), value(x + 1, y), value(x + 1, y + 1), value(x, y + 1)];
            let point = |side: CellEdge| {
                let (a, b) = match side {
                    CellEdge::Top => (0, 1),
                    CellEdge::Right => (1, 2),
                    CellEdge::Bottom => (3, 2),
                    CellEdge::Left => (0, 3),
                };
                let part = (127.5 - corners[a]) / (corners[b] - corners[a]);
                let part = if part.is_finite() { part.clamp(0.0, 1.0) } else { 0.5 };
                match side {
                    CellEdge::Top => FinePoint::new(x as f32 + part, y as f32),
                    CellEdge::Bottom => FinePoint::new(x as f32 + part, y as f32 + 1.0),
                    CellEdge::Left => FinePoint::new(x as f32, y as f32 + part),
                    CellEdge::Right => FinePoint::new(x as f32 + 1.0, y as f32 + part),
                }
            };
            if from == CellEdge::Bottom {
                let edge = (y + 1) * width + x;
                if self.visited[edge] && !self.contour.is_empty() {
                    return;
                }
                self.visited[edge] = true;
            }
            self.contour.push(point(from));
            let inside = corners.map(|corner| corner >= 127.5);
            let Some(to) = exit_edge(inside, from) else { return };
            match to {
                CellEdge::Top if y > 0 => (y, from) = (y - 1, CellEdge::Bottom),
                CellEdge::Bottom if y + 2 < height => (y, from) = (y + 1, CellEdge::Top),
                CellEdge::Left if x > 0 => (x, from) = (x - 1, CellEdge::Right),
                CellEdge::Right if x + 2 < width => (x, from) = (x + 1, CellEdge::Left),
                _ => return,
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CellEdge {
    Top,
    Right,
    Bottom,
    Left,
}

/// Returns the edge through which a ring that entered by `from` leaves, with the inside on its right.
/// Corners are in clockwise order from the top left.
fn exit_edge([a, b, c, d]: [bool; 4], from: CellEdge) -> Option<CellEdge> {
    // The edges that a ring crosses, in the order of trial: turning left first separates parts that touch only at a
    // corner.
    let crosses = |side: CellEdge| match side {
        CellEdge::Top => a != b,
        CellEdge::Right => b != c,
        CellEdge::Bottom => d != c,
        CellEdge::Left => a != d,
    };
    // The inside must lie to the right of the exit direction.
    let right = |side: CellEdge| match side {
        CellEdge::Top => b && !a,
        CellEdge::Right => c && !b,
        CellEdge::Bottom => d && !c,
        CellEdge::Left => a && !d,
    };
    [CellEdge::Top, CellEdge::Right, CellEdge::Bottom, CellEdge::Left]
        .into_iter()
        .find(|side| *side != from && crosses(*side) && right(*side))
}

/// Resamples a ring in even steps from its lowest point; the number of points depends on its length.
/// Of all such polygons this is the least-squares fit to the ring: a polygon with its corners on the ring would cut off
/// the bulges between them.
fn resample(ring: &mut [FinePoint], outline: &mut Vec<FinePoint>) {
    // Near the middle of the lowest part, so that the first point does not jump from shoe to shoe.
    let bottom = ring.iter().map(|p| p.y).fold(f32::MIN, f32::max);
    let middle = ring.iter().map(|p| p.x).sum::<f32>() / ring.len() as f32;
    let cost = |p: FinePoint| 2.0 * (bottom - p.y) + (p.x - middle).abs();
    let first = (0..ring.len()).min_by(|a, b| cost(ring[*a]).total_cmp(&cost(ring[*b]))).unwrap_or(0);
    ring.rotate_left(first);
    let steps: f32 = ring.windows(2).map(|two| two[0].distance_to(two[1])).sum();
    let length = steps + ring[ring.len() - 1].distance_to(ring[0]);
    let count = (POINTS_MIN + ((OUTLINE_MAX - POINTS_MIN) as f32 * (length / FULL_DETAIL_PERIMETER).min(1.0)) as usize)
        .min(OUTLINE_MAX);
    let apart = (length / count as f32).max(f32::MIN_POSITIVE);
    // The normal equations; each involves a point, its successor and its predecessor.
    let (mut own, mut next, mut wanted) = ([0.0; OUTLINE_MAX], [0.0; OUTLINE_MAX], [FinePoint::zero(); OUTLINE_MAX]);
    let mut gone = 0.0;
    for (k, &point) in ring.iter().enumerate() {
        let [before, after] = [ring[(k + ring.len() - 1) % ring.len()], ring[(k + 1) % ring.len()]];
        let [behind, ahead] = [before.distance_to(point), point.distance_to(after)];
        let (along, weight) = (gone / apart, behind + ahead);
        let (index, part) = (along as usize % count, along.fract());
        let following = (index + 1) % count;
        own[index] += weight * (1.0 - part) * (1.0 - part);
        own[following] += weight * part * part;
        next[index] += weight * part * (1.0 - part);
        wanted[index] += point.to_vector() * (weight * (1.0 - part));
        wanted[following] += point.to_vector() * (weight * part);
        while outline.len() < count && outline.len() as f32 * apart <= gone + ahead {
            let part = if ahead > 0.0 { (outline.len() as f32 * apart - gone) / ahead } else { 0.0 };
            outline.push(point + (after - point) * part);
        }
        gone += ahead;
    }
    // Gauss–Seidel iterations, starting from the even steps.
    let count = outline.len();
    for _ in 0..FIT_ITERATIONS {
        for k in (0..count).filter(|k| own[*k] > 0.1 * apart) {
            let (before, after) = ((k + count - 1) % count, (k + 1) % count);
            let rest = outline[after].to_vector() * next[k] + outline[before].to_vector() * next[before];
            outline[k] = (wanted[k] - rest) / own[k];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the signed area of a polygon, positive if it runs clockwise on a screen, whose y points down.
    fn area(outline: &[FinePoint]) -> f32 {
        let next = outline.iter().cycle().skip(1);
        outline.iter().zip(next).map(|(a, b)| a.x * b.y - b.x * a.y).sum::<f32>() / 2.0
    }

    #[test]
    fn a_disc_is_a_circle() {
        let mut outline = Vec::new();
        let inside = |x: usize, y: usize| {
            let off = (x as f32 + 0.5 - 60.0).hypot(y as f32 + 0.5 - 64.0);
            if off < 40.0 { 255 } else { 0 }
        };
        ContourTracer::default().trace([0, 0, 128, 128], inside, &mut outline);
        assert_eq!(outline.len(), OUTLINE_MAX);
        for point in &outline {
            let off = (point.x - 60.0).hypot(point.y - 64.0);
            assert!((off - 40.0).abs() < 0.6, "{point:?}");
        }
        assert!(area(&outline) > 0.0, "clockwise on a screen, whose y points down");
        assert!((outline[0].y - 104.0).abs() < 0.6 && (outline[0].x - 60.0).abs() < 4.0, "{:?}", outline[0]);
    }

    #[test]
    fn pixels_without_a_body_are_no_outline() {
        let mut outline = vec![FinePoint::zero()];
        ContourTracer::default().trace([3, 3, 9, 9], |_, _| 0, &mut outline);
        assert!(outline.is_empty());
        for pattern in [0x55, 0xAA, 0xFF, 0x81] {
            ContourTracer::default().trace(
                [0, 0, 8, 8],
                |x, y| if pattern >> ((x + y * 3) % 8) & 1 == 1 { 255 } else { 0 },
                &mut outline,
            );
            assert!(outline.len() <= OUTLINE_MAX);
        }
    }
}
