//! Marks of two cities over a ladder of paths: both end with the same ones, each once, in an order
//! that respects cause; nobody signs for another; and a backlog does not hold presence back.

use crate::ladder_rungs::{rungs, seeds};
use crate::world::{FakeSeal, MS, SECOND, World, draft, signed_by};
use moongate::link::netem::PathProfile;
use moongate::link::{DisconnectReason, LinkOutput};
use moongate::marks::{MarkBatch, MarkLog, MarkOrder, MemoryStore, MergeOutcome, Signer, WriterId};
use moongate::policy::SharingPolicy;
use moongate::presence::{Body, Presence};
use std::collections::HashSet;
use std::time::Duration;

/// A minute in which both cities leave things, some of them answers; a cut, and a site that starts anew without what it had.
fn play(seed: u64) {
    let rungs = rungs();
    let rung = rungs[seed as usize % rungs.len()];
    let of = format!("{rung:?}, MOONGATE_SEED={seed}");
    let mut world = World::new(rung.path, seed);
    let mut random = fastrand::Rng::with_seed(seed);
    let mut made = 0;
    let (mut was_cut, mut was_mended, mut anew) = (false, false, false);
    let answers = random.usize(..2);
    while world.net.now < 60 * SECOND {
        world.run(world.net.now + Duration::from_millis(random.u64(5..200)));
        if !was_cut && world.net.now >= 20 * SECOND {
            was_cut = true;
            if rung.one_way_cut { world.net.netem.set_direction_cut(0, true) } else { world.net.netem.set_cut(true) }
        }
        if !was_mended && world.net.now >= 30 * SECOND {
            was_mended = true;
            world.net.netem.set_cut(false);
        }
        if !anew && world.net.now >= 45 * SECOND {
            anew = true;
            // What has not been shared by then is lost with its memory, so it says nothing new for a while before.
            world.restart(1);
        }
        let side = random.usize(..2);
        if world.net.now < 40 * SECOND || (anew && world.net.now < 55 * SECOND) {
            // Who answers names the last thing that it has seen.
            let seen = world.record.seen[side].last().copied().filter(|_| side == answers);
            world.leave(side, made, seen.map(|place| place.stamp), random.usize(..3_000));
            made += 1;
        }
    }
    world.run(world.net.now + 30 * SECOND);
    let [here, there] = [0, 1].map(|side| world.marks(side));
    assert_eq!(here.len(), made as usize, "{of}: marks at site 0");
    assert!(here == there, "{of}: both have the same, in the same order: {} and {}", here.len(), there.len());
    let once: HashSet<MarkOrder> = here.iter().map(|(place, ..)| *place).collect();
    assert_eq!(once.len(), here.len(), "{of}: each once");
    for (place, _, after) in &here {
        assert!(after.is_none_or(|after| place.stamp > after), "{of}: an answer stands before what it answers");
    }
    assert_eq!(world.garbled(), 0, "{of}");
    let ages = world.ages();
    assert!(ages < 0.02 + rung.round_trip().as_secs_f64() / 6.0, "{of}: a mark's age differs by {ages} s");
}

#[test]
fn both_cities_end_with_the_same_marks_in_an_order_that_respects_cause() {
    for seed in seeds(36) {
        play(seed);
    }
}

#[test]
fn what_was_made_apart_is_merged_once_and_told() {
    let mut world = World::new(PathProfile { one_way: 92 * MS, loss: 0.02, ..PathProfile::default() }, 3);
    world.run(2 * SECOND);
    assert!(world.record.merged.iter().all(Vec::is_empty), "nothing was made apart");
    world.net.netem.set_cut(true);
    world.run(8 * SECOND);
    for number in 0..500 {
        world.leave(0, number, None, 40);
        world.run(world.net.now + 10 * MS);
    }
    world.net.netem.set_cut(false);
    world.run(world.net.now + 10 * SECOND);
    assert_eq!((world.marks(1).len(), &world.record.merged), (500, &[vec![], vec![500]]));
    // A show that starts anew, without what it had, is given all of it back.
    world.restart(1);
    world.run(world.net.now + 10 * SECOND);
    assert_eq!(world.record.merged, [vec![], vec![500, 500]]);
    assert_eq!(world.marks(1).len(), 500);
    assert_eq!(world.record.shared[0], 500, "this site knows what the other one has");
}

