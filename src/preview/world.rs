//! Two simulated sites and the network between them, on one virtual clock.

use super::scenario::Scenario;
use super::site::{SimSite, SimSiteConfig};
use crate::config::City;
use crate::device::scene_process::SandboxCommand;
use crate::device::site_key::SiteKey;
use crate::device::virtual_steps::run_shared;
use crate::link::netem::PathProfile;
use crate::link::virtual_network::{CLOCKS, Endpoint, VirtualNetwork};
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
    net: VirtualNetwork,
    frame: u32,
    cut: Option<[Duration; 2]>,
    rate: u32,
}

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
                began: CLOCKS[side].origin,
                unix: *unix,
            };
            SimSite::new(&site, edition, command)
        };
        let sides = if scenario.asleep { 0..1 } else { 0..2 };
        let km = cities[0].distance_km(cities[1]);
        let path = PathProfile { one_way: PathProfile::one_way_for_distance(km), ..PathProfile::default() };
        Ok(Self {
            sites: sides.map(site).collect::<Result<_, _>>()?,
            net: VirtualNetwork::new(path, *seed, CLOCKS),
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
        self.sites[0].is_linked(self.net.local(0))
    }

    /// Time since the start.
    pub fn now(&self) -> Duration {
        self.net.now
    }

    /// Runs one frame at both sites. A scene that cannot continue is an error.
    pub fn step(&mut self) -> Result<(), String> {
        self.frame += 1;
        let until = Duration::from_secs_f64(f64::from(self.frame) / f64::from(self.rate));
        if let Some([from, to]) = self.cut {
            self.net.netem.set_cut((from..to).contains(&until));
        }
        run_shared(|| {
            self.net.run(&mut self.sites, until, |_, _, _| {});
            for (site, clock) in self.sites.iter_mut().zip(CLOCKS) {
                site.half.handle_devices(clock.local(until));
            }
            self.net.run(&mut self.sites, until, |_, _, _| {});
        });
        // Each frame of a scene is a separate step.
        for (site, clock) in self.sites.iter_mut().zip(CLOCKS) {
            site.update_scene(clock.local(until))?;
        }
        Ok(())
    }
}

/// A site's session at its end of the network.
impl Endpoint for SimSite {
    fn handle_timeout(&mut self, now: Duration) {
        self.half.site.handle_timeout(now);
    }

    fn handle_datagram(&mut self, now: Duration, datagram: &[u8]) {
        self.half.site.link_mut().handle_datagram(now, datagram);
    }

    fn poll_transmit(&mut self, now: Duration) -> Option<Vec<u8>> {
        self.half.site.link_mut().poll_transmit(now)
    }

    fn poll_timeout(&self) -> Option<Duration> {
        self.half.site.poll_timeout()
    }
}
