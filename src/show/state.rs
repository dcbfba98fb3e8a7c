//! Show half of a site, without devices and clocks: messages of the site half go in; inputs for the scene and messages to the site
//! half come out.
//!
//! The frame loop of a show and the simulation of a preview drive the same [`ShowState`].

use super::FrameInputBuilder;
use super::link_bridge::LinkBridge;
use super::rasterize::rasterize_bodies;
use crate::config::{City, Installation};
use crate::link::{LinkCommand, LinkState, SiteEvent};
use crate::messages::{LocalTouchEvent, PeopleMask, SessionStatus, ShowMessage, SiteMessage, TwinReport, VisionReport};
use crate::presence::{Body, Phase, Point, Presence, TwinLayout};
use crate::render::PresenceMap;
use crate::scene::{self, CityInfo, EngineUniforms, FrameInput, SceneAction, SceneRevision};
use std::collections::VecDeque;
use std::time::Duration;

/// Result of an action of the scene.
#[derive(Debug, PartialEq)]
pub enum ActionOutcome {
    /// A message to the site half carries it out, or nothing is left to do.
    Done,
    /// A sound of the scene is played.
    Play {
        /// File of the sound.
        name: String,
        /// Volume, 0 to 1.
        volume: f32,
        /// Position, -1 (left) to 1 (right).
        pan: f32,
        /// Speed; 1 is as recorded.
        rate: f32,
    },
    /// A line for the log.
    Log(String),
    /// A signal beyond the rate limit; with the number of signals dropped so far.
    SignalDropped(u64),
    /// A mark beyond the rate limit; with the number of marks dropped so far.
    MarkDropped(u64),
    /// A signal without a twin to receive it.
    Alone,
}

/// State of what a site shows.
pub struct ShowState {
    input: FrameInputBuilder,
    bridge: LinkBridge,
    cities: [CityInfo; 2],
    canvas: Point,
    layout: TwinLayout,
    frame_number: u64,
    /// Presence of this site.
    local: Presence,
    remote_bodies: Vec<Body>,
    /// State that the twin shares, as JSON; empty for none.
    remote_state: String,
    status: SessionStatus,
    messages: VecDeque<ShowMessage>,
    /// People of this site for the renderer, if they have changed.
    local_map: Option<PresenceMap>,
}

impl ShowState {
    /// Creates the state at `now`, monotonic. `there`: the twin's city; `key`: this site's public key.
    pub fn new(
        here: &'static City,
        there: &'static City,
        installation: &Installation,
        key: [u8; 32],
        now: Duration,
    ) -> Self {
        let (canvas, layout) = (installation.canvas_size(), installation.meeting);
        Self {
            input: FrameInputBuilder::new(here, there, layout, canvas, now),
            bridge: LinkBridge::new(layout, canvas, key, installation.link_loss),
            cities: [CityInfo::from_city(here), CityInfo::from_city(there)],
            canvas,
            layout,
            frame_number: 0,
            local: Presence::default(),
            remote_bodies: Vec::new(),
            remote_state: String::new(),
            status: SessionStatus::default(),
            messages: VecDeque::new(),
            local_map: None,
        }
    }

    /// Returns the size of the canvas, in its units.
    pub fn canvas(&self) -> Point {
        self.canvas
    }

    /// Returns this city and the twin's.
    pub fn cities(&self) -> &[CityInfo; 2] {
        &self.cities
    }

    /// Returns the shared clock at `now`, in seconds.
    pub fn shared_time(&self, now: Duration) -> f64 {
        self.input.shared_time(now)
    }

    /// Handles a message of the site half. Returns the number of this input if it is an event for the scene or a result of the cameras.
    pub fn handle_message(&mut self, now: Duration, message: &SiteMessage) -> Option<u64> {
        match message {
            SiteMessage::Touch(event) => return Some(self.handle_touch(event)),
            SiteMessage::Held(ids) => {
                self.local.touches.retain(|touch| ids.contains(&touch.id));
                self.input.retain_touches(ids);
            }
            SiteMessage::Vision(report) => return Some(self.handle_vision(report)),
            SiteMessage::Twin(report) => self.handle_twin(now, report.clone()),
            SiteMessage::SharedState(json) => self.remote_state.clone_from(json),
            SiteMessage::Marks(feed) => self.bridge.handle_marks(feed.clone()),
            SiteMessage::Linked => self.input.handle_linked(),
            SiteMessage::Unlinked => self.input.handle_unlinked(),
            SiteMessage::Event { made, event, .. } => return Some(self.input.handle_event(*made, event)),
            SiteMessage::Meet { at, place } => self.bridge.schedule_meeting(*at, *place, self.status.is_leader),
        }
        None
    }

