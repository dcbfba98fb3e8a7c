//! Figures of a rehearsal: one struct for `report.json` and for the table on the terminal.

use super::{RehearsalReport, TouchRecord};
use crate::show::status::{CameraHealth, is_linked};
use serde::Serialize;
use std::fmt;

/// Percentiles, in milliseconds or in frames.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Percentiles {
    /// Number of measurements.
    pub count: usize,
    /// Median.
    pub p50: f64,
    /// 95th percentile.
    pub p95: f64,
    /// 99th percentile.
    pub p99: f64,
    /// Maximum.
    pub max: f64,
}

impl Percentiles {
    fn of(mut times: Vec<f64>) -> Option<Self> {
        times.sort_by(f64::total_cmp);
        let at = |share: f64| times.get(((times.len() as f64 * share).ceil() as usize).max(1) - 1).copied();
        let round = |ms: f64| (ms * 10.0).round() / 10.0;
        Some(Self {
            count: times.len(),
            p50: round(at(0.5)?),
            p95: round(at(0.95)?),
            p99: round(at(0.99)?),
            max: round(at(1.0)?),
        })
    }
}

/// Figures of one site.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SiteSummary {
    /// Name of the site.
    pub name: String,
    /// Seconds from the start of the rehearsal until the site reported a link.
    pub linked_after_s: Option<f64>,
    /// Touches begun and ended here that are evaluated.
    pub events: usize,
    /// Events in `events` that never reached the twin.
    pub lost: usize,
    /// Events in `events` that reached the twin more than once.
    pub doubled: usize,
    /// Time from the touch to the twin's link thread, less the one-way delay.
    pub arrived_ms: Option<Percentiles>,
    /// Time from the touch until the twin's GPU has finished the frame with it, less the one-way delay.
    pub drawn_ms: Option<Percentiles>,
    /// Time from receiving the touch to submitting the own frame with it.
    pub own_ms: Option<Percentiles>,
    /// The same, in frames started.
    pub own_frames: Option<Percentiles>,
    /// Different bodies that came here, from its own cameras or a recording.
    pub bodies: usize,
    /// Bodies in `bodies` that the twin saw.
    pub bodies_there: usize,
    /// Bodies in `bodies` that were present for a second and that the twin never saw.
    pub bodies_unseen: usize,
    /// Time from capturing a camera frame with a person to submitting the own frame with the outline.
    pub outline_ms: Option<Percentiles>,
    /// The same, in frames started.
    pub outline_frames: Option<Percentiles>,
    /// Frames finished per second.
    pub frames_per_second: f64,
    /// Memory of the show and of its scene process, in MiB (proportional set size).
    pub show_mib: Option<f64>,
    /// See `show_mib`.
    pub scene_mib: Option<f64>,
    /// Number of restarts of its show.
    pub restarts: u32,
    /// State of its link at the end of the rehearsal: `linked`, `alone`, `apart` or `none`.
    pub link: String,
    /// Last fault of the scene.
    pub fault: Option<String>,
    /// Fault of the scene that persisted at the end of the rehearsal.
    pub fault_at_end: Option<String>,
    /// Sound device.
    pub sound: Option<String>,
    /// State of its cameras at the end of the rehearsal.
    pub cameras: Vec<CameraHealth>,
}

/// Figures of a rehearsal.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RehearsalSummary {
    /// Version of this report format.
    pub report: u32,
    /// Installation that was shown.
    pub installation: String,
    /// Length, in seconds.
    pub seconds: f64,
    /// One-way delay of the simulated link, in milliseconds.
    pub one_way_ms: f64,
    /// Datagrams sent, and those lost.
    pub datagrams: u64,
    /// See `datagrams`.
    pub datagrams_lost: u64,
    /// Payload bits per second, both directions together.
    pub bits_per_second: f64,
    /// Graphics adapter.
    pub adapter: String,
    /// True without windows.
    pub offscreen: bool,
    /// Size of the canvas texture, in pixels.
    pub pixels: [u32; 2],
    /// Both sites.
    pub sites: Vec<SiteSummary>,
}

