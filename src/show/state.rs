//! Show half of a site, without devices and clocks: reports of touches, cameras and link go in; inputs for the scene and commands for
//! the link come out.
//!
//! The frame loop of a show and the simulation of a preview drive the same [`ShowState`].

use super::FrameInputBuilder;
use super::link_bridge::LinkBridge;
use crate::config::{City, Installation};
use crate::device::net::{LinkStatus, MarkFeed};
use crate::device::touch_hub::LocalTouchEvent;
use crate::link::{LinkCommand, LinkOutput, LinkState, SiteEvent};
use crate::presence::{Body, Point, Presence, TwinLayout};
use crate::scene::{CityInfo, EngineUniforms, FrameInput, SceneAction};
use std::time::Duration;

/// State of the link in one frame.
pub struct LinkReport<'a> {
    /// Status of the session.
    pub status: LinkStatus,
    /// Presence of the twin, on its canvas.
    pub remote: Presence,
    /// Presence of this site.
    pub local: &'a Presence,
    /// Changes of the marks since the last report.
    pub marks: MarkFeed,
}

/// Result of an action of the scene.
#[derive(Debug, PartialEq)]
pub enum ActionOutcome {
    /// The link carries it out.
    Command(LinkCommand),
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
    remote_bodies: Vec<Body>,
    status: LinkStatus,
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
            remote_bodies: Vec::new(),
            status: LinkStatus::default(),
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

    /// Returns the twin's bodies, on this canvas.
    pub fn remote_bodies(&self) -> &[Body] {
        &self.remote_bodies
    }

    /// Returns the shared clock at `now`, in seconds.
    pub fn shared_time(&self, now: Duration) -> f64 {
        self.input.shared_time(now)
    }

    /// Handles a touch of this site. Returns the number of this input.
    pub fn handle_touch(&mut self, touch: &LocalTouchEvent) -> u64 {
        self.input.handle_touch(touch)
    }

    /// Ends the touches of this site that are not held any more.
    pub fn retain_touches(&mut self, held: &[u32]) {
        self.input.retain_touches(held);
    }

    /// Handles what the cameras of this site have seen at `made`. Returns the number of this input. See
    /// [`FrameInputBuilder::handle_bodies`].
    pub fn handle_bodies(&mut self, made: Duration, bodies: &[Body], energy: f32, flow: &[Point]) -> u64 {
        self.input.handle_bodies(made, bodies, energy, flow)
    }

    /// Handles the state of the link in a frame. Returns the places at which people of both sites meet, for the link.
    pub fn handle_link(&mut self, now: Duration, report: LinkReport) -> Vec<LinkCommand> {
        let LinkReport { status, mut remote, local, marks } = report;
        self.layout.map_presence(self.canvas[0], &mut remote);
        self.bridge.apply_link_loss(&mut remote);
        let places = if status.can_propose { self.bridge.find_encounters(now, local, &remote) } else { vec![] };
        self.input.handle_link(status, &remote, now);
        self.remote_bodies = remote.bodies;
        self.bridge.handle_marks(marks);
        self.status = status;
        places.into_iter().map(LinkCommand::Meeting).collect()
    }

