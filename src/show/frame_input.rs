//! What the scene will see: touches and bodies of both cities, sky and clocks, and what happened since it was last asked.

use crate::config::City;
use crate::device::net::LinkStatus;
use crate::device::touch_hub::LocalTouchEvent;
use crate::link::{LinkState, SiteEvent};
use crate::presence::{Body, Phase, Presence, Touch, TwinLayout};
use crate::scene::{
    BodyStateTracker, FrameInput, MarksUpdate, SceneEvent, SiteState, TouchState, encode_flow, motion_energy,
    sun_position, time_of_day,
};
use std::time::Duration;

/// Things that wait for a scene which is stuck; more, and the oldest are forgotten.
const WAITING_MAX: usize = 1_024;

/// Gathers what a scene may know.
pub struct FrameInputBuilder {
    here: &'static City,
    there: &'static City,
    meeting: TwinLayout,
    canvas: [f32; 2],
    touches: [Vec<TouchState>; 2],
    bodies: [BodyStateTracker; 2],
    /// How much moves in each city.
    motion_energy: [f32; 2],
    /// How it moves here.
    flow: Option<String>,
    events: Vec<SceneEvent>,
    /// Events and looks of the camera so far, which are the scene's inputs.
    input_count: u64,
    status: Option<LinkStatus>,
    began: Duration,
    last: Duration,
}

impl FrameInputBuilder {
    /// Nothing seen yet at `now`, monotonic. `canvas` in its units.
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

    /// The shared clock at a monotonic time, in seconds.
    pub fn shared_time(&self, at: Duration) -> f64 {
        match &self.status {
            Some(status) => status.shared_clock + at.as_secs_f64() - status.at.as_secs_f64(),
            None => at.saturating_sub(self.began).as_secs_f64(),
        }
    }

    /// The same for a time in seconds, which may be from before the machine's start.
    pub(crate) fn shared_seconds(&self, at: f64) -> f64 {
        let status = self.status.as_ref();
        status.map_or(at - self.began.as_secs_f64(), |status| status.shared_clock + at - status.at.as_secs_f64())
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

    /// A touch here; the number of the input that it is.
    pub fn handle_touch(&mut self, touched: &LocalTouchEvent) -> u64 {
        let made = self.shared_time(touched.made);
        let list = &mut self.touches[0];
        let known = list.iter().position(|t| t.id == touched.touch.id);
        let began = known.map_or(made, |index| list[index].began);
        let seen = self.touch_state(&touched.touch, began);
        let list = &mut self.touches[0];
        match (touched.phase, known) {
            (Phase::Up, Some(index)) => _ = list.remove(index),
            // An end that was made up for already, or whose beginning nobody heard of.
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

    /// Ends touches here that are not held any more: while a frame loop stood still, their ends were not told to it.
    pub fn retain_touches(&mut self, held: &[u32]) {
        let gone: Vec<TouchState> = self.touches[0].extract_if(.., |touch| !held.contains(&touch.id)).collect();
        for touch in gone {
            self.push_event(SceneEvent::Up(touch));
        }
    }

    /// What the cameras of here saw at `made`, in canvas units: bodies, how much moves (0 to 1), and how (one vector for
    /// each cell of [`MOTION_GRID`](crate::presence::MOTION_GRID), in canvas units a second; empty where none is known). The number of the
    /// input that it is.
    pub fn handle_bodies(&mut self, made: Duration, bodies: &[Body], stir: f32, cells: &[[f32; 2]]) -> u64 {
        let at = self.shared_time(made);
        self.bodies[0].update(at, bodies);
        self.motion_energy[0] = if stir.is_finite() { (stir.clamp(0.0, 1.0) * 1e3).round() / 1e3 } else { 0.0 };
        self.flow = encode_flow(cells);
        self.input_count += 1;
        self.input_count
    }

    /// How the link is, and who is there, as they stand on this canvas.
    pub fn handle_link(&mut self, status: LinkStatus, there: &Presence, now: Duration) {
        self.status = Some(status);
        let at = self.shared_time(now);
        self.bodies[1].update(at, &there.bodies);
        self.motion_energy[1] = motion_energy(&there.bodies, self.canvas);
        // Where a touch is comes from presence, that it began and ended from events.
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

    /// Something happened there at `made`, by our monotonic clock; the number of the input that it is.
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

    /// People of both cities meet, now.
    pub fn handle_encounter(&mut self, [x, y]: [f32; 2]) {
        self.push_event(SceneEvent::Meet { x, y });
    }

    /// What both made apart is together.
    pub fn handle_marks_merged(&mut self, marks: usize) {
        self.push_event(SceneEvent::Merged { marks });
    }

    /// The twin is there.
    pub fn handle_linked(&mut self) {
        self.push_event(SceneEvent::Linked);
    }

    /// The twin is gone, and its touches and bodies with it.
    pub fn handle_unlinked(&mut self) {
        for seen in std::mem::take(&mut self.touches[1]) {
            self.push_event(SceneEvent::UpThere(seen));
        }
        (self.bodies[1], self.motion_energy[1]) = (BodyStateTracker::default(), 0.0);
        self.push_event(SceneEvent::Parted);
    }

    /// Everything that a scene may know now: monotonic, and in seconds since 1970.
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

    /// The scene has been told all of it, at `now`.
    pub fn mark_delivered(&mut self, now: Duration) {
        self.events.clear();
        self.last = now;
    }
}
