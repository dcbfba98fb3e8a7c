//! The camera over the square: places in metres become places in the picture, and back.
//!
//! Metres: x to the right, y away from the camera, z up; the camera stands at (0, 0, height).

/// A place or direction in the picture (pixels) or on the ground (metres).
pub(super) type Vector2 = [f32; 2];
/// A place or direction over the square, in metres.
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

/// Of length 1, or straight up where `a` has no length.
pub(super) fn normalize(a: Vector3) -> Vector3 {
    let length = dot(a, a).sqrt();
    if length > 1e-9 { scale(a, 1.0 / length) } else { [0.0, 0.0, 1.0] }
}

/// 0 below `from`, 1 above `to`, smooth between.
pub(super) fn smoothstep(from: f32, to: f32, x: f32) -> f32 {
    let t = ((x - from) / (to - from)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// Nearer than this in front of the lens, in metres, nothing is drawn.
const NEAR: f32 = 0.4;

/// Where the camera hangs and how it looks down.
#[derive(Debug, Clone)]
pub(super) struct PinholeCamera {
    /// The picture, in pixels.
    pub(super) size: [usize; 2],
    /// Above the ground, in metres.
    pub(super) height: f32,
    /// Focal length in pixels.
    pub(super) focal: f32,
    /// Where the middle of the lens's view falls in the picture.
    pub(super) centre: Vector2,
    sin: f32,
    cos: f32,
}

impl PinholeCamera {
    /// `pitch` in radians below the horizon, `focal` in heights of the picture.
    pub(super) fn new(size: [usize; 2], height: f32, pitch: f32, focal: f32) -> Self {
        let [w, h] = size.map(|side| side as f32);
        Self { size, height, focal: focal * h, centre: [w / 2.0, h / 2.0], sin: pitch.sin(), cos: pitch.cos() }
    }

    /// Where a place is seen, and how far off along the lens's axis in metres; none behind or too near the lens.
    pub(super) fn project(&self, [x, y, z]: Vector3) -> Option<(Vector2, f32)> {
        let z = z - self.height;
        let far = y * self.cos - z * self.sin;
        let up = y * self.sin + z * self.cos;
        let by = self.focal / far;
        (far > NEAR).then(|| ([self.centre[0] + x * by, self.centre[1] - up * by], far))
    }

    /// The direction that a place in the picture looks in; its length is that of one metre along the lens's axis.
    pub(super) fn ray(&self, [u, v]: Vector2) -> Vector3 {
        let right = (u - self.centre[0]) / self.focal;
        let up = (self.centre[1] - v) / self.focal;
        [right, self.cos + up * self.sin, up * self.cos - self.sin]
    }

    /// Where the lens is.
    pub(super) fn eye(&self) -> Vector3 {
        [0.0, 0.0, self.height]
    }

    /// From a place to the lens, of length 1.
    pub(super) fn direction_from(&self, place: Vector3) -> Vector3 {
        normalize(sub(self.eye(), place))
    }

    /// Half of the ground's width that is seen at a distance, in metres.
    pub(super) fn half_width(&self, y: f32) -> f32 {
        self.size[0] as f32 / 2.0 / self.focal * (y * self.cos + self.height * self.sin).max(0.5)
    }

    /// The nearest ground that is seen straight ahead, in metres.
    pub(super) fn nearest_ground(&self) -> f32 {
        let ray = self.ray([self.centre[0], self.size[1] as f32]);
        self.height * ray[1] / (-ray[2]).max(0.05)
    }

    /// How far off someone `tall` metres is seen as `share` of the picture's height.
    pub(super) fn distance_for_size(&self, tall: f32, share: f32) -> f32 {
        let depth = tall * 0.96 * self.focal / (share * self.size[1] as f32);
        (depth - self.height * self.sin) / self.cos
    }
}
