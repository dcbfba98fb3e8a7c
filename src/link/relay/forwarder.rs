//! The relay itself: who asks for whom, and where what each sends is to go. It looks at no byte behind the first.

use super::{Answer, Ask, COOKIE, Other, is_of_relay};
use core::net::{IpAddr, SocketAddr};
use ring::hmac;
use ring::signature::{ED25519, UnparsedPublicKey};
use std::collections::HashMap;
use std::time::Duration;

/// Who has not asked for this long is gone.
const SEAT: Duration = Duration::from_secs(30);
/// Empty seats are cleared this often.
const SWEEP: Duration = Duration::from_secs(5);
/// One address has so small a part of all proofs.
const PROOFS_EACH: u32 = 4;
/// A cookie is good for this long at least, and twice that at most.
const COOKIES: Duration = Duration::from_secs(60);

/// What a relay gives at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Pairs of sites at once.
    pub pairs: usize,
    /// Bytes a second that each site may send, in the mean.
    pub rate: u32,
    /// Bytes that it may send at once.
    pub burst: u32,
    /// Signatures that are checked a second, for all together; one address has a quarter of them.
    pub proofs: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { pairs: 4_096, rate: 300_000, burst: 150_000, proofs: 2_000 }
    }
}

/// What is to be done with a datagram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// Goes on as it is, to there.
    Forward(SocketAddr),
    /// Is answered; the second answer, if there is one, tells the other site that this one has come.
    Answer([Option<(SocketAddr, Vec<u8>)>; 2]),
    /// Is nobody's.
    Drop,
}

/// So many a second, and so many at once.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: f64,
    at: Duration,
}

impl Bucket {
    fn take(&mut self, now: Duration, count: usize, rate: u32, burst: u32) -> bool {
        let gained = now.saturating_sub(self.at).as_secs_f64() * f64::from(rate);
        self.left = (self.left + gained).min(f64::from(burst));
        self.at = self.at.max(now);
        let enough = self.left >= count as f64;
        if enough {
            self.left -= count as f64;
        }
        enough
    }
}

/// Where one of a pair is.
#[derive(Debug)]
struct Seat {
    who: [u8; 32],
    address: SocketAddr,
    asked: Duration,
    bucket: Bucket,
}

/// Who is where, and who may say what to whom.
#[derive(Debug)]
pub struct Forwarder {
    limits: Limits,
    secret: hmac::Key,
    rooms: HashMap<[u8; 32], [Option<Seat>; 2]>,
    seats: HashMap<SocketAddr, ([u8; 32], usize)>,
    proofs: Bucket,
    /// The same for each address that asks.
    provers: HashMap<IpAddr, Bucket>,
    swept: Duration,
    /// Bytes that went on, and datagrams that did not, since the start.
    pub counts: Counts,
}

/// What has passed since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Datagrams that went on.
    pub forwarded: u64,
    /// Their bytes, without the headers of IP and UDP.
    pub bytes: u64,
    /// Datagrams of nobody who is known, or beyond a site's rate.
    pub dropped: u64,
}

impl Forwarder {
    /// A relay with nobody. `secret` is random; cookies follow from it.
    pub fn new(now: Duration, limits: Limits, secret: [u8; 32]) -> Self {
        let bucket = Bucket { left: f64::from(limits.proofs), at: now };
        let secret = hmac::Key::new(hmac::HMAC_SHA256, &secret);
        let (rooms, seats) = (HashMap::new(), HashMap::new());
        Self {
            limits,
            secret,
            rooms,
            seats,
            proofs: bucket,
            provers: HashMap::new(),
            swept: now,
            counts: Counts::default(),
        }
    }

    /// Pairs of whom both are there, and those who wait.
    pub fn pairs(&self) -> (usize, usize) {
        let whole = self.rooms.values().filter(|seats| seats.iter().all(Option::is_some)).count();
        (whole, self.rooms.len() - whole)
    }

