//! Mapping from a camera's frame to the canvas.
//! It is given by four corners, or life-size with the feet on a common ground.

use super::{Mask, MotionField, TrackedPerson};
use euclid::{Box2D, Point2D, UnknownUnit, vec2};
use moongate_core::geometry::{CameraPoint, CameraSize, CameraVector, FractionPoint, FractionRect};
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
    Upright { foot: CameraPoint, stands: Point, scale: Point },
}

impl CameraCalibration {
    /// Creates a calibration from the frame positions of four corners of the canvas part `part`.
    /// `corners` are of the frame, in the order top left, top right, bottom right, bottom left; `part` is of the canvas, which has
    /// `canvas` units. Returns `None` if the corners span no area.
    pub fn new(
        corners: [FractionPoint; 4],
        part: FractionRect,
        canvas: Point,
        metres: Option<ScreenPlacement>,
    ) -> Option<Self> {
        let (min, max) = (part.min(), part.max());
        let to = [[min.x, min.y], [max.x, min.y], [max.x, max.y], [min.x, max.y]];
        let to = to.map(|[x, y]| [x * canvas[0], y * canvas[1]]);
        let there = Homography::from_points(corners.map(FractionPoint::to_array), to)?;
        Some(Self { to_canvas: there, to_camera: there.inverse()?, canvas, screen: metres })
    }

