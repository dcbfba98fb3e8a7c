//! Rasterises the outlines of bodies that have no camera frame, as a camera would see them: the twin's and recorded
//! visitors.

use crate::presence::{Body, MOTION_GRID, Point};
use crate::render::PresenceMap;

/// Columns of the mask, as a camera's; its rows follow from the canvas's shape.
const WIDTH: usize = 320;

/// Returns bodies as a mask and a motion field. `canvas` is in canvas units.
pub(crate) fn rasterize_bodies(version: u64, bodies: &[Body], canvas: Point) -> PresenceMap {
    let height = (canvas[1] / canvas[0] * WIDTH as f32).round().clamp(1.0, 1024.0) as usize;
    let mut mask = vec![0; WIDTH * height];
    let mut flow = vec![[0.0; 2]; MOTION_GRID[0] * MOTION_GRID[1]];
    for body in bodies {
        fill_polygon(&body.outline, canvas, [WIDTH, height], |texel| mask[texel] = 255);
        fill_polygon(&body.outline, canvas, MOTION_GRID, |cell| flow[cell] = body.velocity);
    }
    PresenceMap { version, width: WIDTH, height, mask, flow }
}

/// Calls `each` with every cell of a grid over the canvas whose centre lies within a polygon.
fn fill_polygon(polygon: &[Point], canvas: Point, [width, height]: [usize; 2], mut each: impl FnMut(usize)) {
    let mut crossings: Vec<f32> = Vec::new();
    for row in 0..height {
        let y = (row as f32 + 0.5) * canvas[1] / height as f32;
        crossings.clear();
        for (a, b) in polygon.iter().zip(polygon.iter().cycle().skip(1)) {
            if (a[1] <= y) != (b[1] <= y) {
                crossings.push(a[0] + (y - a[1]) / (b[1] - a[1]) * (b[0] - a[0]));
            }
        }
        crossings.sort_unstable_by(f32::total_cmp);
        for pair in crossings.chunks_exact(2) {
            // The conversion saturates: columns beyond the canvas are cut off, and NaN becomes 0.
            let column = |x: f32| ((x / canvas[0] * width as f32 + 0.5).floor() as usize).min(width);
            (column(pair[0])..column(pair[1])).for_each(|column| each(row * width + column));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_cut_out_where_it_stands() {
        let outline = vec![[160.0, 45.0], [240.0, 45.0], [240.0, 135.0], [160.0, 135.0]];
        let beyond = vec![[-1e30, 0.0], [f32::NAN, 90.0], [1e30, 180.0]];
        let body = |outline, x| Body { outline, velocity: [x, 0.0], ..Body::default() };
        let seen = rasterize_bodies(3, &[body(outline.clone(), 9.0)], [320.0, 180.0]);
        assert_eq!((seen.version, seen.width, seen.height, seen.mask.len()), (3, 320, 180, 320 * 180));
        assert_eq!(seen.mask.iter().filter(|texel| **texel == 255).count(), 80 * 90);
        assert_eq!((seen.mask[45 * 320 + 160], seen.mask[45 * 320 + 159], seen.mask[135 * 320 + 200]), (255, 0, 0));
        assert_eq!((seen.flow[9 * 32 + 20], seen.flow[9 * 32 + 8]), ([9.0, 0.0], [0.0; 2]));
        // Any outline terminates.
        rasterize_bodies(4, &[body(beyond, f32::NAN), body(outline[..1].to_vec(), 1.0)], [320.0, 180.0]);
    }
}
