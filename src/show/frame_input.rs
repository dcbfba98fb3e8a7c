//! Builder of the scene's input: touches and bodies of both cities, sky and clocks, and the events since the last
//! input.

use crate::config::City;
use crate::link::{LinkState, SiteEvent};
use crate::messages::{LocalTouchEvent, SessionStatus};
use crate::presence::{Body, Phase, Presence, Touch, TwinLayout};
use crate::scene::{
    BodyStateTracker, FrameInput, MarksUpdate, SceneEvent, SiteState, TouchState, encode_flow, motion_energy,
    sun_position, time_of_day,
};
use std::time::Duration;

/// Maximum number of events that wait for a stuck scene; beyond it the oldest are dropped.
const WAITING_MAX: usize = 1_024;

/// Collects the input of a scene.
pub struct FrameInputBuilder {
    here: &'static City,
    there: &'static City,
    meeting: TwinLayout,
    canvas: [f32; 2],
    touches: [Vec<TouchState>; 2],
    bodies: [BodyStateTracker; 2],
    /// Motion energy in each city.
    motion_energy: [f32; 2],
    /// Encoded motion field of this city.
    flow: Option<String>,
    events: Vec<SceneEvent>,
    /// Number of events and camera results so far; each is an input of the scene.
    input_count: u64,
    status: Option<SessionStatus>,
    began: Duration,
    last: Duration,
}

impl FrameInputBuilder {
    /// Creates an empty builder at `now`, monotonic. `canvas` is in canvas units.
    pub fn new(
        here: &'static City,
        there: &'static City,
        meeting: TwinLayout,
        canvas: [f32; 2],
        now: Duration,
    ) -> Self {
        let touches = [Vec::new(), Vec::new()];
        Self {
            here,
            there,
            meeting,
            canvas,
            touches,
            bodies: Default::default(),
            motion_energy: [0.0; 2],
            flow: None,
            events: Vec::new(),
            input_count: 0,
            status: None,
            began: now,
            last: now,
        }
    }

    /// Returns the shared clock at a monotonic time, in seconds.
    pub fn shared_time(&self, at: Duration) -> f64 {
        match &self.status {
            Some(status) => status.shared_clock + at.as_secs_f64() - status.at.as_secs_f64(),
            None => at.saturating_sub(self.began).as_secs_f64(),
        }
    }

    /// Returns the shared clock at a time in seconds, which may be before the machine's start.
    pub(crate) fn shared_seconds(&self, at: f64) -> f64 {
        let status = self.status.as_ref();
        status.map_or(at - self.began.as_secs_f64(), |status| status.shared_clock + at - status.at.as_secs_f64())
    }

    /// Returns the number of the last input.
    pub(crate) fn input_count(&self) -> u64 {
        self.input_count
    }

    fn push_event(&mut self, seen: SceneEvent) -> u64 {
        if self.events.len() >= WAITING_MAX {
            self.events.remove(0);
        }
        self.events.push(seen);
        self.input_count += 1;
        self.input_count
    }

    fn touch_state(&self, touch: &Touch, began: f64) -> TouchState {
        TouchState { id: touch.id, x: touch.at[0], y: touch.at[1], by: touch.kind.as_str(), began }
    }

    /// Handles a touch at this site; returns its input number.
    pub fn handle_touch(&mut self, touched: &LocalTouchEvent) -> u64 {
        let made = self.shared_time(touched.made);
        let list = &mut self.touches[0];
        let known = list.iter().position(|t| t.id == touched.touch.id);
        let began = known.map_or(made, |index| list[index].began);
        let seen = self.touch_state(&touched.touch, began);
        let list = &mut self.touches[0];
        match (touched.phase, known) {
            (Phase::Up, Some(index)) => _ = list.remove(index),
            // The end was inferred already, or the beginning was never reported.
            (Phase::Up, None) => return self.input_count,
            (_, Some(index)) => list[index] = seen,
            (_, None) => list.push(seen),
        }
        self.push_event(match touched.phase {
            Phase::Down => SceneEvent::Down(seen),
            Phase::Move => SceneEvent::Move(seen),
            Phase::Up => SceneEvent::Up(seen),
        })
    }

    /// Ends touches of this site that are no longer held: their ends are not reported while a frame loop stands still.
    pub fn retain_touches(&mut self, held: &[u32]) {
        let gone: Vec<TouchState> = self.touches[0].extract_if(.., |touch| !held.contains(&touch.id)).collect();
        for touch in gone {
            self.push_event(SceneEvent::Up(touch));
        }
    }

    /// Handles the bodies that this site's cameras saw at `made`, in canvas units; returns the input number.
    /// `stir` is the motion energy (0 to 1). `cells` has one vector for each cell of
    /// [`MOTION_GRID`](crate::presence::MOTION_GRID), in canvas units per second; it is empty if none is known.
    pub fn handle_bodies(&mut self, made: Duration, bodies: &[Body], stir: f32, cells: &[[f32; 2]]) -> u64 {
        let at = self.shared_time(made);
        self.bodies[0].update(at, bodies);
        self.motion_energy[0] = if stir.is_finite() { (stir.clamp(0.0, 1.0) * 1e3).round() / 1e3 } else { 0.0 };
        self.flow = encode_flow(cells);
        self.input_count += 1;
        self.input_count
    }