    /// Maps a person to a body on the canvas; `size` is the size of the frame in pixels.
    /// Returns `None` if it lies beyond the horizon or has no outline.
    pub fn map_body(&self, figure: &TrackedPerson, size: CameraSize) -> Option<Body> {
        let way = self.body_transform(figure, size)?;
        let map = |at: CameraPoint| self.map(&way, at, size);
        let outline: Vec<Point> = figure.outline.iter().filter_map(|point| map(*point)).collect();
        if outline.len() < 3 {
            return None;
        }
        let foot = map(figure.foot)?;
        // The point 0.1 s ahead is mapped too, so that perspective is applied to the velocity.
        let ahead = map(figure.foot + figure.velocity * 0.1)?;
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
    pub fn draw_mask(&self, figures: &[TrackedPerson], mask: &Mask, size: CameraSize, into: &mut Mask) {
        let texel = [self.canvas[0] / into.width as f32, self.canvas[1] / into.height as f32];
        let scale = [mask.width as f32 / size.width, mask.height as f32 / size.height];
        for (index, figure) in figures.iter().enumerate() {
            let Some(way) = self.body_transform(figure, size) else { continue };
            let Some(Box2D { min, max, .. }) = self.body_extent(figure, &way, size) else { continue };
            let whole = |value: f32, axis: usize, most: usize| ((value / texel[axis]).max(0.0) as usize).min(most);
            for y in whole(min.y, 1, into.height)..whole(max.y + texel[1], 1, into.height) {
                for x in whole(min.x, 0, into.width)..whole(max.x + texel[0], 0, into.width) {
                    let at = [(x as f32 + 0.5) * texel[0], (y as f32 + 0.5) * texel[1]];
                    let Some(at) = self.unmap(&way, at, size) else { continue };
                    let (u, v) = (at.x * scale[0], at.y * scale[1]);
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
    pub fn add_flow(&self, motion: &MotionField, size: CameraSize, cells: &mut [Point]) {
        for (index, cell) in cells.iter_mut().enumerate().take(MOTION_GRID[0] * MOTION_GRID[1]) {
            let part = |i: usize, count: usize| (i as f32 + 0.5) / count as f32;
            let [u, v] = [part(index % MOTION_GRID[0], MOTION_GRID[0]), part(index / MOTION_GRID[0], MOTION_GRID[1])];
            let Some(at) = self.to_camera.map([u * self.canvas[0], v * self.canvas[1]]) else { continue };
            if !(0.0..1.0).contains(&at[0]) || !(0.0..1.0).contains(&at[1]) {
                continue;
            }
            let [x, y] = [(at[0] * MOTION_GRID[0] as f32) as usize, (at[1] * MOTION_GRID[1] as f32) as usize];
            let moved = motion.cells[y * MOTION_GRID[0] + x];
            if moved == CameraVector::zero() {
                continue;
            }
            // The position 0.01 s later.
            let from = self.to_canvas.map(at);
            let to = self.to_canvas.map([at[0] + moved.x * 0.01 / size.width, at[1] + moved.y * 0.01 / size.height]);
            if let (Some(from), Some(to)) = (from, to) {
                let here = [(to[0] - from[0]) * 100.0, (to[1] - from[1]) * 100.0];
                if here[0].hypot(here[1]) > cell[0].hypot(cell[1]) {
                    *cell = here;
                }
            }
        }
    }

    fn map_planar(&self, at: CameraPoint, size: CameraSize) -> Option<Point> {
        self.to_canvas.map([at.x / size.width, at.y / size.height])
    }

    fn body_transform(&self, figure: &TrackedPerson, size: CameraSize) -> Option<BodyTransform> {
        let Some(metres) = self.screen else { return Some(BodyTransform::Planar) };
        let units = self.canvas[0] / metres.width;
        let foot = self.map_planar(figure.foot, size)?;
        let right = self.map_planar(figure.foot + vec2(1.0, 0.0), size)?;
        let scale = units / figure.pixels_per_metre.max(1.0);
        let mirror = if right[0] < foot[0] { -1.0 } else { 1.0 };
        Some(BodyTransform::Upright {
            foot: figure.foot,
            stands: [foot[0], self.canvas[1] + metres.height * units],
            scale: [scale * mirror, scale],
        })
    }

    fn map(&self, way: &BodyTransform, at: CameraPoint, size: CameraSize) -> Option<Point> {
        match way {
            BodyTransform::Planar => self.map_planar(at, size),
            BodyTransform::Upright { foot, stands, scale } => {
                let off = at - *foot;
                Some([stands[0] + off.x * scale[0], stands[1] + off.y * scale[1]])
            }
        }
    }

    fn unmap(&self, way: &BodyTransform, at: Point, size: CameraSize) -> Option<CameraPoint> {
        match way {
            BodyTransform::Planar => {
                self.to_camera.map(at).map(|[u, v]| CameraPoint::new(u * size.width, v * size.height))
            }
            BodyTransform::Upright { foot, stands, scale } => {
                Some(*foot + vec2((at[0] - stands[0]) / scale[0], (at[1] - stands[1]) / scale[1]))
            }
        }
    }

    /// Returns the box of a body's outline, in canvas units.
    fn body_extent(
        &self,
        figure: &TrackedPerson,
        way: &BodyTransform,
        size: CameraSize,
    ) -> Option<Box2D<f32, UnknownUnit>> {
        let points: Vec<_> = figure.outline.iter().filter_map(|point| self.map(way, *point, size)).collect();
        (!points.is_empty()).then(|| Box2D::from_points(points.into_iter().map(Point2D::from)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use euclid::point2;
    use moongate_core::geometry::WHOLE;

    const SIZE: CameraSize = CameraSize::new(640.0, 480.0);
    const CORNERS: [FractionPoint; 4] = [point2(0.0, 0.0), point2(1.0, 0.0), point2(1.0, 1.0), point2(0.0, 1.0)];

    fn figure() -> TrackedPerson {
        let outline = vec![point2(320.0, 400.0), point2(300.0, 300.0), point2(320.0, 200.0), point2(340.0, 300.0)];
        TrackedPerson {
            outline,
            foot: point2(320.0, 400.0),
            head: point2(320.0, 215.0),
            velocity: vec2(64.0, 0.0),
            pixels_per_metre: 100.0,
            ..TrackedPerson::default()
        }
    }

    #[test]
    fn a_whole_picture_covers_the_whole_canvas() {
        let place = CameraCalibration::new(CORNERS, WHOLE, [1920.0, 1080.0], None).expect("a square");
        let body = place.map_body(&figure(), SIZE).expect("it has an outline");
        assert!((body.foot[0] - 960.0).abs() < 0.1 && (body.foot[1] - 900.0).abs() < 0.1, "{:?}", body.foot);
        assert!((body.velocity[0] - 192.0).abs() < 1.0, "{:?}", body.velocity);
    }

    #[test]
    fn two_sites_show_a_person_life_size_on_one_ground() {
        // A person is two metres tall in the frame; the two walls differ in size and in height above the ground.
        for (metres, part) in
            [(ScreenPlacement { width: 4.0, height: 0.5 }, 2.0), (ScreenPlacement { width: 8.0, height: 0.0 }, 2.0)]
        {
            let place = CameraCalibration::new(CORNERS, WHOLE, [1920.0, 1080.0], Some(metres)).expect("a square");
            let body = place.map_body(&figure(), SIZE).expect("it has an outline");
            let metre = 1920.0 / metres.width;
            let top = body.outline.iter().map(|point| point[1]).fold(f32::MAX, f32::min);
            assert!((body.foot[1] - (1080.0 + metres.height * metre)).abs() < 0.1, "feet on the ground");
            assert!(((body.foot[1] - top) / metre - part).abs() < 0.01, "life-size");
        }
    }

    #[test]
    fn a_mirrored_wall_mirrors_people_and_their_mask() {
        let mirrored = [CORNERS[1], CORNERS[0], CORNERS[3], CORNERS[2]];
        let place = CameraCalibration::new(mirrored, WHOLE, [1920.0, 1080.0], None).expect("a square");
        let mut figure = figure();
        for point in &mut figure.outline {
            point.x -= 200.0;
        }
        figure.foot.x -= 200.0;
        let body = place.map_body(&figure, SIZE).expect("it has an outline");
        assert!((body.foot[0] - 1560.0).abs() < 0.1);
        let mut seen = Mask { width: 64, height: 48, pixels: vec![0; 64 * 48] };
        for y in 20..40 {
            seen.pixels[y * 64 + 11..y * 64 + 13].fill(1);
        }
        let mut canvas = Mask { width: 320, height: 180, pixels: vec![0; 320 * 180] };
        place.draw_mask(&[figure], &seen, SIZE, &mut canvas);
        assert_eq!(canvas.pixels[110 * 320 + 260], 255);
        assert_eq!(canvas.pixels[110 * 320 + 60], 0);
        let mut cells = vec![[0.0; 2]; MOTION_GRID[0] * MOTION_GRID[1]];
        let mut motion = MotionField::default();
        motion.cells[9 * 32 + 8] = vec2(64.0, 0.0);
        place.add_flow(&motion, SIZE, &mut cells);
        assert!((cells[9 * 32 + 23][0] + 192.0).abs() < 1.0, "{:?}", cells[9 * 32 + 23]);
    }
}
