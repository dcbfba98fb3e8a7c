//! Materials, and a rasterizer for limbs with soft edges.

use super::camera_model::Vector2;
use super::noise::TILE_SIDE;

/// Material: reflectance, colour and weave.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct SurfaceMaterial {
    /// Linear reflectance, 0 to 1.
    pub(super) reflectance: f32,
    /// Blue and red difference as fractions of the coded brightness: they stay as the light changes.
    pub(super) uv: Vector2,
    /// Strength of folds and weave.
    pub(super) roughness: f32,
    pub(super) pattern: FabricPattern,
}

/// Pattern of a fabric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FabricPattern {
    Plain,
    Stripes,
    Check,
    /// Worn open over something brighter.
    Open,
    /// Dark bars around the middle, as of spokes.
    Spokes,
}

impl SurfaceMaterial {
    /// Creates a material from coded red, green and blue, 0 to 1.
    pub(super) fn new([r, g, b]: [f32; 3]) -> Self {
        let y = (0.299 * r + 0.587 * g + 0.114 * b).max(0.02);
        let uv = [0.564 * (b - y) / y, 0.713 * (r - y) / y].map(|c| c.clamp(-0.6, 0.6));
        Self { reflectance: y * y, uv, roughness: 0.1, pattern: FabricPattern::Plain }
    }

    pub(super) fn with_roughness(self, rough: f32) -> Self {
        Self { roughness: rough, ..self }
    }

    pub(super) fn with_pattern(self, pattern: FabricPattern) -> Self {
        Self { pattern, ..self }
    }

    /// Returns the same colour with `by` times the reflectance.
    pub(super) fn scaled(self, by: f32) -> Self {
        Self { reflectance: (self.reflectance * by).clamp(0.004, 0.95), ..self }
    }
}

/// Samples of brightness across a limb, from its left edge to its right.
pub(super) const PROFILE_SAMPLES: usize = 17;

/// Width of an edge in pixels: the lens's blur.
const EDGE_WIDTH: f32 = 1.35;

/// Limb in the frame, in pixels: a spine with a width, round or flat at its ends.
#[derive(Debug, Clone)]
pub(super) struct ProjectedLimb {
    pub(super) a: Vector2,
    pub(super) b: Vector2,
    /// Half widths at both ends, and the additional width in the middle.
    pub(super) half_width: Vector2,
    pub(super) bulge: f32,
    /// Length of the caps beyond `a` and `b`.
    pub(super) cap: Vector2,
    pub(super) material: SurfaceMaterial,
    /// Light across the limb.
    pub(super) light_profile: [f32; PROFILE_SAMPLES],
    /// Metres per pixel, for the weave.
    pub(super) metre: f32,
    /// Origin of the weave in its tile.
    pub(super) weave: [f32; 2],
    /// Opacity; 1 is opaque.
    pub(super) opacity: f32,
    /// Sort key; limbs are drawn in ascending order.
    pub(super) depth: f32,
}

impl ProjectedLimb {
    /// Returns left, top, right, bottom in pixels, edges included.
    pub(super) fn bounds(&self) -> [f32; 4] {
        let reach = self.half_width[0].max(self.half_width[1]) + self.bulge.max(0.0);
        let by = [reach.max(self.cap[0]) + EDGE_WIDTH, reach.max(self.cap[1]) + EDGE_WIDTH];
        [
            (self.a[0] - by[0]).min(self.b[0] - by[1]),
            (self.a[1] - by[0]).min(self.b[1] - by[1]),
            (self.a[0] + by[0]).max(self.b[0] + by[1]),
            (self.a[1] + by[0]).max(self.b[1] + by[1]),
        ]
    }

    /// Calls `spot` for each pixel within `clip` (left, top, right, bottom).
    /// Its arguments are x, y, coverage, position along the limb in pixels and position across it from -1 to 1.
    pub(super) fn for_each_pixel(&self, clip: [i32; 4], edge: f32, mut spot: impl FnMut(i32, i32, f32, f32, f32)) {
        let bounds = self.bounds();
        if !bounds.iter().all(|side| side.is_finite()) {
            return;
        }
        let grow = (edge - EDGE_WIDTH).max(0.0);
        let (left, right) = (((bounds[0] - grow) as i32).max(clip[0]), ((bounds[2] + grow) as i32 + 1).min(clip[2]));
        let (top, bottom) = (((bounds[1] - grow) as i32).max(clip[1]), ((bounds[3] + grow) as i32 + 1).min(clip[3]));
        let (dx, dy) = (self.b[0] - self.a[0], self.b[1] - self.a[1]);
        let length = dx.hypot(dy).max(1e-3);
        let (dx, dy) = (dx / length, dy / length);
        let [wa, wb] = self.half_width.map(|w| w.max(0.05));
        let [ca, cb] = self.cap.map(|c| c.max(0.05));
        let widest = wa.max(wb) + self.bulge.max(0.0) + edge;
        let (per_length, soft) = (1.0 / length, 1.0 / edge);
        let bulge = 4.0 * self.bulge;
        // For ends flatter than round: the scale of the distance beyond an end, and the sharpness of its edge.
        let (far_a, far_b) = (wa / ca, wb / cb);
        let (soft_a, soft_b) = (soft * (ca / wa).min(1.0), soft * (cb / wb).min(1.0));
        for y in top..bottom {
            let py = y as f32 + 0.5 - self.a[1];
            let (mut from, mut to) = (left, right);
            if dy.abs() > 1e-3 {
                let (middle, half) = (self.a[0] + py * dx / dy, widest / dy.abs());
                from = from.max((middle - half - 1.0).max(-1e9) as i32);
                to = to.min((middle + half + 1.0).min(1e9) as i32);
            }
            let px = from as f32 + 0.5 - self.a[0];
            let (mut along, mut across) = (px * dx + py * dy - dx, px * dy - py * dx - dy);
            for x in from..to {
                along += dx;
                across += dy;
                let t = (along * per_length).clamp(0.0, 1.0);
                let wide = (wa + (wb - wa) * t + bulge * t * (1.0 - t)).max(0.05);
                let (past, soft) = if along < 0.0 {
                    (along * far_a, soft_a)
                } else if along > length {
                    ((along - length) * far_b, soft_b)
                } else {
                    (0.0, soft)
                };
                let cover = 0.5 - ((past * past + across * across).sqrt() - wide) * soft;
                if cover > 0.0 {
                    spot(x, y, cover.min(1.0), along, (across / wide).clamp(-1.0, 1.0));
                }
            }
        }
    }
}

