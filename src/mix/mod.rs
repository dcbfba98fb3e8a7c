//! Mixer as a pure function of play requests to frames, without a device or a clock.

mod builtin;

pub use builtin::{bell, footstep};

pub use crate::audio::{AudioBuffer, CHANNELS_MAX, SAMPLE_RATES, StereoFrame};
use std::sync::Arc;

/// Maximum number of voices; a further one replaces the oldest.
const VOICES_MAX: usize = 32;
/// Fade-out of a voice that ends early, in frames; it avoids a click.
const FADE_FRAMES: u32 = 256;

/// A sound that is to be heard.
#[derive(Debug, Clone)]
pub struct PlayRequest {
    /// Sound to play.
    pub sample: Arc<AudioBuffer>,
    /// Volume, 0 to 1.
    pub volume: f32,
    /// Position: -1 is left, 1 is right.
    pub pan: f32,
    /// Speed; 1 is as recorded.
    pub rate: f32,
    /// Output frame at which it begins; a past one means now.
    pub at: u64,
}

#[derive(Debug)]
struct Voice {
    request: PlayRequest,
    /// Position in the sample in frames, and the step per output frame.
    position: f64,
    step: f64,
    gains: StereoFrame,
    /// Remaining frames of the fade-out, if it has begun.
    fade_left: Option<u32>,
}

/// Mixer of all voices.
#[derive(Debug)]
pub struct Mixer {
    rate: u32,
    voices: Vec<Voice>,
}

impl Mixer {
    /// Creates a silent mixer for a device of `rate` frames per second.
    pub fn new(rate: u32) -> Self {
        Self { rate: rate.max(1), voices: Vec::with_capacity(2 * VOICES_MAX + 1) }
    }

    /// Adds a voice; one with NaN or infinite numbers is ignored.
    pub fn play(&mut self, play: PlayRequest) {
        if !(play.volume + play.pan + play.rate).is_finite() {
            return;
        }
        if self.voices.iter().filter(|voice| voice.fade_left.is_none()).count() >= VOICES_MAX
            && let Some(oldest) = self.voices.iter_mut().find(|voice| voice.fade_left.is_none())
        {
            oldest.fade_left = Some(FADE_FRAMES);
        }
        if self.voices.len() >= 2 * VOICES_MAX {
            self.voices.remove(0);
        }
        // Equal power: the same loudness at every position.
        let angle = (play.pan.clamp(-1.0, 1.0) + 1.0) * std::f32::consts::FRAC_PI_4;
        let gains = [angle.cos(), angle.sin()].map(|gain| gain * play.volume.clamp(0.0, 1.0));
        let step = f64::from(play.sample.rate) / f64::from(self.rate) * f64::from(play.rate.clamp(0.05, 8.0));
        self.voices.push(Voice { request: play, position: 0.0, step, gains, fade_left: None });
    }

    /// Fills `out`, whose first frame is the output's frame `at`.
    pub fn render(&mut self, out: &mut [StereoFrame], at: u64) {
        out.fill([0.0; 2]);
        self.voices.retain_mut(|voice| {
            let skip = voice.request.at.saturating_sub(at).min(out.len() as u64) as usize;
            out[skip..].iter_mut().all(|frame| voice.mix_into(frame))
        });
        for sample in out.iter_mut().flatten() {
            // Soft clipping: linear at normal levels, then curved, so that many voices never crackle.
            *sample = soft_clip(*sample);
        }
    }

    /// Returns the number of voices that sound or will sound.
    pub fn voices(&self) -> usize {
        self.voices.len()
    }
}

impl Voice {
    /// Adds one frame; returns false when the voice is over.
    fn mix_into(&mut self, out: &mut StereoFrame) -> bool {
        let index = self.position as usize;
        let frames = &self.request.sample.frames;
        let Some(now) = frames.get(index) else { return false };
        let next = frames.get(index + 1).unwrap_or(&[0.0; 2]);
        let between = (self.position - index as f64) as f32;
        let fade = match &mut self.fade_left {
            None => 1.0,
            Some(0) => return false,
            Some(left) => {
                *left -= 1;
                *left as f32 / FADE_FRAMES as f32
            }
        };
        for side in 0..2 {
            out[side] += (now[side] + (next[side] - now[side]) * between) * self.gains[side] * fade;
        }
        self.position += self.step;
        true
    }
}

fn soft_clip(sample: f32) -> f32 {
    const KNEE: f32 = 0.8;
    let size = sample.abs();
    if size <= KNEE { sample } else { (KNEE + (1.0 - KNEE) * ((size - KNEE) / (1.0 - KNEE)).tanh()).copysign(sample) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(frames: usize) -> Arc<AudioBuffer> {
        Arc::new(AudioBuffer { frames: vec![[0.5; 2]; frames], rate: 48_000 })
    }

    fn play(sample: Arc<AudioBuffer>, at: u64) -> PlayRequest {
        PlayRequest { sample, volume: 1.0, pan: 0.0, rate: 1.0, at }
    }

    #[test]
    fn a_sound_begins_at_its_frame_and_ends() {
        let mut mixer = Mixer::new(48_000);
        mixer.play(play(tone(10), 4));
        let mut out = [[9.0; 2]; 8];
        mixer.render(&mut out, 0);
        assert_eq!(out[3], [0.0; 2]);
        assert!(out[4][0] > 0.3);
        mixer.render(&mut out, 8);
        assert!(out[5][0] > 0.0 && out[6][0] == 0.0, "{out:?}");
        mixer.render(&mut out, 16);
        assert_eq!(mixer.voices(), 0);
    }

    #[test]
    fn pieces_of_any_size_make_the_same_sound() {
        let sample = Arc::new(AudioBuffer {
            frames: (0..999).map(|i| [(i as f32 * 0.1).sin() * 0.3; 2]).collect(),
            rate: 44_100,
        });
        let whole = {
            let mut mixer = Mixer::new(48_000);
            mixer.play(play(sample.clone(), 100));
            let mut out = vec![[0.0; 2]; 1_200];
            mixer.render(&mut out, 0);
            out
        };
        let mut mixer = Mixer::new(48_000);
        mixer.play(play(sample, 100));
        let mut out = vec![[0.0; 2]; 1_200];
        let mut at = 0;
        for piece in [1, 7, 64, 128, 500, 500] {
            mixer.render(&mut out[at..at + piece], at as u64);
            at += piece;
        }
        assert_eq!(out, whole);
    }

    #[test]
    fn a_hundred_loud_voices_neither_crackle_nor_pile_up() {
        let mut mixer = Mixer::new(48_000);
        for _ in 0..100 {
            mixer.play(play(tone(100_000), 0));
        }
        let mut out = vec![[0.0; 2]; 1_024];
        mixer.render(&mut out, 0);
        assert!(out.iter().flatten().all(|sample| sample.abs() <= 1.0));
        mixer.render(&mut out, 1_024);
        assert!(mixer.voices() <= VOICES_MAX);
    }
}
