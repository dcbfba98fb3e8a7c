//! Two simulated sites and the network between them, on one virtual clock.

use super::scenario::Scenario;
use super::site::{SimSite, SimSiteConfig};
use crate::config::City;
use crate::device::scene_process::SandboxCommand;
use crate::device::site_key::SiteKey;
use crate::device::virtual_steps::run_shared;
use crate::link::netem::{Netem, PathProfile};
use crate::scene::SceneRevision;
use std::sync::Arc;
use std::time::Duration;

/// Configuration of a simulation.
#[derive(Debug, Clone)]
pub struct SimConfig {
    /// Edition shown in both cities.
    pub edition: Arc<SceneRevision>,
    /// Program that runs scenes.
    pub command: SandboxCommand,
    /// Cities; frames are rendered of the first.
    pub cities: [&'static City; 2],
    /// Visitors and link failures.
    pub scenario: Scenario,
    /// Seed of everything random.
    pub seed: u64,
    /// Time at the start, in seconds since 1970.
    pub unix_start: f64,
    /// Frames per second.
    pub rate: u32,
}

/// Simulation of two sites.
pub struct SimWorld {
    sites: Vec<SimSite>,
    netem: Netem,
    /// Time since the start.
    now: Duration,
    frame: u32,
    cut: Option<[Duration; 2]>,
    rate: u32,
}

/// Monotonic clocks of the sites at the start; they differ, as the start times of two machines do.
const ORIGIN: [Duration; 2] = [Duration::from_secs(1_000), Duration::from_secs(77_777)];

impl SimWorld {
    /// Creates two paired sites, which link in the first second. The error says what is wrong.
    pub fn new(plan: &SimConfig) -> Result<Self, String> {
        let SimConfig { edition, command, cities, scenario, seed, unix_start: unix, rate } = plan;
        let mut keys = [(); 2]
            .map(|()| SiteKey::generate())
            .into_iter()
            .collect::<Result<Vec<_>, _>>()
            .map_err(|why| why.to_string())?;
        // The first site is side 0 in every simulation.
        keys.sort_by_key(SiteKey::public);
        let site = |side: usize| {
            let asleep = scenario.asleep;
            let site = SimSiteConfig {
                city: cities[side],
                there: cities[1 - side],
                key: &keys[side],
                twin: (!asleep).then(|| keys[1 - side].public()),
                visitors: scenario.visitors[side],
                weather: scenario.weather,
                seed: seed * 2 + side as u64,
                began: ORIGIN[side],
                unix: *unix,
            };
            SimSite::new(&site, edition, command)
        };
        let sides = if scenario.asleep { 0..1 } else { 0..2 };
        let km = cities[0].distance_km(cities[1]);
        let path = PathProfile { one_way: PathProfile::one_way_for_distance(km), ..PathProfile::default() };
        Ok(Self {
            sites: sides.map(site).collect::<Result<_, _>>()?,
            netem: Netem::new(path, *seed),
            now: Duration::ZERO,
            frame: 0,
            cut: scenario.cut,
            rate: (*rate).max(1),
        })
    }

    /// Returns the sites: the first, and the second unless it is off.
    pub fn sites(&self) -> &[SimSite] {
        &self.sites
    }

    /// Returns true while the first site is linked.
    pub fn is_linked(&self) -> bool {
        self.sites[0].is_linked(ORIGIN[0] + self.now)
    }

    /// Time since the start.
    pub fn now(&self) -> Duration {
        self.now
    }

    /// Runs one frame at both sites. A scene that cannot continue is an error.
    pub fn step(&mut self) -> Result<(), String> {
        self.frame += 1;
        let until = Duration::from_secs_f64(f64::from(self.frame) / f64::from(self.rate));
        if let Some([from, to]) = self.cut {
            self.netem.set_cut((from..to).contains(&until));
        }
        run_shared(|| {
            self.run_links(until);
            for (town, origin) in self.sites.iter_mut().zip(ORIGIN) {
                town.half.handle_devices(origin + until);
            }
            self.run_links(until);
        });
        // Each frame of a scene is a separate step.
        for (town, origin) in self.sites.iter_mut().zip(ORIGIN) {
            town.update_scene(origin + until)?;
        }
        Ok(())
    }

    /// Runs the links until a time.
    fn run_links(&mut self, until: Duration) {
        loop {
            for (side, site) in self.sites.iter_mut().enumerate() {
                let now = ORIGIN[side] + self.now;
                site.half.site.handle_timeout(now);
                while let Some(datagram) = site.half.site.link_mut().poll_transmit(now) {
                    self.netem.send(self.now, side, &datagram);
                }
            }
            let due = self.sites.iter().zip(ORIGIN);
            let due = due.filter_map(|(site, origin)| Some(site.half.site.poll_timeout()?.saturating_sub(origin)));
            let next = due.chain(self.netem.next()).min().unwrap_or(until);
            if next > until {
                self.now = until;
                return;
            }
            self.now = self.now.max(next);
            while let Some((from, bytes)) = self.netem.receive(self.now) {
                if let Some(site) = self.sites.get_mut(1 - from) {
                    site.half.site.link_mut().handle_datagram(ORIGIN[1 - from] + self.now, &bytes);
                }
            }
        }
    }
}
