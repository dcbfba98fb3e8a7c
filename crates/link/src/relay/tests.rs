//! Sites and a relay, all simulated on a virtual clock.

use super::*;
use proptest::prelude::*;
use ring::signature::{Ed25519KeyPair, KeyPair};
use std::time::Duration;

#[test]
fn what_is_said_is_understood() {
    let other = Rendezvous::Meeting([2; 32]);
    let ask = RelayRequest { who: [1; 32], other, cookie: [3; 16], signature: [4; 64], nonce: [5; 8] };
    let bytes = ask.encode();
    assert_eq!((RelayRequest::decode(&bytes), bytes.len(), is_relay_message(&bytes)), (Ok(ask), REQUEST_BYTES, true));
    let you = "[2001:db8::7]:4433".parse().expect("one");
    for other in [None, Some("192.0.2.1:9".parse().expect("one")), Some(you)] {
        for answer in [RelayReply::Allocated { you, other }, RelayReply::Cookie([9; 16]), RelayReply::Full] {
            for nonce in [NO_NONCE, [7; 8]] {
                let bytes = answer.encode(nonce);
                assert!(bytes.len() < REQUEST_BYTES && is_relay_message(&bytes));
                assert_eq!(RelayReply::decode(&bytes), Ok((answer.clone(), nonce)));
            }
        }
    }
}

#[test]
fn both_of_two_mean_the_same_room() {
    let [a, b, c] = [[1; 32], [2; 32], [3; 32]];
    assert_eq!(Rendezvous::Twin(b).room_id(&a), Rendezvous::Twin(a).room_id(&b));
    assert_ne!(Rendezvous::Twin(c).room_id(&a), Rendezvous::Twin(a).room_id(&b));
    assert_eq!(Rendezvous::Meeting(c).room_id(&a), Rendezvous::Meeting(c).room_id(&b));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let bytes = [&HEAD[..], &bytes].concat();
        let _ = (RelayRequest::decode(&bytes), RelayReply::decode(&bytes));
    }
}

const QUIC: &[u8] = &[0x40, 1, 2, 3];

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

struct TestSite {
    pair: Ed25519KeyPair,
    address: SocketAddr,
    asking: RelayClient,
}

impl TestSite {
    fn key(pair: &Ed25519KeyPair) -> [u8; 32] {
        pair.public_key().as_ref().try_into().expect("32 bytes")
    }

    /// Creates two sites that ask for each other, with keys from these seeds, at these addresses.
    fn pair(now: Duration, seeds: [u32; 2], at: [&str; 2], other: impl Fn([u8; 32]) -> Rendezvous) -> [Self; 2] {
        let pairs = seeds.map(|seed| {
            let seed: [u8; 32] = core::array::from_fn(|index| seed.to_le_bytes()[index % 4]);
            Ed25519KeyPair::from_seed_unchecked(&seed).expect("32 bytes are a seed")
        });
        let keys = [Self::key(&pairs[0]), Self::key(&pairs[1])];
        let mut side = 0;
        pairs.map(|pair| {
            side += 1;
            let asking = RelayClient::new(now, keys[side - 1], other(keys[2 - side]));
            Self { pair, address: at[side - 1].parse().expect("an address"), asking }
        })
    }

    fn two(other: impl Fn([u8; 32]) -> Rendezvous) -> [Self; 2] {
        Self::pair(secs(100), [1, 2], ["192.0.2.1:4433", "192.0.2.2:4433"], other)
    }

    fn question(&mut self, now: Duration) -> Option<Vec<u8>> {
        self.asking.poll_transmit(now, |text| self.pair.sign(text).as_ref().try_into().expect("64 bytes"))
    }
}

