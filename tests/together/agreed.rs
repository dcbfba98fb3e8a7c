//! Meetings at the same instant in both cities, what a site says of itself, and what is shown while it is linked.

use crate::ladder_rungs::{rungs, seeds};
use crate::world::{MS, SECOND, World};
use moongate::link::netem::PathProfile;
use moongate::link::{DATA_MAX, LinkOutput, LinkState};
use moongate::policy::SharingPolicy;
use std::time::Duration;

/// Both see a meeting within this of each other.
const WITHIN: Duration = Duration::from_millis(20);

/// Meetings of a minute: how many either site saw, and how many of them both, at the same instant.
fn meetings(seed: u64) -> [usize; 2] {
    let rungs = rungs();
    let rung = rungs[seed as usize % rungs.len()];
    let mut world = World::new(rung.path, seed);
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut cut, mut place) = (false, 0_u32);
    while world.net.now < 60 * SECOND {
        // Somebody is at both sites, so that both speak at sixty ticks.
        for _ in 0..random.u32(5..60) {
            for side in 0..2 {
                world.walk(side);
            }
            world.run(world.net.now + Duration::from_micros(16_667));
        }
        if !cut && rung.one_way_cut && world.net.now > 30 * SECOND {
            cut = true;
            world.net.netem.set_direction_cut(0, true);
        } else if cut && world.net.now > 34 * SECOND {
            world.net.netem.set_cut(false);
        }
        if world.net.now < 57 * SECOND {
            let now = world.local(0);
            place += 1;
            world.links[0].handle_meeting(now, [place as f32, 0.0]);
        }
    }
    world.run(world.net.now + 3 * SECOND);
    let [here, there] = &world.record.met;
    let both = here.iter().filter(|(place, at)| there.get(place).is_some_and(|there| at.abs_diff(*there) <= WITHIN));
    let all = here.len() + there.keys().filter(|place| !here.contains_key(place)).count();
    assert!(all > 20, "hardly any of {place} met, MOONGATE_SEED={seed}");
    [all, both.count()]
}

#[test]
fn a_meeting_is_at_the_same_instant_in_both_cities() {
    let mut sums = [0; 2];
    for seed in seeds(36) {
        let of = meetings(seed);
        (sums[0], sums[1]) = (sums[0] + of[0], sums[1] + of[1]);
    }
    let share = sums[1] as f64 / sums[0] as f64;
    println!("{} of {} meetings within 20 ms at both sites: {:.3} %", sums[1], sums[0], share * 100.0);
    assert!(share >= 0.999, "{share}");
}

#[test]
fn who_does_not_lead_or_is_alone_proposes_nothing() {
    let mut world = World::new(PathProfile { one_way: 20 * MS, ..PathProfile::default() }, 1);
    let now = world.local(0);
    world.links[0].handle_meeting(now, [1.0, 0.0]);
    world.run(2 * SECOND);
    let now = world.local(1);
    world.links[1].handle_meeting(now, [2.0, 0.0]);
    world.run(4 * SECOND);
    assert!(world.record.met.iter().all(|met| met.is_empty()));
}

#[test]
fn what_a_site_says_of_itself_is_there_at_once_and_goes_with_it() {
    for seed in seeds(20) {
        let mut world =
            World::new(PathProfile { one_way: 50 * MS, loss: 0.3, reorder: 0.1, ..PathProfile::default() }, seed);
        world.run(4 * SECOND);
        for number in 0..40 {
            let now = world.local(0);
            assert!(world.links[0].handle_shared_state(now, &format!("{{\"tide\":{number}}}")));
            world.run(world.net.now + 7 * MS);
        }
        world.run(world.net.now + 3 * SECOND);
        let there = |world: &World| world.links[1].remote_shared_state().map(|(_, data)| data.to_owned());
        assert_eq!(there(&world).as_deref(), Some("{\"tide\":39}"), "the newest, MOONGATE_SEED={seed}");
        assert_eq!(world.links[0].remote_shared_state(), None, "each says its own");
        let now = world.local(0);
        assert!(!world.links[0].handle_shared_state(now, &"x".repeat(DATA_MAX + 1)));
        world.net.netem.set_cut(true);
        world.run(world.net.now + 3 * SECOND);
        assert_eq!(there(&world), None, "gone with the link");
        world.net.netem.set_cut(false);
        world.run(world.net.now + 3 * SECOND);
        assert_eq!(there(&world).as_deref(), Some("{\"tide\":39}"), "and back, MOONGATE_SEED={seed}");
        // One side alone has lost the other for a while.
        world.net.netem.set_direction_cut(0, true);
        world.run(world.net.now + 2 * SECOND);
        world.net.netem.set_cut(false);
        world.run(world.net.now + 3 * SECOND);
        assert_eq!(there(&world).as_deref(), Some("{\"tide\":39}"), "still there, MOONGATE_SEED={seed}");
        for (open, expected) in [(false, Some("")), (true, Some("{\"tide\":39}"))] {
            let now = world.local(0);
            world.links[0].handle_policy(now, if open { SharingPolicy::Open } else { SharingPolicy::Shapes });
            world.run(world.net.now + 2 * SECOND);
            assert_eq!(there(&world).as_deref(), expected, "a site that only shows shapes says nothing of itself");
        }
        // And what came while this site was closed is there when it opens.
        let now = world.local(1);
        world.links[1].handle_policy(now, SharingPolicy::Shapes);
        let now = world.local(0);
        world.links[0].handle_shared_state(now, "{}");
        world.run(world.net.now + 2 * SECOND);
        assert_eq!(there(&world), None);
        let now = world.local(1);
        world.links[1].handle_policy(now, SharingPolicy::Open);
        world.run(world.net.now + SECOND);
        assert_eq!(there(&world).as_deref(), Some("{}"));
    }
}

#[test]
fn something_else_can_be_shown_while_linked() {
    let mut world = World::new(PathProfile { one_way: 40 * MS, loss: 0.05, ..PathProfile::default() }, 2);
    world.run(2 * SECOND);
    world.show(0, "shadows");
    world.run(4 * SECOND);
    // The same declarations under another name: they still play together.
    assert!(world.is_linked());
    world.declare(1, 7);
    world.run(world.net.now + SECOND);
    let apart =
        |world: &World| (0..2).all(|side| world.links[side].health(world.local(side)).state == LinkState::Incompatible);
    assert!(apart(&world), "each plays alone");
    assert!(
        world
            .record
            .outputs
            .iter()
            .all(|all| all.iter().any(|one| matches!(one, LinkOutput::NowShowing { incompatible: true, .. })))
    );
    world.declare(1, 1);
    world.run(world.net.now + SECOND);
    assert!(world.is_linked(), "and together again");
}
