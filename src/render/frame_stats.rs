//! Statistics of the canvas, shared with the render world and the GPU: finished frames, shader faults, luminance.

use crate::scene::SceneRevision;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Shader layer that is not drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShaderLayerFault {
    /// File name of the shader.
    pub shader: String,
    /// The driver's message, or the time it takes: a predicate whose subject is the file.
    pub why: String,
}

/// Frame statistics, reported by the render world and the GPU; clones share them.
#[derive(Debug, Clone, Default)]
pub struct FrameStats(Arc<FrameStatsInner>);

#[derive(Debug, Default)]
struct FrameStatsInner {
    /// Last input that a frame reflects, its submission, and its completion on the GPU.
    done: Mutex<Vec<(u64, Duration, Duration)>>,
    submitted: Mutex<Vec<(u64, Duration)>>,
    /// Signals that the GPU has finished a frame.
    idle: Condvar,
    faults: Mutex<Vec<ShaderLayerFault>>,
    /// Files of shaders that are drawn again, until they are taken.
    recovered: Mutex<Vec<String>>,
    pending: Mutex<Option<PendingEdition>>,
    /// Recent GPU time of a frame, in microseconds.
    gpu_time_us: AtomicU64,
    painted: AtomicU64,
    /// Time at which a window last showed the canvas, in monotonic nanoseconds; 0 for never.
    shown_at: AtomicU64,
    luminance: CanvasLuminance,
}

/// Edition that is shown once its shaders can be drawn.
#[derive(Debug)]
struct PendingEdition {
    edition: Arc<SceneRevision>,
    /// Time of the request.
    since: Duration,
    ready: bool,
}

/// Maximum number of finished frames, and of recovered shaders, that are kept until they are taken.
const DONE_MAX: usize = 1_024;
const RECOVERED_MAX: usize = 16;
/// Time after which an edition is shown even if the renderer has not reported it ready.
const PENDING_MAX: Duration = Duration::from_secs(5);

impl FrameStats {
    pub(super) fn record_submitted(&self, reflects: u64, at: Duration) {
        self.0.submitted.lock().unwrap_or_else(PoisonError::into_inner).push((reflects, at));
    }

    pub(super) fn record_done(&self, reflects: u64, at: Duration) {
        self.0.painted.fetch_add(1, Ordering::Relaxed);
        let mut submitted = self.0.submitted.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(index) = submitted.iter().position(|(known, _)| *known == reflects) else { return };
        let (_, since) = submitted.remove(index);
        let took = at.saturating_sub(since).as_micros() as u64;
        let before = self.0.gpu_time_us.load(Ordering::Relaxed);
        self.0.gpu_time_us.store((before * 7 + took) / 8, Ordering::Relaxed);
        self.0.idle.notify_all();
        let mut done = self.0.done.lock().unwrap_or_else(PoisonError::into_inner);
        if done.len() < DONE_MAX {
            done.push((reflects, since, at));
        }
    }

    /// Returns the recent GPU time of a frame.
    pub(super) fn gpu_time(&self) -> Duration {
        Duration::from_micros(self.0.gpu_time_us.load(Ordering::Relaxed))
    }

