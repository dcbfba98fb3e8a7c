//! Two towns and an ocean between them, on one virtual clock.

use super::scenario::Scenario;
use super::town::{Site, Town};
use crate::device::key::SiteKey;
use crate::device::scene_process::SceneCommand;
use crate::device::steps::beside;
use crate::link::ocean::{Ocean, Path};
use crate::manifest::City;
use crate::scene::Edition;
use std::sync::Arc;
use std::time::Duration;

/// What a world is made from.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What is shown in both cities.
    pub edition: Arc<Edition>,
    /// The program that runs scenes.
    pub command: SceneCommand,
    /// The cities; pictures are of the first.
    pub cities: [&'static City; 2],
    /// Who comes, and what becomes of the link.
    pub scenario: Scenario,
    /// Everything follows from it.
    pub seed: u64,
    /// What time it is, in seconds since 1970.
    pub unix: f64,
    /// Frames a second.
    pub rate: u32,
}

/// Two towns.
pub struct World {
    towns: Vec<Town>,
    ocean: Ocean,
    /// Since the beginning.
    now: Duration,
    frame: u32,
    cut: Option<[Duration; 2]>,
    rate: u32,
}

/// The towns' monotonic clocks at the beginning: two machines were not switched on at once.
const ORIGIN: [Duration; 2] = [Duration::from_secs(1_000), Duration::from_secs(77_777)];

impl World {
    /// Two sites that know each other; in the first second they link. The error says what is wrong.
    pub fn new(plan: &Plan) -> Result<Self, String> {
        let Plan { edition, command, cities, scenario, seed, unix, rate } = plan;
        let mut keys = [(); 2]
            .map(|()| SiteKey::generate())
            .into_iter()
            .collect::<Result<Vec<_>, _>>()
            .map_err(|why| why.to_string())?;
        // The first is side 0, in all worlds alike.
        keys.sort_by_key(SiteKey::public);
        let site = |side: usize| {
            let asleep = scenario.asleep;
            let site = Site {
                city: cities[side],
                there: cities[1 - side],
                key: &keys[side],
                twin: (!asleep).then(|| keys[1 - side].public()),
                guests: scenario.guests[side],
                weather: scenario.weather,
                seed: seed * 2 + side as u64,
                began: ORIGIN[side],
                unix: *unix,
            };
            Town::new(&site, edition, command)
        };
        let sides = if scenario.asleep { 0..1 } else { 0..2 };
        let km = cities[0].distance_km(cities[1]);
        let path = Path { one_way: Path::one_way_for(km), ..Path::default() };
        Ok(Self {
            towns: sides.map(site).collect::<Result<_, _>>()?,
            ocean: Ocean::new(path, *seed),
            now: Duration::ZERO,
            frame: 0,
            cut: scenario.cut,
            rate: (*rate).max(1),
        })
    }

    /// The towns: the first, and the second unless it is asleep.
    pub fn towns(&self) -> &[Town] {
        &self.towns
    }

    /// True while the first town is linked.
    pub fn is_linked(&self) -> bool {
        self.towns[0].is_linked(ORIGIN[0] + self.now)
    }

    /// Since the beginning.
    pub fn now(&self) -> Duration {
        self.now
    }

    /// One frame in both towns. An error is a scene that cannot go on.
    pub fn turn(&mut self) -> Result<(), String> {
        self.frame += 1;
        let until = Duration::from_secs_f64(f64::from(self.frame) / f64::from(self.rate));
        if let Some([from, to]) = self.cut {
            self.ocean.cut((from..to).contains(&until));
        }
        beside(|| {
            self.links(until);
            for (town, origin) in self.towns.iter_mut().zip(ORIGIN) {
                town.visit(origin + until);
            }
            self.links(until);
        });
        // Each frame of a scene is a separate step.
        for (town, origin) in self.towns.iter_mut().zip(ORIGIN) {
            town.hear();
            town.frame(origin + until)?;
        }
        Ok(())
    }

    /// Lets the links speak until then.
    fn links(&mut self, until: Duration) {
        loop {
            for (side, town) in self.towns.iter().enumerate() {
                let now = ORIGIN[side] + self.now;
                town.link(|link| {
                    link.handle_timeout(now);
                    while let Some(datagram) = link.poll_transmit(now) {
                        self.ocean.send(self.now, side, &datagram);
                    }
                });
            }
            let due = self
                .towns
                .iter()
                .zip(ORIGIN)
                .filter_map(|(town, origin)| Some(town.link(|link| link.poll_timeout())?.saturating_sub(origin)));
            let next = due.chain(self.ocean.next()).min().unwrap_or(until);
            if next > until {
                self.now = until;
                return;
            }
            self.now = self.now.max(next);
            while let Some((from, bytes)) = self.ocean.receive(self.now) {
                if let Some(town) = self.towns.get(1 - from) {
                    let now = ORIGIN[1 - from] + self.now;
                    town.link(|link| link.handle_datagram(now, &bytes));
                }
            }
        }
    }
}
