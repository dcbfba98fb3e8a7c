//! Tessellates lines and polygons into triangles with soft edges, since multisampling is too slow on software
//! rasterisers.

use lyon_tessellation::math::point;
use lyon_tessellation::path::Path;
use lyon_tessellation::{BuffersBuilder, FillOptions, FillRule, FillTessellator, FillVertex, VertexBuffers};

/// Maximum number of corners of a filled polygon, and of a line with round joins.
/// Crossings of a polygon grow with the square of its corners; each round join takes up to sixty points.
const CORNERS_MAX: usize = 4_000;

/// Points with their coverage (0 to 1), and triangles of them.
#[derive(Debug, Default)]
pub(super) struct Triangles {
    pub points: Vec<([f32; 2], f32)>,
    pub indices: Vec<u32>,
}

/// Tessellates a stroke of `width` along points, with round ends; its edges fade over `soft` units.
pub(super) fn tessellate_stroke(points: &[[f32; 2]], closed: bool, width: f32, soft: f32, out: &mut Triangles) {
    let line = without_repeats(points, closed);
    if line.len() < 2 {
        return;
    }
    // A line thinner than its softness is fainter instead.
    let core = (width / 2.0 - soft / 2.0).max(0.0);
    let edge = width / 2.0 + soft / 2.0;
    let round = StrokeProfile { core, edge, alpha: (width / soft.max(1e-6)).min(1.0) };
    let count = line.len();
    // First indices of the rows by which a point is entered and left: one row, except at a sharp turn.
    let mut rows: Vec<[u32; 2]> = Vec::with_capacity(count);
    for i in 0..count {
        let (come, go) = tangents_at(&line, i, closed);
        let row = match (come, go) {
            (Some(a), Some(b)) if count <= CORNERS_MAX && dot(a, b) < STRAIGHT => round.push_join(line[i], a, b, out),
            (come, go) => {
                if !closed && (come.is_none() || go.is_none()) {
                    let ahead = go.map_or_else(|| come.unwrap_or_default(), reversed);
                    round.push_fan([line[i]; 2], normal(ahead), reversed(normal(ahead)), true, out);
                }
                let normal = miter_at(come, go);
                [round.push_row(line[i], [normal; 2], out); 2]
            }
        };
        rows.push(row);
    }
    let spans = if closed { count } else { count - 1 };
    for i in 0..spans {
        let (a, b) = (rows[i][1], rows[(i + 1) % count][0]);
        for lane in 0..3 {
            out.indices.extend([a + lane, a + lane + 1, b + lane, a + lane + 1, b + lane + 1, b + lane]);
        }
    }
}

/// Cosine of a turn below which no rounding is needed.
const STRAIGHT: f32 = 0.9;
/// Cosine of a turn so sharp that the inner sides of both lines meet far from it.
const SHARP: f32 = -0.5;

/// Cross section of a line: full alpha up to `core` from its middle, transparent from `edge` on.
struct StrokeProfile {
    core: f32,
    edge: f32,
    alpha: f32,
}

impl StrokeProfile {
    /// Adds four vertices across a point, with the normals of its two sides; returns the index of the first.
    fn push_row(&self, at: [f32; 2], [right, left]: [[f32; 2]; 2], out: &mut Triangles) -> u32 {
        let first = out.points.len() as u32;
        let lanes = [(right, -self.edge, 0.0), (right, -self.core, self.alpha), (left, self.core, self.alpha)];
        for (normal, far, seen) in lanes.into_iter().chain([(left, self.edge, 0.0)]) {
            out.points.push((moved_along(at, normal, far), seen));
        }
        first
    }

    /// Adds a join of two directions: round on the outer side, a single corner on the inner one.
    fn push_join(&self, at: [f32; 2], a: [f32; 2], b: [f32; 2], out: &mut Triangles) -> [u32; 2] {
        let left = cross(a, b) < 0.0;
        let (sides, inner) = ([normal(a), normal(b)], miter_at(Some(a), Some(b)));
        let across = |outer: [f32; 2]| match (dot(a, b) < SHARP, left) {
            (true, _) => [outer; 2],
            (_, true) => [inner, outer],
            (_, false) => [outer, inner],
        };
        let rows = sides.map(|outer| self.push_row(at, across(outer), out));
        let [from, to] = if left { sides } else { sides.map(reversed) };
        let middle = match (dot(a, b) < SHARP, left) {
            (true, _) => at,
            (_, true) => moved_along(at, inner, -self.core),
            (_, false) => moved_along(at, inner, self.core),
        };
        self.push_fan([at, middle], from, to, left, out);
        rows
    }

