//! Audio output: cpal drives the mixer. Without a device the show continues silently and logs it.

use crate::mix::{self, AudioBuffer, Mixer, PlayRequest, StereoFrame};
use crate::scene::{BUILTIN_SOUNDS, SceneDiagnostic, SoundAsset};
use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{FromSample, SampleFormat, SizedSample, StreamConfig};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Most sounds that wait for the device; beyond it the newest are dropped.
const PLAYS_PENDING_MAX: usize = 256;
/// Interval at which a lost or absent device is looked for.
const RETRY_INTERVAL: Duration = Duration::from_secs(5);
/// Time without a callback after which a device is reopened.
const STALL_TIMEOUT: Duration = Duration::from_secs(3);

/// A sound that can be played, or the reason why it cannot.
type LoadResult = Result<Arc<AudioBuffer>, SceneDiagnostic>;

/// Audio output of a site.
pub struct Audio {
    samples: Mutex<HashMap<String, LoadResult>>,
    plays: SyncSender<PlayRequest>,
    state: Arc<AudioState>,
}

#[derive(Debug, Default)]
struct AudioState {
    /// Number of callbacks so far; while it rises, the device works.
    callbacks: AtomicU64,
    failed: AtomicBool,
    device: Mutex<Option<String>>,
}

impl Audio {
    /// Starts to look for a device.
    pub fn start() -> Self {
        let (plays, waiting) = sync_channel(PLAYS_PENDING_MAX);
        let state = Arc::new(AudioState::default());
        let kept = state.clone();
        let thread = std::thread::Builder::new().name("sound".into());
        if let Err(why) = thread.spawn(move || keep_open(&Arc::new(Mutex::new(waiting)), &kept)) {
            tracing::warn!("there will be no sound: its thread cannot be started ({why})");
        }
        let own = BUILTIN_SOUNDS.into_iter().zip([mix::footstep(), mix::bell()]);
        let samples = own.map(|(name, sample)| (name.to_owned(), Ok(Arc::new(sample)))).collect();
        Self { samples: Mutex::new(samples), plays, state }
    }

    /// Loads the sounds of a revision. Logs once each sound that cannot be played.
    ///
    /// Earlier sounds stay until [`Self::retain`].
    pub fn load(&self, sounds: &[SoundAsset]) {
        for SoundAsset { name, audio: sample } in sounds {
            let before = self.samples().insert(name.clone(), sample.clone());
            if let Err(why) = sample
                && before.as_ref().is_none_or(|before| before.as_ref().err() != Some(why))
            {
                tracing::warn!("{why}");
            }
        }
    }

    /// Drops sounds that are not among these; the built-in ones stay.
    pub fn retain(&self, sounds: &[&SoundAsset]) {
        let named = |name: &str| sounds.iter().any(|sound| sound.name == name) || BUILTIN_SOUNDS.contains(&name);
        self.samples().retain(|name, _| named(name));
    }

    fn samples(&self) -> MutexGuard<'_, HashMap<String, LoadResult>> {
        self.samples.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Plays a sound now. An unknown sound is ignored.
    pub fn play(&self, name: &str, volume: f32, pan: f32, rate: f32) {
        let sample = self.samples().get(name).cloned();
        if let Some(Ok(sample)) = sample {
            let _ = self.plays.try_send(PlayRequest { sample, volume, pan, rate, at: 0 });
        }
    }