    /// Handles the link's status and the twin's presence, mapped to this canvas.
    pub fn handle_link(&mut self, status: SessionStatus, there: &Presence, now: Duration) {
        self.status = Some(status);
        let at = self.shared_time(now);
        self.bodies[1].update(at, &there.bodies);
        self.motion_energy[1] = motion_energy(&there.bodies, self.canvas);
        // Presence gives the position of a touch, events its beginning and end.
        for touch in &there.touches {
            let Some(index) = self.touches[1].iter().position(|t| t.id == touch.id) else { continue };
            let known = self.touches[1][index];
            let seen = self.touch_state(touch, known.began.min(at));
            // Presence is quantised to a twentieth of a unit.
            if (seen.x - known.x).abs() + (seen.y - known.y).abs() > 0.2 {
                self.touches[1][index] = seen;
                self.push_event(SceneEvent::MoveThere(seen));
            }
        }
    }

    /// Handles an event of the twin at `made`, on this site's monotonic clock; returns the input number.
    pub fn handle_event(&mut self, made: Duration, what: &SiteEvent) -> u64 {
        let turned =
            |touch: &Touch, senses: &Self| Touch { at: senses.meeting.map_point(senses.canvas[0], touch.at), ..*touch };
        match what {
            SiteEvent::Down(touch) => {
                let seen = self.touch_state(&turned(touch, self), self.shared_time(made));
                self.touches[1].retain(|t| t.id != touch.id);
                self.touches[1].push(seen);
                self.push_event(SceneEvent::DownThere(seen))
            }
            SiteEvent::Up(touch) => {
                let began = self.touches[1].iter().find(|t| t.id == touch.id).map(|t| t.began);
                let seen = self.touch_state(&turned(touch, self), began.unwrap_or_else(|| self.shared_time(made)));
                let known = self.touches[1].len();
                self.touches[1].retain(|t| t.id != touch.id);
                if self.touches[1].len() == known {
                    self.input_count
                } else {
                    self.push_event(SceneEvent::UpThere(seen))
                }
            }
            SiteEvent::Signal { name, data } => {
                self.push_event(SceneEvent::Heard { name: name.clone(), data: data.clone() })
            }
            SiteEvent::Meet { .. } | SiteEvent::Unknown => self.input_count,
        }
    }

    /// Handles an encounter of people of both cities.
    pub fn handle_encounter(&mut self, [x, y]: [f32; 2]) {
        self.push_event(SceneEvent::Meet { x, y });
    }

    /// Handles the merge of marks that both sites made while they were apart.
    pub fn handle_marks_merged(&mut self, marks: usize) {
        self.push_event(SceneEvent::Merged { marks });
    }

    /// Handles the beginning of the link.
    pub fn handle_linked(&mut self) {
        self.push_event(SceneEvent::Linked);
    }

    /// Handles the end of the link; the twin's touches and bodies end with it.
    pub fn handle_unlinked(&mut self) {
        for seen in std::mem::take(&mut self.touches[1]) {
            self.push_event(SceneEvent::UpThere(seen));
        }
        (self.bodies[1], self.motion_energy[1]) = (BodyStateTracker::default(), 0.0);
        self.push_event(SceneEvent::Parted);
    }

    /// Builds the input of a frame; `now` and `unix` are monotonic and in seconds since 1970.
    pub fn build(
        &self,
        number: u64,
        (now, unix): (Duration, f64),
        marks: MarksUpdate,
        share: Option<&str>,
    ) -> FrameInput {
        let site = |city: &City, side: usize| SiteState {
            touches: self.touches[side].clone(),
            bodies: self.bodies[side].bodies().to_vec(),
            stir: self.motion_energy[side],
            flow: self.flow.clone().filter(|_| side == 0),
            sun: sun_position(city.latitude, city.longitude, unix),
            clock: time_of_day(&city.zone, unix),
        };
        let health = self.status.map(|status| status.health).unwrap_or_default();
        FrameInput {
            number,
            input: self.input_count,
            now: self.shared_time(now),
            dt: now.saturating_sub(self.last).as_secs_f64().min(1.0),
            here: site(self.here, 0),
            there: site(self.there, 1),
            linked: health.state == LinkState::Linked,
            delay: health.round_trip.map_or(0.0, |round_trip| round_trip / 2.0),
            lead: self.status.is_none_or(|status| status.is_leader),
            share: share.map(str::to_owned),
            marks,
            dials: Vec::new(),
            events: self.events.clone(),
        }
    }

    /// Marks all events as delivered to the scene at `now`.
    pub fn mark_delivered(&mut self, now: Duration) {
        self.events.clear();
        self.last = now;
    }
}
