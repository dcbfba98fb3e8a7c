//! Tests that lines and polygons cover what they should, once.

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
    tessellate_fill(&[[0.0, 0.0], [10.0, 0.0], [10.0, 10.0], [0.0, 10.0]], 0.001, &mut out);
    assert!((covered(&out) - 100.0).abs() < 0.2, "{}", covered(&out));
}

#[test]
fn a_straight_line_is_as_wide_as_it_says() {
    let mut out = Triangles::default();
    tessellate_stroke(&[[0.0, 0.0], [50.0, 0.0], [100.0, 0.0]], false, 4.0, 0.01, &mut out);
    // The line, and half a disc at each end.
    assert!((covered(&out) - 413.0).abs() < 1.0, "{}", covered(&out));
}

#[test]
fn an_edge_that_fades_lies_outside_and_covers_nothing_twice() {
    let square = [[0.0, 0.0], [10.0, 0.0], [10.0, 10.0], [0.0, 10.0]];
    let back: Vec<[f32; 2]> = square.iter().rev().copied().collect();
    for ring in [&square[..], &back] {
        let mut out = Triangles::default();
        tessellate_fill(ring, 2.0, &mut out);
        // The square, four sides of its fade and four quarters of a disc, with as many corners as those have.
        assert!((covered(&out) - (100.0 + 80.0 + 12.0)).abs() < 1.5, "{}", covered(&out));
    }
}

#[test]
fn a_sharp_turn_is_round_on_its_outer_side() {
    for side in [1.0, -1.0] {
        let mut out = Triangles::default();
        tessellate_stroke(&[[0.0, 0.0], [50.0, 0.0], [0.0, 10.0 * side]], false, 8.0, 0.01, &mut out);
        let far = out.points.iter().map(|(at, _)| at[0]).fold(0.0, f32::max);
        assert!((53.5..54.1).contains(&far), "{far}");
    }
}

#[test]
fn what_a_polygon_encloses_has_no_holes() {
    // A five-pointed star in one line: even-odd leaves its middle empty.
    let star: Vec<[f32; 2]> = (0..5)
        .map(|i| std::f32::consts::TAU * 0.4 * i as f32)
        .map(|angle| [10.0 * angle.cos(), 10.0 * angle.sin()])
        .collect();
    let mut out = Triangles::default();
    tessellate_nonzero(&star, &mut out);
    assert!((covered(&out) - 112.26).abs() < 0.5, "{}", covered(&out));
    let mut out = Triangles::default();
    tessellate_nonzero(&star[..2], &mut out);
    assert!(out.indices.is_empty());
}

#[test]
fn what_cannot_be_drawn_draws_nothing() {
    let mut out = Triangles::default();
    tessellate_stroke(&[[1.0, 1.0], [1.0, 1.0]], true, 4.0, 1.0, &mut out);
    tessellate_fill(&[[1.0, 1.0]], 1.0, &mut out);
    tessellate_stroke(&[], false, 4.0, 1.0, &mut out);
    assert!(out.indices.is_empty());
    tessellate_stroke(&[[0.0, 0.0], [5.0, 0.0], [0.0, 0.0]], false, 4.0, 1.0, &mut out);
    assert!(out.points.iter().flat_map(|p| p.0).all(f32::is_finite));
}

#[test]
fn a_long_zigzag_takes_no_more_points_than_it_has_corners_for() {
    let zigzag: Vec<[f32; 2]> = (0..50_000u16).map(|i| [f32::from(i), 40.0 * f32::from(i % 2)]).collect();
    let mut out = Triangles::default();
    tessellate_stroke(&zigzag, false, 4_000.0, 1.0, &mut out);
    assert!(out.points.len() < 5 * zigzag.len(), "{}", out.points.len());
}
