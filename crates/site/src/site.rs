//! State of the site half: inputs of devices, session and show half in; messages to the show half out.

use crate::VisionFrame;
use crate::camera_merge::CameraMerge;
use moongate_core::policy::SharingPolicy;
use moongate_core::presence::{Body, CanvasRegion, Phase, Point, Presence, Touch, TouchTracker, TouchUpdate};
use moongate_link::{DisconnectReason, Link, LinkCommand, LinkConfig, LinkOutput, MarkReplica, SiteEvent};
use moongate_messages::{LocalTouchEvent, MarkFeed, SessionStatus, ShowMessage, SiteMessage, TwinReport};
use std::collections::VecDeque;
use std::time::Duration;

/// Most touch events that wait for the show half; if it is stuck, the newest are dropped for it (the twin still gets them).
const TOUCH_EVENTS_MAX: usize = 1_024;
/// Number of waiting events of the twin from which on no more datagrams should be read.
const EVENTS_MAX: usize = 4_096;
/// Most notices that wait for the driver; beyond it the oldest are dropped.
const NOTICES_MAX: usize = 256;

/// Configuration of a [`Site`].
#[derive(Debug)]
pub struct SiteSetup {
    /// Identity of the site, its twin, and the installation it shows.
    pub config: LinkConfig,
    /// Marks of the site; without them it makes and takes in none.
    pub replica: Option<MarkReplica>,
    /// Parts of the canvas that the site's screens show, in canvas units; the whole canvas if there are none.
    pub screens: Vec<CanvasRegion>,
    /// Sharing policy from the first datagram on.
    pub policy: SharingPolicy,
    /// Time until which a frame counts as in view, monotonic; none if nobody keeps track of that.
    pub in_view_until: Option<Duration>,
}

/// Site half of a site: touches, cameras, session, policy and marks.
pub struct Site {
    config: LinkConfig,
    link: Link,
    policy: SharingPolicy,
    in_view_until: Option<Duration>,
    screen_luminance: f32,
    touches: TouchTracker,
    cameras: CameraMerge,
    marks: MarkFeed,
    touch_events: VecDeque<LocalTouchEvent>,
    /// Outputs of the session for the show half, with the times at which they came.
    events: VecDeque<(Duration, LinkOutput)>,
    /// Outputs of the session for the driver.
    notices: VecDeque<LinkOutput>,
    /// State of the twin in the last message.
    reported_state: String,
}

impl Site {
    /// Creates the half at `now`, monotonic. It has no path to its twin yet.
    pub fn new(now: Duration, setup: SiteSetup) -> Self {
        let SiteSetup { config, replica, screens, policy, in_view_until } = setup;
        let writer = replica.as_ref().map(|replica| replica.log().local_writer());
        let mut site = Self {
            link: new_session(now, &config, replica),
            touches: TouchTracker::new(config.canvas, screens),
            config,
            policy,
            in_view_until,
            screen_luminance: 0.0,
            cameras: CameraMerge::default(),
            marks: MarkFeed::new(writer),
            touch_events: VecDeque::new(),
            events: VecDeque::new(),
            notices: VecDeque::new(),
            reported_state: String::new(),
        };
        site.init_session(now);
        site
    }

    /// Gives a new session what it needs to know of the site.
    fn init_session(&mut self, now: Duration) {
        self.link.handle_policy(now, self.policy);
        self.link.handle_view(now, self.in_view_until);
        self.link.handle_presence(now, self.presence());
    }

    // ---- Devices.

    /// Handles simultaneous updates of touches, such as all fingers of one frame.
    pub fn handle_touches(&mut self, now: Duration, updates: &[TouchUpdate]) {
        let mut is_changed = false;
        for update in updates {
            match *update {
                TouchUpdate::Alive(contact) => self.touches.keep_alive(now, contact),
                TouchUpdate::Touch(contact, phase, at, by) => {
                    for (phase, touch) in self.touches.update(now, contact, phase, at, by).into_iter().flatten() {
                        self.handle_touch_event(now, phase, touch);
                        is_changed = true;
                    }
                }
            }
        }
        if is_changed {
            self.link.handle_presence(now, self.presence());
        }
    }

    /// Ends the touches of a device that is gone, or has lost its window.
    pub fn release_device(&mut self, now: Duration, device: u32) {
        let ended = self.touches.release_device(device);
        self.handle_ended(now, &ended);
    }

