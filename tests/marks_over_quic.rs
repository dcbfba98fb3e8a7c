//! Two sites on loopback with real keys: marks of one site arrive at the other, signed, and can be restored.

use moongate::device::clock::monotonic;
use moongate::device::net::{LinkSetup, LinkThread};
use moongate::device::site_key::SiteKey;
use moongate::link::{LinkCommand, LinkConfig, LinkState, NowShowing};
use moongate::marks::NewMark;
use moongate::messages::{MarkFeed, SiteMessage};
use moongate::policy::SharingPolicy;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

struct Two {
    keys: [SiteKey; 2],
    addresses: [SocketAddr; 2],
}

impl Two {
    fn new() -> Self {
        // Both ports are held until both are known.
        let sockets = [(); 2].map(|()| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback"));
        let addresses = sockets.map(|socket| socket.local_addr().expect("bound"));
        Self { keys: [(); 2].map(|()| SiteKey::generate().expect("randomness")), addresses }
    }

    fn start(&self, side: usize) -> LinkThread {
        let config = LinkConfig {
            key: self.keys[side].public(),
            twin: Some(self.keys[1 - side].public()),
            boot: fastrand::u64(1..),
            city: ["shenzhen", "dublin"][side].into(),
            name: "test".into(),
            showing: NowShowing { installation: "lanterns".into(), schema_hash: 1 },
            canvas: [1920.0, 1080.0],
        };
        LinkThread::start(self.addresses[side], LinkSetup::new(&self.keys[side], self.addresses[1 - side], config))
            .unwrap_or_else(|why| panic!("{why}"))
    }
}

fn until(what: &str, mut is: impl FnMut() -> bool) {
    let began = monotonic();
    while !is() {
        assert!(monotonic() - began < 20 * SECOND, "{what}: not in 20 s");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn link(sites: [&LinkThread; 2]) {
    until("linked", || sites.iter().all(|link| link.site().status().session.health.state == LinkState::Linked));
}

fn mark(number: u32) -> LinkCommand {
    let mark = NewMark { name: "lanterns".into(), at: Some([number as f32, 5.0]), seed: number, said: "{}".into() };
    LinkCommand::Mark { utc_ms: 1_764_000_000_000, mark }
}

/// Returns the changes of the marks since the last call; the default if there are none.
fn marks(site: &LinkThread) -> MarkFeed {
    let feeds = site.site().poll_messages(monotonic()).into_iter();
    feeds.fold(MarkFeed::default(), |all, message| match message {
        SiteMessage::Marks(feed) => feed,
        _ => all,
    })
}

/// Collects the seeds of all marks that a site has received, in the order of both cities.
fn know(site: &LinkThread, known: &mut Vec<u32>) -> MarkFeed {
    let news = marks(site);
    known.extend(news.marks.iter().map(|mark| mark.seed));
    known.sort();
    news
}

#[test]
fn what_is_left_is_signed_shared_and_given_back() {
    let two = Two::new();
    let (near, far) = (two.start(0), two.start(1));
    link([&near, &far]);
    let mut known = [vec![], vec![]];
    for number in 0..10 {
        near.site().handle_command(monotonic(), mark(number));
        far.site().handle_command(monotonic(), mark(100 + number));
    }
    let all: Vec<u32> = (0..10).chain(100..110).collect();
    let mut shared = 0;
    until("marks of both at both, and it knows that they are shared", || {
        shared = know(&near, &mut known[0]).shared_below.max(shared);
        know(&far, &mut known[1]);
        known[0] == all && known[1] == all && shared == 10
    });
    // One site restarts without its marks; a closed site returns none until it opens.
    drop(far);
    near.site().set_sharing_policy(SharingPolicy::Shapes);
    let far = two.start(1);
    link([&near, &far]);
    std::thread::sleep(SECOND);
    assert!(marks(&far).marks.is_empty());
    near.site().set_sharing_policy(SharingPolicy::Open);
    let (mut anew, mut merged) = (vec![], None);
    until("given back", || {
        merged = know(&far, &mut anew).merged.or(merged);
        anew == all && merged == Some(20)
    });
}
