//! Training samples for the net: its input planes, over a background that is kept with the ground truth.

use super::Luma;
use super::pipeline::VisionPipeline;
use std::time::Duration;

/// One frame as the net's input; all planes have the downsampled size, row by row.
#[derive(Debug, Clone, Copy)]
pub struct TrainingSample<'a> {
    /// Columns and rows.
    pub size: [usize; 2],
    /// Shift of the camera, in its pixels: add it to a position in the planes to find it in the frame.
    pub shift: [i32; 2],
    /// Background in the current light.
    pub relit: &'a [u8],
    /// Noise threshold of each pixel.
    pub threshold: &'a [u8],
    /// 1 in the foreground, else 0.
    pub foreground: &'a [u8],
}

impl VisionPipeline {
    /// Processes a frame like [`VisionPipeline::process`], but with `truth` instead of the net.
    /// It tracks nobody.
    /// `truth` has a byte per camera pixel, 0 where there is no person. Returns `None` if `truth` is of another size.
    pub fn training_sample(
        &mut self,
        now: Duration,
        luma: &Luma,
        shown: f32,
        truth: &[u8],
    ) -> Option<TrainingSample<'_>> {
        let sides = [luma.width() as i32, luma.height() as i32];
        if truth.len() != luma.width() * luma.height() {
            return None;
        }
        let eye = self.state_for(now, luma);
        let (shift, dt) = eye.subtract_background(now, luma, shown);
        let factor = eye.factor;
        let [width, height] = [eye.image.width, eye.image.height];
        for at in 0..width * height {
            let mut count = 0;
            for k in 0..factor * factor {
                let [x, y] = [at % width * factor + k % factor, at / width * factor + k / factor];
                let x = (x as i32 + shift[0]).clamp(0, sides[0] - 1);
                let y = (y as i32 + shift[1]).clamp(0, sides[1] - 1);
                count += usize::from(truth[(y * sides[0] + x) as usize] != 0);
            }
            let somebody = count > 0 && 2 * count >= factor * factor;
            (eye.confidence.pixels[at], eye.labels[at]) = if somebody { (255, 1) } else { (0, 0) };
        }
        // The net runs before anything is learned from the frame, so the planes that change then are kept.
        let marks = eye.foreground.pixels.clone();
        eye.mark_people();
        eye.foreground.pixels.copy_from_slice(&marks);
        eye.scratch.pixels.copy_from_slice(&eye.background.threshold.pixels);
        eye.background.update(&eye.image, &eye.relit, &eye.update_mask, dt);
        let (lit, bound, marks) = (&eye.relit.pixels, &eye.scratch.pixels, &eye.foreground.pixels);
        Some(TrainingSample { size: [width, height], shift, relit: lit, threshold: bound, foreground: marks })
    }
}