    /// Returns the next message to the site half.
    pub fn poll_message(&mut self) -> Option<ShowMessage> {
        self.messages.pop_front()
    }

    fn send(&mut self, made: Duration, command: LinkCommand) {
        self.messages.push_back(ShowMessage::Command { made, command });
    }

    fn handle_touch(&mut self, event: &LocalTouchEvent) -> u64 {
        let touches = &mut self.local.touches;
        match (event.phase, touches.iter().position(|touch| touch.id == event.touch.id)) {
            (Phase::Up, Some(index)) => _ = touches.remove(index),
            (Phase::Up, None) => {}
            (_, Some(index)) => touches[index] = event.touch,
            (_, None) => touches.push(event.touch),
        }
        self.input.handle_touch(event)
    }

    fn handle_vision(&mut self, report: &VisionReport) -> u64 {
        let VisionReport { captured, bodies, motion_energy, flow, mask } = report;
        self.local.bodies.clone_from(bodies);
        if flow.is_empty() {
            // Recorded visitors have no camera.
            let map = rasterize_bodies(self.input.input_count(), bodies, self.canvas);
            let energy = scene::motion_energy(bodies, self.canvas);
            let input = self.input.handle_bodies(*captured, bodies, energy, &map.flow);
            self.local_map = Some(map);
            return input;
        }
        if let Some(PeopleMask { version, width, height, texels }) = mask.clone() {
            self.local_map = Some(PresenceMap { version, width, height, mask: texels, flow: flow.clone() });
        }
        self.input.handle_bodies(*captured, bodies, *motion_energy, flow)
    }

    /// Returns the people of both sites for the renderer, this site first; none for a site whose people are as before, and none for the
    /// twin if no shader of this edition looks at people.
    pub fn take_presence_maps(&mut self, edition: Option<&SceneRevision>) -> [Option<PresenceMap>; 2] {
        let looks = |edition: &SceneRevision| edition.shaders.iter().any(|shader| shader.inputs.people);
        let remote = edition.is_some_and(looks);
        let remote = remote.then(|| rasterize_bodies(self.frame_number + 1, &self.remote_bodies, self.canvas));
        [self.local_map.take(), remote]
    }

    /// Handles the state of the link and the twin's presence, and proposes the meetings of people of both sites.
    fn handle_twin(&mut self, now: Duration, TwinReport { status, mut presence }: TwinReport) {
        self.layout.map_presence(self.canvas[0], &mut presence);
        self.bridge.apply_link_loss(&mut presence);
        if status.can_propose {
            for place in self.bridge.find_encounters(now, &self.local, &presence) {
                self.send(now, LinkCommand::Meeting(place));
            }
        }
        self.input.handle_link(status, &presence, now);
        self.remote_bodies = presence.bodies;
        self.status = status;
    }

    /// Handles the passing of time up to `now`: meetings that are due.
    pub fn handle_timeout(&mut self, now: Duration) {
        for place in self.bridge.take_due_meetings(now) {
            self.input.handle_encounter(place);
        }
    }

    /// Handles the start of another scene: it receives all marks.
    pub fn restart_scene(&mut self) {
        self.bridge.restart_scene();
    }

    /// Handles another revision of the installation.
    pub fn handle_revision(&mut self, now: Duration, installation: &Installation) {
        self.bridge.set_link_loss(installation.link_loss);
        // The state that the previous scene shared is not valid for this one.
        self.send(now, LinkCommand::SharedState(String::new()));
        self.send(now, LinkCommand::NowShowing(super::now_showing(installation)));
        self.send(now, LinkCommand::SceneStart);
    }

    /// Builds the input of the scene's next frame, and the uniforms of its shaders. `unix`: seconds since 1970.
    pub fn next_frame(&mut self, now: Duration, unix: f64) -> (FrameInput, EngineUniforms) {
        self.frame_number += 1;
        let marks = self.bridge.next_marks(&self.input);
        let shared = Some(self.remote_state.as_str()).filter(|json| !json.is_empty());
        let input = self.input.build(self.frame_number, (now, unix), marks, shared);
        let uniforms = EngineUniforms::from_input(&input, [&self.cities[0], &self.cities[1]]);
        (input, uniforms)
    }

    /// Marks the last input as delivered to the scene at `now`.
    pub fn mark_delivered(&mut self, now: Duration) {
        self.input.mark_delivered(now);
        if let Some(marks) = self.bridge.mark_delivered() {
            self.input.handle_marks_merged(marks);
        }
    }