    /// Returns the device that plays, if there is one.
    pub fn device(&self) -> Option<String> {
        self.state.device.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the number of callbacks so far.
    pub fn callback_count(&self) -> u64 {
        self.state.callbacks.load(Ordering::Relaxed)
    }
}

/// Opens the device whenever it is missing, indefinitely.
fn keep_open(waiting: &Arc<Mutex<Receiver<PlayRequest>>>, state: &Arc<AudioState>) {
    // ALSA writes to standard error by itself; the relevant problems come back as errors anyway.
    #[cfg(target_os = "linux")]
    let _quiet = alsa::Output::local_error_handler();
    let mut said = false;
    loop {
        state.failed.store(false, Ordering::Relaxed);
        match open_stream(waiting, state) {
            Ok((stream, name)) => {
                tracing::info!("sound comes from {name}");
                said = false;
                *state.device.lock().unwrap_or_else(PoisonError::into_inner) = Some(name);
                wait_until_lost(state);
                // The stream is dropped here, on its own thread and not in its callback.
                drop(stream);
                *state.device.lock().unwrap_or_else(PoisonError::into_inner) = None;
                tracing::warn!("the sound device is gone; looking for one every {} s", RETRY_INTERVAL.as_secs());
            }
            Err(why) if !said => {
                said = true;
                tracing::warn!("no sound device ({why}); the show goes on in silence");
            }
            Err(_) => {}
        }
        std::thread::sleep(RETRY_INTERVAL);
    }
}

/// Waits until the device has failed or fallen silent.
fn wait_until_lost(state: &AudioState) {
    let mut last = state.callbacks.load(Ordering::Relaxed);
    let mut silent = Duration::ZERO;
    let pause = Duration::from_millis(500);
    while !state.failed.load(Ordering::Relaxed) && silent < STALL_TIMEOUT {
        std::thread::sleep(pause);
        let now = state.callbacks.load(Ordering::Relaxed);
        silent = if now == last { silent + pause } else { Duration::ZERO };
        last = now;
    }
}

fn open_stream(
    waiting: &Arc<Mutex<Receiver<PlayRequest>>>,
    state: &Arc<AudioState>,
) -> Result<(cpal::Stream, String), String> {
    let why = |why: cpal::Error| why.to_string();
    let host = cpal::host_from_id(cpal::available_hosts().into_iter().next().ok_or("this system has no sound")?)
        .map_err(why)?;
    let device = host.default_output_device().ok_or("none is plugged in")?;
    let supported = device.default_output_config().map_err(why)?;
    let config = supported.config();
    let stream = match supported.sample_format() {
        SampleFormat::F32 => build_stream::<f32>(&device, config, waiting, state),
        SampleFormat::I16 => build_stream::<i16>(&device, config, waiting, state),
        SampleFormat::I32 => build_stream::<i32>(&device, config, waiting, state),
        SampleFormat::U16 => build_stream::<u16>(&device, config, waiting, state),
        SampleFormat::U8 => build_stream::<u8>(&device, config, waiting, state),
        other => return Err(format!("it wants {other}")),
    };
    let stream = stream.map_err(why)?;
    // Sounds from the time without a device are out of date.
    while waiting.lock().unwrap_or_else(PoisonError::into_inner).try_recv().is_ok() {}
    stream.play().map_err(why)?;
    Ok((stream, device.to_string()))
}

fn build_stream<T: SizedSample + FromSample<f32>>(
    device: &cpal::Device,
    config: StreamConfig,
    waiting: &Arc<Mutex<Receiver<PlayRequest>>>,
    state: &Arc<AudioState>,
) -> Result<cpal::Stream, cpal::Error> {
    let channels = usize::from(config.channels).max(1);
    let mut mixer = Mixer::new(config.sample_rate);
    let mut frames: Vec<StereoFrame> = vec![[0.0; 2]; 8_192];
    let mut at = 0_u64;
    let (waiting, counting, failing) = (waiting.clone(), state.clone(), state.clone());
    device.build_output_stream(
        config,
        move |out: &mut [T], _: &cpal::OutputCallbackInfo| {
            counting.callbacks.fetch_add(1, Ordering::Relaxed);
            // Nothing else holds the lock while a stream is open; otherwise the sounds would come one buffer later.
            if let Ok(waiting) = waiting.try_lock() {
                while let Ok(play) = waiting.try_recv() {
                    mixer.play(play);
                }
            }
            for out in out.chunks_mut(frames.len() * channels) {
                let frames = &mut frames[..out.len() / channels];
                mixer.render(frames, at);
                at += frames.len() as u64;
                for (out, frame) in out.chunks_mut(channels).zip(frames) {
                    for (i, sample) in out.iter_mut().enumerate() {
                        let value = match (channels, i) {
                            (1, _) => (frame[0] + frame[1]) / 2.0,
                            (_, 0 | 1) => frame[i],
                            _ => 0.0,
                        };
                        *sample = T::from_sample(value.clamp(-1.0, 1.0));
                    }
                }
            }
        },
        move |error| {
            // The callback only sets a flag: closing a stream in its own callback can deadlock. Any other error
            // passes by itself, or silences the callback, which is detected as well.
            if matches!(error.kind(), cpal::ErrorKind::DeviceNotAvailable | cpal::ErrorKind::StreamInvalidated) {
                failing.failed.store(true, Ordering::Relaxed);
            }
        },
        None,
    )
}
