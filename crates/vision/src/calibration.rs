//! Mapping from a camera's frame to the canvas.
//! It is given by four corners, or life-size with the feet on a common ground.

use super::{Mask, MotionField, TrackedPerson};
use moongate_core::presence::{Body, Homography, MOTION_GRID, Point};

/// Physical placement of a site's screen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScreenPlacement {
    /// Width of the whole canvas, in metres.
    pub width: f32,
    /// Height of the canvas's lower edge above the ground, in metres.
    pub height: f32,
}

/// Mapping between one camera's frame and the canvas.
#[derive(Debug, Clone)]
pub struct CameraCalibration {
    /// Maps from fractions of the frame to canvas units, and back.
    to_canvas: Homography,
    to_camera: Homography,
    canvas: Point,
    screen: Option<ScreenPlacement>,
}

/// Transform of one body from the frame to the canvas.
enum BodyTransform {
    /// Mapping by the wall's corners.
    Planar,
    /// Scaling about the foot: its place in the frame and on the canvas, and canvas units per pixel.
    /// `scale` is across and down.
    Upright { foot: Point, stands: Point, scale: Point },
}

impl CameraCalibration {
    /// Creates a calibration from the frame positions of four corners of the canvas part `part`.
    /// `corners` are fractions of the frame, in the order top left, top right, bottom right, bottom left. `part` is
    /// left, top, width, height as fractions of the canvas. `canvas` is in canvas units. Returns `None` if the corners
    /// span no area.
    pub fn new(corners: [Point; 4], part: [f32; 4], canvas: Point, metres: Option<ScreenPlacement>) -> Option<Self> {
        let [left, top, width, height] = part;
        let to = [[left, top], [left + width, top], [left + width, top + height], [left, top + height]];
        let there = Homography::from_points(corners, to.map(|[x, y]| [x * canvas[0], y * canvas[1]]))?;
        Some(Self { to_canvas: there, to_camera: there.inverse()?, canvas, screen: metres })
    }

    /// Maps a person to a body on the canvas; `size` is the size of the frame in pixels.
    /// Returns `None` if it lies beyond the horizon or has no outline.
    pub fn map_body(&self, figure: &TrackedPerson, size: Point) -> Option<Body> {
        let way = self.body_transform(figure, size)?;
        let map = |at: Point| self.map(&way, at, size);
        let outline: Vec<Point> = figure.outline.iter().filter_map(|point| map(*point)).collect();
        if outline.len() < 3 {
            return None;
        }
        let foot = map(figure.foot)?;
        // The point 0.1 s ahead is mapped too, so that perspective is applied to the velocity.
        let ahead = map([figure.foot[0] + figure.velocity[0] * 0.1, figure.foot[1] + figure.velocity[1] * 0.1])?;
        Some(Body {
            id: figure.id,
            people: figure.people,
            still: figure.still,
            foot,
            head: map(figure.head)?,
            reach: figure.reach.and_then(map),
            velocity: [(ahead[0] - foot[0]) * 10.0, (ahead[1] - foot[1]) * 10.0],
            outline,
            faded: 0.0,
        })
    }

    /// Draws the bodies of `mask` into `into`, which covers the canvas.
    /// Sets 255 where a body is and leaves the rest unchanged. `figures` are the people that were reported with the
    /// mask.
    pub fn draw_mask(&self, figures: &[TrackedPerson], mask: &Mask, size: Point, into: &mut Mask) {
        let texel = [self.canvas[0] / into.width as f32, self.canvas[1] / into.height as f32];
        let scale = [mask.width as f32 / size[0], mask.height as f32 / size[1]];
        for (index, figure) in figures.iter().enumerate() {
            let Some(way) = self.body_transform(figure, size) else { continue };
            let Some([left, top, right, bottom]) = self.body_extent(figure, &way, size) else { continue };
            let whole = |value: f32, axis: usize, most: usize| ((value / texel[axis]).max(0.0) as usize).min(most);
            for y in whole(top, 1, into.height)..whole(bottom + texel[1], 1, into.height) {
                for x in whole(left, 0, into.width)..whole(right + texel[0], 0, into.width) {
                    let at = [(x as f32 + 0.5) * texel[0], (y as f32 + 0.5) * texel[1]];
                    let Some([u, v]) = self.unmap(&way, at, size) else { continue };
                    let (u, v) = (u * scale[0], v * scale[1]);
                    if u < 0.0 || v < 0.0 || u as usize >= mask.width || v as usize >= mask.height {
                        continue;
                    }
                    if usize::from(mask.pixels[v as usize * mask.width + u as usize]) == index + 1 {
                        into.pixels[y * into.width + x] = 255;
                    }
                }
            }
        }
    }

