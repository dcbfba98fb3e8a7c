//! Triple buffer of frames, overwritten in place.
//! One is being filled, one is the newest, one is being read.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Luma of a frame. It has no `Debug`: pixels are never logged.
#[derive(Default)]
pub(super) struct CameraFrame {
    pub(super) y: Vec<u8>,
    pub(super) width: usize,
    pub(super) height: usize,
    /// Monotonic.
    pub(super) captured: Duration,
    pub(super) number: u64,
}

impl CameraFrame {
    /// Erases the content and keeps the memory for the next frame.
    pub(super) fn wipe(&mut self) {
        self.y.fill(0);
    }
}

struct BufferSlots {
    /// Newest frame that the consumer has not taken yet.
    newest: Option<CameraFrame>,
    /// Unused frames. With the one being filled and the one being read, there are three.
    spare: Vec<CameraFrame>,
    closed: bool,
}

/// Buffer shared by a camera's thread and its consumer.
pub(super) struct TripleBuffer {
    slots: Mutex<BufferSlots>,
    ready: Condvar,
}

impl TripleBuffer {
    /// Creates a buffer; one of its three frames is already with the producer.
    pub(super) fn new() -> Self {
        let spare = vec![CameraFrame::default(), CameraFrame::default()];
        Self { slots: Mutex::new(BufferSlots { newest: None, spare, closed: false }), ready: Condvar::new() }
    }

    // The slots are consistent after each statement, so a poisoned lock is usable.
    fn lock_slots(&self) -> MutexGuard<'_, BufferSlots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Publishes a filled frame as the newest and exchanges it for one to fill.
    /// That is an older frame that was never read, or a spare.
    pub(super) fn publish(&self, picture: &mut CameraFrame) {
        let mut slots = self.lock_slots();
        let free = slots.newest.take().or_else(|| slots.spare.pop()).unwrap_or_default();
        slots.newest = Some(std::mem::replace(picture, free));
        drop(slots);
        self.ready.notify_one();
    }

    /// Takes the newest frame, waiting at most `at_most`, and returns the one read before.
    pub(super) fn take_newest(&self, looked_at: &mut Option<CameraFrame>, at_most: Duration) -> bool {
        let mut slots = self.lock_slots();
        slots.spare.extend(looked_at.take());
        let waited = self.ready.wait_timeout_while(slots, at_most, |slots| slots.newest.is_none() && !slots.closed);
        let (mut slots, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *looked_at = slots.newest.take();
        looked_at.is_some()
    }

    /// Closes the buffer and releases waiting consumers.
    pub(super) fn close(&self) {
        self.lock_slots().closed = true;
        self.ready.notify_all();
    }

    /// Erases the frames when the camera is gone.
    pub(super) fn wipe(&self) {
        let mut slots = self.lock_slots();
        let newest = slots.newest.take();
        slots.spare.extend(newest);
        slots.spare.iter_mut().for_each(CameraFrame::wipe);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_pictures_serve_for_ever_and_the_newest_comes() {
        let ring = TripleBuffer::new();
        let (mut filled, mut looked_at) = (CameraFrame::default(), None);
        let mut places = std::collections::HashSet::new();
        let mut random = fastrand::Rng::with_seed(3);
        let mut last = 0;
        for number in 1..500 {
            if filled.y.is_empty() {
                filled.y = vec![0; 16];
            }
            places.insert(filled.y.as_ptr());
            filled.number = number;
            ring.publish(&mut filled);
            if random.bool() {
                assert!(ring.take_newest(&mut looked_at, Duration::ZERO));
                last = looked_at.as_ref().map_or(0, |picture: &CameraFrame| picture.number);
                assert_eq!(last, number, "the newest");
            }
        }
        assert!(places.len() <= 3, "{} buffers", places.len());
        assert!(last > 450);
    }

    #[test]
    fn what_a_camera_showed_last_is_wiped() {
        let ring = TripleBuffer::new();
        let mut filled = CameraFrame { y: vec![9; 16], ..CameraFrame::default() };
        ring.publish(&mut filled);
        ring.wipe();
        assert!(!ring.take_newest(&mut None, Duration::ZERO));
        assert!(ring.lock_slots().spare.iter().all(|picture| picture.y.iter().all(|&pixel| pixel == 0)));
        assert_eq!(ring.lock_slots().spare.len(), 2, "the third is the one that is being filled");
    }

    #[test]
    fn who_waits_is_let_go() {
        let ring = TripleBuffer::new();
        ring.close();
        assert!(!ring.take_newest(&mut None, Duration::from_secs(60)));
    }
}
