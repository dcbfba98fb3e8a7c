//! Handle to the site half for the threads of its devices, its network and its show half.
//!
//! They share one [`Site`] behind a lock that each holds for microseconds, so a touch reaches the session and the scene at once.

use super::clock::monotonic;
use super::link_status::LinkStatus;
use crate::link::LinkCommand;
use crate::messages::{ShowMessage, SiteMessage};
use crate::policy::SharingPolicy;
use crate::presence::{Body, ContactId, Phase, Point, PointerKind, Presence, TouchUpdate};
use crate::site::{Site, SiteSetup, VisionFrame};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// State that all handles of a site share.
struct SiteShared {
    site: Mutex<Site>,
    /// Notified after each input that the session may have to send.
    changed: Notify,
    /// Status of the link, as of the last update of its thread.
    status: Mutex<LinkStatus>,
    /// Number of updates of the link thread.
    updates: AtomicU64,
    /// True once the link thread must end.
    stopping: AtomicBool,
}

/// Handle to the site half of a site, for any thread. Clones share the same site.
#[derive(Clone)]
pub struct SiteHandle(Arc<SiteShared>);

impl SiteHandle {
    /// Creates the site half.
    pub fn new(setup: SiteSetup) -> Self {
        Self(Arc::new(SiteShared {
            site: Mutex::new(Site::new(monotonic(), setup)),
            changed: Notify::new(),
            status: Mutex::default(),
            updates: AtomicU64::new(0),
            stopping: AtomicBool::new(false),
        }))
    }

    /// Returns the site, locked. The holder must not wait for anything.
    pub(super) fn lock(&self) -> MutexGuard<'_, Site> {
        // No step of the site leaves it half changed, so it can be used after a panic.
        self.0.site.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls `change` with the site and the time, and then lets the link thread send.
    fn update<T>(&self, change: impl FnOnce(&mut Site, Duration) -> T) -> T {
        let result = change(&mut self.lock(), monotonic());
        self.0.changed.notify_one();
        result
    }

    // ---- Devices.

    /// Handles a touch of a device.
    pub fn handle_touch(&self, contact: ContactId, phase: Phase, at: Point, by: PointerKind) {
        self.handle_touches(&[TouchUpdate::Touch(contact, phase, at, by)]);
    }

    /// Handles simultaneous updates of touches, such as all fingers of one frame.
    pub fn handle_touches(&self, updates: &[TouchUpdate]) {
        if !updates.is_empty() {
            self.update(|site, now| site.handle_touches(now, updates));
        }
    }

    /// Ends the touches of a device that is gone.
    pub fn release_device(&self, device: u32) {
        self.update(|site, now| site.release_device(now, device));
    }

    /// Handles the bodies that a camera saw at `captured`, monotonic, without a view; see [`Site::handle_camera`].
    pub fn handle_bodies(&self, captured: Duration, camera: usize, bodies: Vec<Body>) {
        self.update(|site, now| site.handle_camera(now, camera, captured, bodies, None));
    }

    /// Handles the bodies that a camera saw at `captured`, monotonic, and its view; see [`Site::handle_camera`].
    pub fn handle_camera(&self, captured: Duration, camera: usize, bodies: Vec<Body>, frame: &mut VisionFrame) {
        self.update(|site, now| site.handle_camera(now, camera, captured, bodies, Some(frame)));
    }

    /// Returns the luminance of the site's screens, 0 to 1.
    pub fn screen_luminance(&self) -> f32 {
        self.lock().screen_luminance()
    }

    /// Ends touches and bodies whose updates have stopped. The link thread does so by itself.
    pub fn handle_timeout(&self) {
        self.lock().handle_timeout(monotonic());
    }

    // ---- Show half.

    /// Handles a message of the show half.
    pub fn handle_message(&self, message: ShowMessage) {
        self.update(|site, now| site.handle_message(now, message));
    }

    /// Gives the session a command of the show half, made at `made`.
    pub fn handle_command(&self, made: Duration, command: LinkCommand) {
        self.handle_message(ShowMessage::Command { made, command });
    }

    /// Returns the messages to the show half since the last call, in the order in which they are to be handled.
    pub fn poll_messages(&self, now: Duration) -> Vec<SiteMessage> {
        self.lock().poll_messages(now)
    }

    // ---- Operator and status.

    /// Sets the sharing policy of the site. It holds even if the frame loop stalls.
    pub fn set_sharing_policy(&self, policy: SharingPolicy) {
        self.update(|site, now| site.handle_policy(now, policy));
    }

    /// Returns the sharing policy of the site.
    pub fn sharing_policy(&self) -> SharingPolicy {
        self.lock().policy()
    }

    /// Returns true if a frame is in view at `now`, monotonic.
    pub fn is_in_view(&self, now: Duration) -> bool {
        self.lock().is_in_view(now)
    }

    /// Returns the current touches and bodies of this site.
    pub fn presence(&self) -> Presence {
        self.lock().presence()
    }

    /// Returns the number of bodies at this site.
    pub fn body_count(&self) -> usize {
        self.lock().body_count()
    }

    /// Returns the presence of the twin to be shown at `now`, monotonic, on the twin's canvas.
    pub fn remote_presence(&self, now: Duration) -> Presence {
        self.lock().remote_presence(now)
    }

    /// Returns the status of the link.
    pub fn status(&self) -> LinkStatus {
        *self.0.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the number of updates of the link thread. A number that does not change for a second is a fault.
    pub fn update_count(&self) -> u64 {
        self.0.updates.load(Ordering::Relaxed)
    }

    /// Sends a goodbye to the twin and ends the link, even if its thread is still held elsewhere.
    pub fn stop(&self) {
        self.0.stopping.store(true, Ordering::Relaxed);
        self.0.changed.notify_one();
    }

    // ---- Link thread.

    /// Waits for the next input.
    pub(super) async fn changed(&self) {
        self.0.changed.notified().await;
    }

    /// Returns true once the link thread must end.
    pub(super) fn is_stopping(&self) -> bool {
        self.0.stopping.load(Ordering::Relaxed)
    }

    /// Publishes the status of the link, at the end of an update.
    pub(super) fn publish(&self, status: LinkStatus) {
        *self.0.status.lock().unwrap_or_else(PoisonError::into_inner) = status;
        self.0.updates.fetch_add(1, Ordering::Relaxed);
    }
}