    /// Handles the bodies that a camera saw at `captured`, monotonic, and its view if it has one.
    ///
    /// A result older than the camera's last is dropped, and so is a camera number of [`CAMERAS_MAX`](crate::devices::CAMERAS_MAX)
    /// and above. The view gets the memory of the one before in exchange.
    pub fn handle_camera(
        &mut self,
        now: Duration,
        camera: usize,
        captured: Duration,
        bodies: Vec<Body>,
        frame: Option<&mut VisionFrame>,
    ) {
        if self.cameras.handle(camera, captured, bodies, frame) {
            self.link.handle_presence(now, self.presence());
        }
    }

    fn handle_touch_event(&mut self, now: Duration, phase: Phase, touch: Touch) {
        match phase {
            Phase::Down => _ = self.link.handle_event(now, SiteEvent::Down(touch)),
            Phase::Up => _ = self.link.handle_event(now, SiteEvent::Up(touch)),
            Phase::Move => {}
        }
        if self.touch_events.len() < TOUCH_EVENTS_MAX {
            self.touch_events.push_back(LocalTouchEvent { made: now, phase, touch });
        }
    }

    fn handle_ended(&mut self, now: Duration, ended: &[Touch]) {
        if ended.is_empty() {
            return;
        }
        ended.iter().for_each(|touch| self.handle_touch_event(now, Phase::Up, *touch));
        self.link.handle_presence(now, self.presence());
    }

    /// Returns the current touches and bodies of this site.
    pub fn presence(&self) -> Presence {
        Presence { touches: self.touches.touches(), bodies: self.cameras.bodies() }
    }

    /// Returns the number of bodies.
    pub fn body_count(&self) -> usize {
        self.cameras.body_count()
    }

    /// Returns the luminance of the site's screens, 0 to 1: they light the people in front of them.
    pub fn screen_luminance(&self) -> f32 {
        self.screen_luminance
    }

    // ---- Operator, time and session.

    /// Sets the sharing policy of the site. It holds at once, also for what waits for the show half or for the twin.
    pub fn handle_policy(&mut self, now: Duration, policy: SharingPolicy) {
        self.policy = policy;
        self.link.handle_policy(now, policy);
        self.collect_outputs(now);
    }

    /// Returns the sharing policy of the site.
    pub fn policy(&self) -> SharingPolicy {
        self.policy
    }

    /// Returns true if a frame is in view at `now`.
    pub fn is_in_view(&self, now: Duration) -> bool {
        self.in_view_until.is_none_or(|until| now < until)
    }

    /// Replaces the twin; the session starts again, with the same marks. Returns the last datagrams for the previous twin: a goodbye.
    pub fn handle_twin(&mut self, now: Duration, twin: Option<[u8; 32]>) -> Vec<Vec<u8>> {
        self.link.handle_close();
        let mut goodbye = Vec::new();
        while let Some(datagram) = self.link.poll_transmit(now) {
            goodbye.push(datagram);
        }
        self.collect_outputs(now);
        self.config.twin = twin;
        let shared = self.link.local_shared_state().to_owned();
        let link = std::mem::replace(&mut self.link, Link::new(now, self.config.clone()));
        self.link = new_session(now, &self.config, link.into_replica());
        self.marks.handle_output(&mut LinkOutput::MarksReset);
        self.init_session(now);
        self.link.handle_shared_state(now, &shared);
        self.push_output(now, LinkOutput::Disconnected(DisconnectReason::Forgotten));
        goodbye
    }

    /// Returns the key of the twin, if there is a twin.
    pub fn twin(&self) -> Option<[u8; 32]> {
        self.config.twin
    }

    /// Handles the passing of time up to `now`.
    pub fn handle_timeout(&mut self, now: Duration) {
        let is_changed = self.cameras.expire(now);
        let ended = self.touches.end_stale(now);
        self.handle_ended(now, &ended);
        if is_changed && ended.is_empty() {
            self.link.handle_presence(now, self.presence());
        }
        self.link.handle_timeout(now);
        self.collect_outputs(now);
    }