    /// What to do with a datagram that came.
    pub fn handle(&mut self, now: Duration, from: SocketAddr, datagram: &[u8]) -> Turn {
        if is_of_relay(datagram) {
            return self.answer(now, from, datagram);
        }
        let turn = self.forward(now, from, datagram.len());
        match turn {
            Turn::Forward(_) => {
                self.counts.forwarded += 1;
                self.counts.bytes += datagram.len() as u64;
            }
            _ => self.counts.dropped += 1,
        }
        turn
    }

    fn forward(&mut self, now: Duration, from: SocketAddr, size: usize) -> Turn {
        let Limits { rate, burst, .. } = self.limits;
        let Some(&(room, side)) = self.seats.get(&from) else { return Turn::Drop };
        let Some(seats) = self.rooms.get_mut(&room) else { return Turn::Drop };
        let to = seats[1 - side].as_ref().map(|other| other.address);
        let fits = seats[side].as_mut().is_some_and(|seat| seat.bucket.take(now, size, rate, burst));
        to.filter(|_| fits).map_or(Turn::Drop, Turn::Forward)
    }

    fn answer(&mut self, now: Duration, from: SocketAddr, datagram: &[u8]) -> Turn {
        self.sweep(now);
        let Ok(ask) = Ask::decode(datagram) else { return Turn::Drop };
        let epoch = now.as_secs() / COOKIES.as_secs();
        let current = self.cookie(from, epoch);
        if ask.cookie != current && (epoch == 0 || ask.cookie != self.cookie(from, epoch - 1)) {
            return reply(from, &Answer::Cookie(current));
        }
        let room = ask.other.room(&ask.who);
        let each = self.limits.proofs / PROOFS_EACH;
        let own = self.provers.entry(from.ip()).or_insert(Bucket { left: f64::from(each), at: now });
        if !own.take(now, 1, each, each) || !self.proofs.take(now, 1, self.limits.proofs, self.limits.proofs) {
            return Turn::Drop;
        }
        if UnparsedPublicKey::new(&ED25519, ask.who).verify(&ask.signed(), &ask.signature).is_err() {
            return Turn::Drop;
        }
        if !self.rooms.contains_key(&room) && self.rooms.len() >= self.limits.pairs {
            return reply(from, &Answer::Full);
        }
        let Some(side) = self.side(&room, &ask) else { return reply(from, &Answer::Full) };
        let news = self.sit(now, from, room, side, ask.who);
        let other = self.rooms.get(&room).and_then(|seats| seats[1 - side].as_ref()).map(|other| other.address);
        let told = other.filter(|_| news).map(|other| {
            let answer = Answer::Here { you: other, other: Some(from) };
            (other, answer.encode())
        });
        Turn::Answer([Some((from, Answer::Here { you: from, other }.encode())), told])
    }

    /// Which of the two seats; none where two others meet.
    fn side(&self, room: &[u8; 32], ask: &Ask) -> Option<usize> {
        match &ask.other {
            Other::Twin(key) => Some(usize::from(ask.who > *key)),
            Other::Meeting(_) => {
                let Some(seats) = self.rooms.get(room) else { return Some(0) };
                let own = seats.iter().position(|seat| seat.as_ref().is_some_and(|seat| seat.who == ask.who));
                own.or_else(|| seats.iter().position(Option::is_none))
            }
        }
    }

    /// Takes a seat, or keeps it; true when that is news to the other one.
    fn sit(&mut self, now: Duration, from: SocketAddr, room: [u8; 32], side: usize, who: [u8; 32]) -> bool {
        let seat = &mut self.rooms.entry(room).or_default()[side];
        if let Some(seat) = seat.as_mut().filter(|seat| seat.address == from) {
            (seat.asked, seat.who) = (now, who);
            return false;
        }
        // Who moves takes what is left of his rate along.
        let fresh = Bucket { left: f64::from(self.limits.burst), at: now };
        let bucket = seat.as_ref().map_or(fresh, |old| old.bucket);
        if let Some(old) = seat.replace(Seat { who, address: from, asked: now, bucket }) {
            self.seats.remove(&old.address);
        }
        // Who speaks from here speaks for this pair from now on.
        if let Some((old, side)) = self.seats.insert(from, (room, side))
            && old != room
        {
            self.leave(old, side);
        }
        true
    }

