//! One who is followed: where, how large, how it looked, for how long.

use super::work::Plane;
use crate::presence::Point;

/// Cells of a look, across and down.
pub(super) const LOOK: [usize; 2] = [4, 8];

/// Brightness of a body in a grid over its box: enough to know it again among its neighbours.
pub(super) type Look = [f32; LOOK[0] * LOOK[1]];

/// Left, top, right, bottom in work pixels; right and bottom lie outside.
pub(super) type Bounds = [f32; 4];

/// Someone who is followed; lengths in work pixels, times in seconds.
#[derive(Debug, Clone, Default)]
pub(super) struct Person {
    pub id: u16,
    /// The middle of the box's lower edge.
    pub foot: Point,
    pub velocity: Point,
    /// Width and height.
    pub size: Point,
    pub look: Look,
    /// How sure the look is, 0 to 1.
    pub known: f32,
    /// Time since it was first seen.
    pub age: f32,
    /// Frames in which it was seen.
    pub hits: u32,
    /// Time since it was last seen.
    pub missed: f32,
    /// It has been told of.
    pub told: bool,
    /// Where it was first seen.
    pub born: Point,
    /// It has left that place by more than its own width.
    pub moved: bool,
    /// Where it stands while it stands still, and since when.
    pub stands: Point,
    pub still: f32,
    /// Pixels of the mask that are its own in this frame.
    pub owned: u32,
    /// It was measured alone, not among others, in this frame.
    pub alone: bool,
    /// Smoothed brightness change within it, in steps a frame: what is alive is never quite still.
    pub stir: f32,
    /// How many it may be.
    pub people: u8,
}

impl Person {
    pub fn bounds(&self) -> Bounds {
        bounds(self.foot, self.size)
    }

    /// Where it will be `dt` later.
    pub fn predicted(&self, dt: f32) -> Point {
        [self.foot[0] + self.velocity[0] * dt, self.foot[1] + self.velocity[1] * dt]
    }
}

/// The box of a body.
pub(super) fn bounds(foot: Point, size: Point) -> Bounds {
    [foot[0] - size[0] / 2.0, foot[1] - size[1], foot[0] + size[0] / 2.0, foot[1]]
}

/// The part of the first box that lies in the second.
pub(super) fn within(a: Bounds, b: Bounds) -> f32 {
    let width = (a[2].min(b[2]) - a[0].max(b[0])).max(0.0);
    let height = (a[3].min(b[3]) - a[1].max(b[1])).max(0.0);
    let area = (a[2] - a[0]) * (a[3] - a[1]);
    if area > 0.0 { width * height / area } else { 0.0 }
}

/// Reads the look of a box; few samples a cell are enough.
pub(super) fn look(seen: &Plane, at: Bounds) -> Look {
    let mut look = [0.0; LOOK[0] * LOOK[1]];
    let [width, height] = [at[2] - at[0], at[3] - at[1]];
    for (i, cell) in look.iter_mut().enumerate() {
        let [u, v] = [(i % LOOK[0]) as f32, (i / LOOK[0]) as f32];
        let mut sum = 0.0;
        // The outermost fifth on both sides is mostly background.
        for k in 0..4 {
            let [du, dv] = [0.25 + 0.5 * (k % 2) as f32, 0.25 + 0.5 * (k / 2) as f32];
            let x = at[0] + width * (0.2 + 0.6 * (u + du) / LOOK[0] as f32);
            let y = at[1] + height * (0.02 + 0.96 * (v + dv) / LOOK[1] as f32);
            let x = (x.max(0.0) as usize).min(seen.width - 1);
            let y = (y.max(0.0) as usize).min(seen.height - 1);
            sum += f32::from(seen.at(x, y));
        }
        *cell = sum / 4.0;
    }
    look
}

/// How much two looks differ: 0 for the same, about 1 for two strangers.
pub(super) fn unlike(a: &Look, b: &Look) -> f32 {
    let sum: f32 = a.iter().zip(b).map(|(a, b)| (a - b).abs().min(60.0)).sum();
    sum / a.len() as f32 / 30.0
}