    /// Returns the time at which the session next needs [`Self::handle_timeout`].
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.link.poll_timeout()
    }

    /// Returns the session, for the transport: paths, datagrams and measurements.
    pub fn link(&self) -> &Link {
        &self.link
    }

    /// Returns the session, for the transport. Afterwards, [`Self::handle_timeout`] takes over its outputs.
    pub fn link_mut(&mut self) -> &mut Link {
        &mut self.link
    }

    /// Returns true while the show half does not read its messages, so that no more datagrams should be read: the twin keeps them.
    pub fn is_backlogged(&self) -> bool {
        self.events.len() >= EVENTS_MAX
    }

    /// Returns the presence of the twin to be shown at `now`, monotonic, on the twin's canvas.
    pub fn remote_presence(&self, now: Duration) -> Presence {
        self.link.playout().1.map(|playout| playout.sample(now)).unwrap_or_default()
    }

    fn collect_outputs(&mut self, now: Duration) {
        while let Some(mut output) = self.link.poll_output() {
            if !self.marks.handle_output(&mut output) {
                self.push_output(now, output);
            }
        }
        self.events.retain(|(_, output)| self.link.may_deliver(output));
    }

    fn push_output(&mut self, now: Duration, output: LinkOutput) {
        if !matches!(output, LinkOutput::Event { .. } | LinkOutput::Meet { .. }) {
            if self.notices.len() == NOTICES_MAX {
                self.notices.pop_front();
            }
            self.notices.push_back(output.clone());
        }
        self.events.push_back((now, output));
    }

    /// Returns the next change of the session that the driver may have to log or act on.
    pub fn poll_notice(&mut self) -> Option<LinkOutput> {
        self.notices.pop_front()
    }

    // ---- Show half.

    /// Handles a message of the show half.
    pub fn handle_message(&mut self, now: Duration, message: ShowMessage) {
        match message {
            ShowMessage::Command { made, command } => self.handle_command(made, command),
            ShowMessage::InView { until } => {
                self.in_view_until = Some(until);
                self.link.handle_view(now, Some(until));
            }
            ShowMessage::Touches(updates) => self.handle_touches(now, &updates),
            ShowMessage::Released { device } => self.release_device(now, device),
            ShowMessage::Luminance(luminance) => self.screen_luminance = luminance,
        }
        self.collect_outputs(now);
    }

    fn handle_command(&mut self, made: Duration, command: LinkCommand) {
        if let LinkCommand::NowShowing(showing) = &command {
            self.config.showing = showing.clone();
        }
        self.link.handle_command(made, command);
    }

    /// Returns the messages to the show half since the last call, in the order in which they are to be handled.
    pub fn poll_messages(&mut self, now: Duration) -> Vec<SiteMessage> {
        self.collect_outputs(now);
        let mut messages: Vec<_> = self.touch_events.drain(..).map(SiteMessage::Touch).collect();
        messages.push(SiteMessage::Held(self.touches.touches().iter().map(|touch| touch.id).collect()));
        messages.extend(self.cameras.poll_report().map(SiteMessage::Vision));
        let presence = self.remote_presence(now);
        messages.push(SiteMessage::Twin(TwinReport { status: SessionStatus::new(&mut self.link, now), presence }));
        let state = self.link.remote_shared_state().map_or("", |(_, state)| state);
        if state != self.reported_state {
            self.reported_state = state.to_owned();
            messages.push(SiteMessage::SharedState(self.reported_state.clone()));
        }
        messages.extend(self.marks.take_changes().map(SiteMessage::Marks));
        messages.extend(self.events.drain(..).filter_map(|(at, output)| SiteMessage::from_output(at, output)));
        messages
    }

    /// Returns the state of the session at `now`.
    pub fn session_status(&mut self, now: Duration) -> SessionStatus {
        SessionStatus::new(&mut self.link, now)
    }
}

fn new_session(now: Duration, config: &LinkConfig, replica: Option<MarkReplica>) -> Link {
    let link = Link::new(now, config.clone());
    match replica {
        Some(replica) => link.with_replica(replica),
        None => link,
    }
}

impl SiteSetup {
    /// Returns the setup of a site without a twin and without marks, such as one that only records its visitors.
    pub fn alone(canvas: Point, screens: Vec<CanvasRegion>) -> Self {
        let showing = moongate_link::NowShowing { installation: String::new(), schema_hash: 0 };
        let (city, name) = (String::new(), String::new());
        let config = LinkConfig { key: [0; 32], twin: None, boot: 1, city, name, showing, canvas };
        Self { config, replica: None, screens, policy: SharingPolicy::default(), in_view_until: None }
    }
}
