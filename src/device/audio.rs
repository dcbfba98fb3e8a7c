//! Loudspeakers: cpal drives the mixer. Without a device the show goes on silently, and says so.

use crate::mix::{self, AudioBuffer, Mixer, PlayRequest, StereoFrame};
use crate::scene::{BUILTIN_SOUNDS, SceneDiagnostic, SoundAsset};
use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{FromSample, SampleFormat, SizedSample, StreamConfig};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Sounds that wait for the device; more, and the newest are not heard.
const PLAYS_PENDING_MAX: usize = 256;
/// A device that is lost or absent is looked for again this often.
const RETRY_INTERVAL: Duration = Duration::from_secs(5);
/// A device whose callback has been silent this long is opened anew.
const STALL_TIMEOUT: Duration = Duration::from_secs(3);

/// A sound that can be played, or the reason why it cannot.
type LoadResult = Result<Arc<AudioBuffer>, SceneDiagnostic>;

/// The loudspeakers of a site.
pub struct Audio {
    samples: Mutex<HashMap<String, LoadResult>>,
    plays: SyncSender<PlayRequest>,
    state: Arc<AudioState>,
}

#[derive(Debug, Default)]
struct AudioState {
    /// Callbacks so far; a number that moves says that the device lives.
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

    /// Takes an edition's sounds. A sound that cannot be played is named in the log once. Earlier sounds stay until
    /// [`Self::retain`].
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

    /// Forgets sounds that are not among these; the engine's own stay.
    pub fn retain(&self, sounds: &[&SoundAsset]) {
        let named = |name: &str| sounds.iter().any(|sound| sound.name == name) || BUILTIN_SOUNDS.contains(&name);
        self.samples().retain(|name, _| named(name));
    }

    fn samples(&self) -> MutexGuard<'_, HashMap<String, LoadResult>> {
        self.samples.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A sound is to be heard now. One that is not known is not heard.
    pub fn play(&self, name: &str, volume: f32, pan: f32, rate: f32) {
        let sample = self.samples().get(name).cloned();
        if let Some(Ok(sample)) = sample {
            let _ = self.plays.try_send(PlayRequest { sample, volume, pan, rate, at: 0 });
        }
    }

    /// The device that plays, if there is one.
    pub fn device(&self) -> Option<String> {
        self.state.device.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Callbacks so far.
    pub fn callback_count(&self) -> u64 {
        self.state.callbacks.load(Ordering::Relaxed)
    }
}

/// Opens the device again and again, for ever.
fn keep_open(waiting: &Arc<Mutex<Receiver<PlayRequest>>>, state: &Arc<AudioState>) {
    // ALSA speaks to standard error by itself; what matters of it comes back as an error anyway.
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
                // Dropped here, on its own thread and not in its callback.
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

/// Returns when the device has failed or fallen silent.
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
    // What was to be heard while there was no device is over.
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
            // Held by no one else while a stream is open; were it, the sounds would come one buffer later.
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
            // Only a flag: closing a stream in its own callback can wait for itself for ever. What is not the loss of
            // the device passes by itself, or silences the callback, which is seen as well.
            if matches!(error.kind(), cpal::ErrorKind::DeviceNotAvailable | cpal::ErrorKind::StreamInvalidated) {
                failing.failed.store(true, Ordering::Relaxed);
            }
        },
        None,
    )
}
