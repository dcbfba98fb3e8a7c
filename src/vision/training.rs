//! What the net is taught with: the same planes that it looks at, over a background that somebody who knows the truth keeps.

use super::Luma;
use super::pipeline::VisionPipeline;
use std::time::Duration;

/// One frame as the net sees it; all planes have the work picture's size, row by row.
#[derive(Debug, Clone, Copy)]
pub struct TrainingSample<'a> {
    /// Columns and rows.
    pub size: [usize; 2],
    /// How far the camera has been pushed, in its pixels: what the planes show at a place lies there in the frame.
    pub shift: [i32; 2],
    /// The empty square in this light.
    pub relit: &'a [u8],
    /// How far each pixel trembles by itself.
    pub threshold: &'a [u8],
    /// 1 where something differs.
    pub foreground: &'a [u8],
}

impl VisionPipeline {
    /// Takes a frame in, as [`VisionPipeline::see`] does, but asks `truth` (a byte for each of the camera's pixels, 0 where nobody
    /// is) instead of the net; nobody is followed. None where `truth` is of another size.
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
        // The net looks before anything is learned from the frame: what changes then is kept.
        let marks = eye.foreground.pixels.clone();
        eye.mark_people();
        eye.foreground.pixels.copy_from_slice(&marks);
        eye.scratch.pixels.copy_from_slice(&eye.background.threshold.pixels);
        eye.background.update(&eye.image, &eye.relit, &eye.update_mask, dt);
        let (lit, bound, marks) = (&eye.relit.pixels, &eye.scratch.pixels, &eye.foreground.pixels);
        Some(TrainingSample { size: [width, height], shift, relit: lit, threshold: bound, foreground: marks })
    }
}