    fn leave(&mut self, room: [u8; 32], side: usize) {
        if let Some(seats) = self.rooms.get_mut(&room) {
            seats[side] = None;
            if seats.iter().all(Option::is_none) {
                self.rooms.remove(&room);
            }
        }
    }

    fn cookie(&self, of: SocketAddr, epoch: u64) -> [u8; COOKIE] {
        let tag = hmac::sign(&self.secret, format!("{of} {epoch}").as_bytes());
        tag.as_ref()[..COOKIE].try_into().expect("SHA-256 has 32 bytes")
    }

    fn sweep(&mut self, now: Duration) {
        if now.saturating_sub(self.swept) < SWEEP {
            return;
        }
        self.swept = now;
        // Who has not asked for so long has all of his proofs again.
        self.provers.retain(|_, bucket| now.saturating_sub(bucket.at) < SWEEP);
        let seats = &mut self.seats;
        self.rooms.retain(|_, room| {
            for seat in room.iter_mut() {
                if let Some(gone) = seat.take_if(|seat| now.saturating_sub(seat.asked) > SEAT) {
                    seats.remove(&gone.address);
                }
            }
            room.iter().any(Option::is_some)
        });
    }
}

fn reply(to: SocketAddr, answer: &Answer) -> Turn {
    Turn::Answer([Some((to, answer.encode())), None])
}

#[cfg(test)]
mod tests {
    use super::super::{Asking, Placed};
    use super::*;
    use ring::rand::SystemRandom;
    use ring::signature::{Ed25519KeyPair, KeyPair};

    const QUIC: &[u8] = &[0x40, 1, 2, 3];

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    struct Site {
        pair: Ed25519KeyPair,
        address: SocketAddr,
        asking: Asking,
    }

    impl Site {
        fn key(pair: &Ed25519KeyPair) -> [u8; 32] {
            pair.public_key().as_ref().try_into().expect("32 bytes")
        }

        fn two(other: impl Fn([u8; 32]) -> Other) -> [Self; 2] {
            let pairs = [0, 1].map(|_| {
                let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("randomness");
                Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).expect("our own")
            });
            let keys = [Self::key(&pairs[0]), Self::key(&pairs[1])];
            let mut side = 0;
            pairs.map(|pair| {
                side += 1;
                let asking = Asking::new(secs(100), keys[side - 1], other(keys[2 - side]));
                Self { pair, address: SocketAddr::from(([192, 0, 2, side as u8], 4_433)), asking }
            })
        }

