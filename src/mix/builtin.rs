//! Built-in sounds, made of sines and noise when a show starts: a footstep and a bell.

use super::AudioBuffer;
use std::f32::consts::TAU;

/// Sample rate in frames per second.
const RATE: u32 = 48_000;

/// Returns a distant footstep: a thud, and the heel before it.
pub fn footstep() -> AudioBuffer {
    let mut noise = fastrand::Rng::with_seed(7);
    let mut low = 0.0_f32;
    render_wave(0.35, |t| {
        let thud = |from: f32, strength: f32| {
            let t = t - from;
            if t < 0.0 {
                0.0
            } else {
                strength * (TAU * (96.0 - 60.0 * t) * t).sin() * (-t * 28.0).exp() * (t * 400.0).min(1.0)
            }
        };
        // Noise below some 500 Hz: sand under a sole.
        low += 0.06 * (noise.f32() * 2.0 - 1.0 - low);
        let sole = low * (-t * 30.0).exp() * (t * 300.0).min(1.0);
        0.55 * thud(0.0, 0.5) + 0.8 * thud(0.07, 1.0) + 0.9 * sole
    })
}

/// Returns a small bell: five partials, of which the higher ones decay sooner (after Risset's bell, 1969).
pub fn bell() -> AudioBuffer {
    const PARTIALS: [(f32, f32, f32); 5] =
        [(0.56, 0.5, 1.6), (0.92, 0.35, 2.2), (1.19, 0.5, 2.6), (2.0, 0.3, 3.6), (2.74, 0.2, 5.0)];
    render_wave(2.6, |t| {
        let sum: f32 = PARTIALS
            .iter()
            .map(|(ratio, strength, decay)| strength * (TAU * 660.0 * ratio * t).sin() * (-t * decay).exp())
            .sum();
        0.45 * sum * (t * 300.0).min(1.0)
    })
}

fn render_wave(seconds: f32, mut wave: impl FnMut(f32) -> f32) -> AudioBuffer {
    let frames = (seconds * RATE as f32) as u32;
    let frame = |i: u32| {
        let left = (frames - i) as f32 / RATE as f32;
        // A fade-out ends it without a click.
        [(wave(i as f32 / RATE as f32) * (left * 50.0).min(1.0)).clamp(-1.0, 1.0); 2]
    };
    AudioBuffer { frames: (0..frames).map(frame).collect(), rate: RATE }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_can_be_heard_and_do_not_click() {
        for sound in [footstep(), bell()] {
            let loudest = sound.frames.iter().map(|[left, _]| left.abs()).fold(0.0, f32::max);
            assert!((0.2..0.98).contains(&loudest), "{loudest}");
            let (first, last) = (sound.frames[0][0], sound.frames[sound.frames.len() - 1][0]);
            assert!(first.abs() < 0.02 && last.abs() < 0.02, "{first} {last}");
        }
    }
}