    /// Clears all faults, since the shaders have changed.
    pub(super) fn clear_faults(&self) {
        self.0.faults.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Records a layer's fault once: a layer has a pipeline for each way to blend and to clip it, but one fault.
    pub(super) fn record_fault(&self, shader: &str, why: String) {
        let mut faults = self.0.faults.lock().unwrap_or_else(PoisonError::into_inner);
        if faults.iter().all(|known| known.shader != shader) {
            tracing::warn!("{shader}: {why}");
            faults.push(ShaderLayerFault { shader: shader.to_owned(), why });
        }
    }

    /// Records that a layer is drawn; if it was not before, reports that.
    pub(super) fn record_recovered(&self, shader: &str) {
        let mut faults = self.0.faults.lock().unwrap_or_else(PoisonError::into_inner);
        let before = faults.len();
        faults.retain(|fault| fault.shader != shader);
        if faults.len() < before {
            tracing::info!("{shader}: is drawn again");
            let mut returned = self.0.recovered.lock().unwrap_or_else(PoisonError::into_inner);
            if returned.len() < RECOVERED_MAX {
                returned.push(shader.to_owned());
            }
        }
    }

    /// Takes the files of shaders, slow or refused before, that are drawn again since the last call.
    pub fn take_recovered(&self) -> Vec<String> {
        std::mem::take(&mut self.0.recovered.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Prepares an edition; returns true once its shaders can be drawn. Call it until then; `now` is monotonic.
    pub fn prepare(&self, edition: &Arc<SceneRevision>, now: Duration) -> bool {
        let mut coming = self.0.pending.lock().unwrap_or_else(PoisonError::into_inner);
        match &*coming {
            Some(known) if Arc::ptr_eq(&known.edition, edition) => {
                known.ready || now.saturating_sub(known.since) > PENDING_MAX
            }
            _ => {
                *coming = Some(PendingEdition { edition: edition.clone(), since: now, ready: false });
                false
            }
        }
    }

    /// Checks whether the shaders of the next edition can be drawn.
    pub(super) fn poll_pending(&self, is_ready: impl FnOnce(&SceneRevision) -> bool) {
        let mut coming = self.0.pending.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(coming) = coming.as_mut().filter(|coming| !coming.ready) {
            coming.ready = is_ready(&coming.edition);
        }
    }

    /// Returns frames finished since the last call: the last input they reflect, submission time, completion time.
    pub fn take_finished(&self) -> Vec<(u64, Duration, Duration)> {
        std::mem::take(&mut self.0.done.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns the number of frames that the GPU has finished since the start.
    pub fn painted_count(&self) -> u64 {
        self.0.painted.load(Ordering::Relaxed)
    }

    /// Returns the monotonic time at which a window last showed a frame.
    pub fn shown_at(&self) -> Option<Duration> {
        let at = self.0.shown_at.load(Ordering::Relaxed);
        (at > 0).then(|| Duration::from_nanos(at))
    }

    /// Records that a window shows the canvas; ignored before the first frame.
    pub(super) fn record_shown(&self, at: Duration) {
        if self.painted_count() > 0 {
            self.0.shown_at.store(at.as_nanos() as u64, Ordering::Relaxed);
        }
    }

    /// Returns the shader layers that are not drawn.
    pub fn faults(&self) -> Vec<ShaderLayerFault> {
        self.0.faults.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns a handle to the canvas's luminance.
    pub fn luminance(&self) -> CanvasLuminance {
        self.0.luminance.clone()
    }

    /// Waits up to `at_most` until the GPU has finished all submitted frames. Inputs read earlier would be old when
    /// their frame can be drawn.
    pub fn wait_idle(&self, at_most: Duration) {
        let submitted = self.0.submitted.lock().unwrap_or_else(PoisonError::into_inner);
        let busy = |submitted: &mut Vec<_>| !submitted.is_empty();
        drop(self.0.idle.wait_timeout_while(submitted, at_most, busy).unwrap_or_else(PoisonError::into_inner));
    }

    /// Returns the number of frames that the GPU works on.
    pub(super) fn in_flight(&self) -> usize {
        self.0.submitted.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// Luminance of the canvas as shown a moment ago; readable from any thread.
#[derive(Debug, Clone, Default)]
pub struct CanvasLuminance(Arc<AtomicU32>);

impl CanvasLuminance {
    /// Returns the mean luminance of the canvas in linear light, 0 (black) to 1 (white); 0 before the first frame. It
    /// is measured ten times per second while frames change.
    pub fn luminance(&self) -> f32 {
        f32::from_bits(self.0.load(Ordering::Relaxed))
    }

    pub(super) fn store(&self, luminance: f32) {
        self.0.store(luminance.to_bits(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_a_handle_reads_what_was_measured() {
        let shown = CanvasLuminance::default();
        let handle = shown.clone();
        assert_eq!(handle.luminance(), 0.0);
        shown.store(0.25);
        assert_eq!(handle.luminance(), 0.25);
    }
}