    /// Adds a sector of a disc around a point, from one direction to another; `left` gives the sense. Its full alpha
    /// begins at `middle`.
    fn push_fan(&self, [at, middle]: [[f32; 2]; 2], from: [f32; 2], to: [f32; 2], left: bool, out: &mut Triangles) {
        let begin = from[1].atan2(from[0]);
        let mut sweep = (to[1].atan2(to[0]) - begin).rem_euclid(std::f32::consts::TAU);
        if left {
            sweep -= std::f32::consts::TAU;
        }
        // Enough parts that each deviates from its arc by only a small part of the fade.
        let fine = (self.edge / (self.edge - self.core).max(1e-6)).sqrt() * 0.7;
        let parts = (sweep.abs() * (1.0 + fine)).ceil().clamp(1.0, 24.0) as u32;
        let first = out.points.len() as u32;
        out.points.push((middle, self.alpha));
        for part in 0..=parts {
            let (sin, cos) = (begin + sweep * part as f32 / parts as f32).sin_cos();
            for (far, seen) in [(self.core, self.alpha), (self.edge, 0.0)] {
                out.points.push((moved_along(at, [cos, sin], far), seen));
            }
        }
        for near in (0..parts).map(|part| first + 1 + 2 * part) {
            out.indices.extend([first, near, near + 2, near, near + 1, near + 3, near, near + 3, near + 2]);
        }
    }
}

/// Returns the points of a line without consecutive duplicates.
fn without_repeats(points: &[[f32; 2]], closed: bool) -> Vec<[f32; 2]> {
    let mut line: Vec<[f32; 2]> = Vec::with_capacity(points.len());
    for point in points {
        if line.last() != Some(point) {
            line.push(*point);
        }
    }
    if closed && line.len() > 1 && line.first() == line.last() {
        line.pop();
    }
    line
}

fn unit(from: [f32; 2], to: [f32; 2]) -> [f32; 2] {
    let [x, y] = [to[0] - from[0], to[1] - from[1]];
    let length = x.hypot(y).max(1e-12);
    [x / length, y / length]
}

fn normal(direction: [f32; 2]) -> [f32; 2] {
    [-direction[1], direction[0]]
}

fn reversed(direction: [f32; 2]) -> [f32; 2] {
    direction.map(|x| -x)
}

/// Returns the directions in which a line enters and leaves a point; none at its ends.
fn tangents_at(line: &[[f32; 2]], i: usize, closed: bool) -> (Option<[f32; 2]>, Option<[f32; 2]>) {
    let count = line.len();
    let come = (i > 0 || closed).then(|| unit(line[(i + count - 1) % count], line[i]));
    let go = (i + 1 < count || closed).then(|| unit(line[i], line[(i + 1) % count]));
    (come, go)
}

/// Returns the direction in which a line is widened at a point: perpendicular, and longer at a corner (a mitre, at most
/// doubled).
fn miter_at(come: Option<[f32; 2]>, go: Option<[f32; 2]>) -> [f32; 2] {
    let (Some(a), Some(b)) = (come.or(go), go.or(come)) else { return [0.0; 2] };
    let normals = [normal(a), normal(b)];
    let sum = [normals[0][0] + normals[1][0], normals[0][1] + normals[1][1]];
    let length = sum[0].hypot(sum[1]);
    if length < 0.5 {
        return normals[1];
    }
    // |sum| is twice the cosine of half the turn; the mitre is one over that cosine.
    let scale = (2.0 / length).min(2.0) / length;
    [sum[0] * scale, sum[1] * scale]
}

