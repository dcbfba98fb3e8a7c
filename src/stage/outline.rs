//! Lines and polygons as triangles with soft edges, since software rasterisers have no multisampling to spare.

use lyon_tessellation::math::point;
use lyon_tessellation::path::Path;
use lyon_tessellation::{BuffersBuilder, FillOptions, FillRule, FillTessellator, FillVertex, VertexBuffers};

/// Most corners of a filled polygon; crossings grow with their square.
const CORNERS_MAX: usize = 4_000;

/// Points with how much of their colour is seen (0 to 1), and triangles of them.
#[derive(Debug, Default)]
pub(super) struct Triangles {
    pub points: Vec<([f32; 2], f32)>,
    pub indices: Vec<u32>,
}

/// A stroke of `width` along points; its edges fade over `soft` units.
pub(super) fn stroke(points: &[[f32; 2]], closed: bool, width: f32, soft: f32, out: &mut Triangles) {
    let mut line: Vec<[f32; 2]> = Vec::with_capacity(points.len());
    for point in points {
        if line.last() != Some(point) {
            line.push(*point);
        }
    }
    if closed && line.len() > 1 && line.first() == line.last() {
        line.pop();
    }
    if line.len() < 2 {
        return;
    }
    // A line thinner than its own softness is fainter instead.
    let core = (width / 2.0 - soft / 2.0).max(0.0);
    let edge = width / 2.0 + soft / 2.0;
    let strength = (width / soft.max(1e-6)).min(1.0);
    let count = line.len();
    let first = out.points.len() as u32;
    for i in 0..count {
        let normal = join(&line, i, closed);
        let at = line[i];
        for (far, seen) in [(-edge, 0.0), (-core, strength), (core, strength), (edge, 0.0)] {
            out.points.push(([at[0] + normal[0] * far, at[1] + normal[1] * far], seen));
        }
    }
    let spans = if closed { count } else { count - 1 };
    for i in 0..spans as u32 {
        let a = first + i * 4;
        let b = first + (i + 1) % count as u32 * 4;
        for lane in 0..3 {
            out.indices.extend([a + lane, a + lane + 1, b + lane, a + lane + 1, b + lane + 1, b + lane]);
        }
    }
}

fn unit(from: [f32; 2], to: [f32; 2]) -> [f32; 2] {
    let [x, y] = [to[0] - from[0], to[1] - from[1]];
    let length = x.hypot(y).max(1e-12);
    [x / length, y / length]
}

/// The direction in which a line is widened at a point: square to it, longer at a corner (a mitre, at most doubled).
fn join(line: &[[f32; 2]], i: usize, closed: bool) -> [f32; 2] {
    let count = line.len();
    let before = if i > 0 {
        Some(line[i - 1])
    } else if closed {
        line.last().copied()
    } else {
        None
    };
    let after = if i + 1 < count {
        Some(line[i + 1])
    } else if closed {
        line.first().copied()
    } else {
        None
    };
    let come = before.map(|before| unit(before, line[i]));
    let go = after.map(|after| unit(line[i], after));
    let (Some(a), Some(b)) = (come.or(go), go.or(come)) else { return [0.0; 2] };
    let normals = [[-a[1], a[0]], [-b[1], b[0]]];
    let sum = [normals[0][0] + normals[1][0], normals[0][1] + normals[1][1]];
    let length = sum[0].hypot(sum[1]);
    if length < 0.5 {
        return normals[1];
    }
    // |sum| is twice the cosine of half the turn; the mitre is one over that cosine.
    let scale = (2.0 / length).min(2.0) / length;
    [sum[0] * scale, sum[1] * scale]
}

/// The inside of a polygon (even-odd); its edge fades outwards over `soft` units.
pub(super) fn fill(points: &[[f32; 2]], soft: f32, out: &mut Triangles) {
    if area(points, FillRule::EvenOdd, out) {
        stroke(points, true, soft, soft, out);
    }
}

/// All that a polygon encloses, however it winds; its edge is hard.
pub(super) fn enclosed(points: &[[f32; 2]], out: &mut Triangles) {
    area(points, FillRule::NonZero, out);
}

/// False for a polygon that cannot be filled.
fn area(points: &[[f32; 2]], rule: FillRule, out: &mut Triangles) -> bool {
    let Some((first, rest)) = points.split_first().filter(|(_, rest)| (2..CORNERS_MAX).contains(&rest.len())) else {
        return false;
    };
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
    // A polygon that cannot be filled is one that cannot be seen: crossing itself at infinity, say.
    if FillTessellator::new().tessellate_path(&path.build(), &options, &mut sink).is_err() {
        return false;
    }
    let base = out.points.len() as u32;
    out.points.extend(inside.vertices.into_iter().map(|at| (at, 1.0)));
    out.indices.extend(inside.indices.into_iter().map(|index| base + u32::from(index)));
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covered(triangles: &Triangles) -> f32 {
        let at = |i: u32| triangles.points[i as usize].0;
        triangles
            .indices
            .chunks(3)
            .map(|t| {
                let [a, b, c] = [at(t[0]), at(t[1]), at(t[2])];
                ((b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1])).abs() / 2.0
            })
            .sum()
    }

    #[test]
    fn a_square_has_its_area() {
        let mut out = Triangles::default();
        fill(&[[0.0, 0.0], [10.0, 0.0], [10.0, 10.0], [0.0, 10.0]], 0.001, &mut out);
        assert!((covered(&out) - 100.0).abs() < 0.2, "{}", covered(&out));
    }

    #[test]
    fn a_straight_line_is_as_wide_as_it_says() {
        let mut out = Triangles::default();
        stroke(&[[0.0, 0.0], [50.0, 0.0], [100.0, 0.0]], false, 4.0, 0.01, &mut out);
        assert!((covered(&out) - 401.0).abs() < 1.0, "{}", covered(&out));
    }

    #[test]
    fn what_a_polygon_encloses_has_no_holes() {
        // A star of five points drawn in one go: even-odd sees nothing in its middle.
        let star: Vec<[f32; 2]> = (0..5)
            .map(|i| std::f32::consts::TAU * 0.4 * i as f32)
            .map(|angle| [10.0 * angle.cos(), 10.0 * angle.sin()])
            .collect();
        let mut out = Triangles::default();
        enclosed(&star, &mut out);
        assert!((covered(&out) - 112.26).abs() < 0.5, "{}", covered(&out));
        let mut out = Triangles::default();
        enclosed(&star[..2], &mut out);
        assert!(out.indices.is_empty());
    }

    #[test]
    fn what_cannot_be_drawn_draws_nothing() {
        let mut out = Triangles::default();
        stroke(&[[1.0, 1.0], [1.0, 1.0]], true, 4.0, 1.0, &mut out);
        fill(&[[1.0, 1.0]], 1.0, &mut out);
        stroke(&[], false, 4.0, 1.0, &mut out);
        assert!(out.indices.is_empty());
        stroke(&[[0.0, 0.0], [5.0, 0.0], [0.0, 0.0]], false, 4.0, 1.0, &mut out);
        assert!(out.points.iter().flat_map(|p| p.0).all(f32::is_finite));
    }
}
