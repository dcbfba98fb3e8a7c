//! Input from strangers: tickets, introductions, requests to a relay and its answers, a file of twins.

use super::Target;
use super::inputs::{Outcome, join, pieces};
use moongate::config::TrustStore;
use moongate::link::netcheck::{NetcheckProber, NetcheckResponder};
use moongate::link::pairing::{INTRODUCTION_MAX, PairingRole, PairingSecret, encode_introduction, verify_introduction};
use moongate::link::relay::{RelayAction, RelayClient, RelayLimits, RelayServer, Rendezvous};
use moongate::link::{PeerInfo, Ticket};
use ring::signature::{Ed25519KeyPair, KeyPair};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

const SECRET: PairingSecret = PairingSecret([7; 16]);
const EXPORTED: [u8; 32] = [3; 32];
const TWINS: &str = r#"
api = 1
[[twin]]
key = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
city = "dublin"
name = "Barnardo Square"
addresses = ["203.0.113.7:4433", "[2001:db8::7]:4433"]
relay = "relay.example.org:4434"
"#;

pub const TARGETS: &[Target] = &[
    Target { name: "survey", seeds: surveys, words: &[], most: 4_096, run: survey },
    Target {
        name: "ticket",
        seeds: tickets,
        words: &["MOONGATE1:", "moongate2:", "\n", "AAAAAAAA"],
        most: 2_048,
        run: ticket,
    },
    Target { name: "introduction", seeds: introductions, words: &[], most: INTRODUCTION_MAX, run: introduction },
    Target { name: "relay", seeds: questions, words: &[], most: 16_384, run: relay },
    Target {
        name: "twins",
        seeds: || vec![TWINS.into()],
        words: &["[[twin]]\n", "key = ", "addresses = [", "\"", "\n", "api = ", "猫"],
        most: 4_096,
        run: twins,
    },
];

fn card() -> PeerInfo {
    let addresses = ["203.0.113.7:4433", "[2001:db8::7]:4433"].map(|text| text.parse().expect("an address")).into();
    let relay = Some("relay.example.org:4434".into());
    PeerInfo { city: "dublin".into(), name: "Barnardo Square".into(), addresses, relay }
}

fn tickets() -> Vec<Vec<u8>> {
    let ticket = Ticket { key: [9; 32], secret: SECRET, expires: Duration::from_secs(1_800_000_000), peer: card() };
    let bare = Ticket { peer: PeerInfo::default(), ..ticket.clone() };
    vec![ticket.to_line().into_bytes(), bare.to_line().into_bytes()]
}

fn ticket(input: &[u8]) -> u64 {
    let mut outcome = Outcome::default();
    match Ticket::parse(&String::from_utf8_lossy(input)) {
        Ok(ticket) => {
            assert_eq!(Ticket::parse(&ticket.to_line()), Ok(ticket.clone()));
            outcome.count(ticket.peer.addresses.len());
        }
        Err(why) => outcome.fault(&why),
    }
    outcome.end()
}

fn introductions() -> Vec<Vec<u8>> {
    vec![encode_introduction(&SECRET, PairingRole::Accepting, &EXPORTED, &card())]
}

fn introduction(input: &[u8]) -> u64 {
    let mut outcome = Outcome::default();
    match verify_introduction(&SECRET, PairingRole::Accepting, &EXPORTED, input) {
        Ok(known) => outcome.count(known.map_or(0, |card| 1 + card.addresses.len())),
        Err(why) => outcome.fault(&why),
    }
    outcome.end()
}

/// Returns two sites' fixed keys.
fn keys() -> [Ed25519KeyPair; 2] {
    [1, 2].map(|seed| Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("32 bytes are a seed"))
}

fn address(of: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, of % 8], 4_433))
}

fn asking(pair: &Ed25519KeyPair, other: Rendezvous) -> RelayClient {
    let who = pair.public_key().as_ref().try_into().expect("32 bytes");
    RelayClient::new(Duration::ZERO, who, other)
}

/// Returns all datagrams of two sites to a relay until both are registered, and then to each other.
///
/// The byte before each is the index of its sender.
fn questions() -> Vec<Vec<u8>> {
    let keys = keys();
    let mut said = vec![];
    let mut forwarder = RelayServer::new(Duration::ZERO, RelayLimits::default(), [5; 32]);
    let mut sites = [asking(&keys[0], Rendezvous::Meeting([4; 32])), asking(&keys[1], Rendezvous::Meeting([4; 32]))];
    for step in 0..20 {
        let now = Duration::from_millis(step * 100);
        for (side, site) in sites.iter_mut().enumerate() {
            let sign = |text: &[u8]| keys[side].sign(text).as_ref().try_into().expect("64 bytes");
            let Some(question) = site.poll_transmit(now, sign) else { continue };
            if let RelayAction::Reply(answers) = forwarder.handle_datagram(now, address(side as u8), &question) {
                answers.iter().flatten().filter(|(to, _)| *to == address(side as u8)).for_each(|(_, answer)| {
                    site.handle_datagram(now, answer);
                });
            }
            said.push((side as u8, question));
        }
    }
    said.push((0, vec![0x40; 900]));
    said.push((1, vec![0xc0; 1_200]));
    vec![join(said.iter().map(|(beside, bytes)| (*beside, &bytes[..])))]
}