impl RehearsalSummary {
    pub(super) fn of(report: &RehearsalReport) -> Self {
        let latest = report.sites.iter().find_map(|site| site.latest_status.as_ref());
        let seconds = report.length.as_secs_f64();
        Self {
            report: 1,
            installation: report.installation.clone(),
            seconds,
            one_way_ms: report.one_way.as_secs_f64() * 1e3,
            datagrams: report.datagrams.sent,
            datagrams_lost: report.datagrams.lost,
            bits_per_second: (report.datagrams.bytes as f64 * 8.0 / seconds.max(0.001)).round(),
            adapter: latest.map(|line| line.adapter.clone()).unwrap_or_default(),
            offscreen: latest.is_some_and(|line| line.offscreen),
            pixels: latest.map(|line| line.pixels).unwrap_or_default(),
            sites: (0..2).map(|index| site_summary(report, index)).collect(),
        }
    }

    /// Returns true if the rehearsal passed.
    /// Both sites must be linked, with nothing lost or duplicated, every body seen, and no scene at fault at the end.
    pub fn passed(&self) -> bool {
        self.sites.iter().all(|site| {
            let all_came_once = site.lost == 0 && site.doubled == 0 && site.bodies_unseen == 0;
            is_linked(&site.link) && all_came_once && site.fault_at_end.is_none()
        })
    }
}

fn site_summary(report: &RehearsalReport, index: usize) -> SiteSummary {
    let site = &report.sites[index];
    let judged = report.judged_from.zip(report.judged_until).map_or(0..0, |(from, until)| from..until);
    let is_judged = |event: &&TouchRecord| event.made.is_some_and(|made| judged.contains(&made));
    let events: Vec<&TouchRecord> = site.events.values().filter(is_judged).collect();
    let bodies = site.bodies.totals(&judged);
    let (outline_ms, outline_frames) = site.bodies.outline_latencies(&judged);
    let one_way = report.one_way.as_nanos() as f64;
    let since = |made: Option<u64>, then: u64, less: f64| made.map(|made| (then as f64 - made as f64 - less) / 1e6);
    let late = |of: fn(&TouchRecord) -> Option<u64>| {
        Percentiles::of(events.iter().filter_map(|event| since(event.made, of(event)?, one_way)).collect())
    };
    let latest = site.latest_status.as_ref();
    let excused = report.interrupted || report.sites.iter().any(|site| site.restarts > 0);
    SiteSummary {
        name: report.names[index].clone(),
        linked_after_s: site.linked_after.map(|after| (after.as_secs_f64() * 100.0).round() / 100.0),
        events: events.len(),
        // A restarted show numbers its touches from the start again, and events in flight are cut off, as when the link
        // is cut by hand. The link is not to blame, so neither is evaluated.
        lost: if excused { 0 } else { events.iter().filter(|event| event.arrived.is_empty()).count() },
        doubled: if excused { 0 } else { events.iter().filter(|event| event.arrived.len() > 1).count() },
        arrived_ms: late(|event| event.arrived.first().copied()),
        drawn_ms: late(|event| event.drawn),
        own_ms: Percentiles::of(events.iter().filter_map(|event| since(event.made, event.own?.0, 0.0)).collect()),
        own_frames: Percentiles::of(events.iter().filter_map(|event| event.own.map(|own| f64::from(own.1))).collect()),
        bodies: bodies.here,
        bodies_there: bodies.there,
        bodies_unseen: if excused { 0 } else { bodies.unseen },
        outline_ms: Percentiles::of(outline_ms),
        outline_frames: Percentiles::of(outline_frames),
        frames_per_second: (site.mean_frames_per_second() * 10.0).round() / 10.0,
        show_mib: site.memory[0].map(f64::round),
        scene_mib: site.memory[1].map(|mib| (mib * 10.0).round() / 10.0),
        restarts: site.restarts,
        link: site.link_at_end.clone(),
        fault: latest.and_then(|line| line.scene.last_fault.clone()),
        fault_at_end: latest.and_then(|line| line.scene.fault.clone()),
        sound: latest.and_then(|line| line.sound.clone()),
        cameras: latest.map(|line| line.cameras.clone()).unwrap_or_default(),
    }
}

