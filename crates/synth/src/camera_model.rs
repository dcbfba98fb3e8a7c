//! Pinhole camera over the square: maps positions in metres to pixels and back.
//!
//! Metres: x to the right, y away from the camera, z up; the camera stands at (0, 0, height).

/// Position or direction in the frame (pixels) or on the ground (metres).
pub(super) type Vector2 = [f32; 2];
/// Position or direction over the square, in metres.
pub(super) type Vector3 = [f32; 3];

pub(super) fn dot(a: Vector3, b: Vector3) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

pub(super) fn cross(a: Vector3, b: Vector3) -> Vector3 {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

pub(super) fn add(a: Vector3, b: Vector3) -> Vector3 {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}

pub(super) fn sub(a: Vector3, b: Vector3) -> Vector3 {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

pub(super) fn scale(a: Vector3, by: f32) -> Vector3 {
    a.map(|v| v * by)
}

pub(super) fn lerp(a: Vector3, b: Vector3, t: f32) -> Vector3 {
    add(a, scale(sub(b, a), t))
}

/// Returns the vector with length 1, or straight up if `a` has length zero.
pub(super) fn normalize(a: Vector3) -> Vector3 {
    let length = dot(a, a).sqrt();
    if length > 1e-9 { scale(a, 1.0 / length) } else { [0.0, 0.0, 1.0] }
}

/// Returns 0 below `from`, 1 above `to`, and a smooth transition between.
pub(super) fn smoothstep(from: f32, to: f32, x: f32) -> f32 {
    let t = ((x - from) / (to - from)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// Near clipping distance in front of the lens, in metres.
const NEAR: f32 = 0.4;

/// Camera position, tilt and focal length.
#[derive(Debug, Clone)]
pub(super) struct PinholeCamera {
    /// Size of the frame in pixels.
    pub(super) size: [usize; 2],
    /// Height above the ground, in metres.
    pub(super) height: f32,
    /// Focal length in pixels.
    pub(super) focal: f32,
    /// Principal point, in pixels.
    pub(super) centre: Vector2,
    sin: f32,
    cos: f32,
}

impl PinholeCamera {
    /// Creates a camera; `pitch` is in radians below the horizon, `focal` in heights of the frame.
    pub(super) fn new(size: [usize; 2], height: f32, pitch: f32, focal: f32) -> Self {
        let [w, h] = size.map(|side| side as f32);
        Self { size, height, focal: focal * h, centre: [w / 2.0, h / 2.0], sin: pitch.sin(), cos: pitch.cos() }
    }

    /// Projects a point to pixels and its depth along the optical axis in metres.
    /// Returns `None` behind the lens or too near to it.
    pub(super) fn project(&self, [x, y, z]: Vector3) -> Option<(Vector2, f32)> {
        let z = z - self.height;
        let far = y * self.cos - z * self.sin;
        let up = y * self.sin + z * self.cos;
        let by = self.focal / far;
        (far > NEAR).then(|| ([self.centre[0] + x * by, self.centre[1] - up * by], far))
    }

    /// Returns the direction through a pixel, scaled to one metre along the optical axis.
    pub(super) fn ray(&self, [u, v]: Vector2) -> Vector3 {
        let right = (u - self.centre[0]) / self.focal;
        let up = (self.centre[1] - v) / self.focal;
        [right, self.cos + up * self.sin, up * self.cos - self.sin]
    }

    /// Returns the position of the lens.
    pub(super) fn eye(&self) -> Vector3 {
        [0.0, 0.0, self.height]
    }

    /// Returns the unit direction from a point to the lens.
    pub(super) fn direction_from(&self, place: Vector3) -> Vector3 {
        normalize(sub(self.eye(), place))
    }

    /// Returns half the width of the ground visible at a distance, in metres.
    pub(super) fn half_width(&self, y: f32) -> f32 {
        self.size[0] as f32 / 2.0 / self.focal * (y * self.cos + self.height * self.sin).max(0.5)
    }

    /// Returns the distance of the nearest visible ground straight ahead, in metres.
    pub(super) fn nearest_ground(&self) -> f32 {
        let ray = self.ray([self.centre[0], self.size[1] as f32]);
        self.height * ray[1] / (-ray[2]).max(0.05)
    }

    /// Returns the distance at which a person `tall` metres tall covers `share` of the frame's height.
    pub(super) fn distance_for_size(&self, tall: f32, share: f32) -> f32 {
        let depth = tall * 0.96 * self.focal / (share * self.size[1] as f32);
        (depth - self.height * self.sin) / self.cos
    }
}