/// Runs a relay that receives all of these, and a site that takes them for answers.
fn relay(input: &[u8]) -> u64 {
    let mut outcome = Outcome::default();
    let limits = RelayLimits { pairs: 4, ..RelayLimits::default() };
    let mut forwarder = RelayServer::new(Duration::ZERO, limits, [5; 32]);
    let mut site = asking(&keys()[0], Rendezvous::Twin([6; 32]));
    for (step, (from, bytes)) in (0..).zip(pieces(input)) {
        let now = Duration::from_millis(step * 50);
        match forwarder.handle_datagram(now, address(from), bytes) {
            RelayAction::Forward(to) => outcome.add(u64::from(to.port())),
            RelayAction::Reply(answers) => {
                let answers: Vec<_> = answers.into_iter().flatten().collect();
                // The relay amplifies nothing: an answer is smaller than the request that caused it.
                assert!(answers.iter().all(|(_, answer)| answer.len() < bytes.len()));
                outcome.count(answers.len());
                answers.iter().for_each(|(_, answer)| outcome.add(u64::from(answer[4])));
            }
            RelayAction::Drop => outcome.add(7),
        }
        let (pairs, waiting) = forwarder.pairs();
        assert!(pairs + waiting <= 4);
        // Polling makes the site ask the relay, so that it listens for answers.
        let _ = site.poll_transmit(now, |_| [7; 64]);
        outcome.add(u64::from(site.handle_datagram(now, bytes)));
    }
    outcome.end()
}

fn twins(input: &[u8]) -> u64 {
    let mut outcome = Outcome::default();
    match TrustStore::parse(Path::new("x"), &String::from_utf8_lossy(input)) {
        Ok(twins) => {
            assert_eq!(TrustStore::parse(Path::new("x"), &twins.to_toml()), Ok(twins.clone()));
            outcome.count(twins.peers.len());
        }
        Err(why) => outcome.fault(&why),
    }
    outcome.end()
}

/// Returns the datagrams of both ends of a survey, in turn; the byte before a datagram selects its receiver.
fn surveys() -> Vec<Vec<u8>> {
    let from = "203.0.113.7:40000".parse().expect("an address");
    let (mut echo, mut surveyor) =
        (NetcheckResponder::new([3; 32]), NetcheckProber::new(Duration::ZERO, 9, Duration::from_secs(90)));
    let mut said = vec![];
    for step in 0..400_u64 {
        let now = Duration::from_millis(step * 50);
        while let Some(ask) = surveyor.poll_transmit(now) {
            let answer = echo.handle_datagram(now, from, &ask);
            said.push((0, ask));
            if let Some(answer) = answer {
                surveyor.handle_datagram(now, &answer);
                said.push((1, answer));
            }
        }
    }
    let all =
        |part: &[(u8, Vec<u8>)]| join(part.iter().map(|(beside, bytes)| (*beside, &bytes[..bytes.len().min(120)])));
    vec![all(&said[..6]), all(&said[..24])]
}

fn survey(input: &[u8]) -> u64 {
    let from = "203.0.113.7:40000".parse().expect("an address");
    let mut outcome = Outcome::default();
    let (mut echo, mut surveyor) =
        (NetcheckResponder::new([3; 32]), NetcheckProber::new(Duration::ZERO, 9, Duration::from_secs(90)));
    let mut now = Duration::ZERO;
    for (beside, bytes) in pieces(input) {
        now += Duration::from_millis(40);
        while let Some(ask) = surveyor.poll_transmit(now) {
            outcome.count(ask.len());
        }
        if beside & 1 == 0 {
            let answer = echo.handle_datagram(now, from, bytes);
            assert!(answer.as_ref().is_none_or(|answer| answer.len() <= bytes.len()), "more than it got");
            outcome.count(answer.map_or(0, |answer| answer.len()));
        } else {
            surveyor.handle_datagram(now, bytes);
        }
    }
    let finding = surveyor.report(now);
    outcome.add(finding.capacity().map_or(0, |verdict| 1 + verdict as u64));
    outcome.end()
}
