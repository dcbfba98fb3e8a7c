//! Two sessions over a ladder of paths, from a quiet one to a barely usable one, on a virtual clock.
//! Checks that no event is lost or duplicated, that clocks stay within their stated error, and that the link returns in
//! time. Also simulates a year without visitors.
//!
//! A failure names its rung and its seed; `MOONGATE_SEED=N` replays it alone. `./x simulate` plays 1,000 seeds.

mod ladder_rungs;

use ladder_rungs::{Rung, rungs, seeds};
use moongate::link::netem::PathProfile;
use moongate::link::virtual_network::{CLOCKS, MachineClock, VirtualNetwork};
use moongate::link::{Link, LinkConfig, LinkOutput, LinkState, NowShowing, SiteEvent};
use moongate::presence::{PointerKind, Touch};
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
/// Drift of the second machine's clock, in parts per million.
const DRIFT: u64 = 40;

struct World {
    net: VirtualNetwork,
    links: [Link; 2],
    came: [Vec<u32>; 2],
    lost: [u32; 2],
}

impl World {
    fn new(path: PathProfile, seed: u64) -> Self {
        let [first, second] = CLOCKS;
        let net = VirtualNetwork::new(path, seed, [first, MachineClock { drift: DRIFT, ..second }]);
        let links = [0, 1].map(|side: u8| {
            let config = LinkConfig {
                key: [side; 32],
                twin: Some([1 - side; 32]),
                boot: 100 + u64::from(side),
                city: ["shenzhen", "dublin"][usize::from(side)].into(),
                name: "test".into(),
                showing: NowShowing { installation: "ripples".into(), schema_hash: 1 },
                canvas: [1920.0, 1080.0],
            };
            let now = net.local(usize::from(side));
            let mut link = Link::new(now, config);
            link.handle_path(now);
            link
        });
        Self { net, links, came: [vec![], vec![]], lost: [0; 2] }
    }

    /// Returns the time on the clock of one machine.
    fn local(&self, side: usize) -> Duration {
        self.net.local(side)
    }

    fn run(&mut self, until: Duration) {
        let (came, lost) = (&mut self.came, &mut self.lost);
        self.net.run(&mut self.links, until, |_, side, link| {
            while let Some(output) = link.poll_output() {
                match output {
                    LinkOutput::Event { event: SiteEvent::Down(touch), .. } => came[side].push(touch.id),
                    LinkOutput::Disconnected(_) => lost[side] += 1,
                    _ => {}
                }
            }
        });
    }

    fn is_linked(&self) -> bool {
        (0..2).all(|side| self.links[side].health(self.local(side)).state == LinkState::Linked)
    }

    fn touch(&mut self, side: usize, id: u32) {
        let now = self.local(side);
        let touch = Touch { id, at: [10.0, 20.0], kind: PointerKind::Cast };
        self.links[side].handle_event(now, SiteEvent::Down(touch)).expect("few are waiting");
    }

    /// Checks each site's estimate of the other's clock against the true offset, and returns the largest error.
    fn check_clocks(&self, of: &str) -> f64 {
        let mut worst = 0.0_f64;
        for side in 0..2 {
            let health = self.links[side].health(self.local(side));
            let Some(clock) = health.clock else { continue };
            let true_offset = self.local(1 - side).as_secs_f64() - self.local(side).as_secs_f64();
            let wrong = (clock.offset - true_offset).abs();
            assert!(wrong <= clock.error + 1e-6, "{of}: {wrong} s wrong, stated {}", clock.error);
            assert!(clock.error <= clock.round_trip / 2.0 + 0.0065, "{of}: {} of {}", clock.error, clock.round_trip);
            worst = worst.max(wrong);
        }
        worst
    }
}

/// Returns the largest clock error allowed, in seconds.
/// A datagram that overtakes others on a shorter path makes the path asymmetric; then only the stated error applies.
fn clock_within(rung: &Rung) -> f64 {
    if rung.path.reorder > 0.0 { f64::INFINITY } else { 0.002 }
}