/// Tessellates the inside of a polygon (even-odd); its edge fades outwards over `soft` units.
pub(super) fn tessellate_fill(points: &[[f32; 2]], soft: f32, out: &mut Triangles) {
    let line = without_repeats(points, true);
    let Some(corners) = tessellate_area(&line, FillRule::EvenOdd, out) else { return };
    // A polygon that crosses itself has no consistent outer side: its edge fades to both sides.
    if corners == line.len() {
        push_fringe(&line, soft, out);
    } else {
        tessellate_stroke(&line, true, soft, soft, out);
    }
}

/// Adds the fading edge of a polygon that does not cross itself.
fn push_fringe(line: &[[f32; 2]], soft: f32, out: &mut Triangles) {
    let count = line.len();
    let twice: f32 = (0..count).map(|i| cross(line[i], line[(i + 1) % count])).sum();
    let outer = if twice > 0.0 { -1.0 } else { 1.0 };
    let round = StrokeProfile { core: 0.0, edge: soft, alpha: 1.0 };
    let mut rows: Vec<[u32; 2]> = Vec::with_capacity(count);
    for (i, at) in line.iter().enumerate() {
        let (come, go) = tangents_at(line, i, true);
        let (a, b) = (come.unwrap_or_default(), go.unwrap_or_default());
        let mut row = |normal: [f32; 2]| {
            let first = out.points.len() as u32;
            let far = soft * outer;
            out.points.extend([(*at, 1.0), (moved_along(*at, normal, far), 0.0)]);
            first
        };
        // A convex corner is rounded; a concave one gets its mitre.
        if cross(a, b) * outer < 0.0 && dot(a, b) < STRAIGHT {
            let both = [row(normal(a)), row(normal(b))];
            let [from, to] = [normal(a), normal(b)].map(|n| n.map(|x| x * outer));
            round.push_fan([*at; 2], from, to, outer > 0.0, out);
            rows.push(both);
        } else {
            rows.push([row(miter_at(come, go)); 2]);
        }
    }
    for i in 0..count {
        let (a, b) = (rows[i][1], rows[(i + 1) % count][0]);
        out.indices.extend([a, a + 1, b, a + 1, b + 1, b]);
    }
}

fn dot(a: [f32; 2], b: [f32; 2]) -> f32 {
    a[0] * b[0] + a[1] * b[1]
}

fn moved_along(at: [f32; 2], direction: [f32; 2], far: f32) -> [f32; 2] {
    [at[0] + direction[0] * far, at[1] + direction[1] * far]
}

fn cross(a: [f32; 2], b: [f32; 2]) -> f32 {
    a[0] * b[1] - a[1] * b[0]
}

/// Tessellates all that a polygon encloses, whatever its winding; its edge is hard.
pub(super) fn tessellate_nonzero(points: &[[f32; 2]], out: &mut Triangles) {
    tessellate_area(points, FillRule::NonZero, out);
}

/// Fills a polygon and returns its vertex count: one per corner, and more where it crosses itself.
/// Returns `None` for a polygon that cannot be filled.
fn tessellate_area(points: &[[f32; 2]], rule: FillRule, out: &mut Triangles) -> Option<usize> {
    let (first, rest) = points.split_first().filter(|(_, rest)| (2..CORNERS_MAX).contains(&rest.len()))?;
    let mut path = Path::builder();
    path.begin(point(first[0], first[1]));
    for at in rest {
        path.line_to(point(at[0], at[1]));
    }
    path.end(true);
    // With 16 bits the tessellator stops at 65,535 corners: a polygon that crosses itself everywhere has millions.
    let mut inside: VertexBuffers<[f32; 2], u16> = VertexBuffers::new();
    let mut sink = BuffersBuilder::new(&mut inside, |vertex: FillVertex| vertex.position().to_array());
    let options = FillOptions::default().with_tolerance(0.25).with_fill_rule(rule);
    // A polygon that cannot be filled is not visible either, for example one that crosses itself at infinity.
    FillTessellator::new().tessellate_path(&path.build(), &options, &mut sink).ok()?;
    let corners = inside.vertices.len();
    let base = out.points.len() as u32;
    out.points.extend(inside.vertices.into_iter().map(|at| (at, 1.0)));
    out.indices.extend(inside.indices.into_iter().map(|index| base + u32::from(index)));
    Some(corners)
}

#[cfg(test)]
mod tests;