#[test]
fn a_mark_is_there_soon_although_datagrams_are_lost() {
    let mut late = vec![];
    for seed in seeds(4) {
        let mut world = World::new(PathProfile { one_way: 50 * MS, loss: 0.05, ..PathProfile::default() }, seed);
        world.run(2 * SECOND);
        for number in 0..600 {
            world.leave(0, number, None, 30);
            world.run(world.net.now + 100 * MS);
        }
        world.run(world.net.now + SECOND);
        late.extend(world.record.took.iter().map(|took| took.as_secs_f64() * 1e3 - 50.0));
    }
    late.sort_by(f64::total_cmp);
    let at = |share: f64| late[(late.len() as f64 * share) as usize];
    println!("marks at 50 ms, 5 %: p50 {:.0}, p99 {:.0} ms beyond the one way, of {}", at(0.5), at(0.99), late.len());
    assert!(at(0.5) < 12.0 && at(0.99) < 40.0, "{} {}", at(0.5), at(0.99));
}

#[test]
fn a_backlog_does_not_hold_presence_back() {
    let path = PathProfile { one_way: 50 * MS, rate: 125_000.0, queue: 300 * MS, ..PathProfile::default() };
    let mut ages = [false, true].map(|backlog| {
        let mut world = World::new(path, 5);
        if backlog {
            for number in 0..4_000 {
                world.leave(0, number, None, 500);
            }
        }
        world.run(2 * SECOND);
        for step in 0..600_u32 {
            let body = Body { id: 1, foot: [step as f32, 900.0], ..Body::default() };
            let now = world.local(0);
            world.links[0].handle_presence(now, Presence { touches: vec![], bodies: vec![body] });
            world.record.walked.push((step as f32, world.net.now));
            world.run(world.net.now + Duration::from_micros(16_667));
        }
        if backlog {
            assert!(world.marks(1).len() < 4_000, "the backlog lasts as long as what is measured");
        }
        world.presence_ages()
    });
    let p99 = ages.each_mut().map(|ages| {
        ages.sort();
        ages[ages.len() * 99 / 100]
    });
    println!("presence p99 {:?} without a backlog, {:?} with one", p99[0], p99[1]);
    assert!(p99[1] < p99[0] + 25 * MS, "{p99:?}");
}

#[test]
fn a_mark_in_another_name_is_refused_and_its_sender_dropped() {
    let (here, there) = (FakeSeal::of(0), FakeSeal::of(1));
    let mut store = MemoryStore::new(7);
    let mut work = MarkLog::open("ripples", there.public_key(), &mut store).expect("memory");
    work.add(SECOND, 0, draft("lantern", 1, None, 10));
    let (_, batches) = work.sign_pending(&there);
    let sealed = batches[0].bytes.clone();
    let open = |bytes: Vec<u8>, work: &str| {
        MarkBatch::decode_verified(work, bytes, 0, &here).map(|(batch, _)| batch.writer.site)
    };
    assert_eq!(open(sealed.clone(), "ripples"), Ok([1; 32]));
    assert!(open(sealed.clone(), "shadows").is_err(), "what is signed for one work is not of another");
    // In this site's name, and every other bit changed in turn.
    assert!(open(signed_by(&there, &sealed, [0; 32]), "ripples").is_err());
    for at in 0..sealed.len() {
        let mut bytes = sealed.clone();
        bytes[at] ^= 0x10;
        assert!(open(bytes, "ripples").is_err(), "byte {at}");
    }

    let mut world = World::new(PathProfile { one_way: 20 * MS, ..PathProfile::default() }, 1);
    // It says that its marks are site 0's.
    world.seals[1] = FakeSeal { public: [0; 32], key: [1; 32] };
    world.restart(1);
    world.run(2 * SECOND);
    assert!(world.is_linked());
    world.leave(1, 0, None, 30);
    let before = world.net.now;
    while world.record.parted[0].is_empty() && world.net.now < before + 2 * SECOND {
        world.run(world.net.now + 10 * MS);
    }
    assert!(
        matches!(&world.record.parted[0][..], [DisconnectReason::Hostile(why)] if why.contains("another")),
        "{:?}",
        world.record.parted
    );
    assert!(world.net.now - before < SECOND);
    assert!(world.marks(0).is_empty());
    // When it is let in again it is linked again, whatever boot it is.
    world.seals[1] = FakeSeal::of(1);
    let reformed = world.restart_keeping_its_boot(1);
    world.run(world.net.now + 3 * SECOND);
    assert!(world.is_linked(), "boot {reformed}");
}