    /// Handles an action of the scene. `utc_ms`: wall clock, in milliseconds since 1970.
    pub fn handle_action(&mut self, now: Duration, utc_ms: u64, action: SceneAction) -> ActionOutcome {
        match action {
            SceneAction::Play { name, volume, pan, rate } => ActionOutcome::Play { name, volume, pan, rate },
            SceneAction::Signal { .. } if self.status.health.state != LinkState::Linked => ActionOutcome::Alone,
            SceneAction::Signal { name, data } => match self.bridge.admit_signal(now, &name, &data) {
                Ok(()) => self.carry_out(now, LinkCommand::Event(SiteEvent::Signal { name, data })),
                Err(dropped) => ActionOutcome::SignalDropped(dropped),
            },
            SceneAction::Mark(mark) => match self.bridge.admit_mark(now, &mark) {
                Ok(()) => self.carry_out(now, LinkCommand::Mark { utc_ms, mark }),
                Err(dropped) => ActionOutcome::MarkDropped(dropped),
            },
            SceneAction::Share(data) => self.carry_out(now, LinkCommand::SharedState(data)),
            SceneAction::Log(line) => ActionOutcome::Log(line),
        }
    }

    fn carry_out(&mut self, now: Duration, command: LinkCommand) -> ActionOutcome {
        self.send(now, command);
        ActionOutcome::Done
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::city_by_slug;
    use crate::marks::NewMark;
    use crate::messages::{decode, encode};
    use crate::presence::Touch;
    use std::path::Path;

    const NOW: Duration = Duration::from_secs(100);

    fn state() -> ShowState {
        let [here, there] = ["kobe", "dublin"].map(|slug| city_by_slug(slug).expect("a member"));
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("installations/ripples");
        let installation = Installation::read(&folder).expect("ours");
        ShowState::new(here, there, &installation, [7; 32], NOW)
    }

    fn twin(state: LinkState, at: Duration) -> SiteMessage {
        let mut report =
            TwinReport { status: SessionStatus { at, ..SessionStatus::default() }, ..TwinReport::default() };
        report.status.health.state = state;
        SiteMessage::Twin(report)
    }

    #[test]
    fn actions_of_a_scene_become_messages_to_the_site_half() {
        let mut state = state();
        let signal = || SceneAction::Signal { name: "bell".into(), data: "1".into() };
        assert_eq!(state.handle_action(NOW, 5, signal()), ActionOutcome::Alone);
        assert_eq!(state.handle_message(NOW, &twin(LinkState::Linked, NOW)), None);
        assert_eq!(state.poll_message(), None);
        assert_eq!(state.handle_action(NOW, 5, signal()), ActionOutcome::Done);
        let command = LinkCommand::Event(SiteEvent::Signal { name: "bell".into(), data: "1".into() });
        assert_eq!(state.poll_message(), Some(ShowMessage::Command { made: NOW, command }));
        let mark = NewMark { name: "lantern".into(), at: None, seed: 1, said: "{}".into() };
        assert_eq!(state.handle_action(NOW, 5, SceneAction::Mark(mark.clone())), ActionOutcome::Done);
        let command = LinkCommand::Mark { utc_ms: 5, mark };
        assert_eq!(state.poll_message(), Some(ShowMessage::Command { made: NOW, command }));
        let dropped = (0..200).map(|_| state.handle_action(NOW, 5, signal()));
        assert!(dropped.into_iter().any(|outcome| outcome == ActionOutcome::SignalDropped(1)));
    }

    #[test]
    fn the_same_messages_give_the_same_frames_also_as_bytes() {
        let frames = |through: fn(SiteMessage) -> SiteMessage| {
            let mut state = state();
            (0..90_u64)
                .map(|frame| {
                    let now = NOW + Duration::from_micros(frame * 16_667);
                    let touch = Touch { id: (frame / 30) as u32, at: [frame as f32, 5.0], ..Touch::default() };
                    let phase = [Phase::Down, Phase::Move, Phase::Up][(frame % 30).div_ceil(15) as usize];
                    let body = Body { id: 3, foot: [frame as f32, 900.0], ..Body::default() };
                    let seen = VisionReport { captured: now, bodies: vec![body], ..VisionReport::default() };
                    for message in [
                        SiteMessage::Touch(LocalTouchEvent { made: now, phase, touch }),
                        SiteMessage::Vision(seen),
                        twin(LinkState::Linked, now),
                        SiteMessage::SharedState("{\"tide\":1}".into()),
                    ] {
                        state.handle_message(now, &through(message));
                    }
                    state.handle_timeout(now);
                    let (input, _) = state.next_frame(now, 1_790_000_000.0 + now.as_secs_f64());
                    state.mark_delivered(now);
                    serde_json::to_string(&input).expect("numbers and short texts")
                })
                .collect::<Vec<_>>()
        };
        let first = frames(|message| message);
        assert_eq!(first, frames(|message| decode(&encode(&message).expect("within bounds")).expect("our own")));
        assert!(first[0] != first[40] && first[40].contains("tide"));
    }
}
