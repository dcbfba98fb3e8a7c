//! Messages of the site half while both halves run in one process: reports of its devices and its link since the previous frame.

use super::Trace;
use super::camera_input::CameraInput;
use crate::device::camera_pipeline::CameraPipelines;
use crate::device::net::{LinkEvent, LinkHandle};
use crate::device::touch_hub::TouchHub;
use crate::messages::{LocalTouchEvent, SiteMessage, TwinReport};
use crate::presence::Point;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Collects the messages of a frame.
pub(super) struct SiteFeed {
    link: LinkHandle,
    link_events: Mutex<Receiver<LinkEvent>>,
    touch_events: Mutex<Receiver<LocalTouchEvent>>,
    touches: TouchHub,
    cameras: CameraInput,
    /// State of the twin in the last message.
    remote_state: Option<Arc<str>>,
}

impl SiteFeed {
    /// Creates a feed of these devices and this link. `canvas` is in canvas units.
    pub fn new(
        (link, link_events): (LinkHandle, Receiver<LinkEvent>),
        (touches, touch_events): (TouchHub, Receiver<LocalTouchEvent>),
        cameras: Arc<CameraPipelines>,
        canvas: Point,
    ) -> Self {
        let (link_events, touch_events) = (Mutex::new(link_events), Mutex::new(touch_events));
        let cameras = CameraInput::new(cameras, touches.clone(), canvas);
        Self { link, link_events, touch_events, touches, cameras, remote_state: None }
    }

    /// Returns the messages since the last call, in the order in which they are to be handled.
    pub fn poll(&mut self, now: Duration, trace: &Trace) -> Vec<SiteMessage> {
        self.touches.expire();
        let touch_events = self.touch_events.get_mut().unwrap_or_else(PoisonError::into_inner);
        let mut messages: Vec<_> = touch_events.try_iter().map(SiteMessage::Touch).collect();
        messages.push(SiteMessage::Held(self.touches.held_ids()));
        messages.extend(self.cameras.poll(trace).map(SiteMessage::Vision));
        let report = TwinReport { status: self.link.status().session(), presence: self.link.remote_presence(now) };
        trace.record_bodies(false, &report.presence.bodies, now);
        messages.push(SiteMessage::Twin(report));
        let shared = self.link.remote_shared_state();
        if shared != self.remote_state {
            messages.push(SiteMessage::SharedState(shared.as_deref().unwrap_or_default().to_owned()));
            self.remote_state = shared;
        }
        messages.extend(self.link.take_mark_changes().map(SiteMessage::Marks));
        let link_events = self.link_events.get_mut().unwrap_or_else(PoisonError::into_inner);
        messages
            .extend(link_events.try_iter().filter_map(|LinkEvent { at, output }| SiteMessage::from_output(at, output)));
        messages
    }
}