/// Rounds a small number: the last bits of a large `f32` count in ones, which is faster than a cast.
/// Below zero it wraps at 2^22.
#[inline]
fn round_to_index(value: f32) -> usize {
    ((value + 12_582_912.0).to_bits() & 0x3f_ffff) as usize
}

/// Buffer in which a person is drawn before it is composited over the square.
#[derive(Debug, Default)]
pub(super) struct SpriteBuffer {
    /// Left, top, right, bottom in the frame's pixels.
    pub(super) clip: [i32; 4],
    /// Light, blue and red fraction, coverage; the first three premultiplied by the coverage.
    pub(super) pixels: Vec<[f32; 4]>,
}

impl SpriteBuffer {
    /// Clears the buffer and fits it to `limbs` in a frame of `size`; returns false if they are outside.
    pub(super) fn begin(&mut self, limbs: &[ProjectedLimb], size: [usize; 2]) -> bool {
        let mut bounds = [f32::MAX, f32::MAX, f32::MIN, f32::MIN];
        for limb in limbs {
            let [l, t, r, b] = limb.bounds();
            bounds = [bounds[0].min(l), bounds[1].min(t), bounds[2].max(r), bounds[3].max(b)];
        }
        let [w, h] = size.map(|side| side as f32);
        self.clip = [
            bounds[0].clamp(0.0, w) as i32,
            bounds[1].clamp(0.0, h) as i32,
            (bounds[2] + 1.0).clamp(0.0, w) as i32,
            (bounds[3] + 1.0).clamp(0.0, h) as i32,
        ];
        let (wide, high) = (self.clip[2] - self.clip[0], self.clip[3] - self.clip[1]);
        self.pixels.clear();
        if wide <= 0 || high <= 0 {
            return false;
        }
        self.pixels.resize(wide as usize * high as usize, [0.0; 4]);
        true
    }

    /// Draws one limb below the existing content: the nearest comes first.
    pub(super) fn draw(&mut self, limb: &ProjectedLimb, tile: &[f32]) {
        let [left, top, right, _] = self.clip;
        let wide = (right - left) as usize;
        let cloth = limb.material;
        // Folds finer than a pixel would only cause flicker.
        let fine = (0.035 / limb.metre.max(1e-4)).clamp(0.0, 1.0);
        let rough = cloth.roughness * fine;
        let pixels = &mut self.pixels;
        let cells = limb.metre * 64.0;
        let half = limb.half_width[0].max(limb.half_width[1]);
        limb.for_each_pixel(self.clip, EDGE_WIDTH, |x, y, cover, along, across| {
            let at = &mut pixels[(y - top) as usize * wide + (x - left) as usize];
            if at[3] > 0.985 {
                return;
            }
            let place = (across + 1.0) * ((PROFILE_SAMPLES - 1) as f32 / 2.0);
            let slot = round_to_index(place - 0.499).min(PROFILE_SAMPLES - 2);
            let light = limb.light_profile[slot]
                + (limb.light_profile[slot + 1] - limb.light_profile[slot]) * (place - slot as f32);
            let (s, t) = (along * cells + limb.weave[0], across * half * cells + limb.weave[1]);
            let fold = tile[(round_to_index(s) & (TILE_SIDE - 1)) * TILE_SIDE + (round_to_index(t) & (TILE_SIDE - 1))];
            let mut shine = cloth.reflectance * light * (1.0 + rough * fold);
            match cloth.pattern {
                FabricPattern::Plain => {}
                FabricPattern::Stripes => shine *= if ((s * 0.22) as i32) & 1 == 0 { 1.0 - 0.45 * fine } else { 1.0 },
                FabricPattern::Check => {
                    let dark = u8::from(((s * 0.16) as i32) & 1 == 0) + u8::from(((t * 0.16) as i32) & 1 == 0);
                    shine *= 1.0 - 0.2 * fine * f32::from(dark);
                }
                FabricPattern::Open => shine *= if across.abs() < 0.28 { 1.7 } else { 1.0 },
                FabricPattern::Spokes => {
                    shine *= if ((s * 0.5) as i32 + (t * 0.5) as i32) % 3 == 0 { 1.6 } else { 0.8 }
                }
            }
            let cover = cover * limb.opacity * (1.0 - at[3]);
            *at = [at[0] + shine * cover, at[1] + cloth.uv[0] * cover, at[2] + cloth.uv[1] * cover, at[3] + cover];
        });
    }
}