    /// Adds the motion of the frame to `cells` (32 × 18 over the canvas), in canvas units per second.
    /// Each cell keeps the faster motion.
    pub fn add_flow(&self, motion: &MotionField, size: Point, cells: &mut [Point]) {
        for (index, cell) in cells.iter_mut().enumerate().take(MOTION_GRID[0] * MOTION_GRID[1]) {
            let part = |i: usize, count: usize| (i as f32 + 0.5) / count as f32;
            let [u, v] = [part(index % MOTION_GRID[0], MOTION_GRID[0]), part(index / MOTION_GRID[0], MOTION_GRID[1])];
            let Some(at) = self.to_camera.map([u * self.canvas[0], v * self.canvas[1]]) else { continue };
            if !(0.0..1.0).contains(&at[0]) || !(0.0..1.0).contains(&at[1]) {
                continue;
            }
            let [x, y] = [(at[0] * MOTION_GRID[0] as f32) as usize, (at[1] * MOTION_GRID[1] as f32) as usize];
            let [dx, dy] = motion.cells[y * MOTION_GRID[0] + x];
            if dx == 0.0 && dy == 0.0 {
                continue;
            }
            // The position 0.01 s later.
            let from = self.to_canvas.map(at);
            let to = self.to_canvas.map([at[0] + dx * 0.01 / size[0], at[1] + dy * 0.01 / size[1]]);
            if let (Some(from), Some(to)) = (from, to) {
                let here = [(to[0] - from[0]) * 100.0, (to[1] - from[1]) * 100.0];
                if here[0].hypot(here[1]) > cell[0].hypot(cell[1]) {
                    *cell = here;
                }
            }
        }
    }

    fn map_planar(&self, at: Point, size: Point) -> Option<Point> {
        self.to_canvas.map([at[0] / size[0], at[1] / size[1]])
    }

    fn body_transform(&self, figure: &TrackedPerson, size: Point) -> Option<BodyTransform> {
        let Some(metres) = self.screen else { return Some(BodyTransform::Planar) };
        let units = self.canvas[0] / metres.width;
        let foot = self.map_planar(figure.foot, size)?;
        let right = self.map_planar([figure.foot[0] + 1.0, figure.foot[1]], size)?;
        let scale = units / figure.pixels_per_metre.max(1.0);
        let mirror = if right[0] < foot[0] { -1.0 } else { 1.0 };
        Some(BodyTransform::Upright {
            foot: figure.foot,
            stands: [foot[0], self.canvas[1] + metres.height * units],
            scale: [scale * mirror, scale],
        })
    }

    fn map(&self, way: &BodyTransform, at: Point, size: Point) -> Option<Point> {
        match way {
            BodyTransform::Planar => self.map_planar(at, size),
            BodyTransform::Upright { foot, stands, scale } => {
                Some([stands[0] + (at[0] - foot[0]) * scale[0], stands[1] + (at[1] - foot[1]) * scale[1]])
            }
        }
    }

    fn unmap(&self, way: &BodyTransform, at: Point, size: Point) -> Option<Point> {
        match way {
            BodyTransform::Planar => self.to_camera.map(at).map(|[u, v]| [u * size[0], v * size[1]]),
            BodyTransform::Upright { foot, stands, scale } => {
                Some([foot[0] + (at[0] - stands[0]) / scale[0], foot[1] + (at[1] - stands[1]) / scale[1]])
            }
        }
    }

