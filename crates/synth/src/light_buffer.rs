//! Linear light of a frame, and its exposure by the sensor.

use super::SynthFrame;
use super::camera_model::Vector2;
use super::foliage::SoftEllipse;
use super::lighting::Lighting;
use super::noise::gaussian_noise;

/// Number of stored noise values; each row begins at a different one.
const NOISE_LENGTH: usize = 1 << 15;

/// Frame in linear light, before the exposure.
#[derive(Debug, Default)]
pub(super) struct LightBuffer {
    pub(super) size: [usize; 2],
    pub(super) light: Vec<f32>,
    /// Colour of each block of two by two pixels.
    pub(super) uv: Vec<Vector2>,
    /// Shadow on the ground for ambient light and for the key light; 255 is full shadow.
    pub(super) ambient_shadow: Vec<u8>,
    pub(super) key_shadow: Vec<u8>,
}

impl LightBuffer {
    pub(super) fn new(size: [usize; 2]) -> Self {
        let [w, h] = size;
        Self {
            size,
            light: vec![0.0; w * h],
            uv: vec![[0.0; 2]; w.div_ceil(2) * h.div_ceil(2)],
            ambient_shadow: vec![0; w * h],
            key_shadow: vec![0; w * h],
        }
    }

    /// Returns the number of chroma pixels in a row.
    pub(super) fn chroma_width(&self) -> usize {
        self.size[0].div_ceil(2)
    }

    /// Blends light and colour over a pixel.
    #[inline]
    pub(super) fn blend(&mut self, x: usize, y: usize, shine: f32, uv: Vector2, cover: f32) {
        let at = y * self.size[0] + x;
        let rest = 1.0 - cover;
        self.light[at] = self.light[at] * rest + shine;
        if x & 1 == 0 && y & 1 == 0 {
            let half = self.chroma_width();
            let c = &mut self.uv[(y / 2) * half + x / 2];
            *c = [c[0] * rest + uv[0], c[1] * rest + uv[1]];
        }
    }
}

/// Calls `spot(x, y, cover)` for each pixel of a soft ellipse.
pub(super) fn splat_ellipse(blot: &SoftEllipse, size: [usize; 2], sharp: f32, mut spot: impl FnMut(usize, usize, f32)) {
    let [rx, ry] = blot.radius.map(|r| r.max(0.4));
    let [w, h] = size.map(|side| side as f32);
    let range =
        |at: f32, r: f32, most: f32| ((at - r).clamp(0.0, most) as usize, (at + r + 1.0).clamp(0.0, most) as usize);
    let ((left, right), (top, bottom)) = (range(blot.centre[0], rx, w), range(blot.centre[1], ry, h));
    for y in top..bottom {
        let dy = (y as f32 + 0.5 - blot.centre[1]) / ry;
        for x in left..right {
            let dx = (x as f32 + 0.5 - blot.centre[0]) / rx;
            let cover = ((1.0 - dx * dx - dy * dy) * sharp).min(1.0);
            if cover > 0.0 {
                spot(x, y, cover * blot.opacity);
            }
        }
    }
}

/// Lens and sensor of one camera.
#[derive(Debug)]
pub(super) struct CameraSensor {
    grain: Vec<f32>,
    /// Vignetting of the lens: transmission across and down.
    vignette: [Vec<f32>; 2],
}

impl CameraSensor {
    pub(super) fn new([w, h]: [usize; 2], random: &mut fastrand::Rng) -> Self {
        let fall = |side: usize| -> Vec<f32> {
            let middle = side as f32 / 2.0;
            (0..side).map(|at| 1.0 - 0.11 * ((at as f32 + 0.5 - middle) / middle).powi(2)).collect()
        };
        Self { grain: gaussian_noise(NOISE_LENGTH + w, random), vignette: [fall(w), fall(h)] }
    }

    /// Converts light to luma values, with noise.
    ///
    /// A sensor counts photons, so noise grows with the square root of the light. Coded brightness is about that root
    /// too, so the noise is uniform in it.
    pub(super) fn expose(
        &self,
        canvas: &LightBuffer,
        light: &Lighting,
        frame: &mut SynthFrame,
        random: &mut fastrand::Rng,
    ) {
        let [w, h] = canvas.size;
        frame.y.resize(w * h, 16);
        frame.u.resize(canvas.uv.len(), 128);
        frame.v.resize(canvas.uv.len(), 128);
        let noise = light.noise;
        let across = &self.vignette[0][..w];
        let rows = canvas.light.chunks_exact(w).zip(&self.vignette[1]);
        for (out, (row, down)) in frame.y.chunks_exact_mut(w).zip(rows) {
            let start = random.usize(..NOISE_LENGTH);
            let grain = &self.grain[start..start + w];
            for x in 0..w {
                let light = (row[x] * across[x] * down).max(0.0);
                // The highlights are compressed, as in a camera.
                let coded = 219.0 * (light * 1.22 / (1.0 + 0.22 * light)).sqrt() + 16.0;
                out[x] = round_to_byte((coded + grain[x] * noise).clamp(16.0, 235.0));
            }
        }
        let (pale, tint) = (light.saturation(), light.tint());
        let half = canvas.chroma_width();
        for (y, row) in canvas.uv.chunks_exact(half).enumerate() {
            let start = random.usize(..NOISE_LENGTH - half);
            let grain = &self.grain[start..start + half + 1];
            let luma = &frame.y[2 * y * w..];
            let out = y * half..(y + 1) * half;
            let (us, vs) = (&mut frame.u[out.clone()], &mut frame.v[out]);
            for x in 0..half {
                let bright = f32::from(luma[2 * x]) - 16.0;
                let [u, v] = row[x];
                us[x] =
                    round_to_byte((128.0 + bright * (u * pale + tint[0]) + grain[x] * noise * 0.5).clamp(16.0, 240.0));
                vs[x] = round_to_byte(
                    (128.0 + bright * (v * pale + tint[1]) + grain[x + 1] * noise * 0.5).clamp(16.0, 240.0),
                );
            }
        }
    }
}

/// Rounds a number to a byte; it must be within 0 and 255.
/// The last bits of a large `f32` count in ones, which is faster than a cast.
#[inline]
fn round_to_byte(value: f32) -> u8 {
    (value + 8_388_608.0).to_bits() as u8
}
