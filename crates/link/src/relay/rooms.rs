//! Rooms of a relay: their seats, and the rule by which rooms give way when there is no space.
//!
//! A room is for two sites that ask for each other. Each network has a limit of seats, and the relay a limit of
//! rooms. When either is reached, a room with a single waiting site gives way. Two sites that have found each other
//! never do.

use super::super::network_quota::{Network, NetworkQuota, networks};
use super::{Nonce, RelayRequest, Rendezvous};
use core::net::SocketAddr;
use moongate_core::token_bucket::TokenBucket;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::time::Duration;

/// Timeout after which a site that has not asked is gone.
const SEAT_TIMEOUT: Duration = Duration::from_secs(30);

/// Identifier of two sites that ask for each other.
type RoomId = [u8; 32];

/// Reason for which a site does not get a seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SeatDenied {
    /// Two other sites meet there.
    Taken,
    /// The site's network has reached its limit of seats, all held by sites that have found each other.
    Network,
    /// The relay has reached its limit of rooms, all held by sites that have found each other.
    Relay,
}

/// Result of taking or keeping a seat.
pub(super) struct Seated {
    /// The other site, if it is there: its address, and the nonce of its last question.
    pub other: Option<(SocketAddr, Nonce)>,
    /// True if the other site has not been notified yet.
    pub is_new: bool,
    /// True if a room gave way.
    pub evicted: bool,
}

#[derive(Debug)]
struct Seat {
    who: [u8; 32],
    address: SocketAddr,
    last_asked: Duration,
    nonce: Nonce,
    bucket: TokenBucket,
}

/// All rooms of a relay.
#[derive(Debug)]
pub(super) struct Rooms {
    rooms_max: usize,
    /// Initial allowance of a site to send.
    initial_bucket: TokenBucket,
    rooms: HashMap<RoomId, [Option<Seat>; 2]>,
    seats: HashMap<SocketAddr, (RoomId, usize)>,
    quota: NetworkQuota,
}

impl Rooms {
    /// Returns an empty set of at most `most` rooms, with `each` seats for a narrow network.
    pub fn new(most: usize, each: usize, allowance: TokenBucket) -> Self {
        Self {
            rooms_max: most,
            initial_bucket: allowance,
            rooms: HashMap::new(),
            seats: HashMap::new(),
            quota: NetworkQuota::new(each),
        }
    }

    /// Returns the number of pairs with both sites present, and of sites that wait.
    pub fn pairs(&self) -> (usize, usize) {
        let whole = self.rooms.values().filter(|seats| seats.iter().all(Option::is_some)).count();
        (whole, self.rooms.len() - whole)
    }

    /// Returns where to forward a packet from this address. None unless a site has a seat there, the other one is
    /// present and the rate allows it.
    pub fn forward(&mut self, now: Duration, from: SocketAddr, size: usize) -> Option<SocketAddr> {
        let &(room, side) = self.seats.get(&from)?;
        let seats = self.rooms.get_mut(&room)?;
        let to = seats[1 - side].as_ref().map(|other| other.address);
        let fits = seats[side].as_mut().is_some_and(|seat| seat.bucket.try_take(now, size as f64));
        to.filter(|_| fits)
    }

