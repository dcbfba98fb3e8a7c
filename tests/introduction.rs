//! Two sites are paired, linked, and forgotten: over real sockets on loopback, with and without a relay.

use moongate::config::{TrustStore, TrustedPeer, city_by_slug};
use moongate::device::clock::monotonic;
use moongate::device::net::{
    LinkSetup, LinkThread, PairingError, PeerAddrs, SiteProfile, accept_ticket, invite, transport_config,
};
use moongate::device::peers_file::{Invitation, trust, unix_time, untrust};
use moongate::device::site_key::SiteKey;
use moongate::device::tls;
use moongate::link::pairing::PairingSecret;
use moongate::link::relay::{RelayAction, RelayLimits, RelayServer};
use moongate::link::{LinkCommand, LinkConfig, LinkState, NowShowing, PeerInfo, SiteEvent, Ticket};
use moongate::messages::{ShowMessage, SiteMessage};
use moongate::policy::SharingPolicy;
use moongate::presence::{Body, PointerKind, Touch};
use moongate_relay::RelayThread;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(10);
/// Address in a block for documentation (RFC 5737): no answer and no refusal.
const NOWHERE: &str = "192.0.2.1:4433";

struct Site {
    dir: tempfile::TempDir,
    key: SiteKey,
    listen: SocketAddr,
    card: PeerInfo,
}

impl Site {
    fn new(city: &str, relay: Option<SocketAddr>) -> Self {
        let free = UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("loopback");
        Self {
            dir: tempfile::tempdir().expect("a folder"),
            key: SiteKey::generate().expect("randomness"),
            listen: free,
            card: PeerInfo {
                city: city.into(),
                name: format!("{city} square"),
                addresses: vec![free],
                relay: relay.map(|relay| relay.to_string()),
            },
        }
    }

    fn home(&self) -> SiteProfile {
        SiteProfile { dir: self.dir.path().to_owned(), info: self.card.clone() }
    }

    fn invitation(&self) -> Invitation {
        let expires = Duration::from_secs(unix_time().as_secs() + 30);
        let mut secret = [0; 16];
        fastrand::fill(&mut secret);
        let invitation = Invitation { secret: PairingSecret(secret), expires };
        invitation.write(self.dir.path()).expect("our own folder");
        invitation
    }

    fn ticket(&self, invitation: &Invitation) -> Ticket {
        let Invitation { secret, expires } = *invitation;
        let ticket = Ticket { key: self.key.public(), secret, expires, peer: self.card.clone() };
        Ticket::parse(&ticket.to_line()).expect("our own")
    }

    fn accept(&self, ticket: &Ticket) -> Result<TrustedPeer, PairingError> {
        accept_ticket(&self.home(), &self.key, self.listen, ticket)
    }

    fn twins(&self) -> TrustStore {
        TrustStore::read(self.dir.path()).expect("what was written")
    }

    /// Starts the link of a show.
    fn run(&self) -> LinkThread {
        let twins = self.twins();
        let config = LinkConfig {
            key: self.key.public(),
            twin: twins.latest().map(|twin| twin.key),
            boot: fastrand::u64(1..),
            city: self.card.city.clone(),
            name: self.card.name.clone(),
            showing: NowShowing { installation: "test".into(), schema_hash: 1 },
            canvas: [1920.0, 1080.0],
        };
        let reach = twins
            .latest()
            .map_or_else(PeerAddrs::default, |twin| PeerAddrs::from_twin(twin, self.card.relay.as_deref()));
        let plan = LinkSetup { profile: Some(self.home()), ..LinkSetup::new(&self.key, reach, config) };
        LinkThread::start(self.listen, plan).unwrap_or_else(|why| panic!("{why}"))
    }
}

