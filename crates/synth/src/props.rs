//! Static props on the square: blocks and posts, intersected by rays.

use super::camera_model::{Vector2, Vector3, dot, normalize, scale, sub};

/// Material of a prop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PropMaterial {
    Metal,
    Wood,
    Stone,
    Glow,
    Bark,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum PropShape {
    /// Half extents along its own x, y and z, rotated by an angle.
    Block { half: Vector3, turn: f32 },
    /// Upright: radius and half of the height.
    Post { radius: f32, half: f32 },
}

/// Prop, positioned by its middle.
#[derive(Debug, Clone, Copy)]
pub(super) struct Prop {
    pub(super) at: Vector3,
    pub(super) shape: PropShape,
    pub(super) material: PropMaterial,
}

/// Intersection of a ray and a prop.
#[derive(Debug, Clone, Copy)]
pub(super) struct RayHit {
    /// Distance in lengths of the ray's direction.
    pub(super) distance: f32,
    pub(super) normal: Vector3,
    /// Position on the face, in metres.
    pub(super) face: Vector2,
}

impl Prop {
    /// Returns a circle on the ground that people avoid: its middle and radius.
    pub(super) fn obstacle_circle(&self) -> Option<(Vector2, f32)> {
        let (radius, bottom) = match self.shape {
            PropShape::Block { half, .. } => (half[0].max(half[1]), self.at[2] - half[2]),
            PropShape::Post { radius, half } => (radius, self.at[2] - half),
        };
        (bottom < 1.5).then_some(([self.at[0], self.at[1]], radius + 0.3))
    }

    /// Returns the corners of its bounding box.
    pub(super) fn corners(&self) -> [Vector3; 8] {
        let [wide, high] = match self.shape {
            PropShape::Block { half, .. } => [half[0].hypot(half[1]), half[2]],
            PropShape::Post { radius, half } => [radius, half],
        };
        std::array::from_fn(|i| {
            let sign = |bit: usize| if i >> bit & 1 == 0 { -1.0 } else { 1.0 };
            let [x, y, z] = self.at;
            [x + wide * sign(0), y + wide * sign(1), z + high * sign(2)]
        })
    }

    /// Returns the radius of its bounding sphere.
    fn bounding_radius(&self) -> f32 {
        match self.shape {
            PropShape::Block { half, .. } => dot(half, half).sqrt(),
            PropShape::Post { radius, half } => radius.hypot(half),
        }
    }

    pub(super) fn intersect(&self, from: Vector3, dir: Vector3) -> Option<RayHit> {
        let to = sub(self.at, from);
        let square = dot(dir, dir);
        let near = dot(to, dir) / square;
        let miss = sub(to, scale(dir, near));
        let around = self.bounding_radius();
        if dot(miss, miss) > around * around {
            return None;
        }
        match self.shape {
            PropShape::Block { half, turn } => intersect_block(half, turn, to, dir),
            PropShape::Post { radius, half } => intersect_post(radius, half, to, dir),
        }
    }
}

fn intersect_block(half: Vector3, turn: f32, to: Vector3, dir: Vector3) -> Option<RayHit> {
    let (sin, cos) = turn.sin_cos();
    let own = |v: Vector3| [v[0] * cos + v[1] * sin, v[1] * cos - v[0] * sin, v[2]];
    let (to, d) = (own(to), own(dir));
    let (mut enter, mut leave, mut axis) = (f32::MIN, f32::MAX, 0);
    for i in 0..3 {
        let by = 1.0 / if d[i].abs() < 1e-9 { 1e-9 } else { d[i] };
        let (a, b) = ((to[i] - half[i]) * by, (to[i] + half[i]) * by);
        let (a, b) = (a.min(b), a.max(b));
        if a > enter {
            (enter, axis) = (a, i);
        }
        leave = leave.min(b);
    }
    if enter > leave || enter < 1e-3 {
        return None;
    }
    let mut normal = [0.0; 3];
    normal[axis] = -d[axis].signum();
    let place = sub(scale(d, enter), to);
    let face = match axis {
        0 => [place[1], place[2]],
        1 => [place[0], place[2]],
        _ => [place[0], place[1]],
    };
    Some(RayHit {
        distance: enter,
        normal: [normal[0] * cos - normal[1] * sin, normal[0] * sin + normal[1] * cos, normal[2]],
        face,
    })
}

