//! Two sessions on a virtual clock over a simulated network. A failure names its seed; `MOONGATE_SEED=N` replays it
//! alone.

use moongate::link::netem::PathProfile;
use moongate::link::virtual_network::{CLOCKS, VirtualNetwork};
use moongate::link::{DisconnectReason, Link, LinkConfig, LinkOutput, LinkState, NowShowing, SiteEvent};
use moongate::presence::{PointerKind, Presence, Touch};
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);

fn config(side: u8, boot: u64) -> LinkConfig {
    LinkConfig {
        key: [side; 32],
        twin: Some([1 - side; 32]),
        boot,
        city: ["shenzhen", "dublin"][usize::from(side)].into(),
        name: "test".into(),
        showing: NowShowing { installation: "ripples".into(), schema_hash: 1 },
        canvas: [1920.0, 1080.0],
    }
}

/// Two sites and the network between them; their monotonic clocks are far apart.
struct World {
    net: VirtualNetwork,
    links: [Link; 2],
    outputs: [Vec<(Duration, LinkOutput)>; 2],
}

impl World {
    fn new(path: PathProfile, seed: u64) -> Self {
        let net = VirtualNetwork::new(path, seed, CLOCKS);
        let links = [0, 1].map(|side: u8| {
            let now = net.local(usize::from(side));
            let mut link = Link::new(now, config(side, 100 + u64::from(side)));
            link.handle_path(now);
            link
        });
        Self { net, links, outputs: [vec![], vec![]] }
    }

    fn local(&self, side: usize) -> Duration {
        self.net.local(side)
    }

    fn restart(&mut self, side: usize, boot: u64) {
        let now = self.local(side);
        self.links[side] = Link::new(now, config(side as u8, boot));
        self.links[side].handle_path(now);
        self.outputs[side].clear();
    }

    /// Runs the simulation up to `until`.
    fn run(&mut self, until: Duration) {
        let outputs = &mut self.outputs;
        self.net.run(&mut self.links, until, |now, side, link| {
            outputs[side].extend(std::iter::from_fn(|| link.poll_output()).map(|output| (now, output)));
        });
    }

    fn state(&self, side: usize) -> LinkState {
        self.links[side].health(self.local(side)).state
    }

    fn happenings(&self, side: usize) -> Vec<(Duration, u64)> {
        self.outputs[side]
            .iter()
            .filter_map(|(at, output)| match output {
                // Only begins are compared, because the link creates the ends of touches that no sender ended.
                LinkOutput::Event { number, event: SiteEvent::Down(_), .. } => Some((*at, *number)),
                _ => None,
            })
            .collect()
    }

    fn partings(&self, side: usize) -> Vec<DisconnectReason> {
        self.outputs[side]
            .iter()
            .filter_map(|(_, output)| if let LinkOutput::Disconnected(why) = output { Some(why.clone()) } else { None })
            .collect()
    }

    fn touch(&mut self, side: usize, id: u32) -> u64 {
        let now = self.local(side);
        let touch = Touch { id, at: [10.0, 20.0], kind: PointerKind::Cast };
        self.links[side].handle_event(now, SiteEvent::Down(touch)).expect("few are waiting")
    }
}

/// Returns the touches that the scene at a site holds after all events, and the most it ever held.
fn held(world: &World, side: usize) -> (Vec<u32>, usize) {
    let (mut held, mut most) = (vec![], 0);
    for (_, output) in &world.outputs[side] {
        match output {
            LinkOutput::Event { event: SiteEvent::Down(touch), .. } => held.push(touch.id),
            LinkOutput::Event { event: SiteEvent::Up(touch), .. } => held.retain(|id| *id != touch.id),
            LinkOutput::Disconnected(_) => held.clear(),
            _ => {}
        }
        most = most.max(held.len());
    }
    (held, most)
}

fn seeds() -> Vec<u64> {
    match std::env::var("MOONGATE_SEED") {
        Ok(seed) => vec![seed.parse().expect("MOONGATE_SEED is a number")],
        Err(_) => (0..60).collect(),
    }
}

fn rough() -> PathProfile {
    PathProfile {
        one_way: 50 * MS,
        jitter: 5 * MS,
        loss: 0.05,
        burst: 0.0,
        reorder: 0.05,
        duplicate: 0.05,
        ..PathProfile::default()
    }
}

