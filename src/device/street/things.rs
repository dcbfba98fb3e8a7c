//! What stands on the square and never moves: blocks and posts, met by a ray.

use super::view::{V2, V3, dot, scale, sub, unit};

/// What a ray meets, and what it is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stuff {
    Metal,
    Wood,
    Stone,
    Glow,
    Bark,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    /// Half sides along its own x, y and z, turned by an angle.
    Block { half: V3, turn: f32 },
    /// Upright: radius and half of the height.
    Post { radius: f32, half: f32 },
}

/// A thing, by its middle.
#[derive(Debug, Clone, Copy)]
pub(super) struct Thing {
    pub(super) at: V3,
    pub(super) shape: Shape,
    pub(super) stuff: Stuff,
}

/// Where a ray meets a thing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hit {
    /// In lengths of the ray's direction.
    pub(super) far: f32,
    pub(super) normal: V3,
    /// On the face, in metres.
    pub(super) face: V2,
}

impl Thing {
    /// A circle on the ground that nobody walks into: its middle and radius.
    pub(super) fn keep_off(&self) -> Option<(V2, f32)> {
        let (radius, bottom) = match self.shape {
            Shape::Block { half, .. } => (half[0].max(half[1]), self.at[2] - half[2]),
            Shape::Post { radius, half } => (radius, self.at[2] - half),
        };
        (bottom < 1.5).then_some(([self.at[0], self.at[1]], radius + 0.3))
    }

    /// The corners of a box around it.
    pub(super) fn corners(&self) -> [V3; 8] {
        let [wide, high] = match self.shape {
            Shape::Block { half, .. } => [half[0].hypot(half[1]), half[2]],
            Shape::Post { radius, half } => [radius, half],
        };
        std::array::from_fn(|i| {
            let sign = |bit: usize| if i >> bit & 1 == 0 { -1.0 } else { 1.0 };
            let [x, y, z] = self.at;
            [x + wide * sign(0), y + wide * sign(1), z + high * sign(2)]
        })
    }

    /// A ball around it: its middle and radius.
    fn around(&self) -> f32 {
        match self.shape {
            Shape::Block { half, .. } => dot(half, half).sqrt(),
            Shape::Post { radius, half } => radius.hypot(half),
        }
    }

    pub(super) fn meet(&self, from: V3, dir: V3) -> Option<Hit> {
        let to = sub(self.at, from);
        let square = dot(dir, dir);
        let near = dot(to, dir) / square;
        let miss = sub(to, scale(dir, near));
        let around = self.around();
        if dot(miss, miss) > around * around {
            return None;
        }
        match self.shape {
            Shape::Block { half, turn } => block(half, turn, to, dir),
            Shape::Post { radius, half } => post(radius, half, to, dir),
        }
    }
}

fn block(half: V3, turn: f32, to: V3, dir: V3) -> Option<Hit> {
    let (sin, cos) = turn.sin_cos();
    let own = |v: V3| [v[0] * cos + v[1] * sin, v[1] * cos - v[0] * sin, v[2]];
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
    Some(Hit {
        far: enter,
        normal: [normal[0] * cos - normal[1] * sin, normal[0] * sin + normal[1] * cos, normal[2]],
        face,
    })
}

fn post(radius: f32, half: f32, to: V3, dir: V3) -> Option<Hit> {
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
        let normal = unit([place[0], place[1], 0.0]);
        return Some(Hit { far, normal, face: [normal[0].atan2(-normal[1]) * radius, place[2]] });
    }
    // Its top, seen from above.
    let far = (to[2] + half) / if dir[2].abs() < 1e-9 { 1e-9 } else { dir[2] };
    let place = sub(scale(dir, far), to);
    let on = far > 1e-3 && dir[2] < 0.0 && place[0].hypot(place[1]) <= radius;
    on.then_some(Hit { far, normal: [0.0, 0.0, 1.0], face: [place[0], place[1]] })
}

/// A lamp post with its head towards the middle of the square.
pub(super) fn lamp_post(at: V2, high: f32, toward: f32, things: &mut Vec<Thing>) -> V3 {
    let (sin, cos) = toward.sin_cos();
    let post = |x: f32, y: f32, z: f32, radius: f32, half: f32| Thing {
        at: [x, y, z],
        shape: Shape::Post { radius, half },
        stuff: Stuff::Metal,
    };
    things.push(post(at[0], at[1], high / 2.0, 0.055, high / 2.0));
    things.push(post(at[0], at[1], 0.4, 0.10, 0.4));
    let head = [at[0] + cos * 0.55, at[1] + sin * 0.55, high + 0.02];
    let arm = [at[0] + cos * 0.28, at[1] + sin * 0.28, high];
    things.push(Thing { at: arm, shape: Shape::Block { half: [0.32, 0.03, 0.03], turn: toward }, stuff: Stuff::Metal });
    things.push(Thing { at: head, shape: Shape::Block { half: [0.3, 0.12, 0.05], turn: toward }, stuff: Stuff::Metal });
    let glow = [head[0], head[1], head[2] - 0.06];
    things.push(Thing { at: glow, shape: Shape::Block { half: [0.22, 0.09, 0.02], turn: toward }, stuff: Stuff::Glow });
    glow
}

/// A bench: seat, back and two feet.
pub(super) fn bench(at: V2, turn: f32, things: &mut Vec<Thing>) {
    let (sin, cos) = turn.sin_cos();
    let place = |x: f32, y: f32, z: f32| [at[0] + x * cos - y * sin, at[1] + x * sin + y * cos, z];
    let mut block = |at: V3, half: V3, stuff: Stuff| {
        things.push(Thing { at, shape: Shape::Block { half, turn }, stuff });
    };
    block(place(0.0, 0.0, 0.44), [0.9, 0.22, 0.03], Stuff::Wood);
    block(place(0.0, 0.26, 0.68), [0.9, 0.03, 0.16], Stuff::Wood);
    block(place(-0.7, 0.0, 0.21), [0.05, 0.2, 0.21], Stuff::Stone);
    block(place(0.7, 0.0, 0.21), [0.05, 0.2, 0.21], Stuff::Stone);
}

/// Whether something stands between `from` and the light that comes from `dir`, `far` lengths of it away.
pub(super) fn shaded<'a>(mut things: impl Iterator<Item = &'a Thing>, from: V3, dir: V3, far: f32) -> bool {
    things.any(|thing| thing.stuff != Stuff::Glow && thing.meet(from, dir).is_some_and(|hit| hit.far < far))
}

/// The nearest thing that a ray meets.
pub(super) fn nearest<'a>(things: impl Iterator<Item = &'a Thing>, from: V3, dir: V3) -> Option<(Hit, &'a Thing)> {
    things.filter_map(|thing| thing.meet(from, dir).map(|hit| (hit, thing))).min_by(|a, b| a.0.far.total_cmp(&b.0.far))
}