/// Delivers all due messages until there are no more.
fn settle(now: Duration, relay: &mut RelayServer, sites: &mut [TestSite]) {
    let mut due = true;
    while std::mem::take(&mut due) {
        for side in 0..sites.len() {
            let Some(question) = sites[side].question(now) else { continue };
            due = true;
            let RelayAction::Reply(answers) = relay.handle_datagram(now, sites[side].address, &question) else {
                continue;
            };
            for (to, answer) in answers.into_iter().flatten() {
                assert!(answer.len() < question.len(), "an answer is shorter than its question");
                if let Some(site) = sites.iter_mut().find(|site| site.address == to) {
                    site.asking.handle_datagram(now, &answer);
                }
            }
        }
    }
}

fn relay() -> RelayServer {
    RelayServer::new(secs(100), RelayLimits::default(), [5; 32])
}

#[test]
fn two_who_ask_for_each_other_are_joined_and_nobody_else() {
    for other in [Rendezvous::Twin, |_| Rendezvous::Meeting([9; 32])] {
        let mut relay = relay();
        let mut sites = TestSite::two(other);
        settle(secs(100), &mut relay, &mut sites[..1]);
        assert_eq!(sites[0].asking.allocation(), Some(RelayAllocation { external: sites[0].address, peer: None }));
        assert_eq!(
            relay.handle_datagram(secs(100), sites[0].address, QUIC),
            RelayAction::Drop,
            "the other one is not there yet"
        );
        settle(secs(101), &mut relay, &mut sites);
        for (side, site) in sites.iter().enumerate() {
            let other = sites[1 - side].address;
            assert_eq!(site.asking.allocation(), Some(RelayAllocation { external: site.address, peer: Some(other) }));
            assert_eq!(relay.handle_datagram(secs(101), site.address, QUIC), RelayAction::Forward(other));
        }
        let stranger = SocketAddr::from(([198, 51, 100, 1], 9));
        assert_eq!(relay.handle_datagram(secs(101), stranger, QUIC), RelayAction::Drop);
        assert_eq!((relay.pairs(), relay.stats.forwarded, relay.stats.dropped), ((1, 0), 2, 2));
    }
}

#[test]
fn who_moves_is_followed_and_who_is_silent_is_forgotten() {
    let (mut relay, mut sites) = (relay(), TestSite::two(Rendezvous::Twin));
    settle(secs(100), &mut relay, &mut sites);
    let old = std::mem::replace(&mut sites[0].address, SocketAddr::from(([203, 0, 113, 77], 555)));
    for second in 101..110 {
        settle(secs(second), &mut relay, &mut sites);
    }
    assert_eq!(relay.handle_datagram(secs(110), sites[1].address, QUIC), RelayAction::Forward(sites[0].address));
    assert_eq!(relay.handle_datagram(secs(110), old, QUIC), RelayAction::Drop);
    for second in 110..200 {
        settle(secs(second), &mut relay, &mut sites[..1]);
    }
    assert_eq!(relay.pairs(), (0, 1));
    assert_eq!(sites[0].asking.allocation().map(|placed| placed.peer), Some(None));
}

#[test]
fn a_key_cannot_be_borrowed_and_an_address_cannot_be_invented() {
    let (mut relay, mut sites) = (relay(), TestSite::two(Rendezvous::Twin));
    settle(secs(100), &mut relay, &mut sites);
    // The second site asks in the name of the first.
    let who = TestSite::key(&sites[0].pair);
    let mut thief = RelayClient::new(secs(100), who, Rendezvous::Twin(TestSite::key(&sites[1].pair)));
    let at = SocketAddr::from(([198, 51, 100, 1], 9));
    for second in 100..120 {
        let sign = |text: &[u8]| sites[1].pair.sign(text).as_ref().try_into().expect("64 bytes");
        let Some(question) = thief.poll_transmit(secs(second), sign) else { continue };
        if let RelayAction::Reply([Some((_, answer)), _]) = relay.handle_datagram(secs(second), at, &question) {
            thief.handle_datagram(secs(second), &answer);
        }
    }
    assert_eq!(thief.allocation(), None);
    // A question with a valid cookie, replayed from another address.
    let question = (101..120).find_map(|second| sites[0].question(secs(second))).expect("it asks again");
    assert!(
        matches!(relay.handle_datagram(secs(120), at, &question), RelayAction::Reply([Some((to, _)), None]) if to == at)
    );
    assert_eq!(relay.handle_datagram(secs(120), sites[1].address, QUIC), RelayAction::Forward(sites[0].address));
}

