//! What the scene will see: touches and bodies of both cities, sky and clocks, and what happened since it was last asked.

use crate::device::quic::Status;
use crate::device::touch::Touched;
use crate::link::{Happening, State};
use crate::manifest::City;
use crate::presence::{Body, Meeting, Phase, Presence, Touch};
use crate::scene::{Crowd, FLOW, MarksSeen, Seen, Sees, SiteSeen, TouchSeen, flow, local_clock, stir, sun};
use crate::sense::MOTION;
use std::time::Duration;

/// Things that wait for a scene which is stuck; more, and the oldest are forgotten.
const WAITING_MAX: usize = 1_024;

// What the camera's part measures is what a scene reads.
const _: () = assert!(FLOW[0] == MOTION[0] && FLOW[1] == MOTION[1]);

/// Gathers what a scene may know.
pub struct Senses {
    here: &'static City,
    there: &'static City,
    meeting: Meeting,
    canvas: [f32; 2],
    touches: [Vec<TouchSeen>; 2],
    bodies: [Crowd; 2],
    /// How much moves in each city.
    stir: [f32; 2],
    /// How it moves here.
    flow: Option<String>,
    events: Vec<Seen>,
    /// Events and looks of the camera so far, which are the scene's inputs.
    input: u64,
    status: Option<Status>,
    began: Duration,
    last: Duration,
}

impl Senses {
    /// Nothing seen yet at `now`, monotonic. `canvas` in its units.
    pub fn new(here: &'static City, there: &'static City, meeting: Meeting, canvas: [f32; 2], now: Duration) -> Self {
        let touches = [Vec::new(), Vec::new()];
        Self {
            here,
            there,
            meeting,
            canvas,
            touches,
            bodies: Default::default(),
            stir: [0.0; 2],
            flow: None,
            events: Vec::new(),
            input: 0,
            status: None,
            began: now,
            last: now,
        }
    }

    /// The shared clock at a monotonic time, in seconds.
    pub fn shared(&self, at: Duration) -> f64 {
        match &self.status {
            Some(status) => status.shared + at.as_secs_f64() - status.at.as_secs_f64(),
            None => at.saturating_sub(self.began).as_secs_f64(),
        }
    }

    /// The same for a time in seconds, which may be from before the machine's start.
    pub(crate) fn shared_seconds(&self, at: f64) -> f64 {
        let status = self.status.as_ref();
        status.map_or(at - self.began.as_secs_f64(), |status| status.shared + at - status.at.as_secs_f64())
    }

    fn event(&mut self, seen: Seen) -> u64 {
        if self.events.len() >= WAITING_MAX {
            self.events.remove(0);
        }
        self.events.push(seen);
        self.input += 1;
        self.input
    }

    fn seen(&self, touch: &Touch, began: f64) -> TouchSeen {
        TouchSeen { id: touch.id, x: touch.at[0], y: touch.at[1], by: touch.by.word(), began }
    }

    /// A touch here; the number of the input that it is.
    pub fn touched(&mut self, touched: &Touched) -> u64 {
        let made = self.shared(touched.made);
        let list = &mut self.touches[0];
        let known = list.iter().position(|t| t.id == touched.touch.id);
        let began = known.map_or(made, |index| list[index].began);
        let seen = self.seen(&touched.touch, began);
        let list = &mut self.touches[0];
        match (touched.phase, known) {
            (Phase::Up, Some(index)) => _ = list.remove(index),
            // An end that was made up for already, or whose beginning nobody heard of.
            (Phase::Up, None) => return self.input,
            (_, Some(index)) => list[index] = seen,
            (_, None) => list.push(seen),
        }
        self.event(match touched.phase {
            Phase::Down => Seen::Down(seen),
            Phase::Move => Seen::Move(seen),
            Phase::Up => Seen::Up(seen),
        })
    }

    /// Ends touches here that are not held any more: while a frame loop stood still, their ends were not told to it.
    pub fn only(&mut self, held: &[u32]) {
        let gone: Vec<TouchSeen> = self.touches[0].extract_if(.., |touch| !held.contains(&touch.id)).collect();
        for touch in gone {
            self.event(Seen::Up(touch));
        }
    }