#[test]
fn every_event_comes_exactly_once_and_in_order() {
    for seed in seeds() {
        let mut path = rough();
        path.burst = if seed % 2 == 0 { 0.0 } else { 4.0 };
        let mut world = World::new(path, seed);
        world.run(1_000 * MS);
        let mut made = [vec![], vec![]];
        for step in 0..300_u32 {
            world.run(1_000 * MS + step * 17 * MS);
            for (side, made) in made.iter_mut().enumerate() {
                made.push(world.touch(side, step));
            }
        }
        world.run(world.net.now + 2_000 * MS);
        for (side, made) in made.iter().enumerate() {
            let numbers: Vec<u64> = world.happenings(1 - side).iter().map(|came| came.1).collect();
            assert_eq!(&numbers, made, "MOONGATE_SEED={seed}");
        }
        assert_eq!([world.state(0), world.state(1)], [LinkState::Linked; 2], "MOONGATE_SEED={seed}");
        for side in 0..2 {
            let health = world.links[side].health(world.local(side));
            assert_eq!((health.lost, health.malformed), (0, 0), "MOONGATE_SEED={seed}");
        }
    }
}

#[test]
fn times_are_translated_between_clocks_that_know_nothing_of_each_other() {
    let mut world = World::new(rough(), 5);
    world.run(3_000 * MS);
    let made = world.local(0);
    world.touch(0, 1);
    world.run(4_000 * MS);
    let Some(LinkOutput::Event { made: heard, .. }) =
        world.outputs[1].iter().map(|o| &o.1).find(|o| matches!(o, LinkOutput::Event { .. }))
    else {
        panic!("it did not come")
    };
    let wrong = heard.as_secs_f64() - (made.as_secs_f64() - 1_000.0 + 777_777.0);
    assert!(wrong.abs() < 0.010, "{wrong}");
    let [a, b] = [0, 1].map(|side| {
        let now = world.local(side);
        world.links[side].shared_now(now)
    });
    assert!((a - b).abs() < 0.010, "{a} and {b}");
    assert_eq!([world.links[0].is_leader(), world.links[1].is_leader()], [true, false]);
}

#[test]
fn the_newest_presence_is_there_after_the_path() {
    for seed in seeds() {
        let mut world = World::new(rough(), seed);
        world.run(1_000 * MS);
        for step in 0..=60_u32 {
            world.run(1_000 * MS + step * 16 * MS);
            let touches = vec![Touch { id: 3, at: [step as f32 * 10.0, 500.0], kind: PointerKind::Finger }];
            let now = world.local(0);
            world.links[0].handle_presence(now, Presence { touches, bodies: vec![] });
        }
        world.run(world.net.now + 400 * MS);
        let there = world.links[1].remote_presence();
        assert_eq!(there.touches.len(), 1, "MOONGATE_SEED={seed}");
        assert!((there.touches[0].at[0] - 600.0).abs() < 0.1, "MOONGATE_SEED={seed}");
        let now = world.local(0);
        world.links[0].handle_presence(now, Presence::default());
        world.run(world.net.now + 400 * MS);
        assert!(world.links[1].remote_presence().is_empty(), "MOONGATE_SEED={seed}");
    }
}

#[test]
fn a_cut_is_noticed_and_nothing_is_lost_over_it() {
    for seed in seeds() {
        let mut world = World::new(rough(), seed);
        world.run(1_000 * MS);
        world.touch(0, 1);
        world.run(2_000 * MS);
        world.net.netem.set_cut(true);
        world.touch(0, 2);
        world.run(4_500 * MS);
        assert_eq!(world.state(1), LinkState::Alone, "MOONGATE_SEED={seed}");
        assert_eq!(world.partings(1), [DisconnectReason::Silence], "MOONGATE_SEED={seed}");
        world.net.netem.set_cut(false);
        world.touch(0, 3);
        world.run(6_000 * MS);
        assert_eq!([world.state(0), world.state(1)], [LinkState::Linked; 2], "MOONGATE_SEED={seed}");
        let numbers: Vec<u64> = world.happenings(1).iter().map(|h| h.1).collect();
        assert_eq!(numbers, [0, 1, 2], "MOONGATE_SEED={seed}");
    }
}

#[test]
fn a_new_boot_takes_over_at_once() {
    for seed in seeds() {
        let mut world = World::new(rough(), seed);
        world.run(1_000 * MS);
        world.touch(1, 1);
        world.run(2_000 * MS);
        world.restart(1, 999);
        world.touch(1, 7);
        world.run(2_800 * MS);
        assert_eq!(world.partings(0), [DisconnectReason::Restarted], "MOONGATE_SEED={seed}");
        assert_eq!([world.state(0), world.state(1)], [LinkState::Linked; 2], "MOONGATE_SEED={seed}");
        // The first event of the old boot, then the first of the new one: both carry number 0.
        let numbers: Vec<u64> = world.happenings(0).iter().map(|h| h.1).collect();
        assert_eq!(numbers, [0, 0], "MOONGATE_SEED={seed}");
        world.touch(0, 8);
        world.run(3_500 * MS);
        assert_eq!(world.happenings(1).len(), 1, "MOONGATE_SEED={seed}");
    }
}