fn wait(what: &str, mut until: impl FnMut() -> bool) {
    let began = Instant::now();
    while !until() {
        assert!(began.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn linked(link: &LinkThread) -> bool {
    link.site().status().session.health.state == LinkState::Linked
}

/// Runs both ends of a pairing at once.
fn introduce(inviting: &Site, accepting: &Site) {
    let invitation = inviting.invitation();
    let ticket = inviting.ticket(&invitation);
    let invited = std::thread::scope(|scope| {
        let invited = scope.spawn(|| invite(&inviting.home(), &inviting.key, inviting.listen, invitation));
        let twin = accepting.accept(&ticket).unwrap_or_else(|why| panic!("{why}"));
        assert_eq!(twin.key, inviting.key.public());
        invited.join().expect("no panic").unwrap_or_else(|why| panic!("{why}"))
    });
    assert_eq!(invited.map(|twin| twin.key), Some(accepting.key.public()));
    assert_eq!(Invitation::read(inviting.dir.path()), None, "the ticket is used up");
    for (site, other) in [(inviting, accepting), (accepting, inviting)] {
        let twins = site.twins();
        let twin = twins.latest().expect("it is pinned");
        assert_eq!((twin.key, twin.city.slug.as_str()), (other.key.public(), other.card.city.as_str()));
        assert_eq!(twin.name, other.card.name);
    }
}

#[test]
fn a_ticket_introduces_two_sites_that_link_and_one_that_is_forgotten_is_gone_at_once() {
    let [dublin, kobe] = [Site::new("dublin", None), Site::new("kobe", None)];
    introduce(&dublin, &kobe);
    let (here, there) = (dublin.run(), kobe.run());
    wait("they are linked", || linked(&here) && linked(&there));
    untrust(dublin.dir.path(), &kobe.key.public()).expect("our own folder");
    let forgotten = Instant::now();
    wait("the connection is closed", || here.site().status().connections == 0);
    assert!(forgotten.elapsed() < Duration::from_secs(1), "{:?}", forgotten.elapsed());
    wait("it is told", || here.site().poll_messages(monotonic()).contains(&SiteMessage::Unlinked));
    wait("the other one learns that it is not wanted", || there.site().status().refused);
    wait("it plays alone", || !linked(&there));
    assert_eq!(here.site().status().twin, None);
}

#[test]
fn a_show_that_runs_alone_lets_one_with_a_ticket_in_and_is_linked_without_a_new_start() {
    let [dublin, kobe] = [Site::new("dublin", None), Site::new("kobe", None)];
    let here = dublin.run();
    let invitation = dublin.invitation();
    let ticket = dublin.ticket(&invitation);
    let wrong = Ticket { secret: PairingSecret([0; 16]), ..ticket.clone() };
    let refused = kobe.accept(&wrong);
    assert!(matches!(refused, Err(PairingError::Refused)), "{refused:?}");
    assert!(kobe.twins().peers.is_empty() && dublin.twins().peers.is_empty());
    kobe.accept(&ticket).unwrap_or_else(|why| panic!("{why}"));
    let there = kobe.run();
    wait("they are linked", || linked(&here) && linked(&there));
    let again = Site::new("lyon", None).accept(&ticket);
    assert!(matches!(again, Err(PairingError::Refused)), "a ticket is used once: {again:?}");
}

#[test]
fn a_running_show_takes_a_ticket_as_soon_as_it_is_printed() {
    let [dublin, kobe] = [Site::new("dublin", None), Site::new("kobe", None)];
    let show = dublin.run();
    wait("it runs", || show.site().update_count() > 3);
    // The site has read its folder already, and nothing prompts it to read it again.
    let ticket = dublin.ticket(&dublin.invitation());
    kobe.accept(&ticket).unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(dublin.twins().latest().map(|twin| twin.key), Some(kobe.key.public()));
}

#[test]
fn a_knock_that_somebody_says_again_holds_nobody_up() {
    let [dublin, kobe] = [Site::new("dublin", None), Site::new("kobe", None)];
    let _show = dublin.run();
    let ticket = dublin.ticket(&dublin.invitation());
    let seen = ticket.secret.preauth_id([1; 8]);
    // The first caller completes the handshake and then stays silent.
    let silent = Stranger::knock([127, 0, 0, 2], &ticket, seen);
    assert_eq!(silent.got_in, Ok(true));
    assert_eq!(Stranger::knock([127, 0, 0, 3], &ticket, seen).got_in, Ok(false), "each is good once");
    let again = Stranger::knock([127, 0, 0, 3], &ticket, ticket.secret.preauth_id([2; 8]));
    assert_eq!(again.got_in, Ok(true));
    let twin = kobe.accept(&ticket).unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(twin.key, dublin.key.public());
    drop((silent, again));
}

#[test]
fn a_flood_of_first_packets_does_not_keep_a_twin_at_a_new_address_out() {
    let [dublin, kobe] = [Site::new("dublin", None), Site::new("kobe", None)];
    let pinned = |site: &Site, address: SocketAddr| {
        let (key, name) = (site.key.public(), site.card.name.clone());
        TrustedPeer {
            key,
            city: city_by_slug(&site.card.city).expect("a member city"),
            name,
            addresses: vec![address],
            relay: None,
        }
    };
    // The twin is not at its earlier address, so only its own attempts can succeed.
    trust(dublin.dir.path(), pinned(&kobe, NOWHERE.parse().expect("an address"))).expect("our own folder");
    trust(kobe.dir.path(), pinned(&dublin, dublin.listen)).expect("our own folder");
    let here = dublin.run();
    let flood = Flood::start(dublin.listen);
    wait("the flood is there", || flood.sent.load(Ordering::Relaxed) > 500);
    let there = kobe.run();
    wait("they are linked", || linked(&here) && linked(&there));
    assert!(flood.sent.load(Ordering::Relaxed) > 500);
}

/// A stranger with a key of its own at a loopback address. Stays connected until dropped.
struct Stranger {
    /// True if the handshake succeeded; an error if the outcome is unknown.
    got_in: Result<bool, String>,
    over: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Stranger {
    /// Dials with this initial connection id, and waits for the outcome.
    fn knock(from: [u8; 4], ticket: &Ticket, id: [u8; 20]) -> Self {
        let ticket = ticket.clone();
        let (over, ends) = tokio::sync::oneshot::channel();
        let (tell, told) = std::sync::mpsc::channel();
        let knock = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let endpoint = quinn::Endpoint::client(SocketAddr::from((from, 0))).expect("loopback");
                let key = SiteKey::generate().expect("randomness");
                let mut client = tls::pairing_client_config(&key, ticket.key).expect("a fresh key");
                client.initial_dst_cid_provider(Arc::new(move || quinn::ConnectionId::new(&id)));
                client.transport_config(transport_config());
                let connecting = endpoint.connect_with(client, ticket.peer.addresses[0], "moongate");
                let connecting = tokio::time::timeout(PATIENCE / 2, connecting.expect("a sound address")).await;
                let _ = tell.send(connecting.as_ref().map(Result::is_ok).map_err(|_| "nobody answers".to_owned()));
                let _ = ends.await;
            });
        };
        let thread = std::thread::Builder::new().name("stranger".into()).spawn(knock).expect("a thread");
        let got_in = told.recv().expect("it is told");
        Self { got_in, over: Some(over), thread: Some(thread) }
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        drop(self.over.take());
        self.thread.take().into_iter().for_each(|thread| drop(thread.join()));
    }
}

/// A flood of 3,000 initial packets per second, from a sender that receives no answers and so validates no address.
struct Flood {
    sent: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Flood {
    fn start(at: SocketAddr) -> Self {
        let packets = first_packets(64);
        let (sent, over): (Arc<AtomicU64>, Arc<AtomicBool>) = Default::default();
        let (count, ends) = (sent.clone(), over.clone());
        let send = move || {
            let socket = UdpSocket::bind("127.0.0.9:0").expect("loopback");
            for packets in packets.chunks(4).cycle() {
                if ends.load(Ordering::Relaxed) {
                    break;
                }
                packets.iter().for_each(|packet| drop(socket.send_to(packet, at)));
                count.fetch_add(packets.len() as u64, Ordering::Relaxed);
                std::thread::sleep(Duration::from_micros(1_300));
            }
        };
        let thread = std::thread::Builder::new().name("flood".into()).spawn(send).expect("a thread");
        Self { sent, over, thread: Some(thread) }
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        self.thread.take().into_iter().for_each(|thread| drop(thread.join()));
    }
}

/// Returns the initial packets of `count` attempts to dial.
fn first_packets(count: usize) -> Vec<Vec<u8>> {
    let heard = UdpSocket::bind("127.0.0.1:0").expect("loopback");
    heard.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let [key, other] = [SiteKey::generate(), SiteKey::generate()].map(|key| key.expect("randomness"));
    let client = tls::client_config(&key, other.public()).expect("a fresh key");
    let mut packets = vec![];
    while packets.len() < count {
        runtime.block_on(async {
            let endpoint = quinn::Endpoint::client("127.0.0.1:0".parse().expect("an address")).expect("loopback");
            let at = heard.local_addr().expect("bound");
            let connecting = endpoint.connect_with(client.clone(), at, "moongate").expect("a sound address");
            let _ = tokio::time::timeout(Duration::from_millis(1), connecting).await;
        });
        let mut bytes = [0; 2_048];
        let (length, _) = heard.recv_from(&mut bytes).expect("it dials");
        packets.push(bytes[..length].to_vec());
    }
    packets
}

#[test]
fn where_no_address_works_a_relay_introduces_and_links() {
    let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
    let relay = RelayThread::start(loopback, RelayLimits::default()).expect("loopback");
    let sites = unreachable(relay.address());
    let [dublin, kobe] = &sites;
    introduce(dublin, kobe);
    let began = Instant::now();
    let (here, there) = (dublin.run(), kobe.run());
    wait("they are linked", || linked(&here) && linked(&there));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let touch = Touch { id: 77, at: [10.0, 20.0], kind: PointerKind::Cast };
    here.site().handle_command(monotonic(), LinkCommand::Event(SiteEvent::Down(touch)));
    wait("a touch arrives", || heard(&there, |what| *what == SiteEvent::Down(touch)));
    // On one machine each site is reachable at the address that the relay sees, so the direct path takes over.
    wait("the better way is found", || !here.site().status().relayed && !there.site().status().relayed);
    assert!(linked(&here) && linked(&there));
}

#[test]
fn what_is_said_is_nowhere_in_what_passes_a_relay() {
    const CANARY: &str = "a canary that sings in the relay's cage";
    let tap = Tap::start();
    let sites = unreachable(tap.address);
    let [dublin, kobe] = &sites;
    introduce(dublin, kobe);
    let (here, there) = (dublin.run(), kobe.run());
    wait("they are linked", || linked(&here) && linked(&there));
    let canary = SiteEvent::Signal { name: CANARY.into(), data: format!("\"{CANARY}\"") };
    here.site().handle_command(monotonic(), LinkCommand::Event(canary.clone()));
    wait("it arrives", || heard(&there, |what| *what == canary));
    let passed = tap.passed.lock().unwrap_or_else(PoisonError::into_inner);
    assert!(passed.len() >= 8, "{} datagrams", passed.len());
    let secrets: [&[u8]; 4] = [CANARY.as_bytes(), b"dublin square", b"kobe square", b"installation"];
    for secret in secrets {
        let seen = passed.iter().any(|bytes| bytes.windows(secret.len()).any(|window| window == secret));
        assert!(!seen, "the relay saw {}", String::from_utf8_lossy(secret));
    }
}

/// Creates two sites with unreachable addresses that both use one relay.
fn unreachable(relay: SocketAddr) -> [Site; 2] {
    ["dublin", "kobe"].map(|city| {
        let mut site = Site::new(city, Some(relay));
        site.card.addresses = vec![NOWHERE.parse().expect("an address")];
        site
    })
}

fn heard(there: &LinkThread, wanted: impl Fn(&SiteEvent) -> bool) -> bool {
    let messages = there.site().poll_messages(monotonic());
    messages.iter().any(|message| matches!(message, SiteMessage::Event { event, .. } if wanted(event)))
}

/// Lets a site's camera see this many people. Nothing comes from it afterwards, and the site goes on seeing them for an hour.
fn see(link: &LinkThread, count: u16) {
    let body = |id| Body { id, outline: vec![[0.0, 0.0], [9.0, 0.0], [9.0, 9.0]], ..Body::default() };
    let captured = monotonic() + Duration::from_secs(3_600);
    link.site().handle_bodies(captured, 0, (0..count).map(body).collect());
}

/// A relay that records all traffic that passes through it.
struct Tap {
    address: SocketAddr,
    passed: Arc<Mutex<Vec<Vec<u8>>>>,
    over: Arc<AtomicBool>,
}

impl Tap {
    fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback");
        socket.set_read_timeout(Some(Duration::from_millis(100))).expect("a timeout");
        let address = socket.local_addr().expect("bound");
        let tap = Self { address, passed: Arc::default(), over: Arc::default() };
        let (passed, over) = (tap.passed.clone(), tap.over.clone());
        let thread = std::thread::Builder::new().name("tap".into());
        let forward = move || {
            let mut forwarder = RelayServer::new(monotonic(), RelayLimits::default(), [1; 32]);
            let mut bytes = vec![0; 65_536];
            while !over.load(Ordering::Relaxed) {
                let Ok((count, from)) = socket.recv_from(&mut bytes) else { continue };
                let datagram = &bytes[..count];
                passed.lock().unwrap_or_else(PoisonError::into_inner).push(datagram.to_vec());
                match forwarder.handle_datagram(monotonic(), from, datagram) {
                    RelayAction::Forward(to) => drop(socket.send_to(datagram, to)),
                    RelayAction::Reply(answers) => {
                        answers.iter().flatten().for_each(|(to, answer)| drop(socket.send_to(answer, to)));
                    }
                    RelayAction::Drop => {}
                }
            }
        };
        thread.spawn(forward).expect("a thread");
        tap
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_site_that_is_closed_is_not_seen_whatever_its_frame_loop_does() {
    let [dublin, kobe] = [Site::new("dublin", None), Site::new("kobe", None)];
    introduce(&dublin, &kobe);
    let (here, there) = (dublin.run(), kobe.run());
    wait("they are linked", || linked(&here) && linked(&there));
    let seen = || there.site().remote_presence(monotonic()).bodies.len();
    see(&here, 3);
    wait("three are seen", || seen() == 3);
    // From here on the frame loop stands still, so it reports no presence to the link.
    here.site().set_sharing_policy(SharingPolicy::Closed);
    let closed = Instant::now();
    wait("nobody is seen", || seen() == 0);
    assert!(closed.elapsed() < Duration::from_secs(1), "{:?}", closed.elapsed());
    // Presence that is set all the same is not sent.
    see(&here, 5);
    here.site().handle_command(monotonic(), LinkCommand::Event(SiteEvent::Down(Touch::default())));
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(seen(), 0);
    see(&there, 2);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(here.site().remote_presence(monotonic()).bodies.len(), 0, "who closes does not look, either");
    here.site().set_sharing_policy(SharingPolicy::Open);
    wait("those of there are seen again", || here.site().remote_presence(monotonic()).bodies.len() == 2);
}

#[test]
fn people_are_told_of_only_while_a_picture_is_in_view() {
    let [dublin, kobe] = [Site::new("dublin", None), Site::new("kobe", None)];
    introduce(&dublin, &kobe);
    let (here, there) = (dublin.run(), kobe.run());
    here.site().handle_message(ShowMessage::InView { until: Duration::ZERO });
    wait("they are linked", || linked(&here) && linked(&there));
    let seen = |link: &LinkThread| link.site().remote_presence(monotonic()).bodies.len();
    see(&here, 3);
    here.site().handle_command(monotonic(), LinkCommand::Event(SiteEvent::Down(Touch::default())));
    see(&there, 2);
    wait("who is there is seen here", || seen(&here) == 2);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(seen(&there), 0, "the screen is still dark");
    let messages = there.site().poll_messages(monotonic());
    assert!(!messages.iter().any(|message| matches!(message, SiteMessage::Event { .. })), "{messages:?}");
    // The visitors are not reported again when the frame appears.
    here.site().handle_message(ShowMessage::InView { until: monotonic() + Duration::from_secs(3_600) });
    wait("three are seen", || seen(&there) == 3);
    // The frame loop hangs, so it does not report that no frame is in view any more.
    here.site().handle_message(ShowMessage::InView { until: monotonic() + Duration::from_millis(200) });
    let last = Instant::now();
    wait("nobody is seen", || seen(&there) == 0);
    assert!(last.elapsed() < Duration::from_secs(2), "{:?}", last.elapsed());
}
