//! A site that names a relay cannot be used to attack others.
//! Whatever arrives in the relay's name or from a lying relay, third parties get no more bytes than arrived, and only a
//! few.
//! Uses real sockets on loopback and counts every byte.

use moongate::device::clock::monotonic;
use moongate::device::net::{LinkSetup, LinkThread, PeerAddrs};
use moongate::device::site_key::SiteKey;
use moongate::link::relay::{RelayAction, RelayLimits, RelayServer, is_relay_message};
use moongate::link::{LinkConfig, LinkState, NowShowing};
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

const VICTIMS: usize = 64;
const FORGED: usize = 10_000;
/// Duration of the flood.
const FLOOD: Duration = Duration::from_secs(5);
/// Length of a datagram that opens a connection, in bytes.
const FIRST: usize = 1_200;
/// Position and length of the nonce in a question.
const NONCE: std::ops::Range<usize> = 150..158;

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback");
    socket.set_nonblocking(true).expect("a socket");
    socket
}

fn address(socket: &UdpSocket) -> SocketAddr {
    socket.local_addr().expect("it is bound")
}

/// Returns two keys, each the other's twin.
fn keys() -> [SiteKey; 2] {
    [0, 1].map(|_| SiteKey::generate().expect("randomness"))
}

/// Starts a site that can reach its twin only through this relay.
fn site(keys: &[SiteKey; 2], side: usize, relay: SocketAddr) -> LinkThread {
    start(keys, side, PeerAddrs { addresses: vec![], relays: vec![relay.to_string()] })
}

fn start(keys: &[SiteKey; 2], side: usize, reach: PeerAddrs) -> LinkThread {
    let config = LinkConfig {
        key: keys[side].public(),
        twin: Some(keys[1 - side].public()),
        boot: 1 + side as u64,
        city: "dublin".into(),
        name: "test".into(),
        showing: NowShowing { installation: "test".into(), schema_hash: 1 },
        canvas: [1920.0, 1080.0],
    };
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    LinkThread::start(any, LinkSetup::new(&keys[side], reach, config)).unwrap_or_else(|why| panic!("{why}"))
}

/// Encodes a relay's answer: the addresses of the asking site (`you`) and of its twin (`other`).
fn here(you: SocketAddr, other: SocketAddr, nonce: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x1dmg\x01\x03".to_vec();
    for (before, address) in [(None, you), (Some(1), other)] {
        bytes.extend(before);
        bytes.push(4);
        let SocketAddr::V4(address) = address else { panic!("of IPv4") };
        bytes.extend(address.ip().octets());
        bytes.extend(address.port().to_le_bytes());
    }
    [&bytes, nonce].concat()
}

/// Behaviour of a relay's socket besides forwarding.
#[derive(Clone, Copy, PartialEq)]
enum Relay {
    /// Forwards and answers correctly.
    Honest,
    /// Answers as the version before nonces did.
    Old,
    /// Claims in every answer that the other site is at a victim's address, and requests another question.
    Liar,
}

/// A relay, possible victims, and the traffic between a site and all of them.
struct Scene {
    relay: UdpSocket,
    kind: Relay,
    forwarder: RelayServer,
    nonces: HashMap<SocketAddr, Vec<u8>>,
    lies: usize,
    victims: Vec<UdpSocket>,
    /// Bytes sent from the relay's address to each site, and bytes received from sites.
    to: HashMap<SocketAddr, usize>,
    from: usize,
    /// Datagrams and bytes that reached victims.
    hit: [usize; 2],
}

impl Scene {
    fn new(kind: Relay) -> Self {
        Self {
            relay: socket(),
            kind,
            forwarder: RelayServer::new(monotonic(), RelayLimits::default(), [5; 32]),
            nonces: HashMap::new(),
            lies: 0,
            victims: (0..VICTIMS).map(|_| socket()).collect(),
            to: HashMap::new(),
            from: 0,
            hit: [0; 2],
        }
    }

    fn victim(&mut self) -> SocketAddr {
        self.lies += 1;
        address(&self.victims[self.lies % VICTIMS])
    }

    fn send(&mut self, to: SocketAddr, bytes: &[u8]) {
        *self.to.entry(to).or_default() += bytes.len();
        let _ = self.relay.send_to(bytes, to);
    }

    /// Forwards, answers and counts all that has arrived.
    fn turn(&mut self) {
        let mut bytes = [0; 2_048];
        while let Ok((count, from)) = self.relay.recv_from(&mut bytes) {
            self.from += count;
            let datagram = &mut bytes[..count];
            if is_relay_message(datagram) && self.kind == Relay::Old {
                datagram[NONCE].fill(0);
            }
            if is_relay_message(datagram) {
                self.nonces.insert(from, datagram[NONCE].to_vec());
            }
            match self.forwarder.handle_datagram(monotonic(), from, datagram) {
                RelayAction::Forward(to) => {
                    let datagram = datagram.to_vec();
                    self.send(to, &datagram);
                }
                RelayAction::Reply(answers) => {
                    for (to, answer) in answers.into_iter().flatten() {
                        // Both sites are online, but not at this address.
                        let lies =
                            self.kind == Relay::Liar && answer[4] == 3 && answer.get(12) == Some(&1) && to == from;
                        let answer = if lies { here(to, self.victim(), &self.nonces[&to]) } else { answer };
                        self.send(to, &answer);
                    }
                }
                RelayAction::Drop => {}
            }
        }
        for victim in &self.victims {
            while let Ok((count, _)) = victim.recv_from(&mut bytes) {
                self.hit = [self.hit[0] + 1, self.hit[1] + count];
            }
        }
    }