/// Runs a minute with events at both sites throughout; at 30 s the line is cut for 4 s, one way or both.
fn play(rung: &Rung, seed: u64) {
    let of = format!("{rung:?}, MOONGATE_SEED={seed}");
    let mut world = World::new(rung.path, seed);
    let mut random = fastrand::Rng::with_seed(seed);
    let (cut, mended) = (30 * SECOND, 34 * SECOND);
    let mut made = [0_u32; 2];
    let mut back = None;
    while world.net.now < 60 * SECOND {
        let before = world.net.now;
        world.run(before + Duration::from_millis(random.u64(20..120)));
        if before < cut && world.net.now >= cut {
            if rung.one_way_cut { world.net.netem.set_direction_cut(0, true) } else { world.net.netem.set_cut(true) }
        }
        if before < mended && world.net.now >= mended {
            assert!(!world.is_linked(), "{of}: a cut of 4 s was not noticed");
            world.net.netem.set_cut(false);
        }
        if world.net.now > mended && back.is_none() && world.is_linked() {
            back = Some(world.net.now - mended);
        }
        // Touches continue during the cut, but no more than can be queued.
        if world.net.now < 58 * SECOND {
            let side = random.usize(..2);
            world.touch(side, made[side]);
            made[side] += 1;
        }
        world.check_clocks(&of);
    }
    world.run(world.net.now + 8 * SECOND);
    assert!(world.is_linked(), "{of}: not linked at the end");
    for side in 0..2 {
        let expected: Vec<u32> = (0..made[1 - side]).collect();
        assert_eq!(world.came[side], expected, "{of}: events at site {side}");
        let health = world.links[side].health(world.local(side));
        assert_eq!((health.lost, health.malformed, health.pending), (0, 0, 0), "{of}: at site {side}");
    }
    let back = back.unwrap_or_else(|| panic!("{of}: not linked again"));
    assert!(back <= SECOND + 3 * rung.round_trip(), "{of}: linked again only after {back:?}");
    let wrong = world.check_clocks(&of);
    assert!(wrong < clock_within(rung), "{of}: the clock is {wrong} s wrong");
    let shared = [0, 1].map(|side| {
        let now = world.local(side);
        world.links[side].shared_now(now)
    });
    assert!((shared[0] - shared[1]).abs() < 0.005 + rung.round_trip().as_secs_f64() / 6.0, "{of}: {shared:?}");
}

#[test]
fn no_rung_of_the_ladder_loses_anything() {
    let rungs = rungs();
    for seed in seeds(60) {
        play(&rungs[seed as usize % rungs.len()], seed);
    }
}

#[test]
fn a_clock_is_known_to_5_ms_with_40_ms_of_jitter_and_to_2_ms_on_a_quiet_path() {
    for seed in seeds(30) {
        for (jitter, within) in [(40 * MS, 0.005), (Duration::ZERO, 0.002), (MS, 0.002)] {
            let path = PathProfile { one_way: 50 * MS, jitter, loss: 0.01, ..PathProfile::default() };
            let mut world = World::new(path, seed);
            world.run(60 * SECOND);
            while world.net.now < 180 * SECOND {
                world.run(world.net.now + SECOND);
                let wrong = world.check_clocks("a clock");
                assert!(wrong < within, "{wrong} s wrong with {jitter:?} of jitter, MOONGATE_SEED={seed}");
            }
        }
    }
}

#[test]
fn a_year_in_which_nobody_comes() {
    let days = std::env::var("MOONGATE_DAYS").ok().and_then(|days| days.parse().ok()).unwrap_or(3_u64);
    let mut world = World::new(PathProfile { one_way: 74 * MS, loss: 0.001, ..PathProfile::default() }, 1);
    let mut bytes = 0;
    for day in 1..=days {
        let before = world.net.netem.stats;
        world.run(Duration::from_secs(day * 86_400));
        assert!(world.is_linked(), "day {day}");
        let wrong = world.check_clocks("a year");
        assert!(wrong < 0.002, "{wrong} s wrong on day {day}");
        bytes = world.net.netem.stats.bytes - before.bytes;
        let shared = [0, 1].map(|side| {
            let now = world.local(side);
            world.links[side].shared_now(now)
        });
        assert!((shared[0] - shared[1]).abs() < 0.005, "{shared:?} on day {day}");
    }
    assert_eq!(world.lost, [0; 2], "the twin was never gone");
    // The link becomes active at once.
    world.touch(0, 7);
    world.run(world.net.now + 300 * MS);
    assert_eq!(world.came[1], [7]);
    println!("{days} days; {} kB of link a day, both ways", bytes / 1_000);
}