    fn body_extent(&self, figure: &TrackedPerson, way: &BodyTransform, size: Point) -> Option<[f32; 4]> {
        let mut points = figure.outline.iter().filter_map(|point| self.map(way, *point, size));
        let [x, y] = points.next()?;
        Some(points.fold([x, y, x, y], |all, [x, y]| [all[0].min(x), all[1].min(y), all[2].max(x), all[3].max(y)]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: [Point; 4] = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]];

    fn figure() -> TrackedPerson {
        let outline = vec![[320.0, 400.0], [300.0, 300.0], [320.0, 200.0], [340.0, 300.0]];
        TrackedPerson {
            outline,
            foot: [320.0, 400.0],
            head: [320.0, 215.0],
            velocity: [64.0, 0.0],
            pixels_per_metre: 100.0,
            ..TrackedPerson::default()
        }
    }

    #[test]
    fn a_whole_picture_covers_the_whole_canvas() {
        let place = CameraCalibration::new(WHOLE, [0.0, 0.0, 1.0, 1.0], [1920.0, 1080.0], None).expect("a square");
        let body = place.map_body(&figure(), [640.0, 480.0]).expect("it has an outline");
        assert!((body.foot[0] - 960.0).abs() < 0.1 && (body.foot[1] - 900.0).abs() < 0.1, "{:?}", body.foot);
        assert!((body.velocity[0] - 192.0).abs() < 1.0, "{:?}", body.velocity);
    }

    #[test]
    fn two_sites_show_a_person_life_size_on_one_ground() {
        // A person is two metres tall in the frame; the two walls differ in size and in height above the ground.
        for (metres, part) in
            [(ScreenPlacement { width: 4.0, height: 0.5 }, 2.0), (ScreenPlacement { width: 8.0, height: 0.0 }, 2.0)]
        {
            let place =
                CameraCalibration::new(WHOLE, [0.0, 0.0, 1.0, 1.0], [1920.0, 1080.0], Some(metres)).expect("a square");
            let body = place.map_body(&figure(), [640.0, 480.0]).expect("it has an outline");
            let metre = 1920.0 / metres.width;
            let top = body.outline.iter().map(|point| point[1]).fold(f32::MAX, f32::min);
            assert!((body.foot[1] - (1080.0 + metres.height * metre)).abs() < 0.1, "feet on the ground");
            assert!(((body.foot[1] - top) / metre - part).abs() < 0.01, "life-size");
        }
    }

    #[test]
    fn a_mirrored_wall_mirrors_people_and_their_mask() {
        let mirrored = [WHOLE[1], WHOLE[0], WHOLE[3], WHOLE[2]];
        let place = CameraCalibration::new(mirrored, [0.0, 0.0, 1.0, 1.0], [1920.0, 1080.0], None).expect("a square");
        let mut figure = figure();
        for point in &mut figure.outline {
            point[0] -= 200.0;
        }
        figure.foot[0] -= 200.0;
        let body = place.map_body(&figure, [640.0, 480.0]).expect("it has an outline");
        assert!((body.foot[0] - 1560.0).abs() < 0.1);
        let mut seen = Mask { width: 64, height: 48, pixels: vec![0; 64 * 48] };
        for y in 20..40 {
            seen.pixels[y * 64 + 11..y * 64 + 13].fill(1);
        }
        let mut canvas = Mask { width: 320, height: 180, pixels: vec![0; 320 * 180] };
        place.draw_mask(&[figure], &seen, [640.0, 480.0], &mut canvas);
        assert_eq!(canvas.pixels[110 * 320 + 260], 255);
        assert_eq!(canvas.pixels[110 * 320 + 60], 0);
        let mut cells = vec![[0.0; 2]; MOTION_GRID[0] * MOTION_GRID[1]];
        let mut motion = MotionField::default();
        motion.cells[9 * 32 + 8] = [64.0, 0.0];
        place.add_flow(&motion, [640.0, 480.0], &mut cells);
        assert!((cells[9 * 32 + 23][0] + 192.0).abs() < 1.0, "{:?}", cells[9 * 32 + 23]);
    }
}