    /// Handles an output of the link. Returns the number of this input if it is an event of the twin.
    pub fn handle_output(&mut self, output: &LinkOutput) -> Option<u64> {
        match output {
            LinkOutput::Linked(_) => self.input.handle_linked(),
            LinkOutput::Disconnected(_) => self.input.handle_unlinked(),
            LinkOutput::Meet { at, place } => self.bridge.schedule_meeting(*at, *place, self.status.is_leader),
            LinkOutput::Event { made, event, .. } => return Some(self.input.handle_event(*made, event)),
            // Marks arrive through the feed, and the link itself reports what cannot be stored.
            LinkOutput::NowShowing { .. }
            | LinkOutput::Marks(_)
            | LinkOutput::MarksReset
            | LinkOutput::Merged { .. }
            | LinkOutput::Replicated { .. }
            | LinkOutput::StoreFailed(_) => {}
        }
        None
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

    /// Handles another revision of the installation. Returns the commands for the link.
    pub fn handle_revision(&mut self, installation: &Installation) -> [LinkCommand; 3] {
        self.bridge.set_link_loss(installation.link_loss);
        [
            // The state that the previous scene shared is not valid for this one.
            LinkCommand::SharedState(String::new()),
            LinkCommand::NowShowing(super::now_showing(installation)),
            LinkCommand::SceneStart,
        ]
    }

    /// Builds the input of the scene's next frame, and the uniforms of its shaders. `unix`: seconds since 1970; `shared`: the
    /// twin's shared state, as JSON.
    pub fn next_frame(&mut self, now: Duration, unix: f64, shared: Option<&str>) -> (FrameInput, EngineUniforms) {
        self.frame_number += 1;
        let marks = self.bridge.next_marks(&self.input);
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
                Ok(()) => ActionOutcome::Command(LinkCommand::Event(SiteEvent::Signal { name, data })),
                Err(dropped) => ActionOutcome::SignalDropped(dropped),
            },
            SceneAction::Mark(mark) => match self.bridge.admit_mark(now, &mark) {
                Ok(()) => ActionOutcome::Command(LinkCommand::Mark { utc_ms, mark }),
                Err(dropped) => ActionOutcome::MarkDropped(dropped),
            },
            SceneAction::Share(data) => ActionOutcome::Command(LinkCommand::SharedState(data)),
            SceneAction::Log(line) => ActionOutcome::Log(line),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::city_by_slug;
    use crate::marks::NewMark;
    use crate::presence::{Phase, Touch};
    use std::path::Path;

    const NOW: Duration = Duration::from_secs(100);

    fn state() -> ShowState {
        let [here, there] = ["kobe", "dublin"].map(|slug| city_by_slug(slug).expect("a member"));
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("installations/ripples");
        let installation = Installation::read(&folder).expect("ours");
        ShowState::new(here, there, &installation, [7; 32], NOW)
    }

    fn report(state: LinkState, local: &Presence) -> LinkReport<'_> {
        let mut status = LinkStatus { at: NOW, ..LinkStatus::default() };
        status.health.state = state;
        LinkReport { status, remote: Presence::default(), local, marks: MarkFeed::default() }
    }

    #[test]
    fn actions_of_a_scene_become_commands_of_the_link() {
        let (mut state, nobody) = (state(), Presence::default());
        let signal = || SceneAction::Signal { name: "bell".into(), data: "1".into() };
        assert_eq!(state.handle_action(NOW, 5, signal()), ActionOutcome::Alone);
        assert_eq!(state.handle_link(NOW, report(LinkState::Linked, &nobody)), []);
        let event = SiteEvent::Signal { name: "bell".into(), data: "1".into() };
        assert_eq!(state.handle_action(NOW, 5, signal()), ActionOutcome::Command(LinkCommand::Event(event)));
        let mark = NewMark { name: "lantern".into(), at: None, seed: 1, said: "{}".into() };
        let outcome = state.handle_action(NOW, 5, SceneAction::Mark(mark.clone()));
        assert_eq!(outcome, ActionOutcome::Command(LinkCommand::Mark { utc_ms: 5, mark }));
        let dropped = (0..200).map(|_| state.handle_action(NOW, 5, signal()));
        assert!(dropped.into_iter().any(|outcome| outcome == ActionOutcome::SignalDropped(1)));
    }

    #[test]
    fn the_same_inputs_give_the_same_frames() {
        let frames = || {
            let (mut state, nobody) = (state(), Presence::default());
            (0..90_u64)
                .map(|frame| {
                    let now = NOW + Duration::from_micros(frame * 16_667);
                    let touch = Touch { id: (frame / 30) as u32, at: [frame as f32, 5.0], ..Touch::default() };
                    let phase = [Phase::Down, Phase::Move, Phase::Up][(frame % 30).div_ceil(15) as usize];
                    state.handle_touch(&LocalTouchEvent { made: now, phase, touch });
                    state.handle_link(now, report(LinkState::Linked, &nobody));
                    state.handle_timeout(now);
                    let (input, _) = state.next_frame(now, 1_790_000_000.0 + now.as_secs_f64(), Some("{\"tide\":1}"));
                    state.mark_delivered(now);
                    serde_json::to_string(&input).expect("numbers and short texts")
                })
                .collect::<Vec<_>>()
        };
        let first = frames();
        assert_eq!(first, frames());
        assert!(first[0] != first[40]);
    }
}
