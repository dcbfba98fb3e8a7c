//! Measurements of a rehearsal: touch latency beyond the one-way delay, and loss and duplication of touches.
//! Also bodies seen here and at the twin, and the age of one's own outline when it is drawn.

mod bodies;
mod summary;

pub use summary::RehearsalSummary;

use crate::link::netem::NetemStats;
use crate::show::TraceLine;
use crate::show::status::{ShowStatus, is_linked};
use bodies::BodyRecords;
use std::collections::HashMap;
use std::time::Duration;

/// A touch made this close to the end may still be in flight.
const IN_FLIGHT_MAX: Duration = Duration::from_millis(2_500);

/// Identity of an event: previous starts of its site's show, the touch, and true if it began or false if it ended.
type EventKey = (u32, u32, bool);

/// Times recorded for one event.
#[derive(Debug, Default, Clone)]
struct TouchRecord {
    made: Option<u64>,
    arrived: Vec<u64>,
    drawn: Option<u64>,
    own: Option<(u64, u32)>,
}

/// Measurements of one site.
#[derive(Debug, Default)]
struct SiteRecord {
    latest_status: Option<ShowStatus>,
    /// Status before the latest one, for rates per second.
    previous_status: Option<ShowStatus>,
    restarts: u32,
    asleep: bool,
    linked_after: Option<Duration>,
    memory: [Option<f64>; 2],
    /// Events made at this site, with their records from both sites.
    events: HashMap<EventKey, TouchRecord>,
    bodies: BodyRecords,
    first_status: Option<ShowStatus>,
    link_at_end: String,
}

/// Collects the measurements of both shows.
pub struct RehearsalReport {
    installation: String,
    names: [String; 2],
    one_way: Duration,
    sites: [SiteRecord; 2],
    length: Duration,
    interrupted: bool,
    datagrams: NetemStats,
    /// Only events made before this are evaluated; monotonic nanoseconds.
    judged_until: Option<u64>,
    /// Only events made after this are evaluated: both sites were linked, and a frame was in view.
    judged_from: Option<u64>,
}

impl RehearsalReport {
    /// Creates a report without measurements.
    pub fn new(installation: &str, names: &[String; 2], one_way: Duration) -> Self {
        Self {
            installation: installation.into(),
            names: names.clone(),
            one_way,
            sites: Default::default(),
            length: Duration::ZERO,
            interrupted: false,
            datagrams: NetemStats::default(),
            judged_until: None,
            judged_from: None,
        }
    }

    /// Records a status line of site `index`, received `elapsed` after the start.
    pub fn handle_status(&mut self, index: usize, line: &ShowStatus, elapsed: Duration) {
        let restarts = [self.sites[0].restarts, self.sites[1].restarts];
        for event in &line.events {
            let (maker, id, down) = match event {
                TraceLine::Made { id, down, .. } => (index, *id, *down),
                TraceLine::Arrived { id, down, .. } => (1 - index, *id, *down),
                TraceLine::Drawn { id, down, own, .. } => (if *own { index } else { 1 - index }, *id, *down),
                TraceLine::Body { id, own, came, at } => {
                    let seer = if *own { index } else { 1 - index };
                    self.sites[seer].bodies.record_body((restarts[seer], *id), *own, *came, *at);
                    continue;
                }
                TraceLine::Outline { made, frames, submitted } => {
                    self.sites[index].bodies.record_outline(*made, *frames, *submitted);
                    continue;
                }
            };
            let known = self.sites[maker].events.entry((restarts[maker], id, down)).or_default();
            match event {
                TraceLine::Made { at, .. } => known.made = Some(*at),
                TraceLine::Arrived { at, .. } => known.arrived.push(*at),
                TraceLine::Drawn { own: true, submitted, frames, .. } => known.own = Some((*submitted, *frames)),
                TraceLine::Drawn { own: false, at, .. } => known.drawn = Some(*at),
                TraceLine::Body { .. } | TraceLine::Outline { .. } => {}
            }
        }
        let site = &mut self.sites[index];
        if is_linked(&line.link) && site.linked_after.is_none() {
            site.linked_after = Some(elapsed);
        }
        site.first_status.get_or_insert_with(|| line.clone());
        let mut line = ShowStatus { events: Vec::new(), ..line.clone() };
        if let Some(before) = site.latest_status.as_mut().filter(|_| line.cameras.is_empty()) {
            // The last status line is sent when the cameras have ended already, so the previous state of the cameras is
            // kept.
            line.cameras = std::mem::take(&mut before.cameras);
        }
        site.previous_status = site.latest_status.replace(line);
        let is_told = |site: &SiteRecord| {
            site.linked_after.is_some() && site.latest_status.as_ref().is_some_and(|line| line.in_view)
        };
        match self.judged_from {
            None if self.sites.iter().all(is_told) => self.judged_from = Some(now()),
            // This city's window is no longer in view, so bodies here are not sent to the other city.
            Some(_) if !self.sites[index].latest_status.as_ref().is_some_and(|line| line.in_view) => {
                self.interrupted = true
            }
            _ => {}
        }
    }