impl fmt::Display for RehearsalSummary {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let place = if self.offscreen { "off-screen" } else { "in windows" };
        let [width, height] = self.pixels;
        writeln!(
            f,
            "\n{} for {:.0} s, drawn {place} at {width}×{height} by {}",
            self.installation, self.seconds, self.adapter
        )?;
        writeln!(
            f,
            "{:.1} ms one way; {} datagrams, {} lost; {:.0} kbit/s both ways\n",
            self.one_way_ms,
            self.datagrams,
            self.datagrams_lost,
            self.bits_per_second / 1e3
        )?;
        writeln!(f, "{:44} {:>6} {:>8} {:>8} {:>8} {:>8}", "milliseconds", "count", "p50", "p95", "p99", "max")?;
        for (index, site) in self.sites.iter().enumerate() {
            let twin = &self.sites[1 - index].name;
            write_row(f, &format!("{} → {twin}, arrived, beyond one way", site.name), site.arrived_ms)?;
            write_row(f, &format!("{} → {twin}, drawn, beyond one way", site.name), site.drawn_ms)?;
            write_row(f, &format!("{}, touch to own picture submitted", site.name), site.own_ms)?;
            write_row(f, &format!("{}, the same in frames", site.name), site.own_frames)?;
            write_row(f, &format!("{}, camera to own outline submitted", site.name), site.outline_ms)?;
            write_row(f, &format!("{}, the same in frames", site.name), site.outline_frames)?;
        }
        writeln!(f)?;
        for (index, site) in self.sites.iter().enumerate() {
            let linked =
                site.linked_after_s.map_or("never linked".into(), |after| format!("linked after {after:.1} s"));
            let memory = site.show_mib.zip(site.scene_mib);
            let memory = memory.map_or(String::new(), |(show, scene)| format!(", {show:.0} + {scene:.1} MiB"));
            let again =
                if site.restarts > 0 { format!(", started again {} times", site.restarts) } else { String::new() };
            let sound = site.sound.as_ref().map_or(", no sound device", |_| "");
            writeln!(
                f,
                "{}: {linked}; {} events, {} lost, {} doubled; {:.1} frames/s{memory}{sound}{again}",
                site.name, site.events, site.lost, site.doubled, site.frames_per_second
            )?;
            let unseen = site.bodies_unseen;
            let unseen = if unseen > 0 { format!(", {unseen} never seen there") } else { String::new() };
            let bodies =
                format!("{} bodies, {} seen in {}{unseen}", site.bodies, site.bodies_there, self.sites[1 - index].name);
            writeln!(f, "{}: {bodies}", site.name)?;
            for camera in &site.cameras {
                let CameraHealth { name, state, rate, took_ms, size: [width, height], .. } = camera;
                let again =
                    if camera.starts > 1 { format!(", started {} times", camera.starts) } else { String::new() };
                writeln!(
                    f,
                    "{}: camera {name} {state}, {width}×{height}, {rate:.1} pictures/s, {took_ms:.1} ms each{again}",
                    site.name
                )?;
                if let Some(fault) = &camera.last_fault {
                    writeln!(f, "{}: camera {name}: {fault}", site.name)?;
                }
            }
            if let Some(fault) = &site.fault {
                let is = if site.fault_at_end.is_some() { "is at fault" } else { "was at fault" };
                writeln!(f, "{}: the scene {is}: {fault}", site.name)?;
            }
        }
        Ok(())
    }
}

fn write_row(f: &mut fmt::Formatter, what: &str, times: Option<Percentiles>) -> fmt::Result {
    match times {
        None => writeln!(f, "{what:44} {:>6}", 0),
        Some(t) => writeln!(f, "{what:44} {:>6} {:>8.1} {:>8.1} {:>8.1} {:>8.1}", t.count, t.p50, t.p95, t.p99, t.max),
    }
}