#[test]
fn rate_and_room_are_bounded() {
    let limits = RelayLimits { pairs: 1, rate: 1_000, burst: 5_000, ..RelayLimits::default() };
    let mut relay = RelayServer::new(secs(100), limits, [5; 32]);
    let mut sites = TestSite::two(Rendezvous::Twin);
    settle(secs(100), &mut relay, &mut sites);
    let large = [0x40; 1_000];
    let went = |relay: &mut RelayServer, now| {
        (0..20)
            .filter(|_| matches!(relay.handle_datagram(now, sites[0].address, &large), RelayAction::Forward(_)))
            .count()
    };
    assert_eq!((went(&mut relay, secs(101)), went(&mut relay, secs(103))), (5, 2));
    let mut others = TestSite::pair(secs(100), [3, 4], ["192.0.2.1:1", "192.0.2.3:1"], Rendezvous::Twin);
    settle(secs(104), &mut relay, &mut others[..1]);
    assert!(others[0].asking.is_full() && others[0].asking.allocation().is_none());
}

/// Messages between sites with the keys of [`TestSite::two`] and a relay, all of the version before nonces. A asks
/// for a cookie, gets it, asks with it and is alone. B asks and gets A's address; A gets B's address without asking.
/// The last message is the answer of a full relay.
fn recorded() -> Vec<Vec<u8>> {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/wire/relay-1.bin");
    let bytes = std::fs::read(file).expect("tests/wire is in the repository");
    let (mut said, mut rest) = (vec![], &bytes[..]);
    while let Some((length, after)) = rest.split_first() {
        let (datagram, after) = after.split_at(usize::from(*length));
        said.push(datagram.to_vec());
        rest = after;
    }
    said
}

#[test]
fn a_site_of_the_version_before_is_answered_as_before() {
    let (said, sites, mut relay) = (recorded(), TestSite::two(Rendezvous::Twin), relay());
    let mut hear = |side: usize, said: &[u8]| match relay.handle_datagram(secs(100), sites[side].address, said) {
        RelayAction::Reply(answers) => {
            answers.map(|answer| answer.map(|(to, bytes)| (to == sites[side].address, bytes)))
        }
        turn => panic!("{turn:?}"),
    };
    assert_eq!(hear(0, &said[0]), [Some((true, said[1].clone())), None]);
    assert_eq!(hear(0, &said[2]), [Some((true, said[3].clone())), None]);
    assert_eq!(hear(1, &said[4]), [Some((true, said[5].clone())), Some((false, said[6].clone()))]);
    let full = RelayLimits { pairs: 0, ..RelayLimits::default() };
    let turn = RelayServer::new(secs(100), full, [5; 32]).handle_datagram(secs(100), sites[0].address, &said[2]);
    assert_eq!(turn, RelayAction::Reply([Some((sites[0].address, said[7].clone())), None]));
}

#[test]
fn a_relay_of_the_version_before_is_asked_and_understood_as_before() {
    let said = recorded();
    let [mut site, other] = TestSite::two(Rendezvous::Twin);
    // The bytes of a question that this version reads are unchanged.
    let read = 4 + 1 + 32 + 1 + 32 + COOKIE_BYTES + SIGNATURE_BYTES;
    let alike = |question: Option<Vec<u8>>, before: &[u8]| {
        let question = question.expect("it is due");
        assert_eq!((question.len(), &question[..read]), (before.len(), &before[..read]));
    };
    alike(site.question(secs(100)), &said[0]);
    assert!(!site.asking.handle_datagram(secs(100), &said[1]));
    alike(site.question(secs(100)), &said[2]);
    assert!(site.asking.handle_datagram(secs(100), &said[3]));
    assert_eq!(site.asking.allocation(), Some(RelayAllocation { external: site.address, peer: None }));
    // An unasked message can come from anyone. The site soon asks again, and that answer counts.
    assert!(!site.asking.handle_datagram(secs(101), &said[6]));
    assert!(site.question(secs(105)).is_some() && site.asking.handle_datagram(secs(105), &said[6]));
    assert_eq!(site.asking.allocation(), Some(RelayAllocation { external: site.address, peer: Some(other.address) }));
    assert!(site.question(secs(110)).is_some() && site.asking.handle_datagram(secs(110), &said[7]));
    assert!(site.asking.is_full() && site.asking.allocation().is_none() && !site.asking.echoes_nonces(secs(110)));
}