    /// Records a restart of the show of site `index`; its touches are numbered from the start again.
    pub fn handle_restart(&mut self, index: usize) {
        let site = &mut self.sites[index];
        (site.restarts, site.asleep) = (site.restarts + 1, false);
        (site.latest_status, site.previous_status, site.first_status) = (None, None, None);
    }

    /// Records that the link was cut by hand; losses and delays due to that are not evaluated.
    pub fn handle_interruption(&mut self) {
        self.interrupted = true;
    }

    /// Records that the site of this index is asleep until it is started again.
    pub fn handle_sleep(&mut self, index: usize) {
        self.sites[index].asleep = true;
    }

    /// Records the memory of each show and scene process, in MiB.
    pub fn record_memory(&mut self, memory: [[Option<f64>; 2]; 2]) {
        for (site, memory) in self.sites.iter_mut().zip(memory) {
            site.memory = memory;
        }
    }

    /// Ends the rehearsal; events in flight now are not evaluated.
    pub fn finish(&mut self, length: Duration, ocean: NetemStats) {
        (self.length, self.datagrams) = (length, ocean);
        for site in &mut self.sites {
            site.link_at_end = site.latest_status.as_ref().map_or_else(|| "none".into(), |line| line.link.clone());
        }
        let under_way = IN_FLIGHT_MAX + self.one_way;
        self.judged_until = Some(now().saturating_sub(under_way.as_nanos() as u64));
    }

    /// Returns the current state in one line.
    pub fn status_line(&self) -> String {
        let site = |index: usize| {
            let site = &self.sites[index];
            if site.asleep {
                return format!("{} asleep", self.names[index]);
            }
            let Some(line) = &site.latest_status else { return format!("{} starting", self.names[index]) };
            let round_trip = line.round_trip_ms.map_or("–".into(), |ms| format!("{ms:.0} ms"));
            let state = match line.link.as_str() {
                "alone" => "alone, the twin is gone",
                other => other,
            };
            let fault = if line.scene.fault.is_some() { ", scene at fault" } else { "" };
            let blind =
                if line.cameras.iter().any(|camera| camera.state == "waiting") { ", camera at fault" } else { "" };
            format!(
                "{} {state}, round trip {round_trip}, {:.0} frames/s, {} bodies{blind}{fault}",
                self.names[index],
                site.frames_per_second(),
                line.bodies.here
            )
        };
        format!("{}  |  {}", site(0), site(1))
    }

    /// Returns all figures, for the table and the file.
    pub fn summary(&self) -> RehearsalSummary {
        RehearsalSummary::of(self)
    }
}

impl SiteRecord {
    /// Returns the frames finished per second between the last two status lines.
    fn frames_per_second(&self) -> f64 {
        let (Some(before), Some(now)) = (&self.previous_status, &self.latest_status) else { return 0.0 };
        (now.painted.saturating_sub(before.painted)) as f64 / (now.uptime_s - before.uptime_s).max(0.001)
    }

    /// Returns the frames finished per second over the whole show.
    fn mean_frames_per_second(&self) -> f64 {
        let (Some(first), Some(last)) = (&self.first_status, &self.latest_status) else { return 0.0 };
        (last.painted.saturating_sub(first.painted)) as f64 / (last.uptime_s - first.uptime_s).max(0.001)
    }
}

fn now() -> u64 {
    crate::device::clock::monotonic().as_nanos() as u64
}
