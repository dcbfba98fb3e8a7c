//! Two sites that exchange datagrams directly, and what their show halves are told.

use super::*;
use crate::devices::{MOUSE_DEVICE, REACH_DEVICE};
use moongate_core::marks::{MemoryStore, NewMark, Signer};
use moongate_core::policy::SharingPolicy;
use moongate_core::presence::{BODIES_MAX, Body, MOTION_GRID, Phase, PointerKind, TouchUpdate};
use moongate_link::{LinkCommand, LinkConfig, LinkState, MarkReplica, NowShowing, SiteEvent};
use moongate_messages::{ShowMessage, SiteMessage, VisionReport};
use moongate_vision::Mask;
use std::time::Duration;

const STEP: Duration = Duration::from_millis(10);
const FINGER: (u32, u64) = (1, 1);

/// Signs nothing: whoever reads these marks has made them.
struct NoSigner([u8; 32]);

impl Signer for NoSigner {
    fn public_key(&self) -> [u8; 32] {
        self.0
    }

    fn sign(&self, _: &[u8]) -> [u8; 64] {
        [0; 64]
    }

    fn verify(&self, _: &[u8; 32], _: &[u8], _: &[u8; 64]) -> bool {
        true
    }
}

struct Pair {
    now: Duration,
    sites: [Site; 2],
}

impl Pair {
    /// Creates two sites that are linked.
    fn new() -> Self {
        let now = Duration::from_secs(1_000);
        let mut sites = [0, 1].map(|side: u8| {
            let config = LinkConfig {
                key: [side; 32],
                twin: Some([1 - side; 32]),
                boot: 7 + u64::from(side),
                city: ["dublin", "kobe"][usize::from(side)].into(),
                name: "test".into(),
                showing: NowShowing { installation: "test".into(), schema_hash: 1 },
                canvas: [1920.0, 1080.0],
            };
            let store = MemoryStore::new(u64::from(side) + 1);
            let replica = MarkReplica::open("test", Box::new(NoSigner([side; 32])), Box::new(store)).expect("memory");
            Site::new(now, SiteSetup { config, replica: Some(replica), ..SiteSetup::alone([1920.0, 1080.0], vec![]) })
        });
        sites.iter_mut().for_each(|site| site.link_mut().handle_path(now));
        let mut pair = Self { now, sites };
        pair.run(100);
        assert!(pair.is_linked());
        pair
    }

    fn is_linked(&self) -> bool {
        self.sites.iter().all(|site| site.link().health(self.now).state == LinkState::Linked)
    }

    /// Lets time pass, in steps.
    fn run(&mut self, steps: u32) {
        for _ in 0..steps {
            self.now += STEP;
            for from in 0..2 {
                self.sites[from].handle_timeout(self.now);
                while let Some(datagram) = self.sites[from].link_mut().poll_transmit(self.now) {
                    let to = &mut self.sites[1 - from];
                    if !to.is_backlogged() {
                        to.link_mut().handle_datagram(self.now, &datagram);
                    }
                }
            }
        }
    }

    fn touch(&mut self, side: usize, contact: (u32, u64), phase: Phase) {
        let update = TouchUpdate::Touch(contact, phase, [300.0, 400.0], PointerKind::Finger);
        self.sites[side].handle_touches(self.now, &[update]);
    }

    fn messages(&mut self, side: usize) -> Vec<SiteMessage> {
        self.sites[side].poll_messages(self.now)
    }

    fn events(&mut self, side: usize) -> Vec<SiteEvent> {
        let events = self.messages(side).into_iter().filter_map(|message| match message {
            SiteMessage::Event { event, .. } => Some(event),
            _ => None,
        });
        events.collect()
    }
}

fn body(id: u16) -> Body {
    Body { id, people: 1, foot: [900.0, 1000.0], ..Body::default() }
}