    /// Seats a site that asks from this address and has proved its key.
    pub fn join(&mut self, now: Duration, from: SocketAddr, ask: &RelayRequest) -> Result<Seated, SeatDenied> {
        let room = ask.other.room_id(&ask.who);
        let side = self.side(&room, ask).ok_or(SeatDenied::Taken)?;
        let (mut news, mut gave_way) = (false, false);
        let known = self.rooms.get_mut(&room).and_then(|seats| seats[side].as_mut());
        if let Some(seat) = known.filter(|seat| seat.address == from) {
            (seat.last_asked, seat.who, seat.nonce) = (now, ask.who, ask.nonce);
        } else {
            // A site that moves keeps the rest of its rate. From now on this address belongs to this pair.
            let allowance = self.leave(&room, side).map_or(self.initial_bucket, |old| old.bucket);
            if let Some((old, side)) = self.seats.get(&from).copied() {
                self.leave(&old, side);
            }
            gave_way = self.make_room(from, &room)?;
            let seat = Seat { who: ask.who, address: from, last_asked: now, nonce: ask.nonce, bucket: allowance };
            self.rooms.entry(room).or_default()[side] = Some(seat);
            self.seats.insert(from, (room, side));
            self.quota.acquire(from.ip());
            news = true;
        }
        let other = self.rooms.get(&room).and_then(|seats| seats[1 - side].as_ref());
        Ok(Seated { other: other.map(|other| (other.address, other.nonce)), is_new: news, evicted: gave_way })
    }

    /// Returns which of the two seats belongs to the question; none if two others meet.
    fn side(&self, room: &RoomId, ask: &RelayRequest) -> Option<usize> {
        match &ask.other {
            Rendezvous::Twin(key) => Some(usize::from(ask.who > *key)),
            Rendezvous::Meeting(_) => {
                let Some(seats) = self.rooms.get(room) else { return Some(0) };
                let own = seats.iter().position(|seat| seat.as_ref().is_some_and(|seat| seat.who == ask.who));
                own.or_else(|| seats.iter().position(Option::is_none))
            }
        }
    }

    /// Makes space for a site at `from` in `room`; returns true when another room gave way for it.
    fn make_room(&mut self, from: SocketAddr, room: &RoomId) -> Result<bool, SeatDenied> {
        if let Some(network) = self.quota.exhausted(from.ip()) {
            return self.evict_waiting(room, Some(network)).then_some(true).ok_or(SeatDenied::Network);
        }
        if self.rooms.contains_key(room) || self.rooms.len() < self.rooms_max {
            return Ok(false);
        }
        self.evict_waiting(room, None).then_some(true).ok_or(SeatDenied::Relay)
    }

    /// Clears a room with a single waiting site other than `kept`: of this network, or of the network that holds
    /// most. Of these, it chooses the one that has not asked for longest.
    fn evict_waiting(&mut self, kept: &RoomId, of: Option<Network>) -> bool {
        let waiting = self.rooms.iter().filter(|(room, seats)| *room != kept && seats.iter().flatten().count() == 1);
        let alone = waiting.filter_map(|(room, seats)| {
            let side = seats.iter().position(Option::is_some)?;
            let seat = seats[side].as_ref()?;
            let ip = seat.address.ip();
            let held = match of {
                Some(network) => networks(ip).contains(&network).then_some(0)?,
                None => self.quota.held(ip),
            };
            Some(((held, Reverse(seat.last_asked)), *room, side))
        });
        let Some((_, room, side)) = alone.max_by_key(|(rank, ..)| *rank) else { return false };
        self.leave(&room, side).is_some()
    }

    fn leave(&mut self, room: &RoomId, side: usize) -> Option<Seat> {
        let seats = self.rooms.get_mut(room)?;
        let gone = seats[side].take();
        if seats.iter().all(Option::is_none) {
            self.rooms.remove(room);
        }
        let gone = gone?;
        self.seats.remove(&gone.address);
        self.quota.release(gone.address.ip());
        Some(gone)
    }

    /// Clears the seats of sites that are gone.
    pub fn sweep(&mut self, now: Duration) {
        let late =
            |seat: &Option<Seat>| seat.as_ref().is_some_and(|seat| now.saturating_sub(seat.last_asked) > SEAT_TIMEOUT);
        let rooms = self.rooms.iter().flat_map(|(room, seats)| [0, 1].map(|side| (*room, side, late(&seats[side]))));
        let gone: Vec<_> = rooms.filter(|(.., late)| *late).collect();
        for (room, side, _) in gone {
            self.leave(&room, side);
        }
    }
}