        fn question(&mut self, now: Duration) -> Option<Vec<u8>> {
            self.asking.poll(now, |text| self.pair.sign(text).as_ref().try_into().expect("64 bytes"))
        }
    }

    /// Carries what is due until nobody has more to say.
    fn settle(now: Duration, relay: &mut Forwarder, sites: &mut [Site]) {
        let mut due = true;
        while std::mem::take(&mut due) {
            for side in 0..sites.len() {
                let Some(question) = sites[side].question(now) else { continue };
                due = true;
                let Turn::Answer(answers) = relay.handle(now, sites[side].address, &question) else { continue };
                for (to, answer) in answers.into_iter().flatten() {
                    assert!(answer.len() < question.len(), "an answer is shorter than its question");
                    if let Some(site) = sites.iter_mut().find(|site| site.address == to) {
                        site.asking.handle(now, &answer);
                    }
                }
            }
        }
    }

    fn relay() -> Forwarder {
        Forwarder::new(secs(100), Limits::default(), [5; 32])
    }

    #[test]
    fn two_who_ask_for_each_other_are_joined_and_nobody_else() {
        for other in [Other::Twin, |_| Other::Meeting([9; 32])] {
            let mut relay = relay();
            let mut sites = Site::two(other);
            settle(secs(100), &mut relay, &mut sites[..1]);
            assert_eq!(sites[0].asking.placed(), Some(Placed { here: sites[0].address, other: None }));
            assert_eq!(relay.handle(secs(100), sites[0].address, QUIC), Turn::Drop, "the other one is not there yet");
            settle(secs(101), &mut relay, &mut sites);
            for (side, site) in sites.iter().enumerate() {
                let other = sites[1 - side].address;
                assert_eq!(site.asking.placed(), Some(Placed { here: site.address, other: Some(other) }));
                assert_eq!(relay.handle(secs(101), site.address, QUIC), Turn::Forward(other));
            }
            let stranger = SocketAddr::from(([198, 51, 100, 1], 9));
            assert_eq!(relay.handle(secs(101), stranger, QUIC), Turn::Drop);
            assert_eq!((relay.pairs(), relay.counts.forwarded, relay.counts.dropped), ((1, 0), 2, 2));
        }
    }

    #[test]
    fn who_moves_is_followed_and_who_is_silent_is_forgotten() {
        let (mut relay, mut sites) = (relay(), Site::two(Other::Twin));
        settle(secs(100), &mut relay, &mut sites);
        let old = std::mem::replace(&mut sites[0].address, SocketAddr::from(([203, 0, 113, 77], 555)));
        for second in 101..110 {
            settle(secs(second), &mut relay, &mut sites);
        }
        assert_eq!(relay.handle(secs(110), sites[1].address, QUIC), Turn::Forward(sites[0].address));
        assert_eq!(relay.handle(secs(110), old, QUIC), Turn::Drop);
        for second in 110..200 {
            settle(secs(second), &mut relay, &mut sites[..1]);
        }
        assert_eq!((relay.pairs(), relay.seats.len()), ((0, 1), 1));
        assert_eq!(sites[0].asking.placed().map(|placed| placed.other), Some(None));
    }

    #[test]
    fn a_key_cannot_be_borrowed_and_an_address_cannot_be_invented() {
        let (mut relay, mut sites) = (relay(), Site::two(Other::Twin));
        settle(secs(100), &mut relay, &mut sites);
        // The second one asks in the name of the first.
        let who = Site::key(&sites[0].pair);
        let mut thief = Asking::new(secs(100), who, Other::Twin(Site::key(&sites[1].pair)));
        let at = SocketAddr::from(([198, 51, 100, 1], 9));
        for second in 100..120 {
            let sign = |text: &[u8]| sites[1].pair.sign(text).as_ref().try_into().expect("64 bytes");
            let Some(question) = thief.poll(secs(second), sign) else { continue };
            if let Turn::Answer([Some((_, answer)), _]) = relay.handle(secs(second), at, &question) {
                thief.handle(secs(second), &answer);
            }
        }
        assert_eq!(thief.placed(), None);
        // A question with a good cookie, sent on from elsewhere.
        let question = (101..120).find_map(|second| sites[0].question(secs(second))).expect("it asks again");
        assert!(matches!(relay.handle(secs(120), at, &question), Turn::Answer([Some((to, _)), None]) if to == at));
        assert_eq!(relay.handle(secs(120), sites[1].address, QUIC), Turn::Forward(sites[0].address));
    }

    #[test]
    fn rate_and_room_are_bounded() {
        let limits = Limits { pairs: 1, rate: 1_000, burst: 5_000, ..Limits::default() };
        let mut relay = Forwarder::new(secs(100), limits, [5; 32]);
        let mut sites = Site::two(Other::Twin);
        settle(secs(100), &mut relay, &mut sites);
        let large = [0x40; 1_000];
        let went = |relay: &mut Forwarder, now| {
            (0..20).filter(|_| matches!(relay.handle(now, sites[0].address, &large), Turn::Forward(_))).count()
        };
        assert_eq!((went(&mut relay, secs(101)), went(&mut relay, secs(103))), (5, 2));
        let mut others = Site::two(Other::Twin);
        others[0].address.set_port(1);
        settle(secs(104), &mut relay, &mut others[..1]);
        assert!(others[0].asking.is_full() && others[0].asking.placed().is_none());
    }
}