/// Forges messages in a relay's name: every kind of answer, and a different address each time.
fn forged(number: u32) -> Vec<u8> {
    let you = "192.0.2.1:4433".parse().expect("an address");
    let victim =
        SocketAddr::from((core::net::Ipv4Addr::from_bits(0xc633_6400 + number % 256), (number % 50_000) as u16 + 1));
    let nonce = [number % 3, number, 1].map(u32::to_le_bytes);
    let nonce =
        if number.is_multiple_of(3) { NO_NONCE } else { [nonce[0], nonce[1]].concat().try_into().expect("8 bytes") };
    match number % 20 {
        0 => RelayReply::Cookie([number as u8; COOKIE_BYTES]).encode(nonce),
        1 => RelayReply::Allocated { you, other: None }.encode(nonce),
        _ => RelayReply::Allocated { you, other: Some(victim) }.encode(nonce),
    }
}

/// Sends 10,000 forged answers in a minute to a site that asks often, with the relay's own in between if there is
/// one. Returns the addresses that the site accepted for the other one, and the number of bytes received and sent.
fn flooded(site: &mut TestSite, mut relay: Option<&mut RelayServer>) -> (Vec<SocketAddr>, usize, usize) {
    let (mut believed, mut came, mut went) = (vec![], 0, 0);
    for number in 0..10_000 {
        let now = secs(200) + Duration::from_millis(6) * number;
        site.asking.ask_soon(now);
        if let Some(question) = site.question(now) {
            went += question.len();
            let turn = relay.as_deref_mut().map(|relay| relay.handle_datagram(now, site.address, &question));
            if let Some(RelayAction::Reply([Some((_, answer)), _])) = turn {
                site.asking.handle_datagram(now, &answer);
            }
        }
        let forged = forged(number);
        came += forged.len();
        site.asking.handle_datagram(now, &forged);
        if let Some(other) = site.asking.allocation().and_then(|placed| placed.peer).filter(|at| !believed.contains(at))
        {
            believed.push(other);
        }
    }
    (believed, came, went)
}

#[test]
fn ten_thousand_forged_answers_move_nothing_where_the_relay_echoes() {
    let (mut relay, mut sites) = (relay(), TestSite::two(Rendezvous::Twin));
    settle(secs(199), &mut relay, &mut sites);
    let twin = sites[1].address;
    let (believed, came, went) = flooded(&mut sites[0], Some(&mut relay));
    assert_eq!(believed, [twin]);
    assert!(sites[0].asking.echoes_nonces(secs(260)) && went <= came, "{went} bytes out, {came} in");
    // Two questions per second, as without the flood.
    assert!(went <= 160 * 125, "{went} bytes");
}

#[test]
fn ten_thousand_forged_answers_name_four_addresses_where_no_relay_ever_echoed() {
    let [mut site, _] = TestSite::two(Rendezvous::Twin);
    let (believed, came, went) = flooded(&mut site, None);
    assert_eq!(believed.len(), NEW_ADDRESSES_MAX, "{believed:?}");
    assert!(went <= came, "{went} bytes out, {came} in");
}