fn report(site: &mut Site, now: Duration) -> Option<VisionReport> {
    site.poll_messages(now).into_iter().find_map(|message| match message {
        SiteMessage::Vision(report) => Some(report),
        _ => None,
    })
}

#[test]
fn a_touch_reaches_the_own_show_at_once_and_the_twins_once() {
    let mut pair = Pair::new();
    assert!(pair.messages(0).contains(&SiteMessage::Linked));
    assert!(pair.messages(1).contains(&SiteMessage::Linked));
    pair.touch(0, FINGER, Phase::Down);
    let messages = pair.messages(0);
    let SiteMessage::Touch(event) = messages[0] else { panic!("{messages:?}") };
    assert_eq!((event.phase, event.made, event.touch.at), (Phase::Down, pair.now, [300.0, 400.0]));
    assert_eq!(messages[1], SiteMessage::Held(vec![event.touch.id]));
    pair.run(10);
    assert_eq!(pair.events(1), [SiteEvent::Down(event.touch)]);
    assert_eq!(pair.sites[1].remote_presence(pair.now).touches.len(), 1);
    // A window's touch comes from the show half, and is one like any other.
    let update = TouchUpdate::Touch((MOUSE_DEVICE, 0), Phase::Down, [5.0, 6.0], PointerKind::Mouse);
    pair.sites[0].handle_message(pair.now, ShowMessage::Touches(vec![update]));
    pair.run(10);
    assert_eq!(pair.sites[1].remote_presence(pair.now).touches.len(), 2);
    pair.sites[0].handle_message(pair.now, ShowMessage::Released { device: MOUSE_DEVICE });
    pair.run(10);
    assert_eq!(pair.sites[1].remote_presence(pair.now).touches.len(), 1);
}

#[test]
fn a_show_half_that_stands_still_grows_nothing_and_later_gets_the_twins_events_in_order() {
    let mut pair = Pair::new();
    pair.messages(1);
    let mut made = 0_u64;
    for contact in 0..6_000 {
        pair.touch(0, (1, contact), Phase::Down);
        pair.touch(0, (1, contact), Phase::Up);
        made += 2;
        pair.run(1);
    }
    let own = pair.messages(0).iter().filter(|message| matches!(message, SiteMessage::Touch(_))).count();
    assert_eq!(own, 1_024, "the first that had room");
    let mut came = Vec::new();
    assert!(pair.sites[1].is_backlogged() || !pair.is_linked());
    for _ in 0..2_000 {
        came.extend(pair.events(1));
        pair.run(1);
    }
    let ids: Vec<_> = came
        .iter()
        .filter_map(|event| match event {
            SiteEvent::Down(touch) => Some(touch.id),
            _ => None,
        })
        .collect();
    assert!(ids.len() >= 2_000 && ids.windows(2).all(|pair| pair[0] < pair[1]), "{} of {made}", ids.len());
}

#[test]
fn a_site_that_closes_lets_nothing_in_that_waits_for_its_show_half() {
    let mut pair = Pair::new();
    pair.messages(1);
    pair.touch(0, FINGER, Phase::Down);
    pair.run(10);
    pair.sites[1].handle_policy(pair.now, SharingPolicy::Closed);
    assert_eq!(pair.events(1), []);
    pair.touch(1, FINGER, Phase::Down);
    pair.run(10);
    assert_eq!(pair.events(0), [], "and nothing out");
    assert_eq!(pair.sites[1].policy(), SharingPolicy::Closed);
}

