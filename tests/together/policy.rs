//! The sharing policy, enforced by the session: without a socket, whatever the owner of the session does.

use crate::world::{MS, SECOND, World};
use moongate::link::netem::PathProfile;
use moongate::link::{LinkOutput, SiteEvent};
use moongate::policy::SharingPolicy;
use moongate::presence::{Body, Presence, Touch};
use std::time::Duration;

const TICK: Duration = Duration::from_micros(16_667);

fn linked() -> World {
    let mut world = World::new(PathProfile { one_way: 40 * MS, ..PathProfile::default() }, 3);
    for _ in 0..240 {
        both_walk(&mut world);
    }
    assert!(world.is_linked());
    world
}

/// Somebody moves at both sites for one tick.
fn both_walk(world: &mut World) {
    for side in 0..2 {
        world.walk(side);
    }
    world.run(world.net.now + TICK);
}

fn set(world: &mut World, side: usize, policy: SharingPolicy) {
    let now = world.local(side);
    world.links[side].handle_policy(now, policy);
}

fn send(world: &mut World, side: usize, event: SiteEvent) -> Option<u64> {
    let now = world.local(side);
    world.links[side].handle_event(now, event)
}

fn seen(world: &World) -> [usize; 2] {
    [0, 1].map(|side: usize| world.links[side].remote_presence().bodies.len())
}

fn events(world: &World, side: usize) -> Vec<SiteEvent> {
    let events = world.record.outputs[side].iter();
    events
        .filter_map(|output| if let LinkOutput::Event { event, .. } = output { Some(event.clone()) } else { None })
        .collect()
}

fn signal() -> SiteEvent {
    SiteEvent::Signal { name: "bell".into(), data: "1".into() }
}

#[test]
fn at_a_closed_site_nobody_is_seen_and_nobody_sees() {
    for side in 0..2 {
        let mut world = linked();
        assert_eq!(seen(&world), [1, 1]);
        let version = world.links[side].playout().0;
        set(&mut world, side, SharingPolicy::Closed);
        assert!(world.links[side].playout().1.is_none() && world.links[side].playout().0 != version, "at once");
        world.record.outputs = Default::default();
        (0..30).for_each(|_| both_walk(&mut world));
        assert_eq!(seen(&world), [0, 0]);
        let touch = Touch { id: 7, ..Touch::default() };
        assert_eq!(send(&mut world, side, SiteEvent::Down(touch)), None);
        assert_eq!(send(&mut world, side, signal()), None);
        assert!(send(&mut world, 1 - side, SiteEvent::Down(touch)).is_some(), "the open site may send");
        assert!(send(&mut world, 1 - side, signal()).is_some());
        world.run(world.net.now + SECOND);
        assert_eq!([0, 1].map(|side| events(&world, side)), [vec![], vec![]]);
        set(&mut world, side, SharingPolicy::Open);
        // The owner need not report anybody again.
        world.run(world.net.now + SECOND);
        assert_eq!(seen(&world), [1, 1]);
    }
}

#[test]
fn touches_and_bodies_pass_a_site_that_shares_shapes_and_signals_do_not() {
    let mut world = linked();
    set(&mut world, 1, SharingPolicy::Shapes);
    let touch = Touch { id: 7, ..Touch::default() };
    assert_eq!(send(&mut world, 1, signal()), None);
    for event in [signal(), SiteEvent::Down(touch), SiteEvent::Up(touch)] {
        send(&mut world, 0, event);
    }
    world.run(world.net.now + SECOND);
    assert_eq!(events(&world, 1), [SiteEvent::Down(touch), SiteEvent::Up(touch)]);
    assert_eq!(seen(&world), [1, 1]);
}

#[test]
fn what_waits_for_the_twin_is_not_sent_after_the_site_has_closed() {
    let mut world = linked();
    world.net.netem.set_cut(true);
    let touch = Touch { id: 7, ..Touch::default() };
    for event in [SiteEvent::Down(touch), signal(), SiteEvent::Up(touch)] {
        assert!(send(&mut world, 0, event).is_some());
    }
    world.run(world.net.now + 500 * MS);
    set(&mut world, 0, SharingPolicy::Closed);
    world.net.netem.set_cut(false);
    world.run(world.net.now + 2 * SECOND);
    assert_eq!(events(&world, 1), [SiteEvent::Up(touch)], "the end of a touch says nothing of anybody");
    let now = world.local(0);
    assert_eq!(world.links[0].health(now).pending, 0, "the twin waits for none");
}

#[test]
fn a_closed_site_agrees_to_no_meeting_whichever_site_proposes() {
    for side in 0..2 {
        // The other site has not heard yet that this one has closed.
        let mut world = linked();
        set(&mut world, side, SharingPolicy::Closed);
        let now = world.local(0);
        assert!(world.links[0].can_propose());
        world.links[0].handle_meeting(now, [5.0, 0.0]);
        // Events beside the proposal arrive and are acknowledged meanwhile.
        let other = Touch { id: 9, ..Touch::default() };
        send(&mut world, 1 - side, SiteEvent::Down(other));
        world.run(world.net.now + 3 * SECOND);
        assert!(world.record.met.iter().all(|met| met.is_empty()), "{:?}", world.record.met);
        let now = world.local(0);
        assert_eq!(world.links[0].health(now).pending, 0, "it is acknowledged once its time has passed");

        set(&mut world, side, SharingPolicy::Open);
        (0..120).for_each(|_| both_walk(&mut world));
        let now = world.local(0);
        world.links[0].handle_meeting(now, [6.0, 0.0]);
        (0..120).for_each(|_| both_walk(&mut world));
        assert!(
            world.record.met.iter().all(|met| met.keys().eq([&6])),
            "open again, they meet: {:?}",
            world.record.met
        );
    }
}

#[test]
fn people_before_a_dark_screen_are_not_shown_even_if_the_owner_stalls() {
    let mut world = linked();
    let now = world.local(0);
    world.links[0].handle_view(now, Some(now + 300 * MS));
    world.run(world.net.now + 200 * MS);
    assert_eq!(seen(&world), [1, 1]);
    // The owner reports nothing any more.
    world.run(world.net.now + SECOND);
    assert_eq!(seen(&world), [1, 0]);
    assert_eq!(send(&mut world, 0, SiteEvent::Down(Touch::default())), None);
    let now = world.local(0);
    let bodies = vec![Body { id: 2, people: 1, ..Body::default() }];
    world.links[0].handle_presence(now, Presence { touches: vec![], bodies });
    world.run(world.net.now + SECOND);
    assert_eq!(seen(&world), [1, 0]);
    let now = world.local(0);
    world.links[0].handle_view(now, Some(now + SECOND));
    world.run(world.net.now + 500 * MS);
    assert_eq!(seen(&world), [1, 1]);
}