#[test]
fn a_relay_that_lies_names_four_addresses_a_minute() {
    let [mut site, _] = TestSite::two(Rendezvous::Twin);
    let mut believed: Vec<(SocketAddr, Duration)> = vec![];
    for step in 0..36_000_u32 {
        let now = secs(100) + Duration::from_millis(100) * step;
        site.asking.ask_soon(now);
        let Some(question) = site.question(now) else { continue };
        let nonce = RelayRequest::decode(&question).expect("our own").nonce;
        let other = Some(SocketAddr::from(([198, 51, (step >> 8) as u8, step as u8], 9)));
        site.asking.handle_datagram(now, &RelayReply::Allocated { you: site.address, other }.encode(nonce));
        // A second answer to a question is ignored.
        let again = Some(SocketAddr::from(([203, 0, 113, step as u8], 9)));
        assert!(
            !site.asking.handle_datagram(now, &RelayReply::Allocated { you: site.address, other: again }.encode(nonce))
        );
        let other = site.asking.allocation().and_then(|placed| placed.peer).expect("it is named");
        if believed.last().is_none_or(|(last, _)| *last != other) {
            believed.push((other, now));
        }
    }
    assert!((236..=240).contains(&believed.len()), "{}", believed.len());
    assert!(believed.windows(5).all(|five| five[4].1 - five[0].1 >= NEW_ADDRESSES_PERIOD));
}

#[test]
fn a_nonce_is_another_one_for_each_question_and_the_same_until_it_is_answered() {
    let [mut site, _] = TestSite::two(Rendezvous::Twin);
    let mut nonces = std::collections::HashSet::new();
    for second in (100..2_100).step_by(10) {
        let question = site.question(secs(second)).expect("it is due");
        let again = site.question(secs(second + 5)).expect("it has no answer");
        let nonce = RelayRequest::decode(&question).expect("our own").nonce;
        assert_eq!(RelayRequest::decode(&again).expect("our own").nonce, nonce);
        assert!(nonce != NO_NONCE && nonces.insert(nonce));
        site.asking
            .handle_datagram(secs(second + 5), &RelayReply::Allocated { you: site.address, other: None }.encode(nonce));
    }
}

#[test]
fn one_host_with_thousands_of_keys_leaves_room_for_all_others() {
    for (host, other, keys) in [("192.0.2.1", "192.0.2.2", 4_096), ("[2001:db8::1]", "[2001:db8:0:1::1]", 256)] {
        let mut relay = relay();
        for number in 0..keys {
            let at = format!("{host}:{}", 1_000 + number);
            let mut sites = TestSite::pair(secs(100), [2 * number, 2 * number + 1], [&at, &at], Rendezvous::Twin);
            settle(secs(100) + Duration::from_millis(5) * number, &mut relay, &mut sites[..1]);
        }
        assert_eq!(relay.pairs(), (0, RelayLimits::default().per_network));
        assert_eq!(relay.stats.evicted, u64::from(keys) - RelayLimits::default().per_network as u64);
        let now = secs(121);
        let at = [format!("{other}:9"), "203.0.113.1:9".into()];
        let mut sites = TestSite::pair(now, [70_001, 70_002], [&at[0], &at[1]], Rendezvous::Twin);
        settle(now, &mut relay, &mut sites);
        assert_eq!(relay.pairs().0, 1);
        // A pair with a site behind the same address also meets, and stays.
        let at = [format!("{host}:9"), "203.0.113.2:9".into()];
        let mut sites = TestSite::pair(now, [80_001, 80_002], [&at[0], &at[1]], Rendezvous::Twin);
        settle(now, &mut relay, &mut sites);
        assert_eq!(relay.pairs().0, 2);
        for number in 5_000..5_100_u32 {
            let at = format!("{host}:{number}");
            let mut sites = TestSite::pair(now, [2 * number, 2 * number + 1], [&at, &at], Rendezvous::Twin);
            settle(now + Duration::from_millis(5) * (number - 5_000), &mut relay, &mut sites[..1]);
        }
        assert_eq!(relay.pairs(), (2, RelayLimits::default().per_network - 1));
    }
}