#[test]
fn another_twin_takes_nothing_from_the_site() {
    let mut pair = Pair::new();
    let mark = NewMark { name: "lantern".into(), at: None, seed: 5, said: "{}".into() };
    let command = LinkCommand::Mark { utc_ms: 1_764_000_000_000, mark };
    pair.sites[0].handle_message(pair.now, ShowMessage::Command { made: pair.now, command });
    pair.sites[0].handle_policy(pair.now, SharingPolicy::Shapes);
    pair.touch(0, FINGER, Phase::Down);
    pair.messages(0);
    let goodbye = pair.sites[0].handle_twin(pair.now, Some([9; 32]));
    assert!(!goodbye.is_empty());
    for datagram in goodbye {
        pair.sites[1].link_mut().handle_datagram(pair.now, &datagram);
    }
    assert!(!pair.is_linked());
    // The mark was not signed yet.
    pair.sites[0].handle_timeout(pair.now);
    let messages = pair.messages(0);
    assert!(messages.contains(&SiteMessage::Unlinked), "{messages:?}");
    let marks = messages.iter().find_map(|message| match message {
        SiteMessage::Marks(feed) => Some(feed.marks.iter().map(|mark| mark.seed).collect::<Vec<_>>()),
        _ => None,
    });
    assert_eq!(marks, Some(vec![5]));
    assert_eq!((pair.sites[0].policy(), pair.sites[0].twin()), (SharingPolicy::Shapes, Some([9; 32])));
    assert_eq!(pair.sites[0].presence().touches.len(), 1);
}

#[test]
fn cameras_are_one_view_and_one_that_stops_sees_nobody() {
    let mut pair = Pair::new();
    let [site, _] = &mut pair.sites;
    let (now, second) = (pair.now, Duration::from_secs(1));
    let frame = |energy: f32, column: usize| {
        let mut mask = Mask { width: 4, height: 1, pixels: vec![0; 4] };
        mask.pixels[column] = 255;
        let mut flow = vec![[0.0; 2]; MOTION_GRID[0] * MOTION_GRID[1]];
        flow[column] = [energy * 10.0, 0.0];
        VisionFrame { motion_energy: energy, flow, mask }
    };
    assert_eq!(report(site, now), None);
    site.handle_camera(now, 0, now, vec![body(4), body(5)], Some(&mut frame(0.2, 1)));
    site.handle_camera(now, 1, now, vec![body(4)], Some(&mut frame(0.6, 2)));
    site.handle_touches(now, &[TouchUpdate::Touch((REACH_DEVICE, 4), Phase::Down, [5.0, 5.0], PointerKind::Reach)]);
    let seen = report(site, now).expect("it is new");
    let mut ids: Vec<_> = seen.bodies.iter().map(|body| body.id).collect();
    ids.dedup();
    assert_eq!((ids.len(), &ids[..2]), (3, &[4, 5][..]), "ids are unique, and those of camera 0 stay");
    assert_eq!((seen.motion_energy, seen.captured), (0.6, now));
    assert_eq!((seen.flow[1], seen.flow[2]), ([2.0, 0.0], [6.0, 0.0]));
    assert_eq!(seen.mask.expect("both have one").texels, [0, 255, 255, 0]);
    assert_eq!(report(site, now), None, "nothing is new");
    // An older frame of the same camera is ignored, and so are cameras beyond the limit.
    site.handle_camera(now, 0, now - second, vec![], None);
    site.handle_camera(now, devices::CAMERAS_MAX, now, vec![body(9)], None);
    assert_eq!((site.body_count(), report(site, now)), (3, None));
    site.handle_camera(now, 0, now + second, vec![], Some(&mut VisionFrame::default()));
    let seen = report(site, now).expect("camera 0 is away");
    assert_eq!((seen.bodies.len(), seen.mask.expect("of camera 1").texels), (1, vec![0, 0, 255, 0]));
    site.handle_timeout(now + 4 * second);
    assert_eq!(site.body_count(), 0);
    assert!(report(site, now + 4 * second).is_some_and(|seen| seen.bodies.is_empty()));
    site.handle_camera(now, 2, now + 5 * second, (0..300).map(body).collect(), None);
    assert_eq!((site.body_count(), site.presence().bodies.len()), (BODIES_MAX, BODIES_MAX));
    site.handle_message(now, ShowMessage::Luminance(0.4));
    assert_eq!(site.screen_luminance(), 0.4);
}