#[test]
fn what_was_said_to_an_old_boot_does_not_reach_the_new_one() {
    for seed in seeds() {
        let mut world = World::new(rough(), seed);
        world.run(1_000 * MS);
        for id in 0..20 {
            world.touch(1, id);
            world.run(world.net.now + 20 * MS);
        }
        world.run(2_000 * MS);
        // Site 1 is away for longer than the silence timeout, and returns with another boot and events of its own.
        world.net.netem.set_cut(true);
        world.run(4_500 * MS);
        world.restart(1, 999);
        for id in 0..5 {
            world.touch(1, id);
        }
        let before = world.happenings(0).len();
        world.net.netem.set_cut(false);
        world.run(6_500 * MS);
        let numbers: Vec<u64> = world.happenings(0)[before..].iter().map(|h| h.1).collect();
        assert_eq!(numbers, [0, 1, 2, 3, 4], "MOONGATE_SEED={seed}");
    }
}

#[test]
fn a_touch_whose_end_was_lost_on_the_way_is_no_ghost() {
    for seed in seeds() {
        let mut world = World::new(PathProfile { one_way: 50 * MS, ..PathProfile::default() }, seed);
        world.run(1_000 * MS);
        let now = world.local(0);
        let touches = vec![Touch { id: 3, at: [10.0, 10.0], kind: PointerKind::Finger }];
        world.links[0].handle_presence(now, Presence { touches, bodies: vec![] });
        world.run(1_300 * MS);
        world.net.netem.set_cut(true);
        let now = world.local(0);
        world.links[0].handle_presence(now, Presence::default());
        world.run(1_500 * MS);
        world.net.netem.set_cut(false);
        world.run(1_900 * MS);
        assert_eq!(world.state(1), LinkState::Linked);
        assert!(world.links[1].remote_presence().is_empty(), "MOONGATE_SEED={seed}");
    }
}

#[test]
fn a_goodbye_is_heard() {
    let mut world = World::new(PathProfile { one_way: 10 * MS, ..PathProfile::default() }, 1);
    world.run(500 * MS);
    world.links[0].handle_close();
    world.run(600 * MS);
    assert!(matches!(world.partings(1)[..], [DisconnectReason::Goodbye(_)]));
}

#[test]
fn sites_with_other_declarations_play_alone() {
    let mut world = World::new(PathProfile { one_way: 10 * MS, ..PathProfile::default() }, 1);
    let now = world.local(1);
    world.links[1].handle_showing(now, NowShowing { installation: "other".into(), schema_hash: 2 });
    world.run(500 * MS);
    assert_eq!([world.state(0), world.state(1)], [LinkState::Incompatible; 2]);
    world.touch(0, 1);
    let now = world.local(0);
    let touches = vec![Touch { id: 3, at: [1.0, 1.0], kind: PointerKind::Finger }];
    world.links[0].handle_presence(now, Presence { touches, bodies: vec![] });
    world.run(1_000 * MS);
    assert!(world.happenings(1).is_empty());
    assert!(world.links[1].remote_presence().is_empty());
    // One site's programme changes, and both show the same again.
    let now = world.local(1);
    world.links[1].handle_showing(now, NowShowing { installation: "ripples".into(), schema_hash: 1 });
    world.run(2_000 * MS);
    assert_eq!([world.state(0), world.state(1)], [LinkState::Linked; 2]);
}

#[test]
fn any_bytes_leave_the_session_sound() {
    let mut random = fastrand::Rng::with_seed(9);
    let mut world = World::new(PathProfile { one_way: 10 * MS, ..PathProfile::default() }, 1);
    world.run(500 * MS);
    for _ in 0..20_000 {
        let mut bytes: Vec<u8> = (0..random.usize(0..200)).map(|_| random.u8(..)).collect();
        if random.bool() && bytes.len() > 12 {
            bytes[0] = 0;
            bytes[1] = 8;
        }
        let now = world.local(0);
        world.links[0].handle_datagram(now, &bytes);
    }
    world.touch(0, 1);
    world.run(1_500 * MS);
    assert_eq!([world.state(0), world.state(1)], [LinkState::Linked; 2]);
    assert_eq!(world.happenings(1).len(), 1);
}

#[test]
fn a_still_site_is_quiet() {
    let mut world = World::new(PathProfile { one_way: 50 * MS, ..PathProfile::default() }, 1);
    world.run(5_000 * MS);
    let before = world.net.netem.stats;
    world.run(15_000 * MS);
    let after = world.net.netem.stats;
    // IPv4 and UDP add 28 bytes, QUIC's header and tag 27.
    let bytes = after.bytes - before.bytes + (after.sent - before.sent) * 55;
    let bits_a_second = bytes * 8 / 10 / 2;
    assert!(bits_a_second <= 8_000, "{bits_a_second} bit/s each way");
}