#[test]
fn a_work_in_memory_forgets_its_oldest_and_waits_for_none() {
    let seal = FakeSeal::of(3);
    let mut store = MemoryStore::new(1);
    let mut work = MarkLog::open("ripples", seal.public_key(), &mut store).expect("memory");
    let mut kept = 0;
    while work.batches().next().is_none_or(|batch| batch.first == 0) && kept < 1_000_000 {
        kept += 1;
        work.add(SECOND, 0, draft("stroke", kept, None, 4_000));
        work.sign_pending(&seal);
        work.evict_oldest();
    }
    assert!(work.bytes() <= moongate::marks::LOG_BYTES_MAX && kept > 5_000, "{kept}");
    // Another site begins where this one's memory does.
    let mut other = MarkLog::open("ripples", [4; 32], &mut MemoryStore::new(2)).expect("memory");
    let writer = WriterId { site: seal.public_key(), store: 1 };
    let first = work.batch_from(writer, 0).expect("there are marks").clone();
    let second = work.batch_from(writer, first.end()).expect("there are more").clone();
    let oldest = work.oldest_reachable(writer, second.first);
    assert_eq!((oldest, work.oldest_reachable(writer, first.first)), (first.first, first.first));
    let take = |other: &mut MarkLog, batch: &MarkBatch, oldest| {
        let taken = other.merge((writer, batch.first, oldest), batch.bytes.clone(), 0, &seal).expect("signed");
        matches!(taken, (MergeOutcome::New(_), Some(_)))
    };
    assert!(!take(&mut other, &second, oldest), "the one before it is still to come");
    assert!(take(&mut other, &first, oldest) && take(&mut other, &second, oldest));
    assert_eq!(other.oldest_reachable(writer, second.first), first.first, "and it tells it on in the same way");
    // What this site has left itself it does not forget for another one's.
    let (own, theirs) = (WriterId { site: [4; 32], store: 2 }, FakeSeal::of(4));
    other.add(SECOND, 0, draft("stroke", 1, None, 100));
    other.sign_pending(&theirs);
    for batch in work.batches().skip(2).cloned().collect::<Vec<_>>() {
        take(&mut other, &batch, oldest);
        other.evict_oldest();
    }
    assert!(other.batch_from(own, 0).is_some());
}

#[test]
fn another_installation_has_a_work_of_its_own() {
    let mut world = World::new(PathProfile { one_way: 20 * MS, ..PathProfile::default() }, 1);
    world.run(SECOND);
    world.leave(0, 0, None, 30);
    world.run(2 * SECOND);
    for side in 0..2 {
        world.show(side, "shadows");
    }
    world.run(4 * SECOND);
    assert!(world.marks(0).is_empty() && world.marks(1).is_empty());
    world.leave(1, 1, None, 30);
    world.run(5 * SECOND);
    assert_eq!((world.marks(0).len(), world.marks(1).len()), (1, 1));
    for side in 0..2 {
        world.show(side, "ripples");
    }
    world.run(7 * SECOND);
    assert_eq!([0, 1].map(|side| world.marks(side)[0].1), [0, 0], "what was left before is there again");
    assert!(world.record.outputs[0].iter().any(|output| matches!(output, LinkOutput::MarksReset)));
}

#[test]
fn a_closed_site_tells_and_takes_no_marks() {
    let mut world = World::new(PathProfile { one_way: 20 * MS, ..PathProfile::default() }, 1);
    world.run(SECOND);
    let now = world.local(0);
    world.links[0].handle_policy(now, SharingPolicy::Shapes);
    world.leave(0, 0, None, 30);
    world.leave(1, 1, None, 30);
    world.run(5 * SECOND);
    assert_eq!((world.marks(0).len(), world.marks(1).len()), (1, 1), "each has its own");
    let now = world.local(0);
    world.links[0].handle_policy(now, SharingPolicy::Open);
    world.run(8 * SECOND);
    assert_eq!((world.marks(0).len(), world.marks(1).len()), (2, 2));
}