    /// What the cameras of here saw at `made`, in canvas units: bodies, how much moves (0 to 1), and how (one vector for
    /// each cell of [`FLOW`], in canvas units a second; empty where none is known). The number of the
    /// input that it is.
    pub fn bodies(&mut self, made: Duration, bodies: &[Body], stir: f32, cells: &[[f32; 2]]) -> u64 {
        let at = self.shared(made);
        self.bodies[0].take(at, bodies);
        self.stir[0] = if stir.is_finite() { (stir.clamp(0.0, 1.0) * 1e3).round() / 1e3 } else { 0.0 };
        self.flow = flow(cells);
        self.input += 1;
        self.input
    }

    /// How the link is, and who is there, as they stand on this canvas.
    pub fn link(&mut self, status: Status, there: &Presence, now: Duration) {
        self.status = Some(status);
        let at = self.shared(now);
        self.bodies[1].take(at, &there.bodies);
        self.stir[1] = stir(&there.bodies, self.canvas);
        // Where a touch is comes from presence, that it began and ended from events.
        for touch in &there.touches {
            let Some(index) = self.touches[1].iter().position(|t| t.id == touch.id) else { continue };
            let known = self.touches[1][index];
            let seen = self.seen(touch, known.began.min(at));
            // Presence is quantised to a twentieth of a unit.
            if (seen.x - known.x).abs() + (seen.y - known.y).abs() > 0.2 {
                self.touches[1][index] = seen;
                self.event(Seen::MoveThere(seen));
            }
        }
    }

    /// Something happened there at `made`, by our monotonic clock; the number of the input that it is.
    pub fn happened(&mut self, made: Duration, what: &Happening) -> u64 {
        let turned =
            |touch: &Touch, senses: &Self| Touch { at: senses.meeting.turn(senses.canvas[0], touch.at), ..*touch };
        match what {
            Happening::Down(touch) => {
                let seen = self.seen(&turned(touch, self), self.shared(made));
                self.touches[1].retain(|t| t.id != touch.id);
                self.touches[1].push(seen);
                self.event(Seen::DownThere(seen))
            }
            Happening::Up(touch) => {
                let began = self.touches[1].iter().find(|t| t.id == touch.id).map(|t| t.began);
                let seen = self.seen(&turned(touch, self), began.unwrap_or_else(|| self.shared(made)));
                let known = self.touches[1].len();
                self.touches[1].retain(|t| t.id != touch.id);
                if self.touches[1].len() == known { self.input } else { self.event(Seen::UpThere(seen)) }
            }
            Happening::Signal { name, data } => self.event(Seen::Heard { name: name.clone(), data: data.clone() }),
            Happening::Meet { .. } | Happening::Unknown => self.input,
        }
    }

    /// People of both cities meet, now.
    pub fn meet(&mut self, [x, y]: [f32; 2]) {
        self.event(Seen::Meet { x, y });
    }

    /// What both made apart is together.
    pub fn merged(&mut self, marks: usize) {
        self.event(Seen::Merged { marks });
    }

    /// The twin is there.
    pub fn linked(&mut self) {
        self.event(Seen::Linked);
    }

    /// The twin is gone, and its touches and bodies with it.
    pub fn parted(&mut self) {
        for seen in std::mem::take(&mut self.touches[1]) {
            self.event(Seen::UpThere(seen));
        }
        (self.bodies[1], self.stir[1]) = (Crowd::default(), 0.0);
        self.event(Seen::Parted);
    }

    /// Everything that a scene may know now: monotonic, and in seconds since 1970.
    pub fn sees(&self, number: u64, (now, unix): (Duration, f64), marks: MarksSeen, share: Option<&str>) -> Sees {
        let site = |city: &City, side: usize| SiteSeen {
            touches: self.touches[side].clone(),
            bodies: self.bodies[side].bodies().to_vec(),
            stir: self.stir[side],
            flow: self.flow.clone().filter(|_| side == 0),
            sun: sun(city.latitude, city.longitude, unix),
            clock: local_clock(&city.zone, unix),
        };
        let health = self.status.map(|status| status.health).unwrap_or_default();
        Sees {
            number,
            input: self.input,
            now: self.shared(now),
            dt: now.saturating_sub(self.last).as_secs_f64().min(1.0),
            here: site(self.here, 0),
            there: site(self.there, 1),
            linked: health.state == State::Linked,
            delay: health.round_trip.map_or(0.0, |round_trip| round_trip / 2.0),
            lead: self.status.is_none_or(|status| status.lead),
            share: share.map(str::to_owned),
            marks,
            dials: Vec::new(),
            events: self.events.clone(),
        }
    }

    /// The scene has been told all of it, at `now`.
    pub fn told(&mut self, now: Duration) {
        self.events.clear();
        self.last = now;
    }
}