#[test]
fn of_more_touches_than_a_site_has_the_oldest_end() {
    let mut world = World::new(PathProfile { one_way: 10 * MS, ..PathProfile::default() }, 1);
    world.run(1_000 * MS);
    for id in 0..100 {
        world.touch(0, id);
        world.run(world.net.now + 20 * MS);
    }
    world.run(world.net.now + 200 * MS);
    assert_eq!(world.happenings(1).len(), 100);
    assert_eq!(held(&world, 1), ((36..100).collect(), 64));
    // A repeated begin is the same touch. The end of a touch that is already over ends no other touch.
    world.touch(0, 99);
    let now = world.local(0);
    let touch = Touch { id: 0, at: [1.0, 1.0], kind: PointerKind::Cast };
    world.links[0].handle_event(now, SiteEvent::Up(touch));
    world.run(world.net.now + 200 * MS);
    assert!(world.partings(1).is_empty());
    let before = world.outputs[1].len();
    world.touch(0, 100);
    world.run(world.net.now + 200 * MS);
    let ended = world.outputs[1][before..].iter().find_map(|(_, output)| match output {
        LinkOutput::Event { event: SiteEvent::Up(touch), .. } => Some(touch.id),
        _ => None,
    });
    assert_eq!(ended, Some(36));
}

#[test]
fn a_twin_that_touches_without_end_is_dropped() {
    let mut world = World::new(PathProfile { one_way: 2 * MS, ..PathProfile::default() }, 1);
    world.run(1_000 * MS);
    // 2,000 touches per second, none of which ends.
    let mut id = 0;
    while world.partings(1).is_empty() && world.net.now < 4_000 * MS {
        for _ in 0..2 {
            let (now, touch) = (world.local(0), Touch { id, at: [10.0, 20.0], kind: PointerKind::Cast });
            world.links[0].handle_event(now, SiteEvent::Down(touch));
            id += 1;
        }
        world.run(world.net.now + MS);
    }
    assert!(
        matches!(&world.partings(1)[..], [DisconnectReason::Hostile(why)] if why.contains("touches")),
        "{:?}",
        world.partings(1)
    );
    assert!(world.net.now < 1_500 * MS, "only after {:?}", world.net.now);
    let (left, most) = held(&world, 1);
    assert_eq!((left.len(), most), (0, 64));
    assert!(world.happenings(1).len() < 700, "{} touches were told", world.happenings(1).len());
}

#[test]
fn a_twin_whose_touches_end_without_end_is_dropped() {
    let mut world = World::new(PathProfile { one_way: 2 * MS, ..PathProfile::default() }, 1);
    world.run(1_000 * MS);
    while world.partings(1).is_empty() && world.net.now < 4_000 * MS {
        let now = world.local(0);
        for _ in 0..2 {
            world.links[0].handle_event(now, SiteEvent::Up(Touch::default()));
        }
        world.run(world.net.now + MS);
    }
    assert!(matches!(&world.partings(1)[..], [DisconnectReason::Hostile(_)]));
}

#[test]
fn a_crowd_that_drums_and_a_backlog_of_it_are_all_told() {
    for seed in seeds().into_iter().step_by(12) {
        let mut world = World::new(PathProfile { one_way: 50 * MS, loss: 0.02, ..PathProfile::default() }, seed);
        world.run(1_000 * MS);
        let mut made = 0;
        for step in 0..600_u32 {
            // Fifty fingers with three touches per second each; the line is cut for two seconds.
            world.net.netem.set_cut((200..320).contains(&step));
            let now = world.local(0);
            for finger in (0..50).filter(|finger| (step + finger * 7).is_multiple_of(20)) {
                let touch = Touch { id: finger, at: [10.0, 20.0], kind: PointerKind::Finger };
                world.links[0].handle_event(now, SiteEvent::Down(touch)).expect("few are waiting");
                made += 1;
            }
            for finger in (0..50).filter(|finger| (step + finger * 7) % 20 == 9) {
                let touch = Touch { id: finger, at: [10.0, 20.0], kind: PointerKind::Finger };
                world.links[0].handle_event(now, SiteEvent::Up(touch)).expect("few are waiting");
            }
            world.run(world.net.now + 17 * MS);
        }
        world.net.netem.set_cut(false);
        world.run(world.net.now + 3_000 * MS);
        assert!(world.partings(1).iter().all(|why| *why == DisconnectReason::Silence), "MOONGATE_SEED={seed}");
        assert_eq!(world.happenings(1).len(), made, "MOONGATE_SEED={seed}");
    }
}