#[test]
fn a_network_of_pairs_is_denied_more_and_moving_costs_no_seat() {
    let limits = RelayLimits { per_network: 4, ..RelayLimits::default() };
    let mut relay = RelayServer::new(secs(100), limits, [5; 32]);
    let pair = |number: u32| {
        let at = [0, 1].map(|side| format!("192.0.2.1:{}", 1_000 + 2 * number + side));
        TestSite::pair(secs(100), [2 * number, 2 * number + 1], [&at[0], &at[1]], Rendezvous::Twin)
    };
    let mut pairs = [0, 1, 2].map(pair);
    pairs.iter_mut().for_each(|sites| settle(secs(100), &mut relay, sites));
    assert_eq!((relay.pairs(), relay.stats.network_full), ((2, 0), 2));
    assert!(pairs[2].iter().all(|site| site.asking.is_full()));
    assert_eq!(relay.stats.last_denied, Some(pairs[2][0].address.ip()));
    // A router gives one of them new ports, but it keeps the same seat.
    for second in 101..150 {
        pairs[0][0].address.set_port(2_000 + second as u16);
        pairs[..2].iter_mut().for_each(|sites| settle(secs(second), &mut relay, sites));
    }
    assert_eq!(relay.pairs(), (2, 0));
}

#[test]
fn where_all_rooms_are_taken_those_who_wait_give_way_and_pairs_stay() {
    let limits = RelayLimits { pairs: 40, per_network: 30, ..RelayLimits::default() };
    let mut relay = RelayServer::new(secs(100), limits, [5; 32]);
    let mut waits = TestSite::pair(secs(100), [1, 2], ["198.51.100.1:9", "198.51.100.2:9"], Rendezvous::Twin);
    settle(secs(100), &mut relay, &mut waits[..1]);
    let mut pair = TestSite::pair(secs(100), [3, 4], ["198.51.100.3:9", "198.51.100.4:9"], Rendezvous::Twin);
    settle(secs(100), &mut relay, &mut pair);
    for number in 10..110_u32 {
        let at = format!("203.0.{}.1:{number}", 113 + number % 2);
        let mut sites = TestSite::pair(secs(101), [2 * number, 2 * number + 1], [&at, &at], Rendezvous::Twin);
        settle(secs(101), &mut relay, &mut sites[..1]);
        assert!(!sites[0].asking.is_full());
    }
    assert_eq!(relay.pairs(), (1, 39));
    // Sites of the networks that hold the most gave way.
    settle(secs(102), &mut relay, &mut waits[1..]);
    assert_eq!(relay.pairs(), (2, 38));
    let limits = RelayLimits { pairs: 2, ..limits };
    let mut relay = RelayServer::new(secs(102), limits, [5; 32]);
    for seeds in [[1, 2], [3, 4]] {
        let at = [seeds[0], seeds[1]].map(|seed| format!("198.51.100.{seed}:9"));
        settle(secs(102), &mut relay, &mut TestSite::pair(secs(102), seeds, [&at[0], &at[1]], Rendezvous::Twin));
    }
    let mut late = TestSite::pair(secs(102), [5, 6], ["198.51.100.5:9", "198.51.100.6:9"], Rendezvous::Twin);
    settle(secs(102), &mut relay, &mut late);
    assert_eq!((relay.pairs(), relay.stats.full), ((2, 0), 2));
}

#[test]
fn a_relay_with_a_list_serves_nobody_else() {
    let (listed, mut sites) = (TestSite::two(Rendezvous::Twin), TestSite::two(Rendezvous::Twin));
    let keys = listed.iter().map(|site| TestSite::key(&site.pair)).collect();
    let mut relay = relay().serve_only(keys);
    settle(secs(100), &mut relay, &mut sites);
    assert_eq!((relay.pairs(), relay.stats.unlisted), ((1, 0), 0));
    let mut strangers = TestSite::pair(secs(100), [5, 6], ["203.0.113.5:9", "203.0.113.6:9"], Rendezvous::Twin);
    settle(secs(100), &mut relay, &mut strangers);
    assert_eq!((relay.pairs(), relay.stats.unlisted), ((1, 0), 2));
    assert!(strangers.iter().all(|site| site.asking.is_full()));
}
