//! Coordinate mapping: from a point of a window to the canvas, and from the twin's canvas to ours.

use super::{Body, Point, Presence};
use crate::geometry::{FractionRect, WindowPoint, WindowRect, WindowSize};

/// Part of the canvas that a screen shows, in canvas units.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CanvasRegion {
    /// Top left corner.
    pub origin: Point,
    /// Width and height, both above 0.
    pub size: Point,
}

impl CanvasRegion {
    /// Returns a part of a canvas of `canvas` units.
    pub fn from_fractions(canvas: Point, FractionRect { origin, size }: FractionRect) -> Self {
        Self {
            origin: [origin.x * canvas[0], origin.y * canvas[1]],
            size: [size.width * canvas[0], size.height * canvas[1]],
        }
    }

    /// Fits this part into a window, centred and without cropping.
    ///
    /// Returns the place of the image in the window; the rest of the window is bleed.
    pub fn fit(&self, window: WindowSize) -> WindowRect {
        let scale = (window.width / self.size[0]).min(window.height / self.size[1]);
        let size = WindowSize::new(self.size[0] * scale, self.size[1] * scale);
        WindowRect::new(((window - size).to_vector() / 2.0).to_point(), size)
    }

    /// Maps a point of the window to the canvas, clamped to the part that the window shows.
    ///
    /// `None` for a window without a size, or a point that is not finite.
    pub fn to_canvas(&self, window: WindowSize, at: WindowPoint) -> Option<Point> {
        let image = self.fit(window);
        let x = (at.x - image.origin.x) / image.size.width;
        let y = (at.y - image.origin.y) / image.size.height;
        (x.is_finite() && y.is_finite()).then(|| {
            [self.origin[0] + x.clamp(0.0, 1.0) * self.size[0], self.origin[1] + y.clamp(0.0, 1.0) * self.size[1]]
        })
    }
}

/// Layout of two cities on one stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TwinLayout {
    /// Side by side: x is unchanged.
    #[default]
    Beside,
    /// Face to face, as through a window: the twin's x is mirrored.
    Facing,
}

impl TwinLayout {
    /// Maps a point of the twin's canvas to ours.
    pub fn map_point(self, width: f32, at: Point) -> Point {
        match self {
            Self::Beside => at,
            Self::Facing => [width - at[0], at[1]],
        }
    }

    /// Maps everything in the twin's presence to our canvas.
    pub fn map_presence(self, width: f32, there: &mut Presence) {
        if self == Self::Beside {
            return;
        }
        for touch in &mut there.touches {
            touch.at = self.map_point(width, touch.at);
        }
        for Body { foot, head, reach, velocity, outline, .. } in &mut there.bodies {
            velocity[0] = -velocity[0];
            for point in [foot, head].into_iter().chain(reach).chain(outline) {
                *point = self.map_point(width, *point);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::WHOLE;
    use euclid::{point2, rect, size2};

    #[test]
    fn a_window_of_another_shape_shows_all_with_bleed() {
        let view = CanvasRegion::from_fractions([1920.0, 1080.0], WHOLE);
        assert_eq!(view.fit(size2(960.0, 960.0)), rect(0.0, 210.0, 960.0, 540.0));
        assert_eq!(view.to_canvas(size2(960.0, 960.0), point2(480.0, 480.0)), Some([960.0, 540.0]));
        assert_eq!(
            view.to_canvas(size2(960.0, 960.0), point2(480.0, 0.0)),
            Some([960.0, 0.0]),
            "bleed belongs to the edge"
        );
    }

    #[test]
    fn the_second_of_two_screens_shows_the_right_half() {
        let view = CanvasRegion::from_fractions([1920.0, 1080.0], rect(0.5, 0.0, 0.5, 1.0));
        assert_eq!(view.to_canvas(size2(960.0, 1080.0), point2(0.0, 0.0)), Some([960.0, 0.0]));
        assert_eq!(view.to_canvas(size2(960.0, 1080.0), point2(960.0, 1080.0)), Some([1920.0, 1080.0]));
    }

    #[test]
    fn a_window_without_a_size_yields_no_point() {
        let view = CanvasRegion::from_fractions([1920.0, 1080.0], WHOLE);
        assert_eq!(view.to_canvas(size2(0.0, 0.0), point2(0.0, 0.0)), None);
        assert_eq!(view.to_canvas(size2(10.0, 10.0), point2(f32::NAN, 0.0)), None);
    }

    #[test]
    fn facing_mirrors_everything_twice_to_itself() {
        let body = Body { foot: [100.0, 9.0], velocity: [5.0, 0.0], reach: Some([7.0, 7.0]), ..Body::default() };
        let before = Presence { touches: vec![], bodies: vec![body] };
        let mut there = before.clone();
        TwinLayout::Facing.map_presence(1920.0, &mut there);
        assert_eq!(there.bodies[0].foot, [1820.0, 9.0]);
        assert_eq!(there.bodies[0].velocity, [-5.0, 0.0]);
        TwinLayout::Facing.map_presence(1920.0, &mut there);
        assert_eq!(there, before);
    }
}