fn intersect_post(radius: f32, half: f32, to: Vector3, dir: Vector3) -> Option<RayHit> {
    let a = dir[0] * dir[0] + dir[1] * dir[1];
    let b = to[0] * dir[0] + to[1] * dir[1];
    let c = to[0] * to[0] + to[1] * to[1] - radius * radius;
    let under = b * b - a * c;
    if under < 0.0 || a < 1e-9 {
        return None;
    }
    let far = (b - under.sqrt()) / a;
    let place = sub(scale(dir, far), to);
    if far > 1e-3 && place[2].abs() <= half {
        let normal = normalize([place[0], place[1], 0.0]);
        return Some(RayHit { distance: far, normal, face: [normal[0].atan2(-normal[1]) * radius, place[2]] });
    }
    // Its top, seen from above.
    let far = (to[2] + half) / if dir[2].abs() < 1e-9 { 1e-9 } else { dir[2] };
    let place = sub(scale(dir, far), to);
    let on = far > 1e-3 && dir[2] < 0.0 && place[0].hypot(place[1]) <= radius;
    on.then_some(RayHit { distance: far, normal: [0.0, 0.0, 1.0], face: [place[0], place[1]] })
}

/// Adds a lamp post with its head towards the middle of the square.
pub(super) fn add_lamp_post(at: Vector2, high: f32, toward: f32, things: &mut Vec<Prop>) -> Vector3 {
    let (sin, cos) = toward.sin_cos();
    let post = |x: f32, y: f32, z: f32, radius: f32, half: f32| Prop {
        at: [x, y, z],
        shape: PropShape::Post { radius, half },
        material: PropMaterial::Metal,
    };
    things.push(post(at[0], at[1], high / 2.0, 0.055, high / 2.0));
    things.push(post(at[0], at[1], 0.4, 0.10, 0.4));
    let head = [at[0] + cos * 0.55, at[1] + sin * 0.55, high + 0.02];
    let arm = [at[0] + cos * 0.28, at[1] + sin * 0.28, high];
    things.push(Prop {
        at: arm,
        shape: PropShape::Block { half: [0.32, 0.03, 0.03], turn: toward },
        material: PropMaterial::Metal,
    });
    things.push(Prop {
        at: head,
        shape: PropShape::Block { half: [0.3, 0.12, 0.05], turn: toward },
        material: PropMaterial::Metal,
    });
    let glow = [head[0], head[1], head[2] - 0.06];
    things.push(Prop {
        at: glow,
        shape: PropShape::Block { half: [0.22, 0.09, 0.02], turn: toward },
        material: PropMaterial::Glow,
    });
    glow
}

/// Adds a bench: seat, back and two feet.
pub(super) fn add_bench(at: Vector2, turn: f32, things: &mut Vec<Prop>) {
    let (sin, cos) = turn.sin_cos();
    let place = |x: f32, y: f32, z: f32| [at[0] + x * cos - y * sin, at[1] + x * sin + y * cos, z];
    let mut block = |at: Vector3, half: Vector3, stuff: PropMaterial| {
        things.push(Prop { at, shape: PropShape::Block { half, turn }, material: stuff });
    };
    block(place(0.0, 0.0, 0.44), [0.9, 0.22, 0.03], PropMaterial::Wood);
    block(place(0.0, 0.26, 0.68), [0.9, 0.03, 0.16], PropMaterial::Wood);
    block(place(-0.7, 0.0, 0.21), [0.05, 0.2, 0.21], PropMaterial::Stone);
    block(place(0.7, 0.0, 0.21), [0.05, 0.2, 0.21], PropMaterial::Stone);
}

/// Returns whether a prop stands between `from` and the light in direction `dir`, `far` lengths of it away.
pub(super) fn is_shadowed<'a>(
    mut things: impl Iterator<Item = &'a Prop>,
    from: Vector3,
    dir: Vector3,
    far: f32,
) -> bool {
    things.any(|thing| {
        thing.material != PropMaterial::Glow && thing.intersect(from, dir).is_some_and(|hit| hit.distance < far)
    })
}

/// Returns the nearest prop that a ray meets.
pub(super) fn nearest_hit<'a>(
    things: impl Iterator<Item = &'a Prop>,
    from: Vector3,
    dir: Vector3,
) -> Option<(RayHit, &'a Prop)> {
    things
        .filter_map(|thing| thing.intersect(from, dir).map(|hit| (hit, thing)))
        .min_by(|a, b| a.0.distance.total_cmp(&b.0.distance))
}