    /// Runs for `length`, and calls `more` before each turn.
    fn play(&mut self, length: Duration, mut more: impl FnMut(&mut Self, Duration)) {
        let began = monotonic();
        while monotonic() - began < length {
            more(self, monotonic() - began);
            self.turn();
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Sends the flood in the relay's name, with another victim in each answer.
    fn flood(&mut self, site: SocketAddr) {
        let mut sent = 0;
        self.play(FLOOD, |scene, since| {
            let due = (FORGED as f64 * (since.as_secs_f64() / FLOOD.as_secs_f64()).min(1.0)) as usize;
            while sent < due {
                let nonce = (sent as u64).to_le_bytes();
                let victim = scene.victim();
                scene.send(site, &here(site, victim, if sent.is_multiple_of(2) { &nonce } else { &[] }));
                sent += 1;
            }
        });
        assert!(sent > FORGED * 9 / 10, "{sent} were sent");
        self.play(Duration::from_millis(500), |_, _| {});
    }
}

/// Returns the resident memory of this process, in bytes.
fn memory() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).expect("a number") * 4_096
}

#[test]
fn ten_thousand_forged_answers_reach_no_stranger() {
    let mut scene = Scene::new(Relay::Honest);
    let link = site(&keys(), 0, address(&scene.relay));
    let (at, before) = (link.address(), memory());
    scene.play(Duration::from_millis(500), |_, _| {});
    scene.flood(at);
    assert_eq!(scene.hit, [0, 0], "datagrams and bytes to strangers");
    assert!(scene.from <= scene.to[&at], "{} bytes out, {} in", scene.from, scene.to[&at]);
    let grown = memory().saturating_sub(before);
    assert!(grown < 64 << 20, "the flood left {grown} bytes");
}

#[test]
fn ten_thousand_forged_answers_reach_no_stranger_where_the_relay_is_of_the_version_before() {
    let mut scene = Scene::new(Relay::Old);
    let link = site(&keys(), 0, address(&scene.relay));
    scene.play(Duration::from_millis(500), |_, _| {});
    scene.flood(link.address());
    let came = scene.to[&link.address()];
    assert!(scene.hit[1] <= 4 * FIRST, "datagrams and bytes to strangers: {:?}", scene.hit);
    assert!(scene.from + scene.hit[1] <= came, "{} bytes out, {came} in", scene.from + scene.hit[1]);
}

#[test]
fn a_relay_that_lies_has_four_strangers_told_once_and_for_no_more_than_it_has_brought() {
    let mut scene = Scene::new(Relay::Liar);
    let keys = keys();
    let sites = [0, 1].map(|side| site(&keys, side, address(&scene.relay)));
    let at = [0, 1].map(|side| sites[side].address());
    let mut hinted = Duration::ZERO;
    scene.play(Duration::from_secs(7), |scene, since| {
        if since - hinted < Duration::from_millis(100) {
            return;
        }
        hinted = since;
        for at in at {
            let Some(nonce) = scene.nonces.get(&at) else { continue };
            let nonce: Vec<u8> = nonce.iter().map(|byte| !byte).collect();
            let victim = scene.victim();
            scene.send(at, &here(at, victim, &nonce));
        }
    });
    for link in &sites {
        let status = link.site().status();
        assert_eq!(
            (status.session.health.state, status.relayed),
            (LinkState::Linked, true),
            "it carries the link all the same"
        );
    }
    let [datagrams, bytes] = scene.hit;
    assert!(datagrams > 0, "where the relay sees the twin is tried");
    // The limits hold for two sites.
    assert!(datagrams <= 2 * 4 && bytes <= 2 * 4 * FIRST, "{datagrams} datagrams, {bytes} bytes to strangers");
    let came = scene.to[&at[0]].min(scene.to[&at[1]]);
    assert!(bytes / 2 <= came, "{bytes} bytes out, {came} in");
}

#[test]
fn two_sites_link_through_a_relay_of_the_version_before() {
    let mut scene = Scene::new(Relay::Old);
    let keys = keys();
    let sites = [0, 1].map(|side| site(&keys, side, address(&scene.relay)));
    let linked = |sites: &[LinkThread; 2]| {
        sites.iter().all(|link| link.site().status().session.health.state == LinkState::Linked)
    };
    let began = monotonic();
    while !linked(&sites) && monotonic() - began < Duration::from_secs(10) {
        scene.play(Duration::from_millis(50), |_, _| {});
    }
    assert!(linked(&sites));
}

#[test]
fn an_address_that_does_not_answer_is_sent_three_datagrams_in_an_attempt() {
    let mut scene = Scene::new(Relay::Honest);
    let _link = start(&keys(), 0, address(&scene.victims[0]).into());
    // One attempt takes three seconds.
    scene.play(Duration::from_millis(2_900), |_, _| {});
    assert_eq!(scene.hit, [3, 3 * FIRST]);
}
